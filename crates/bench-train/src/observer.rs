//! What a training tells while it runs. Observers see; they change nothing.

use crate::sampler::Lost;

/// A step that was done, or skipped.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// The epoch, from zero.
    pub epoch: usize,
    /// The minibatch in the epoch, from zero.
    pub batch: usize,
    /// Minibatches of the epoch.
    pub batches: usize,
    /// The loss; `None` if the step was skipped.
    pub loss: Option<f64>,
    /// Norm of all gradients before clipping, where it is clipped.
    pub gradient_norm: Option<f64>,
    /// Learning rate.
    pub lr: f64,
    /// Images that passed the network.
    pub images: usize,
}

/// An epoch, in the history of a training.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRecord {
    /// The epoch, from zero.
    pub epoch: usize,
    /// Learning rate.
    pub lr: f64,
    /// Mean loss over the steps that were done.
    pub train_loss: Option<f64>,
    /// Loss over the held-out compounds, if there are any and it is finite.
    pub validation_loss: Option<f64>,
    /// Steps that were done.
    pub steps: u64,
    /// Images that passed the network.
    pub images: u64,
    /// Steps left out because the loss or a gradient was not finite.
    pub skipped: Vec<Skipped>,
    /// Compounds left out at the end of the epoch, because the last minibatch was not full.
    pub left_out: usize,
    /// Compounds that could not be loaded, and what took their place.
    pub lost: Vec<Lost>,
    /// Images that could not be loaded.
    pub unreadable: u64,
}

/// A step that was left out.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    /// The minibatch in the epoch, from zero.
    pub batch: usize,
    /// What was not finite, or why there was nothing to train on.
    pub reason: String,
}

/// Sees a training run.
pub trait Observer {
    /// After every step.
    fn step(&mut self, _report: &StepReport) {}

    /// After every epoch and its validation.
    fn epoch(&mut self, _record: &EpochRecord) {}

    /// After a checkpoint was written.
    fn checkpoint(&mut self, _path: &std::path::Path) {}
}

/// Sees nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}

/// Counts images per second for another observer's eyes. The clock is read here and nowhere else
/// in training, so time cannot enter a result.
#[derive(Debug)]
pub struct Throughput<F> {
    since: std::time::Instant,
    images: u64,
    report: F,
}

impl<F: FnMut(&EpochRecord, f64)> Throughput<F> {
    /// Calls `report` after each epoch with its record and its images per second.
    pub fn new(report: F) -> Self {
        Throughput { since: std::time::Instant::now(), images: 0, report }
    }
}

impl<F: FnMut(&EpochRecord, f64)> Observer for Throughput<F> {
    fn step(&mut self, report: &StepReport) {
        self.images += report.images as u64;
    }

    fn epoch(&mut self, record: &EpochRecord) {
        let seconds = self.since.elapsed().as_secs_f64();
        (self.report)(record, self.images as f64 / seconds.max(1e-9));
        (self.since, self.images) = (std::time::Instant::now(), 0);
    }
}
