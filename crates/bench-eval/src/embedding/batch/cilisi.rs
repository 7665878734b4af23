//! CiLISI: LISI of the unit within every label.
//!
//! # What
//! The effective number of units among the neighbours of a row that share its label, scaled by the units of the label.
//!
//! # Formula
//! Mean over rows (or over labels of the mean over rows) of `(LISI_i - 1) / (B_label - 1)`, 30 neighbours within the
//! label (all others, if there are fewer) at a perplexity of as many. Labels with fewer than ten rows or one unit are
//! left out.
//!
//! # Why
//! Mixing across labels is no virtue; within a label it is what a correction should reach.
//!
//! # What it cannot show
//! With as many neighbours as the perplexity all weigh almost the same, so nearer ones hardly count for more.
//!
//! # Reference
//! Andreatta et al. 2024, scIntegrationMetrics, `CiLISI` and `CiLISI_means`.

use bench_core::Card;
use rayon::prelude::*;

use super::lisi::inverse_simpson;
use super::shared::{at_least_two, present};
use crate::embedding::{EmbeddingCard, EmbeddingMetric, MeanOver, Measured, Roles, Side, Space, summary};

/// Rows that a label needs.
const ROWS: usize = 10;

/// The card of the mean over rows.
pub static CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "cilisi",
        title: "CiLISI",
        what: "The scaled effective number of units among 30 neighbours of the same label, averaged over rows. Constant embedding: as mixed as the first rows of each label, and flagged by the guards.",
        formula: "mean_i (LISI_i - 1) / (B_label - 1), 30 neighbours within the label",
        better: "higher",
        range: "0 to 1",
        limits: "Labels of fewer than ten rows or one unit are left out; those of fewer than 31 rows count as mixed, whatever they are.",
        reference: "scIntegrationMetrics, CiLISI (Andreatta et al. 2024)",
    },
    side: Side::Batch,
    dialect: "scIntegrationMetrics",
    best: "noise",
    worst: "one-hot-source",
};

/// The card of the mean over labels.
pub static MEANS_CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "cilisi-means",
        title: "CiLISI, label means",
        what: "CiLISI averaged within labels first, so that large labels count no more than small ones. Constant embedding: as mixed as the first rows of each label, and flagged by the guards.",
        formula: "mean_label mean_i (LISI_i - 1) / (B_label - 1), 30 neighbours within the label",
        better: "higher",
        range: "0 to 1",
        limits: "Labels of fewer than ten rows or one unit are left out; those of fewer than 31 rows count as mixed, whatever they are.",
        reference: "scIntegrationMetrics, CiLISI_means (Andreatta et al. 2024)",
    },
    side: Side::Batch,
    dialect: "scIntegrationMetrics",
    best: "noise",
    worst: "one-hot-source",
};

/// CiLISI.
#[derive(Clone, Copy, Debug)]
pub enum Cilisi {
    /// Mean over rows.
    Rows,
    /// Mean over labels of means over rows.
    Means,
}

impl EmbeddingMetric for Cilisi {
    fn card(&self) -> &'static EmbeddingCard {
        match self {
            Self::Rows => &CARD,
            Self::Means => &MEANS_CARD,
        }
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        at_least_two(roles.unit, roles.unit_name)?;
        let members = roles.label.members();
        let units: Vec<usize> = members.iter().map(|rows| present(&roles.unit.take(rows))).collect();
        let counts = |label: usize| members[label].len() >= ROWS && units[label] > 1;
        if !(0..members.len()).any(counts) {
            return Err(format!("no label has {ROWS} rows of two {}s", roles.unit_name));
        }
        let rows = space.with_label_graph(roles.label, |graph| {
            (0..roles.label.len())
                .into_par_iter()
                .map_init(Vec::new, |shares, row| {
                    let label = roles.label.code(row);
                    if !counts(label) {
                        return f64::NAN;
                    }
                    let lisi = inverse_simpson(&graph.weights[row], roles.unit, shares);
                    (lisi - 1.0) / (units[label] - 1) as f64
                })
                .collect::<Vec<f64>>()
        })?;
        let over = match self {
            Self::Rows => MeanOver::Rows,
            Self::Means => MeanOver::Labels,
        };
        let parts = summary::parts_by("label", roles.label, &rows);
        summary::of_rows(rows, over, roles, parts)
    }
}
