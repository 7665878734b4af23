//! Linear algebra of corrections in `f64`: moments, correlation, singular vectors, affine maps.
//!
//! Rows are taken in blocks of a fixed size and sums combined in order, so that no result depends on the number of
//! threads, and a table is never copied as a whole in 64 bits.

use bench_core::Matrix;
use bench_geometry::pca::dense;
use rayon::prelude::*;

/// Rows converted and multiplied at a time.
const BLOCK: usize = 1024;

/// Mean and variance (divisor n) of every column. A constant column has a variance of exactly zero: sums are taken
/// of differences from the first row.
pub(crate) fn moments(matrix: &Matrix) -> (Vec<f64>, Vec<f64>) {
    let (n, d) = (matrix.rows(), matrix.cols());
    let first: Vec<f64> = matrix.row(0).iter().map(|&value| f64::from(value)).collect();
    let shift = column_sums(matrix, |value, col| value - first[col]);
    let mean: Vec<f64> = first.iter().zip(&shift).map(|(first, sum)| first + sum / n as f64).collect();
    let squares = column_sums(matrix, |value, col| (value - mean[col]).powi(2));
    let shifted = column_sums(matrix, |value, col| value - mean[col]);
    let mut variance = vec![0.0; d];
    for col in 0..d {
        // The second term corrects for the rounding of the mean (Chan et al. 1983).
        variance[col] = ((squares[col] - shifted[col] * shifted[col] / n as f64) / n as f64).max(0.0);
    }
    (mean, variance)
}

/// Sums over the rows of a function of each value and its column.
pub(crate) fn column_sums(matrix: &Matrix, term: impl Fn(f64, usize) -> f64 + Sync) -> Vec<f64> {
    let d = matrix.cols();
    let partial: Vec<Vec<f64>> = matrix
        .data()
        .par_chunks(BLOCK * d)
        .map(|rows| {
            let mut sums = vec![0.0; d];
            for row in rows.chunks_exact(d) {
                for (col, (sum, &value)) in sums.iter_mut().zip(row).enumerate() {
                    *sum += term(f64::from(value), col);
                }
            }
            sums
        })
        .collect();
    let mut total = vec![0.0; d];
    for sums in &partial {
        total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
    }
    total
}

/// Calls `work(first row, values, rows)` for consecutive blocks of rows, centred and multiplied by `factor`.
pub(crate) fn for_each_block(
    matrix: &Matrix,
    mean: &[f64],
    factor: Option<&[f64]>,
    mut work: impl FnMut(usize, &[f64], usize),
) {
    let d = matrix.cols();
    let mut block = Vec::new();
    for (at, rows) in matrix.data().chunks(BLOCK * d).enumerate() {
        block.resize(rows.len(), 0.0);
        block.par_chunks_mut(d).zip(rows.par_chunks(d)).for_each(|(to, from)| {
            for (col, (to, &from)) in to.iter_mut().zip(from).enumerate() {
                *to = (f64::from(from) - mean[col]) * factor.map_or(1.0, |factor| factor[col]);
            }
        });
        work(at * BLOCK, &block, rows.len() / d);
    }
}

/// `F (X - mean)' (X - mean) F`, F the diagonal of `factor`. `[d, d]`.
pub(crate) fn cross_products(matrix: &Matrix, mean: &[f64], factor: Option<&[f64]>) -> Vec<f64> {
    let d = matrix.cols();
    let mut gram = vec![0.0; d * d];
    for_each_block(matrix, mean, factor, |_, block, rows| {
        dense::add_transposed(block, block, &mut gram, (rows, d, d), true);
    });
    dense::mirror(&mut gram, d);
    gram
}

/// Covariance with divisor `n - 1`. `[d, d]`.
pub(crate) fn covariance(matrix: &Matrix, mean: &[f64]) -> Vec<f64> {
    let divisor = (matrix.rows() - 1) as f64;
    let mut covariance = cross_products(matrix, mean, None);
    covariance.iter_mut().for_each(|value| *value /= divisor);
    covariance
}

/// `A^power` of a symmetric positive definite matrix. `[d, d]`.
pub(crate) fn power(matrix: &[f64], d: usize, power: f64) -> Vec<f64> {
    let (values, vectors) = dense::eigen(matrix, d);
    let factors: Vec<f64> = values.iter().map(|value| value.max(0.0).powf(power)).collect();
    sandwich(&vectors, &factors, d)
}

/// `V' diag(factors) V`, with vectors as rows `[k, d]`. `[d, d]`.
pub(crate) fn sandwich(vectors: &[f64], factors: &[f64], d: usize) -> Vec<f64> {
    let k = factors.len();
    let mut scaled = vectors.to_vec();
    for (row, factor) in scaled.chunks_exact_mut(d.max(1)).zip(factors) {
        row.iter_mut().for_each(|value| *value *= factor);
    }
    let mut out = vec![0.0; d * d];
    dense::add_transposed(vectors, &scaled, &mut out, (k, d, d), false);
    out
}

/// Transpose of a row-major `[r, c]` matrix.
pub(crate) fn transposed(a: &[f64], r: usize, c: usize) -> Vec<f64> {
    let mut out = vec![0.0; r * c];
    for i in 0..r {
        for j in 0..c {
            out[j * r + i] = a[i * c + j];
        }
    }
    out
}

/// Singular values and right singular vectors of centred and scaled rows.
pub(crate) struct Spectrum {
    /// Rows decomposed.
    pub(crate) rows: usize,
    /// Columns.
    pub(crate) cols: usize,
    /// Singular values, descending, `[min(n, d)]`.
    pub(crate) singular: Vec<f64>,
    /// Right singular vectors as rows, `[min(n, d), d]`; the loading of largest size is positive.
    pub(crate) vectors: Vec<f64>,
}

impl Spectrum {
    /// Decomposes `(X - mean) F`. More rows than columns are reduced to a triangle block by block first, so that
    /// singular values are as exact as from the rows themselves and no 64-bit copy of the table is held.
    pub(crate) fn of(matrix: &Matrix, mean: &[f64], factor: Option<&[f64]>) -> Self {
        let (n, d) = (matrix.rows(), matrix.cols());
        let mut stack: Vec<f64> = Vec::new();
        for_each_block(matrix, mean, factor, |_, block, _| {
            stack.extend_from_slice(block);
            if stack.len() / d > 3 * d + BLOCK {
                stack = dense::triangle(&stack, d);
            }
        });
        if stack.len() / d > 2 * d {
            stack = dense::triangle(&stack, d);
        }
        let (singular, mut vectors) = dense::singular(&stack, d);
        vectors.chunks_exact_mut(d).for_each(fix_sign);
        Self { rows: n, cols: d, singular, vectors }
    }

    /// Number of singular values above rounding, by NumPy's rule.
    pub(crate) fn rank(&self) -> usize {
        let largest = self.singular.first().copied().unwrap_or(0.0);
        let floor = largest * self.rows.max(self.cols) as f64 * f64::EPSILON;
        self.singular.iter().filter(|&&value| value > floor).count()
    }
}

/// Makes the loading of largest size positive; of equal ones, the first.
fn fix_sign(vector: &mut [f64]) {
    let largest = vector.iter().fold(0.0_f64, |best, &v| if v.abs() > best.abs() { v } else { best });
    if largest < 0.0 {
        vector.iter_mut().for_each(|v| *v = -*v);
    }
}

/// `y = (x - before) M + after`.
#[derive(Clone, Debug)]
pub(crate) struct Affine {
    /// Subtracted first, `[d]`.
    pub(crate) before: Vec<f64>,
    /// `[d, k]`.
    pub(crate) matrix: Vec<f64>,
    /// Added last, `[k]`.
    pub(crate) after: Vec<f64>,
}

impl Affine {
    /// Maps rows `[n, d]` to `[n, k]`.
    pub(crate) fn apply(&self, matrix: &Matrix) -> Matrix {
        let (d, k) = (self.before.len(), self.after.len());
        let mut out = Vec::with_capacity(matrix.rows() * k);
        let mut image = Vec::new();
        for_each_block(matrix, &self.before, None, |_, block, rows| {
            image.resize(rows * k, 0.0);
            dense::multiply(block, &self.matrix, &mut image, rows, d, k);
            for row in image.chunks_exact(k) {
                out.extend(row.iter().zip(&self.after).map(|(value, after)| (value + after) as f32));
            }
        });
        Matrix::new(matrix.rows(), k, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_column_has_no_variance_and_singular_values_are_those_of_the_covariance() {
        let (n, d) = (5000, 6);
        let value = |i: usize| if i % d == 2 { 0.1 } else { ((i * 7919 % 997) as f32) / 100.0 };
        let matrix = Matrix::new(n, d, (0..n * d).map(value).collect());
        let (mean, variance) = moments(&matrix);
        assert_eq!(variance[2], 0.0);
        let spectrum = Spectrum::of(&matrix, &mean, None);
        assert_eq!(spectrum.rank(), d - 1);
        let (eigen, _) = dense::eigen(&covariance(&matrix, &mean), d);
        for (s, e) in spectrum.singular.iter().zip(&eigen) {
            assert!((s * s / (n - 1) as f64 - e).abs() < 1e-9 * eigen[0], "{s} {e}");
        }
        let total: f64 = variance.iter().sum::<f64>() * n as f64;
        let squares: f64 = spectrum.singular.iter().map(|s| s * s).sum();
        assert!((total - squares).abs() < 1e-9 * total);
    }
}
