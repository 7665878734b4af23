//! What every correction promises.

use bench_core::{Factor, Layout, Matrix, Seed};
use proptest::prelude::*;

use crate::testing::{experiment, noise, on_one_and_two_threads, origin};
use crate::{Chain, Error, FitInput, Fitted, Origin, registry};

/// A chain for every correction that runs on small tables, beside the defaults where these refuse them.
const CHAINS: [&str; 24] = [
    "centre",
    "standardise",
    "robust",
    "mad",
    "standardise(by=all, on=all)",
    "int",
    "int(dialect=quantile, by=batch)",
    "int(on=controls)",
    "variant(least=0)",
    "select",
    "select(operations=na+variance+frequency+outliers+noise+correlation, noise=5)",
    "sphere",
    "sphere(method=pca, shrinkage=ridge, by=batch)",
    "sphere(method=zca, shrinkage=ledoit-wolf, by=plate)",
    "zca-corr(by=all)",
    "tvn",
    "pca-cs(components=4)",
    "coral",
    "remove-components(k=2)",
    "combat",
    "combat(on=controls, by=plate)",
    "harmony(clusters=4, iterations=3)",
    "mnn(k=5)",
    "fast-mnn(components=4, k=5)",
];

fn fit<'a>(chain: &str, matrix: &'a Matrix, origin: &'a Origin) -> Result<(crate::FittedChain, Matrix), Error> {
    Chain::parse(chain).unwrap().fit_apply(&FitInput { matrix, origin, covariate: None, seed: Seed(4) })
}

fn close(what: &str, a: &Matrix, b: &Matrix, tolerance: f32) {
    assert_eq!((a.rows(), a.cols()), (b.rows(), b.cols()), "{what}");
    let largest = a.data().iter().fold(1.0_f32, |most, value| most.max(value.abs()));
    for (at, (x, y)) in a.data().iter().zip(b.data()).enumerate() {
        assert!((x - y).abs() <= tolerance * largest, "{what}: value {at} is {x} and {y}");
    }
}

fn all_chains() -> impl Iterator<Item = &'static str> {
    CHAINS.into_iter().chain(["scanorama(k=5)", "scanorama(k=5, distance=euclidean)"])
}

#[test]
fn every_correction_is_tested() {
    for id in registry::list() {
        assert!(all_chains().any(|chain| chain.split('(').next() == Some(id)), "{id}");
    }
}

#[test]
fn corrected_rows_of_the_fit_are_those_of_apply_at_any_thread_count() {
    let (matrix, origin) = experiment(64, 7, 3, 1);
    for chain in all_chains() {
        let (one, two) = on_one_and_two_threads(|| {
            let (fitted, corrected) = fit(chain, &matrix, &origin).unwrap_or_else(|error| panic!("{chain}: {error}"));
            assert_eq!(fitted.apply(&matrix, &origin).unwrap(), corrected, "{chain}");
            corrected
        });
        assert_eq!(one, two, "{chain}: threads");
        assert!(one.data().iter().all(|value| value.is_finite()), "{chain}");
        assert_eq!(one.rows(), matrix.rows());
    }
}

#[test]
fn a_fit_is_untouched_by_rows_outside_its_scope() {
    let (matrix, origin) = experiment(64, 7, 3, 2);
    let mut changed = matrix.clone();
    for row in 0..matrix.rows() {
        if !origin.is_control(row) {
            changed.data_mut()[row * 7..(row + 1) * 7].iter_mut().for_each(|value| *value = *value * 3.0 - 11.0);
        }
    }
    let mut seen = 0;
    for chain in all_chains() {
        let correction = Chain::parse(chain).unwrap();
        if correction.steps()[0].correction().scope() != crate::Scope::Controls {
            continue;
        }
        seen += 1;
        let (a, _) = fit(chain, &matrix, &origin).unwrap();
        let (b, _) = fit(chain, &changed, &origin).unwrap();
        assert_eq!(a.apply(&matrix, &origin).unwrap(), b.apply(&matrix, &origin).unwrap(), "{chain}");
    }
    assert!(seen >= 10, "{seen}");
}

#[test]
fn rows_of_other_groups_do_not_move_a_group_that_is_corrected_by_itself() {
    let (matrix, origin) = experiment(64, 7, 3, 12);
    let batch = origin.unit("batch").unwrap();
    let mut changed = matrix.clone();
    for row in (0..matrix.rows()).filter(|&row| batch.name(row) == "b2") {
        changed.data_mut()[row * 7..(row + 1) * 7].iter_mut().for_each(|value| *value = 5.0 - *value * 2.0);
    }
    let others: Vec<u32> = (0..matrix.rows() as u32).filter(|&row| batch.name(row as usize) != "b2").collect();
    for chain in [
        "centre(by=batch)",
        "centre(by=plate, on=all)",
        "standardise(by=batch)",
        "robust(by=plate)",
        "mad(by=batch, on=all)",
        "int(by=batch)",
        "int(dialect=quantile, by=plate)",
        "sphere(by=batch)",
        "sphere(method=pca, shrinkage=ridge, by=batch)",
        "zca-corr(by=batch)",
    ] {
        let (_, before) = fit(chain, &matrix, &origin).unwrap_or_else(|error| panic!("{chain}: {error}"));
        let (_, after) = fit(chain, &changed, &origin).unwrap();
        assert_eq!(before.take(&others), after.take(&others), "{chain}");
        assert_ne!(before, after, "{chain}");
    }
}

#[test]
fn labels_compounds_and_covariates_reach_no_correction_that_does_not_ask() {
    let (matrix, origin) = experiment(64, 7, 3, 13);
    let answers = Factor::sorted(&(0..matrix.rows()).map(|row| (row % 5).to_string()).collect::<Vec<_>>());
    for chain in all_chains() {
        let parsed = Chain::parse(chain).unwrap();
        assert!(!parsed.wants_covariate(), "{chain}");
        let with = |covariate| FitInput { matrix: &matrix, origin: &origin, covariate, seed: Seed(4) };
        let (_, blind) = parsed.fit_apply(&with(None)).unwrap();
        let (_, told) = parsed.fit_apply(&with(Some(&answers))).unwrap();
        assert_eq!(blind, told, "{chain}");
    }
    // What a layout says beyond the place of measurement is left behind.
    let plain = Layout { rows: 5, plate: Some(Factor::sorted(&["p", "p", "q", "q", "q"])), ..Layout::default() };
    let telling = Layout {
        compound: Some(Factor::sorted(&["a", "b", "a", "b", "c"])),
        site: Some(Factor::sorted(&["1", "2", "1", "2", "1"])),
        groups: [("target".to_owned(), Factor::sorted(&["x", "y", "x", "y", "x"]))].into(),
        ..plain.clone()
    };
    assert_eq!(Origin::new(&plain, vec![true; 5]), Origin::new(&telling, vec![true; 5]));
}

#[test]
fn an_unseen_group_is_aligned_by_its_own_controls_or_refused_by_name() {
    let (matrix, origin) = experiment(64, 7, 3, 3);
    let of = |batches: [&str; 2]| -> Vec<u32> {
        let factor = origin.unit("batch").unwrap();
        (0..matrix.rows() as u32).filter(|&row| batches.contains(&factor.name(row as usize))).collect()
    };
    let (train, test) = (of(["b0", "b1"]), of(["b2", ""]));
    let (train_matrix, train_origin) = (matrix.take(&train), origin.take(&train));
    let (test_matrix, test_origin) = (matrix.take(&test), origin.take(&test));
    let bare: Vec<u32> = (0..test.len() as u32).filter(|&row| !test_origin.is_control(row as usize)).collect();
    for chain in [
        "centre(by=batch)",
        "standardise(by=batch)",
        "mad(by=batch, on=all)",
        "int(by=batch)",
        "sphere(by=batch)",
        "zca-corr(by=batch)",
        "tvn",
        "pca-cs(components=4)",
        "coral",
        "combat",
        "harmony(clusters=4)",
    ] {
        let (fitted, _) = fit(chain, &train_matrix, &train_origin).unwrap();
        let aligned = fitted.apply(&test_matrix, &test_origin).unwrap_or_else(|error| panic!("{chain}: {error}"));
        // Treated rows may be anything: the alignment of the others does not move.
        let mut changed = test_matrix.clone();
        let first = bare[0] as usize;
        changed.data_mut()[first * 7..(first + 1) * 7].iter_mut().for_each(|value| *value += 50.0);
        let again = fitted.apply(&changed, &test_origin).unwrap();
        let others: Vec<u32> = (0..test.len() as u32).filter(|&row| row as usize != first).collect();
        assert_eq!(aligned.take(&others), again.take(&others), "{chain}");
        let error = fitted.apply(&test_matrix.take(&bare), &test_origin.take(&bare)).unwrap_err();
        assert!(matches!(&error, Error::NoControls { group, .. } if group.contains("b2")), "{chain}: {error}");
    }
    for chain in ["mnn(k=5)", "fast-mnn(components=4)", "scanorama"] {
        let (fitted, _) = fit(chain, &train_matrix, &train_origin).unwrap();
        let error = fitted.apply(&test_matrix, &test_origin).unwrap_err();
        assert!(matches!(error, Error::Transductive { .. }), "{chain}: {error}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn alignment_brings_the_controls_of_an_unseen_batch_to_those_of_the_fit() {
    let (matrix, origin) = experiment(400, 6, 3, 8);
    let factor = origin.unit("batch").unwrap().clone();
    let of = |wanted: &dyn Fn(&str) -> bool| -> Vec<u32> {
        (0..matrix.rows() as u32).filter(|&row| wanted(factor.name(row as usize))).collect()
    };
    let (train, test) = (of(&|name| name != "b2"), of(&|name| name == "b2"));
    let (train_origin, test_origin) = (origin.take(&train), origin.take(&test));
    let mean = |matrix: &Matrix, origin: &Origin| crate::linear::moments(&matrix.take(&origin.controls())).0;
    for chain in ["standardise(by=batch)", "tvn", "coral", "combat", "combat(on=controls)"] {
        let (fitted, train_corrected) = fit(chain, &matrix.take(&train), &train_origin).unwrap();
        let test_corrected = fitted.apply(&matrix.take(&test), &test_origin).unwrap();
        let apart = |a: &Matrix, b: &Matrix| -> f64 {
            let (a, b) = (mean(a, &train_origin), mean(b, &test_origin));
            a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
        };
        let before = apart(&matrix.take(&train), &matrix.take(&test));
        let after = apart(&train_corrected, &test_corrected);
        assert!(after < 0.15 * before, "{chain}: {before} to {after}");
    }
}

#[test]
fn constant_features_small_batches_and_duplicates_do_no_harm() {
    let (mut matrix, origin) = experiment(64, 7, 3, 5);
    for row in 0..matrix.rows() {
        matrix.data_mut()[row * 7 + 3] = 0.1;
    }
    let (from, to) = (matrix.row(2).to_vec(), 5);
    matrix.data_mut()[to * 7..(to + 1) * 7].copy_from_slice(&from);
    for chain in all_chains() {
        match fit(chain, &matrix, &origin) {
            Ok((fitted, corrected)) => {
                assert!(corrected.data().iter().all(|v| v.is_finite() && v.abs() < 1e4), "{chain}");
                assert_eq!(fitted.apply(&matrix, &origin).unwrap(), corrected, "{chain}");
            }
            // Whitening without shrinkage cannot divide by nothing, and says so.
            Err(error) => assert!(chain == "sphere" && error.to_string().contains("do not vary"), "{chain}: {error}"),
        }
    }
}

#[test]
fn one_batch_is_no_error() {
    let (matrix, all) = experiment(64, 5, 1, 6);
    for chain in all_chains().filter(|chain| !chain.contains("k=2")) {
        let (_, corrected) = fit(chain, &matrix, &all).unwrap_or_else(|error| panic!("{chain}: {error}"));
        assert!(corrected.data().iter().all(|value| value.is_finite()), "{chain}");
    }
    for chain in ["combat", "harmony(clusters=3)"] {
        let (_, corrected) = fit(chain, &matrix, &all).unwrap();
        let moved = matrix.data().iter().zip(corrected.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(moved < 0.5, "{chain}: {moved}");
    }
}

#[test]
fn missing_values_columns_and_controls_are_named() {
    let (matrix, origin) = experiment(16, 4, 2, 7);
    let mut broken = matrix.clone();
    broken.data_mut()[9] = f32::NAN;
    let error = fit("standardise", &broken, &origin).unwrap_err();
    assert!(error.to_string().contains("row `2`, column `1`"), "{error}");
    assert!(fit("select(operations=na, na=0) > standardise", &broken, &origin).is_ok());
    let bare = crate::testing::plain(matrix.rows());
    assert!(matches!(fit("standardise", &matrix, &bare), Err(Error::NoControls { .. })));
    assert!(matches!(fit("standardise(on=all)", &matrix, &bare), Err(Error::MissingUnit { unit: "plate", .. })));
    assert!(matches!(fit("combat(covariate=given)", &matrix, &origin), Err(Error::NoCovariate { .. })));
    let (fitted, _) = fit("centre", &matrix, &origin).unwrap();
    assert!(matches!(fitted.apply(&noise(32, 5, 1), &origin), Err(Error::Shape { .. })));
}

#[test]
fn the_defect_of_the_reference_corrects_the_last_group_alone() {
    let (matrix, origin) = experiment(64, 5, 3, 9);
    let (_, right) = fit("zca-corr(by=batch)", &matrix, &origin).unwrap();
    let (fitted, wrong) = fit("zca-corr(by=batch, defect=last-group-only)", &matrix, &origin).unwrap();
    let batch = origin.unit("batch").unwrap();
    for row in 0..matrix.rows() {
        let expected = if batch.name(row) == "b2" { right.row(row) } else { matrix.row(row) };
        assert_eq!(wrong.row(row), expected);
    }
    assert!(fitted.notes()[0].contains("only the last of 3 groups"));
    // What the right one promises: every group's controls have mean zero.
    for name in ["b0", "b1", "b2"] {
        let rows: Vec<u32> = (0..matrix.rows() as u32)
            .filter(|&row| batch.name(row as usize) == name && origin.is_control(row as usize))
            .collect();
        assert!(crate::linear::moments(&right.take(&rows)).0.iter().all(|mean| mean.abs() < 1e-5));
    }
}

#[test]
fn a_knee_at_rounding_is_refused_where_the_group_is_used() {
    // Six controls span five of 40 directions with nearly equal eigenvalues: the bend is where the zeros begin.
    let (matrix, names) = (noise(24, 40, 3), |row: usize| format!("b{}", usize::from(row >= 6)));
    let batch: Vec<String> = (0..24).map(names).collect();
    let origin = origin(&batch, &batch, vec![true; 24]);
    let refused = |chain: &str, matrix: &Matrix, origin: &Origin| match fit(chain, matrix, origin) {
        Err(Error::Fit { why, group, .. }) => why.contains("zero but for rounding").then_some(group),
        _ => None,
    };
    let first = refused("zca-corr(by=batch)", &matrix, &origin).expect("batch b0 has six controls");
    assert!(first.contains("b0"), "{first}");
    // The reference does not use the first batch's: neither do we, where its defect is asked for.
    let few: Vec<u32> = (0..6).collect();
    let defect = Chain::parse("zca-corr(by=batch, defect=last-group-only)").unwrap();
    let input = FitInput { matrix: &matrix, origin: &origin, covariate: None, seed: Seed(1) };
    match defect.fit(&input) {
        Ok(fitted) => {
            let alone = fitted.apply(&matrix.take(&few), &origin.take(&few));
            assert!(matches!(alone, Err(Error::Fit { .. })), "a batch that was not learned is not corrected");
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_covariate_is_kept_and_only_fitted_rows_can_be_corrected() {
    let (matrix, origin) = experiment(60, 6, 2, 10);
    let covariate = Factor::sorted(&(0..matrix.rows()).map(|row| (row % 4).to_string()).collect::<Vec<_>>());
    let chain = Chain::parse("combat(covariate=given)").unwrap();
    assert!(chain.is_transductive() && chain.wants_covariate());
    let input = FitInput { matrix: &matrix, origin: &origin, covariate: Some(&covariate), seed: Seed(1) };
    let (fitted, corrected) = chain.fit_apply(&input).unwrap();
    assert_eq!(fitted.apply(&matrix, &origin).unwrap(), corrected);
    assert!(matches!(fitted.apply(&noise(120, 6, 2), &origin), Err(Error::Transductive { .. })));
    let confounded = Factor::sorted(&(0..matrix.rows()).map(|row| (row / 60).to_string()).collect::<Vec<_>>());
    let error = chain.fit(&FitInput { covariate: Some(&confounded), ..input }).unwrap_err();
    assert!(error.to_string().contains("confounded"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_order_of_rows_does_not_matter(seed in 0_u64..1000) {
        let (matrix, origin) = experiment(24, 5, 3, seed);
        let order = Seed(seed).stream().permutation(matrix.rows());
        let (shuffled, shuffled_origin) = (matrix.take(&order), origin.take(&order));
        for chain in all_chains().filter(|chain| !chain.starts_with("harmony")) {
            let a = fit(chain, &matrix, &origin);
            let b = fit(chain, &shuffled, &shuffled_origin);
            match (a, b) {
                (Ok((_, a)), Ok((_, b))) => close(chain, &a.take(&order), &b, 2e-4),
                (Err(a), Err(b)) => prop_assert_eq!(a, b),
                (a, b) => prop_assert!(false, "{}: {:?} and {:?}", chain, a.err(), b.err()),
            }
        }
    }

    #[test]
    fn batches_that_differ_by_a_shift_come_out_alike(seed in 0_u64..1000, shift in 1.0_f32..20.0) {
        // The same rows twice, the second time moved: every correction that centres brings them together.
        let base = noise(40, 4, seed);
        let mut data = base.data().to_vec();
        data.extend(base.data().iter().map(|value| value + shift));
        let matrix = Matrix::new(80, 4, data);
        let names: Vec<String> = (0..80).map(|row| format!("b{}", row / 40)).collect();
        let origin = origin(&names, &names, (0..80).map(|row| row % 2 == 0).collect());
        for chain in ["centre", "standardise", "robust", "mad", "tvn", "pca-cs", "coral", "combat", "zca-corr", "int(by=batch)"] {
            let (_, out) = match fit(chain, &matrix, &origin) {
                Err(Error::Fit { why, .. }) if why.contains("knee") => continue,
                other => other.unwrap(),
            };
            let half = |from: u32| out.take(&(from..from + 40).collect::<Vec<_>>());
            let tolerance = if chain == "combat" { 0.2 } else { 1e-3 };
            close(chain, &half(0), &half(40), tolerance);
        }
    }
}
