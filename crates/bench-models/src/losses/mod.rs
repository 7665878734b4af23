//! Losses that pull a compound and its images together and push other compounds away.
//!
//! # What
//! A [`Loss`] is a function of the embeddings of a minibatch and of the temperature. Embeddings
//! come as the heads make them; every loss divides them by their length itself.
//!
//! # Choices where paper and code of the reference disagree
//! Each is a loss of its own with its own card; [`LossConfig`] names them by method and variant,
//! and the defaults are what the code ran.
//!
//! # Gradients
//! [`Loss::evaluate`] differentiates with candle's own backward pass, which is exact for the few
//! primitive operations used here (finite differences and PyTorch golden values say so). The
//! result seeds the tape of the encoders.
//!
//! # Several devices
//! Every device gathers the embeddings of all, evaluates the loss on the full matrix, and keeps
//! the gradient of its own rows. That is the exact gradient of the global loss, so parameter
//! gradients are then summed over devices, not averaged; that of the temperature is already whole on
//! each.
//!
//! # Left out
//! The reference repository also holds KL and likelihood variants. They need a molecule tower that
//! predicts a mean and a spread, and the published code of the first reshapes a per-dimension
//! divergence to a matrix of compounds, which fails; neither has a definition to follow.
//!
//! # A new loss
//! One file with a card, a `build` function and an implementation, and two lines here.

use bench_core::{Card, suggest};
use candle_core::{DType, Tensor, Var};

use crate::{Error, Result};

mod config;
pub mod emm_code;
pub mod emm_paper;
pub mod imm_code;
pub mod imm_paper;
pub mod info_nce;
pub mod nt_xent;
pub mod regularised;
pub mod similarity;
pub mod symmetric;

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod vector_tests;

/// What `bench new` writes; its test is to fail until it is filled in.
#[cfg(test)]
#[path = "../../../bench-run/src/scaffold/templates/loss.rs"]
pub mod template_loss;

pub use config::{ClipVariant, Direction, EmmVariant, ImmVariant, LossConfig, Pairs, Regulariser};

/// Embeddings of a minibatch. Row `i` of each belongs to compound `i`.
#[derive(Clone, Debug)]
pub struct Embeddings {
    /// One vector per compound. `[n, d]`
    pub molecules: Tensor,
    /// The image views of each compound. `[n, m, d]`
    pub images: Tensor,
    /// Temperature. A scalar
    pub tau: Tensor,
}

impl Embeddings {
    /// Compounds, views and dimensions, after checking that the three tensors fit together.
    ///
    /// # Errors
    /// Shapes that do not fit, fewer than two compounds, or no view.
    pub fn sizes(&self, what: &'static str) -> Result<(usize, usize, usize)> {
        let (molecules, images) = (self.molecules.dims(), self.images.dims());
        let fits = matches!((molecules, images), (&[n, d], &[rows, m, width])
            if rows == n && width == d && n >= 2 && m >= 1 && d >= 1);
        if !fits || self.tau.rank() != 0 {
            let expected = "molecules [n, d], images [n, m, d] and a scalar, of at least 2 compounds";
            return Err(Error::batch(what, expected, (molecules, images, self.tau.dims())));
        }
        Ok((images[0], images[1], images[2]))
    }
}

/// How many image views per compound a loss takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Views {
    /// Exactly one.
    One,
    /// One or more.
    Any,
    /// Two or more.
    Several,
}

/// A loss over a minibatch of embeddings.
pub trait Loss: std::fmt::Debug + Send + Sync {
    /// What it is.
    fn card(&self) -> &'static Card;

    /// How many image views it takes.
    fn views(&self) -> Views;

    /// The loss as a differentiable scalar of its three inputs, which are of one type (`f32` or
    /// `f64`) and on one device.
    ///
    /// # Errors
    /// Shapes that it cannot take.
    fn value(&self, batch: &Embeddings) -> Result<Tensor>;

    /// Value and gradients. Computes in `f64` if the molecules are, otherwise in `f32`; each
    /// gradient of embeddings comes back in their type.
    ///
    /// # Errors
    /// Shapes that it cannot take.
    fn evaluate(&self, batch: &Embeddings) -> Result<LossOutput> {
        let dtype = if batch.molecules.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
        let lift = |tensor: &Tensor| -> Result<Var> { Ok(Var::from_tensor(&tensor.to_dtype(dtype)?.detach())?) };
        let (molecules, images, tau) = (lift(&batch.molecules)?, lift(&batch.images)?, lift(&batch.tau)?);
        let value = self.value(&Embeddings {
            molecules: molecules.as_tensor().clone(),
            images: images.as_tensor().clone(),
            tau: tau.as_tensor().clone(),
        })?;
        let gradients = value.backward()?;
        let gradient = |var: &Var, dtype: DType| -> Result<Tensor> {
            let gradient = match gradients.get(var) {
                Some(gradient) => gradient.contiguous()?,
                None => var.zeros_like()?,
            };
            Ok(gradient.to_dtype(dtype)?)
        };
        Ok(LossOutput {
            molecules: gradient(&molecules, batch.molecules.dtype())?,
            images: gradient(&images, batch.images.dtype())?,
            tau: gradient(&tau, dtype)?,
            value: value.detach(),
        })
    }
}

/// A loss and its gradients.
#[derive(Clone, Debug)]
pub struct LossOutput {
    /// The value, on the device of the embeddings: reading it is the caller's choice.
    pub value: Tensor,
    /// Gradient of the molecules, in their shape and type.
    pub molecules: Tensor,
    /// Gradient of the images, in their shape and type.
    pub images: Tensor,
    /// Gradient of the temperature. A scalar
    pub tau: Tensor,
}

/// A registered loss.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// What it is.
    pub card: &'static Card,
    /// Makes it from the settings that concern it.
    pub build: fn(&LossConfig) -> Result<Box<dyn Loss>>,
}

/// All losses.
pub static LOSSES: [Entry; 7] = [
    Entry { card: &nt_xent::CARD, build: nt_xent::build },
    Entry { card: &info_nce::CARD, build: info_nce::build },
    Entry { card: &symmetric::CARD, build: symmetric::build },
    Entry { card: &emm_code::CARD, build: emm_code::build },
    Entry { card: &emm_paper::CARD, build: emm_paper::build },
    Entry { card: &imm_code::CARD, build: imm_code::build },
    Entry { card: &imm_paper::CARD, build: imm_paper::build },
];

/// The loss of an id.
///
/// # Errors
/// An unknown id, with the closest valid one.
pub fn lookup(id: &str) -> Result<&'static Entry> {
    LOSSES.iter().find(|entry| entry.card.id == id).ok_or_else(|| Error::UnknownLoss {
        id: id.to_owned(),
        suggestion: suggest::closest(id, LOSSES.iter().map(|entry| entry.card.id).chain(config::METHODS))
            .map(str::to_owned),
    })
}
