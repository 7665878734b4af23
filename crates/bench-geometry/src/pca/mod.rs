//! Principal components.
//!
//! # What
//! The orthonormal directions of largest variance of the rows of a matrix, and the rows'
//! coordinates along them.
//!
//! # Formula
//! With centred rows `Xc`, the covariance is `C = Xc' Xc / (n - 1)`; component `i` is its
//! eigenvector of `i`-th largest eigenvalue, which is the variance along it; the ratio divides
//! by the trace of `C`.
//!
//! # Why
//! UMAP can start from it, corrections whiten with it, and the spectrum says how many
//! dimensions an embedding uses.
//!
//! # What it cannot show
//! Anything that is not linear, and nothing about labels. Components whose variances are almost
//! equal are defined only as a plane.
//!
//! # Reference
//! Halko, Martinsson, Tropp, "Finding structure with randomness", SIAM Review 53 (2011),
//! algorithm 4.4; scikit-learn `PCA(svd_solver="full")` for the golden values.
//!
//! # Where it fits
//! Rows are centred block by block and never copied as a whole. A covariance of at most
//! [`EXACT_UP_TO`] rows and columns is decomposed exactly; otherwise power iteration with a
//! block of random vectors stops when the variances have settled.
//! Parity: scikit-learn multiplies in the type of the data; here products are `f64`.

pub mod dense;
mod exact;
mod randomised;
mod rows;

use bench_core::{Matrix, Seed};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Largest `min(rows, columns)` that [`Method::Auto`] decomposes exactly.
pub const EXACT_UP_TO: usize = 512;

/// How components are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Exact for small problems and when most components are wanted, else randomised.
    #[default]
    Auto,
    /// Eigen-decomposition of the covariance, or of the Gram matrix of the rows if they are fewer.
    Exact,
    /// Randomised power iteration.
    Randomised,
}

/// A fitted principal component analysis with `k` components of `d` columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Pca {
    /// Column means, `[d]`.
    pub mean: Vec<f64>,
    /// Orthonormal components, `[k, d]` row-major; the loading of largest size is positive.
    pub components: Vec<f64>,
    /// Variance along each component, divisor `n - 1`, descending, `[k]`.
    pub variance: Vec<f64>,
    /// Share of the total variance along each component, `[k]`; zeros if there is none.
    pub ratio: Vec<f64>,
    /// How the components were computed; never [`Method::Auto`].
    pub method: Method,
    /// Whether the variances settled; always true for the exact method.
    pub converged: bool,
}

/// Eigenvalues and eigenvectors of a covariance, before signs are fixed.
struct Spectrum {
    variance: Vec<f64>,
    components: Vec<f64>,
    converged: bool,
}

impl Pca {
    /// Fits `k` components to `matrix` (`[n, d]`); `1 <= k <= min(n, d)` and `n >= 2`.
    /// `seed` matters only to the randomised method.
    pub fn fit(matrix: &Matrix, k: usize, method: Method, seed: Seed) -> Result<Self, Error> {
        let (n, d) = (matrix.rows(), matrix.cols());
        if n * d == 0 {
            return Err(Error::Empty { what: "principal components", rows: n, cols: d });
        }
        if n < 2 {
            return Err(Error::TooFewRows { what: "principal components", rows: n, needed: 2 });
        }
        if k == 0 || k > n.min(d) {
            return Err(Error::Setting {
                key: "components",
                value: k.to_string(),
                why: format!("a matrix of {n} rows and {d} columns has 1 to {} components", n.min(d)),
            });
        }
        if let Some(at) = matrix.data().iter().position(|v| !v.is_finite()) {
            return Err(Error::NotFinite { row: at / d, col: at % d, value: matrix.data()[at] });
        }
        let (mean, total) = rows::moments(matrix);
        let exact = match method {
            Method::Exact => true,
            Method::Randomised => false,
            Method::Auto => n.min(d) <= EXACT_UP_TO || 2 * k > n.min(d),
        };
        let mut spectrum =
            if exact { exact::spectrum(matrix, &mean, k) } else { randomised::spectrum(matrix, &mean, k, seed) };
        dense::complete(&mut spectrum.components, d);
        spectrum.components.chunks_exact_mut(d).for_each(fix_sign);
        let ratio = spectrum.variance.iter().map(|v| if total > 0.0 { v / total } else { 0.0 }).collect();
        Ok(Self {
            mean,
            components: spectrum.components,
            variance: spectrum.variance,
            ratio,
            method: if exact { Method::Exact } else { Method::Randomised },
            converged: spectrum.converged,
        })
    }

    /// Coordinates of rows (`[n, d]`, seen in the fit or not) along the components, `[n, k]`.
    pub fn scores(&self, matrix: &Matrix) -> Result<Matrix, Error> {
        let d = self.mean.len();
        if matrix.cols() != d {
            return Err(Error::Shape { what: "columns of the matrix", expected: d, found: matrix.cols() });
        }
        let k = self.variance.len();
        let basis = transpose(&self.components, k, d);
        let mut scores = Vec::with_capacity(matrix.rows() * k);
        let mut image = Vec::new();
        rows::for_each_block(matrix, &self.mean, |block, rows| {
            image.resize(rows * k, 0.0);
            dense::multiply(block, &basis, &mut image, rows, d, k);
            scores.extend(image.iter().map(|&v| v as f32));
        });
        Ok(Matrix::new(matrix.rows(), k, scores))
    }
}

/// Makes the loading of largest size positive; of equal ones, the first.
fn fix_sign(component: &mut [f64]) {
    let largest = component.iter().fold(0.0_f64, |best, &v| if v.abs() > best.abs() { v } else { best });
    if largest < 0.0 {
        component.iter_mut().for_each(|v| *v = -*v);
    }
}

/// Transpose of a row-major `[r, c]` matrix.
fn transpose(a: &[f64], r: usize, c: usize) -> Vec<f64> {
    let mut out = vec![0.0; r * c];
    for i in 0..r {
        for j in 0..c {
            out[j * r + i] = a[i * c + j];
        }
    }
    out
}

#[cfg(test)]
mod tests;
