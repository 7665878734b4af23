//! EMM as the reference code has it: one softmax per view, averaged.
//!
//! # What
//! Each molecule is classified among the images of one view slot at a time; slots never compete
//! with each other.
//!
//! # Formula
//! `L = -(1/(N M)) sum_i sum_u log [ exp(s(m_i, x_iu)/tau) / sum_{j != i} exp(s(m_i, x_ju)/tau) ]`
//!
//! # Why
//! The default of EMM: what produced the published numbers, as far as can be told. Its value and
//! gradient differ from the paper's equation, which is [`super::emm_paper`].
//!
//! # What it cannot show
//! It depends on which view sits in which slot: permuting the views of a single compound changes
//! it. Unbounded below as tau falls.
//!
//! # Reference
//! `NTXentMultiplePositives` of the code of Watkinson et al. 2023, which is 3DInfomax's
//! multi-conformer loss (Stark et al. 2022) with images for conformers.

use bench_core::Card;
use candle_core::Tensor;

use super::{Embeddings, Loss, LossConfig, Views, similarity};
use crate::Result;

/// Its card.
pub static CARD: Card = Card {
    id: "emm-code",
    title: "EMM, log per view",
    what: "Classifies each molecule among the images of each view slot; the positive is left out of the denominator; the slots' losses are averaged.",
    formula: "-(1/(N M)) sum_i sum_u log [ exp(s(m_i,x_iu)/tau) / sum_{j!=i} exp(s(m_i,x_ju)/tau) ]",
    better: "lower",
    range: "unbounded; log(N-1) when all embeddings coincide",
    limits: "Depends on which view sits in which slot; values compare only at equal tau and minibatch size.",
    reference: "Watkinson et al. 2023, code; Stark et al. 2022",
};

/// EMM with one softmax per view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EmmCode;

/// From the settings.
pub fn build(_: &LossConfig) -> Result<Box<dyn Loss>> {
    Ok(Box::new(EmmCode))
}

impl Loss for EmmCode {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn views(&self) -> Views {
        Views::Any
    }

    fn value(&self, batch: &Embeddings) -> Result<Tensor> {
        batch.sizes(CARD.id)?;
        let logits = similarity::view_logits(&batch.molecules, &batch.images, &batch.tau)?; // [n, m, n]
        Ok(similarity::decoupled(&logits.transpose(0, 1)?.contiguous()?)?.mean_all()?)
    }
}
