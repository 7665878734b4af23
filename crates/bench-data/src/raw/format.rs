//! Which format a file has: its first bytes decide, its name only where they cannot.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::Error;

/// Formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Csv { gzip: bool },
    Parquet,
    Npy,
    Npz,
    Hdf5,
    Zarr,
    Gct { gzip: bool },
}

impl Format {
    /// Whether metadata come from a table beside the file.
    pub(crate) fn is_matrix(self) -> bool {
        matches!(self, Self::Npy | Self::Npz)
    }
}

/// The format of a file.
pub(crate) fn detect(path: &Path) -> Result<Format, Error> {
    let file = path.display().to_string();
    let unsupported = |found: &str| Err(Error::UnsupportedFormat { file: file.clone(), found: found.to_owned() });
    if path.is_dir() {
        let zarr = [".zgroup", ".zattrs", "zarr.json"].iter().any(|name| path.join(name).exists());
        return if zarr { Ok(Format::Zarr) } else { unsupported("a folder") };
    }
    let io = |source| Error::Io { file: file.clone(), source };
    let mut head = Vec::new();
    File::open(path).map_err(io)?.take(8).read_to_end(&mut head).map_err(io)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let wrong = |expected| Err(Error::WrongMagic { file: file.clone(), expected });
    match head.as_slice() {
        [] => Err(Error::EmptyFile { file }),
        [b'P', b'A', b'R', b'1', ..] => Ok(Format::Parquet),
        [b'P', b'A', b'R', b'E', ..] => unsupported("an encrypted Parquet file"),
        [0x1f, 0x8b, ..] if starts_gct(&inner(path).map_err(io)?) => Ok(Format::Gct { gzip: true }),
        [0x1f, 0x8b, ..] => Ok(Format::Csv { gzip: true }),
        _ if starts_gct(&head) => Ok(Format::Gct { gzip: false }),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Ok(Format::Npy),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => Ok(Format::Npz),
        [0x89, b'H', b'D', b'F', ..] => Ok(Format::Hdf5),
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => unsupported("an Arrow (Feather) file"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => unsupported("a Zstandard file"),
        [b'B', b'Z', b'h', ..] => unsupported("a bzip2 file"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => unsupported("a UTF-16 text file"),
        _ if name.ends_with(".gz") => wrong("a gzip file"),
        _ if name.ends_with(".parquet") || name.ends_with(".pq") => wrong("a Parquet file"),
        _ if name.ends_with(".npy") => wrong("a NumPy array"),
        _ if name.ends_with(".npz") => wrong("a NumPy archive"),
        _ if name.ends_with(".h5ad") || name.ends_with(".h5") => wrong("an HDF5 file"),
        _ if name.ends_with(".gct") => wrong("a GCT file"),
        _ => Ok(Format::Csv { gzip: false }),
    }
}

/// The first bytes of a gzip file's content; what is damaged is found by whoever reads it.
fn inner(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = [0; 8];
    let read = MultiGzDecoder::new(BufReader::new(File::open(path)?)).read(&mut head).unwrap_or(0);
    Ok(head[..read].to_vec())
}

fn starts_gct(head: &[u8]) -> bool {
    head.starts_with(b"#1.2") || head.starts_with(b"#1.3")
}

/// File name without the endings of formats.
pub(crate) fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut rest = name.as_str();
    for ending in [".gz", ".csv", ".tsv", ".txt", ".parquet", ".pq", ".npy", ".npz", ".h5ad", ".h5", ".zarr", ".gct"] {
        rest = rest.strip_suffix(ending).unwrap_or(rest);
    }
    if rest.is_empty() { name } else { rest.to_owned() }
}
