//! GCT 1.2 and 1.3: features down, profiles across, as cmapPy and pycytominer write them.
//!
//! # What
//! Line 1 is the version, line 2 counts features and profiles (1.3: and their metadata), line 3 names the profiles, and
//! in 1.3 one line per metadata field follows before the features. pycytominer takes `Metadata_` off the names of the
//! fields; here they get it back. `-666`, `na` and the like are no value in metadata, and a missing value in features.
//!
//! # What it cannot do
//! Give back names that pycytominer damages: it strips any of the letters of `Metadata_` from the left, so that
//! `Metadata_target` arrives as `rget`. Metadata of features are left out.
//!
//! # Reference
//! Connectopedia, "GCT format".

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::{Column, Kind, Loaded, Piece, Scatter, Values, duplicate, is_missing, narrow};
use crate::Error;
use crate::coded::{Coded, Coder};

/// Most profiles or features that a header may announce.
const MOST: usize = 1 << 28;

/// A file whose metadata are read.
pub(crate) struct GctFile {
    lines: Lines,
    profiles: usize,
    features: usize,
    /// Fields of a feature's line before its values.
    lead: usize,
    /// Metadata of the profiles, their id first.
    metadata: Vec<(String, Coded)>,
}

impl GctFile {
    pub(super) fn open(path: &Path, gzip: bool) -> Result<Self, Error> {
        let file = path.display().to_string();
        let reader = File::open(path).map_err(|source| Error::Io { file: file.clone(), source })?;
        let reader = BufReader::with_capacity(1 << 20, reader);
        let reader: Box<dyn BufRead + Send> = match gzip {
            true => Box::new(BufReader::with_capacity(1 << 20, MultiGzDecoder::new(reader))),
            false => Box::new(reader),
        };
        let mut lines = Lines { file, gzip, reader, line: 0 };
        let version = lines.fields()?.ok_or_else(|| lines.bad("is empty"))?;
        let has_metadata = match version.first().map(|v| v.trim()) {
            Some("#1.3") => true,
            Some("#1.2") => false,
            other => return Err(lines.bad(format!("has the version `{}`", other.unwrap_or_default()))),
        };
        let counts = lines.fields()?.ok_or_else(|| lines.bad("has no second line"))?;
        let counts: Vec<usize> =
            counts.iter().filter(|c| !c.trim().is_empty()).map_while(|c| c.trim().parse().ok()).collect();
        let (features, profiles, row_fields, fields) = match (has_metadata, counts.as_slice()) {
            (true, &[features, profiles, row_fields, fields]) => (features, profiles, row_fields, fields),
            // A name and a description before the values.
            (false, &[features, profiles]) => (features, profiles, 1, 0),
            _ => return Err(lines.bad("does not count features and profiles")),
        };
        if [features, profiles, row_fields, fields].iter().any(|count| *count > MOST) || profiles == 0 {
            return Err(lines.bad("counts an impossible number of features or profiles"));
        }
        let lead = 1 + row_fields;
        let ids = lines.line_of(lead + profiles)?;
        let mut metadata = vec![("Metadata_id".to_owned(), coded(&ids[lead..]))];
        for _ in 0..fields {
            let field = lines.line_of(lead + profiles)?;
            let name = field[0].trim();
            let name = if name.starts_with("Metadata_") { name.to_owned() } else { format!("Metadata_{name}") };
            metadata.push((name, coded(&field[lead..])));
        }
        let names: Vec<String> = metadata.iter().map(|(name, _)| name.clone()).collect();
        if let Some(column) = duplicate(&names) {
            return Err(Error::DuplicateColumn { file: lines.file, column: column.clone() });
        }
        Ok(Self { lines, profiles, features, lead, metadata })
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.metadata.iter().map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn format(&self) -> &'static str {
        if self.lines.gzip { "GCT (gzip)" } else { "GCT" }
    }

    pub(super) fn load(mut self, wanted: &[bool]) -> Result<Loaded, Error> {
        let mut columns = Vec::new();
        let mut text = Vec::new();
        for ((name, coded), wanted) in self.metadata.into_iter().zip(wanted) {
            let mut column = Column::new(&name, Kind::Text);
            column.only_metadata = true;
            columns.push(column);
            text.push(wanted.then_some(coded));
        }
        let first = columns.len();
        let mut values = Vec::new();
        for _ in 0..self.features {
            let fields = self.lines.line_of(self.lead + self.profiles)?;
            let mut column = Column::feature(fields[0].trim());
            let mut feature = vec![f32::NAN; self.profiles];
            for (row, (value, cell)) in feature.iter_mut().zip(&fields[self.lead..]).enumerate() {
                let cell = cell.trim();
                match cell.parse::<f64>() {
                    Ok(number) => {
                        column.numbers += u64::from(!number.is_nan());
                        *value = narrow(number);
                    }
                    Err(_) if is_absent(cell) => {}
                    Err(_) => {
                        column.texts += 1;
                        column.first_text.get_or_insert((row as u64, cell.to_owned()));
                    }
                }
            }
            column.kind = match (column.numbers, column.texts) {
                (0, 0) => Kind::Empty,
                (_, 0) => Kind::Number,
                _ => Kind::Text,
            };
            columns.push(column);
            values.push(feature);
        }
        if let Some(line) = self.lines.fields()?
            && line.iter().any(|field| !field.trim().is_empty())
        {
            return Err(self.lines.bad(format!("goes on after its {} features", self.features)));
        }
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        if let Some(column) = duplicate(&names) {
            return Err(Error::DuplicateColumn { file: self.lines.file, column: column.clone() });
        }
        text.resize(columns.len(), None);
        let values = Values::Gct(GctValues { first, values });
        Ok(Loaded { rows: self.profiles as u64, columns, text, values })
    }
}

/// The features of a file, one vector each.
pub(super) struct GctValues {
    first: usize,
    values: Vec<Vec<f32>>,
}

impl GctValues {
    pub(super) fn scatter(&mut self, pieces: &[Piece], scatter: &mut Scatter<'_>) {
        let chosen: Vec<Vec<f32>> = pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Column(column) => Some(std::mem::take(&mut self.values[column - self.first])),
                Piece::List { .. } => None,
            })
            .collect();
        if let Some(rows) = chosen.first().map(Vec::len) {
            scatter.columns(0, rows, &chosen, 0);
        }
    }
}

fn is_absent(cell: &str) -> bool {
    is_missing(cell) || matches!(cell, "-666" | "na")
}

fn coded(cells: &[String]) -> Coded {
    let mut coder = Coder::default();
    for cell in cells {
        let cell = cell.trim();
        coder.push((!is_absent(cell)).then_some(cell));
    }
    coder.finish()
}

/// Lines of a file, counted, as fields between tabs.
struct Lines {
    file: String,
    gzip: bool,
    reader: Box<dyn BufRead + Send>,
    line: u64,
}

impl Lines {
    /// The fields of the next line; `None` at the end.
    fn fields(&mut self) -> Result<Option<Vec<String>>, Error> {
        let mut line = Vec::new();
        let read = self.reader.read_until(b'\n', &mut line);
        self.line += 1;
        match read {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(e) if self.gzip => return Err(Error::BadGzip { file: self.file.clone(), problem: e.to_string() }),
            Err(source) => return Err(Error::Io { file: self.file.clone(), source }),
        }
        let text = std::str::from_utf8(&line).map_err(|e| Error::NotUtf8 {
            file: self.file.clone(),
            line: self.line,
            byte: e.valid_up_to() + 1,
        })?;
        let text = text.trim_end_matches(['\n', '\r']);
        Ok(Some(text.split('\t').map(unquoted).collect()))
    }

    /// The fields of a line that must be there and have this many.
    fn line_of(&mut self, expected: usize) -> Result<Vec<String>, Error> {
        let fields = self.fields()?.ok_or_else(|| self.bad("ends before its last feature"))?;
        if fields.len() != expected {
            let (file, line, found) = (self.file.clone(), self.line, fields.len());
            return Err(Error::RaggedLine { file, line, expected, found });
        }
        Ok(fields)
    }

    fn bad(&self, problem: impl Into<String>) -> Error {
        Error::BadGct { file: self.file.clone(), line: self.line, problem: problem.into() }
    }
}

/// A field as the CSV writer of Python meant it.
fn unquoted(field: &str) -> String {
    match field.strip_prefix('"').and_then(|field| field.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => field.to_owned(),
    }
}
