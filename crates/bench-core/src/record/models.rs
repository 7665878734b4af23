//! What a run that made its own embeddings says about its models: trainings and retrieval.

use serde::{Deserialize, Serialize};

use super::Interval;

/// One training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainingInfo {
    /// Model.
    pub model: String,
    /// Id of the method in the preset; trainings of one method differ in their seed.
    #[serde(default)]
    pub method: String,
    /// Loss.
    pub loss: String,
    /// Training seed.
    pub seed: u64,
    /// Numbers that were trained.
    pub parameters: u64,
    /// Compounds trained on.
    pub compounds: u64,
    /// Compounds that judged the epochs.
    pub validation_compounds: u64,
    /// Images of the compounds trained on.
    pub images: u64,
    /// Epoch whose weights were used, counted from zero.
    pub best_epoch: Option<u32>,
    /// Whether patience ran out before the epochs did.
    pub stopped_early: bool,
    /// Steps left out because something was not finite.
    pub skipped_steps: u64,
    /// How often an image could not be read and another took its place.
    #[serde(default)]
    pub unreadable: u64,
    /// All epochs.
    pub history: Vec<Epoch>,
    /// Where it was trained.
    pub device: String,
    /// Digest of everything that decided the weights.
    pub digest: String,
}

/// One epoch of a training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from zero.
    pub epoch: u32,
    /// Learning rate.
    pub lr: f64,
    /// Mean loss over its steps.
    pub train_loss: Option<f64>,
    /// Loss over the validation compounds.
    pub validation_loss: Option<f64>,
    /// Images that passed the network.
    pub images: u64,
}

/// One metric of a retrieval task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RetrievalRow {
    /// Model, or `random`.
    pub model: String,
    /// `paper` or `strict`.
    pub protocol: String,
    /// `image-to-molecule` or `molecule-to-image`.
    pub direction: String,
    /// Compounds per gallery.
    pub gallery: u64,
    /// Metric id.
    pub metric: String,
    /// Mean over draws.
    pub value: Option<f64>,
    /// Value of a ranking without information.
    pub chance: Option<f64>,
    /// `(value - chance) / (perfect - chance)`.
    pub corrected: Option<f64>,
    /// Standard deviation over galleries.
    pub sd_galleries: Option<f64>,
    /// Standard deviation over image draws.
    pub sd_draws: Option<f64>,
    /// 95 % interval of the bootstrap over compounds.
    pub interval: Option<Interval>,
    /// Compounds that were queried.
    pub compounds: u64,
    /// Galleries.
    pub galleries: u64,
    /// Draws of images.
    pub draws: u64,
    /// Why the value is absent.
    pub reason: Option<String>,
}

/// A score of a method over its trainings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SeedSummary {
    /// Method.
    pub method: String,
    /// Protocol of the task.
    pub protocol: String,
    /// What was scored: a split and probe, or a direction and gallery of retrieval.
    pub task: String,
    /// `accuracy`, `g`, or a metric of retrieval.
    pub quantity: String,
    /// Trainings that have the score.
    pub seeds: u32,
    /// Mean over them.
    pub mean: Option<f64>,
    /// Standard deviation over them (ddof 1).
    pub sd: Option<f64>,
    /// 95 % interval of the mean (Student's t).
    pub interval: Option<Interval>,
}
