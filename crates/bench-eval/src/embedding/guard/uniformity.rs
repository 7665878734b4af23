//! Uniformity: how evenly directions spread over the sphere.
//!
//! # What
//! The logarithm of the mean Gaussian potential between pairs of unit rows.
//!
//! # Formula
//! `log E exp(-2 |u_i - u_j|^2)` over pairs of different rows; 0 if all rows point the same way, down to -4 and below
//! for evenly spread ones. At most 2000 rows, evenly spread over the table.
//!
//! # Why
//! Cosine scores of rows that all point the same way rest on rounding.
//!
//! # What it cannot show
//! Profiles that are not centred point the same way without having collapsed; centring mends that.
//!
//! # Threshold
//! It fires above -0.05: the mean squared distance of unit rows is then below about 0.025, a cosine above 0.98.
//!
//! # Reference
//! Wang and Isola 2020.

use bench_core::Card;

use crate::embedding::pairs::Pairs;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, Roles, Side, Space};

/// Above this it fires.
const MOST: f64 = -0.05;

/// Rows that are compared.
const ROWS: usize = 2000;

/// Its card.
pub static CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "uniformity",
        title: "Uniformity",
        what: "How evenly the directions of rows spread: 0 if all point the same way. Fires above -0.05, and means collapse for cosine scores. Constant embedding: 0.",
        formula: "log E exp(-2 |u_i - u_j|^2)",
        better: "lower",
        range: "about -4 to 0",
        limits: "Profiles that are not centred point the same way without having collapsed.",
        reference: "Wang and Isola 2020",
    },
    side: Side::Guard,
    dialect: "t = 2",
    best: "noise",
    worst: "constant",
};

/// Uniformity.
#[derive(Clone, Copy, Debug)]
pub struct Uniformity;

impl EmbeddingMetric for Uniformity {
    fn card(&self) -> &'static EmbeddingCard {
        &CARD
    }

    fn measure(&self, space: &Space<'_>, _roles: &Roles<'_>) -> Result<Measured, String> {
        let n = space.treated.rows();
        let m = n.min(ROWS);
        if m < 2 {
            return Err(format!("{n} row(s); pairs need two"));
        }
        let rows: Vec<u32> = (0..m).map(|at| (at * n / m) as u32).collect();
        let sums = Pairs::new(space.unit_rows(), &rows).for_each_row(|i, squared| {
            squared.iter().map(|d| (-2.0 * d).exp()).sum::<f64>() - (-2.0 * squared[i]).exp()
        });
        let value = (sums.iter().sum::<f64>() / (m * (m - 1)) as f64).ln();
        Ok(Measured { value, n: m, ..Measured::default() })
    }

    fn fires(&self, measured: &Measured) -> Option<String> {
        (measured.value > MOST)
            .then(|| format!("uniformity {:.3} is above {MOST}: all rows point almost the same way", measured.value))
    }

    fn means_collapse(&self, _measured: &Measured) -> bool {
        true
    }
}
