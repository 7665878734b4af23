//! Symmetric InfoNCE: the loss of CLIP as published.
//!
//! # What
//! The mean of classifying images among molecules and molecules among images.
//!
//! # Formula
//! `L = (CE(S/tau) + CE(S'/tau)) / 2`, `S_ij = s(x_i, m_j)`
//!
//! # Why
//! What most readers expect under the name CLIP; the reference's baseline is
//! [`super::nt_xent`].
//!
//! # What it cannot show
//! Which of the two directions is learnt: look at retrieval in both.
//!
//! # Reference
//! Radford et al. 2021; `MOCOPLoss` of the code of Watkinson et al. 2023.

use bench_core::Card;
use candle_core::Tensor;

use super::{Direction, Embeddings, Loss, LossConfig, Views, nt_xent::sides, similarity};
use crate::Result;

/// Its card.
pub static CARD: Card = Card {
    id: "symmetric",
    title: "Symmetric InfoNCE",
    what: "Mean of the cross-entropies of images among molecules and molecules among images.",
    formula: "(CE(S/tau) + CE(S^T/tau)) / 2",
    better: "lower",
    range: "0 upwards; log N when all embeddings coincide",
    limits: "Does not tell which direction is learnt.",
    reference: "Radford et al. 2021",
};

/// Symmetric InfoNCE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Symmetric;

/// From the settings.
pub fn build(_: &LossConfig) -> Result<Box<dyn Loss>> {
    Ok(Box::new(Symmetric))
}

impl Loss for Symmetric {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn views(&self) -> Views {
        Views::One
    }

    fn value(&self, batch: &Embeddings) -> Result<Tensor> {
        let (images, molecules) = sides(CARD.id, Direction::ImageToMolecule, batch)?;
        let logits = similarity::logits(&images, &molecules, &batch.tau)?; // [n, n]
        let forward = similarity::cross_entropy(&logits)?.mean_all()?;
        let back = similarity::cross_entropy(&logits.t()?.contiguous()?)?.mean_all()?;
        Ok(((forward + back)? * 0.5)?)
    }
}
