//! All eigenvectors of the covariance, or of the Gram matrix of the rows where these are fewer.

use bench_core::Matrix;

use super::{Spectrum, dense, rows};

/// Columns taken at a time when the Gram matrix of the rows is built.
const COLUMNS: usize = 1024;

/// The `k` leading eigenpairs. Components of (numerically) no variance may come back as zeros.
pub(super) fn spectrum(matrix: &Matrix, mean: &[f64], k: usize) -> Spectrum {
    if matrix.cols() <= matrix.rows() { from_covariance(matrix, mean, k) } else { from_gram(matrix, mean, k) }
}

fn from_covariance(matrix: &Matrix, mean: &[f64], k: usize) -> Spectrum {
    let (n, d) = (matrix.rows(), matrix.cols());
    let mut covariance = vec![0.0; d * d];
    rows::for_each_block(matrix, mean, |block, rows| {
        dense::add_transposed(block, block, &mut covariance, (rows, d, d), true);
    });
    dense::mirror(&mut covariance, d);
    let (values, mut vectors) = dense::eigen(&covariance, d);
    vectors.truncate(k * d);
    Spectrum { variance: to_variance(&values[..k], n), components: vectors, converged: true }
}

/// `Xc Xc' = U S^2 U'`, and the components are `S^-1 U' Xc`.
fn from_gram(matrix: &Matrix, mean: &[f64], k: usize) -> Spectrum {
    let (n, d) = (matrix.rows(), matrix.cols());
    let mut gram = vec![0.0; n * n];
    let mut columns = Vec::new();
    for first in (0..d).step_by(COLUMNS) {
        let width = COLUMNS.min(d - first);
        fill_columns(matrix, mean, first, width, &mut columns);
        dense::add_transposed(&columns, &columns, &mut gram, (width, n, n), true);
    }
    dense::mirror(&mut gram, n);
    let (values, vectors) = dense::eigen(&gram, n);
    let left = &vectors[..k * n];
    let mut components = vec![0.0; k * d];
    let mut image = Vec::new();
    for first in (0..d).step_by(COLUMNS) {
        let width = COLUMNS.min(d - first);
        fill_columns(matrix, mean, first, width, &mut columns);
        image.resize(width * k, 0.0);
        let basis = super::transpose(left, k, n);
        dense::multiply(&columns, &basis, &mut image, width, n, k);
        for j in 0..width {
            for i in 0..k {
                components[i * d + first + j] = image[j * k + i];
            }
        }
    }
    // Directions whose variance is rounding noise come out as noise: they are dropped here and
    // completed to an orthonormal basis by the caller.
    let floor = values[0] * n as f64 * f64::EPSILON;
    for (component, &value) in components.chunks_exact_mut(d).zip(&values) {
        if value <= floor {
            component.fill(0.0);
        }
    }
    dense::orthonormalise(&mut components, d);
    Spectrum { variance: to_variance(&values[..k], n), components, converged: true }
}

/// Centred columns `first..first + width`, transposed to `[width, n]`.
fn fill_columns(matrix: &Matrix, mean: &[f64], first: usize, width: usize, out: &mut Vec<f64>) {
    let n = matrix.rows();
    out.resize(width * n, 0.0);
    for row in 0..n {
        for (j, &value) in matrix.row(row)[first..first + width].iter().enumerate() {
            out[j * n + row] = f64::from(value) - mean[first + j];
        }
    }
}

fn to_variance(values: &[f64], n: usize) -> Vec<f64> {
    values.iter().map(|v| v.max(0.0) / (n - 1) as f64).collect()
}
