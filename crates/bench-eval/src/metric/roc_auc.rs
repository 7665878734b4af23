//! Area under the ROC curve, one class against the rest.
//!
//! # What
//! For each class the probability that a test row of the class is given a greater probability
//! for it than a test row of another class; equal probabilities count one half. The score is
//! the mean over all classes.
//!
//! # Formula
//! `AUC_c = (#{(i, j): p_i(c) > p_j(c)} + #{p_i(c) = p_j(c)} / 2) / (P N)` over the `P` test
//! rows `i` of the class and the `N` others `j`. Pairs are counted in integers, so the value
//! depends on no order.
//!
//! # Why
//! It needs no decision, so a probe whose probabilities are shifted on an unseen batch but still
//! well ordered keeps its score.
//!
//! # What it cannot show
//! Calibration. With k nearest neighbours the probabilities take k + 1 values, so most pairs are
//! ties. Where a class has no test rows, or all of them, the mean is undefined and a reason is
//! given; the areas of the other classes are still in the per-class table.
//!
//! # Reference
//! scikit-learn `roc_auc_score(multi_class='ovr', average='macro')`; Hanley and McNeil 1982.

use bench_core::Card;
use rayon::prelude::*;

use super::{Evaluated, Metric};

/// Its card.
pub static CARD: Card = Card {
    id: "roc-auc",
    title: "ROC-AUC, one against the rest, macro average",
    what: "Mean over all classes of the probability that a row of the class is ranked above a row of another; ties count one half.",
    formula: "mean_c (#{p_i(c) > p_j(c)} + #{p_i(c) = p_j(c)} / 2) / (P_c N_c)",
    better: "higher",
    range: "0 to 1; 0.5 is chance",
    limits: "Says nothing about calibration; undefined where a class has no test rows or all of them; with few neighbours most pairs are ties.",
    reference: "scikit-learn roc_auc_score(multi_class='ovr', average='macro')",
};

/// Classes whose probabilities are gathered in one pass: a cache line of them.
const CLASSES_PER_PASS: usize = 8;

/// Area under the ROC curve, one class against the rest.
#[derive(Clone, Copy, Debug, Default)]
pub struct RocAuc;

impl Metric for RocAuc {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn value(&self, evaluated: &Evaluated<'_>) -> Result<f64, String> {
        let areas = evaluated.areas()?;
        let defined: Vec<f64> = areas.iter().filter_map(|area| area.as_ref().ok().copied()).collect();
        if defined.len() == areas.len() {
            return Ok(defined.iter().sum::<f64>() / defined.len() as f64);
        }
        let (undefined, classes) = (areas.len() - defined.len(), areas.len());
        Err(match evaluated.classes_test() {
            1 => format!("all test rows are of one class of {classes}"),
            _ => format!("{undefined} of {classes} classes have no test rows"),
        })
    }
}

/// The area of each class, or why it has none.
pub(super) fn one_vs_rest(evaluated: &Evaluated<'_>) -> Vec<Result<f64, String>> {
    let classes = evaluated.classes();
    let truth = evaluated.truth();
    let probability = &evaluated.predictions().probability;
    let first_classes: Vec<usize> = (0..classes).step_by(CLASSES_PER_PASS).collect();
    let passes: Vec<Vec<_>> = first_classes
        .into_par_iter()
        .map(|first| {
            let width = CLASSES_PER_PASS.min(classes - first);
            let mut of_class = vec![Vec::new(); width];
            let mut of_others = vec![Vec::with_capacity(truth.len()); width];
            for (row, &class) in probability.chunks_exact(classes).zip(truth) {
                for (offset, &p) in row[first..first + width].iter().enumerate() {
                    let own = class as usize == first + offset;
                    if own { of_class[offset].push(key(p)) } else { of_others[offset].push(key(p)) }
                }
            }
            of_class.into_iter().zip(of_others).map(|(own, others)| area(own, others)).collect()
        })
        .collect();
    passes.into_iter().flatten().collect()
}

/// An integer that orders as the finite number does; both zeros have the same.
fn key(p: f64) -> u64 {
    let bits = (p + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// The area between the keys of a class and those of the others.
fn area(own: Vec<u64>, others: Vec<u64>) -> Result<f64, String> {
    if own.is_empty() {
        return Err("no test rows of the class".to_owned());
    }
    if others.is_empty() {
        return Err("all test rows are of the class".to_owned());
    }
    let half_pairs = 2 * own.len() as u64 * others.len() as u64;
    // The smaller side is sorted, the larger one is looked up in it.
    let won = if own.len() <= others.len() {
        half_pairs - Ranked::new(own).half_wins(&others)
    } else {
        Ranked::new(others).half_wins(&own)
    };
    Ok(won as f64 / half_pairs as f64)
}

/// Sorted keys with an index by their leading bits: a binary search over all of them would
/// mispredict at every step.
struct Ranked {
    sorted: Vec<u64>,
    least: u64,
    shift: u32,
    /// Place of the first key of each bucket, and the number of keys.
    starts: Vec<u32>,
}

impl Ranked {
    fn new(mut keys: Vec<u64>) -> Self {
        keys.sort_unstable();
        let (least, greatest) = (keys[0], keys[keys.len() - 1]);
        // About two buckets per key, at most 2^16.
        let index_bits = (2 * keys.len()).ilog2().min(16);
        let shift = (u64::BITS - (greatest - least).leading_zeros()).saturating_sub(index_bits);
        let buckets = ((greatest - least) >> shift) as usize + 1;
        let mut starts = vec![0u32; buckets + 1];
        for key in &keys {
            starts[((key - least) >> shift) as usize + 1] += 1;
        }
        for bucket in 0..buckets {
            starts[bucket + 1] += starts[bucket];
        }
        Self { sorted: keys, least, shift, starts }
    }

    /// Twice the number of pairs in which a value is above a key, plus the ties.
    fn half_wins(&self, values: &[u64]) -> u64 {
        values.iter().map(|&value| self.half_wins_of(value)).sum()
    }

    fn half_wins_of(&self, value: u64) -> u64 {
        let Some(above_least) = value.checked_sub(self.least) else { return 0 };
        let bucket = (above_least >> self.shift) as usize;
        let Some(&[start, end]) = self.starts.get(bucket..bucket + 2) else { return 2 * self.sorted.len() as u64 };
        let keys = &self.sorted[start as usize..end as usize];
        let below = keys.partition_point(|&key| key < value);
        let tied = match keys.get(below) {
            Some(&key) if key == value => keys[below..].partition_point(|&key| key <= value),
            _ => 0,
        };
        2 * (u64::from(start) + below as u64) + tied as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Predictions;

    fn area(own: &[f64], others: &[f64]) -> Result<f64, String> {
        super::area(own.iter().copied().map(key).collect(), others.iter().copied().map(key).collect())
    }

    #[test]
    fn the_area_counts_ties_one_half() {
        assert_eq!(area(&[0.5, 0.9], &[0.5, 0.1]), Ok((0.5 + 1.0 + 1.0 + 1.0) / 4.0));
        assert_eq!(area(&[0.2; 3], &[0.2]), Ok(0.5));
        assert_eq!(area(&[0.1, 0.2, 0.3], &[0.0]), Ok(1.0));
        assert_eq!(area(&[0.0], &[-0.0]), Ok(0.5));
    }

    #[test]
    fn an_area_equals_the_count_over_all_pairs() {
        let mut stream = bench_core::Seed(3).stream();
        for (own, others) in [(40, 7), (7, 40), (25, 25), (1, 60), (300, 299)] {
            // Few values, so that many are tied; powers, so that they span many magnitudes.
            for power in [1, 9] {
                let mut draw = |n: usize| -> Vec<f64> {
                    (0..n).map(|_| (stream.below(12) as f64 / 11.0 - 0.2).powi(power)).collect()
                };
                let (own, others) = (draw(own), draw(others));
                let win = |a: f64, b: f64| if a > b { 1.0 } else { f64::from(u8::from(a == b)) / 2.0 };
                let all: f64 = own.iter().flat_map(|&a| others.iter().map(move |&b| win(a, b))).sum();
                assert_eq!(area(&own, &others), Ok(all / (own.len() * others.len()) as f64));
            }
        }
    }

    #[test]
    fn a_class_without_test_rows_is_a_reason_and_the_others_keep_their_areas() {
        let mut predictions = Predictions::with_classes(3);
        predictions.push(0, &[0.7, 0.2, 0.1], [(0, 1.0)]);
        predictions.push(1, &[0.3, 0.6, 0.1], [(1, 1.0)]);
        let evaluated = Evaluated::new(&predictions, &[0, 1], 3, &[true; 3]);
        assert_eq!(RocAuc.value(&evaluated), Err("1 of 3 classes have no test rows".to_owned()));
        assert_eq!(evaluated.areas().unwrap()[..2], [Ok(1.0), Ok(1.0)]);
        let evaluated = Evaluated::new(&predictions, &[1, 1], 3, &[true; 3]);
        assert_eq!(RocAuc.value(&evaluated), Err("all test rows are of one class of 3".to_owned()));
    }
}
