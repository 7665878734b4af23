//! Leading eigenvectors of the covariance by power iteration with a block of random vectors.
//!
//! Halko et al. (2011), algorithm 4.4, on the side of the columns: each pass multiplies an
//! orthonormal block `V` by `Xc' Xc` while it reads the rows once, takes the Rayleigh quotients
//! from `V' (Xc' Xc V)`, and orthonormalises. Ten more vectors are carried than are wanted.

use bench_core::{Matrix, Seed};

use super::{Spectrum, dense, rows, transpose};

/// Vectors carried beyond those wanted.
const OVERSAMPLING: usize = 10;
/// Passes over the data at most.
const PASSES: usize = 20;
/// Relative change of the wanted variances between passes below which they have settled. The
/// error of a Rayleigh quotient is quadratic in that of its vector.
const TOLERANCE: f64 = 1e-7;

/// The `k` leading eigenpairs.
pub(super) fn spectrum(matrix: &Matrix, mean: &[f64], k: usize, seed: Seed) -> Spectrum {
    let (n, d) = (matrix.rows(), matrix.cols());
    let l = (k + OVERSAMPLING).min(n.min(d));
    let mut stream = seed.derive("pca", 0).stream();
    let mut block: Vec<f64> = (0..l * d).map(|_| stream.normal()).collect(); // [l, d]
    dense::orthonormalise(&mut block, d);
    let mut variance = vec![0.0; k];
    let mut components = Vec::new();
    let mut converged = false;
    for pass in 0..PASSES {
        let image = covariance_times(matrix, mean, &block, l); // [l, d]
        let mut small = vec![0.0; l * l];
        for i in 0..l {
            for j in i..l {
                small[i * l + j] = dense::dot(&block[i * d..(i + 1) * d], &image[j * d..(j + 1) * d]);
            }
        }
        dense::mirror(&mut small, l);
        let (values, rotation) = dense::eigen(&small, l);
        let next: Vec<f64> = values[..k].iter().map(|v| v.max(0.0) / (n - 1) as f64).collect();
        let change = next.iter().zip(&variance).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        converged = pass > 0 && change <= TOLERANCE * next[0];
        variance = next;
        if converged || pass + 1 == PASSES {
            components = vec![0.0; k * d];
            dense::multiply(&rotation[..k * l], &block, &mut components, k, l, d);
            break;
        }
        // Rotating by the Ritz vectors first orders the block, so that the orthonormalisation
        // works from the strongest direction to the weakest.
        let mut rotated = vec![0.0; l * d];
        dense::multiply(&rotation, &image, &mut rotated, l, l, d);
        block = rotated;
        dense::orthonormalise(&mut block, d);
    }
    Spectrum { variance, components, converged }
}

/// `block (Xc' Xc)`, both `[l, d]`.
fn covariance_times(matrix: &Matrix, mean: &[f64], block: &[f64], l: usize) -> Vec<f64> {
    let d = matrix.cols();
    let basis = transpose(block, l, d); // [d, l]
    let mut image = vec![0.0; d * l];
    let mut scores = Vec::new();
    rows::for_each_block(matrix, mean, |centred, rows| {
        scores.resize(rows * l, 0.0);
        dense::multiply(centred, &basis, &mut scores, rows, d, l);
        dense::add_transposed(centred, &scores, &mut image, (rows, d, l), false);
    });
    transpose(&image, d, l)
}
