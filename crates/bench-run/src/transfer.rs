//! Source to source: train on one source, test on every other; on the diagonal, five folds over
//! the wells of the source itself.
//!
//! All sources that a source is tested on share its fit, so a table costs one fit per source and
//! five small ones for the diagonal.

use bench_core::record::Transfer;
use bench_core::{Factor, Matrix, Seed};
use bench_eval::metric::Evaluated;
use bench_eval::metric::group::GroupTally;
use bench_eval::probe::{Probe, ProbeInput};
use bench_eval::split::{TransferPair, thin_tests, transfer_folds};
use bench_eval::{Error, Fold, Role, SplitSet};

use crate::scoring::Task;

/// The table of one model and probe; empty without at least two sources. `most` is the number of
/// rows that may be tested; `whole` hands the probe all rows even where a fold uses few of them.
///
/// # Errors
/// A probe that cannot run at all.
pub fn table(
    task: Task<'_>,
    model: &str,
    matrix: &Matrix,
    probe: &dyn Probe,
    whole: bool,
    (seed, most): (Seed, usize),
    tick: &(dyn Fn(usize, usize) + Sync),
) -> Result<Vec<Transfer>, Error> {
    let Some(source) = task.layout.source.as_ref().filter(|s| s.level_count() > 1) else {
        return Ok(Vec::new());
    };
    let mut pairs = transfer_folds(task.layout, task.label, seed);
    for pair in &mut pairs {
        let mut set = [SplitSet {
            protocol: "transfer".to_owned(),
            split: String::new(),
            unit: "source".to_owned(),
            pooled: true,
            folds: std::mem::take(&mut pair.folds),
            reason: None,
        }];
        // Very large tables test the same draw of wells here as in every split.
        thin_tests(&mut set, &task.clusters.unit_of_row, most, seed);
        let [set] = set;
        pair.folds = set.folds;
    }
    let counts = source.counts();
    let rows_of = |name: &str| source.levels.iter().position(|l| l == name).map_or(0, |level| counts[level]);
    let mut cells: Vec<Transfer> = pairs
        .iter()
        .map(|pair| Transfer {
            model: model.to_owned(),
            probe: probe.card().id.to_owned(),
            train: pair.train.clone(),
            test: pair.test.clone(),
            n_train: pair.folds.first().map_or(rows_of(&pair.train), |fold| fold.count(Role::Train)),
            n_test: rows_of(&pair.test),
            accuracy: None,
            reason: pair.reason.clone(),
        })
        .collect();
    off_diagonal(task, matrix, probe, source, &pairs, &mut cells, tick)?;
    for (pair, cell) in pairs.iter().zip(&mut cells).filter(|(p, _)| p.train == p.test && p.reason.is_none()) {
        within(task, matrix, probe, whole, source, pair, cell)?;
    }
    Ok(cells)
}

fn off_diagonal(
    task: Task<'_>,
    matrix: &Matrix,
    probe: &dyn Probe,
    source: &Factor,
    pairs: &[TransferPair],
    cells: &mut [Transfer],
    tick: &(dyn Fn(usize, usize) + Sync),
) -> Result<(), Error> {
    let mut folds: Vec<Fold> = Vec::new();
    let mut of_fold: Vec<&str> = Vec::new();
    for pair in pairs.iter().filter(|p| p.train != p.test) {
        let Some(one) = pair.folds.first() else { continue };
        if of_fold.last() == Some(&pair.train.as_str())
            && let Some(fold) = folds.last_mut()
        {
            for (role, add) in fold.roles.iter_mut().zip(&one.roles).filter(|(_, add)| **add == Role::Test) {
                *role = *add;
            }
        } else {
            of_fold.push(&pair.train);
            folds.push(one.clone());
        }
    }
    let names = task.label.name_ranks();
    let input = ProbeInput { matrix, class: &task.label.codes, classes: task.label.level_count(), name_rank: &names };
    let references: Vec<&Fold> = folds.iter().collect();
    probe.run(input, &references, tick, &mut |index, fitted| {
        let mine = cells.iter_mut().filter(|c| c.train == of_fold[index] && c.test != c.train && c.reason.is_none());
        match fitted {
            Err(reason) => mine.for_each(|cell| cell.reason = Some(reason.clone())),
            Ok(fitted) => {
                let present = vec![true; task.label.level_count()];
                let evaluated =
                    Evaluated::new(&fitted.predictions, &task.label.codes, task.label.level_count(), &present);
                let mut tally = GroupTally::new(source.level_count(), task.label.level_count());
                tally.add(&evaluated, &source.codes);
                let scores = tally.scores();
                for cell in mine {
                    if let Some(level) = source.levels.iter().position(|l| *l == cell.test) {
                        cell.accuracy = scores[level].accuracy;
                        cell.n_test = scores[level].n_test as usize;
                    }
                }
            }
        }
    })
}

fn within(
    task: Task<'_>,
    matrix: &Matrix,
    probe: &dyn Probe,
    whole: bool,
    source: &Factor,
    pair: &TransferPair,
    cell: &mut Transfer,
) -> Result<(), Error> {
    let rows: Vec<u32> =
        (0..source.len()).filter(|&r| whole || source.name(r) == pair.train).map(|r| r as u32).collect();
    let part = matrix.take(&rows);
    let class: Vec<u32> = rows.iter().map(|&r| task.label.codes[r as usize]).collect();
    let folds: Vec<Fold> = pair
        .folds
        .iter()
        .map(|fold| Fold { roles: rows.iter().map(|&r| fold.roles[r as usize]).collect(), ..fold.clone() })
        .collect();
    let references: Vec<&Fold> = folds.iter().collect();
    let names = task.label.name_ranks();
    let classes = task.label.level_count();
    let (mut right, mut tested) = (0.0, 0usize);
    let input = ProbeInput { matrix: &part, class: &class, classes, name_rank: &names };
    probe.run(input, &references, &|_, _| {}, &mut |_, fitted| match fitted {
        Err(reason) => cell.reason = Some(reason),
        Ok(fitted) => {
            let predictions = &fitted.predictions;
            right += (0..predictions.len())
                .map(|i| predictions.decided(i, class[predictions.rows[i] as usize]))
                .sum::<f64>();
            tested += predictions.len();
        }
    })?;
    if tested > 0 && cell.reason.is_none() {
        cell.accuracy = Some(right / tested as f64);
        cell.n_test = tested;
    }
    Ok(())
}
