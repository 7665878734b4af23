//! Embedding metrics: one number from an embedding and the origin of its rows, without a fit.
//!
//! # What
//! An [`EmbeddingMetric`] has a card and measures a [`Space`] (what depends on the features alone, computed once and
//! shared: unit rows, the neighbour graph) under [`Roles`] (label, nuisance unit, layout). Permutation nulls
//! change the roles and keep the space, so that a null costs no distance.
//!
//! # Sides
//! [`Side::Batch`] asks how far the unit (source, batch, plate) is mixed; [`Side::Biology`] how well labels or
//! compounds hold together; [`Side::Guard`] whether the embedding is degenerate, so that the others mean nothing.
//!
//! # Where it fits
//! Beside [`crate::metric`], which scores predictions. A new metric is one file with a card and its registration line
//! in the list of its side. [`frame`] runs a list of them on models and control embeddings.

use bench_core::{Card, suggest};

use crate::Error;

pub mod batch;
pub mod biology;
mod distance_sums;
pub mod frame;
pub mod guard;
mod pairs;
pub mod roles;
pub mod space;
pub mod summary;
mod tournament;

#[cfg(test)]
mod controls_tests;
#[cfg(test)]
mod testing;

pub use roles::Roles;
pub use space::Space;

/// What a metric speaks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// How far the nuisance unit is mixed.
    Batch,
    /// How well labels or compounds hold together.
    Biology,
    /// Whether the embedding is degenerate.
    Guard,
}

impl Side {
    /// Its word in files: `batch`, `biology`, `guard`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Biology => "biology",
            Self::Guard => "guard",
        }
    }
}

/// The card of an embedding metric: the fixed headings, and what only these metrics have.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddingCard {
    /// The fixed headings.
    pub card: Card,
    /// What it speaks about.
    pub side: Side,
    /// Whose definition it follows where there are several, e.g. `scib-metrics 0.6`.
    pub dialect: &'static str,
    /// The control embedding that must score best: `one-hot-label`, `one-hot-compound`, `noise`, ...; `none: ` and the
    /// reason if there is none.
    pub best: &'static str,
    /// The control embedding that must score worst. `one-hot-source` stands for the one-hot embedding of the unit in
    /// question.
    pub worst: &'static str,
}

/// A value, and what it is made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// The value.
    pub value: f64,
    /// Rows (or queries) that count.
    pub n: usize,
    /// Contribution of each treated row, `NaN` for rows that do not count; empty if the value is no mean over rows.
    /// The value is the mean over rows, or of the means over `mean_over`.
    pub rows: Vec<f64>,
    /// What the rows are averaged within first.
    pub mean_over: MeanOver,
    /// The value by label, compound, source, ...: what a reader drills down to.
    pub parts: Vec<Part>,
}

/// Within what rows are averaged before the means are.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum MeanOver {
    /// All rows alike.
    #[default]
    Rows,
    /// Rows of a label, then labels.
    Labels,
    /// Rows of a compound, then compounds.
    Compounds,
    /// Rows of a label in one unit, then the units of a label, then labels.
    LabelUnits,
    /// No mean: the median row.
    Median,
    /// No mean: the rows' sum over the sum of these.
    Ratio(Vec<f64>),
    /// No rows: groups that overlap in their rows, such as labels of which a compound has several.
    Groups(Groups),
}

/// Contributions of groups; the value is the mean over `within` of the means of their contributions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Groups {
    /// What the groups are: `label`, `compound`, ...
    pub of: &'static str,
    /// Group of every contribution: what a bootstrap draws.
    pub group: Vec<u32>,
    /// What contributions are averaged within first; all alike for a mean of contributions.
    pub within: Vec<u32>,
    /// Contributions.
    pub values: Vec<f64>,
}

impl Groups {
    /// One contribution per group.
    pub fn one_each(of: &'static str, values: Vec<f64>) -> Self {
        let n = values.len();
        Self { of, group: (0..n as u32).collect(), within: vec![0; n], values }
    }
}

/// The value of one group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// `label`, `compound`, `source`, `batch`, `plate`, `position` or a pair such as `source-source`.
    pub unit: &'static str,
    /// Name of the group.
    pub name: String,
    /// Rows or queries.
    pub n: usize,
    /// Value.
    pub value: f64,
    /// Permutation or exact p value, where the metric has one per group.
    pub p: Option<f64>,
}

/// What one permutation of a null costs beside the first measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NullCost {
    /// Little: what takes time depends on the features alone and is kept.
    Low,
    /// About one pass over the matrix.
    Pass,
    /// Distances between many pairs of rows: as often as a pass, but in small tables only.
    Small,
    /// All pairs of rows of a label once more.
    Pairs,
    /// Nothing to permute: the value does not depend on what is exchanged. Such metrics have nulls of their own.
    Unmoved,
}

/// A metric of an embedding.
pub trait EmbeddingMetric: Send + Sync {
    /// What it is.
    fn card(&self) -> &'static EmbeddingCard;

    /// Whether it is measured once per nuisance unit (source, batch, plate) or once.
    fn per_unit(&self) -> bool {
        self.card().side == Side::Batch
    }

    /// Whether it looks at negative controls instead of treated rows: the unit of the controls is then what a
    /// permutation null changes.
    fn on_controls(&self) -> bool {
        false
    }

    /// What one permutation of its null costs.
    fn null_cost(&self) -> NullCost {
        if self.card().side == Side::Guard { NullCost::Unmoved } else { NullCost::Low }
    }

    /// Whether it compares compounds by their labels: a null then exchanges labels between compounds instead of wells,
    /// so that a compound keeps one label (or one list of them).
    fn labels_compounds(&self) -> bool {
        false
    }

    /// Whether it asks about compounds: a null then exchanges compounds, with their labels, between wells of a plate.
    fn about_compounds(&self) -> bool {
        false
    }

    /// Measures it.
    ///
    /// # Errors
    /// The reason why it is not defined for these rows.
    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String>;

    /// The value alone, the same bits as [`Self::measure`]'s: all that is kept of the draws of a null. Metrics whose parts
    /// take longer than their value leave them out.
    ///
    /// # Errors
    /// As [`Self::measure`].
    fn value(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<f64, String> {
        self.measure(space, roles).map(|measured| measured.value)
    }

    /// For a guard: why this value makes other scores of the embedding doubtful; `None` if it does not. The threshold
    /// stands in the card.
    fn fires(&self, _measured: &Measured) -> Option<String> {
        None
    }

    /// For a guard: whether this value, if the guard fires, means that the embedding has collapsed, so that its other
    /// scores take no part in rankings.
    fn means_collapse(&self, _measured: &Measured) -> bool {
        false
    }
}

/// The embedding metrics that `all` stands for, in order of report.
pub fn metrics() -> impl Iterator<Item = &'static dyn EmbeddingMetric> {
    batch::METRICS.into_iter().chain(biology::METRICS).chain(guard::METRICS)
}

/// Every embedding metric that has an id: [`metrics`], then those that are measured only where they are named.
pub fn every() -> impl Iterator<Item = &'static dyn EmbeddingMetric> {
    metrics().chain(batch::NAMED).chain(biology::NAMED)
}

/// The metric of an id.
///
/// # Errors
/// An unknown id, with the closest valid one.
pub fn lookup(id: &str) -> Result<&'static dyn EmbeddingMetric, Error> {
    every().find(|metric| metric.card().card.id == id).ok_or_else(|| Error::UnknownId {
        kind: "embedding metric",
        id: id.to_owned(),
        suggestion: suggest::closest(id, every().map(|metric| metric.card().card.id)).map(str::to_owned),
    })
}
