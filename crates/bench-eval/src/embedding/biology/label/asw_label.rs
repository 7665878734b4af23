//! Average silhouette width of labels.
//!
//! # What
//! Whether rows are nearer to their own label than to the next one, see [`silhouette`](super::silhouette).
//!
//! # Formula
//! `(mean s_i + 1) / 2`.
//!
//! # What it cannot show
//! Labels that are not one round cloud, such as a label split by batch, score low even if they never mix with another.
//! Values live in about 0.45 to 1: noise and a constant embedding score near 0.5.

use bench_geometry::neighbours::Metric;

use super::silhouette::silhouettes;
use super::{by_level, check_labels};
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, NullCost, Roles, Space};

/// The metric, with one of two distances.
#[derive(Clone, Copy, Debug)]
pub struct AswLabel {
    card: &'static EmbeddingCard,
    metric: Metric,
}

const WHAT: &str = "Whether rows are nearer to their own label than to the next one.";
const FORMULA: &str =
    "(mean s + 1) / 2, s = (b - a) / max(a, b), a mean distance to the own label, b to the nearest other";
const LIMITS: &str = "A label that is not one round cloud scores low without being mixed up with another. Noise scores \
                      a little below a half. Constant embedding: 0.5.";

/// Cosine distance: Arevalo 2024.
pub static COSINE: AswLabel = AswLabel {
    card: &card! {
        id: "asw-label-cosine", title: "ASW label, cosine", what: WHAT, formula: FORMULA, better: "higher",
        range: "0 to 1", limits: LIMITS, reference: "Rousseeuw 1987; scikit-learn silhouette_score(metric=\"cosine\")",
        side: Biology, dialect: "scib 1.1 rescaled, cosine as in arevalo2024", best: "one-hot-label", worst: "noise",
    },
    metric: Metric::Cosine,
};

/// Euclidean distance: scib, scib-metrics.
pub static EUCLIDEAN: AswLabel = AswLabel {
    card: &card! {
        id: "asw-label-euclidean", title: "ASW label, Euclidean", what: WHAT, formula: FORMULA, better: "higher",
        range: "0 to 1", limits: LIMITS, reference: "Rousseeuw 1987; Luecken et al. 2022; scib_metrics.silhouette_label",
        side: Biology, dialect: "scib-metrics 0.5.10 silhouette_label", best: "one-hot-label", worst: "noise",
    },
    metric: Metric::Euclidean,
};

impl EmbeddingMetric for AswLabel {
    fn card(&self) -> &'static EmbeddingCard {
        self.card
    }

    fn null_cost(&self) -> NullCost {
        if self.metric == Metric::Cosine { NullCost::Pass } else { NullCost::Small }
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        check_labels(roles.label)?;
        let silhouettes = silhouettes(space, self.metric, &roles.label.codes, roles.label.level_count());
        let rows: Vec<f64> = silhouettes.iter().map(|s| (s + 1.0) / 2.0).collect();
        Ok(Measured {
            value: rows.iter().sum::<f64>() / rows.len() as f64,
            n: rows.len(),
            parts: by_level(roles.label, "label", &rows),
            rows,
            ..Measured::default()
        })
    }
}
