//! Training of an image tower and a molecule tower: sampling, steps, checkpoints, embeddings.
//!
//! [`Catalogue`] says which images show which compound. [`Sampler`] draws minibatches of items
//! (a compound and M views from distinct batches first), [`loader`] fetches their pixels from an
//! [`ImageSource`] ahead of the step, [`step`] and [`chunked`] compute gradients, and
//! [`Training::run`] does epochs with validation, early stopping and checkpoints that resume bit
//! by bit. [`embed`] applies the result.
//!
//! Everything random is seeded by (run seed, purpose, index); nothing depends on threads, on the
//! clock, or on where a training was interrupted.

mod averaged;
pub mod catalogue;
pub mod checkpoint;
pub mod chunked;
pub mod config;
pub mod contrast;
pub mod embed;
mod error;
pub mod fit;
pub mod loader;
pub mod observer;
pub mod parallel;
mod progress;
pub mod sampler;
pub mod source;
pub mod step;
pub mod validate;
pub mod views;

/// Devices and number types, for crates that build models but compute nothing with tensors.
pub use candle_core::{DType, Device};
pub use catalogue::{Catalogue, ImageId, Origin};
pub use config::{Pace, TrainConfig};
pub use error::{Error, Result};
pub use fit::{Ending, Summary, Training, load_weights};
pub use observer::Observer;
pub use progress::Best;
pub use sampler::{Sampler, SamplerConfig};
pub use source::{ImageSource, MemoryImages, View};
