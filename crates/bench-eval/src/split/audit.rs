//! What a split did: sizes, distinct test sets, unseen classes, and what lies on both sides.

use std::collections::BTreeSet;

use bench_core::record::SplitInfo;
use bench_core::{Factor, Layout};

use crate::{Fold, Role, SplitSet};

/// Describes a split for the record.
///
/// `leaks` lists every unit of the layout except well position and site, and every named group,
/// with the largest number over folds of its ids that have rows in training and in the test set:
/// 0 means that the unit is never divided. `unseen_test_rows` is summed over folds.
pub fn audit(set: &SplitSet, layout: &Layout, label: &Factor) -> SplitInfo {
    let sizes = |role| {
        let counts = || set.folds.iter().map(move |fold| fold.count(role));
        (counts().min().unwrap_or(0), counts().max().unwrap_or(0))
    };
    let units = ["well", "plate", "batch", "source", "compound"]
        .into_iter()
        .chain(layout.groups.keys().map(String::as_str))
        .filter_map(|unit| layout.unit(unit).map(|factor| (unit, factor)));
    let test_sets: BTreeSet<Vec<u32>> = set.folds.iter().map(|fold| fold.rows(Role::Test)).collect();
    SplitInfo {
        protocol: set.protocol.clone(),
        split: set.split.clone(),
        unit: set.unit.clone(),
        folds: set.folds.len(),
        pooled: set.pooled,
        n_train: sizes(Role::Train),
        n_test: sizes(Role::Test),
        distinct_test_sets: test_sets.len(),
        unseen_test_rows: set.folds.iter().map(|fold| unseen(fold, label)).sum(),
        leaks: units
            .map(|(unit, factor)| {
                let most = set.folds.iter().map(|fold| divided(fold, factor)).max();
                (unit.to_owned(), most.unwrap_or(0))
            })
            .collect(),
        reason: set.reason.clone(),
    }
}

/// Test rows whose label never occurs in training.
fn unseen(fold: &Fold, label: &Factor) -> usize {
    let mut trained = vec![false; label.level_count()];
    for (role, &class) in fold.roles.iter().zip(&label.codes) {
        trained[class as usize] |= *role == Role::Train;
    }
    fold.roles
        .iter()
        .zip(&label.codes)
        .filter(|(role, class)| **role == Role::Test && !trained[**class as usize])
        .count()
}

/// Ids with rows in training and in the test set.
fn divided(fold: &Fold, factor: &Factor) -> usize {
    let mut sides = vec![0u8; factor.level_count()];
    for (role, &code) in fold.roles.iter().zip(&factor.codes) {
        sides[code as usize] |= match role {
            Role::Unused => 0,
            Role::Train => 1,
            Role::Test => 2,
        };
    }
    sides.iter().filter(|side| **side == 3).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_divided_plate_and_an_unseen_label_are_found() {
        let layout = Layout {
            rows: 6,
            plate: Some(Factor::first_seen(&["p", "p", "q", "q", "q", "r"])),
            well: Some(Factor::first_seen(&["1", "2", "3", "4", "4", "5"])),
            ..Layout::default()
        };
        let label = Factor::first_seen(&["x", "x", "y", "x", "x", "z"]);
        let roles = vec![Role::Train, Role::Unused, Role::Train, Role::Test, Role::Test, Role::Test];
        let fold = Fold { repeat: 0, seed: 0, held_out: Vec::new(), roles };
        let again = Fold { repeat: 1, ..fold.clone() };
        let set = SplitSet {
            protocol: "paper".to_owned(),
            split: "random".to_owned(),
            unit: "row".to_owned(),
            pooled: false,
            folds: vec![fold, again],
            reason: None,
        };
        let info = audit(&set, &layout, &label);
        assert_eq!((info.n_train, info.n_test), ((2, 2), (3, 3)));
        assert_eq!((info.folds, info.distinct_test_sets, info.unseen_test_rows), (2, 1, 2));
        assert_eq!(info.leaks, [("well".to_owned(), 0), ("plate".to_owned(), 1)]);
    }
}
