//! Feature values that are missing, infinite or too large.
//!
//! # What
//! The matrix is scanned once. Values too large for `f32` are always an error. Missing and
//! infinite ones follow the policy: an error that counts them, features left out, rows left
//! out, or the median of the feature over all rows kept, labelled and controls (mean of the two
//! middle values where their number is even).

use rayon::prelude::*;

use crate::Error;
use crate::error::{LISTED, Place};
use crate::options::Missing;
use crate::raw::is_too_large;
use crate::report::Report;

/// Rows that one task scans; fixed, so that results do not depend on threads.
const ROWS_PER_TASK: usize = 4096;

/// A matrix whose rows come from these rows of the file.
pub(crate) struct Draft {
    pub(crate) data: Vec<f32>,
    pub(crate) features: Vec<String>,
    pub(crate) file_rows: Vec<u32>,
}

#[derive(Clone, Default)]
struct Scan {
    columns: Vec<u64>,
    bad_rows: Vec<u32>,
    infinite: u64,
    too_large: u64,
}

impl Draft {
    fn width(&self) -> usize {
        self.features.len()
    }

    fn row(&self, row: u32) -> &[f32] {
        &self.data[row as usize * self.width()..(row as usize + 1) * self.width()]
    }

    fn scan(&self) -> Scan {
        let width = self.width();
        let parts: Vec<Scan> = self
            .data
            .par_chunks(ROWS_PER_TASK * width)
            .enumerate()
            .map(|(task, rows)| {
                let mut scan = Scan { columns: vec![0; width], ..Scan::default() };
                for (i, row) in rows.chunks_exact(width).enumerate() {
                    if row.iter().all(|value| value.is_finite()) {
                        continue;
                    }
                    scan.bad_rows.push((task * ROWS_PER_TASK + i) as u32);
                    for (count, value) in scan.columns.iter_mut().zip(row) {
                        *count += u64::from(!value.is_finite());
                        scan.infinite += u64::from(value.is_infinite());
                        scan.too_large += u64::from(is_too_large(*value));
                    }
                }
                scan
            })
            .collect();
        let mut total = Scan { columns: vec![0; width], ..Scan::default() };
        for part in parts {
            total.columns.iter_mut().zip(&part.columns).for_each(|(a, b)| *a += b);
            total.bad_rows.extend(part.bad_rows);
            total.infinite += part.infinite;
            total.too_large += part.too_large;
        }
        total
    }

    /// The first cells, by row and column of the file, that `is` true of.
    fn places(&self, rows: &[u32], is: impl Fn(f32) -> bool) -> Vec<Place> {
        let mut rows = rows.to_vec();
        rows.sort_unstable_by_key(|&row| self.file_rows[row as usize]);
        let cells = rows.iter().flat_map(|&row| self.row(row).iter().enumerate().map(move |(c, v)| (row, c, *v)));
        cells
            .filter(|(_, _, value)| is(*value))
            .take(LISTED)
            .map(|(row, column, _)| Place {
                row: u64::from(self.file_rows[row as usize]) + 1,
                column: self.features[column].clone(),
            })
            .collect()
    }
}

/// Applies the policy. Gives the rows to leave out, ascending; breaches are reported.
pub(crate) fn handle(draft: &mut Draft, policy: Missing, report: &mut Report) -> Vec<u32> {
    let scan = draft.scan();
    let file = report.file.clone();
    if scan.too_large > 0 {
        let places = draft.places(&scan.bad_rows, is_too_large);
        report.errors.push(Error::TooLarge { file: file.clone(), cells: scan.too_large, places });
    }
    let cells = scan.columns.iter().sum::<u64>() - scan.too_large;
    if cells == 0 {
        return Vec::new();
    }
    let bad_columns: Vec<usize> = (0..draft.width()).filter(|&c| scan.columns[c] > 0).collect();
    match policy {
        Missing::Error => {
            let missing = |value: f32| !value.is_finite() && !is_too_large(value);
            let rows = scan.bad_rows.iter().filter(|&&r| draft.row(r).iter().any(|v| missing(*v))).count();
            let places = draft.places(&scan.bad_rows, missing);
            report.errors.push(Error::MissingValues {
                file,
                cells,
                infinite: scan.infinite,
                rows: rows as u64,
                columns: bad_columns.len() as u64,
                places,
            });
            Vec::new()
        }
        Missing::DropFeatures => {
            let names: Vec<String> = bad_columns.iter().map(|&c| draft.features[c].clone()).collect();
            report.warnings.push(format!(
                "{} of {} features have missing values and are left out: {}",
                names.len(),
                draft.width(),
                crate::error::backticked(&names)
            ));
            drop_columns(draft, &scan.columns);
            if draft.features.is_empty() {
                let why = format!(": all {} have missing values", names.len());
                report.errors.push(Error::NoFeatures { file, why });
            }
            Vec::new()
        }
        Missing::DropRows => scan.bad_rows,
        Missing::Median => {
            report.warnings.push(format!(
                "{cells} missing values in {} rows and {} features are replaced by the feature's median",
                scan.bad_rows.len(),
                bad_columns.len()
            ));
            let width = draft.width();
            for column in bad_columns {
                match median(draft.data.iter().skip(column).step_by(width)) {
                    Some(median) => {
                        for &row in &scan.bad_rows {
                            let value = &mut draft.data[row as usize * width + column];
                            if !value.is_finite() && !is_too_large(*value) {
                                *value = median;
                            }
                        }
                    }
                    None => report
                        .errors
                        .push(Error::NoMedian { file: file.clone(), column: draft.features[column].clone() }),
                }
            }
            Vec::new()
        }
    }
}

fn median<'a>(values: impl Iterator<Item = &'a f32>) -> Option<f32> {
    let mut values: Vec<f32> = values.copied().filter(|value| value.is_finite()).collect();
    values.sort_unstable_by(f32::total_cmp);
    let n = values.len();
    match n {
        0 => None,
        _ => Some(((f64::from(values[(n - 1) / 2]) + f64::from(values[n / 2])) / 2.0) as f32),
    }
}

/// Removes the columns with a count, in place.
fn drop_columns(draft: &mut Draft, counts: &[u64]) {
    let keep: Vec<usize> = (0..counts.len()).filter(|&c| counts[c] == 0).collect();
    let width = counts.len();
    let mut to = 0;
    for row in 0..draft.file_rows.len() {
        for &column in &keep {
            draft.data[to] = draft.data[row * width + column];
            to += 1;
        }
    }
    draft.data.truncate(to);
    draft.features = keep.iter().map(|&c| std::mem::take(&mut draft.features[c])).collect();
}

/// Keeps `rows` (ascending) of a row-major matrix, in place.
pub(crate) fn keep_rows(data: &mut Vec<f32>, width: usize, rows: &[u32]) {
    for (to, &from) in rows.iter().enumerate() {
        let from = from as usize * width;
        data.copy_within(from..from + width, to * width);
    }
    data.truncate(rows.len() * width);
}
