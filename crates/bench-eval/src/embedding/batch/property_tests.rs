//! Properties that every metric of the batch side must have.

use bench_core::{Factor, Matrix, Seed};

use super::METRICS;
use crate::control::{Control, Made, noise, one_hot_label, one_hot_source};
use crate::embedding::testing::Input;
use crate::embedding::{EmbeddingMetric, MeanOver, Roles, Space, lookup};

fn inputs() -> impl Iterator<Item = (String, Input)> {
    Input::all().into_iter().map(|(name, input, _)| (name, input))
}

fn generated() -> Input {
    inputs().find(|(name, _)| name == "generated").unwrap().1
}

fn value(metric: &dyn EmbeddingMetric, input: &Input) -> f64 {
    input.with(|space, roles| {
        metric.measure(space, roles).unwrap_or_else(|why| panic!("{}: {why}", metric.card().card.id)).value
    })
}

/// Other names, whose order turns the codes around.
fn renamed(factor: &Factor) -> Factor {
    let last = factor.level_count() as u32 - 1;
    Factor {
        levels: factor.levels.iter().rev().map(|name| format!("other {name}")).collect(),
        codes: factor.codes.iter().map(|&code| last - code).collect(),
    }
}

#[test]
fn names_of_labels_and_units_do_not_matter() {
    for (name, input) in inputs() {
        let other = Input { label: renamed(&input.label), batch: renamed(&input.batch), ..input.clone() };
        for metric in METRICS {
            let (a, b) = (value(metric, &input), value(metric, &other));
            assert!((a - b).abs() < 1e-9, "{name} {}: {a} {b}", metric.card().card.id);
        }
    }
}

#[test]
fn row_order_matters_only_to_tied_neighbours() {
    for (name, input) in inputs().filter(|(name, _)| name != "ugly") {
        let order = Seed(5).stream().permutation(input.matrix.rows());
        let other = input.reordered(&order);
        for metric in METRICS {
            let (a, b) = (value(metric, &input), value(metric, &other));
            assert!((a - b).abs() < 1e-6, "{name} {}: {a} {b}", metric.card().card.id);
        }
    }
}

#[test]
fn the_scale_of_the_features_does_not_matter() {
    // LISI of shortest paths reads the fuzzy graph, whose bandwidths are found in f32.
    let loose = |id: &str| if id.contains("lisi") { 1e-3 } else { 1e-6 };
    for (name, input) in inputs().filter(|(name, _)| name != "ugly") {
        let scaled = |matrix: &Matrix| {
            Matrix::new(matrix.rows(), matrix.cols(), matrix.data().iter().map(|x| x * 4.0).collect())
        };
        let other = Input { matrix: scaled(&input.matrix), controls: scaled(&input.controls), ..input.clone() };
        for metric in METRICS {
            let (a, b, id) = (value(metric, &input), value(metric, &other), metric.card().card.id);
            assert!((a - b).abs() < loose(id), "{name} {id}: {a} {b}");
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for (name, input) in inputs() {
        for metric in METRICS {
            let many = input.with(|space, roles| metric.measure(space, roles));
            let one = pool.install(|| input.with(|space, roles| metric.measure(space, roles)));
            assert_eq!(format!("{many:?}"), format!("{one:?}"), "{name} {}", metric.card().card.id);
        }
    }
}

#[test]
fn an_added_batch_shift_never_looks_better_mixed() {
    let input = generated();
    let d = input.matrix.cols();
    let mut stream = Seed(9).stream();
    let direction: Vec<f32> = (0..input.batch.level_count() * d).map(|_| stream.normal() as f32).collect();
    let shifted = |by: f32| {
        let add = |matrix: &Matrix, batch: &Factor| {
            let mut matrix = matrix.clone();
            for (row, values) in matrix.data_mut().chunks_exact_mut(d).enumerate() {
                values.iter_mut().zip(&direction[batch.code(row) * d..]).for_each(|(x, step)| *x += by * step);
            }
            matrix
        };
        let control_batch = input.control_layout.batch.as_ref().unwrap();
        Input {
            matrix: add(&input.matrix, &input.batch),
            controls: add(&input.controls, control_batch),
            ..input.clone()
        }
    };
    let steps: Vec<Input> = [0.0, 1.0, 3.0, 9.0].into_iter().map(shifted).collect();
    // Connectivity asks for labels, and the per-label graph of a shifted batch may connect as well as before.
    for metric in METRICS.into_iter().filter(|metric| metric.per_unit()) {
        let card = metric.card().card;
        let values: Vec<f64> = steps.iter().map(|input| value(metric, input)).collect();
        let sign = if card.better == "higher" { 1.0 } else { -1.0 };
        for pair in values.windows(2) {
            assert!(sign * (pair[1] - pair[0]) < 0.03, "{}: {values:?}", card.id);
        }
        assert!(sign * (values[3] - values[0]) < -0.03, "{}: {values:?}", card.id);
    }
}

#[test]
fn contributions_of_rows_give_the_value_back() {
    for (name, input) in inputs() {
        for metric in METRICS {
            input.with(|space, roles| {
                let measured = metric.measure(space, roles).unwrap();
                if measured.rows.is_empty() {
                    return;
                }
                let id = metric.card().card.id;
                assert_eq!(measured.rows.len(), input.matrix.rows(), "{name} {id}");
                let counting: Vec<f64> = measured.rows.iter().copied().filter(|x| !x.is_nan()).collect();
                assert_eq!(counting.len(), measured.n, "{name} {id}");
                if measured.mean_over == MeanOver::Rows {
                    let mean = counting.iter().sum::<f64>() / counting.len() as f64;
                    assert!((mean - measured.value).abs() < 1e-12, "{name} {id}");
                }
            });
        }
    }
}

/// A control embedding of the generated input, one-hot ones with the frame's jitter.
fn control(input: &Input, control: &dyn Control) -> Input {
    let rows = |layout: &bench_core::Layout, label: &Factor| match control.make(layout, label, Seed(1)).unwrap() {
        Made::Features(mut matrix) => {
            let mut stream = Seed(2).stream();
            matrix.data_mut().iter_mut().for_each(|x| *x += 1e-3 * stream.normal() as f32);
            matrix
        }
        Made::Labels(_) => panic!("features"),
    };
    let none = Factor { levels: vec!["control".to_owned()], codes: vec![0; input.controls.rows()] };
    Input { matrix: rows(&input.layout, &input.label), controls: rows(&input.control_layout, &none), ..input.clone() }
}

#[test]
fn controls_score_on_the_sides_that_cards_name() {
    let input = generated();
    let named = |name: &str| match name {
        "noise" => control(&input, &noise::Noise),
        "one-hot-label" => control(&input, &one_hot_label::OneHotLabel),
        "one-hot-source" => control(&input, &one_hot_source::OneHotSource),
        other => panic!("{other} is no control of this side"),
    };
    for metric in METRICS {
        let card = metric.card();
        let (best, worst) = (value(metric, &named(card.best)), value(metric, &named(card.worst)));
        let ahead = if card.card.better == "higher" { best - worst } else { worst - best };
        // A label has twelve rows of a unit here, fewer than CiLISI takes neighbours, so that even one-hot units mix a
        // little; and with fifteen neighbours among 240 rows nearly every label of noise hangs together.
        let least = if card.card.id.starts_with("graph-connectivity") { 0.02 } else { 0.1 };
        assert!(ahead > least, "{}: best {best}, worst {worst}", card.card.id);
    }
}

#[test]
fn a_constant_embedding_scores_what_the_cards_state() {
    let input = generated();
    let flat = |matrix: &Matrix| Matrix::new(matrix.rows(), 3, vec![0.7; matrix.rows() * 3]);
    let constant = Input { matrix: flat(&input.matrix), controls: flat(&input.controls), ..input.clone() };
    let measure = |id: &str| constant.with(|space, roles| lookup(id).unwrap().measure(space, roles).map(|m| m.value));
    for id in ["bras", "asw-batch", "asw-batch-cosine"] {
        assert_eq!(measure(id), Ok(1.0), "{id}");
    }
    for id in ["pcr", "pcr-50", "variance-components", "control-energy", "control-mmd", "control-frechet"] {
        assert!(measure(id).is_err(), "{id}");
    }
    assert_eq!(measure("sbee"), Ok(0.0), "rows without distances count as 0");
    // By expectation over ties the robustness index is what the table itself gives.
    let (label, batch, plate) = (&input.label, &input.batch, input.layout.plate.as_ref().unwrap());
    let (mut top, mut bottom) = (0.0, 0.0);
    for i in 0..label.len() {
        let others: Vec<usize> = (0..label.len()).filter(|&j| plate.code(i) != plate.code(j)).collect();
        let share = 1.0 / others.len() as f64;
        for j in others {
            let (same_label, same_batch) = (label.code(i) == label.code(j), batch.code(i) == batch.code(j));
            top += if same_label && !same_batch { share } else { 0.0 };
            bottom += if same_label != same_batch { share } else { 0.0 };
        }
    }
    assert!((measure("robustness-index").unwrap() - top / bottom).abs() < 1e-9);
}

#[test]
fn a_single_unit_is_a_reason_and_not_a_score() {
    let input = generated();
    let one = Factor { levels: vec!["only".to_owned()], codes: vec![0; input.matrix.rows()] };
    let space = Space::new(&input.matrix, &input.controls);
    let mut controls = input.control_layout.clone();
    controls.batch = Some(Factor { levels: one.levels.clone(), codes: vec![0; controls.rows] });
    let roles = Roles { unit: &one, controls: &controls, ..input.roles() };
    for metric in METRICS.into_iter().filter(|metric| metric.per_unit()) {
        assert!(metric.measure(&space, &roles).is_err(), "{}", metric.card().card.id);
    }
}
