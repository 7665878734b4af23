//! A body under way: `NAME.part`, and a note beside it that says what it is a part of.
//!
//! # Interruption
//! The steps of a file, each of which may be the last:
//!
//! 1. an empty `NAME.part` is made, then `NAME.part.json` with the tag and length of the object;
//! 2. bytes are added to the part;
//! 3. the part is checked, synced and renamed to `NAME`;
//! 4. the ledger gets its line;
//! 5. the note is removed.
//!
//! A part without a note is begun anew, a part with a note is continued, and a note without a
//! part means that 3 was done and 4 perhaps not: the file is checked again as a part.
//!
//! A killed process loses nothing of what it wrote; a machine without power may. Where the end
//! will show by digest whether the bytes are right, a part is continued as it is; elsewhere only
//! up to where it was last synced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::etag::{self, Tag};
use crate::key::{NOTE, PART, with_ending};
use crate::{Error, Object, Result};

/// Bytes between two syncs of a part that no digest will check.
const SYNC_EVERY: u64 = 32 << 20;

/// What an object is, as the server said when its first byte came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Info {
    /// Length of the whole object.
    pub(crate) bytes: Option<u64>,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
    /// Whether the tag is a digest by the rules of S3.
    pub(crate) digest: bool,
    /// Whether a body of unknown length tells where it ends.
    pub(crate) framed: bool,
}

impl Info {
    /// What the tag tells.
    pub(crate) fn tag(&self) -> Tag {
        match &self.etag {
            Some(etag) if self.digest => Tag::parse(etag),
            _ => Tag::Opaque,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Note {
    remote: String,
    key: String,
    info: Info,
    /// Bytes that are on the disk for certain.
    synced: u64,
}

/// The files of one object.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) file: PathBuf,
    pub(crate) part: PathBuf,
    pub(crate) note: PathBuf,
}

impl Place {
    pub(crate) fn new(file: PathBuf) -> Self {
        Self { part: with_ending(&file, PART), note: with_ending(&file, NOTE), file }
    }

    /// Removes the note of a file that the ledger names.
    pub(crate) fn settle(&self) -> Result<()> {
        remove(&self.note).map_err(|source| Error::write(&self.note, source))
    }
}

/// A part and its note.
#[derive(Debug)]
pub(crate) struct Part {
    place: Place,
    file: Option<File>,
    note: Option<Note>,
    /// Whether a digest will tell if the bytes are right.
    certain: bool,
    /// Bytes that are there.
    pub(crate) offset: u64,
}

impl Part {
    /// Takes up what an earlier run left of this object, or nothing.
    pub(crate) fn open(place: Place, remote: &str, object: &Object) -> io::Result<Self> {
        let mut part = Self { place, file: None, note: None, certain: false, offset: 0 };
        let Some(note) = part.read_note().filter(|note| fits(note, remote, object)) else {
            part.discard()?;
            return Ok(part);
        };
        let mut length = length(&part.place.part)?;
        if length.is_none() && note.info.bytes.is_some() && self::length(&part.place.file)? == note.info.bytes {
            fs::rename(&part.place.file, &part.place.part)?;
            length = note.info.bytes;
        }
        part.certain = is_certain(object, &note.info);
        let offset = length.map(|length| if part.certain { length } else { length.min(note.synced) });
        match offset {
            Some(offset) if note.info.bytes.is_none_or(|bytes| offset <= bytes) => {
                let file = OpenOptions::new().append(true).open(&part.place.part)?;
                file.set_len(offset)?;
                part.file = Some(file);
                part.offset = offset;
                part.note = Some(note);
            }
            _ => part.discard()?,
        }
        Ok(part)
    }

    fn read_note(&self) -> Option<Note> {
        // Torn or missing: then the part is begun anew.
        fs::read(&self.place.note).ok().and_then(|text| serde_json::from_slice(&text).ok())
    }

    /// What the object is, once its first bytes came.
    pub(crate) fn info(&self) -> Option<&Info> {
        self.note.as_ref().map(|note| &note.info)
    }

    /// Whether nothing is missing but the check.
    pub(crate) fn is_whole(&self) -> bool {
        self.info().is_some_and(|info| info.bytes == Some(self.offset))
    }

    /// The tag by which the rest can be asked for.
    pub(crate) fn continues(&self) -> Option<&str> {
        let etag = self.info()?.etag.as_deref()?;
        (self.offset > 0 && !etag::is_weak(etag)).then_some(etag)
    }

    /// Begins with an empty part.
    pub(crate) fn begin(&mut self, remote: &str, object: &Object, info: Info) -> io::Result<()> {
        if let Some(folder) = self.place.part.parent() {
            fs::create_dir_all(folder)?;
        }
        remove(&self.place.note)?;
        self.file = Some(File::create(&self.place.part)?);
        self.certain = is_certain(object, &info);
        self.note = Some(Note { remote: remote.to_owned(), key: object.key.clone(), info, synced: 0 });
        self.offset = 0;
        self.write_note()
    }

    fn write_note(&self) -> io::Result<()> {
        let Some(note) = &self.note else { return Ok(()) };
        fs::write(&self.place.note, serde_json::to_vec(note).expect("a note becomes JSON"))
    }

    /// Adds bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = self.file.as_mut().ok_or(io::ErrorKind::NotFound)?;
        file.write_all(bytes)?;
        self.offset += bytes.len() as u64;
        let unsynced = self.offset - self.note.as_ref().map_or(0, |note| note.synced);
        if !self.certain && unsynced >= SYNC_EVERY { self.sync() } else { Ok(()) }
    }

    /// Makes sure that a later run can use what is there now.
    pub(crate) fn leave(&mut self) -> io::Result<()> {
        match (self.offset, self.certain) {
            (0, _) => self.discard(),
            (_, true) => Ok(()),
            (_, false) => self.sync(),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let (Some(file), Some(note)) = (&self.file, &mut self.note) else { return Ok(()) };
        file.sync_data()?;
        note.synced = self.offset;
        self.write_note()
    }

    /// Drops what is there.
    pub(crate) fn discard(&mut self) -> io::Result<()> {
        self.file = None;
        self.note = None;
        self.offset = 0;
        remove(&self.place.note)?;
        remove(&self.place.part)
    }

    /// Gives the file away, to be checked, synced and renamed.
    pub(crate) fn close(&mut self) -> Option<File> {
        self.file.take()
    }

    /// The part, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.place.part
    }
}

fn is_certain(object: &Object, info: &Info) -> bool {
    object.sha256.is_some() || info.bytes.is_some_and(|bytes| info.tag().tells(bytes))
}

fn fits(note: &Note, remote: &str, object: &Object) -> bool {
    note.remote == remote
        && note.key == object.key
        && object.etag.as_ref().is_none_or(|etag| note.info.etag.as_ref() == Some(etag))
        && object.bytes.is_none_or(|bytes| note.info.bytes.is_none_or(|is| is == bytes))
}

fn length(path: &Path) -> io::Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.is_file().then_some(metadata.len())),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if !is_absent(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Whether nothing is there: no such file, or a file where a folder of its path would be.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
