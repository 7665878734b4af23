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

use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, Roles, Side, Space};

/// Its card.
pub static CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "template-id",
        title: "Template title",
        what: "What it measures, in a sentence.",
        formula: "sum_i ... / n",
        better: "higher",
        range: "0 to 1",
        limits: "When it misleads.",
        reference: "Paper and section, or the package whose values it has",
    },
    side: Side::Batch,
    dialect: "bench",
    best: "noise",
    worst: "one-hot-source",
};

/// Template title.
#[derive(Clone, Copy, Debug)]
pub struct TemplateId;

impl EmbeddingMetric for TemplateId {
    fn card(&self) -> &'static EmbeddingCard {
        &CARD
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        // `space` has what depends on the features alone (neighbours, unit rows) and keeps it; `roles` what is permuted.
        let units = roles.unit.level_count();
        Err(format!("`{}` is not written yet; there are {} rows of {units} units", CARD.card.id, space.treated.rows()))
    }
}

#[cfg(test)]
mod tests {
    use bench_core::{Factor, Layout, Matrix};

    use super::*;

    #[test]
    #[should_panic(expected = "is not written yet")] // scaffold
    fn a_case_worked_out_by_hand_has_its_value() {
        // Two labels in two batches: batches lie apart along the first feature, labels along the second.
        let treated = Matrix::new(4, 2, vec![0.0, 0.0, 0.0, 1.0, 4.0, 0.0, 4.0, 1.0]);
        let (label, unit) = (Factor::sorted(&["a", "b", "a", "b"]), Factor::sorted(&["p", "p", "q", "q"]));
        let layout = Layout { rows: 4, batch: Some(unit.clone()), ..Layout::default() };
        let controls = Layout::default();
        let roles = Roles { label: &label, unit: &unit, unit_name: "batch", layout: &layout, controls: &controls };
        let no_controls = Matrix::new(0, 2, vec![]);
        // From the formula, or from the package named as reference; never from this code.
        let expected = f64::NAN;
        let value = TemplateId.measure(&Space::new(&treated, &no_controls), &roles).unwrap().value;
        assert!((value - expected).abs() < 1e-12, "{value}");
    }
}
