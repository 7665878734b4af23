//! Vectors with keys: a table whose rows are looked up by name and not scored against a label.

use std::path::{Path, PathBuf};

use bench_core::Matrix;

use crate::Error;
use crate::columns::find;
use crate::features;
use crate::missing::{self, Draft, keep_rows};
use crate::options::{ColumnRef, Missing, ReadOptions};
use crate::raw::{self, Scatter};
use crate::report::Report;

/// How to read a table of vectors.
#[derive(Clone, Debug, Default)]
pub struct VectorOptions {
    /// Columns to read as text beside the vectors, with what they are for people; all must exist.
    pub keys: Vec<(String, ColumnRef)>,
    /// Columns to read as text where they exist.
    pub optional: Vec<String>,
    /// Column and values: only rows with one of these values.
    pub filters: Vec<(String, Vec<String>)>,
    /// Only columns that match are features.
    pub features: Option<String>,
    /// Columns that match are not features.
    pub exclude_features: Option<String>,
    /// Missing feature values.
    pub missing: Missing,
    /// Leaves them missing (NaN), whatever `missing` says: for tables that are made of these.
    pub keep_missing: bool,
    /// Metadata table of an NPY or NPZ matrix.
    pub metadata: Option<PathBuf>,
    /// Array of an NPZ file that holds the matrix.
    pub array: Option<String>,
}

/// Vectors in the order of the file.
#[derive(Clone, Debug)]
pub struct Vectors {
    /// The columns asked for, one vector of cells each; missing cells are empty.
    pub keys: Vec<Vec<String>>,
    /// Names of the columns that these are.
    pub columns: Vec<String>,
    /// The optional columns, in the order asked for.
    pub optional: Vec<Option<Vec<String>>>,
    /// Names of the features.
    pub features: Vec<String>,
    /// One row per vector.
    pub matrix: Matrix,
    /// Row of the file that each was read from, counted from one, the header not counted.
    pub file_rows: Vec<u64>,
}

/// Reads vectors and the text columns beside them.
///
/// # Errors
/// A column does not exist, there are no features, values are missing, a filter leaves no row.
pub fn read_vectors(path: &Path, options: &VectorOptions) -> Result<Vectors, Error> {
    let file = path.display().to_string();
    let opened = raw::open(path, options.metadata.as_deref(), options.array.as_deref())?;
    let names = opened.names();
    let at = |role: &str, column: &ColumnRef| find(&names, role, column, &file);
    let keys: Vec<usize> = options.keys.iter().map(|(role, column)| at(role, column)).collect::<Result<_, _>>()?;
    let filters: Vec<(usize, &[String])> = options
        .filters
        .iter()
        .map(|(column, values)| Ok((at("filter (`--where`)", &ColumnRef::Named(column.clone()))?, values.as_slice())))
        .collect::<Result<_, Error>>()?;
    let optional: Vec<Option<usize>> =
        options.optional.iter().map(|name| names.iter().position(|known| known == name)).collect();
    let mut wanted = vec![false; names.len()];
    optional.iter().flatten().for_each(|&column| wanted[column] = true);
    keys.iter().chain(filters.iter().map(|(column, _)| column)).for_each(|&column| wanted[column] = true);
    let mut loaded = opened.load(&wanted)?;
    wanted.resize(loaded.columns.len(), false);

    let read = ReadOptions {
        features: options.features.clone(),
        exclude_features: options.exclude_features.clone(),
        ..ReadOptions::default()
    };
    let mut report = Report { file, ..Report::default() };
    let chosen = features::choose(&loaded.columns, &wanted, &read, &report.file, &mut report.errors);
    if let Some(error) = Error::of_all(std::mem::take(&mut report.errors), &report.file) {
        return Err(error);
    }
    let cell = |column: usize, row: u32| loaded.text[column].as_ref().and_then(|text| text.get(row)).unwrap_or("");
    let passes = |row: &u32| filters.iter().all(|(column, values)| values.iter().any(|v| v == cell(*column, *row)));
    let mut rows: Vec<u32> = (0..loaded.rows as u32).filter(passes).collect();
    if rows.is_empty() {
        return Err(Error::EmptySelection { file: report.file, why: "no row has the values asked for".to_owned() });
    }
    let width = chosen.names.len();
    let mut data = vec![0.0; rows.len() * width];
    loaded.scatter(&chosen.pieces, &mut Scatter::new(&mut data, width, &rows))?;
    let mut draft = Draft { data, features: chosen.names, file_rows: rows.clone() };
    let gone = match options.keep_missing {
        true => vec![],
        false => missing::handle(&mut draft, options.missing, &mut report),
    };
    if let Some(error) = Error::of_all(std::mem::take(&mut report.errors), &report.file) {
        return Err(error);
    }
    let width = draft.features.len();
    if !gone.is_empty() {
        let kept: Vec<u32> = (0..rows.len() as u32).filter(|row| gone.binary_search(row).is_err()).collect();
        keep_rows(&mut draft.data, width, &kept);
        rows = kept.iter().map(|&row| rows[row as usize]).collect();
    }
    let cell = |column: usize, row: u32| loaded.text[column].as_ref().and_then(|text| text.get(row)).unwrap_or("");
    let read = |column: usize| -> Vec<String> { rows.iter().map(|&row| cell(column, row).to_owned()).collect() };
    Ok(Vectors {
        keys: keys.iter().map(|&column| read(column)).collect(),
        columns: keys.iter().map(|&column| names[column].clone()).collect(),
        optional: optional.iter().map(|column| column.map(read)).collect(),
        features: draft.features,
        matrix: Matrix::new(rows.len(), width, draft.data),
        file_rows: rows.iter().map(|&row| u64::from(row) + 1).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("a.csv");
        std::fs::write(&path, text).expect("written");
        (folder, path)
    }

    fn compound() -> VectorOptions {
        let column = ColumnRef::guess(&["Metadata_InChIKey", "Metadata_JCP2022"]);
        VectorOptions { keys: vec![("compound".into(), column)], ..VectorOptions::default() }
    }

    #[test]
    fn vectors_come_in_the_order_of_the_file_with_their_keys() {
        let (_folder, path) = table("Metadata_JCP2022,role,emb_0,emb_1\nb,x,1,2\na,y,3,4\nc,x,5,6\n");
        let all = read_vectors(&path, &compound()).expect("read");
        assert_eq!(all.keys, [["b", "a", "c"]]);
        assert_eq!(all.columns, ["Metadata_JCP2022"]);
        assert_eq!(all.matrix.row(1), [3.0, 4.0]);
        let options = VectorOptions { filters: vec![("role".into(), vec!["x".into()])], ..compound() };
        let some = read_vectors(&path, &options).expect("read");
        assert_eq!((some.keys[0].join(" "), some.matrix.row(1)), ("b c".to_owned(), [5.0, 6.0].as_slice()));
        assert_eq!(some.file_rows, [1, 3]);
    }

    #[test]
    fn what_is_missing_is_named() {
        let (_folder, path) = table("Metadata_JCP2022,role,emb_0,emb_1\nb,x,1,2\na,y,,4\n");
        let error = read_vectors(&path, &compound()).expect_err("a missing value");
        assert!(error.to_string().contains("emb_0"), "{error}");
        let dropped = read_vectors(&path, &VectorOptions { missing: Missing::DropRows, ..compound() }).expect("read");
        assert_eq!((dropped.matrix.rows(), dropped.keys[0][0].as_str()), (1, "b"));
        let wrong = VectorOptions { keys: vec![("compound".into(), ColumnRef::Named("JCP".into()))], ..compound() };
        assert!(read_vectors(&path, &wrong).expect_err("no such column").to_string().contains("JCP"));
        let none = VectorOptions { filters: vec![("role".into(), vec!["z".into()])], ..compound() };
        assert!(matches!(read_vectors(&path, &none), Err(Error::EmptySelection { .. })));
    }
}
