//! The folder layout of JUMP as it is on disk, and loading from single-channel files.
//!
//! # What
//! `{root}/{source}/{batch}/{plate}/{source}__{plate}__{well}__{site}__{channel}.png`, also
//! `.tif` and `.tiff`. Folders are read in sorted order, so the index does not depend on the file
//! system. Files of other kinds and channels that were not asked for are passed over; a file
//! that looks like an image of the plate and does not parse is a problem.
//!
//! # Reference
//! gwatkinson/jump_download (methods reference, section 5).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bench_core::digest;
use rayon::prelude::*;

use super::file::{Plane, read_plane, read_shape};
use super::scale::Depth;
use super::{Problem, StoreOptions, has_extension, settle};
use crate::channels::Channels;
use crate::id::{FieldId, SEPARATOR};
use crate::image::{Image, Window};
use crate::{Error, Result};

/// Endings of files that hold one channel.
const ENDINGS: [&str; 3] = ["png", "tif", "tiff"];
/// A file shorter than a PNG signature holds nothing.
const SHORTEST: u64 = 8;
/// Present beside simulated plates.
pub(crate) const SIMULATED_MARK: &str = "simulation.json";

/// Fields whose channels are single files.
#[derive(Debug)]
pub(crate) struct FileStore {
    pub(crate) ids: Vec<FieldId>,
    files: Vec<Files>,
    pub(crate) channels: Channels,
    depth: Depth,
    centre_crop: Option<usize>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) simulated: bool,
}

/// The files of one field, by channel.
#[derive(Debug)]
struct Files {
    folder: Arc<Path>,
    names: Box<[Box<Path>]>,
}

/// One field as a scan or table found it: per channel its file.
pub(crate) struct Found {
    pub(crate) id: FieldId,
    pub(crate) folder: Arc<Path>,
    pub(crate) names: Vec<PathBuf>,
}

/// Fields of a plate by name, each complete or with its reason.
pub(crate) type Scanned = Vec<(String, Result<Found>)>;

/// Collects the files of each field. A file that is not there yet shows when it is read.
pub(crate) struct Collector<'a> {
    channels: &'a Channels,
    folder: Arc<Path>,
    fields: BTreeMap<FieldId, (Vec<Option<PathBuf>>, Option<Error>)>,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(channels: &'a Channels, folder: &Path) -> Self {
        Self { channels, folder: folder.into(), fields: BTreeMap::new() }
    }

    /// Adds the file of one channel (its position) of a field.
    pub(crate) fn add(&mut self, id: FieldId, channel: usize, name: PathBuf) {
        let (files, error) = self.fields.entry(id).or_insert_with(|| (vec![None; self.channels.len()], None));
        if let Some(other) = files[channel].replace(name) {
            let both = [Some(other), files[channel].clone()].map(|n| n.unwrap_or_default().display().to_string());
            let reason =
                format!("channel `{}` has two files, `{}` and `{}`", self.channels.names()[channel], both[0], both[1]);
            error.get_or_insert(Error::Inconsistent { field: String::new(), reason });
        }
    }

    /// The fields in order, each complete or with its reason.
    pub(crate) fn finish(self) -> Scanned {
        let Self { channels, folder, fields } = self;
        let check = |id: FieldId, files: Vec<Option<PathBuf>>, error: Option<Error>| {
            let field = id.to_string();
            if let Some(Error::Inconsistent { reason, .. }) = error {
                return Err(Error::Inconsistent { field, reason });
            }
            let missing: Vec<String> =
                channels.names().iter().zip(&files).filter(|(_, f)| f.is_none()).map(|(n, _)| n.clone()).collect();
            if !missing.is_empty() {
                return Err(Error::Incomplete { field, missing });
            }
            let names: Vec<PathBuf> = files.into_iter().flatten().collect();
            for name in &names {
                let path = folder.join(name);
                let length = fs::metadata(&path).map_err(|source| Error::read(&path, source))?.len();
                if length < SHORTEST {
                    return Err(Error::corrupt(&path, format!("the file has {length} bytes")));
                }
            }
            Ok(Found { id, folder: Arc::clone(&folder), names })
        };
        fields.into_iter().map(|(id, (files, error))| (id.to_string(), check(id, files, error))).collect()
    }
}

/// Scans a folder.
pub(crate) fn open(root: &Path, options: &StoreOptions) -> Result<FileStore> {
    let mut plates = Vec::new();
    for (source, source_path) in folders(root)? {
        for (batch, batch_path) in folders(&source_path)? {
            for (plate, plate_path) in folders(&batch_path)? {
                plates.push((source.clone(), batch.clone(), plate, plate_path));
            }
        }
    }
    let scanned: Vec<Result<Scanned>> =
        plates.par_iter().map(|(s, b, p, path)| scan_plate(s, b, p, path, &options.channels)).collect();
    let mut found = Vec::new();
    for plate in scanned {
        found.extend(plate?);
    }
    FileStore::new(found, options, root.join(SIMULATED_MARK).is_file())
}

/// Subfolders in sorted order. Names that cannot be part of an id are not part of the layout.
fn folders(path: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut out = Vec::new();
    for (name, path) in entries(path)? {
        if !name.starts_with('.') && path.is_dir() {
            out.push((name, path));
        }
    }
    Ok(out)
}

fn entries(path: &Path) -> Result<Vec<(String, PathBuf)>> {
    let failed = |source| Error::read(path, source);
    let mut out = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // A name that is not Unicode cannot be one of ours.
        if let Ok(name) = entry.file_name().into_string() {
            out.push((name, entry.path()));
        }
    }
    out.sort();
    Ok(out)
}

fn scan_plate(source: &str, batch: &str, plate: &str, path: &Path, channels: &Channels) -> Result<Scanned> {
    let mut collector = Collector::new(channels, path);
    let mut odd = Vec::new();
    for (name, file) in entries(path)? {
        if name.starts_with('.') || !has_extension(Path::new(&name), &ENDINGS) {
            continue;
        }
        let stem = Path::new(&name).file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        let parts: Vec<&str> = stem.split(SEPARATOR).collect();
        let id = match parts[..] {
            [s, p, well, site, channel] if s == source && p == plate => match channels.find(channel) {
                Some(channel) => FieldId::new(source, batch, plate, well, site).map(|id| (id, channel)),
                None => continue,
            },
            _ => {
                let reason = format!("expected `{source}__{plate}__{{well}}__{{site}}__{{channel}}`");
                Err(Error::Name { name: file.display().to_string(), reason })
            }
        };
        match id {
            Ok((id, channel)) => collector.add(id, channel, name.into()),
            Err(error) => odd.push((file.display().to_string(), Err(error))),
        }
    }
    let mut found = collector.finish();
    found.append(&mut odd);
    Ok(found)
}

impl FileStore {
    pub(crate) fn new(found: Scanned, options: &StoreOptions, simulated: bool) -> Result<Self> {
        let mut problems = Vec::new();
        let mut kept = settle(found, options.policy, &mut problems)?;
        kept.sort_by(|a, b| a.id.cmp(&b.id));
        let mut ids = Vec::with_capacity(kept.len());
        let mut files = Vec::with_capacity(kept.len());
        for field in kept {
            ids.push(field.id);
            let names = field.names.into_iter().map(PathBuf::into_boxed_path).collect();
            files.push(Files { folder: field.folder, names });
        }
        Ok(Self {
            ids,
            files,
            channels: options.channels.clone(),
            depth: options.depth,
            centre_crop: options.centre_crop,
            problems,
            simulated,
        })
    }

    /// The files of a field, by channel.
    pub(crate) fn paths(&self, index: usize) -> impl Iterator<Item = PathBuf> + '_ {
        let files = &self.files[index];
        files.names.iter().map(|name| files.folder.join(name))
    }

    /// The settings that decide the pixels, for digests.
    pub(crate) fn settings(&self) -> String {
        format!("{:?} {:?} {:?}", self.channels.names(), self.depth, self.centre_crop)
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
        Ok((cut.height, cut.width))
    }

    fn cut(&self, height: usize, width: usize) -> Window {
        match self.centre_crop {
            Some(size) => Window::centre(height, width, size),
            None => Window::whole(height, width),
        }
    }

    pub(crate) fn load(&self, index: usize, window: Option<Window>) -> Result<Image> {
        let mut planes = Vec::with_capacity(self.channels.len());
        let mut first: Option<(usize, usize)> = None;
        let inconsistent = |reason| Error::Inconsistent { field: self.ids[index].to_string(), reason };
        for (path, channel) in self.paths(index).zip(self.channels.names()) {
            let Plane { height, width, pixels } = read_plane(&path)?;
            let (h, w) = *first.get_or_insert((height, width));
            if (h, w) != (height, width) {
                let reason = format!("channel `{channel}` has {height} x {width} px, the first channel {h} x {w} px");
                return Err(inconsistent(reason));
            }
            let cut = self.cut(height, width);
            let mut plane = Image { height, width, channels: 1, pixels };
            if cut != Window::whole(height, width) {
                plane = plane.crop(cut)?;
            }
            plane.pixels = self.depth.apply(plane.pixels);
            if let Some(window) = window {
                plane = plane.crop(window)?;
            }
            planes.push(plane);
        }
        let (height, width) = (planes[0].height, planes[0].width);
        let pixels: Vec<_> = planes.into_iter().map(|p| p.pixels).collect();
        Image::interleave(height, width, &pixels)
            .ok_or_else(|| inconsistent("some channels have 8 bits and some 16".to_owned()))
    }
}
