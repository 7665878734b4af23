//! Gates: which losses against a baseline a suite does not tolerate.

use serde::{Deserialize, Serialize};

/// The gates of a run, resolved: one rule per quantity, split and probe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gates {
    /// Runs of a history that a moving window holds.
    pub window: usize,
    /// Rules.
    pub rules: Vec<GateRule>,
}

/// One rule, for every model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GateRule {
    /// `accuracy`, `g` or `gap`.
    pub quantity: String,
    /// Protocol.
    pub protocol: String,
    /// Split.
    pub split: String,
    /// Probe.
    pub probe: String,
    /// The split that `g` divides by, or that `gap` starts from; empty for `accuracy`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub baseline: String,
    /// Losses up to this are tolerated even where they are certain.
    pub min_effect: f64,
    /// Level of the interval of the loss, e.g. 0.95.
    pub level: f64,
}

impl GateRule {
    /// Whether a rise of the quantity is a loss.
    pub fn falls_are_good(&self) -> bool {
        self.quantity == "gap"
    }
}
