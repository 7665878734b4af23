//! Z-scores by the training rows of a fold.

use bench_core::Matrix;
use rayon::prelude::*;

/// Rows summed by one task.
const ROWS_PER_TASK: usize = 1024;

/// The matrix with every feature centred on its mean over `train` and divided by its population
/// standard deviation (ddof 0) there. A feature without variance is centred and not divided, as
/// by scikit-learn's `StandardScaler`, with its bound for what rounding makes of a constant.
/// Without training rows the matrix comes back as it is.
pub(in crate::probe) fn z_scores(matrix: &Matrix, train: &[u32]) -> Matrix {
    if train.is_empty() {
        return matrix.clone();
    }
    let (d, n) = (matrix.cols(), train.len() as f64);
    let column_sums = |term: &(dyn Fn(usize, f64) -> f64 + Sync)| {
        let parts: Vec<Vec<f64>> = train
            .par_chunks(ROWS_PER_TASK)
            .map(|rows| {
                let mut sum = vec![0.0; d];
                for &row in rows {
                    for (col, (sum, &x)) in sum.iter_mut().zip(matrix.row(row as usize)).enumerate() {
                        *sum += term(col, f64::from(x));
                    }
                }
                sum
            })
            .collect();
        let mut total = vec![0.0; d];
        for part in parts {
            total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
        }
        total
    };
    let mean: Vec<f64> = column_sums(&|_, x| x).into_iter().map(|sum| sum / n).collect();
    let variance = column_sums(&|col, x| (x - mean[col]).powi(2)).into_iter().map(|sum| sum / n);
    let inverse: Vec<f64> = variance
        .zip(&mean)
        .map(|(variance, mean)| {
            let rounding = n * f64::EPSILON * variance + (n * mean * f64::EPSILON).powi(2);
            if variance <= rounding { 1.0 } else { 1.0 / variance.sqrt() }
        })
        .collect();
    let mut scaled = matrix.clone();
    scaled.data_mut().par_chunks_mut(d.max(1)).with_min_len(64).for_each(|row| {
        for ((x, mean), inverse) in row.iter_mut().zip(&mean).zip(&inverse) {
            *x = ((f64::from(*x) - mean) * inverse) as f32;
        }
    });
    scaled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_rows_get_mean_zero_and_variance_one_and_constants_stay_finite() {
        let matrix = Matrix::new(4, 2, vec![1.0, 0.1, 3.0, 0.1, 5.0, 0.1, 100.0, 0.2]);
        let scaled = z_scores(&matrix, &[0, 1, 2]);
        let sd = (8.0_f64 / 3.0).sqrt();
        let expected = [-2.0 / sd, 0.0, 2.0 / sd, 97.0 / sd].map(|x| x as f32);
        for (row, expected) in expected.into_iter().enumerate() {
            assert!((scaled.row(row)[0] - expected).abs() < 1e-5);
        }
        assert!((0..3).all(|row| scaled.row(row)[1].abs() < 1e-9));
        assert!((scaled.row(3)[1] - 0.1).abs() < 1e-6);
    }
}
