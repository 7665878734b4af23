//! What can be wrong with images, tables of images and settings.
//!
//! # What
//! One variant per breach; every message names the file or the field of view.
//!
//! # Why
//! A folder of a million files has broken ones. [`Error::reason`] is the short form that the list
//! of skipped fields shows; [`Error::kind`] decides the exit code of a command.

use std::io;
use std::path::{Path, PathBuf};

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How an error ends a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Something was asked for that cannot be done (exit code 2).
    Usage,
    /// Data are missing or corrupt (exit code 3).
    Data,
    /// The selection leaves nothing (exit code 4).
    Empty,
    /// Something could not be written (exit code 5: what was finished before is kept).
    Output,
}

/// One breach.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened or read.
    #[error("`{}` cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file could not be written.
    #[error("`{}` cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file is there and is not what its name says, or ends too early.
    #[error("`{}` is corrupt: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file is sound and of a kind that this crate does not read.
    #[error("`{}` is not supported: {reason}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it is, and what would do.
        reason: String,
    },
    /// A field of view lacks channels.
    #[error("field `{field}` is incomplete: no file for channel {}", list(missing))]
    Incomplete {
        /// The field of view.
        field: String,
        /// The channels without a file.
        missing: Vec<String>,
    },
    /// The channels of a field differ in size or bit depth.
    #[error("field `{field}` is inconsistent: {reason}")]
    Inconsistent {
        /// The field of view.
        field: String,
        /// Which channels differ.
        reason: String,
    },
    /// A field of view is sound and worse than what is asked for.
    #[error("field `{field}` is left out: {reason}")]
    Quality {
        /// The field of view.
        field: String,
        /// The measure that fails.
        reason: String,
    },
    /// A table breaks a rule.
    #[error("`{}` line {line}: {reason}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1; the header is line 1.
        line: usize,
        /// The rule.
        reason: String,
    },
    /// A name of a field, plate or file breaks the layout.
    #[error("name `{name}` does not fit the layout: {reason}")]
    Name {
        /// The name.
        name: String,
        /// What is expected.
        reason: String,
    },
    /// A window leaves the image.
    #[error("window of {} at ({}, {}) leaves the image of {}", size(.wanted[2], .wanted[3]), .wanted[0], .wanted[1], size(.image[0], .image[1]))]
    Window {
        /// Top, left, height, width.
        wanted: [usize; 4],
        /// Height, width.
        image: [usize; 2],
    },
    /// A path holds no images.
    #[error("`{}` holds no fields of view: {reason}", path.display())]
    Nothing {
        /// The folder or file.
        path: PathBuf,
        /// What was looked for.
        reason: String,
    },
    /// An output folder holds something else.
    #[error("`{}` was made by another configuration: {reason}", path.display())]
    Occupied {
        /// The folder or file.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
    /// A setting is out of range.
    #[error("setting `{name}` {reason}")]
    Setting {
        /// The setting.
        name: String,
        /// Its rule and the value given.
        reason: String,
    },
}

impl Error {
    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.to_owned(), source }
    }

    pub(crate) fn corrupt(path: &Path, reason: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_owned(), reason: reason.into() }
    }

    pub(crate) fn setting(name: &str, reason: impl Into<String>) -> Self {
        Self::Setting { name: name.to_owned(), reason: reason.into() }
    }

    /// How this error ends a command.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Setting { .. } | Self::Window { .. } | Self::Occupied { .. } => ErrorKind::Usage,
            Self::Nothing { .. } => ErrorKind::Empty,
            Self::Write { .. } => ErrorKind::Output,
            _ => ErrorKind::Data,
        }
    }

    /// One word for the kind of breach, as it stands in lists of skipped fields.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => "missing",
            Self::Read { .. } => "unreadable",
            Self::Write { .. } => "unwritable",
            Self::Corrupt { .. } => "corrupt",
            Self::Unsupported { .. } => "unsupported",
            Self::Incomplete { .. } => "incomplete",
            Self::Inconsistent { .. } => "inconsistent",
            Self::Quality { .. } => "quality",
            Self::Table { .. } | Self::Name { .. } => "malformed",
            Self::Window { .. } => "too-small",
            Self::Nothing { .. } => "empty",
            Self::Occupied { .. } => "occupied",
            Self::Setting { .. } => "setting",
        }
    }
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn size(height: usize, width: usize) -> String {
    format!("{height} x {width} px")
}
