//! Embeddings of images and molecules by a trained model: running statistics, no dropout, centre crops.

use std::ops::ControlFlow;

use bench_core::Matrix;
use bench_models::Model;
use bench_nn::{Precision, Tape};
use candle_core::{DType, Tensor};

use crate::Result;
use crate::catalogue::{ImageId, Structure};
use crate::config::Pace;
use crate::contrast::{image_tensor, molecule_inputs};
use crate::loader::pipeline;
use crate::source::{ImageSource, View};

/// Embeddings of images, one row per image that could be loaded.
#[derive(Clone, Debug, Default)]
pub struct Embedded {
    /// The images of the rows, in the order asked for.
    pub images: Vec<ImageId>,
    /// Output of the head, not normalised.
    pub projection: Matrix,
    /// Features of the encoder.
    pub backbone: Matrix,
    /// Images that could not be loaded, and why.
    pub failed: Vec<(ImageId, String)>,
}

/// Embeds `images` in minibatches of `batch`. `view` says how each is looked at
/// ([`View::Evaluation`], or the training transform to mimic the reference). `progress` is told
/// how many images are done.
#[allow(clippy::too_many_arguments)]
pub fn embed_images(
    model: &Model,
    source: &dyn ImageSource,
    images: &[ImageId],
    view: impl Fn(ImageId) -> View + Sync,
    batch: usize,
    precision: Precision,
    pace: &Pace,
    mut progress: impl FnMut(usize),
) -> Result<Embedded> {
    let parts: Vec<&[ImageId]> = images.chunks(batch.max(1)).collect();
    let load = |part: &&[ImageId]| -> Vec<(ImageId, Result<Vec<f32>>)> {
        use rayon::prelude::*;
        part.par_iter().map(|&image| (image, source.load(image, view(image)))).collect()
    };
    let mut made = Embedded::default();
    let (mut projection, mut backbone) = (Rows::default(), Rows::default());
    let mut failed = None;
    pipeline(&parts, pace.prefetch, pace.loader_threads, load, |loaded| {
        let count = loaded.len();
        let mut pixels = vec![];
        for (image, content) in loaded {
            match content {
                Ok(content) => {
                    pixels.extend(content);
                    made.images.push(image);
                }
                Err(error) => made.failed.push((image, error.to_string())),
            }
        }
        let mut run = || -> Result<()> {
            let mut tape = Tape::inference().with_precision(precision);
            let encoded = model.encode_images(&mut tape, &image_tensor(&pixels, source.shape(), model)?)?;
            projection.push(encoded.embedding.tensor())?;
            backbone.push(encoded.features.tensor())
        };
        if !pixels.is_empty()
            && let Err(error) = run()
        {
            failed = Some(error);
            return ControlFlow::Break(());
        }
        progress(count);
        ControlFlow::Continue(())
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    (made.projection, made.backbone) = (projection.matrix(), backbone.matrix());
    Ok(made)
}

/// Embeds molecules in minibatches of `batch`: output of the head, not normalised.
pub fn embed_molecules(model: &Model, structures: &[&Structure], batch: usize) -> Result<Matrix> {
    let mut rows = Rows::default();
    for part in structures.chunks(batch.max(1)) {
        let inputs = molecule_inputs(model, part)?;
        rows.push(model.encode_molecules(&mut Tape::inference(), &inputs)?.embedding.tensor())?;
    }
    Ok(rows.matrix())
}

/// Rows that arrive in blocks.
#[derive(Default)]
struct Rows {
    values: Vec<f32>,
    columns: usize,
}

impl Rows {
    fn push(&mut self, block: &Tensor) -> Result<()> {
        self.columns = block.dim(1)?;
        self.values.extend(block.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?);
        Ok(())
    }

    fn matrix(self) -> Matrix {
        Matrix::new(self.values.len() / self.columns.max(1), self.columns, self.values)
    }
}
