//! From plates to embeddings: simulate or open, train, embed, retrieve.
//!
//! What comes out is what [`run`](mod@crate::run) scores: one embedding table per model, beside
//! the retrieval scores and the training histories that the report shows.
//!
//! # Cache
//! Plates, checkpoints and embeddings lie in a cache folder under names that are digests of
//! everything that decides them (configuration, pixels, program revision), so another run with the
//! same settings, into whatever folder, does not make them again, and a killed run goes on where it
//! was: plates one by one, a training from its last checkpoint.

pub mod cache;
pub mod data;
mod dataset;
mod embed;
pub mod fetch;
pub mod jump;
pub mod kinds;
pub mod merge;
pub mod prepare;
mod preset;
pub mod profiles_table;
mod retrieve;
mod single;
mod source;
mod train;

use std::path::{Path, PathBuf};

use bench_core::digest;
use bench_core::record::{CacheState, Step};
use bench_images::simulate::{Simulator, write};

pub use bench_images::Policy;
pub use bench_images::augment::EvaluationCrops;
pub use bench_nn::cpu::keep_freed_memory;
pub use bench_nn::{DeviceChoice, Error as DeviceError};
pub use dataset::{Dataset, Field, TrainingSet};
pub use preset::{Baseline, CompoundSplitKind, Compounds, EMBEDDED, Method, Plates, Preset};
pub use single::{EmbedRequest, Network, Weights, embed as embed_plates, train as train_models};

use crate::{Embedding, Error, Origin, Progress};

/// Raised whenever training, simulation or embedding code changes what comes out.
const REVISION: u32 = 1;

/// What to make.
#[derive(Clone, Debug)]
pub struct Production {
    /// How.
    pub preset: Preset,
    /// Plates; simulated where none are given.
    pub data: Option<PathBuf>,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Folder of plates, checkpoints and embeddings.
    pub cache: PathBuf,
    /// What to do with an image that cannot be read.
    pub policy: Policy,
}

/// Where plates, checkpoints and embeddings are kept unless a folder is given: `BENCH_CACHE`, or
/// `bench` in the user's cache folder.
///
/// # Errors
/// Neither variable nor a home folder is set.
pub fn cache_folder() -> Result<PathBuf, Error> {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    from("BENCH_CACHE")
        .or_else(|| Some(from("XDG_CACHE_HOME")?.join("bench")))
        .or_else(|| Some(from("HOME")?.join(".cache").join("bench")))
        .ok_or_else(|| Error::Usage {
            message: "no folder to keep checkpoints and embeddings in".into(),
            hint: Some("give `--cache DIR`".into()),
        })
}

/// An error of a crate below, with what was being done.
pub(crate) fn failed<E: std::error::Error + Send + Sync + 'static>(what: &'static str) -> impl Fn(E) -> Error {
    move |source| Error::Produce { what, source: Box::new(source) }
}

/// Names of the tables that a preset gives, in order.
pub fn tables(preset: &Preset) -> Vec<String> {
    let models = train::names(preset).into_iter().flat_map(|name| [name.clone(), format!("{name}{}", embed::BACKBONE)]);
    models.chain(preset.baselines.iter().map(|baseline| embed::name(*baseline).to_owned())).collect()
}

/// Names of what will be done, in order.
pub fn steps(production: &Production) -> Vec<String> {
    let preset = &production.preset;
    let mut steps = vec![match production.data {
        None => "simulate plates".to_owned(),
        Some(_) => "open plates".to_owned(),
    }];
    for name in train::names(preset) {
        steps.push(format!("train {name}"));
        steps.push(format!("embed plates with {name}"));
        if !preset.retrieval.is_empty() {
            steps.push(format!("retrieval with {name}"));
        }
    }
    steps.extend(preset.baselines.iter().map(|baseline| format!("embed plates with {}", embed::name(*baseline))));
    steps
}

/// Makes everything that is not in the cache yet: a table per model, and where they come from.
/// `total` counts the steps of the whole run.
///
/// # Errors
/// Data, configuration or output errors; what was finished stays in the cache.
pub fn produce(
    production: &Production,
    total: usize,
    progress: &dyn Progress,
) -> Result<(Vec<Embedding>, Origin), Error> {
    let mut steps = Steps { names: steps(production), total, progress, done: vec![] };
    let selected = production.device.select().map_err(failed("select a device"))?;
    if let Some(notice) = &selected.notice {
        progress.note(notice);
    }
    let preset = &production.preset;
    let (dataset, training) = steps.run(|| {
        let (folder, there) = plates(production, progress)?;
        let dataset = Dataset::open(&folder, production.policy, progress)?;
        let fingerprints = preset.models.iter().any(|method| train::reads_fingerprints(&method.model));
        let training = dataset.training(&preset.plates, fingerprints, progress)?;
        Ok(((dataset, training), there))
    })?;
    let split = train::split(preset, &training.catalogue)?;
    let mut embeddings = vec![];
    let mut origin = Origin { simulated: dataset.store.is_simulated(), ..Origin::default() };
    let mut digests = vec![dataset.digest.clone()];
    let job = train::Job {
        production,
        dataset: &dataset,
        training: &training,
        split: &split,
        device: &selected.device,
        left_out: std::sync::Mutex::default(),
    };
    for (name, method, seed) in train::named(preset) {
        let trained = steps.run(|| train::train(&job, &name, method, seed, progress))?;
        origin.training.push(trained.info.clone());
        digests.push(trained.digest.clone());
        embeddings.extend(steps.run(|| embed::model(&job, &name, &trained, progress))?);
        if !preset.retrieval.is_empty() {
            let retrieved = steps.run(|| retrieve::model(&job, &name, &trained, progress))?;
            origin.retrieval.extend(retrieved.rows);
            origin.files.extend(retrieved.files);
        }
        origin.device.clone_from(&trained.info.device);
    }
    if !preset.retrieval.is_empty() {
        origin.retrieval.extend(retrieve::random(&job)?);
    }
    for &baseline in &preset.baselines {
        embeddings.push(steps.run(|| embed::baseline(&job, baseline, progress))?);
    }
    origin.digest = digest::of_bytes(digests.join("\n").as_bytes());
    if origin.simulated {
        origin.warnings.push("the plates are simulated: scores say how the models do on this simulation".into());
    }
    let problems = dataset.store.problems().iter();
    let mut left_out: train::LeftOut = problems.map(|p| (p.name.clone(), p.message.clone())).collect();
    left_out.extend(job.left_out.into_inner().unwrap_or_default());
    origin.warnings.extend(left_out_warning(&left_out));
    origin.steps = steps.done;
    Ok((embeddings, origin))
}

/// One line that counts and names images which could not be read.
fn left_out_warning(images: &train::LeftOut) -> Option<String> {
    const NAMED: usize = 10;
    let named: Vec<String> = images.iter().take(NAMED).map(|(image, reason)| format!("{image} ({reason})")).collect();
    let more = images.len().saturating_sub(NAMED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    (!images.is_empty()).then(|| format!("{} images were left out: {}{more}", images.len(), named.join("; ")))
}

/// Counts and times steps.
struct Steps<'a> {
    names: Vec<String>,
    total: usize,
    progress: &'a dyn Progress,
    done: Vec<Step>,
}

impl Steps<'_> {
    /// Does the next step, which says whether everything was there already.
    fn run<T>(&mut self, work: impl FnOnce() -> Result<(T, bool), Error>) -> Result<T, Error> {
        let name = self.names[self.done.len()].clone();
        self.progress.step(self.done.len() + 1, self.total, &name);
        let start = std::time::Instant::now();
        let (made, there) = work()?;
        let cache = if there { CacheState::Reused } else { CacheState::Computed };
        if there {
            self.progress.reused(self.done.len() + 1, self.total, &name);
        }
        self.done.push(Step { name, seconds: start.elapsed().as_secs_f64(), cache });
        Ok(made)
    }
}

/// The folder of the plates: the one that was given, or simulated ones from the cache. Also says
/// whether they were there already.
fn plates(production: &Production, progress: &dyn Progress) -> Result<(PathBuf, bool), Error> {
    if let Some(folder) = &production.data {
        return Ok((folder.clone(), false));
    }
    let simulator = Simulator::new(production.preset.simulation.clone()).map_err(failed("plan the plates"))?;
    let folder = production.cache.join("plates").join(&simulator.config().digest()[..24]);
    make_folder(&folder)?;
    let report = write(&simulator, &folder, &|done, total| progress.tick(done, total));
    let report = report.map_err(failed("simulate plates"))?;
    Ok((folder, report.kept == report.plates))
}

fn make_folder(folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })?;
    bench_core::atomic::sweep(folder);
    Ok(())
}

/// A folder of the cache, and what decides what lies in it.
struct Place {
    folder: PathBuf,
    digest: String,
    /// The same in words, for [`cache::why`].
    words: serde_json::Value,
}

impl Place {
    /// The place for what these parts decide.
    fn of(production: &Production, kind: &str, parts: &[&str], words: serde_json::Value) -> Place {
        let digest = digest::of_bytes(format!("{REVISION}\n{kind}\n{}", parts.join("\n")).as_bytes());
        Place { folder: production.cache.join(kind).join(&digest[..24]), digest, words }
    }

    /// Makes the folder, and says in it what decided it.
    fn make(&self) -> Result<(), Error> {
        make_folder(&self.folder)?;
        cache::describe(&self.folder, REVISION, &self.words)
    }
}
