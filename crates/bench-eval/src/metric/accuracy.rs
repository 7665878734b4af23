//! Accuracy.
//!
//! # What
//! Share of test rows whose class is decided rightly; a tied decision counts by its weight.
//!
//! # Formula
//! `sum_i P(decision_i = truth_i) / n`
//!
//! # Why
//! It is the numerator and denominator of every G-score.
//!
//! # What it cannot show
//! Under unequal classes it rewards guessing the frequent ones.
//!
//! # Reference
//! scikit-learn accuracy_score

use bench_core::Card;

use super::{Evaluated, Metric};

/// Its card.
pub static CARD: Card = Card {
    id: "accuracy",
    title: "Accuracy",
    what: "Share of test rows whose class is decided rightly; a tied decision counts by its weight.",
    formula: "sum_i P(decision_i = truth_i) / n",
    better: "higher",
    range: "0 to 1; chance lies between the smallest and the largest class share",
    limits: "Under unequal classes it rewards guessing the frequent ones.",
    reference: "scikit-learn accuracy_score",
};

/// Accuracy.
#[derive(Clone, Copy, Debug, Default)]
pub struct Accuracy;

impl Metric for Accuracy {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn value(&self, evaluated: &Evaluated<'_>) -> Result<f64, String> {
        Ok(evaluated.confusion()?.accuracy())
    }
}
