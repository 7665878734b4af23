//! What a reader hands on: labelled rows, their answers apart, and the control rows.

use crate::{Factor, Layout, Matrix};

/// Rows with their origin and features, and no answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// Origin of every row.
    pub layout: Layout,
    /// Features, one row per row of `layout`.
    pub matrix: Matrix,
}

impl Block {
    /// Keeps `rows`, in that order.
    pub fn take(&self, rows: &[u32]) -> Self {
        Self { layout: self.layout.take(rows), matrix: self.matrix.take(rows) }
    }
}

/// The answers of a block, kept apart so that no correction or probe input can carry them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Name of the label column.
    pub column: String,
    /// One label per labelled row, coded in order of first occurrence.
    pub label: Factor,
}

impl Answers {
    /// Keeps `rows`, in that order.
    pub fn take(&self, rows: &[u32]) -> Self {
        Self { column: self.column.clone(), label: self.label.take(rows) }
    }
}

/// One embedding table, read, checked and put into canonical order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Name of the model that made the embedding.
    pub name: String,
    /// Where it was read from, as the user wrote it.
    pub origin: String,
    /// SHA-256 of the bytes read.
    pub digest: String,
    /// Names of the feature columns.
    pub features: Vec<String>,
    /// Labelled rows, in canonical order.
    pub treated: Block,
    /// Label of each treated row.
    pub answers: Answers,
    /// Negative-control rows, in canonical order; possibly none.
    pub controls: Block,
    /// What was understood of the file, one sentence each.
    pub understood: Vec<String>,
    /// Rows left out, by reason.
    pub dropped: Vec<(String, usize)>,
    /// Things the user should know.
    pub warnings: Vec<String>,
}
