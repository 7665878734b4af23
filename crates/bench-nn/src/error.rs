//! What can go wrong in an operation.

/// Result of a tensor operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a tensor operation could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Shapes that do not fit together.
    #[error("`{op}` needs {expected}, got {got}")]
    Shape {
        /// The operation.
        op: &'static str,
        /// What it needs, in words.
        expected: String,
        /// What it was given.
        got: String,
    },
    /// A data type, layout or device that the operation does not handle.
    #[error("`{op}` does not handle {what}")]
    Unsupported {
        /// The operation.
        op: &'static str,
        /// The type, layout or device.
        what: String,
    },
    /// Two parameters of one name.
    #[error("two parameters are named `{0}`")]
    DuplicateParameter(String),
    /// A device that is none of `auto`, `cpu` and `cuda:N`.
    #[error("unknown device `{0}`, expected `auto`, `cpu` or `cuda:N`")]
    UnknownDevice(String),
    /// A device that does not exist or cannot be opened.
    #[error("device `{device}` cannot be used: {reason}")]
    NoDevice {
        /// The device.
        device: String,
        /// What the driver answered.
        reason: String,
    },
    /// A failure of the CUDA driver or of one of its libraries.
    #[error("`{call}` failed on the device: {reason}")]
    Device {
        /// The operation, kernel or library function.
        call: String,
        /// What it answered.
        reason: String,
    },
    /// A tensor that a saved state lacks.
    #[error("no tensor is named `{0}`")]
    MissingTensor(String),
    /// A failure inside candle (allocation, driver, shape).
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl Error {
    /// A shape error of `op`.
    pub fn shape(op: &'static str, expected: impl Into<String>, got: impl std::fmt::Debug) -> Error {
        Error::Shape { op, expected: expected.into(), got: format!("{got:?}") }
    }

    /// An unsupported type, layout or device in `op`.
    pub fn unsupported(op: &'static str, what: impl Into<String>) -> Error {
        Error::Unsupported { op, what: what.into() }
    }
}
