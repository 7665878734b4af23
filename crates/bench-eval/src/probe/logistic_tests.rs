//! What holds for logistic regression as a whole, on both back ends.

use bench_core::{Matrix, Seed};
use serde::Deserialize;

use super::logistic::{LogisticProbe, LogisticSettings};
use super::logistic_linfa::LinfaLogisticProbe;
use super::{Fitted, Probe, ProbeInput};
use crate::{Error, Fold, Role};

#[derive(Deserialize)]
struct Golden {
    features: Vec<Vec<f32>>,
    class: Vec<u32>,
    classes: usize,
    standardise: bool,
    folds: Vec<GoldenFold>,
}

#[derive(Deserialize)]
struct GoldenFold {
    roles: String,
    probability: Vec<Vec<f64>>,
    log_loss_of_seen: f64,
    objective: f64,
}

fn goldens() -> Vec<(String, Golden)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/logistic.json");
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text)
        .unwrap()
        .into_iter()
        .map(|(name, value)| (name, serde_json::from_value(value).unwrap()))
        .collect()
}

fn golden(name: &str) -> Golden {
    goldens().into_iter().find(|(n, _)| n == name).unwrap().1
}

fn fold(roles: impl IntoIterator<Item = Role>) -> Fold {
    Fold { repeat: 0, seed: 0, held_out: Vec::new(), roles: roles.into_iter().collect() }
}

fn parse(roles: &str) -> Fold {
    fold(roles.chars().map(|c| match c {
        'T' => Role::Train,
        't' => Role::Test,
        _ => Role::Unused,
    }))
}

fn gemm(standardise: bool) -> LogisticProbe {
    LogisticProbe::new(LogisticSettings { standardise, ..LogisticSettings::default() }).unwrap()
}

fn linfa(standardise: bool) -> LinfaLogisticProbe {
    LinfaLogisticProbe::new(LogisticSettings { standardise, ..LogisticSettings::default() }).unwrap()
}

fn run(
    probe: &dyn Probe,
    matrix: &Matrix,
    class: &[u32],
    classes: usize,
    folds: &[&Fold],
) -> Vec<Result<Fitted, String>> {
    let name_rank: Vec<u32> = (0..classes as u32).collect();
    let mut results = Vec::new();
    let input = ProbeInput { matrix, class, classes, name_rank: &name_rank };
    probe
        .run(input, folds, &|_, _| {}, &mut |i, result| {
            assert_eq!(i, results.len());
            results.push(result);
        })
        .unwrap();
    assert_eq!(results.len(), folds.len());
    results
}

fn run_golden(probe: &dyn Probe, golden: &Golden) -> Vec<Fitted> {
    let matrix = Matrix::new(golden.features.len(), golden.features[0].len(), golden.features.concat());
    let folds: Vec<Fold> = golden.folds.iter().map(|f| parse(&f.roles)).collect();
    let folds: Vec<&Fold> = folds.iter().collect();
    run(probe, &matrix, &golden.class, golden.classes, &folds).into_iter().map(Result::unwrap).collect()
}

fn log_loss_of_seen(fitted: &Fitted, class: &[u32], seen: impl Fn(u32) -> bool) -> f64 {
    let p = &fitted.predictions;
    let loss: Vec<f64> = (0..p.len())
        .map(|i| (i, class[p.rows[i] as usize]))
        .filter(|(_, y)| seen(*y))
        .map(|(i, y)| -p.probability(i)[y as usize].max(1e-300).ln())
        .collect();
    loss.iter().sum::<f64>() / loss.len() as f64
}

fn check(name: &str, golden: &Golden, fitted: &[Fitted]) {
    for (fitted, expected) in fitted.iter().zip(&golden.folds) {
        let p = &fitted.predictions;
        assert_eq!(p.len(), expected.probability.len(), "{name}");
        for (i, row) in expected.probability.iter().enumerate() {
            let apart = p.probability(i).iter().zip(row).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(apart < 1e-4, "{name}: {apart}");
        }
        let trained = |y| golden.class.iter().zip(expected.roles.chars()).any(|(&c, r)| r == 'T' && c == y);
        let apart = log_loss_of_seen(fitted, &golden.class, trained) - expected.log_loss_of_seen;
        assert!(apart.abs() < 1e-5, "{name}: {apart}");
        let objective = fitted.diagnostics.objective.unwrap();
        assert!((objective / expected.objective - 1.0).abs() < 1e-6, "{name}: {objective} {}", expected.objective);
        assert_eq!(fitted.diagnostics.converged, Some(true), "{name}");
    }
}

#[test]
fn scikit_learns_optimum_is_reached_in_every_case() {
    let goldens = goldens();
    assert_eq!(goldens.len(), 7);
    for (name, golden) in goldens {
        check(&name, &golden, &run_golden(&gemm(golden.standardise), &golden));
        check(&name, &golden, &run_golden(&gemm(golden.standardise).single_first(), &golden));
    }
}

#[test]
fn linfa_reaches_the_same_optimum_on_well_scaled_features() {
    for name in ["standardised", "wide", "missing class", "two classes", "standardised inside the fold"] {
        let golden = golden(name);
        check(name, &golden, &run_golden(&linfa(golden.standardise), &golden));
    }
}

#[test]
fn linfa_admits_where_it_stops_short_of_the_optimum() {
    let golden = golden("separable times 100");
    for (fitted, expected) in run_golden(&linfa(false), &golden).iter().zip(&golden.folds) {
        let objective = fitted.diagnostics.objective.unwrap();
        let reached = objective <= expected.objective * (1.0 + 1e-4);
        assert_eq!(fitted.diagnostics.converged, Some(reached), "{objective} {}", expected.objective);
    }
}

/// A table with a decaying spectrum that needs a good number of iterations.
fn embeddings(rows: usize, features: usize, classes: usize) -> (Matrix, Vec<u32>) {
    let mut stream = Seed(5).stream();
    let centre: Vec<f64> = (0..classes * features).map(|_| 0.5 * stream.normal()).collect();
    let class: Vec<u32> = (0..rows).map(|_| stream.below(classes) as u32).collect();
    let data = (0..rows * features)
        .map(|i| {
            let (row, j) = (i / features, i % features);
            let factor = stream.normal() + centre[class[row] as usize * features + j];
            (factor / (1.0 + j as f64) + 3.0) as f32
        })
        .collect();
    (Matrix::new(rows, features, data), class)
}

fn random_folds(rows: usize, count: u64) -> Vec<Fold> {
    (0..count)
        .map(|f| {
            let mut stream = Seed(f).derive("fold", 0).stream();
            fold((0..rows).map(|_| match stream.below(5) {
                0 => Role::Test,
                1 => Role::Unused,
                _ => Role::Train,
            }))
        })
        .collect()
}

fn bits(fitted: &Fitted) -> Vec<u64> {
    fitted.predictions.probability.iter().map(|p| p.to_bits()).collect()
}

#[test]
fn a_fold_solved_beside_others_gives_the_bits_it_gives_alone_at_any_thread_count() {
    let (matrix, class) = embeddings(2100, 21, 5);
    let mut folds = random_folds(2100, 5);
    // One fold with a small training set, one without a class, one with two classes.
    folds[1].roles.iter_mut().skip(300).for_each(|r| *r = Role::Test);
    folds[2].roles.iter_mut().zip(&class).filter(|(_, c)| **c == 2).for_each(|(r, _)| *r = Role::Test);
    folds[3].roles.iter_mut().zip(&class).filter(|(_, c)| **c < 3).for_each(|(r, _)| *r = Role::Test);
    let all: Vec<&Fold> = folds.iter().collect();
    for probe in [gemm(false), gemm(false).single_first(), gemm(true).single_first()] {
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let together = pool(2).install(|| run(&probe, &matrix, &class, 5, &all));
        let one_thread = pool(1).install(|| run(&probe, &matrix, &class, 5, &all));
        for (i, result) in together.iter().enumerate() {
            let fitted = result.as_ref().unwrap();
            assert_eq!(fitted.diagnostics.converged, Some(true));
            assert_eq!(bits(fitted), bits(one_thread[i].as_ref().unwrap()));
            let alone = run(&probe, &matrix, &class, 5, &all[i..=i]);
            assert_eq!(bits(fitted), bits(alone[0].as_ref().unwrap()));
            assert_eq!(fitted.diagnostics, alone[0].as_ref().unwrap().diagnostics);
        }
    }
}

#[test]
fn renaming_classes_changes_nothing() {
    // Classes are coded by first occurrence, so a renaming only changes the order of names.
    let (matrix, class) = embeddings(300, 7, 3);
    let folds = random_folds(300, 2);
    let folds: Vec<&Fold> = folds.iter().collect();
    let with = |name_rank: &[u32]| {
        let mut all = Vec::new();
        let input = ProbeInput { matrix: &matrix, class: &class, classes: 3, name_rank };
        gemm(false).run(input, &folds, &|_, _| {}, &mut |_, r| all.push(bits(&r.unwrap()))).unwrap();
        all
    };
    assert_eq!(with(&[0, 1, 2]), with(&[2, 0, 1]));
}

#[test]
fn a_constant_embedding_predicts_the_shares_of_the_classes_and_splits_ties() {
    let rows = 90;
    let matrix = Matrix::new(rows, 3, [0.3f32, -2.0, 7.0].repeat(rows));
    let class: Vec<u32> = (0..rows as u32).map(|i| i % 3).collect();
    let balanced = fold((0..rows).map(|i| if i < 60 { Role::Train } else { Role::Test }));
    let skewed = fold((0..rows).map(|i| match i {
        0..60 if class[i] == 2 && i < 30 => Role::Unused,
        0..60 => Role::Train,
        _ => Role::Test,
    }));
    for probe in [&gemm(false) as &dyn Probe, &gemm(true), &linfa(true)] {
        let results = run(probe, &matrix, &class, 3, &[&balanced, &skewed]);
        let fitted = results[0].as_ref().unwrap();
        assert_eq!(fitted.diagnostics.tied_votes, 30);
        for i in 0..30 {
            assert!(fitted.predictions.probability(i).iter().all(|p| (p - 1.0 / 3.0).abs() < 1e-6));
            assert!((fitted.predictions.decided(i, 2) - 1.0 / 3.0).abs() < 1e-12);
        }
        let fitted = results[1].as_ref().unwrap();
        assert_eq!(fitted.diagnostics.tied_votes, 30);
        for (p, share) in fitted.predictions.probability(4).iter().zip([0.4, 0.4, 0.2]) {
            assert!((p - share).abs() < 1e-6);
        }
        assert_eq!(fitted.predictions.decision(4), [(0, 0.5), (1, 0.5)]);
    }
}

#[test]
fn a_one_hot_embedding_of_the_label_is_right_and_costs_nothing() {
    let (rows, classes) = (40_000, 6);
    let class: Vec<u32> = (0..rows as u32).map(|i| i * 7 % 11 % classes as u32).collect();
    let data = class.iter().flat_map(|&c| (0..classes as u32).map(move |k| f32::from(u8::from(k == c)))).collect();
    let matrix = Matrix::new(rows, classes, data);
    let folds = random_folds(rows, 4);
    let folds: Vec<&Fold> = folds.iter().collect();
    for result in run(&gemm(false), &matrix, &class, classes, &folds) {
        let fitted = result.unwrap();
        let p = &fitted.predictions;
        assert!((0..p.len()).all(|i| p.decided(i, class[p.rows[i] as usize]) == 1.0));
        assert_eq!(fitted.diagnostics.converged, Some(true));
    }
}

#[test]
fn repeated_rows_are_fitted_as_if_each_stood_alone() {
    // 24 distinct rows, 10 times each, and the same with a feature that makes all rows distinct
    // without carrying anything.
    let mut stream = Seed(9).stream();
    let base: Vec<f32> = (0..24 * 2).map(|_| stream.normal() as f32).collect();
    let class: Vec<u32> = (0..240).map(|_| stream.below(3) as u32).collect();
    let repeated: Vec<f32> = (0..240).flat_map(|i| base[i % 24 * 2..][..2].to_vec()).collect();
    let distinct: Vec<f32> = (0..240).flat_map(|i| [repeated[2 * i], repeated[2 * i + 1], i as f32 * 1e-9]).collect();
    let folds = random_folds(240, 3);
    let folds: Vec<&Fold> = folds.iter().collect();
    let probe = LogisticProbe::new(LogisticSettings { tolerance: 1e-12, ..LogisticSettings::default() }).unwrap();
    let folded = run(&probe, &Matrix::new(240, 2, repeated), &class, 3, &folds);
    let plain = run(&probe, &Matrix::new(240, 3, distinct), &class, 3, &folds);
    for (a, b) in folded.into_iter().zip(plain) {
        let (a, b) = (a.unwrap().predictions.probability, b.unwrap().predictions.probability);
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}

#[test]
fn training_sets_without_rows_or_with_one_class_need_no_fit() {
    let (matrix, class) = embeddings(50, 4, 3);
    let empty = fold((0..50).map(|_| Role::Test));
    let single = fold(class.iter().map(|&c| if c == 1 { Role::Train } else { Role::Test }));
    let usual = random_folds(50, 1).remove(0);
    let unscored = fold(usual.roles.iter().map(|r| if *r == Role::Test { Role::Unused } else { *r }));
    for probe in [&gemm(false) as &dyn Probe, &linfa(true)] {
        let results = run(probe, &matrix, &class, 3, &[&empty, &usual, &single, &usual, &unscored]);
        assert_eq!(results[0].as_ref().unwrap_err(), "the training set has no rows");
        let certain = &results[2].as_ref().unwrap().predictions;
        assert!((0..certain.len()).all(|i| certain.probability(i) == [0.0, 1.0, 0.0]));
        assert!((0..certain.len()).all(|i| certain.decision(i) == [(1, 1.0)]));
        assert_eq!(bits(results[1].as_ref().unwrap()), bits(results[3].as_ref().unwrap()));
        assert!(results[4].as_ref().unwrap().predictions.is_empty());
    }
}

#[test]
fn a_fit_that_runs_out_of_iterations_says_so() {
    let (matrix, class) = embeddings(400, 10, 4);
    let folds = random_folds(400, 1);
    let probe = LogisticProbe::new(LogisticSettings { max_iterations: 2, ..LogisticSettings::default() }).unwrap();
    let fitted = run(&probe, &matrix, &class, 4, &[&folds[0]]).remove(0).unwrap();
    assert_eq!((fitted.diagnostics.converged, fitted.diagnostics.iterations), (Some(false), Some(2)));
}

#[test]
fn features_of_very_different_scales_and_offsets_reach_the_optimum() {
    // z-scores do not depend on the scale of a feature.
    let (matrix, class) = embeddings(600, 6, 3);
    let scale = [1.0, 1e-3, 4096.0, 1.0, 1e5, 1.0];
    let moved: Vec<f32> = matrix.data().iter().enumerate().map(|(i, v)| v * scale[i % 6] as f32).collect();
    let folds = random_folds(600, 2);
    let folds: Vec<&Fold> = folds.iter().collect();
    let a = run(&gemm(true), &matrix, &class, 3, &folds);
    let b = run(&gemm(true).single_first(), &Matrix::new(600, 6, moved), &class, 3, &folds);
    for (a, b) in a.into_iter().zip(b) {
        let (a, b) = (a.unwrap(), b.unwrap());
        assert_eq!(b.diagnostics.converged, Some(true));
        let apart = a.predictions.probability.iter().zip(&b.predictions.probability).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f64::max) < 5e-5);
    }
}

#[test]
fn unusable_settings_and_values_are_refused() {
    for settings in [
        LogisticSettings { c: 0.0, ..LogisticSettings::default() },
        LogisticSettings { c: f64::NAN, ..LogisticSettings::default() },
        LogisticSettings { max_iterations: 0, ..LogisticSettings::default() },
        LogisticSettings { tolerance: 0.0, ..LogisticSettings::default() },
    ] {
        assert!(matches!(LogisticProbe::new(settings), Err(Error::Setting { .. })));
    }
    assert!(serde_json::from_str::<LogisticSettings>(r#"{"max-iterations": 5, "standardise": true}"#).is_ok());
    assert!(serde_json::from_str::<LogisticSettings>(r#"{"penalty": 5}"#).is_err());
    let matrix = Matrix::new(2, 2, vec![0.0, 1.0, f32::NAN, 2.0]);
    let input = ProbeInput { matrix: &matrix, class: &[0, 1], classes: 2, name_rank: &[0, 1] };
    let error = gemm(false).run(input, &[], &|_, _| {}, &mut |_, _| {}).unwrap_err();
    assert_eq!(error.to_string(), "cannot fit `logreg`: row `1`, column `0` is not a finite number");
}
