//! Template title.
//!
//! # What
//! What is pulled together and what is pushed apart, in a sentence.
//!
//! # Formula
//! `L = ...`
//!
//! # Why
//! What it does that the others do not.
//!
//! # What it cannot show
//! Between which settings its values do not compare.
//!
//! # Reference
//! Paper and equation. `Parity:` marks every deviation from the reference.

use bench_core::Card;
use candle_core::Tensor;

use super::{Embeddings, Loss, LossConfig, Views};
use crate::{Error, Result};

/// Its card.
pub static CARD: Card = Card {
    id: "template-id",
    title: "Template title",
    what: "What is pulled together and what is pushed apart, in a sentence.",
    formula: "...",
    better: "lower",
    range: "unbounded",
    limits: "Between which settings its values do not compare.",
    reference: "Paper and equation",
};

/// Template title.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TemplateId;

/// From the settings.
pub fn build(_: &LossConfig) -> Result<Box<dyn Loss>> {
    Ok(Box::new(TemplateId))
}

impl Loss for TemplateId {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn views(&self) -> Views {
        Views::One
    }

    fn value(&self, batch: &Embeddings) -> Result<Tensor> {
        // `n` compounds, `m` views, `d` dimensions; `similarity::logits` gives cosines over the temperature.
        let (n, m, d) = batch.sizes(CARD.id)?;
        Err(Error::batch(CARD.id, "a loss that is written", (n, m, d)))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    #[should_panic(expected = "a loss that is written")] // scaffold
    fn a_case_worked_out_by_hand_has_its_value() {
        let device = &Device::Cpu;
        let molecules = Tensor::new(&[[1.0, 0.0], [0.0, 1.0]], device).unwrap();
        let images = Tensor::new(&[[[1.0, 0.0]], [[1.0, 1.0]]], device).unwrap();
        let batch = Embeddings { molecules, images, tau: Tensor::new(0.5, device).unwrap() };
        let value: f64 = TemplateId.value(&batch).unwrap().to_dtype(DType::F64).unwrap().to_scalar().unwrap();
        // From the formula, or from the reference's code; never from this code.
        let expected = f64::NAN;
        assert!((value - expected).abs() < 1e-6, "{value}");
    }
}
