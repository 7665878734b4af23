//! Grit: similarity to replicates in units of the similarity to controls.
//!
//! # What
//! How far a profile's similarity to its replicates stands out of its similarities to the negative controls.
//!
//! # Formula
//! Per row `mean over replicates of (r_ij - m_i) / s_i`, `r` Pearson, `m_i`, `s_i` mean and standard deviation (ddof
//! 0) of its correlations with the controls; the mean over rows of a compound, then over compounds. A deviation of
//! zero counts as one (as scikit-learn's scaler has it).
//!
//! # What it cannot show
//! It has no upper end: few or uniform controls make it large.
//!
//! # Reference
//! Way et al., Cell Systems 13:911 (2022); cytominer-eval 0.1 `grit`, profiles being wells and groups compounds.

use rayon::prelude::*;

use super::super::label::by_level;
use super::super::support::columns::{compound, wells};
use super::standardised;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, MeanOver, Measured, NullCost, Roles, Space};
use bench_geometry::product::products;

/// Rows of a task.
const ROWS: usize = 256;
/// Standard deviations of correlations below this are rounding.
const NOISE: f64 = 1e-9;

static CARD: EmbeddingCard = card! {
    id: "grit", title: "Grit",
    what: "Correlation with replicates in standard deviations of the correlation with controls.",
    formula: "mean over compounds, rows, replicates of (r - m) / s, r Pearson, m and s over the row's controls",
    better: "higher", range: "no bounds",
    limits: "No upper end; few or uniform controls make it large. Constant embedding: 0.",
    reference: "Way et al., Cell Systems 13:911 (2022)", side: Biology,
    dialect: "cytominer-eval 0.1 grit, wells as profiles, compounds as groups", best: "none: it has no upper end", worst: "noise",
};

/// The metric.
#[derive(Clone, Copy, Debug)]
pub struct Grit;

/// Sum of some rows.
fn sum_of(data: &[f64], dims: usize, rows: &[u32]) -> Vec<f64> {
    let mut sum = vec![0.0; dims];
    for &row in rows {
        let values = &data[row as usize * dims..(row as usize + 1) * dims];
        sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
    sum
}

impl EmbeddingMetric for Grit {
    fn card(&self) -> &'static EmbeddingCard {
        &CARD
    }

    fn null_cost(&self) -> NullCost {
        NullCost::Small
    }

    fn about_compounds(&self) -> bool {
        true
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        let compounds = compound(roles)?;
        let m = space.controls.rows();
        if m < 2 {
            return Err("there are fewer than two negative controls".to_owned());
        }
        let (treated, controls, dims) =
            (standardised(space.treated), standardised(space.controls), space.treated.cols());
        let (members, wells) = (compounds.members(), wells(roles.layout));
        let mut rows = vec![f64::NAN; roles.layout.rows];
        // The sum over replicates is a product with their sum.
        let sums: Vec<Vec<f64>> = members.par_iter().map(|members| sum_of(&treated, dims, members)).collect();
        rows.par_chunks_mut(ROWS).enumerate().for_each(|(block, rows)| {
            let start = block * ROWS;
            let left = &treated[start * dims..(start + rows.len()) * dims];
            let mut out = vec![0.0; rows.len() * m];
            products(left, &controls, dims, &mut out);
            for (i, (row, to_controls)) in rows.iter_mut().zip(out.chunks_exact(m)).enumerate() {
                let own = &left[i * dims..(i + 1) * dims];
                let mean = to_controls.iter().sum::<f64>() / m as f64;
                let variance = to_controls.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / m as f64;
                let deviation = if variance.sqrt() > NOISE { variance.sqrt() } else { 1.0 };
                let code = compounds.code(start + i);
                // Rows of the own well, the row itself among them, are no replicates.
                let (own_well, others): (Vec<u32>, Vec<u32>) =
                    members[code].iter().partition(|&&other| wells[other as usize] == wells[start + i]);
                if others.is_empty() {
                    continue;
                }
                let inside = sum_of(&treated, dims, &own_well);
                let sum: f64 = own.iter().zip(&sums[code]).zip(&inside).map(|((x, all), own)| x * (all - own)).sum();
                *row = (sum / others.len() as f64 - mean) / deviation;
            }
        });
        let parts = by_level(compounds, "compound", &rows);
        if parts.is_empty() {
            return Err("no compound has two wells".to_owned());
        }
        Ok(Measured {
            value: parts.iter().map(|part| part.value).sum::<f64>() / parts.len() as f64,
            n: rows.iter().filter(|value| !value.is_nan()).count(),
            rows,
            mean_over: MeanOver::Compounds,
            parts,
        })
    }
}
