//! Statistics of single columns: medians, deviations, quantiles.

use bench_core::Matrix;
use rayon::prelude::*;

/// Columns gathered at a time: a row's share of them is one cache line.
const WIDTH: usize = 16;

/// Calls `work(column, values)` for every column, in parallel, and returns the results in order of columns. `values`
/// may be reordered.
pub(crate) fn per_column<T: Send>(matrix: &Matrix, work: impl Fn(usize, &mut [f64]) -> T + Sync) -> Vec<T> {
    let (n, d) = (matrix.rows(), matrix.cols());
    let blocks: Vec<Vec<T>> = (0..d.div_ceil(WIDTH))
        .into_par_iter()
        .map(|block| {
            let first = block * WIDTH;
            let width = WIDTH.min(d - first);
            let mut columns = vec![vec![0.0; n]; width];
            for row in 0..n {
                for (column, &value) in columns.iter_mut().zip(&matrix.row(row)[first..first + width]) {
                    column[row] = f64::from(value);
                }
            }
            columns.iter_mut().enumerate().map(|(at, column)| work(first + at, column)).collect()
        })
        .collect();
    blocks.into_iter().flatten().collect()
}

/// Median; the mean of the two middle values of an even number. Reorders the values.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    let n = values.len();
    assert!(n > 0, "a median needs at least one value");
    let (below, &mut upper, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        return upper;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (lower + upper) / 2.0
}

/// Median and raw median absolute deviation from it. Overwrites the values.
pub(crate) fn median_and_mad(values: &mut [f64]) -> (f64, f64) {
    let centre = median(values);
    values.iter_mut().for_each(|value| *value = (*value - centre).abs());
    (centre, median(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_those_of_the_definition() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median_and_mad(&mut [1.0, 1.0, 2.0, 2.0, 4.0, 6.0, 9.0]), (2.0, 1.0));
        let matrix = Matrix::new(3, 20, (0..60).map(|i| i as f32).collect());
        let medians = per_column(&matrix, |_, values| median(values));
        assert!(medians.iter().enumerate().all(|(col, &m)| m == 20.0 + col as f64));
    }
}
