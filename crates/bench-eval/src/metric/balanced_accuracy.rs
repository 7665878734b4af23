//! Balanced accuracy.
//!
//! # What
//! Mean recall over the classes that have test rows.
//!
//! # Formula
//! `mean over classes c with test rows of recall(c)`
//!
//! # Why
//! Guessing the frequent classes gains nothing.
//!
//! # What it cannot show
//! Classes absent from the test rows are left out, so folds with different classes are not
//! comparable.
//!
//! # Reference
//! scikit-learn balanced_accuracy_score

use bench_core::Card;

use super::{Evaluated, Metric};

/// Its card.
pub static CARD: Card = Card {
    id: "balanced-accuracy",
    title: "Balanced accuracy",
    what: "Mean recall over the classes that have test rows.",
    formula: "mean over classes c with test rows of recall(c)",
    better: "higher",
    range: "0 to 1; chance is one over the number of classes with test rows",
    limits: "Classes absent from the test rows are left out, so folds with different classes are not comparable.",
    reference: "scikit-learn balanced_accuracy_score",
};

/// Balanced accuracy.
#[derive(Clone, Copy, Debug, Default)]
pub struct BalancedAccuracy;

impl Metric for BalancedAccuracy {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn value(&self, evaluated: &Evaluated<'_>) -> Result<f64, String> {
        Ok(evaluated.confusion()?.balanced_accuracy())
    }
}
