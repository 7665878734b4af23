//! IMM as the paper writes it: its EMM plus one pooled term between images.
//!
//! # What
//! [`super::emm_paper`], plus `gamma` times the same form between the views of a compound and
//! those of the others.
//!
//! # Formula
//! `L = L_EMM-paper - (gamma/N) sum_i log [ sum_{(a,b) in B} exp(s(x_ia, x_ib)/tau)
//!  / sum_{j != i} sum_{(a,b) in B} exp(s(x_ia, x_jb)/tau) ]`
//!
//! # Why
//! Equation 2 of the paper. Its set B is "all index pairs", which may or may not hold equal
//! indices and both orders: [`Pairs`] has the three readings, whose values differ. With `all`
//! the numerator holds the constant `exp(1/tau)`, which swamps the rest at small tau.
//!
//! # What it cannot show
//! Images of a compound that agree because they share a plate: the term rewards that too.
//!
//! # Reference
//! Watkinson et al. 2023, equation 2.

use bench_core::Card;
use candle_core::Tensor;

use super::{Embeddings, Loss, LossConfig, Pairs, Views, similarity};
use crate::{Error, Result};

/// Its card.
pub static CARD: Card = Card {
    id: "imm-paper",
    title: "IMM, one pooled intra-modal term",
    what: "EMM with views summed inside the log, plus gamma times the same form between the views of a compound and those of the others.",
    formula: "EMM-paper - (gamma/N) sum_i log [ sum_B exp(s(x_ia,x_ib)/tau) / sum_{j!=i} sum_B exp(s(x_ia,x_jb)/tau) ]",
    better: "lower",
    range: "unbounded; (1 + gamma) log(N-1) when all embeddings coincide",
    limits: "Rewards images that agree for technical reasons; values compare only at equal tau, views and minibatch size.",
    reference: "Watkinson et al. 2023, equation 2",
};

/// IMM with one intra-modal term.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ImmPaper {
    /// Weight of the intra-modal term.
    pub gamma: f64,
    /// Pairs of views that it sums over.
    pub pairs: Pairs,
}

/// From the settings.
pub fn build(config: &LossConfig) -> Result<Box<dyn Loss>> {
    Ok(Box::new(ImmPaper { gamma: config.gamma, pairs: config.pairs }))
}

impl ImmPaper {
    /// The intra-modal term, unweighted.
    ///
    /// # Errors
    /// Shapes that do not fit together, or no pair of views.
    pub fn intra(&self, batch: &Embeddings) -> Result<Tensor> {
        let (_, m, _) = batch.sizes(CARD.id)?;
        let pairs = self.pairs.among(m);
        if pairs.is_empty() {
            return Err(Error::batch(CARD.id, "two or more image views per compound", m));
        }
        let slots = batch.images.transpose(0, 1)?.contiguous()?; // [m, n, d]
        let logits = similarity::slot_logits(&slots, &pairs, &batch.tau)?; // [pairs, n, n]
        Ok(similarity::decoupled_pooled(&logits.transpose(0, 1)?.contiguous()?)?.mean_all()?)
    }
}

impl Loss for ImmPaper {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn views(&self) -> Views {
        if self.pairs == Pairs::All { Views::Any } else { Views::Several }
    }

    fn value(&self, batch: &Embeddings) -> Result<Tensor> {
        let cross = super::emm_paper::EmmPaper.value(batch)?;
        Ok((cross + (self.intra(batch)? * self.gamma)?)?)
    }
}
