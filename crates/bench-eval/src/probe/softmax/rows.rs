//! The rows that all problems of a table share, centred once and without repeats.
//!
//! # What
//! [`Rows`] holds the feature rows that the passes read. Rows that are equal bit for bit are
//! kept once where that leaves at most an eighth of them (constant and one-hot control
//! embeddings have a handful of distinct rows in a million); problems then count how often each
//! class occurs on a row.
//!
//! # Why
//! A row's column means over the whole table are subtracted while a block is loaded. The
//! intercept is free, so this changes no fitted probability; it keeps a large common offset out
//! of `f32` sums. The blocks get a row stride that is no power of two, which the matrix product
//! needs for half of its speed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use bench_core::Matrix;
use rayon::prelude::*;

use super::real::Real;

/// Rows handled by one matrix product.
pub(super) const BLOCK: usize = 256;
/// Rows handled as one vector; all widths are padded to it.
pub(super) const LANES: usize = 16;
/// Repeats are folded when the distinct rows are at most one in this many.
const FOLD_AT: usize = 8;

/// Rows to fit on.
pub(super) struct Rows<'a> {
    data: Cow<'a, [f32]>,
    /// Number of (distinct) rows.
    pub(super) len: usize,
    /// Number of features.
    pub(super) features: usize,
    /// Column means over the rows, subtracted on loading; `[features]`.
    pub(super) offset: Vec<f32>,
    /// Distinct row of each row of the table, where repeats were folded.
    pub(super) distinct: Option<Vec<u32>>,
    moments: (Vec<f64>, Vec<f64>),
}

impl<'a> Rows<'a> {
    /// Takes the rows of a table.
    pub(super) fn new(matrix: &'a Matrix) -> Self {
        let features = matrix.cols();
        let (data, distinct) = match fold_repeats(matrix) {
            Some((first, distinct)) => (Cow::Owned(matrix.take(&first).data().to_vec()), Some(distinct)),
            None => (Cow::Borrowed(matrix.data()), None),
        };
        let len = distinct.as_ref().map_or(matrix.rows(), |_| data.len().checked_div(features).unwrap_or(1));
        let offset = column_means(&data, len, features);
        let mut rows = Self { data, len, features, offset, distinct, moments: Default::default() };
        rows.moments = rows.sums();
        rows
    }

    /// One row, as it was given.
    pub(super) fn row(&self, row: usize) -> &[f32] {
        &self.data[row * self.features..(row + 1) * self.features]
    }

    /// Features padded to a whole number of vectors.
    pub(super) fn width(&self) -> usize {
        self.features.next_multiple_of(LANES).max(LANES)
    }

    /// Distance between the rows of a loaded block.
    pub(super) fn stride(&self) -> usize {
        self.width() + LANES
    }

    /// Rows of the partition over which sums are formed; it depends on the number of rows only.
    pub(super) fn parts(&self) -> Vec<Range<usize>> {
        partition(self.len, 32)
    }

    /// Sums over all rows of each centred feature and of its square; `[features]` each.
    pub(super) fn moments(&self) -> &(Vec<f64>, Vec<f64>) {
        &self.moments
    }

    fn sums(&self) -> (Vec<f64>, Vec<f64>) {
        let parts: Vec<(Vec<f64>, Vec<f64>)> = self
            .parts()
            .into_par_iter()
            .map(|part| {
                let mut sums = (vec![0.0; self.features], vec![0.0; self.features]);
                part.for_each(|row| self.add_moments(row, 1.0, &mut sums));
                sums
            })
            .collect();
        let mut all = (vec![0.0; self.features], vec![0.0; self.features]);
        for (sum, square) in parts {
            all.0.iter_mut().zip(sum).for_each(|(a, s)| *a += s);
            all.1.iter_mut().zip(square).for_each(|(a, s)| *a += s);
        }
        all
    }

    /// Adds a row, taken `weight` times, to the sums of centred features and of their squares.
    pub(super) fn add_moments(&self, row: usize, weight: f64, sums: &mut (Vec<f64>, Vec<f64>)) {
        let centred = self.row(row).iter().zip(&self.offset).map(|(&x, &o)| f64::from(x) - f64::from(o));
        for ((x, sum), square) in centred.zip(&mut sums.0).zip(&mut sums.1) {
            *sum += weight * x;
            *square += weight * x * x;
        }
    }

    /// Loads centred rows into `block`, `[<= BLOCK, stride]`; columns past the features and rows
    /// up to the next multiple of [`LANES`] are zero. Returns that number of rows.
    pub(super) fn load<T: Real>(&self, rows: impl ExactSizeIterator<Item = usize>, block: &mut [T]) -> usize {
        let (stride, count) = (self.stride(), rows.len());
        for (target, row) in block.chunks_exact_mut(stride).zip(rows) {
            for ((t, &x), &o) in target.iter_mut().zip(self.row(row)).zip(&self.offset) {
                *t = T::centred(x, o);
            }
            target[self.features..].fill(T::default());
        }
        let padded = count.next_multiple_of(LANES);
        block[count * stride..padded * stride].fill(T::default());
        padded
    }
}

/// Cuts `0..len` into at most `most` equal ranges of whole blocks, none below four blocks
/// except the last.
pub(super) fn partition(len: usize, most: usize) -> Vec<Range<usize>> {
    let size = len.div_ceil(most).next_multiple_of(BLOCK).max(4 * BLOCK);
    (0..len).step_by(size).map(|start| start..(start + size).min(len)).collect()
}

/// First occurrence of each distinct row and the distinct row of every row, if few are distinct.
fn fold_repeats(matrix: &Matrix) -> Option<(Vec<u32>, Vec<u32>)> {
    let most = matrix.rows() / FOLD_AT;
    let mut first: Vec<u32> = Vec::new();
    let mut distinct = Vec::new();
    // Only ever looked up, never iterated: the order of distinct rows is that of their first
    // occurrence. Rows whose hashes collide chain through `next`.
    let mut head: HashMap<u64, u32> = HashMap::new();
    let mut next: Vec<Option<u32>> = Vec::new();
    for row in 0..matrix.rows() {
        let values = matrix.row(row);
        let same = |id: u32| {
            let other = matrix.row(first[id as usize] as usize);
            values.iter().zip(other).all(|(a, b)| a.to_bits() == b.to_bits())
        };
        let entry = head.entry(hash(values));
        let mut candidate = match &entry {
            Entry::Occupied(found) => Some(*found.get()),
            Entry::Vacant(_) => None,
        };
        while let Some(id) = candidate {
            if same(id) {
                break;
            }
            candidate = next[id as usize];
        }
        let id = match candidate {
            Some(id) => id,
            None => {
                if first.len() == most {
                    return None;
                }
                let id = first.len() as u32;
                first.push(row as u32);
                match entry {
                    Entry::Occupied(mut found) => next.push(Some(found.insert(id))),
                    Entry::Vacant(free) => {
                        free.insert(id);
                        next.push(None);
                    }
                }
                id
            }
        };
        distinct.push(id);
    }
    (!first.is_empty()).then_some((first, distinct))
}

/// FNV-1a over the bits of the values.
fn hash(values: &[f32]) -> u64 {
    values.iter().fold(0xcbf2_9ce4_8422_2325, |h, v| (h ^ u64::from(v.to_bits())).wrapping_mul(0x0100_0000_01b3))
}

fn column_means(data: &[f32], rows: usize, features: usize) -> Vec<f32> {
    let mut sum = vec![0f64; features];
    if features > 0 {
        for row in data.chunks_exact(features) {
            sum.iter_mut().zip(row).for_each(|(s, &x)| *s += f64::from(x));
        }
    }
    sum.into_iter().map(|s| (s / rows.max(1) as f64) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_rows_are_kept_once_in_the_order_of_their_first_occurrence() {
        let values: Vec<f32> = (0..40).flat_map(|i| if i % 4 == 1 { [2.0, 0.5] } else { [-1.0, 3.0] }).collect();
        let matrix = Matrix::new(40, 2, values);
        let rows = Rows::new(&matrix);
        assert_eq!(rows.len, 2);
        assert_eq!(rows.row(1), [2.0, 0.5]);
        assert_eq!(rows.distinct.as_deref().map(|d| &d[..6]), Some(&[0, 1, 0, 0, 0, 1][..]));
        assert_eq!(rows.offset, [0.5, 1.75]);
        let mut block = vec![9f32; BLOCK * rows.stride()];
        assert_eq!(rows.load(0..2, &mut block), LANES);
        assert_eq!(block[..3], [-1.5, 1.25, 0.0]);
    }

    #[test]
    fn mostly_distinct_rows_are_left_alone() {
        let matrix = Matrix::new(16, 1, (0..16).map(|i| (i / 2) as f32).collect());
        let rows = Rows::new(&matrix);
        assert!(rows.distinct.is_none());
        assert_eq!(rows.len, 16);
    }

    #[test]
    fn a_table_without_features_is_one_repeated_row() {
        let rows = Matrix::zeros(20, 0);
        let rows = Rows::new(&rows);
        assert_eq!((rows.len, rows.width()), (1, LANES));
        assert_eq!(rows.row(0), [0f32; 0]);
    }

    #[test]
    fn a_partition_covers_every_row_once() {
        for len in [0, 1, 255, 1024, 1025, 27_000, 1_000_000] {
            let parts = partition(len, 32);
            assert!(parts.len() <= 32);
            assert_eq!(parts.iter().map(ExactSizeIterator::len).sum::<usize>(), len);
            assert!(parts.windows(2).all(|w| w[0].end == w[1].start));
        }
    }
}
