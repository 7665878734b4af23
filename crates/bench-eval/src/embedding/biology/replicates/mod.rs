//! Replicates of a compound against chance, other compounds and controls.

pub mod distributions;
pub mod enrichment;
pub mod grit;
pub mod mp_value;
pub mod nearest;
pub mod percent;
pub mod perturbation_consistency;
pub mod perturbation_magnitude;

use bench_core::Matrix;

use super::map::fdr::benjamini_hochberg;
use crate::embedding::{Groups, MeanOver, Measured, Part};

/// Level of the tests whose share of rejections is a metric's value.
pub(crate) const LEVEL: f64 = 0.05;

/// Rows less their mean and of length one, so that products are Pearson correlations; a constant row is zero. `[n, d]`.
pub(crate) fn standardised(matrix: &Matrix) -> Vec<f64> {
    let mut out = Vec::with_capacity(matrix.data().len());
    for row in 0..matrix.rows() {
        let values = matrix.row(row);
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / values.len().max(1) as f64;
        let square: f64 = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum();
        // What is left of a constant row is the rounding of its mean.
        let floor = values.len() as f64 * (mean * 1e-12).powi(2);
        let scale = if square > floor { 1.0 / square.sqrt() } else { 0.0 };
        out.extend(values.iter().map(|&x| (f64::from(x) - mean) * scale));
    }
    out
}

/// The share of parts that a test with Benjamini-Hochberg correction retrieves; parts keep their raw p.
pub(crate) fn share_retrieved(parts: Vec<Part>) -> Measured {
    let p: Vec<f64> = parts.iter().map(|part| part.p.unwrap_or(1.0)).collect();
    let retrieved: Vec<f64> = benjamini_hochberg(&p).iter().map(|&q| f64::from(u8::from(q < LEVEL))).collect();
    Measured {
        value: retrieved.iter().sum::<f64>() / parts.len() as f64,
        mean_over: MeanOver::Groups(Groups::one_each("compound", retrieved)),
        n: parts.iter().map(|part| part.n).sum(),
        parts,
        ..Measured::default()
    }
}
