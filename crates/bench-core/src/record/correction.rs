//! What was done to an embedding before it was scored.

use serde::{Deserialize, Serialize};

/// A correction of one embedding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorrectionInfo {
    /// The embedding that was corrected.
    pub model: String,
    /// The chain as it was asked for.
    pub chain: String,
    /// The chain with every parameter.
    pub canonical: String,
    /// Whether corrected rows depend on all rows together, held-out ones included: scores then are not those of rows
    /// that come later.
    pub transductive: bool,
    /// Whether it was given labels, of training rows in the label task and of all rows elsewhere.
    pub uses_answers: bool,
    /// Whether it was fitted anew to the training rows of every fold.
    pub refitted: bool,
    /// Names of the features that are left, where they are features of the embedding.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// What the fit found that a reader should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}
