//! A training from its first epoch, or from where it was interrupted, to its end.
//!
//! # Files
//! `last.safetensors` after every epoch (and every so many steps, if asked), `best.safetensors`
//! when the validation loss is less than ever before. The best one is written first: a training
//! killed between the two repeats the epoch and writes both again, with the same bytes.
//!
//! # Resume
//! [`Training::run`] takes up `last.safetensors` if there is one. On the CPU, a training that was
//! killed at any moment and started again ends with the same bytes as one that was not (tested,
//! at 1 and 2 threads). A checkpoint of another configuration, model or data set is an error.
//!
//! # Steps that are not finite
//! If the loss or a gradient is not finite, parameters, moments and running statistics stay as
//! they were, the step is counted and named in the history, and training goes on. The host reads
//! one number per step, after everything of that step is under way.
//!
//! Reference: Watkinson et al. 2023 (schedule, early stopping, best and last checkpoint).

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use bench_core::{Seed, digest};
use bench_models::Model;
use bench_models::losses::Views;
use bench_nn::optim::{AdamW, clip_gradient_norm};
use bench_nn::{ParamSet, Statistics};
use serde_json::{Value, json};

use crate::averaged::{Averaged, snapshot};
use crate::catalogue::Catalogue;
use crate::checkpoint::Checkpoint;
use crate::chunked::chunked;
use crate::config::{Pace, TrainConfig};
use crate::contrast::Setting;
use crate::loader::{self, Minibatch, Mode};
use crate::observer::{EpochRecord, Observer, Skipped, StepReport};
use crate::parallel::{Peers, Share};
use crate::progress::{Best, FORMAT, Progress, State};
use crate::sampler::{Plan, Sampler, SamplerConfig};
use crate::source::ImageSource;
use crate::step::plain;
use crate::validate::validation_loss;
use crate::{Error, Result};

/// Everything a training needs.
#[derive(Clone, Copy)]
pub struct Training<'a> {
    /// The model and its loss; its parameters are trained in place.
    pub model: &'a Model,
    /// Compounds and images.
    pub catalogue: &'a Catalogue,
    /// The pixels.
    pub source: &'a dyn ImageSource,
    /// Compounds to train on.
    pub train: &'a [u32],
    /// Held-out compounds; possibly none, and then the training loss decides what is best.
    pub validation: &'a [u32],
    /// Settings that decide the result.
    pub config: &'a TrainConfig,
    /// What else decides it (image transforms, initial weights), in the words of its configuration.
    /// It is saved with the rest, and must be equal for a training to be resumed.
    pub described: &'a Value,
    /// Settings that do not.
    pub pace: &'a Pace,
    /// Folder of the checkpoints.
    pub folder: &'a Path,
    /// The other processes of a data-parallel training.
    pub peers: Option<Peers<'a>>,
}

/// How a training ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// All epochs are done, or patience ran out.
    Finished(Summary),
    /// It was asked to stop; `last.safetensors` has everything to go on.
    Interrupted {
        /// Epoch that was under way.
        epoch: usize,
        /// Its next minibatch.
        batch: usize,
    },
}

/// A finished training.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// All epochs.
    pub history: Vec<EpochRecord>,
    /// The best one, if any loss was finite.
    pub best: Option<Best>,
    /// Whether patience ran out before the epochs did.
    pub stopped_early: bool,
    /// Compounds with fewer images than views, by key.
    pub too_few_images: Vec<String>,
    /// The last checkpoint.
    pub last: PathBuf,
    /// The best checkpoint, if there is a best epoch.
    pub best_path: Option<PathBuf>,
}

/// Name of the checkpoint to resume from.
pub const LAST: &str = "last.safetensors";
/// Name of the checkpoint of the best epoch.
pub const BEST: &str = "best.safetensors";

const AVERAGE: &str = "state/average.";
const OPTIMISER: &str = "state/optimiser.";

impl Training<'_> {
    /// Trains to the end, or until `interrupt` is set; the step under way is finished first.
    pub fn run(&self, observer: &mut dyn Observer, interrupt: &AtomicBool) -> Result<Ending> {
        self.config.check()?;
        let views = self.config.sampler.views;
        if let (Views::One, 2..) | (Views::Several, 1) = (self.model.loss.views(), views) {
            let problem = format!("is `{views}`, which the loss `{}` does not take", self.model.loss.card().id);
            return Err(Error::config("sampler.views", problem));
        }
        let seed = Seed(self.config.seed);
        let train = Sampler::new(self.catalogue, self.train, &self.config.sampler, seed.derive("training", 0))?;
        let validation = if self.validation.is_empty() {
            None
        } else {
            let config = SamplerConfig { drop_last: false, ..self.config.sampler.clone() };
            Some(Sampler::new(self.catalogue, self.validation, &config, seed.derive("validation", 0))?)
        };
        let mut run = Run::start(*self)?;
        run.resume()?;
        while !run.finished() {
            if let ControlFlow::Break(()) = run.epoch(&train, observer, interrupt)? {
                let Progress { epoch, batch, .. } = run.progress;
                return Ok(Ending::Interrupted { epoch, batch });
            }
            let loss = run.validate(validation.as_ref())?;
            run.close_epoch(loss, observer)?;
        }
        let keys = train.too_few_images().iter().map(|&c| self.catalogue.compound(c).key.clone());
        let Progress { history, best, stopped_early, .. } = run.progress;
        Ok(Ending::Finished(Summary {
            history,
            best,
            stopped_early,
            too_few_images: keys.collect(),
            last: self.folder.join(LAST),
            best_path: best.map(|_| self.folder.join(BEST)),
        }))
    }

    /// What must be equal for a training to be resumed.
    fn identity(&self) -> Value {
        let keys = |compounds: &[u32]| {
            let keys: Vec<&str> = compounds.iter().map(|&c| self.catalogue.compound(c).key.as_str()).collect();
            digest::of_bytes(json!(keys).to_string().as_bytes())
        };
        json!({
            "config": self.config,
            "described": self.described,
            "model": self.model.config,
            "data": self.catalogue.digest(),
            "train": keys(self.train),
            "validation": keys(self.validation),
            "processes": self.peers.map_or(1, |peers| peers.count()),
        })
    }
}

/// A training under way.
struct Run<'a> {
    job: Training<'a>,
    setting: Setting<'a>,
    optimiser: AdamW,
    averaged: Option<Averaged>,
    identity: Value,
    progress: Progress,
}

impl<'a> Run<'a> {
    fn start(job: Training<'a>) -> Result<Run<'a>> {
        let params = &job.model.params;
        let setting = Setting {
            model: job.model,
            catalogue: job.catalogue,
            precision: job.config.precision.into(),
            statistics: Statistics::Batch,
        };
        let optimiser = AdamW::new(params, job.config.optimiser.options())?;
        let averaged = job.config.optimiser.ema.map(|momentum| Averaged::new(params, momentum)).transpose()?;
        Ok(Run { job, setting, optimiser, averaged, identity: job.identity(), progress: Progress::default() })
    }

    fn params(&self) -> &'a ParamSet {
        &self.job.model.params
    }

    fn finished(&self) -> bool {
        self.progress.stopped_early || self.progress.epoch >= self.job.config.epochs
    }

    /// Takes up the last checkpoint, if there is one.
    fn resume(&mut self) -> Result<()> {
        let path = self.job.folder.join(LAST);
        if !path.try_exists().map_err(|source| Error::CheckpointFile { path: path.clone(), source })? {
            return Ok(());
        }
        let checkpoint = Checkpoint::read(&path)?;
        let state = State::parse(&checkpoint.state, &path)?;
        state.expect(&self.identity, &path)?;
        fill(self.params(), "", &checkpoint, &path)?;
        if let Some(averaged) = &self.averaged {
            fill(averaged.shadow(), AVERAGE, &checkpoint, &path)?;
        }
        let find = |name: &str| checkpoint.tensors.get(&format!("{OPTIMISER}{name}")).cloned();
        self.optimiser.load(self.params(), find)?;
        self.progress = state.progress;
        Ok(())
    }

    fn save(&self, name: &str, observer: &mut dyn Observer) -> Result<()> {
        if self.job.peers.is_some_and(|peers| peers.rank() != 0) {
            return Ok(());
        }
        let mut tensors = BTreeMap::new();
        tensors.extend(self.params().iter().map(|param| (param.name().to_owned(), param.tensor().clone())));
        if let Some(averaged) = &self.averaged {
            let shadow = averaged.shadow().iter();
            tensors.extend(shadow.map(|param| (format!("{AVERAGE}{}", param.name()), param.tensor().clone())));
        }
        let moments = self.optimiser.state(self.params()).into_iter();
        tensors.extend(moments.map(|(name, tensor)| (format!("{OPTIMISER}{name}"), tensor)));
        let state = json!({ "format": FORMAT, "identity": self.identity, "progress": self.progress });
        let path = self.job.folder.join(name);
        Checkpoint { tensors, state }.write(&path)?;
        observer.checkpoint(&path);
        Ok(())
    }

    /// The rest of the epoch that is under way. Breaks if it was interrupted.
    fn epoch(
        &mut self,
        sampler: &Sampler<'_>,
        observer: &mut dyn Observer,
        interrupt: &AtomicBool,
    ) -> Result<ControlFlow<()>> {
        let job = self.job;
        let epoch = sampler.epoch(self.progress.epoch as u64);
        let lr = job.config.schedule().at(self.progress.epoch);
        let batches = epoch.batches.len();
        let current = &mut self.progress.current;
        (current.epoch, current.lr, current.left_out) = (self.progress.epoch, lr, epoch.left_out);
        let (share, source) = (job.peers.map_or(Share::WHOLE, |peers| peers.share()), job.source);
        let produce =
            |plan: &Plan| loader::load(sampler, source, plan, share.of(plan.compounds.len())?, Mode::Training);
        let mut ending = Ok(ControlFlow::Continue(()));
        let rest = &epoch.batches[self.progress.batch.min(batches)..];
        loader::pipeline(rest, job.pace.prefetch, job.pace.loader_threads, produce, |minibatch| {
            ending = self.advance(minibatch, lr, batches, observer, interrupt);
            if matches!(ending, Ok(ControlFlow::Continue(()))) {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        ending
    }

    /// One step, unless training is to stop here.
    fn advance(
        &mut self,
        minibatch: Result<Minibatch>,
        lr: f64,
        batches: usize,
        observer: &mut dyn Observer,
        interrupt: &AtomicBool,
    ) -> Result<ControlFlow<()>> {
        let stop = interrupt.load(Ordering::SeqCst);
        if self.job.peers.map_or(Ok(stop), |peers| peers.any(stop))? {
            self.save(LAST, observer)?;
            return Ok(ControlFlow::Break(()));
        }
        let minibatch = minibatch?;
        let report = self.step(&minibatch, lr, batches)?;
        observer.step(&report);
        self.progress.batch += 1;
        self.progress.step += 1;
        let every = self.job.pace.checkpoint_steps;
        // The end of an epoch is saved after its validation.
        if self.progress.batch < batches && every.is_some_and(|every| self.progress.step.is_multiple_of(every.max(1))) {
            self.save(LAST, observer)?;
        }
        Ok(ControlFlow::Continue(()))
    }

    fn step(&mut self, minibatch: &Minibatch, lr: f64, batches: usize) -> Result<StepReport> {
        let images = minibatch.images.len();
        let current = &mut self.progress.current;
        current.lost.extend(minibatch.lost.iter().cloned());
        current.unreadable += minibatch.unreadable as u64;
        let (mut loss, mut gradient_norm) = (None, None);
        let problem = match self.unusable(minibatch)? {
            Some(problem) => Some(problem.to_owned()),
            None => {
                let (value, norm, problem) = self.update(minibatch, lr)?;
                (loss, gradient_norm) = (value, norm);
                problem
            }
        };
        let current = &mut self.progress.current;
        match problem {
            Some(reason) => current.skipped.push(Skipped { batch: minibatch.batch, reason }),
            None => {
                current.steps += 1;
                current.images += images as u64;
                self.progress.loss_sum += loss.unwrap_or_default();
            }
        }
        let (epoch, batch) = (self.progress.epoch, minibatch.batch);
        Ok(StepReport { epoch, batch, batches, loss, gradient_norm, lr, images })
    }

    /// Why a minibatch cannot be trained on, on all processes alike.
    fn unusable(&self, minibatch: &Minibatch) -> Result<Option<&'static str>> {
        let few = match &self.job.peers {
            None => minibatch.compounds.len() < 2,
            Some(peers) => peers.any(minibatch.lost.iter().any(|lost| lost.replaced_by.is_none()))?,
        };
        Ok(few.then_some("too few compounds could be loaded"))
    }

    /// Gradients and optimiser step. The third value says what was not finite, if anything; then
    /// nothing has changed.
    fn update(&mut self, minibatch: &Minibatch, lr: f64) -> Result<(Option<f64>, Option<f64>, Option<String>)> {
        let params = self.params();
        let buffers = snapshot(params, |param| !param.trainable())?;
        let seed = Seed(self.job.config.seed).derive("step", self.progress.step);
        let peers = self.job.peers.as_ref();
        let seed = peers.map_or(seed, |peers| seed.derive("rank", peers.rank() as u64));
        let mut outcome = match self.job.config.chunk {
            Some(chunk) if chunk < minibatch.compounds.len() => chunked(&self.setting, minibatch, chunk, seed, peers)?,
            _ => plain(&self.setting, minibatch, seed, peers)?,
        };
        let loss = outcome.loss_value()?;
        let (mut norm, mut problem) = (None, None);
        if !loss.is_finite() {
            problem = Some(format!("the loss is {loss}"));
        } else {
            if let Some(most) = self.job.config.optimiser.clip_norm {
                norm = Some(clip_gradient_norm(&mut outcome.gradients, most)?.value()?).filter(|norm| norm.is_finite());
            }
            let before = self.optimiser.skipped()?;
            let applied = match self.optimiser.step(params, &outcome.gradients, lr)?.applied {
                Some(applied) => applied,
                None => self.optimiser.skipped()? == before,
            };
            if !applied {
                problem = Some("a gradient is not finite".to_owned());
            }
        }
        if problem.is_some() {
            buffers.restore(params)?;
            return Ok((None, norm, problem));
        }
        if let Some(peers) = peers {
            peers.average_buffers(params)?;
        }
        self.job.model.temperature.project()?;
        if let Some(averaged) = &self.averaged {
            averaged.update()?;
        }
        Ok((Some(loss), norm, None))
    }

    fn validate(&self, sampler: Option<&Sampler<'_>>) -> Result<Option<f64>> {
        let Some(sampler) = sampler else { return Ok(None) };
        let loss = || validation_loss(&self.setting, sampler, self.job.source, self.job.config.chunk, self.job.pace);
        let loss = match &self.averaged {
            None => loss()?,
            Some(averaged) => averaged.in_place(self.params(), loss)?,
        };
        // All processes decide by one number, or they might part ways.
        let loss = self.job.peers.map_or(Ok(loss), |peers| peers.of_first(loss))?;
        Ok(Some(loss).filter(|loss| loss.is_finite()))
    }

    /// Enters the epoch into the history and writes its checkpoints.
    fn close_epoch(&mut self, validation_loss: Option<f64>, observer: &mut dyn Observer) -> Result<()> {
        let progress = &mut self.progress;
        let mut record = std::mem::take(&mut progress.current);
        if record.steps == 0 {
            let last = record.skipped.last().map_or("there is no full minibatch", |skipped| &skipped.reason);
            return Err(Error::EmptyEpoch { epoch: progress.epoch, reason: last.to_owned() });
        }
        record.train_loss = Some(progress.loss_sum / record.steps as f64);
        record.validation_loss = validation_loss;
        let judged = if self.job.validation.is_empty() { record.train_loss } else { validation_loss };
        let better = judged.filter(|&loss| progress.best.is_none_or(|best| loss < best.loss));
        if let Some(loss) = better {
            progress.best = Some(Best { epoch: progress.epoch, loss });
        }
        let since = progress.epoch - progress.best.map_or(0, |best| best.epoch);
        progress.stopped_early = self.job.config.patience.is_some_and(|patience| since >= patience);
        progress.history.push(record.clone());
        (progress.epoch, progress.batch, progress.loss_sum) = (progress.epoch + 1, 0, 0.0);
        if better.is_some() {
            self.save(BEST, observer)?;
        }
        self.save(LAST, observer)?;
        observer.epoch(&record);
        Ok(())
    }
}

/// Loads the weights of a checkpoint for inference: the averaged ones if it has them. Names and
/// shapes must be those of `params`.
pub fn load_weights(params: &ParamSet, path: &Path) -> Result<()> {
    let checkpoint = Checkpoint::read(path)?;
    let averaged = checkpoint.tensors.keys().any(|name| name.starts_with(AVERAGE));
    fill(params, if averaged { AVERAGE } else { "" }, &checkpoint, path)
}

/// Copies the tensors `prefix` + name into `params`. Nothing is changed unless all of them fit.
fn fill(params: &ParamSet, prefix: &str, checkpoint: &Checkpoint, path: &Path) -> Result<()> {
    let mismatch = |difference: String| Error::CheckpointMismatch { path: path.to_owned(), difference };
    let mut found = vec![];
    for param in params.iter() {
        let Some(tensor) = checkpoint.tensors.get(&format!("{prefix}{}", param.name())) else {
            return Err(mismatch(format!("it has no parameter `{}`", param.name())));
        };
        let (saved, own) = (tensor.dims(), param.tensor().dims());
        if saved != own || tensor.dtype() != param.tensor().dtype() {
            return Err(mismatch(format!("`{}` is {saved:?} there and {own:?} here", param.name())));
        }
        found.push(tensor);
    }
    let strange = checkpoint.tensors.keys().find(|name| !name.starts_with("state/") && params.get(name).is_none());
    if let Some(name) = strange {
        return Err(mismatch(format!("the model has no parameter `{name}`")));
    }
    for (param, tensor) in params.iter().zip(found) {
        param.assign(tensor)?;
    }
    Ok(())
}
