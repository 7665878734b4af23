//! Images of cells: stores of fields of view, augmentation, simple features, and a simulator of
//! Cell Painting plates.
//!
//! - [`store`]: the JUMP folder layout, tables of files, packed plates.
//! - [`augment`]: the seeded random transforms of training and the fixed crops of evaluation.
//! - [`prepare`]: raw 16-bit fields to what training reads, with quality measures and a manifest.
//! - [`sites`]: how many fields of a well, and which.
//! - [`features`]: intensity, texture and nucleus statistics, as baselines.
//! - [`simulate`]: plates with phenotypes and batch effects whose strength is known.
//!
//! Nothing here knows tensors or tables of embeddings: images leave as slices with shapes.

pub mod augment;
pub mod channels;
pub mod csv;
mod error;
pub mod features;
pub mod id;
pub mod image;
mod ordered;
pub mod prepare;
pub mod simulate;
pub mod sites;
pub mod store;

pub use channels::Channels;
pub use error::{Error, ErrorKind, Result};
pub use id::FieldId;
pub use image::{Image, Pixels, Window};
pub use store::{ImageStore, Policy, Problem, StoreOptions};
