//! Intervals of values that are no mean of contributions: the metric is measured again without a part of the plates.
//!
//! # What
//! Plates (wells, where there is one plate) are divided at random into at most [`GROUPS`] groups, treated rows and
//! negative controls alike. Every metric is measured on the rows that are left when one group is taken away.
//!
//! # Formula
//! `value +/- t(0.975, g - 1) se`, `se^2 = (g - 1) / g sum (v_i - mean v)^2`, `v_i` the value without group `i`; clipped
//! to the range of the metric's card.
//!
//! # Why
//! Clusterings, pair counts and variance components cannot be weighted row by row as a bootstrap needs it, and drawing
//! plates twice would put duplicates among the neighbours.
//!
//! # What it cannot show
//! A value that jumps (a median, a clustering that splits in two) has an unsteady spread, and ten groups estimate it
//! roughly. The value on fewer rows may differ from that on all; only the spread of the ten is used.
//!
//! # Reference
//! Delete-a-group jackknife: Kott 2001; Efron and Tibshirani 1993, chapter 11.

use bench_core::record::Interval;
use bench_core::{Factor, Layout, Matrix};
use rayon::prelude::*;

use super::{Rows, Settings};
use crate::aggregate::seeds;
use crate::embedding::{EmbeddingMetric, NullCost, Roles, Space};

/// Most groups.
const GROUPS: usize = 10;

/// Rows without one group.
struct Rest {
    treated: Vec<u32>,
    controls: Vec<u32>,
    label: Factor,
    layout: Layout,
    control_layout: Layout,
    whole: Factor,
}

/// The rows without each group in turn.
pub(super) struct Jackknife {
    /// What was divided.
    unit: &'static str,
    rests: Vec<Rest>,
}

/// An interval with what was resampled, or why there is none.
pub(super) type Outcome = Result<(Interval, String), String>;

impl Jackknife {
    /// Divides the rows.
    ///
    /// # Errors
    /// The table is too large, or has fewer than two plates and fewer than two wells.
    pub(super) fn new(rows: &Rows<'_>, settings: &Settings<'_>) -> Result<Self, String> {
        if rows.layout.rows > settings.jackknife_rows {
            return Err(format!("more than {} rows", settings.jackknife_rows));
        }
        let several = |factor: &&Factor| factor.counts().iter().filter(|&&count| count > 0).count() > 1;
        let plates = rows.layout.plate.as_ref().filter(several).map(|factor| ("plate", factor, &rows.controls.plate));
        let wells = || rows.layout.well.as_ref().filter(several).map(|factor| ("well", factor, &rows.controls.well));
        let (unit, treated, controls) = plates.or_else(wells).ok_or("there are neither two plates nor two wells")?;
        // A plate has the same name among the controls; those of other plates are dealt out after them.
        let mut names: Vec<&str> = Vec::new();
        for factor in [Some(treated), controls.as_ref()].into_iter().flatten() {
            let mut own: Vec<&str> = factor.levels.iter().map(String::as_str).collect();
            own.sort_unstable();
            let known = names.clone();
            own.retain(|name| !known.contains(name));
            settings.seed.derive("embedding-jackknife", known.len() as u64).stream().shuffle(&mut own);
            names.extend(own);
        }
        let groups = GROUPS.min(treated.level_count());
        let kept = |factor: Option<&Factor>, n: usize, group: usize| -> Vec<u32> {
            let Some(factor) = factor else { return (0..n as u32).collect() };
            let place = |name: &String| names.iter().position(|other| other == name).map(|place| place % groups);
            let of_level: Vec<Option<usize>> = factor.levels.iter().map(place).collect();
            (0..n as u32).filter(|&row| of_level[factor.code(row as usize)] != Some(group)).collect()
        };
        let rests = (0..groups).map(|group| {
            let treated = kept(Some(treated), rows.layout.rows, group);
            let controls = kept(controls.as_ref(), rows.controls.rows, group);
            Rest {
                label: rows.label.take(&treated),
                layout: rows.layout.take(&treated),
                control_layout: rows.controls.take(&controls),
                whole: Factor { levels: vec!["all".to_owned()], codes: vec![0; treated.len()] },
                treated,
                controls,
            }
        });
        Ok(Self { unit, rests: rests.collect() })
    }

    /// Intervals of metrics (each with its unit and value) on one embedding, in their order.
    pub(super) fn intervals(
        &self,
        space: &Space<'_>,
        wanted: &[(&dyn EmbeddingMetric, Option<&str>, f64)],
        settings: &Settings<'_>,
    ) -> Vec<Outcome> {
        let wanted_at =
            |metric: &dyn EmbeddingMetric| metric.null_cost() != NullCost::Pairs || settings.pair_permutations > 0;
        // One space per group: all metrics share its neighbours.
        let values: Vec<Vec<Result<f64, String>>> = self
            .rests
            .par_iter()
            .map(|rest| {
                let (treated, controls): (Matrix, Matrix) =
                    (space.treated.take(&rest.treated), space.controls.take(&rest.controls));
                let part = Space::new(&treated, &controls);
                if let Some(&k) = space.robustness_k.get() {
                    part.robustness_k.get_or_init(|| k);
                }
                let measure = |metric: &dyn EmbeddingMetric, unit: Option<&str>| {
                    let factor = unit.and_then(|name| rest.layout.unit(name)).unwrap_or(&rest.whole);
                    let roles = Roles {
                        label: &rest.label,
                        unit: factor,
                        unit_name: unit.unwrap_or("all"),
                        layout: &rest.layout,
                        controls: &rest.control_layout,
                    };
                    metric.value(&part, &roles)
                };
                let each = wanted.iter();
                each.map(|&(metric, unit, _)| {
                    if wanted_at(metric) { measure(metric, unit) } else { Err("it costs all pairs of rows".to_owned()) }
                })
                .collect()
            })
            .collect();
        wanted
            .iter()
            .enumerate()
            .map(|(at, &(metric, _, value))| {
                let left: Vec<f64> = values
                    .iter()
                    .map(|values| values[at].clone().and_then(finite))
                    .collect::<Result<_, String>>()
                    .map_err(|why| format!("without a group of {}s: {why}", self.unit))?;
                let interval = interval(value, &left, metric.card().card.range)
                    .ok_or_else(|| format!("there are fewer than two groups of {}s", self.unit))?;
                Ok((interval, format!("{} (jackknife of {} groups)", self.unit, left.len())))
            })
            .collect()
    }
}

fn finite(value: f64) -> Result<f64, String> {
    if value.is_finite() { Ok(value) } else { Err("the value is no finite number".to_owned()) }
}

/// The interval of a value from the values without each group.
pub(super) fn interval(value: f64, left: &[f64], range: &str) -> Option<Interval> {
    let g = left.len() as f64;
    if left.len() < 2 {
        return None;
    }
    let mean = left.iter().sum::<f64>() / g;
    let square: f64 = left.iter().map(|v| (v - mean).powi(2)).sum();
    let half = seeds::quantile(left.len() - 1) * ((g - 1.0) / g * square).sqrt();
    let (lowest, highest) = bounds(range);
    Some(Interval { low: (value - half).max(lowest.min(value)), high: (value + half).min(highest.max(value)) })
}

/// The bounds that a card names as `A to B`; infinite where it names none.
fn bounds(range: &str) -> (f64, f64) {
    let Some((low, high)) = range.split_once(" to ") else { return (f64::NEG_INFINITY, f64::INFINITY) };
    let number = |word: &str| -> Option<f64> {
        match word.split_once('/') {
            Some((above, below)) => Some(above.parse::<f64>().ok()? / below.parse::<f64>().ok()?),
            None => word.parse().ok(),
        }
    };
    let high = high.split([',', ';']).next().unwrap_or(high).trim();
    (number(low.trim()).unwrap_or(f64::NEG_INFINITY), number(high).unwrap_or(f64::INFINITY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_mean_is_that_of_student() {
        // Without one of equal groups a mean varies as the group means do: half width t(g - 1) sd / sqrt(g).
        let groups = [1.0, 4.0, 2.0, 7.0];
        let total: f64 = groups.iter().sum();
        let left: Vec<f64> = groups.iter().map(|group| (total - group) / 3.0).collect();
        let found = interval(total / 4.0, &left, "no bounds").unwrap();
        let expected = seeds::over_seeds(&groups).2.unwrap();
        assert!((found.low - expected.low).abs() < 1e-9 && (found.high - expected.high).abs() < 1e-9);
        assert!(interval(0.5, &[0.5], "0 to 1").is_none());
    }

    #[test]
    fn intervals_end_where_the_range_does() {
        assert_eq!(bounds("0 to 1/3"), (0.0, 1.0 / 3.0));
        assert_eq!(bounds("0 to 1, 0.05 without a leak"), (0.0, 1.0));
        assert_eq!(bounds("0 to about 2"), (0.0, f64::INFINITY));
        assert_eq!(bounds("about 0 upwards"), (f64::NEG_INFINITY, f64::INFINITY));
        let found = interval(0.9, &[0.1, 0.9, 0.5], "0 to 1").unwrap();
        assert_eq!((found.low, found.high), (0.0, 1.0));
        // A value that rounding put outside stays inside its interval.
        assert_eq!(interval(1.5, &[1.0, 1.0], "0 to 1").unwrap().high, 1.5);
    }
}
