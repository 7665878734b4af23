//! IMM as the reference code has it: NT-Xent summed over all pairs of slots.
//!
//! # What
//! A compound has M + 1 slots, its molecule and its views. Every pair of slots is a decoupled
//! NT-Xent; pairs with the molecule weigh one, image-image pairs `lambda`.
//!
//! # Formula
//! `z_i = [m_i, x_i1, .., x_iM]`
//! `l_pq = -(1/N) sum_i log [ exp(s(z_ip, z_iq)/tau) / sum_{j != i} exp(s(z_ip, z_jq)/tau) ]`
//! `L = sum_{p<q} w_pq l_pq`, `w_0q = 1`, otherwise `lambda` (0.5)
//!
//! # Why
//! The default of IMM. Identity: `L = M EMM-code + lambda sum_{a<b} NT-Xent(x_a, x_b)`. It is a
//! sum, so with three views its gradient is about three times EMM's; Adam hides most of that,
//! weight decay and clipping do not.
//!
//! # What it cannot show
//! Which of the two kinds of terms falls. Unbounded below as tau falls.
//!
//! # Reference
//! `MultiviewIntraModalNTXentLoss` of the code of Watkinson et al. 2023.

use bench_core::Card;
use candle_core::Tensor;

use super::{Embeddings, Loss, LossConfig, Pairs, Views, similarity};
use crate::Result;

/// Its card.
pub static CARD: Card = Card {
    id: "imm-code",
    title: "IMM, sum over pairs of slots",
    what: "Sums a decoupled NT-Xent over all pairs among a compound's molecule and views; pairs with the molecule weigh one, image-image pairs lambda.",
    formula: "sum_{p<q} w_pq l_pq, l_pq = -(1/N) sum_i log [ exp(s(z_ip,z_iq)/tau) / sum_{j!=i} exp(s(z_ip,z_jq)/tau) ]",
    better: "lower",
    range: "unbounded; (M + lambda M(M-1)/2) log(N-1) when all embeddings coincide",
    limits: "A sum, not a mean: grows with the number of views; values compare only at equal tau, views and minibatch size.",
    reference: "Watkinson et al. 2023, code",
};

/// IMM over pairs of slots.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ImmCode {
    /// Weight of an image-image pair.
    pub lambda: f64,
}

/// From the settings.
pub fn build(config: &LossConfig) -> Result<Box<dyn Loss>> {
    Ok(Box::new(ImmCode { lambda: config.lambda }))
}

impl ImmCode {
    /// The unweighted terms, in the order (0,1), (0,2), .., (1,2), ..: slot 0 is the molecule.
    /// `[pairs]`
    fn terms(batch: &Embeddings) -> Result<(Vec<(u32, u32)>, Tensor)> {
        let (_, m, _) = batch.sizes(CARD.id)?;
        let pairs = Pairs::Upper.among(m + 1);
        let slots = Tensor::cat(&[&batch.molecules.unsqueeze(0)?, &batch.images.transpose(0, 1)?.contiguous()?], 0)?; // [m + 1, n, d]
        let logits = similarity::slot_logits(&slots, &pairs, &batch.tau)?; // [pairs, n, n]
        Ok((pairs, similarity::decoupled(&logits)?.mean(1)?))
    }

    fn weights(&self, pairs: &[(u32, u32)], like: &Tensor) -> Result<Tensor> {
        let weights = pairs.iter().map(|&(p, _)| if p == 0 { 1.0 } else { self.lambda });
        Ok(Tensor::from_iter(weights, like.device())?.to_dtype(like.dtype())?)
    }

    /// The weighted terms, in the order (0,1), (0,2), .., (1,2), ..: slot 0 is the molecule.
    /// `[pairs]`
    ///
    /// # Errors
    /// Shapes that do not fit together.
    pub fn weighted_terms(&self, batch: &Embeddings) -> Result<Tensor> {
        let (pairs, terms) = ImmCode::terms(batch)?;
        Ok((&terms * self.weights(&pairs, &terms)?)?)
    }
}

impl Loss for ImmCode {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn views(&self) -> Views {
        Views::Any
    }

    fn value(&self, batch: &Embeddings) -> Result<Tensor> {
        Ok(self.weighted_terms(batch)?.sum_all()?)
    }
}
