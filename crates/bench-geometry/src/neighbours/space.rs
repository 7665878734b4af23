//! Distinct points of a matrix: what is multiplied, what is exact, and how wrong `f32` can be.
//!
//! # What it computes
//! Rows that are the same point are collapsed, so that constant or one-hot embeddings cost
//! nothing. For each point it keeps a prepared `f32` row for the blocked product, and the
//! numbers that turn a product into a score with a proven error.
//!
//! # Formula
//! The score of candidate j for query i is s = a·b - h, larger is nearer. Cosine: a, b are the
//! unit rows and h = 0. Euclidean: a, b are the rows less the column means, scaled by a power of
//! two so that nothing over- or underflows, and h = |b|^2 / 2; then |x_i - x_j|^2 is a constant
//! of i less 2 s. With u = 2^-24 the computed product differs from the true one by at most
//! (d + 16) u |a||b| (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1,
//! for any order of summation, with room for the rounding of a, b and of the comparison), and
//! the terms of b alone by at most 8 u |b|^2.
//!
//! # Why
//! A product in `f32` finds the candidates, and the bound proves that no neighbour is lost;
//! distances of the few that remain are computed in `f64` from the rows as given.
//!
//! # Ties
//! Distances are rounded before they are compared: cosine distances to a multiple of 2^-40
//! (9e-13), squared Euclidean distances to 40 significant bits. That is far above the rounding
//! of the sums and far below any difference that means something. Being equal is then
//! transitive, so that tied sets do not depend on the order in which rows are met.

use std::collections::HashMap;

use bench_core::Matrix;
use rayon::prelude::*;

use super::Metric;
use crate::Error;

/// Unit roundoff of `f32`.
const U: f64 = 1.0 / (1 << 24) as f64;
/// Absolute room for products that underflow.
const TINY: f32 = 1e-30;
/// Rows handled by one task.
const ROWS_PER_TASK: usize = 1024;

/// The distinct points of a matrix under a metric.
pub(super) struct Space<'a> {
    matrix: &'a Matrix,
    metric: Metric,
    /// Start of each point's rows in `members`; length points + 1.
    start: Vec<u32>,
    /// Rows of each point, ascending.
    members: Vec<u32>,
    /// Prepared rows, `[points, d]`.
    prepared: Vec<f32>,
    /// Length of each prepared row, rounded up.
    pub(super) norm: Vec<f32>,
    /// h less its error.
    pub(super) shift_low: Vec<f32>,
    /// h plus its error.
    pub(super) shift_high: Vec<f32>,
    /// Error of a product, as a share of |a||b|.
    pub(super) product_error: f32,
    /// One over the length of the row as given, zero for the zero row (cosine only).
    inverse: Vec<f64>,
    /// |a|^2 in `f64` (Euclidean only).
    square: Vec<f64>,
    /// Square of the factor by which Euclidean rows were scaled.
    scale_square: f64,
}

impl<'a> Space<'a> {
    /// Collapses equal points and prepares the rest.
    ///
    /// # Errors
    /// If the matrix is empty or holds a value that is not finite.
    pub(super) fn new(matrix: &'a Matrix, metric: Metric) -> Result<Self, Error> {
        check(matrix)?;
        let d = matrix.cols();
        let inverse_of_row = match metric {
            Metric::Cosine => inverse_lengths(matrix),
            Metric::Euclidean => Vec::new(),
        };
        let (start, members) = collapse(matrix, metric, &inverse_of_row);
        let points = start.len() - 1;
        let first = |point: usize| members[start[point] as usize] as usize;
        let mut prepared = vec![0.0; points * d];
        let (mut inverse, mut square, mut scale_square) = (Vec::new(), Vec::new(), 1.0);
        match metric {
            Metric::Cosine => {
                inverse = (0..points).map(|p| inverse_of_row[first(p)]).collect();
                prepared.par_chunks_mut(d).enumerate().with_min_len(64).for_each(|(p, out)| {
                    for (out, &x) in out.iter_mut().zip(matrix.row(first(p))) {
                        *out = (f64::from(x) * inverse[p]) as f32;
                    }
                });
            }
            Metric::Euclidean => {
                let (mean, scale) = centre_and_scale(matrix);
                scale_square = scale * scale;
                prepared.par_chunks_mut(d).enumerate().with_min_len(64).for_each(|(p, out)| {
                    for ((out, &x), &mean) in out.iter_mut().zip(matrix.row(first(p))).zip(&mean) {
                        *out = ((f64::from(x) - mean) * scale) as f32;
                    }
                });
                square = prepared.par_chunks(d).with_min_len(64).map(|row| dot(row, row)).collect();
            }
        }
        let (mut norm, mut shift_low, mut shift_high) = (Vec::new(), Vec::new(), Vec::new());
        for p in 0..points {
            let (length, h, error) = match metric {
                Metric::Cosine => (if inverse[p] == 0.0 { 0.0 } else { 1.0 }, 0.0, 0.0),
                Metric::Euclidean => (square[p].sqrt(), square[p] / 2.0, 8.0 * U * square[p]),
            };
            norm.push((length * (1.0 + 4.0 * U)) as f32);
            shift_low.push((h - error) as f32 - TINY);
            shift_high.push((h + error) as f32 + TINY);
        }
        let product_error = ((d + 16) as f64 * U * 1.01) as f32;
        Ok(Self {
            matrix,
            metric,
            start,
            members,
            prepared,
            norm,
            shift_low,
            shift_high,
            product_error,
            inverse,
            square,
            scale_square,
        })
    }

    /// Number of distinct points.
    pub(super) fn points(&self) -> usize {
        self.start.len() - 1
    }

    /// Rows that are this point, ascending.
    pub(super) fn members(&self, point: usize) -> &[u32] {
        &self.members[self.start[point] as usize..self.start[point + 1] as usize]
    }

    /// Prepared rows of the points `from..to`, `[to - from, d]`.
    pub(super) fn prepared(&self, from: usize, to: usize) -> &[f32] {
        let d = self.matrix.cols();
        &self.prepared[from * d..to * d]
    }

    /// Number of columns.
    pub(super) fn cols(&self) -> usize {
        self.matrix.cols()
    }

    /// The rounded distance between two points by which neighbours are ordered: cosine
    /// distance, or squared Euclidean distance. A zero vector has cosine similarity 0 to
    /// everything, itself included.
    pub(super) fn ordering_distance(&self, a: usize, b: usize) -> f64 {
        let x = self.matrix.row(self.members(a)[0] as usize);
        let y = self.matrix.row(self.members(b)[0] as usize);
        match self.metric {
            Metric::Cosine if a == b => round_cosine(if self.inverse[a] == 0.0 { 1.0 } else { 0.0 }),
            Metric::Cosine => round_cosine(1.0 - dot(x, y) * (self.inverse[a] * self.inverse[b])),
            Metric::Euclidean => round_square(squared_difference(x, y)),
        }
    }

    /// A score that every candidate at `ordering_distance` or nearer reaches with its upper
    /// bound.
    pub(super) fn score_at(&self, query: usize, ordering_distance: f64) -> f32 {
        let (score, slack) = match self.metric {
            Metric::Cosine => (1.0 - ordering_distance, 1.0),
            Metric::Euclidean => {
                let scaled = ordering_distance * self.scale_square;
                ((self.square[query] - scaled) / 2.0, self.square[query] + scaled)
            }
        };
        (score - 8.0 * U * slack) as f32 - TINY
    }
}

/// Rounds a cosine distance to a multiple of 2^-40.
pub fn round_cosine(distance: f64) -> f64 {
    const STEPS: f64 = (1_u64 << 40) as f64;
    // Adding zero turns a negative zero into a positive one.
    ((distance * STEPS).round() / STEPS).max(0.0) + 0.0
}

/// Rounds a squared distance to 40 significant bits.
pub fn round_square(square: f64) -> f64 {
    const DROPPED: u64 = 1 << 12;
    f64::from_bits((square.to_bits() + DROPPED / 2) & !(DROPPED - 1))
}

/// Inner product in `f64`, in an order that depends on the length alone.
pub(super) fn dot(x: &[f32], y: &[f32]) -> f64 {
    let mut lanes = [0.0; 8];
    let (xs, ys) = (x.chunks_exact(8), y.chunks_exact(8));
    let rest: f64 = xs.remainder().iter().zip(ys.remainder()).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
    for (x, y) in xs.zip(ys) {
        for lane in 0..8 {
            lanes[lane] += f64::from(x[lane]) * f64::from(y[lane]);
        }
    }
    lanes.iter().sum::<f64>() + rest
}

fn squared_difference(x: &[f32], y: &[f32]) -> f64 {
    let mut lanes = [0.0; 8];
    let (xs, ys) = (x.chunks_exact(8), y.chunks_exact(8));
    let square = |x: f32, y: f32| (f64::from(x) - f64::from(y)).powi(2);
    let rest: f64 = xs.remainder().iter().zip(ys.remainder()).map(|(&x, &y)| square(x, y)).sum();
    for (x, y) in xs.zip(ys) {
        for lane in 0..8 {
            lanes[lane] += square(x[lane], y[lane]);
        }
    }
    lanes.iter().sum::<f64>() + rest
}

fn check(matrix: &Matrix) -> Result<(), Error> {
    let (rows, cols) = (matrix.rows(), matrix.cols());
    if rows == 0 || cols == 0 {
        return Err(Error::Empty { what: "neighbours", rows, cols });
    }
    if rows >= u32::MAX as usize {
        return Err(Error::Shape { what: "rows of a neighbour search", expected: u32::MAX as usize - 1, found: rows });
    }
    match matrix.data().par_iter().with_min_len(1 << 16).position_first(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::NotFinite { row: at / cols, col: at % cols, value: matrix.data()[at] }),
    }
}

fn inverse_lengths(matrix: &Matrix) -> Vec<f64> {
    matrix
        .data()
        .par_chunks(matrix.cols())
        .with_min_len(64)
        .map(|row| {
            let square = dot(row, row);
            if square == 0.0 { 0.0 } else { 1.0 / square.sqrt() }
        })
        .collect()
}

/// Column means, and the power of two that brings the largest centred value into `[0.5, 1)`.
fn centre_and_scale(matrix: &Matrix) -> (Vec<f64>, f64) {
    let d = matrix.cols();
    let sums: Vec<Vec<f64>> = matrix
        .data()
        .par_chunks(d * ROWS_PER_TASK)
        .map(|rows| {
            let mut sum = vec![0.0; d];
            for row in rows.chunks_exact(d) {
                for (sum, &x) in sum.iter_mut().zip(row) {
                    *sum += f64::from(x);
                }
            }
            sum
        })
        .collect();
    let mut mean = vec![0.0; d];
    for sum in sums {
        for (mean, sum) in mean.iter_mut().zip(sum) {
            *mean += sum / matrix.rows() as f64;
        }
    }
    let largest = matrix
        .data()
        .par_chunks(d * ROWS_PER_TASK)
        .map(|rows| {
            let centred = rows.chunks_exact(d).flat_map(|row| row.iter().zip(&mean).map(|(&x, m)| f64::from(x) - m));
            centred.fold(0.0, |largest: f64, x| largest.max(x.abs()))
        })
        .reduce(|| 0.0, f64::max);
    let scale = if largest > 0.0 { (-(largest.log2().floor() + 1.0)).exp2() } else { 1.0 };
    (mean, scale)
}

/// Groups rows that are the same point: equal rows, or for the cosine rows that are positive
/// multiples of each other (exactly). Points are numbered by their first row.
fn collapse(matrix: &Matrix, metric: Metric, inverse: &[f64]) -> (Vec<u32>, Vec<u32>) {
    let hashes: Vec<u64> = matrix
        .data()
        .par_chunks(matrix.cols())
        .with_min_len(64)
        .enumerate()
        .map(|(row, values)| match metric {
            Metric::Cosine => hash(values.iter().map(|&x| (f64::from(x) * inverse[row]) as f32)),
            Metric::Euclidean => hash(values.iter().copied()),
        })
        .collect();
    // Only looked up by key, never iterated.
    let mut by_hash: HashMap<u64, Vec<u32>> = HashMap::with_capacity(matrix.rows());
    let mut first_row: Vec<u32> = Vec::new();
    let mut point_of_row = Vec::with_capacity(matrix.rows());
    for (row, &hash) in hashes.iter().enumerate() {
        let known = by_hash.entry(hash).or_default();
        let same = known
            .iter()
            .copied()
            .find(|&p| is_same_point(matrix.row(first_row[p as usize] as usize), matrix.row(row), metric));
        point_of_row.push(same.unwrap_or_else(|| {
            let point = first_row.len() as u32;
            first_row.push(row as u32);
            known.push(point);
            point
        }));
    }
    let mut start = vec![0_u32; first_row.len() + 1];
    for &point in &point_of_row {
        start[point as usize + 1] += 1;
    }
    for point in 1..start.len() {
        start[point] += start[point - 1];
    }
    let mut next = start.clone();
    let mut members = vec![0; matrix.rows()];
    for (row, &point) in point_of_row.iter().enumerate() {
        members[next[point as usize] as usize] = row as u32;
        next[point as usize] += 1;
    }
    (start, members)
}

fn is_same_point(x: &[f32], y: &[f32], metric: Metric) -> bool {
    match metric {
        Metric::Euclidean => x == y,
        Metric::Cosine => {
            let Some(pivot) = x.iter().position(|&x| x != 0.0) else {
                return y.iter().all(|&y| y == 0.0);
            };
            // Products of two `f32` are exact in `f64`, so this is exact collinearity.
            let (p, q) = (f64::from(x[pivot]), f64::from(y[pivot]));
            p * q > 0.0 && x.iter().zip(y).all(|(&x, &y)| f64::from(x) * q == f64::from(y) * p)
        }
    }
}

fn hash(values: impl Iterator<Item = f32>) -> u64 {
    values.fold(0x9E37_79B9_7F4A_7C15, |hash, value| {
        // Adding zero makes the two zeros one.
        (hash.rotate_left(5) ^ u64::from((value + 0.0).to_bits())).wrapping_mul(0x517C_C1B7_2722_0A95)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: &[&[f32]]) -> Matrix {
        Matrix::new(rows.len(), rows[0].len(), rows.concat())
    }

    #[test]
    fn multiples_are_one_point_for_the_cosine_and_equal_rows_for_the_euclidean() {
        let m = matrix(&[&[1.0, 2.0], &[2.0, 4.0], &[-1.0, -2.0], &[0.0, 0.0], &[1.0, 2.0], &[-0.0, 0.0]]);
        let cosine = Space::new(&m, Metric::Cosine).unwrap();
        assert_eq!(cosine.points(), 3);
        assert_eq!(cosine.members(0), [0, 1, 4]);
        assert_eq!(cosine.members(2), [3, 5]);
        let euclidean = Space::new(&m, Metric::Euclidean).unwrap();
        assert_eq!(euclidean.points(), 4);
        assert_eq!(euclidean.members(0), [0, 4]);
        assert_eq!(euclidean.members(3), [3, 5]);
    }

    #[test]
    fn a_zero_vector_has_similarity_zero_to_everything() {
        let m = matrix(&[&[1.0, 0.0], &[0.0, 0.0]]);
        let space = Space::new(&m, Metric::Cosine).unwrap();
        assert_eq!(space.ordering_distance(0, 1), 1.0);
        assert_eq!(space.ordering_distance(1, 1), 1.0);
        assert_eq!(space.ordering_distance(0, 0), 0.0);
    }

    #[test]
    fn rounding_merges_what_differs_by_rounding_errors_alone() {
        assert_eq!(round_cosine(0.3), round_cosine(0.3 + 1e-15));
        assert_ne!(round_cosine(0.3), round_cosine(0.3 + 1e-11));
        assert_eq!(round_cosine(-1e-16).to_bits(), 0.0_f64.to_bits());
        assert_eq!(round_square(3e10), round_square(3e10 * (1.0 + 1e-15)));
        assert_ne!(round_square(3e10), round_square(3e10 * (1.0 + 1e-11)));
        assert_eq!(round_square(0.0), 0.0);
    }

    #[test]
    fn values_that_are_not_finite_are_named() {
        let m = matrix(&[&[1.0, 0.0], &[0.0, f32::INFINITY]]);
        let error = Space::new(&m, Metric::Cosine).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "value `inf` in row `1`, column `1` is not finite");
    }
}
