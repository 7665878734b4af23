//! The outcome of comparing two runs: a versioned value that renderers turn into text and pages.
//!
//! Nothing here computes; `bench-run` fills it and `bench-report` draws it. Written as JSON it is the
//! machine-readable output of `bench compare`.

use serde::{Deserialize, Serialize};

use crate::record::Interval;

/// Version of the layout. Additions with a default keep it; anything else raises it.
pub const COMPARED_VERSION: u32 = 1;

/// A head run compared with a baseline, gate by gate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// Layout version, see [`COMPARED_VERSION`].
    pub compared_version: u32,
    /// Suite id.
    pub suite: String,
    /// Suite version.
    pub suite_version: u32,
    /// Suite title.
    pub title: String,
    /// Whether the data are simulated.
    pub simulated: bool,
    /// What is compared with.
    pub base: Baseline,
    /// The run under test.
    pub head: RunName,
    /// The worst of the gates.
    pub status: Status,
    /// Gates, in the order of the suite, model by model.
    pub gates: Vec<Gate>,
    /// Models of the baseline that the head lacks.
    pub only_in_base: Vec<String>,
    /// Models of the head that the baseline lacks.
    pub only_in_head: Vec<String>,
    /// Units (wells) that were resampled.
    pub units: usize,
    /// Unit that was resampled first, and the number of its levels.
    pub cluster: Option<(String, usize)>,
    /// Bootstrap draws.
    pub draws: usize,
    /// Things the reader should know.
    pub notes: Vec<String>,
}

/// What a head is compared with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// In words: `a run`, `the pinned run`, `the mean of the last 10 runs`.
    pub what: String,
    /// The runs behind it, oldest first.
    pub runs: Vec<RunName>,
}

/// Which run, and where it came from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunName {
    /// Id of the run.
    pub run_id: String,
    /// Path as it was given, or the run's number in the history.
    pub place: String,
    /// Commit that was measured, if known.
    pub commit: Option<String>,
    /// Digest over canonical scores.
    pub scores_digest: String,
}

/// Verdict over all gates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// At least one gate failed.
    Regression,
    /// No gate failed, but at least one could not be checked.
    Unchecked,
    /// No gate failed, at least one improved.
    Improvement,
    /// Nothing that can be told from noise, or nothing that matters.
    #[default]
    Unchanged,
}

/// One gate: a quantity of one model on one split with one probe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Model, as the head names it.
    pub model: String,
    /// Name of the model in the baseline, if another.
    pub base_model: Option<String>,
    /// `accuracy`, `g` or `gap`.
    pub quantity: String,
    /// Protocol.
    pub protocol: String,
    /// Split.
    pub split: String,
    /// Probe.
    pub probe: String,
    /// Value of the baseline.
    pub base: Option<f64>,
    /// Value of the head.
    pub head: Option<f64>,
    /// Head minus baseline.
    pub difference: Option<f64>,
    /// Interval of the difference, at `level`, paired cluster bootstrap.
    pub interval: Option<Interval>,
    /// Level of the interval.
    pub level: f64,
    /// Two-sided p of the paired bootstrap.
    pub p: Option<f64>,
    /// p after Holm's correction over all gates that could be checked.
    pub p_holm: Option<f64>,
    /// Losses up to this are tolerated.
    pub min_effect: f64,
    /// How far a new run may lie from the runs of a window by their own spread; windows only.
    pub window_spread: Option<f64>,
    /// What follows.
    pub outcome: GateOutcome,
    /// Why it could not be checked.
    pub reason: Option<String>,
}

/// What a gate says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateOutcome {
    /// A loss that is certain and larger than what is tolerated: the gate fails.
    Regression,
    /// It could not be checked; the reason says why.
    Unchecked,
    /// A gain that is certain and larger than the tolerated loss.
    Improvement,
    /// A difference that is certain, and small enough to be tolerated.
    Tolerated,
    /// A difference that cannot be told from noise.
    #[default]
    Noise,
    /// Neither run has the value: nothing was lost.
    Absent,
}

impl Compared {
    /// Gates of one outcome.
    pub fn of(&self, outcome: GateOutcome) -> impl Iterator<Item = &Gate> {
        self.gates.iter().filter(move |gate| gate.outcome == outcome)
    }

    /// Gates that were checked.
    pub fn checked(&self) -> usize {
        self.gates.len() - self.of(GateOutcome::Unchecked).count() - self.of(GateOutcome::Absent).count()
    }

    /// The status that follows from the gates.
    pub fn status_of(gates: &[Gate]) -> Status {
        let any = |outcome| gates.iter().any(|gate: &Gate| gate.outcome == outcome);
        if any(GateOutcome::Regression) {
            Status::Regression
        } else if any(GateOutcome::Unchecked) {
            Status::Unchecked
        } else if any(GateOutcome::Improvement) {
            Status::Improvement
        } else {
            Status::Unchanged
        }
    }
}
