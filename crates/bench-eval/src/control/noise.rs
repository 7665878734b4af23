//! Gaussian noise.
//!
//! # What
//! 32 independent standard normal features, drawn from the seed of the run. In tables of more
//! than 100,000 rows each row takes one of 256 such vectors at random: as uninformative, and
//! equal rows cost nothing.
//!
//! # Formula
//! `x_ij ~ N(0, 1), j = 1..32`
//!
//! # Why
//! It must score at chance everywhere: features that are different in every row help no more
//! than equal ones.
//!
//! # What it cannot show
//! It has no structure of wells or plates, so it does not notice a split that divides wells.
//!
//! # Reference
//! openproblems batch integration, control methods

use bench_core::{Card, Factor, Layout, Matrix, Seed};

use super::{Control, Made};

/// Its card.
pub static CARD: Card = Card {
    id: "noise",
    title: "Gaussian noise",
    what: "32 independent standard normal features, drawn from the seed of the run. It must score at chance everywhere: features that are different in every row help no more than equal ones.",
    formula: "x_ij ~ N(0, 1), j = 1..32",
    better: "none",
    range: "chance",
    limits: "It has no structure of wells or plates, so it does not notice a split that divides wells.",
    reference: "openproblems batch integration, control methods",
};

/// Number of features.
pub const FEATURES: usize = 32;

/// Rows up to which every row has a vector of its own.
const OWN: usize = 100_000;

/// Vectors that the rows of larger tables share.
const SHARED: usize = 256;

/// Gaussian noise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Noise;

impl Control for Noise {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn make(&self, layout: &Layout, _label: &Factor, seed: Seed) -> Result<Made, String> {
        let mut stream = seed.derive("control-noise", 0).stream();
        let distinct = if layout.rows > OWN { SHARED } else { layout.rows };
        let data = (0..distinct * FEATURES).map(|_| stream.normal() as f32).collect();
        let vectors = Matrix::new(distinct, FEATURES, data);
        if distinct == layout.rows {
            return Ok(Made::Features(vectors));
        }
        let chosen: Vec<u32> = (0..layout.rows).map(|_| stream.below(distinct) as u32).collect();
        Ok(Made::Features(vectors.take(&chosen)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_large_tables_share_their_noise() {
        let layout = Layout { rows: OWN + 1, ..Layout::default() };
        let Ok(Made::Features(matrix)) = Noise.make(&layout, &Factor::default(), Seed(1)) else {
            panic!("noise is features");
        };
        let distinct: std::collections::HashSet<Vec<u32>> =
            (0..matrix.rows()).map(|row| matrix.row(row).iter().map(|v| v.to_bits()).collect()).collect();
        assert_eq!((matrix.rows(), distinct.len()), (OWN + 1, SHARED));
    }

    #[test]
    fn noise_is_standard_normal_and_set_by_the_seed() {
        let layout = Layout { rows: 500, ..Layout::default() };
        let make = |seed| match Noise.make(&layout, &Factor::default(), Seed(seed)) {
            Ok(Made::Features(matrix)) => matrix,
            other => panic!("{other:?}"),
        };
        let matrix = make(1);
        assert_eq!((matrix.rows(), matrix.cols()), (500, FEATURES));
        assert_eq!(matrix, make(1));
        assert_ne!(matrix, make(2));
        let values: Vec<f64> = matrix.data().iter().map(|&v| f64::from(v)).collect();
        assert!(bench_core::number::mean(&values).unwrap().abs() < 0.04);
        assert!((bench_core::number::sample_sd(&values).unwrap() - 1.0).abs() < 0.03);
    }
}
