//! The list of fetched files, beside them.
//!
//! # What
//! `fetched.jsonl` holds one JSON object per line; the last line about a path counts. Lines are only
//! ever added, each in one write when its file is in place.
//!
//! # Why
//! A second run compares lengths and times on disk with the ledger and asks the server for nothing.
//!
//! # Interruption
//! A process that is killed while it adds a line leaves a torn one at the end. Readers pass over
//! it, the next writer cuts it off; its file is recognised by the note beside it (see `part`).

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::key::LEDGER;
use crate::{Error, Object, Result};

/// One fetched file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Address of the remote.
    pub remote: String,
    /// Key of the object, relative to the remote.
    pub key: String,
    /// The file, relative to the folder, with `/` between segments.
    pub path: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// The server's tag.
    pub etag: Option<String>,
    /// When the object last changed, in the server's words.
    pub last_modified: Option<String>,
    /// Hexadecimal SHA-256.
    pub sha256: String,
    /// What it was checked by: `sha256`, `md5`, `multipart N` (parts of N bytes), `twice` (two
    /// transfers gave the same bytes) or `length`.
    pub checked: String,
    /// Modification time of the file in nanoseconds since 1970.
    pub mtime_ns: u64,
}

impl Entry {
    /// Whether this is the object that is asked for, as far as that is known.
    pub(crate) fn answers(&self, remote: &str, object: &Object) -> bool {
        let differs =
            |known: &Option<String>, is: Option<&str>| known.as_deref().is_some_and(|known| Some(known) != is);
        self.remote == remote
            && self.key == object.key
            && object.bytes.is_none_or(|bytes| bytes == self.bytes)
            && !differs(&object.etag, self.etag.as_deref())
            && object.sha256.as_ref().is_none_or(|sha256| sha256.eq_ignore_ascii_case(&self.sha256))
    }
}

/// The ledger of a folder, open for more lines.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    file: File,
    pub(crate) entries: BTreeMap<String, Entry>,
    /// Path of the last line.
    pub(crate) last: Option<String>,
}

impl Ledger {
    /// Opens or begins the ledger of a folder. The caller holds the lock.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(LEDGER);
        let Lines { entries, last, whole } = parse(&path)?;
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(|source| Error::write(&path, source))?;
        file.set_len(whole).map_err(|source| Error::write(&path, source))?;
        Ok(Self { path, file, entries, last })
    }

    /// Adds a line.
    pub(crate) fn add(&mut self, entry: &Entry) -> Result<()> {
        let mut line = serde_json::to_vec(entry).expect("an entry becomes JSON");
        line.push(b'\n');
        self.file.write_all(&line).map_err(|source| Error::write(&self.path, source))
    }

    /// Asks the system to write the lines to the disk.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|source| Error::write(&self.path, source))
    }
}

/// Entries of a folder by path; none where nothing was fetched.
///
/// # Errors
/// [`Error::Read`], or [`Error::Ledger`] for a line that is not an entry. A torn last line is none.
pub fn read(folder: &Path) -> Result<BTreeMap<String, Entry>> {
    parse(&folder.join(LEDGER)).map(|lines| lines.entries)
}

#[derive(Default)]
struct Lines {
    entries: BTreeMap<String, Entry>,
    last: Option<String>,
    /// Bytes up to the end of the last whole line.
    whole: u64,
}

fn parse(path: &Path) -> Result<Lines> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Lines::default()),
        Err(source) => return Err(Error::read(path, source)),
    };
    let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let mut lines = Lines { whole: whole as u64, ..Lines::default() };
    for (i, line) in text[..whole].split(|&byte| byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        let entry: Entry = serde_json::from_slice(line).map_err(|error| Error::Ledger {
            path: path.to_owned(),
            line: i + 1,
            reason: format!("{error}; without the line its file is checked or fetched again"),
        })?;
        lines.last = Some(entry.path.clone());
        lines.entries.insert(entry.path.clone(), entry);
    }
    Ok(lines)
}

/// Modification time in nanoseconds since 1970; 0 where the system has none.
pub(crate) fn mtime_ns(metadata: &Metadata) -> u64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, bytes: u64) -> Entry {
        Entry {
            remote: "s3://b".into(),
            key: path.into(),
            path: path.into(),
            bytes,
            etag: None,
            last_modified: None,
            sha256: "00".into(),
            checked: "length".into(),
            mtime_ns: 1_700_000_000_123_456_789,
        }
    }

    #[test]
    fn the_last_line_about_a_path_counts_and_a_torn_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LEDGER);
        let mut ledger = Ledger::open(folder.path()).unwrap();
        for entry in [entry("a", 1), entry("b", 2), entry("a", 3)] {
            ledger.add(&entry).unwrap();
        }
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole[..], b"{\"remote\":\"s3:"].concat()).unwrap();
        assert_eq!(read(folder.path()).unwrap().into_values().collect::<Vec<_>>(), [entry("a", 3), entry("b", 2)]);

        let mut ledger = Ledger::open(folder.path()).unwrap();
        ledger.add(&entry("c", 4)).unwrap();
        assert_eq!(read(folder.path()).unwrap().len(), 3);
        assert!(fs::read(&path).unwrap().starts_with(&whole));
    }

    #[test]
    fn a_broken_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(LEDGER), "\n{}\n").unwrap();
        assert!(matches!(read(folder.path()), Err(Error::Ledger { line: 2, .. })));
    }

    #[test]
    fn an_entry_answers_what_agrees_with_it() {
        let known = Entry { etag: Some("t".into()), ..entry("a", 1) };
        let object = Object::new("a");
        assert!(known.answers("s3://b", &object));
        assert!(known.answers("s3://b", &Object { bytes: Some(1), etag: Some("t".into()), ..object.clone() }));
        assert!(!known.answers("s3://c", &object));
        for other in [
            Object { bytes: Some(2), ..object.clone() },
            Object { etag: Some("u".into()), ..object.clone() },
            Object { sha256: Some("01".into()), ..object.clone() },
            Object::new("b").at("a"),
        ] {
            assert!(!known.answers("s3://b", &other), "{other:?}");
        }
    }
}
