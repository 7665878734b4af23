//! Entropy of the units among the nearest neighbours.
//!
//! # What
//! How evenly the units share the 50 nearest rows, against what rows drawn at random would give.
//!
//! # Formula
//! `mean_i H_i / log B`, `H_i = -sum_b p_ib log p_ib` over the shares of units among the neighbours. The part `expected`
//! is the same for 50 rows drawn from the table, by the first two terms of its expansion,
//! `(H - (B - 1) / 100) / log B`.
//!
//! # Ties
//! A run of equal distances that reaches over the 50th place counts by expectation, as far as the shared graph of 90
//! shows it.
//!
//! # Why
//! It is the batch score of public leaderboards (nBE), and needs no label.
//!
//! # What it cannot show
//! Mixing within labels: a table in which labels and units are confounded cannot reach 1.
//!
//! # Reference
//! Entropy of batch mixing, Haghverdi et al. 2018; normalised as in public batch-effect leaderboards.

use bench_core::Card;
use bench_geometry::neighbours::Metric;
use rayon::prelude::*;

use super::shared::at_least_two;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, MeanOver, Measured, Part, Roles, Side, Space, summary};

/// Neighbours.
const NEIGHBOURS: usize = 50;

/// Its card.
pub static CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "neighbour-entropy",
        title: "Neighbour batch entropy",
        what: "The entropy of the units among the 50 nearest rows over that of equal shares. Constant embedding: that of the first rows of the table, and flagged by the guards.",
        formula: "mean_i H(units among 50 neighbours of i) / log B",
        better: "higher",
        range: "0 to 1",
        limits: "Unequal units keep it below 1; see the part `expected`.",
        reference: "Haghverdi et al. 2018, entropy of batch mixing",
    },
    side: Side::Batch,
    dialect: "normalised by log B",
    best: "noise",
    worst: "one-hot-source",
};

/// Neighbour batch entropy.
#[derive(Clone, Copy, Debug)]
pub struct NeighbourEntropy;

impl EmbeddingMetric for NeighbourEntropy {
    fn card(&self) -> &'static EmbeddingCard {
        &CARD
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        let units = at_least_two(roles.unit, roles.unit_name)?;
        let graph = space.graph(Metric::Euclidean)?;
        let k = NEIGHBOURS.min(graph.k);
        let full = (units as f64).ln();
        let rows: Vec<f64> = (0..graph.n)
            .into_par_iter()
            .map(|row| {
                let mut share = vec![0.0; roles.unit.level_count()];
                let (others, distance) = (graph.neighbours(row), graph.distances(row));
                // The run of distances equal to the k-th one.
                let start = distance.partition_point(|&d| d < distance[k - 1]);
                let end = distance.partition_point(|&d| d <= distance[k - 1]);
                let tied = (k - start) as f64 / (end - start) as f64;
                for (at, &other) in others[..end].iter().enumerate() {
                    share[roles.unit.code(other as usize)] += if at < start { 1.0 } else { tied };
                }
                entropy(&share, k as f64) / full
            })
            .collect();
        let counts: Vec<f64> = roles.unit.counts().iter().map(|&count| count as f64).collect();
        let expected = (entropy(&counts, graph.n as f64) - (units - 1) as f64 / (2 * k) as f64).max(0.0) / full;
        let mut parts = vec![Part { unit: "table", name: "expected".to_owned(), n: graph.n, value: expected, p: None }];
        parts.extend(summary::parts_by(summary::part_unit(roles.unit_name), roles.unit, &rows));
        summary::of_rows(rows, MeanOver::Rows, roles, parts)
    }
}

/// Entropy of counts that sum to `total`.
fn entropy(counts: &[f64], total: f64) -> f64 {
    counts.iter().filter(|count| **count > 0.0).map(|count| -(count / total) * (count / total).ln()).sum()
}
