//! Sums of the Euclidean distances from every row to every group of rows: what silhouettes are made of.
//!
//! # What
//! [`distance_sums`] meets every pair of rows once, a tile of products at a time, and adds the distance to the sums of
//! both rows.
//!
//! # Formula
//! `|a - b|^2 = |a|^2 + |b|^2 - 2 a.b` in `f32`, of rows less their mean; what cancels to below a thousandth of the
//! lengths is measured again in `f64` from the rows as given. Sums are `f64`.
//!
//! # Threads
//! Tiles are met like the games of a tournament: in a round no two tiles share a block of rows, so that every sum is
//! added up in the order of the rounds, whatever the number of threads.
//!
//! # What it cannot show
//! Distances of rows whose squared difference is below `d` 2^-24 of their lengths rest on the measurement in `f64`, which
//! takes longer: a table of many almost equal rows is slow, one of equal rows is not.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bench_core::Matrix;
use rayon::prelude::*;

use super::biology::support::profiles::{dot, points};
use super::tournament::rounds;
use bench_geometry::product::{products, squared_distance};

/// Rows of a block.
const BLOCK: usize = 256;

/// Squared distances below this share of the squared lengths are measured in `f64`.
const CANCELLED: f32 = 1e-3;

/// Pairs looked at before the outcome is.
const LANES: usize = 32;

/// Sum of the distances of every chosen row to every group of chosen rows, `[rows, groups]`; `codes` of the chosen rows,
/// below `groups`.
pub(super) fn distance_sums(matrix: &Matrix, rows: &[u32], codes: &[u32], groups: usize) -> Vec<f64> {
    let table = Table::new(matrix, rows, codes);
    let blocks: Vec<Mutex<Vec<f64>>> =
        (0..rows.len().div_ceil(BLOCK)).map(|block| Mutex::new(vec![0.0; table.block(block).len() * groups])).collect();
    blocks.par_iter().enumerate().for_each_init(Vec::new, |tile, (block, sums)| {
        let (range, mut sums) = (table.block(block), lock(sums));
        table.distances(&range, &range, tile);
        table.add_rows(&range, tile, groups, &mut sums);
    });
    for round in rounds(blocks.len()) {
        round.into_par_iter().for_each_init(Vec::new, |tile, (a, b)| {
            let (left, right) = (table.block(a), table.block(b));
            table.distances(&left, &right, tile);
            table.add_rows(&right, tile, groups, &mut lock(&blocks[a]));
            table.add_columns(&left, tile, groups, &mut lock(&blocks[b]));
        });
    }
    let mut sums = vec![0.0; rows.len() * groups];
    for (block, found) in blocks.into_iter().enumerate() {
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (place, line) in table.block(block).zip(found.chunks_exact(groups)) {
            let at = table.order[place] as usize;
            sums[at * groups..(at + 1) * groups].copy_from_slice(line);
        }
    }
    sums
}

fn lock(sums: &Mutex<Vec<f64>>) -> MutexGuard<'_, Vec<f64>> {
    // A poisoned lock means that another task panicked, which ends the pass anyway.
    sums.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The chosen rows in order of their codes.
struct Table<'a> {
    matrix: &'a Matrix,
    /// Matrix row of every place.
    row: Vec<u32>,
    /// Place among the chosen rows of every place.
    order: Vec<u32>,
    /// Code of every place, ascending.
    code: Vec<u32>,
    /// Rows less the mean, `[n, d]`.
    centred: Vec<f32>,
    square: Vec<f32>,
    /// Rows of the same bits have the same number.
    point: Vec<u32>,
}

impl<'a> Table<'a> {
    fn new(matrix: &'a Matrix, rows: &[u32], codes: &[u32]) -> Self {
        let d = matrix.cols();
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        order.sort_by_key(|&at| codes[at as usize]);
        let row: Vec<u32> = order.iter().map(|&at| rows[at as usize]).collect();
        let mut mean = vec![0.0_f64; d];
        for &row in &row {
            mean.iter_mut().zip(matrix.row(row as usize)).for_each(|(mean, &value)| *mean += f64::from(value));
        }
        mean.iter_mut().for_each(|mean| *mean /= row.len().max(1) as f64);
        let mut centred = vec![0.0; row.len() * d];
        centred.par_chunks_mut(d.max(1)).zip(&row).with_min_len(BLOCK).for_each(|(out, &row)| {
            for ((out, &value), mean) in out.iter_mut().zip(matrix.row(row as usize)).zip(&mean) {
                *out = (f64::from(value) - mean) as f32;
            }
        });
        let square = centred.par_chunks(d.max(1)).with_min_len(BLOCK).map(|row| dot(row, row) as f32).collect();
        let given: Vec<&[f32]> = row.iter().map(|&row| matrix.row(row as usize)).collect();
        let (point, _) = points(&given);
        let code = order.iter().map(|&at| codes[at as usize]).collect();
        Self { matrix, row, order, code, centred, square, point }
    }

    fn block(&self, block: usize) -> std::ops::Range<usize> {
        block * BLOCK..((block + 1) * BLOCK).min(self.row.len())
    }

    /// Distances between two ranges of places, `[left, right]`.
    fn distances(&self, left: &std::ops::Range<usize>, right: &std::ops::Range<usize>, tile: &mut Vec<f32>) {
        let d = self.matrix.cols();
        tile.clear();
        tile.resize(left.len() * right.len(), 0.0);
        let rows = |range: &std::ops::Range<usize>| &self.centred[range.start * d..range.end * d];
        products(rows(left), rows(right), d, tile);
        for (a, line) in left.clone().zip(tile.chunks_exact_mut(right.len())) {
            let own = self.square[a];
            let others = self.square[right.clone()].chunks(LANES);
            for (chunk, (line, others)) in line.chunks_mut(LANES).zip(others).enumerate() {
                let mut cancels = false;
                for (value, other) in line.iter_mut().zip(others) {
                    let lengths = own + other;
                    let squared = lengths - 2.0 * *value;
                    cancels |= squared < CANCELLED * lengths;
                    *value = squared.max(0.0).sqrt();
                }
                if cancels {
                    for (at, (value, other)) in line.iter_mut().zip(others).enumerate() {
                        // The root is compared with room for its rounding: what is measured again needlessly is exact.
                        if *value * *value <= 1.001 * CANCELLED * (own + other) {
                            *value = self.exact(a, right.start + chunk * LANES + at);
                        }
                    }
                }
            }
        }
    }

    fn exact(&self, a: usize, b: usize) -> f32 {
        if self.point[a] == self.point[b] {
            return 0.0;
        }
        squared_distance(self.matrix.row(self.row[a] as usize), self.matrix.row(self.row[b] as usize)).sqrt() as f32
    }

    /// Runs of equal codes within a range of places, counted from its start.
    fn runs(&self, range: &std::ops::Range<usize>) -> Vec<(u32, std::ops::Range<usize>)> {
        let mut start = 0;
        let runs = self.code[range.clone()].chunk_by(|a, b| a == b).map(|run| {
            let from = start;
            start += run.len();
            (run[0], from..start)
        });
        runs.collect()
    }

    /// Adds the tile's lines, run by run of `right`, to the sums of its rows.
    fn add_rows(&self, right: &std::ops::Range<usize>, tile: &[f32], groups: usize, sums: &mut [f64]) {
        let runs = self.runs(right);
        for (line, sums) in tile.chunks_exact(right.len()).zip(sums.chunks_exact_mut(groups)) {
            for (code, run) in &runs {
                sums[*code as usize] += sum(&line[run.clone()]);
            }
        }
    }

    /// Adds the tile's columns, run by run of `left`, to the sums of its columns.
    fn add_columns(&self, left: &std::ops::Range<usize>, tile: &[f32], groups: usize, sums: &mut [f64]) {
        let columns = tile.len() / left.len();
        for (code, run) in self.runs(left) {
            let mut total = vec![0.0_f64; columns];
            for line in tile[run.start * columns..run.end * columns].chunks_exact(columns) {
                total.iter_mut().zip(line).for_each(|(total, &value)| *total += f64::from(value));
            }
            for (sums, total) in sums.chunks_exact_mut(groups).zip(total) {
                sums[code as usize] += total;
            }
        }
    }
}

/// Sum in `f64`, in eight interleaved sums of a fixed order.
fn sum(values: &[f32]) -> f64 {
    let mut lanes = [0.0_f64; 8];
    let (whole, rest) = values.as_chunks::<8>();
    for values in whole {
        for lane in 0..8 {
            lanes[lane] += f64::from(values[lane]);
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|&value| f64::from(value)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use bench_core::Seed;

    use super::*;

    #[test]
    fn sums_are_those_of_the_definition() {
        let (n, d, groups) = (700, 7, 3);
        let mut stream = Seed(8).stream();
        let mut matrix = Matrix::new(n, d, (0..n * d).map(|_| (100.0 + stream.normal()) as f32).collect());
        // Two equal rows, and two that are almost equal.
        let first: Vec<f32> = matrix.row(0).to_vec();
        matrix.data_mut()[650 * d..651 * d].copy_from_slice(&first);
        matrix.data_mut()[3 * d..4 * d].copy_from_slice(&first);
        matrix.data_mut()[3 * d] += 1e-4;
        let rows: Vec<u32> = (0..n as u32).filter(|row| row % 13 != 5).collect();
        let codes: Vec<u32> = rows.iter().map(|row| row / 5 % groups as u32).collect();
        let found = distance_sums(&matrix, &rows, &codes, groups);
        for (i, &a) in rows.iter().enumerate() {
            let mut expected = vec![0.0; groups];
            for (j, &b) in rows.iter().enumerate() {
                let squared = squared_distance(matrix.row(a as usize), matrix.row(b as usize));
                expected[codes[j] as usize] += squared.sqrt();
            }
            for (found, expected) in found[i * groups..(i + 1) * groups].iter().zip(expected) {
                assert!((found - expected).abs() <= 1e-6 * expected, "{found} {expected}");
            }
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(found, pool.install(|| distance_sums(&matrix, &rows, &codes, groups)));
        assert!(distance_sums(&matrix, &[4], &[0], 1) == [0.0]);
    }
}
