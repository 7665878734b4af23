//! NPY: one matrix, in the format of `numpy.lib.format`, and the metadata beside it.
//!
//! # What
//! Versions 1 to 3, dtypes `f2 f4 f8 i1..i8 u1..u8` of both byte orders, C and Fortran order;
//! one-dimensional arrays of numbers, truth values and text (`U`, `S`) as metadata. The header is parsed here
//! because a Python-literal parser recurses on hostile headers; data are streamed in blocks and
//! never allocated on the word of a header.
//!
//! # Reference
//! NEP 1, "A simple file format for NumPy arrays".

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::dtype::Dtype;
use super::{Column, Kind, Loaded, Opened, Piece, Scatter, Values, npz, open};
use crate::Error;
use crate::coded::Coded;

/// Bytes read at once.
const BLOCK_BYTES: usize = 8 << 20;
/// Longest header.
const LONGEST_HEADER: usize = 1 << 20;

/// What an NPY header says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Header {
    pub(super) dtype: Dtype,
    fortran: bool,
    pub(super) shape: Vec<u64>,
}

impl Header {
    /// Reads a header and leaves the reader at the first byte of data.
    pub(super) fn read(reader: &mut dyn Read, name: &str) -> Result<Self, Error> {
        let bad = |problem: &str| Error::BadArray { file: name.to_owned(), problem: problem.to_owned() };
        let mut start = [0; 8];
        reader.read_exact(&mut start).map_err(|_| bad("it ends within its header"))?;
        if &start[..6] != b"\x93NUMPY" {
            return Err(bad("it does not begin like one"));
        }
        let mut length = vec![0; if start[6] == 1 { 2 } else { 4 }];
        reader.read_exact(&mut length).map_err(|_| bad("it ends within its header"))?;
        let length = length.iter().rev().fold(0usize, |sum, &byte| sum << 8 | usize::from(byte));
        if !(1..=3).contains(&start[6]) || length > LONGEST_HEADER {
            return Err(bad("its header is of an unknown version or length"));
        }
        let mut text = vec![0; length];
        reader.read_exact(&mut text).map_err(|_| bad("it ends within its header"))?;
        Self::parse(&String::from_utf8_lossy(&text)).map_err(|problem| bad(&problem))
    }

    /// Parses `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
    fn parse(text: &str) -> Result<Self, String> {
        let value = |key: &str| {
            let at = text.find(&format!("'{key}'")).ok_or(format!("its header has no `{key}`"))?;
            let rest = text[at + key.len() + 2..].trim_start();
            rest.strip_prefix(':').map(str::trim_start).ok_or(format!("its header has no value for `{key}`"))
        };
        let descr = value("descr")?;
        let descr = match descr.strip_prefix('\'').and_then(|rest| rest.split_once('\'')) {
            Some((descr, _)) => descr,
            None => return Err("it has a structured dtype".to_owned()),
        };
        let dtype = Dtype::parse(descr).ok_or_else(|| {
            if descr.ends_with('O') {
                "it holds Python objects (pickled); save text as `str` and numbers as `float32`".to_owned()
            } else {
                format!("it has the dtype `{descr}`")
            }
        })?;
        let order = value("fortran_order")?;
        let fortran = match (order.starts_with("True"), order.starts_with("False")) {
            (true, _) => true,
            (_, true) => false,
            _ => return Err("its header has no order".to_owned()),
        };
        let shape = value("shape")?.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(shape, _)| shape);
        let shape: Option<Vec<u64>> = shape.and_then(|shape| {
            shape.split(',').map(str::trim).filter(|n| !n.is_empty()).map(|n| n.parse().ok()).collect()
        });
        Ok(Self { dtype, fortran, shape: shape.ok_or("its header has no shape")? })
    }

    /// Number of elements, if their bytes can be counted at all.
    fn elements(&self) -> Option<u64> {
        let count = self.shape.iter().try_fold(1u64, |product, n| product.checked_mul(*n))?;
        count.checked_mul(self.dtype.bytes() as u64).map(|_| count)
    }

    /// Whether the elements fit in `bytes`: nothing is allocated on the word of a header.
    pub(super) fn check_size(&self, bytes: u64, name: &str) -> Result<(), Error> {
        match self.elements() {
            Some(count) if count * self.dtype.bytes() as u64 <= bytes => Ok(()),
            _ => Err(short(name, &std::io::ErrorKind::UnexpectedEof.into())),
        }
    }

    /// Reads a one-dimensional array as text.
    pub(super) fn read_text(&self, reader: &mut dyn Read, name: &str) -> Result<Coded, Error> {
        let mut coder = crate::coded::Coder::default();
        let mut element = vec![0; self.dtype.bytes()];
        let mut reader = BufReader::with_capacity(1 << 16, reader);
        for _ in 0..self.elements().unwrap_or(0) {
            reader.read_exact(&mut element).map_err(|e| short(name, &e))?;
            coder.push(self.dtype.text(&element).as_deref());
        }
        Ok(coder.finish())
    }
}

fn short(name: &str, error: &std::io::Error) -> Error {
    let problem = match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "it ends before its last value".to_owned(),
        _ => error.to_string(),
    };
    Error::BadArray { file: name.to_owned(), problem }
}

/// Where the bytes of the matrix are.
pub(super) enum Store {
    /// An NPY file.
    Npy(PathBuf),
    /// An array of an NPZ file.
    Npz { path: PathBuf, array: String },
}

/// A matrix and the metadata beside it.
pub(crate) struct ArrayFile {
    pub(super) matrix: ArrayValues,
    pub(super) metadata: Metadata,
}

/// Where the metadata of a matrix come from.
pub(super) enum Metadata {
    /// A table.
    Table { name: String, table: Box<Opened> },
    /// One-dimensional arrays of the archive.
    Arrays(Vec<(String, Coded)>),
}

/// The values of a matrix.
pub(super) struct ArrayValues {
    pub(super) name: String,
    pub(super) store: Store,
    pub(super) header: Header,
}

impl ArrayFile {
    pub(super) fn open_npy(path: &Path, metadata: Option<&Path>) -> Result<Self, Error> {
        let name = path.display().to_string();
        let io = |source| Error::Io { file: name.clone(), source };
        let mut reader = BufReader::new(File::open(path).map_err(io)?);
        let header = Header::read(&mut reader, &name)?;
        let problem = match (header.shape.len(), header.dtype.is_number()) {
            (2, true) => None,
            (2, false) => Some("it does not hold numbers".to_owned()),
            (n, _) => Some(format!("it has {n} dimensions where a matrix has 2")),
        };
        if let Some(problem) = problem {
            return Err(Error::BadArray { file: name, problem });
        }
        header.check_size(reader.get_ref().metadata().map_err(io)?.len(), &name)?;
        let Some(metadata) = metadata else {
            return Err(Error::NeedsMetadata { file: name });
        };
        let metadata = Metadata::open(metadata)?;
        let matrix = ArrayValues { name, store: Store::Npy(path.to_owned()), header };
        Ok(Self { matrix, metadata })
    }

    pub(super) fn names(&self) -> Vec<String> {
        match &self.metadata {
            Metadata::Table { table, .. } => table.names(),
            Metadata::Arrays(arrays) => arrays.iter().map(|(name, _)| name.clone()).collect(),
        }
    }

    pub(super) fn format(&self) -> &'static str {
        match (&self.matrix.store, &self.metadata) {
            (Store::Npy(_), _) => "NPY with a metadata table",
            (Store::Npz { .. }, Metadata::Table { .. }) => "NPZ with a metadata table",
            (Store::Npz { .. }, Metadata::Arrays(_)) => "NPZ",
        }
    }

    pub(super) fn load(self, wanted: &[bool]) -> Result<Loaded, Error> {
        let (rows, width) = (self.matrix.header.shape[0], self.matrix.header.shape[1] as usize);
        let file = self.matrix.name.clone();
        if rows == 0 || width == 0 {
            return Err(Error::BadArray { file, problem: format!("it is empty ({rows} x {width})") });
        }
        let check = |metadata: &str, metadata_rows: u64| {
            if metadata_rows == rows {
                return Ok(());
            }
            Err(Error::RowsDiffer { file: file.clone(), rows, metadata: metadata.to_owned(), metadata_rows })
        };
        let (mut columns, mut text) = match self.metadata {
            Metadata::Table { name, table } => {
                let table = table.load(wanted)?;
                check(&name, table.rows)?;
                (table.columns, table.text)
            }
            Metadata::Arrays(arrays) => {
                for (name, column) in &arrays {
                    check(name, column.codes.len() as u64)?;
                }
                let columns = arrays.iter().map(|(name, _)| Column::new(name, Kind::Text)).collect();
                (columns, arrays.into_iter().zip(wanted).map(|((_, c), wanted)| wanted.then_some(c)).collect())
            }
        };
        columns.iter_mut().for_each(|column: &mut Column| column.only_metadata = true);
        columns.push(Column::new("emb", Kind::List { width, first_row: 0 }));
        text.push(None);
        Ok(Loaded { rows, columns, text, values: Values::Array(self.matrix) })
    }
}

impl Metadata {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let table = open(path, None, None)?;
        Ok(Self::Table { name: path.display().to_string(), table: Box::new(table) })
    }
}

impl ArrayValues {
    pub(super) fn scatter(&mut self, pieces: &[Piece], scatter: &mut Scatter<'_>) -> Result<(), Error> {
        if pieces.is_empty() {
            return Ok(());
        }
        let io = |source| Error::Io { file: self.name.clone(), source };
        match &self.store {
            Store::Npy(path) => {
                let mut reader = BufReader::with_capacity(1 << 20, File::open(path).map_err(io)?);
                Header::read(&mut reader, &self.name)?;
                self.stream(&mut reader, scatter)
            }
            Store::Npz { path, array } => npz::with_array(path, array, |reader, _| {
                Header::read(reader, &self.name)?;
                self.stream(reader, scatter)
            }),
        }
    }

    fn stream(&self, reader: &mut dyn Read, scatter: &mut Scatter<'_>) -> Result<(), Error> {
        let dtype = self.header.dtype;
        let (rows, width) = (self.header.shape[0], self.header.shape[1] as usize);
        let mut take = |count: usize| -> Result<Vec<f32>, Error> {
            let mut bytes = vec![0; count * dtype.bytes()];
            reader.read_exact(&mut bytes).map_err(|e| short(&self.name, &e))?;
            Ok(bytes.chunks_exact(dtype.bytes()).map(|element| dtype.number(element)).collect())
        };
        if self.header.fortran {
            for column in 0..width {
                let values = take(rows as usize)?;
                scatter.columns(0, rows as usize, &[values], column);
            }
            return Ok(());
        }
        let identity: Vec<(usize, usize)> = (0..width).map(|i| (i, i)).collect();
        let block = (BLOCK_BYTES / (width * dtype.bytes())).max(1) as u64;
        let mut first = 0;
        while first < rows {
            let count = block.min(rows - first);
            scatter.rows(first, &take(count as usize * width)?, width, &identity);
            first += count;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_parsed_and_hostile_ones_are_refused() {
        let header = Header::parse("{'descr': '>f8', 'fortran_order': True, 'shape': (3, 4), }  \n").unwrap();
        assert_eq!(header.shape, [3, 4]);
        assert!(header.fortran && header.dtype == Dtype::parse(">f8").unwrap());
        for text in [
            "",
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, -4), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3",
            "{'descr': '<f4', 'fortran_order': 0, 'shape': (3,), }",
            "{'descr': '<c8', 'fortran_order': False, 'shape': (3,), }",
            "((((((((((((((((",
        ] {
            assert!(Header::parse(text).is_err(), "{text}");
        }
        let huge =
            Header::parse("{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9999999999), }").unwrap();
        assert_eq!(huge.elements(), None);
    }
}
