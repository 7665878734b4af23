//! Settings of a training: those that decide its results, and those that do not.

use bench_nn::optim::{AdamWOptions, DecayRule, Schedule};
use serde::{Deserialize, Serialize};

use crate::sampler::SamplerConfig;
use crate::{Error, Result};

/// Which parameters decay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// All that are trained, as in the reference.
    #[default]
    All,
    /// Matrices, kernels and tables only.
    Weights,
}

/// AdamW. The defaults are those of the paper's text (decay) and of its code (the rest).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct OptimiserConfig {
    /// Learning rate after the warm-up; 1e-4.
    pub lr: f64,
    /// Decay of the parameters per unit of learning rate; 0.05. Parity: the code has 0.01.
    pub weight_decay: f64,
    /// What decays; `all`.
    pub decay: Decay,
    /// Decay of the mean of gradients; 0.9.
    pub beta1: f64,
    /// Decay of the mean of squared gradients; 0.999.
    pub beta2: f64,
    /// Added to the root of the squares; 1e-8.
    pub eps: f64,
    /// Greatest norm of all gradients together; none.
    pub clip_norm: Option<f64>,
    /// What stays of averaged weights at each step, such as 0.999; none. Validation and embeddings
    /// then use the averaged weights.
    pub ema: Option<f64>,
}

impl Default for OptimiserConfig {
    fn default() -> Self {
        OptimiserConfig {
            lr: 1e-4,
            weight_decay: 0.05,
            decay: Decay::All,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            clip_norm: None,
            ema: None,
        }
    }
}

impl OptimiserConfig {
    /// Constants of the optimiser.
    pub fn options(&self) -> AdamWOptions {
        let decay = match self.decay {
            Decay::All => DecayRule::All,
            Decay::Weights => DecayRule::WeightsOnly,
        };
        let OptimiserConfig { beta1, beta2, eps, weight_decay, .. } = *self;
        AdamWOptions { beta1, beta2, eps, weight_decay, decay }
    }
}

/// Learning rate over epochs: linear warm-up, then half a cosine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ScheduleConfig {
    /// Epochs of warm-up; 10. The last of them runs at the full rate.
    pub warmup_epochs: usize,
    /// Rate of the first epoch; 1e-5.
    pub warmup_start: f64,
    /// Rate that the cosine approaches; 0.
    pub minimum: f64,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        ScheduleConfig { warmup_epochs: 10, warmup_start: 1e-5, minimum: 0.0 }
    }
}

/// Arithmetic on CUDA; the CPU computes in the type of the parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Single precision, as in the reference.
    #[default]
    F32,
    /// Single precision storage, tensor-core products with 10-bit mantissas.
    Tf32,
    /// Activations in bfloat16 with single-precision weights.
    Bf16,
}

impl From<Precision> for bench_nn::Precision {
    fn from(precision: Precision) -> bench_nn::Precision {
        match precision {
            Precision::F32 => bench_nn::Precision::F32,
            Precision::Tf32 => bench_nn::Precision::Tf32,
            Precision::Bf16 => bench_nn::Precision::Bf16,
        }
    }
}

/// Everything that decides what a training gives, apart from model, loss and data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Seed of order, views, augmentation and dropout; 12345, as in the reference.
    pub seed: u64,
    /// Epochs; 200.
    pub epochs: usize,
    /// Epochs without a better validation loss after which training stops; 50. Never if absent.
    pub patience: Option<usize>,
    /// Minibatches and views.
    pub sampler: SamplerConfig,
    /// Optimiser.
    pub optimiser: OptimiserConfig,
    /// Learning rate over epochs.
    pub schedule: ScheduleConfig,
    /// Compounds per chunk of the chunked step; the whole minibatch at once if absent.
    pub chunk: Option<usize>,
    /// Arithmetic on CUDA; `f32`.
    pub precision: Precision,
}

impl Default for TrainConfig {
    fn default() -> Self {
        TrainConfig {
            seed: 12345,
            epochs: 200,
            patience: Some(50),
            sampler: SamplerConfig::default(),
            optimiser: OptimiserConfig::default(),
            schedule: ScheduleConfig::default(),
            chunk: None,
            precision: Precision::default(),
        }
    }
}

impl TrainConfig {
    /// Refuses numbers out of range.
    pub fn check(&self) -> Result<()> {
        self.sampler.compounds_per_batch()?;
        let OptimiserConfig { lr, weight_decay, beta1, beta2, eps, clip_norm, ema, .. } = self.optimiser;
        let ScheduleConfig { warmup_start, minimum, .. } = self.schedule;
        for (key, value, holds, expected) in [
            ("optimiser.lr", lr, lr > 0.0, "a positive number"),
            ("optimiser.weight-decay", weight_decay, weight_decay >= 0.0, "at least 0"),
            ("optimiser.beta1", beta1, (0.0..1.0).contains(&beta1), "in [0, 1)"),
            ("optimiser.beta2", beta2, (0.0..1.0).contains(&beta2), "in [0, 1)"),
            ("optimiser.eps", eps, eps > 0.0, "a positive number"),
            ("optimiser.clip-norm", clip_norm.unwrap_or(1.0), clip_norm.is_none_or(|c| c > 0.0), "a positive number"),
            ("optimiser.ema", ema.unwrap_or(0.0), ema.is_none_or(|e| (0.0..1.0).contains(&e)), "in [0, 1)"),
            ("schedule.warmup-start", warmup_start, warmup_start >= 0.0, "at least 0"),
            ("schedule.minimum", minimum, minimum >= 0.0, "at least 0"),
        ] {
            if !(holds && value.is_finite()) {
                return Err(Error::config(key, format!("is `{value}`, expected {expected}")));
            }
        }
        for (key, value) in [("epochs", Some(self.epochs)), ("patience", self.patience), ("chunk", self.chunk)] {
            if value == Some(0) {
                return Err(Error::config(key, "is `0`, expected at least 1"));
            }
        }
        Ok(())
    }

    /// Learning rate per epoch.
    pub fn schedule(&self) -> Schedule {
        let ScheduleConfig { warmup_epochs, warmup_start, minimum } = self.schedule;
        Schedule { lr: self.optimiser.lr, warmup_start, warmup_epochs, epochs: self.epochs, minimum }
    }
}

/// What changes neither results nor checkpoints, only when they are written and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Pace {
    /// Steps between checkpoints within an epoch; none within an epoch if absent, as by default.
    pub checkpoint_steps: Option<u64>,
    /// Minibatches loaded ahead; 2. With 0 they are loaded in turn.
    pub prefetch: usize,
    /// Threads that load them; 2.
    pub loader_threads: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { checkpoint_steps: None, prefetch: 2, loader_threads: 2 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_reference_and_unknown_keys_are_errors() {
        let config: TrainConfig = serde_json::from_str("{}").unwrap();
        assert_eq!(config, TrainConfig::default());
        config.check().unwrap();
        // Stated with the reference configuration.
        assert_eq!(config.schedule().at(0), 1e-5);
        assert!((config.schedule().at(105) - 5e-5).abs() < 1e-15);
        assert_eq!((config.optimiser.weight_decay, config.patience, config.sampler.views), (0.05, Some(50), 3));
        for text in ["{\"epoch\": 3}", "{\"optimiser\": {\"lr\": 1, \"betas\": []}}", "{\"sampler\": {\"m\": 2}}"] {
            assert!(serde_json::from_str::<TrainConfig>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        let refused = |change: fn(&mut TrainConfig)| {
            let mut config = TrainConfig::default();
            change(&mut config);
            config.check().unwrap_err().to_string()
        };
        assert!(refused(|c| c.optimiser.lr = f64::NAN).contains("`optimiser.lr` is `NaN`"));
        assert!(refused(|c| c.optimiser.ema = Some(1.0)).contains("optimiser.ema"));
        assert!(refused(|c| c.epochs = 0).contains("`epochs`"));
        assert!(refused(|c| c.sampler.batch = 1).contains("sampler.batch"));
    }
}
