//! Recall, weighted average.
//!
//! # What
//! Mean of recall, the share of rows of a class that are found, classes weighted by their test
//! rows.
//!
//! # Formula
//! `sum_c support(c) hits(c) / support(c) / n`
//!
//! # Why
//! The reference metric suites report it beside the macro average.
//!
//! # What it cannot show
//! It equals accuracy.
//!
//! # Reference
//! scikit-learn recall_score, average='weighted', with zero_division=0

use bench_core::Card;

use super::{Confusion, Evaluated, Metric};

/// Its card.
pub static CARD: Card = Card {
    id: "recall-weighted",
    title: "Recall, weighted average",
    what: "Mean of recall, the share of rows of a class that are found, classes weighted by their test rows.",
    formula: "sum_c support(c) hits(c) / support(c) / n",
    better: "higher",
    range: "0 to 1",
    limits: "It equals accuracy.",
    reference: "scikit-learn recall_score, average='weighted', with zero_division=0",
};

/// Recall, weighted average.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecallWeighted;

impl Metric for RecallWeighted {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn value(&self, evaluated: &Evaluated<'_>) -> Result<f64, String> {
        Ok(evaluated.confusion()?.weighted_average(Confusion::recall))
    }
}
