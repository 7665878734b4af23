//! Average silhouette width of a unit within every label (ASW batch).
//!
//! # What
//! For every row, how much nearer it lies to its own unit than to the nearest other one among rows of its label.
//!
//! # Formula
//! Mean over labels of the mean over rows of `1 - |s|`; see `super::silhouette`.
//!
//! # Why
//! It is the batch score of scib and of Arevalo et al. 2024 (cosine).
//!
//! # What it cannot show
//! The nearest unit hides nested effects: two laboratories that agree with each other and not with nine others count
//! as mixed. BRAS compares with all others instead.
//!
//! # Reference
//! scib 1.1.7 and scib-metrics 0.5.10, `silhouette_batch`; Rautenstrauch and Ohler 2025 for the criticism.

use bench_core::Card;

use super::silhouette::{Between, mixing};
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, NullCost, Roles, Side, Space};

/// The card of the Euclidean form.
pub static EUCLIDEAN_CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "asw-batch",
        title: "ASW batch",
        what: "How little rows of a label gather by unit: one less the size of their silhouette width. Constant embedding: 1, as with the peers, and flagged by the guards.",
        formula: "mean over labels of mean over rows of 1 - |(b - a) / max(a, b)|, Euclidean",
        better: "higher",
        range: "0 to 1",
        limits: "Compares with the nearest unit only, so nested batch effects stay unseen.",
        reference: "scib 1.1.7 and scib-metrics 0.5.10, silhouette_batch",
    },
    side: Side::Batch,
    dialect: "scib, scib-metrics",
    best: "noise",
    worst: "one-hot-source",
};

/// The card of the cosine form.
pub static COSINE_CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "asw-batch-cosine",
        title: "ASW batch (cosine)",
        what: "ASW batch with cosine distances, in closed form. Constant embedding: 1, as with the peers, and flagged by the guards.",
        formula: "mean over labels of mean over rows of 1 - |(b - a) / max(a, b)|, cosine",
        better: "higher",
        range: "0 to 1",
        limits: "Compares with the nearest unit only, so nested batch effects stay unseen.",
        reference: "Arevalo et al. 2024; scib-metrics 0.5.10, silhouette_batch(metric='cosine')",
    },
    side: Side::Batch,
    dialect: "Arevalo 2024",
    best: "noise",
    worst: "one-hot-source",
};

/// ASW batch.
#[derive(Clone, Copy, Debug)]
pub enum AswBatch {
    /// Euclidean distances, exact.
    Euclidean,
    /// Cosine distances, in closed form.
    Cosine,
}

impl EmbeddingMetric for AswBatch {
    fn card(&self) -> &'static EmbeddingCard {
        match self {
            Self::Euclidean => &EUCLIDEAN_CARD,
            Self::Cosine => &COSINE_CARD,
        }
    }

    fn null_cost(&self) -> NullCost {
        match self {
            Self::Euclidean => NullCost::Small,
            Self::Cosine => NullCost::Pass,
        }
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        mixing(space, roles, Between::Nearest, matches!(self, Self::Cosine))
    }
}
