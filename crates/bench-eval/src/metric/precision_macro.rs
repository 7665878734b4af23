//! Precision, macro average.
//!
//! # What
//! Mean over the classes that have test rows or are decided of precision, the share of
//! decisions for a class that are right.
//!
//! # Formula
//! `mean over occurring classes c of hits(c) / decided(c)`
//!
//! # Why
//! Every class counts alike, however many rows it has.
//!
//! # What it cannot show
//! A class that is never decided counts 0, a rare class as much as a frequent one. Under ties
//! it is the ratio of expectations, not the expectation of the ratio.
//!
//! # Reference
//! scikit-learn precision_score, average='macro', with zero_division=0

use bench_core::Card;

use super::{Confusion, Evaluated, Metric};

/// Its card.
pub static CARD: Card = Card {
    id: "precision-macro",
    title: "Precision, macro average",
    what: "Mean over the classes that have test rows or are decided of precision, the share of decisions for a class that are right.",
    formula: "mean over occurring classes c of hits(c) / decided(c)",
    better: "higher",
    range: "0 to 1",
    limits: "A class that is never decided counts 0, a rare class as much as a frequent one. Under ties it is the ratio of expectations, not the expectation of the ratio.",
    reference: "scikit-learn precision_score, average='macro', with zero_division=0",
};

/// Precision, macro average.
#[derive(Clone, Copy, Debug, Default)]
pub struct PrecisionMacro;

impl Metric for PrecisionMacro {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn value(&self, evaluated: &Evaluated<'_>) -> Result<f64, String> {
        Ok(evaluated.confusion()?.macro_average(Confusion::precision))
    }
}
