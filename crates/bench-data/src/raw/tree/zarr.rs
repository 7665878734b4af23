//! zarr: a folder of JSON and chunks, format 2 (`.zarray`) or 3 (`zarr.json`).
//!
//! # What
//! Groups, attributes, arrays of one or two dimensions with the codecs of [`super::codec`]; chunks that are not there
//! hold the fill value. Consolidated metadata repeat what stands beside the arrays and are not needed.
//!
//! # Reference
//! Zarr specifications version 2 and 3.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::codec::{Chunks, Codec, Content, Index};
use super::{Array, Dtype, Element, Handle, Node};
use crate::Error;

/// An open store.
pub(in crate::raw) struct Zarr {
    pub(super) file: String,
    root: PathBuf,
    version: u8,
}

/// What is known of an array.
pub(super) struct Stored {
    folder: PathBuf,
    /// Rows and columns.
    shape: (u64, u64),
    dimensions: usize,
    /// What stands before the numbers of a chunk's key, and between them.
    key: (&'static str, char),
    chunks: Chunks,
    /// Bytes of an element that is not stored.
    fill: Vec<u8>,
    /// Text of one.
    fill_text: String,
}

impl Zarr {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let version = if path.join("zarr.json").is_file() { 3 } else { 2 };
        Ok(Self { file: path.display().to_string(), root: path.to_owned(), version })
    }

    pub(super) fn node(&self, path: &str) -> Result<Option<Node>, Error> {
        let folder = self.folder(path)?;
        if self.version == 2 {
            return Ok(match (folder.join(".zarray").is_file(), folder.join(".zgroup").is_file()) {
                (true, _) => Some(Node::Array),
                (_, true) => Some(Node::Group),
                _ => None,
            });
        }
        let Some(metadata) = self.json(path, "zarr.json")? else { return Ok(None) };
        match metadata["node_type"].as_str() {
            Some("array") => Ok(Some(Node::Array)),
            Some("group") => Ok(Some(Node::Group)),
            _ => Err(self.bad(path, "has a `zarr.json` that says neither group nor array")),
        }
    }

    pub(super) fn children(&self, path: &str) -> Result<Vec<String>, Error> {
        let entries = fs::read_dir(self.folder(path)?).map_err(|source| self.io(source))?;
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(|source| self.io(source))?.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') && self.node(&format!("{path}/{name}"))?.is_some() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    pub(super) fn attribute(&self, path: &str, name: &str) -> Result<Option<Value>, Error> {
        let attributes = match self.version {
            2 => self.json(path, ".zattrs")?,
            _ => self.json(path, "zarr.json")?.map(|mut metadata| metadata["attributes"].take()),
        };
        Ok(attributes.and_then(|mut all| all.get_mut(name).map(Value::take)))
    }

    pub(super) fn array(&self, path: &str) -> Result<Array, Error> {
        let name = if self.version == 2 { ".zarray" } else { "zarr.json" };
        let metadata = self.json(path, name)?.ok_or_else(|| self.bad(path, "is no array"))?;
        let incomplete = |what: &str| self.bad(path, format!("has a `{name}` without its {what}"));
        let shape = lengths(&metadata["shape"]).ok_or_else(|| incomplete("shape"))?;
        let read = if self.version == 2 { version_2(&metadata) } else { version_3(&metadata) };
        let (element, pipeline, chunk_shape, key) = match read {
            Ok(read) => read,
            // What cannot be read counts only if it is needed.
            Err(Unread::Element(what)) => (Element::Other(what), None, vec![1; shape.len()], ("", '.')),
            Err(Unread::Damaged(what)) => return Err(incomplete(what)),
        };
        if chunk_shape.len() != shape.len() || chunk_shape.contains(&0) {
            return Err(self.bad(path, "has chunks of another shape than its own"));
        }
        let value = &metadata["fill_value"];
        let (element, fill) = match element {
            Element::Fixed(dtype) => match fill(dtype, value) {
                Some(fill) => (Element::Fixed(dtype), fill),
                None => (Element::Other(format!("numbers with the fill value {value}")), Vec::new()),
            },
            other => (other, Vec::new()),
        };
        let columns = |lengths: &[u64]| lengths.get(1).copied().unwrap_or(1);
        let rows = |lengths: &[u64]| lengths.first().copied().unwrap_or(1);
        let (down, across) = (rows(&chunk_shape), columns(&chunk_shape));
        let mut chunks = pipeline.unwrap_or(Chunks {
            shape: (1, 1),
            column_major: false,
            codecs: Vec::new(),
            content: Content::Fixed,
        });
        chunks.shape = match (usize::try_from(down), usize::try_from(across)) {
            (Ok(down), Ok(across)) => (down, across),
            _ => return Err(self.bad(path, "has chunks too large to read")),
        };
        let stored = Stored {
            folder: self.folder(path)?,
            shape: (rows(&shape), columns(&shape)),
            dimensions: shape.len(),
            key,
            chunks,
            fill,
            fill_text: value.as_str().unwrap_or_default().to_owned(),
        };
        Ok(Array { path: path.to_owned(), chunk_rows: down, shape, element, handle: Handle::Zarr(Box::new(stored)) })
    }

    pub(super) fn rows(
        &self,
        path: &str,
        stored: &Stored,
        width: usize,
        first: u64,
        count: u64,
    ) -> Result<Vec<u8>, Error> {
        if stored.dimensions == 0 || stored.dimensions > 2 {
            return Err(self.bad(path, format!("has {} dimensions where 1 or 2 are read", stored.dimensions)));
        }
        let (down, across) = (stored.chunks.shape.0 as u64, stored.chunks.shape.1 as u64);
        let columns = stored.shape.1;
        let mut bytes = stored.fill.repeat((count * columns) as usize);
        for i in first / down..(first + count).div_ceil(down) {
            for j in 0..columns.div_ceil(across) {
                let Some(chunk) = self.chunk(path, stored, i, j)? else { continue };
                let chunk = stored.chunks.elements(chunk, &stored.fill).map_err(|problem| self.bad(path, problem))?;
                let (left, right) = (j * across, columns.min((j + 1) * across));
                let length = (right - left) as usize * width;
                for row in first.max(i * down)..(first + count).min((i + 1) * down) {
                    let from = ((row - i * down) * across) as usize * width;
                    let to = ((row - first) * columns + left) as usize * width;
                    bytes[to..to + length].copy_from_slice(&chunk[from..from + length]);
                }
            }
        }
        Ok(bytes)
    }

    pub(super) fn texts(&self, path: &str, stored: &Stored) -> Result<Vec<String>, Error> {
        let (rows, down) = (stored.shape.0, stored.chunks.shape.0 as u64);
        let mut texts = Vec::new();
        for i in 0..rows.div_ceil(down) {
            let due = down.min(rows - i * down) as usize;
            match self.chunk(path, stored, i, 0)? {
                None => texts.extend(std::iter::repeat_n(stored.fill_text.clone(), due)),
                Some(chunk) => {
                    let found = stored.chunks.texts(chunk, &stored.fill_text);
                    let mut found = found.map_err(|problem| self.bad(path, problem))?;
                    if found.len() < due {
                        return Err(self.bad(path, format!("has a chunk of {} texts where {due} are due", found.len())));
                    }
                    found.truncate(due);
                    texts.extend(found);
                }
            }
        }
        Ok(texts)
    }

    /// The stored bytes of a chunk; `None` where it is not there.
    fn chunk(&self, path: &str, stored: &Stored, i: u64, j: u64) -> Result<Option<Vec<u8>>, Error> {
        let (prefix, separator) = stored.key;
        let key = match stored.dimensions {
            1 => format!("{prefix}{i}"),
            _ => format!("{prefix}{i}{separator}{j}"),
        };
        match fs::read(stored.folder.join(&key)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.bad(path, format!("has a chunk `{key}` that cannot be read: {e}"))),
        }
    }

    /// A JSON file beside an array or group; `None` if it is not there.
    fn json(&self, path: &str, name: &str) -> Result<Option<Value>, Error> {
        let text = match fs::read(self.folder(path)?.join(name)) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.io(source)),
        };
        let problem = |e: serde_json::Error| self.bad(path, format!("has a damaged `{name}`: {e}"));
        serde_json::from_slice(&text).map(Some).map_err(problem)
    }

    /// The folder of a path, which must lie within the store.
    fn folder(&self, path: &str) -> Result<PathBuf, Error> {
        let plain = |name: &str| !matches!(name, "" | "." | "..") && !name.contains(['\\', '\0', ':']);
        match path.is_empty() || path.split('/').all(plain) {
            true => Ok(self.root.join(path)),
            false => Err(self.bad(path, "has a name that is no name of a folder")),
        }
    }

    fn io(&self, source: std::io::Error) -> Error {
        Error::Io { file: self.file.clone(), source }
    }

    fn bad(&self, object: &str, problem: impl Into<String>) -> Error {
        Error::BadObject { file: self.file.clone(), object: object.to_owned(), problem: problem.into() }
    }
}

/// Why an array cannot be read.
enum Unread {
    /// Its elements are of a kind that is not read.
    Element(String),
    /// Its metadata lack something.
    Damaged(&'static str),
}

impl From<String> for Unread {
    fn from(what: String) -> Self {
        Self::Element(what)
    }
}

/// Elements, how they are stored, shape of the chunks, start and separator of their keys.
type Layout = (Element, Option<Chunks>, Vec<u64>, (&'static str, char));

fn version_2(metadata: &Value) -> Result<Layout, Unread> {
    let shape = chunk_lengths(&metadata["chunks"])?;
    let mut codecs = Vec::new();
    let mut text = false;
    for filter in metadata["filters"].as_array().into_iter().flatten() {
        match filter["id"].as_str().unwrap_or_default() {
            "vlen-utf8" => text = true,
            id => codecs.push(Codec::named(id, filter)?),
        }
    }
    let compressor = &metadata["compressor"];
    if let Some(id) = compressor["id"].as_str() {
        codecs.push(Codec::named(id, compressor)?);
    }
    let element = match metadata["dtype"].as_str() {
        Some("|O") if text => Element::Text,
        Some("|O") => return Err("Python objects".to_owned().into()),
        Some(code) => Element::Fixed(Dtype::parse(code).ok_or_else(|| format!("elements of the type `{code}`"))?),
        None => return Err("records of several fields".to_owned().into()),
    };
    let content = if text { Content::Text } else { Content::Fixed };
    let column_major = metadata["order"].as_str() == Some("F");
    let separator = if metadata["dimension_separator"].as_str() == Some("/") { '/' } else { '.' };
    Ok((element, Some(Chunks { shape: (1, 1), column_major, codecs, content }), shape, ("", separator)))
}

fn version_3(metadata: &Value) -> Result<Layout, Unread> {
    let shape = chunk_lengths(&metadata["chunk_grid"]["configuration"]["chunk_shape"])?;
    let keys = &metadata["chunk_key_encoding"];
    let default = keys["name"].as_str() == Some("default");
    let separator = match keys["configuration"]["separator"].as_str() {
        Some("/") => '/',
        Some(".") => '.',
        _ => {
            if default {
                '/'
            } else {
                '.'
            }
        }
    };
    let prefix = match (default, separator) {
        (true, '/') => "c/",
        (true, _) => "c.",
        _ => "",
    };
    let mut big_endian = false;
    let chunks = pipeline(&metadata["codecs"], &mut big_endian)?;
    let order = if big_endian { '>' } else { '<' };
    let data_type = &metadata["data_type"];
    let name = data_type.as_str().or(data_type["name"].as_str()).ok_or(Unread::Damaged("data type"))?;
    let bytes = data_type["configuration"]["length_bytes"].as_u64().unwrap_or(0);
    let code = match name {
        "string" | "variable_length_utf8" => return Ok((Element::Text, Some(chunks), shape, (prefix, separator))),
        "bool" => "|b1".to_owned(),
        "fixed_length_utf32" => format!("{order}U{}", bytes / 4),
        "null_terminated_bytes" | "fixed_length_bytes" => format!("|S{bytes}"),
        _ => {
            let digits = name.trim_start_matches(|c: char| c.is_ascii_alphabetic());
            let size = digits.parse::<u32>().map_or(0, |bits| bits / 8);
            match &name[..name.len() - digits.len()] {
                "float" => format!("{order}f{size}"),
                "int" => format!("{order}i{size}"),
                "uint" => format!("{order}u{size}"),
                _ => return Err(format!("elements of the type `{name}`").into()),
            }
        }
    };
    let dtype = Dtype::parse(&code).ok_or_else(|| format!("elements of the type `{name}`"))?;
    Ok((Element::Fixed(dtype), Some(chunks), shape, (prefix, separator)))
}

/// The codecs of format 3: at most a transposition, then what makes bytes of elements, then what packs bytes.
fn pipeline(list: &Value, big_endian: &mut bool) -> Result<Chunks, Unread> {
    let mut chunks = Chunks { shape: (1, 1), column_major: false, codecs: Vec::new(), content: Content::Fixed };
    for codec in list.as_array().ok_or(Unread::Damaged("codecs"))? {
        let name = codec.as_str().or(codec["name"].as_str()).ok_or(Unread::Damaged("codecs"))?;
        let settings = &codec["configuration"];
        match name {
            "transpose" => chunks.column_major = settings["order"] == serde_json::json!([1, 0]),
            "bytes" => *big_endian = settings["endian"].as_str() == Some("big"),
            "vlen-utf8" => chunks.content = Content::Text,
            "sharding_indexed" => {
                let shape = chunk_lengths(&settings["chunk_shape"])?;
                let mut inner = pipeline(&settings["codecs"], big_endian)?;
                let side = |at: usize| shape.get(at).map_or(Some(1), |n| usize::try_from(*n).ok());
                inner.shape = side(0).zip(side(1)).ok_or(Unread::Damaged("chunk shape"))?;
                let packed = settings["index_codecs"].as_array().into_iter().flatten();
                let names: Vec<&str> = packed.filter_map(|codec| codec["name"].as_str()).collect();
                let index = Index {
                    at_end: settings["index_location"].as_str() != Some("start"),
                    checked: match names.as_slice() {
                        ["bytes", "crc32c"] => true,
                        ["bytes"] => false,
                        _ => return Err("shards with a compressed index".to_owned().into()),
                    },
                };
                chunks.content = Content::Shards(Box::new(inner), index);
            }
            other => chunks.codecs.push(Codec::named(other, settings)?),
        }
    }
    Ok(chunks)
}

/// A list of lengths.
fn lengths(list: &Value) -> Option<Vec<u64>> {
    list.as_array()?.iter().map(Value::as_u64).collect()
}

/// Lengths of a chunk; those of an empty array may be zero and count as one.
fn chunk_lengths(list: &Value) -> Result<Vec<u64>, Unread> {
    let lengths = lengths(list).ok_or(Unread::Damaged("chunk shape"))?;
    Ok(lengths.into_iter().map(|length| length.max(1)).collect())
}

/// The bytes of a fill value; zeros where there is none.
fn fill(dtype: Dtype, value: &Value) -> Option<Vec<u8>> {
    let (real, whole) = match value {
        Value::Number(number) => {
            let whole = number.as_u64().or(number.as_i64().map(|n| n as u64));
            (number.as_f64()?, whole.unwrap_or(number.as_f64()? as i64 as u64))
        }
        Value::Bool(truth) => (f64::from(u8::from(*truth)), u64::from(*truth)),
        Value::String(text) => match text.as_str() {
            "NaN" => (f64::NAN, 0),
            "Infinity" => (f64::INFINITY, 0),
            "-Infinity" => (f64::NEG_INFINITY, 0),
            // Of text, as format 2 has it: base64 of zeros, or nothing.
            _ if !dtype.is_number() && !dtype.is_truth() => (0.0, 0),
            _ => return None,
        },
        Value::Null => (0.0, 0),
        _ => return None,
    };
    dtype.bytes_of(real, whole)
}
