//! Fields whose channels are single files, and what a recipe makes of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bench_core::digest;

use super::file::{read_raw, read_shape};
use super::folder::{SIMULATED_MARK, Scanned};
use super::illumination::{Functions, Illumination};
use super::recipe::Recipe;
use super::samples::Raw;
use super::{Problem, StoreOptions, settle};
use crate::augment::resized;
use crate::channels::Channels;
use crate::id::FieldId;
use crate::image::{Image, Pixels, Window};
use crate::{Error, Result};

/// Fields whose channels are single files.
#[derive(Debug)]
pub(crate) struct FileStore {
    pub(crate) ids: Vec<FieldId>,
    files: Vec<Files>,
    pub(crate) channels: Channels,
    pub(crate) recipe: Recipe,
    pub(crate) problems: Vec<Problem>,
    pub(crate) simulated: bool,
    root: PathBuf,
    functions: Functions,
}

/// The files of one field, by channel.
#[derive(Debug)]
struct Files {
    folder: Arc<Path>,
    names: Box<[Box<Path>]>,
    functions: Box<[Box<Path>]>,
}

/// A field by channel: what a recipe made of its files.
#[derive(Debug)]
pub(crate) struct Planes {
    /// Rows and columns of the files.
    pub(crate) raw: (usize, usize),
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) pixels: Vec<Pixels>,
}

impl FileStore {
    pub(crate) fn new(found: Scanned, options: &StoreOptions, root: &Path) -> Result<Self> {
        let mut problems = Vec::new();
        let mut kept = settle(found, options.policy, &mut problems)?;
        kept.sort_by(|a, b| a.id.cmp(&b.id));
        let mut ids = Vec::with_capacity(kept.len());
        let mut files = Vec::with_capacity(kept.len());
        let boxed = |paths: Vec<PathBuf>| paths.into_iter().map(PathBuf::into_boxed_path).collect();
        for field in kept {
            ids.push(field.id);
            files.push(Files { folder: field.folder, names: boxed(field.names), functions: boxed(field.functions) });
        }
        Ok(Self {
            ids,
            files,
            channels: options.channels.clone(),
            recipe: options.recipe(),
            problems,
            simulated: root.join(SIMULATED_MARK).is_file(),
            root: root.to_owned(),
            functions: Functions::default(),
        })
    }

    /// Keeps the fields that `keep` says.
    pub(crate) fn retain(&mut self, keep: &dyn Fn(&FieldId) -> bool) {
        let marks: Vec<bool> = self.ids.iter().map(keep).collect();
        let (mut i, mut j) = (marks.iter(), marks.iter());
        self.ids.retain(|_| *i.next().expect("a mark per field"));
        self.files.retain(|_| *j.next().expect("a mark per field"));
    }

    /// The files of a field, by channel.
    pub(crate) fn paths(&self, index: usize) -> impl Iterator<Item = PathBuf> + '_ {
        let files = &self.files[index];
        files.names.iter().map(|name| files.folder.join(name))
    }

    /// The names of the files of a field as the folder or table has them.
    pub(crate) fn names(&self, index: usize) -> impl Iterator<Item = String> + '_ {
        self.files[index].names.iter().map(|name| name.display().to_string())
    }

    /// The illumination function of a channel of a field.
    fn function(&self, index: usize, channel: usize) -> Option<PathBuf> {
        let setting = self.recipe.illumination.as_ref()?;
        let named = self.files[index].functions.get(channel).map(|name| self.files[index].folder.join(name));
        named.or_else(|| setting.path(&self.root, &self.ids[index], &self.channels.names()[channel]))
    }

    /// The settings that decide the pixels, for digests.
    pub(crate) fn settings(&self) -> String {
        let mut text = format!("{:?} {:?} {:?}", self.channels.names(), self.recipe.depth, self.recipe.crop);
        if let Some(side) = self.recipe.resize {
            text.push_str(&format!(" resize {side}"));
        }
        if let Some(illumination) = &self.recipe.illumination {
            text.push_str(&format!(" illumination {illumination:?}"));
        }
        text
    }

    /// Name, length and time of change of every file that a field comes from.
    pub(crate) fn stamp(&self, index: usize) -> Result<(String, u64)> {
        let (mut text, mut bytes) = (format!("{}\n", self.ids[index]), 0);
        let functions = (0..self.channels.len()).filter_map(|c| self.function(index, c));
        let shown = self.names(index).zip(self.paths(index));
        for (name, path) in shown.chain(functions.map(|path| (path.display().to_string(), path))) {
            let metadata = fs::metadata(&path).map_err(|source| Error::read(&path, source))?;
            let changed = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
            text.push_str(&format!("{name} {} {changed:?}\n", metadata.len()));
            bytes += metadata.len();
        }
        Ok((text, bytes))
    }

    /// Digest of the settings, and of the names and lengths of all files. It does not read them:
    /// pack the store for a digest over pixels.
    pub(crate) fn digest(&self) -> Result<String> {
        let mut text = self.settings();
        for (index, id) in self.ids.iter().enumerate() {
            text.push_str(&format!("\n{id}"));
            for path in self.paths(index) {
                let length = fs::metadata(&path).map_err(|source| Error::read(&path, source))?.len();
                text.push_str(&format!("\t{length}"));
            }
        }
        Ok(digest::of_bytes(text.as_bytes()))
    }

    pub(crate) fn shape(&self, index: usize) -> Result<(usize, usize)> {
        let path = self.paths(index).next().expect("a field has at least one channel");
        let (height, width) = read_shape(&path)?;
        let cut = self.cut(height, width);
        Ok(self.recipe.resized(cut.height, cut.width))
    }

    /// The part of a file that the recipe keeps.
    pub(crate) fn cut(&self, height: usize, width: usize) -> Window {
        match self.recipe.crop {
            Some(size) => Window::centre(height, width, size),
            None => Window::whole(height, width),
        }
    }

    /// What the recipe makes of one channel.
    fn plane(&self, index: usize, channel: usize, path: &Path, mut raw: Raw) -> Result<Image> {
        if let Some(function) = self.function(index, channel) {
            raw = self.functions.correct(&raw, &function)?;
        }
        let cut = self.cut(raw.height, raw.width);
        if cut != Window::whole(raw.height, raw.width) {
            raw = Raw { height: cut.height, width: cut.width, samples: raw.samples.crop(raw.width, cut) };
        }
        let unsupported = |reason: &str| Error::Unsupported { path: path.to_owned(), reason: reason.to_owned() };
        let pixels = self.recipe.depth.apply(raw.samples).map_err(unsupported)?;
        let plane = Image { height: raw.height, width: raw.width, channels: 1, pixels };
        let (height, width) = self.recipe.resized(plane.height, plane.width);
        Ok(if (height, width) == (plane.height, plane.width) { plane } else { resized(&plane, height, width) })
    }

    /// A field by channel. `look` sees every channel as its file has it.
    pub(crate) fn planes(
        &self,
        index: usize,
        window: Option<Window>,
        look: &mut dyn FnMut(usize, &Raw),
    ) -> Result<Planes> {
        let mut first: Option<Planes> = None;
        for (channel, path) in self.paths(index).enumerate() {
            let raw = read_raw(&path)?;
            let (h, w) = (raw.height, raw.width);
            if let Some(Planes { raw: (height, width), .. }) = first.as_ref().filter(|f| f.raw != (h, w)) {
                let name = &self.channels.names()[channel];
                let reason = format!("channel `{name}` has {h} x {w} px, the first channel {height} x {width} px");
                return Err(Error::Inconsistent { field: self.ids[index].to_string(), reason });
            }
            look(channel, &raw);
            let mut plane = self.plane(index, channel, &path, raw)?;
            if let Some(window) = window {
                plane = plane.crop(window)?;
            }
            let Image { height, width, pixels, .. } = plane;
            first.get_or_insert(Planes { raw: (h, w), height, width, pixels: Vec::new() }).pixels.push(pixels);
        }
        Ok(first.expect("a field has at least one channel"))
    }

    /// Channels of one depth, together.
    pub(crate) fn weave(&self, index: usize, planes: &Planes) -> Result<Image> {
        Image::interleave(planes.height, planes.width, &planes.pixels).ok_or_else(|| Error::Inconsistent {
            field: self.ids[index].to_string(),
            reason: "some channels have 8 bits and some 16".to_owned(),
        })
    }

    pub(crate) fn load(&self, index: usize, window: Option<Window>) -> Result<Image> {
        let planes = self.planes(index, window, &mut |_, _| {})?;
        self.weave(index, &planes)
    }
}

impl StoreOptions {
    fn recipe(&self) -> Recipe {
        Recipe {
            crop: self.centre_crop,
            depth: self.depth,
            resize: self.resize,
            illumination: self.illumination.clone(),
        }
    }

    /// # Errors
    /// A setting that cannot be.
    pub(super) fn check(&self) -> Result<()> {
        self.recipe().check()?;
        match &self.illumination {
            Some(Illumination::Template(path)) if path.is_empty() => {
                Err(Error::setting("illumination", "has an empty path"))
            }
            _ => Ok(()),
        }
    }
}
