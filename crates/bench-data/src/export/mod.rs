//! Tables for other tools: AnnData (h5ad, zarr), Parquet, CSV, NPZ.
//!
//! # What
//! An [`Annotated`] table has a matrix, metadata of its rows with their types, and further matrices such as a map.
//! [`read_annotated`] makes one of any table that [`crate::read`] reads, all rows in the order of the file;
//! [`write_annotated`] writes it, whole or not at all. The bytes depend on the values only.
//!
//! # What it cannot do
//! CSV, Parquet and NPZ have no place for further matrices: they become columns `Metadata_X_umap_0`, ... An NPZ does not
//! name its features.

mod anndata;
mod csv;
mod hdf5;
mod npz;
mod read;
mod zarr;

use std::path::Path;
use std::str::FromStr;

use bench_core::Matrix;

pub use read::read_annotated;

use crate::Error;
use crate::write::{Column, ColumnValues, write_parquet};

/// A matrix and what is known of its rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Annotated {
    /// Metadata of the rows, by name.
    pub obs: Vec<(String, ObsValues)>,
    /// Names of the columns of the matrix.
    pub features: Vec<String>,
    /// One row per row of `obs`.
    pub matrix: Matrix,
    /// Further matrices with the same rows, by name.
    pub obsm: Vec<(String, Matrix)>,
}

/// One value per row.
#[derive(Clone, Debug, PartialEq)]
pub enum ObsValues {
    /// Text, or nothing.
    Text {
        /// Distinct texts.
        levels: Vec<String>,
        /// Positions in `levels`.
        codes: Vec<Option<u32>>,
    },
    /// Whole numbers.
    Whole(Vec<i64>),
    /// Other numbers; NaN is no value.
    Real(Vec<f64>),
    /// Truth values.
    Truth(Vec<bool>),
}

/// A format that tables are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// AnnData in HDF5.
    H5ad,
    /// AnnData in a zarr folder (format 2, which every version of anndata reads).
    Zarr,
    /// Parquet, one column per feature.
    Parquet,
    /// CSV, one column per feature.
    Csv,
    /// NumPy arrays: `embedding`, and one per metadata column.
    Npz,
}

impl ExportFormat {
    /// Every format as it is written in flags.
    pub const NAMES: [&'static str; 5] = ["h5ad", "zarr", "parquet", "csv", "npz"];

    /// The format that the ending of a file name says.
    pub fn of(path: &Path) -> Option<Self> {
        path.extension()?.to_str()?.parse().ok()
    }
}

impl FromStr for ExportFormat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let all = [Self::H5ad, Self::Zarr, Self::Parquet, Self::Csv, Self::Npz];
        Self::NAMES.iter().position(|name| *name == text).map(|at| all[at]).ok_or(())
    }
}

/// Writes a table.
///
/// # Errors
/// The file cannot be written, or the format cannot hold the table.
pub fn write_annotated(path: &Path, format: ExportFormat, table: &Annotated) -> Result<(), Error> {
    match format {
        ExportFormat::H5ad => hdf5::write(path, &anndata::layout(path, table)?),
        ExportFormat::Zarr => zarr::write(path, &anndata::layout(path, table)?),
        ExportFormat::Parquet => write_parquet(path, &wide(table)),
        ExportFormat::Csv => csv::write(path, &flat(table), &table.features, &table.matrix),
        ExportFormat::Npz => npz::write(path, &flat(table), &table.matrix),
    }
}

impl ObsValues {
    /// Cells of a column as text, `None` for no value; numbers read back as the same number.
    fn cell(&self, row: usize) -> Option<String> {
        match self {
            Self::Text { levels, codes } => codes[row].map(|code| levels[code as usize].clone()),
            Self::Whole(values) => Some(values[row].to_string()),
            Self::Real(values) => Some(values[row]).filter(|value| !value.is_nan()).map(|value| value.to_string()),
            Self::Truth(values) => Some(if values[row] { "True" } else { "False" }.to_owned()),
        }
    }
}

/// Metadata with the further matrices as columns.
fn flat(table: &Annotated) -> Vec<(String, ObsValues)> {
    let mut columns = table.obs.clone();
    for (name, matrix) in &table.obsm {
        for column in 0..matrix.cols() {
            let values = (0..matrix.rows()).map(|row| f64::from(matrix.row(row)[column])).collect();
            columns.push((format!("Metadata_{name}_{column}"), ObsValues::Real(values)));
        }
    }
    columns
}

/// All of it as columns.
fn wide(table: &Annotated) -> Vec<Column> {
    let mut columns: Vec<Column> = flat(table)
        .into_iter()
        .map(|(name, values)| {
            let values = match values {
                ObsValues::Text { levels, codes } => ColumnValues::OptionalCodes { levels, codes },
                ObsValues::Whole(values) => ColumnValues::I64(values),
                ObsValues::Real(values) => ColumnValues::F64(values),
                ObsValues::Truth(values) => ColumnValues::Bool(values),
            };
            Column::new(name, values)
        })
        .collect();
    for (column, name) in table.features.iter().enumerate() {
        let values = (0..table.matrix.rows()).map(|row| table.matrix.row(row)[column]).collect();
        columns.push(Column::new(name.clone(), ColumnValues::F32(values)));
    }
    columns
}

/// An error of writing a file.
fn failed(path: &Path, message: impl ToString) -> Error {
    Error::Write { file: path.display().to_string(), message: message.to_string() }
}
