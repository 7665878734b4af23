//! Groups and arrays as a zarr folder of format 2, which zarr-python 2 and 3 and every anndata read.

use std::fs;
use std::path::{Path, PathBuf};

use bench_core::atomic;
use serde_json::{Map, Value, json};

use super::anndata::{Array, Attribute, Group, Item, Values};
use super::failed;
use crate::Error;

/// Bytes of a chunk of a matrix.
const CHUNK_BYTES: usize = 4 << 20;

/// Writes a folder. One that is there is replaced if it is a zarr store, and left alone if it is anything else.
pub(super) fn write(path: &Path, root: &Group<'_>) -> Result<(), Error> {
    let there = fs::symlink_metadata(path).is_ok();
    if there && !path.join(".zgroup").is_file() && !path.join("zarr.json").is_file() {
        return Err(failed(path, "something that is no zarr store is there already"));
    }
    let beside = |what: &str| {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.{what}.tmp", std::process::id()));
        path.with_file_name(name)
    };
    let (new, old) = (beside("new"), beside("old"));
    let result = group(&new, root).and_then(|()| {
        if there {
            fs::rename(path, &old)?;
        }
        fs::rename(&new, path)?;
        if there { fs::remove_dir_all(&old) } else { Ok(()) }
    });
    if result.is_err() {
        // The error that matters is the one above.
        let _ = fs::remove_dir_all(&new);
    }
    result.map_err(|e| failed(path, e))
}

fn group(folder: &Path, group: &Group<'_>) -> std::io::Result<()> {
    put(folder.join(".zgroup"), &json!({"zarr_format": 2}))?;
    put(folder.join(".zattrs"), &attributes(&group.attributes))?;
    for (name, item) in &group.children {
        let folder = folder.join(name);
        match item {
            Item::Group(group) => self::group(&folder, group)?,
            Item::Array(array) => self::array(&folder, array)?,
        }
    }
    Ok(())
}

fn array(folder: &Path, array: &Array<'_>) -> std::io::Result<()> {
    let text = matches!(array.values, Values::Text(_) | Values::Made(_));
    let (dtype, width) = match array.values {
        Values::F32(_) => ("<f4", 4),
        Values::F64(_) => ("<f8", 8),
        Values::I64(_) => ("<i8", 8),
        Values::I32(_) => ("<i4", 4),
        Values::Bool(_) => ("|b1", 1),
        Values::Text(_) | Values::Made(_) => ("|O", 0),
    };
    let rows = array.shape[0] as usize;
    let columns = array.shape.get(1).map_or(1, |&columns| columns as usize);
    // Columns are one chunk; matrices are cut by rows.
    let chunk_rows = match array.shape.len() {
        1 => rows.max(1),
        _ => (CHUNK_BYTES / (columns * width).max(1)).clamp(1, rows.max(1)),
    };
    let chunks: Vec<usize> = match array.shape.len() {
        1 => vec![chunk_rows],
        _ => vec![chunk_rows, columns.max(1)],
    };
    put(
        folder.join(".zarray"),
        &json!({
            "zarr_format": 2,
            "shape": array.shape,
            "chunks": chunks,
            "dtype": dtype,
            "compressor": {"id": "zstd", "level": 3},
            "fill_value": if text { json!("") } else { json!(0) },
            "filters": if text { json!([{"id": "vlen-utf8"}]) } else { Value::Null },
            "order": "C",
        }),
    )?;
    put(folder.join(".zattrs"), &attributes(&array.attributes))?;
    for chunk in 0..rows.div_ceil(chunk_rows) {
        let (first, last) = (chunk * chunk_rows, rows.min((chunk + 1) * chunk_rows));
        let mut bytes = bytes(&array.values, first * columns..last * columns);
        // The last chunk is as long as the others.
        if !text {
            bytes.resize(chunk_rows * columns * width, 0);
        }
        let packed = zstd::stream::encode_all(bytes.as_slice(), 3)?;
        let key = if array.shape.len() == 1 { format!("{chunk}") } else { format!("{chunk}.0") };
        fs::write(folder.join(key), packed)?;
    }
    Ok(())
}

fn bytes(values: &Values<'_>, at: std::ops::Range<usize>) -> Vec<u8> {
    fn text<'a>(texts: impl ExactSizeIterator<Item = &'a str>) -> Vec<u8> {
        let mut bytes = (texts.len() as u32).to_le_bytes().to_vec();
        for text in texts {
            bytes.extend((text.len() as u32).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes
    }
    match values {
        Values::F32(values) => values[at].iter().flat_map(|value| value.to_le_bytes()).collect(),
        Values::F64(values) => values[at].iter().flat_map(|value| value.to_le_bytes()).collect(),
        Values::I64(values) => values[at].iter().flat_map(|value| value.to_le_bytes()).collect(),
        Values::I32(values) => values[at].iter().flat_map(|value| value.to_le_bytes()).collect(),
        Values::Bool(values) => values[at].iter().map(|&value| u8::from(value)).collect(),
        Values::Text(texts) => text(texts[at].iter().copied()),
        Values::Made(texts) => text(texts[at].iter().map(String::as_str)),
    }
}

fn attributes(attributes: &[(&'static str, Attribute)]) -> Value {
    let entries = attributes.iter().map(|(name, value)| {
        let value = match value {
            Attribute::Text(text) => json!(text),
            Attribute::Texts(texts) => json!(texts),
            Attribute::Truth(truth) => json!(truth),
        };
        ((*name).to_owned(), value)
    });
    Value::Object(entries.collect::<Map<_, _>>())
}

fn put(path: PathBuf, value: &Value) -> std::io::Result<()> {
    atomic::write(&path, format!("{value:#}\n").as_bytes())
}
