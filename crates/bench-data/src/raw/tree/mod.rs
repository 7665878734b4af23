//! Groups, arrays and attributes of a file that holds several: HDF5, or a zarr folder.
//!
//! # What
//! AnnData has one layout for both. A [`Tree`] answers what the layout asks for: what is at a path, its attributes, the
//! shape and type of an array, some of its rows as bytes, its text. Paths are names joined by `/`, without one in front.
//!
//! # Where it fails
//! At what neither anndata nor h5py writes by default: links to other files, compound types, filters beyond those of
//! the two modules. The error names file, object and reason.

mod blosc;
mod codec;
mod hdf5;
mod zarr;

use std::path::Path;

use serde_json::Value;

use super::dtype::Dtype;
use crate::Error;

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Group,
    Array,
}

/// Type of the elements of an array.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Element {
    /// Numbers, truth values, text of fixed length.
    Fixed(Dtype),
    /// Text of any length.
    Text,
    /// Something that is not read, in words.
    Other(String),
}

/// An array and where it is.
pub(super) struct Array {
    /// Its path.
    pub(super) path: String,
    /// Length of each dimension.
    pub(super) shape: Vec<u64>,
    /// Type of its elements.
    pub(super) element: Element,
    /// Rows that are stored together; reading fewer costs as much.
    pub(super) chunk_rows: u64,
    handle: Handle,
}

enum Handle {
    Hdf5(Box<hdf5_pure::Dataset>),
    Zarr(Box<zarr::Stored>),
}

/// A file of groups and arrays.
pub(super) enum Tree {
    Hdf5(hdf5::Hdf5),
    Zarr(zarr::Zarr),
}

impl Tree {
    /// Opens an HDF5 file.
    pub(super) fn hdf5(path: &Path) -> Result<Self, Error> {
        Ok(Self::Hdf5(hdf5::Hdf5::open(path)?))
    }

    /// Opens a zarr folder.
    pub(super) fn zarr(path: &Path) -> Result<Self, Error> {
        Ok(Self::Zarr(zarr::Zarr::open(path)?))
    }

    /// The file as the user wrote it.
    pub(super) fn file(&self) -> &str {
        match self {
            Self::Hdf5(tree) => &tree.file,
            Self::Zarr(tree) => &tree.file,
        }
    }

    /// What is at a path; `None` for nothing.
    pub(super) fn node(&self, path: &str) -> Result<Option<Node>, Error> {
        match self {
            Self::Hdf5(tree) => tree.node(path),
            Self::Zarr(tree) => tree.node(path),
        }
    }

    /// Names within a group, sorted.
    pub(super) fn children(&self, path: &str) -> Result<Vec<String>, Error> {
        match self {
            Self::Hdf5(tree) => tree.children(path),
            Self::Zarr(tree) => tree.children(path),
        }
    }

    /// An attribute: text, a number, or a list of either.
    pub(super) fn attribute(&self, path: &str, name: &str) -> Result<Option<Value>, Error> {
        match self {
            Self::Hdf5(tree) => tree.attribute(path, name),
            Self::Zarr(tree) => tree.attribute(path, name),
        }
    }

    /// An attribute that is text.
    pub(super) fn text_attribute(&self, path: &str, name: &str) -> Result<Option<String>, Error> {
        Ok(self.attribute(path, name)?.and_then(|value| value.as_str().map(str::to_owned)))
    }

    /// The array at a path, which must be one.
    pub(super) fn array(&self, path: &str) -> Result<Array, Error> {
        match self {
            Self::Hdf5(tree) => tree.array(path),
            Self::Zarr(tree) => tree.array(path),
        }
    }

    /// Bytes of rows `first..first + count`, elements in the order of the row, as [`Array::element`] says.
    pub(super) fn rows(&self, array: &Array, first: u64, count: u64) -> Result<Vec<u8>, Error> {
        let Some((dtype, bytes)) = array.dtype().zip(array.bytes(count)) else {
            return Err(self.bad(&array.path, "has no elements of a fixed size, or too many"));
        };
        let found = match (self, &array.handle) {
            (Self::Hdf5(tree), Handle::Hdf5(dataset)) => tree.rows(&array.path, dataset, first, count)?,
            (Self::Zarr(tree), Handle::Zarr(stored)) => tree.rows(&array.path, stored, dtype.bytes(), first, count)?,
            _ => return Err(self.bad(&array.path, "belongs to another file")),
        };
        match found.len() == bytes {
            true => Ok(found),
            false => Err(self.bad(&array.path, "ends before its last value")),
        }
    }

    /// All elements of a one-dimensional array as text; NaN is no value.
    pub(super) fn texts(&self, array: &Array) -> Result<Vec<Option<String>>, Error> {
        let &[length] = array.shape.as_slice() else {
            return Err(self.bad(&array.path, format!("has {} dimensions where a column has one", array.shape.len())));
        };
        match &array.element {
            Element::Fixed(dtype) => {
                let bytes = self.rows(array, 0, length)?;
                Ok(bytes.chunks_exact(dtype.bytes()).map(|element| dtype.text(element)).collect())
            }
            Element::Text => {
                let texts = match (self, &array.handle) {
                    (Self::Hdf5(tree), Handle::Hdf5(dataset)) => tree.texts(&array.path, dataset)?,
                    (Self::Zarr(tree), Handle::Zarr(stored)) => tree.texts(&array.path, stored)?,
                    _ => return Err(self.bad(&array.path, "belongs to another file")),
                };
                if texts.len() as u64 != length {
                    return Err(self.bad(&array.path, "ends before its last value"));
                }
                Ok(texts.into_iter().map(Some).collect())
            }
            Element::Other(what) => Err(self.bad(&array.path, format!("holds {what}, which is not read"))),
        }
    }

    /// All elements of a one-dimensional array as whole numbers.
    pub(super) fn integers(&self, array: &Array) -> Result<Vec<i64>, Error> {
        let (&[length], Some(dtype)) = (array.shape.as_slice(), array.dtype()) else {
            return Err(self.bad(&array.path, "is no list of whole numbers"));
        };
        let bytes = self.rows(array, 0, length)?;
        let numbers: Option<Vec<i64>> = bytes.chunks_exact(dtype.bytes()).map(|e| dtype.integer(e)).collect();
        numbers.ok_or_else(|| self.bad(&array.path, "holds something else than whole numbers"))
    }

    /// An error about an object of this file.
    pub(super) fn bad(&self, object: &str, problem: impl Into<String>) -> Error {
        Error::BadObject { file: self.file().to_owned(), object: object.to_owned(), problem: problem.into() }
    }
}

impl Array {
    /// Type of elements of a fixed size.
    pub(super) fn dtype(&self) -> Option<Dtype> {
        match self.element {
            Element::Fixed(dtype) => Some(dtype),
            _ => None,
        }
    }

    /// Bytes of `count` rows, if they can be counted and exist.
    fn bytes(&self, count: u64) -> Option<usize> {
        let width = self.shape.get(1..)?.iter().try_fold(1u64, |product, n| product.checked_mul(*n))?;
        let bytes = width.checked_mul(count)?.checked_mul(self.dtype()?.bytes() as u64)?;
        usize::try_from(bytes).ok().filter(|_| count <= self.shape[0])
    }
}
