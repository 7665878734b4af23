//! Parquet, through polars.
//!
//! # What
//! Wide columns and list columns are read in batches of row groups and columns that fit in a
//! fixed budget, and scattered to the final matrix. The Arrow schema that writers store beside
//! Parquet's own is ignored: pandas categories then arrive as text and fixed-size lists as
//! lists, which is all that matters here.
//!
//! # What it cannot do
//! polars may panic on damaged files; panics are caught at this border and become errors (the
//! panic's own message may still appear on stderr). polars has its own thread pool, whose
//! size the environment variable `POLARS_MAX_THREADS` sets before the first read.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use polars::prelude::{
    ArrowDataType, ArrowSchema, DataFrame, DataType, FileMetadata, ParallelStrategy, ParquetReader, PolarsError,
    SerReader, Series,
};
use std::sync::Arc;

use super::dtype::half;
use super::{Column, Kind, Loaded, Piece, Scatter, Values, narrow};
use crate::Error;
use crate::coded::{Coded, Coder};

/// Bytes of decoded columns held at once; a row group of one column may exceed it.
const COLUMN_BUDGET: usize = 64 << 20;
/// The same for list columns, which are divided by rows.
const LIST_BUDGET: usize = 256 << 20;

/// A Parquet file whose footer is read.
pub(crate) struct ParquetFile {
    path: PathBuf,
    file: String,
    footer: Arc<FileMetadata>,
    schema: Arc<ArrowSchema>,
    rows: usize,
}

impl ParquetFile {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = path.display().to_string();
        check_footer(path, &file)?;
        let (footer, schema) = guarded(&file, || {
            let mut reader = ParquetReader::new(File::open(path)?);
            let mut footer = (**reader.get_metadata()?).clone();
            footer.key_value_metadata = None;
            let footer = Arc::new(footer);
            reader.set_metadata(footer.clone());
            Ok((footer, reader.schema()?))
        })?;
        let rows = footer.num_rows;
        let counted: usize = footer.row_groups.iter().map(|group| group.num_rows()).sum();
        if counted != rows || rows >= u32::MAX as usize {
            return Err(Error::BadParquet { file, problem: format!("it claims {rows} rows and has {counted}") });
        }
        if rows == 0 {
            return Err(Error::NoRows { file, columns: schema.len() });
        }
        Ok(Self { path: path.to_owned(), file, footer, schema, rows })
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.schema.iter_names().map(|name| name.to_string()).collect()
    }

    pub(super) fn load(self, wanted: &[bool]) -> Result<Loaded, Error> {
        let halves = self.halves();
        let mut columns: Vec<Column> = self
            .schema
            .iter()
            .map(|(name, field)| Column::new(name.as_str(), kind(field.dtype(), halves.contains(name.as_str()))))
            .collect();
        let mut text = vec![None; columns.len()];
        for (index, column) in columns.iter_mut().enumerate() {
            let metadata = column.name.to_lowercase().starts_with("metadata_");
            match &column.kind {
                Kind::Other(dtype) if wanted[index] => {
                    return Err(Error::UnsupportedType {
                        file: self.file.clone(),
                        column: column.name.clone(),
                        dtype: dtype.clone(),
                    });
                }
                Kind::List { .. } if wanted[index] => {
                    return Err(Error::UnsupportedType {
                        file: self.file.clone(),
                        column: column.name.clone(),
                        dtype: "list".to_owned(),
                    });
                }
                _ if wanted[index] => text[index] = Some(self.text(index)?),
                Kind::List { .. } => column.kind = self.width(index)?,
                Kind::Text if !metadata => self.count(index, column)?,
                _ => {}
            }
        }
        Ok(Loaded { rows: self.rows as u64, columns, text, values: Values::Parquet(self) })
    }

    /// Columns of half floats, or of lists of them. Without the stored Arrow schema polars takes
    /// them for two bytes each.
    fn halves(&self) -> HashSet<&str> {
        let leaves = self.footer.schema_descr.columns().iter();
        leaves
            .filter(|leaf| format!("{:?}", leaf.descriptor.primitive_type.logical_type) == "Some(Float16)")
            .filter_map(|leaf| leaf.path_in_schema.first().map(|name| name.as_str()))
            .collect()
    }

    /// Reads rows `first..first + rows` of some columns.
    fn read(&self, columns: &[usize], first: usize, rows: usize) -> Result<DataFrame, Error> {
        guarded(&self.file, || {
            let mut reader = ParquetReader::new(File::open(&self.path)?);
            reader.set_metadata(self.footer.clone());
            let frame = reader
                .with_projection(Some(columns.to_vec()))
                .with_slice(Some((first, rows)))
                .read_parallel(ParallelStrategy::Columns)
                .finish()?;
            if frame.height() != rows {
                polars::prelude::polars_bail!(ComputeError: "it has {} rows where it claims {rows}", frame.height());
            }
            Ok(frame)
        })
    }

    fn series(&self, frame: &DataFrame, column: usize) -> Result<Series, Error> {
        let name = self.schema.get_at_index(column).map(|(name, _)| name.clone()).unwrap_or_default();
        guarded(&self.file, || Ok(frame.column(&name)?.as_materialized_series().clone()))
    }

    /// Runs of whole row groups with about `rows` rows.
    fn batches(&self, rows: usize) -> Vec<(usize, usize)> {
        let mut batches: Vec<(usize, usize)> = Vec::new();
        for group in &self.footer.row_groups {
            let first = batches.last().map_or(0, |(first, rows)| first + rows);
            match batches.last_mut() {
                Some(last) if last.1 + group.num_rows() <= rows => last.1 += group.num_rows(),
                _ => batches.push((first, group.num_rows())),
            }
        }
        batches.retain(|(_, rows)| *rows > 0);
        batches
    }

    fn text(&self, column: usize) -> Result<Coded, Error> {
        let mut coder = Coder::default();
        for (first, rows) in self.batches(1 << 18) {
            let series = self.series(&self.read(&[column], first, rows)?, column)?;
            guarded(&self.file, || push_text(&series, &mut coder))?;
        }
        Ok(coder.finish())
    }

    /// Counts numbers among the texts of a column.
    fn count(&self, index: usize, column: &mut Column) -> Result<(), Error> {
        for (first, rows) in self.batches(1 << 18) {
            let series = self.series(&self.read(&[index], first, rows)?, index)?;
            guarded(&self.file, || {
                for (row, cell) in series.str()?.iter().enumerate() {
                    let Some(cell) = cell.map(str::trim).filter(|cell| !super::is_missing(cell)) else { continue };
                    if cell.parse::<f64>().is_ok() {
                        column.numbers += 1;
                    } else {
                        column.texts += 1;
                        if column.first_text.is_none() {
                            column.first_text = Some(((first + row) as u64, cell.to_owned()));
                        }
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Length of the first list that is not empty.
    fn width(&self, column: usize) -> Result<Kind, Error> {
        let head = [(0, 1)];
        for (first, rows) in head.into_iter().chain(self.batches(1 << 16)) {
            let series = self.series(&self.read(&[column], first, rows)?, column)?;
            let found = guarded(&self.file, || {
                let lists = series.list()?;
                let mut row = first;
                for array in lists.downcast_iter() {
                    for (i, ends) in array.offsets().as_slice().windows(2).enumerate() {
                        if ends[1] > ends[0] {
                            return Ok(Some(((ends[1] - ends[0]) as usize, row + i)));
                        }
                    }
                    row += array.offsets().as_slice().len() - 1;
                }
                Ok(None)
            })?;
            if let Some((width, first_row)) = found {
                return Ok(Kind::List { width, first_row: first_row as u64 });
            }
        }
        Ok(Kind::Empty)
    }

    pub(super) fn scatter(
        &mut self,
        columns: &[Column],
        pieces: &[Piece],
        scatter: &mut Scatter<'_>,
    ) -> Result<(), Error> {
        let mut starts = Vec::with_capacity(pieces.len());
        let mut width = 0;
        for piece in pieces {
            starts.push(width);
            width += piece.width();
        }
        // Neighbouring wide columns go together; a list goes alone.
        let mut next = 0;
        let per_column = self.footer.max_row_group_height.max(1) * 8;
        let together = (COLUMN_BUDGET / per_column).max(1);
        while next < pieces.len() {
            if let Piece::List { column, width } = pieces[next] {
                self.scatter_list(&columns[column], column, width, starts[next], scatter)?;
                next += 1;
                continue;
            }
            let group: Vec<usize> = pieces[next..]
                .iter()
                .map_while(|piece| match piece {
                    Piece::Column(column) => Some(*column),
                    Piece::List { .. } => None,
                })
                .take(together)
                .collect();
            let rows = COLUMN_BUDGET / (8 * group.len());
            for (first, rows) in self.batches(rows) {
                let frame = self.read(&group, first, rows)?;
                let series = group.iter().map(|&c| self.series(&frame, c)).collect::<Result<Vec<_>, _>>()?;
                drop(frame);
                let values = series
                    .into_iter()
                    .map(|series| guarded(&self.file, || numbers(&series)))
                    .collect::<Result<Vec<_>, _>>()?;
                scatter.columns(first as u64, rows, &values, starts[next]);
            }
            next += group.len();
        }
        Ok(())
    }

    fn scatter_list(
        &self,
        about: &Column,
        column: usize,
        width: usize,
        start: usize,
        scatter: &mut Scatter<'_>,
    ) -> Result<(), Error> {
        let most = (LIST_BUDGET / (8 * width)).max(1);
        let whole = self.batches(most);
        let identity: Vec<(usize, usize)> = (0..width).map(|i| (i, start + i)).collect();
        for (first, rows) in whole {
            let mut at = first;
            while at < first + rows {
                let count = most.min(first + rows - at);
                let series = self.series(&self.read(&[column], at, count)?, column)?;
                let values = guarded(&self.file, || lists(&series, width))?;
                drop(series);
                match values {
                    Ok(values) => scatter.rows(at as u64, &values, width, &identity),
                    Err((row, found)) => {
                        let first_row = match about.kind {
                            Kind::List { first_row, .. } => first_row + 1,
                            _ => 1,
                        };
                        return Err(Error::MixedDimensions {
                            file: self.file.clone(),
                            column: about.name.clone(),
                            expected: width,
                            first_row,
                            found,
                            row: (at + row) as u64 + 1,
                        });
                    }
                }
                at += count;
            }
        }
        Ok(())
    }
}

/// Kind of an Arrow type. A list's width is not known yet.
fn kind(dtype: &ArrowDataType, half: bool) -> Kind {
    use ArrowDataType as A;
    match dtype {
        A::Int8 | A::Int16 | A::Int32 | A::Int64 | A::UInt8 | A::UInt16 | A::UInt32 | A::UInt64 => Kind::Number,
        A::Float16 | A::Float32 | A::Float64 => Kind::Number,
        A::FixedSizeBinary(2) if half => Kind::Number,
        A::Boolean => Kind::Boolean,
        A::Utf8 | A::LargeUtf8 | A::Utf8View => Kind::Text,
        A::Null => Kind::Empty,
        A::List(field) | A::LargeList(field) | A::FixedSizeList(field, _)
            if kind(field.dtype(), half) == Kind::Number =>
        {
            Kind::List { width: 0, first_row: 0 }
        }
        other => {
            let name = format!("{other:?}");
            Kind::Other(name.split(['(', '{', ' ']).next().unwrap_or_default().to_lowercase())
        }
    }
}

macro_rules! each_number {
    ($series:expr, $name:ident => $body:expr, else $other:expr) => {
        match $series.dtype() {
            DataType::Float64 => {
                let $name = $series.f64()?;
                $body
            }
            DataType::Float32 => {
                let $name = $series.f32()?;
                $body
            }
            DataType::Int8 => {
                let $name = $series.i8()?;
                $body
            }
            DataType::Int16 => {
                let $name = $series.i16()?;
                $body
            }
            DataType::Int32 => {
                let $name = $series.i32()?;
                $body
            }
            DataType::Int64 => {
                let $name = $series.i64()?;
                $body
            }
            DataType::UInt8 => {
                let $name = $series.u8()?;
                $body
            }
            DataType::UInt16 => {
                let $name = $series.u16()?;
                $body
            }
            DataType::UInt32 => {
                let $name = $series.u32()?;
                $body
            }
            DataType::UInt64 => {
                let $name = $series.u64()?;
                $body
            }
            _ => $other,
        }
    };
}

/// Values of a column of numbers; missing ones are NaN.
// The macro's `as f64` is idle for one of its ten types.
#[allow(clippy::unnecessary_cast)]
fn numbers(series: &Series) -> Result<Vec<f32>, PolarsError> {
    match series.dtype() {
        DataType::Float32 => return numbers_f32(series),
        DataType::Null => return Ok(vec![f32::NAN; series.len()]),
        DataType::Binary => {
            let value = |bytes: Option<&[u8]>| match bytes {
                Some(&[low, high]) => half(u16::from_le_bytes([low, high])),
                _ => f32::NAN,
            };
            return Ok(series.binary()?.iter().map(value).collect());
        }
        _ => {}
    }
    let mut values = Vec::with_capacity(series.len());
    each_number!(series, column => {
        for array in column.downcast_iter() {
            match array.validity() {
                None => values.extend(array.values().iter().map(|&v| narrow(v as f64))),
                Some(valid) => values.extend(
                    array.values().iter().zip(valid.iter()).map(|(&v, valid)| if valid { narrow(v as f64) } else { f32::NAN }),
                ),
            }
        }
    }, else polars::prelude::polars_bail!(ComputeError: "a column of the type {} holds no numbers", series.dtype()));
    Ok(values)
}

fn numbers_f32(series: &Series) -> Result<Vec<f32>, PolarsError> {
    let mut values = Vec::with_capacity(series.len());
    for array in series.f32()?.downcast_iter() {
        let start = values.len();
        values.extend_from_slice(array.values());
        if let Some(valid) = array.validity() {
            for (value, valid) in values[start..].iter_mut().zip(valid.iter()) {
                if !valid {
                    *value = f32::NAN;
                }
            }
        }
    }
    Ok(values)
}

/// Values of a list column, row after row; a missing list is `width` times NaN. The first row
/// of another length is given back with its length.
#[allow(clippy::type_complexity)]
fn lists(series: &Series, width: usize) -> Result<Result<Vec<f32>, (usize, usize)>, PolarsError> {
    let mut values = Vec::with_capacity(series.len() * width);
    for array in series.list()?.downcast_iter() {
        let inner = numbers(&Series::try_from((series.name().clone(), array.values().clone()))?)?;
        for (i, ends) in array.offsets().as_slice().windows(2).enumerate() {
            let (start, end) = (ends[0] as usize, ends[1] as usize);
            if array.validity().is_some_and(|valid| !valid.get_bit(i)) {
                values.extend(std::iter::repeat_n(f32::NAN, width));
            } else if end - start == width {
                values.extend_from_slice(&inner[start..end]);
            } else {
                return Ok(Err((values.len() / width, end - start)));
            }
        }
    }
    Ok(Ok(values))
}

/// Appends the cells of a column as text. Numbers are written in their shortest form.
fn push_text(series: &Series, coder: &mut Coder) -> Result<(), PolarsError> {
    match series.dtype() {
        DataType::String => series.str()?.iter().for_each(|cell| coder.push(cell)),
        DataType::Boolean => {
            series.bool()?.iter().for_each(|cell| coder.push(cell.map(|v| if v { "True" } else { "False" })));
        }
        DataType::Null => (0..series.len()).for_each(|_| coder.push(None)),
        _ => each_number!(series, column => {
            for cell in column.iter() {
                coder.push(cell.map(|v| v.to_string()).filter(|text| text != "NaN").as_deref());
            }
        }, else polars::prelude::polars_bail!(ComputeError: "a column of the type {} is no text", series.dtype())),
    }
    Ok(())
}

/// Checks the frame of the file before polars sees it.
fn check_footer(path: &Path, file: &str) -> Result<(), Error> {
    let io = |source| Error::Io { file: file.to_owned(), source };
    let bad = |problem: &str| Err(Error::BadParquet { file: file.to_owned(), problem: problem.to_owned() });
    let mut reader = File::open(path).map_err(io)?;
    let length = reader.metadata().map_err(io)?.len();
    if length < 12 {
        return bad("it ends before its footer (was it written to the end?)");
    }
    let mut tail = [0; 8];
    reader.seek(SeekFrom::End(-8)).map_err(io)?;
    reader.read_exact(&mut tail).map_err(io)?;
    if &tail[4..] != b"PAR1" {
        return bad("it ends before its footer (was it written to the end?)");
    }
    if u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]])) > length - 12 {
        return bad("its footer is longer than the file");
    }
    Ok(())
}

/// Runs polars; its errors and panics become ours.
fn guarded<T>(file: &str, work: impl FnOnce() -> Result<T, PolarsError>) -> Result<T, Error> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(PolarsError::Duplicate(name))) => {
            let name = name.to_string();
            let column = name.split('"').nth(1).or(name.split('\'').nth(1)).unwrap_or(&name).to_owned();
            Err(Error::DuplicateColumn { file: file.to_owned(), column })
        }
        Ok(Err(error)) => {
            let problem = error.to_string().lines().next().unwrap_or_default().to_owned();
            Err(Error::BadParquet { file: file.to_owned(), problem })
        }
        Err(_) => Err(Error::BadParquet { file: file.to_owned(), problem: "its content is inconsistent".to_owned() }),
    }
}
