//! Guards: whether an embedding is degenerate, so that its other scores mean nothing.
//!
//! Standard batch scores give a constant embedding full marks. A guard has a threshold (in its card) and says in words
//! why it fires; those that mean collapse keep the embedding's other scores out of rankings.

use crate::embedding::EmbeddingMetric;

pub mod alignment;
pub mod duplicates;
pub mod effective_rank;
pub mod hubness;
pub mod position_leak;
pub mod uniformity;

#[cfg(test)]
mod tests;

/// Guards, in order of report.
pub static METRICS: [&dyn EmbeddingMetric; 6] = [
    &effective_rank::EffectiveRank,
    &uniformity::Uniformity,
    &alignment::Alignment,
    &duplicates::Duplicates,
    &hubness::Hubness,
    &position_leak::PositionLeak,
];

/// Guards that can mean collapse, in the order in which they are asked.
pub static COLLAPSE: [&dyn EmbeddingMetric; 3] =
    [&effective_rank::EffectiveRank, &uniformity::Uniformity, &duplicates::Duplicates];
