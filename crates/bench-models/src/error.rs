//! What can go wrong in a model, a loss or a weight file.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a model could not be built, run, saved or loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An operation failed.
    #[error(transparent)]
    Operation(#[from] bench_nn::Error),
    /// A failure inside candle (allocation, driver, shape).
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
    /// An id that no loss has.
    #[error("unknown loss `{id}`{}", suggestion.as_ref().map(|s| format!("; did you mean `{s}`?")).unwrap_or_default())]
    UnknownLoss {
        /// The id that was given.
        id: String,
        /// The closest valid one.
        suggestion: Option<String>,
    },
    /// A setting out of its range.
    #[error("invalid `{key}`: {reason}")]
    Setting {
        /// Name of the setting.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A minibatch that a loss or an encoder cannot take.
    #[error("`{what}` needs {expected}, got {got}")]
    Batch {
        /// The loss or encoder.
        what: &'static str,
        /// What it needs, in words.
        expected: String,
        /// What it was given.
        got: String,
    },
    /// A weight file that cannot be read or written.
    #[error("`{}`: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The failure below.
        source: std::io::Error,
    },
    /// A weight file that is not valid safetensors.
    #[error("`{}` is not a safetensors file: {source}", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// The failure below.
        source: safetensors::SafeTensorError,
    },
    /// Weights that do not fit the network. Every breach is listed.
    #[error("weights do not fit the network:\n  {}", breaches.join("\n  "))]
    Weights {
        /// One line per missing, unknown or mis-shaped tensor.
        breaches: Vec<String>,
    },
}

impl Error {
    /// A setting out of its range.
    pub(crate) fn setting(key: &'static str, reason: impl Into<String>) -> Error {
        Error::Setting { key, reason: reason.into() }
    }

    /// A minibatch that `what` cannot take.
    pub(crate) fn batch(what: &'static str, expected: impl Into<String>, got: impl std::fmt::Debug) -> Error {
        Error::Batch { what, expected: expected.into(), got: format!("{got:?}") }
    }
}
