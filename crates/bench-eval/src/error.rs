//! What can go wrong between a table and its scores.

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An id that names nothing.
    #[error("unknown {kind} `{id}`")]
    UnknownId {
        /// `split`, `probe`, `metric`, ...
        kind: &'static str,
        /// The id given.
        id: String,
        /// Closest valid id.
        suggestion: Option<String>,
    },
    /// A setting out of range.
    #[error("invalid {key} = `{value}`: {why}")]
    Setting {
        /// Dotted key.
        key: String,
        /// Value given.
        value: String,
        /// Why it cannot be used.
        why: String,
    },
    /// A split that the data cannot support.
    #[error("cannot make split `{split}`: {why}")]
    Split {
        /// Split id.
        split: String,
        /// Why.
        why: String,
    },
    /// A fit that cannot be made.
    #[error("cannot fit `{probe}`: {why}")]
    Probe {
        /// Probe id.
        probe: String,
        /// Why.
        why: String,
    },
    /// Embeddings that retrieval cannot be scored on.
    #[error("cannot score retrieval: {why}")]
    Retrieval {
        /// Why.
        why: String,
    },
    /// Compounds that cannot be divided.
    #[error("cannot split compounds: {why}")]
    Compounds {
        /// Why.
        why: String,
    },
}
