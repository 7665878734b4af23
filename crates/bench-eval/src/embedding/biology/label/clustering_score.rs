//! Clustering score: do clusters follow the label or the unit?
//!
//! # What
//! For two labels in two units, rows are clustered by k-means on unit rows; the number of clusters is the one of best
//! cosine silhouette. The score says how much better the clusters agree with the label than with the unit.
//!
//! # Formula
//! `mean over pairs and trials of ARI(label, cluster) - ARI(unit, cluster)`.
//!
//! # Deviations
//! PathoROB's code tries 20 starts for each K from 2 to 30 and 50 trials of 5 starts on every pair, and fixes K on the
//! first pair; `clustering-score-pathorob` does the same. The default here chooses K on each pair, tries 3 starts and 10
//! trials, at most 20 pairs and 100 rows per label and unit, drawn with a seed.
//!
//! # What it cannot show
//! How labels that are not compared in a pair lie to each other.
//!
//! # Reference
//! PathoROB (arXiv:2507.17845), `clustering_score`.

use bench_core::{Matrix, Seed};
use bench_geometry::neighbours::Metric;
use rayon::prelude::*;

use super::agreement::ari;
use super::gram_means::Gram;
use super::silhouette::silhouettes;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Groups, MeanOver, Measured, NullCost, Part, Roles, Space};
use bench_geometry::kmeans::{KMeansSettings, Start, kmeans};

static CARD: EmbeddingCard = card! {
    id: "clustering-score", title: "Clustering score",
    what: "How much better k-means clusters agree with the label than with the unit, over two labels in two units.",
    formula: "mean over pairs and trials of ARI(label, cluster) - ARI(unit, cluster), K of best cosine silhouette in 2..30",
    better: "higher", range: "-1.5 to 1.5",
    limits: "A sample of pairs and rows. An embedding without clusters scores near 0. Constant embedding: 0.",
    reference: "PathoROB, arXiv:2507.17845", side: Biology,
    dialect: "pathorob, K chosen on each pair, 20 pairs, 3 + 10 x 5 starts", best: "one-hot-label", worst: "one-hot-source",
};

static PATHOROB_CARD: EmbeddingCard = card! {
    id: "clustering-score-pathorob", title: "Clustering score (PathoROB)",
    what: "How much better k-means clusters agree with the label than with the unit, over two labels in two units, with the numbers of PathoROB.",
    formula: "mean over pairs and trials of ARI(label, cluster) - ARI(unit, cluster), K of best cosine silhouette in 2..30 on the first pair",
    better: "higher", range: "-1.5 to 1.5",
    limits: "K suits the first pair. Takes minutes on large tables. An embedding without clusters scores near 0. Constant embedding: 0.",
    reference: "PathoROB, arXiv:2507.17845", side: Biology,
    dialect: "pathorob, K of the first pair, all pairs and rows, 20 + 50 x 5 starts", best: "one-hot-label", worst: "one-hot-source",
};

/// How many of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusteringSettings {
    /// Largest K that is tried; the least is 2.
    pub largest: usize,
    /// Starts per K.
    pub search: usize,
    /// Clusterings with the K found.
    pub trials: usize,
    /// Starts per clustering.
    pub restarts: usize,
    /// Most pairs of labels and units.
    pub pairs: usize,
    /// Most rows of a label in a unit.
    pub rows: usize,
    /// Whether K is chosen on the first pair alone.
    pub first_pair_decides: bool,
}

/// The default.
pub const DEFAULT: ClusteringSettings = ClusteringSettings {
    largest: 30,
    search: 3,
    trials: 10,
    restarts: 5,
    pairs: 20,
    rows: 100,
    first_pair_decides: false,
};
/// PathoROB's numbers.
pub const PATHOROB: ClusteringSettings = ClusteringSettings {
    largest: 30,
    search: 20,
    trials: 50,
    restarts: 5,
    pairs: usize::MAX,
    rows: usize::MAX,
    first_pair_decides: true,
};

/// Rows of a pair up to which the products of all rows are held.
const BY_PRODUCTS: usize = 2048;

/// The metric.
#[derive(Clone, Copy, Debug)]
pub struct ClusteringScore;

/// Measures with given numbers.
///
/// # Errors
/// No two labels that both occur in two units.
pub fn clustering_score(
    space: &Space<'_>,
    roles: &Roles<'_>,
    settings: ClusteringSettings,
    seed: Seed,
) -> Result<Measured, String> {
    let (labels, units) = (roles.label.level_count(), roles.unit.level_count());
    let mut cells = vec![Vec::new(); labels * units];
    for row in 0..roles.layout.rows {
        cells[roles.label.code(row) * units + roles.unit.code(row)].push(row as u32);
    }
    for (at, cell) in cells.iter_mut().enumerate() {
        if cell.len() > settings.rows {
            seed.derive("clustering-score/rows", at as u64).stream().shuffle(cell);
            cell.truncate(settings.rows);
            cell.sort_unstable();
        }
    }
    let mut pairs: Vec<[usize; 4]> = Vec::new();
    for (a, b) in (0..labels).flat_map(|a| (a + 1..labels).map(move |b| (a, b))) {
        let both: Vec<usize> =
            (0..units).filter(|u| !cells[a * units + u].is_empty() && !cells[b * units + u].is_empty()).collect();
        pairs.extend(both.iter().enumerate().flat_map(|(i, &u)| both[i + 1..].iter().map(move |&v| [a, b, u, v])));
    }
    if pairs.is_empty() {
        return Err(format!("no two labels both occur in two levels of `{}`", roles.unit_name));
    }
    if pairs.len() > settings.pairs {
        seed.derive("clustering-score/pairs", 0).stream().shuffle(&mut pairs);
        pairs.truncate(settings.pairs);
        pairs.sort_unstable();
    }
    let drawn: Vec<(Matrix, Vec<u32>, Seed)> = pairs
        .iter()
        .map(|&[a, b, u, v]| {
            let of = |label: usize, unit: usize| cells[label * units + unit].as_slice();
            let rows = [of(a, u), of(a, v), of(b, u), of(b, v)].concat();
            // The seed is the pair's own: which other pairs there are does not matter.
            let seed = seed.derive("clustering-score", ((a * labels + b) * units * units + u * units + v) as u64);
            (space.unit_rows().take(&rows), rows, seed)
        })
        .collect();
    let fixed = settings.first_pair_decides.then(|| Pair::new(&drawn[0].0).best_k(settings, drawn[0].2));
    let parts: Vec<Part> = pairs
        .par_iter()
        .zip(&drawn)
        .map(|(&[a, b, u, v], (unit_rows, rows, seed))| {
            let codes = |column: &[u32]| -> Vec<u32> { rows.iter().map(|&row| column[row as usize]).collect() };
            let name = [&roles.label.levels[a], &roles.label.levels[b], &roles.unit.levels[u], &roles.unit.levels[v]];
            let pair = Pair::new(unit_rows);
            let k = fixed.unwrap_or_else(|| pair.best_k(settings, *seed));
            let value = pair.score(&codes(&roles.label.codes), &codes(&roles.unit.codes), k, settings, *seed);
            let name = name.map(String::as_str).join(" / ");
            Part { unit: "label-pair / unit-pair", name, n: rows.len(), value, p: None }
        })
        .collect();
    let mut groups = Groups::one_each("pair of labels", parts.iter().map(|part| part.value).collect());
    groups.group = pairs.iter().map(|&[a, b, ..]| (a * labels + b) as u32).collect();
    Ok(Measured {
        mean_over: MeanOver::Groups(groups),
        value: parts.iter().map(|part| part.value).sum::<f64>() / parts.len() as f64,
        n: parts.iter().map(|part| part.n).sum(),
        parts,
        ..Measured::default()
    })
}

/// The rows of one pair of labels and units, of unit length, and the products of all of them where they fit.
struct Pair<'a> {
    rows: &'a Matrix,
    gram: Option<Gram>,
}

impl<'a> Pair<'a> {
    fn new(rows: &'a Matrix) -> Self {
        Self { rows, gram: (rows.rows() <= BY_PRODUCTS).then(|| Gram::new(rows)) }
    }

    /// k-means from random rows.
    fn cluster(&self, k: usize, restarts: usize, seed: Seed) -> Vec<u32> {
        let settings = KMeansSettings { restarts, start: Start::Random, ..KMeansSettings::new(k) };
        match &self.gram {
            Some(gram) => gram.kmeans(&settings, seed),
            None => kmeans(self.rows, &settings, seed).cluster,
        }
    }

    /// Mean cosine silhouette.
    fn width(&self, clusters: &[u32], k: usize) -> f64 {
        match &self.gram {
            Some(gram) => gram.cosine_silhouette(clusters, k),
            None => {
                let none = Matrix::zeros(0, self.rows.cols());
                let silhouettes = silhouettes(&Space::new(self.rows, &none), Metric::Cosine, clusters, k);
                silhouettes.iter().sum::<f64>() / silhouettes.len() as f64
            }
        }
    }

    /// The number of clusters of best cosine silhouette.
    fn best_k(&self, settings: ClusteringSettings, seed: Seed) -> usize {
        let mut best = (f64::NEG_INFINITY, 2);
        for k in 2..=settings.largest.min(self.rows.rows().saturating_sub(1)) {
            let width = self.width(&self.cluster(k, settings.search, seed.derive("search", k as u64)), k);
            if width > best.0 {
                best = (width, k);
            }
        }
        best.1
    }

    /// The score with `k` clusters.
    fn score(&self, label: &[u32], unit: &[u32], k: usize, settings: ClusteringSettings, seed: Seed) -> f64 {
        let trials = settings.trials.max(1);
        let scores = (0..trials).map(|trial| {
            let clusters = self.cluster(k.min(self.rows.rows()), settings.restarts, seed.derive("trial", trial as u64));
            ari(label, &clusters) - ari(unit, &clusters)
        });
        scores.sum::<f64>() / trials as f64
    }
}

impl EmbeddingMetric for ClusteringScore {
    fn card(&self) -> &'static EmbeddingCard {
        &CARD
    }

    fn per_unit(&self) -> bool {
        true
    }

    fn null_cost(&self) -> NullCost {
        NullCost::Small
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        clustering_score(space, roles, DEFAULT, Seed(0))
    }
}

/// The metric with the numbers of PathoROB.
#[derive(Clone, Copy, Debug)]
pub struct PathorobClusteringScore;

impl EmbeddingMetric for PathorobClusteringScore {
    fn card(&self) -> &'static EmbeddingCard {
        &PATHOROB_CARD
    }

    fn per_unit(&self) -> bool {
        true
    }

    fn null_cost(&self) -> NullCost {
        NullCost::Pairs
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        clustering_score(space, roles, PATHOROB, Seed(0))
    }
}
