//! `scores.parquet`: every raw score, one row each, for programs.
//!
//! The columns are those of `scores.csv`, in its order; an absent value is null, with its reason beside it.

use std::path::Path;

use bench_core::Score;
use bench_data::{Column, ColumnValues, write_parquet};

use crate::Error;

/// File within a run's folder.
pub const FILE: &str = "scores.parquet";

/// The columns of some scores.
pub fn columns(scores: &[Score]) -> Vec<Column> {
    let text = |name: &str, of: fn(&Score) -> &String| {
        Column::new(name, ColumnValues::Text(scores.iter().map(|s| of(s).clone()).collect()))
    };
    let count = |name: &str, of: fn(&Score) -> usize| {
        Column::new(name, ColumnValues::U64(scores.iter().map(|s| of(s) as u64).collect()))
    };
    vec![
        text("model", |s| &s.model),
        text("features", |s| &s.features),
        text("correction", |s| &s.correction),
        text("task", |s| &s.task),
        text("protocol", |s| &s.protocol),
        text("split", |s| &s.split),
        text("probe", |s| &s.probe),
        text("metric", |s| &s.metric),
        Column::new("repeat", ColumnValues::U32(scores.iter().map(|s| s.repeat).collect())),
        Column::new("seed", ColumnValues::U64(scores.iter().map(|s| s.seed).collect())),
        count("n_train", |s| s.n_train),
        count("n_test", |s| s.n_test),
        count("classes_train", |s| s.classes_train),
        count("classes_test", |s| s.classes_test),
        Column::new("value", ColumnValues::OptionalF64(scores.iter().map(|s| s.value).collect())),
        Column::new("reason", ColumnValues::OptionalText(scores.iter().map(|s| s.reason.clone()).collect())),
    ]
}

/// Writes the table into a run's folder.
///
/// # Errors
/// It cannot be written.
pub fn write(folder: &Path, scores: &[Score]) -> Result<(), Error> {
    let path = folder.join(FILE);
    write_parquet(&path, &columns(scores)).map_err(|source| Error::WriteTable { path, source: Box::new(source) })
}
