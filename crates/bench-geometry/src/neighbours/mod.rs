//! Exact nearest neighbours, by cosine or Euclidean distance.
//!
//! # What it computes
//! [`graph`]: the k nearest other rows of every row. [`sweep`]: the k nearest training rows of
//! every test row, for many folds at once. [`graph_and_apart`]: the graph, and the nearest rows of
//! other groups, in one pass.
//!
//! # Formula
//! Cosine distance 1 - a·b / (|a||b|); a zero vector has cosine similarity 0 to everything, so
//! distance 1 (as scikit-learn's `normalize` does). Euclidean distance |a - b|.
//!
//! # Why
//! Neighbour statistics and votes are only comparable between models if they are exact and the
//! same on every machine. All pairs are multiplied in blocks with a gemm kernel in `f32`, whose
//! error is bounded; whatever could be a neighbour under that bound is measured again in `f64`.
//! Approximate indices would be faster from about a million rows on.
//!
//! # Ties
//! Cosine distances are rounded to a multiple of 2^-40 and squared Euclidean distances to 40
//! significant bits before they are compared, so that equal distances are equal whatever the
//! rounding of sums. Lists are ordered by (distance, row); where the k-th distance is shared by
//! further rows, [`Ballot`] says how many neighbours are certain and what the others are drawn
//! from.
//!
//! # What it cannot show
//! Nothing about distances that differ by less than that rounding.
//!
//! # Where it fits
//! The graph serves neighbourhood metrics and UMAP; the sweep serves the kNN probe.

use serde::{Deserialize, Serialize};

mod apart;
mod graph;
mod mask;
mod nearest;
mod pass;
mod pool;
mod shortlist;
mod space;
mod sweep;
#[cfg(test)]
mod tests;

pub use apart::{Apart, graph_and_apart};
pub use graph::{Graph, graph};
pub use space::{round_cosine, round_square};
pub use sweep::{Ballot, Part, Question, Swept, sweep};

/// Distance between two rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// One less the cosine of the angle; 1 if either row is zero.
    #[default]
    Cosine,
    /// Length of the difference.
    Euclidean,
}
