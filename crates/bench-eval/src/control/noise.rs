//! Gaussian noise.
//!
//! # What
//! 32 independent standard normal features, drawn from the seed of the run.
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

/// Gaussian noise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Noise;

impl Control for Noise {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn make(&self, layout: &Layout, _label: &Factor, seed: Seed) -> Result<Made, String> {
        let mut stream = seed.derive("control-noise", 0).stream();
        let data = (0..layout.rows * FEATURES).map(|_| stream.normal() as f32).collect();
        Ok(Made::Features(Matrix::new(layout.rows, FEATURES, data)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
