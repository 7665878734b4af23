//! Presets: which models are trained, on what, how long, and what is embedded with them.
//!
//! A preset is a TOML file in `configs/`; those shipped with the program are embedded in it.
//! Unknown keys are errors with a suggestion.

use bench_eval::retrieval::{self, compound_split};
use bench_images::augment::{AugmentConfig, EvaluationCrops};
use bench_images::simulate::SimulationConfig;
use bench_models::ModelConfig;
use bench_train::TrainConfig;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::layers::{Given, Layers};
use crate::suite::explain;

/// Presets shipped with the program: id and text.
pub const EMBEDDED: [(&str, &str); 4] = [
    ("smoke", include_str!("../../../../configs/smoke.toml")),
    ("demo", include_str!("../../../../configs/demo.toml")),
    ("paper", include_str!("../../../../configs/paper.toml")),
    ("sept2023", include_str!("../../../../configs/sept2023.toml")),
];

/// How models are trained and used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Preset {
    /// Id; file name without extension.
    pub id: String,
    /// Title for people.
    pub title: String,
    /// Plates to simulate when no data are given.
    #[serde(default)]
    pub simulation: SimulationConfig,
    /// Random views of training. `crop` is also the side of the views of evaluation.
    #[serde(default)]
    pub augment: AugmentConfig,
    /// Fixed crops of evaluation: `centre`, `five` or `{ grid = N }`; embeddings are their mean.
    #[serde(default)]
    pub evaluation: EvaluationCrops,
    /// Images per minibatch when embedding.
    #[serde(default = "embedding_batch")]
    pub embedding_batch: usize,
    /// Which plates train and which are scored.
    #[serde(default)]
    pub plates: Plates,
    /// Compounds held out of training.
    #[serde(default)]
    pub compounds: Compounds,
    /// Retrieval tasks.
    #[serde(default)]
    pub retrieval: Vec<retrieval::Settings>,
    /// Training seeds; each model is trained once with each.
    #[serde(default = "seeds")]
    pub seeds: Vec<u64>,
    /// Rows for comparison that need no training: `random-init`, `simple-features`.
    #[serde(default)]
    pub baselines: Vec<Baseline>,
    /// The models, in the order of the tables.
    pub models: Vec<Method>,
}

fn embedding_batch() -> usize {
    128
}

fn seeds() -> Vec<u64> {
    vec![TrainConfig::default().seed]
}

/// Types of plates (`Metadata_PlateType`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Plates {
    /// Plates to train on.
    pub train: Vec<String>,
    /// Plates to embed and score; none of their images is trained on.
    pub score: Vec<String>,
}

impl Default for Plates {
    fn default() -> Self {
        Plates { train: vec!["COMPOUND".to_owned()], score: vec!["TARGET2".to_owned()] }
    }
}

/// How compounds are held out of training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Compounds {
    /// At random, or whole scaffolds at a time.
    pub split: CompoundSplitKind,
    /// Sizes of the held-out sets.
    pub sizes: Option<compound_split::Sizes>,
    /// Seed; 42 in the reference.
    pub seed: Option<u64>,
}

/// How compounds are divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CompoundSplitKind {
    /// Every compound for itself.
    #[default]
    Random,
    /// Compounds of one Murcko scaffold stay together.
    Scaffold,
}

/// Rows for comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Baseline {
    /// The image tower of the first model with its initial weights.
    RandomInit,
    /// Intensity, texture and nucleus statistics of the images.
    SimpleFeatures,
}

/// A model and its training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Method {
    /// Name in tables.
    pub id: String,
    /// Networks and loss.
    pub model: ModelConfig,
    /// Training.
    #[serde(default)]
    pub train: TrainConfig,
}

impl Preset {
    /// Loads an embedded preset by its id, or a TOML file by its path.
    ///
    /// # Errors
    /// No such preset, text that is not a preset, values out of range.
    pub fn load(id: &str) -> Result<Preset, Error> {
        Self::read(id).map(|(preset, _)| preset)
    }

    /// Loads a preset with a user's settings over it; also its text, and the keys that were set.
    ///
    /// # Errors
    /// As [`Preset::load`]; a value that does not fit.
    pub fn load_with(id: &str, layers: &Layers) -> Result<(Preset, String, Vec<Given>), Error> {
        let (preset, text) = Self::read(id)?;
        let (preset, given) = layers.preset(preset, &text, Self::check)?;
        Ok((preset, text, given))
    }

    fn read(id: &str) -> Result<(Preset, String), Error> {
        let (place, text) = match EMBEDDED.iter().find(|(known, _)| *known == id) {
            Some((known, text)) => (format!("preset `{known}`"), (*text).to_owned()),
            None if id.ends_with(".toml") => {
                let text =
                    std::fs::read_to_string(id).map_err(|source| Error::SuiteFile { path: id.to_owned(), source })?;
                (id.to_owned(), text)
            }
            None => {
                let known = EMBEDDED.map(|(known, _)| known);
                let meant = bench_core::suggest::closest(id, known).map(|meant| format!("did you mean `{meant}`? "));
                return Err(Error::Usage {
                    message: format!("no preset is called `{id}`"),
                    hint: Some(format!(
                        "{}presets are {}, or a .toml file",
                        meant.unwrap_or_default(),
                        known.join(", ")
                    )),
                });
            }
        };
        let preset: Preset = toml::from_str(&text).map_err(|error| explain(&place, &text, &error))?;
        preset.check().map_err(|(key, why)| Error::SuiteValue { place, key, why })?;
        Ok((preset, text))
    }

    fn check(&self) -> Result<(), (String, String)> {
        if self.models.is_empty() {
            return Err(("models".into(), "name at least one model".into()));
        }
        if matches!(self.evaluation, EvaluationCrops::Grid(0)) {
            return Err(("evaluation".into(), "a grid has at least one crop".into()));
        }
        if self.seeds.is_empty() {
            return Err(("seeds".into(), "give at least one training seed".into()));
        }
        for (at, method) in self.models.iter().enumerate() {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if method.id.is_empty() || !method.id.chars().all(plain) {
                return Err(("models.id".into(), format!("`{}` must be letters, digits, `-`, `_`", method.id)));
            }
            if self.models[..at].iter().any(|other| other.id == method.id) {
                return Err(("models.id".into(), format!("two models are called `{}`", method.id)));
            }
            method.train.check().map_err(|e| (format!("models.{}.train", method.id), e.to_string()))?;
        }
        self.augment.check().map_err(|e| ("augment".into(), e.to_string()))?;
        self.simulation.check().map_err(|e| ("simulation".into(), e.to_string()))
    }

    /// Keeps the models of these ids, in this order.
    ///
    /// # Errors
    /// An id that is not in the preset.
    pub fn keep(&mut self, ids: &[String]) -> Result<(), Error> {
        let mut kept = vec![];
        for id in ids {
            let Some(method) = self.models.iter().find(|method| method.id == *id) else {
                let known: Vec<&str> = self.models.iter().map(|method| method.id.as_str()).collect();
                return Err(Error::Usage {
                    message: format!("preset `{}` has no model `{id}`", self.id),
                    hint: Some(format!("its models are {}", known.join(", "))),
                });
            };
            kept.push(method.clone());
        }
        self.models = kept;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_preset_parses_and_opens_with_result_time_and_command() {
        for (id, text) in EMBEDDED {
            let preset = Preset::load(id).expect("embedded presets are valid");
            assert_eq!(preset.id, id);
            let head: Vec<&str> = text.lines().take_while(|line| line.starts_with('#')).collect();
            let head = head.join("\n");
            for word in ["Result:", "Time:", "Command:"] {
                assert!(head.contains(word), "{id} says no `{word}`");
            }
        }
    }

    #[test]
    fn unknown_presets_and_models_are_errors_with_a_hint() {
        let error = Preset::load("dmeo").expect_err("unknown");
        assert!(error.hint().is_some_and(|hint| hint.contains("did you mean `demo`?")));
        let mut preset = Preset::load("demo").expect("embedded");
        let error = preset.keep(&["clap".to_owned()]).expect_err("unknown");
        assert!(error.hint().is_some_and(|hint| hint.contains("clip, emm, imm")));
        preset.keep(&["imm".to_owned(), "clip".to_owned()]).expect("known");
        assert_eq!(preset.models.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(), ["imm", "clip"]);
    }
}
