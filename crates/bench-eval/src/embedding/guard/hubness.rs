//! Hubness: whether a few rows are neighbours of everything.
//!
//! # What
//! The skewness of how often a row is among the ten nearest of others.
//!
//! # Formula
//! `E (N - mean)^3 / sd^3`, `N_i` the rows that have `i` among their 10 nearest by cosine distance.
//!
//! # Why
//! Neighbour scores and retrieval of an embedding with hubs are those of its hubs.
//!
//! # What it cannot show
//! Which rows are hubs for a reason (a dense class of inactive compounds) and which by geometry alone.
//!
//! # Threshold
//! It fires above 1.4, the value from which a data set is called hub-ridden.
//!
//! # Reference
//! Radovanovic et al. 2010; Feldbauer and Flexer 2019 for the threshold.

use bench_core::Card;
use bench_geometry::neighbours::Metric;

use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, Roles, Side, Space};

/// Neighbours.
const NEIGHBOURS: usize = 10;

/// Above this it fires.
const MOST: f64 = 1.4;

/// Its card.
pub static CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "hubness",
        title: "Hubness",
        what: "The skewness of how often a row is among the ten nearest of others. Fires above 1.4. Constant embedding: large, ten rows are everyone's neighbours.",
        formula: "E (N - mean)^3 / sd^3, N_i = rows with i among their 10 nearest (cosine)",
        better: "lower",
        range: "about 0 upwards",
        limits: "Dense classes have hubs for a reason.",
        reference: "Radovanovic et al. 2010; Feldbauer and Flexer 2019",
    },
    side: Side::Guard,
    dialect: "k = 10, cosine",
    best: "none: hubs of noise grow with the number of features",
    worst: "constant",
};

/// Hubness.
#[derive(Clone, Copy, Debug)]
pub struct Hubness;

impl EmbeddingMetric for Hubness {
    fn card(&self) -> &'static EmbeddingCard {
        &CARD
    }

    fn measure(&self, space: &Space<'_>, _roles: &Roles<'_>) -> Result<Measured, String> {
        let graph = space.graph(Metric::Cosine)?;
        let k = NEIGHBOURS.min(graph.k);
        let mut times = vec![0.0; graph.n];
        for row in 0..graph.n {
            graph.neighbours(row)[..k].iter().for_each(|&other| times[other as usize] += 1.0);
        }
        let n = graph.n as f64;
        let mean = k as f64;
        let (square, cube) = times.iter().fold((0.0, 0.0), |(square, cube), times| {
            let off: f64 = times - mean;
            (square + off * off, cube + off * off * off)
        });
        let value = if square > 0.0 { (cube / n) / (square / n).powf(1.5) } else { 0.0 };
        Ok(Measured { value, n: graph.n, ..Measured::default() })
    }

    fn fires(&self, measured: &Measured) -> Option<String> {
        (measured.value > MOST)
            .then(|| format!("hubness {:.2} is above {MOST}: a few rows are neighbours of many", measured.value))
    }
}
