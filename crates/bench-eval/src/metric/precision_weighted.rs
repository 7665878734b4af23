//! Precision, weighted average.
//!
//! # What
//! Mean of precision, the share of decisions for a class that are right, classes weighted by
//! their test rows.
//!
//! # Formula
//! `sum_c support(c) hits(c) / decided(c) / n`
//!
//! # Why
//! The reference metric suites report it beside the macro average.
//!
//! # What it cannot show
//! Frequent classes dominate. Under ties it is the ratio of expectations, not the expectation
//! of the ratio.
//!
//! # Reference
//! scikit-learn precision_score, average='weighted', with zero_division=0

use bench_core::Card;

use super::{Confusion, Evaluated, Metric};

/// Its card.
pub static CARD: Card = Card {
    id: "precision-weighted",
    title: "Precision, weighted average",
    what: "Mean of precision, the share of decisions for a class that are right, classes weighted by their test rows.",
    formula: "sum_c support(c) hits(c) / decided(c) / n",
    better: "higher",
    range: "0 to 1",
    limits: "Frequent classes dominate. Under ties it is the ratio of expectations, not the expectation of the ratio.",
    reference: "scikit-learn precision_score, average='weighted', with zero_division=0",
};

/// Precision, weighted average.
#[derive(Clone, Copy, Debug, Default)]
pub struct PrecisionWeighted;

impl Metric for PrecisionWeighted {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn value(&self, evaluated: &Evaluated<'_>) -> Result<f64, String> {
        Ok(evaluated.confusion()?.weighted_average(Confusion::precision))
    }
}
