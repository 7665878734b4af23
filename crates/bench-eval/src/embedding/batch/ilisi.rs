//! LISI of the unit over all rows, in the dialects of four packages.
//!
//! # What
//! The effective number of units (sources, batches, plates) around a row, and its summary.
//!
//! # Formula
//! `LISI_i` as in `super::lisi`; scaled, `(LISI - 1) / (B - 1)`.
//!
//! | dialect | neighbours | summary |
//! |---|---|---|
//! | scib-metrics | 89 by Euclidean distance, perplexity 30 | median, scaled |
//! | harmonypy | 90 | mean, not scaled |
//! | scIntegrationMetrics | 30 | mean, scaled |
//! | scib | 90 by shortest path on the fuzzy graph of 15 | median, scaled |
//!
//! # Why
//! Papers quote all four as "iLISI", and their values differ on the same embedding.
//!
//! # What it cannot show
//! Under a strong batch effect all are zero and rank nothing; even noise stays well below 1, because a neighbourhood is
//! finite.
//!
//! # Reference
//! Korsunsky et al. 2019; scib-metrics 0.5.10; harmonypy 2.1.0; scIntegrationMetrics; scib 1.1.7.

use bench_core::Card;

use super::lisi::Dialect;
use super::shared::at_least_two;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, MeanOver, Measured, Roles, Side, Space, summary};

const fn card(
    id: &'static str,
    title: &'static str,
    what: &'static str,
    formula: &'static str,
    range: &'static str,
    reference: &'static str,
    dialect: &'static str,
) -> EmbeddingCard {
    EmbeddingCard {
        card: Card {
            id,
            title,
            what,
            formula,
            better: "higher",
            range,
            limits: "Zero (or one unit) under strong batch effects, where it ranks nothing; noise stays below the upper end, because neighbourhoods are finite.",
            reference,
        },
        side: Side::Batch,
        dialect,
        best: "noise",
        worst: "one-hot-source",
    }
}

/// scib-metrics.
pub static SCIB_METRICS_CARD: EmbeddingCard = card(
    "ilisi",
    "iLISI",
    "The median effective number of units among 89 neighbours, scaled. Constant embedding: as mixed as the first rows of the table, and flagged by the guards.",
    "(median_i LISI_i - 1) / (B - 1), 89 neighbours, perplexity 30",
    "0 to 1, about 0.75 for noise",
    "scib-metrics 0.5.10, ilisi_knn",
    "scib-metrics",
);

/// harmonypy.
pub static HARMONY_CARD: EmbeddingCard = card(
    "lisi-unit",
    "LISI of the unit",
    "The mean effective number of units among 90 neighbours. Constant embedding: as mixed as the first rows of the table, and flagged by the guards.",
    "mean_i LISI_i, 90 neighbours, perplexity 30",
    "1 to the number of units",
    "Korsunsky et al. 2019; harmonypy 2.1.0, compute_lisi",
    "harmonypy",
);

/// scIntegrationMetrics.
pub static SC_INTEGRATION_CARD: EmbeddingCard = card(
    "ilisi-scintegration",
    "norm_iLISI",
    "The mean effective number of units among 30 neighbours, scaled. Constant embedding: as mixed as the first rows of the table, and flagged by the guards.",
    "mean_i (LISI_i - 1) / (B - 1), 30 neighbours, perplexity 30",
    "0 to 1",
    "scIntegrationMetrics, norm_iLISI",
    "scIntegrationMetrics",
);

/// scib on a graph.
pub static SCIB_GRAPH_CARD: EmbeddingCard = card(
    "ilisi-graph",
    "Graph iLISI",
    "The median effective number of units among the 90 rows nearest by shortest path on the fuzzy graph, scaled. Constant embedding: as mixed as the first rows of the table, and flagged by the guards.",
    "(median_i LISI_i - 1) / (B - 1), 90 rows by shortest path, connectivities taken as costs",
    "0 to 1",
    "scib 1.1.7, ilisi_graph(type_='embed'); Arevalo et al. 2024 with cosine neighbours",
    "scib",
);

/// scib on the graph of Arevalo et al. 2024.
pub static AREVALO_GRAPH_CARD: EmbeddingCard = card(
    "arevalo-ilisi-graph",
    "Graph iLISI (Arevalo 2024)",
    "The median effective number of units among the 90 rows nearest by shortest path on the fuzzy graph of 25 cosine neighbours, scaled. Constant embedding: as mixed as the first rows of the table, and flagged by the guards.",
    "(median_i LISI_i - 1) / (B - 1), 90 rows by shortest path, connectivities taken as costs",
    "0 to 1",
    "Arevalo et al. 2024; scib 1.1.7, ilisi_graph",
    "arevalo2024: scib on 25 cosine neighbours",
);

/// LISI of the unit.
#[derive(Clone, Copy, Debug)]
pub enum Ilisi {
    /// As scib-metrics.
    ScibMetrics,
    /// As harmonypy.
    Harmony,
    /// As scIntegrationMetrics.
    ScIntegration,
    /// As scib on a graph.
    ScibGraph,
    /// As scib on the graph of Arevalo et al. 2024.
    ArevaloGraph,
}

impl EmbeddingMetric for Ilisi {
    fn card(&self) -> &'static EmbeddingCard {
        match self {
            Self::ScibMetrics => &SCIB_METRICS_CARD,
            Self::Harmony => &HARMONY_CARD,
            Self::ScIntegration => &SC_INTEGRATION_CARD,
            Self::ScibGraph => &SCIB_GRAPH_CARD,
            Self::ArevaloGraph => &AREVALO_GRAPH_CARD,
        }
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        let units = at_least_two(roles.unit, roles.unit_name)?;
        let (dialect, over) = match self {
            Self::ScibMetrics => (Dialect::ScibMetrics, MeanOver::Median),
            Self::Harmony => (Dialect::Harmony, MeanOver::Rows),
            Self::ScIntegration => (Dialect::ScIntegration, MeanOver::Rows),
            Self::ScibGraph => (Dialect::ScibGraph, MeanOver::Median),
            Self::ArevaloGraph => (Dialect::ArevaloGraph, MeanOver::Median),
        };
        let mut rows = space.lisi(dialect)?.lisi(roles.unit);
        if !matches!(self, Self::Harmony) {
            rows.iter_mut().for_each(|lisi| *lisi = (*lisi - 1.0) / (units - 1) as f64);
        }
        let parts = summary::parts_by(summary::part_unit(roles.unit_name), roles.unit, &rows);
        summary::of_rows(rows, over, roles, parts)
    }
}
