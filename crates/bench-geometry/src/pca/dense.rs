//! Small dense helpers in `f64`: products divided by output rows, symmetric eigenproblems,
//! orthonormalisation. All matrices are row-major slices.
//!
//! Every product is divided into blocks of output rows that depend on the shape alone, so no
//! partial sums are combined and the bytes do not depend on the number of threads.

use faer::{MatRef, Side};
use gemm::Parallelism;
use rayon::prelude::*;

pub use crate::product::dot;

/// Output rows per task.
const ROWS: usize = 64;

/// `out = a b`, with `a`: `[m, k]`, `b`: `[k, n]`, `out`: `[m, n]`.
pub fn multiply(a: &[f64], b: &[f64], out: &mut [f64], m: usize, k: usize, n: usize) {
    assert_eq!((a.len(), b.len(), out.len()), (m * k, k * n, m * n), "shapes of a product agree");
    if m * k * n == 0 {
        out.fill(0.0);
        return;
    }
    out.par_chunks_mut(ROWS * n).zip(a.par_chunks(ROWS * k)).for_each(|(out, a)| {
        // SAFETY: the slices hold the whole matrices that the strides describe, see the assertion.
        unsafe {
            product(out, (n, 1), false, (a.as_ptr(), k, 1), (b.as_ptr(), n, 1), (out.len() / n, k, n));
        }
    });
}

/// `out += a' b`, with `a`: `[m, p]`, `b`: `[m, q]`, `out`: `[p, q]`. With `upper_only`, blocks
/// wholly below the diagonal are left alone.
pub fn add_transposed(a: &[f64], b: &[f64], out: &mut [f64], (m, p, q): (usize, usize, usize), upper_only: bool) {
    assert_eq!((a.len(), b.len(), out.len()), (m * p, m * q, p * q), "shapes of a product agree");
    if m * p * q == 0 {
        return;
    }
    out.par_chunks_mut(ROWS * q).enumerate().for_each(|(block, out)| {
        let (first, rows) = (block * ROWS, out.len() / q);
        let skip = if upper_only { first.min(q) } else { 0 };
        if skip == q {
            return;
        }
        // SAFETY: columns `first..first + rows` of `a` and `skip..q` of `b` and `out` exist.
        unsafe {
            product(
                &mut out[skip..],
                (q, 1),
                true,
                (a.as_ptr().add(first), 1, p),
                (b.as_ptr().add(skip), q, 1),
                (rows, m, q - skip),
            );
        }
    });
}

/// One serial product; strides are (row, column).
///
/// # Safety
/// The pointers must reach every element that shape and strides describe.
unsafe fn product(
    out: &mut [f64],
    out_strides: (usize, usize),
    add: bool,
    (a, a_rows, a_cols): (*const f64, usize, usize),
    (b, b_rows, b_cols): (*const f64, usize, usize),
    (m, k, n): (usize, usize, usize),
) {
    // SAFETY: promised by the caller.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            out_strides.1 as isize,
            out_strides.0 as isize,
            add,
            a,
            a_cols as isize,
            a_rows as isize,
            b,
            b_cols as isize,
            b_rows as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// Copies the upper triangle of a square matrix into the lower one.
pub fn mirror(a: &mut [f64], n: usize) {
    for i in 1..n {
        for j in 0..i {
            a[i * n + j] = a[j * n + i];
        }
    }
}

/// Eigenvalues in descending order and the eigenvectors, one per row, of a symmetric matrix.
pub fn eigen(a: &[f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    if n == 0 {
        return (Vec::new(), Vec::new());
    }
    let decomposition = MatRef::from_row_major_slice(a, n, n)
        .self_adjoint_eigen(Side::Lower)
        .expect("the eigenvalues of a finite symmetric matrix converge");
    let (values, vectors) = (decomposition.S().column_vector(), decomposition.U());
    let order = (0..n).rev();
    let sorted = order.clone().map(|i| values[i]).collect();
    let rows = order.flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| vectors[(j, i)]).collect();
    (sorted, rows)
}

/// Singular values, descending, and the right singular vectors, one per row, of `rows` `[m, d]`: `min(m, d)` of both.
pub fn singular(rows: &[f64], d: usize) -> (Vec<f64>, Vec<f64>) {
    let m = rows.len() / d.max(1);
    if m * d == 0 {
        return (Vec::new(), Vec::new());
    }
    let decomposition =
        MatRef::from_row_major_slice(rows, m, d).thin_svd().expect("the singular values of a finite matrix converge");
    let (values, v) = (decomposition.S().column_vector(), decomposition.V());
    let k = m.min(d);
    let vectors = (0..k).flat_map(|i| (0..d).map(move |j| (j, i))).map(|(j, i)| v[(j, i)]).collect();
    ((0..k).map(|i| values[i]).collect(), vectors)
}

/// The triangle R `[d, d]` of a QR decomposition of `rows` `[m, d]`, `m >= d`: its singular values and right singular
/// vectors are those of the rows.
pub fn triangle(rows: &[f64], d: usize) -> Vec<f64> {
    let qr = MatRef::from_row_major_slice(rows, rows.len() / d, d).qr();
    let r = qr.thin_R();
    (0..d).flat_map(|i| (0..d).map(move |j| (i, j))).map(|(i, j)| if j < i { 0.0 } else { r[(i, j)] }).collect()
}

/// Orthonormalises the rows of `v` (`[l, d]`) in place, twice (Giraud et al. 2005: twice is
/// enough). A row that depends on earlier ones becomes zero.
pub fn orthonormalise(v: &mut [f64], d: usize) {
    let l = v.len() / d.max(1);
    for i in 0..l {
        let (done, rest) = v.split_at_mut(i * d);
        let row = &mut rest[..d];
        let before = norm(row);
        for _ in 0..2 {
            for other in done.chunks_exact(d) {
                let dot = dot(other, row);
                row.iter_mut().zip(other).for_each(|(x, y)| *x -= dot * y);
            }
        }
        let after = norm(row);
        let scale = if after > 1e-12 * before && after > 0.0 { 1.0 / after } else { 0.0 };
        row.iter_mut().for_each(|x| *x *= scale);
    }
}

/// Replaces zero rows of an otherwise orthonormal `v` (`[l, d]`, `l <= d`) by unit vectors made
/// orthogonal to the others, so that all rows are orthonormal.
pub fn complete(v: &mut [f64], d: usize) {
    let l = v.len() / d.max(1);
    for i in 0..l {
        if norm(&v[i * d..(i + 1) * d]) > 0.5 {
            continue;
        }
        // The coordinate axis least covered by the rows that are there.
        let covered = |j: usize| (0..l).map(|r| v[r * d + j] * v[r * d + j]).sum::<f64>();
        let axis = (0..d).map(|j| (covered(j), j)).min_by(|a, b| a.0.total_cmp(&b.0)).map_or(0, |(_, j)| j);
        let mut row = vec![0.0; d];
        row[axis] = 1.0;
        for _ in 0..2 {
            for other in v.chunks_exact(d) {
                let dot = dot(other, &row);
                row.iter_mut().zip(other).for_each(|(x, y)| *x -= dot * y);
            }
        }
        let length = norm(&row);
        for (to, from) in v[i * d..(i + 1) * d].iter_mut().zip(&row) {
            *to = from / length;
        }
    }
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_and_eigenvectors_agree_with_the_definition() {
        let (m, k, n) = (130, 7, 5);
        let a: Vec<f64> = (0..m * k).map(|i| ((i * 37 % 101) as f64) / 50.0 - 1.0).collect();
        let b: Vec<f64> = (0..k * n).map(|i| ((i * 53 % 89) as f64) / 40.0 - 1.0).collect();
        let mut c = vec![0.0; m * n];
        multiply(&a, &b, &mut c, m, k, n);
        let direct = |i: usize, j: usize| (0..k).map(|t| a[i * k + t] * b[t * n + j]).sum::<f64>();
        assert!((0..m).all(|i| (0..n).all(|j| (c[i * n + j] - direct(i, j)).abs() < 1e-12)));

        let mut gram = vec![0.0; k * k];
        add_transposed(&a, &a, &mut gram, (m, k, k), true);
        mirror(&mut gram, k);
        let (values, vectors) = eigen(&gram, k);
        assert!(values.windows(2).all(|w| w[0] >= w[1]));
        for (value, vector) in values.iter().zip(vectors.chunks_exact(k)) {
            for i in 0..k {
                let image = dot(&gram[i * k..(i + 1) * k], vector);
                assert!((image - value * vector[i]).abs() < 1e-10);
            }
        }
    }

    #[test]
    fn a_dependent_row_is_replaced_by_an_orthogonal_one() {
        let mut v = vec![1.0, 1.0, 0.0, 2.0, 2.0, 0.0, 0.0, 1.0, 1.0];
        orthonormalise(&mut v, 3);
        assert_eq!(v[3..6], [0.0; 3]);
        complete(&mut v, 3);
        for i in 0..3 {
            for j in 0..3 {
                let expected = f64::from(i == j);
                assert!((dot(&v[i * 3..i * 3 + 3], &v[j * 3..j * 3 + 3]) - expected).abs() < 1e-12);
            }
        }
    }
}
