//! HDF5, through `hdf5-pure`.
//!
//! # What
//! Every storage of a dataset that h5py writes (contiguous, compact, chunked with any index), the filters deflate,
//! shuffle, fletcher32 and LZF; numbers, truth values (an enumeration of `FALSE` and `TRUE`) and text of both kinds.
//!
//! # What it cannot do
//! Compound types, references, the filters that need a plug-in in h5py too (Blosc, Zstandard), and chunks in the layout
//! that HDF5 2 writes where `libver="latest"` asks for it. Panics of the library on damaged files are caught at this
//! border and become errors.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use hdf5_pure::{AttrValue, Dataset, Datatype, DatatypeByteOrder, File, FormatError};
use serde_json::Value;

use super::{Array, Dtype, Element, Handle, Node};
use crate::Error;

/// An open file.
pub(in crate::raw) struct Hdf5 {
    pub(super) file: String,
    inner: File,
}

impl Hdf5 {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = path.display().to_string();
        let inner = guarded(&file, "/", || File::open_streaming(path))?;
        Ok(Self { file, inner })
    }

    pub(super) fn node(&self, path: &str) -> Result<Option<Node>, Error> {
        guarded(&self.file, path, || match self.inner.dataset(path) {
            Ok(_) => Ok(Some(Node::Array)),
            Err(hdf5_pure::Error::NotADataset(_)) => Ok(Some(Node::Group)),
            Err(hdf5_pure::Error::Format(FormatError::PathNotFound(_))) => Ok(None),
            Err(error) => Err(error),
        })
    }

    pub(super) fn children(&self, path: &str) -> Result<Vec<String>, Error> {
        let mut names = guarded(&self.file, path, || {
            let group = self.inner.group(path)?;
            let mut names = group.groups()?;
            names.extend(group.datasets()?);
            Ok(names)
        })?;
        names.sort_unstable();
        Ok(names)
    }

    pub(super) fn attribute(&self, path: &str, name: &str) -> Result<Option<Value>, Error> {
        let attributes = guarded(&self.file, path, || match self.inner.dataset(path) {
            Ok(dataset) => dataset.attrs(),
            Err(hdf5_pure::Error::NotADataset(_)) => self.inner.group(path)?.attrs(),
            Err(error) => Err(error),
        })?;
        Ok(attributes.get(name).map(value))
    }

    pub(super) fn array(&self, path: &str) -> Result<Array, Error> {
        guarded(&self.file, path, || {
            let dataset = self.inner.dataset(path)?;
            let chunk_rows = dataset.chunk_shape()?.and_then(|shape| shape.first().copied()).unwrap_or(1).max(1);
            Ok(Array {
                path: path.to_owned(),
                shape: dataset.shape()?,
                element: element(&dataset.datatype()?),
                chunk_rows,
                handle: Handle::Hdf5(Box::new(dataset)),
            })
        })
    }

    pub(super) fn rows(&self, path: &str, dataset: &Dataset, first: u64, count: u64) -> Result<Vec<u8>, Error> {
        guarded(&self.file, path, || dataset.read_raw_rows(first, count))
    }

    pub(super) fn texts(&self, path: &str, dataset: &Dataset) -> Result<Vec<String>, Error> {
        guarded(&self.file, path, || dataset.read_string())
    }
}

/// Runs a part of the library; what goes wrong becomes an error that names the object.
fn guarded<T>(file: &str, object: &str, work: impl FnOnce() -> Result<T, hdf5_pure::Error>) -> Result<T, Error> {
    let problem = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(hdf5_pure::Error::Io(source))) if source.kind() != std::io::ErrorKind::UnexpectedEof => {
            return Err(Error::Io { file: file.to_owned(), source });
        }
        Ok(Err(error)) => format!("cannot be read: {error}"),
        Err(_) => "is damaged".to_owned(),
    };
    Err(Error::BadObject { file: file.to_owned(), object: object.to_owned(), problem })
}

/// Type of the elements of a dataset.
fn element(datatype: &Datatype) -> Element {
    let fixed = |kind: char, size: u32, order: DatatypeByteOrder| {
        let order = match order {
            DatatypeByteOrder::LittleEndian => '<',
            DatatypeByteOrder::BigEndian => '>',
            _ => return Element::Other("numbers of an uncommon byte order".to_owned()),
        };
        match Dtype::parse(&format!("{order}{kind}{size}")) {
            Some(dtype) => Element::Fixed(dtype),
            None => Element::Other(format!("numbers of {size} bytes")),
        }
    };
    match datatype {
        Datatype::FixedPoint { size, byte_order, layout } => {
            fixed(if layout.signed { 'i' } else { 'u' }, *size, *byte_order)
        }
        Datatype::FloatingPoint { size, byte_order, .. } => fixed('f', *size, *byte_order),
        Datatype::String { .. } | Datatype::VariableLength { is_string: true, .. } => Element::Text,
        Datatype::Enumeration { size: 1, members, .. } if is_truth(members.iter().map(|m| m.name.as_str())) => {
            Dtype::parse("|b1").map_or_else(|| Element::Other("truth values".to_owned()), Element::Fixed)
        }
        Datatype::Enumeration { .. } => Element::Other("an enumeration".to_owned()),
        Datatype::Compound { .. } => Element::Other("records of several fields".to_owned()),
        Datatype::Reference { .. } => Element::Other("references".to_owned()),
        _ => Element::Other("elements of an uncommon type".to_owned()),
    }
}

/// h5py's truth values.
fn is_truth<'a>(mut members: impl Iterator<Item = &'a str>) -> bool {
    members.next() == Some("FALSE") && members.next() == Some("TRUE") && members.next().is_none()
}

/// An attribute as JSON has it.
fn value(attribute: &AttrValue) -> Value {
    if let Some(text) = attribute.as_str() {
        return text.into();
    }
    if let Some(texts) = attribute.as_strings() {
        return texts.to_vec().into();
    }
    if let Some(number) = attribute.as_i64() {
        return number.into();
    }
    if let Some(numbers) = attribute.to_i64s() {
        return numbers.into();
    }
    attribute.as_f64().map_or(Value::Null, Value::from)
}
