//! One step at a time: training alone, embedding alone.
//!
//! A trained model is one file, `NAME.safetensors`: weights and, inside, what network they belong
//! to and how images are cropped for it. Whoever has the file can embed plates with it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bench_core::{Seed, atomic};
use bench_data::{Column, ColumnValues};
use bench_images::augment::{AugmentConfig, EvaluationCrops};
use bench_models::{Model, ModelConfig};
use bench_nn::DeviceChoice;
use bench_train::checkpoint::Checkpoint;
use bench_train::embed::embed_molecules;
use bench_train::{DType, Device, load_weights};
use serde::Deserialize;

use super::dataset::Dataset;
use super::fetch::Shard;
use super::preset::Baseline;
use super::train::{self, Job};
use super::{Policy, Production, Steps, embed, failed, make_folder, plates};
use crate::outputs::slug;
use crate::{Error, Progress};

/// A trained model as a file.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Name.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Epoch that the weights are of, counted from one, if any loss was finite.
    pub epoch: Option<u32>,
}

/// Trains the models of a preset and puts their weights into `out`, beside `compounds.csv` (which
/// compound was held out for what) and a history of losses per model.
///
/// # Errors
/// Data, configuration or output errors; a training goes on where it was when called again.
pub fn train(production: &Production, out: &Path, progress: &dyn Progress) -> Result<Vec<Weights>, Error> {
    let preset = &production.preset;
    let mut names = vec!["open plates".to_owned()];
    names.extend(train::names(preset).iter().map(|name| format!("train {name}")));
    let mut steps = Steps { total: names.len(), names, progress, done: vec![] };
    let selected = production.device.select().map_err(failed("select a device"))?;
    if let Some(notice) = &selected.notice {
        progress.note(notice);
    }
    make_folder(out)?;
    let (dataset, training) = steps.run(|| {
        let (folder, there) = plates(production, progress)?;
        let dataset = Dataset::open(&folder, production.policy, progress)?;
        let fingerprints = preset.models.iter().any(|method| train::reads_fingerprints(&method.model));
        let training = dataset.training(&preset.plates, fingerprints, progress)?;
        Ok(((dataset, training), there))
    })?;
    let split = train::split(preset, &training.catalogue)?;
    let mut roles = "Metadata_InChIKey,role\n".to_owned();
    let parts = [
        ("train", &split.train),
        ("validation", &split.validation),
        ("retrieval", &split.retrieval),
        ("test", &split.test),
    ];
    for (role, keys) in parts {
        keys.iter().for_each(|key| roles.push_str(&format!("{},{role}\n", quoted(key))));
    }
    put(&out.join("compounds.csv"), roles.as_bytes())?;
    let job = Job {
        production,
        dataset: &dataset,
        training: &training,
        split: &split,
        device: &selected.device,
        left_out: std::sync::Mutex::default(),
    };
    let mut made = vec![];
    for (name, method, seed) in train::named(preset) {
        let trained = steps.run(|| train::train(&job, &name, method, seed, progress))?;
        let path = out.join(format!("{}.safetensors", slug(&name)));
        let bytes =
            std::fs::read(&trained.weights).map_err(|source| Error::Input { path: trained.weights.clone(), source })?;
        put(&path, &bytes)?;
        let mut history = "epoch,lr,train_loss,validation_loss,images\n".to_owned();
        let cell = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        for e in &trained.info.history {
            let (train, validation) = (cell(e.train_loss), cell(e.validation_loss));
            history.push_str(&format!("{},{},{train},{validation},{}\n", e.epoch + 1, e.lr, e.images));
        }
        put(&out.join(format!("{}.history.csv", slug(&name))), history.as_bytes())?;
        made.push(Weights { name, path, epoch: trained.info.best_epoch.map(|epoch| epoch + 1) });
    }
    Ok(made)
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    atomic::write(path, bytes).map_err(|source| Error::Write { path: path.to_owned(), source })
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// What embeds.
#[derive(Clone, Debug)]
pub enum Network {
    /// Weights that [`train()`] wrote.
    Weights(PathBuf),
    /// No network: statistics of the images.
    SimpleFeatures,
}

/// Plates to embed.
#[derive(Clone, Debug)]
pub struct EmbedRequest {
    /// With what.
    pub network: Network,
    /// Name in file names and tables.
    pub name: String,
    /// Folder of plates.
    pub data: PathBuf,
    /// Only plates of these types; all if empty.
    pub plate_types: Vec<String>,
    /// Which part of these plates.
    pub shard: Shard,
    /// Fixed crops; the mean of their embeddings counts.
    pub crops: EvaluationCrops,
    /// Crops per minibatch.
    pub batch: usize,
    /// Where to compute.
    pub device: DeviceChoice,
    /// What to do with an image that cannot be read.
    pub policy: Policy,
    /// Folder for the tables.
    pub out: PathBuf,
}

/// What a checkpoint says of its model.
#[derive(Deserialize)]
struct Described {
    model: ModelConfig,
    augment: AugmentConfig,
}

/// Embeds plates: `NAME.parquet` (output of the head), `NAME-backbone.parquet` (features of the
/// encoder) and, for the compounds of these plates, `NAME-molecules.parquet`. Returns the tables.
///
/// # Errors
/// The weights, the plates or the output cannot be used; no image could be read.
pub fn embed(request: &EmbedRequest, progress: &dyn Progress) -> Result<Vec<PathBuf>, Error> {
    let names = ["open plates", "embed images"].map(str::to_owned).to_vec();
    let mut steps = Steps { total: names.len(), names, progress, done: vec![] };
    make_folder(&request.out)?;
    let dataset = steps.run(|| Ok((Dataset::open(&request.data, request.policy, progress)?, false)))?;
    let images: Vec<u32> = if request.plate_types.is_empty() {
        (0..dataset.fields.len() as u32).filter(|&image| dataset.fields[image as usize].is_some()).collect()
    } else {
        dataset.on(&request.plate_types)
    };
    if images.is_empty() {
        return Err(Error::Nothing {
            message: format!("no image on plates of type {}", request.plate_types.join(", ")),
            hint: "see `Metadata_PlateType` in the table of the plates".into(),
        });
    }
    let all = images.clone();
    let images = part(&dataset, images, request.shard)?;
    let path = |ending: &str| request.out.join(format!("{}{ending}.parquet", slug(&request.name)));
    match &request.network {
        Network::SimpleFeatures => {
            let (kept, matrix, left_out) =
                steps.run(|| Ok((embed::statistics(&dataset.store, &images, progress)?, false)))?;
            tell(&left_out, request.policy, progress)?;
            embed::write(&dataset, &kept, &matrix, &path(""))?;
            Ok(vec![path("")])
        }
        Network::Weights(weights) => {
            let selected = request.device.select().map_err(failed("select a device"))?;
            if let Some(notice) = &selected.notice {
                progress.note(notice);
            }
            let (model, augment) = load(weights, &selected.device)?;
            let viewing = embed::Viewing {
                store: &dataset.store,
                augment: &augment,
                crops: request.crops,
                batch: request.batch,
                policy: request.policy,
            };
            let made = steps.run(|| Ok((embed::images(&viewing, &model, &images, progress)?, false)))?;
            tell(&made.left_out, request.policy, progress)?;
            embed::write(&dataset, &made.images, &made.projection, &path(""))?;
            embed::write(&dataset, &made.images, &made.backbone, &path(embed::BACKBONE))?;
            // Every part has the molecules of all plates, and they are the same.
            molecules(&dataset, &all, &model, request.batch, &path("-molecules"), progress)?;
            Ok(vec![path(""), path(embed::BACKBONE), path("-molecules")])
        }
    }
}

/// The images on a part of the plates.
fn part(dataset: &Dataset, images: Vec<u32>, shard: Shard) -> Result<Vec<u32>, Error> {
    let plate = |image: &u32| dataset.store.ids()[*image as usize].plate_key();
    let plates: BTreeSet<String> = images.iter().map(plate).collect();
    let chosen: BTreeSet<String> = shard.of(plates.into_iter().collect::<Vec<_>>()).into_iter().collect();
    if chosen.is_empty() {
        return Err(Error::Nothing {
            message: format!("part {} of {} holds no plate", shard.index, shard.of),
            hint: "there are fewer plates than parts".into(),
        });
    }
    Ok(images.into_iter().filter(|image| chosen.contains(&plate(image))).collect())
}

fn tell(left_out: &train::LeftOut, policy: Policy, progress: &dyn Progress) -> Result<(), Error> {
    for (image, reason) in left_out {
        if policy == Policy::Error {
            return Err(Error::Unreadable { image: image.clone(), reason: reason.clone() });
        }
        progress.note(&format!("left out {image}: {reason}"));
    }
    Ok(())
}

/// A model with its weights, and how images are cropped for it.
fn load(path: &Path, device: &Device) -> Result<(Model, AugmentConfig), Error> {
    let checkpoint = Checkpoint::read(path).map_err(failed("read the weights"))?;
    let described = checkpoint.state["identity"]["described"].clone();
    let described: Described =
        serde_json::from_value(described).map_err(failed("understand what the weights are of"))?;
    let model =
        Model::new(&described.model, Seed(0), DType::F32, device).map_err(failed("build the model of the weights"))?;
    load_weights(&model.params, path).map_err(failed("load weights"))?;
    Ok((model, described.augment))
}

/// Embeds the compounds of these images whose structure can be read.
fn molecules(
    dataset: &Dataset,
    images: &[u32],
    model: &Model,
    batch: usize,
    path: &Path,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let catalogue = dataset.catalogue(images, train::reads_fingerprints(&model.config), progress)?;
    let compounds = catalogue.compounds();
    let structures: Vec<_> = compounds.iter().map(|compound| &compound.structure).collect();
    let matrix = embed_molecules(model, &structures, batch).map_err(failed("embed molecules"))?;
    let text = |name: &str, values: Vec<String>| Column::new(name, ColumnValues::Text(values));
    let columns = vec![
        text("Metadata_InChIKey", compounds.iter().map(|c| c.key.clone()).collect()),
        text("Metadata_identity", compounds.iter().map(|c| c.identity.clone()).collect()),
        text("Metadata_structure", compounds.iter().map(|c| c.structure.text.clone()).collect()),
    ];
    embed::table(path, columns, &matrix, &(0..matrix.rows()).collect::<Vec<_>>())
}

impl Network {
    /// `simple-features`, or a file of weights.
    pub fn parse(text: &str) -> Network {
        if text == embed::name(Baseline::SimpleFeatures) {
            return Network::SimpleFeatures;
        }
        Network::Weights(text.into())
    }
}
