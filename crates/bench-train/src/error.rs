//! What can go wrong while training.

use std::path::PathBuf;

/// Result of a training operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a training could not start, continue or be resumed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting outside its range.
    #[error("`{key}` {problem}")]
    Config {
        /// The setting.
        key: &'static str,
        /// What is wrong with it, with the value.
        problem: String,
    },
    /// One field of view listed twice.
    #[error("image `{0}` is listed twice")]
    DuplicateImage(String),
    /// Too few compounds are left to contrast.
    #[error("{what} needs at least {needed} compounds, got `{got}`")]
    TooFewCompounds {
        /// What needs them.
        what: &'static str,
        /// How many.
        needed: usize,
        /// How many there are.
        got: usize,
    },
    /// Most compounds have fewer images than an item has views.
    #[error("{few} of {all} compounds have fewer than {views} images each, and the {} left cannot be contrasted; lower `sampler.views` or add images", all - few)]
    TooFewImages {
        /// Compounds with too few images.
        few: usize,
        /// All compounds to train on.
        all: usize,
        /// Images that an item needs.
        views: usize,
    },
    /// An image that could not be read.
    #[error("read image `{image}`: {reason}")]
    Image {
        /// Its five-field name.
        image: String,
        /// Why.
        reason: String,
    },
    /// An image of another size than the first.
    #[error("image `{image}` holds `{got}` numbers, expected `{expected}`")]
    ImageSize {
        /// Its five-field name.
        image: String,
        /// How many numbers were loaded.
        got: usize,
        /// How many the source declares.
        expected: usize,
    },
    /// Every minibatch of an epoch was lost.
    #[error("no step of epoch `{epoch}` could be done: {reason}")]
    EmptyEpoch {
        /// The epoch, from zero.
        epoch: usize,
        /// What happened to its minibatches.
        reason: String,
    },
    /// A checkpoint that could not be read or written.
    #[error("checkpoint `{path}`: {source}")]
    CheckpointFile {
        /// The file.
        path: PathBuf,
        /// The failure underneath.
        source: std::io::Error,
    },
    /// A checkpoint that is not one, or is damaged.
    #[error("checkpoint `{path}` is damaged: {problem}")]
    CheckpointDamaged {
        /// The file.
        path: PathBuf,
        /// What does not hold.
        problem: String,
    },
    /// A checkpoint of another configuration, data set or model.
    #[error("checkpoint `{path}` belongs to another training: {difference}")]
    CheckpointMismatch {
        /// The file.
        path: PathBuf,
        /// The first differences, with both values.
        difference: String,
    },
    /// Something that several processes cannot do together.
    #[error("data parallel: {0}")]
    Parallel(String),
    /// A failure of an encoder or a loss.
    #[error(transparent)]
    Model(#[from] bench_models::Error),
    /// A failure of an operation.
    #[error(transparent)]
    Nn(#[from] bench_nn::Error),
    /// A failure of a tensor.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

impl Error {
    /// A setting outside its range.
    pub fn config(key: &'static str, problem: impl Into<String>) -> Error {
        Error::Config { key, problem: problem.into() }
    }
}
