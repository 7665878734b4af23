//! What can go wrong between a chain as text and corrected rows.

/// Errors of this crate. `step` is the id of the correction in question.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// An id that names nothing.
    #[error("unknown correction `{id}`")]
    UnknownId {
        /// The id given.
        id: String,
        /// Closest valid id.
        suggestion: Option<String>,
    },
    /// A parameter that the correction does not have.
    #[error("correction `{step}` has no parameter `{parameter}`; it has {known}")]
    UnknownParameter {
        /// Correction.
        step: String,
        /// The parameter given.
        parameter: String,
        /// Closest valid parameter.
        suggestion: Option<String>,
        /// All parameters, in words.
        known: String,
    },
    /// A setting out of range.
    #[error("invalid {key} = `{value}` of correction `{step}`: {why}")]
    Setting {
        /// Correction.
        step: String,
        /// Parameter.
        key: String,
        /// Value given.
        value: String,
        /// Why it cannot be used.
        why: String,
    },
    /// A chain that cannot be read.
    #[error("cannot read the chain `{chain}`: {why}")]
    Syntax {
        /// The text.
        chain: String,
        /// What is wrong, and where.
        why: String,
    },
    /// Two arguments that do not belong together.
    #[error("{what}: expected `{expected}`, found `{found}`")]
    Shape {
        /// What is counted.
        what: String,
        /// Number needed.
        expected: usize,
        /// Number given.
        found: usize,
    },
    /// A value that is not a number.
    #[error(
        "cannot fit or apply `{step}`: the value in row `{row}`, column `{col}` is `{value}`; drop such columns first, \
         e.g. with `select(operations=na, na=0)`"
    )]
    NotFinite {
        /// Correction.
        step: String,
        /// Row, counted from zero.
        row: usize,
        /// Column, counted from zero.
        col: usize,
        /// The value.
        value: f32,
    },
    /// A unit that the rows do not have.
    #[error("correction `{step}` works by `{unit}`, and the table has no such column")]
    MissingUnit {
        /// Correction.
        step: String,
        /// `source`, `batch`, `plate`, ...
        unit: &'static str,
    },
    /// A group without control rows where they are needed.
    #[error("correction `{step}` needs negative controls in {group}, and there are none")]
    NoControls {
        /// Correction.
        step: String,
        /// `plate `x``, or `the table`.
        group: String,
    },
    /// A fit that cannot be made.
    #[error("cannot fit `{step}` on {group}: {why}")]
    Fit {
        /// Correction.
        step: String,
        /// Rows in question.
        group: String,
        /// Why, with one hint.
        why: String,
    },
    /// Rows that a transductive correction was not fitted on.
    #[error("`{step}` cannot be applied to {rows}: {why}")]
    Transductive {
        /// Correction.
        step: String,
        /// Which rows.
        rows: String,
        /// Why.
        why: String,
    },
    /// A covariate that was declared and not given.
    #[error("correction `{step}` is set to keep a covariate, and none was given")]
    NoCovariate {
        /// Correction.
        step: String,
    },
}

impl Error {
    /// What to do next, where there is one thing to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownId { suggestion, .. } | Self::UnknownParameter { suggestion, .. } => {
                suggestion.as_ref().map(|closest| format!("did you mean `{closest}`?"))
            }
            Self::NoControls { .. } => Some("name the negative controls of the table, or fit with `on=all`".to_owned()),
            Self::MissingUnit { .. } => Some("choose another unit with `by=`, or name the column".to_owned()),
            Self::Transductive { .. } => Some("fit it on all rows that are to be scored".to_owned()),
            _ => None,
        }
    }
}
