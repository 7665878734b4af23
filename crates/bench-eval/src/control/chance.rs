//! What a predictor that knows nothing scores on a split.
//!
//! # What
//! The range of accuracy that label-blind decisions can have on the test rows of a split, and how
//! far chance may carry a score beyond it.
//!
//! # Formula
//! If the decisions carry no information about the test labels beyond their class shares, the
//! expected accuracy of a fold is `sum_c q_c s_c`, with `q` the shares of the decisions and `s`
//! those of the test classes. Whatever `q` is, this lies between the smallest and the largest
//! `s_c`. Over pooled folds the ends are averaged by test rows, over repeats by fold.
//! Beyond that a score may lie by `max(0.02, 4 sd)`, `sd^2 = v / w`, with `v` the largest
//! `p (1 - p)` within the range and `w` the number of test wells (those of the smallest fold for
//! repeats, which overlap; of all folds where they are pooled). Wells of unequal size count as
//! `(sum n)^2 / sum n^2`.
//!
//! # Why
//! `1 / C` and the majority share are not enough: with equal classes a fold's most frequent
//! training class is the one with fewest test rows, so a constant embedding scores below `1 / C`
//! for a good reason, and with labels that differ between sources a held-out source has other
//! shares than the table. Four standard deviations are passed by chance once in 16,000 checks.
//!
//! # What it cannot show
//! A weak leak: scores within the range are not told from chance.
//!
//! # Reference
//! Kohavi 1995, "A study of cross-validation", on the majority predictor; Kish 1965 for wells of
//! unequal size.

use bench_core::Factor;

use crate::{Fold, Role, SplitSet};

/// Least allowance around the range.
pub const LEAST_ALLOWANCE: f64 = 0.02;

/// Standard deviations of the allowance.
pub const DEVIATIONS: f64 = 4.0;

/// Training rows from which on a class is learnt from its own feature, even by a penalised
/// classifier beside classes of 100,000 rows.
pub const READABLE_ROWS: usize = 10;

/// Chance on one split.
#[derive(Clone, Debug, PartialEq)]
pub struct ChanceBand {
    /// Protocol.
    pub protocol: String,
    /// Split id.
    pub split: String,
    /// Unit that is held out.
    pub unit: String,
    /// Least expected accuracy of label-blind decisions.
    pub low: f64,
    /// Greatest expected accuracy of label-blind decisions.
    pub high: f64,
    /// How far beyond the range a score may lie.
    pub allowance: f64,
    /// Share of test rows whose class has at least [`READABLE_ROWS`] training rows.
    pub readable: f64,
    /// Wells with rows on both sides, the most over folds.
    pub divided_wells: usize,
}

/// What one fold adds.
struct FoldChance {
    rows: f64,
    low: f64,
    high: f64,
    readable: f64,
    /// Sum of squared test rows per well.
    squares: f64,
    divided: usize,
}

impl ChanceBand {
    /// Chance on the folds of a split. `truth` holds the class of each canonical row (the
    /// shuffled one, for shuffled labels), `well` its well; rows are their own wells without.
    ///
    /// Absent if no fold has both training and test rows.
    pub fn of(set: &SplitSet, truth: &[u32], classes: usize, well: Option<&Factor>) -> Option<Self> {
        let folds: Vec<FoldChance> =
            set.folds.iter().filter_map(|fold| FoldChance::of(fold, truth, classes, well)).collect();
        if folds.is_empty() {
            return None;
        }
        let rows: f64 = folds.iter().map(|fold| fold.rows).sum();
        let mean = |value: fn(&FoldChance) -> f64| -> f64 {
            let weight = |fold: &FoldChance| if set.pooled { fold.rows / rows } else { 1.0 / folds.len() as f64 };
            folds.iter().map(|fold| weight(fold) * value(fold)).sum()
        };
        let wells = if set.pooled {
            rows * rows / folds.iter().map(|fold| fold.squares).sum::<f64>()
        } else {
            folds.iter().map(|fold| fold.rows * fold.rows / fold.squares).fold(f64::INFINITY, f64::min)
        };
        let (low, high) = (mean(|fold| fold.low), mean(|fold| fold.high));
        Some(Self {
            protocol: set.protocol.clone(),
            split: set.split.clone(),
            unit: set.unit.clone(),
            low,
            high,
            allowance: LEAST_ALLOWANCE.max(DEVIATIONS * (widest_variance(low, high) / wells).sqrt()),
            readable: mean(|fold| fold.readable),
            divided_wells: folds.iter().map(|fold| fold.divided).max().unwrap_or(0),
        })
    }

    /// Whether an accuracy is one that chance explains.
    pub fn holds(&self, accuracy: f64) -> bool {
        accuracy >= self.low - self.allowance && !self.exceeded_by(accuracy)
    }

    /// Whether an accuracy is above what chance explains.
    pub fn exceeded_by(&self, accuracy: f64) -> bool {
        accuracy > self.high + self.allowance
    }
}

impl FoldChance {
    fn of(fold: &Fold, truth: &[u32], classes: usize, well: Option<&Factor>) -> Option<Self> {
        let (mut train, mut test) = (vec![0usize; classes], vec![0usize; classes]);
        let wells = well.map_or(truth.len(), Factor::level_count);
        let (mut trained, mut tested) = (vec![false; wells], vec![0usize; wells]);
        for (row, role) in fold.roles.iter().enumerate() {
            let (class, well) = (truth[row] as usize, well.map_or(row, |well| well.code(row)));
            match role {
                Role::Train => {
                    train[class] += 1;
                    trained[well] = true;
                }
                Role::Test => {
                    test[class] += 1;
                    tested[well] += 1;
                }
                Role::Unused => {}
            }
        }
        let rows: usize = test.iter().sum();
        if rows == 0 || train.iter().all(|&n| n == 0) {
            return None;
        }
        let readable: usize = test.iter().zip(&train).filter(|(_, n)| **n >= READABLE_ROWS).map(|(n, _)| n).sum();
        let share = |n: usize| n as f64 / rows as f64;
        // Only a class that was trained on can be decided.
        let shares = || test.iter().zip(&train).filter(|(_, n)| **n > 0).map(|(&n, _)| share(n));
        Some(Self {
            rows: rows as f64,
            low: shares().fold(1.0, f64::min),
            high: shares().fold(0.0, f64::max),
            readable: share(readable),
            squares: tested.iter().map(|&n| (n * n) as f64).sum(),
            divided: trained.iter().zip(&tested).filter(|(trained, tested)| **trained && **tested > 0).count(),
        })
    }
}

/// The largest `p (1 - p)` for `p` within the range.
fn widest_variance(low: f64, high: f64) -> f64 {
    let nearest = 0.5f64.clamp(low, high);
    nearest * (1.0 - nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pooled: bool, folds: &[&str]) -> SplitSet {
        let role = |c| match c {
            't' => Role::Train,
            'e' => Role::Test,
            _ => Role::Unused,
        };
        let folds = folds.iter().enumerate().map(|(repeat, roles)| Fold {
            repeat: repeat as u32,
            seed: 0,
            held_out: Vec::new(),
            roles: roles.chars().map(role).collect(),
        });
        SplitSet {
            protocol: "strict".into(),
            split: "random".into(),
            unit: "well".into(),
            pooled,
            folds: folds.collect(),
            reason: None,
        }
    }

    #[test]
    fn the_range_runs_over_the_shares_of_the_test_classes() {
        let band = ChanceBand::of(&set(false, &["ttteeee"]), &[0, 1, 2, 0, 0, 0, 1], 3, None).unwrap();
        assert_eq!((band.low, band.high), (0.0, 0.75));
        assert_eq!(band.readable, 0.0);
        // The range holds 0.5, so the variance is 1/4 over four wells.
        assert_eq!(band.allowance, 4.0 * (0.25f64 / 4.0).sqrt());
    }

    #[test]
    fn repeats_are_averaged_and_pooled_folds_weighted_by_rows() {
        let folds = ["tttee-", "tteeee"];
        let truth = [0, 1, 0, 0, 1, 1];
        let repeats = ChanceBand::of(&set(false, &folds), &truth, 2, None).unwrap();
        assert_eq!((repeats.low, repeats.high), (0.5, 0.5));
        let truth = [0, 1, 0, 0, 0, 1];
        let pooled = ChanceBand::of(&set(true, &folds), &truth, 2, None).unwrap();
        assert!((pooled.high - (2.0 * 1.0 + 4.0 * 0.75) / 6.0).abs() < 1e-12);
        assert!((pooled.low - (2.0 * 0.0 + 4.0 * 0.25) / 6.0).abs() < 1e-12);
    }

    #[test]
    fn a_divided_well_is_seen_and_rows_of_a_well_count_once() {
        let well = Factor { levels: vec!["a".into(), "b".into(), "c".into()], codes: vec![0, 0, 1, 1, 2, 2] };
        let band = ChanceBand::of(&set(false, &["tteeee"]), &[0, 1, 0, 0, 1, 1], 2, Some(&well)).unwrap();
        assert_eq!(band.divided_wells, 0);
        assert_eq!(band.allowance, 4.0 * (0.25f64 / 2.0).sqrt());
        let band = ChanceBand::of(&set(false, &["tetttt"]), &[0, 1, 0, 0, 1, 1], 2, Some(&well)).unwrap();
        assert_eq!(band.divided_wells, 1);
        assert!(ChanceBand::of(&set(false, &["tttttt"]), &[0; 6], 2, None).is_none());
    }

    /// Label-blind decisions of every kind stay within the band, in every one of many draws.
    #[test]
    fn label_blind_predictors_never_leave_the_band() {
        let mut stream = bench_core::Seed(5).stream();
        for draw in 0..300 {
            let (rows, classes) = (100 + stream.below(400), 2 + stream.below(8));
            let skew = 1 + stream.below(4);
            let truth: Vec<u32> =
                (0..rows).map(|_| (0..skew).map(|_| stream.below(classes)).min().unwrap_or(0) as u32).collect();
            let roles: String = (0..rows).map(|_| if stream.below(5) == 0 { 'e' } else { 't' }).collect();
            let set = set(false, &[&roles]);
            let Some(band) = ChanceBand::of(&set, &truth, classes, None) else { continue };
            let mut train = vec![0usize; classes];
            for row in set.folds[0].rows(Role::Train) {
                train[truth[row as usize] as usize] += 1;
            }
            let majority = (0..classes).max_by_key(|&class| train[class]).unwrap();
            let seen: Vec<usize> = (0..classes).filter(|&class| train[class] > 0).collect();
            let test = set.folds[0].rows(Role::Test);
            let accuracy = |decide: &mut dyn FnMut() -> usize| {
                test.iter().filter(|&&row| truth[row as usize] as usize == decide()).count() as f64 / test.len() as f64
            };
            assert!(band.holds(accuracy(&mut || majority)), "{draw}");
            assert!(band.holds(accuracy(&mut || seen[stream.below(seen.len())])), "{draw}");
        }
    }
}
