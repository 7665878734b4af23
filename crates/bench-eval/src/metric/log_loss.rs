//! Logarithmic loss.
//!
//! # What
//! Mean negative natural logarithm of the probability given to the true class, clipped below at
//! 1e-15.
//!
//! # Formula
//! `-mean_i ln max(p_i(truth_i), 1e-15)`
//!
//! # Why
//! It judges the probabilities, not only the decision, and shows overconfidence on an unseen batch.
//!
//! # What it cannot show
//! One confident error weighs as much as many right rows; a class unseen in training costs
//! 34.54 per row. kNN votes take few values and are often 0.
//!
//! # Reference
//! scikit-learn log_loss up to 1.2 (clip at 1e-15); later versions clip at the machine epsilon
//! 2.2e-16

use bench_core::Card;

use super::{Evaluated, Metric};

/// Its card.
pub static CARD: Card = Card {
    id: "log-loss",
    title: "Logarithmic loss",
    what: "Mean negative natural logarithm of the probability given to the true class, clipped below at 1e-15.",
    formula: "-mean_i ln max(p_i(truth_i), 1e-15)",
    better: "lower",
    range: "0 to 34.54; ln C for equal probabilities",
    limits: "One confident error weighs as much as many right rows; a class unseen in training costs 34.54 per row. kNN votes take few values and are often 0.",
    reference: "scikit-learn log_loss up to 1.2 (clip at 1e-15); later versions clip at the machine epsilon 2.2e-16",
};

/// Smallest probability that is told from zero.
pub const CLIP: f64 = 1e-15;

/// Logarithmic loss.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogLoss;

impl Metric for LogLoss {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn value(&self, evaluated: &Evaluated<'_>) -> Result<f64, String> {
        let placed = evaluated.placed()?;
        let sum: f64 = placed.iter().map(|row| row.probability.max(CLIP).ln()).sum();
        // Not `-sum`: a perfect predictor scores 0, not -0.
        Ok((0.0 - sum) / placed.len() as f64)
    }
}
