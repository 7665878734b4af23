//! Silhouettes of isolated labels.
//!
//! # What
//! The mean silhouette of the labels that occur in the fewest units (batches): those that a correction, which has
//! little to align them by, may smear into others.
//!
//! # Formula
//! Mean over labels in at most `t` units of the mean of `(s_i + 1) / 2`, Euclidean; `t` the least number of units that
//! any label is in.
//!
//! # What it cannot show
//! Where every label is in every unit nothing is isolated, and the value is that of all labels.
//!
//! # Reference
//! Luecken et al. 2022; scib-metrics 0.5.10 `isolated_labels`.

use bench_geometry::neighbours::Metric;

use super::silhouette::silhouettes;
use super::{by_level, check_labels};
use crate::embedding::{EmbeddingCard, EmbeddingMetric, MeanOver, Measured, NullCost, Roles, Space};

static CARD: EmbeddingCard = card! {
    id: "isolated-labels", title: "Isolated labels",
    what: "Silhouette of the labels that occur in the fewest units.",
    formula: "mean over labels in at most t units of mean (s + 1) / 2, Euclidean, t = least units of any label",
    better: "higher", range: "0 to 1",
    limits: "Where every label is in every unit, the value is that of all labels. One or two labels may decide \
             it. Constant embedding: 0.5.",
    reference: "Luecken et al., Nature Methods 19:41 (2022)", side: Biology,
    dialect: "scib-metrics 0.5.10 isolated_labels", best: "one-hot-label", worst: "noise",
};

/// The metric.
#[derive(Clone, Copy, Debug)]
pub struct IsolatedLabels;

impl EmbeddingMetric for IsolatedLabels {
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
        check_labels(roles.label)?;
        let labels = roles.label.level_count();
        let mut seen = vec![vec![false; roles.unit.level_count()]; labels];
        for row in 0..roles.layout.rows {
            seen[roles.label.code(row)][roles.unit.code(row)] = true;
        }
        let units: Vec<usize> = seen.iter().map(|units| units.iter().filter(|&&seen| seen).count()).collect();
        let fewest = units.iter().copied().filter(|&count| count > 0).min().unwrap_or(0);
        let silhouettes = silhouettes(space, Metric::Euclidean, &roles.label.codes, labels);
        let rows: Vec<f64> = silhouettes
            .iter()
            .enumerate()
            .map(|(row, s)| if units[roles.label.code(row)] == fewest { (s + 1.0) / 2.0 } else { f64::NAN })
            .collect();
        let parts = by_level(roles.label, "label", &rows);
        Ok(Measured {
            value: parts.iter().map(|part| part.value).sum::<f64>() / parts.len() as f64,
            n: rows.iter().filter(|value| !value.is_nan()).count(),
            rows,
            mean_over: MeanOver::Labels,
            parts,
        })
    }
}
