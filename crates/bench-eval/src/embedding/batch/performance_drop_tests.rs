//! The average performance drop against scikit-learn; see `tests/goldens/generators/performance_drop.py`.

use std::collections::BTreeSet;

use bench_core::{Matrix, Seed};
use serde_json::Value;

use super::performance_drop::{Accuracies, INSIDE, LEVELS, OUTSIDE, Trial, accuracies, draw, drop_of, strengths};
use crate::embedding::testing::Input;
use crate::embedding::{EmbeddingMetric as _, Space};

/// Trials of one pair of labels in one pair of batches.
struct Pair {
    /// Whether a row has the second label.
    class: Vec<u32>,
    trials: Vec<Trial>,
    expected: Value,
}

fn rows(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|row| row.as_u64().unwrap() as u32).collect()
}

/// Every input with its pairs.
fn cases() -> Vec<(String, Input, Vec<Pair>)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/performance_drop.json");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let pairs_of = |name: &str, input: &Input| -> Vec<Pair> {
        golden["cases"][name]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| {
                let second =
                    input.label.levels.iter().position(|l| *l == format!("label{:03}", rows(&pair["pair"])[1]));
                let class = |row| u32::from(Some(input.label.code(row)) == second);
                let read = |trial: &Value| Trial {
                    train: rows(&trial["train"]),
                    validation: rows(&trial["validation"]),
                    inside: rows(&trial["inside"]),
                    outside: rows(&trial["outside"]),
                };
                Pair {
                    class: (0..input.matrix.rows()).map(class).collect(),
                    trials: pair["trials"].as_array().unwrap().iter().map(read).collect(),
                    expected: pair.clone(),
                }
            })
            .collect()
    };
    Input::all().into_iter().map(|(name, input, _)| (name.clone(), input.clone(), pairs_of(&name, &input))).collect()
}

fn same(what: &str, found: Option<f64>, expected: &Value) {
    match (found, expected.as_f64()) {
        (Some(found), Some(expected)) => assert!((found - expected).abs() <= 1e-9, "{what}: {found}, not {expected}"),
        (found, expected) => assert_eq!(found, expected, "{what}"),
    }
}

#[test]
fn accuracies_are_those_of_scikit_learn_at_every_strength_of_the_penalty() {
    let mut compared = 0;
    for (name, input, pairs) in cases() {
        for Pair { class, trials, expected } in pairs {
            // The accuracy on validation rows is not handed out: a second set of trials tests them.
            let validated = trials.iter().map(|t| Trial { inside: t.validation.clone(), ..t.clone() });
            let both: Vec<Trial> = trials.iter().cloned().chain(validated).collect();
            for (step, c) in strengths().into_iter().enumerate() {
                let found = accuracies(&input.matrix, &class, &both, &[c]).unwrap();
                for at in 0..trials.len() {
                    let expected = &expected["trials"][at]["by_strength"][step];
                    let what = format!("{name} trial {at} C {c:e}");
                    same(&format!("{what} validation"), Some(found[trials.len() + at].0), &expected[0]);
                    same(&format!("{what} inside"), Some(found[at].0), &expected[1]);
                    same(&format!("{what} outside"), found[at].1, &expected[2]);
                    compared += 1;
                }
            }
        }
    }
    assert_eq!(compared, 5 * 12 * 15);
}

#[test]
fn the_chosen_penalty_and_the_drop_are_those_of_scikit_learn() {
    for (name, input, pairs) in cases() {
        for Pair { class, trials, expected } in pairs {
            let found = accuracies(&input.matrix, &class, &trials, &strengths()).unwrap();
            for (at, (inside, outside)) in found.iter().enumerate() {
                let expected = &expected["trials"][at];
                same(&format!("{name} trial {at} inside"), Some(*inside), &expected["inside_accuracy"]);
                same(&format!("{name} trial {at} outside"), *outside, &expected["outside_accuracy"]);
            }
            // Accuracies are averaged over repeats before they are divided.
            let of = |read: &dyn Fn(&Accuracies) -> Option<f64>| {
                let repeats = found.len() / LEVELS.len();
                let level = |level: usize| {
                    let sum = found.iter().skip(level).step_by(LEVELS.len()).map(read).sum::<Option<f64>>();
                    sum.map(|sum| sum / repeats as f64)
                };
                (0..LEVELS.len()).map(level).collect::<Option<Vec<f64>>>().map(|levels| drop_of(&levels))
            };
            same(&format!("{name} drop"), of(&|found| Some(found.0)), &expected["drop"]);
            same(&format!("{name} drop, other batches"), of(&|found| found.1), &expected["drop_outside"]);
        }
    }
}

/// Cramer's V of two yes-or-no columns.
fn cramer(pairs: &[(bool, bool)]) -> f64 {
    let count = |a: bool, b: bool| pairs.iter().filter(|pair| **pair == (a, b)).count() as f64;
    let [[no, x], [y, both]] = [false, true].map(|a| [false, true].map(|b| count(a, b)));
    (no * both - x * y).abs() / ((no + x) * (y + both) * (no + y) * (x + both)).sqrt()
}

#[test]
fn training_rows_have_the_correlation_of_their_level_and_no_row_is_in_two_parts() {
    // Cells of unequal size: the least gives the design.
    for (sizes, exact) in [([75, 80, 90, 75], true), ([8, 9, 30, 8], false), ([31, 44, 29, 100], false)] {
        let mut next = 0;
        let cells = sizes.map(|size| {
            let from = next;
            next += size;
            (from..next).collect::<Vec<u32>>()
        });
        let outside = [(1000..1030).collect(), (2000..2150).collect()];
        let (tested, trials) = draw([&cells[0], &cells[1], &cells[2], &cells[3]], &outside, Seed(4));
        let cell_of = |row: u32| cells.iter().position(|cell| cell.contains(&row)).unwrap();
        for (at, trial) in trials.iter().enumerate() {
            let level = LEVELS[at % LEVELS.len()];
            for (part, rows) in [("training", &trial.train), ("validation", &trial.validation)] {
                // Label and unit of a cell.
                let pairs: Vec<(bool, bool)> = rows.iter().map(|&r| (cell_of(r) > 1, cell_of(r) % 2 == 1)).collect();
                let per_label = rows.len() / 2;
                assert_eq!(pairs.iter().filter(|(label, _)| *label).count(), per_label, "{part} rows of both labels");
                // Counts are whole: V is off by up to one row of a label.
                let slack = if exact && part == "training" { 1e-12 } else { 1.0 / per_label as f64 + 1e-12 };
                assert!((cramer(&pairs) - level).abs() <= slack, "{sizes:?} {part} {level}: {}", cramer(&pairs));
            }
            let all = [&trial.train, &trial.validation, &trial.inside, &trial.outside];
            let distinct: BTreeSet<u32> = all.into_iter().flatten().copied().collect();
            assert_eq!(distinct.len(), all.into_iter().map(Vec::len).sum::<usize>(), "a row is in two parts");
            assert_eq!(trial.inside.len(), 4 * tested);
            assert_eq!(trial.outside.len(), 30 + 100);
            // All levels of a repeat test the same rows and train on equally many.
            let first = &trials[at - at % LEVELS.len()];
            assert_eq!((&trial.inside, &trial.outside), (&first.inside, &first.outside));
            assert_eq!(trial.train.len(), first.train.len());
        }
        assert_ne!(trials[0].inside, trials[LEVELS.len()].inside, "repeats draw their own rows");
    }
}

#[test]
fn trials_have_the_sizes_and_correlations_of_those_of_the_description() {
    for (name, input, pairs) in cases() {
        for Pair { trials, expected, .. } in pairs {
            let [a, b, u, v] = rows(&expected["pair"])[..] else { panic!("{name}: a pair has four codes") };
            let cells = [(a, u), (a, v), (b, u), (b, v)].map(|(label, batch)| {
                let (label, batch) = (format!("label{label:03}"), format!("batch{batch:03}"));
                let inside =
                    |row: &u32| *input.label.name(*row as usize) == label && *input.batch.name(*row as usize) == batch;
                (0..input.matrix.rows() as u32).filter(inside).collect::<Vec<u32>>()
            });
            let (_, drawn) = draw([&cells[0], &cells[1], &cells[2], &cells[3]], &[vec![], vec![]], Seed(9));
            for (at, trial) in trials.iter().enumerate() {
                let own = &drawn[at];
                let sizes = |trial: &Trial| [&trial.train, &trial.validation, &trial.inside].map(Vec::len);
                assert_eq!(sizes(own), sizes(trial), "{name} trial {at}");
                let cell_of = |row: u32| cells.iter().position(|cell| cell.contains(&row)).unwrap();
                let pairs: Vec<(bool, bool)> =
                    own.train.iter().map(|&row| (cell_of(row) > 1, cell_of(row) % 2 == 1)).collect();
                same(&format!("{name} trial {at}"), Some(cramer(&pairs)), &expected["trials"][at]["cramer"]);
            }
        }
    }
}

#[test]
fn a_constant_embedding_loses_nothing() {
    let (_, input, _) = Input::all().remove(0);
    let flat = Matrix::new(input.matrix.rows(), 3, vec![0.7; 3 * input.matrix.rows()]);
    let none = Matrix::zeros(0, 3);
    let space = Space::new(&flat, &none);
    for form in [INSIDE, OUTSIDE] {
        let measured = form.measure(&space, &input.roles()).unwrap();
        assert_eq!(measured.value, 0.0, "{form:?}");
        assert!(form.card().card.limits.contains("Constant embedding: 0"));
    }
}
