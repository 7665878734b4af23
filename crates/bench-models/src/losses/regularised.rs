//! Terms against collapse, added to any loss.
//!
//! # What
//! The distance between a molecule and its images, a hinge that keeps every dimension spread over
//! the minibatch, and the covariances between dimensions.
//!
//! # Formula
//! `mse = mean (m - x_u)^2`
//! `variance(z) = mean_d relu(1 - sqrt(var(z_d) + 1e-4))`
//! `covariance(z) = sum_{c != d} cov(z)_cd^2 / D`
//! `L = loss + a mse + b (variance(m) + variance(x)) + c (covariance(m) + covariance(x))`
//! Variances and covariances are over compounds, unbiased; those of images are taken per view slot
//! and averaged over the slots.
//!
//! # Why
//! Options of the reference repository, not used for the paper. Parity: its multi-view version
//! cannot run as published (it broadcasts molecules against slots and takes the covariance of a
//! three-dimensional tensor); the per-slot average is the evident intent and equals the
//! single-view version for one view.
//!
//! # What it cannot show
//! On unit vectors of D dimensions the standard deviation cannot exceed about 1/sqrt(D), so the
//! hinge is never satisfied there and only pushes: `normalise = false` gives it its meaning.
//!
//! # Reference
//! Bardes et al. 2022 (VICReg); `RegularizationLoss` and `MultiviewRegLoss` of the code of Watkinson et al. 2023.

use bench_core::Card;
use candle_core::Tensor;

use super::{Embeddings, Loss, Regulariser, Views, similarity};
use crate::Result;

/// A loss with regularising terms.
#[derive(Debug)]
pub struct Regularised {
    /// The loss.
    pub loss: Box<dyn Loss>,
    /// Weights of the terms.
    pub weights: Regulariser,
}

impl Loss for Regularised {
    fn card(&self) -> &'static Card {
        self.loss.card()
    }

    fn views(&self) -> Views {
        self.loss.views()
    }

    fn value(&self, batch: &Embeddings) -> Result<Tensor> {
        Ok((self.loss.value(batch)? + self.weights.value(batch)?)?)
    }
}

impl Regulariser {
    /// The weighted sum of the terms.
    ///
    /// # Errors
    /// Shapes that do not fit together.
    pub fn value(&self, batch: &Embeddings) -> Result<Tensor> {
        let (n, m, d) = batch.sizes("regulariser")?;
        let side = |x: &Tensor| if self.normalise { similarity::unit(x) } else { Ok(x.clone()) };
        let molecules = side(&batch.molecules)?.reshape((1, n, d))?;
        let images = side(&batch.images)?.transpose(0, 1)?.contiguous()?; // [m, n, d]
        let mse = images.broadcast_sub(&molecules)?.sqr()?.mean_all()?;
        let variance = (variance(&molecules)? + variance(&images)?)?;
        let covariance = (covariance(&molecules, 1)? + covariance(&images, m)?)?;
        Ok((((mse * self.mse)? + (variance * self.variance)?)? + (covariance * self.covariance)?)?)
    }
}

fn centred(x: &Tensor) -> Result<Tensor> {
    Ok(x.broadcast_sub(&x.mean_keepdim(1)?)?)
}

/// Hinge on the standard deviation over compounds. `[m, n, d] -> []`
fn variance(x: &Tensor) -> Result<Tensor> {
    let n = x.dim(1)?;
    let variance = (centred(x)?.sqr()?.sum(1)? / (n - 1) as f64)?;
    Ok((variance + 1e-4)?.sqrt()?.affine(-1.0, 1.0)?.relu()?.mean_all()?)
}

/// Squared covariances between dimensions, averaged over slots. `[m, n, d] -> []`
fn covariance(x: &Tensor, slots: usize) -> Result<Tensor> {
    let (_, n, d) = x.dims3()?;
    let x = centred(x)?;
    let covariance = (x.transpose(1, 2)?.matmul(&x)? / (n - 1) as f64)?; // [m, d, d]
    let off = similarity::identity(d, x.dtype(), x.device())?.affine(-1.0, 1.0)?;
    Ok((covariance.broadcast_mul(&off)?.sqr()?.sum_all()? / (d * slots) as f64)?)
}
