//! One pass of both towers over a part of a minibatch, and the loss over all of it.
//!
//! A pass uses two tapes, one per tower, because the towers only meet in the loss: their
//! gradients start from the gradients of their embeddings.

use std::ops::Range;

use bench_core::Seed;
use bench_models::Model;
use bench_models::encoders::{MoleculeInput, MoleculeInputs, fingerprint_rows};
use bench_nn::{Gradients, Precision, Statistics, Tape, Value};
use candle_core::{Device, Tensor};

use crate::Result;
use crate::catalogue::{Catalogue, Structure};
use crate::loader::Minibatch;

/// What a step computes with.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The model and its loss.
    pub model: &'a Model,
    /// Where the structures of the compounds are.
    pub catalogue: &'a Catalogue,
    /// Arithmetic on CUDA.
    pub precision: Precision,
    /// Statistics of batch normalisation: [`Statistics::Batch`] to train.
    pub statistics: Statistics,
}

/// How a pass over a part of a minibatch runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pass {
    /// With the dropout masks of a seed (two passes of one seed drop the same numbers), with or
    /// without keeping what gradients need.
    Training {
        /// Seed of the masks.
        seed: Seed,
        /// Whether gradients will be wanted.
        recording: bool,
        /// Statistics of batch normalisation.
        statistics: Statistics,
    },
    /// Without dropout, with running statistics.
    Evaluation,
}

/// Both towers' tapes and outputs.
pub(crate) struct Encoded {
    image_tape: Tape,
    molecule_tape: Tape,
    /// `(n * views, embedding)`
    pub images: Value,
    /// `(n, embedding)`
    pub molecules: Value,
}

impl Setting<'_> {
    /// Runs both towers over the items `range` of a minibatch.
    pub(crate) fn encode(&self, minibatch: &Minibatch, range: Range<usize>, pass: Pass) -> Result<Encoded> {
        let tape = |tower: &str| {
            let tape = match pass {
                Pass::Evaluation => Tape::inference(),
                Pass::Training { seed, recording, statistics } => {
                    Tape::training(seed.derive(tower, 0)).recording(recording).with_statistics(statistics)
                }
            };
            tape.with_precision(self.precision)
        };
        let (mut image_tape, mut molecule_tape) = (tape("image"), tape("molecule"));
        let (compounds, pixels) = minibatch.part(range);
        let structures: Vec<&Structure> =
            compounds.iter().map(|&compound| &self.catalogue.compound(compound).structure).collect();
        let molecules = molecule_inputs(self.model, &structures)?;
        let molecules = self.model.encode_molecules(&mut molecule_tape, &molecules)?.embedding;
        let pixels = image_tensor(pixels, minibatch.shape, self.model)?;
        let images = self.model.encode_images(&mut image_tape, &pixels)?.embedding;
        Ok(Encoded { image_tape, molecule_tape, images, molecules })
    }
}

impl Encoded {
    /// Parameter gradients, from those of the embeddings.
    pub(crate) fn backward(self, images: &Tensor, molecules: &Tensor) -> Result<Gradients> {
        let mut gradients = self.image_tape.backward(&[(&self.images, images.clone())])?;
        gradients.add(self.molecule_tape.backward(&[(&self.molecules, molecules.clone())])?)?;
        Ok(gradients)
    }
}

/// Structures on the device, as the molecule tower of `model` reads them.
pub(crate) fn molecule_inputs(model: &Model, structures: &[&Structure]) -> Result<MoleculeInputs> {
    Ok(match model.molecule.input() {
        MoleculeInput::Graphs(_) => {
            let graphs: Vec<_> = structures.iter().map(|structure| &structure.graph).collect();
            model.graphs(&graphs)?
        }
        MoleculeInput::Fingerprints(_) => {
            let parts: Vec<Vec<_>> = structures.iter().map(|s| s.fingerprints.iter().collect()).collect();
            MoleculeInputs::Fingerprints(fingerprint_rows(&parts, model.dtype(), model.device())?)
        }
    })
}

/// Images as a tensor of the model's type on its device. `(n, height, width, channels)`
pub(crate) fn image_tensor(pixels: &[f32], shape: [usize; 3], model: &Model) -> Result<Tensor> {
    let [height, width, channels] = shape;
    let count = pixels.len() / shape.iter().product::<usize>().max(1);
    let tensor = Tensor::from_slice(pixels, (count, height, width, channels), &Device::Cpu)?;
    Ok(tensor.to_dtype(model.dtype())?.to_device(model.device())?)
}
