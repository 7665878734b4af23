//! InfoNCE in one direction.
//!
//! # What
//! Cross-entropy of classifying each image among the molecules of the minibatch (or each molecule
//! among the images).
//!
//! # Formula
//! `L = -(1/N) sum_i log [ exp(s(x_i, m_i)/tau) / sum_j exp(s(x_i, m_j)/tau) ]`
//!
//! # Why
//! Bounded below by zero, so a learnable temperature has an optimum.
//!
//! # What it cannot show
//! The gradient of a pair vanishes as it is classified right. All similarities equal give `log N`.
//!
//! # Reference
//! van den Oord et al. 2018; `InfoNCE` of the code of Watkinson et al. 2023.

use bench_core::Card;
use candle_core::Tensor;

use super::{Direction, Embeddings, Loss, LossConfig, Views, nt_xent::sides, similarity};
use crate::Result;

/// Its card.
pub static CARD: Card = Card {
    id: "info-nce",
    title: "InfoNCE (one direction)",
    what: "Cross-entropy of classifying each image among the molecules of the minibatch, or each molecule among the images.",
    formula: "-(1/N) sum_i log [ exp(s(x_i,m_i)/tau) / sum_j exp(s(x_i,m_j)/tau) ]",
    better: "lower",
    range: "0 upwards; log N when all embeddings coincide",
    limits: "The gradient of a pair vanishes as it is classified right.",
    reference: "van den Oord et al. 2018",
};

/// InfoNCE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InfoNce {
    /// Which side is classified.
    pub direction: Direction,
}

/// From the settings.
pub fn build(config: &LossConfig) -> Result<Box<dyn Loss>> {
    Ok(Box::new(InfoNce { direction: config.direction }))
}

impl Loss for InfoNce {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn views(&self) -> Views {
        Views::One
    }

    fn value(&self, batch: &Embeddings) -> Result<Tensor> {
        let (rows, columns) = sides(CARD.id, self.direction, batch)?;
        let logits = similarity::logits(&rows, &columns, &batch.tau)?; // [n, n]
        Ok(similarity::cross_entropy(&logits)?.mean_all()?)
    }
}
