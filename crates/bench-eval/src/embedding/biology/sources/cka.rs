//! Linear centred kernel alignment.
//!
//! # What
//! Between sources: whether two sources arrange their shared compounds alike, up to rotation and scale. To the unit:
//! how much of the arrangement of all rows is that of source, batch or plate.
//!
//! # Formula
//! `|X'Y|^2 / (|X'X| |Y'Y|)`, Frobenius norms, columns centred. Between sources X and Y hold the mean profiles of
//! shared compounds; to the unit Y is one-hot.
//!
//! # What it cannot show
//! It is biased upwards where there are fewer compounds than dimensions: unrelated noise of `n` rows in `d` columns
//! has about `d / (n + d)`. Compare embeddings of one width, or read it beside the noise control. Large directions
//! dominate.
//!
//! # Reference
//! Kornblith et al., ICML 2019 (arXiv:1905.00414).

use bench_core::Matrix;
use bench_geometry::pca::dense;
use rayon::prelude::*;

use super::super::support::columns::{Centroids, compound, sources};
use super::{mean_of, pairs};
use crate::embedding::batch::shared::level_sums;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, NullCost, Part, Roles, Space};
use bench_geometry::product::{column_products, products};

/// Rows that are multiplied at a time.
const ROWS: usize = 2048;

static BETWEEN: EmbeddingCard = card! {
    id: "cka-between-sources", title: "Linear CKA between sources",
    what: "Whether two sources arrange the mean profiles of their shared compounds alike.",
    formula: "mean over pairs of sources of |X'Y|^2 / (|X'X| |Y'Y|), centred mean profiles of shared compounds",
    better: "higher", range: "0 to 1",
    limits: "Biased upwards where there are fewer compounds than dimensions. Large directions dominate. \
             Constant embedding: not defined, it has no variance.",
    reference: "Kornblith et al., ICML 2019", side: Biology, dialect: "linear CKA, biased estimator", best: "one-hot-compound", worst: "noise",
};

static TO_UNIT: EmbeddingCard = card! {
    id: "cka-unit", title: "Linear CKA to the unit",
    what: "How much of the arrangement of rows is that of source, batch or plate.",
    formula: "|X'Y|^2 / (|X'X| |Y'Y|), X centred rows, Y centred one-hot unit",
    better: "lower", range: "0 to 1",
    limits: "Not whether the label could do without it: where label and unit are confounded it counts both. \
             Constant embedding: not defined, it has no variance.",
    reference: "Kornblith et al., ICML 2019", side: Batch, dialect: "linear CKA, biased estimator",
    best: "noise", worst: "one-hot-source",
};

/// Between sources.
#[derive(Clone, Copy, Debug)]
pub struct BetweenSources;

/// To the unit.
#[derive(Clone, Copy, Debug)]
pub struct ToUnit;

/// Rows less the column means, in `f64`.
fn centred(rows: &[&[f32]], dims: usize) -> Vec<f64> {
    let mut mean = vec![0.0_f64; dims];
    for row in rows {
        mean.iter_mut().zip(*row).for_each(|(mean, &value)| *mean += f64::from(value));
    }
    mean.iter_mut().for_each(|mean| *mean /= rows.len() as f64);
    rows.iter().flat_map(|row| row.iter().zip(&mean).map(|(&value, mean)| f64::from(value) - mean)).collect()
}

/// Whether what is left after centring is more than rounding.
fn varies(centred: &[f64], rows: &[&[f32]]) -> bool {
    let left: f64 = centred.iter().map(|x| x * x).sum();
    let all: f64 = rows.iter().flat_map(|row| row.iter()).map(|&x| f64::from(x).powi(2)).sum();
    left > 1e-20 * all
}

/// Linear CKA of two matrices of the same rows; `None` if one is constant.
pub(crate) fn cka(x: &[&[f32]], y: &[&[f32]]) -> Option<f64> {
    let (n, p, q) = (x.len(), x.first()?.len(), y.first()?.len());
    let (a, b) = (centred(x, p), centred(y, q));
    if !varies(&a, x) || !varies(&b, y) {
        return None;
    }
    let (xy, xx, yy) = if n <= p.min(q) {
        let (mut k, mut l) = (vec![0.0; n * n], vec![0.0; n * n]);
        products(&a, &a, p, &mut k);
        products(&b, &b, q, &mut l);
        let inner = |k: &[f64], l: &[f64]| k.iter().zip(l).map(|(a, b)| a * b).sum::<f64>();
        (inner(&k, &l), inner(&k, &k).sqrt(), inner(&l, &l).sqrt())
    } else {
        let square = |left: &[f64], right: &[f64], p: usize, q: usize| {
            let mut out = vec![0.0; p * q];
            column_products(left, right, n, &mut out);
            out.iter().map(|value| value * value).sum::<f64>()
        };
        (square(&a, &b, p, q), square(&a, &a, p, p).sqrt(), square(&b, &b, q, q).sqrt())
    };
    Some(xy / (xx * yy))
}

impl EmbeddingMetric for BetweenSources {
    fn card(&self) -> &'static EmbeddingCard {
        &BETWEEN
    }

    fn null_cost(&self) -> NullCost {
        NullCost::Small
    }

    fn about_compounds(&self) -> bool {
        true
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        let (compounds, factor) = (compound(roles)?, sources(roles)?);
        let centroids = Centroids::of(space, compounds, factor);
        let cells = centroids.by_source();
        let mut flat = 0;
        let mut parts = Vec::new();
        for (a, b) in pairs(cells.len()) {
            let shared = centroids.shared(&cells[a], &cells[b]);
            if shared.len() < 3 {
                continue;
            }
            let rows = |side: fn(&(u32, u32)) -> u32| -> Vec<&[f32]> {
                shared.iter().map(|pair| centroids.matrix.row(side(pair) as usize)).collect()
            };
            match cka(&rows(|pair| pair.0), &rows(|pair| pair.1)) {
                Some(value) => parts.push(Part {
                    unit: "source-source",
                    name: format!("{} - {}", centroids.names[a], centroids.names[b]),
                    n: shared.len(),
                    value,
                    p: None,
                }),
                None => flat += 1,
            }
        }
        let why =
            if flat > 0 { "all mean profiles of a source are equal" } else { "no two sources share three compounds" };
        Ok(Measured {
            value: mean_of(&parts, why)?,
            n: parts.iter().map(|part| part.n).sum(),
            parts,
            ..Measured::default()
        })
    }
}

/// What the metric takes from the rows alone.
struct Scatter {
    /// Column means.
    mean: Vec<f64>,
    /// Sum of squares about the means.
    total: f64,
    /// Sum of squares.
    square: f64,
    /// `|Xc'Xc|^2`.
    product: f64,
}

impl Scatter {
    fn new(matrix: &Matrix) -> Self {
        let n = matrix.rows();
        let sum = level_sums(matrix, &vec![0; n], 1);
        let mean: Vec<f64> = sum.iter().map(|sum| sum / n as f64).collect();
        let squares: Vec<(f64, f64)> = (0..n)
            .into_par_iter()
            .with_min_len(ROWS)
            .map(|row| {
                let each = matrix.row(row).iter().zip(&mean);
                each.fold((0.0, 0.0), |(total, square), (&x, mean)| {
                    let x = f64::from(x);
                    (total + (x - mean).powi(2), square + x * x)
                })
            })
            .collect();
        let (total, square) = squares.iter().fold((0.0, 0.0), |sum, row| (sum.0 + row.0, sum.1 + row.1));
        let product = squared_scatter(matrix, &mean);
        Self { mean, total, square, product }
    }
}

/// `|Xc'Xc|^2` of centred rows, the products of columns added up block by block.
fn squared_scatter(matrix: &Matrix, mean: &[f64]) -> f64 {
    let (n, d) = (matrix.rows(), matrix.cols());
    let mut scatter = vec![0.0; d * d];
    let mut block = Vec::with_capacity(ROWS * d);
    for start in (0..n).step_by(ROWS) {
        let rows = ROWS.min(n - start);
        block.clear();
        for row in start..start + rows {
            block.extend(matrix.row(row).iter().zip(mean).map(|(&value, mean)| f64::from(value) - mean));
        }
        dense::add_transposed(&block, &block, &mut scatter, (rows, d, d), true);
    }
    // The upper triangle holds every pair of columns once.
    let line = |(row, line): (usize, &[f64])| {
        line[row] * line[row] + 2.0 * line[row + 1..].iter().map(|value| value * value).sum::<f64>()
    };
    scatter.chunks_exact(d).enumerate().map(line).sum()
}

impl EmbeddingMetric for ToUnit {
    fn card(&self) -> &'static EmbeddingCard {
        &TO_UNIT
    }

    fn null_cost(&self) -> NullCost {
        NullCost::Pass
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        let matrix = space.treated;
        let (n, d) = (matrix.rows(), matrix.cols());
        let counts: Vec<f64> = roles.unit.counts().into_iter().map(|count| count as f64).collect();
        if counts.iter().filter(|&&count| count > 0.0).count() < 2 {
            return Err(format!("there is only one {}", roles.unit_name));
        }
        let scatter = space.remember("cka/scatter", || Scatter::new(matrix));
        if scatter.total <= 1e-20 * scatter.square {
            return Err("all rows are equal".to_owned());
        }
        // Xc' Yc = Xc' Y: the sums of the centred rows of each unit.
        let sums = level_sums(matrix, &roles.unit.codes, counts.len());
        let xy: f64 = sums
            .chunks_exact(d)
            .zip(&counts)
            .map(|(sum, count)| sum.iter().zip(&scatter.mean).map(|(x, mean)| (x - count * mean).powi(2)).sum::<f64>())
            .sum();
        let yy: f64 = counts
            .iter()
            .enumerate()
            .map(|(i, a)| {
                counts
                    .iter()
                    .enumerate()
                    .map(|(j, b)| (if i == j { *a } else { 0.0 } - a * b / n as f64).powi(2))
                    .sum::<f64>()
            })
            .sum();
        Ok(Measured { value: xy / (scatter.product * yy).sqrt(), n, ..Measured::default() })
    }
}
