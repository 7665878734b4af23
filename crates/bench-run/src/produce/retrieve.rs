//! Retrieval between images and molecules of compounds that were held out of training.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bench_core::Matrix;
use bench_core::record::RetrievalRow;
use bench_data::{Column, ColumnValues};
use bench_eval::retrieval::{self, Images, Molecules, Plan, evaluate};
use bench_train::ImageId;
use bench_train::embed::embed_molecules;
use serde_json::json;

use super::train::{Job, Trained, read_left_out, write_left_out};
use super::{Place, embed, failed};
use crate::outputs::slug;
use crate::retrieve::{queries_name, row};
use crate::{Error, Progress};

/// Keys of the held-out compounds and of their images, the same for all models.
struct HeldOut {
    compounds: Vec<String>,
    identities: Vec<String>,
    numbers: Vec<u32>,
    images: Vec<ImageId>,
    shown: Vec<String>,
    ids: Vec<String>,
}

impl HeldOut {
    fn of(job: &Job<'_>) -> HeldOut {
        let catalogue = &job.training.catalogue;
        let mut held = HeldOut {
            compounds: vec![],
            identities: vec![],
            numbers: vec![],
            images: vec![],
            shown: vec![],
            ids: vec![],
        };
        for key in &job.split.retrieval {
            let Some(number) = catalogue.find(key) else { continue };
            let compound = catalogue.compound(number);
            held.compounds.push(key.clone());
            held.identities.push(compound.identity.clone());
            held.numbers.push(number);
            for &image in compound.images() {
                held.images.push(image);
                held.shown.push(key.clone());
                held.ids.push(catalogue.origin(image).to_string());
            }
        }
        held
    }
}

/// What retrieval with one model gives.
pub(super) struct Retrieved {
    pub(super) rows: Vec<RetrievalRow>,
    /// Files of the run: path within its folder, and where they are.
    pub(super) files: Vec<(String, PathBuf)>,
}

/// Where the retrieval of a training lies in the cache.
pub(super) fn place(job: &Job<'_>, name: &str, training: &str) -> Place {
    let preset = &job.production.preset;
    let settings = json!({ "tasks": preset.retrieval, "crop": preset.augment.crop, "evaluation": preset.evaluation });
    let mut words = settings.clone();
    words["training"] = training.into();
    Place::of(job.production, "retrieval", &[training, &settings.to_string(), name], words)
}

/// Scores one model on every retrieval task of the preset, and keeps embeddings and every query, so
/// that anyone can score again. Says whether all of it was there.
pub(super) fn model(
    job: &Job<'_>,
    name: &str,
    trained: &Trained,
    progress: &dyn Progress,
) -> Result<(Retrieved, bool), Error> {
    let preset = &job.production.preset;
    let place = place(job, name, &trained.digest);
    let folder = &place.folder;
    let file = folder.join(SCORES);
    let rows = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let there = rows.is_some();
    if there {
        job.leave_out(&read_left_out(folder), progress)?;
    }
    let rows = match rows {
        Some(rows) => rows,
        None => {
            place.make()?;
            score(job, name, trained, folder, progress)?
        }
    };
    // Written last: with it, everything is there.
    if !there {
        let bytes = serde_json::to_vec(&rows).map_err(failed("keep the retrieval scores"))?;
        bench_core::atomic::write(&file, &bytes).map_err(|source| Error::Write { path: file, source })?;
    }
    let tasks = preset.retrieval.iter().map(queries_name);
    let kept = tasks.chain([IMAGES.to_owned(), MOLECULES.to_owned()]);
    let files = kept.map(|file| (format!("retrieval/{}/{file}", slug(name)), folder.join(file))).collect();
    Ok((Retrieved { rows, files }, there))
}

/// The scores; where they are, everything is.
pub(super) const SCORES: &str = "retrieval.json";
const IMAGES: &str = "images.parquet";
const MOLECULES: &str = "molecules.parquet";

fn score(
    job: &Job<'_>,
    name: &str,
    trained: &Trained,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<Vec<RetrievalRow>, Error> {
    let preset = &job.production.preset;
    let held = HeldOut::of(job);
    let positions: Vec<u32> = held.images.iter().map(|image| job.training.images[image.0 as usize]).collect();
    let made = embed::images(&embed::Viewing::of(job), &trained.model, &positions, progress)?;
    write_left_out(folder, &made.left_out)?;
    job.leave_out(&made.left_out, progress)?;
    let structures: Vec<_> = held.numbers.iter().map(|&n| &job.training.catalogue.compound(n).structure).collect();
    let molecules =
        embed_molecules(&trained.model, &structures, preset.embedding_batch).map_err(failed("embed molecules"))?;
    let shown: Vec<String> = made.rows.iter().map(|&i| held.shown[i].clone()).collect();
    let ids: Vec<String> = made.rows.iter().map(|&i| held.ids[i].clone()).collect();
    let images = Images { compounds: &shown, ids: &ids, matrix: &made.projection };
    let molecule_side = Molecules { keys: &held.compounds, identities: Some(&held.identities), matrix: &molecules };
    let (mut rows, mut drawn) = (vec![], BTreeSet::new());
    for settings in &preset.retrieval {
        let plan = Plan::new(&molecule_side, &images, Some(&held.compounds), settings)?;
        let result = evaluate(name, &plan, &molecule_side, &images, settings)?;
        rows.extend(result.summaries.iter().map(row));
        let path = folder.join(queries_name(settings));
        bench_core::atomic::write(&path, result.queries_csv(&plan).as_bytes())
            .map_err(|source| Error::Write { path, source })?;
        let images = plan.draws.iter().flatten().flatten().map(|&image| plan.images[image as usize].id.clone());
        drawn.extend(images);
    }
    let used: Vec<usize> = (0..ids.len()).filter(|&row| drawn.contains(&ids[row])).collect();
    let text = |name: &str, values: Vec<String>| Column::new(name, ColumnValues::Text(values));
    let pick = |values: &[String]| used.iter().map(|&row| values[row].clone()).collect();
    let columns = vec![text("Metadata_InChIKey", pick(&shown)), text("Metadata_Image", pick(&ids))];
    embed::table(&folder.join(IMAGES), columns, &made.projection, &used)?;
    let smiles = structures.iter().map(|structure| structure.text.clone()).collect();
    let columns = vec![
        text("Metadata_InChIKey", held.compounds.clone()),
        text("Metadata_identity", held.identities.clone()),
        text("Metadata_structure", smiles),
    ];
    embed::table(&folder.join(MOLECULES), columns, &molecules, &(0..molecules.rows()).collect::<Vec<_>>())?;
    Ok(rows)
}

/// The closed forms of a random ranking on the same tasks.
pub(super) fn random(job: &Job<'_>) -> Result<Vec<RetrievalRow>, Error> {
    let held = HeldOut::of(job);
    // Plans and closed forms look at keys alone; any embedding serves.
    let blank = |rows: usize| Matrix::new(rows, 1, vec![1.0; rows]);
    let (molecule, image) = (blank(held.compounds.len()), blank(held.images.len()));
    let molecules = Molecules { keys: &held.compounds, identities: Some(&held.identities), matrix: &molecule };
    let images = Images { compounds: &held.shown, ids: &held.ids, matrix: &image };
    let mut rows = vec![];
    for settings in &job.production.preset.retrieval {
        let plan = Plan::new(&molecules, &images, Some(&held.compounds), settings)?;
        let result = evaluate(retrieval::RANDOM, &plan, &molecules, &images, settings)?;
        rows.extend(result.baseline.iter().map(row));
    }
    Ok(rows)
}
