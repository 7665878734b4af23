//! Mantel test, or representational similarity, between sources.
//!
//! # What
//! Whether compounds that are far apart in one source are far apart in another.
//!
//! # Formula
//! Spearman's correlation of the cosine distances between mean profiles of shared compounds in two sources, equal
//! distances sharing their mean rank; p of each pair of sources is `(1 + permutations of compounds as large) / 1000`.
//!
//! # What it cannot show
//! At most [`COMPOUNDS`] shared compounds, drawn with a seed, are compared. A batch effect that moves all compounds of
//! a source alike is invisible.
//!
//! # Reference
//! Mantel 1967; Kriegeskorte et al. 2008. p as in `skbio.stats.distance.mantel` (one-sided).

use bench_core::{Matrix, Seed};
use rayon::prelude::*;

use super::super::support::columns::{Centroids, compound, sources};
use super::super::support::profiles::Profiles;
use super::super::support::stats::{average_ranks, pearson};
use super::{mean_of, pairs};
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, NullCost, Part, Roles, Space};

/// Most compounds of a pair of sources.
pub const COMPOUNDS: usize = 500;
/// Permutations.
const PERMUTATIONS: usize = 999;

static CARD: EmbeddingCard = card! {
    id: "mantel", title: "Mantel correlation between sources",
    what: "Whether compounds that are far apart in one source are far apart in another.",
    formula: "mean over pairs of sources of Spearman's correlation of cosine distances between mean profiles",
    better: "higher", range: "-1 to 1",
    limits: "At most 500 shared compounds. A shift common to all compounds of a source is invisible. \
             Constant embedding: not defined, no distance differs.",
    reference: "Mantel 1967; Kriegeskorte et al. 2008", side: Biology,
    dialect: "Spearman, 999 permutations of compounds, one-sided", best: "random-compound", worst: "noise",
};

/// The metric.
#[derive(Clone, Copy, Debug)]
pub struct Mantel;

/// Ranks of the distances between rows, both triangles. `[m, m]`, the diagonal zero.
fn ranks(profiles: &Profiles<'_>, rows: &[u32]) -> (Vec<f64>, Vec<f64>) {
    let m = rows.len();
    let distances: Vec<f64> = pairs(m).map(|(i, j)| profiles.distance(rows[i] as usize, rows[j] as usize)).collect();
    let ranks = average_ranks(&distances);
    let mut square = vec![0.0; m * m];
    for ((i, j), &rank) in pairs(m).zip(&ranks) {
        square[i * m + j] = rank;
        square[j * m + i] = rank;
    }
    (ranks, square)
}

/// Correlation of the distances between two lists of rows, and p; `None` if the distances of one are all equal.
pub(crate) fn mantel(profiles: &Profiles<'_>, a: &[u32], b: &[u32], seed: Seed) -> Option<(f64, f64)> {
    let m = a.len();
    let ((x, _), (y, square)) = (ranks(profiles, a), ranks(profiles, b));
    let observed = pearson(&x, &y)?;
    // Under a permutation the ranks stay the same, so only the sum of products changes.
    let sum: f64 = x.iter().zip(&y).map(|(a, b)| a * b).sum();
    let as_large: usize = (0..PERMUTATIONS)
        .into_par_iter()
        .map(|draw| {
            let order = seed.derive("permutation", draw as u64).stream().permutation(m);
            let permuted: f64 =
                pairs(m).zip(&x).map(|((i, j), rank)| rank * square[order[i] as usize * m + order[j] as usize]).sum();
            usize::from(permuted >= sum * (1.0 - 1e-12))
        })
        .sum();
    Some((observed, (1 + as_large) as f64 / (1 + PERMUTATIONS) as f64))
}

impl EmbeddingMetric for Mantel {
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
        let (compounds, factor) = (compound(roles)?, sources(roles)?);
        let centroids = Centroids::of(space, compounds, factor);
        let none = Matrix::zeros(0, space.treated.cols());
        let cells = Space::new(&centroids.matrix, &none);
        let profiles = Profiles::treated(&cells);
        let by_source = centroids.by_source();
        let mut flat = false;
        let mut parts = Vec::new();
        for (a, b) in pairs(by_source.len()) {
            let seed = Seed(0).derive("mantel", (a * by_source.len() + b) as u64);
            let mut shared = centroids.shared(&by_source[a], &by_source[b]);
            if shared.len() < 4 {
                continue;
            }
            if shared.len() > COMPOUNDS {
                seed.derive("compounds", 0).stream().shuffle(&mut shared);
                shared.truncate(COMPOUNDS);
                shared.sort_unstable();
            }
            let (left, right): (Vec<u32>, Vec<u32>) = shared.into_iter().unzip();
            match mantel(&profiles, &left, &right, seed) {
                Some((value, p)) => parts.push(Part {
                    unit: "source-source",
                    name: format!("{} - {}", centroids.names[a], centroids.names[b]),
                    n: left.len(),
                    value,
                    p: Some(p),
                }),
                None => flat = true,
            }
        }
        let why = if flat { "all distances of a source are equal" } else { "no two sources share four compounds" };
        Ok(Measured {
            value: mean_of(&parts, why)?,
            n: parts.iter().map(|part| part.n).sum(),
            parts,
            ..Measured::default()
        })
    }
}
