//! Centred rows of a matrix, a block at a time, in `f64`.

use bench_core::Matrix;
use rayon::prelude::*;

/// Rows centred and converted at a time: large enough to feed all cores, small enough to stay
/// in a shared cache.
const BLOCK: usize = 1024;

/// Calls `use_block(values, rows)` for consecutive blocks of centred rows, in order. `values` is
/// row-major `[rows, d]`.
pub(super) fn for_each_block(matrix: &Matrix, mean: &[f64], mut use_block: impl FnMut(&[f64], usize)) {
    let d = matrix.cols();
    let mut block = Vec::new();
    for rows in matrix.data().chunks(BLOCK * d) {
        block.resize(rows.len(), 0.0);
        block.par_chunks_mut(d).zip(rows.par_chunks(d)).for_each(|(to, from)| {
            for ((to, &from), mean) in to.iter_mut().zip(from).zip(mean) {
                *to = f64::from(from) - mean;
            }
        });
        use_block(&block, rows.len() / d);
    }
}

/// Column means and the total variance (divisor `n - 1`, summed over columns).
pub(super) fn moments(matrix: &Matrix) -> (Vec<f64>, f64) {
    let (n, d) = (matrix.rows(), matrix.cols());
    let sums: Vec<Vec<f64>> = matrix
        .data()
        .par_chunks(BLOCK * d)
        .map(|rows| {
            let mut sum = vec![0.0; d];
            for row in rows.chunks_exact(d) {
                sum.iter_mut().zip(row).for_each(|(s, &v)| *s += f64::from(v));
            }
            sum
        })
        .collect();
    let mut mean = vec![0.0; d];
    for sum in &sums {
        mean.iter_mut().zip(sum).for_each(|(m, s)| *m += s);
    }
    mean.iter_mut().for_each(|m| *m /= n as f64);
    let squares: Vec<f64> = matrix
        .data()
        .par_chunks(BLOCK * d)
        .map(|rows| {
            let mut total = 0.0;
            for row in rows.chunks_exact(d) {
                total += row.iter().zip(&mean).map(|(&v, m)| (f64::from(v) - m).powi(2)).sum::<f64>();
            }
            total
        })
        .collect();
    (mean, squares.iter().sum::<f64>() / (n - 1) as f64)
}
