//! sBEE: batch effect by local composition and by distances within labels.
//!
//! # What
//! For every row, whether its neighbours of the same label come from the units in the shares of the label, and whether
//! its own unit is nearer than the other ones; both joined by their harmonic mean.
//!
//! # Formula
//! `js = 1 - sqrt(JSD_2(P_i, Q_label))`, `P_i` the units of the rows of its label among its first `min(90, n_label)`
//! nearest (the row itself counted), `Q` those of the label, both with a floor of 1e-10. `r` = median distance to rows
//! of the same label and unit over that to rows of the same label in other units, at most 1;
//! `dist = exp(-|1 - r| / 0.15)`; `h = 2 js dist / (js + dist)`. Mean over rows of a label in a unit, then units, then
//! labels.
//!
//! # Why
//! It joins a neighbourhood with a distance, so that one cannot hide the other.
//!
//! # What it cannot show
//! A row alone in its label and unit has a median of nothing, which leaves it without a ratio, as equal rows do; it counts
//! as 0, as in the package, and so a constant embedding scores 0.
//!
//! # Reference
//! Myradov 2026; scib-metrics 0.6.1, `sbee`.

use bench_core::Card;
use bench_geometry::neighbours::Metric;
use rayon::prelude::*;

use super::shared::at_least_two;
use crate::embedding::pairs::Pairs;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, MeanOver, Measured, NullCost, Roles, Side, Space, summary};

/// Width of the penalty on distances.
const WIDTH: f64 = 0.15;

/// Floor of the shares.
const FLOOR: f64 = 1e-10;

/// Rows of a neighbourhood, the row itself counted.
const ROWS: usize = 90;

/// Its card.
pub static CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "sbee",
        title: "sBEE",
        what: "How far the neighbours of a row that share its label come from all units, joined with how far its own unit is no nearer than the others. Constant embedding: 0, it has no distances.",
        formula: "mean over labels, units, rows of the harmonic mean of 1 - sqrt(JSD_2) and exp(-|1 - min(r, 1)| / 0.15)",
        better: "higher",
        range: "0 to 1",
        limits: "Rows alone in their label and unit, and rows with equal ones, count as 0.",
        reference: "Myradov 2026; scib-metrics 0.6.1, sbee",
    },
    side: Side::Batch,
    dialect: "scib-metrics 0.6",
    best: "noise",
    worst: "one-hot-source",
};

/// sBEE.
#[derive(Clone, Copy, Debug)]
pub struct Sbee;

impl EmbeddingMetric for Sbee {
    fn card(&self) -> &'static EmbeddingCard {
        &CARD
    }

    fn null_cost(&self) -> NullCost {
        NullCost::Small
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        at_least_two(roles.unit, roles.unit_name)?;
        let graph = space.graph(Metric::Euclidean)?;
        let (n, units) = (graph.n, roles.unit.level_count());
        let members = roles.label.members();
        let mut of_label = vec![0.0; members.len() * units];
        for (label, rows) in members.iter().enumerate() {
            rows.iter().for_each(|&row| of_label[label * units + roles.unit.code(row as usize)] += 1.0);
        }
        let ratio = ratios(space, roles, &members);
        let rows: Vec<f64> = (0..n)
            .into_par_iter()
            .map(|row| {
                let label = roles.label.code(row);
                let listed = ROWS.min(graph.k + 1).min(members[label].len());
                let mut seen = vec![0.0; units];
                seen[roles.unit.code(row)] += 1.0;
                for &other in &graph.neighbours(row)[..listed - 1] {
                    if roles.label.code(other as usize) == label {
                        seen[roles.unit.code(other as usize)] += 1.0;
                    }
                }
                let js = 1.0 - divergence(&seen, &of_label[label * units..(label + 1) * units]).max(0.0).sqrt();
                let near = (-(1.0 - ratio[row].min(1.0)).abs() / WIDTH).exp();
                if js + near > 0.0 { 2.0 * js * near / (js + near) } else { 0.0 }
            })
            .zip(&ratio)
            // Parity: the package's comparison with an undefined ratio is false, which makes it 0.
            .map(|(h, ratio)| if ratio.is_nan() { 0.0 } else { h })
            .collect();
        let parts = summary::parts_by("label", roles.label, &rows);
        summary::of_rows(rows, MeanOver::LabelUnits, roles, parts)
    }
}

/// Median distance to the own unit over that to the others, within the label; `NaN` where either is zero.
fn ratios(space: &Space<'_>, roles: &Roles<'_>, members: &[Vec<u32>]) -> Vec<f64> {
    let mut ratios = vec![f64::NAN; roles.label.len()];
    for rows in members.iter().filter(|rows| !rows.is_empty()) {
        let found = Pairs::new(space.treated, rows).for_each_row(|i, squared| {
            let own = roles.unit.code(rows[i] as usize);
            let (mut same, mut other) = (Vec::new(), Vec::new());
            for (j, &square) in squared.iter().enumerate() {
                if roles.unit.code(rows[j] as usize) != own {
                    other.push(square);
                } else if j != i {
                    same.push(square);
                }
            }
            let same = if same.is_empty() { 0.0 } else { median_root(&mut same) };
            // Without another unit nothing can be farther: the ratio is one.
            let other = if other.is_empty() { same } else { median_root(&mut other) };
            if same == 0.0 || other == 0.0 { f64::NAN } else { same / other }
        });
        for (&row, ratio) in rows.iter().zip(found) {
            ratios[row as usize] = ratio;
        }
    }
    ratios
}

/// Median of the square roots of some squares.
fn median_root(squares: &mut [f64]) -> f64 {
    let middle = squares.len() / 2;
    let is_odd = squares.len() % 2 == 1;
    let (below, &mut upper, _) = squares.select_nth_unstable_by(middle, f64::total_cmp);
    if is_odd {
        return upper.sqrt();
    }
    let lower = below.iter().copied().fold(0.0, f64::max);
    (lower.sqrt() + upper.sqrt()) / 2.0
}

/// Jensen-Shannon divergence in bits of two histograms, with a floor under every share.
fn divergence(p: &[f64], q: &[f64]) -> f64 {
    let total = |h: &[f64]| h.iter().map(|x| x.max(FLOOR)).sum::<f64>();
    let (sum_p, sum_q) = (total(p), total(q));
    p.iter()
        .zip(q)
        .map(|(p, q)| {
            let (p, q) = (p.max(FLOOR) / sum_p, q.max(FLOOR) / sum_q);
            let middle = (p + q) / 2.0;
            (p * (p / middle).log2() + q * (q / middle).log2()) / 2.0
        })
        .sum()
}
