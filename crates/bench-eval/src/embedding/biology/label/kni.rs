//! K-neighbours intersection: labels predicted from other units only.
//!
//! # What
//! The share of rows whose label is the most frequent one among their neighbours from other units, rows whose
//! neighbourhood is mostly of their own unit counting as wrong: one number for mixing and for labels.
//!
//! # Formula
//! Of 50 Euclidean neighbours; wrong if at least 80 % are of the own unit, else whether the majority of the others has
//! the row's label; tied majorities count in part (copies of the reference take the first class).
//!
//! # What it cannot show
//! With few rows per unit 50 neighbours reach beyond a label. Of equal distances the lowest rows are neighbours.
//!
//! # Reference
//! Diaz-Mejia et al., arXiv:2503.20730 (2025); its features are scaled by their quartiles first, here they are as
//! given.

use bench_geometry::neighbours::Metric;

use super::{by_level, check_labels};
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, Roles, Space};

/// Neighbours that are asked.
pub const NEIGHBOURS: usize = 50;
/// Share of the own unit from which on a neighbourhood is not mixed.
pub const MAX_OWN: f64 = 0.8;

static CARD: EmbeddingCard = card! {
    id: "kni", title: "K-neighbours intersection",
    what: "Share of rows whose label most of their neighbours from other units have, in a mixed neighbourhood.",
    formula: "mean of [own unit < 80 % of 50 neighbours] [majority of the others = label], tied majorities in part",
    better: "higher", range: "0 to 1",
    limits: "Features are not rescaled. Of equal distances the lowest rows are neighbours. Constant \
             embedding: that of the first rows of the table, and flagged by the guards.",
    reference: "Diaz-Mejia et al., arXiv:2503.20730 (2025)", side: Biology,
    dialect: "kni, k = 50, at most 80 % own batch, Euclidean, features as given", best: "one-hot-label", worst: "one-hot-source",
};

/// The metric.
#[derive(Clone, Copy, Debug)]
pub struct Kni;

impl EmbeddingMetric for Kni {
    fn card(&self) -> &'static EmbeddingCard {
        &CARD
    }

    fn per_unit(&self) -> bool {
        true
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        check_labels(roles.label)?;
        if roles.unit.level_count() < 2 {
            return Err(format!("there is only one {}", roles.unit_name));
        }
        let graph = space.graph(Metric::Euclidean)?;
        let k = NEIGHBOURS.min(graph.k);
        let mut votes = vec![0_usize; roles.label.level_count()];
        let rows: Vec<f64> = (0..graph.n)
            .map(|row| {
                votes.fill(0);
                let mut own = 0;
                for &other in &graph.neighbours(row)[..k] {
                    if roles.unit.code(other as usize) == roles.unit.code(row) {
                        own += 1;
                    } else {
                        votes[roles.label.code(other as usize)] += 1;
                    }
                }
                if own as f64 >= MAX_OWN * k as f64 {
                    return 0.0;
                }
                let most = votes.iter().copied().max().unwrap_or(0);
                let winners = votes.iter().filter(|&&count| count == most).count();
                if votes[roles.label.code(row)] == most { 1.0 / winners as f64 } else { 0.0 }
            })
            .collect();
        Ok(Measured {
            value: rows.iter().sum::<f64>() / rows.len() as f64,
            n: rows.len(),
            parts: [by_level(roles.label, "label", &rows), by_level(roles.unit, "unit", &rows)].concat(),
            rows,
            ..Measured::default()
        })
    }
}
