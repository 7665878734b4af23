//! Products of matrices on the CPU, outside any tape: row-major slices in, a vector out.
//!
//! A product of matrices is a convolution over images of one pixel, and runs as one: the three
//! orientations are its three directions. `f32` reaches the peak of the processor's vector units
//! (AVX-512, AVX2 or the build's baseline, chosen at run time); `f64` serves checks.

use rayon::prelude::*;

use crate::Element;
use crate::cpu::conv;
use crate::cpu::geometry::Geometry;
use crate::cpu::rows_per_block;

/// `a b`: `(m, k)` times `(k, n)` gives `(m, n)`.
///
/// # Panics
/// If a slice does not have the length of its shape.
pub fn matmul<T: Element>(a: &[T], b: &[T], m: usize, k: usize, n: usize) -> Vec<T> {
    conv::backward_input(a, b, &Geometry::matrix(m, n, k))
}

/// `a b^T`: `(m, k)` times the transpose of `(n, k)` gives `(m, n)`.
///
/// # Panics
/// If a slice does not have the length of its shape.
pub fn matmul_nt<T: Element>(a: &[T], b: &[T], m: usize, k: usize, n: usize) -> Vec<T> {
    conv::forward(a, b, &Geometry::matrix(m, k, n))
}

/// `a^T b`: the transpose of `(k, m)` times `(k, n)` gives `(m, n)`.
///
/// # Panics
/// If a slice does not have the length of its shape.
pub fn matmul_tn<T: Element>(a: &[T], b: &[T], m: usize, k: usize, n: usize) -> Vec<T> {
    conv::backward_weight(b, a, &Geometry::matrix(k, n, m))
}

/// Adds `row` to each row of `table`.
pub(crate) fn add_to_rows<T: Element>(table: &mut [T], row: &[T]) {
    let width = row.len();
    table.par_chunks_mut(rows_per_block(width) * width.max(1)).for_each(|block| {
        for values in block.chunks_exact_mut(width) {
            values.iter_mut().zip(row).for_each(|(value, add)| *value += *add);
        }
    });
}

/// Sum of the rows of a table: blocks of rows, then the blocks in order.
pub(crate) fn sum_rows<T: Element>(table: &[T], width: usize) -> Vec<T> {
    let add = |total: &mut Vec<T>, values: &[T]| total.iter_mut().zip(values).for_each(|(t, v)| *t += *v);
    let blocks = table.par_chunks(rows_per_block(width) * width.max(1));
    let blocks: Vec<Vec<T>> = blocks
        .map(|block| {
            let mut total = vec![T::ZERO; width];
            block.chunks_exact(width).for_each(|row| add(&mut total, row));
            total
        })
        .collect();
    let mut total = vec![T::ZERO; width];
    blocks.iter().for_each(|block| add(&mut total, block));
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers<T: Element>(len: usize, seed: usize) -> Vec<T> {
        (0..len).map(|i| T::of_f64(((i * 7919 + seed * 104_729) % 2003) as f64 / 1001.0 - 1.0)).collect()
    }

    fn transposed<T: Copy>(a: &[T], rows: usize, columns: usize) -> Vec<T> {
        (0..rows * columns).map(|i| a[i % rows * columns + i / rows]).collect()
    }

    fn check<T: Element>(tolerance: f64) {
        for (m, k, n) in
            [(1, 1, 1), (7, 5, 3), (64, 48, 32), (33, 300, 70), (700, 65, 17), (2, 2000, 130), (0, 4, 3), (3, 0, 5)]
        {
            let (a, b) = (numbers::<T>(m * k, 1), numbers::<T>(k * n, 2));
            let expected: Vec<f64> = (0..m * n)
                .map(|i| (0..k).map(|j| a[i / n * k + j].as_f64() * b[j * n + i % n].as_f64()).sum())
                .collect();
            let scale = (k as f64).sqrt().max(1.0);
            let results = [
                matmul(&a, &b, m, k, n),
                matmul_nt(&a, &transposed(&b, k, n), m, k, n),
                matmul_tn(&transposed(&a, m, k), &b, m, k, n),
            ];
            for (which, result) in results.iter().enumerate() {
                assert_eq!(result.len(), expected.len());
                for (x, y) in result.iter().zip(&expected) {
                    assert!((x.as_f64() - y).abs() <= tolerance * scale, "{which}: ({m}, {k}, {n})");
                }
            }
        }
    }

    #[test]
    fn products_of_all_orientations_agree_with_the_definition() {
        check::<f32>(1e-5);
        check::<f64>(1e-13);
    }

    #[test]
    fn rows_are_added_and_summed() {
        let mut table = numbers::<f64>(4001 * 9, 4);
        let sums = sum_rows(&table, 9);
        for (column, sum) in sums.iter().enumerate() {
            let expected: f64 = table.iter().skip(column).step_by(9).sum();
            assert!((sum - expected).abs() < 1e-9);
        }
        let before = table.clone();
        let row = numbers::<f64>(9, 5);
        add_to_rows(&mut table, &row);
        assert!(table.iter().enumerate().all(|(i, value)| *value == before[i] + row[i % 9]));
    }
}
