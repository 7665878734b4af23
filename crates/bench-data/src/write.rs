//! Result tables as Parquet, written whole or not at all.
//!
//! # What
//! Plain columns in, one Parquet file out: Zstandard, dictionary-coded text, row groups of a
//! fixed size. The bytes depend on the values only. [`write_splits`] streams: 60 million rows
//! never exist at once.

use std::borrow::Cow;
use std::io::{BufWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use bench_core::{Factor, Layout, Table, atomic};
use polars::prelude::{
    Column as Series, DataFrame, NamedFrom, ParquetCompression, ParquetWriter, PolarsError, PolarsResult,
    Series as PolarsSeries, StatisticsOptions,
};

use crate::Error;

/// Rows of one row group.
const GROUP_ROWS: usize = 1 << 18;

/// A named column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Name.
    pub name: String,
    /// Values.
    pub values: ColumnValues,
}

/// Values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnValues {
    /// Text.
    Text(Vec<String>),
    /// Text as codes into levels.
    Codes {
        /// Distinct texts.
        levels: Vec<String>,
        /// One code per row, below `levels.len()`.
        codes: Vec<u32>,
    },
    /// Text as codes into levels, or nothing.
    OptionalCodes {
        /// Distinct texts.
        levels: Vec<String>,
        /// One code per row, below `levels.len()`.
        codes: Vec<Option<u32>>,
    },
    /// Truth values.
    Bool(Vec<bool>),
    /// Whole numbers with a sign.
    I64(Vec<i64>),
    /// Whole numbers.
    U64(Vec<u64>),
    /// Whole numbers.
    U32(Vec<u32>),
    /// Double precision; NaN stays NaN.
    F64(Vec<f64>),
    /// Single precision.
    F32(Vec<f32>),
    /// Double precision, where a value may be absent.
    OptionalF64(Vec<Option<f64>>),
    /// Text, where it may be absent.
    OptionalText(Vec<Option<String>>),
}

impl Column {
    /// A column of any values.
    pub fn new(name: impl Into<String>, values: ColumnValues) -> Self {
        Self { name: name.into(), values }
    }

    /// A column of a factor's names.
    pub fn factor(name: impl Into<String>, factor: &Factor) -> Self {
        let Factor { levels, codes } = factor.clone();
        Self::new(name, ColumnValues::Codes { levels, codes })
    }
}

impl ColumnValues {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(v) => v.len(),
            Self::Codes { codes, .. } => codes.len(),
            Self::OptionalCodes { codes, .. } => codes.len(),
            Self::Bool(v) => v.len(),
            Self::I64(v) => v.len(),
            Self::U64(v) => v.len(),
            Self::U32(v) => v.len(),
            Self::F64(v) => v.len(),
            Self::F32(v) => v.len(),
            Self::OptionalF64(v) => v.len(),
            Self::OptionalText(v) => v.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn series(&self, name: &str, rows: std::ops::Range<usize>) -> Series {
        let name = name.into();
        let series = match self {
            Self::Text(v) => PolarsSeries::new(name, v[rows].iter().map(String::as_str).collect::<Vec<_>>()),
            Self::Codes { levels, codes } => {
                let texts: Vec<&str> = codes[rows].iter().map(|&code| levels[code as usize].as_str()).collect();
                PolarsSeries::new(name, texts)
            }
            Self::OptionalCodes { levels, codes } => {
                let text = |code: &Option<u32>| code.map(|code| levels[code as usize].as_str());
                PolarsSeries::new(name, codes[rows].iter().map(text).collect::<Vec<_>>())
            }
            Self::Bool(v) => PolarsSeries::new(name, &v[rows]),
            Self::I64(v) => PolarsSeries::new(name, &v[rows]),
            Self::U64(v) => PolarsSeries::new(name, &v[rows]),
            Self::U32(v) => PolarsSeries::new(name, &v[rows]),
            Self::F64(v) => PolarsSeries::new(name, &v[rows]),
            Self::F32(v) => PolarsSeries::new(name, &v[rows]),
            Self::OptionalF64(v) => PolarsSeries::new(name, &v[rows]),
            Self::OptionalText(v) => PolarsSeries::new(name, v[rows].iter().map(Option::as_deref).collect::<Vec<_>>()),
        };
        series.into()
    }
}

/// Writes columns of equal length.
pub fn write_parquet(path: &Path, columns: &[Column]) -> Result<(), Error> {
    let rows = columns.first().map_or(0, |column| column.values.len());
    if let Some(odd) = columns.iter().find(|column| column.values.len() != rows) {
        let message = format!("column `{}` has {} rows where the first has {rows}", odd.name, odd.values.len());
        return Err(Error::Write { file: path.display().to_string(), message });
    }
    let chunk = |rows: std::ops::Range<usize>| {
        let series = columns.iter().map(|column| column.values.series(&column.name, rows.clone())).collect();
        DataFrame::new(rows.len(), series)
    };
    // An empty table still has its columns.
    let starts = (0..rows.max(1)).step_by(GROUP_ROWS);
    write_frames(path, starts.map(|start| chunk(start..(start + GROUP_ROWS).min(rows))))
}

/// One fold of `splits.parquet`.
#[derive(Clone, Debug)]
pub struct SplitPart<'a> {
    /// Protocol.
    pub protocol: &'a str,
    /// Split id.
    pub split: &'a str,
    /// Repeat, counted from zero.
    pub repeat: u32,
    /// Fold within the repeat, counted from zero.
    pub fold: u32,
    /// Rows of the embedding file, counted from zero.
    pub rows: Cow<'a, [u64]>,
    /// Role of each row, a position in `roles` of [`write_splits`].
    pub roles: Cow<'a, [u8]>,
}

/// Writes `protocol, split, repeat, fold, row, role` from parts that come one at a time.
pub fn write_splits<'a>(
    path: &Path,
    roles: &[&str],
    parts: impl IntoIterator<Item = SplitPart<'a>>,
) -> Result<(), Error> {
    let frame = |part: &SplitPart<'_>, at: std::ops::Range<usize>| {
        let n = at.len();
        let role: Vec<&str> = part.roles[at.clone()].iter().map(|&role| roles[role as usize]).collect();
        DataFrame::new(
            n,
            vec![
                PolarsSeries::new("protocol".into(), vec![part.protocol; n]).into(),
                PolarsSeries::new("split".into(), vec![part.split; n]).into(),
                PolarsSeries::new("repeat".into(), vec![part.repeat; n]).into(),
                PolarsSeries::new("fold".into(), vec![part.fold; n]).into(),
                PolarsSeries::new("row".into(), &part.rows[at]).into(),
                PolarsSeries::new("role".into(), role).into(),
            ],
        )
    };
    let empty =
        SplitPart { protocol: "", split: "", repeat: 0, fold: 0, rows: Cow::Borrowed(&[]), roles: Cow::Borrowed(&[]) };
    let mut parts = parts.into_iter();
    // Small folds share a row group: a group per fold would waste most of its bytes on its footer.
    let mut gathered = Some(frame(&empty, 0..0));
    let mut pending: Option<(SplitPart<'a>, usize)> = None;
    let frames = std::iter::from_fn(|| {
        let mut group = match gathered.take()? {
            Ok(group) => group,
            Err(error) => return Some(Err(error)),
        };
        while group.height() < GROUP_ROWS {
            let Some((part, start)) = pending.take().or_else(|| parts.next().map(|part| (part, 0))) else {
                return Some(Ok(group));
            };
            let end = part.rows.len().min(start + GROUP_ROWS - group.height());
            if let Err(error) = frame(&part, start..end).and_then(|more| group.vstack_mut(&more).map(|_| ())) {
                return Some(Err(error));
            }
            if end < part.rows.len() {
                pending = Some((part, end));
            }
        }
        gathered = Some(frame(&empty, 0..0));
        Some(Ok(group))
    });
    write_frames(path, frames)
}

/// Writes a table, treated rows then controls, under names that [`crate::read`] finds by
/// itself. Prefixes of batch and plate ids are taken off again.
pub fn write_embeddings(path: &Path, table: &Table) -> Result<(), Error> {
    let both = [&table.treated.layout, &table.controls.layout];
    let mut columns = Vec::new();
    for (unit, name, outer) in [
        ("source", "Metadata_Source", None),
        ("batch", "Metadata_Batch", Some("source")),
        ("plate", "Metadata_Plate", Some("batch")),
        ("position", "Metadata_Well", None),
        ("site", "Metadata_Site", None),
        ("compound", "Metadata_Compound", None),
    ] {
        if table.treated.layout.unit(unit).is_some() {
            columns.push(Column::new(name, ColumnValues::Text(bare_names(&both, unit, outer))));
        }
    }
    for group in table.treated.layout.groups.keys() {
        columns.push(Column::new(format!("Metadata_{group}"), ColumnValues::Text(bare_names(&both, group, None))));
    }
    let controls = table.controls.layout.rows;
    let label = &table.answers.label;
    let labels = (0..label.len()).map(|row| label.name(row).to_owned());
    let labels = labels.chain(std::iter::repeat_n(String::new(), controls)).collect();
    columns.push(Column::new("Metadata_label", ColumnValues::Text(labels)));
    let mut codes = vec![0; table.treated.layout.rows];
    codes.resize(codes.len() + controls, 1);
    let levels = vec!["trt".to_owned(), crate::options::NEGATIVE_CONTROL.to_owned()];
    columns.push(Column::new("Metadata_control", ColumnValues::Codes { levels, codes }));
    let file_row = both.iter().flat_map(|layout| layout.file_row.iter().copied()).collect();
    columns.push(Column::new("Metadata_file_row", ColumnValues::U64(file_row)));
    for (column, name) in table.features.iter().enumerate() {
        let blocks = [&table.treated.matrix, &table.controls.matrix];
        let values = blocks.iter().flat_map(|m| (0..m.rows()).map(move |row| m.row(row)[column])).collect();
        columns.push(Column::new(name.clone(), ColumnValues::F32(values)));
    }
    write_parquet(path, &columns)
}

/// Names of a unit over several layouts, without the prefix of the unit around it.
fn bare_names(layouts: &[&Layout], unit: &str, outer: Option<&str>) -> Vec<String> {
    let mut names = Vec::new();
    for layout in layouts {
        let Some(factor) = layout.unit(unit) else {
            names.extend(std::iter::repeat_n(String::new(), layout.rows));
            continue;
        };
        // A plate is prefixed by its batch, or by its source where there are no batches.
        let around = outer.and_then(|outer| layout.unit(outer)).or(layout.source.as_ref().filter(|_| outer.is_some()));
        for row in 0..layout.rows {
            let name = factor.name(row);
            let prefix = around.map(|around| format!("{}/", around.name(row)));
            names.push(prefix.and_then(|prefix| name.strip_prefix(&prefix)).unwrap_or(name).to_owned());
        }
    }
    names
}

/// Writes frames of one schema as row groups.
fn write_frames(path: &Path, mut frames: impl Iterator<Item = PolarsResult<DataFrame>>) -> Result<(), Error> {
    let failed = |message: String| Error::Write { file: path.display().to_string(), message };
    let polars = |error: PolarsError| std::io::Error::other(error.to_string());
    atomic::write_with(path, |file| {
        let work = || -> std::io::Result<()> {
            let mut buffered = BufWriter::with_capacity(1 << 20, &mut *file);
            let Some(first) = frames.next() else { return Ok(()) };
            let first = first.map_err(polars)?;
            let writer = ParquetWriter::new(&mut buffered)
                .with_compression(ParquetCompression::Zstd(None))
                .with_statistics(StatisticsOptions::empty());
            let mut writer = writer.batched(first.schema()).map_err(polars)?;
            for frame in std::iter::once(Ok(first)).chain(&mut frames) {
                let mut frame = frame.map_err(polars)?;
                frame.rechunk_mut_par();
                writer.write_batch(&frame).map_err(polars)?;
            }
            writer.finish().map_err(polars)?;
            drop(writer);
            buffered.flush()
        };
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(std::io::Error::other("the Parquet writer failed")))
    })
    .map_err(|error| failed(error.to_string()))
}
