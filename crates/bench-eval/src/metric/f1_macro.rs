//! F1, macro average.
//!
//! # What
//! Mean over the classes that have test rows or are decided of F1, the harmonic mean of
//! precision and recall.
//!
//! # Formula
//! `mean over occurring classes c of 2 hits(c) / (support(c) + decided(c))`
//!
//! # Why
//! Every class counts alike, however many rows it has.
//!
//! # What it cannot show
//! A rare class counts as much as a frequent one, so a few rows can move it. Under ties it is
//! the ratio of expectations, not the expectation of the ratio.
//!
//! # Reference
//! scikit-learn f1_score, average='macro', with zero_division=0

use bench_core::Card;

use super::{Confusion, Evaluated, Metric};

/// Its card.
pub static CARD: Card = Card {
    id: "f1-macro",
    title: "F1, macro average",
    what: "Mean over the classes that have test rows or are decided of F1, the harmonic mean of precision and recall.",
    formula: "mean over occurring classes c of 2 hits(c) / (support(c) + decided(c))",
    better: "higher",
    range: "0 to 1",
    limits: "A rare class counts as much as a frequent one, so a few rows can move it. Under ties it is the ratio of expectations, not the expectation of the ratio.",
    reference: "scikit-learn f1_score, average='macro', with zero_division=0",
};

/// F1, macro average.
#[derive(Clone, Copy, Debug, Default)]
pub struct F1Macro;

impl Metric for F1Macro {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn value(&self, evaluated: &Evaluated<'_>) -> Result<f64, String> {
        Ok(evaluated.confusion()?.macro_average(Confusion::f1))
    }
}
