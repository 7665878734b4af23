//! Retrieval between images and molecules of compounds that were held out of training.

use bench_core::Matrix;
use bench_core::record::RetrievalRow;
use bench_eval::retrieval::{self, Images, Molecules, Plan, RetrievalSummary, evaluate};
use bench_train::embed::{embed_images, embed_molecules};
use bench_train::{ImageId, Pace, View};

use super::source::StoreImages;
use super::train::{Job, Trained};
use super::{failed, place};
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

/// Scores one model on every retrieval task of the preset.
pub(super) fn model(
    job: &Job<'_>,
    name: &str,
    trained: &Trained,
    progress: &dyn Progress,
) -> Result<(Vec<RetrievalRow>, bool), Error> {
    let preset = &job.production.preset;
    let settings = serde_json::json!({ "tasks": preset.retrieval, "crop": preset.augment.crop });
    let (folder, _) = place(job.production, "retrieval", &[&trained.digest, &settings.to_string(), name]);
    let file = folder.join("retrieval.json");
    if let Some(rows) = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        return Ok((rows, true));
    }
    let held = HeldOut::of(job);
    let source = StoreImages::new(&job.dataset.store, &job.training.images, &preset.augment)?;
    let (total, mut done) = (held.images.len(), 0);
    let tick = |count: usize| {
        done += count;
        progress.tick(done, total);
    };
    let made = embed_images(
        &trained.model,
        &source,
        &held.images,
        |_| View::Evaluation,
        preset.embedding_batch,
        bench_nn::Precision::F32,
        &Pace::default(),
        tick,
    )
    .map_err(failed("embed images"))?;
    let unread = made.failed.iter().map(|(image, reason)| (job.training.images[image.0 as usize], reason.as_str()));
    job.leave_out(unread, progress)?;
    let structures: Vec<_> = held.numbers.iter().map(|&n| &job.training.catalogue.compound(n).structure).collect();
    let molecules =
        embed_molecules(&trained.model, &structures, preset.embedding_batch).map_err(failed("embed molecules"))?;
    let loaded: std::collections::BTreeSet<ImageId> = made.images.iter().copied().collect();
    let kept = || held.images.iter().enumerate().filter(|(_, image)| loaded.contains(image)).map(|(i, _)| i);
    let shown: Vec<String> = kept().map(|i| held.shown[i].clone()).collect();
    let ids: Vec<String> = kept().map(|i| held.ids[i].clone()).collect();
    let rows = tasks(job, name, &held, &molecules, &shown, &ids, &made.projection)?;
    let bytes = serde_json::to_vec(&rows).map_err(failed("keep the retrieval scores"))?;
    bench_core::atomic::write(&file, &bytes).map_err(|source| Error::Write { path: file, source })?;
    Ok((rows, false))
}

fn tasks(
    job: &Job<'_>,
    name: &str,
    held: &HeldOut,
    molecules: &Matrix,
    shown: &[String],
    ids: &[String],
    images: &Matrix,
) -> Result<Vec<RetrievalRow>, Error> {
    let molecules = Molecules { keys: &held.compounds, identities: Some(&held.identities), matrix: molecules };
    let images = Images { compounds: shown, ids, matrix: images };
    let mut rows = vec![];
    for settings in &job.production.preset.retrieval {
        let plan = Plan::new(&molecules, &images, Some(&held.compounds), settings)?;
        let result = evaluate(name, &plan, &molecules, &images, settings)?;
        rows.extend(result.summaries.iter().map(row));
    }
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

fn row(summary: &RetrievalSummary) -> RetrievalRow {
    RetrievalRow {
        model: summary.model.clone(),
        protocol: summary.protocol.id().to_owned(),
        direction: summary.direction.id().to_owned(),
        gallery: summary.gallery as u64,
        metric: summary.metric.clone(),
        value: summary.value,
        chance: summary.chance,
        corrected: summary.corrected,
        sd_galleries: summary.sd_galleries,
        sd_draws: summary.sd_draws,
        interval: summary.bca.or(summary.percentile),
        compounds: summary.compounds as u64,
        galleries: summary.galleries as u64,
        draws: summary.draws as u64,
        reason: summary.reason.clone(),
    }
}
