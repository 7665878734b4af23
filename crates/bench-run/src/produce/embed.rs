//! Embeds the scored plates: tables as people bring them, one row per field of view.

use std::path::Path;
use std::time::Instant;

use bench_core::{Matrix, Seed};
use bench_data::{Column, ColumnValues, write_parquet};
use bench_images::augment::{AugmentConfig, EvaluationCrops};
use bench_images::features::{self, FeatureSet};
use bench_images::{ImageStore, Policy};
use bench_models::Model;
use bench_train::embed::embed_images;
use bench_train::{DType, ImageId, Pace, View};
use rayon::prelude::*;

use super::dataset::{Dataset, Field};
use super::preset::Baseline;
use super::source::StoreImages;
use super::train::{Job, LeftOut, Trained, read_left_out, write_left_out};
use super::{Place, failed};
use crate::{Embedding, Error, Progress};

/// Ending of the names of tables with features of the encoder, before the head.
pub(super) const BACKBONE: &str = "-backbone";

/// Name of a baseline in tables.
pub(super) fn name(baseline: Baseline) -> &'static str {
    match baseline {
        Baseline::RandomInit => "random-init",
        Baseline::SimpleFeatures => "simple-features",
    }
}

/// Where the embeddings of a training lie in the cache.
pub(super) fn model_place(job: &Job<'_>, training: &str) -> Place {
    let preset = &job.production.preset;
    let how = format!("{:?} {} {:?}", preset.evaluation, preset.augment.crop, preset.plates.score);
    let words = serde_json::json!({
        "training": training, "evaluation": preset.evaluation, "crop": preset.augment.crop, "plates": preset.plates.score,
    });
    Place::of(job.production, "embeddings", &[training, &how], words)
}

/// Where the rows of a baseline lie in the cache.
pub(super) fn baseline_place(job: &Job<'_>, baseline: Baseline) -> Place {
    let preset = &job.production.preset;
    let decided = serde_json::json!({
        "model": preset.models[0].model, "crop": preset.augment.crop, "plates": preset.plates.score,
        "pixels": job.dataset.digest, "seed": preset.seeds[0],
    });
    let mut words = decided.clone();
    words["baseline"] = name(baseline).into();
    Place::of(job.production, "embeddings", &[name(baseline), &decided.to_string()], words)
}

/// Embeds the scored plates with a trained model: the head's output and, beside it, the encoder's.
pub(super) fn model(
    job: &Job<'_>,
    name: &str,
    trained: &Trained,
    progress: &dyn Progress,
) -> Result<(Vec<Embedding>, bool), Error> {
    let place = model_place(job, &trained.digest);
    let names = [name.to_owned(), format!("{name}{BACKBONE}")];
    let paths = names.clone().map(|name| place.folder.join(format!("{name}.parquet")));
    let there = paths.iter().all(|path| path.is_file());
    let folder = &place.folder;
    if !there {
        place.make()?;
        let made = scored(job, &trained.model, progress)?;
        write_left_out(folder, &made.left_out)?;
        write(job.dataset, &made.images, &made.projection, &paths[0])?;
        write(job.dataset, &made.images, &made.backbone, &paths[1])?;
    }
    job.leave_out(&read_left_out(folder), progress)?;
    Ok((names.into_iter().zip(paths).map(|(name, path)| Embedding { name, path }).collect(), there))
}

/// Embeds the scored plates without any training.
pub(super) fn baseline(job: &Job<'_>, baseline: Baseline, progress: &dyn Progress) -> Result<(Embedding, bool), Error> {
    let preset = &job.production.preset;
    let place = baseline_place(job, baseline);
    let folder = &place.folder;
    let path = folder.join(format!("{}.parquet", name(baseline)));
    let there = path.is_file();
    if !there {
        place.make()?;
        let (images, matrix, left_out) = match baseline {
            Baseline::RandomInit => {
                let config = &preset.models[0].model;
                let seed = Seed(preset.seeds[0]).derive("random-init", 0);
                let model = Model::new(config, seed, DType::F32, job.device).map_err(failed("build the model"))?;
                // Running statistics of a network that never saw an image are those of no image;
                // the encoder is read before its head, whose normalisation-free layers only mix it.
                let made = scored(job, &model, progress)?;
                (made.images, made.backbone, made.left_out)
            }
            Baseline::SimpleFeatures => simple(job, progress)?,
        };
        write_left_out(folder, &left_out)?;
        write(job.dataset, &images, &matrix, &path)?;
    }
    job.leave_out(&read_left_out(folder), progress)?;
    Ok((Embedding { name: name(baseline).to_owned(), path }, there))
}

/// Embeddings of images of the store.
pub(super) struct Made {
    /// Which of the images asked for could be read, by their place in the question.
    pub(super) rows: Vec<usize>,
    /// Their positions in the store.
    pub(super) images: Vec<u32>,
    pub(super) projection: Matrix,
    pub(super) backbone: Matrix,
    pub(super) left_out: LeftOut,
}

/// How images are looked at without any augmentation.
pub(super) struct Viewing<'a> {
    pub(super) store: &'a ImageStore,
    pub(super) augment: &'a AugmentConfig,
    pub(super) crops: EvaluationCrops,
    /// Crops per minibatch.
    pub(super) batch: usize,
    pub(super) policy: Policy,
}

impl<'a> Viewing<'a> {
    pub(super) fn of(job: &'a Job<'_>) -> Viewing<'a> {
        let preset = &job.production.preset;
        Viewing {
            store: &job.dataset.store,
            augment: &preset.augment,
            crops: preset.evaluation,
            batch: preset.embedding_batch,
            policy: job.production.policy,
        }
    }
}

/// Embeds images of the store: the mean over the fixed crops of each.
pub(super) fn images(
    viewing: &Viewing<'_>,
    model: &Model,
    images: &[u32],
    progress: &dyn Progress,
) -> Result<Made, Error> {
    let source = StoreImages::new(viewing.store, images, viewing.augment, viewing.crops, viewing.policy)?;
    let views = source.views();
    let ids: Vec<ImageId> = (0..(images.len() * views) as u32).map(ImageId).collect();
    let (total, mut done, start) = (ids.len(), 0, Instant::now());
    let tick = |count: usize| {
        done += count;
        progress.tick(done, total);
        progress
            .detail(&format!("{:.0} images/s", done as f64 / views as f64 / start.elapsed().as_secs_f64().max(1e-9)));
    };
    let (precision, pace) = (bench_nn::Precision::F32, Pace::default());
    let made = embed_images(model, &source, &ids, |_| View::Evaluation, viewing.batch, precision, &pace, tick)
        .map_err(failed("embed images"))?;
    // An image counts if every crop of it could be read; they come one behind the other.
    let crops: Vec<usize> = made.images.iter().map(|id| id.0 as usize).collect();
    let (mut rows, mut at, mut first) = (vec![], vec![], 0);
    for run in crops.chunk_by(|a, b| a / views == b / views) {
        if run.len() == views {
            rows.push(run[0] / views);
            at.push(first);
        }
        first += run.len();
    }
    let mean = |matrix: &Matrix| {
        let cols = matrix.cols();
        let mut values = Vec::with_capacity(at.len() * cols);
        for &first in &at {
            let sum = |c: usize| (first..first + views).map(|row| f64::from(matrix.row(row)[c])).sum::<f64>();
            values.extend((0..cols).map(|c| (sum(c) / views as f64) as f32));
        }
        Matrix::new(at.len(), cols, values)
    };
    let (projection, backbone) =
        if views == 1 { (made.projection, made.backbone) } else { (mean(&made.projection), mean(&made.backbone)) };
    let kept = rows.iter().map(|&row| images[row]).collect();
    Ok(Made { rows, images: kept, projection, backbone, left_out: source.failed() })
}

/// The scored images and their embeddings.
fn scored(job: &Job<'_>, model: &Model, progress: &dyn Progress) -> Result<Made, Error> {
    let positions = job.dataset.on(&job.production.preset.plates.score);
    let made = images(&Viewing::of(job), model, &positions, progress)?;
    if made.images.is_empty() {
        return Err(Error::Nothing {
            message: format!("none of the {} images to score could be read", positions.len()),
            hint: made.left_out.first_key_value().map_or_else(String::new, |(name, why)| format!("{name}: {why}")),
        });
    }
    Ok(made)
}

/// Simple statistics of every scored image.
fn simple(job: &Job<'_>, progress: &dyn Progress) -> Result<(Vec<u32>, Matrix, LeftOut), Error> {
    let images = job.dataset.on(&job.production.preset.plates.score);
    statistics(&job.dataset.store, &images, progress)
}

/// Simple statistics of images of the store.
pub(super) fn statistics(
    store: &ImageStore,
    images: &[u32],
    progress: &dyn Progress,
) -> Result<(Vec<u32>, Matrix, LeftOut), Error> {
    let smallest = 12;
    let done = std::sync::atomic::AtomicUsize::new(0);
    let measured: Vec<Result<Vec<f32>, String>> = images
        .par_iter()
        .map(|&image| {
            let row = store.load(image as usize).map(|image| features::measure(FeatureSet::Simple, &image, smallest));
            progress.tick(1 + done.fetch_add(1, std::sync::atomic::Ordering::Relaxed), images.len());
            row.map_err(|error| error.to_string())
        })
        .collect();
    let (mut kept, mut values, mut columns, mut left_out) = (vec![], vec![], 0, LeftOut::new());
    for (&image, row) in images.iter().zip(measured) {
        match row {
            Ok(row) => {
                columns = row.len();
                values.extend(row);
                kept.push(image);
            }
            Err(reason) => {
                left_out.insert(store.ids()[image as usize].to_string(), reason);
            }
        }
    }
    if kept.is_empty() {
        return Err(Error::Nothing {
            message: format!("none of the {} images to score could be read", images.len()),
            hint: left_out.first_key_value().map_or_else(String::new, |(name, why)| format!("{name}: {why}")),
        });
    }
    let rows = kept.len();
    Ok((kept, Matrix::new(rows, columns, values), left_out))
}

/// Writes embeddings with the metadata of their images.
pub(super) fn write(dataset: &Dataset, images: &[u32], matrix: &Matrix, path: &Path) -> Result<(), Error> {
    let ids = || images.iter().map(|&image| &dataset.store.ids()[image as usize]);
    let fields: Vec<Field> =
        images.iter().map(|&i| dataset.fields[i as usize].as_deref().cloned().unwrap_or_default()).collect();
    let text = |name: &str, values: Vec<String>| Column::new(name, ColumnValues::Text(values));
    let mut columns = vec![
        text("Metadata_Source", ids().map(|id| id.source.clone()).collect()),
        text("Metadata_Batch", ids().map(|id| id.batch.clone()).collect()),
        text("Metadata_Plate", ids().map(|id| id.plate.clone()).collect()),
        text("Metadata_Well", ids().map(|id| id.well.clone()).collect()),
        text("Metadata_Site", ids().map(|id| id.site.clone()).collect()),
        text("Metadata_InChIKey", fields.iter().map(|field| field.compound.clone()).collect()),
        text("Metadata_pert_type", fields.iter().map(|field| field.pert_type.clone()).collect()),
        text("target", fields.iter().map(|field| field.target.clone()).collect()),
    ];
    // Columns that only some data sets have.
    let lists: Vec<String> = fields.iter().map(|field| field.target_list.clone()).collect();
    let joined: Vec<String> = fields.iter().map(|field| field.target_reference_join.clone()).collect();
    for (name, values) in [("target_list", lists), ("target_reference_join", joined)] {
        if values.iter().any(|value| !value.is_empty()) {
            columns.push(text(name, values));
        }
    }
    let rows: Vec<usize> = (0..matrix.rows()).collect();
    table(path, columns, matrix, &rows)
}

/// Writes some rows of a matrix as columns `emb_0`, `emb_1`, ... behind columns that say what they are.
pub(super) fn table(path: &Path, mut columns: Vec<Column>, matrix: &Matrix, rows: &[usize]) -> Result<(), Error> {
    for column in 0..matrix.cols() {
        let values = rows.iter().map(|&row| matrix.row(row)[column]).collect();
        columns.push(Column::new(format!("emb_{column}"), ColumnValues::F32(values)));
    }
    write_parquet(path, &columns)
        .map_err(|source| Error::WriteTable { path: path.to_owned(), source: Box::new(source) })
}
