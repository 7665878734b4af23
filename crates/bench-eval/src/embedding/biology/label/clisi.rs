//! Label purity of weighted neighbourhoods: cLISI.
//!
//! # What
//! How many labels a row's neighbourhood effectively holds, few being good.
//!
//! # Formula
//! Per row `p_j` proportional to `exp(-beta d_ij)` over 89 neighbours, `beta` such that the entropy of `p` is `log
//! 30`; `LISI = 1 / sum_labels (sum_j p_j)^2`; `(C - median LISI) / (C - 1)` with `C` labels. Fewer rows have shorter
//! lists and a third of their length as perplexity.
//!
//! # What it cannot show
//! Equal distances: the lowest rows of a tie are taken. The median hides up to half of the rows.
//!
//! # Reference
//! Korsunsky et al. 2019; scib-metrics 0.5.10 `clisi_knn` (bisection from `beta` = 1, 50 steps, tolerance 1e-5;
//! distances not squared; a list of 90 counts the row itself, which is masked).

use super::super::support::stats::median;
use super::{by_level, check_labels};
use crate::embedding::batch::lisi::Dialect;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, MeanOver, Measured, Roles, Space};

static CARD: EmbeddingCard = card! {
    id: "clisi", title: "cLISI",
    what: "How few labels the weighted neighbourhood of a row holds.",
    formula: "(C - median over rows of 1 / sum over labels of (sum of p_j)^2) / (C - 1), p of perplexity 30 over 90 \
              neighbours, the row masked",
    better: "higher", range: "0 to 1",
    limits: "The median hides up to half of the rows; of equal distances the lowest rows are taken. Constant embedding: \
             as pure as the first rows of the table, and flagged by the guards.",
    reference: "Korsunsky et al., Nature Methods 16:1289 (2019)", side: Biology,
    dialect: "scib-metrics 0.5.10 clisi_knn, Euclidean", best: "one-hot-label", worst: "noise",
};

/// The metric.
#[derive(Clone, Copy, Debug)]
pub struct Clisi;

impl EmbeddingMetric for Clisi {
    fn card(&self) -> &'static EmbeddingCard {
        &CARD
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        let labels = check_labels(roles.label)?;
        let lisi = space.lisi(Dialect::ScibMetrics)?.lisi(roles.label);
        let c = labels as f64;
        let scaled: Vec<f64> = lisi.iter().map(|lisi| (c - lisi) / (c - 1.0)).collect();
        Ok(Measured {
            value: median(&mut scaled.clone()),
            n: scaled.len(),
            parts: by_level(roles.label, "label", &scaled),
            rows: scaled,
            mean_over: MeanOver::Median,
        })
    }
}
