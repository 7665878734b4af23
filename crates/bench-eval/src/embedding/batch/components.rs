//! Variance components of source, batch, plate and label (PVCA).
//!
//! # What
//! How much of the variance each level of the experiment adds: the source, the batch within it, the plate within that,
//! the label, and what is left between rows. The value is the share of the unit in question.
//!
//! # Formula
//! All factors are random. With `T_f = sum_g |sum_{i in g} x_i|^2 / n_g` for a factor `f`, its expectation is
//! `N |mu|^2 + sum_m c_fm s_m + G_f s_e`, `c_fm = sum_g sum_h n_gh^2 / n_g` over the levels `g` of `f` and `h` of `m`
//! (`n_gh` rows in both). These equations, with one for the grand total and one for the sum of squares, are solved for
//! the components `s`; negative ones count as zero, and the share is `s_unit / sum s`.
//!
//! # Why
//! Eta squared of a plate holds that of its batch and source; nested components add up. `T` is a sum over features, so
//! the components are those of all principal components weighted by their eigenvalues, without computing any.
//!
//! # What it cannot show
//! Interactions (a label that reacts differently in one laboratory) are part of the residual. Few levels give unreliable
//! components: two sources have one degree of freedom.
//!
//! # Parity
//! PVCA fits mixed models by REML to the components that hold 60 % of the variance; this is the method of moments over
//! all of them (type I, no order among factors). In balanced nested designs both agree unless a component is negative.
//!
//! # Reference
//! Henderson 1953, method I; Li, Bushel et al. 2009 (PVCA).

use bench_core::{Card, Factor, Matrix};
use faer::linalg::solvers::Solve;
use faer::{Col, Mat};
use rayon::prelude::*;

use super::shared::{at_least_two, level_sums, present};
use crate::embedding::biology::support::columns::digest;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, NullCost, Part, Roles, Side, Space};

/// Its card.
pub static CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "variance-components",
        title: "Variance component of the unit",
        what: "The share of the variance that the unit adds beyond the units it lies in and beyond the label. Constant embedding: not defined, it has no variance.",
        formula: "s_unit / sum s, components s of source, batch, plate, label and rows by Henderson's method I over all features",
        better: "lower",
        range: "0 to 1",
        limits: "Interactions are part of the residual; few levels give unreliable components.",
        reference: "Henderson 1953, method I; PVCA (Li, Bushel et al. 2009)",
    },
    side: Side::Batch,
    dialect: "PVCA, method of moments, all components",
    best: "noise",
    worst: "one-hot-source",
};

/// Variance components.
#[derive(Clone, Copy, Debug)]
pub struct VarianceComponents;

impl EmbeddingMetric for VarianceComponents {
    fn card(&self) -> &'static EmbeddingCard {
        &CARD
    }

    fn null_cost(&self) -> NullCost {
        NullCost::Pass
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        at_least_two(roles.unit, roles.unit_name)?;
        let factors = factors(roles)?;
        let matrix = space.treated;
        let moments = space.remember("components/moments", || Moments::new(matrix));
        // A permutation of one factor leaves the others as they are.
        let explained = |factor: &Factor| {
            let key = format!("components/{:016x}", digest([factor.codes.as_slice()]));
            *space.remember(&key, || between(matrix, factor, &moments))
        };
        let between: Vec<f64> = factors.iter().map(|factor| explained(factor.1)).collect();
        let factors_alone: Vec<&Factor> = factors.iter().map(|factor| factor.1).collect();
        let components = components(&factors_alone, &between, moments.square)?;
        let total: f64 = components.iter().sum();
        if total <= 0.0 {
            return Err("the embedding has no variance".to_owned());
        }
        let names =
            factors.iter().map(|factor| (factor.0, present(factor.1))).chain([("residual", space.treated.rows())]);
        let parts: Vec<Part> = names
            .zip(&components)
            .map(|((name, n), s)| Part { unit: "component", name: name.to_owned(), n, value: s / total, p: None })
            .collect();
        // The unit stands first.
        Ok(Measured { value: components[0] / total, n: space.treated.rows(), parts, ..Measured::default() })
    }
}

/// The unit, then those of source, batch, plate and label that divide the rows differently from all before.
fn factors<'a>(roles: &Roles<'a>) -> Result<Vec<(&'a str, &'a Factor)>, String> {
    let mut kept: Vec<(&str, &Factor)> = vec![(roles.unit_name, roles.unit)];
    let layout = ["source", "batch", "plate"].into_iter().filter(|name| *name != roles.unit_name);
    let others = layout.filter_map(|name| roles.layout.unit(name).map(|factor| (name, factor)));
    for (name, factor) in others.chain([("label", roles.label)]) {
        let levels = present(factor);
        if levels < 2 || levels == factor.len() {
            continue;
        }
        if kept.iter().all(|(_, other)| !same_division(factor, other)) {
            kept.push((name, factor));
        }
    }
    if present(roles.unit) == roles.unit.len() {
        return Err(format!("every row is a {} of its own", roles.unit_name));
    }
    Ok(kept)
}

/// Whether two factors put the same rows together.
fn same_division(a: &Factor, b: &Factor) -> bool {
    let cells = crossed(a, b);
    cells.len() == present(a) && cells.len() == present(b)
}

/// Rows in every pair of levels that occurs: `((level of a, level of b), rows)`.
fn crossed(a: &Factor, b: &Factor) -> Vec<((u32, u32), f64)> {
    let mut pairs: Vec<(u32, u32)> = a.codes.iter().copied().zip(b.codes.iter().copied()).collect();
    pairs.sort_unstable();
    pairs.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as f64)).collect()
}

/// Column means, and the sum of squares about them.
pub(super) struct Moments {
    mean: Vec<f64>,
    pub(super) square: f64,
}

impl Moments {
    pub(super) fn new(matrix: &Matrix) -> Self {
        let n = matrix.rows();
        let grand = level_sums(matrix, &vec![0; n], 1);
        let mean: Vec<f64> = grand.iter().map(|sum| sum / n as f64).collect();
        // Rows less the grand mean: the terms of the mean cancel, which they would not do well in floating point.
        let squares: Vec<f64> = (0..n)
            .into_par_iter()
            .with_min_len(256)
            .map(|row| matrix.row(row).iter().zip(&mean).map(|(&x, mean)| (f64::from(x) - mean).powi(2)).sum())
            .collect();
        Self { mean, square: squares.iter().sum() }
    }
}

/// Sum of squares between the levels of a factor.
pub(super) fn between(matrix: &Matrix, factor: &Factor, moments: &Moments) -> f64 {
    let counts = factor.counts();
    let sums = level_sums(matrix, &factor.codes, counts.len());
    sums.chunks_exact(matrix.cols())
        .zip(&counts)
        .filter(|(_, rows)| **rows > 0)
        .map(|(sum, &rows)| {
            let rows = rows as f64;
            sum.iter().zip(&moments.mean).map(|(sum, mean)| (sum - rows * mean).powi(2)).sum::<f64>() / rows
        })
        .sum()
}

/// Components of the factors, then the residual; negative ones are zero. `between` are the sums of squares between the
/// levels of each factor, `square` that about the mean.
///
/// # Errors
/// The factors cannot be told apart.
pub(super) fn components(factors: &[&Factor], between: &[f64], square: f64) -> Result<Vec<f64>, String> {
    let (n, count) = (factors[0].len(), factors.len());
    // Unknowns: components of the factors, then of the rows. Equations: E[T_f - T_grand], E[sum of squares - T_grand].
    let mut system = Mat::<f64>::zeros(count + 1, count + 1);
    let mut right = Col::<f64>::zeros(count + 1);
    let grand_share =
        |factor: &Factor| factor.counts().iter().map(|&rows| (rows as f64).powi(2)).sum::<f64>() / n as f64;
    for (at, factor) in factors.iter().enumerate() {
        let counts = factor.counts();
        right[at] = between[at];
        for (of, other) in factors.iter().enumerate() {
            let shared: f64 =
                crossed(factor, other).iter().map(|((g, _), rows)| rows * rows / counts[*g as usize] as f64).sum();
            system[(at, of)] = shared - grand_share(other);
        }
        system[(at, count)] = (present(factor) - 1) as f64;
    }
    for (of, other) in factors.iter().enumerate() {
        system[(count, of)] = n as f64 - grand_share(other);
    }
    system[(count, count)] = (n - 1) as f64;
    right[count] = square;
    let solution = system.full_piv_lu().solve(&right);
    let residual = &system * &solution - &right;
    let is_good =
        (0..=count).all(|at| solution[at].is_finite() && residual[at].abs() <= 1e-6 * square.max(f64::MIN_POSITIVE));
    if square > 0.0 && !is_good {
        return Err("the factors cannot be told apart in this design".to_owned());
    }
    Ok((0..=count).map(|at| if square > 0.0 { solution[at].max(0.0) } else { 0.0 }).collect())
}
