//! kBET: a chi-squared test of the units in every neighbourhood, in three dialects.
//!
//! # What
//! The share of rows whose neighbourhood has the units in the shares of the whole (or of the label): the acceptance
//! rate, one less the rejection rate that the R package prints.
//!
//! # Formula
//! `X_i = sum_b (O_ib - k f_b)^2 / (k f_b)`; a row is accepted if `P(chi2_{B-1} > X_i) >= 0.05`. Every neighbourhood
//! holds `k` rows with the row itself among them.
//!
//! | dialect | rows | k |
//! |---|---|---|
//! | scib-metrics | all | 50 |
//! | R | all | bisected between 10 and a quarter of the mean unit for the greatest rejection |
//! | scib | within each label, then mean over labels | a quarter of the mean unit of the label, 10 to 70, one row more |
//!
//! # Why
//! It is the one batch score with a test behind it.
//!
//! # What it cannot show
//! It saturates at zero under strong batch effects. Neighbouring tests share rows, so the acceptance rate has no nominal
//! level: read it against its permutation null.
//!
//! # Parity
//! R tests a tenth of the rows a hundred times and averages; here all rows are tested, which is what that average
//! estimates. Its k is capped at 90, the width of the shared graph. scib takes neighbours by diffusion on a graph of 50
//! (scib-metrics by diffusion maps and an approximate search); here they are exact Euclidean neighbours within the label.
//!
//! # Reference
//! Buettner et al. 2019; kBET (R); scib 1.1.7; scib-metrics 0.5.10.

use bench_core::{Card, Factor};
use bench_geometry::neighbours::Metric;
use rayon::prelude::*;

use super::chi_squared::critical;
use super::shared::{WITHIN_LABEL, at_least_two, present};
use crate::embedding::{EmbeddingCard, EmbeddingMetric, MeanOver, Measured, Part, Roles, Side, Space, summary};

/// Level of the test.
const LEVEL: f64 = 0.05;

/// Rows of a neighbourhood in scib-metrics.
const SCIB_METRICS_K: usize = 50;

/// Smallest neighbourhood of the other dialects, and smallest label that is tested.
const LEAST: usize = 10;

const fn card(
    id: &'static str,
    title: &'static str,
    what: &'static str,
    formula: &'static str,
    reference: &'static str,
    dialect: &'static str,
) -> EmbeddingCard {
    EmbeddingCard {
        card: Card {
            id,
            title,
            what,
            formula,
            better: "higher",
            range: "0 to 1",
            limits: "Zero under strong batch effects, where it ranks nothing; neighbouring tests are not independent.",
            reference,
        },
        side: Side::Batch,
        dialect,
        best: "noise",
        worst: "one-hot-source",
    }
}

/// All rows, 50 neighbours.
pub static SCIB_METRICS_CARD: EmbeddingCard = card(
    "kbet",
    "kBET",
    "The share of rows whose 50 nearest rows have the units of the table. Constant embedding: 0 or 1 by the first rows of the table, and flagged by the guards.",
    "share of rows with P(chi2_{B-1} > X_i) >= 0.05, k = 50 with the row itself",
    "scib-metrics 0.5.10, kbet",
    "scib-metrics",
);

/// All rows, neighbourhood by the heuristic of R.
pub static R_CARD: EmbeddingCard = card(
    "kbet-r",
    "kBET (R)",
    "One less the rejection rate at the neighbourhood that the R package's bisection finds to be rejected most. Constant embedding: 0 or 1 by the first rows of the table, and flagged by the guards.",
    "1 - rejection rate at the k in 10 to a quarter of the mean unit (at most 90) with the greatest rejection",
    "kBET (R), heuristic = TRUE",
    "kBET (R)",
);

/// Within labels.
pub static LABEL_CARD: EmbeddingCard = card(
    "kbet-label",
    "kBET per label",
    "kBET within every label, averaged over labels. Constant embedding: 0 or 1 by the first rows of each label, and flagged by the guards.",
    "mean over labels of the acceptance rate, k + 1 rows with k a quarter of the label's mean unit, 10 to 70",
    "scib 1.1.7, kBET; scib-metrics 0.5.10, kbet_per_label; neighbours exact instead of by diffusion",
    "scib, exact neighbours",
);

/// kBET.
#[derive(Clone, Copy, Debug)]
pub enum Kbet {
    /// As scib-metrics.
    ScibMetrics,
    /// As R.
    R,
    /// Within labels, as scib.
    Label,
}

impl EmbeddingMetric for Kbet {
    fn card(&self) -> &'static EmbeddingCard {
        match self {
            Self::ScibMetrics => &SCIB_METRICS_CARD,
            Self::R => &R_CARD,
            Self::Label => &LABEL_CARD,
        }
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        at_least_two(roles.unit, roles.unit_name)?;
        if matches!(self, Self::Label) {
            return within_labels(space, roles);
        }
        let graph = space.graph(Metric::Euclidean)?;
        let share = shares(roles.unit);
        let test = Test::new(roles.unit, &share);
        let accepted = |k: usize| -> Vec<f64> {
            let accept = |seen: &mut Vec<f64>, row: usize| test.accept(row, &graph.neighbours(row)[..k - 1], seen);
            (0..graph.n).into_par_iter().map_init(Vec::new, accept).collect()
        };
        let (k, rows) = match self {
            Self::ScibMetrics => {
                let k = SCIB_METRICS_K.min(graph.k + 1);
                (k, accepted(k))
            }
            _ => {
                let quarter = graph.n / present(roles.unit) / 4;
                let most = quarter.min(graph.k + 1).min(90);
                if most < LEAST {
                    return Err(format!(
                        "a quarter of the mean {} has {quarter} rows; {LEAST} are needed",
                        roles.unit_name
                    ));
                }
                let rejection = |k: usize| 1.0 - accepted(k).iter().sum::<f64>() / graph.n as f64;
                let k = bisect(LEAST, most, &rejection);
                (k, accepted(k))
            }
        };
        let mut parts = vec![Part { unit: "neighbours", name: "k".to_owned(), n: k, value: k as f64, p: None }];
        parts.extend(summary::parts_by(summary::part_unit(roles.unit_name), roles.unit, &rows));
        summary::of_rows(rows, MeanOver::Rows, roles, parts)
    }
}

fn within_labels(space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
    let mut rows = vec![f64::NAN; roles.label.len()];
    let mut any = false;
    space.with_label_graph(roles.label, |graph| {
        for members in roles.label.members() {
            let units = present(&roles.unit.take(&members));
            if members.len() < LEAST || units < 2 {
                continue;
            }
            any = true;
            let k = (members.len() / units / 4).clamp(LEAST, WITHIN_LABEL).min(members.len() - 1);
            let mut share = vec![0.0; roles.unit.level_count()];
            for &row in &members {
                share[roles.unit.code(row as usize)] += 1.0 / members.len() as f64;
            }
            let test = Test::new(roles.unit, &share);
            let accept =
                |seen: &mut Vec<f64>, &row: &u32| test.accept(row as usize, &graph.index[row as usize][..k], seen);
            let found: Vec<f64> = members.par_iter().map_init(Vec::new, accept).collect();
            members.iter().zip(found).for_each(|(&row, accepted)| rows[row as usize] = accepted);
        }
    })?;
    if !any {
        return Err(format!("no label has {LEAST} rows of two {}s", roles.unit_name));
    }
    let parts = summary::parts_by("label", roles.label, &rows);
    summary::of_rows(rows, MeanOver::Labels, roles, parts)
}

/// Share of rows of each level.
fn shares(unit: &Factor) -> Vec<f64> {
    unit.counts().iter().map(|&count| count as f64 / unit.len() as f64).collect()
}

/// The test of neighbourhoods against the shares of some rows.
struct Test<'a> {
    unit: &'a Factor,
    share: &'a [f64],
    /// The largest statistic that is accepted.
    most: f64,
}

impl<'a> Test<'a> {
    fn new(unit: &'a Factor, share: &'a [f64]) -> Self {
        let present = share.iter().filter(|share| **share > 0.0).count();
        Self { unit, share, most: critical(LEVEL, present.saturating_sub(1).max(1)) }
    }

    /// 1 if the row and the others have the units in the shares, 0 if the test says no. `seen` is a buffer.
    fn accept(&self, row: usize, others: &[u32], seen: &mut Vec<f64>) -> f64 {
        seen.clear();
        seen.resize(self.share.len(), 0.0);
        seen[self.unit.code(row)] += 1.0;
        others.iter().for_each(|&other| seen[self.unit.code(other as usize)] += 1.0);
        let k = (others.len() + 1) as f64;
        let present = seen.iter().zip(self.share).filter(|(_, share)| **share > 0.0);
        let statistic: f64 = present.map(|(seen, share)| (seen - k * share).powi(2) / (k * share)).sum();
        f64::from(u8::from(statistic <= self.most))
    }
}

/// The upper bound where the bisection of the R package ends.
fn bisect(low: usize, high: usize, rejection: &dyn Fn(usize) -> f64) -> usize {
    /// Bounds nearer than this end the search.
    const NEAR: usize = 5;
    /// Rates that differ by less are equal.
    const EQUAL: f64 = 0.01;
    let (mut bounds, mut rates) = ((low, high), (rejection(low), rejection(high)));
    loop {
        let (difference, wide) = (rates.1 - rates.0, bounds.1 - bounds.0 > NEAR);
        // R rounds halves to even.
        let middle = ((bounds.0 + bounds.1) as f64 / 2.0).round_ties_even() as usize;
        if !wide {
            return bounds.1;
        }
        let to_the_left = if difference < -EQUAL {
            true
        } else if difference > EQUAL {
            false
        } else {
            let centre = rejection(middle);
            let off = ((centre - rates.0).abs(), (centre - rates.1).abs());
            if off.0.max(off.1) < EQUAL {
                return bounds.1;
            }
            off.0 > EQUAL
        };
        if to_the_left {
            bounds.1 = middle;
            rates.1 = rejection(middle);
        } else {
            bounds.0 = middle;
            rates.0 = rejection(middle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbourhood_of_the_right_shares_is_accepted_and_a_pure_one_is_not() {
        let names: Vec<&str> = (0..40).map(|row| if row % 2 == 0 { "a" } else { "b" }).collect();
        let unit = Factor::sorted(&names);
        let share = shares(&unit);
        let test = Test::new(&unit, &share);
        let near: Vec<u32> = (1..10).collect();
        let pure: Vec<u32> = (1..20).map(|row| 2 * row).collect();
        assert_eq!(test.accept(0, &near, &mut Vec::new()), 1.0);
        assert_eq!(test.accept(0, &pure, &mut Vec::new()), 0.0);
    }

    #[test]
    fn the_bisection_follows_the_greater_rejection() {
        assert!(bisect(10, 90, &|k| k as f64 / 100.0) > 80);
        assert!(bisect(10, 90, &|k| 1.0 - k as f64 / 100.0) < 20);
        assert_eq!(bisect(10, 90, &|_| 0.5), 90);
    }
}
