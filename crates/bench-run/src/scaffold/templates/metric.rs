//! Template title.
//!
//! # What
//! What it measures, in a sentence.
//!
//! # Formula
//! `sum_i ... / n`
//!
//! # Why
//! Why it stands beside the others.
//!
//! # What it cannot show
//! When it misleads.
//!
//! # Reference
//! Paper and section, or the package whose values it has.

use bench_core::Card;

use super::{Evaluated, Metric};

/// Its card.
pub static CARD: Card = Card {
    id: "template-id",
    title: "Template title",
    what: "What it measures, in a sentence.",
    formula: "sum_i ... / n",
    better: "higher",
    range: "0 to 1",
    limits: "When it misleads.",
    reference: "Paper and section, or the package whose values it has",
};

/// Template title.
#[derive(Clone, Copy, Debug, Default)]
pub struct TemplateId;

impl Metric for TemplateId {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn value(&self, evaluated: &Evaluated<'_>) -> Result<f64, String> {
        // `evaluated` has truth, probabilities, decisions and the expected confusion matrix.
        Err(format!("`{}` is not written yet; there are {} test rows", CARD.id, evaluated.truth().len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Predictions;

    #[test]
    #[should_panic(expected = "is not written yet")] // scaffold
    fn a_case_worked_out_by_hand_has_its_value() {
        // Two classes; the second of four rows is decided wrongly, the last is a tie.
        let mut predictions = Predictions::with_classes(2);
        predictions.push(0, &[0.9, 0.1], [(0, 1.0)]);
        predictions.push(1, &[0.6, 0.4], [(0, 1.0)]);
        predictions.push(2, &[0.2, 0.8], [(1, 1.0)]);
        predictions.push(3, &[0.5, 0.5], [(0, 0.5), (1, 0.5)]);
        let evaluated = Evaluated::new(&predictions, &[0, 1, 1, 1], 2, &[true, true]);
        // From the formula, or from the package named as reference; never from this code.
        let expected = f64::NAN;
        let value = TemplateId.value(&evaluated).unwrap();
        assert!((value - expected).abs() < 1e-12, "{value}");
    }
}
