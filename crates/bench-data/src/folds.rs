//! Fold tables: which rows are held out together, decided by someone else.
//!
//! # What
//! A table (CSV, TSV or Parquet) with a column `row` — rows of the embedding file counted from
//! zero — and one column per split that holds the id of the fold in which the row is held out.
//! A missing id means that the split does not use the row.

use std::collections::HashMap;
use std::path::Path;

use bench_core::Layout;

use crate::Error;
use crate::raw;

/// A fold table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folds {
    /// File as the user wrote it.
    pub file: String,
    /// Names of the splits.
    pub names: Vec<String>,
    /// Rows of the embedding file, counted from zero.
    pub row: Vec<u64>,
    /// Fold ids, per split and row of this table.
    pub fold: Vec<Vec<Option<String>>>,
}

/// Reads a fold table.
pub fn read_folds(path: &Path) -> Result<Folds, Error> {
    let file = path.display().to_string();
    let bad = |problem: String| Error::BadFolds { file: file.clone(), problem };
    let opened = raw::open(path, None, None)?;
    let names = opened.names();
    let Some(row_column) = names.iter().position(|name| name == "row") else {
        return Err(bad("no column `row`".to_owned()));
    };
    let splits: Vec<usize> = (0..names.len()).filter(|&i| i != row_column && !is_index(&names[i])).collect();
    if splits.is_empty() {
        return Err(bad("no column of fold ids".to_owned()));
    }
    let mut wanted = vec![false; names.len()];
    splits.iter().chain(&[row_column]).for_each(|&column| wanted[column] = true);
    let loaded = opened.load(&wanted)?;
    let text = |column: usize| loaded.text[column].as_ref().ok_or_else(|| bad("no text".to_owned()));

    let rows = text(row_column)?;
    let mut row = Vec::with_capacity(rows.codes.len());
    let mut seen: HashMap<u64, u32> = HashMap::with_capacity(rows.codes.len());
    for at in 0..rows.codes.len() as u32 {
        let cell = rows.get(at).unwrap_or_default();
        // pandas writes whole numbers as `3.0` where a column once had a gap.
        let number = cell.strip_suffix(".0").unwrap_or(cell).parse::<u64>();
        let number = number.map_err(|_| bad(format!("`{cell}` as `row` in row {}, which is no row number", at + 1)))?;
        if let Some(earlier) = seen.insert(number, at) {
            return Err(bad(format!("the row {number} twice, in rows {} and {}", earlier + 1, at + 1)));
        }
        row.push(number);
    }
    let mut fold = Vec::with_capacity(splits.len());
    for &column in &splits {
        let ids = text(column)?;
        let ids: Vec<Option<String>> = (0..row.len() as u32)
            .map(|at| ids.get(at).map(|id| id.strip_suffix(".0").unwrap_or(id).to_owned()))
            .collect();
        if ids.iter().all(Option::is_none) {
            return Err(bad(format!("no fold id in column `{}`", names[column])));
        }
        fold.push(ids);
    }
    let names = splits.into_iter().map(|column| names[column].clone()).collect();
    Ok(Folds { file, names, row, fold })
}

/// Index columns that pandas writes.
pub(crate) fn is_index(name: &str) -> bool {
    name.starts_with("Unnamed: ") || name.starts_with("__index_level_")
}

impl Folds {
    /// Checks that no row lies beyond a file of `rows` rows ([`crate::Report::rows`]).
    pub fn check_rows(&self, rows: u64, embeddings: &str) -> Result<(), Error> {
        match self.row.iter().zip(1u64..).find(|(row, _)| **row >= rows) {
            Some((row, at)) => Err(Error::BadFolds {
                file: self.file.clone(),
                problem: format!(
                    "row {row} in its row {at}, and `{embeddings}` has {rows} rows (0 to {})",
                    rows.saturating_sub(1)
                ),
            }),
            None => Ok(()),
        }
    }

    /// Fold ids of one split per row of a layout; `None` where the row is unused or unlisted.
    pub fn of_layout(&self, split: usize, layout: &Layout) -> Vec<Option<&str>> {
        let at: HashMap<u64, usize> = self.row.iter().copied().zip(0..).collect();
        layout.file_row.iter().map(|row| at.get(row).and_then(|&i| self.fold[split][i].as_deref())).collect()
    }
}
