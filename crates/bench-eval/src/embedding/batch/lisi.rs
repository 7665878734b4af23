//! Probabilities of neighbours at a fixed perplexity, from which every dialect of LISI follows.
//!
//! # What
//! For every row, weights of its neighbours such that their entropy is the logarithm of the perplexity; then the sum of
//! squared shares of each level among them, and its inverse: the effective number of levels around the row.
//!
//! # Formula
//! `p_j ~ exp(-beta d_ij)`, distances not squared; `beta` by bisection from 1 until `|H - log perplexity| < 1e-5` or
//! after 50 steps; `LISI = 1 / sum_b (sum_{j in b} p_j)^2`. Where all weights vanish (`H = 0`), LISI is -1.
//!
//! # Why
//! The four packages differ in the neighbours and in the summary, not in this step. The weights depend on the features
//! alone, so that a permutation of the unit costs one pass over them.
//!
//! # Reference
//! Korsunsky et al. 2019 (immunogenomics/LISI, harmonypy 2.1.0); scib-metrics 0.5.10; scib 1.1.7; scIntegrationMetrics.

use bench_core::Factor;
use bench_geometry::neighbours::Metric;
use rayon::prelude::*;

use super::shortest_paths::Fuzzy;
use crate::embedding::Space;

/// Perplexity of all dialects.
pub(super) const PERPLEXITY: usize = 30;

/// Steps of the bisection.
const STEPS: usize = 50;

/// Error of the entropy at which it stops.
const TOLERANCE: f64 = 1e-5;

/// Whose neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedding) enum Dialect {
    /// 90 neighbours, the row itself counted and then left out.
    ScibMetrics = 0,
    /// 90 neighbours, the row itself not counted.
    Harmony = 1,
    /// 30 neighbours, the row itself not counted.
    ScIntegration = 2,
    /// 90 neighbours by shortest path on scib's fuzzy graph.
    ScibGraph = 3,
    /// The same on the fuzzy graph of Arevalo et al. 2024.
    ArevaloGraph = 4,
}

/// Neighbours of every row and their probabilities.
pub(in crate::embedding) struct LisiWeights {
    rows: Vec<Vec<(u32, f32)>>,
}

impl LisiWeights {
    pub(in crate::embedding) fn new(space: &Space<'_>, dialect: Dialect) -> Result<Self, String> {
        let fuzzy = match dialect {
            Dialect::ScibGraph => Some(Fuzzy::Scib),
            Dialect::ArevaloGraph => Some(Fuzzy::Arevalo),
            _ => None,
        };
        if let Some(fuzzy) = fuzzy {
            let reached = space.reached(fuzzy)?;
            let k = reached.asked;
            let perplexity = (k / 3) as f64;
            let rows = reached.rows.par_iter().map(|list| {
                // A row that reaches too few others counts as surrounded by one level: no entry stands for that.
                if list.len() < k { Vec::new() } else { weigh(list.iter().copied(), perplexity) }
            });
            return Ok(Self { rows: rows.collect() });
        }
        let graph = space.graph(Metric::Euclidean)?;
        // scib-metrics counts the row itself among the 90, and takes the perplexity of the list with it.
        let (k, perplexity) = match dialect {
            Dialect::ScibMetrics => {
                let listed = 90.min(graph.n);
                (listed - 1, listed / 3)
            }
            Dialect::Harmony => (graph.k.min(3 * PERPLEXITY), PERPLEXITY.min(graph.k / 3)),
            _ => (graph.k.min(PERPLEXITY), PERPLEXITY.min(graph.k)),
        };
        if perplexity < 1 {
            return Err(format!("{} rows are too few for LISI", graph.n));
        }
        let rows = (0..graph.n).into_par_iter().map(|row| {
            let list = graph.neighbours(row)[..k].iter().copied().zip(graph.distances(row)[..k].iter());
            weigh(list.map(|(other, &d)| (other, f64::from(d))), perplexity as f64)
        });
        Ok(Self { rows: rows.collect() })
    }

    /// LISI of every row for the levels of a factor.
    pub(in crate::embedding) fn lisi(&self, unit: &Factor) -> Vec<f64> {
        self.rows.par_iter().map_init(Vec::new, |shares, row| inverse_simpson(row, unit, shares)).collect()
    }
}

/// Probabilities of the neighbours of one row; all zero where they vanish.
pub(super) fn weigh(list: impl Iterator<Item = (u32, f64)> + Clone, perplexity: f64) -> Vec<(u32, f32)> {
    let target = perplexity.ln();
    let mut p = Vec::new();
    let mut entropy = |beta: f64| {
        p.clear();
        p.extend(list.clone().map(|(_, d)| (-d * beta).exp()));
        let sum: f64 = p.iter().sum();
        if sum == 0.0 {
            return (0.0, p.clone());
        }
        let mean = list.clone().zip(&p).map(|((_, d), p)| d * p).sum::<f64>() / sum;
        (sum.ln() + beta * mean, p.iter().map(|p| p / sum).collect())
    };
    let (mut beta, mut low, mut high) = (1.0, f64::NEG_INFINITY, f64::INFINITY);
    let (mut h, mut found) = entropy(beta);
    for _ in 0..STEPS {
        let off = h - target;
        if off.abs() < TOLERANCE {
            break;
        }
        if off > 0.0 {
            low = beta;
            beta = if high.is_infinite() { beta * 2.0 } else { (beta + high) / 2.0 };
        } else {
            high = beta;
            beta = if low.is_infinite() { beta / 2.0 } else { (beta + low) / 2.0 };
        }
        (h, found) = entropy(beta);
    }
    let kept = if h == 0.0 { 0.0 } else { 1.0 };
    list.zip(found).map(|((other, _), p)| (other, (kept * p) as f32)).collect()
}

/// Effective number of levels among weighted neighbours: 1 for no neighbours, -1 for vanishing weights.
pub(super) fn inverse_simpson(row: &[(u32, f32)], unit: &Factor, shares: &mut Vec<f64>) -> f64 {
    if row.is_empty() {
        return 1.0;
    }
    shares.clear();
    shares.resize(unit.level_count(), 0.0);
    for &(other, p) in row {
        shares[unit.code(other as usize)] += f64::from(p);
    }
    let simpson: f64 = shares.iter().map(|share| share * share).sum();
    if simpson == 0.0 { -1.0 } else { 1.0 / simpson }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_distances_weigh_the_same_and_lisi_counts_the_levels() {
        let row = weigh((0..12).map(|other| (other, 0.0)), 4.0);
        assert!(row.iter().all(|&(_, p)| (p - 1.0 / 12.0).abs() < 1e-7));
        let unit = Factor::sorted(&["a", "b", "c", "a", "b", "c", "a", "b", "c", "a", "b", "c"]);
        assert!((inverse_simpson(&row, &unit, &mut Vec::new()) - 3.0).abs() < 1e-6);
        assert_eq!(inverse_simpson(&[], &unit, &mut Vec::new()), 1.0);
        // As in the packages: equal distances that are not zero let all weights vanish before the entropy falls.
        assert!(weigh((0..12).map(|other| (other, 2.0)), 4.0).iter().all(|&(_, p)| p == 0.0));
        assert_eq!(inverse_simpson(&[(0, 0.0)], &unit, &mut Vec::new()), -1.0);
    }

    #[test]
    fn the_entropy_of_the_weights_is_that_of_the_perplexity() {
        let row = weigh((0..90).map(|other| (other, 1.0 + f64::from(other) * 0.1)), 30.0);
        let entropy: f64 = row.iter().map(|&(_, p)| -f64::from(p) * f64::from(p).ln()).sum();
        assert!((entropy - 30_f64.ln()).abs() < 2e-5, "{entropy}");
    }
}
