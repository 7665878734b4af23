//! CSV and TSV, with and without gzip.
//!
//! # What
//! RFC 4180: fields are separated by commas (or tabs), may be quoted, and quoted fields may hold
//! separators, doubled quotes and line breaks. Blank lines are skipped, a byte order mark is
//! ignored, an unnamed first column is called `Unnamed: 0` as pandas does.
//!
//! # Why an own parser
//! polars fills short lines with nulls without a word and names no line where it fails. Here
//! every line must have as many fields as the header, and every message names the line. Lines
//! are cut one after another and their numbers parsed in parallel, block by block, so that the
//! text of the file is never in memory as a whole.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use rayon::prelude::*;

use super::{Column, Kind, Loaded, Piece, Scatter, Values, duplicate, is_missing, narrow};
use crate::Error;
use crate::coded::Coder;

/// Rows whose numbers are parsed together.
const BLOCK_ROWS: usize = 2048;
/// Text after which a block is parsed even if it has fewer rows.
const BLOCK_BYTES: usize = 32 << 20;
/// Rows that one task parses.
const TASK_ROWS: usize = 128;
/// Longest record.
const LONGEST_RECORD: u64 = 1 << 28;

/// A text table whose header is read.
pub(crate) struct CsvFile {
    lines: Lines,
    separator: u8,
    names: Vec<String>,
    gzip: bool,
}

impl CsvFile {
    pub(super) fn open(path: &Path, gzip: bool) -> Result<Self, Error> {
        let file = path.display().to_string();
        let reader = File::open(path).map_err(|source| Error::Io { file: file.clone(), source })?;
        let reader = BufReader::with_capacity(1 << 20, reader);
        let reader: Box<dyn BufRead + Send> = if gzip {
            Box::new(BufReader::with_capacity(1 << 20, MultiGzDecoder::new(reader)))
        } else {
            Box::new(reader)
        };
        let mut lines = Lines { file: file.clone(), gzip, reader, line: 0 };
        let mut record = Record::default();
        let mut header = Vec::new();
        if !lines.next_line(&mut header)? {
            return Err(Error::EmptyFile { file });
        }
        if header.starts_with(b"\xef\xbb\xbf") {
            header.drain(..3);
        }
        let inner = match header.as_slice() {
            [b'P', b'A', b'R', b'1', ..] => Some("a gzip file of a Parquet file"),
            [0x93, b'N', b'U', b'M', ..] => Some("a gzip file of a NumPy array"),
            [0x89, b'H', b'D', b'F', ..] => Some("a gzip file of an HDF5 file"),
            _ => None,
        };
        if let Some(found) = inner {
            return Err(Error::UnsupportedFormat { file, found: found.to_owned() });
        }
        let separator = separator(path, &header);
        lines.fields(header, separator, &mut record)?;
        let mut names: Vec<String> = (0..record.len()).map(|i| record.field(i).trim().to_owned()).collect();
        if let [only] = names.as_slice()
            && let Some(separator) = [';', '|'].into_iter().find(|s| only.contains(*s))
        {
            return Err(Error::Separator { file, header: only.clone(), separator });
        }
        for (i, name) in names.iter_mut().enumerate() {
            if name.is_empty() {
                *name = format!("Unnamed: {i}");
            }
        }
        if let Some(column) = duplicate(&names) {
            return Err(Error::DuplicateColumn { file, column: column.clone() });
        }
        Ok(Self { lines, separator, names, gzip })
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn format(&self) -> &'static str {
        match (self.separator, self.gzip) {
            (b'\t', false) => "TSV",
            (b'\t', true) => "TSV (gzip)",
            (_, false) => "CSV",
            (_, true) => "CSV (gzip)",
        }
    }

    pub(super) fn load(mut self, wanted: &[bool]) -> Result<Loaded, Error> {
        let file = self.lines.file.clone();
        let mut coders: Vec<Option<Coder>> = wanted.iter().map(|w| w.then(Coder::default)).collect();
        let numeric: Vec<usize> = (0..wanted.len()).filter(|&i| !wanted[i]).collect();
        let mut stats = vec![Stats::default(); numeric.len()];
        let mut blocks = Vec::new();
        let mut rows = 0u64;
        loop {
            let mut block = Record::default();
            let mut block_rows = 0;
            let mut ended = false;
            while block_rows < BLOCK_ROWS && block.text.len() < BLOCK_BYTES {
                let mut line = Vec::new();
                if !self.lines.next_record(&mut line)? {
                    ended = true;
                    break;
                }
                let before = block.len();
                self.lines.fields(line, self.separator, &mut block)?;
                let found = block.len() - before;
                if found != self.names.len() {
                    let line = self.lines.line;
                    return Err(Error::RaggedLine { file, line, expected: self.names.len(), found });
                }
                block_rows += 1;
            }
            for row in 0..block_rows {
                for (column, coder) in coders.iter_mut().enumerate() {
                    if let Some(coder) = coder {
                        let cell = block.field(row * self.names.len() + column).trim();
                        coder.push((!is_missing(cell)).then_some(cell));
                    }
                }
            }
            let (values, seen) = parse(&block, block_rows, self.names.len(), &numeric, rows);
            stats.iter_mut().zip(seen).for_each(|(total, part)| total.add(part));
            rows += block_rows as u64;
            if block_rows > 0 {
                blocks.push(values);
            }
            if ended {
                break;
            }
        }
        if rows == 0 {
            return Err(Error::NoRows { file, columns: self.names.len() });
        }
        let mut stats = stats.into_iter();
        let columns = self
            .names
            .iter()
            .zip(wanted)
            .map(|(name, wanted)| match stats.next_if(!wanted) {
                Some(stats) => stats.column(name),
                None => Column::new(name, Kind::Text),
            })
            .collect();
        let text = coders.into_iter().map(|coder| coder.map(Coder::finish)).collect();
        let mut position = vec![usize::MAX; wanted.len()];
        numeric.iter().enumerate().for_each(|(i, &column)| position[column] = i);
        let values = Values::Csv(CsvValues { blocks, stride: numeric.len(), position });
        Ok(Loaded { rows, columns, text, values })
    }
}

trait NextIf: Iterator + Sized {
    /// The next item if `take`, else none and the iterator stays.
    fn next_if(&mut self, take: bool) -> Option<Self::Item> {
        if take { self.next() } else { None }
    }
}

impl<I: Iterator> NextIf for I {}

/// The parsed numbers of a file, block by block.
pub(super) struct CsvValues {
    blocks: Vec<Vec<f32>>,
    stride: usize,
    position: Vec<usize>,
}

impl CsvValues {
    pub(super) fn scatter(&mut self, pieces: &[Piece], scatter: &mut Scatter<'_>) {
        let columns: Vec<(usize, usize)> = pieces
            .iter()
            .enumerate()
            .filter_map(|(target, piece)| match piece {
                Piece::Column(column) => Some((self.position[*column], target)),
                Piece::List { .. } => None,
            })
            .collect();
        let mut first = 0;
        for block in std::mem::take(&mut self.blocks) {
            scatter.rows(first, &block, self.stride, &columns);
            first += (block.len() / self.stride) as u64;
        }
    }
}

/// What one column was seen to hold.
#[derive(Clone, Debug, Default)]
struct Stats {
    numbers: u64,
    truths: u64,
    texts: u64,
    first_text: Option<(u64, String)>,
    first_truth: Option<(u64, String)>,
}

impl Stats {
    fn add(&mut self, later: Stats) {
        self.numbers += later.numbers;
        self.truths += later.truths;
        self.texts += later.texts;
        self.first_text = self.first_text.take().or(later.first_text);
        self.first_truth = self.first_truth.take().or(later.first_truth);
    }

    fn column(self, name: &str) -> Column {
        let kind = match (self.numbers, self.truths, self.texts) {
            (0, 0, 0) => Kind::Empty,
            (0, _, 0) => Kind::Boolean,
            (_, 0, 0) => Kind::Number,
            _ => Kind::Text,
        };
        // A truth value among numbers is text like any other.
        let first_text = [self.first_text, self.first_truth].into_iter().flatten().min();
        Column { numbers: self.numbers, texts: self.texts + self.truths, first_text, ..Column::new(name, kind) }
    }
}

/// Parses the numeric columns of a block whose first row is row `first` of the file.
fn parse(block: &Record, rows: usize, fields: usize, numeric: &[usize], first: u64) -> (Vec<f32>, Vec<Stats>) {
    let stride = numeric.len();
    let mut values = vec![f32::NAN; rows * stride];
    if stride == 0 {
        return (values, Vec::new());
    }
    let parts: Vec<Vec<Stats>> = values
        .par_chunks_mut(TASK_ROWS * stride)
        .enumerate()
        .map(|(task, values)| {
            let mut stats = vec![Stats::default(); stride];
            for (i, values) in values.chunks_exact_mut(stride).enumerate() {
                let row = task * TASK_ROWS + i;
                for ((value, stats), &column) in values.iter_mut().zip(&mut stats).zip(numeric) {
                    let cell = block.field(row * fields + column).trim();
                    match cell.parse::<f64>() {
                        // `nan` parses, and is missing.
                        Ok(number) if number.is_nan() => {}
                        Ok(number) => {
                            stats.numbers += 1;
                            *value = narrow(number);
                        }
                        Err(_) if is_missing(cell) => {}
                        Err(_) => {
                            let place = || Some((first + row as u64, cell.to_owned()));
                            if matches!(cell, "True" | "False" | "true" | "false" | "TRUE" | "FALSE") {
                                stats.truths += 1;
                                stats.first_truth = stats.first_truth.take().or_else(place);
                            } else {
                                stats.texts += 1;
                                stats.first_text = stats.first_text.take().or_else(place);
                            }
                        }
                    }
                }
            }
            stats
        })
        .collect();
    let mut total = vec![Stats::default(); stride];
    for part in parts {
        total.iter_mut().zip(part).for_each(|(total, part)| total.add(part));
    }
    (values, total)
}

/// Tabs if the name or the header says so, else commas.
fn separator(path: &Path, header: &[u8]) -> u8 {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let tabs = header.contains(&b'\t') && (name.ends_with(".tsv") || !header.contains(&b','));
    if tabs { b'\t' } else { b',' }
}

/// Fields of one or more records, unquoted.
#[derive(Default)]
struct Record {
    text: String,
    ends: Vec<usize>,
}

impl Record {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn field(&self, i: usize) -> &str {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.text[start..self.ends[i]]
    }
}

/// Lines of a file, counted.
struct Lines {
    file: String,
    gzip: bool,
    reader: Box<dyn BufRead + Send>,
    line: u64,
}

impl Lines {
    /// Appends the next line without its end; false at the end of the file.
    fn next_line(&mut self, line: &mut Vec<u8>) -> Result<bool, Error> {
        let before = line.len();
        let read = self.reader.as_mut().take(LONGEST_RECORD).read_until(b'\n', line).map_err(|e| self.failed(e))?;
        self.line += u64::from(read > 0);
        if read as u64 == LONGEST_RECORD || line.len() as u64 > LONGEST_RECORD {
            return Err(Error::LongLine { file: self.file.clone(), line: self.line, limit: LONGEST_RECORD });
        }
        for end in [b'\n', b'\r'] {
            if line.len() > before && line.last() == Some(&end) {
                line.pop();
            }
        }
        Ok(read > 0)
    }

    /// The next line that is not blank.
    fn next_record(&mut self, line: &mut Vec<u8>) -> Result<bool, Error> {
        while self.next_line(line)? {
            if !line.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Appends the fields of a record that begins with `line`; reads on where a quoted field
    /// holds line breaks.
    fn fields(&mut self, line: Vec<u8>, separator: u8, record: &mut Record) -> Result<(), Error> {
        let mut text = self.utf8(line)?;
        let separator = char::from(separator);
        if !text.as_bytes().contains(&b'"') {
            for field in text.split(separator) {
                record.text.push_str(field);
                record.ends.push(record.text.len());
            }
            return Ok(());
        }
        let begun = self.line;
        let begun_at = record.text.len();
        let mut at = 0;
        loop {
            if !text[at..].starts_with('"') {
                let end = text[at..].find(separator).map(|length| at + length);
                record.text.push_str(&text[at..end.unwrap_or(text.len())]);
                record.ends.push(record.text.len());
                match end {
                    Some(end) => at = end + 1,
                    None => return Ok(()),
                }
                continue;
            }
            at += 1;
            // Up to the closing quote; doubled quotes stand for one.
            loop {
                if let Some(length) = text[at..].find('"') {
                    record.text.push_str(&text[at..at + length]);
                    at += length + 1;
                    if !text[at..].starts_with('"') {
                        break;
                    }
                    record.text.push('"');
                    at += 1;
                    continue;
                }
                record.text.push_str(&text[at..]);
                record.text.push('\n');
                let mut more = Vec::new();
                let long = (record.text.len() - begun_at) as u64 > LONGEST_RECORD;
                if long || !self.next_line(&mut more)? {
                    return Err(self.bad_quote(begun, "a quote is opened and never closed"));
                }
                text = self.utf8(more)?;
                at = 0;
            }
            record.ends.push(record.text.len());
            if at == text.len() {
                return Ok(());
            }
            if !text[at..].starts_with(separator) {
                return Err(self.bad_quote(self.line, "text follows a closing quote"));
            }
            at += 1;
        }
    }

    fn bad_quote(&self, line: u64, problem: &'static str) -> Error {
        Error::BadQuote { file: self.file.clone(), line, problem }
    }

    fn utf8(&self, line: Vec<u8>) -> Result<String, Error> {
        String::from_utf8(line).map_err(|e| Error::NotUtf8 {
            file: self.file.clone(),
            line: self.line,
            byte: e.utf8_error().valid_up_to() + 1,
        })
    }

    fn failed(&self, error: io::Error) -> Error {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        let file = self.file.clone();
        match error.kind() {
            UnexpectedEof if self.gzip => {
                Error::BadGzip { file, problem: format!("it ends after line {}, in the middle of its data", self.line) }
            }
            InvalidData | InvalidInput if self.gzip => {
                Error::BadGzip { file, problem: format!("{error} (after line {})", self.line) }
            }
            _ => Error::Io { file, source: error },
        }
    }
}
