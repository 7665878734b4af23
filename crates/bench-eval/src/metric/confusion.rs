//! The expected confusion matrix and the per-class ratios read from it.
//!
//! # What
//! Each test row adds the weights of its decision to the line of its true class. Without ties
//! this is the usual matrix of counts.
//!
//! # Formula
//! `m[t][d] = sum over test rows of class t of P(decision = d)`. For a class `c`:
//! precision `m[c][c] / sum_t m[t][c]`, recall `m[c][c] / support(c)`,
//! F1 `2 m[c][c] / (support(c) + sum_t m[t][c])`; a ratio with denominator zero is 0
//! (scikit-learn's `zero_division=0`).
//!
//! # Why
//! Seven metrics, the per-class table and the confusion figure read the same matrix.
//!
//! # What it cannot show
//! How sure the probe was, and which rows were confused.
//!
//! # Reference
//! scikit-learn `confusion_matrix` with the decision weights as `sample_weight`.

use crate::Predictions;

/// Expected counts of (true class, decided class).
///
/// # Shapes
/// `[classes, classes]`, lines are true classes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<f64>,
    support: Vec<u64>,
}

impl Confusion {
    /// A matrix of zeros, to which others can be added.
    pub fn empty(classes: usize) -> Self {
        Self { classes, counts: vec![0.0; classes * classes], support: vec![0; classes] }
    }

    /// The matrix of a set of predictions; `truth` holds the class of each test row, in the
    /// order of the predictions.
    pub fn of(predictions: &Predictions, truth: &[u32], classes: usize) -> Self {
        assert_eq!(predictions.len(), truth.len(), "one true class per test row");
        let mut confusion = Self::empty(classes);
        for (i, &class) in truth.iter().enumerate() {
            let class = class as usize;
            confusion.support[class] += 1;
            for &(decided, weight) in predictions.decision(i) {
                confusion.counts[class * classes + decided as usize] += weight;
            }
        }
        confusion
    }

    /// Adds another matrix of the same classes (repeats that are summed).
    pub fn add(&mut self, other: &Self) {
        assert_eq!(self.classes, other.classes, "summed matrices share their classes");
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
        self.support.iter_mut().zip(&other.support).for_each(|(a, b)| *a += b);
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Expected counts, line after line.
    pub fn counts(&self) -> &[f64] {
        &self.counts
    }

    /// Number of test rows.
    pub fn rows(&self) -> u64 {
        self.support.iter().sum()
    }

    /// Test rows of a class.
    pub fn support(&self, class: usize) -> u64 {
        self.support[class]
    }

    /// Expected number of rows of a class that are decided rightly.
    pub fn hits(&self, class: usize) -> f64 {
        self.counts[class * self.classes + class]
    }

    /// Expected number of rows decided as a class.
    pub fn decided(&self, class: usize) -> f64 {
        (0..self.classes).map(|truth| self.counts[truth * self.classes + class]).sum()
    }

    /// Whether a class has test rows or is decided with positive weight: scikit-learn's set of
    /// labels, over which macro averages run.
    pub fn occurs(&self, class: usize) -> bool {
        self.support[class] > 0 || self.decided(class) > 0.0
    }

    /// Precision of a class, 0 if it is never decided.
    pub fn precision(&self, class: usize) -> f64 {
        ratio(self.hits(class), self.decided(class))
    }

    /// Recall of a class, 0 if it has no test rows.
    pub fn recall(&self, class: usize) -> f64 {
        ratio(self.hits(class), self.support[class] as f64)
    }

    /// F1 of a class, 0 if it neither occurs nor is decided.
    pub fn f1(&self, class: usize) -> f64 {
        ratio(2.0 * self.hits(class), self.support[class] as f64 + self.decided(class))
    }

    /// Accuracy: expected share of rows decided rightly.
    pub fn accuracy(&self) -> f64 {
        ratio((0..self.classes).map(|class| self.hits(class)).sum(), self.rows() as f64)
    }

    /// Mean recall over the classes that have test rows.
    pub fn balanced_accuracy(&self) -> f64 {
        let present = (0..self.classes).filter(|&class| self.support[class] > 0);
        let (count, sum) = present.fold((0, 0.0), |(count, sum), class| (count + 1, sum + self.recall(class)));
        ratio(sum, f64::from(count))
    }

    /// Mean of a per-class value over the classes that occur.
    pub(super) fn macro_average(&self, value: impl Fn(&Self, usize) -> f64) -> f64 {
        let occurring = (0..self.classes).filter(|&class| self.occurs(class));
        let (count, sum) = occurring.fold((0, 0.0), |(count, sum), class| (count + 1, sum + value(self, class)));
        ratio(sum, f64::from(count))
    }

    /// Mean of a per-class value, weighted by test rows.
    pub(super) fn weighted_average(&self, value: impl Fn(&Self, usize) -> f64) -> f64 {
        let sum: f64 = (0..self.classes).map(|class| self.support[class] as f64 * value(self, class)).sum();
        ratio(sum, self.rows() as f64)
    }
}

/// `a / b`, and 0 where `b` is 0.
fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn predictions(decisions: &[&[(u32, f64)]]) -> Predictions {
        let mut predictions = Predictions::with_classes(3);
        for (row, decision) in decisions.iter().enumerate() {
            predictions.push(row as u32, &[0.0; 3], decision.iter().copied());
        }
        predictions
    }

    #[test]
    fn a_tied_decision_counts_for_each_class_by_its_weight() {
        let tied = predictions(&[&[(0, 0.5), (2, 0.5)], &[(1, 1.0)], &[(0, 1.0)]]);
        let confusion = Confusion::of(&tied, &[0, 1, 1], 3);
        assert_eq!(confusion.counts(), [0.5, 0.0, 0.5, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(confusion.accuracy(), 0.5);
        assert_eq!(confusion.balanced_accuracy(), 0.5);
        assert!(confusion.occurs(2));
    }

    #[test]
    fn matrices_of_repeats_add_up() {
        let decisions = predictions(&[&[(0, 1.0)], &[(1, 1.0)], &[(0, 1.0)]]);
        let one = Confusion::of(&decisions, &[0, 1, 1], 3);
        let mut sum = Confusion::empty(3);
        sum.add(&one);
        sum.add(&one);
        assert_eq!(sum.rows(), 6);
        assert_eq!(sum.recall(1), one.recall(1));
        assert!(!sum.occurs(2));
        assert_eq!(Confusion::empty(3).accuracy(), 0.0);
    }
}
