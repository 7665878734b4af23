//! Similarity distributions of a compound with itself and with others, across batches or sources.
//!
//! # What
//! Every compound has a mean profile in every batch (source). The similarities of one compound across batches are
//! compared with those of different compounds across batches: the farther apart the two distributions, the more of a
//! compound survives the change.
//!
//! # Formula
//! `KS = max |F - G|`. `CvM = mean of (F - G)^2 over the joint sample`, between 0 and 1/3. Cosine similarity. Of the
//! pairs of different compounds at most [`PAIRS`] are drawn, with a seed.
//!
//! # What it cannot show
//! The direction: compounds that are less alike across batches than different ones score too; the part `difference`
//! gives mean similarity of the same less that of different compounds.
//!
//! # Reference
//! Kolmogorov-Smirnov and Cramer-von Mises as in "ViTally Consistent" (arXiv:2411.02572); `scipy.stats.ks_2samp`,
//! `cramervonmises_2samp`.

use bench_core::{Matrix, Seed};

use super::super::support::columns::{Centroids, compound};
use super::super::support::profiles::Profiles;
use super::super::support::stats::{Apart, apart};
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, NullCost, Part, Roles, Space};

/// Most pairs of each kind.
pub const PAIRS: usize = 100_000;

/// One distance across one unit.
#[derive(Clone, Copy, Debug)]
pub struct Distributions {
    card: &'static EmbeddingCard,
    unit: &'static str,
    reading: fn(&Apart) -> f64,
}

macro_rules! distributions {
    ($name:ident, $unit:literal, $reading:expr, $id:literal, $title:literal, $what:literal, $formula:literal, $range:literal) => {
        #[doc = $title]
        pub static $name: Distributions = Distributions {
            card: &card! {
                id: $id, title: $title, what: $what, formula: $formula, better: "higher", range: $range,
                limits: "Not the direction; see the part `difference`. Mean profiles hide the spread of wells. Constant \
                         embedding: 0.",
                reference: "ViTally Consistent, arXiv:2411.02572", side: Biology,
                dialect: "mean profiles per compound and unit, cosine, at most 100000 pairs of each kind", best: "one-hot-compound", worst: "noise",
            },
            unit: $unit,
            reading: $reading,
        };
    };
}

distributions!(
    BATCH_KS,
    "batch",
    |apart| apart.kolmogorov_smirnov,
    "cross-batch-ks",
    "Consistency across batches, KS",
    "How far similarities of one compound across batches are from those of different compounds.",
    "max |F - G|",
    "0 to 1"
);
distributions!(
    BATCH_CVM,
    "batch",
    |apart| apart.squared,
    "cross-batch-cvm",
    "Consistency across batches, Cramer-von Mises",
    "How far similarities of one compound across batches are from those of different compounds.",
    "mean of (F - G)^2 over the joint sample",
    "0 to about 1/3"
);
distributions!(
    SOURCE_KS,
    "source",
    |apart| apart.kolmogorov_smirnov,
    "cross-source-ks",
    "Consistency across sources, KS",
    "How far similarities of one compound across sources are from those of different compounds.",
    "max |F - G|",
    "0 to 1"
);
distributions!(
    SOURCE_CVM,
    "source",
    |apart| apart.squared,
    "cross-source-cvm",
    "Consistency across sources, Cramer-von Mises",
    "How far similarities of one compound across sources are from those of different compounds.",
    "mean of (F - G)^2 over the joint sample",
    "0 to about 1/3"
);

/// Cosine similarities of mean profiles across units: of the same compound, of different ones.
pub(crate) fn similarities(space: &Space<'_>, roles: &Roles<'_>, unit: &str) -> Result<(Vec<f64>, Vec<f64>), String> {
    let compounds = compound(roles)?;
    let factor = roles.layout.unit(unit).ok_or_else(|| format!("there is no {unit} column"))?;
    let centroids = Centroids::of(space, compounds, factor);
    let none = Matrix::zeros(0, space.treated.cols());
    let cells = Space::new(&centroids.matrix, &none);
    let profiles = Profiles::treated(&cells);
    let similarity = |a: usize, b: usize| 1.0 - profiles.distance(a, b);
    let mut by_compound = vec![Vec::new(); compounds.level_count()];
    for (cell, &compound) in centroids.compound.iter().enumerate() {
        by_compound[compound as usize].push(cell);
    }
    let mut same: Vec<(usize, usize)> = by_compound
        .iter()
        .flat_map(|cells| cells.iter().enumerate().flat_map(|(i, &a)| cells[i + 1..].iter().map(move |&b| (a, b))))
        .collect();
    if same.is_empty() {
        return Err(format!("no compound is in two levels of `{unit}`"));
    }
    let seed = Seed(0).derive("distributions", 0);
    if same.len() > PAIRS {
        seed.derive("same", 0).stream().shuffle(&mut same);
        same.truncate(PAIRS);
    }
    let n = centroids.compound.len();
    let differ = |a: usize, b: usize| {
        centroids.compound[a] != centroids.compound[b] && centroids.source[a] != centroids.source[b]
    };
    let mut different: Vec<(usize, usize)> = Vec::new();
    if n * (n - 1) / 2 <= PAIRS {
        different.extend((0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))).filter(|&(a, b)| differ(a, b)));
    } else {
        let mut stream = seed.derive("different", 0).stream();
        // In a balanced table most tries succeed; the limit is for tables where hardly any pair differs in both.
        for _ in 0..20 * PAIRS {
            let (a, b) = (stream.below(n), stream.below(n));
            if differ(a, b) {
                different.push((a, b));
            }
            if different.len() == PAIRS {
                break;
            }
        }
    }
    if different.is_empty() {
        return Err(format!("there are no two compounds in two levels of `{unit}`"));
    }
    let values = |pairs: &[(usize, usize)]| pairs.iter().map(|&(a, b)| similarity(a, b)).collect();
    Ok((values(&same), values(&different)))
}

impl EmbeddingMetric for Distributions {
    fn card(&self) -> &'static EmbeddingCard {
        self.card
    }

    fn null_cost(&self) -> NullCost {
        NullCost::Small
    }

    fn about_compounds(&self) -> bool {
        true
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        let (mut same, mut different) = similarities(space, roles, self.unit)?;
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let difference = mean(&same) - mean(&different);
        let apart = apart(&mut same, &mut different);
        let part =
            Part { unit: "difference", name: "mean similarity".to_owned(), n: same.len(), value: difference, p: None };
        Ok(Measured { value: (self.reading)(&apart), n: same.len(), parts: vec![part], ..Measured::default() })
    }
}
