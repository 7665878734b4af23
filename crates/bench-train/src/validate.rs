//! The loss over held-out compounds, for early stopping and the best checkpoint.
//!
//! The minibatches, their views and crops are the same each time (centre crops, views drawn once
//! from the seed), dropout is off and normalisation uses running statistics, so two values
//! differ only because the weights do. Contrastive losses depend on the number of compounds
//! compared: minibatches are as large as in training, and each counts by its compounds.

use std::ops::ControlFlow;

use candle_core::{DType, Tensor};

use crate::config::Pace;
use crate::contrast::{Pass, Setting};
use crate::loader::{self, Minibatch, Mode};
use crate::sampler::{Plan, Sampler};
use crate::source::ImageSource;
use crate::{Error, Result};

/// Mean loss per compound over the fixed minibatches of `sampler`, `chunk` compounds at a time.
pub fn validation_loss(
    setting: &Setting<'_>,
    sampler: &Sampler<'_>,
    source: &dyn ImageSource,
    chunk: Option<usize>,
    pace: &Pace,
) -> Result<f64> {
    let plans = sampler.fixed().batches;
    let (mut sum, mut compounds) = (0.0, 0usize);
    let mut failed = None;
    let produce = |plan: &Plan| loader::load(sampler, source, plan, 0..plan.compounds.len(), Mode::Evaluation);
    loader::pipeline(&plans, pace.prefetch, pace.loader_threads, produce, |minibatch| {
        let loss = minibatch.and_then(|minibatch| {
            let count = minibatch.compounds.len();
            if count < 2 { Ok((0.0, 0)) } else { Ok((loss_of(setting, &minibatch, chunk)?, count)) }
        });
        match loss {
            Ok((loss, count)) => {
                sum += loss * count as f64;
                compounds += count;
                ControlFlow::Continue(())
            }
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    match failed {
        Some(error) => Err(error),
        None if compounds == 0 => Err(Error::TooFewCompounds { what: "validation", needed: 2, got: 0 }),
        None => Ok(sum / compounds as f64),
    }
}

fn loss_of(setting: &Setting<'_>, minibatch: &Minibatch, chunk: Option<usize>) -> Result<f64> {
    let count = minibatch.compounds.len();
    let (mut images, mut molecules) = (vec![], vec![]);
    let chunk = chunk.unwrap_or(count).max(1);
    for start in (0..count).step_by(chunk) {
        let encoded = setting.encode(minibatch, start..count.min(start + chunk), Pass::Evaluation)?;
        images.push(encoded.images.tensor().clone());
        molecules.push(encoded.molecules.tensor().clone());
    }
    let output = setting.model.compare(&Tensor::cat(&molecules, 0)?, &Tensor::cat(&images, 0)?)?;
    Ok(output.value.to_dtype(DType::F64)?.to_scalar::<f64>()?)
}
