//! Reading everything again.
//!
//! # What
//! Every file of the ledger is read and compared by length and SHA-256; what lies in the folder
//! beside them is listed.
//!
//! # Why
//! Disks, copies and people change files. A fetch looks at lengths and times; this reads.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::Serialize;

use crate::check::{Expected, examine};
use crate::etag::Tag;
use crate::key::{self, LEDGER, LOCK, NOTE, PART};
use crate::ledger;
use crate::lock::Lock;
use crate::{Entry, Error, Progress, Result, Tally};

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Flaw {
    /// It is not there.
    Missing,
    /// It has another length.
    Length {
        /// Bytes on disk.
        bytes: u64,
        /// Bytes by the ledger.
        expected: u64,
    },
    /// It has the right length and another SHA-256.
    Digest {
        /// Of the file.
        sha256: String,
        /// Of the ledger.
        expected: String,
    },
    /// It is there and cannot be read.
    Unreadable {
        /// What the system said.
        message: String,
    },
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => write!(f, "the file is not there"),
            Self::Length { bytes, expected } => {
                write!(f, "it has {bytes} bytes, and had {expected} when it was fetched")
            }
            Self::Digest { .. } => write!(f, "its content is not what was fetched"),
            Self::Unreadable { message } => write!(f, "it cannot be read: {message}"),
        }
    }
}

/// The outcome of a verification. Paths are relative to the folder, with `/`; lists are sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Files of the ledger that were read and are right.
    pub right: usize,
    /// Bytes read.
    pub bytes: u64,
    /// Files that are wrong, by path.
    pub flaws: Vec<(String, Flaw)>,
    /// Unfinished files and their notes; a fetch of their objects continues them.
    pub leftovers: Vec<String>,
    /// Other files that the ledger does not name.
    pub unlisted: Vec<String>,
    /// Whether it was interrupted, and so says nothing of the files that it did not reach.
    pub interrupted: bool,
}

impl Verification {
    /// Whether every file of the ledger was read and is right.
    pub fn is_right(&self) -> bool {
        self.flaws.is_empty() && !self.interrupted
    }
}

/// Verifies a folder. Setting `interrupted` ends it within a second.
///
/// # Errors
/// [`Error::Busy`] while a fetch is under way, [`Error::Ledger`], and [`Error::Read`] where a folder
/// cannot be listed.
pub fn verify(folder: &Path, progress: &dyn Progress, interrupted: &AtomicBool) -> Result<Verification> {
    let _lock = Lock::shared(folder)?;
    let entries = ledger::read(folder)?;
    let mut result = Verification::default();
    let mut names = BTreeSet::new();
    walk(folder, "", &mut names)?;
    for name in names {
        if name.ends_with(PART) || name.ends_with(NOTE) {
            result.leftovers.push(name);
        } else if !entries.contains_key(&name) && name != LEDGER && name != LOCK {
            result.unlisted.push(name);
        }
    }

    let entries: Vec<Entry> = entries.into_values().collect();
    let mut tally = Tally { objects: entries.len() as u64, ..Tally::default() };
    tally.bytes = entries.iter().map(|entry| entry.bytes).sum();
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(interrupted.load(Ordering::Relaxed)));
    let threads = thread::available_parallelism().map_or(1, |n| n.get().min(8));
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..threads {
            let (sender, entries, next, stop) = (sender.clone(), &entries, &next, &stop);
            scope.spawn(move || {
                while let Some(entry) = entries.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let looked = look(folder, entry, stop);
                    if stop.load(Ordering::Relaxed) || sender.send((entry, looked)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        loop {
            if interrupted.load(Ordering::Relaxed) {
                stop.store(true, Ordering::Relaxed);
            }
            let (entry, looked) = match receiver.recv_timeout(Duration::from_millis(50)) {
                Ok(looked) => looked,
                Err(mpsc::RecvTimeoutError::Timeout) => continue,
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            };
            tally.bytes_done += entry.bytes;
            match looked {
                Ok(bytes) => {
                    tally.objects_done += 1;
                    result.right += 1;
                    result.bytes += bytes;
                }
                Err(flaw) => {
                    tally.objects_failed += 1;
                    result.flaws.push((entry.path.clone(), flaw));
                }
            }
            progress.update(&tally);
        }
    });
    result.interrupted = result.right + result.flaws.len() < entries.len();
    result.flaws.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(result)
}

/// Bytes of a file that is right, or its flaw.
fn look(folder: &Path, entry: &Entry, stop: &AtomicBool) -> Result<u64, Flaw> {
    let unreadable = |message: String| Flaw::Unreadable { message };
    let path = folder.join(key::destination(&entry.path).map_err(|reason| unreadable(reason.to_owned()))?);
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Flaw::Missing,
        _ => unreadable(error.to_string()),
    };
    let bytes = fs::metadata(&path).map_err(failed)?.len();
    if bytes != entry.bytes {
        return Err(Flaw::Length { bytes, expected: entry.bytes });
    }
    let sha256 = Some(entry.sha256.clone());
    let expected = Expected { bytes: None, tag: Tag::Opaque, sha256, twin: None };
    let content = examine(&path, &expected, stop).map_err(failed)?;
    match content.verdict {
        Ok(_) => Ok(content.bytes),
        Err(_) => Err(Flaw::Digest { sha256: content.sha256, expected: entry.sha256.clone() }),
    }
}

/// Names of all files below a folder.
fn walk(folder: &Path, start: &str, names: &mut BTreeSet<String>) -> Result<()> {
    let failed = |source| Error::read(folder, source);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = format!("{start}{}", entry.file_name().to_string_lossy());
        if entry.file_type().map_err(failed)?.is_dir() {
            walk(&entry.path(), &format!("{name}/"), names)?;
        } else {
            names.insert(name);
        }
    }
    Ok(())
}
