//! Gradients of the loss over one minibatch, in one pass and in chunks, on one device and on several.
//!
//! The plain step keeps the activations of the whole minibatch. The chunked step ([`crate::chunked`])
//! keeps those of one chunk and gives the same gradients for a third more work. Over several
//! processes each encodes its part, all gather all embeddings, each evaluates the loss over the
//! full matrix and keeps the gradients of its own rows; parameter gradients are summed.

use std::ops::Range;

use bench_core::Seed;
use bench_models::losses::LossOutput;
use bench_nn::Gradients;
use candle_core::{DType, Tensor};

use crate::Result;
use crate::contrast::{Pass, Setting};
use crate::loader::Minibatch;
use crate::parallel::Peers;

/// Loss and gradients of a minibatch.
#[derive(Debug)]
pub struct Outcome {
    /// The loss over the whole minibatch, a scalar on the device.
    pub loss: Tensor,
    /// Gradients of all parameters.
    pub gradients: Gradients,
}

impl Outcome {
    /// The loss as a number; waits for the device.
    pub fn loss_value(&self) -> Result<f64> {
        Ok(self.loss.to_dtype(DType::F64)?.to_scalar::<f64>()?)
    }
}

/// One pass with recording over the whole minibatch.
pub fn plain(setting: &Setting<'_>, minibatch: &Minibatch, seed: Seed, peers: Option<&Peers<'_>>) -> Result<Outcome> {
    let pass = Pass::Training { seed: seed.derive("chunk", 0), recording: true, statistics: setting.statistics };
    let encoded = setting.encode(minibatch, 0..minibatch.compounds.len(), pass)?;
    let (images, molecules) = (encoded.images.tensor().clone(), encoded.molecules.tensor().clone());
    let output = contrast_all(setting, &images, &molecules, peers)?;
    let gradients = encoded.backward(&output.images, &output.molecules)?;
    finish(setting, output, gradients, peers)
}

/// The loss over the embeddings of all peers, with the gradients of this process's rows.
pub(crate) fn contrast_all(
    setting: &Setting<'_>,
    images: &Tensor,
    molecules: &Tensor,
    peers: Option<&Peers<'_>>,
) -> Result<LossOutput> {
    let Some(peers) = peers else { return Ok(setting.model.compare(molecules, images)?) };
    let mut output = setting.model.compare(&peers.gather(molecules)?, &peers.gather(images)?)?;
    let rows = |gradient: &Tensor, own: &Tensor| -> Result<Tensor> {
        let Range { start, end } = peers.rows(own.dim(0)?);
        Ok(gradient.narrow(0, start, end - start)?.copy()?)
    };
    output.images = rows(&output.images, images)?;
    output.molecules = rows(&output.molecules, molecules)?;
    Ok(output)
}

/// Sums the parameter gradients over peers. The temperature's gradient is that of the full
/// matrix on every process already, so it is put in afterwards.
pub(crate) fn finish(
    setting: &Setting<'_>,
    output: LossOutput,
    mut gradients: Gradients,
    peers: Option<&Peers<'_>>,
) -> Result<Outcome> {
    if let Some(peers) = peers {
        peers.sum_gradients(&mut gradients)?;
    }
    setting.model.add_temperature(&mut gradients, &output)?;
    Ok(Outcome { loss: output.value, gradients })
}
