//! Cosine similarities, and sums of exponentials that stay finite at any temperature.
//!
//! # Vectors without direction
//! The cosine of a zero vector is undefined. The reference code adds 1e-8 to the product of norms
//! in its single-view losses (value 0, gradient 1e8 long) and nothing in its multi-view losses
//! (NaN). Here a vector shorter than [`SHORTEST`] has similarity 0 with everything and receives no
//! gradient; every other vector has its exact cosine.
//!
//! # Large exponents
//! The reference exponentiates `s / tau`, which overflows `f32` below tau = 0.0113. Here every sum
//! is a log-sum-exp around its maximum (kept out of the gradient, because candle gives the
//! gradient of a tied maximum to every tied entry). An excluded entry is lowered by `EXCLUDED`:
//! its exponential is exactly zero, and no infinity can meet another.

use candle_core::{D, DType, Device, Tensor};

use crate::Result;

/// Vectors shorter than this have no direction.
pub const SHORTEST: f64 = 1e-8;

/// Added to the logits of excluded entries.
const EXCLUDED: f64 = -1e30;

/// Rows divided by their length. Works on the last dimension.
pub(crate) fn unit(x: &Tensor) -> Result<Tensor> {
    let squares = x.sqr()?.sum_keepdim(D::Minus1)?;
    let directed = squares.detach().gt(SHORTEST * SHORTEST)?.to_dtype(x.dtype())?;
    let squares = ((squares * &directed)? + directed.affine(-1.0, 1.0)?)?;
    Ok(x.broadcast_mul(&(directed / squares.sqrt()?)?)?)
}

/// `log sum exp` over the last dimension.
pub(crate) fn log_sum_exp(x: &Tensor) -> Result<Tensor> {
    let top = x.max_keepdim(D::Minus1)?.detach();
    let sum = x.broadcast_sub(&top)?.exp()?.sum(D::Minus1)?;
    Ok((sum.log()? + top.squeeze(D::Minus1)?)?)
}

/// One where row and column are the same compound. `[n, n]`
pub(crate) fn identity(n: usize, dtype: DType, device: &Device) -> Result<Tensor> {
    Ok(Tensor::eye(n, dtype, device)?)
}

/// The diagonals of square matrices. `[.., n, n] -> [.., n]`
pub(crate) fn diagonal(logits: &Tensor, identity: &Tensor) -> Result<Tensor> {
    Ok(logits.broadcast_mul(identity)?.sum(D::Minus1)?)
}

/// Square matrices whose diagonals are excluded from sums of exponentials.
pub(crate) fn without_diagonal(logits: &Tensor, identity: &Tensor) -> Result<Tensor> {
    Ok(logits.broadcast_add(&(identity * EXCLUDED)?)?)
}

/// Decoupled cross-entropy of each row: log of the sum over the other columns, minus the
/// diagonal. `[.., n, n] -> [.., n]`
pub(crate) fn decoupled(logits: &Tensor) -> Result<Tensor> {
    let identity = identity(logits.dim(D::Minus1)?, logits.dtype(), logits.device())?;
    let others = log_sum_exp(&without_diagonal(logits, &identity)?)?;
    Ok((others - diagonal(logits, &identity)?)?)
}

/// Decoupled cross-entropy whose numerator and denominator sum over `k` before the logarithm.
/// `[n, k, n] -> [n]`
pub(crate) fn decoupled_pooled(logits: &Tensor) -> Result<Tensor> {
    let (n, k, _) = logits.dims3()?;
    let identity = identity(n, logits.dtype(), logits.device())?.unsqueeze(1)?;
    let own = log_sum_exp(&diagonal(logits, &identity)?)?;
    let others = log_sum_exp(&without_diagonal(logits, &identity)?.reshape((n, k * n))?)?;
    Ok((others - own)?)
}

/// Cross-entropy of each row against its diagonal: log of the sum over all columns, minus the
/// diagonal. `[n, n] -> [n]`
pub(crate) fn cross_entropy(logits: &Tensor) -> Result<Tensor> {
    let identity = identity(logits.dim(D::Minus1)?, logits.dtype(), logits.device())?;
    Ok((log_sum_exp(logits)? - diagonal(logits, &identity)?)?)
}

/// Cosines of rows of `a` and `b` over the temperature. `[n, d], [n, d] -> [n, n]`
pub(crate) fn logits(a: &Tensor, b: &Tensor, tau: &Tensor) -> Result<Tensor> {
    Ok(unit(a)?.matmul(&unit(b)?.t()?)?.broadcast_div(tau)?)
}

/// Cosines of every molecule with every image over the temperature. `[n, d], [n, m, d] -> [n, m, n]`
pub(crate) fn view_logits(molecules: &Tensor, images: &Tensor, tau: &Tensor) -> Result<Tensor> {
    let (n, m, d) = images.dims3()?;
    let images = unit(images)?.transpose(0, 1)?.reshape((m * n, d))?;
    Ok(unit(molecules)?.matmul(&images.t()?)?.broadcast_div(tau)?.reshape((n, m, n))?)
}

/// Cosines between slots: for each pair `(p, q)` the matrix of slot p of one compound with slot q
/// of another, over the temperature. `[slots, n, d] -> [pairs, n, n]`
pub(crate) fn slot_logits(slots: &Tensor, pairs: &[(u32, u32)], tau: &Tensor) -> Result<Tensor> {
    let slots = unit(slots)?;
    let pick = |side: fn(&(u32, u32)) -> u32| -> Result<Tensor> {
        let index = Tensor::from_iter(pairs.iter().map(side), slots.device())?;
        Ok(slots.index_select(&index, 0)?)
    };
    let (left, right) = (pick(|pair| pair.0)?, pick(|pair| pair.1)?);
    Ok(left.matmul(&right.transpose(1, 2)?)?.broadcast_div(tau)?)
}
