//! From one source to another: the folds behind the source x source heat map.
//!
//! Off the diagonal a model is trained on all rows of one source and tested on all rows of
//! another. On the diagonal, five folds within the source that never divide a well are pooled: what the
//! source can teach about itself. A column that is dark off the diagonal is a source that none
//! of the others prepares for.

use bench_core::{Factor, Layout, Seed};

use super::SplitInput;
use super::grouped::stratified_folds;
use super::units::Units;
use crate::{Fold, Role};

/// Folds of one cell of the heat map; predictions of several folds are pooled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferPair {
    /// Source trained on.
    pub train: String,
    /// Source tested on.
    pub test: String,
    /// One fold, or five on the diagonal; empty if `reason` says why.
    pub folds: Vec<Fold>,
    /// Why the pair cannot be tested.
    pub reason: Option<String>,
}

/// Folds of every ordered pair of sources, row by row in canonical order; none without sources.
pub fn transfer_folds(layout: &Layout, label: &Factor, seed: Seed) -> Vec<TransferPair> {
    let Some(source) = &layout.source else {
        return Vec::new();
    };
    let sources = Units::of(source);
    let (wells, _) = Units::wells(&SplitInput::new(layout, label, seed));
    let mut seen = vec![vec![false; label.level_count()]; sources.count];
    for (&source, &class) in sources.of_row.iter().zip(&label.codes) {
        seen[source as usize][class as usize] = true;
    }
    let few_labels = |source: usize| {
        let labels = seen[source].iter().filter(|seen| **seen).count();
        (labels < 2).then(|| format!("source `{}` has only one label", sources.names[source]))
    };
    let mut pairs = Vec::with_capacity(sources.count * sources.count);
    for train in 0..sources.count {
        for test in 0..sources.count {
            let mut pair = TransferPair {
                train: sources.names[train].to_owned(),
                test: sources.names[test].to_owned(),
                folds: Vec::new(),
                reason: few_labels(train).or_else(|| few_labels(test)),
            };
            if pair.reason.is_none() && train == test {
                let rows: Vec<u32> =
                    (0..layout.rows as u32).filter(|&row| sources.of_row[row as usize] as usize == train).collect();
                let seed = seed.derive("split/transfer", train as u64);
                pair.folds = stratified_folds(&wells.of_row, &label.codes, 5, seed, &rows);
                if pair.folds.is_empty() {
                    pair.reason = Some(format!("source `{}` has only one well", pair.train));
                }
            } else if pair.reason.is_none() && !seen[train].iter().zip(&seen[test]).any(|(a, b)| *a && *b) {
                pair.reason = Some(format!("sources `{}` and `{}` share no label", pair.train, pair.test));
            } else if pair.reason.is_none() {
                pair.folds.push(one_to_other(&sources, train as u32, test as u32));
            }
            pairs.push(pair);
        }
    }
    pairs
}

fn one_to_other(sources: &Units<'_>, train: u32, test: u32) -> Fold {
    Fold {
        repeat: 0,
        seed: 0,
        held_out: vec![sources.names[test as usize].to_owned()],
        roles: sources
            .of_row
            .iter()
            .map(|&source| match source {
                source if source == train => Role::Train,
                source if source == test => Role::Test,
                _ => Role::Unused,
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ordered_pair_has_folds_or_a_reason() {
        // Sources a, b with labels x and y in wells of two rows; c has label x only.
        let source: Vec<&str> = (0..60).map(|row| ["a", "b", "c"][row / 20]).collect();
        let labels: Vec<&str> = (0..60).map(|row| if row < 40 && row / 2 % 2 == 0 { "y" } else { "x" }).collect();
        let wells: Vec<String> = (0..60).map(|row| format!("w{}", row / 2)).collect();
        let layout = Layout {
            rows: 60,
            source: Some(Factor::first_seen(&source)),
            well: Some(Factor::first_seen(&wells)),
            ..Layout::default()
        };
        let pairs = transfer_folds(&layout, &Factor::first_seen(&labels), Seed(1));
        assert_eq!(pairs.len(), 9);
        assert_eq!(pairs[0].folds.len(), 5);
        for fold in &pairs[0].folds {
            assert_eq!((fold.count(Role::Train), fold.count(Role::Test)), (16, 4));
            assert_eq!(fold.count(Role::Unused), 40);
        }
        assert_eq!((pairs[1].train.as_str(), pairs[1].test.as_str()), ("a", "b"));
        assert_eq!(pairs[1].folds[0].rows(Role::Test), (20..40).collect::<Vec<u32>>());
        for at in [2, 5, 6, 7, 8] {
            assert_eq!(pairs[at].reason.as_deref(), Some("source `c` has only one label"));
        }
    }
}
