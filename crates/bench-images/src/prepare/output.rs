//! All plates of a store, one after another.

use std::fs;
use std::path::{Path, PathBuf};

use bench_core::{atomic, digest};
use serde::{Deserialize, Serialize};

use super::quality::QcFilter;
use super::{plate, tables};
use crate::store::packed::LONGEST_TILE;
use crate::store::recipe::Recipe;
use crate::store::{ImageStore, Policy, Problem};
use crate::{Error, Result};

/// The description of what a folder holds.
const MARK: &str = "prepare.json";

/// What the images are written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// One `.bplate` per plate, of 8 or 16 bits: what training reads fastest.
    #[default]
    Packed,
    /// One grey PNG of 8 bits per channel, in the folders and under the names of JUMP.
    Png,
}

/// How fields are prepared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct PrepareOptions {
    /// What the images are written as.
    pub output: Output,
    /// Which fields are left out.
    pub filter: QcFilter,
    /// Side of a tile of packed plates in pixels.
    pub tile: usize,
    /// What to do with fields that do not decode.
    #[serde(skip)]
    pub policy: Policy,
}

impl Default for PrepareOptions {
    fn default() -> Self {
        Self { output: Output::default(), filter: QcFilter::default(), tile: 128, policy: Policy::Error }
    }
}

/// What [`write()`] did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PrepareReport {
    /// Plates in all.
    pub plates: usize,
    /// Fields that are there now.
    pub fields: usize,
    /// How many of them were there already.
    pub kept: usize,
    /// Fields left out: those that cannot be used, and those that the filter rejects (`quality`).
    pub problems: Vec<Problem>,
    /// Bytes of the raw files of these fields.
    pub bytes_in: u64,
    /// Bytes of the files of these fields.
    pub bytes: u64,
    /// The table of what was written.
    pub prepared: PathBuf,
    /// The table of measures.
    pub quality: PathBuf,
    /// Digest over the images of this store: fields, channels and checksums.
    pub digest: String,
}

/// What decides the images of a folder.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Mark {
    recipe: Recipe,
    channels: Vec<String>,
    output: Output,
    tile: usize,
    simulated: bool,
}

/// Prepares every field of a store of raw files into `folder`. `progress` hears (fields done,
/// fields in all). Threads are those of the caller's pool; each has two fields in memory at most.
///
/// # Errors
/// A store that is packed already, a folder that holds images of another recipe, a field that
/// cannot be used (unless such fields are skipped), or a file that cannot be written.
pub fn write(
    store: &ImageStore,
    folder: &Path,
    options: &PrepareOptions,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<PrepareReport> {
    if !(1..=LONGEST_TILE).contains(&options.tile) {
        return Err(Error::setting("tile", format!("is between 1 and {LONGEST_TILE}, and not {}", options.tile)));
    }
    let Some(files) = store.files() else {
        return Err(Error::setting("store", "is packed already"));
    };
    claim(folder, store, &files.recipe, options)?;
    let mut report = PrepareReport { problems: store.problems().to_vec(), ..PrepareReport::default() };
    let mut content = String::new();
    let ids = store.ids();
    let mut start = 0;
    while start < ids.len() {
        let key = ids[start].plate_key();
        let end = start + ids[start..].iter().take_while(|id| id.plate_key() == key).count();
        let heard = |done: usize| progress(start + done, ids.len());
        let job = plate::Job { store, files, folder, options, key: &key, start, end };
        content.push_str(&job.run(&mut report, &heard)?);
        report.plates += 1;
        progress(end, ids.len());
        start = end;
    }
    (report.prepared, report.quality) = tables::write(folder, store.channels())?;
    report.digest = digest::of_bytes(content.as_bytes());
    Ok(report)
}

/// Says what the folder holds, or fails if it holds something else.
fn claim(folder: &Path, store: &ImageStore, recipe: &Recipe, options: &PrepareOptions) -> Result<()> {
    let path = folder.join(MARK);
    let mark = Mark {
        recipe: recipe.clone(),
        channels: store.channels().to_vec(),
        output: options.output,
        tile: options.tile,
        simulated: store.is_simulated(),
    };
    match fs::read(&path) {
        Ok(bytes) => {
            let there: Mark = serde_json::from_slice(&bytes).map_err(|e| Error::corrupt(&path, e.to_string()))?;
            if there == mark {
                return Ok(());
            }
            let reason = "its recipe, channels or format are others; choose another folder".to_owned();
            Err(Error::Occupied { path: folder.to_owned(), reason })
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let text = serde_json::to_string_pretty(&mark).expect("a recipe becomes JSON") + "\n";
            atomic::write(&path, text.as_bytes()).map_err(|source| Error::write(&path, source))
        }
        Err(source) => Err(Error::read(&path, source)),
    }
}
