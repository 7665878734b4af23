//! The run record: one versioned JSON file that holds everything a renderer needs.
//!
//! Scores are computed once and stored here; tables, figures and pages are pure functions of a
//! record. Readers accept every older `schema_version`; a field is never reused with another
//! meaning.

use serde::{Deserialize, Serialize};

use crate::Score;

mod confounding;
mod correction;
mod embedding;
mod gates;
mod models;
mod outcomes;
mod projection;
mod protocols;

pub use confounding::{Association, Confounding, SingleLevel};
pub use correction::CorrectionInfo;
pub use embedding::{EmbeddingPart, EmbeddingScore, EmbeddingTotal};
pub use gates::{GateRule, Gates};
pub use models::{Epoch, RetrievalRow, SeedSummary, TrainingInfo};
pub use outcomes::{CellOutcomes, TestedSplit, TestedUnits, UnitOutcomes};
pub use projection::{Colouring, Projection};
pub use protocols::{ControlPoint, CorrectionChoice};

/// Version of the record's layout. Additions with a default keep it; anything else raises it.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything about one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Layout version, see [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Id of the run: suite id and a digest of everything that decides its scores.
    pub run_id: String,
    /// Digest of everything that decides the scores: inputs, settings, seed, scoring code.
    pub run_key: String,
    /// The suite.
    pub suite: SuiteInfo,
    /// The command line, word by word.
    pub command: Vec<String>,
    /// Resolved configuration.
    pub settings: Vec<Setting>,
    /// Program and source identity.
    pub software: Software,
    /// Where it ran.
    pub machine: Machine,
    /// Run seed.
    pub seed: u64,
    /// Models and control embeddings, in the order given; this order fixes their colours.
    pub models: Vec<ModelInfo>,
    /// What was read.
    pub data: DataInfo,
    /// The splits that were scored.
    pub splits: Vec<SplitInfo>,
    /// How label and origin are entangled; printed before any score.
    pub confounding: Confounding,
    /// Every raw score of the label task, models and controls.
    pub scores: Vec<Score>,
    /// Aggregates with intervals.
    pub summaries: Vec<Summary>,
    /// Scores per class, averaged over repeats.
    pub per_class: Vec<ClassScore>,
    /// Scores per held-out group.
    pub per_group: Vec<GroupScore>,
    /// Leave-one-source-out transfer, train source to test source.
    pub transfer: Vec<Transfer>,
    /// Confusion matrices, summed over repeats.
    pub confusion: Vec<Confusion>,
    /// Fits: convergence, iterations, ties.
    pub fits: Vec<FitInfo>,
    /// How well source, batch, plate and well position can be read from the embedding.
    pub batch_probes: Vec<BatchProbe>,
    /// Paired tests between models.
    pub comparisons: Vec<Comparison>,
    /// Ranks of models with intervals.
    pub ranks: Vec<RankInterval>,
    /// Whether the controls are in order.
    pub controls: Vec<ControlCheck>,
    /// Two-dimensional maps.
    pub projections: Vec<Projection>,
    /// How the models were trained, where this run trained them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub training: Vec<TrainingInfo>,
    /// Retrieval between images and molecules, where this run has both.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retrieval: Vec<RetrievalRow>,
    /// Means over trainings with different seeds, where methods were trained more than once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seed_summaries: Vec<SeedSummary>,
    /// How often each well was predicted correctly, for comparisons with other runs.
    #[serde(default, skip_serializing_if = "UnitOutcomes::is_empty")]
    pub outcomes: UnitOutcomes,
    /// Digest over the splits and the rows they divide: equal for runs that can be compared well by well.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub splits_digest: String,
    /// Which losses against a baseline the suite does not tolerate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gates: Option<Gates>,
    /// Scores of the embeddings themselves, without a fit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub embedding_scores: Vec<EmbeddingScore>,
    /// Their means over the sets of packages and papers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub embedding_totals: Vec<EmbeddingTotal>,
    /// Accuracy on unseen sources by the number of control wells that corrections were given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub control_curve: Vec<ControlPoint>,
    /// Settings of corrections that inner folds chose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub correction_choices: Vec<CorrectionChoice>,
    /// Steps with time and cache state; not part of the digest.
    pub steps: Vec<Step>,
    /// Files written beside this one.
    pub outputs: Vec<OutputFile>,
    /// Things the reader should know.
    pub warnings: Vec<String>,
    /// Verdict sentences, the first one answers the reader's question.
    pub verdict: Vec<String>,
    /// Digest over canonical scores, see [`crate::digest::of_scores`].
    pub scores_digest: String,
    /// Digest over scores, summaries, comparisons, probes and projections: everything but
    /// times, paths and machine.
    pub record_digest: String,
}

/// Suite identity and text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SuiteInfo {
    /// Suite id.
    pub id: String,
    /// Suite version; a changed score definition raises it.
    pub version: u32,
    /// Title.
    pub title: String,
    /// What it shows and how to misread it.
    pub essay: String,
    /// Citation of the data.
    pub citation: String,
    /// Whether the data are simulated.
    pub simulated: bool,
    /// SHA-256 of the suite's text.
    pub digest: String,
    /// The public data set that the scored plates are part of, if the suite names one and the
    /// data are real.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<DataSet>,
}

/// What a manifest says of a public data set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DataSet {
    /// Id of the manifest.
    pub id: String,
    /// Title.
    pub title: String,
    /// Licence of the data.
    pub licence: String,
    /// What to cite.
    pub citation: String,
}

/// One resolved configuration value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Dotted key, e.g. `probe.logreg.c`.
    pub key: String,
    /// Value as text.
    pub value: String,
    /// `default`, `suite`, `user file`, `environment` or `flag`.
    pub origin: String,
}

/// Program identity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Software {
    /// Version of this program.
    pub version: String,
    /// Commit it was built from, if known.
    pub commit: Option<String>,
    /// Whether the tree had local changes when built, if known.
    pub dirty: Option<bool>,
    /// SHA-256 of the lock file it was built with.
    pub lockfile: String,
}

/// Where the run ran.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Compute device.
    pub device: String,
    /// Number type of the matrices.
    pub dtype: String,
    /// Worker threads.
    pub threads: usize,
    /// Operating system and architecture.
    pub platform: String,
}

/// Model or control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// An embedding under test.
    #[default]
    Model,
    /// A control embedding with a known verdict.
    Control,
}

/// One embedding that was scored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// Name.
    pub name: String,
    /// Model or control.
    pub kind: ModelKind,
    /// Where it was read from; what it is, for a control.
    pub origin: String,
    /// SHA-256 of the bytes.
    pub digest: String,
    /// Number of features.
    pub dims: usize,
    /// Labelled rows.
    pub rows: usize,
    /// Control rows.
    pub control_rows: usize,
    /// What was understood of the file.
    pub understood: Vec<String>,
    /// Rows left out, by reason.
    pub dropped: Vec<(String, usize)>,
    /// How the embedding was corrected, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction: Option<CorrectionInfo>,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DataInfo {
    /// Label column.
    pub label: String,
    /// Labelled rows.
    pub rows: usize,
    /// Labels and their rows, by descending count, then name.
    pub labels: Vec<(String, usize)>,
    /// Number of levels of each unit present (`source`, `batch`, `plate`, `well`, `compound`, ...).
    pub units: Vec<(String, usize)>,
    /// Sources and their rows.
    pub sources: Vec<(String, usize)>,
    /// Accuracy of always guessing the most frequent label.
    pub majority: f64,
    /// One over the number of labels.
    pub uniform: f64,
}

/// One split of one protocol.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SplitInfo {
    /// Protocol.
    pub protocol: String,
    /// Split id.
    pub split: String,
    /// Unit that is held out: `row`, `well`, `plate`, `batch`, `source`, `compound`, ...
    pub unit: String,
    /// Repeats (or folds, where pooled).
    pub folds: usize,
    /// Whether the folds are pooled before scoring.
    pub pooled: bool,
    /// Smallest and largest training set.
    pub n_train: (usize, usize),
    /// Smallest and largest test set.
    pub n_test: (usize, usize),
    /// Number of distinct test sets; few of them mean that the spread over repeats says little.
    pub distinct_test_sets: usize,
    /// Test rows whose class never occurs in their training rows, summed over folds.
    pub unseen_test_rows: usize,
    /// Wells, plates, ... found on both sides, by unit: an audit of leakage.
    pub leaks: Vec<(String, usize)>,
    /// Why the split could not be made, if so.
    pub reason: Option<String>,
}

/// An interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// One aggregate with its spread.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Model or control.
    pub model: String,
    /// Protocol.
    pub protocol: String,
    /// Split.
    pub split: String,
    /// Probe.
    pub probe: String,
    /// `accuracy` (any metric id), `g`, `g-star` or `gap`.
    pub quantity: String,
    /// Value: mean over repeats, or the ratio of means for `g`.
    pub value: Option<f64>,
    /// Standard deviation over repeats (ddof 1).
    pub sd: Option<f64>,
    /// Smallest over repeats.
    pub min: Option<f64>,
    /// Largest over repeats.
    pub max: Option<f64>,
    /// Repeats.
    pub repeats: usize,
    /// 95 % percentile interval of the cluster bootstrap.
    pub percentile: Option<Interval>,
    /// 95 % BCa interval of the cluster bootstrap.
    pub bca: Option<Interval>,
    /// Unit that was resampled first, and the number of its levels.
    pub cluster: Option<(String, usize)>,
    /// Why the value is absent.
    pub reason: Option<String>,
}

/// Scores of one class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// Model.
    pub model: String,
    /// Protocol.
    pub protocol: String,
    /// Split.
    pub split: String,
    /// Probe.
    pub probe: String,
    /// Class.
    pub class: String,
    /// Test rows of the class, over all repeats.
    pub n_test: usize,
    /// Precision over pooled repeats.
    pub precision: Option<f64>,
    /// Recall.
    pub recall: Option<f64>,
    /// F1.
    pub f1: Option<f64>,
    /// One-vs-rest ROC-AUC, mean over repeats.
    pub roc_auc: Option<f64>,
}

/// Accuracy on one held-out group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupScore {
    /// Model.
    pub model: String,
    /// Protocol.
    pub protocol: String,
    /// Split.
    pub split: String,
    /// Probe.
    pub probe: String,
    /// Unit of the group.
    pub unit: String,
    /// Held-out group.
    pub group: String,
    /// Test rows, over all repeats.
    pub n_test: usize,
    /// Accuracy over them.
    pub accuracy: Option<f64>,
    /// Balanced accuracy over them.
    pub balanced_accuracy: Option<f64>,
}

/// Accuracy from one source to another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    /// Model.
    pub model: String,
    /// Probe.
    pub probe: String,
    /// Source trained on.
    pub train: String,
    /// Source tested on.
    pub test: String,
    /// Training rows.
    pub n_train: usize,
    /// Test rows.
    pub n_test: usize,
    /// Accuracy; on the diagonal, by five folds over wells within the source.
    pub accuracy: Option<f64>,
    /// Why it is absent.
    pub reason: Option<String>,
}

/// A confusion matrix.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// Model.
    pub model: String,
    /// Protocol.
    pub protocol: String,
    /// Split.
    pub split: String,
    /// Probe.
    pub probe: String,
    /// Class names.
    pub classes: Vec<String>,
    /// Rows true, columns predicted, row after row; expected counts where votes tie.
    pub counts: Vec<f64>,
}

/// How a probe's fits went, over the folds of one split.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FitInfo {
    /// Model.
    pub model: String,
    /// Protocol.
    pub protocol: String,
    /// Split.
    pub split: String,
    /// Probe.
    pub probe: String,
    /// Back end.
    pub backend: String,
    /// Fits.
    pub fits: usize,
    /// Fits that converged; absent for probes without iterations.
    pub converged: Option<usize>,
    /// Smallest and largest number of iterations.
    pub iterations: Option<(usize, usize)>,
    /// Largest gradient component at the end, over fits.
    pub gradient: Option<f64>,
    /// Mean training objective per row at the end, over fits.
    pub objective: Option<f64>,
    /// Test rows whose vote was tied, over fits.
    pub tied_votes: usize,
    /// Test rows whose neighbour list was cut through equal distances, over fits.
    pub tied_neighbours: usize,
}

/// How well one factor can be read from an embedding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BatchProbe {
    /// Model or control.
    pub model: String,
    /// `source`, `batch`, `plate`, `well-row`, `well-column` or `well-edge`.
    pub target: String,
    /// `treated` or `controls`.
    pub rows: String,
    /// Probe.
    pub probe: String,
    /// Rows used.
    pub n: usize,
    /// Levels of the factor.
    pub levels: usize,
    /// Balanced accuracy over five folds that never divide a well.
    pub balanced_accuracy: Option<f64>,
    /// (A - 1/B) / (1 - 1/B): 0 is chance, 1 is perfect.
    pub corrected: Option<f64>,
    /// Why it is absent.
    pub reason: Option<String>,
}

/// A paired test between two models on the same splits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// First model.
    pub a: String,
    /// Second model.
    pub b: String,
    /// Protocol.
    pub protocol: String,
    /// Split.
    pub split: String,
    /// Probe.
    pub probe: String,
    /// Metric; `accuracy`.
    pub metric: String,
    /// Value of `a` minus value of `b`.
    pub difference: f64,
    /// 95 % percentile interval of the difference, cluster bootstrap.
    pub interval: Option<Interval>,
    /// Two-sided p of the paired permutation test.
    pub p: f64,
    /// p after Holm's correction over all comparisons of the run.
    pub p_holm: f64,
    /// Units whose signs were flipped.
    pub units: usize,
    /// Permutations drawn; zero if all were enumerated.
    pub permutations: usize,
}

/// Rank of a model with its interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RankInterval {
    /// Model.
    pub model: String,
    /// Protocol.
    pub protocol: String,
    /// Split.
    pub split: String,
    /// Probe.
    pub probe: String,
    /// Rank by the point estimate, 1 is best; ties share the mean.
    pub rank: f64,
    /// 95 % interval over bootstrap draws.
    pub low: f64,
    /// 95 % interval over bootstrap draws.
    pub high: f64,
}

/// One rule that the controls must obey.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ControlCheck {
    /// Control embedding.
    pub control: String,
    /// The rule in words.
    pub rule: String,
    /// What was expected.
    pub expected: String,
    /// What was seen.
    pub observed: String,
    /// Whether the rule holds; absent if it could not be checked.
    pub holds: Option<bool>,
    /// Why it could not be checked.
    pub reason: Option<String>,
}

/// Whether a step was computed or taken from an earlier run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CacheState {
    /// Computed now.
    #[default]
    Computed,
    /// Taken from an earlier, perhaps interrupted, run.
    Reused,
}

/// One step of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Name.
    pub name: String,
    /// Wall-clock seconds it took when it was computed.
    pub seconds: f64,
    /// Computed or reused.
    pub cache: CacheState,
}

/// A file of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OutputFile {
    /// Path within the run's folder, with `/`.
    pub path: String,
    /// Size.
    pub bytes: u64,
}
