//! Tables of embeddings of several parts, put together.
//!
//! # What
//! Rows in the order of the tables. Features must be the same, in the same order; a column of text
//! that a table lacks is empty there. A field of view that is in two tables is an error.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bench_data::{Column, ColumnValues, VectorOptions, column_names, read_columns, read_vectors, write_parquet};

use crate::Error;

/// Columns that name a field of view.
const NAMES: [&str; 5] = ["Metadata_Source", "Metadata_Batch", "Metadata_Plate", "Metadata_Well", "Metadata_Site"];

/// Writes the rows of all tables to `out`; returns how many there are.
///
/// # Errors
/// Tables that cannot be read or do not fit, a row that is there twice, output errors.
pub fn merge(tables: &[PathBuf], out: &Path) -> Result<usize, Error> {
    let refuse = |message: String, hint: &str| Error::Usage { message, hint: Some(hint.to_owned()) };
    let mut features: Vec<String> = vec![];
    let mut values: Vec<Vec<f32>> = vec![];
    let mut text: Vec<(String, Vec<String>)> = vec![];
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut rows = 0;
    for (at, path) in tables.iter().enumerate() {
        let read = read_vectors(path, &VectorOptions { keep_missing: true, ..VectorOptions::default() })?;
        if at == 0 {
            features.clone_from(&read.features);
            values = vec![vec![]; features.len()];
        } else if read.features != features {
            let (a, b) = (tables[0].display(), path.display());
            let differ = features.iter().zip(&read.features).find(|(a, b)| a != b);
            let why = match differ {
                Some((ours, theirs)) => format!("`{a}` has the feature `{ours}` where `{b}` has `{theirs}`"),
                None => format!("`{a}` has {} features and `{b}` {}", features.len(), read.features.len()),
            };
            return Err(refuse(why, "only tables of one model, of several parts of the plates, belong together"));
        }
        let names: Vec<String> = column_names(path)?.into_iter().filter(|name| !read.features.contains(name)).collect();
        let columns = read_columns(path, &names.iter().map(String::as_str).collect::<Vec<_>>())?;
        let count = read.matrix.rows();
        for (name, cells) in names.iter().zip(columns) {
            if !text.iter().any(|(known, _)| known == name) {
                text.push((name.clone(), vec![String::new(); rows]));
            }
            if let Some((_, column)) = text.iter_mut().find(|(known, _)| known == name) {
                column.extend(cells);
            }
        }
        rows += count;
        text.iter_mut().for_each(|(_, column)| column.resize(rows, String::new()));
        for row in 0..count {
            read.matrix.row(row).iter().zip(&mut values).for_each(|(value, column)| column.push(*value));
        }
        let named: Vec<&Vec<String>> =
            text.iter().filter(|(name, _)| NAMES.contains(&name.as_str())).map(|(_, column)| column).collect();
        if named.is_empty() {
            continue;
        }
        for row in rows - count..rows {
            let key = named.iter().map(|column| column[row].as_str()).collect::<Vec<_>>().join("\t");
            if let Some(before) = seen.insert(key.clone(), at) {
                let (a, b) = (tables[before].display(), path.display());
                let place = key.replace('\t', " ");
                return Err(refuse(format!("`{place}` is in `{a}` and in `{b}`"), "a part was given twice"));
            }
        }
    }
    let text = text.into_iter().map(|(name, cells)| Column::new(name, ColumnValues::Text(cells)));
    let values = features.into_iter().zip(values).map(|(name, cells)| Column::new(name, ColumnValues::F32(cells)));
    let columns: Vec<Column> = text.chain(values).collect();
    write_parquet(out, &columns)
        .map_err(|source| Error::WriteTable { path: out.to_owned(), source: Box::new(source) })?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_become_a_whole_and_what_does_not_fit_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let table = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        };
        let a = table("a.csv", "Metadata_Plate,Metadata_Well,emb_0,emb_1\np,A01,1,2\np,A02,3,\n");
        let b = table("b.csv", "Metadata_Plate,Metadata_Well,target_list,emb_0,emb_1\nq,A01,X|Y,5,6\n");
        let out = folder.path().join("all.parquet");
        assert_eq!(merge(&[a.clone(), b.clone()], &out).expect("merged"), 3);
        let columns = read_columns(&out, &["Metadata_Plate", "target_list", "emb_0"]).expect("read");
        assert_eq!(columns[0], ["p", "p", "q"]);
        assert_eq!(columns[1], ["", "", "X|Y"]);
        assert_eq!(columns[2], ["1", "3", "5"]);
        let whole = read_vectors(&out, &VectorOptions { keep_missing: true, ..VectorOptions::default() });
        assert!(whole.expect("read").matrix.row(1)[1].is_nan(), "what is missing stays missing");

        let twice = merge(&[a.clone(), b, a.clone()], &out).expect_err("twice").to_string();
        assert!(twice.contains("`p A01` is in"), "{twice}");
        let c = table("c.csv", "Metadata_Plate,Metadata_Well,emb_0,emb_2\nr,A01,1,2\n");
        let other = merge(&[a, c], &out).expect_err("another model").to_string();
        assert!(other.contains("`emb_1` where") && other.contains("`emb_2`"), "{other}");
    }
}
