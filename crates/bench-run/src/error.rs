//! What can go wrong in a run, sorted by whose turn it is: usage, data, empty selection.

use std::path::PathBuf;

/// Class of an error; the command line turns it into an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Usage or configuration.
    Usage,
    /// Data missing or corrupt, or output that cannot be written.
    Data,
    /// Nothing selected.
    Empty,
}

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No suite of that name.
    #[error("failed to load suite `{id}`: no embedded suite and no file of that name")]
    UnknownSuite {
        /// Id given.
        id: String,
        /// Closest id.
        suggestion: Option<String>,
        /// Ids that exist.
        known: String,
    },
    /// Suite file that cannot be read.
    #[error("failed to read suite file `{path}`: {source}")]
    SuiteFile {
        /// Path given.
        path: String,
        /// Cause.
        source: std::io::Error,
    },
    /// Suite text that is not a suite.
    #[error("failed to load {place}{}: {message}", .line.map(|l| format!(":{l}")).unwrap_or_default())]
    SuiteText {
        /// File or suite.
        place: String,
        /// Line, counted from one.
        line: Option<usize>,
        /// What is wrong.
        message: String,
        /// Hint.
        suggestion: Option<String>,
    },
    /// A value out of range.
    #[error("failed to load {place}: `{key}`: {why}")]
    SuiteValue {
        /// File or suite.
        place: String,
        /// Dotted key.
        key: String,
        /// Why.
        why: String,
    },
    /// A request that cannot be met.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// Hint.
        hint: Option<String>,
    },
    /// An input that cannot be opened.
    #[error("failed to read `{}`: {source}", path.display())]
    Input {
        /// Path.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// A selection that leaves nothing.
    #[error("{message}")]
    Nothing {
        /// What was selected from what.
        message: String,
        /// Hint.
        hint: String,
    },
    /// A table about images that contradicts itself, or lacks what is needed.
    #[error("`{}`{}: {why}", path.display(), .row.map(|row| format!(" row {row}")).unwrap_or_default())]
    Metadata {
        /// The table.
        path: PathBuf,
        /// Row, counted from one; the header is row 1.
        row: Option<usize>,
        /// What is wrong.
        why: String,
        /// What to do.
        hint: String,
    },
    /// Training or embedding.
    #[error("failed to {what}: {source}")]
    Produce {
        /// What was being done.
        what: &'static str,
        /// Cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An image that cannot be read.
    #[error("failed to read image `{image}`: {reason}")]
    Unreadable {
        /// Field of view.
        image: String,
        /// Why.
        reason: String,
    },
    /// Reading an embedding table.
    #[error(transparent)]
    Read(#[from] bench_data::Error),
    /// Scoring.
    #[error(transparent)]
    Eval(#[from] bench_eval::Error),
    /// A correction.
    #[error(transparent)]
    Correction(#[from] bench_correct::Error),
    /// A correction of one embedding.
    #[error("failed to correct `{model}` by `{chain}`: {source}")]
    Correct {
        /// Model.
        model: String,
        /// Chain.
        chain: String,
        /// Cause.
        source: Box<bench_correct::Error>,
    },
    /// Geometry.
    #[error("failed to map model `{model}`: {source}")]
    Geometry {
        /// Model.
        model: String,
        /// Cause.
        source: bench_geometry::Error,
    },
    /// Output that cannot be written.
    #[error("failed to write `{}`: {source}", path.display())]
    Write {
        /// Path.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// Output written by a crate that has its own errors.
    #[error("failed to write `{}`: {source}", path.display())]
    WriteTable {
        /// Path.
        path: PathBuf,
        /// Cause.
        source: Box<bench_data::Error>,
    },
    /// A history with a damaged line.
    #[error("failed to read history `{}`, line {line}: {why}", path.display())]
    History {
        /// Path.
        path: PathBuf,
        /// Line, counted from one.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// A record that cannot be read.
    #[error("failed to read record `{}`: {why}", path.display())]
    Record {
        /// Path.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// What to do when something cannot be written.
const ELSEWHERE: &str = "what was finished is kept; free some space, or choose other folders: `--out DIR` for results, \
                         `--cache DIR` for plates, checkpoints and embeddings";

/// Whether something failed because a disk is full or read-only.
fn lacks_space(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|cause| {
        let kind = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        matches!(kind, Some(FileTooLarge | QuotaExceeded | ReadOnlyFilesystem | StorageFull))
    })
}

impl Error {
    /// Class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Read(error) => match error.kind() {
                bench_data::ErrorKind::Usage => ErrorKind::Usage,
                bench_data::ErrorKind::Data => ErrorKind::Data,
                bench_data::ErrorKind::Empty => ErrorKind::Empty,
            },
            Self::Nothing { .. } => ErrorKind::Empty,
            Self::Input { .. }
            | Self::Write { .. }
            | Self::WriteTable { .. }
            | Self::Record { .. }
            | Self::History { .. }
            | Self::Metadata { .. }
            | Self::Produce { .. }
            | Self::Unreadable { .. }
            | Self::Correct { .. }
            | Self::Geometry { .. } => ErrorKind::Data,
            Self::Eval(
                bench_eval::Error::Split { .. }
                | bench_eval::Error::Probe { .. }
                | bench_eval::Error::Retrieval { .. }
                | bench_eval::Error::Compounds { .. },
            ) => ErrorKind::Data,
            _ => ErrorKind::Usage,
        }
    }

    /// One hint, if there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownSuite { suggestion, known, .. } => Some(match suggestion {
                Some(meant) => format!("did you mean `{meant}`? known suites: {known}"),
                None => format!("known suites: {known}; a file ends in .toml"),
            }),
            Self::SuiteText { suggestion, .. } => suggestion.clone(),
            Self::Usage { hint, .. } => hint.clone(),
            Self::Nothing { hint, .. } | Self::Metadata { hint, .. } => Some(hint.clone()),
            Self::Input { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Some("check the path; relative paths start at the current folder".into())
            }
            Self::Read(error) => error.hint(),
            Self::Correction(error) => error.hint(),
            Self::Correct { source, .. } => source.hint(),
            Self::Eval(bench_eval::Error::UnknownId { suggestion: Some(meant), .. }) => {
                Some(format!("did you mean `{meant}`?"))
            }
            Self::History { line, .. } => Some(format!(
                "nothing was written; take the file from an older state of its branch or cache, or keep the lines before {line}"
            )),
            Self::Unreadable { .. } => Some("`--skip-unreadable` leaves such images out and lists them".into()),
            Self::Write { .. } | Self::WriteTable { .. } => Some(ELSEWHERE.into()),
            Self::Produce { source, .. } if lacks_space(source.as_ref()) => Some(ELSEWHERE.into()),
            _ => None,
        }
    }
}
