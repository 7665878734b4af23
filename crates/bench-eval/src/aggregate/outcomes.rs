//! How often each well was predicted correctly: all that intervals and paired tests need.
//!
//! A row counts as correct with the weight that its expected decision gives to the true class,
//! so a tie between two classes is half right. Rows are summed per well, because wells, not
//! fields, are drawn and flipped.

use serde::{Deserialize, Serialize};

use crate::Predictions;

/// Correct predictions per unit of one repeat (or of all folds of a pooled split).
///
/// # Shapes
/// Three columns of equal length, units strictly ascending.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Unit, a number of [`super::Clusters::unit_of_row`].
    pub unit: Vec<u32>,
    /// Rows of the unit predicted correctly, ties in parts.
    pub correct: Vec<f64>,
    /// Rows of the unit that were tested.
    pub rows: Vec<u32>,
}

impl Tally {
    /// Sums a fold's (or pooled folds') predictions by unit; `class` is the true class and
    /// `unit_of_row` the unit of each row of the table.
    pub fn of(predictions: &Predictions, class: &[u32], unit_of_row: &[u32]) -> Self {
        let mut rows: Vec<(u32, u32, usize)> =
            predictions.rows.iter().enumerate().map(|(at, &row)| (unit_of_row[row as usize], row, at)).collect();
        // By row within a unit, so that the order in which folds were pooled moves no bit.
        rows.sort_unstable();
        let mut tally = Self::default();
        for rows in rows.chunk_by(|a, b| a.0 == b.0) {
            tally.unit.push(rows[0].0);
            tally.correct.push(rows.iter().map(|&(_, row, at)| predictions.decided(at, class[row as usize])).sum());
            tally.rows.push(rows.len() as u32);
        }
        tally
    }

    /// Adds up the tallies of folds whose predictions are pooled.
    pub fn pooled(folds: &[Self]) -> Self {
        let mut entries: Vec<(u32, usize, usize)> = folds
            .iter()
            .enumerate()
            .flat_map(|(fold, tally)| tally.unit.iter().enumerate().map(move |(at, &unit)| (unit, fold, at)))
            .collect();
        entries.sort_unstable();
        let mut pooled = Self::default();
        for of_unit in entries.chunk_by(|a, b| a.0 == b.0) {
            pooled.unit.push(of_unit[0].0);
            pooled.correct.push(of_unit.iter().map(|&(_, fold, at)| folds[fold].correct[at]).sum());
            pooled.rows.push(of_unit.iter().map(|&(_, fold, at)| folds[fold].rows[at]).sum());
        }
        pooled
    }

    /// Tested rows.
    pub fn tested(&self) -> u64 {
        self.rows.iter().map(|&rows| u64::from(rows)).sum()
    }

    /// Accuracy over the tested rows; absent without any.
    pub fn accuracy(&self) -> Option<f64> {
        let tested = self.tested();
        (tested > 0).then(|| self.correct.iter().sum::<f64>() / tested as f64)
    }
}

/// Tallies of one model on one split with one probe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcomes {
    /// Model.
    pub model: String,
    /// Protocol.
    pub protocol: String,
    /// Split.
    pub split: String,
    /// Probe.
    pub probe: String,
    /// One tally per repeat; pooled splits have one.
    pub repeats: Vec<Tally>,
}

impl Outcomes {
    /// Accuracy of each repeat that tested a row.
    pub fn accuracies(&self) -> Vec<f64> {
        self.repeats.iter().filter_map(Tally::accuracy).collect()
    }

    /// Mean accuracy over repeats.
    pub fn accuracy(&self) -> Option<f64> {
        bench_core::number::mean(&self.accuracies())
    }

    /// Whether two models were tested on the same rows of the same units, repeat by repeat.
    pub fn is_paired_with(&self, other: &Self) -> bool {
        self.repeats.len() == other.repeats.len()
            && self.repeats.iter().zip(&other.repeats).all(|(a, b)| a.unit == b.unit && a.rows == b.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_in_parts_and_pooling_is_the_sum() {
        let mut first = Predictions::with_classes(2);
        first.push(2, &[0.5, 0.5], [(0, 0.5), (1, 0.5)]);
        first.push(0, &[1.0, 0.0], [(0, 1.0)]);
        let mut second = Predictions::with_classes(2);
        second.push(1, &[1.0, 0.0], [(0, 1.0)]);
        let (class, unit) = ([0, 1, 1], [7, 3, 7]);
        let tally = Tally::of(&first, &class, &unit);
        assert_eq!(tally, Tally { unit: vec![7], correct: vec![1.5], rows: vec![2] });
        let pooled = Tally::pooled(&[tally, Tally::of(&second, &class, &unit)]);
        assert_eq!(pooled, Tally { unit: vec![3, 7], correct: vec![0.0, 1.5], rows: vec![1, 2] });
        first.append(&second);
        assert_eq!(pooled, Tally::of(&first, &class, &unit));
        assert_eq!(pooled.accuracy(), Some(0.5));
        assert_eq!(Tally::default().accuracy(), None);
    }
}
