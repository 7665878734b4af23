//! Suites: a benchmark as data. What to read, how to divide it, what to fit and to report.
//!
//! A suite is a TOML file. Unknown keys are errors with a suggestion; every key has a default
//! that stands in [`Suite`]'s fields. Suites shipped with the program are embedded in it, so
//! `bench` runs from any folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bench_data::{Duplicates, Missing, MultiLabel, RareLabels, SyntheticSpec};
use bench_eval::probe::knn::{KnnSettings, VoteTies};
use bench_eval::probe::logistic::LogisticSettings;
use bench_geometry::neighbours::Metric;
use bench_geometry::umap::UmapSettings;
use serde::{Deserialize, Serialize};

use crate::Error;

pub mod embedded;
pub mod gates;
mod parse;

pub use gates::GateSettings;
pub(crate) use parse::{check, explain};

/// A benchmark as data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Suite {
    /// Id; file name without extension.
    pub id: String,
    /// Raised whenever a score's definition changes.
    pub version: u32,
    /// Title for people.
    pub title: String,
    /// What it shows and how to misread it.
    #[serde(default)]
    pub essay: String,
    /// What to cite.
    #[serde(default)]
    pub citation: String,
    /// Where the data come from when none are given.
    #[serde(default)]
    pub data: Data,
    /// Column names.
    #[serde(default)]
    pub columns: Columns,
    /// Which columns are features.
    #[serde(default)]
    pub features: Features,
    /// Which rows and labels are used.
    #[serde(default)]
    pub select: Select,
    /// Which splits, in which protocols.
    #[serde(default)]
    pub splits: Splits,
    /// Probes and their settings.
    #[serde(default)]
    pub probes: Probes,
    /// Metric ids.
    #[serde(default = "default_metrics")]
    pub metrics: Vec<String>,
    /// Corrections, each a chain such as `mad-plate > sphere`; `none` is the embedding as it is.
    #[serde(default = "default_corrections")]
    pub corrections: Vec<String>,
    /// Control embeddings.
    #[serde(default = "default_controls")]
    pub controls: Vec<String>,
    /// Batch probes.
    #[serde(default)]
    pub batch_probes: BatchProbes,
    /// Embedding metrics.
    #[serde(default)]
    pub embedding_metrics: EmbeddingMetrics,
    /// Accuracy on unseen sources by the number of control wells.
    #[serde(default)]
    pub control_curve: ControlCurve,
    /// Intervals and tests.
    #[serde(default)]
    pub uncertainty: Uncertainty,
    /// Two-dimensional map.
    #[serde(default)]
    pub projection: ProjectionSettings,
    /// Which losses against a baseline are not tolerated.
    #[serde(default)]
    pub gates: GateSettings,
}

/// Where data come from when the user gives none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Data {
    /// Simulated profiles.
    pub simulate: Option<SyntheticSpec>,
    /// Id of the [manifest](crate::manifest) that lists the scored plates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// Preset by which models are trained and plates embedded; an id or a TOML file.
    pub preset: Option<String>,
}

/// Column names, each a list of candidates tried in order; empty lists mean the field's names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Columns {
    /// Label.
    pub label: Vec<String>,
    /// Compound.
    pub compound: Vec<String>,
    /// Source.
    pub source: Vec<String>,
    /// Batch.
    pub batch: Vec<String>,
    /// Plate.
    pub plate: Vec<String>,
    /// Well.
    pub well: Vec<String>,
    /// Field of view.
    pub site: Vec<String>,
    /// Negative controls.
    pub control: Option<Control>,
    /// Further grouping columns: name of the group and its column.
    pub groups: BTreeMap<String, String>,
}

/// How negative-control rows are recognised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Control {
    /// Candidate columns, tried in order; one column must exist.
    pub column: Vec<String>,
    /// Value that marks a control; several candidate columns are searched for `negcon` only.
    #[serde(default = "negcon")]
    pub value: String,
}

fn negcon() -> String {
    bench_data::NEGATIVE_CONTROL.to_owned()
}

/// Which columns are features.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Features {
    /// Regular expression; only columns that match are features.
    pub include: Option<String>,
    /// Regular expression; columns that match are not features.
    pub exclude: Option<String>,
}

/// Which rows and labels are used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Select {
    /// Column = any of these values; all conditions must hold (controls are exempt).
    #[serde(rename = "where")]
    pub conditions: BTreeMap<String, Vec<String>>,
    /// Labels, by name.
    pub labels: Option<Vec<String>>,
    /// The labels with the most rows, ties by name.
    pub top_labels: Option<usize>,
    /// Only labels that occur in every level of this unit.
    pub in_every: Option<String>,
    /// Labels with fewer rows are rare.
    pub min_label_rows: usize,
    /// What happens to rare labels.
    pub rare_labels: RareLabels,
    /// What happens to labels such as `A|B`.
    pub multi_label: MultiLabel,
    /// What happens to missing values.
    pub missing: Missing,
    /// What happens to repeated wells.
    pub duplicates: Duplicates,
}

impl Default for Select {
    fn default() -> Self {
        Self {
            conditions: BTreeMap::new(),
            labels: None,
            top_labels: None,
            in_every: None,
            min_label_rows: 2,
            rare_labels: RareLabels::default(),
            multi_label: MultiLabel::default(),
            missing: Missing::default(),
            duplicates: Duplicates::default(),
        }
    }
}

/// Which splits, in which protocols.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Splits {
    /// Splits made as the paper made them.
    pub paper: Vec<String>,
    /// Splits made as they should be.
    pub strict: Vec<String>,
    /// Repeats of every random split.
    pub repeats: usize,
    /// Share of units that is tested.
    pub test_fraction: f64,
    /// Most rows that may be tested; larger tables test a seeded draw of whole wells, and the
    /// report says so. Fixed folds are never thinned.
    pub max_test_rows: usize,
    /// `error`, or `skip` splits whose column the table lacks.
    pub missing_columns: String,
    /// The split that stands for "random" among folds given by the user; by default the first
    /// whose name starts with `random` or `hashed`.
    pub baseline: Option<String>,
    /// A column of the table that holds fold ids.
    pub fold_column: Option<String>,
}

impl Default for Splits {
    fn default() -> Self {
        let ids = |ids: &[&str]| ids.iter().map(|s| (*s).to_owned()).collect();
        Self {
            paper: ids(&["random", "not-same-plate", "not-same-batch", "not-same-source"]),
            strict: ids(&["random", "not-same-plate", "not-same-batch", "not-same-source"]),
            repeats: 5,
            test_fraction: 0.2,
            max_test_rows: 100_000,
            missing_columns: "error".into(),
            baseline: None,
            fold_column: None,
        }
    }
}

/// Probes and their settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Probes {
    /// Probe ids, in order of report.
    pub ids: Vec<String>,
    /// Protocols in which logistic regression sees standardised features.
    pub logreg_standardise: Vec<String>,
    /// Protocols in which kNN sees standardised features.
    pub knn_standardise: Vec<String>,
    /// Back end of logistic regression: `gemm` or `linfa`.
    pub logreg_backend: String,
    /// Back end of kNN: `gemm` or `linfa`.
    pub knn_backend: String,
    /// Settings of logistic regression; its `standardise` is set per protocol.
    pub logreg: LogisticSettings,
    /// Settings of kNN; its `standardise` is set per protocol.
    pub knn: KnnSettings,
}

impl Default for Probes {
    fn default() -> Self {
        Self {
            ids: vec!["logreg".into(), "knn".into()],
            logreg_standardise: vec!["strict".into()],
            knn_standardise: Vec::new(),
            logreg_backend: "gemm".into(),
            knn_backend: "gemm".into(),
            logreg: LogisticSettings::default(),
            knn: KnnSettings::default(),
        }
    }
}

/// Batch probes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct BatchProbes {
    /// Whether they are run.
    pub enabled: bool,
}

impl Default for BatchProbes {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// Embedding metrics: what needs no probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct EmbeddingMetrics {
    /// Whether they are measured: all of them with their nulls take longer than everything else.
    pub enabled: bool,
    /// Ids; none for all.
    pub ids: Vec<String>,
    /// Totals of packages and papers that are reported; their metrics are measured too.
    pub presets: Vec<String>,
    /// Table of two columns with pairs of compounds that are known to be related; their recall is measured then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relationships: Option<PathBuf>,
    /// Permutations of metrics whose null costs little.
    pub permutations: usize,
    /// Permutations of those that pass over the matrix each time.
    pub pass_permutations: usize,
    /// Permutations of those that meet all pairs of a label each time.
    pub pair_permutations: usize,
    /// Most treated rows at which metrics are measured anew for intervals, and rankings are for nulls.
    pub jackknife_rows: usize,
    /// Bootstrap draws.
    pub bootstrap: usize,
}

impl Default for EmbeddingMetrics {
    fn default() -> Self {
        let presets = ["scib", "scib-metrics", "arevalo2024"].map(str::to_owned).to_vec();
        Self {
            enabled: false,
            ids: Vec::new(),
            presets,
            relationships: None,
            permutations: 100,
            pass_permutations: 20,
            pair_permutations: 0,
            jackknife_rows: 6000,
            bootstrap: 500,
        }
    }
}

/// Learning curve of corrections over control wells of an unseen source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ControlCurve {
    /// Whether it is measured, for every correction that aligns sources by their controls.
    pub enabled: bool,
    /// Numbers of control wells in each group that the correction aligns, ascending; all are always added.
    pub wells: Vec<usize>,
    /// Draws of control wells.
    pub draws: usize,
}

impl Default for ControlCurve {
    fn default() -> Self {
        Self { enabled: false, wells: vec![1, 2, 4, 8, 16, 32], draws: 5 }
    }
}

/// Intervals and tests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Uncertainty {
    /// Bootstrap draws.
    pub bootstrap: usize,
    /// Permutations, where they cannot be enumerated.
    pub permutations: usize,
}

impl Default for Uncertainty {
    fn default() -> Self {
        Self { bootstrap: 1000, permutations: 10_000 }
    }
}

/// Two-dimensional map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ProjectionSettings {
    /// Whether a map is made.
    pub enabled: bool,
    /// Points stored in the record for figures; the Parquet file holds all.
    pub shown: usize,
    /// UMAP.
    pub umap: UmapSettings,
}

impl Default for ProjectionSettings {
    fn default() -> Self {
        Self { enabled: true, shown: 20_000, umap: UmapSettings::default() }
    }
}

fn default_metrics() -> Vec<String> {
    bench_eval::metric::DEFAULT_IDS.map(String::from).to_vec()
}

fn default_corrections() -> Vec<String> {
    vec!["none".to_owned()]
}

fn default_controls() -> Vec<String> {
    bench_eval::control::CONTROLS.map(|control| control.card().id.to_owned()).to_vec()
}

/// The distance of that name.
///
/// # Errors
/// Unknown name.
pub fn metric(name: &str) -> Result<Metric, Error> {
    choice("--metric", name)
}

/// The tie rule of that name.
///
/// # Errors
/// Unknown name.
pub fn vote_ties(name: &str) -> Result<VoteTies, Error> {
    choice("--ties", name)
}

/// Reads a kebab-case name as one of an enum's variants; serde's message lists them.
fn choice<T: serde::de::DeserializeOwned>(flag: &str, name: &str) -> Result<T, Error> {
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error as ValueError, StrDeserializer};
    let text: StrDeserializer<'_, ValueError> = name.into_deserializer();
    T::deserialize(text)
        .map_err(|error| Error::Usage { message: format!("cannot read `{flag} {name}`: {error}"), hint: None })
}

/// The policy of that name.
///
/// # Errors
/// Unknown name, with the valid ones.
pub fn policy<T: std::str::FromStr<Err = String>>(flag: &str, name: &str) -> Result<T, Error> {
    name.parse().map_err(|why| Error::Usage { message: format!("cannot read `{flag} {name}`: {why}"), hint: None })
}

impl Suite {
    /// Finds a suite by id among the embedded ones, or reads it from a file.
    ///
    /// # Errors
    /// Unknown id (with a suggestion), unreadable file, bad TOML, unknown or invalid key.
    pub fn load(id_or_file: &str) -> Result<(Self, String), Error> {
        if let Some(text) = embedded::text(id_or_file) {
            return Ok((parse::parse(&format!("suite `{id_or_file}`"), text)?, text.to_owned()));
        }
        let path = Path::new(id_or_file);
        if path.extension().is_some_and(|e| e == "toml") || path.is_file() {
            let text = std::fs::read_to_string(path)
                .map_err(|source| Error::SuiteFile { path: id_or_file.to_owned(), source })?;
            return Ok((parse::parse(id_or_file, &text)?, text));
        }
        Err(Error::UnknownSuite {
            id: id_or_file.to_owned(),
            suggestion: bench_core::suggest::closest(id_or_file, embedded::ids()).map(str::to_owned),
            known: embedded::ids().collect::<Vec<_>>().join(", "),
        })
    }
}
