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

use bench_core::{Matrix, Seed};
use rayon::prelude::*;

use super::super::support::columns::compound;
use super::super::support::profiles::dot;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Groups, MeanOver, Measured, NullCost, Part, Roles, Space};

/// Random groups per size.
const DRAWS: usize = 1000;

static CARD: EmbeddingCard = card! {
    id: "perturbation-consistency", title: "Perturbation consistency",
    what: "Mean cosine similarity of the wells of a compound, from that of random wells (0) to identical ones (1).",
    formula: "mean over compounds of (c - m) / (1 - m), c = (|sum of unit rows|^2 - n) / (n (n - 1)), m of all wells",
    better: "higher", range: "-1 to 1",
    limits: "Wells may be alike because they share a plate or a position. Constant embedding: 0.",
    reference: "Celik et al., PLOS Computational Biology 20:e1012463 (2024)", side: Biology,
    dialect: "EFAAR_benchmarking cosine, from random wells, p with one added", best: "one-hot-compound", worst: "noise",
};

/// The metric.
#[derive(Clone, Copy, Debug)]
pub struct PerturbationConsistency;

/// The sum of some rows of length one or zero, and of their squared lengths.
struct Sums {
    sum: Vec<f64>,
    own: f64,
    n: f64,
}

impl Sums {
    fn new(dims: usize) -> Self {
        Self { sum: vec![0.0; dims], own: 0.0, n: 0.0 }
    }

    fn add(&mut self, row: &[f32]) {
        self.sum.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
        self.own += dot(row, row);
        self.n += 1.0;
    }

    /// Mean cosine of all pairs.
    fn mean_cosine(&self) -> f64 {
        (self.sum.iter().map(|sum| sum * sum).sum::<f64>() - self.own) / (self.n * (self.n - 1.0))
    }
}

/// Mean cosines of [`DRAWS`] random groups of every size (ascending); `[sizes][draws]`.
///
/// The first rows of a random order are a random group whatever their number: one order per draw serves all sizes.
fn null_means(unit: &Matrix, sizes: &[usize]) -> Vec<Vec<f64>> {
    let largest = sizes.last().copied().unwrap_or(0);
    let drawn: Vec<Vec<f64>> = (0..DRAWS)
        .into_par_iter()
        .map(|draw| {
            let mut stream = Seed(0).derive("perturbation-consistency", draw as u64).stream();
            let rows = stream.sample(unit.rows(), largest);
            let (mut sums, mut next) = (Sums::new(unit.cols()), 0);
            let means = sizes.iter().map(|&size| {
                rows[next..size].iter().for_each(|&row| sums.add(unit.row(row as usize)));
                next = size;
                sums.mean_cosine()
            });
            means.collect()
        })
        .collect();
    (0..sizes.len()).map(|at| drawn.iter().map(|draw| draw[at]).collect()).collect()
}

impl EmbeddingMetric for PerturbationConsistency {
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
            let mut sums = Sums::new(unit.cols());
            rows.iter().for_each(|&row| sums.add(unit.row(row as usize)));
            sums.mean_cosine()
        };
        let nulls = null_means(unit, &sizes);
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
        let values: Vec<f64> = parts.iter().map(from_chance).collect();
        Ok(Measured {
            value: values.iter().sum::<f64>() / parts.len() as f64,
            mean_over: MeanOver::Groups(Groups::one_each("compound", values)),
            n: parts.iter().map(|part| part.n).sum(),
            parts,
            ..Measured::default()
        })
    }
}
