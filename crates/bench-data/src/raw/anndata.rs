//! AnnData: a matrix, what is known of its rows (`obs`) and columns (`var`), further matrices (`obsm`, `layers`).
//!
//! # What
//! The encodings of anndata 0.7 (categories apart, in `__categories`) to 0.12: dense and sparse matrices (CSR, CSC),
//! text, numbers, truth values, categories and their nullable kinds, from HDF5 (`.h5ad`) or a zarr folder. `obs` are
//! metadata by definition, whatever their type. The matrix is `X`, its features named by `var`; `--array obsm/X_pca`,
//! `layers/NAME` or `raw/X` choose another. A file without `X` and with one matrix in `obsm` needs no flag.
//!
//! # What it cannot do
//! Files of anndata before 0.7, whose `obs` is one array of records; matrices of `obsm` that are data frames.
//!
//! # Reference
//! anndata, "On-disk format".

use std::path::Path;

use rayon::prelude::*;
use serde_json::Value;

use super::dtype::Dtype;
use super::tree::{Array, Element, Node, Tree};
use super::{Column, Kind, Loaded, Piece, Scatter, Values, duplicate};
use crate::Error;
use crate::coded::{Coded, Coder};

/// Bytes of a matrix read at once; a chunk may exceed it.
const BLOCK_BYTES: u64 = 32 << 20;
/// Columns of a CSC matrix that are put in place together.
const BLOCK_COLUMNS: usize = 64;
/// The name that an index without one gets.
const INDEX: &str = "obs_names";

/// A file whose columns are known.
pub(crate) struct AnnDataFile {
    tree: Tree,
    format: &'static str,
    /// Name and path of every column of `obs`, the index first.
    obs: Vec<(String, String)>,
    matrix: Matrix,
    features: Features,
}

/// How the features are named.
enum Features {
    /// By `var`.
    Named(Vec<String>),
    /// By the matrix and a number.
    Numbered(String),
}

/// A matrix of the file.
struct Matrix {
    rows: u64,
    width: usize,
    layout: Layout,
}

enum Layout {
    Dense(Array),
    Sparse { by_row: bool, data: Array, indices: Array, starts: Vec<u64> },
}

impl AnnDataFile {
    pub(super) fn open_hdf5(path: &Path, array: Option<&str>) -> Result<Self, Error> {
        Self::open(Tree::hdf5(path)?, "AnnData (h5ad)", array)
    }

    pub(super) fn open_zarr(path: &Path, array: Option<&str>) -> Result<Self, Error> {
        Self::open(Tree::zarr(path)?, "AnnData (zarr)", array)
    }

    fn open(tree: Tree, format: &'static str, array: Option<&str>) -> Result<Self, Error> {
        match tree.node("obs")? {
            Some(Node::Group) => {}
            Some(Node::Array) => {
                return Err(tree.bad("obs", "is one array of records, as anndata before 0.7 wrote it"));
            }
            None => return Err(tree.bad("/", "has no `obs`, so it is no AnnData")),
        }
        let path = choose(&tree, array)?;
        let matrix = Matrix::open(&tree, &path)?;
        let features = match path.rsplit_once('/') {
            Some(("obsm", name)) => Features::Numbered(name.to_owned()),
            Some(("raw", _)) => Features::Named(index(&tree, "raw/var")?),
            _ => Features::Named(index(&tree, "var")?),
        };
        if let Features::Named(names) = &features {
            if names.len() != matrix.width {
                let problem = format!("has {} columns and {} names of them", matrix.width, names.len());
                return Err(tree.bad(&path, problem));
            }
            if let Some(column) = duplicate(names) {
                return Err(Error::DuplicateColumn { file: tree.file().to_owned(), column: column.clone() });
            }
        }
        let obs = columns(&tree, "obs")?;
        Ok(Self { tree, format, obs, matrix, features })
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.obs.iter().map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn format(&self) -> &'static str {
        self.format
    }

    pub(super) fn load(self, wanted: &[bool]) -> Result<Loaded, Error> {
        let rows = self.matrix.rows;
        let mut columns = Vec::new();
        let mut text = Vec::new();
        for ((name, path), &wanted) in self.obs.iter().zip(wanted) {
            let stored = Stored::open(&self.tree, path)?;
            let found = stored.rows();
            if found != rows {
                let (file, metadata) = (self.tree.file().to_owned(), path.clone());
                return Err(Error::RowsDiffer { file, rows, metadata, metadata_rows: found });
            }
            let mut column = Column::new(name, stored.kind());
            column.only_metadata = true;
            if let (true, Kind::Other(dtype)) = (wanted, &column.kind) {
                let (file, column) = (self.tree.file().to_owned(), name.clone());
                return Err(Error::UnsupportedType { file, column, dtype: dtype.clone() });
            }
            text.push(if wanted { Some(stored.read(&self.tree)?) } else { None });
            columns.push(column);
        }
        let first = columns.len();
        match self.features {
            Features::Named(names) => columns.extend(names.iter().map(|name| Column::feature(name))),
            Features::Numbered(name) => {
                columns.push(Column::new(&name, Kind::List { width: self.matrix.width, first_row: 0 }));
            }
        }
        text.resize(columns.len(), None);
        let values = Values::AnnData(AnnDataValues { tree: self.tree, matrix: self.matrix, first });
        Ok(Loaded { rows, columns, text, values })
    }
}

/// The path of the matrix asked for, or of the one there is no doubt about. What is wrong with matrices that are not
/// needed does not matter.
fn choose(tree: &Tree, array: Option<&str>) -> Result<String, Error> {
    let wanted = array.map(|array| array.trim_matches('/'));
    let candidates = match wanted {
        None => vec!["X".to_owned()],
        Some(path) if path == "X" || path == "raw/X" || path.starts_with("layers/") || path.starts_with("obsm/") => {
            vec![path.to_owned()]
        }
        Some(name) => vec![format!("obsm/{name}"), format!("layers/{name}")],
    };
    for path in candidates {
        if is_matrix(tree, &path)? {
            return Ok(path);
        }
    }
    let mut arrays = Vec::new();
    for path in ["X", "raw/X"] {
        if is_matrix(tree, path)? {
            arrays.push(path.to_owned());
        }
    }
    for group in ["layers", "obsm"] {
        if tree.node(group)? != Some(Node::Group) {
            continue;
        }
        for name in tree.children(group)? {
            let path = format!("{group}/{name}");
            if is_matrix(tree, &path)? {
                arrays.push(path);
            }
        }
    }
    let file = tree.file().to_owned();
    match (wanted, arrays.as_slice()) {
        (Some(array), _) => Err(Error::UnknownArray { file, array: array.to_owned(), arrays }),
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(Error::WhichArray { file, arrays }),
    }
}

/// Whether a matrix with columns is at a path.
fn is_matrix(tree: &Tree, path: &str) -> Result<bool, Error> {
    Ok(match tree.node(path)? {
        None => false,
        Some(Node::Group) => sparse(tree, path)?.is_some(),
        Some(Node::Array) => matches!(tree.array(path)?.shape.as_slice(), [_, width] if *width > 0),
    })
}

/// `csr` or `csc`, if a group is a sparse matrix; anndata before 0.7 had other words.
fn sparse(tree: &Tree, path: &str) -> Result<Option<String>, Error> {
    let encoding = match tree.text_attribute(path, "encoding-type")? {
        Some(encoding) => Some(encoding),
        None => tree.text_attribute(path, "h5sparse_format")?,
    };
    let format = encoding.map(|encoding| encoding.trim_end_matches("_matrix").to_owned());
    Ok(format.filter(|format| format == "csr" || format == "csc"))
}

/// Name and path of the columns of a data frame, the index first.
fn columns(tree: &Tree, frame: &str) -> Result<Vec<(String, String)>, Error> {
    let index = tree.text_attribute(frame, "_index")?.unwrap_or_else(|| "_index".to_owned());
    let order = match tree.attribute(frame, "column-order")? {
        Some(Value::Array(names)) => names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        Some(Value::String(name)) => vec![name],
        _ => {
            let mut names = tree.children(frame)?;
            names.retain(|name| *name != index && !name.starts_with("__"));
            names
        }
    };
    let named = if index == "_index" || index == "index" { INDEX } else { &index };
    let mut columns = Vec::new();
    if tree.node(&format!("{frame}/{index}"))?.is_some() && order.iter().all(|name| name != named) {
        columns.push((named.to_owned(), format!("{frame}/{index}")));
    }
    columns.extend(order.into_iter().map(|name| {
        let path = format!("{frame}/{name}");
        (name, path)
    }));
    let names: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
    match duplicate(&names) {
        Some(column) => Err(Error::DuplicateColumn { file: tree.file().to_owned(), column: column.clone() }),
        None => Ok(columns),
    }
}

/// The names of the rows of a data frame.
fn index(tree: &Tree, frame: &str) -> Result<Vec<String>, Error> {
    let name = tree.text_attribute(frame, "_index")?.unwrap_or_else(|| "_index".to_owned());
    let coded = Stored::open(tree, &format!("{frame}/{name}"))?.read(tree)?;
    let names = (0..coded.codes.len() as u32).map(|row| coded.get(row).map(str::to_owned)).collect::<Option<_>>();
    names.ok_or_else(|| tree.bad(&format!("{frame}/{name}"), "lacks names"))
}

/// A column of a data frame, not read yet.
enum Stored {
    Plain(Array),
    /// Values, and which of them are missing.
    Masked {
        values: Array,
        mask: Array,
    },
    Categories {
        codes: Array,
        categories: Array,
    },
}

impl Stored {
    fn open(tree: &Tree, path: &str) -> Result<Self, Error> {
        match tree.node(path)? {
            None => Err(tree.bad(path, "is named as a column and is not there")),
            Some(Node::Group) => {
                let encoding = tree.text_attribute(path, "encoding-type")?.unwrap_or_default();
                let part = |name: &str| tree.array(&format!("{path}/{name}"));
                match encoding.as_str() {
                    "categorical" => Ok(Self::Categories { codes: part("codes")?, categories: part("categories")? }),
                    "nullable-integer" | "nullable-boolean" | "nullable-string-array" => {
                        Ok(Self::Masked { values: part("values")?, mask: part("mask")? })
                    }
                    other => Err(tree.bad(path, format!("is encoded as `{other}`, which is not read"))),
                }
            }
            Some(Node::Array) => {
                let (frame, name) = path.rsplit_once('/').unwrap_or(("", path));
                // anndata 0.7: codes here, with a reference to the categories beside them.
                let categories = format!("{frame}/__categories/{name}");
                let apart = tree.node(&format!("{frame}/__categories"))?.is_some();
                if apart && tree.node(&categories)?.is_some() {
                    return Ok(Self::Categories { codes: tree.array(path)?, categories: tree.array(&categories)? });
                }
                Ok(Self::Plain(tree.array(path)?))
            }
        }
    }

    fn rows(&self) -> u64 {
        let (Self::Plain(array) | Self::Masked { values: array, .. } | Self::Categories { codes: array, .. }) = self;
        array.shape.first().copied().unwrap_or(0)
    }

    fn kind(&self) -> Kind {
        let array = match self {
            Self::Plain(array) | Self::Masked { values: array, .. } => array,
            Self::Categories { .. } => return Kind::Text,
        };
        match &array.element {
            Element::Fixed(dtype) if dtype.is_truth() => Kind::Boolean,
            Element::Fixed(dtype) if dtype.is_number() => Kind::Number,
            Element::Fixed(_) | Element::Text => Kind::Text,
            Element::Other(what) => Kind::Other(what.clone()),
        }
    }

    fn read(&self, tree: &Tree) -> Result<Coded, Error> {
        let mut coder = Coder::default();
        match self {
            Self::Plain(array) => tree.texts(array)?.iter().for_each(|text| coder.push(text.as_deref())),
            Self::Masked { values, mask } => {
                let (texts, missing) = (tree.texts(values)?, tree.integers(mask)?);
                if texts.len() != missing.len() {
                    return Err(tree.bad(&values.path, "has a mask of another length"));
                }
                for (text, missing) in texts.iter().zip(missing) {
                    coder.push(text.as_deref().filter(|_| missing == 0));
                }
            }
            Self::Categories { codes, categories } => {
                let names = tree.texts(categories)?;
                for code in tree.integers(codes)? {
                    let name = usize::try_from(code).ok().map(|code| names.get(code));
                    match name {
                        Some(None) => return Err(tree.bad(&codes.path, format!("has the code {code} of no category"))),
                        Some(Some(name)) => coder.push(name.as_deref()),
                        // Codes below zero are missing values.
                        None => coder.push(None),
                    }
                }
            }
        }
        Ok(coder.finish())
    }
}

impl Matrix {
    fn open(tree: &Tree, path: &str) -> Result<Self, Error> {
        let (shape, layout) = match sparse(tree, path)? {
            Some(format) => {
                let shape = match tree.attribute(path, "shape")? {
                    Some(shape) => Some(shape),
                    None => tree.attribute(path, "h5sparse_shape")?,
                };
                let shape: Option<Vec<u64>> =
                    shape.as_ref().and_then(Value::as_array).and_then(|s| s.iter().map(Value::as_u64).collect());
                let shape = shape.ok_or_else(|| tree.bad(path, "is sparse and has no shape"))?;
                let part = |name: &str| tree.array(&format!("{path}/{name}"));
                let (data, indices, starts) = (part("data")?, part("indices")?, part("indptr")?);
                let starts = tree.integers(&starts)?.into_iter().map(u64::try_from).collect::<Result<Vec<_>, _>>();
                let starts = starts.map_err(|_| tree.bad(path, "has a row that begins before the first value"))?;
                let by_row = format == "csr";
                let lines = shape.get(usize::from(!by_row)).copied().unwrap_or(0);
                let last = data.shape.first().copied().unwrap_or(0);
                let ascending = starts.windows(2).all(|pair| pair[0] <= pair[1]);
                if starts.len() as u64 != lines + 1 || !ascending || starts.last() != Some(&last) {
                    return Err(tree.bad(path, "is sparse with row starts that do not fit its values"));
                }
                if data.shape != indices.shape || data.shape.len() != 1 {
                    return Err(tree.bad(path, "is sparse with more or fewer places than values"));
                }
                (shape, Layout::Sparse { by_row, data, indices, starts })
            }
            None => {
                let array = tree.array(path)?;
                (array.shape.clone(), Layout::Dense(array))
            }
        };
        let values = match &layout {
            Layout::Dense(array) => array,
            Layout::Sparse { data, .. } => data,
        };
        match (&values.element, shape.as_slice()) {
            (Element::Other(what), _) => Err(tree.bad(path, format!("holds {what}, which is not read"))),
            (Element::Fixed(dtype), &[rows, width]) if dtype.is_number() => match usize::try_from(width) {
                Ok(width) if rows > 0 && rows < u64::from(u32::MAX) => Ok(Self { rows, width, layout }),
                _ => Err(tree.bad(path, format!("has {rows} rows"))),
            },
            (_, &[_, _]) => Err(tree.bad(path, "does not hold numbers")),
            _ => Err(tree.bad(path, format!("has {} dimensions where a matrix has 2", shape.len()))),
        }
    }
}

/// The values of a matrix.
pub(super) struct AnnDataValues {
    tree: Tree,
    matrix: Matrix,
    /// Column of the first feature.
    first: usize,
}

impl AnnDataValues {
    pub(super) fn scatter(&mut self, pieces: &[Piece], scatter: &mut Scatter<'_>) -> Result<(), Error> {
        let width = self.matrix.width;
        // Column of the matrix and column of the target.
        let mut pairs = Vec::new();
        for piece in pieces {
            let to = pairs.len();
            match piece {
                Piece::Column(column) => pairs.push((column - self.first, to)),
                Piece::List { .. } => pairs.extend((0..width).map(|i| (i, to + i))),
            }
        }
        if pairs.is_empty() {
            return Ok(());
        }
        match &self.matrix.layout {
            Layout::Dense(array) => self.dense(array, &pairs, scatter),
            Layout::Sparse { by_row: true, data, indices, starts } => {
                self.by_row((data, indices, starts), &pairs, scatter)
            }
            Layout::Sparse { by_row: false, data, indices, starts } => {
                self.by_column((data, indices, starts), &pairs, scatter)
            }
        }
    }

    fn dense(&self, array: &Array, pairs: &[(usize, usize)], scatter: &mut Scatter<'_>) -> Result<(), Error> {
        let (rows, width) = (self.matrix.rows, self.matrix.width);
        let dtype = self.number(array)?;
        let fitting = BLOCK_BYTES / (width * dtype.bytes()) as u64;
        let block = (fitting / array.chunk_rows).max(1).saturating_mul(array.chunk_rows);
        let mut first = 0;
        while first < rows {
            let count = block.min(rows - first);
            let bytes = self.tree.rows(array, first, count)?;
            scatter.rows(first, &numbers(dtype, &bytes), width, pairs);
            first += count;
        }
        Ok(())
    }

    fn by_row(
        &self,
        (data, indices, starts): (&Array, &Array, &[u64]),
        pairs: &[(usize, usize)],
        scatter: &mut Scatter<'_>,
    ) -> Result<(), Error> {
        let (rows, width) = (self.matrix.rows as usize, self.matrix.width);
        let block = (BLOCK_BYTES as usize / (4 * width)).max(1);
        for first in (0..rows).step_by(block) {
            let count = block.min(rows - first);
            let begin = starts[first];
            let (values, places) = self.stored(data, indices, begin, starts[first + count])?;
            let mut dense = vec![0.0; count * width];
            for row in 0..count {
                let line = (starts[first + row] - begin) as usize..(starts[first + row + 1] - begin) as usize;
                for (value, place) in values[line.clone()].iter().zip(&places[line]) {
                    dense[row * width + self.within(indices, *place, width)?] = *value;
                }
            }
            scatter.rows(first as u64, &dense, width, pairs);
        }
        Ok(())
    }

    fn by_column(
        &self,
        (data, indices, starts): (&Array, &Array, &[u64]),
        pairs: &[(usize, usize)],
        scatter: &mut Scatter<'_>,
    ) -> Result<(), Error> {
        let rows = self.matrix.rows as usize;
        for block in pairs.chunks(BLOCK_COLUMNS) {
            let mut columns = Vec::with_capacity(block.len());
            for &(column, _) in block {
                let (values, places) = self.stored(data, indices, starts[column], starts[column + 1])?;
                let mut dense = vec![0.0; rows];
                for (value, place) in values.iter().zip(&places) {
                    dense[self.within(indices, *place, rows)?] = *value;
                }
                columns.push(dense);
            }
            scatter.columns(0, rows, &columns, block[0].1);
        }
        Ok(())
    }

    /// Values `begin..end` of a sparse matrix, and their places.
    fn stored(&self, data: &Array, indices: &Array, begin: u64, end: u64) -> Result<(Vec<f32>, Vec<i64>), Error> {
        let values = numbers(self.number(data)?, &self.tree.rows(data, begin, end - begin)?);
        let dtype = self.number(indices)?;
        let bytes = self.tree.rows(indices, begin, end - begin)?;
        let places: Option<Vec<i64>> = bytes.chunks_exact(dtype.bytes()).map(|e| dtype.integer(e)).collect();
        let places = places.ok_or_else(|| self.tree.bad(&indices.path, "holds something else than whole numbers"))?;
        Ok((values, places))
    }

    fn number(&self, array: &Array) -> Result<Dtype, Error> {
        array.dtype().filter(|d| d.is_number()).ok_or_else(|| self.tree.bad(&array.path, "does not hold numbers"))
    }

    fn within(&self, indices: &Array, place: i64, length: usize) -> Result<usize, Error> {
        usize::try_from(place).ok().filter(|place| *place < length).ok_or_else(|| {
            self.tree.bad(&indices.path, format!("places a value at {place}, beyond the {length} of the matrix"))
        })
    }
}

/// Elements as feature values.
fn numbers(dtype: Dtype, bytes: &[u8]) -> Vec<f32> {
    bytes.par_chunks_exact(dtype.bytes()).with_min_len(1 << 14).map(|element| dtype.number(element)).collect()
}
