//! F1, weighted average.
//!
//! # What
//! Mean of F1, the harmonic mean of precision and recall, classes weighted by their test rows.
//!
//! # Formula
//! `sum_c support(c) 2 hits(c) / (support(c) + decided(c)) / n`
//!
//! # Why
//! The reference metric suites report it beside the macro average.
//!
//! # What it cannot show
//! Frequent classes dominate. Under ties it is the ratio of expectations, not the expectation
//! of the ratio.
//!
//! # Reference
//! scikit-learn f1_score, average='weighted', with zero_division=0

use bench_core::Card;

use super::{Confusion, Evaluated, Metric};

/// Its card.
pub static CARD: Card = Card {
    id: "f1-weighted",
    title: "F1, weighted average",
    what: "Mean of F1, the harmonic mean of precision and recall, classes weighted by their test rows.",
    formula: "sum_c support(c) 2 hits(c) / (support(c) + decided(c)) / n",
    better: "higher",
    range: "0 to 1",
    limits: "Frequent classes dominate. Under ties it is the ratio of expectations, not the expectation of the ratio.",
    reference: "scikit-learn f1_score, average='weighted', with zero_division=0",
};

/// F1, weighted average.
#[derive(Clone, Copy, Debug, Default)]
pub struct F1Weighted;

impl Metric for F1Weighted {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn value(&self, evaluated: &Evaluated<'_>) -> Result<f64, String> {
        Ok(evaluated.confusion()?.weighted_average(Confusion::f1))
    }
}
