//! Principal component regression: the share of variance that a unit explains.
//!
//! # What
//! How much of the total variance lies between units; over all principal components that is eta squared of the matrix,
//! and no component is needed. scib regresses the first 50 components only.
//!
//! # Formula
//! All components: `sum_g n_g |mean_g - mean|^2 / sum_i |x_i - mean|^2`. First 50:
//! `sum_k var_k R^2(PC_k ~ unit) / sum_k var_k`. [`comparison`] of a representation before and after a correction:
//! `max(0, (before - after) / before)`.
//!
//! # Why
//! One number without neighbours or distances, linear in the rows; it does not saturate.
//!
//! # What it cannot show
//! Differences between units that are not differences of means. Where label and unit are confounded, the label's variance
//! counts as the unit's.
//!
//! # Rows
//! Contributions are `(x_i - mean).(mean_g(i) - mean)` over `|x_i - mean|^2`, whose sums are those of the formula; a
//! bootstrap over plates therefore holds the means of the groups.
//!
//! # Reference
//! Buettner et al. 2019; scib-metrics 0.5.10, `principal_component_regression(categorical=True)`; scib 1.1.7,
//! `pc_regression(n_comps=50)`.

use bench_core::{Card, Matrix};
use rayon::prelude::*;

use super::shared::{at_least_two, level_sums};
use crate::embedding::{
    EmbeddingCard, EmbeddingMetric, MeanOver, Measured, NullCost, Part, Roles, Side, Space, summary,
};

/// The card over all components.
pub static ALL_CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "pcr",
        title: "PCR (eta squared)",
        what: "The share of the total variance that lies between units. Constant embedding: not defined, it has no variance.",
        formula: "sum_g n_g |mean_g - mean|^2 / sum_i |x_i - mean|^2",
        better: "lower",
        range: "0 to 1",
        limits: "Sees means only; variance of a confounded label counts as that of the unit.",
        reference: "scib-metrics 0.5.10, principal_component_regression(categorical=True), all components",
    },
    side: Side::Batch,
    dialect: "scib-metrics",
    best: "noise",
    worst: "one-hot-source",
};

/// The card over 50 components.
pub static LEADING_CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "pcr-50",
        title: "PCR (50 components)",
        what: "The share of the variance along the first 50 principal components that lies between units. Constant embedding: not defined, it has no variance.",
        formula: "sum_k var_k R^2(PC_k ~ unit) / sum_k var_k, k = 1..50",
        better: "lower",
        range: "0 to 1",
        limits: "Sees means only, and only along 50 components.",
        reference: "scib 1.1.7, pc_regression(n_comps=50)",
    },
    side: Side::Batch,
    dialect: "scib",
    best: "noise",
    worst: "one-hot-source",
};

/// Principal component regression.
#[derive(Clone, Copy, Debug)]
pub enum Pcr {
    /// All components, in closed form.
    All,
    /// The first 50.
    Leading,
}

impl EmbeddingMetric for Pcr {
    fn card(&self) -> &'static EmbeddingCard {
        match self {
            Self::All => &ALL_CARD,
            Self::Leading => &LEADING_CARD,
        }
    }

    fn null_cost(&self) -> NullCost {
        match self {
            Self::All => NullCost::Pass,
            Self::Leading => NullCost::Low,
        }
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        at_least_two(roles.unit, roles.unit_name)?;
        match self {
            Self::All => finish(contributions(space.treated, roles, None), roles),
            Self::Leading => {
                let leading = space.leading()?;
                // Variances are those of the fit; the coordinates' own differ from them by rounding alone.
                finish(contributions(&leading.scores, roles, Some(&leading.variance)), roles)
            }
        }
    }
}

/// By how much a correction lowers the share that a unit explains: 1 if nothing is left, 0 if it is not lower.
pub fn comparison(before: f64, after: f64) -> f64 {
    if before > 0.0 { ((before - after) / before).max(0.0) } else { 0.0 }
}

/// What rows contribute.
struct Contributions {
    /// Of every row to the variance between units.
    between: Vec<f64>,
    /// Of every row to all variance.
    all: Vec<f64>,
    /// A variance that rounding of the mean can make of equal rows.
    rounding: f64,
}

/// Contributions of all rows. Columns whose variance is zero in `keep` are left out.
fn contributions(matrix: &Matrix, roles: &Roles<'_>, keep: Option<&[f64]>) -> Contributions {
    let (n, d) = (matrix.rows(), matrix.cols());
    let counts = roles.unit.counts();
    let mut sums = level_sums(matrix, &roles.unit.codes, counts.len());
    let mut mean = vec![0.0; d];
    for sum in sums.chunks_exact(d) {
        mean.iter_mut().zip(sum).for_each(|(mean, x)| *mean += x / n as f64);
    }
    for (sum, &count) in sums.chunks_exact_mut(d).zip(&counts) {
        sum.iter_mut().zip(&mean).for_each(|(x, mean)| *x = if count > 0 { *x / count as f64 - mean } else { 0.0 });
    }
    let used: Vec<bool> = (0..d).map(|at| keep.is_none_or(|variance| variance[at] > 0.0)).collect();
    let (between, all) = (0..n)
        .into_par_iter()
        .map(|row| {
            let between = &sums[roles.unit.code(row) * d..(roles.unit.code(row) + 1) * d];
            let values = matrix.row(row).iter().zip(&mean).zip(between).zip(&used).filter(|(_, used)| **used);
            values.fold((0.0, 0.0), |(top, bottom), (((&x, mean), between), _)| {
                let x = f64::from(x) - mean;
                (top + x * between, bottom + x * x)
            })
        })
        .unzip();
    // Values are 32-bit: what varies at all is far above this.
    let rounding = 1e-26 * n as f64 * mean.iter().map(|mean| mean * mean).sum::<f64>();
    Contributions { between, all, rounding }
}

fn finish(contributions: Contributions, roles: &Roles<'_>) -> Result<Measured, String> {
    let Contributions { between: top, all: bottom, rounding } = contributions;
    let total: f64 = bottom.iter().sum();
    if total <= rounding {
        return Err("the embedding has no variance".to_owned());
    }
    let mut cells = vec![(0.0, 0_usize); roles.unit.level_count()];
    for (&code, top) in roles.unit.codes.iter().zip(&top) {
        let cell = &mut cells[code as usize];
        *cell = (cell.0 + top / total, cell.1 + 1);
    }
    let named = cells.into_iter().zip(&roles.unit.levels).filter(|((_, n), _)| *n > 0);
    let unit = summary::part_unit(roles.unit_name);
    let parts = named.map(|((value, n), name)| Part { unit, name: name.clone(), n, value, p: None }).collect();
    summary::of_rows(top, MeanOver::Ratio(bottom), roles, parts)
}

#[cfg(test)]
mod tests {
    use super::comparison;

    #[test]
    fn a_correction_that_makes_it_worse_scores_zero() {
        assert!((comparison(0.4, 0.1) - 0.75).abs() < 1e-12);
        assert_eq!(comparison(0.1, 0.4), 0.0);
        assert_eq!(comparison(0.0, 0.4), 0.0);
    }
}
