//! Batch removal adapted silhouette (BRAS).
//!
//! # What
//! ASW batch with cosine distances, in which a row is compared with all rows of its label in other units.
//!
//! # Formula
//! Mean over labels of the mean over rows of `1 - |s|`, `b` the mean distance to all rows of the label in other units;
//! see [`super::silhouette`] for the closed form.
//!
//! # Why
//! The nearest unit hides nested effects; the mean of all others does not.
//!
//! # What it cannot show
//! Differences of spread between units that leave mean distances alone.
//!
//! # Reference
//! Rautenstrauch and Ohler 2025; scib-metrics 0.5.10, `bras`.

use bench_core::Card;

use super::silhouette::{Between, mixing};
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, NullCost, Roles, Side, Space};

/// Its card.
pub static CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "bras",
        title: "BRAS",
        what: "How little rows of a label gather by unit, compared with all other units: one less the size of the silhouette width. Constant embedding: 1, as with the peers, and flagged by the guards.",
        formula: "mean over labels of mean over rows of 1 - |(b - a) / max(a, b)|, b to all other units, cosine",
        better: "higher",
        range: "0 to 1",
        limits: "Sees mean distances only.",
        reference: "Rautenstrauch and Ohler 2025; scib-metrics 0.5.10, bras",
    },
    side: Side::Batch,
    dialect: "scib-metrics",
    best: "noise",
    worst: "one-hot-source",
};

/// BRAS.
#[derive(Clone, Copy, Debug)]
pub struct Bras;

impl EmbeddingMetric for Bras {
    fn card(&self) -> &'static EmbeddingCard {
        &CARD
    }

    fn null_cost(&self) -> NullCost {
        NullCost::Pass
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        mixing(space, roles, Between::MeanOther, true)
    }
}
