//! What is done of a plate, field by field.
//!
//! # Format
//! One JSON object per line in `.prepared/{plate}.jsonl`. Lines are appended while a plate is
//! made, and later lines of a field replace earlier ones; a line that a killed run left unfinished
//! is passed over. When the plate is done the file is written anew, in the order of the fields.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use bench_core::atomic;
use serde::{Deserialize, Serialize};

use super::quality::FieldQuality;
use crate::{Error, Result};

/// The folder of these files.
pub(super) const FOLDER: &str = ".prepared";

/// One image on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Written {
    /// Path under the output folder, with `/`.
    pub(super) file: String,
    /// Channel of a PNG; empty for a packed field.
    pub(super) channel: String,
    /// Length of a PNG file, or of the pixels of a packed field.
    pub(super) bytes: u64,
    /// SHA-256 of a PNG file, or of the pixels of a packed field.
    pub(super) sha256: String,
    /// The raw file or files.
    pub(super) sources: Vec<String>,
}

/// One field that was made, or measured and left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) field: String,
    /// Digest of settings and source files.
    pub(super) origin: String,
    /// Rows and columns of the source files.
    pub(super) raw: [usize; 2],
    /// Top, left, height and width of the part that was kept.
    pub(super) crop: [usize; 4],
    /// Rows and columns written.
    pub(super) size: [usize; 2],
    /// Bytes of the source files.
    pub(super) bytes_in: u64,
    pub(super) quality: FieldQuality,
    /// Empty if the field was left out.
    pub(super) files: Vec<Written>,
}

/// The records of a plate on disk.
pub(super) struct Journal {
    path: PathBuf,
    file: Option<File>,
}

pub(super) type Records = BTreeMap<String, Record>;

/// The path of a plate's records.
pub(super) fn path(folder: &Path, plate: &str) -> PathBuf {
    folder.join(FOLDER).join(format!("{plate}.jsonl"))
}

/// Reads records; lines that are not whole are passed over.
pub(super) fn read(path: &Path) -> Result<Records> {
    let text = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Records::new()),
        Err(source) => return Err(Error::read(path, source)),
    };
    let lines = text.split(|&byte| byte == b'\n');
    let records = lines.filter_map(|line| serde_json::from_slice::<Record>(line).ok());
    Ok(records.map(|record| (record.field.clone(), record)).collect())
}

impl Journal {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, file: None }
    }

    /// Adds a record. The line break comes first: it ends what a killed run may have left.
    pub(super) fn add(&mut self, record: &Record) -> Result<()> {
        let failed = |source| Error::write(&self.path, source);
        if self.file.is_none() {
            if let Some(folder) = self.path.parent() {
                fs::create_dir_all(folder).map_err(failed)?;
            }
            self.file = Some(OpenOptions::new().create(true).append(true).open(&self.path).map_err(failed)?);
        }
        let file = self.file.as_mut().expect("opened above");
        file.write_all(format!("\n{}", line(record)).as_bytes()).map_err(failed)
    }

    /// Puts the records of the plate in place of all lines.
    pub(super) fn finish(self, records: &Records) -> Result<()> {
        drop(self.file);
        let text: String = records.values().map(|record| line(record) + "\n").collect();
        if fs::read(&self.path).is_ok_and(|there| there == text.as_bytes()) {
            return Ok(());
        }
        atomic::write(&self.path, text.as_bytes()).map_err(|source| Error::write(&self.path, source))
    }
}

fn line(record: &Record) -> String {
    serde_json::to_string(record).expect("a record becomes JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_line_costs_its_own_field_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path(), "s__b__p");
        let record = |field: &str, origin: &str| Record {
            field: field.to_owned(),
            origin: origin.to_owned(),
            raw: [1, 2],
            crop: [0, 0, 1, 2],
            size: [1, 2],
            bytes_in: 3,
            quality: FieldQuality::default(),
            files: Vec::new(),
        };
        let mut journal = Journal::new(path.clone());
        journal.add(&record("a", "1")).unwrap();
        journal.add(&record("b", "1")).unwrap();
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
        let mut journal = Journal::new(path.clone());
        journal.add(&record("c", "2")).unwrap();
        journal.add(&record("a", "2")).unwrap();
        let records = read(&path).unwrap();
        let found: Vec<(&str, &str)> = records.values().map(|r| (&*r.field, &*r.origin)).collect();
        assert_eq!(found, [("a", "2"), ("c", "2")]);
        journal.finish(&records).unwrap();
        assert_eq!(read(&path).unwrap(), records);
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    }
}
