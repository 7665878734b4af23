//! Distances between the negative controls of two units: what the distribution distances share.
//!
//! # What
//! A thinned sample of negative controls (whole wells, at most 1500 rows, the same for all permutations), its pairs of
//! units, and the mean over the pairs. At most 66 pairs, evenly spread over all, so that 141 plates stay affordable.
//!
//! # Why
//! Controls have the same treatment everywhere: what differs between their distributions is technical.
//!
//! # What it cannot show
//! Effects that only treated wells have. Units with fewer than four sampled rows are left out.

use bench_core::Factor;
use rayon::prelude::*;

use super::shared::ControlSample;
use crate::embedding::{Measured, Part, Roles, Space};

/// Rows that a unit needs in the sample.
const ROWS: usize = 4;

/// Pairs that are compared.
const PAIRS: usize = 66;

/// The units that are compared: level and places in the sample of each.
pub(super) type Units = [(usize, Vec<usize>)];

/// The mean of a distance over pairs of units. `prepare` gets sample and units, and gives the distance between two of
/// them by their numbers.
pub(super) fn mean_over_pairs<D: Fn(usize, usize) -> f64 + Sync>(
    space: &Space<'_>,
    roles: &Roles<'_>,
    prepare: impl FnOnce(&ControlSample, &Units) -> D,
) -> Result<Measured, String> {
    let unit: &Factor = roles
        .controls
        .unit(roles.unit_name)
        .ok_or_else(|| format!("the negative controls have no `{}`", roles.unit_name))?;
    let sample = space.control_sample(roles.controls)?;
    let places = sample.places(unit, ROWS);
    if places.len() < 2 {
        return Err(format!(
            "{} {}(s) have {ROWS} or more negative controls; two are needed",
            places.len(),
            roles.unit_name
        ));
    }
    let all: Vec<(usize, usize)> = (0..places.len()).flat_map(|a| (a + 1..places.len()).map(move |b| (a, b))).collect();
    let kept: Vec<(usize, usize)> = match all.len() {
        0..=PAIRS => all,
        many => (0..PAIRS).map(|at| all[at * many / PAIRS]).collect(),
    };
    let distance = prepare(sample, &places);
    let parts: Vec<Part> = kept
        .par_iter()
        .map(|&(a, b)| {
            let ((first, left), (second, right)) = (&places[a], &places[b]);
            let name = format!("{} | {}", unit.levels[*first], unit.levels[*second]);
            Part { unit: pair_unit(roles.unit_name), name, n: left.len() + right.len(), value: distance(a, b), p: None }
        })
        .collect();
    let value = parts.iter().map(|part| part.value).sum::<f64>() / parts.len() as f64;
    if !value.is_finite() {
        return Err("the negative controls have no spread".to_owned());
    }
    Ok(Measured { value, n: sample.rows.len(), parts, ..Measured::default() })
}

fn pair_unit(name: &str) -> &'static str {
    match name {
        "source" => "source-source",
        "batch" => "batch-batch",
        "plate" => "plate-plate",
        _ => "unit-unit",
    }
}
