//! How label and origin of the rows are entangled, before any model is looked at.

use serde::{Deserialize, Serialize};

/// How label and origin are entangled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Confounding {
    /// Association between pairs of factors.
    pub pairs: Vec<Association>,
    /// Labels that occur in one level only of a unit: (unit, label, level, rows).
    pub single: Vec<SingleLevel>,
    /// Number of compounds, and of those seen in one well position only.
    pub compounds: usize,
    /// Compounds seen in one well position only.
    pub single_position_compounds: usize,
    /// Sentences for the reader.
    pub notes: Vec<String>,
}

/// Association between two factors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Association {
    /// First factor, usually `label`.
    pub a: String,
    /// Second factor.
    pub b: String,
    /// Levels of the first.
    pub levels_a: usize,
    /// Levels of the second.
    pub levels_b: usize,
    /// Cramér's V, 0 to 1; absent if a factor has one level.
    pub cramers_v: Option<f64>,
    /// Bias-corrected V (Bergsma 2013).
    pub cramers_v_corrected: Option<f64>,
    /// Share of level pairs that never occur together.
    pub empty_cells: f64,
}

/// A label seen in one level only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SingleLevel {
    /// Unit, e.g. `source`.
    pub unit: String,
    /// Label.
    pub label: String,
    /// The only level it occurs in.
    pub level: String,
    /// Rows of that label.
    pub rows: usize,
}
