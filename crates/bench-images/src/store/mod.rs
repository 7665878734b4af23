//! Stores of fields of view: the JUMP folder layout, tables of files, and packed plates.
//!
//! # What
//! [`ImageStore::open`] takes whatever a path holds. All functions take `&self` and may be called
//! from many threads at once; parallel loading is the caller's.
//!
//! | path | store |
//! | --- | --- |
//! | folder `{source}/{batch}/{plate}/{source}__{plate}__{well}__{site}__{channel}.png` | [`folder`] |
//! | `*.csv` | [`manifest`]: a row per file or per field, for any other layout |
//! | `*.bplate`, or a folder of them | [`packed`]: all channels of a plate in compressed tiles |
//!
//! # Why
//! Fields that are incomplete are known after the scan: with [`Policy::Error`] the first one ends
//! it, with [`Policy::Skip`] they are left out and listed by name in [`ImageStore::problems`].
//! Damage inside a file shows when it is decoded: [`ImageStore::load`] names the file, and
//! [`ImageStore::verify`] decodes everything. Nothing is left out silently.

mod codec;
pub mod file;
pub(crate) mod files;
pub mod folder;
pub mod illumination;
mod lzw;
pub mod manifest;
mod npy;
pub(crate) mod pack;
pub mod packed;
pub mod recipe;
pub mod samples;
pub mod scale;
mod tiff_file;

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::channels::Channels;
use crate::id::FieldId;
use crate::image::{Image, Window};
pub use crate::prepare::verify;
use crate::{Error, Result};
use files::FileStore;
use illumination::Illumination;
use packed::PackedStore;
use scale::Depth;

/// What to do with a field that cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Stop and name it.
    #[default]
    Error,
    /// Leave it out and list it.
    Skip,
}

/// A field or file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The field of view, or the file where no field could be told.
    pub name: String,
    /// One word: `missing`, `corrupt`, `incomplete` ...
    pub reason: String,
    /// The whole message.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(name: impl Into<String>, error: &Error) -> Self {
        Self { name: name.into(), reason: error.reason().to_owned(), message: error.to_string() }
    }
}

/// How to open a store.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The channels, in the order in which they are wanted.
    pub channels: Channels,
    /// What becomes of 16-bit files.
    pub depth: Depth,
    /// Files longer than this on a side are cut to their centre before scaling, as the reference
    /// does with 768. `None` keeps everything.
    pub centre_crop: Option<usize>,
    /// Length that the shorter side becomes after that, in pixels ([`recipe`]).
    pub resize: Option<usize>,
    /// Where illumination functions are, if images are divided by them.
    pub illumination: Option<Illumination>,
    /// What to do with incomplete fields.
    pub policy: Policy,
    /// Folder that relative names in a table of files refer to; the table's own when absent.
    pub root: Option<PathBuf>,
    /// Source, batch and name of the only plate of a folder to look at; others may be half fetched.
    pub only: Option<[String; 3]>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            channels: Channels::jump(),
            depth: Depth::default(),
            centre_crop: Some(768),
            resize: None,
            illumination: None,
            policy: Policy::Error,
            root: None,
            only: None,
        }
    }
}

/// Fields of view of one place, in the order of their ids.
#[derive(Debug)]
pub struct ImageStore(Inner);

#[derive(Debug)]
enum Inner {
    Files(FileStore),
    Packed(PackedStore),
}

impl ImageStore {
    /// Opens what lies at `path` with the settings of JUMP; an incomplete field is an error.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, &StoreOptions::default())
    }

    /// Opens what lies at `path`.
    ///
    /// Packed plates were scaled and cut when they were packed, so the settings of the recipe do
    /// not apply to them; their channels must be those wanted.
    pub fn open_with(path: &Path, options: &StoreOptions) -> Result<Self> {
        options.check()?;
        let metadata = std::fs::metadata(path).map_err(|source| Error::read(path, source))?;
        let inner = if metadata.is_file() && has_extension(path, &["csv"]) {
            Inner::Files(manifest::open(path, options)?)
        } else if metadata.is_file() || packed::is_folder_of_plates(path)? {
            Inner::Packed(PackedStore::open(path, options)?)
        } else {
            Inner::Files(folder::open(path, options)?)
        };
        let store = Self(inner);
        if store.is_empty() {
            let reason = match store.problems().first() {
                Some(problem) => format!("{} problems, the first: {}", store.problems().len(), problem.message),
                None => "expected `{source}/{batch}/{plate}/{source}__{plate}__{well}__{site}__{channel}.png`, \
                         `*.bplate` or a `.csv` table of files"
                    .to_owned(),
            };
            return Err(Error::Nothing { path: path.to_owned(), reason });
        }
        Ok(store)
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.ids().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids().is_empty()
    }

    /// The fields, sorted.
    pub fn ids(&self) -> &[FieldId] {
        match &self.0 {
            Inner::Files(store) => &store.ids,
            Inner::Packed(store) => &store.ids,
        }
    }

    /// Names of the channels, in the order of the pixels.
    pub fn channels(&self) -> &[String] {
        match &self.0 {
            Inner::Files(store) => store.channels.names(),
            Inner::Packed(store) => &store.channels,
        }
    }

    /// What was left out when the store was opened.
    pub fn problems(&self) -> &[Problem] {
        match &self.0 {
            Inner::Files(store) => &store.problems,
            Inner::Packed(store) => &store.problems,
        }
    }

    /// Whether the images say that they are simulated.
    pub fn is_simulated(&self) -> bool {
        match &self.0 {
            Inner::Files(store) => store.simulated,
            Inner::Packed(store) => store.simulated,
        }
    }

    /// What names the content: over checksums of pixels for packed plates, over names and lengths
    /// of files otherwise.
    pub fn digest(&self) -> Result<String> {
        match &self.0 {
            Inner::Files(store) => store.digest(),
            Inner::Packed(store) => Ok(store.digest()),
        }
    }

    /// Height and width of a field, from headers alone.
    pub fn shape(&self, index: usize) -> Result<(usize, usize)> {
        match &self.0 {
            Inner::Files(store) => store.shape(index),
            Inner::Packed(store) => Ok(store.shape(index)),
        }
    }

    /// A whole field: height x width x channels.
    pub fn load(&self, index: usize) -> Result<Image> {
        match &self.0 {
            Inner::Files(store) => store.load(index, None),
            Inner::Packed(store) => {
                let (height, width) = store.shape(index);
                store.load(index, Window::whole(height, width))
            }
        }
    }

    /// A window of a field. Packed plates decode only the tiles that it touches.
    pub fn load_crop(&self, index: usize, window: Window) -> Result<Image> {
        match &self.0 {
            Inner::Files(store) => store.load(index, Some(window)),
            Inner::Packed(store) => store.load(index, window),
        }
    }

    /// Keeps the fields that `keep` says, so that a sample of sites can be prepared.
    pub fn retain(&mut self, keep: &dyn Fn(&FieldId) -> bool) {
        match &mut self.0 {
            Inner::Files(store) => store.retain(keep),
            Inner::Packed(store) => store.retain(keep),
        }
    }

    /// Decodes every field and lists those that fail, in order.
    pub fn verify(&self) -> Vec<Problem> {
        (0..self.len())
            .into_par_iter()
            .filter_map(|i| self.load(i).err().map(|error| Problem::new(self.ids()[i].to_string(), &error)))
            .collect()
    }

    pub(crate) fn files(&self) -> Option<&FileStore> {
        match &self.0 {
            Inner::Files(store) => Some(store),
            Inner::Packed(_) => None,
        }
    }
}

pub(crate) fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().and_then(|e| e.to_str()).is_some_and(|e| extensions.iter().any(|x| e.eq_ignore_ascii_case(x)))
}

/// Applies a policy to what a scan found.
pub(crate) fn settle<T>(
    found: Vec<(String, Result<T>)>,
    policy: Policy,
    problems: &mut Vec<Problem>,
) -> Result<Vec<T>> {
    let mut kept = Vec::with_capacity(found.len());
    for (name, result) in found {
        match result {
            Ok(value) => kept.push(value),
            Err(error) if policy == Policy::Error => return Err(error),
            Err(error) => problems.push(Problem::new(name, &error)),
        }
    }
    Ok(kept)
}
