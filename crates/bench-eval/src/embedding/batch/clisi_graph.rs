//! Graph cLISI: purity of labels around a row by shortest path, as scib has it.
//!
//! # What
//! The effective number of labels among the 90 rows nearest by shortest path on the fuzzy graph. It speaks of biology,
//! and stands here because it shares its neighbours with graph iLISI.
//!
//! # Formula
//! `(C - median_i LISI_i) / (C - 1)`, `C` labels; see `super::lisi` and `super::shortest_paths`.
//!
//! # Why
//! scib and Arevalo et al. 2024 count it.
//!
//! # What it cannot show
//! It is near 1 for almost any embedding with many labels, and ranks little.
//!
//! # Reference
//! scib 1.1.7, `clisi_graph`.

use bench_core::Card;

use super::lisi::Dialect;
use super::shared::at_least_two;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, MeanOver, Measured, Roles, Side, Space, summary};

/// What both cards say.
const SHARED: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "clisi-graph",
        title: "Graph cLISI",
        what: "The median effective number of labels among the 90 rows nearest by shortest path on the fuzzy graph, turned around and scaled. Constant embedding: as pure as the first rows of the table, and flagged by the guards.",
        formula: "(C - median_i LISI_i) / (C - 1), 90 rows by shortest path, connectivities taken as costs",
        better: "higher",
        range: "0 to 1",
        limits: "Near 1 for almost any embedding with many labels.",
        reference: "scib 1.1.7, clisi_graph(type_='embed')",
    },
    side: Side::Biology,
    dialect: "scib",
    best: "one-hot-label",
    worst: "noise",
};

/// The card of the form on scib's graph.
pub static CARD: EmbeddingCard = SHARED;

/// The card of the form on the graph of Arevalo et al. 2024.
pub static AREVALO_CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "arevalo-clisi-graph",
        title: "Graph cLISI (Arevalo 2024)",
        what: "The median effective number of labels among the 90 rows nearest by shortest path on the fuzzy graph of 25 cosine neighbours, turned around and scaled. Constant embedding: as pure as the first rows of the table, and flagged by the guards.",
        reference: "Arevalo et al. 2024; scib 1.1.7, clisi_graph",
        ..SHARED.card
    },
    dialect: "arevalo2024: scib on 25 cosine neighbours",
    ..SHARED
};

/// Graph cLISI.
#[derive(Clone, Copy, Debug)]
pub enum ClisiGraph {
    /// On scib's graph.
    Scib,
    /// On the graph of Arevalo et al. 2024.
    Arevalo,
}

impl EmbeddingMetric for ClisiGraph {
    fn card(&self) -> &'static EmbeddingCard {
        match self {
            Self::Scib => &CARD,
            Self::Arevalo => &AREVALO_CARD,
        }
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        let labels = at_least_two(roles.label, "label")? as f64;
        let dialect = match self {
            Self::Scib => Dialect::ScibGraph,
            Self::Arevalo => Dialect::ArevaloGraph,
        };
        let lisi = space.lisi(dialect)?.lisi(roles.label);
        let rows: Vec<f64> = lisi.into_iter().map(|lisi| (labels - lisi) / (labels - 1.0)).collect();
        let parts = summary::parts_by("label", roles.label, &rows);
        summary::of_rows(rows, MeanOver::Median, roles, parts)
    }
}
