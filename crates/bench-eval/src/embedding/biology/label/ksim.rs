//! kSIM: neighbourhoods that are almost of one label.
//!
//! # What
//! The share of rows at least 90 % of whose 25 nearest, the row itself counted, have its label.
//!
//! # Formula
//! `mean of [same label among 25 >= 0.9 * 25]`, Euclidean.
//!
//! # What it cannot show
//! Labels of fewer than 23 rows never pass. Of equal distances the lowest rows are neighbours.
//!
//! # Reference
//! Li et al. 2020, Pegasus `calc_kSIM` (K = 25, min_rate = 0.9); used by openproblems.

use bench_geometry::neighbours::Metric;

use super::{by_level, check_labels};
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, Roles, Space};

/// Entries of a neighbourhood, the row itself counted.
pub const ENTRIES: usize = 25;
/// Share that must agree.
pub const RATE: f64 = 0.9;

static CARD: EmbeddingCard = card! {
    id: "ksim", title: "kSIM acceptance",
    what: "Share of rows at least 90 % of whose 25 nearest (itself counted) have its label.",
    formula: "mean of [same label among 25 >= 0.9 * 25], Euclidean",
    better: "higher", range: "0 to 1",
    limits: "Labels of fewer than 23 rows never pass. Of equal distances the lowest rows are neighbours. Constant \
             embedding: that of the first rows of the table, and flagged by the guards.",
    reference: "Li et al., Nature Methods 17:793 (2020)", side: Biology,
    dialect: "pegasus calc_kSIM, exact neighbours", best: "one-hot-label", worst: "noise",
};

/// The metric.
#[derive(Clone, Copy, Debug)]
pub struct Ksim;

impl EmbeddingMetric for Ksim {
    fn card(&self) -> &'static EmbeddingCard {
        &CARD
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        check_labels(roles.label)?;
        let graph = space.graph(Metric::Euclidean)?;
        let entries = ENTRIES.min(graph.k + 1);
        let rows: Vec<f64> = (0..graph.n)
            .map(|row| {
                let own = roles.label.code(row);
                let near = &graph.neighbours(row)[..entries - 1];
                let same = 1 + near.iter().filter(|&&other| roles.label.code(other as usize) == own).count();
                f64::from(same as f64 / entries as f64 >= RATE)
            })
            .collect();
        Ok(Measured {
            value: rows.iter().sum::<f64>() / rows.len() as f64,
            n: rows.len(),
            parts: by_level(roles.label, "label", &rows),
            rows,
            ..Measured::default()
        })
    }
}
