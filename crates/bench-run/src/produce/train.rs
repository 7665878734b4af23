//! Trains one model of a preset, or takes it from the cache.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use bench_core::Seed;
use bench_core::record::{Epoch, TrainingInfo};
use bench_eval::retrieval::compound_split::{CompoundSplit, split_random, split_scaffold};
use bench_images::augment::EvaluationCrops;
use bench_models::{Model, ModelConfig, MoleculeEncoderConfig};
use bench_train::observer::{EpochRecord, Observer, StepReport};
use bench_train::{Catalogue, DType, Device, Ending, Pace, TrainConfig, Training, load_weights};
use serde_json::json;

use super::dataset::{Dataset, TrainingSet};
use super::preset::{CompoundSplitKind, Method, Preset};
use super::source::StoreImages;
use super::{Place, Policy, Production, failed};
use crate::{Error, Progress};

/// Lists the unreadable images beside what was made without them.
const LEFT_OUT: &str = "left-out.json";

/// Seed of the compound split in the reference code.
const SPLIT_SEED: u64 = 42;

/// What all models share.
pub(super) struct Job<'a> {
    pub(super) production: &'a Production,
    pub(super) dataset: &'a Dataset,
    pub(super) training: &'a TrainingSet,
    pub(super) split: &'a CompoundSplit,
    pub(super) device: &'a Device,
    pub(super) left_out: Mutex<LeftOut>,
}

/// Images that could not be read, by name, and why.
pub(super) type LeftOut = BTreeMap<String, String>;

impl Job<'_> {
    /// Notes images that could not be read, or stops at the first, as was asked for.
    pub(super) fn leave_out(&self, images: &LeftOut, progress: &dyn Progress) -> Result<(), Error> {
        for (image, reason) in images {
            if self.production.policy == Policy::Error {
                return Err(Error::Unreadable { image: image.clone(), reason: reason.clone() });
            }
            let known = self.left_out.lock().is_ok_and(|mut all| all.insert(image.clone(), reason.clone()).is_some());
            if !known {
                progress.note(&format!("left out {image}: {reason}"));
            }
        }
        Ok(())
    }
}

/// Reads the list of what was left out beside something that lies in the cache.
pub(super) fn read_left_out(folder: &Path) -> LeftOut {
    let read = || serde_json::from_slice(&std::fs::read(folder.join(LEFT_OUT)).ok()?).ok();
    read().unwrap_or_default()
}

/// Writes that list.
pub(super) fn write_left_out(folder: &Path, images: &LeftOut) -> Result<(), Error> {
    let path = folder.join(LEFT_OUT);
    let bytes = serde_json::to_vec(images).map_err(failed("list unreadable images"))?;
    bench_core::atomic::write(&path, &bytes).map_err(|source| Error::Write { path, source })
}

/// A trained model with the weights of its best epoch.
pub(super) struct Trained {
    pub(super) model: Model,
    pub(super) info: TrainingInfo,
    /// Names what decided the weights.
    pub(super) digest: String,
    /// Checkpoint that holds them.
    pub(super) weights: PathBuf,
}

/// Name, method and training seed of every training of a preset.
pub(super) fn named(preset: &Preset) -> impl Iterator<Item = (String, &Method, u64)> {
    preset.models.iter().flat_map(|method| {
        preset.seeds.iter().enumerate().map(move |(i, &seed)| {
            let name = if i == 0 { method.id.clone() } else { format!("{}-seed{}", method.id, i + 1) };
            (name, method, seed)
        })
    })
}

/// Names of all trainings.
pub(super) fn names(preset: &Preset) -> Vec<String> {
    named(preset).map(|(name, _, _)| name).collect()
}

/// Whether the molecule tower reads fingerprints.
pub(super) fn reads_fingerprints(model: &ModelConfig) -> bool {
    matches!(model.molecule, MoleculeEncoderConfig::Fingerprint(_))
}

/// Holds compounds out of training.
pub(super) fn split(preset: &Preset, catalogue: &Catalogue) -> Result<CompoundSplit, Error> {
    let settings = &preset.compounds;
    let (sizes, seed) = (settings.sizes.unwrap_or_default(), Seed(settings.seed.unwrap_or(SPLIT_SEED)));
    let keys: Vec<String> = catalogue.compounds().iter().map(|compound| compound.key.clone()).collect();
    Ok(match settings.split {
        CompoundSplitKind::Random => split_random(&keys, sizes, seed)?,
        CompoundSplitKind::Scaffold => {
            let scaffold = |text: &str| {
                bench_chem::Molecule::from_smiles(text, bench_chem::Sanitisation::default())
                    .and_then(|molecule| molecule.scaffold())
                    .map_err(failed("find the scaffold of a compound"))
            };
            let scaffolds: Vec<String> =
                catalogue.compounds().iter().map(|c| scaffold(&c.structure.text)).collect::<Result<_, _>>()?;
            split_scaffold(&keys, &scaffolds, sizes, seed)?
        }
    })
}

/// Where a training lies in the cache.
pub(super) fn place(job: &Job<'_>, method: &Method, seed: u64) -> Place {
    let described = json!({ "model": method.model, "augment": job.production.preset.augment });
    let decided = json!({
        "described": described, "train": TrainConfig { seed, ..method.train.clone() }, "compounds": job.split,
        "pixels": job.dataset.digest, "catalogue": job.training.catalogue.digest(),
        "device": format!("{:?}", job.device.location()),
    });
    let mut words = decided.clone();
    // A list of a hundred thousand compounds says less than its digest.
    words["compounds"] = bench_core::digest::of_bytes(decided["compounds"].to_string().as_bytes()).into();
    Place::of(job.production, "models", &[&decided.to_string()], words)
}

/// Trains a model to its end, going on from its last checkpoint.
pub(super) fn train(
    job: &Job<'_>,
    name: &str,
    method: &Method,
    seed: u64,
    progress: &dyn Progress,
) -> Result<(Trained, bool), Error> {
    let preset = &job.production.preset;
    let catalogue = &job.training.catalogue;
    let config = TrainConfig { seed, ..method.train.clone() };
    let described = json!({ "model": method.model, "augment": preset.augment });
    let place = place(job, method, seed);
    place.make()?;
    let Place { folder, digest, .. } = place;
    let model = Model::new(&method.model, Seed(seed), DType::F32, job.device).map_err(failed("build the model"))?;
    let select = |keys: &[String]| catalogue.select(keys.iter().map(String::as_str)).0;
    let (train, validation) = (select(&job.split.train), select(&job.split.validation));
    let images = &job.training.images;
    let centre = EvaluationCrops::Centre;
    let source = StoreImages::new(&job.dataset.store, images, &preset.augment, centre, job.production.policy)?;
    let pace = Pace { checkpoint_steps: Some(200), ..Pace::default() };
    let training = Training {
        model: &model,
        catalogue,
        source: &source,
        train: &train,
        validation: &validation,
        config: &config,
        described: &described,
        pace: &pace,
        folder: &folder,
        peers: None,
    };
    let mut watch = Watch::new(progress, config.epochs);
    // A Ctrl-C ends the program at once, and the last checkpoint is what is gone on from; an image
    // that cannot be read ends the training after a step, unless such images may be skipped.
    let ending = training.run(&mut watch, source.stop()).map_err(failed("train a model"))?;
    let mut left_out = read_left_out(&folder);
    let before = left_out.len();
    left_out.extend(source.failed());
    if left_out.len() > before {
        write_left_out(&folder, &left_out)?;
    }
    job.leave_out(&left_out, progress)?;
    let Ending::Finished(summary) = ending else {
        return Err(Error::Usage { message: format!("the training of `{name}` was interrupted"), hint: None });
    };
    let weights = summary.best_path.as_ref().unwrap_or(&summary.last).clone();
    load_weights(&model.params, &weights).map_err(failed("load weights"))?;
    let skipped: usize = summary.history.iter().map(|epoch| epoch.skipped.len()).sum();
    if skipped > 0 {
        progress.note(&format!("{skipped} steps of `{name}` were skipped because they were not finite"));
    }
    let unreadable: u64 = summary.history.iter().map(|epoch| epoch.unreadable).sum();
    let lost: usize = summary.history.iter().map(|epoch| epoch.lost.len()).sum();
    if unreadable > 0 {
        progress.note(&format!(
            "in the training of `{name}` an image could not be read {unreadable} times; other images of the compound took \
             its place, or other compounds ({lost} times)"
        ));
    }
    let info = TrainingInfo {
        model: name.to_owned(),
        method: method.id.clone(),
        loss: method.model.loss.id().to_owned(),
        seed,
        parameters: model.params.trainable_count() as u64,
        compounds: train.len() as u64,
        validation_compounds: validation.len() as u64,
        images: train.iter().map(|&c| catalogue.compound(c).images().len() as u64).sum(),
        best_epoch: summary.best.map(|best| best.epoch as u32),
        stopped_early: summary.stopped_early,
        skipped_steps: skipped as u64,
        unreadable,
        history: summary.history.iter().map(epoch).collect(),
        device: device_name(job.device),
        digest: digest.clone(),
    };
    if let Some(rate) = watch.rate() {
        progress.note(&format!("`{name}` was trained on {rate:.0} images per second"));
    }
    Ok((Trained { model, info, digest, weights }, watch.images == 0))
}

fn epoch(record: &EpochRecord) -> Epoch {
    Epoch {
        epoch: record.epoch as u32,
        lr: record.lr,
        train_loss: record.train_loss,
        validation_loss: record.validation_loss,
        images: record.images,
    }
}

fn device_name(device: &Device) -> String {
    match device {
        Device::Cpu => "cpu".to_owned(),
        other => format!("{:?}", other.location()).to_lowercase(),
    }
}

/// Draws the progress of a training and counts its images per second.
struct Watch<'a> {
    progress: &'a dyn Progress,
    epochs: usize,
    start: Instant,
    images: u64,
}

impl<'a> Watch<'a> {
    fn new(progress: &'a dyn Progress, epochs: usize) -> Self {
        Watch { progress, epochs, start: Instant::now(), images: 0 }
    }

    /// Images per second, if any were trained on now.
    fn rate(&self) -> Option<f64> {
        (self.images > 0).then(|| self.images as f64 / self.start.elapsed().as_secs_f64().max(1e-9))
    }
}

impl Observer for Watch<'_> {
    fn step(&mut self, report: &StepReport) {
        self.images += report.images as u64;
        self.progress.tick(report.epoch * report.batches + report.batch + 1, self.epochs * report.batches);
        let loss = report.loss.map_or_else(|| "skipped".to_owned(), |loss| format!("loss {loss:.3}"));
        let rate = self.rate().unwrap_or_default();
        self.progress.detail(&format!("epoch {}/{}, {loss}, {rate:.0} images/s", report.epoch + 1, self.epochs));
    }
}
