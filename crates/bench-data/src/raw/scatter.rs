//! Writing values to the rows of the final matrix.

use rayon::prelude::*;

/// Marks a value beyond the range of `f32`: a NaN with a payload, which copies keep.
pub(crate) const TOO_LARGE: f32 = f32::from_bits(0x7fc0_b16e);

/// Whether a value is [`TOO_LARGE`].
pub(crate) fn is_too_large(value: f32) -> bool {
    value.to_bits() == TOO_LARGE.to_bits()
}

/// `f64` to `f32`; finite values out of range become [`TOO_LARGE`].
pub(crate) fn narrow(value: f64) -> f32 {
    let narrow = value as f32;
    if narrow.is_infinite() && value.is_finite() { TOO_LARGE } else { narrow }
}

/// Rows of the matrix that one task writes; fixed, so that work does not depend on threads.
const ROWS_PER_TASK: usize = 256;

/// The final matrix and where each row of the file goes.
pub(crate) struct Scatter<'a> {
    /// Row-major, `width` values per row.
    pub(crate) data: &'a mut [f32],
    /// Values per row.
    pub(crate) width: usize,
    /// File row and row of the matrix, ascending by file row.
    to: Vec<(u32, u32)>,
}

impl<'a> Scatter<'a> {
    /// `file_rows[i]` is the row of the file that goes to row `i` of the matrix.
    pub(crate) fn new(data: &'a mut [f32], width: usize, file_rows: &[u32]) -> Self {
        let mut to: Vec<(u32, u32)> = file_rows.iter().copied().zip(0..).collect();
        to.sort_unstable();
        Self { data, width, to }
    }

    fn within(&self, first: u64, rows: usize) -> &[(u32, u32)] {
        let at = |row: u64| self.to.partition_point(|(file_row, _)| u64::from(*file_row) < row);
        &self.to[at(first)..at(first + rows as u64)]
    }

    /// Copies rows: `source` is row-major with `stride` values per row and begins at file row
    /// `first`; `columns` pairs a position in `source` with a position in the matrix.
    pub(crate) fn rows(&mut self, first: u64, source: &[f32], stride: usize, columns: &[(usize, usize)]) {
        let rows = source.len().checked_div(stride).unwrap_or(0);
        let to = self.within(first, rows).to_vec();
        for (file_row, row) in to {
            let from = (u64::from(file_row) - first) as usize * stride;
            let source = &source[from..from + stride];
            let target = &mut self.data[row as usize * self.width..(row as usize + 1) * self.width];
            for &(s, t) in columns {
                target[t] = source[s];
            }
        }
    }

    /// Copies columns: each holds `rows` values that begin at file row `first`; they go to the
    /// matrix side by side from column `start`.
    pub(crate) fn columns<C: AsRef<[f32]> + Sync>(&mut self, first: u64, rows: usize, columns: &[C], start: usize) {
        let mut to: Vec<(u32, u32)> = self.within(first, rows).iter().map(|&(from, row)| (row, from)).collect();
        to.sort_unstable();
        let width = self.width;
        self.data.par_chunks_mut((ROWS_PER_TASK * width).max(1)).enumerate().for_each(|(task, data)| {
            let base = task * ROWS_PER_TASK;
            let at = |row: usize| to.partition_point(|(r, _)| (*r as usize) < row);
            for &(row, from) in &to[at(base)..at(base + ROWS_PER_TASK)] {
                let row = row as usize - base;
                let from = (u64::from(from) - first) as usize;
                let target = &mut data[row * width + start..row * width + start + columns.len()];
                for (value, column) in target.iter_mut().zip(columns) {
                    *value = column.as_ref()[from];
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_land_where_they_belong() {
        // File of four rows and two columns; rows 3 and 1 are wanted, in this order.
        let source = [0.0, 10.0, 1.0, 11.0, 2.0, 12.0, 3.0, 13.0];
        let mut a = vec![0.0; 4];
        Scatter::new(&mut a, 2, &[3, 1]).rows(0, &source, 2, &[(0, 1), (1, 0)]);
        assert_eq!(a, [13.0, 3.0, 11.0, 1.0]);
        let mut b = vec![0.0; 4];
        let mut scatter = Scatter::new(&mut b, 2, &[3, 1]);
        scatter.columns(0, 2, &[vec![10.0, 11.0], vec![0.0, 1.0]], 0);
        scatter.columns(2, 2, &[vec![12.0, 13.0], vec![2.0, 3.0]], 0);
        assert_eq!(a, b);
    }

    #[test]
    fn values_out_of_range_are_marked_and_infinite_ones_are_not() {
        assert!(is_too_large(narrow(1e39)) && is_too_large(narrow(-1e300)));
        assert!(!is_too_large(narrow(f64::INFINITY)) && narrow(f64::INFINITY).is_infinite());
        assert!(!is_too_large(f32::NAN) && narrow(f64::NAN).is_nan() && !is_too_large(narrow(f64::NAN)));
    }
}
