//! Harmony: soft clusters in which batches are mixed, and a linear correction within each.
//!
//! # What
//! Clusters unit-length rows softly with a penalty on clusters in which a batch is over-represented, fits within each
//! cluster a ridge regression of the rows on the batches, takes the batch terms out, and repeats.
//!
//! # Formula
//! `R_ik ~ exp(-2 (1 - y_k z_i) / sigma) ((E_kb + 1) / (O_kb + 1))^theta`, `O = R' Phi`, `E_kb = sum_i R_ik Pr_b`; per
//! cluster `W_k = argmin sum_i R_ik |x_i - w_0 - w_b(i)|^2 + sum_b lambda_kb |w_b|^2`; `x_i - sum_k R_ik w_kb(i)`.
//! Objective: `sum R dist + sigma sum R ln R + sigma theta sum R ln((O + 1) / (E + 1))`.
//!
//! # Why
//! Among the best methods in every scenario of Arevalo et al. 2024, and cheap.
//!
//! # Unseen rows
//! The fit is transductive. Rows that it did not see are assigned to its clusters without the penalty and corrected by
//! their batch's terms; for an unseen batch these are fitted on its controls with the clusters fixed (as Symphony maps
//! queries), and a batch without controls is refused.
//!
//! # What it cannot show
//! Results depend on the random start of the clusters; compare objectives and directions, not digits. A treatment that
//! occurs in one batch only is pulled towards others.
//!
//! # Reference
//! Korsunsky et al. 2019; Kang et al. 2021 for unseen rows; written from the description of harmonypy 0.0.10 (`0.0`)
//! and 2.1 (`2`), whose defaults differ: theta 1 or 2, lambda 1 or 0.2 E, 20 or 4 rounds, and the first scaling.
//! Parity: starts of k-means come from at most 5,000 rows; the seeds of the packages cannot be reproduced. Products are
//! in 32 bits as in version 2; counts, sums over rows and batch terms in 64.

mod mapping;
mod state;

use bench_core::{Card, Matrix};
use bench_geometry::product::{column_products, products};
use rayon::prelude::*;

use crate::correction::{Correction, CorrectionCard, Fitted, Parameter, Rows, Scope};
use crate::group::By;
use crate::params::Reader;
use crate::{Error, parameter};
use state::State;

/// Its card.
pub(crate) static CARD: CorrectionCard = CorrectionCard {
    card: Card {
        id: "harmony",
        title: "Harmony",
        what: "Soft clusters in which batches are mixed; within each, a ridge regression on batches is taken out.",
        formula: "R ~ exp(-2 (1 - y z) / sigma) ((E + 1) / (O + 1))^theta; x - sum_k R_k w_kb",
        better: "none",
        range: "",
        limits: "Depends on a random start; treatments of one batch only are pulled towards others.",
        reference: "Korsunsky et al. 2019; harmonypy 0.0.10 and 2.1; Kang et al. 2021 (unseen rows)",
    },
    scope: Scope::All,
    transductive: true,
    dialect: "harmonypy 2.1 or 0.0.10",
    parameters: &[
        parameter::unit("batch"),
        Parameter { name: "dialect", default: "2", values: "2 or 0.0", what: "the version whose defaults are meant" },
        Parameter {
            name: "clusters",
            default: "auto",
            values: "a whole number of at least 1, or auto",
            what: "number of clusters; auto is a thirtieth of the rows, at most 100",
        },
        Parameter {
            name: "theta",
            default: "auto",
            values: "a number of at least 0, or auto",
            what: "penalty on unmixed clusters; auto is 2, or 1 in dialect 0.0",
        },
        Parameter {
            name: "lambda",
            default: "auto",
            values: "a number above 0, or auto",
            what: "ridge; auto is a fifth of the expected rows, or 1 in dialect 0.0",
        },
        Parameter { name: "sigma", default: "0.1", values: "a number above 0", what: "width of the soft clusters" },
        Parameter { name: "iterations", default: "10", values: "at least 1", what: "corrections at most" },
    ],
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Dialect {
    Two,
    Zero,
}

#[derive(Clone, Copy, Debug)]
struct Harmony {
    by: By,
    dialect: Dialect,
    clusters: Option<usize>,
    theta: f64,
    lambda: Option<f64>,
    sigma: f64,
    iterations: usize,
}

pub(crate) fn build(reader: &mut Reader) -> Result<Box<dyn Correction>, Error> {
    let by = By::read_unit(reader)?;
    let dialect = reader.choice("dialect", &[("2", Dialect::Two), ("0.0", Dialect::Zero)])?;
    let clusters = reader.whole_or_auto("clusters", 1)?;
    let theta = reader.number_or_auto("theta", |value| value >= 0.0, "a number of at least 0, or auto")?;
    let lambda = reader.number_or_auto("lambda", |value| value > 0.0, "a number above 0, or auto")?;
    let sigma = reader.number("sigma", |value| value > 0.0, "a number above 0")?;
    let iterations = reader.whole("iterations", 1)?;
    let (usual_theta, usual_lambda) = match dialect {
        Dialect::Two => (2.0, None),
        Dialect::Zero => (1.0, Some(1.0)),
    };
    let (theta, lambda) = (theta.unwrap_or(usual_theta), lambda.or(usual_lambda));
    Ok(Box::new(Harmony { by, dialect, clusters, theta, lambda, sigma, iterations }))
}

/// Share of the expected rows that is the ridge, where it is estimated.
const ALPHA: f64 = 0.2;
/// Rows of a task.
const ROWS: usize = 256;

impl Correction for Harmony {
    fn card(&self) -> &'static CorrectionCard {
        &CARD
    }

    fn scope(&self) -> Scope {
        Scope::All
    }

    fn learn(&self, rows: &Rows<'_>) -> Result<Box<dyn Fitted>, Error> {
        let groups = self.by.groups(CARD.card.id, rows.origin)?;
        let mut state = State::new(self, rows, &groups);
        state.run();
        Ok(Box::new(state.finish(rows, groups)?))
    }
}

/// Rows of length one, `[n, d]`.
fn unit_rows(matrix: &Matrix, by_largest_first: bool) -> Vec<f32> {
    let d = matrix.cols().max(1);
    let mut out = vec![0.0; matrix.rows() * matrix.cols()];
    out.par_chunks_mut(d).zip(matrix.data().par_chunks(d)).with_min_len(64).for_each(|(to, from)| {
        let largest = from.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        // Parity: harmonypy 0.0 divides by the largest value first, which turns rows of negative values around.
        let sign = if by_largest_first && largest < 0.0 { -1.0 } else { 1.0 };
        let length = from.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        let factor = if length > 0.0 { sign / length } else { 0.0 };
        to.iter_mut().zip(from).for_each(|(to, &from)| *to = (f64::from(from) * factor) as f32);
    });
    out
}

/// Distances `2 (1 - y z)` of rows of length one to the centres, `[rows, k]`.
fn distances(unit: &[f32], centre: &[f32], d: usize, out: &mut [f32]) {
    let k = centre.len() / d.max(1);
    out.par_chunks_mut(ROWS * k.max(1)).zip(unit.par_chunks(ROWS * d.max(1))).for_each(|(out, unit)| {
        products(unit, centre, d, out);
        out.iter_mut().for_each(|value| *value = 2.0 * (1.0 - *value));
    });
}

/// `to = from - shares term` for rows of one batch; `shares` `[rows, k]`, `term` `[k, d]`.
fn subtract(to: &mut [f32], from: &[f32], shares: &[f32], term: &[f64], d: usize) {
    let k = term.len() / d.max(1);
    // Products are of rows with rows.
    let turned: Vec<f32> = (0..d).flat_map(|col| (0..k).map(move |c| term[c * d + col] as f32)).collect();
    let blocks = to.par_chunks_mut(ROWS * d.max(1)).zip(from.par_chunks(ROWS * d.max(1)));
    blocks.zip(shares.par_chunks(ROWS * k.max(1))).for_each(|((to, from), shares)| {
        products(shares, &turned, k, to);
        to.iter_mut().zip(from).for_each(|(to, &from)| *to = from - *to);
    });
}

/// Turns distances into shares that add up to one, `exp(-distance / sigma)` times a factor for each cluster.
fn soften(row: &mut [f32], sigma: f32, factor: impl Fn(usize) -> f32) {
    let least = row.iter().copied().fold(f32::INFINITY, f32::min);
    row.iter_mut().enumerate().for_each(|(c, value)| *value = (-(*value - least) / sigma).exp() * factor(c));
    let total: f32 = row.iter().sum();
    row.iter_mut().for_each(|value| *value /= total);
}

/// `shares' rows`, `[k, d]`: blocks of rows in `f32`, added up in order in `f64`.
fn cluster_sums(shares: &[f32], rows: &[f32], k: usize, d: usize) -> Vec<f64> {
    const BLOCK: usize = 1024;
    /// Blocks whose products are in memory at a time.
    const WAVE: usize = 16;
    let mut sums = vec![0.0; k * d];
    for (shares, rows) in shares.chunks(BLOCK * WAVE * k.max(1)).zip(rows.chunks(BLOCK * WAVE * d.max(1))) {
        let blocks = shares.par_chunks(BLOCK * k).zip(rows.par_chunks(BLOCK * d.max(1)));
        let parts: Vec<Vec<f32>> = blocks
            .map(|(shares, rows)| {
                let mut out = vec![0.0; k * d];
                column_products(shares, rows, rows.len() / d, &mut out);
                out
            })
            .collect();
        sums.par_chunks_mut(d.max(1)).enumerate().for_each(|(c, sums)| {
            for part in &parts {
                sums.iter_mut().zip(&part[c * d..]).for_each(|(sum, &part)| *sum += f64::from(part));
            }
        });
    }
    sums
}
