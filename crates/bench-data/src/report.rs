//! What was understood of a table and everything that is wrong with it.

use std::fmt;

use serde::Serialize;

use crate::Error;
use crate::error::many;

/// The account of one file: what `bench validate` prints.
#[derive(Debug, Default)]
pub struct Report {
    /// File as the user wrote it.
    pub file: String,
    /// Format in words; empty if it was not found out.
    pub format: String,
    /// Rows of the file, whether selected or not.
    pub rows: u64,
    /// Number of features.
    pub features: usize,
    /// How the features are named.
    pub feature_naming: String,
    /// Labels and their rows, most rows first, ties by name.
    pub labels: Vec<(String, usize)>,
    /// Units and their levels among labelled rows.
    pub units: Vec<UnitCount>,
    /// Labelled rows.
    pub labelled: usize,
    /// Control rows.
    pub controls: usize,
    /// What was understood, one sentence each.
    pub understood: Vec<String>,
    /// Rows left out, by reason.
    pub dropped: Vec<(String, usize)>,
    /// Things the user should know.
    pub warnings: Vec<String>,
    /// Every breach, in the order of the checks.
    pub errors: Vec<Error>,
}

/// A unit of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnitCount {
    /// `source`, `batch`, ..., or the name of a group.
    pub unit: String,
    /// Column it was read from.
    pub column: String,
    /// Distinct values among labelled rows.
    pub levels: usize,
}

impl Report {
    /// Whether the table can be scored.
    pub fn is_ok(&self) -> bool {
        self.errors.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.file)?;
        for line in &self.understood {
            writeln!(f, "  {line}")?;
        }
        for (reason, rows) in &self.dropped {
            writeln!(f, "  left out: {}, {reason}", many(*rows as u64, "row"))?;
        }
        for (label, rows) in &self.labels {
            writeln!(f, "  label `{label}`: {}", many(*rows as u64, "row"))?;
        }
        for line in &self.warnings {
            writeln!(f, "warning: {line}")?;
        }
        for error in &self.errors {
            writeln!(f, "error: {error}")?;
            if let Some(hint) = error.hint() {
                writeln!(f, "hint: {hint}")?;
            }
        }
        match self.errors.len() {
            0 => write!(f, "ok: {} labelled rows, {} features", self.labelled, self.features),
            1 => write!(f, "1 breach"),
            n => write!(f, "{n} breaches"),
        }
    }
}
