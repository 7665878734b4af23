//! NT-Xent, decoupled and in one direction: the criterion of the CLIP baseline.
//!
//! # What
//! Each image is classified among the molecules of the minibatch (or each molecule among the
//! images). The positive is left out of the denominator.
//!
//! # Formula
//! `L = -(1/N) sum_i log [ exp(s(x_i, m_i)/tau) / sum_{j != i} exp(s(x_i, m_j)/tau) ]`
//!
//! # Why
//! It is what the reference code calls CLIP. It is not the symmetric InfoNCE of that name, which
//! is [`super::symmetric`].
//!
//! # What it cannot show
//! The value can be negative and has no bound below as tau falls: a value says nothing without
//! its temperature and minibatch size. All similarities equal give `log(N - 1)`.
//!
//! # Reference
//! Watkinson et al. 2023; `NTXent` of their code, after 3DInfomax (Stark et al. 2022). Decoupling:
//! Yeh et al. 2022. Parity: the reference adds 1e-8 to the product of norms; see
//! [`super::similarity`].

use bench_core::Card;
use candle_core::Tensor;

use super::{Direction, Embeddings, Loss, LossConfig, Views, similarity};
use crate::{Error, Result};

/// Its card.
pub static CARD: Card = Card {
    id: "nt-xent",
    title: "NT-Xent (decoupled, one direction)",
    what: "Classifies each image among the molecules of the minibatch, or each molecule among the images; the positive is left out of the denominator.",
    formula: "-(1/N) sum_i log [ exp(s(x_i,m_i)/tau) / sum_{j!=i} exp(s(x_i,m_j)/tau) ]",
    better: "lower",
    range: "unbounded; log(N-1) when all embeddings coincide",
    limits: "Unbounded below as tau falls, so values compare only at equal tau and minibatch size.",
    reference: "Watkinson et al. 2023, code; Yeh et al. 2022",
};

/// NT-Xent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NtXent {
    /// Which side is classified.
    pub direction: Direction,
}

/// From the settings.
pub fn build(config: &LossConfig) -> Result<Box<dyn Loss>> {
    Ok(Box::new(NtXent { direction: config.direction }))
}

impl Loss for NtXent {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn views(&self) -> Views {
        Views::One
    }

    fn value(&self, batch: &Embeddings) -> Result<Tensor> {
        let (rows, columns) = sides(CARD.id, self.direction, batch)?;
        let logits = similarity::logits(&rows, &columns, &batch.tau)?; // [n, n]
        Ok(similarity::decoupled(&logits)?.mean_all()?)
    }
}

/// Rows and columns of a one-directional loss of one view. Both `[n, d]`
pub(super) fn sides(what: &'static str, direction: Direction, batch: &Embeddings) -> Result<(Tensor, Tensor)> {
    let (_, views, _) = batch.sizes(what)?;
    if views != 1 {
        return Err(Error::batch(what, "one image view per compound", views));
    }
    let (molecules, images) = (batch.molecules.clone(), batch.images.squeeze(1)?);
    Ok(match direction {
        Direction::ImageToMolecule => (images, molecules),
        Direction::MoleculeToImage => (molecules, images),
    })
}
