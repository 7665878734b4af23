//! Learning curve over control wells: what a correction needs of a laboratory that it has never seen.
//!
//! # What
//! For every source in turn, a chain is fitted to the other sources and their controls, and the probe to their corrected
//! rows. The source that is left is then aligned by 1, 2, 4, ... of its own control wells in each group that the chain
//! aligns (plate, batch or source), and its treated rows are scored. None of its other rows is seen.
//!
//! # Formula
//! `accuracy(n) = mean over treated rows of all unseen sources of the share of draws in which the row is right`. Draws of
//! controls are nested: those of `n` are among those of `2 n` of the same draw. The interval is a bootstrap over wells
//! within batches, the spread the standard deviation over draws.
//!
//! # Why
//! Control wells cost plates. The curve says how many a new laboratory has to spend before the correction pays.
//!
//! # What it cannot show
//! The interval holds for the classifiers as trained, and sources are few: read the accuracies by source beside it. A group
//! with fewer controls than asked for gives those that it has.
//!
//! # Where it fits
//! After the transfer between sources, once per corrected embedding; `--control-curve`.

use bench_core::record::{ControlPoint, CorrectionChoice};
use bench_core::{Factor, Matrix, Seed};
use bench_correct::FittedChain;
use bench_eval::aggregate::interval::percentile;
use bench_eval::aggregate::over_draws;
use bench_eval::probe::{Probe, ProbeInput};
use bench_eval::{Error as EvalError, Fold, Role};
use serde::{Deserialize, Serialize};

use crate::corrections::Corrected;
use crate::scoring::Task;
use crate::suite::ControlCurve;

/// Test rows that one fit is handed at most, copies under several draws counted.
const ROWS: usize = 100_000;

/// Points of one corrected embedding, and the settings that inner folds chose on the way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Curve {
    pub(crate) points: Vec<ControlPoint>,
    pub(crate) choices: Vec<CorrectionChoice>,
}

/// One alignment of an unseen source: place of its number of controls, draw, and the control rows.
struct Variant {
    at: usize,
    draw: usize,
    controls: Vec<u32>,
}

/// How often rows were right: by number of controls, then row; and by number of controls, then draw.
struct Tally {
    right: Vec<Vec<f64>>,
    by_draw: Vec<Vec<f64>>,
    tested: Vec<bool>,
}

/// The curve of one corrected embedding under one probe.
///
/// # Errors
/// A probe that cannot run at all; everything else is a reason in the points.
pub(crate) fn curve(
    task: Task<'_>,
    corrected: &Corrected,
    probe: &dyn Probe,
    settings: &ControlCurve,
    draws: usize,
    seed: Seed,
    tick: &(dyn Fn(usize, usize) + Sync),
) -> Result<Curve, EvalError> {
    let blank = ControlPoint {
        model: corrected.info.model.clone(),
        correction: corrected.info.chain.clone(),
        probe: probe.card().id.to_owned(),
        ..ControlPoint::default()
    };
    let refused = |why: &str| {
        Ok(Curve { points: vec![ControlPoint { reason: Some(why.to_owned()), ..blank.clone() }], choices: Vec::new() })
    };
    let Some(source) = task.layout.source.as_ref().filter(|source| source.level_count() > 1) else {
        return refused("the table has no two sources");
    };
    if corrected.info.transductive {
        return refused("the correction is transductive: it has seen the rows of every source");
    }
    let Some(unit) = corrected.unit() else {
        return refused("the correction aligns no source, batch or plate by its own controls");
    };
    // `None` stands for all controls that there are.
    let numbers: Vec<Option<usize>> = settings.wells.iter().copied().map(Some).chain([None]).collect();
    let rows = task.layout.rows;
    let mut tally = Tally {
        right: vec![vec![0.0; rows]; numbers.len()],
        by_draw: numbers.iter().map(|n| vec![0.0; if n.is_some() { settings.draws } else { 1 }]).collect(),
        tested: vec![false; rows],
    };
    let mut choices = Vec::new();
    let mut left_out: Vec<String> = Vec::new();
    for (level, name) in source.levels.iter().enumerate() {
        tick(level, source.level_count());
        let roles = source.codes.iter().map(|&code| if code as usize == level { Role::Test } else { Role::Train });
        let fold = Fold { repeat: 0, seed: 0, held_out: vec![name.clone()], roles: roles.collect() };
        let own = seed.derive(&format!("control-curve/{name}"), 0);
        match of_source(task, corrected, probe, (&fold, unit, &numbers, settings.draws), own, &mut tally)? {
            Ok(choice) => choices.extend(choice),
            Err(why) => left_out.push(format!("{name}: {why}")),
        }
    }
    let mut points = Vec::with_capacity(numbers.len());
    for (at, controls) in numbers.iter().enumerate() {
        let point = ControlPoint {
            unit: unit.to_owned(),
            controls: *controls,
            draws: tally.by_draw[at].len(),
            reason: (!left_out.is_empty()).then(|| left_out.join("; ")),
            ..blank.clone()
        };
        points.push(summarised(point, at, &tally, task, source, (draws, seed)));
    }
    Ok(Curve { points, choices })
}

/// Value, interval and spread of one number of controls.
fn summarised(
    point: ControlPoint,
    at: usize,
    tally: &Tally,
    task: Task<'_>,
    source: &Factor,
    (draws, seed): (usize, Seed),
) -> ControlPoint {
    let tested: Vec<usize> = (0..tally.tested.len()).filter(|&row| tally.tested[row]).collect();
    if tested.is_empty() {
        return point;
    }
    let right = &tally.right[at];
    let units = &task.clusters.unit_of_row;
    let drawn = over_draws(task.clusters, draws, seed.derive("control-curve", 0), |weights| {
        let (top, bottom) = tested.iter().fold((0.0, 0.0), |(top, bottom), &row| {
            let weight = f64::from(weights[units[row] as usize]);
            (top + weight * right[row], bottom + weight)
        });
        top / bottom
    });
    let interval = percentile(&drawn);
    let sources = source
        .levels
        .iter()
        .enumerate()
        .filter_map(|(level, name)| {
            let values: Vec<f64> =
                tested.iter().filter(|&&row| source.code(row) == level).map(|&row| right[row]).collect();
            bench_core::number::mean(&values).map(|value| (name.clone(), value))
        })
        .collect();
    let by_draw: Vec<f64> = tally.by_draw[at].iter().map(|right| right / tested.len() as f64).collect();
    ControlPoint {
        n_test: tested.len(),
        accuracy: Some(tested.iter().map(|&row| right[row]).sum::<f64>() / tested.len() as f64),
        low: interval.map(|interval| interval.low),
        high: interval.map(|interval| interval.high),
        spread: bench_core::number::sample_sd(&by_draw),
        sources,
        ..point
    }
}

/// What is asked of one source: fold, unit of alignment, numbers of controls, draws.
type Asked<'a> = (&'a Fold, &'static str, &'a [Option<usize>], usize);

/// What every draw of one source shares.
struct Prepared {
    choice: Option<CorrectionChoice>,
    fitted: FittedChain,
    /// Controls of the source.
    controls: Vec<u32>,
    /// Corrected training rows; controls of their groups behind them.
    training: Matrix,
}

/// Fits the chain to the other sources.
fn prepare(task: Task<'_>, corrected: &Corrected, probe: &dyn Probe, fold: &Fold) -> Result<Prepared, String> {
    let (candidate, choice) = corrected.chosen(fold, task.layout, task.label, probe)?;
    let fitted = corrected.learn(candidate, fold, task.label)?;
    let controls = corrected.controls_where("source", |name| fold.held_out.iter().any(|held| held == name));
    if controls.is_empty() {
        return Err("it has no controls".to_owned());
    }
    // Training rows with the controls of their groups, as in every fold.
    let training = corrected.aligned(&fitted, &corrected.fit_rows(fold))?;
    Ok(Prepared { choice, fitted, controls, training })
}

/// Scores one unseen source under every number of controls and every draw.
fn of_source(
    task: Task<'_>,
    corrected: &Corrected,
    probe: &dyn Probe,
    (fold, unit, numbers, draws): Asked<'_>,
    seed: Seed,
    tally: &mut Tally,
) -> Result<Result<Option<CorrectionChoice>, String>, EvalError> {
    let label = task.label;
    let Prepared { choice, fitted, controls, training } = match prepare(task, corrected, probe, fold) {
        Ok(prepared) => prepared,
        Err(why) => return Ok(Err(why)),
    };
    let (train, test) = (fold.rows(Role::Train), fold.rows(Role::Test));
    let variants = variants(corrected, unit, &controls, numbers, draws, seed);
    let names = label.name_ranks();
    let mut failed = None;
    // Collected first, so that a source that fails half-way counts nowhere.
    let mut found: Vec<(usize, usize, Vec<f64>)> = Vec::with_capacity(variants.len());
    for some in variants.chunks((ROWS / test.len().max(1)).max(1)) {
        let cols = training.cols();
        let mut data: Vec<f32> = training.data()[..train.len() * cols].to_vec();
        for variant in some {
            let rows: Vec<u32> = test.iter().chain(&variant.controls).copied().collect();
            match corrected.aligned(&fitted, &rows) {
                Ok(aligned) => data.extend_from_slice(&aligned.data()[..test.len() * cols]),
                Err(why) => return Ok(Err(why)),
            }
        }
        let matrix = Matrix::new(train.len() + some.len() * test.len(), cols, data);
        let tested = || some.iter().flat_map(|_| &test);
        let class: Vec<u32> = train.iter().chain(tested()).map(|&row| label.codes[row as usize]).collect();
        let roles = (0..matrix.rows()).map(|at| if at < train.len() { Role::Train } else { Role::Test }).collect();
        let joined = Fold { roles, ..fold.clone() };
        let input = ProbeInput { matrix: &matrix, class: &class, classes: label.level_count(), name_rank: &names };
        probe.run(input, &[&joined], &|_, _| (), &mut |_, fitted| match fitted {
            Err(why) => failed = Some(why),
            Ok(fitted) => {
                let predictions = &fitted.predictions;
                let right: Vec<f64> = (0..predictions.len())
                    .map(|at| predictions.decided(at, class[predictions.rows[at] as usize]))
                    .collect();
                for (variant, right) in some.iter().zip(right.chunks(test.len().max(1))) {
                    found.push((variant.at, variant.draw, right.to_vec()));
                }
            }
        })?;
    }
    if let Some(why) = failed {
        return Ok(Err(why));
    }
    for (at, draw, right) in found {
        let share = tally.by_draw[at].len() as f64;
        for (&row, right) in test.iter().zip(right) {
            tally.right[at][row as usize] += right / share;
            tally.by_draw[at][draw] += right;
        }
    }
    test.iter().for_each(|&row| tally.tested[row as usize] = true);
    Ok(Ok(choice))
}

/// Every number of controls under every draw; all controls once.
fn variants(
    corrected: &Corrected,
    unit: &str,
    controls: &[u32],
    numbers: &[Option<usize>],
    draws: usize,
    seed: Seed,
) -> Vec<Variant> {
    let mut groups: Vec<(&str, Vec<u32>)> = Vec::new();
    for &row in controls {
        let name = corrected.name_of(unit, row).unwrap_or_default();
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((name, vec![row])),
        }
    }
    let mut variants = Vec::new();
    for draw in 0..draws {
        let shuffled: Vec<Vec<u32>> = groups
            .iter()
            .map(|(name, rows)| {
                let mut rows = rows.clone();
                seed.derive(&format!("controls of {name}"), draw as u64).stream().shuffle(&mut rows);
                rows
            })
            .collect();
        for (at, number) in numbers.iter().enumerate() {
            if let Some(n) = number {
                let controls = shuffled.iter().flat_map(|rows| rows.iter().take(*n)).copied().collect();
                variants.push(Variant { at, draw, controls });
            }
        }
    }
    let all = numbers.iter().position(Option::is_none);
    variants.extend(all.map(|at| Variant { at, draw: 0, controls: controls.to_vec() }));
    variants
}

#[cfg(test)]
mod tests {
    use bench_core::{Answers, Block, Layout, Table};
    use bench_eval::aggregate::Clusters;
    use bench_eval::probe::logistic::{LogisticProbe, LogisticSettings};

    use super::*;
    use crate::corrections::expand;

    /// Three sources of two plates; the label is a small step, the plate a large one, controls are noisy.
    fn table() -> Table {
        let plate = |at: usize| at % 6;
        let layout = |rows: usize, prefix: &str| {
            let names: Vec<String> = (0..rows).map(|at| format!("p{}", plate(at))).collect();
            let sources: Vec<String> = (0..rows).map(|at| format!("s{}", plate(at) / 2)).collect();
            Layout {
                rows,
                source: Some(Factor::sorted(&sources)),
                plate: Some(Factor::sorted(&names)),
                well: Some(Factor::first_seen(&(0..rows).map(|at| format!("{prefix}{at}")).collect::<Vec<_>>())),
                file_row: (0..rows as u64).collect(),
                ..Layout::default()
            }
        };
        let mut stream = Seed(3).stream();
        let mut noise = move || (0..6).map(|_| stream.below(1000) as f32 / 1000.0 - 0.5).sum::<f32>();
        let shift = |at: usize| [0.0, 9.0, -4.0, 15.0, -11.0, 6.0][plate(at)];
        let mut block = |rows: usize, prefix: &str, step: f32| Block {
            layout: layout(rows, prefix),
            matrix: Matrix::new(
                rows,
                2,
                (0..rows).flat_map(|at| [shift(at) + step * (at / 6 % 2) as f32 + noise(), noise()]).collect(),
            ),
        };
        let names: Vec<&str> = (0..240).map(|at| if at / 6 % 2 == 0 { "x" } else { "y" }).collect();
        Table {
            name: "m".into(),
            features: vec!["a".into(), "b".into()],
            treated: block(240, "t", 3.0),
            answers: Answers { column: "y".into(), label: Factor::first_seen(&names) },
            controls: block(96, "c", 0.0),
            ..Table::default()
        }
    }

    fn measured(chain: &str, wells: &[usize]) -> Curve {
        let (tables, corrections) = expand(vec![table()], &[chain.to_owned()], Seed(1), &crate::Silent).unwrap();
        let table = &tables[0];
        let clusters = Clusters::of(&table.treated.layout);
        let task = Task {
            layout: &table.treated.layout,
            column: "y",
            label: &table.answers.label,
            clusters: &clusters,
            metrics: &[],
        };
        let probe = LogisticProbe::new(LogisticSettings::default()).unwrap();
        let settings = ControlCurve { enabled: true, wells: wells.to_vec(), draws: 4 };
        curve(task, corrections[0].as_ref().unwrap(), &probe, &settings, 200, Seed(2), &|_, _| ()).unwrap()
    }

    #[test]
    fn more_controls_align_an_unseen_source_better_and_all_are_the_end_of_the_curve() {
        let curve = measured("centre(by=plate, on=controls)", &[1, 4, 16]);
        let points = &curve.points;
        assert_eq!(points.iter().map(|point| point.controls).collect::<Vec<_>>(), [Some(1), Some(4), Some(16), None]);
        let accuracy: Vec<f64> = points.iter().map(|point| point.accuracy.unwrap()).collect();
        assert!(accuracy[1] > accuracy[0] + 0.005 && accuracy[3] > 0.9, "{accuracy:?}");
        // Every plate has 16 controls, so that 16 are all.
        assert_eq!((points[2].accuracy, points[2].low), (points[3].accuracy, points[3].low));
        assert!(points[0].spread.unwrap() > 0.0 && points[2].spread.unwrap() < 1e-12);
        for point in points {
            assert!(point.low.unwrap() <= point.accuracy.unwrap() && point.accuracy.unwrap() <= point.high.unwrap());
            assert_eq!((point.unit.as_str(), point.n_test, point.sources.len()), ("plate", 240, 3));
        }
        assert_eq!(measured("centre(by=plate, on=controls)", &[1, 4, 16]), curve, "the same again");
    }

    #[test]
    fn a_chain_that_needs_no_controls_of_its_own_says_so() {
        for (chain, part) in [("centre(by=all, on=all)", "aligns no source"), ("harmony(by=source)", "transductive")] {
            let points = measured(chain, &[1]).points;
            let reason = points[0].reason.clone().unwrap_or_default();
            assert!(reason.contains(part), "{chain}: {reason}");
        }
    }
}
