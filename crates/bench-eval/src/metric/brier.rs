//! Brier score, multiclass.
//!
//! # What
//! Mean squared distance between the probabilities and the one-hot truth, summed over classes.
//!
//! # Formula
//! `mean_i sum_c (p_i(c) - [truth_i = c])^2`
//!
//! # Why
//! Bounded, unlike log-loss, so a few confident errors do not decide it.
//!
//! # What it cannot show
//! A small value needs both calibration and sharpness and does not tell them apart.
//!
//! # Reference
//! Brier 1950; scikit-learn brier_score_loss with scale_by_half=False (its default halves the
//! value for two classes)

use bench_core::Card;

use super::{Evaluated, Metric};

/// Its card.
pub static CARD: Card = Card {
    id: "brier",
    title: "Brier score, multiclass",
    what: "Mean squared distance between the probabilities and the one-hot truth, summed over classes.",
    formula: "mean_i sum_c (p_i(c) - [truth_i = c])^2",
    better: "lower",
    range: "0 to 2; 1 - 1/C for equal probabilities",
    limits: "A small value needs both calibration and sharpness and does not tell them apart.",
    reference: "Brier 1950; scikit-learn brier_score_loss with scale_by_half=False (its default halves the value for two classes)",
};

/// Brier score, multiclass.
#[derive(Clone, Copy, Debug, Default)]
pub struct Brier;

impl Metric for Brier {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn value(&self, evaluated: &Evaluated<'_>) -> Result<f64, String> {
        let placed = evaluated.placed()?;
        Ok(placed.iter().map(|row| row.squared).sum::<f64>() / placed.len() as f64)
    }
}
