//! Columns of a table as text, for small tables that are looked at rather than scored.

use std::path::Path;

use crate::{Error, raw};

/// Names of the columns of a table, in their order.
///
/// # Errors
/// The file cannot be read.
pub fn column_names(path: &Path) -> Result<Vec<String>, Error> {
    Ok(raw::open(path, None, None)?.names().clone())
}

/// Reads columns by name, as text; numbers are written so that they read back as the same
/// number, missing cells are empty. One vector per name, in the order of `names`.
///
/// # Errors
/// The file cannot be read, or a column does not exist.
pub fn read_columns(path: &Path, names: &[&str]) -> Result<Vec<Vec<String>>, Error> {
    let opened = raw::open(path, None, None)?;
    let known = opened.names();
    let at: Vec<usize> = names
        .iter()
        .map(|name| {
            known.iter().position(|known| known == name).ok_or_else(|| Error::UnknownColumn {
                file: path.display().to_string(),
                role: "a column to read".to_owned(),
                column: (*name).to_owned(),
                suggestion: bench_core::suggest::closest(name, known.iter().map(String::as_str)).map(str::to_owned),
                available: known.clone().into(),
            })
        })
        .collect::<Result<_, _>>()?;
    let mut wanted = vec![false; known.len()];
    at.iter().for_each(|&column| wanted[column] = true);
    let loaded = opened.load(&wanted)?;
    Ok(at
        .iter()
        .map(|&column| match &loaded.text[column] {
            Some(text) => {
                (0..text.codes.len() as u32).map(|row| text.get(row).unwrap_or_default().to_owned()).collect()
            }
            None => Vec::new(),
        })
        .collect())
}
