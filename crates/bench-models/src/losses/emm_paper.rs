//! EMM as the paper writes it: views are summed inside the logarithm.
//!
//! # What
//! Each molecule's similarities to all of its views, against those to all views of all other
//! compounds.
//!
//! # Formula
//! `L = -(1/N) sum_i log [ sum_k exp(s(m_i, x_ik)/tau) / sum_{j != i} sum_k exp(s(m_i, x_jk)/tau) ]`
//!
//! # Why
//! Equation 1 of the paper. The code differs ([`super::emm_code`]): there every view must match,
//! here the best one carries the numerator.
//!
//! # What it cannot show
//! A poor view hides behind a good one. Unbounded below as tau falls.
//!
//! # Reference
//! Watkinson et al. 2023, equation 1; in the line of MXM-CLR (Wang et al. 2023).

use bench_core::Card;
use candle_core::Tensor;

use super::{Embeddings, Loss, LossConfig, Views, similarity};
use crate::Result;

/// Its card.
pub static CARD: Card = Card {
    id: "emm-paper",
    title: "EMM, views summed inside the log",
    what: "Sets each molecule's similarities to all of its views against those to all views of all other compounds.",
    formula: "-(1/N) sum_i log [ sum_k exp(s(m_i,x_ik)/tau) / sum_{j!=i} sum_k exp(s(m_i,x_jk)/tau) ]",
    better: "lower",
    range: "unbounded; log(N-1) when all embeddings coincide",
    limits: "A poor view hides behind a good one; values compare only at equal tau and minibatch size.",
    reference: "Watkinson et al. 2023, equation 1",
};

/// EMM with pooled views.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EmmPaper;

/// From the settings.
pub fn build(_: &LossConfig) -> Result<Box<dyn Loss>> {
    Ok(Box::new(EmmPaper))
}

impl Loss for EmmPaper {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn views(&self) -> Views {
        Views::Any
    }

    fn value(&self, batch: &Embeddings) -> Result<Tensor> {
        batch.sizes(CARD.id)?;
        let logits = similarity::view_logits(&batch.molecules, &batch.images, &batch.tau)?; // [n, m, n]
        Ok(similarity::decoupled_pooled(&logits)?.mean_all()?)
    }
}
