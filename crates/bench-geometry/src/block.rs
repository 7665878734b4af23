//! Products of blocks of rows: the one place that calls the gemm kernel for neighbours.

use gemm::{Parallelism, gemm};

/// All inner products between the rows of two blocks, on the calling thread alone: callers
/// divide the work by problem size, so that the thread count cannot change a bit.
///
/// # Shapes
/// `left` `[m, cols]`, `right` `[n, cols]`, `out` `[m, n]`, all row-major.
pub(crate) fn inner_products(left: &[f32], right: &[f32], cols: usize, out: &mut [f32]) {
    let (m, n) = (left.len() / cols, right.len() / cols);
    assert!(left.len() == m * cols && right.len() == n * cols && out.len() == m * n, "blocks of whole rows");
    if out.is_empty() {
        return;
    }
    // SAFETY: the assertion above gives every pointer the extent that the strides address, and
    // `out` is borrowed mutably, so it overlaps neither input.
    unsafe {
        gemm(
            m,
            n,
            cols,
            out.as_mut_ptr(),
            1,
            n as isize,
            false,
            left.as_ptr(),
            1,
            cols as isize,
            right.as_ptr(),
            cols as isize,
            1,
            0.0,
            1.0,
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
        let right = [1.0, 0.0, -1.0, 2.0, 2.0, 2.0, 0.5, 0.0, 0.0]; // [3, 3]
        let mut out = [0.0; 6];
        inner_products(&left, &right, 3, &mut out);
        assert_eq!(out, [-2.0, 12.0, 0.5, -2.0, 30.0, 2.0]);
    }
}
