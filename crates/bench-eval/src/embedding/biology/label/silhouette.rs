//! Silhouettes of rows in groups.
//!
//! # Formula
//! `s_i = (b_i - a_i) / max(a_i, b_i)`, `a` the mean distance to the rest of the own group, `b` the least mean
//! distance to another group; 0 for a group of one, and where both are zero.
//!
//! # How
//! For cosine distances the mean over a group needs the sum of its unit rows only: `a_i = 1 - (u_i.S_g - u_i.u_i) /
//! (n_g - 1)`, `b = 1 - u_i.S_h / n_h`: `n d G` products instead of `n n d`. Euclidean distances have no such form;
//! they are summed block by block, in `f32` where they are well above the rounding of the products and in `f64` where
//! not.
//!
//! # Reference
//! Rousseeuw 1987; scikit-learn 1.9 `silhouette_samples`.

use bench_geometry::neighbours::Metric;
use rayon::prelude::*;

use super::super::support::product::products;
use super::super::support::profiles::{Profiles, dot, squared_distance};
use crate::embedding::Space;

/// Rows of a task.
const ROWS: usize = 128;
/// Candidates of a product.
const CANDIDATES: usize = 512;
/// Mean cosine distances below this are rounding.
const NOISE: f64 = 1e-12;
/// Squared distances below this share of the squared lengths are measured in `f64`.
const CANCELLED: f32 = 1e-3;

/// Silhouette of every treated row; `codes` below `groups`.
pub(crate) fn silhouettes(space: &Space<'_>, metric: Metric, codes: &[u32], groups: usize) -> Vec<f64> {
    let mut size = vec![0_usize; groups];
    for &code in codes {
        size[code as usize] += 1;
    }
    let sums = match metric {
        Metric::Cosine => cosine_sums(space, codes, &size),
        Metric::Euclidean => euclidean_sums(space, codes, groups),
    };
    let floor = if metric == Metric::Cosine { NOISE } else { 0.0 };
    codes
        .par_iter()
        .zip(sums.par_chunks(groups))
        .with_min_len(ROWS)
        .map(|(&own, sums)| {
            let own = own as usize;
            if size[own] < 2 {
                return 0.0;
            }
            let a = sums[own] / (size[own] - 1) as f64;
            let b = (0..groups)
                .filter(|&group| group != own && size[group] > 0)
                .map(|group| sums[group] / size[group] as f64)
                .fold(f64::INFINITY, f64::min);
            let larger = a.max(b);
            if larger > floor && larger.is_finite() { (b - a) / larger } else { 0.0 }
        })
        .collect()
}

/// Sum of the cosine distances of every row to every group, the row itself not counted. `[n, groups]`.
fn cosine_sums(space: &Space<'_>, codes: &[u32], size: &[usize]) -> Vec<f64> {
    let (matrix, groups) = (space.treated, size.len());
    let (n, d) = (matrix.rows(), matrix.cols());
    let unit = |row: usize, out: &mut Vec<f64>| {
        let values = matrix.row(row);
        let square = dot(values, values);
        let scale = if square > 0.0 { 1.0 / square.sqrt() } else { 0.0 };
        out.extend(values.iter().map(|&value| f64::from(value) * scale));
    };
    let mut total = vec![0.0_f64; groups * d];
    let mut row_values = Vec::with_capacity(d);
    for (row, &code) in codes.iter().enumerate() {
        row_values.clear();
        unit(row, &mut row_values);
        let sum = &mut total[code as usize * d..(code as usize + 1) * d];
        sum.iter_mut().zip(&row_values).for_each(|(sum, value)| *sum += value);
    }
    let mut sums = vec![0.0; n * groups];
    sums.par_chunks_mut(ROWS * groups).enumerate().for_each(|(block, out)| {
        let rows = out.len() / groups;
        let mut left = Vec::with_capacity(rows * d);
        (block * ROWS..block * ROWS + rows).for_each(|row| unit(row, &mut left));
        products(&left, &total, d, out);
        for (i, line) in out.chunks_exact_mut(groups).enumerate() {
            let row = block * ROWS + i;
            let own = codes[row] as usize;
            let square: f64 = left[i * d..(i + 1) * d].iter().map(|value| value * value).sum();
            for (group, value) in line.iter_mut().enumerate() {
                let (others, product) =
                    if group == own { (size[group] - 1, *value - square) } else { (size[group], *value) };
                *value = others as f64 - product;
            }
        }
    });
    sums
}

/// Sum of the Euclidean distances of every row to every group. `[n, groups]`.
fn euclidean_sums(space: &Space<'_>, codes: &[u32], groups: usize) -> Vec<f64> {
    let (n, d) = (space.treated.rows(), space.treated.cols());
    let centred = centred(space);
    let square: Vec<f32> =
        (0..n).map(|row| dot(&centred[row * d..(row + 1) * d], &centred[row * d..(row + 1) * d]) as f32).collect();
    let profiles = Profiles::treated(space);
    let mut sums = vec![0.0; n * groups];
    sums.par_chunks_mut(ROWS * groups).enumerate().for_each(|(block, sums)| {
        let (start, rows) = (block * ROWS, sums.len() / groups);
        let left = &centred[start * d..(start + rows) * d];
        let mut out = Vec::new();
        for first in (0..n).step_by(CANDIDATES) {
            let last = (first + CANDIDATES).min(n);
            out.resize(rows * (last - first), 0.0_f32);
            products(left, &centred[first * d..last * d], d, &mut out);
            for (i, line) in out.chunks_exact(last - first).enumerate() {
                let row = start + i;
                let sums = &mut sums[i * groups..(i + 1) * groups];
                for (other, &product) in (first..last).zip(line) {
                    let lengths = square[row] + square[other];
                    let fast = lengths - 2.0 * product;
                    let squared = if profiles.point(row) == profiles.point(other) {
                        0.0
                    } else if fast < CANCELLED * lengths {
                        squared_distance(space.treated.row(row), space.treated.row(other))
                    } else {
                        f64::from(fast)
                    };
                    sums[codes[other] as usize] += squared.sqrt();
                }
            }
        }
    });
    sums
}

/// Rows less the column means.
fn centred(space: &Space<'_>) -> Vec<f32> {
    let (n, d) = (space.treated.rows(), space.treated.cols());
    let mut mean = vec![0.0_f64; d];
    for row in 0..n {
        mean.iter_mut().zip(space.treated.row(row)).for_each(|(mean, &value)| *mean += f64::from(value));
    }
    mean.iter_mut().for_each(|mean| *mean /= n.max(1) as f64);
    (0..n)
        .flat_map(|row| space.treated.row(row).iter().zip(&mean).map(|(&value, mean)| (f64::from(value) - mean) as f32))
        .collect()
}
