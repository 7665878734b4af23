//! Batch side: how far a nuisance unit (source, batch, plate) is mixed.
//!
//! Neighbourhood metrics share one exact graph, silhouettes and variances have closed forms, and nothing holds a matrix
//! of all pairs. What depends on the features alone is kept by [`crate::embedding::Space`], so that permutation nulls
//! cost no distance.

use crate::embedding::EmbeddingMetric;

pub mod asw;
pub mod bras;
mod chi_squared;
pub mod cilisi;
pub mod clisi_graph;
pub mod components;
pub mod connectivity;
pub mod control_distance;
pub mod entropy;
pub mod ilisi;
pub mod kbet;
pub(super) mod lisi;
pub mod pcr;
pub mod performance_drop;
pub mod robustness;
pub mod robustness_pairs;
pub mod sbee;
pub(super) mod shared;
pub(super) mod shortest_paths;
mod silhouette;
mod unit_pairs;

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod performance_drop_tests;
#[cfg(test)]
mod property_tests;

/// Metrics of this side that are measured only where they are named: peers' dialects that repeat another metric on other
/// neighbours, or that fit many classifiers.
pub static NAMED: [&dyn EmbeddingMetric; 7] = [
    &robustness::EARLIER,
    &robustness_pairs::RobustnessPairs,
    &performance_drop::INSIDE,
    &performance_drop::OUTSIDE,
    &ilisi::Ilisi::ArevaloGraph,
    &clisi_graph::ClisiGraph::Arevalo,
    &connectivity::Connectivity::Arevalo,
];

/// Metrics of this side, in order of report.
pub static METRICS: [&dyn EmbeddingMetric; 26] = [
    &robustness::PLATE,
    &robustness::WELL,
    &bras::Bras,
    &asw::AswBatch::Euclidean,
    &asw::AswBatch::Cosine,
    &cilisi::Cilisi::Rows,
    &cilisi::Cilisi::Means,
    &ilisi::Ilisi::ScibMetrics,
    &ilisi::Ilisi::ScibGraph,
    &ilisi::Ilisi::ScIntegration,
    &ilisi::Ilisi::Harmony,
    &kbet::Kbet::ScibMetrics,
    &kbet::Kbet::Label,
    &kbet::Kbet::R,
    &clisi_graph::ClisiGraph::Scib,
    &connectivity::Connectivity::Symmetric,
    &connectivity::Connectivity::Directed,
    &pcr::Pcr::All,
    &pcr::Pcr::Leading,
    &components::VarianceComponents,
    &sbee::Sbee,
    &entropy::NeighbourEntropy,
    &control_distance::ControlDistance::Energy,
    &control_distance::ControlDistance::Mmd,
    &control_distance::ControlDistance::Sliced,
    &control_distance::ControlDistance::Frechet,
];

/// What `bench new` writes; its test is to fail until it is filled in.
#[cfg(test)]
#[path = "../../../../bench-run/src/scaffold/templates/embedding_metric.rs"]
pub mod template_embedding_metric;
