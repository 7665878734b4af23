//! Settings that a chain leaves open, chosen inside the training rows of each fold.
//!
//! # What
//! The training rows of a fold are divided again by the coarsest unit whose groups the fold itself keeps apart (source,
//! batch, plate, compound, well; rows where it keeps none apart). Every candidate is fitted to the inner training rows and
//! judged by the probe on the inner test rows; the one of best balanced accuracy corrects the outer fold, the first on a
//! tie.
//!
//! # Why
//! A setting that is chosen by the score that it is judged by makes every correction look better than it is. Test rows
//! and their labels take no part here, and the inner question is the outer one: a correction for unseen sources is chosen
//! by unseen sources.
//!
//! # What it cannot show
//! Maps, origin probes and embedding metrics have no folds; there the first candidate stands.

use bench_core::{Factor, Layout, Seed};
use bench_eval::probe::{Probe, ProbeInput};
use bench_eval::{Fold, Role};

use super::Corrected;

/// Inner folds at most.
const FOLDS: usize = 3;

/// What the inner folds chose.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Choice {
    /// Place among the candidates.
    pub(crate) candidate: usize,
    /// Unit whose groups the inner folds keep apart.
    pub(crate) unit: String,
    /// Inner folds.
    pub(crate) folds: usize,
    /// Balanced accuracy over them.
    pub(crate) accuracy: f64,
}

/// Chooses a candidate for a fold.
///
/// # Errors
/// Training rows that cannot be divided, or no candidate that can be fitted to the inner folds.
pub(crate) fn choose(
    corrected: &Corrected,
    layout: &Layout,
    label: &Factor,
    fold: &Fold,
    probe: &dyn Probe,
) -> Result<Choice, String> {
    let (unit, inner) = inner_folds(layout, fold, corrected.seed.derive("inner-folds", 0))?;
    let mut best: Option<Choice> = None;
    let mut why = String::new();
    for candidate in 0..corrected.candidates.len() {
        match accuracy(corrected, candidate, label, &inner, probe) {
            Ok(accuracy) if best.as_ref().is_none_or(|best| accuracy > best.accuracy + 1e-12) => {
                best = Some(Choice { candidate, unit: unit.clone(), folds: inner.len(), accuracy });
            }
            Ok(_) => {}
            Err(reason) => why = reason,
        }
    }
    best.ok_or_else(|| format!("no open setting can be fitted to the inner folds: {why}"))
}

/// Balanced accuracy of one candidate over the inner folds.
fn accuracy(
    corrected: &Corrected,
    candidate: usize,
    label: &Factor,
    inner: &[Fold],
    probe: &dyn Probe,
) -> Result<f64, String> {
    let names = label.name_ranks();
    let classes = label.level_count();
    let (mut hits, mut all) = (vec![0.0; classes], vec![0.0; classes]);
    for fold in inner {
        let matrix = corrected.candidate_of_fold(candidate, fold, label)?;
        let input = ProbeInput { matrix: &matrix, class: &label.codes, classes, name_rank: &names };
        let mut failed = None;
        probe
            .run(input, &[fold], &|_, _| (), &mut |_, fitted| match fitted {
                Err(reason) => failed = Some(reason),
                Ok(fitted) => {
                    let predictions = &fitted.predictions;
                    for (at, &row) in predictions.rows.iter().enumerate() {
                        let class = label.codes[row as usize];
                        hits[class as usize] += predictions.decided(at, class);
                        all[class as usize] += 1.0;
                    }
                }
            })
            .map_err(|error| error.to_string())?;
        if let Some(reason) = failed {
            return Err(reason);
        }
    }
    let recalls: Vec<f64> =
        hits.iter().zip(&all).filter(|(_, all)| **all > 0.0).map(|(hits, all)| hits / all).collect();
    bench_core::number::mean(&recalls).ok_or_else(|| "the inner folds test no row".to_owned())
}

/// The unit of the inner folds, and the folds; rows that do not train in the outer fold are unused in all of them.
pub(crate) fn inner_folds(layout: &Layout, fold: &Fold, seed: Seed) -> Result<(String, Vec<Fold>), String> {
    let train = fold.rows(Role::Train);
    let mut apart = false;
    for unit in ["source", "batch", "plate", "compound", "well"] {
        let Some(factor) = layout.unit(unit) else { continue };
        // Once a unit is kept apart, finer ones are too.
        apart |= keeps_apart(factor, fold);
        let groups = present(factor, &train);
        if apart && groups.len() > 1 {
            return Ok((unit.to_owned(), divide(fold, &groups, seed)));
        }
    }
    let rows: Vec<Vec<u32>> = train.iter().map(|&row| vec![row]).collect();
    if rows.len() < 2 {
        return Err("fewer than two training rows cannot be divided".to_owned());
    }
    Ok(("row".to_owned(), divide(fold, &rows, seed)))
}

/// Whether no group has both training and test rows.
fn keeps_apart(factor: &Factor, fold: &Fold) -> bool {
    let mut seen = vec![(false, false); factor.level_count()];
    for (row, role) in fold.roles.iter().enumerate() {
        let seen = &mut seen[factor.code(row)];
        match role {
            Role::Train => seen.0 = true,
            Role::Test => seen.1 = true,
            Role::Unused => {}
        }
    }
    !seen.contains(&(true, true))
}

/// Rows of every group that has some, groups in order of their names.
fn present(factor: &Factor, rows: &[u32]) -> Vec<Vec<u32>> {
    let mut groups: Vec<(&str, Vec<u32>)> = factor.levels.iter().map(|name| (name.as_str(), Vec::new())).collect();
    for &row in rows {
        groups[factor.code(row as usize)].1.push(row);
    }
    groups.retain(|(_, rows)| !rows.is_empty());
    groups.sort_by(|a, b| a.0.cmp(b.0));
    groups.into_iter().map(|(_, rows)| rows).collect()
}

/// Groups dealt to folds, the largest first, each to the fold with the fewest rows; equal ones in seeded order.
fn divide(fold: &Fold, groups: &[Vec<u32>], seed: Seed) -> Vec<Fold> {
    let folds = FOLDS.min(groups.len());
    let mut order: Vec<usize> = (0..groups.len()).collect();
    seed.stream().shuffle(&mut order);
    order.sort_by_key(|&group| std::cmp::Reverse(groups[group].len()));
    let mut dealt: Vec<Vec<u32>> = vec![Vec::new(); folds];
    for group in order {
        if let Some(least) = dealt.iter_mut().min_by_key(|rows| rows.len()) {
            least.extend(&groups[group]);
        }
    }
    dealt
        .into_iter()
        .enumerate()
        .map(|(at, tested)| {
            let mut roles: Vec<Role> =
                fold.roles.iter().map(|role| if *role == Role::Train { Role::Train } else { Role::Unused }).collect();
            tested.iter().for_each(|&row| roles[row as usize] = Role::Test);
            Fold { repeat: at as u32, seed: seed.0, held_out: Vec::new(), roles }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        let name = |prefix: char, n: usize| {
            Some(Factor::sorted(&(0..24).map(|at| format!("{prefix}{}", at / n)).collect::<Vec<_>>()))
        };
        Layout { rows: 24, source: name('s', 6), plate: name('p', 3), well: name('w', 1), ..Layout::default() }
    }

    fn fold(tested: impl Fn(usize) -> bool) -> Fold {
        let roles = (0..24).map(|at| if tested(at) { Role::Test } else { Role::Train }).collect();
        Fold { repeat: 0, seed: 0, held_out: Vec::new(), roles }
    }

    #[test]
    fn inner_folds_keep_apart_what_the_outer_fold_keeps_apart() {
        let layout = layout();
        for (tested, unit) in
            [(fold(|at| at < 6), "source"), (fold(|at| (at / 3) % 2 == 0), "plate"), (fold(|at| at % 3 == 0), "well")]
        {
            let (found, inner) = inner_folds(&layout, &tested, Seed(1)).unwrap();
            assert_eq!((found.as_str(), inner.len()), (unit, 3));
            let factor = layout.unit(unit).unwrap();
            let mut times = [0; 24];
            for one in &inner {
                assert!(keeps_apart(factor, one));
                for (row, role) in one.roles.iter().enumerate() {
                    assert_eq!(*role == Role::Unused, tested.roles[row] == Role::Test, "test rows take no part");
                    times[row] += usize::from(*role == Role::Test);
                }
            }
            assert!((0..24).all(|row| times[row] == usize::from(tested.roles[row] == Role::Train)));
        }
    }

    #[test]
    fn one_source_to_train_on_is_divided_by_the_next_finer_unit() {
        let (unit, inner) = inner_folds(&layout(), &fold(|at| at >= 6), Seed(1)).unwrap();
        assert_eq!((unit.as_str(), inner.len()), ("plate", 2));
    }
}
