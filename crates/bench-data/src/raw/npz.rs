//! NPZ: a zip archive of NPY arrays.

use std::fs::File;
use std::io::{BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use zip::ZipArchive;

use super::array::{ArrayFile, ArrayValues, Header, Metadata, Store};
use crate::Error;

/// What NumPy appends to the name of an array in its archive.
const EXTENSION: &str = ".npy";

/// Opens the matrix of an archive. `array` chooses among several; one-dimensional arrays of
/// the matrix' length are its metadata unless a table is given.
pub(super) fn open(path: &Path, metadata: Option<&Path>, array: Option<&str>) -> Result<ArrayFile, Error> {
    let file = path.display().to_string();
    let mut names = archive_names(path)?;
    names.sort_unstable();
    if names.is_empty() {
        return Err(Error::UnsupportedFormat { file, found: "a zip archive without NumPy arrays".to_owned() });
    }
    let mut matrices = Vec::new();
    let mut vectors = Vec::new();
    // What is wrong with arrays that cannot be read counts only if they are needed.
    let mut unreadable = Vec::new();
    for name in names {
        let full = format!("{file}:{name}");
        let header = with_array(path, &name, |reader, size| {
            let header = Header::read(reader, &full)?;
            header.check_size(size, &full)?;
            Ok(header)
        });
        match header {
            Ok(header) if header.shape.len() == 2 && header.dtype.is_number() => matrices.push((name, header)),
            Ok(header) if header.shape.len() == 1 => vectors.push((name, header)),
            Ok(_) => {}
            Err(error) => unreadable.push((name, error)),
        }
    }
    let arrays: Vec<String> = matrices.iter().map(|(name, _)| name.clone()).collect();
    let wanted = match (array, arrays.as_slice()) {
        (Some(array), _) => match unreadable.iter().position(|(name, _)| name == array) {
            Some(at) => return Err(unreadable.swap_remove(at).1),
            None => array.to_owned(),
        },
        (None, [only]) => only.clone(),
        (None, []) if !unreadable.is_empty() => return Err(unreadable.swap_remove(0).1),
        (None, _) => return Err(Error::WhichArray { file, arrays }),
    };
    let Some(at) = arrays.iter().position(|name| *name == wanted) else {
        return Err(Error::UnknownArray { file, array: wanted, arrays });
    };
    let (array, header) = matrices.swap_remove(at);
    let metadata = match metadata {
        Some(table) => Metadata::open(table)?,
        None => {
            let rows = header.shape[0];
            let mut columns = Vec::new();
            for (name, header) in vectors.into_iter().filter(|(_, h)| h.shape[0] == rows) {
                let full = format!("{file}:{name}");
                let column = with_array(path, &name, |reader, _| {
                    Header::read(reader, &full)?;
                    header.read_text(reader, &full)
                })?;
                columns.push((name, column));
            }
            if columns.is_empty() {
                if let Some((_, error)) = unreadable.into_iter().next() {
                    return Err(error);
                }
                return Err(Error::NeedsMetadata { file });
            }
            Metadata::Arrays(columns)
        }
    };
    let matrix =
        ArrayValues { name: format!("{file}:{array}"), store: Store::Npz { path: path.to_owned(), array }, header };
    Ok(ArrayFile { matrix, metadata })
}

/// Names of the arrays of an archive.
fn archive_names(path: &Path) -> Result<Vec<String>, Error> {
    guarded(path, || {
        let archive = archive(path)?;
        let mut names = Vec::new();
        for name in archive.file_names() {
            let name = name.map_err(|e| bad(path, &e))?;
            names.extend(name.strip_suffix(EXTENSION).map(str::to_owned));
        }
        Ok(names)
    })
}

/// Hands the bytes of one array, and how many there should be, to `read`.
pub(super) fn with_array<T>(
    path: &Path,
    array: &str,
    read: impl FnOnce(&mut dyn Read, u64) -> Result<T, Error>,
) -> Result<T, Error> {
    guarded(path, || {
        let mut archive = archive(path)?;
        let mut entry = archive
            .by_name(&format!("{array}{EXTENSION}"))
            .map_err(|e| Error::BadArray { file: format!("{}:{array}", path.display()), problem: e.to_string() })?;
        let size = entry.size();
        read(&mut entry, size)
    })
}

fn archive(path: &Path) -> Result<ZipArchive<BufReader<File>>, Error> {
    let reader = File::open(path).map_err(|source| Error::Io { file: path.display().to_string(), source })?;
    ZipArchive::new(BufReader::new(reader)).map_err(|e| bad(path, &e))
}

fn bad(path: &Path, problem: &impl ToString) -> Error {
    Error::BadArray { file: path.display().to_string(), problem: problem.to_string() }
}

/// The zip crate is not written against hostile archives: a panic of its becomes an error here.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Error::BadArray { file: path.display().to_string(), problem: "its archive is damaged".to_owned() })
    })
}
