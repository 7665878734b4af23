//! Probes: classifiers that ask how much of the label can be read from frozen features.
//!
//! A probe fits all folds of a table together, because they share their data; it hands each
//! fold's predictions to a sink as soon as they are ready, so that no more than a few folds are
//! held at a time.

use bench_core::{Card, Matrix};

use crate::{Error, Fold, Predictions};

pub mod knn;
pub mod knn_linfa;
pub mod logistic;
pub mod logistic_linfa;
#[cfg(test)]
mod logistic_tests;
mod softmax;

/// What a probe may see: features, and the answers of the rows (it uses only those whose role
/// is `Train`).
#[derive(Clone, Copy, Debug)]
pub struct ProbeInput<'a> {
    /// Features, `[n, d]`.
    pub matrix: &'a Matrix,
    /// Class of each row, `0..classes`.
    pub class: &'a [u32],
    /// Number of classes.
    pub classes: usize,
    /// Position of each class in the order of sorted names, for tie rules by name.
    pub name_rank: &'a [u32],
}

/// How one fit went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Diagnostics {
    /// Whether the optimiser converged; absent for probes without one.
    pub converged: Option<bool>,
    /// Iterations.
    pub iterations: Option<usize>,
    /// Largest component of the objective's gradient, per training row.
    pub gradient: Option<f64>,
    /// Objective at the end, per training row.
    pub objective: Option<f64>,
    /// Test rows whose vote was tied.
    pub tied_votes: usize,
    /// Test rows whose neighbour list was cut through equal distances.
    pub tied_neighbours: usize,
}

/// Result of one fold.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// Predictions for the fold's test rows.
    pub predictions: Predictions,
    /// How the fit went.
    pub diagnostics: Diagnostics,
}

/// Receives `(index of the fold, result)`, in ascending order of the index. A fold that cannot
/// be fitted (no training rows) arrives as the reason.
pub type Sink<'a> = dyn FnMut(usize, Result<Fitted, String>) + 'a;

/// A classifier that fits all folds of a table together.
pub trait Probe: Sync {
    /// What it is.
    fn card(&self) -> &'static Card;

    /// Name of the back end, e.g. `gemm` or `linfa`.
    fn backend(&self) -> &'static str;

    /// Fits every fold and hands its predictions to `sink`. `tick(done, total)` is called as
    /// work proceeds.
    ///
    /// # Errors
    /// Only for settings or shapes that no fold could be fitted with.
    fn run(
        &self,
        input: ProbeInput<'_>,
        folds: &[&Fold],
        tick: &(dyn Fn(usize, usize) + Sync),
        sink: &mut Sink<'_>,
    ) -> Result<(), Error>;
}
