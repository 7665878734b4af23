//! Bootstrap intervals from contributions of rows.
//!
//! # What
//! Plates (compounds or labels, where the metric averages those; wells, where there is one plate) are drawn with
//! replacement, and the value is recomputed with every row counted as often as its plate was drawn.
//!
//! # Why
//! Rows of a plate are not independent; the spread over plates is what a repetition of the experiment would show.
//!
//! # What it cannot show
//! Contributions are not measured again: neighbours and means stay those of the whole table. With few plates the interval
//! is too short.
//!
//! # Reference
//! Davison and Hinkley 1997, section 3.8.

use bench_core::record::Interval;
use bench_core::{Factor, Seed};
use rayon::prelude::*;

use crate::aggregate::interval::percentile;
use crate::embedding::summary::Summary;
use crate::embedding::{MeanOver, Measured, Roles};

/// The 95 % percentile interval and what was resampled.
pub(super) fn bootstrap(
    measured: &Measured,
    roles: &Roles<'_>,
    draws: usize,
    seed: Seed,
) -> Option<(Interval, String)> {
    if draws == 0 {
        return None;
    }
    let summary = Summary::new(measured, roles)?;
    let rows: Vec<u32>;
    let (name, codes) = match (&measured.mean_over, clusters(roles)) {
        (MeanOver::Groups(groups), _) => (groups.of, &groups.group),
        (MeanOver::Compounds, _) => ("compound", &roles.layout.compound.as_ref()?.codes),
        (_, Some((name, factor))) => (name, &factor.codes),
        (_, None) => {
            rows = (0..roles.layout.rows as u32).collect();
            ("row", &rows)
        }
    };
    let levels = codes.iter().max().map_or(0, |&last| last as usize + 1);
    let mut seen = vec![false; levels];
    codes.iter().for_each(|&code| seen[code as usize] = true);
    // Groups that have nothing to contribute are not drawn.
    let present: Vec<usize> = (0..levels).filter(|&level| seen[level]).collect();
    if present.len() < 2 {
        return None;
    }
    let values: Vec<f64> = (0..draws)
        .into_par_iter()
        .map(|draw| {
            let mut stream = seed.derive("embedding-bootstrap", draw as u64).stream();
            let mut times = vec![0.0; levels];
            for _ in 0..present.len() {
                times[present[stream.below(present.len())]] += 1.0;
            }
            summary.weighted(&|row| times[codes[row] as usize])
        })
        .collect();
    percentile(&values).map(|interval| (interval, name.to_owned()))
}

/// Plates if there are two or more, else wells.
fn clusters<'a>(roles: &Roles<'a>) -> Option<(&'static str, &'a Factor)> {
    let several = |factor: &&Factor| factor.level_count() > 1;
    let plate = roles.layout.plate.as_ref().filter(several).map(|factor| ("plate", factor));
    plate.or_else(|| roles.layout.well.as_ref().filter(several).map(|factor| ("well", factor)))
}
