//! From raw fields to the images of a benchmark: convert, measure, filter, record.
//!
//! # What
//! [`write()`] takes an [`ImageStore`](crate::ImageStore) that was opened by a [`Recipe`]
//! ([`Recipe::options`]) and writes
//! ```text
//! prepare.json     the recipe, channels and format: one folder holds images of one recipe
//! prepared.csv     a row per image written: file, bytes, SHA-256, source, sizes, crop
//! qc.csv           a row per field: focus, saturation, intensities of the raw channels
//! {source}/{batch}/{plate}/{source}__{plate}__{well}__{site}__{channel}.png, or
//! {source}__{batch}__{plate}.bplate
//! .prepared/       what is done of each plate, so that a second run goes on
//! ```
//! [`verify()`] reads the images again and compares them with `prepared.csv`.
//!
//! # Interruption
//! Every file is whole or absent. A finished field is kept when the settings, and the names,
//! lengths and times of change of its sources, are what they were, and its files have their
//! lengths; with packed output that holds for plates.
//!
//! # Formula
//! Of the images in [`crate::store::recipe`] and [`crate::store::scale`], of the measures in
//! [`quality`].
//!
//! # Reference
//! gwatkinson/jump_download (methods reference, section 5); CellProfiler's MeasureImageQuality.

mod output;
mod packed;
mod plate;
mod png;
pub mod quality;
mod record;
mod tables;
mod verify;

pub use crate::store::illumination::Illumination;
pub use crate::store::recipe::Recipe;
pub use output::{Output, PrepareOptions, PrepareReport, write};
pub use quality::{ChannelQuality, FieldQuality, QcFilter};
pub use verify::{Verified, verify};
