//! Embedding tables that people bring: reading, checking, writing, simulating.
//!
//! [`read`] turns a file into a [`bench_core::Table`]: labelled rows in canonical order, their
//! answers apart, and the control rows. The path of a file: `raw` finds the format and reads
//! it, `columns` finds the roles, `features` the features, `select` the rows, `units` the ids,
//! `missing` treats missing values, and `read` puts the steps in order. [`validate`] is the
//! same path and lists every breach. [`align`] gives several models the same rows,
//! [`read_folds`] reads splits that someone else made, `write` writes result tables, and `export` writes
//! tables for other tools.
//!
//! polars stays within this crate; values leave it as slices and plain columns.
//!
//! ```
//! use bench_data::{ReadOptions, read};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("model.csv");
//! std::fs::write(&path, "target,plate,emb_0,emb_1\na,p1,0,1\nb,p1,1,0\na,p2,0,2\nb,p2,2,0\n")?;
//! let table = read(&path, &ReadOptions::default())?;
//! assert_eq!(table.features, ["emb_0", "emb_1"]);
//! assert_eq!(table.answers.label.levels, ["a", "b"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod align;
mod coded;
mod columns;
mod error;
mod export;
mod features;
mod folds;
mod missing;
mod options;
mod pairs;
mod raw;
mod read;
mod report;
mod select;
mod synthetic;
mod text;
mod units;
mod vectors;
mod write;

pub use align::{Rows, align};
pub use error::{Error, ErrorKind, Place};
pub use export::{Annotated, ExportFormat, ObsValues, read_annotated, write_annotated};
pub use folds::{Folds, read_folds};
pub use options::{
    ColumnRef, Columns, ControlRef, Duplicates, Missing, MultiLabel, NEGATIVE_CONTROL, RareLabels, ReadOptions,
    Selection,
};
pub use pairs::read_pairs;
pub use read::{read, read_with_report, validate};
pub use report::{Report, UnitCount};
pub use synthetic::{SyntheticSpec, simulate};
pub use text::{column_names, read_columns};
pub use vectors::{VectorOptions, Vectors, read_vectors};
pub use write::{Column, ColumnValues, SplitPart, write_embeddings, write_parquet, write_splits};
