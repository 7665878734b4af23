//! What can be wrong with a table, and what to do about it.
//!
//! # What
//! One variant per breach. Rows in messages are data rows counted from 1 (the header is not
//! counted); lines are lines of the text file counted from 1 (the header is one of them).
//!
//! # Why
//! A user has the file and not this code: every message names file, row, column and value, and
//! [`Error::hint`] names the next step. The command line adds the exit code through
//! [`Error::kind`].
//!
//! # Why one long file
//! Every variant needs its fields, message, hint and kind; split by theme, a reader who changes the
//! wording of one breach would have to find four places in four files.

use std::fmt;
use std::io;

/// How an error ends a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Something was asked for that cannot be done (exit code 2).
    Usage,
    /// Data are missing or corrupt (exit code 3).
    Data,
    /// The selection leaves nothing (exit code 4).
    Empty,
}

/// A cell of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Data row, counted from 1.
    pub row: u64,
    /// Column name.
    pub column: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {} column `{}`", self.row, self.column)
    }
}

/// How many places or rows a message lists.
pub(crate) const LISTED: usize = 10;

/// One breach. See the module documentation for the counting of rows and lines.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be opened or read.
    #[error("`{file}` cannot be read: {source}")]
    Io {
        /// File as the user wrote it.
        file: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file could not be written.
    #[error("`{file}` cannot be written: {message}")]
    Write {
        /// File as the caller wrote it.
        file: String,
        /// What went wrong.
        message: String,
    },
    /// A format that is known but not read.
    #[error("`{file}` is {found}, which is not read")]
    UnsupportedFormat {
        /// File.
        file: String,
        /// What it seems to be.
        found: String,
    },
    /// No bytes.
    #[error("`{file}` is empty (0 bytes)")]
    EmptyFile {
        /// File.
        file: String,
    },
    /// A header without rows.
    #[error("`{file}` has {} and no rows", many(*columns as u64, "column"))]
    NoRows {
        /// File.
        file: String,
        /// Columns of the header.
        columns: usize,
    },
    /// The name and the content disagree.
    #[error("`{file}` is named like {expected} but does not begin like one")]
    WrongMagic {
        /// File.
        file: String,
        /// Format that the name promises.
        expected: &'static str,
    },
    /// A gzip stream that ends too early or is damaged.
    #[error("`{file}` is a damaged gzip file: {problem}")]
    BadGzip {
        /// File.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Bytes that are not UTF-8.
    #[error("`{file}` line {line} is not UTF-8 text (byte {byte} of the line)")]
    NotUtf8 {
        /// File.
        file: String,
        /// Line, counted from 1.
        line: u64,
        /// Byte within the line, counted from 1.
        byte: usize,
    },
    /// A line with too few or too many fields.
    #[error("`{file}` line {line} has {} where the header has {expected}", many(*found as u64, "field"))]
    RaggedLine {
        /// File.
        file: String,
        /// Line, counted from 1.
        line: u64,
        /// Fields of the header.
        expected: usize,
        /// Fields of the line.
        found: usize,
    },
    /// A quote without its end, or text after it.
    #[error("`{file}` line {line}: {problem}")]
    BadQuote {
        /// File.
        file: String,
        /// Line on which the quote begins.
        line: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A line that is too long to be one.
    #[error("`{file}` line {line} is longer than {limit} bytes")]
    LongLine {
        /// File.
        file: String,
        /// Line, counted from 1.
        line: u64,
        /// Longest line that is read.
        limit: u64,
    },
    /// A table that is separated by something else.
    #[error("`{file}` has one column named `{header}`: it seems to be separated by `{separator}`")]
    Separator {
        /// File.
        file: String,
        /// The header.
        header: String,
        /// What seems to separate it.
        separator: char,
    },
    /// Two columns of one name.
    #[error("`{file}` has the column `{column}` twice")]
    DuplicateColumn {
        /// File.
        file: String,
        /// Name.
        column: String,
    },
    /// A Parquet file that cannot be read.
    #[error("`{file}` is a damaged Parquet file: {problem}")]
    BadParquet {
        /// File.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A NumPy file that cannot be read.
    #[error("`{file}` is not a NumPy array that can be read: {problem}")]
    BadArray {
        /// File, with the array's name in an archive.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An object of an HDF5 file or zarr folder that cannot be read.
    #[error("`{file}`: `{object}` {problem}")]
    BadObject {
        /// File.
        file: String,
        /// Path of the object within the file.
        object: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A GCT file that contradicts itself.
    #[error("`{file}` line {line}: the file {problem}")]
    BadGct {
        /// File.
        file: String,
        /// Line, counted from 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// A table that a format cannot hold.
    #[error("`{file}` cannot hold the column `{column}`: {problem}")]
    Unwritable {
        /// File as the caller wrote it.
        file: String,
        /// Column.
        column: String,
        /// Why.
        problem: &'static str,
    },
    /// A matrix without metadata.
    #[error("`{file}` holds a matrix and no metadata columns")]
    NeedsMetadata {
        /// File.
        file: String,
    },
    /// Metadata given beside a file that carries its own.
    #[error("`{file}` carries its own columns, so the metadata table `{metadata}` has no place")]
    MetadataNotNeeded {
        /// File.
        file: String,
        /// Metadata table.
        metadata: String,
    },
    /// Matrix and metadata disagree.
    #[error("`{file}` has {rows} rows and its metadata `{metadata}` has {metadata_rows}")]
    RowsDiffer {
        /// File of the matrix.
        file: String,
        /// Rows of the matrix.
        rows: u64,
        /// Metadata table or array.
        metadata: String,
        /// Its rows.
        metadata_rows: u64,
    },
    /// Several matrices in one archive, or none.
    #[error("`{file}` holds {}{}", many(arrays.len() as u64, "two-dimensional array"), named(arrays))]
    WhichArray {
        /// File.
        file: String,
        /// Their names.
        arrays: Vec<String>,
    },
    /// An array that is not in the archive.
    #[error("`{file}` holds no two-dimensional array `{array}`")]
    UnknownArray {
        /// File.
        file: String,
        /// The name asked for.
        array: String,
        /// Two-dimensional arrays of the archive.
        arrays: Vec<String>,
    },
    /// A column that was named and does not exist.
    #[error("`{file}` has no column `{column}`, named as {role}")]
    UnknownColumn {
        /// File.
        file: String,
        /// What the column was to be, e.g. `the label`.
        role: String,
        /// The name given.
        column: String,
        /// The closest name of the file.
        suggestion: Option<String>,
        /// Columns that could be metadata.
        available: Box<[String]>,
    },
    /// A column that is required and was not found.
    #[error("`{file}` has no column for the {role} (tried {})", backticked(tried))]
    MissingColumn {
        /// File.
        file: String,
        /// What the column was to be, e.g. `source`; also the name of its flag.
        role: String,
        /// Names tried.
        tried: Vec<String>,
        /// Columns that could be metadata.
        available: Vec<String>,
    },
    /// A metadata column of a type that is not text, number or truth value.
    #[error("`{file}` column `{column}` has the type {dtype}, which is not read")]
    UnsupportedType {
        /// File.
        file: String,
        /// Column.
        column: String,
        /// Its type.
        dtype: String,
    },
    /// A regular expression that does not parse.
    #[error("`{regex}` is not a regular expression that can be used for {flag}: {problem}")]
    BadRegex {
        /// Flag.
        flag: &'static str,
        /// The expression.
        regex: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No column is a feature.
    #[error("`{file}` has no feature columns{why}")]
    NoFeatures {
        /// File.
        file: String,
        /// Why, beginning with a colon, or nothing.
        why: String,
    },
    /// More than one way to find the features.
    #[error("`{file}` has features in more than one form: {}", forms.join("; "))]
    AmbiguousFeatures {
        /// File.
        file: String,
        /// The forms.
        forms: Vec<String>,
    },
    /// Lists of different lengths in one column.
    #[error(
        "`{file}` column `{column}` has mixed dimensions: {expected} values in row {first_row}, {found} in row {row}"
    )]
    MixedDimensions {
        /// File.
        file: String,
        /// Column.
        column: String,
        /// Length of the first list.
        expected: usize,
        /// Its data row.
        first_row: u64,
        /// Length that differs; 0 for a missing or empty list.
        found: usize,
        /// Its data row.
        row: u64,
    },
    /// Text where a number should be.
    #[error(
        "`{file}` column `{column}` looks like a feature and holds text: `{text}` in row {row}{}",
        and_more(*count)
    )]
    TextInFeature {
        /// File.
        file: String,
        /// Column.
        column: String,
        /// First data row with text.
        row: u64,
        /// The text.
        text: String,
        /// Cells with text.
        count: u64,
    },
    /// Numbers that are stored as text.
    #[error("`{file}` column `{column}` looks like a feature and stores its numbers as text")]
    NumbersAsText {
        /// File.
        file: String,
        /// Column.
        column: String,
    },
    /// Missing values in features.
    #[error(
        "`{file}` has {} without a finite number ({infinite} of them infinite) in {} and {}: {}",
        many(*cells, "feature value"),
        many(*rows, "row"),
        many(*columns, "column"),
        listed(places, *cells)
    )]
    MissingValues {
        /// File.
        file: String,
        /// Cells without a finite value.
        cells: u64,
        /// Of these, infinite ones.
        infinite: u64,
        /// Rows that have one.
        rows: u64,
        /// Columns that have one.
        columns: u64,
        /// The first ten, by row and column of the file.
        places: Vec<Place>,
    },
    /// A feature whose median was asked for and which has no value.
    #[error("`{file}` column `{column}` has no value to take a median of")]
    NoMedian {
        /// File.
        file: String,
        /// Column.
        column: String,
    },
    /// Values beyond the range of `f32`.
    #[error("`{file}` has {} too large for 32-bit floats (beyond 3.4e38): {}", many(*cells, "value"), listed(places, *cells))]
    TooLarge {
        /// File.
        file: String,
        /// Their number.
        cells: u64,
        /// The first ten, by row and column of the file.
        places: Vec<Place>,
    },
    /// Labelled rows that do not say where they come from.
    #[error("`{file}` has {} without {unit} (column `{column}`): {}", many(*count, "labelled row"), rows_listed(rows, *count))]
    MissingUnit {
        /// File.
        file: String,
        /// Unit, e.g. `plate`.
        unit: String,
        /// Its column.
        column: String,
        /// Number of rows.
        count: u64,
        /// The first ten data rows.
        rows: Vec<u64>,
    },
    /// The same well (and field of view) twice.
    #[error("`{file}` has {what} `{key}` in rows {first} and {second}{}", and_more(*count))]
    DuplicateWell {
        /// File.
        file: String,
        /// `the well`, or `the field of view`.
        what: &'static str,
        /// Its id.
        key: String,
        /// Data row of the first occurrence.
        first: u64,
        /// Data row of the repetition.
        second: u64,
        /// Rows that repeat an earlier one.
        count: u64,
        /// Whether the table has a site column.
        has_site: bool,
    },
    /// A label that was asked for and does not occur.
    #[error("`{file}` has no row labelled `{label}` in column `{column}`")]
    UnknownLabel {
        /// File.
        file: String,
        /// Label column.
        column: String,
        /// The label.
        label: String,
        /// The closest label of the file.
        suggestion: Option<String>,
    },
    /// Labels with too few rows.
    #[error("`{file}` has labels with fewer than {minimum} rows: {}", counted(labels))]
    RareLabels {
        /// File.
        file: String,
        /// Rows that a label needs.
        minimum: usize,
        /// Label and number of rows.
        labels: Vec<(String, usize)>,
    },
    /// Rows with more than one label, where the policy forbids them.
    #[error("`{file}` has {} with several labels in column `{column}`, e.g. `{example}` in row {row}", many(*count, "row"))]
    SeveralLabels {
        /// File.
        file: String,
        /// Label column.
        column: String,
        /// Their number.
        count: u64,
        /// First data row.
        row: u64,
        /// Its text.
        example: String,
    },
    /// One label is no task.
    #[error("`{file}` has one label only, `{label}` in {}", many(*rows as u64, "row"))]
    OneLabel {
        /// File.
        file: String,
        /// The label.
        label: String,
        /// Rows.
        rows: usize,
    },
    /// Nothing left.
    #[error("nothing of `{file}` is selected: {why}")]
    EmptySelection {
        /// File.
        file: String,
        /// What removed the last row.
        why: String,
    },
    /// A unit that the table does not have, in a selection.
    #[error("`{file}` has no unit `{unit}`, asked for by {by}")]
    UnknownUnit {
        /// File.
        file: String,
        /// The unit.
        unit: String,
        /// What asks for it.
        by: &'static str,
        /// Units of the table.
        available: Vec<String>,
    },
    /// A fold table without what it needs.
    #[error("fold table `{file}` has {problem}")]
    BadFolds {
        /// File.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// A table of pairs without what it needs.
    #[error("the table of pairs `{file}` has {problem}")]
    BadPairs {
        /// File.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// A simulation that cannot be made.
    #[error("the simulation cannot be made: {problem}")]
    BadSimulation {
        /// What is wrong with its specification.
        problem: String,
    },
    /// Two models that do not have the same rows.
    #[error("`{missing_in}` has no row {key}, which `{present_in}` has{}", and_more(*count))]
    NotAligned {
        /// Table that lacks the row.
        missing_in: String,
        /// Table that has it.
        present_in: String,
        /// The first missing key, in words.
        key: String,
        /// Rows that one of the two lacks.
        count: u64,
    },
    /// More than one breach.
    #[error("{first} (and {more} more {})", if *more == 1 { "breach" } else { "breaches" })]
    Several {
        /// The first one.
        first: Box<Error>,
        /// How many more.
        more: usize,
        /// File.
        file: String,
    },
}

impl Error {
    /// How this error ends a command.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::UnsupportedFormat { .. }
            | Self::NeedsMetadata { .. }
            | Self::MetadataNotNeeded { .. }
            | Self::WhichArray { .. }
            | Self::UnknownArray { .. }
            | Self::UnknownColumn { .. }
            | Self::MissingColumn { .. }
            | Self::BadRegex { .. }
            | Self::NoFeatures { .. }
            | Self::AmbiguousFeatures { .. }
            | Self::UnknownLabel { .. }
            | Self::BadSimulation { .. }
            | Self::Unwritable { .. }
            | Self::UnknownUnit { .. } => ErrorKind::Usage,
            Self::EmptySelection { .. } => ErrorKind::Empty,
            Self::Several { first, .. } => first.kind(),
            _ => ErrorKind::Data,
        }
    }

    /// What the user can do next, in one line.
    pub fn hint(&self) -> Option<String> {
        let text = |s: &str| Some(s.to_owned());
        match self {
            Self::Io { .. } => text("check the path and the permissions"),
            Self::Write { .. } => text("check the folder, its permissions and the free space"),
            Self::UnsupportedFormat { .. } => text(
                "save it as Parquet, CSV or TSV (gzip too), AnnData (h5ad, zarr), GCT, or as NPY or NPZ with `--metadata FILE`",
            ),
            Self::BadObject { .. } => text("open it with anndata 0.8 or newer and write it again"),
            Self::BadGct { .. } => text("write the file again, or save it as CSV"),
            Self::Unwritable { .. } => text("rename the column, or choose another format"),
            Self::EmptyFile { .. } | Self::NoRows { .. } => text("was the file written to the end?"),
            Self::WrongMagic { .. } => text("rename it to what it is, or write it again"),
            Self::BadGzip { .. } | Self::BadParquet { .. } | Self::BadArray { .. } => {
                text("write or download the file again")
            }
            Self::NotUtf8 { .. } => text("save the table as UTF-8"),
            Self::RaggedLine { .. } | Self::BadQuote { .. } => {
                text("quote fields that hold the separator, a quote or a line break")
            }
            Self::LongLine { .. } => text("is this a table with one row per line?"),
            Self::Separator { .. } => text("separate the fields by commas (`.csv`) or tabs (`.tsv`)"),
            Self::DuplicateColumn { .. } => text("rename one of the two columns"),
            Self::NeedsMetadata { .. } => text("add `--metadata FILE` (CSV, TSV or Parquet), one row per row of the matrix"),
            Self::MetadataNotNeeded { .. } => text("leave `--metadata` out, or join the two tables"),
            Self::RowsDiffer { .. } => text("the n-th row of the metadata must describe the n-th row of the matrix"),
            Self::WhichArray { arrays, .. } if arrays.is_empty() => text("save the embedding as one two-dimensional array"),
            Self::WhichArray { arrays, .. } => Some(format!("choose one, e.g. `--array {}`", arrays[0])),
            Self::UnknownArray { arrays, .. } => Some(format!("it holds {}", backticked(arrays))),
            Self::UnknownColumn { suggestion, available, .. } => Some(match suggestion {
                Some(name) => format!("did you mean `{name}`? metadata columns: {}", backticked(available)),
                None => format!("metadata columns: {}", backticked(available)),
            }),
            Self::MissingColumn { role, available, .. } => {
                Some(format!("name it with `--{role} COL`; metadata columns: {}", backticked(available)))
            }
            Self::UnsupportedType { .. } => text("write the column as text or numbers"),
            Self::BadRegex { .. } => text("the syntax is that of https://docs.rs/regex"),
            Self::NoFeatures { .. } => text("name the features with `--features REGEX`; features are numbers"),
            Self::AmbiguousFeatures { .. } => text("choose with `--features REGEX`"),
            Self::MixedDimensions { .. } => text("every row needs an embedding of the same length"),
            Self::TextInFeature { column, .. } | Self::NumbersAsText { column, .. } => Some(format!(
                "write numbers, or leave the column out with `--exclude-features '^{}$'`",
                regex::escape(column)
            )),
            Self::MissingValues { .. } => text("choose `--missing drop-features`, `--missing drop-rows` or `--missing median`"),
            Self::NoMedian { .. } => text("use `--missing drop-features`"),
            Self::TooLarge { .. } => text("rescale the features, or leave them out with `--exclude-features REGEX`"),
            Self::MissingUnit { .. } => text("fill them in, or leave the rows out with `--where COL=A,B`"),
            Self::DuplicateWell { has_site: true, .. } => text("remove one of them, or allow it with `--duplicates keep`"),
            Self::DuplicateWell { has_site: false, .. } => text(
                "name the column of the field of view with `--site COL`, or allow it with `--duplicates keep`",
            ),
            Self::UnknownLabel { suggestion, .. } => suggestion.as_ref().map(|name| format!("did you mean `{name}`?")),
            Self::RareLabels { .. } => text("leave them out with `--rare-labels drop`, or lower `--min-label-rows N`"),
            Self::SeveralLabels { .. } => text("choose `--multi-label whole`, `first` or `drop`"),
            Self::OneLabel { .. } => text("a task needs two labels: check `--label`, `--where`, `--labels` and `--top-labels`"),
            Self::EmptySelection { .. } => text("check `--where`, `--label`, `--labels` and `--top-labels`"),
            Self::UnknownUnit { available, .. } => Some(format!("units of the table: {}", backticked(available))),
            Self::BadFolds { .. } => text(
                "a fold table has a column `row` (rows of the file counted from zero) and one column of fold ids per split",
            ),
            Self::BadPairs { .. } => text("a table of pairs has two columns of names, one pair per row"),
            Self::BadSimulation { .. } => None,
            Self::NotAligned { .. } => text(
                "give every model the same rows, or compare what they share with `--rows common`",
            ),
            Self::Several { file, .. } => Some(format!("see them all with `bench validate {file}`")),
        }
        .map(|hint| match self {
            Self::Several { first, .. } => first.hint().map_or(hint.clone(), |first| format!("{first}; {hint}")),
            _ => hint,
        })
    }

    /// One error for all breaches found in a file; `None` for none.
    pub(crate) fn of_all(mut breaches: Vec<Error>, file: &str) -> Option<Error> {
        let more = breaches.len().checked_sub(1)?;
        let first = breaches.swap_remove(0);
        Some(match more {
            0 => first,
            _ => Self::Several { first: Box::new(first), more, file: file.to_owned() },
        })
    }
}

/// Names in backticks, at most twenty.
pub(crate) fn backticked(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let mut text = names.iter().take(20).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > 20 {
        text.push_str(&format!(" and {} more", names.len() - 20));
    }
    text
}

/// `1 row`, `2 rows`.
pub(crate) fn many(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn named(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(": {}", backticked(names)) }
}

fn and_more(count: u64) -> String {
    if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() }
}

fn listed(places: &[Place], count: u64) -> String {
    let text = places.iter().map(Place::to_string).collect::<Vec<_>>().join(", ");
    if count > places.len() as u64 { format!("{text}, ...") } else { text }
}

fn rows_listed(rows: &[u64], count: u64) -> String {
    let text = rows.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let text = format!("{} {text}", if rows.len() == 1 { "row" } else { "rows" });
    if count > rows.len() as u64 { format!("{text}, ...") } else { text }
}

fn counted(labels: &[(String, usize)]) -> String {
    let text = labels.iter().take(20).map(|(name, n)| format!("`{name}` ({n})")).collect::<Vec<_>>().join(", ");
    if labels.len() > 20 { format!("{text} and {} more", labels.len() - 20) } else { text }
}
