//! What stops a whole listing, fetch or verification.
//!
//! # What
//! One variant per breach; every message names the address, setting, path or file.
//!
//! # Why
//! A single object that fails is no error: it stands in the report with its [`Cause`], and the
//! rest goes on. What is here stops everything; [`Error::kind`] decides the exit code of a command.

use std::io;
use std::path::{Path, PathBuf};

use crate::Cause;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How an error ends a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Something was asked for that cannot be done (exit code 2).
    Usage,
    /// Data are missing, corrupt or out of reach (exit code 3).
    Data,
    /// Something could not be written (exit code 5: what was fetched before is kept).
    Output,
}

/// One breach.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address of a remote is not one.
    #[error("address `{address}` {reason}")]
    Address {
        /// As it was given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting is out of range.
    #[error("setting `{name}` {reason}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its rule and the value given.
        reason: String,
    },
    /// A destination would leave the folder, or bears a name that is taken.
    #[error("`{key}` cannot be put at `{path}`: {reason}")]
    Destination {
        /// Key of the object.
        key: String,
        /// The destination, relative to the folder.
        path: String,
        /// The rule.
        reason: String,
    },
    /// A remote cannot do what was asked.
    #[error("`{address}` cannot be listed: {reason}")]
    Unlistable {
        /// The remote.
        address: String,
        /// Why, and what would do.
        reason: String,
    },
    /// A listing or a question about one object failed.
    #[error("`{key}` of `{address}`: {message}")]
    Remote {
        /// The remote.
        address: String,
        /// Key or prefix.
        key: String,
        /// The kind of failure.
        cause: Cause,
        /// What happened last.
        message: String,
    },
    /// A file or folder could not be read.
    #[error("`{}` cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file or folder could not be written: the disk is full, say, or must not be written to.
    #[error("`{}` cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another process fetches into the same folder.
    #[error("`{}` is in use: another process fetches into it or verifies it", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// A line of the ledger is not one. A torn last line is no error.
    #[error("`{}` line {line}: {reason}", path.display())]
    Ledger {
        /// The ledger.
        path: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Threads, certificates or the proxy could not be set up.
    #[error("connections cannot be set up: {reason}")]
    Setup {
        /// What failed.
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

    pub(crate) fn address(address: &str, reason: impl Into<String>) -> Self {
        Self::Address { address: address.to_owned(), reason: reason.into() }
    }

    /// How this error ends a command.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Address { .. } | Self::Setting { .. } | Self::Destination { .. } | Self::Unlistable { .. } => {
                ErrorKind::Usage
            }
            Self::Busy { .. } => ErrorKind::Usage,
            Self::Write { .. } => ErrorKind::Output,
            Self::Remote { .. } | Self::Read { .. } | Self::Ledger { .. } | Self::Setup { .. } => ErrorKind::Data,
        }
    }
}
