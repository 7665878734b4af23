//! What users bring, and what they are told.
#![allow(clippy::unwrap_used, clippy::new_without_default, missing_docs, unreachable_pub)]

mod aligning;
mod anndata;
mod errors;
mod formats;
mod hostile;
mod real;
mod selection;
mod writing;

use std::path::{Path, PathBuf};

use bench_core::Table;
use bench_data::{Error, ReadOptions, read};

/// A folder for the files of one test.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Message without the name of the folder.
    pub fn message(&self, error: &Error) -> String {
        self.clean(&error.to_string())
    }

    pub fn clean(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.path().display()), "")
    }

    /// Reads a CSV text and gives the message of its error.
    pub fn error_of(&self, csv: &str, options: &ReadOptions) -> String {
        self.message(&read(&self.write("t.csv", csv), options).unwrap_err())
    }
}

/// A file written by pandas, pyarrow or NumPy; see tests/goldens/generators/tables.py.
pub fn golden(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/tables")).join(name)
}

/// What must agree between two tables of the same rows, whatever file they come from.
pub fn content(table: &Table) -> impl PartialEq + std::fmt::Debug + use<> {
    let mut treated = table.treated.clone();
    let mut controls = table.controls.clone();
    treated.layout.file_row.clear();
    controls.layout.file_row.clear();
    (treated, table.answers.clone(), controls)
}

/// A small table that is right in every way.
pub const GOOD: &str = "\
source,batch,plate,well,compound,target,emb_0,emb_1
s1,b1,p1,A01,c1,x,0.5,1
s1,b1,p1,A02,c2,y,1.5,2
s2,b1,p1,A01,c1,x,2.5,3
s2,b1,p1,A02,c2,y,3.5,4
";
