//! The perturbation magnitude against dcor; see `tests/goldens/generators/perturbation_magnitude.py`.

use std::collections::BTreeMap;

use bench_core::Factor;
use serde_json::Value;

use super::replicates::perturbation_magnitude::PerturbationMagnitude;
use crate::embedding::EmbeddingMetric as _;
use crate::embedding::testing::Input;

#[test]
fn energy_distances_to_controls_and_their_p_are_those_of_dcor() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/perturbation_magnitude.json");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for (name, mut input, _) in Input::all() {
        let case = &golden["cases"][&name];
        let compounds: Vec<&str> = case["compound"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
        input.layout.compound = Some(Factor::sorted(&compounds));
        let measured = input.with(|space, roles| PerturbationMagnitude.measure(space, roles)).unwrap();
        let found: BTreeMap<&str, (f64, f64)> =
            measured.parts.iter().map(|part| (part.name.as_str(), (part.value, part.p.unwrap()))).collect();
        let expected = case["parts"].as_object().unwrap();
        // The same compounds have enough wells, and few enough beside the controls.
        assert!(found.keys().copied().eq(expected.keys().map(String::as_str)), "{name}: {found:?}");
        for (compound, expected) in expected {
            let (value, p) = found[compound.as_str()];
            let [distance, share] = [0, 1].map(|at| expected[at].as_f64().unwrap());
            assert!((value - distance).abs() <= 1e-9 * distance, "{name} {compound}: {value}, not {distance}");
            // Random groups of controls: 200 here, 4000 there.
            let error = (share * (1.0 - share) * (1.0 / 200.0 + 1.0 / 4000.0)).sqrt();
            assert!((p - share).abs() <= 4.0 * error + 2.0 / 201.0, "{name} {compound}: p {p}, not {share}");
        }
    }
}
