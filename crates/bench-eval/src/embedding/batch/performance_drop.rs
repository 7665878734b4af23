//! Average performance drop: what a classifier loses when its training rows confound label and unit.
//!
//! # What
//! For two labels in two units, classifiers are trained on equally many rows whose label and unit are correlated more and
//! more, from not at all to completely. The score is the mean loss of accuracy against the uncorrelated training, on rows
//! of the same units ([`INSIDE`]) and of other units ([`OUTSIDE`]).
//!
//! # Formula
//! `APD = mean_s(accuracy_s / accuracy_0) - 1` over the levels `s` of Cramér's V 0.2, 0.4, ... 1, accuracies averaged over
//! repeats; mean over pairs of labels and units. Balanced accuracy of logistic regression on the features as they are, C
//! by the accuracy on validation rows (drawn like the training rows) among 15 values from 1e-8 to 1e4, the least on a tie.
//! Levels are given as parts with 95 % t-intervals over repeats after taking out every repeat's own mean.
//!
//! # Why
//! The robustness index asks whether laboratories can be seen; this asks whether they do harm: a classifier that is
//! offered the laboratory as a short cut takes it if the embedding makes it easier than the biology.
//!
//! # What it cannot show
//! A constant embedding loses nothing, because it has nothing to lose: a guard flags it. Accuracies at chance without
//! correlation cannot fall; read the level `V = 0` first.
//!
//! # Deviations
//! PathoROB has designs of its own for each data set; here a third of the rows of every cell is tested, a fifth of the
//! others validates, at most four pairs are drawn with a seed, 20 repeats.
//!
//! # Reference
//! PathoROB (Kömen et al. 2025); Masson and Loftus 2003 for the intervals.

use std::sync::Arc;

use bench_core::{Card, Matrix, Seed};
use rayon::prelude::*;

use crate::embedding::biology::support::columns::digest;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, NullCost, Part, Roles, Side, Space};
use crate::probe::logistic::{LogisticProbe, LogisticSettings};
use crate::probe::{Probe as _, ProbeInput};
use crate::{Fold, Role};

/// Correlations of label and unit among the training rows.
pub(super) const LEVELS: [f64; 6] = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];
/// Repeats.
const REPEATS: usize = 20;
/// Pairs of labels and units at most.
const PAIRS: usize = 4;
/// Rows that a cell needs, and the most that are used.
const CELL: (usize, usize) = (8, 100);
/// Strengths of the penalty that are tried: `10^-8` to `10^4`.
const STRENGTHS: usize = 15;

const fn card(id: &'static str, title: &'static str, what: &'static str, formula: &'static str) -> EmbeddingCard {
    EmbeddingCard {
        card: Card {
            id,
            title,
            what,
            formula,
            better: "higher",
            range: "-1 to about 0",
            limits: "A sample of pairs; accuracies at chance cannot fall. Constant embedding: 0, and flagged by the guards.",
            reference: "PathoROB (Koemen et al. 2025)",
        },
        side: Side::Batch,
        dialect: "PathoROB, two labels in two units, logistic regression",
        best: "one-hot-label",
        // What tells nothing but the unit is at chance throughout, and loses nothing.
        worst: "",
    }
}

/// The card of the form on the units of training.
pub static INSIDE_CARD: EmbeddingCard = card(
    "performance-drop",
    "Average performance drop",
    "How much accuracy a classifier loses on the units that it was trained on as its training rows confound label and unit.",
    "mean over levels of (accuracy at V = s) / (accuracy at V = 0), less 1; tested on the units of training",
);

/// The card of the form on other units.
pub static OUTSIDE_CARD: EmbeddingCard = card(
    "performance-drop-unseen",
    "Average performance drop, unseen units",
    "How much accuracy a classifier loses on units that it never saw as its training rows confound label and unit.",
    "mean over levels of (accuracy at V = s) / (accuracy at V = 0), less 1; tested on other units",
);

/// The metric.
#[derive(Clone, Copy, Debug)]
pub enum PerformanceDrop {
    /// Tested on the units of training.
    Inside,
    /// Tested on other units.
    Outside,
}

/// Tested on the units of training.
pub static INSIDE: PerformanceDrop = PerformanceDrop::Inside;

/// Tested on other units.
pub static OUTSIDE: PerformanceDrop = PerformanceDrop::Outside;

/// Rows of one training and its tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trial {
    /// Rows to fit on.
    pub train: Vec<u32>,
    /// Rows by which the penalty is chosen.
    pub validation: Vec<u32>,
    /// Rows of the same units.
    pub inside: Vec<u32>,
    /// Rows of other units; possibly none.
    pub outside: Vec<u32>,
}

/// Balanced accuracies of one trial: on the units of training, and on others.
pub type Accuracies = (f64, Option<f64>);

/// The strengths of the penalty that are tried, ascending.
pub fn strengths() -> Vec<f64> {
    (0..STRENGTHS).map(|step| 10_f64.powf(-8.0 + 12.0 * step as f64 / (STRENGTHS - 1) as f64)).collect()
}

/// Fits every trial at every strength of the penalty and returns the accuracies at the one that validates best.
/// `class` is 0 or 1 for every row of `matrix`.
///
/// # Errors
/// A fit that cannot be made.
pub fn accuracies(
    matrix: &Matrix,
    class: &[u32],
    trials: &[Trial],
    strengths: &[f64],
) -> Result<Vec<Accuracies>, String> {
    let folds: Vec<Fold> = trials
        .iter()
        .map(|trial| {
            let mut roles = vec![Role::Unused; matrix.rows()];
            for &row in trial.validation.iter().chain(&trial.inside).chain(&trial.outside) {
                roles[row as usize] = Role::Test;
            }
            trial.train.iter().for_each(|&row| roles[row as usize] = Role::Train);
            Fold { repeat: 0, seed: 0, held_out: Vec::new(), roles }
        })
        .collect();
    let folds: Vec<&Fold> = folds.iter().collect();
    let input = ProbeInput { matrix, class, classes: 2, name_rank: &[0, 1] };
    let mut best: Vec<Option<(f64, Accuracies)>> = vec![None; trials.len()];
    let mut failed = None;
    for &c in strengths {
        let probe = LogisticProbe::new(LogisticSettings { c, ..LogisticSettings::default() });
        let probe = probe.map_err(|error| error.to_string())?;
        let run = probe.run(input, &folds, &|_, _| (), &mut |at, fitted| match fitted {
            Err(why) => failed = Some(why),
            Ok(fitted) => {
                let predictions = &fitted.predictions;
                let accuracy = |rows: &[u32]| {
                    let (mut hits, mut all) = ([0.0; 2], [0.0; 2]);
                    for &row in rows {
                        // Rows of predictions ascend.
                        if let Ok(place) = predictions.rows.binary_search(&row) {
                            let class = class[row as usize];
                            hits[class as usize] += predictions.decided(place, class);
                            all[class as usize] += 1.0;
                        }
                    }
                    let seen: Vec<f64> =
                        hits.iter().zip(all).filter(|(_, all)| *all > 0.0).map(|(hits, all)| hits / all).collect();
                    bench_core::number::mean(&seen)
                };
                let trial = &trials[at];
                let validated = accuracy(&trial.validation).unwrap_or(0.0);
                if best[at].as_ref().is_none_or(|best| validated > best.0 + 1e-12) {
                    best[at] = Some((validated, (accuracy(&trial.inside).unwrap_or(0.0), accuracy(&trial.outside))));
                }
            }
        });
        run.map_err(|error| error.to_string())?;
    }
    if let Some(why) = failed {
        return Err(why);
    }
    best.into_iter().map(|best| best.map(|best| best.1).ok_or_else(|| "a trial has no fit".to_owned())).collect()
}

/// `mean(accuracy_s / accuracy_0) - 1` over the levels after the first.
pub fn drop_of(levels: &[f64]) -> f64 {
    let later = &levels[1..];
    later.iter().map(|accuracy| accuracy / levels[0]).sum::<f64>() / later.len() as f64 - 1.0
}

/// Rows that a pair tests, and its accuracies by repeat and level.
type Designed = (usize, Vec<Vec<Accuracies>>);

/// Name and rows of a pair, and one of its accuracies by repeat and level.
type Read<'a> = (&'a (String, usize), Vec<Vec<f64>>);

/// Accuracies by pair, repeat and level.
struct Drops {
    /// Name of each pair, and rows that are tested.
    pairs: Vec<(String, usize)>,
    /// By pair, then repeat, then level.
    found: Vec<Vec<Vec<Accuracies>>>,
}

impl Drops {
    fn new(space: &Space<'_>, roles: &Roles<'_>, seed: Seed) -> Result<Self, String> {
        let (labels, units) = (roles.label.level_count(), roles.unit.level_count());
        let mut cells = vec![Vec::new(); labels * units];
        for row in 0..roles.layout.rows {
            cells[roles.label.code(row) * units + roles.unit.code(row)].push(row as u32);
        }
        let mut pairs: Vec<[usize; 4]> = Vec::new();
        for (a, b) in (0..labels).flat_map(|a| (a + 1..labels).map(move |b| (a, b))) {
            let both: Vec<usize> = (0..units)
                .filter(|u| cells[a * units + u].len() >= CELL.0 && cells[b * units + u].len() >= CELL.0)
                .collect();
            pairs.extend(both.iter().enumerate().flat_map(|(i, &u)| both[i + 1..].iter().map(move |&v| [a, b, u, v])));
        }
        if pairs.is_empty() {
            return Err(format!("no two labels both have {} rows in two levels of `{}`", CELL.0, roles.unit_name));
        }
        if pairs.len() > PAIRS {
            seed.derive("performance-drop/pairs", 0).stream().shuffle(&mut pairs);
            pairs.truncate(PAIRS);
            pairs.sort_unstable();
        }
        let found: Vec<Result<Designed, String>> = pairs
            .par_iter()
            .map(|&[a, b, u, v]| {
                // The seed is the pair's own: which other pairs there are does not matter.
                let seed = seed.derive("performance-drop", ((a * labels + b) * units * units + u * units + v) as u64);
                let of = |label: usize, unit: usize| cells[label * units + unit].as_slice();
                let others: Vec<usize> = (0..units).filter(|&w| w != u && w != v).collect();
                let beyond = |label: usize| others.iter().flat_map(|&w| of(label, w)).copied().collect::<Vec<u32>>();
                let outside = [beyond(a), beyond(b)];
                design([of(a, u), of(a, v), of(b, u), of(b, v)], &outside, space.treated, seed)
            })
            .collect();
        let found: Vec<Designed> = found.into_iter().collect::<Result<_, _>>()?;
        let name = |&[a, b, u, v]: &[usize; 4]| {
            [&roles.label.levels[a], &roles.label.levels[b], &roles.unit.levels[u], &roles.unit.levels[v]]
                .map(String::as_str)
                .join(" / ")
        };
        let (sizes, found): (Vec<usize>, Vec<_>) = found.into_iter().unzip();
        Ok(Self { pairs: pairs.iter().map(name).zip(sizes).collect(), found })
    }
}

/// Draws the trials of one pair, [`LEVELS`] of every repeat, and says how many rows of every cell are tested. `cells` are
/// label a in units u and v, then label b; `outside` the rows of both labels in other units.
pub(super) fn draw(cells: [&[u32]; 4], outside: &[Vec<u32>; 2], seed: Seed) -> (usize, Vec<Trial>) {
    let most = cells.iter().map(|cell| cell.len()).min().unwrap_or_default().min(CELL.1);
    let tested = most / 3;
    let kept = most - tested;
    let validated = (kept / 5).max(1);
    let trained = kept - validated;
    let mut trials = Vec::with_capacity(REPEATS * LEVELS.len());
    for repeat in 0..REPEATS {
        let mut stream = seed.derive("repeat", repeat as u64).stream();
        let shuffled: Vec<Vec<u32>> = cells
            .iter()
            .map(|cell| {
                let mut rows = cell.to_vec();
                stream.shuffle(&mut rows);
                rows
            })
            .collect();
        let beyond: Vec<u32> = match outside.iter().all(|rows| !rows.is_empty()) {
            true => outside
                .iter()
                .flat_map(|rows| {
                    let mut rows = rows.clone();
                    stream.shuffle(&mut rows);
                    rows.truncate(CELL.1);
                    rows
                })
                .collect(),
            false => Vec::new(),
        };
        let inside: Vec<u32> = shuffled.iter().flat_map(|cell| &cell[..tested]).copied().collect();
        for level in LEVELS {
            let part = |from: usize, n: usize| -> Vec<u32> {
                let favoured = (n as f64 * (1.0 + level) / 2.0).round() as usize;
                // Label a is favoured in the first unit, label b in the second.
                [favoured, n - favoured, n - favoured, favoured]
                    .into_iter()
                    .zip(&shuffled)
                    .flat_map(|(count, cell)| &cell[from..from + count])
                    .copied()
                    .collect()
            };
            trials.push(Trial {
                train: part(tested, trained),
                validation: part(tested + trained, validated),
                inside: inside.clone(),
                outside: beyond.clone(),
            });
        }
    }
    (tested, trials)
}

/// Draws the trials of one pair and scores them.
fn design(cells: [&[u32]; 4], outside: &[Vec<u32>; 2], matrix: &Matrix, seed: Seed) -> Result<Designed, String> {
    let (tested, mut trials) = draw(cells, outside, seed);
    // Only the rows of the pair are handed to the classifier.
    let rows: Vec<u32> = cells.iter().copied().flatten().chain(outside.iter().flatten()).copied().collect();
    let mut place = std::collections::HashMap::with_capacity(rows.len());
    rows.iter().enumerate().for_each(|(at, &row)| {
        place.insert(row, at as u32);
    });
    let of_a = cells[0].len() + cells[1].len();
    let of_b = of_a + cells[2].len() + cells[3].len();
    let class: Vec<u32> = (0..rows.len())
        .map(|at| u32::from(if at < of_b { at >= of_a } else { at >= of_b + outside[0].len() }))
        .collect();
    for trial in &mut trials {
        for list in [&mut trial.train, &mut trial.validation, &mut trial.inside, &mut trial.outside] {
            list.iter_mut().for_each(|row| *row = place[&*row]);
        }
    }
    let found = accuracies(&matrix.take(&rows), &class, &trials, &strengths())?;
    Ok((4 * tested, found.chunks(LEVELS.len()).map(<[Accuracies]>::to_vec).collect()))
}

/// Half the width of the 95 % interval of each level's mean: t over repeats, each without its own mean.
fn half_widths(by_repeat: &[Vec<f64>]) -> Vec<f64> {
    let (repeats, levels) = (by_repeat.len(), by_repeat.first().map_or(0, Vec::len));
    let grand = by_repeat.iter().flatten().sum::<f64>() / (repeats * levels) as f64;
    let centred: Vec<Vec<f64>> = by_repeat
        .iter()
        .map(|row| {
            let own = row.iter().sum::<f64>() / levels as f64;
            row.iter().map(|value| value - own + grand).collect()
        })
        .collect();
    (0..levels)
        .map(|level| {
            let values: Vec<f64> = centred.iter().map(|row| row[level]).collect();
            let sd = bench_core::number::sample_sd(&values).unwrap_or(0.0);
            T_975 * sd / (repeats as f64).sqrt()
        })
        .collect()
}

/// Upper 2.5 % point of Student's t with [`REPEATS`] - 1 degrees of freedom.
const T_975: f64 = 2.093_024_054_408_263;

impl EmbeddingMetric for PerformanceDrop {
    fn card(&self) -> &'static EmbeddingCard {
        match self {
            Self::Inside => &INSIDE_CARD,
            Self::Outside => &OUTSIDE_CARD,
        }
    }

    fn null_cost(&self) -> NullCost {
        NullCost::Pairs
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        let codes = [roles.label.codes.as_slice(), roles.unit.codes.as_slice()];
        let key = format!("performance-drop/{:016x}", digest(codes.into_iter()));
        let drops: Arc<Result<Drops, String>> = space.remember(&key, || Drops::new(space, roles, Seed(0)));
        let drops = drops.as_ref().as_ref().map_err(Clone::clone)?;
        // By pair, then repeat, then level; pairs without other units are left out of the second form.
        let read: Vec<Read<'_>> = drops
            .pairs
            .iter()
            .zip(&drops.found)
            .filter_map(|(pair, repeats)| {
                let of = |found: &Accuracies| match self {
                    Self::Inside => Some(found.0),
                    Self::Outside => found.1,
                };
                let values: Option<Vec<Vec<f64>>> =
                    repeats.iter().map(|levels| levels.iter().map(of).collect()).collect();
                values.map(|values| (pair, values))
            })
            .collect();
        if read.is_empty() {
            return Err(format!("no pair of labels has rows in a third level of `{}`", roles.unit_name));
        }
        let mean_of = |repeats: &[Vec<f64>]| -> Vec<f64> {
            (0..LEVELS.len())
                .map(|level| repeats.iter().map(|row| row[level]).sum::<f64>() / repeats.len() as f64)
                .collect()
        };
        let mut parts: Vec<Part> = read
            .iter()
            .map(|((name, n), repeats)| Part {
                unit: "label-pair / unit-pair",
                name: name.clone(),
                n: *n,
                value: drop_of(&mean_of(repeats)),
                p: None,
            })
            .collect();
        let value = parts.iter().map(|part| part.value).sum::<f64>() / parts.len() as f64;
        let n = parts.iter().map(|part| part.n).sum();
        // Levels over all pairs: every repeat is its mean over pairs.
        let pooled: Vec<Vec<f64>> = (0..REPEATS)
            .map(|repeat| {
                let rows: Vec<Vec<f64>> = read.iter().map(|(_, repeats)| repeats[repeat].clone()).collect();
                mean_of(&rows)
            })
            .collect();
        let half = half_widths(&pooled);
        for ((level, accuracy), half) in LEVELS.into_iter().zip(mean_of(&pooled)).zip(half) {
            let name = format!("V = {level:.1}");
            for (unit, value) in
                [("level", accuracy), ("level, lower end", accuracy - half), ("level, upper end", accuracy + half)]
            {
                parts.push(Part { unit, name: name.clone(), n: REPEATS, value, p: None });
            }
        }
        Ok(Measured { value, n, parts, ..Measured::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedding::testing::Input;

    #[test]
    fn a_drop_is_the_mean_of_ratios_less_one() {
        assert!((drop_of(&[0.8, 0.8, 0.4]) + 0.25).abs() < 1e-12);
        assert_eq!(drop_of(&[0.5; 6]), 0.0);
    }

    #[test]
    fn intervals_leave_out_what_a_repeat_has_for_itself() {
        let half = half_widths(&[vec![0.9, 0.7], vec![0.5, 0.3], vec![0.2, 0.0]]);
        assert!(half.iter().all(|half| half.abs() < 1e-12), "repeats differ by a shift only: {half:?}");
    }

    #[test]
    fn a_short_cut_costs_accuracy_and_an_embedding_without_one_loses_none() {
        let (_, input, _) = Input::all().remove(0);
        let n = input.matrix.rows();
        let none = Matrix::zeros(0, 4);
        let coded = |codes: &[u32], weak: &[u32], strong: f32| {
            let mut data = Vec::new();
            for row in 0..n {
                let bit = |code: u32, shift: u32| (code >> shift & 1) as f32;
                data.extend([strong * bit(codes[row], 0), strong * bit(codes[row], 1)]);
                data.extend([bit(weak[row], 0) + bit(weak[row], 2), bit(weak[row], 1) - bit(weak[row], 2)]);
            }
            Matrix::new(n, 4, data)
        };
        let biology = coded(&vec![0; n], &input.label.codes, 0.0);
        let laboratory = coded(&input.batch.codes, &vec![0; n], 1.0);
        let measure = |matrix: &Matrix, form: PerformanceDrop| {
            form.measure(&Space::new(matrix, &none), &input.roles()).unwrap().value
        };
        for form in [INSIDE, OUTSIDE] {
            assert!(measure(&biology, form).abs() < 1e-9);
        }
        // Without correlation it is at chance; with it, at chance or below.
        assert!(measure(&laboratory, INSIDE) <= 1e-9);
        let both = coded(&input.batch.codes, &input.label.codes, 30.0);
        assert!(measure(&both, INSIDE) < measure(&biology, INSIDE) - 0.005);
    }
}
