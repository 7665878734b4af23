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

use std::sync::Arc;

use bench_geometry::neighbours::Metric;
use rayon::prelude::*;

use super::super::support::columns::{digest, members};
use super::super::support::profiles::dot;
use crate::embedding::Space;
use crate::embedding::distance_sums::distance_sums;
use bench_geometry::product::products;

/// Rows of a task.
const ROWS: usize = 128;
/// Mean cosine distances below this are rounding.
const NOISE: f64 = 1e-12;

/// Silhouette of every treated row; `codes` below `groups`. Euclidean ones meet all pairs and are remembered.
pub(crate) fn silhouettes(space: &Space<'_>, metric: Metric, codes: &[u32], groups: usize) -> Arc<Vec<f64>> {
    let mut size = vec![0_usize; groups];
    for &code in codes {
        size[code as usize] += 1;
    }
    match metric {
        Metric::Cosine => Arc::new(cosine_widths(codes, &size, &cosine_sums(space, codes, &size))),
        Metric::Euclidean => space.remember(&format!("silhouettes/{groups}/{:016x}", digest([codes])), || {
            let rows: Vec<u32> = (0..codes.len() as u32).collect();
            widths(codes, &size, &distance_sums(space.treated, &rows, codes, groups), 0.0)
        }),
    }
}

/// Silhouettes from the summed cosine distances of every row to every group, the row itself not counted.
pub(crate) fn cosine_widths(codes: &[u32], size: &[usize], sums: &[f64]) -> Vec<f64> {
    widths(codes, size, sums, NOISE)
}

/// Silhouettes from sums, `[n, groups]`; 0 where no mean distance is above `floor`.
fn widths(codes: &[u32], size: &[usize], sums: &[f64], floor: f64) -> Vec<f64> {
    let groups = size.len();
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
    let members = members(codes, groups);
    total.par_chunks_mut(d.max(1)).zip(&members).for_each(|(sum, rows)| {
        let mut row_values = Vec::with_capacity(d);
        for &row in rows {
            row_values.clear();
            unit(row as usize, &mut row_values);
            sum.iter_mut().zip(&row_values).for_each(|(sum, value)| *sum += value);
        }
    });
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
