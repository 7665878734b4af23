//! One score: a number or the reason for its absence, and everything needed to place it.

use serde::{Deserialize, Serialize};

/// One raw score, a line of `scores.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Model (or control) whose embedding was scored.
    pub model: String,
    /// Which features of the model.
    pub features: String,
    /// Correction applied before scoring; `none` if none.
    pub correction: String,
    /// What was predicted: the label column.
    pub task: String,
    /// `paper`, `strict` or `fixed`.
    pub protocol: String,
    /// Split id, e.g. `not-same-source`.
    pub split: String,
    /// Probe id, e.g. `logreg`.
    pub probe: String,
    /// Metric id, e.g. `accuracy`.
    pub metric: String,
    /// Repeat, counted from zero; splits that are pooled over folds have one repeat.
    pub repeat: u32,
    /// Seed of the split's random choice; zero for splits without one.
    pub seed: u64,
    /// Training rows; the mean over folds, rounded, where folds are pooled.
    pub n_train: usize,
    /// Test rows.
    pub n_test: usize,
    /// Classes present in training.
    pub classes_train: usize,
    /// Classes present in the test rows.
    pub classes_test: usize,
    /// The value, absent if it could not be computed.
    pub value: Option<f64>,
    /// Why the value is absent.
    pub reason: Option<String>,
}
