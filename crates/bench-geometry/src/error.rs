//! What can go wrong in a geometric computation.

/// Errors of this crate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A setting out of range.
    #[error("invalid {key} = `{value}`: {why}")]
    Setting {
        /// Name of the setting.
        key: &'static str,
        /// Value given.
        value: String,
        /// Why it cannot be used.
        why: String,
    },
    /// A matrix without rows or without columns.
    #[error("cannot compute {what} of a matrix of `{rows}` x `{cols}` values")]
    Empty {
        /// What was asked for.
        what: &'static str,
        /// Rows given.
        rows: usize,
        /// Columns given.
        cols: usize,
    },
    /// Fewer rows than the question needs.
    #[error("cannot compute {what} of `{rows}` rows: at least `{needed}` are needed")]
    TooFewRows {
        /// What was asked for.
        what: &'static str,
        /// Rows given.
        rows: usize,
        /// Rows needed.
        needed: usize,
    },
    /// A value that is not a number.
    #[error("value `{value}` in row `{row}`, column `{col}` is not finite")]
    NotFinite {
        /// Row, counted from zero.
        row: usize,
        /// Column, counted from zero.
        col: usize,
        /// The value.
        value: f32,
    },
    /// Two arguments whose lengths do not belong together.
    #[error("{what}: expected `{expected}` values, found `{found}`")]
    Shape {
        /// Which argument.
        what: &'static str,
        /// Length needed.
        expected: usize,
        /// Length given.
        found: usize,
    },
}
