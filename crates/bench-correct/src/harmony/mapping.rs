//! What Harmony learned, for rows that it did not see.

use std::collections::BTreeMap;

use bench_core::Matrix;
use rayon::prelude::*;

use super::{ALPHA, CARD, Dialect, Harmony, cluster_sums, distances, soften, subtract, unit_rows};
use crate::correction::Fitted;
use crate::group::Group;
use crate::memory::Memory;
use crate::{Error, Origin};

/// Corrected rows, and what corrects others.
pub(super) struct Harmonised {
    pub(super) memory: Memory,
    pub(super) settings: Harmony,
    /// Centres of length one, `[k, d]`.
    pub(super) centre: Vec<f32>,
    /// Means of the clusters, `[k, d]`.
    pub(super) intercept: Vec<f64>,
    /// Terms of each batch, `[k, d]`.
    pub(super) batch: BTreeMap<String, Vec<f64>>,
    pub(super) notes: Vec<String>,
}

impl Harmonised {
    /// Soft assignments of rows to the clusters of the fit, `[n, k]`.
    fn shares(&self, matrix: &Matrix) -> Vec<f32> {
        let d = matrix.cols();
        let k = self.centre.len() / d;
        let unit = unit_rows(matrix, self.settings.dialect == Dialect::Zero);
        let mut shares = vec![0.0; matrix.rows() * k];
        distances(&unit, &self.centre, d, &mut shares);
        shares.par_chunks_mut(k).with_min_len(64).for_each(|row| soften(row, self.settings.sigma as f32, |_| 1.0));
        shares
    }

    /// Batch terms of a batch that was not fitted, from its controls.
    fn mapped(&self, matrix: &Matrix, origin: &Origin, group: &Group) -> Result<Vec<f64>, Error> {
        let controls: Vec<u32> = group.rows.iter().copied().filter(|&row| origin.is_control(row as usize)).collect();
        if controls.is_empty() {
            return Err(Error::NoControls { step: CARD.card.id.to_owned(), group: group.words() });
        }
        let (rows, d) = (matrix.take(&controls), matrix.cols());
        let k = self.centre.len() / d;
        let shares = self.shares(&rows);
        let mut terms = cluster_sums(&shares, rows.data(), k, d);
        for (c, (terms, intercept)) in terms.chunks_exact_mut(d).zip(self.intercept.chunks_exact(d)).enumerate() {
            let weight: f64 = shares.iter().skip(c).step_by(k).map(|&share| f64::from(share)).sum();
            let ridge = self.settings.lambda.unwrap_or(ALPHA * weight).max(f64::MIN_POSITIVE);
            for (term, intercept) in terms.iter_mut().zip(intercept) {
                *term = (*term - weight * intercept) / (weight + ridge);
            }
        }
        Ok(terms)
    }
}

impl Fitted for Harmonised {
    fn apply(&self, matrix: &Matrix, origin: &Origin) -> Result<Matrix, Error> {
        let recalled = self.memory.recall(matrix, origin)?;
        let (mut out, d) = (recalled.matrix, matrix.cols());
        if recalled.unknown.is_empty() {
            return Ok(out);
        }
        let mut is_unknown = vec![false; matrix.rows()];
        recalled.unknown.iter().for_each(|&row| is_unknown[row as usize] = true);
        for group in self.settings.by.groups(CARD.card.id, origin)? {
            let unknown: Vec<u32> = group.rows.iter().copied().filter(|&row| is_unknown[row as usize]).collect();
            if unknown.is_empty() {
                continue;
            }
            let mapped;
            let term = match self.batch.get(&group.name) {
                Some(term) => term,
                None => {
                    mapped = self.mapped(matrix, origin, &group)?;
                    &mapped
                }
            };
            let rows = matrix.take(&unknown);
            let mut corrected = Matrix::zeros(rows.rows(), d);
            subtract(corrected.data_mut(), rows.data(), &self.shares(&rows), term, d);
            for (at, &row) in unknown.iter().enumerate() {
                out.data_mut()[row as usize * d..(row as usize + 1) * d].copy_from_slice(corrected.row(at));
            }
        }
        Ok(out)
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}
