//! Two-stage cluster bootstrap of accuracies.
//!
//! # What it computes
//! Each draw takes as many clusters (batches) as there are, with replacement, and within every
//! drawn cluster as many of its units (wells) as it has, with replacement. A unit drawn w times
//! counts w times. Accuracy is then recomputed per repeat and averaged over the repeats that
//! still test a row.
//!
//! # Why
//! The same draw serves every model, split and probe, so ratios (G), differences between models
//! and ranks are taken within a draw: what all share cancels.
//!
//! # What it cannot show
//! Predictions are not refitted, so the intervals hold for the classifiers as trained; they do
//! not include what another training set would have changed. Two stages slightly overstate the
//! spread where clusters are small.
//!
//! # Reference
//! Davison and Hinkley 1997, section 3.8.

use bench_core::{Seed, Stream};
use rayon::prelude::*;

use super::{Clusters, Outcomes, Tally};

/// Draws that share one pass over the outcomes.
const LANES: usize = 8;

/// Bootstrap draws of one accuracy.
#[derive(Clone, Debug, PartialEq)]
pub struct Draws {
    /// The accuracy itself; NaN if nothing was tested.
    pub estimate: f64,
    /// One accuracy per draw; NaN where a draw holds no tested unit.
    pub draws: Vec<f64>,
    /// Accuracy without each cluster in turn; NaN where nothing is left.
    pub jackknife: Vec<f64>,
}

impl Draws {
    /// Draws of a function of two accuracies, such as their ratio.
    pub fn combine(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        let zip = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| f(*a, *b)).collect();
        Self {
            estimate: f(self.estimate, other.estimate),
            draws: zip(&self.draws, &other.draws),
            jackknife: zip(&self.jackknife, &other.jackknife),
        }
    }
}

/// Draws of every cell's accuracy. All cells see the same drawn units.
///
/// Draw `i` uses its own stream, derived from (`seed`, `bootstrap`, i): the result depends
/// neither on the thread count nor on how many draws are made.
pub fn bootstrap(clusters: &Clusters, cells: &[&Outcomes], draws: usize, seed: Seed) -> Vec<Draws> {
    let (start, members) = clusters.members();
    let blocks: Vec<Vec<[f64; LANES]>> = (0..draws.div_ceil(LANES))
        .into_par_iter()
        .map(|block| {
            let mut weights = vec![[0u16; LANES]; clusters.units];
            for lane in 0..LANES.min(draws - block * LANES) {
                let mut stream = seed.derive("bootstrap", (block * LANES + lane) as u64).stream();
                draw_units(&start, &members, &mut stream, lane, &mut weights);
            }
            cells.iter().map(|cell| weighted_accuracy(cell, &weights)).collect()
        })
        .collect();
    cells
        .par_iter()
        .enumerate()
        .map(|(at, cell)| Draws {
            estimate: cell.accuracy().unwrap_or(f64::NAN),
            draws: (0..draws).map(|draw| blocks[draw / LANES][at][draw % LANES]).collect(),
            jackknife: jackknife(cell, clusters),
        })
        .collect()
}

/// Any function of how often each unit is drawn, over the draws that [`bootstrap`] makes with the same seed.
pub fn over_draws<T: Send>(
    clusters: &Clusters,
    draws: usize,
    seed: Seed,
    f: impl Fn(&[u16]) -> T + Sync + Send,
) -> Vec<T> {
    let (start, members) = clusters.members();
    (0..draws)
        .into_par_iter()
        .map(|draw| {
            let mut weights = vec![[0u16; LANES]; clusters.units];
            draw_units(&start, &members, &mut seed.derive("bootstrap", draw as u64).stream(), 0, &mut weights);
            f(&weights.iter().map(|lanes| lanes[0]).collect::<Vec<_>>())
        })
        .collect()
}

/// Adds one to the weight of every drawn unit, in one lane.
fn draw_units(start: &[usize], members: &[u32], stream: &mut Stream, lane: usize, weights: &mut [[u16; LANES]]) {
    let mut take = |unit: u32| {
        let weight = &mut weights[unit as usize][lane];
        *weight = weight.saturating_add(1);
    };
    let count = start.len() - 1;
    for _ in 0..count {
        let cluster = below(stream, count);
        let units = &members[start[cluster]..start[cluster + 1]];
        if let [unit] = units {
            take(*unit);
            continue;
        }
        for _ in 0..units.len() {
            take(units[below(stream, units.len())]);
        }
    }
}

/// Uniform in `0..bound` without bias from 32 bits (Lemire's method), twice as fast as 64.
fn below(stream: &mut Stream, bound: usize) -> usize {
    let bound = u32::try_from(bound).expect("rows are numbered in 32 bits");
    loop {
        let product = u64::from(stream.next_u32()) * u64::from(bound);
        let low = product as u32;
        if low >= bound || low >= bound.wrapping_neg() % bound {
            return (product >> 32) as usize;
        }
    }
}

/// Accuracy of a cell under the weights of each lane.
fn weighted_accuracy(cell: &Outcomes, weights: &[[u16; LANES]]) -> [f64; LANES] {
    let (mut sum, mut repeats) = ([0.0; LANES], [0u32; LANES]);
    for tally in &cell.repeats {
        let (correct, rows) = weighted_sums(tally, weights);
        for lane in 0..LANES {
            if rows[lane] > 0.0 {
                sum[lane] += correct[lane] / rows[lane];
                repeats[lane] += 1;
            }
        }
    }
    std::array::from_fn(|lane| if repeats[lane] > 0 { sum[lane] / f64::from(repeats[lane]) } else { f64::NAN })
}

fn weighted_sums(tally: &Tally, weights: &[[u16; LANES]]) -> ([f64; LANES], [f64; LANES]) {
    let (mut correct, mut rows) = ([0.0; LANES], [0.0; LANES]);
    for ((&unit, &c), &n) in tally.unit.iter().zip(&tally.correct).zip(&tally.rows) {
        let weight = &weights[unit as usize];
        let n = f64::from(n);
        for lane in 0..LANES {
            let w = f64::from(weight[lane]);
            correct[lane] += w * c;
            rows[lane] += w * n;
        }
    }
    (correct, rows)
}

/// Accuracy without each cluster in turn.
fn jackknife(cell: &Outcomes, clusters: &Clusters) -> Vec<f64> {
    let (mut sum, mut repeats) = (vec![0.0; clusters.count], vec![0u32; clusters.count]);
    for tally in &cell.repeats {
        let (mut correct, mut rows) = (vec![0.0; clusters.count], vec![0u64; clusters.count]);
        for ((&unit, &c), &n) in tally.unit.iter().zip(&tally.correct).zip(&tally.rows) {
            let cluster = clusters.cluster_of_unit[unit as usize] as usize;
            correct[cluster] += c;
            rows[cluster] += u64::from(n);
        }
        let (all_correct, all_rows) = (tally.correct.iter().sum::<f64>(), tally.tested());
        for cluster in 0..clusters.count {
            let left = all_rows - rows[cluster];
            if left > 0 {
                sum[cluster] += (all_correct - correct[cluster]) / left as f64;
                repeats[cluster] += 1;
            }
        }
    }
    sum.iter().zip(repeats).map(|(sum, n)| if n > 0 { sum / f64::from(n) } else { f64::NAN }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::interval::golden::{golden, numbers};
    use super::super::interval::{bca, percentile};
    use super::*;

    fn cell(units: impl Iterator<Item = (u32, f64, u32)>) -> Outcomes {
        let mut tally = Tally::default();
        for (unit, correct, rows) in units {
            tally.unit.push(unit);
            tally.correct.push(correct);
            tally.rows.push(rows);
        }
        Outcomes { repeats: vec![tally], ..Outcomes::default() }
    }

    fn plain(units: usize) -> Clusters {
        Clusters {
            unit_of_row: (0..units as u32).collect(),
            units,
            cluster_of_unit: (0..units as u32).collect(),
            count: units,
            name: "well".to_owned(),
        }
    }

    #[test]
    fn intervals_of_independent_units_are_scipys_within_monte_carlo_error() {
        for case in golden()["iid"].as_array().unwrap() {
            let x = numbers(&case["x"]);
            let y = numbers(&case["y"]);
            let cells = [&x, &y].map(|values| cell(values.iter().enumerate().map(|(unit, &v)| (unit as u32, v, 1))));
            let draws = bootstrap(&plain(x.len()), &[&cells[0], &cells[1]], 4000, Seed(11));
            for (draws, expected) in
                [(draws[0].clone(), &case["mean"]), (draws[0].combine(&draws[1], |x, y| x / y), &case["ratio"])]
            {
                let width = expected["bca"][1].as_f64().unwrap() - expected["bca"][0].as_f64().unwrap();
                let close = |got: f64, expected: &serde_json::Value| {
                    // A 2.5 % quantile of 4000 draws has a standard error of about 0.011 widths.
                    let expected = expected.as_f64().unwrap();
                    assert!((got - expected).abs() < 0.05 * width, "{got} {expected}");
                };
                let interval = bca(draws.estimate, &draws.draws, &draws.jackknife).unwrap();
                close(interval.low, &expected["bca"][0]);
                close(interval.high, &expected["bca"][1]);
                let interval = percentile(&draws.draws).unwrap();
                close(interval.low, &expected["percentile"][0]);
                close(interval.high, &expected["percentile"][1]);
            }
        }
    }

    #[test]
    fn draws_do_not_depend_on_threads_or_on_their_number() {
        let clusters = Clusters {
            cluster_of_unit: (0..60).map(|unit| unit / 12).collect(),
            count: 5,
            name: "batch".to_owned(),
            ..plain(60)
        };
        let cell = cell((0..60).map(|unit| (unit, f64::from(unit % 4) / 3.0, 1)));
        let many = bootstrap(&clusters, &[&cell], 101, Seed(5));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(many, pool.install(|| bootstrap(&clusters, &[&cell], 101, Seed(5))));
        let few = bootstrap(&clusters, &[&cell], 13, Seed(5));
        assert_eq!(few[0].draws, many[0].draws[..13]);
        assert_eq!(many[0].jackknife.len(), 5);
    }

    #[test]
    fn a_draw_without_tested_units_is_undefined_not_zero() {
        // Two clusters, only the second is tested: a quarter of the draws holds none of it.
        let clusters = Clusters { cluster_of_unit: vec![0, 1], count: 2, name: "batch".to_owned(), ..plain(2) };
        let draws = &bootstrap(&clusters, &[&cell([(1, 1.0, 2)].into_iter())], 400, Seed(5))[0];
        let missing = draws.draws.iter().filter(|draw| draw.is_nan()).count();
        assert!((60..140).contains(&missing), "{missing}");
        assert!(draws.draws.iter().all(|draw| draw.is_nan() || *draw == 0.5));
        assert!(draws.jackknife[0] == 0.5 && draws.jackknife[1].is_nan());
    }

    #[test]
    fn nominal_95_percent_intervals_cover_the_truth_nearly_that_often() {
        // Batches shift accuracy by a normal deviate, wells scatter around their batch; truth 0.
        let (batches, wells) = (24, 6);
        let clusters = Clusters {
            cluster_of_unit: (0..batches * wells).map(|unit| unit / wells).collect(),
            count: batches as usize,
            name: "batch".to_owned(),
            ..plain((batches * wells) as usize)
        };
        let covered: Vec<[bool; 2]> = (0..300u64)
            .into_par_iter()
            .map(|trial| {
                let mut stream = Seed(77).derive("coverage", trial).stream();
                let shift: Vec<f64> = (0..batches).map(|_| stream.normal()).collect();
                let cell = cell((0..batches * wells).map(|u| (u, shift[(u / wells) as usize] + stream.normal(), 1)));
                let draws = &bootstrap(&clusters, &[&cell], 400, Seed(trial))[0];
                let intervals =
                    [percentile(&draws.draws).unwrap(), bca(draws.estimate, &draws.draws, &draws.jackknife).unwrap()];
                intervals.map(|interval| interval.low <= 0.0 && 0.0 <= interval.high)
            })
            .collect();
        for method in 0..2 {
            let share = covered.iter().filter(|c| c[method]).count() as f64 / covered.len() as f64;
            assert!((0.88..=0.99).contains(&share), "{share}");
        }
    }
}
