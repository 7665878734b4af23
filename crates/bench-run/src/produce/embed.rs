//! Embeds the scored plates: tables as people bring them, one row per field of view.

use std::path::Path;

use bench_core::{Matrix, Seed};
use bench_data::{Column, ColumnValues, write_parquet};
use bench_images::features::{self, FeatureSet};
use bench_models::Model;
use bench_train::embed::embed_images;
use bench_train::{DType, ImageId, Pace, View};
use rayon::prelude::*;

use super::preset::Baseline;
use super::source::StoreImages;
use super::train::{Job, Trained};
use super::{failed, make_folder, place};
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

/// Embeds the scored plates with a trained model: the head's output and, beside it, the encoder's.
pub(super) fn model(
    job: &Job<'_>,
    name: &str,
    trained: &Trained,
    progress: &dyn Progress,
) -> Result<(Vec<Embedding>, bool), Error> {
    let preset = &job.production.preset;
    let how = format!("{:?} {} {:?}", preset.evaluation, preset.augment.crop, preset.plates.score);
    let (folder, _) = place(job.production, "embeddings", &[&trained.digest, &how]);
    let names = [name.to_owned(), format!("{name}{BACKBONE}")];
    let paths = names.clone().map(|name| folder.join(format!("{name}.parquet")));
    let there = paths.iter().all(|path| path.is_file());
    if !there {
        make_folder(&folder)?;
        let (images, projection, backbone) = scored(job, &trained.model, progress)?;
        write(job, &images, &projection, &paths[0])?;
        write(job, &images, &backbone, &paths[1])?;
    }
    Ok((names.into_iter().zip(paths).map(|(name, path)| Embedding { name, path }).collect(), there))
}

/// Embeds the scored plates without any training.
pub(super) fn baseline(job: &Job<'_>, baseline: Baseline, progress: &dyn Progress) -> Result<(Embedding, bool), Error> {
    let preset = &job.production.preset;
    let decided = serde_json::json!({
        "model": preset.models[0].model, "crop": preset.augment.crop, "plates": preset.plates.score,
        "pixels": job.dataset.digest, "seed": preset.seeds[0],
    });
    let (folder, _) = place(job.production, "embeddings", &[name(baseline), &decided.to_string()]);
    let path = folder.join(format!("{}.parquet", name(baseline)));
    let there = path.is_file();
    if !there {
        make_folder(&folder)?;
        let (images, matrix) = match baseline {
            Baseline::RandomInit => {
                let config = &preset.models[0].model;
                let seed = Seed(preset.seeds[0]).derive("random-init", 0);
                let model = Model::new(config, seed, DType::F32, job.device).map_err(failed("build the model"))?;
                // Running statistics of a network that never saw an image are those of no image;
                // the encoder is read before its head, whose normalisation-free layers only mix it.
                let (images, _, backbone) = scored(job, &model, progress)?;
                (images, backbone)
            }
            Baseline::SimpleFeatures => simple(job, progress)?,
        };
        write(job, &images, &matrix, &path)?;
    }
    Ok((Embedding { name: name(baseline).to_owned(), path }, there))
}

/// Store positions of the scored images that could be loaded, and their embeddings.
fn scored(job: &Job<'_>, model: &Model, progress: &dyn Progress) -> Result<(Vec<u32>, Matrix, Matrix), Error> {
    let preset = &job.production.preset;
    let images = job.dataset.on(&preset.plates.score);
    let source = StoreImages::new(&job.dataset.store, &images, &preset.augment)?;
    let ids: Vec<ImageId> = (0..images.len() as u32).map(ImageId).collect();
    let (total, mut done) = (ids.len(), 0);
    let tick = |count: usize| {
        done += count;
        progress.tick(done, total);
    };
    let precision = bench_nn::Precision::F32;
    let batch = preset.embedding_batch;
    let made = embed_images(model, &source, &ids, |_| View::Evaluation, batch, precision, &Pace::default(), tick)
        .map_err(failed("embed images"))?;
    let failed = made.failed.iter().map(|(image, reason)| (images[image.0 as usize], reason.as_str()));
    job.leave_out(failed, progress)?;
    if made.images.is_empty() {
        return Err(Error::Nothing {
            message: format!("none of the {total} images to score could be read"),
            hint: "the first reasons are listed above".into(),
        });
    }
    let kept = made.images.iter().map(|image| images[image.0 as usize]).collect();
    Ok((kept, made.projection, made.backbone))
}

/// Simple statistics of every scored image.
fn simple(job: &Job<'_>, progress: &dyn Progress) -> Result<(Vec<u32>, Matrix), Error> {
    let store = &job.dataset.store;
    let images = job.dataset.on(&job.production.preset.plates.score);
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
    let failed = images.iter().zip(&measured).filter_map(|(&image, row)| Some((image, row.as_ref().err()?.as_str())));
    job.leave_out(failed, progress)?;
    let (mut kept, mut values, mut columns) = (vec![], vec![], 0);
    for (&image, row) in images.iter().zip(&measured) {
        if let Ok(row) = row {
            columns = row.len();
            values.extend_from_slice(row);
            kept.push(image);
        }
    }
    let rows = kept.len();
    Ok((kept, Matrix::new(rows, columns, values)))
}

/// Writes embeddings with the metadata of their images.
fn write(job: &Job<'_>, images: &[u32], matrix: &Matrix, path: &Path) -> Result<(), Error> {
    let store = &job.dataset.store;
    let ids = || images.iter().map(|&image| &store.ids()[image as usize]);
    let fields: Vec<_> = images.iter().map(|&i| job.dataset.fields[i as usize].clone().unwrap_or_default()).collect();
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
    for column in 0..matrix.cols() {
        let values = (0..matrix.rows()).map(|row| matrix.row(row)[column]).collect();
        columns.push(Column::new(format!("emb_{column}"), ColumnValues::F32(values)));
    }
    write_parquet(path, &columns)
        .map_err(|source| Error::WriteTable { path: path.to_owned(), source: Box::new(source) })
}
