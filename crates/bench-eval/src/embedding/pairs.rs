//! Distances between all rows of a group, a few rows at a time.
//!
//! # What
//! [`Pairs::for_each_row`] hands every row its squared Euclidean distances to all rows of the group; a tile of rows
//! lives at a time, so memory is `O(n d)` and never `O(n^2)`.
//!
//! # Formula
//! `|a - b|^2 = |a|^2 + |b|^2 - 2 a.b` with rows less the group's mean, in `f64`; what is below the rounding of the
//! sums is zero, so that equal rows are at distance zero.

use bench_core::Matrix;
use bench_geometry::product::products;
use rayon::prelude::*;

/// Rows per tile.
const ROWS: usize = 128;

/// Share of the squared lengths below which a squared distance is rounding.
const NOISE: f64 = 1e-13;

/// The rows of one group, centred.
pub(super) struct Pairs {
    cols: usize,
    data: Vec<f64>,
    square: Vec<f64>,
}

impl Pairs {
    /// Takes `rows` of a matrix.
    pub(super) fn new(matrix: &Matrix, rows: &[u32]) -> Self {
        let cols = matrix.cols();
        let mut mean = vec![0.0; cols];
        for &row in rows {
            for (mean, &x) in mean.iter_mut().zip(matrix.row(row as usize)) {
                *mean += f64::from(x);
            }
        }
        mean.iter_mut().for_each(|mean| *mean /= rows.len().max(1) as f64);
        let mut data = Vec::with_capacity(rows.len() * cols);
        for &row in rows {
            data.extend(matrix.row(row as usize).iter().zip(&mean).map(|(&x, mean)| f64::from(x) - mean));
        }
        let square = data.chunks_exact(cols.max(1)).map(|row| row.iter().map(|x| x * x).sum()).collect();
        Self { cols, data, square }
    }

    /// Calls `f(row, squared distances to all rows)` for every row of the group, in parallel; results in row order.
    pub(super) fn for_each_row<T: Send>(&self, f: impl Fn(usize, &[f64]) -> T + Sync) -> Vec<T> {
        let n = self.square.len();
        (0..n.div_ceil(ROWS))
            .into_par_iter()
            .map_init(Vec::new, |tile, block| {
                let rows = block * ROWS..((block + 1) * ROWS).min(n);
                self.tile(rows.clone(), tile);
                rows.clone().zip(tile.chunks_exact(n)).map(|(row, distances)| f(row, distances)).collect::<Vec<T>>()
            })
            .collect::<Vec<_>>()
            .into_iter()
            .flatten()
            .collect()
    }

    /// The centred rows, `[n, d]`.
    pub(super) fn into_data(self) -> Vec<f64> {
        self.data
    }

    /// Squared distances of some rows to all, `[rows, n]`.
    fn tile(&self, rows: std::ops::Range<usize>, out: &mut Vec<f64>) {
        let n = self.square.len();
        out.clear();
        out.resize(rows.len() * n, 0.0);
        products(&self.data[rows.start * self.cols..rows.end * self.cols], &self.data, self.cols, out);
        for (row, out) in rows.zip(out.chunks_exact_mut(n)) {
            for (other, value) in out.iter_mut().enumerate() {
                let lengths = self.square[row] + self.square[other];
                let squared = lengths - 2.0 * *value;
                *value = if squared <= NOISE * lengths || other == row { 0.0 } else { squared };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squared_distances_are_those_of_the_definition() {
        let values: Vec<f32> = (0..70 * 3).map(|i| ((i * 37 % 101) as f32).sin() + 100.0).collect();
        let mut matrix = Matrix::new(70, 3, values);
        let first: Vec<f32> = matrix.row(0).to_vec();
        matrix.data_mut()[66 * 3..67 * 3].copy_from_slice(&first);
        let rows: Vec<u32> = (0..70).collect();
        let found = Pairs::new(&matrix, &rows).for_each_row(|_, distances| distances.to_vec());
        assert_eq!(found[0][66], 0.0);
        for (i, distances) in found.iter().enumerate() {
            for (j, distance) in distances.iter().enumerate() {
                let direct: f64 = (0..3)
                    .map(|c| f64::from(matrix.row(i)[c]) - f64::from(matrix.row(j)[c]))
                    .map(|difference| difference * difference)
                    .sum();
                assert!((direct - distance).abs() < 1e-12);
            }
        }
    }
}
