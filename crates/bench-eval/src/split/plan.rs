//! All splits of one protocol.
//!
//! `paper` follows Watkinson et al. 2023: rows or ids are permuted, the first `int(0.8 n)` train.
//!
//! `strict` repairs what makes those splits hard to compare:
//! - `random` draws wells, so that no well lies on both sides;
//! - held-out groups are chosen so that labels stay balanced and covered, and repeats differ;
//! - all splits train on the same number of rows: m, the smallest training set among the
//!   repeated splits of the plan. Larger training sets are cut to m by whole wells within labels,
//!   leave-one-out folds too. Leave-one-out folds that are smaller stay as they are, and do not
//!   lower m; their `n_train` shows it.
//!
//! So a strict split depends on which other splits are in the plan. Unequal well sizes can leave
//! a cut training set a few rows short of m.

use super::units::Units;
use super::{Split, SplitInput, equal_size, find};
use crate::{Error, Role, SplitSet};

/// Splits `ids` (or aliases) under the protocol `paper`.
///
/// # Errors
/// Unknown ids and settings out of range. A split that the data cannot support is no error: it
/// comes back without folds, with the reason.
pub fn paper_plan(ids: &[&str], input: &SplitInput<'_>) -> Result<Vec<SplitSet>, Error> {
    Ok(resolve(ids, input)?.iter().map(|split| split.rule.paper(split, input)).collect())
}

/// Splits `ids` (or aliases) under the protocol `strict`.
///
/// # Errors
/// As [`paper_plan`].
pub fn strict_plan(ids: &[&str], input: &SplitInput<'_>) -> Result<Vec<SplitSet>, Error> {
    let mut sets: Vec<SplitSet> = resolve(ids, input)?.iter().map(|split| split.rule.strict(split, input)).collect();
    let repeated = sets.iter().filter(|set| !set.pooled).flat_map(|set| &set.folds);
    let Some(size) = repeated.map(|fold| fold.count(Role::Train)).min() else {
        return Ok(sets);
    };
    let (wells, _) = Units::wells(input);
    for set in &mut sets {
        let purpose = format!("split/strict/cut/{}", set.split);
        for fold in &mut set.folds {
            let seed = input.seed.derive(&purpose, u64::from(fold.repeat));
            equal_size::cut(fold, &wells, input.label, size, seed);
        }
    }
    Ok(sets)
}

fn resolve(ids: &[&str], input: &SplitInput<'_>) -> Result<Vec<Split>, Error> {
    let setting =
        |key: &str, value: String, why: &str| Err(Error::Setting { key: key.to_owned(), value, why: why.to_owned() });
    if !(input.test_fraction > 0.0 && input.test_fraction < 1.0) {
        return setting("split.test-fraction", input.test_fraction.to_string(), "it lies between 0 and 1");
    }
    if input.repeats == 0 {
        return setting("split.repeats", "0".to_owned(), "at least one repeat is needed");
    }
    let groups: Vec<&str> = input.layout.groups.keys().map(String::as_str).collect();
    let mut splits: Vec<Split> = Vec::with_capacity(ids.len());
    for id in ids {
        let split = find(id, &groups)?;
        if splits.iter().all(|known| known.id != split.id) {
            splits.push(split);
        }
    }
    Ok(splits)
}
