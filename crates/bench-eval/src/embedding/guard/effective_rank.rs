//! Effective rank: how many dimensions an embedding really uses.
//!
//! # What
//! The number of equally strong directions that would have the spectrum's entropy.
//!
//! # Formula
//! `exp(-sum_k p_k log p_k)`, `p_k` the share of component `k` in the total variance of the treated rows. Without variance
//! it is zero.
//!
//! # Why
//! Collapse along dimensions is the failure of contrastive training that batch scores reward.
//!
//! # What it cannot show
//! Whether the directions mean anything: noise has full rank.
//!
//! # Threshold
//! It fires below 1.5: one direction holds nearly everything.
//!
//! # Reference
//! Roy and Vetterli 2007; Garrido et al. 2023 (RankMe, which takes singular values of uncentred rows instead).

use bench_core::{Card, Seed};
use bench_geometry::pca::{Method, Pca};

use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, Roles, Side, Space};

/// Below this it fires.
const LEAST: f64 = 1.5;

/// Rows that are decomposed at most, evenly spread over the table.
const ROWS: usize = 20_000;

/// Its card.
pub static CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "effective-rank",
        title: "Effective rank",
        what: "The number of dimensions that an embedding uses, by the entropy of its spectrum. Fires below 1.5, and means collapse. Constant embedding: 0.",
        formula: "exp(-sum_k p_k log p_k), p_k = variance share of component k",
        better: "higher",
        range: "0, 1 to the number of features",
        limits: "Noise has full rank.",
        reference: "Roy and Vetterli 2007",
    },
    side: Side::Guard,
    dialect: "centred covariance",
    best: "noise",
    worst: "constant",
};

/// Effective rank.
#[derive(Clone, Copy, Debug)]
pub struct EffectiveRank;

impl EmbeddingMetric for EffectiveRank {
    fn card(&self) -> &'static EmbeddingCard {
        &CARD
    }

    fn measure(&self, space: &Space<'_>, _roles: &Roles<'_>) -> Result<Measured, String> {
        let n = space.treated.rows();
        let thinned;
        let matrix = if n > ROWS {
            let rows: Vec<u32> = (0..ROWS).map(|at| (at * n / ROWS) as u32).collect();
            thinned = space.treated.take(&rows);
            &thinned
        } else {
            space.treated
        };
        let k = matrix.rows().min(matrix.cols());
        let pca = Pca::fit(matrix, k, Method::Exact, Seed(0)).map_err(|error| error.to_string())?;
        // What is below the rounding of f32 values is no dimension.
        let largest = matrix.data().iter().fold(0.0_f64, |most, &x| most.max(f64::from(x).abs()));
        let floor = (largest * f64::from(f32::EPSILON)).powi(2);
        let kept: Vec<f64> = pca.variance.into_iter().filter(|variance| *variance > floor).collect();
        let total: f64 = kept.iter().sum();
        let entropy: f64 = kept.iter().map(|variance| -(variance / total) * (variance / total).ln()).sum();
        let value = if kept.is_empty() { 0.0 } else { entropy.exp() };
        Ok(Measured { value, n: matrix.rows(), ..Measured::default() })
    }

    fn fires(&self, measured: &Measured) -> Option<String> {
        (measured.value < LEAST)
            .then(|| format!("effective rank {:.2} is below {LEAST}: the embedding has collapsed", measured.value))
    }

    fn means_collapse(&self, _measured: &Measured) -> bool {
        true
    }
}
