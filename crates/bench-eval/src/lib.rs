//! Splits, probes, metrics, intervals, tests between models, controls.
//!
//! The path of one score: a [`split`] says which rows train and which are tested, a [`probe`]
//! is fitted and predicts, a [`metric`] turns predictions and answers into a number, an
//! [`aggregate`] turns numbers into a G-score with its interval. [`retrieval`] is a task of its own: images find
//! their molecules, and molecules their images.

pub mod aggregate;
pub mod batch_probe;
pub mod confounding;
pub mod control;
pub mod embedding;
pub mod error;
pub mod fold;
pub mod metric;
pub mod predictions;
pub mod probe;
pub mod retrieval;
pub mod split;

pub use error::Error;
pub use fold::{Fold, Role, SplitSet};
pub use predictions::Predictions;
