//! The exact contrastive step in chunks, so that the paper's minibatch fits a device.
//!
//! 1. Every chunk of compounds passes both towers without recording; its embeddings are kept.
//! 2. The loss and its gradients are computed over the embeddings of the whole minibatch.
//! 3. Every chunk passes the towers again, recording, with the same dropout masks, and the
//!    gradients of its embeddings are propagated; parameter gradients are summed.
//!
//! Cost: 4/3 of the arithmetic; activations of one chunk at a time. Exact: with fixed
//! normalisation statistics the gradients are those of the plain step (tested). With batch
//! statistics these are per chunk, in both passes alike, as they were per device in the
//! reference's runs; the running statistics move in the second pass only.
//!
//! Reference: Gao et al. 2021, "Scaling deep contrastive learning batch size under memory limited
//! setup" (GradCache).

use bench_core::Seed;
use bench_nn::{Gradients, Statistics};
use candle_core::Tensor;

use crate::contrast::{Pass, Setting};
use crate::loader::Minibatch;
use crate::parallel::Peers;
use crate::step::{Outcome, contrast_all, finish};
use crate::{Error, Result};

/// The step in chunks of `chunk` compounds (the last may be smaller).
pub fn chunked(
    setting: &Setting<'_>,
    minibatch: &Minibatch,
    chunk: usize,
    seed: Seed,
    peers: Option<&Peers<'_>>,
) -> Result<Outcome> {
    if chunk == 0 {
        return Err(Error::config("chunk", "must be at least 1 compound"));
    }
    let count = minibatch.compounds.len();
    let ranges: Vec<_> = (0..count).step_by(chunk).map(|start| start..count.min(start + chunk)).collect();
    let seed = |number: usize| seed.derive("chunk", number as u64);
    let still = match setting.statistics {
        Statistics::Batch => Statistics::BatchWithoutUpdate,
        other => other,
    };
    let (mut images, mut molecules) = (vec![], vec![]);
    for (number, range) in ranges.iter().enumerate() {
        let pass = Pass::Training { seed: seed(number), recording: false, statistics: still };
        let encoded = setting.encode(minibatch, range.clone(), pass)?;
        images.push(encoded.images.tensor().clone());
        molecules.push(encoded.molecules.tensor().clone());
    }
    let (images, molecules) = (Tensor::cat(&images, 0)?, Tensor::cat(&molecules, 0)?);
    let output = contrast_all(setting, &images, &molecules, peers)?;
    let mut gradients = Gradients::default();
    for (number, range) in ranges.into_iter().enumerate() {
        let pass = Pass::Training { seed: seed(number), recording: true, statistics: setting.statistics };
        let encoded = setting.encode(minibatch, range.clone(), pass)?;
        let rows = |gradient: &Tensor, per_item: usize| -> Result<Tensor> {
            Ok(gradient.narrow(0, range.start * per_item, range.len() * per_item)?.copy()?)
        };
        let images = rows(&output.images, minibatch.views)?;
        let molecules = rows(&output.molecules, 1)?;
        gradients.add(encoded.backward(&images, &molecules)?)?;
    }
    finish(setting, output, gradients, peers)
}
