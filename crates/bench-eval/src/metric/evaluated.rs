//! Predictions beside their answers, with the pieces that several metrics share.
//!
//! # What
//! The expected confusion matrix, the place of the true class among the probabilities of each
//! row, and the one-vs-rest areas of all classes; each is computed on first use.
//!
//! # Why
//! With 200,000 test rows and 100 classes every pass over the probabilities counts; fifteen
//! metrics need three.
//!
//! # Order
//! Rows are cut into blocks of a fixed size and results are joined in row order, so values are
//! the same bits at any thread count. The pieces sit in cells that cannot be shared between
//! threads: two workers waiting for the same piece could wait for each other.

use std::cell::OnceCell;

use rayon::prelude::*;

use super::{Confusion, roc_auc};
use crate::Predictions;

/// Rows per block.
const BLOCK: usize = 4096;

/// Predictions of one fold (or pooled folds) and the answers.
#[derive(Debug)]
pub struct Evaluated<'a> {
    predictions: &'a Predictions,
    truth: Vec<u32>,
    classes: usize,
    train_present: &'a [bool],
    confusion: OnceCell<Confusion>,
    placed: OnceCell<Result<Vec<Placed>, String>>,
    areas: OnceCell<Result<Vec<Result<f64, String>>, String>>,
}

/// What the probabilities of a test row say about its true class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Placed {
    /// Probability of the true class.
    pub(super) probability: f64,
    /// Classes seen in training with a greater probability.
    pub(super) above: u32,
    /// Classes seen in training with the same probability, the true class included; zero if
    /// the true class was not seen in training.
    pub(super) tied: u32,
    /// Squared distance between the probabilities and the one-hot truth.
    pub(super) squared: f64,
}

impl<'a> Evaluated<'a> {
    /// Puts predictions beside answers.
    ///
    /// `truth` holds the class of each canonical row, `train_present` whether each class was
    /// seen in training (in any of the folds, where folds are pooled); length `classes`.
    pub fn new(predictions: &'a Predictions, truth: &[u32], classes: usize, train_present: &'a [bool]) -> Self {
        assert_eq!(predictions.classes, classes, "predictions cover the classes of the task");
        assert_eq!(train_present.len(), classes, "one flag per class");
        Self {
            predictions,
            truth: predictions.rows.iter().map(|&row| truth[row as usize]).collect(),
            classes,
            train_present,
            confusion: OnceCell::new(),
            placed: OnceCell::new(),
            areas: OnceCell::new(),
        }
    }

    /// The predictions.
    pub fn predictions(&self) -> &Predictions {
        self.predictions
    }

    /// Class of each test row, in the order of the predictions.
    pub fn truth(&self) -> &[u32] {
        &self.truth
    }

    /// Number of classes of the task.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Whether each class was seen in training.
    pub fn train_present(&self) -> &[bool] {
        self.train_present
    }

    /// Classes that have test rows.
    pub fn classes_test(&self) -> usize {
        let confusion = self.expected();
        (0..self.classes).filter(|&class| confusion.support(class) > 0).count()
    }

    /// The expected confusion matrix.
    ///
    /// # Errors
    /// There are no test rows.
    pub fn confusion(&self) -> Result<&Confusion, String> {
        if self.predictions.is_empty() { Err(NO_ROWS.to_owned()) } else { Ok(self.expected()) }
    }

    /// One-vs-rest area under the ROC curve of each class, or why it has none.
    ///
    /// # Errors
    /// There are no test rows, or a probability is not finite.
    pub fn areas(&self) -> Result<&[Result<f64, String>], String> {
        let areas = self.areas.get_or_init(|| self.placed().map(|_| roc_auc::one_vs_rest(self)));
        areas.as_deref().map_err(Clone::clone)
    }

    /// The place of the true class in each row's probabilities.
    pub(super) fn placed(&self) -> Result<&[Placed], String> {
        let placed = self.placed.get_or_init(|| {
            if self.predictions.is_empty() {
                return Err(NO_ROWS.to_owned());
            }
            let (predictions, seen) = (self.predictions, self.train_present);
            let blocks: Vec<_> = self
                .truth
                .par_chunks(BLOCK)
                .enumerate()
                .map(|(block, truth)| {
                    let rows = truth.iter().enumerate();
                    let rows = rows.map(|(i, &class)| place(predictions, seen, block * BLOCK + i, class as usize));
                    rows.collect::<Result<Vec<_>, String>>()
                })
                .collect();
            let mut placed = Vec::with_capacity(self.truth.len());
            for block in blocks {
                placed.extend(block?);
            }
            Ok(placed)
        });
        placed.as_deref().map_err(Clone::clone)
    }

    fn expected(&self) -> &Confusion {
        self.confusion.get_or_init(|| Confusion::of(self.predictions, &self.truth, self.classes))
    }
}

const NO_ROWS: &str = "no test rows";

/// The place of `class` among the probabilities of the `i`-th test row.
fn place(predictions: &Predictions, seen: &[bool], i: usize, class: usize) -> Result<Placed, String> {
    let row = predictions.probability(i);
    let probability = row[class];
    let (mut above, mut tied, mut squared) = (0, 0, 0.0);
    for (other, (&p, &seen)) in row.iter().zip(seen).enumerate() {
        let truth = if other == class { 1.0 } else { 0.0 };
        squared += (truth - p) * (truth - p);
        above += u32::from(seen && p > probability);
        tied += u32::from(seen && p == probability);
    }
    // A value that is not finite makes the sum not finite.
    if !squared.is_finite() {
        return Err(format!("a probability of row `{}` is not finite", predictions.rows[i]));
    }
    Ok(Placed { probability, above, tied: if seen[class] { tied } else { 0 }, squared })
}
