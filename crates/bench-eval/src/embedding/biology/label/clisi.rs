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

use bench_geometry::neighbours::Metric;
use rayon::prelude::*;

use super::super::support::stats::median;
use super::{by_level, check_labels};
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, Roles, Space};

const STEPS: usize = 50;
const TOLERANCE: f64 = 1e-5;
/// Entries of the longest list, the row itself counted.
const ENTRIES: usize = 90;

static CARD: EmbeddingCard = card! {
    id: "clisi", title: "cLISI",
    what: "How few labels the weighted neighbourhood of a row holds.",
    formula: "(C - median over rows of 1 / sum over labels of (sum of p_j)^2) / (C - 1), p of perplexity 30 over 90 \
              neighbours, the row masked",
    better: "higher", range: "0 to 1",
    limits: "The median hides up to half of the rows; of equal distances the lowest rows are taken.",
    reference: "Korsunsky et al., Nature Methods 16:1289 (2019)", side: Biology,
    dialect: "scib-metrics 0.5.10 clisi_knn, Euclidean", best: "one-hot-label", worst: "noise",
};

/// The metric.
#[derive(Clone, Copy, Debug)]
pub struct Clisi;

/// LISI of one row; `None` where the weights vanish.
fn lisi(distance: &[f32], codes: &[usize], labels: usize, perplexity: f64) -> f64 {
    let mut p = vec![0.0_f64; distance.len()];
    let entropy = |beta: f64, p: &mut [f64]| {
        let mut sum = 0.0;
        for (p, &distance) in p.iter_mut().zip(distance) {
            *p = (-beta * f64::from(distance)).exp();
            sum += *p;
        }
        if sum == 0.0 {
            return 0.0;
        }
        let weighted: f64 = p.iter().zip(distance).map(|(p, &distance)| p * f64::from(distance)).sum();
        p.iter_mut().for_each(|p| *p /= sum);
        sum.ln() + beta * weighted / sum
    };
    let target = perplexity.ln();
    let (mut beta, mut low, mut high) = (1.0, f64::NEG_INFINITY, f64::INFINITY);
    let mut h = entropy(beta, &mut p);
    for _ in 0..STEPS {
        if (h - target).abs() < TOLERANCE {
            break;
        }
        if h > target {
            low = beta;
            beta = if high.is_infinite() { beta * 2.0 } else { (beta + high) / 2.0 };
        } else {
            high = beta;
            beta = if low.is_infinite() { beta / 2.0 } else { (beta + low) / 2.0 };
        }
        h = entropy(beta, &mut p);
    }
    if h == 0.0 {
        return -1.0;
    }
    let mut share = vec![0.0; labels];
    codes.iter().zip(&p).for_each(|(&code, p)| share[code] += p);
    1.0 / share.iter().map(|share| share * share).sum::<f64>()
}

impl EmbeddingMetric for Clisi {
    fn card(&self) -> &'static EmbeddingCard {
        &CARD
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        let labels = check_labels(roles.label)?;
        let graph = space.graph(Metric::Euclidean)?;
        let entries = ENTRIES.min(graph.k + 1);
        let perplexity = (entries / 3) as f64;
        if perplexity < 1.0 {
            return Err("too few rows for a neighbourhood".to_owned());
        }
        let lisi: Vec<f64> = (0..graph.n)
            .into_par_iter()
            .with_min_len(256)
            .map(|row| {
                let codes: Vec<usize> = graph.neighbours(row)[..entries - 1]
                    .iter()
                    .map(|&other| roles.label.code(other as usize))
                    .collect();
                lisi(&graph.distances(row)[..entries - 1], &codes, roles.label.level_count(), perplexity)
            })
            .collect();
        let c = labels as f64;
        let scaled: Vec<f64> = lisi.iter().map(|lisi| (c - lisi) / (c - 1.0)).collect();
        Ok(Measured {
            value: median(&mut scaled.clone()),
            n: scaled.len(),
            parts: by_level(roles.label, "label", &scaled),
            // A median is no mean over rows.
            ..Measured::default()
        })
    }
}
