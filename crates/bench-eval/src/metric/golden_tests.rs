//! The metrics against scikit-learn; see `tests/goldens/generators/metrics.py`.

use serde_json::Value;

use super::*;
use crate::Predictions;

fn golden() -> Value {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/metrics.json"));
    serde_json::from_str(text).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn codes(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect()
}

/// Classes and weights of one row's decision.
type Decision = Vec<(u32, f64)>;

struct Case {
    name: String,
    predictions: Predictions,
    truth: Vec<u32>,
    seen: Vec<bool>,
}

fn case(value: &Value) -> Case {
    let classes = value["classes"].as_u64().unwrap() as usize;
    let probability = numbers(&value["probability"]);
    let mut predictions = Predictions::with_classes(classes);
    for (i, decision) in value["decisions"].as_array().unwrap().iter().enumerate() {
        let decision = decision.as_array().unwrap().iter();
        let decision = decision.map(|d| (d[0].as_u64().unwrap() as u32, d[1].as_f64().unwrap()));
        predictions.push(i as u32, &probability[i * classes..(i + 1) * classes], decision);
    }
    Case {
        name: value["name"].as_str().unwrap().to_owned(),
        predictions,
        truth: codes(&value["truth"]),
        seen: value["seen"].as_array().unwrap().iter().map(|v| v.as_bool().unwrap()).collect(),
    }
}

#[test]
fn every_metric_equals_scikit_learn_to_1e_12() {
    let golden = golden();
    for stored in golden["cases"].as_array().unwrap() {
        let Case { name, predictions, truth, seen } = case(stored);
        let evaluated = Evaluated::new(&predictions, &truth, seen.len(), &seen);
        let expected = stored["values"].as_object().unwrap();
        let ids: Vec<&String> = expected.keys().collect();
        for (id, value) in evaluate_all(&evaluated, &lookup_all(&ids).unwrap()) {
            match expected[&id].as_f64() {
                // Log-loss reaches 34; the tolerance is relative to that.
                Some(oracle) => {
                    let value = value.unwrap();
                    assert!((value - oracle).abs() < 1e-12 * oracle.abs().max(1.0), "{name} {id}: {value} {oracle}");
                }
                None => assert!(value.is_err(), "{name} {id} is undefined in scikit-learn"),
            }
        }
    }
}

#[test]
fn confusion_areas_and_class_scores_equal_scikit_learn() {
    let golden = golden();
    for stored in golden["cases"].as_array().unwrap() {
        let Case { name, predictions, truth, seen } = case(stored);
        let evaluated = Evaluated::new(&predictions, &truth, seen.len(), &seen);
        let confusion = evaluated.confusion().unwrap();
        for (ours, theirs) in confusion.counts().iter().zip(numbers(&stored["confusion"])) {
            assert!((ours - theirs).abs() < 1e-12, "{name}");
        }
        for (area, oracle) in evaluated.areas().unwrap().iter().zip(stored["areas"].as_array().unwrap()) {
            match oracle.as_f64() {
                Some(oracle) => assert!((area.clone().unwrap() - oracle).abs() < 1e-12, "{name}"),
                None => assert!(area.is_err(), "{name}"),
            }
        }
        let theirs = |key: &str| numbers(&stored["per_class"][key]);
        let (precision, recall, f1, support) = (theirs("precision"), theirs("recall"), theirs("f1"), theirs("support"));
        for (class, pieces) in class::per_class(confusion).into_iter().enumerate() {
            // Expected support is a sum of weights such as 1/3.
            assert!((pieces.support as f64 - support[class]).abs() < 1e-9, "{name}");
            for (ours, theirs) in [(pieces.precision, &precision), (pieces.recall, &recall), (pieces.f1, &f1)] {
                assert!((ours.unwrap_or(0.0) - theirs[class]).abs() < 1e-12, "{name} class {class}");
            }
        }
    }
}

#[test]
fn macro_averages_equal_the_reference_numbers_of_real_data() {
    let golden = golden();
    for stored in golden["reference"].as_array().unwrap() {
        let classes = stored["classes"].as_u64().unwrap() as usize;
        let mut predictions = Predictions::with_classes(classes);
        for (row, decided) in codes(&stored["decided"]).into_iter().enumerate() {
            predictions.push(row as u32, &vec![0.0; classes], [(decided, 1.0)]);
        }
        let seen = vec![true; classes];
        let evaluated = Evaluated::new(&predictions, &codes(&stored["truth"]), classes, &seen);
        for (id, oracle) in stored["values"].as_object().unwrap() {
            let value = lookup(id).unwrap().value(&evaluated).unwrap();
            // The reference is written with ten decimals.
            assert!((value - oracle.as_f64().unwrap()).abs() < 1e-9, "{} {id}: {value} {oracle}", stored["name"]);
        }
    }
}

/// The expectation over random tie-breaking, by enumeration of every resolution.
#[test]
fn a_tied_fold_scores_the_mean_over_all_its_resolutions() {
    let decisions: [&[(u32, f64)]; 5] = [
        &[(0, 0.5), (1, 0.5)],
        &[(2, 1.0)],
        &[(0, 1.0 / 3.0), (1, 1.0 / 3.0), (2, 1.0 / 3.0)],
        &[(1, 1.0)],
        &[(0, 0.25), (2, 0.75)],
    ];
    let truth = [0, 2, 1, 0, 2];
    let build = |chosen: &[Decision]| {
        let mut predictions = Predictions::with_classes(3);
        for (row, decision) in chosen.iter().enumerate() {
            predictions.push(row as u32, &[0.0; 3], decision.iter().copied());
        }
        predictions
    };
    let mut resolutions: Vec<(f64, Vec<Decision>)> = vec![(1.0, Vec::new())];
    for decision in decisions {
        resolutions = resolutions
            .iter()
            .flat_map(|(p, chosen)| {
                decision.iter().map(move |&(class, weight)| {
                    (p * weight, chosen.iter().cloned().chain([vec![(class, 1.0)]]).collect())
                })
            })
            .collect();
    }
    assert_eq!(resolutions.len(), 12);
    let tied: Vec<Decision> = decisions.iter().map(|d| d.to_vec()).collect();
    for id in ["accuracy", "balanced-accuracy", "recall-weighted"] {
        let score = |chosen: &[Decision]| {
            lookup(id).unwrap().value(&Evaluated::new(&build(chosen), &truth, 3, &[true; 3])).unwrap()
        };
        let mean: f64 = resolutions.iter().map(|(p, chosen)| p * score(chosen)).sum();
        assert!((score(&tied) - mean).abs() < 1e-12, "{id}");
    }
}

#[test]
fn no_test_rows_and_broken_probabilities_are_reasons() {
    let empty = Predictions::with_classes(12);
    let evaluated = Evaluated::new(&empty, &[], 12, &[true; 12]);
    for (id, value) in evaluate_all(&evaluated, &lookup_all(&DEFAULT_IDS).unwrap()) {
        assert_eq!(value, Err("no test rows".to_owned()), "{id}");
    }
    let mut broken = Predictions::with_classes(2);
    broken.push(5, &[f64::NAN, 0.5], [(1, 1.0)]);
    let evaluated = Evaluated::new(&broken, &[0; 6], 2, &[true; 2]);
    assert_eq!(lookup("brier").unwrap().value(&evaluated), Err("a probability of row `5` is not finite".to_owned()));
    assert_eq!(lookup("accuracy").unwrap().value(&evaluated), Ok(0.0));
}

#[test]
fn values_are_the_same_bits_at_any_thread_count() {
    let mut stream = bench_core::Seed(11).stream();
    let mut predictions = Predictions::with_classes(11);
    let rows = 10_000;
    for row in 0..rows {
        let mut p: Vec<f64> = (0..11).map(|_| stream.uniform()).collect();
        let sum: f64 = p.iter().sum();
        p.iter_mut().for_each(|v| *v /= sum);
        predictions.push(row, &p, [(row % 11, 0.5), ((row + 1) % 11, 0.5)]);
    }
    let truth: Vec<u32> = (0..rows).map(|_| stream.below(11) as u32).collect();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let evaluated = Evaluated::new(&predictions, &truth, 11, &[true; 11]);
            let values = evaluate_all(&evaluated, &lookup_all(&DEFAULT_IDS).unwrap());
            values.into_iter().map(|(_, value)| value.unwrap().to_bits()).collect::<Vec<_>>()
        })
    };
    assert_eq!(run(1), run(3));
}
