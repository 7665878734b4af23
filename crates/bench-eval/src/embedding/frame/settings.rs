//! What the frame is asked to do.

use bench_core::Seed;

use crate::embedding::{EmbeddingMetric, metrics};

/// Settings of [`super::measure`].
#[derive(Clone)]
pub struct Settings<'a> {
    /// Metrics, in order of report.
    pub metrics: Vec<&'a dyn EmbeddingMetric>,
    /// Nuisance units, coarsest first; those that the layout lacks are left out.
    pub units: Vec<&'a str>,
    /// Permutations of metrics whose null costs little; none leaves it out.
    pub permutations: usize,
    /// Permutations of those that pass over the matrix each time.
    pub pass_permutations: usize,
    /// Permutations of those that meet all pairs of a label each time (performance drop): none by default.
    pub pair_permutations: usize,
    /// Most treated rows at which a metric is measured anew without groups of plates (an interval), or its rankings under
    /// permutations (a null). Larger tables get a remark instead.
    pub jackknife_rows: usize,
    /// Bootstrap draws; none leaves intervals out.
    pub draws: usize,
    /// Run seed.
    pub seed: Seed,
}

impl Default for Settings<'_> {
    fn default() -> Self {
        Self {
            metrics: metrics().map(|metric| metric as &dyn EmbeddingMetric).collect(),
            units: vec!["source", "batch", "plate"],
            permutations: 100,
            pass_permutations: 20,
            pair_permutations: 0,
            jackknife_rows: 6000,
            draws: 500,
            seed: Seed(0),
        }
    }
}
