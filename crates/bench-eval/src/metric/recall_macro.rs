//! Recall, macro average.
//!
//! # What
//! Mean over the classes that have test rows or are decided of recall, the share of rows of a
//! class that are found.
//!
//! # Formula
//! `mean over occurring classes c of hits(c) / support(c)`
//!
//! # Why
//! Every class counts alike, however many rows it has.
//!
//! # What it cannot show
//! A class that is decided but has no test rows counts 0; balanced accuracy leaves it out.
//!
//! # Reference
//! scikit-learn recall_score, average='macro', with zero_division=0

use bench_core::Card;

use super::{Confusion, Evaluated, Metric};

/// Its card.
pub static CARD: Card = Card {
    id: "recall-macro",
    title: "Recall, macro average",
    what: "Mean over the classes that have test rows or are decided of recall, the share of rows of a class that are found.",
    formula: "mean over occurring classes c of hits(c) / support(c)",
    better: "higher",
    range: "0 to 1",
    limits: "A class that is decided but has no test rows counts 0; balanced accuracy leaves it out.",
    reference: "scikit-learn recall_score, average='macro', with zero_division=0",
};

/// Recall, macro average.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecallMacro;

impl Metric for RecallMacro {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn value(&self, evaluated: &Evaluated<'_>) -> Result<f64, String> {
        Ok(evaluated.confusion()?.macro_average(Confusion::recall))
    }
}
