//! What corrections were given: control wells of an unseen source, and settings that inner folds chose.

use serde::{Deserialize, Serialize};

/// Accuracy on unseen sources that a correction aligned by so many of their control wells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ControlPoint {
    /// The embedding that was corrected.
    pub model: String,
    /// The chain as it was asked for.
    pub correction: String,
    /// Probe.
    pub probe: String,
    /// Within what the control wells are counted: the finest unit that the chain aligns.
    pub unit: String,
    /// Control wells of each such group that the correction was given; absent for all that there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controls: Option<usize>,
    /// Draws of control wells that were averaged.
    pub draws: usize,
    /// Treated rows of all unseen sources.
    pub n_test: usize,
    /// Accuracy over them.
    pub accuracy: Option<f64>,
    /// Lower end of the 95 % interval over wells, within batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Standard deviation over draws (ddof 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<f64>,
    /// Accuracy by unseen source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<(String, f64)>,
    /// Why it is absent, or which sources are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The setting that inner folds chose for one training set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CorrectionChoice {
    /// The embedding that was corrected.
    pub model: String,
    /// The chain as it was asked for.
    pub correction: String,
    /// Probe by which the choice was made.
    pub probe: String,
    /// The chain that was chosen, with every parameter.
    pub chosen: String,
    /// Unit whose groups the inner folds keep apart.
    pub unit: String,
    /// Inner folds.
    pub folds: usize,
    /// Balanced accuracy of the choice over the inner folds.
    pub accuracy: f64,
    /// Names of the groups that the outer fold holds out, where it names any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_out: Vec<String>,
    /// Training rows.
    pub n_train: usize,
}
