//! Split rules: which rows train and which are tested.
//!
//! Two protocols share the rules. `paper` divides as Watkinson et al. 2023 do (random over rows,
//! 80/20 of group ids for the others); `strict` never divides a well, keeps labels balanced and
//! gives every split the same amount of training data, see [`plan`]. [`mod@fixed`] takes folds that
//! a user brings. [`audit`](mod@audit) says what a split did and what it leaks.
//!
//! A new rule is one file with a card and a [`Rule`], and two lines here: its `mod` and its place
//! in [`RULES`].

use bench_core::{Card, Factor, Layout, Seed, suggest};

use crate::{Error, SplitSet};

pub mod audit;
mod draw;
mod equal_size;
pub mod fixed;
pub mod grouped;
pub mod leave_compound_out;
pub mod leave_one_batch_out;
pub mod leave_one_compound_out;
pub mod leave_one_group_out;
pub mod leave_one_plate_out;
pub mod leave_one_source_out;
pub mod not_same_batch;
pub mod not_same_group;
pub mod not_same_plate;
pub mod not_same_source;
pub mod not_same_well;
pub mod plan;
pub mod random;
mod stratify;
pub mod thin_tests;
pub mod transfer;
mod units;

pub use audit::audit;
pub use draw::MAX_FOLDS;
pub use fixed::fixed;
pub use grouped::grouped_folds;
pub use plan::{paper_plan, strict_plan};
pub use thin_tests::thin_tests;
pub use transfer::{TransferPair, transfer_folds};

/// What a rule may see. Rows are in canonical order.
#[derive(Clone, Copy, Debug)]
pub struct SplitInput<'a> {
    /// Origin of every labelled row.
    pub layout: &'a Layout,
    /// Label of every row; only its codes are read, never its names.
    pub label: &'a Factor,
    /// Seed of the run.
    pub seed: Seed,
    /// Repeats of the splits that draw at random.
    pub repeats: usize,
    /// Share of rows, wells or groups to test on.
    pub test_fraction: f64,
}

impl<'a> SplitInput<'a> {
    /// Five repeats, a fifth of the units held out.
    pub fn new(layout: &'a Layout, label: &'a Factor, seed: Seed) -> Self {
        Self { layout, label, seed, repeats: 5, test_fraction: 0.2 }
    }
}

/// One way to divide rows.
pub trait Rule: Sync {
    /// What it is. An id with `<group>` in it stands for every group that can take its place.
    fn card(&self) -> &'static Card;

    /// Short name accepted in place of the id.
    fn alias(&self) -> Option<&'static str> {
        None
    }

    /// Unit that is held out; absent where the id names it.
    fn unit(&self) -> Option<&'static str>;

    /// Folds of the protocol `paper`.
    fn paper(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet;

    /// Folds of the protocol `strict`, before [`plan::strict_plan`] cuts training sets to one size.
    fn strict(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet;
}

/// All rules, in the order in which they are shown: from the easiest question to the hardest.
pub static RULES: &[&dyn Rule] = &[
    &random::Random,
    &not_same_well::NotSameWell,
    &not_same_plate::NotSamePlate,
    &not_same_batch::NotSameBatch,
    &not_same_source::NotSameSource,
    &not_same_group::NotSameGroup,
    &leave_one_plate_out::LeaveOnePlateOut,
    &leave_one_batch_out::LeaveOneBatchOut,
    &leave_one_source_out::LeaveOneSourceOut,
    &leave_one_compound_out::LeaveOneCompoundOut,
    &leave_one_group_out::LeaveOneGroupOut,
    &leave_compound_out::LeaveCompoundOut,
];

/// Units that may stand for `<group>` beside the groups that a suite names.
const OTHER_UNITS: [&str; 2] = ["position", "compound"];

/// A rule under the id that was asked for.
#[derive(Clone)]
pub struct Split {
    /// Full id, e.g. `not-same-physical-plate`.
    pub id: String,
    /// Unit that is held out.
    pub unit: String,
    /// The rule.
    pub rule: &'static dyn Rule,
}

impl std::fmt::Debug for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Split").field("id", &self.id).field("unit", &self.unit).finish_non_exhaustive()
    }
}

/// Every split that can be asked for, `groups` being the groups that the suite names.
pub fn all(groups: &[&str]) -> Vec<Split> {
    let mut splits: Vec<Split> = Vec::new();
    for &rule in RULES {
        let pattern = rule.card().id;
        match rule.unit() {
            Some(unit) => splits.push(Split { id: pattern.to_owned(), unit: unit.to_owned(), rule }),
            None => splits.extend(groups.iter().chain(&OTHER_UNITS).map(|unit| Split {
                id: pattern.replace("<group>", unit),
                unit: (*unit).to_owned(),
                rule,
            })),
        }
    }
    // A group of the suite never shadows a rule of its own, such as `leave-one-compound-out`.
    let mut seen = std::collections::BTreeSet::new();
    splits.retain(|split| seen.insert(split.id.clone()));
    splits
}

/// The split of an id or alias (`nss`, `nsb`, `nsp`, `nsw`).
///
/// # Errors
/// [`Error::UnknownId`] with the closest valid id.
pub fn find(id: &str, groups: &[&str]) -> Result<Split, Error> {
    let full = RULES.iter().find(|rule| rule.alias() == Some(id)).map_or(id, |rule| rule.card().id);
    let mut splits = all(groups);
    if let Some(at) = splits.iter().position(|split| split.id == full) {
        return Ok(splits.swap_remove(at));
    }
    let suggestion = suggest::closest(id, splits.iter().map(|split| split.id.as_str())).map(str::to_owned);
    Err(Error::UnknownId { kind: "split", id: id.to_owned(), suggestion })
}

#[cfg(test)]
mod properties;

/// What `bench new` writes; its test is to fail until it is filled in.
#[cfg(test)]
#[path = "../../../bench-run/src/scaffold/templates/split.rs"]
pub mod template_split;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_and_groups_resolve_to_full_ids() {
        for (short, full) in [
            ("nss", "not-same-source"),
            ("nsb", "not-same-batch"),
            ("nsp", "not-same-plate"),
            ("nsw", "not-same-well"),
            ("leave-one-physical-plate-out", "leave-one-physical-plate-out"),
        ] {
            assert_eq!(find(short, &["physical-plate"]).unwrap().id, full);
        }
        assert_eq!(find("not-same-physical-plate", &["physical-plate"]).unwrap().unit, "physical-plate");
    }

    #[test]
    fn a_typo_is_answered_with_the_closest_id() {
        let Err(Error::UnknownId { suggestion, .. }) = find("not-same-sorce", &[]) else {
            panic!("`not-same-sorce` names nothing");
        };
        assert_eq!(suggestion.as_deref(), Some("not-same-source"));
        assert!(find("not-same-physical-plate", &[]).is_err());
    }

    #[test]
    fn ids_are_unique_and_cards_are_complete() {
        let ids: Vec<String> = all(&["compound", "scope"]).into_iter().map(|split| split.id).collect();
        let mut distinct = ids.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(ids.len(), distinct.len());
        for rule in RULES {
            let card = rule.card();
            for text in [card.title, card.what, card.formula, card.better, card.range, card.limits, card.reference] {
                assert!(!text.is_empty(), "{}", card.id);
            }
        }
    }
}
