//! Silhouettes of a unit within every label: what ASW batch and BRAS share.
//!
//! # Formula
//! `s = (b - a) / max(a, b)` with `a` the mean distance to the other rows of the same label and unit, and `b` that to
//! the nearest other unit of the label ([`Between::Nearest`]) or to all rows of the label in other units
//! ([`Between::MeanOther`]). A row alone in its unit has `s = 0`, and so has one at distance zero from everything.
//! With cosine distances and `S_g` the sum of the unit rows of a group, `a = ((n_g - 1) - (x.S_g - x.x)) / (n_g - 1)`
//! and the mean distance to another group is `1 - x.S_g / n_g`: no pair is ever formed.
//!
//! # Why
//! The closed form costs `n d B` multiplications instead of `n^2 d`. Euclidean distances have none; there the pairs
//! within a label are met tile by tile ([`distance_sums`]).

use bench_core::Factor;
use rayon::prelude::*;

use super::shared::{at_least_two, level_sums};
use crate::embedding::distance_sums::distance_sums;
use crate::embedding::{MeanOver, Measured, Roles, Space, summary};
use bench_geometry::product::{dot, products};

/// Rows of a task.
const ROWS: usize = 128;

/// Distances below this are zero: unit rows are `f32`.
const NOTHING: f64 = 1e-9;

/// What a row is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Between {
    /// The nearest other unit of the label.
    Nearest,
    /// All rows of the label in other units.
    MeanOther,
}

/// `1 - |s|` of every row, `NaN` for labels in one unit only, or with one row per unit.
pub(super) fn mixing(
    space: &Space<'_>,
    roles: &Roles<'_>,
    between: Between,
    is_cosine: bool,
) -> Result<Measured, String> {
    at_least_two(roles.unit, roles.unit_name)?;
    let mut rows = vec![f64::NAN; roles.label.len()];
    let mut any = false;
    for members in roles.label.members() {
        let unit = roles.unit.take(&members);
        let units = unit.level_count();
        if units < 2 || units == members.len() {
            continue;
        }
        any = true;
        let found = if is_cosine {
            cosine(space, &members, &unit, between)
        } else {
            euclidean(space, &members, &unit, between)
        };
        for (&row, s) in members.iter().zip(found) {
            rows[row as usize] = 1.0 - s.abs();
        }
    }
    if !any {
        return Err(format!("no label has rows of two {}s and more rows than {}s", roles.unit_name, roles.unit_name));
    }
    let parts = summary::parts_by("label", roles.label, &rows);
    summary::of_rows(rows, MeanOver::Labels, roles, parts)
}

fn cosine(space: &Space<'_>, members: &[u32], unit: &Factor, between: Between) -> Vec<f64> {
    let points = space.unit_rows().take(members);
    let (d, counts) = (points.cols(), unit.counts());
    let sums = level_sums(&points, &unit.codes, counts.len());
    let units = counts.len();
    let mut widths = vec![0.0; members.len()];
    widths.par_chunks_mut(ROWS).enumerate().for_each(|(block, widths)| {
        let start = block * ROWS;
        let left: Vec<f64> =
            points.data()[start * d..(start + widths.len()) * d].iter().map(|&x| f64::from(x)).collect();
        let mut out = vec![0.0; widths.len() * units];
        products(&left, &sums, d, &mut out);
        for (at, (width_of, line)) in widths.iter_mut().zip(out.chunks_exact_mut(units)).enumerate() {
            let row = &left[at * d..(at + 1) * d];
            line.iter_mut().zip(&counts).for_each(|(value, &count)| *value = count as f64 - *value);
            // The own unit without the row itself, whose distance to itself is not counted.
            let own = unit.code(start + at);
            line[own] += dot(row, row) - 1.0;
            *width_of = width(line, &counts, own, between);
        }
    });
    widths
}

fn euclidean(space: &Space<'_>, members: &[u32], unit: &Factor, between: Between) -> Vec<f64> {
    let counts = unit.counts();
    let sums = distance_sums(space.treated, members, &unit.codes, counts.len());
    sums.chunks_exact(counts.len())
        .zip(&unit.codes)
        .map(|(sums, &own)| width(sums, &counts, own as usize, between))
        .collect()
}

/// Silhouette width from the summed distances to every unit, those to the own one without the row itself.
fn width(distance: &[f64], counts: &[usize], own: usize, between: Between) -> f64 {
    if counts[own] < 2 {
        return 0.0;
    }
    let a = (distance[own] / (counts[own] - 1) as f64).max(0.0);
    let others = distance.iter().zip(counts).enumerate().filter(|&(unit, _)| unit != own).map(|(_, pair)| pair);
    let b = match between {
        Between::Nearest => others.map(|(sum, &n)| sum / n as f64).fold(f64::INFINITY, f64::min),
        Between::MeanOther => {
            let (sum, n) = others.fold((0.0, 0), |(sum, n), (more, &rows)| (sum + more, n + rows));
            sum / n as f64
        }
    }
    .max(0.0);
    let greater = a.max(b);
    if greater <= NOTHING { 0.0 } else { (b - a) / greater }
}
