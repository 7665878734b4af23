//! Perturbation magnitude: how far the wells of a compound lie from the controls.
//!
//! # What
//! The energy distance between a compound's wells and the controls, against that of as many random controls and the
//! remaining ones.
//!
//! # Formula
//! `E = 2 mean |x - y| - mean |x - x'| - mean |y - y'|`, means over all ordered pairs. `p = (1 + draws as large) /
//! 201`. The value is the share of compounds with Benjamini-Hochberg q < 0.05; parts carry `E`, which has the units of
//! the embedding.
//!
//! # Deviations
//! EFAAR's null are genes that are not expressed. At most [`CONTROLS`] controls, drawn with a seed; compounds of at
//! least five wells, and of fewer than half as many as there are controls.
//!
//! # What it cannot show
//! A plate effect also moves wells away from controls of other plates.
//!
//! # Reference
//! Szekely and Rizzo 2013; Celik et al., PLOS Computational Biology 20:e1012463 (2024).

use bench_core::{Matrix, Seed};
use rayon::prelude::*;

use super::super::support::columns::compound;
use super::mp_value::sample;
use super::share_retrieved;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, NullCost, Part, Roles, Space};
use bench_geometry::product::products;

/// Most controls.
pub const CONTROLS: usize = 1000;
/// Fewest wells of a compound.
pub const WELLS: usize = 5;
/// Rows of a task.
const ROWS: usize = 128;
/// Share of the squared lengths below which a squared distance is rounding.
const NOISE: f64 = 1e-13;
/// Random groups of controls per size.
const DRAWS: usize = 200;

static CARD: EmbeddingCard = card! {
    id: "perturbation-magnitude", title: "Perturbation magnitude, share of compounds apart from controls",
    what: "Whether a compound's wells are farther from the controls than as many controls are from the others.",
    formula: "share of compounds with q < 0.05; E = 2 E|x - y| - E|x - x'| - E|y - y'|, p against 200 draws of controls",
    better: "higher", range: "0 to 1",
    limits: "Plate effects move wells away from controls of other plates too. Compounds of at least five wells. \
             Constant embedding: 0.",
    reference: "Szekely and Rizzo 2013; Celik et al., PLOS Computational Biology 20:e1012463 (2024)", side: Biology,
    dialect: "EFAAR_benchmarking, null of random controls, p with one added", best: "one-hot-compound", worst: "noise",
};

/// The metric.
#[derive(Clone, Copy, Debug)]
pub struct PerturbationMagnitude;

/// Rows less the mean of the controls, in `f64`, with their squared lengths.
struct Points {
    data: Vec<f64>,
    square: Vec<f64>,
}

impl Points {
    fn new(matrix: &Matrix, rows: &[u32], mean: &[f64]) -> Self {
        let mut data = Vec::with_capacity(rows.len() * mean.len());
        for &row in rows {
            data.extend(matrix.row(row as usize).iter().zip(mean).map(|(&value, mean)| f64::from(value) - mean));
        }
        let square = data.chunks_exact(mean.len().max(1)).map(|row| row.iter().map(|x| x * x).sum()).collect();
        Self { data, square }
    }

    /// Euclidean distances to other points, `[rows, others]`. What is below the rounding of the squared lengths is zero.
    fn distances(&self, others: &Points) -> Vec<f64> {
        let mut out = vec![0.0; self.square.len() * others.square.len()];
        products(&self.data, &others.data, self.data.len() / self.square.len(), &mut out);
        for (line, square) in out.chunks_exact_mut(others.square.len()).zip(&self.square) {
            for (value, other) in line.iter_mut().zip(&others.square) {
                let lengths = square + other;
                let squared = lengths - 2.0 * *value;
                *value = if squared <= NOISE * lengths { 0.0 } else { squared.sqrt() };
            }
        }
        out
    }
}

/// Energy distance of two samples, the mean distance within the second being known.
fn energy_distance(x: &Points, y: &Points, within_y: f64) -> f64 {
    let (n, m) = (x.square.len() as f64, y.square.len() as f64);
    let across: f64 = x.distances(y).iter().sum();
    let within: f64 = x.distances(x).iter().sum();
    2.0 * across / (n * m) - within / (n * n) - within_y
}

/// Energy distances of `size` random rows to the others, from a table of distances.
fn null(table: &[f64], m: usize, size: usize) -> Vec<f64> {
    let to_all: Vec<f64> = table.chunks_exact(m).map(|line| line.iter().sum()).collect();
    let total: f64 = to_all.iter().sum();
    (0..DRAWS)
        .into_par_iter()
        .map(|draw| {
            let seed = Seed(0).derive(&format!("perturbation-magnitude/{size}"), draw as u64);
            let rows = sample(m, size, seed);
            let inside: f64 =
                rows.iter().map(|&a| rows.iter().map(|&b| table[a as usize * m + b as usize]).sum::<f64>()).sum();
            let touching: f64 = rows.iter().map(|&a| to_all[a as usize]).sum();
            let (n, rest) = (size as f64, (m - size) as f64);
            let across = touching - inside;
            2.0 * across / (n * rest) - inside / (n * n) - (total - 2.0 * touching + inside) / (rest * rest)
        })
        .collect()
}

impl EmbeddingMetric for PerturbationMagnitude {
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
        let drawn = sample(space.controls.rows(), CONTROLS, Seed(0).derive("perturbation-magnitude", 0));
        let m = drawn.len();
        let groups: Vec<(usize, Vec<u32>)> = compounds
            .members()
            .into_iter()
            .enumerate()
            .filter(|(_, rows)| rows.len() >= WELLS && 2 * rows.len() < m)
            .collect();
        if groups.is_empty() {
            return Err(format!(
                "no compound has at least {WELLS} wells and fewer than half as many as the {m} controls"
            ));
        }
        let mut mean = vec![0.0; space.controls.cols()];
        for &row in &drawn {
            let values = space.controls.row(row as usize);
            mean.iter_mut().zip(values).for_each(|(mean, &value)| *mean += f64::from(value) / m as f64);
        }
        let controls = Points::new(space.controls, &drawn, &mean);
        let table: Vec<f64> = drawn
            .par_chunks(ROWS)
            .flat_map_iter(|rows| Points::new(space.controls, rows, &mean).distances(&controls))
            .collect();
        let mut sizes: Vec<usize> = groups.iter().map(|(_, rows)| rows.len()).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let nulls: Vec<Vec<f64>> = sizes.iter().map(|&size| null(&table, m, size)).collect();
        let among = table.iter().sum::<f64>() / (m * m) as f64;
        let parts: Vec<Part> = groups
            .par_iter()
            .map(|(code, rows)| {
                let wells = Points::new(space.treated, rows, &mean);
                let value = energy_distance(&wells, &controls, among);
                let null = &nulls[sizes.partition_point(|&size| size < rows.len())];
                let as_large = null.iter().filter(|&&other| other >= value * (1.0 - 1e-9)).count();
                let p = (1 + as_large) as f64 / (1 + null.len()) as f64;
                Part { unit: "compound", name: compounds.levels[*code].clone(), n: rows.len(), value, p: Some(p) }
            })
            .collect();
        Ok(share_retrieved(parts))
    }
}
