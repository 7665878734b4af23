//! Comma-separated tables: just enough of RFC 4180 for manifests and metadata.
//!
//! Quoted cells, doubled quotes and line breaks inside quotes are read; every row must have as
//! many cells as the header. The table reader of the embeddings is another crate, on purpose:
//! this one keeps the image crate light.

use std::path::Path;

use crate::{Error, Result};

/// A table in memory, all cells as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Csv {
    /// Names of the columns.
    pub header: Vec<String>,
    /// The rows, with the line each begins on (the header is on line 1).
    pub rows: Vec<(usize, Vec<String>)>,
}

impl Csv {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|source| Error::read(path, source))?;
        let text = String::from_utf8(bytes).map_err(|_| Error::corrupt(path, "the text is not UTF-8"))?;
        Self::parse(&text, path)
    }

    /// Reads text; `path` is for messages.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let mut rows = Vec::new();
        let mut row = Vec::new();
        let mut cell = String::new();
        let (mut line, mut started, mut quoted, mut was_quoted) = (1, 1, false, false);
        let mut characters = text.strip_prefix('\u{feff}').unwrap_or(text).chars().peekable();
        while let Some(c) = characters.next() {
            match c {
                '"' if quoted && characters.peek() == Some(&'"') => {
                    characters.next();
                    cell.push('"');
                }
                '"' if quoted => quoted = false,
                '"' if cell.is_empty() && !was_quoted => (quoted, was_quoted) = (true, true),
                ',' if !quoted => {
                    row.push(std::mem::take(&mut cell));
                    was_quoted = false;
                }
                '\r' if !quoted && characters.peek() == Some(&'\n') => {}
                '\n' if !quoted => {
                    row.push(std::mem::take(&mut cell));
                    rows.push((started, std::mem::take(&mut row)));
                    was_quoted = false;
                    line += 1;
                    started = line;
                }
                _ => {
                    line += usize::from(c == '\n');
                    cell.push(c);
                }
            }
        }
        if quoted {
            return Err(Error::Table { path: path.to_owned(), line: started, reason: "a quote is not closed".into() });
        }
        if !cell.is_empty() || !row.is_empty() {
            row.push(cell);
            rows.push((started, row));
        }
        rows.retain(|(_, cells)| !(cells.len() == 1 && cells[0].is_empty()));
        if rows.is_empty() {
            return Err(Error::Table { path: path.to_owned(), line: 1, reason: "the table has no header".into() });
        }
        let (_, header) = rows.remove(0);
        if let Some((line, cells)) = rows.iter().find(|(_, cells)| cells.len() != header.len()) {
            let reason = format!("{} cells, and the header has {}", cells.len(), header.len());
            return Err(Error::Table { path: path.to_owned(), line: *line, reason });
        }
        Ok(Self { header, rows })
    }

    /// Position of the first column whose name is one of `names`, without regard to case.
    pub fn column(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| self.header.iter().position(|h| h.trim().eq_ignore_ascii_case(name)))
    }
}

/// Appends one row with quotes where they are needed.
pub(crate) fn push_row<S: AsRef<str>>(text: &mut String, cells: &[S]) {
    for (i, cell) in cells.iter().enumerate() {
        let cell = cell.as_ref();
        if i > 0 {
            text.push(',');
        }
        if cell.contains(['"', ',', '\n', '\r']) {
            text.push('"');
            text.push_str(&cell.replace('"', "\"\""));
            text.push('"');
        } else {
            text.push_str(cell);
        }
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_cells_survive_and_ragged_rows_are_named() -> Result<()> {
        let mut text = String::new();
        push_row(&mut text, &["a", "b,c"]);
        push_row(&mut text, &["x\"y", "line\nbreak"]);
        push_row(&mut text, &["", "z"]);
        let table = Csv::parse(&text, Path::new("t.csv"))?;
        assert_eq!(table.header, ["a", "b,c"]);
        assert_eq!(table.rows[0], (2, vec!["x\"y".to_owned(), "line\nbreak".to_owned()]));
        assert_eq!(table.rows[1].0, 4);
        let error = Csv::parse("a,b\n1,2\n3\n", Path::new("t.csv")).unwrap_err().to_string();
        assert_eq!(error, "`t.csv` line 3: 1 cells, and the header has 2");
        assert!(Csv::parse("a\n\"open", Path::new("t.csv")).is_err());
        Ok(())
    }
}
