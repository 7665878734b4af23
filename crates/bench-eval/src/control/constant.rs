//! Constant embedding.
//!
//! # What
//! One feature, the same for every row.
//!
//! # Formula
//! `x_i = 1`
//!
//! # Why
//! It must score at chance everywhere: a collapsed embedding wins nothing.
//!
//! # What it cannot show
//! With logistic regression it guesses the most frequent training class, with k nearest
//! neighbours by the training shares; chance allows both.
//!
//! # Reference
//! openproblems batch integration, control methods

use bench_core::{Card, Factor, Layout, Matrix, Seed};

use super::{Control, Made};

/// Its card.
pub static CARD: Card = Card {
    id: "constant",
    title: "Constant embedding",
    what: "One feature, the same for every row. It must score at chance everywhere: a collapsed embedding wins nothing.",
    formula: "x_i = 1",
    better: "none",
    range: "chance",
    limits: "With logistic regression it guesses the most frequent training class, with k nearest neighbours by the training shares; chance allows both.",
    reference: "openproblems batch integration, control methods",
};

/// Constant embedding.
#[derive(Clone, Copy, Debug, Default)]
pub struct Constant;

impl Control for Constant {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn make(&self, layout: &Layout, _label: &Factor, _seed: Seed) -> Result<Made, String> {
        Ok(Made::Features(Matrix::new(layout.rows, 1, vec![1.0; layout.rows])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_the_same() {
        let layout = Layout { rows: 3, ..Layout::default() };
        let made = Constant.make(&layout, &Factor::default(), Seed(1)).unwrap();
        assert_eq!(made, Made::Features(Matrix::new(3, 1, vec![1.0; 3])));
    }
}
