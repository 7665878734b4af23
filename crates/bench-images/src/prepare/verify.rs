//! Prepared images against the table of what was written.
//!
//! # What
//! Each row of `prepared.csv` is read again: PNG files are compared by length and SHA-256 and
//! decoded, fields of packed plates are decoded and compared by the SHA-256 of their pixels.
//! Images that the table does not name are listed too.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{BufRead, BufReader};
use std::path::Path;

use bench_core::digest;
use rayon::prelude::*;
use serde::Serialize;

use super::packed::bytes_of;
use super::record;
use super::tables::PREPARED;
use crate::csv::Csv;
use crate::store::file::read_plane;
use crate::store::packed::{self, ENDING};
use crate::store::{ImageStore, Problem, StoreOptions, has_extension};
use crate::{Channels, Error, Result};

/// Rows that are in memory together.
const AT_ONCE: usize = 4096;

/// What [`verify()`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Rows of the table.
    pub images: usize,
    /// Images that are `missing`, `changed`, `extra`, or do not decode.
    pub problems: Vec<Problem>,
}

/// Reads everything in a prepared folder again and compares it with its table.
///
/// # Errors
/// The table is missing or damaged. What is wrong with images is in the list.
pub fn verify(folder: &Path) -> Result<Verified> {
    let path = folder.join(PREPARED);
    let failed = |source| Error::read(&path, source);
    let mut lines = BufReader::new(File::open(&path).map_err(failed)?).lines();
    let header = lines.next().transpose().map_err(failed)?.unwrap_or_default();
    let mut found = Verified::default();
    let mut named: HashSet<u64> = HashSet::new();
    let mut done = false;
    while !done {
        // Names in a table of ours hold no line break, so a row is a line.
        let mut text = header.clone() + "\n";
        for _ in 0..AT_ONCE {
            match lines.next().transpose().map_err(failed)? {
                Some(line) => text.push_str(&(line + "\n")),
                None => {
                    done = true;
                    break;
                }
            }
        }
        let table = Csv::parse(&text, &path)?;
        let column = |name: &str| {
            let missing =
                || Error::Table { path: path.clone(), line: 1, reason: format!("there is no column `{name}`") };
            table.column(&[name]).ok_or_else(missing)
        };
        let columns = [column("field")?, column("file")?, column("bytes")?, column("sha256")?];
        let rows: Vec<Row> = table.rows.iter().map(|(_, cells)| columns.map(|c| cells[c].as_str())).collect();
        found.images += rows.len();
        named.extend(rows.iter().map(|[_, file, ..]| hash(file)));
        let groups: Vec<&[Row]> = rows.chunk_by(|a, b| a[1] == b[1]).collect();
        let checked: Vec<Vec<Problem>> = groups.par_iter().map(|rows| check(folder, rows)).collect();
        found.problems.extend(checked.into_iter().flatten());
    }
    extra(folder, folder, &named, &mut found.problems)?;
    Ok(found)
}

/// Field, file, bytes, SHA-256.
type Row<'a> = [&'a str; 4];

fn hash(file: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    file.hash(&mut hasher);
    hasher.finish()
}

fn problem(name: &str, reason: &str, message: String) -> Problem {
    Problem { name: name.to_owned(), reason: reason.to_owned(), message }
}

/// Rows of one file.
fn check(folder: &Path, rows: &[Row<'_>]) -> Vec<Problem> {
    let file = rows[0][1];
    let path = folder.join(file);
    if !path.is_file() {
        return vec![problem(file, "missing", format!("`{}` is missing", path.display()))];
    }
    if has_extension(&path, &[ENDING]) {
        return check_packed(&path, rows);
    }
    let changed = |what: String| vec![problem(file, "changed", format!("`{}` has changed: {what}", path.display()))];
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(source) => return vec![Problem::new(file, &Error::read(&path, source))],
    };
    if bytes.len().to_string() != rows[0][2] {
        return changed(format!("{} bytes, and {} were written", bytes.len(), rows[0][2]));
    }
    if digest::of_bytes(&bytes) != rows[0][3] {
        return changed("its SHA-256 is another".to_owned());
    }
    read_plane(&path).err().map(|error| Problem::new(file, &error)).into_iter().collect()
}

fn check_packed(path: &Path, rows: &[Row<'_>]) -> Vec<Problem> {
    let open = || {
        let header = packed::read_header(path)?;
        let named: Vec<(String, Vec<String>)> = header.channels.into_iter().map(|name| (name, Vec::new())).collect();
        ImageStore::open_with(path, &StoreOptions { channels: Channels::new(&named)?, ..StoreOptions::default() })
    };
    let store = match open() {
        Ok(store) => store,
        Err(error) => return vec![Problem::new(path.display().to_string(), &error)],
    };
    let check = |row: &Row<'_>| -> Option<Problem> {
        let [field, _, _, sha256] = *row;
        let Some(index) = store.ids().iter().position(|id| id.to_string() == field) else {
            return Some(problem(field, "missing", format!("field `{field}` is not in `{}`", path.display())));
        };
        match store.load(index) {
            Ok(image) if digest::of_bytes(&bytes_of(&image.pixels)) == sha256 => None,
            Ok(_) => Some(problem(field, "changed", format!("the pixels of field `{field}` have changed"))),
            Err(error) => Some(Problem::new(field, &error)),
        }
    };
    let mut out: Vec<Problem> = rows.par_iter().filter_map(check).collect();
    let named: HashSet<&str> = rows.iter().map(|row| row[0]).collect();
    for id in store.ids() {
        let name = id.to_string();
        if !named.contains(&*name) {
            let message = format!("field `{name}` is in `{}` and not in the table", path.display());
            out.push(problem(&name, "extra", message));
        }
    }
    out
}

/// Images that no row names.
fn extra(root: &Path, folder: &Path, named: &HashSet<u64>, problems: &mut Vec<Problem>) -> Result<()> {
    let failed = |source| Error::read(folder, source);
    let mut entries = fs::read_dir(folder).map_err(failed)?.collect::<std::io::Result<Vec<_>>>().map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for path in entries.into_iter().map(|entry| entry.path()) {
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != record::FOLDER) {
                extra(root, &path, named, problems)?;
            }
        } else if has_extension(&path, &["png", ENDING]) {
            let parts = path.strip_prefix(root).unwrap_or(&path).components();
            let file = parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
            if !named.contains(&hash(&file)) {
                let message = format!("`{}` is not in the table", path.display());
                problems.push(problem(&file, "extra", message));
            }
        }
    }
    Ok(())
}
