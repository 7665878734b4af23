//! The folder layout of JUMP as it is on disk.
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

use rayon::prelude::*;

use super::files::FileStore;
use super::illumination::Illumination;
use super::{StoreOptions, has_extension};
use crate::channels::Channels;
use crate::id::{FieldId, SEPARATOR};
use crate::{Error, Result};

/// Endings of files that hold one channel.
const ENDINGS: [&str; 3] = ["png", "tif", "tiff"];
/// A file shorter than a PNG signature holds nothing.
const SHORTEST: u64 = 8;
/// Present beside simulated plates.
pub(crate) const SIMULATED_MARK: &str = "simulation.json";

/// One field as a scan or table found it: per channel its file.
pub(crate) struct Found {
    pub(crate) id: FieldId,
    pub(crate) folder: Arc<Path>,
    pub(crate) names: Vec<PathBuf>,
    /// Illumination functions that a table named; none otherwise.
    pub(crate) functions: Vec<PathBuf>,
}

/// Fields of a plate by name, each complete or with its reason.
pub(crate) type Scanned = Vec<(String, Result<Found>)>;

/// Collects the files of each field. A file that is not there yet shows when it is read.
pub(crate) struct Collector<'a> {
    channels: &'a Channels,
    folder: Arc<Path>,
    /// Whether every channel needs the path of an illumination function.
    corrected: bool,
    fields: BTreeMap<FieldId, Gathered>,
}

/// What is known of a field so far, by channel.
struct Gathered {
    files: Vec<Option<PathBuf>>,
    functions: Vec<Option<PathBuf>>,
    /// Why it cannot be used.
    twice: Option<String>,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(channels: &'a Channels, folder: &Path, corrected: bool) -> Self {
        Self { channels, folder: folder.into(), corrected, fields: BTreeMap::new() }
    }

    fn field(&mut self, id: FieldId) -> &mut Gathered {
        let none = vec![None; self.channels.len()];
        self.fields.entry(id).or_insert_with(|| Gathered { files: none.clone(), functions: none, twice: None })
    }

    /// Adds the file of one channel (its position) of a field.
    pub(crate) fn add(&mut self, id: FieldId, channel: usize, name: PathBuf) {
        let label = self.channels.names()[channel].clone();
        let field = self.field(id);
        if let Some(other) = field.files[channel].replace(name) {
            let both = [Some(other), field.files[channel].clone()].map(|n| n.unwrap_or_default().display().to_string());
            let reason = format!("channel `{label}` has two files, `{}` and `{}`", both[0], both[1]);
            field.twice.get_or_insert(reason);
        }
    }

    /// Adds the illumination function of one channel of a field; the rows of a field may repeat it.
    pub(crate) fn illuminate(&mut self, id: FieldId, channel: usize, name: PathBuf) {
        let label = self.channels.names()[channel].clone();
        let field = self.field(id);
        if field.functions[channel].as_ref().is_some_and(|there| *there != name) {
            field.twice.get_or_insert(format!("channel `{label}` has two illumination functions"));
        }
        field.functions[channel] = Some(name);
    }

    /// The fields in order, each complete or with its reason.
    pub(crate) fn finish(self) -> Scanned {
        let Self { channels, folder, corrected, fields } = self;
        let missing = |files: &[Option<PathBuf>], prefix: &str| -> Vec<String> {
            let named = channels.names().iter().zip(files);
            named.filter(|(_, file)| file.is_none()).map(|(name, _)| format!("{prefix}{name}")).collect()
        };
        let check = |id: FieldId, Gathered { files, functions, twice }: Gathered| {
            let field = id.to_string();
            if let Some(reason) = twice {
                return Err(Error::Inconsistent { field, reason });
            }
            let mut absent = missing(&files, "");
            if corrected && absent.is_empty() {
                absent = missing(&functions, "Illum");
            }
            if !absent.is_empty() {
                return Err(Error::Incomplete { field, missing: absent });
            }
            let names: Vec<PathBuf> = files.into_iter().flatten().collect();
            for name in &names {
                let path = folder.join(name);
                let length = fs::metadata(&path).map_err(|source| Error::read(&path, source))?.len();
                if length < SHORTEST {
                    return Err(Error::corrupt(&path, format!("the file has {length} bytes")));
                }
            }
            let functions = functions.into_iter().flatten().collect();
            Ok(Found { id, folder: Arc::clone(&folder), names, functions })
        };
        fields.into_iter().map(|(id, field)| (id.to_string(), check(id, field))).collect()
    }
}

/// Scans a folder.
pub(crate) fn open(root: &Path, options: &StoreOptions) -> Result<FileStore> {
    if options.illumination == Some(Illumination::Table) {
        let reason = "is `table`, and a folder has no table: name a path with `{plate}` and `{channel}` in it";
        return Err(Error::setting("illumination", reason));
    }
    let mut plates = Vec::new();
    for (source, source_path) in folders(root)? {
        for (batch, batch_path) in folders(&source_path)? {
            for (plate, plate_path) in folders(&batch_path)? {
                let wanted = |[s, b, p]: &[String; 3]| *s == source && *b == batch && *p == plate;
                if options.only.as_ref().is_none_or(wanted) {
                    plates.push((source.clone(), batch.clone(), plate, plate_path));
                }
            }
        }
    }
    let scanned: Vec<Result<Scanned>> =
        plates.par_iter().map(|(s, b, p, path)| scan_plate(s, b, p, path, &options.channels)).collect();
    let mut found = Vec::new();
    for plate in scanned {
        found.extend(plate?);
    }
    FileStore::new(found, options, root)
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
    let mut collector = Collector::new(channels, path, false);
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
