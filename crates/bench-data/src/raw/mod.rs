//! Tables as files hold them, before anyone says what a column means.
//!
//! # What
//! [`open`] finds the format by the first bytes and reads the column names; [`Opened::load`]
//! reads the wanted text columns and learns the kind of every other; [`Loaded::scatter`] then
//! writes feature values straight to their rows of the final matrix.
//!
//! # Why
//! The rows wanted and their order are known before the first feature is read, so no second
//! copy of the matrix is ever made.

mod anndata;
mod array;
mod csv;
mod dtype;
mod format;
mod gct;
mod npz;
mod parquet;
mod scatter;
mod tree;

use std::path::Path;

pub(crate) use format::stem;
pub(crate) use scatter::{Scatter, is_too_large, narrow};

use crate::Error;
use crate::coded::Coded;

/// What a column holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Numbers.
    Number,
    /// Truth values.
    Boolean,
    /// Text.
    Text,
    /// Not one value.
    Empty,
    /// One list of numbers per row; length of the first list and its data row counted from 0.
    List { width: usize, first_row: u64 },
    /// Something else, by name.
    Other(String),
}

/// A column and what is in it. The counts are those of columns not read as text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Whether the column can only be metadata (a metadata table, a one-dimensional array).
    pub(crate) only_metadata: bool,
    /// Whether the file itself says that the column is a feature (AnnData, GCT).
    pub(crate) declared: bool,
    /// Cells of a text column that are numbers.
    pub(crate) numbers: u64,
    /// Cells of a text column that are not.
    pub(crate) texts: u64,
    /// First cell that is not a number: row counted from 0, text.
    pub(crate) first_text: Option<(u64, String)>,
}

impl Column {
    pub(crate) fn new(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            only_metadata: false,
            declared: false,
            numbers: 0,
            texts: 0,
            first_text: None,
        }
    }

    /// A column that is a feature, whatever its name.
    pub(crate) fn feature(name: &str) -> Self {
        Self { declared: true, ..Self::new(name, Kind::Number) }
    }
}

/// A file whose column names are known.
pub(crate) enum Opened {
    /// CSV or TSV.
    Csv(csv::CsvFile),
    /// Parquet.
    Parquet(parquet::ParquetFile),
    /// NPY, or a matrix within an NPZ, with its metadata.
    Array(array::ArrayFile),
    /// AnnData, in HDF5 or zarr.
    AnnData(Box<anndata::AnnDataFile>),
    /// GCT.
    Gct(gct::GctFile),
}

/// Where feature values are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Piece {
    /// One column of numbers.
    Column(usize),
    /// A column of lists of this length.
    List { column: usize, width: usize },
}

impl Piece {
    /// The column that holds them.
    pub(crate) fn column(self) -> usize {
        match self {
            Self::Column(column) | Self::List { column, .. } => column,
        }
    }

    pub(crate) fn width(self) -> usize {
        match self {
            Self::Column(_) => 1,
            Self::List { width, .. } => width,
        }
    }
}

/// A file whose columns are known and whose wanted text is read.
pub(crate) struct Loaded {
    /// Rows of the file.
    pub(crate) rows: u64,
    /// All columns.
    pub(crate) columns: Vec<Column>,
    /// The wanted columns as text, by column.
    pub(crate) text: Vec<Option<Coded>>,
    values: Values,
}

enum Values {
    Csv(csv::CsvValues),
    Parquet(parquet::ParquetFile),
    Array(array::ArrayValues),
    AnnData(anndata::AnnDataValues),
    Gct(gct::GctValues),
}

/// Opens a table, with its metadata table and the name of its matrix where it needs them.
pub(crate) fn open(path: &Path, metadata: Option<&Path>, matrix: Option<&str>) -> Result<Opened, Error> {
    let file = path.display().to_string();
    let format = format::detect(path)?;
    if let (false, Some(metadata)) = (format.is_matrix(), metadata) {
        return Err(Error::MetadataNotNeeded { file, metadata: metadata.display().to_string() });
    }
    Ok(match format {
        format::Format::Csv { gzip } => Opened::Csv(csv::CsvFile::open(path, gzip)?),
        format::Format::Parquet => Opened::Parquet(parquet::ParquetFile::open(path)?),
        format::Format::Npy => Opened::Array(array::ArrayFile::open_npy(path, metadata)?),
        format::Format::Npz => Opened::Array(npz::open(path, metadata, matrix)?),
        format::Format::Hdf5 => Opened::AnnData(Box::new(anndata::AnnDataFile::open_hdf5(path, matrix)?)),
        format::Format::Zarr => Opened::AnnData(Box::new(anndata::AnnDataFile::open_zarr(path, matrix)?)),
        format::Format::Gct { gzip } => Opened::Gct(gct::GctFile::open(path, gzip)?),
    })
}

impl Opened {
    /// Column names in the order of the file.
    pub(crate) fn names(&self) -> Vec<String> {
        match self {
            Self::Csv(file) => file.names().to_vec(),
            Self::Parquet(file) => file.names(),
            Self::Array(file) => file.names(),
            Self::AnnData(file) => file.names(),
            Self::Gct(file) => file.names(),
        }
    }

    /// What the file is, for people.
    pub(crate) fn format(&self) -> &'static str {
        match self {
            Self::Csv(file) => file.format(),
            Self::Parquet(_) => "Parquet",
            Self::Array(file) => file.format(),
            Self::AnnData(file) => file.format(),
            Self::Gct(file) => file.format(),
        }
    }

    /// Reads the columns marked as wanted as text and learns the kind of the others.
    pub(crate) fn load(self, wanted: &[bool]) -> Result<Loaded, Error> {
        match self {
            Self::Csv(file) => file.load(wanted),
            Self::Parquet(file) => file.load(wanted),
            Self::Array(file) => file.load(wanted),
            Self::AnnData(file) => file.load(wanted),
            Self::Gct(file) => file.load(wanted),
        }
    }
}

impl Loaded {
    /// Writes the values of `pieces`, side by side, to the rows that `scatter` names.
    /// Missing values arrive as NaN, infinite ones as such, values beyond `f32` as a marked NaN ([`is_too_large`]).
    pub(crate) fn scatter(&mut self, pieces: &[Piece], scatter: &mut Scatter<'_>) -> Result<(), Error> {
        match &mut self.values {
            Values::Csv(values) => {
                values.scatter(pieces, scatter);
                Ok(())
            }
            Values::Parquet(file) => file.scatter(&self.columns, pieces, scatter),
            Values::Array(values) => values.scatter(pieces, scatter),
            Values::AnnData(values) => values.scatter(pieces, scatter),
            Values::Gct(values) => {
                values.scatter(pieces, scatter);
                Ok(())
            }
        }
    }
}

/// The first name that occurs twice.
fn duplicate(names: &[String]) -> Option<&String> {
    let mut seen = std::collections::HashSet::new();
    names.iter().find(|name| !seen.insert(name.as_str()))
}

/// Whether a text cell of a CSV file stands for no value, as pandas has it.
pub(crate) fn is_missing(text: &str) -> bool {
    matches!(
        text,
        "" | "NA"
            | "N/A"
            | "n/a"
            | "<NA>"
            | "#N/A"
            | "#NA"
            | "NaN"
            | "nan"
            | "-NaN"
            | "-nan"
            | "NULL"
            | "null"
            | "None"
            | "#N/A N/A"
            | "1.#IND"
            | "1.#QNAN"
            | "-1.#IND"
            | "-1.#QNAN"
    )
}
