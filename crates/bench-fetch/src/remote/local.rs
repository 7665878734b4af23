//! A folder as a remote: copies that are checked, resumed and listed like any other.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use tokio::task::yield_now;

use super::{Ask, Body, Listed, Page, Reply};
use crate::Cause;
use crate::failure::Trouble;
use crate::key;
use crate::ledger::mtime_ns;
use crate::part::Info;

/// A folder.
#[derive(Debug)]
pub(crate) struct Local {
    root: PathBuf,
}

/// The bytes of a file.
#[derive(Debug)]
pub(crate) struct Stream {
    file: File,
}

impl Stream {
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, Trouble> {
        // Others get their turn between two reads.
        yield_now().await;
        let mut bytes = Vec::new();
        (&mut self.file).take(1 << 18).read_to_end(&mut bytes).map_err(|error| trouble(&error))?;
        Ok((!bytes.is_empty()).then_some(bytes))
    }
}

impl Local {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn path(&self, key: &str) -> Result<PathBuf, Trouble> {
        let relative = key::destination(key).map_err(|reason| Trouble::lasting(Cause::Refused, reason))?;
        Ok(self.root.join(relative))
    }

    pub(crate) fn info(&self, key: &str) -> Result<Info, Trouble> {
        let metadata = fs::metadata(self.path(key)?).map_err(|error| trouble(&error))?;
        if !metadata.is_file() {
            return Err(Trouble::lasting(Cause::Missing, "there is a folder of this name, and no file"));
        }
        Ok(info(&metadata))
    }

    pub(crate) fn get(&self, ask: Ask<'_>) -> Result<Reply, Trouble> {
        let info = self.info(ask.key)?;
        if ask.known.is_some_and(|(etag, _)| etag == info.etag.as_deref()) {
            return Ok(Reply::Unchanged);
        }
        if ask.rest.is_some_and(|(_, etag)| Some(etag) != info.etag.as_deref()) {
            return Ok(Reply::Gone);
        }
        let from = ask.rest.map_or(0, |(from, _)| from);
        let mut file = File::open(self.path(ask.key)?).map_err(|error| trouble(&error))?;
        file.seek(SeekFrom::Start(from)).map_err(|error| trouble(&error))?;
        Ok(Reply::Body { info, from, body: Body::Local(Stream { file }) })
    }

    /// All at once: a folder has no pages.
    pub(crate) fn page(&self, prefix: &str, folders: bool) -> Result<Page, Trouble> {
        let (parent, _) = prefix.rsplit_once('/').map_or(("", prefix), |(parent, name)| (parent, name));
        let mut page = Page::default();
        if parent.is_empty() || key::destination(parent).is_ok() {
            let start = if parent.is_empty() { String::new() } else { format!("{parent}/") };
            let path = self.root.join(parent);
            if path.is_dir() || parent.is_empty() {
                walk(&path, &start, prefix, folders, &mut page).map_err(|error| trouble(&error))?;
            }
        }
        page.objects.sort_by(|a, b| a.key.cmp(&b.key));
        page.folders.sort();
        Ok(page)
    }
}

fn walk(folder: &Path, start: &str, prefix: &str, folders: bool, page: &mut Page) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // A name that is not Unicode cannot be a key.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let key = format!("{start}{name}");
        let metadata = match fs::metadata(entry.path()) {
            Ok(metadata) => metadata,
            // A link to nowhere.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if metadata.is_dir() {
            let key = format!("{key}/");
            if folders && key.starts_with(prefix) {
                page.folders.push(key);
            } else if !folders && (key.starts_with(prefix) || prefix.starts_with(&key)) {
                walk(&entry.path(), &key, prefix, folders, page)?;
            }
        } else if metadata.is_file() && key.starts_with(prefix) {
            let Info { bytes, etag, last_modified, .. } = info(&metadata);
            page.objects.push(Listed { key, bytes, etag, last_modified });
        }
    }
    Ok(())
}

/// A file that is written again has another tag, though the tag is no digest.
fn info(metadata: &Metadata) -> Info {
    let etag = format!("{:x}-{:x}", mtime_ns(metadata), metadata.len());
    Info { bytes: Some(metadata.len()), etag: Some(etag), last_modified: None, digest: false, framed: true }
}

fn trouble(error: &io::Error) -> Trouble {
    let cause = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Cause::Missing,
        io::ErrorKind::PermissionDenied => Cause::Forbidden,
        _ => return Trouble::passing(Cause::Server, error.to_string()),
    };
    Trouble::lasting(cause, error.to_string())
}
