//! Products of features with each other, summed over rows.
//!
//! # Formula
//! `G = sum_i v_i (x_i - m)(x_i - m)'` over chosen rows with weights `v`, `m` their weighted
//! mean.
//!
//! # Why it is exact enough
//! It only shapes the preconditioner: products of 1,024 rows are added up in `f32`, the rest in
//! `f64`. Tiles and parts of rows are fixed by the size of the problem and added in order.

use std::ops::Range;

use gemm::{Parallelism, gemm};
use rayon::prelude::*;

use super::rows::{BLOCK, LANES, Rows, partition};

/// Features per side of a tile.
const TILE: usize = 256;
/// Blocks whose products are added up in `f32` before they go to `f64`.
const BLOCKS_PER_SUM: usize = 4;

/// Rows to sum over.
pub(super) enum Chosen {
    /// All rows, once.
    All,
    /// These, with weights.
    Some(Vec<(u32, f32)>),
}

impl Chosen {
    fn len(&self, rows: &Rows<'_>) -> usize {
        match self {
            Self::All => rows.len,
            Self::Some(chosen) => chosen.len(),
        }
    }

    fn at(&self, i: usize) -> (usize, f32) {
        match self {
            Self::All => (i, 1.0),
            Self::Some(chosen) => (chosen[i].0 as usize, chosen[i].1),
        }
    }
}

/// The matrix `G`, `[features, features]`, symmetric. `centre` is the weighted mean of the
/// (centred) features over the chosen rows, `total` the sum of weights.
pub(super) fn gram(rows: &Rows<'_>, chosen: &Chosen, centre: &[f64], total: f64) -> Vec<f64> {
    let d = rows.features;
    let sides: Vec<Range<usize>> = (0..d).step_by(TILE).map(|start| start..(start + TILE).min(d)).collect();
    let tiles: Vec<(usize, usize)> = (0..sides.len()).flat_map(|i| (0..=i).map(move |j| (i, j))).collect();
    let parts = partition(chosen.len(rows), 16usize.div_ceil(tiles.len().max(1)));
    let work: Vec<(usize, usize)> = (0..tiles.len()).flat_map(|t| (0..parts.len()).map(move |p| (t, p))).collect();
    let sums: Vec<Vec<f64>> = work
        .into_par_iter()
        .map(|(t, p)| tile(rows, chosen, parts[p].clone(), &sides[tiles[t].0], &sides[tiles[t].1]))
        .collect();
    let mut gram = vec![0f64; d * d];
    for (&(i, j), sums) in tiles.iter().zip(sums.chunks(parts.len().max(1))) {
        let (side, other) = (sides[i].clone(), sides[j].clone());
        for a in side.clone() {
            for b in other.clone().filter(|&b| b <= a) {
                let at = (b - other.start) * TILE + a - side.start;
                let sum = sums.iter().map(|s| s[at]).sum::<f64>() - total * centre[a] * centre[b];
                gram[a * d + b] = sum;
                gram[b * d + a] = sum;
            }
        }
    }
    gram
}

/// Sums of one tile over one part of the rows: entry `(a, b)` at `b * TILE + a`.
fn tile(rows: &Rows<'_>, chosen: &Chosen, part: Range<usize>, side: &Range<usize>, other: &Range<usize>) -> Vec<f64> {
    let stride = TILE + LANES;
    let mut left = vec![0f32; BLOCK * stride];
    let mut right = vec![0f32; BLOCK * stride];
    let mut partial = vec![0f32; TILE * TILE];
    let mut sum = vec![0f64; TILE * TILE];
    for (i, first) in part.clone().step_by(BLOCK).enumerate() {
        let count = BLOCK.min(part.end - first);
        for k in 0..count {
            let (row, weight) = chosen.at(first + k);
            let values = rows.row(row);
            for (t, j) in left[k * stride..].iter_mut().zip(side.clone()) {
                *t = (values[j] - rows.offset[j]) * weight;
            }
            for (t, j) in right[k * stride..].iter_mut().zip(other.clone()) {
                *t = values[j] - rows.offset[j];
            }
        }
        // SAFETY: `left` and `right` hold `count <= BLOCK` rows of `stride` values, of which the
        // first `TILE` are read; `partial` is `[TILE, TILE]`.
        unsafe {
            gemm(
                TILE,
                TILE,
                count,
                partial.as_mut_ptr(),
                TILE as isize,
                1,
                i % BLOCKS_PER_SUM != 0,
                left.as_ptr(),
                stride as isize,
                1,
                right.as_ptr(),
                1,
                stride as isize,
                1.0,
                1.0,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
        if i % BLOCKS_PER_SUM == BLOCKS_PER_SUM - 1 || first + count == part.end {
            sum.iter_mut().zip(&partial).for_each(|(s, &p)| *s += f64::from(p));
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use bench_core::{Matrix, Seed};

    use super::*;

    #[test]
    fn the_gram_matrix_is_the_weighted_sum_of_centred_products() {
        let (n, d) = (1500, 300);
        let mut stream = Seed(3).stream();
        let matrix = Matrix::new(n, d, (0..n * d).map(|_| stream.normal() as f32 + 5.0).collect());
        let rows = Rows::new(&matrix);
        let picked: Vec<(u32, f32)> = (0..n as u32).filter(|r| r % 3 != 1).map(|r| (r, (r % 2 + 1) as f32)).collect();
        let total: f64 = picked.iter().map(|p| f64::from(p.1)).sum();
        let mean: Vec<f64> = (0..d)
            .map(|j| {
                let x = |r: u32| f64::from(matrix.row(r as usize)[j]) - f64::from(rows.offset[j]);
                picked.iter().map(|&(r, v)| f64::from(v) * x(r)).sum::<f64>() / total
            })
            .collect();
        let result = gram(&rows, &Chosen::Some(picked.clone()), &mean, total);
        for (a, b) in [(0, 0), (299, 299), (17, 280), (270, 3)] {
            let x = |r: u32, j: usize| f64::from(matrix.row(r as usize)[j]) - f64::from(rows.offset[j]) - mean[j];
            let expected: f64 = picked.iter().map(|&(r, v)| f64::from(v) * x(r, a) * x(r, b)).sum();
            assert!((result[a * d + b] - expected).abs() < 1e-3, "{} {expected}", result[a * d + b]);
            assert_eq!(result[a * d + b], result[b * d + a]);
        }
    }
}
