//! Similarities: exact in `f64`, and bounded from products in `f32`.
//!
//! # What it computes
//! - exact: cosine `a.b / (|a| |b|)` (zero where a length is zero), inner product `a.b`, or minus the
//!   squared Euclidean distance (which ranks as the distance does), with every product and sum in `f64`
//!   in an order that depends on the dimensions alone.
//! - approximate: the same from the `f32` product of the unit vectors, with a bound on its error.
//!
//! # Why both
//! Ranks need to know only which similarity is larger. The fast products decide that for all but the few
//! candidates within the bound, and those are computed exactly: ranks are those of `f64` at the speed of
//! `f32`, and independent of blocks, threads and row order. Identical embeddings tie exactly.
//!
//! # Bound
//! With u = 2^-24 a unit vector is rounded by at most u per entry and a sum of d products, in any order, with
//! or without fused steps, errs by at most `d u / (1 - d u)` times the sum of their sizes, which is at most 1 for
//! unit vectors (Higham 2002, section 3.1). `(d + 8) u` and one per cent cover both; lost denormals add `d 2^-120`.

use bench_core::Matrix;
use rayon::prelude::*;

use super::Similarity;

/// Sums of `f64` that run side by side.
const LANES: usize = 8;
/// Rows per parallel block.
const BLOCK: usize = 256;

/// Embeddings of one side, in the order of the plan.
pub(super) struct Side<'a> {
    matrix: &'a Matrix,
    row: &'a [u32],
    /// Vectors of length one (or zero), `[rows, dims]`.
    pub(super) unit: Vec<f32>,
    norm: Vec<f64>,
}

/// `similarity = product * scale * scale' - (offset + offset')`, within `bound * scale * scale' + slack + slack'`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coefficients {
    pub(super) scale: f64,
    pub(super) offset: f64,
    pub(super) slack: f64,
}

impl<'a> Side<'a> {
    /// Takes the rows of a matrix.
    pub(super) fn new(matrix: &'a Matrix, row: &'a [u32]) -> Self {
        let dims = matrix.cols();
        let norm: Vec<f64> = row
            .par_iter()
            .with_min_len(BLOCK)
            .map(|&row| dot(matrix.row(row as usize), matrix.row(row as usize)).sqrt())
            .collect();
        let mut unit = vec![0f32; row.len() * dims];
        unit.par_chunks_mut(dims).zip(row.par_iter().zip(&norm)).with_min_len(BLOCK).for_each(
            |(unit, (&row, &norm))| {
                if norm > 0.0 {
                    for (unit, &value) in unit.iter_mut().zip(matrix.row(row as usize)) {
                        *unit = (f64::from(value) / norm) as f32;
                    }
                }
            },
        );
        Self { matrix, row, unit, norm }
    }

    /// Dimensions.
    pub(super) fn dims(&self) -> usize {
        self.matrix.cols()
    }

    /// Rows without length.
    pub(super) fn zeros(&self) -> usize {
        self.norm.iter().filter(|norm| **norm == 0.0).count()
    }

    /// Coefficients of a row; `is_query` puts constant factors on one side.
    pub(super) fn coefficients(&self, at: usize, similarity: Similarity, is_query: bool) -> Coefficients {
        let norm = self.norm[at];
        match similarity {
            Similarity::Cosine => Coefficients { scale: 1.0, offset: 0.0, slack: 0.0 },
            Similarity::Dot => Coefficients { scale: norm, offset: 0.0, slack: 0.0 },
            Similarity::Euclidean => Coefficients {
                scale: if is_query { 2.0 * norm } else { norm },
                offset: norm * norm,
                slack: 1e-12 * norm * norm,
            },
        }
    }

    /// Exact similarity of a row to a row of the other side.
    pub(super) fn exact(&self, at: usize, other: &Side<'_>, at_other: usize, similarity: Similarity) -> f64 {
        let a = self.matrix.row(self.row[at] as usize);
        let b = other.matrix.row(other.row[at_other] as usize);
        match similarity {
            Similarity::Cosine => {
                let lengths = self.norm[at] * other.norm[at_other];
                if lengths > 0.0 { dot(a, b) / lengths } else { 0.0 }
            }
            Similarity::Dot => dot(a, b),
            Similarity::Euclidean => -squared_distance(a, b),
        }
    }
}

/// Largest error of a product of two unit vectors in `f32`.
pub(super) fn bound(dims: usize) -> f64 {
    1.01 * (dims as f64 + 8.0) * 2f64.powi(-24) + dims as f64 * 2f64.powi(-120)
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    sum(a, b, |a, b| a * b)
}

fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    sum(a, b, |a, b| (a - b) * (a - b))
}

fn sum(a: &[f32], b: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    let mut lanes = [0f64; LANES];
    let (whole_a, rest_a) = a.as_chunks::<LANES>();
    let (whole_b, rest_b) = b.as_chunks::<LANES>();
    for (a, b) in whole_a.iter().zip(whole_b) {
        for lane in 0..LANES {
            lanes[lane] += term(f64::from(a[lane]), f64::from(b[lane]));
        }
    }
    let rest: f64 = rest_a.iter().zip(rest_b).map(|(a, b)| term(f64::from(*a), f64::from(*b))).sum();
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use bench_core::Seed;

    use super::*;

    #[test]
    fn the_exact_similarity_lies_within_the_bound_of_the_fast_one() {
        let (n, d) = (40, 37);
        let mut stream = Seed(5).stream();
        let mut matrix = |scale: f64| {
            let values = (0..n * d).map(|at| (stream.normal() * scale * (1.0 + (at % 5) as f64)) as f32).collect();
            Matrix::new(n, d, values)
        };
        let (left, right) = (matrix(1e-3), matrix(300.0));
        let row: Vec<u32> = (0..n as u32).rev().collect();
        let (left, right) = (Side::new(&left, &row), Side::new(&right, &row));
        for similarity in [Similarity::Cosine, Similarity::Dot, Similarity::Euclidean] {
            for (q, c) in (0..n).flat_map(|q| (0..n).map(move |c| (q, c))) {
                let product: f32 = (0..d).map(|j| left.unit[q * d + j] * right.unit[c * d + j]).sum();
                let (a, b) = (left.coefficients(q, similarity, true), right.coefficients(c, similarity, false));
                let fast = f64::from(product) * a.scale * b.scale - (a.offset + b.offset);
                let bound = bound(d) * a.scale * b.scale + a.slack + b.slack;
                let exact = left.exact(q, &right, c, similarity);
                assert!((fast - exact).abs() <= bound, "{similarity:?} {fast} {exact} {bound}");
                assert_eq!(exact, right.exact(c, &left, q, similarity));
            }
        }
    }

    #[test]
    fn similarities_are_those_of_the_definition() {
        let matrix = Matrix::new(3, 2, vec![3.0, 4.0, 1.0, 0.0, 0.0, 0.0]);
        let side = Side::new(&matrix, &[0, 1, 2]);
        assert!((side.exact(0, &side, 1, Similarity::Cosine) - 0.6).abs() < 1e-15);
        assert_eq!(side.exact(0, &side, 1, Similarity::Dot), 3.0);
        assert_eq!(side.exact(0, &side, 1, Similarity::Euclidean), -20.0);
        assert_eq!(side.exact(0, &side, 2, Similarity::Cosine), 0.0);
        assert_eq!(side.zeros(), 1);
    }
}
