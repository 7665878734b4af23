//! Products of blocks of rows.
//!
//! Every product runs on the calling thread: callers divide the work by problem size, so that the number of threads
//! cannot change a bit.

use gemm::{Parallelism, gemm};

/// `f32` or `f64`.
pub trait Real: Copy + Default + Send + Sync + 'static {
    /// One.
    const ONE: Self;
}

impl Real for f32 {
    const ONE: Self = 1.0;
}

impl Real for f64 {
    const ONE: Self = 1.0;
}

/// Inner product in eight interleaved sums of a fixed order.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (whole_a, rest_a) = a.as_chunks::<8>();
    let (whole_b, rest_b) = b.as_chunks::<8>();
    for (a, b) in whole_a.iter().zip(whole_b) {
        for lane in 0..8 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum::<f64>() + rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum::<f64>()
}

/// Squared Euclidean distance in `f64`.
pub fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    let mut lanes = [0.0; 8];
    let (whole_a, rest_a) = a.as_chunks::<8>();
    let (whole_b, rest_b) = b.as_chunks::<8>();
    for (a, b) in whole_a.iter().zip(whole_b) {
        for lane in 0..8 {
            let difference = f64::from(a[lane]) - f64::from(b[lane]);
            lanes[lane] += difference * difference;
        }
    }
    let rest: f64 = rest_a.iter().zip(rest_b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    lanes.iter().sum::<f64>() + rest
}

/// All inner products between the rows of two blocks.
///
/// # Shapes
/// `left` `[m, dims]`, `right` `[n, dims]`, `out` `[m, n]`.
pub fn products<T: Real>(left: &[T], right: &[T], dims: usize, out: &mut [T]) {
    if dims == 0 || out.is_empty() {
        out.fill(T::default());
        return;
    }
    let (m, n) = (left.len() / dims, right.len() / dims);
    multiply((m, n, dims), (left, dims, 1), (right, 1, dims), out);
}

/// `left' right`: all inner products between the columns of two blocks.
///
/// # Shapes
/// `left` `[rows, p]`, `right` `[rows, q]`, `out` `[p, q]`.
pub fn column_products<T: Real>(left: &[T], right: &[T], rows: usize, out: &mut [T]) {
    if rows == 0 || out.is_empty() {
        out.fill(T::default());
        return;
    }
    let (p, q) = (left.len() / rows, right.len() / rows);
    multiply((p, q, rows), (left, 1, p), (right, q, 1), out);
}

/// `out = a b` with `a` `[m, k]` and `b` `[k, n]`; each operand comes with its row and column strides.
fn multiply<T: Real>(
    (m, n, k): (usize, usize, usize),
    (a, a_row, a_col): (&[T], usize, usize),
    (b, b_row, b_col): (&[T], usize, usize),
    out: &mut [T],
) {
    assert!(a.len() == m * k && b.len() == k * n && out.len() == m * n, "blocks of whole rows");
    // SAFETY: the assertion gives every pointer the extent that the strides address, and `out` is borrowed mutably,
    // so it overlaps neither input.
    unsafe {
        gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.as_ptr(),
            a_col as isize,
            a_row as isize,
            b.as_ptr(),
            b_col as isize,
            b_row as isize,
            T::default(),
            T::ONE,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_those_of_the_definition() {
        let left = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]; // [2, 3]
        let right = [1.0, 0.0, -1.0, 2.0, 2.0, 2.0]; // [2, 3]
        let mut out = [0.0_f64; 4];
        products(&left, &right, 3, &mut out);
        assert_eq!(out, [-2.0, 12.0, -2.0, 30.0]);
        let mut out = [0.0_f64; 9];
        column_products(&left, &right, 2, &mut out);
        assert_eq!(out, [9.0, 8.0, 7.0, 12.0, 10.0, 8.0, 15.0, 12.0, 9.0]);
    }
}
