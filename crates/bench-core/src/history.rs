//! One run of a history: what later comparisons and the page of trends need of it.
//!
//! An entry is self-contained, so that a history can live in a cache of continuous integration or on a
//! branch, far from the runs themselves.

use serde::{Deserialize, Serialize};

use crate::compared::{GateOutcome, Status};
use crate::record::{Gates, Interval, SuiteInfo, UnitOutcomes};

/// Version of the layout of an entry. Additions with a default keep it; anything else raises it.
pub const HISTORY_VERSION: u32 = 1;

/// One line of a history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Event {
    /// A run was added.
    Run(Box<HistoryRun>),
    /// An earlier run became the baseline.
    Pin {
        /// Number of the run, counted from one.
        number: usize,
    },
}

/// A run in a history.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HistoryRun {
    /// Layout version, see [`HISTORY_VERSION`].
    pub history_version: u32,
    /// Id of the run.
    pub run_id: String,
    /// Suite; its essay and citation are left out.
    pub suite: SuiteInfo,
    /// Run seed, which decides the splits.
    pub seed: u64,
    /// Digest over the splits and the rows they divide.
    pub splits_digest: String,
    /// Digest over canonical scores.
    pub scores_digest: String,
    /// Commit that was measured.
    pub commit: Option<String>,
    /// Date in the words of who added it.
    pub date: Option<String>,
    /// Address of the commit.
    pub commit_url: Option<String>,
    /// Address of the report.
    pub report_url: Option<String>,
    /// Models under test, in the order of the record.
    pub models: Vec<String>,
    /// Values of the gated quantities.
    pub values: Vec<HistoryValue>,
    /// Gates of the run.
    pub gates: Gates,
    /// Outcomes by well, of the gated splits.
    pub outcomes: UnitOutcomes,
    /// What the gates said when the run was added.
    pub checks: Vec<HistoryCheck>,
    /// Whether the run became the baseline when it was added.
    pub pinned: bool,
}

impl HistoryRun {
    /// Whether a gate failed when the run was added.
    pub fn has_failed(&self) -> bool {
        self.checks.iter().any(|check| check.status == Some(Status::Regression))
    }
}

/// One value with its interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HistoryValue {
    /// Model.
    pub model: String,
    /// `accuracy`, `g` or `gap`.
    pub quantity: String,
    /// Protocol.
    pub protocol: String,
    /// Split.
    pub split: String,
    /// Probe.
    pub probe: String,
    /// Value.
    pub value: Option<f64>,
    /// 95 % interval.
    pub interval: Option<Interval>,
}

/// What the gates said of a run, against one baseline.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HistoryCheck {
    /// `pinned` or `window`.
    pub against: String,
    /// Numbers of the runs compared with, counted from one.
    pub runs: Vec<usize>,
    /// Verdict; absent if the runs cannot be compared.
    pub status: Option<Status>,
    /// Gates that were checked.
    pub checked: usize,
    /// Gates that said something else than that nothing can be told from noise.
    pub gates: Vec<MarkedGate>,
    /// Why there is no verdict.
    pub reason: Option<String>,
}

/// A gate worth marking on a trend.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MarkedGate {
    /// Model.
    pub model: String,
    /// Quantity.
    pub quantity: String,
    /// Protocol.
    pub protocol: String,
    /// Split.
    pub split: String,
    /// Probe.
    pub probe: String,
    /// Head minus baseline.
    pub difference: Option<f64>,
    /// What the gate said.
    pub outcome: GateOutcome,
}
