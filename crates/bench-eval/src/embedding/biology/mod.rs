//! Biology side: how well labels and compounds hold together in an embedding.
//!
//! # What
//! [`label`]: silhouettes, clusterings and neighbourhoods against the label. [`map`]: mean average precision by pair
//! rules. [`replicates`]: replicates of a compound against chance and controls. [`sources`]: agreement between
//! sources, and pairs that are known to be related.
//!
//! # Ties and collapse
//! What is equally far is averaged over its orders, so a constant embedding scores at chance; neighbour lists take the
//! lowest rows of a tie, which the cards of [`label`] say.
//!
//! # What moves under a permutation of labels
//! The metrics of [`label`], consistency, matching, retrieval by label. Those about replicates depend on the compound:
//! their null exchanges compounds between wells of a plate; `p` of their parts is a null of their own.
//!
//! # Where it fits
//! [`METRICS`] is chained into the list of all embedding metrics, [`NAMED`] into that of those that a user or a preset
//! names. [`sources::known_relationships`] needs the user's pairs.

use super::EmbeddingMetric;

/// An [`EmbeddingCard`](super::EmbeddingCard) in one flat list.
macro_rules! card {
    (
        id: $id:expr, title: $title:expr, what: $what:expr, formula: $formula:expr, better: $better:expr,
        range: $range:expr, limits: $limits:expr, reference: $reference:expr, side: $side:ident,
        dialect: $dialect:expr, best: $best:expr, worst: $worst:expr $(,)?
    ) => {
        $crate::embedding::EmbeddingCard {
            card: bench_core::Card {
                id: $id,
                title: $title,
                what: $what,
                formula: $formula,
                better: $better,
                range: $range,
                limits: $limits,
                reference: $reference,
            },
            side: $crate::embedding::Side::$side,
            dialect: $dialect,
            best: $best,
            worst: $worst,
        }
    };
}

#[cfg(test)]
mod golden_tests;
pub mod label;
#[cfg(test)]
mod magnitude_tests;
pub mod map;
#[cfg(test)]
mod property_tests;
pub mod replicates;
pub mod sources;
pub(crate) mod support;
#[cfg(test)]
mod testing;

/// Biology metrics that are measured only where they are named: peers' dialects that repeat another metric on other
/// neighbours or pairs, and what needs a user's file.
pub static NAMED: [&dyn EmbeddingMetric; 10] = [
    &label::clusters::AREVALO_NMI,
    &label::clusters::AREVALO_ARI,
    &label::clustering_score::PathorobClusteringScore,
    &map::metrics::COPAIRS_ACTIVITY_RAW,
    &map::metrics::COPAIRS_ACTIVITY_NORMALISED,
    &map::metrics::COPAIRS_ACTIVITY_RETRIEVED,
    &map::metrics::COPAIRS_DISTINCTIVENESS_RAW,
    &map::metrics::COPAIRS_DISTINCTIVENESS_NORMALISED,
    &map::metrics::COPAIRS_DISTINCTIVENESS_RETRIEVED,
    &sources::known_relationships::UNGIVEN,
];

/// All biology metrics, in order of report.
pub static METRICS: [&dyn EmbeddingMetric; 53] = [
    &label::asw_label::COSINE,
    &label::asw_label::EUCLIDEAN,
    &label::isolated_labels::IsolatedLabels,
    &label::clusters::NMI_KMEANS,
    &label::clusters::ARI_KMEANS,
    &label::clusters::NMI_LEIDEN,
    &label::clusters::ARI_LEIDEN,
    &label::clusters::NMI_LEIDEN_BEST,
    &label::clusters::ARI_LEIDEN_BEST,
    &label::clisi::Clisi,
    &label::kni::Kni,
    &label::ksim::Ksim,
    &label::clustering_score::ClusteringScore,
    &map::metrics::ACTIVITY_MAP,
    &map::metrics::ACTIVITY_MAP_RAW,
    &map::metrics::ACTIVITY_RETRIEVED,
    &map::metrics::DISTINCTIVENESS_MAP,
    &map::metrics::DISTINCTIVENESS_MAP_RAW,
    &map::metrics::DISTINCTIVENESS_RETRIEVED,
    &map::metrics::CONSISTENCY_MAP,
    &map::metrics::CONSISTENCY_RETRIEVED,
    &map::metrics::CONSISTENCY_ALL_MAP,
    &map::metrics::CONSISTENCY_ALL_RETRIEVED,
    &map::metrics::CROSS_BATCH_MAP,
    &map::metrics::CROSS_BATCH_RETRIEVED,
    &map::metrics::CROSS_SOURCE_MAP,
    &map::metrics::CROSS_SOURCE_RETRIEVED,
    &map::metrics::AREVALO_NEGCON_MAP,
    &map::metrics::AREVALO_NONREP_MAP,
    &replicates::percent::REPLICATING,
    &replicates::percent::MATCHING,
    &replicates::grit::Grit,
    &replicates::mp_value::MpValue,
    &replicates::nearest::HIT_AT_1,
    &replicates::nearest::HIT_AT_10,
    &replicates::nearest::PRECISION_AT_10,
    &replicates::nearest::MRR,
    &replicates::enrichment::Enrichment,
    &replicates::enrichment::LabelEnrichment,
    &replicates::perturbation_consistency::PerturbationConsistency,
    &replicates::perturbation_magnitude::PerturbationMagnitude,
    &replicates::distributions::BATCH_KS,
    &replicates::distributions::BATCH_CVM,
    &replicates::distributions::SOURCE_KS,
    &replicates::distributions::SOURCE_CVM,
    &sources::retrieval::HIT_AT_1,
    &sources::retrieval::HIT_AT_5,
    &sources::retrieval::HIT_AT_10,
    &sources::retrieval::MRR,
    &sources::retrieval::LABEL_MAP,
    &sources::cka::BetweenSources,
    &sources::cka::ToUnit,
    &sources::mantel::Mantel,
];
