//! Position leak: whether negative controls in the same well position look alike across plates.
//!
//! # What
//! Percent replicating of negative controls when the well position is taken for the treatment. Controls have one
//! treatment, so that what replicates is the position.
//!
//! # Formula
//! For every position with controls on two plates or more: the median cosine similarity between its wells on different
//! plates. The null is the same for groups of wells of as many plates, each at another position; the value is the share
//! of positions above its 95 % quantile (1000 seeded draws for every number of plates). Wells are means of their rows.
//!
//! # Why
//! In TARGET2 nearly every compound sits in one well position, so that an embedding that reads positions reads labels.
//!
//! # What it cannot show
//! Positions without controls. If controls sit in edge columns only, the leak in the middle of the plate stays unseen.
//!
//! # Threshold
//! It fires above 5 % by more than three standard errors of a share of as many positions.
//!
//! # Reference
//! CPJUMP1 issue 25 (53 % of DMSO positions replicated); percent replicating of JUMP.

use std::collections::BTreeMap;

use bench_core::number::quantile_sorted;
use bench_core::{Card, Factor, Seed};
use rayon::prelude::*;

use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, Part, Roles, Side, Space};
use bench_geometry::product::dot;

/// Draws of the null for every number of plates.
const DRAWS: usize = 1000;

/// Quantile of the null.
const QUANTILE: f64 = 0.95;

/// Plates of a position that are compared; more add nothing but time. Half as many as there are positions at most, so
/// that groups of different positions can be drawn.
const PLATES: usize = 32;

/// Its card.
pub static CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "position-leak",
        title: "Position leak",
        what: "The share of well positions whose negative controls resemble each other across plates more than 95 % of groups from different positions do. Fires above 5 % by more than three standard errors. Constant embedding: 0.",
        formula: "share of positions with median cosine(wells on different plates) > 95 % quantile of groups from different positions",
        better: "lower",
        range: "0 to 1, 0.05 without a leak",
        limits: "Only positions that hold negative controls.",
        reference: "percent replicating of JUMP on DMSO positions (CPJUMP1)",
    },
    side: Side::Guard,
    dialect: "different plates, 95 % quantile",
    best: "noise",
    worst: "one-hot-position",
};

/// Position leak.
#[derive(Clone, Copy, Debug)]
pub struct PositionLeak;

/// A control well: plate, position and mean of its rows, of length one.
struct Well {
    plate: u32,
    position: u32,
    mean: Vec<f64>,
}

impl EmbeddingMetric for PositionLeak {
    fn card(&self) -> &'static EmbeddingCard {
        &CARD
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        let plate = roles.controls.plate.as_ref().ok_or("the negative controls have no plate")?;
        let position = roles.controls.position.as_ref().ok_or("the negative controls have no well position")?;
        let wells = wells(space, plate, position);
        let mut groups: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (at, well) in wells.iter().enumerate() {
            groups.entry(well.position).or_default().push(at);
        }
        let most = PLATES.min(groups.len() / 2).max(2);
        groups.retain(|_, group| {
            group.truncate(most);
            group.len() > 1
        });
        if groups.len() < 2 {
            return Err("fewer than two well positions have negative controls on two plates".to_owned());
        }
        let mut thresholds: BTreeMap<usize, f64> = groups.values().map(|group| (group.len(), f64::NAN)).collect();
        for (&size, threshold) in &mut thresholds {
            *threshold = null_quantile(&wells, size).ok_or_else(|| {
                format!("no {size} negative controls at {size} different well positions on different plates were found")
            })?;
        }
        let parts: Vec<Part> = groups
            .into_iter()
            .map(|(code, group)| {
                let value = median_similarity(&wells, &group);
                // What is equal but for rounding does not stand out.
                let replicates = f64::from(u8::from(value > thresholds[&group.len()] + 1e-9));
                Part {
                    unit: "position",
                    name: position.levels[code as usize].clone(),
                    n: group.len(),
                    value: replicates,
                    p: None,
                }
            })
            .collect();
        let value = parts.iter().map(|part| part.value).sum::<f64>() / parts.len() as f64;
        Ok(Measured { value, n: parts.len(), parts, ..Measured::default() })
    }

    fn fires(&self, measured: &Measured) -> Option<String> {
        let level: f64 = 1.0 - QUANTILE;
        let most = level + 3.0 * (level * (1.0 - level) / measured.n as f64).sqrt();
        (measured.value > most).then(|| {
            format!(
                "{:.0} % of {} control positions replicate across plates, where {:.0} % would by chance",
                100.0 * measured.value,
                measured.n,
                100.0 * level
            )
        })
    }
}

/// Control wells in order of plate and position.
fn wells(space: &Space<'_>, plate: &Factor, position: &Factor) -> Vec<Well> {
    let unit = space.unit_controls();
    let mut rows: BTreeMap<(u32, u32), Vec<usize>> = BTreeMap::new();
    for row in 0..unit.rows() {
        rows.entry((plate.codes[row], position.codes[row])).or_default().push(row);
    }
    rows.into_iter()
        .map(|((plate, position), rows)| {
            let mut mean = vec![0.0; unit.cols()];
            for row in rows {
                mean.iter_mut().zip(unit.row(row)).for_each(|(mean, &x)| *mean += f64::from(x));
            }
            let length = mean.iter().map(|x| x * x).sum::<f64>().sqrt();
            if length > 0.0 {
                mean.iter_mut().for_each(|x| *x /= length);
            }
            Well { plate, position, mean }
        })
        .collect()
}

/// Median cosine similarity between wells of different plates.
fn median_similarity(wells: &[Well], group: &[usize]) -> f64 {
    let mut all = Vec::new();
    for (at, &a) in group.iter().enumerate() {
        for &b in &group[at + 1..] {
            if wells[a].plate != wells[b].plate {
                all.push(dot(&wells[a].mean, &wells[b].mean));
            }
        }
    }
    all.sort_unstable_by(f64::total_cmp);
    if all.is_empty() { f64::NAN } else { quantile_sorted(&all, 0.5) }
}

/// Quantile of the median similarity of groups of wells, each on another plate and at another position.
fn null_quantile(wells: &[Well], size: usize) -> Option<f64> {
    let seed = Seed(0).derive("position-leak", size as u64);
    let drawn: Vec<Option<f64>> = (0..DRAWS)
        .into_par_iter()
        .map(|draw| {
            let mut stream = seed.derive("draw", draw as u64).stream();
            let mut group: Vec<usize> = Vec::with_capacity(size);
            // Draws that hit a plate or position again are repeated; a design that allows none gives up.
            for _ in 0..200 * size {
                let at = stream.below(wells.len());
                let differs = |&other: &usize| {
                    wells[other].plate != wells[at].plate && wells[other].position != wells[at].position
                };
                if group.iter().all(differs) {
                    group.push(at);
                    if group.len() == size {
                        return Some(median_similarity(wells, &group));
                    }
                }
            }
            None
        })
        .collect();
    let mut found: Vec<f64> = drawn.into_iter().collect::<Option<_>>()?;
    found.sort_unstable_by(f64::total_cmp);
    Some(quantile_sorted(&found, QUANTILE))
}
