//! Perturbation consistency: how alike the replicates of a compound point.
//!
//! # What
//! The mean cosine similarity of the wells of a compound, against groups of as many wells of different compounds.
//!
//! # Formula
//! `c = (|sum of unit rows|^2 - n) / (n (n - 1))`, no pair listed. `p = (1 + random groups as consistent) / 1001`.
//! Parts carry `c` and p; the value is the mean over compounds of `(c - m) / (1 - m)`, at least -1, with `m` the mean
//! cosine of all pairs of wells: 0 is chance.
//!
//! # Deviations
//! EFAAR draws its null from genes that are not expressed and ranks without adding one (so p can be zero); compounds
//! have no such group, so the null is random groups of wells. EFAAR's value is `c`, which a direction common to all
//! rows (a mean that was not removed, a constant embedding) brings near 1; measured from `m` it is 0 there.
//!
//! # What it cannot show
//! Whether the wells are alike because they share a plate or a position.
//!
//! # Reference
//! Celik et al., PLOS Computational Biology 20:e1012463 (2024), EFAAR_benchmarking.

use bench_core::Seed;
use rayon::prelude::*;

use super::super::support::columns::compound;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, NullCost, Part, Roles, Space};

/// Random groups per size.
const DRAWS: usize = 1000;

static CARD: EmbeddingCard = card! {
    id: "perturbation-consistency", title: "Perturbation consistency",
    what: "Mean cosine similarity of the wells of a compound, from that of random wells (0) to identical ones (1).",
    formula: "mean over compounds of (c - m) / (1 - m), c = (|sum of unit rows|^2 - n) / (n (n - 1)), m of all wells",
    better: "higher", range: "-1 to 1",
    limits: "Wells may be alike because they share a plate or a position.",
    reference: "Celik et al., PLOS Computational Biology 20:e1012463 (2024)", side: Biology,
    dialect: "EFAAR_benchmarking cosine, from random wells, p with one added", best: "", worst: "noise",
};

/// The metric.
#[derive(Clone, Copy, Debug)]
pub struct PerturbationConsistency;

/// Mean cosine of all pairs of rows of length one or zero.
pub(crate) fn mean_cosine(rows: &[&[f32]]) -> f64 {
    let dims = rows.first().map_or(0, |row| row.len());
    let mut sum = vec![0.0_f64; dims];
    let mut own = 0.0;
    for row in rows {
        sum.iter_mut().zip(*row).for_each(|(sum, &value)| *sum += f64::from(value));
        own += row.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>();
    }
    let n = rows.len() as f64;
    (sum.iter().map(|sum| sum * sum).sum::<f64>() - own) / (n * (n - 1.0))
}

impl EmbeddingMetric for PerturbationConsistency {
    fn card(&self) -> &'static EmbeddingCard {
        &CARD
    }

    fn null_cost(&self) -> NullCost {
        NullCost::Unmoved
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        let compounds = compound(roles)?;
        let unit = space.unit_rows();
        let groups: Vec<(usize, Vec<u32>)> =
            compounds.members().into_iter().enumerate().filter(|(_, rows)| rows.len() > 1).collect();
        if groups.is_empty() {
            return Err("no compound has two wells".to_owned());
        }
        let mut sizes: Vec<usize> = groups.iter().map(|(_, rows)| rows.len()).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let mean = |rows: &[u32]| {
            let rows: Vec<&[f32]> = rows.iter().map(|&row| unit.row(row as usize)).collect();
            mean_cosine(&rows)
        };
        let nulls: Vec<Vec<f64>> = sizes
            .iter()
            .map(|&size| {
                (0..DRAWS)
                    .into_par_iter()
                    .map(|draw| {
                        let seed = Seed(0).derive(&format!("perturbation-consistency/{size}"), draw as u64);
                        let mut rows: Vec<u32> = Vec::with_capacity(size);
                        let mut stream = seed.stream();
                        while rows.len() < size {
                            let row = stream.below(unit.rows()) as u32;
                            if !rows.contains(&row) {
                                rows.push(row);
                            }
                        }
                        mean(&rows)
                    })
                    .collect()
            })
            .collect();
        let parts: Vec<Part> = groups
            .par_iter()
            .map(|(code, rows)| {
                let value = mean(rows);
                let null = &nulls[sizes.partition_point(|&size| size < rows.len())];
                let as_large = null.iter().filter(|&&other| other >= value - 1e-9).count();
                let p = (1 + as_large) as f64 / (1 + null.len()) as f64;
                Part { unit: "compound", name: compounds.levels[*code].clone(), n: rows.len(), value, p: Some(p) }
            })
            .collect();
        let everyone: Vec<u32> = (0..unit.rows() as u32).collect();
        let chance = mean(&everyone);
        let from_chance = |part: &Part| {
            // Where all wells are identical there is nothing to be more alike than.
            if 1.0 - chance > 1e-6 { ((part.value - chance) / (1.0 - chance)).max(-1.0) } else { 0.0 }
        };
        Ok(Measured {
            value: parts.iter().map(from_chance).sum::<f64>() / parts.len() as f64,
            n: parts.iter().map(|part| part.n).sum(),
            parts,
            ..Measured::default()
        })
    }
}
