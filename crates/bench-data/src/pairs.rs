//! Pairs of names that a user says are related.
//!
//! # What
//! A table (CSV, TSV or Parquet) of two columns, one pair per row: compounds or genes as the compound column of the
//! embeddings has them. More columns are allowed if two are named `a` and `b`, or `entity1` and `entity2` as in
//! EFAAR_benchmarking.

use std::path::Path;

use crate::raw;
use crate::{Error, folds};

/// Names of the two columns, where a table has more.
const NAMED: [[&str; 2]; 2] = [["a", "b"], ["entity1", "entity2"]];

/// Reads a table of pairs.
///
/// # Errors
/// A file that cannot be read, other than two columns, an empty cell, no row.
pub fn read_pairs(path: &Path) -> Result<Vec<(String, String)>, Error> {
    let file = path.display().to_string();
    let bad = |problem: String| Error::BadPairs { file: file.clone(), problem };
    let opened = raw::open(path, None, None)?;
    let names = opened.names();
    let place = |wanted: &str| names.iter().position(|name| name == wanted);
    let named = NAMED.iter().find_map(|[a, b]| Some([place(a)?, place(b)?]));
    let own: Vec<usize> = (0..names.len()).filter(|&at| !folds::is_index(&names[at])).collect();
    let columns = match (named, own.as_slice()) {
        (Some(columns), _) => columns,
        (None, &[a, b]) => [a, b],
        (None, _) => {
            let all: Vec<String> = own.iter().map(|&at| format!("`{}`", names[at])).collect();
            return Err(bad(format!("{} columns ({}), and none are named `a` and `b`", own.len(), all.join(", "))));
        }
    };
    let mut wanted = vec![false; names.len()];
    columns.iter().for_each(|&column| wanted[column] = true);
    let loaded = opened.load(&wanted)?;
    let [first, second] = columns.map(|column| loaded.text[column].as_ref());
    let (Some(first), Some(second)) = (first, second) else { return Err(bad("no text".to_owned())) };
    let mut pairs = Vec::with_capacity(first.codes.len());
    for at in 0..first.codes.len() as u32 {
        let cell = |column: usize, text: Option<&str>| match text.map(str::trim) {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(bad(format!("no name in row {}, column `{}`", at + 1, names[column]))),
        };
        pairs.push((cell(columns[0], first.get(at))?, cell(columns[1], second.get(at))?));
    }
    if pairs.is_empty() {
        return Err(bad("no rows".to_owned()));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Vec<(String, String)>, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        read_pairs(&path)
    }

    #[test]
    fn two_columns_of_any_name_or_two_named_ones_are_pairs() {
        let expected = vec![("x".to_owned(), "y".to_owned()), ("y".to_owned(), "z 2".to_owned())];
        assert_eq!(read("p.csv", "one,two\nx,y\ny,z 2\n").unwrap(), expected);
        assert_eq!(read("p.tsv", "source\tb\ta\nS\ty\tx\nS\tz 2\ty\n").unwrap(), expected);
        assert_eq!(read("p.csv", "entity1,entity2,database\nx,y,D\ny,z 2,D\n").unwrap(), expected);
    }

    #[test]
    fn breaches_name_file_row_and_column() {
        let message = |text: &str| read("pairs.csv", text).unwrap_err().to_string();
        assert!(message("one,two\nx,y\ny,\n").contains("no name in row 2, column `two`"));
        assert!(message("one,two,three\nx,y,z\n").contains("3 columns (`one`, `two`, `three`)"));
        assert!(message("one,two\n").contains("pairs.csv"));
        assert!(read_pairs(Path::new("/nowhere/pairs.csv")).is_err());
    }
}
