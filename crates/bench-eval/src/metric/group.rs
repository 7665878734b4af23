//! Scores of single groups (sources, batches, plates): accuracy and balanced accuracy.
//!
//! # What
//! Test rows and expected hits by group and class, summed over as many folds as are added.
//!
//! # Formula
//! Accuracy of a group: hits / rows. Balanced accuracy: mean over the classes with test rows in
//! the group of hits / rows of that class.
//!
//! # Why
//! One failing laboratory can hide in a mean over eleven.
//!
//! # What it cannot show
//! Groups with different classes are not equally hard; compare a group across models, not groups
//! among each other.

use super::Evaluated;

/// Scores of one group.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GroupPieces {
    /// Test rows of the group, over all folds added.
    pub n_test: u64,
    /// Accuracy over them; absent if there are none.
    pub accuracy: Option<f64>,
    /// Balanced accuracy over them; absent if there are none.
    pub balanced_accuracy: Option<f64>,
}

/// Test rows and hits by group and class.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupTally {
    classes: usize,
    rows: Vec<u64>,
    hits: Vec<f64>,
}

impl GroupTally {
    /// An empty tally of `groups` groups and `classes` classes.
    pub fn new(groups: usize, classes: usize) -> Self {
        Self { classes, rows: vec![0; groups * classes], hits: vec![0.0; groups * classes] }
    }

    /// Adds the test rows of a fold; `group` holds the group of each canonical row.
    pub fn add(&mut self, evaluated: &Evaluated<'_>, group: &[u32]) {
        assert_eq!(evaluated.classes(), self.classes, "a tally is over the classes of the task");
        let predictions = evaluated.predictions();
        for (i, (&row, &class)) in predictions.rows.iter().zip(evaluated.truth()).enumerate() {
            let cell = group[row as usize] as usize * self.classes + class as usize;
            self.rows[cell] += 1;
            self.hits[cell] += predictions.decided(i, class);
        }
    }

    /// Scores of every group, in group order.
    pub fn scores(&self) -> Vec<GroupPieces> {
        let cells = self.rows.chunks_exact(self.classes).zip(self.hits.chunks_exact(self.classes));
        cells.map(|(rows, hits)| pieces(rows, hits)).collect()
    }
}

fn pieces(rows: &[u64], hits: &[f64]) -> GroupPieces {
    let n_test: u64 = rows.iter().sum();
    if n_test == 0 {
        return GroupPieces::default();
    }
    let recalls: Vec<f64> = rows.iter().zip(hits).filter(|(n, _)| **n > 0).map(|(&n, hit)| hit / n as f64).collect();
    GroupPieces {
        n_test,
        accuracy: Some(hits.iter().sum::<f64>() / n_test as f64),
        balanced_accuracy: bench_core::number::mean(&recalls),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Predictions;

    #[test]
    fn groups_are_scored_over_all_folds_added() {
        let mut first = Predictions::with_classes(2);
        first.push(0, &[1.0, 0.0], [(0, 1.0)]);
        first.push(1, &[1.0, 0.0], [(0, 1.0)]);
        let mut second = Predictions::with_classes(2);
        second.push(2, &[0.5, 0.5], [(0, 0.5), (1, 0.5)]);
        second.push(3, &[0.0, 1.0], [(1, 1.0)]);
        let mut tally = GroupTally::new(3, 2);
        for predictions in [&first, &second] {
            tally.add(&Evaluated::new(predictions, &[0, 1, 0, 1], 2, &[true; 2]), &[0, 0, 0, 2]);
        }
        let scores = tally.scores();
        assert_eq!(scores[0], GroupPieces { n_test: 3, accuracy: Some(0.5), balanced_accuracy: Some(0.375) });
        assert_eq!(scores[1], GroupPieces::default());
        assert_eq!(scores[2], GroupPieces { n_test: 1, accuracy: Some(1.0), balanced_accuracy: Some(1.0) });
    }
}
