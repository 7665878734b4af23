//! NumPy array files (`.npy`, versions 1 to 3): two dimensions of 32- or 64-bit floating-point
//! numbers, in either byte order and either order of axes.
//!
//! # Reference
//! NumPy enhancement proposal 1, `numpy.lib.format`.

use std::path::Path;

use crate::{Error, Result};

const MAGIC: &[u8] = b"\x93NUMPY";

/// Rows, columns and the values row by row.
pub(crate) fn read(path: &Path) -> Result<(usize, usize, Vec<f64>)> {
    let bytes = std::fs::read(path).map_err(|source| Error::read(path, source))?;
    let short = || Error::corrupt(path, "the file ends inside its header");
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| Error::corrupt(path, "it is no NumPy array"))?;
    let ([major, _minor], rest) = rest.split_first_chunk().ok_or_else(short)?;
    let (length, rest) = if *major == 1 {
        let (length, rest) = rest.split_first_chunk().ok_or_else(short)?;
        (usize::from(u16::from_le_bytes(*length)), rest)
    } else {
        let (length, rest) = rest.split_first_chunk().ok_or_else(short)?;
        (u32::from_le_bytes(*length) as usize, rest)
    };
    let (header, data) = rest.split_at_checked(length).ok_or_else(short)?;
    let header = String::from_utf8_lossy(header);
    let Header { big, size, fortran, rows, columns } = parse(&header)
        .ok_or_else(|| Error::Unsupported { path: path.to_owned(), reason: format!("a NumPy array with {header}") })?;
    if rows.checked_mul(columns).and_then(|n| n.checked_mul(size)) != Some(data.len()) {
        let reason = format!("{} bytes of values for {rows} x {columns} of {size}", data.len());
        return Err(Error::corrupt(path, reason));
    }
    let value = |word: &[u8]| {
        let byte = |i: usize| if big { word[word.len() - 1 - i] } else { word[i] };
        if size == 4 {
            f64::from(f32::from_le_bytes(std::array::from_fn(byte)))
        } else {
            f64::from_le_bytes(std::array::from_fn(byte))
        }
    };
    let values: Vec<f64> = data.chunks_exact(size).map(value).collect();
    if !fortran {
        return Ok((rows, columns, values));
    }
    let at = |i: usize| values[i % columns * rows + i / columns];
    Ok((rows, columns, (0..values.len()).map(at).collect()))
}

struct Header {
    big: bool,
    /// Bytes of a value.
    size: usize,
    /// Whether columns are stored one after another.
    fortran: bool,
    rows: usize,
    columns: usize,
}

/// Reads `{'descr': '<f8', 'fortran_order': False, 'shape': (1080, 1080), }`.
fn parse(header: &str) -> Option<Header> {
    let after = |key: &str| header.split_once(&format!("'{key}':")).map(|(_, rest)| rest.trim_start());
    let (big, size) = match after("descr")?.strip_prefix('\'')?.split_once('\'')?.0 {
        "<f4" => (false, 4),
        "<f8" => (false, 8),
        ">f4" => (true, 4),
        ">f8" => (true, 8),
        _ => return None,
    };
    let fortran = after("fortran_order")?.starts_with("True");
    let shape = after("shape")?.strip_prefix('(')?.split_once(')')?.0;
    let sides: Option<Vec<usize>> =
        shape.split(',').map(str::trim).filter(|s| !s.is_empty()).map(|s| s.parse().ok()).collect();
    let [rows, columns] = sides?[..] else { return None };
    Some(Header { big, size, fortran, rows, columns })
}
