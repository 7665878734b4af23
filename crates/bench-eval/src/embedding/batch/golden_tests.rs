//! The batch side against its peers; see `tests/goldens/generators/embedding_metrics.py`.

use bench_core::Matrix;
use serde_json::Value;

use super::METRICS;
use super::components::{Moments, between, components};
use crate::embedding::testing::Input;
use crate::embedding::{Measured, Space, lookup};

fn measure(input: &Input, id: &str) -> Measured {
    input.with(|space, roles| lookup(id).unwrap().measure(space, roles).unwrap_or_else(|why| panic!("{id}: {why}")))
}

fn close(name: &str, id: &str, got: f64, expected: f64, tolerance: f64) {
    assert!((got - expected).abs() <= tolerance, "{name} {id}: {got}, expected {expected}");
}

#[test]
fn values_are_those_of_the_packages() {
    // Silhouettes and PCR are f32 in scib-metrics; LISI stops its bisection within 1e-5; counts are exact.
    let tolerances = [
        ("asw-batch", 2e-6),
        ("asw-batch-cosine", 2e-6),
        ("bras", 2e-6),
        ("ilisi", 1e-4),
        ("lisi-unit", 1e-4),
        ("ilisi-scintegration", 1e-4),
        ("ilisi-graph", 1e-4),
        ("clisi-graph", 1e-4),
        ("cilisi", 1e-4),
        ("cilisi-means", 1e-4),
        ("kbet", 1e-6),
        ("kbet-label", 1e-6),
        ("graph-connectivity", 1e-12),
        ("graph-connectivity-directed", 1e-12),
        ("pcr", 1e-5),
        ("pcr-50", 1e-5),
        ("neighbour-entropy", 1e-9),
    ];
    for (name, input, values) in Input::all() {
        for (id, tolerance) in tolerances {
            close(&name, id, measure(&input, id).value, values[id].as_f64().unwrap(), tolerance);
        }
    }
}

#[test]
fn the_bisection_of_kbet_and_the_vote_of_robustness_choose_the_same_neighbourhood() {
    for (name, input, values) in Input::all() {
        for (id, value) in [("kbet-r", "acceptance"), ("robustness-index", "value")] {
            let measured = measure(&input, id);
            let expected = &values[id];
            assert_eq!(measured.parts[0].value, expected["k"].as_f64().unwrap(), "{name} {id}");
            close(&name, id, measured.value, expected[value].as_f64().unwrap(), 1e-9);
        }
        let space = Space::new(&input.matrix, &input.controls);
        space.robustness_k.set(11).unwrap();
        let measured = lookup("robustness-index").unwrap().measure(&space, &input.roles()).unwrap();
        close(
            &name,
            "robustness-index at 11",
            measured.value,
            values["robustness-index"]["at_11"].as_f64().unwrap(),
            1e-9,
        );
    }
}

#[test]
fn with_only_the_well_left_out_robustness_is_that_of_numpy() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/embedding_wells.json");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for (name, input, _) in Input::all() {
        let (id, expected) = ("robustness-index-well", &golden["cases"][&name]);
        let measured = measure(&input, id);
        assert_eq!(measured.parts[0].value, expected["k"].as_f64().unwrap(), "{name} {id}");
        close(&name, id, measured.value, expected["value"].as_f64().unwrap(), 1e-9);
        let space = Space::new(&input.matrix, &input.controls);
        space.robustness_k.set(11).unwrap();
        let measured = lookup(id).unwrap().measure(&space, &input.roles()).unwrap();
        close(&name, "robustness-index-well at 11", measured.value, expected["at_11"].as_f64().unwrap(), 1e-9);
    }
}

#[test]
fn variance_components_are_those_of_dense_traces() {
    for (name, input, values) in Input::all() {
        let plate = input.layout.plate.as_ref().unwrap();
        let moments = Moments::new(&input.matrix);
        let factors = [&input.batch, plate, &input.label];
        let between = factors.map(|factor| between(&input.matrix, factor, &moments));
        let found = components(&factors, &between, moments.square).unwrap();
        let total: f64 = found.iter().sum();
        let expected: Vec<f64> =
            values["variance-components"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        for (got, expected) in found.iter().zip(&expected) {
            close(&name, "variance-components", got / total, *expected, 1e-6);
        }
        close(&name, "variance-components", measure(&input, "variance-components").value, expected[0], 1e-6);
    }
}

#[test]
fn distances_between_controls_are_those_of_scipy() {
    let value = |values: &Value, key: &str| values["controls"][key].as_f64().unwrap();
    for (name, input, values) in Input::all() {
        // Distances are kept as f32.
        for (id, key) in [("control-energy", "energy"), ("control-mmd", "mmd"), ("control-frechet", "frechet")] {
            close(&name, id, measure(&input, id).value, value(values, key), 1e-6);
        }
        // Along one feature every direction is the same, so that the sliced distance is the plain one.
        let first: Vec<f32> = (0..input.controls.rows()).map(|row| input.controls.row(row)[0]).collect();
        let line = Input { controls: Matrix::new(first.len(), 1, first), ..input };
        close(&name, "sliced", measure(&line, "control-sliced-wasserstein").value, value(values, "sliced_1d"), 1e-9);
    }
}

#[test]
fn every_metric_of_this_side_has_a_value_on_every_input() {
    for (name, input, _) in Input::all() {
        for metric in METRICS {
            let card = metric.card();
            let measured = input.with(|space, roles| metric.measure(space, roles));
            let measured = measured.unwrap_or_else(|why| panic!("{name} {}: {why}", card.card.id));
            assert!(measured.value.is_finite() && measured.n > 0, "{name} {}", card.card.id);
        }
    }
}
