//! Encoders of images and molecules, the losses that align them, and weight files.
//!
//! A [`Model`] is two towers: an image encoder and a molecule encoder ([`encoders`]), each with a
//! projection head, and a loss ([`losses`]) between the embeddings. CLIP, EMM and IMM share the
//! towers and differ in the loss and in how many image views of a compound they take.
//! [`weights`] saves and loads parameters, and reads those of torchvision, timm and 3DInfomax.
//!
//! ```
//! use bench_core::Seed;
//! use bench_models::{Model, ModelConfig};
//! use candle_core::{DType, Device};
//!
//! let model = Model::new(&ModelConfig::tiny("emm"), Seed(1), DType::F32, &Device::Cpu)?;
//! assert_eq!(model.loss.card().id, "emm-code");
//! assert!(model.params.get("image.layer1.0.conv1.weight").is_some());
//! # Ok::<(), bench_models::Error>(())
//! ```

pub mod encoders;
mod error;
mod layers;
pub mod losses;
mod model;
mod temperature;
pub mod weights;

#[cfg(test)]
mod model_tests;

pub use error::{Error, Result};
pub use model::{Encoded, ImageEncoderConfig, Model, ModelConfig, MoleculeEncoderConfig, Step};
pub use temperature::{Temperature, TemperatureConfig};
