//! Whole presets against their peers, from raw profiles to the last number; see
//! `tests/goldens/generators/preset_chains.py`.

use std::collections::BTreeMap;

use bench_core::{Factor, Layout, Matrix, Seed};
use bench_correct::{Chain, FitInput, Origin};
use serde_json::Value;

use super::preset;
use crate::embedding::biology::replicates::enrichment;
use crate::embedding::testing::layout_of;
use crate::embedding::{Measured, Roles, Space, lookup};
use crate::metric::{Evaluated, evaluate_all, lookup_all};
use crate::probe::knn::{Knn, KnnSettings};
use crate::probe::logistic::{LogisticProbe, LogisticSettings};
use crate::probe::{Probe, ProbeInput};
use crate::{Fold, Predictions, Role};

/// Treated rows, then controls.
struct Table {
    name: String,
    matrix: Matrix,
    origin: Origin,
    treated: Layout,
    controls: Layout,
    label: Factor,
    expected: Value,
}

fn golden(name: &str) -> Value {
    let path = format!("{}/../../tests/goldens/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn words<'a>(columns: &'a Value, name: &str) -> Vec<&'a str> {
    columns[name].as_array().map_or_else(Vec::new, |all| all.iter().map(|v| v.as_str().unwrap()).collect())
}

/// The rows' origin; the compound and the label are no part of what a correction sees.
fn layout(column: &dyn Fn(&str) -> Vec<String>) -> Layout {
    layout_of(column("plate").len(), |name| Some(Factor::sorted(&column(name))).filter(|factor| !factor.is_empty()))
}

/// The three inputs.
fn tables() -> Vec<Table> {
    let (inputs, expected) = (golden("eval_biology"), golden("preset_chains"));
    let read = |case: &Value| {
        let (dims, name) = (case["dims"].as_u64().unwrap() as usize, case["name"].as_str().unwrap());
        let data: Vec<f32> =
            ["x", "controls"].iter().flat_map(|key| numbers(&case[key])).map(|value| value as f32).collect();
        let owned =
            |key: &str, name: &str| -> Vec<String> { words(&case[key], name).into_iter().map(str::to_owned).collect() };
        let treated = layout(&|name| owned("columns", name));
        let controls = layout(&|name| owned("control_columns", name));
        let both = layout(&|name| match name {
            "compound" => Vec::new(),
            _ => [owned("columns", name), owned("control_columns", name)].concat(),
        });
        let is_control = (0..both.rows).map(|row| row >= treated.rows).collect();
        Table {
            name: name.to_owned(),
            matrix: Matrix::new(both.rows, dims, data),
            origin: Origin::new(&both, is_control).unwrap(),
            label: Factor::sorted(&owned("columns", "label")),
            treated,
            controls,
            expected: expected["cases"][name].clone(),
        }
    };
    inputs["cases"].as_array().unwrap().iter().map(read).collect()
}

impl Table {
    /// All rows with their first features after a chain.
    fn corrected(&self, chain: &str, features: usize) -> Result<Matrix, String> {
        let rows = self.matrix.data().chunks_exact(self.matrix.cols());
        let kept: Vec<f32> = rows.flat_map(|row| &row[..features]).copied().collect();
        let matrix = Matrix::new(self.matrix.rows(), features, kept);
        let input = FitInput { matrix: &matrix, origin: &self.origin, covariate: None, seed: Seed(1) };
        let chain = Chain::parse(chain).unwrap();
        chain.fit_apply(&input).map(|(_, corrected)| corrected).map_err(|error| error.to_string())
    }

    /// Compares the rows that are shown, relative to the largest value of their column.
    fn compare(&self, corrected: &Matrix, shown: &Value) {
        let shown: Vec<(usize, Vec<f64>)> =
            shown.as_object().unwrap().iter().map(|(row, values)| (row.parse().unwrap(), numbers(values))).collect();
        for col in 0..corrected.cols() {
            let largest = (0..corrected.rows()).map(|row| f64::from(corrected.row(row)[col]).abs()).fold(0.0, f64::max);
            for (row, values) in &shown {
                assert_eq!(values.len(), corrected.cols(), "{}: as many features are kept", self.name);
                let (found, expected) = (f64::from(corrected.row(*row)[col]), values[col]);
                let holds = (found - expected).abs() <= 2e-5 * largest.max(1e-3);
                assert!(holds, "{} row {row}, column {col}: {found}, not {expected}", self.name);
            }
        }
    }
}

fn close(what: &str, found: f64, expected: f64, tolerance: f64) {
    let holds = (found - expected).abs() <= tolerance * (1.0 + expected.abs());
    assert!(holds, "{what}: {found}, not {expected}");
}

#[test]
fn the_preset_of_pycytominer_is_its_recipe_from_raw_profiles_to_scores() {
    let preset = preset::lookup("pycytominer").unwrap();
    let mut compared = 0;
    for table in tables() {
        let (name, expected) = (&table.name, &table.expected["pycytominer"]);
        let corrected = table.corrected(preset.chain.unwrap(), table.matrix.cols());
        if expected.get("fails").is_some() {
            assert!(corrected.is_err(), "{name}: the package fails with {}", expected["fails"]);
            continue;
        }
        let corrected = corrected.unwrap();
        table.compare(&corrected, &expected["shown"]);
        let n = table.treated.rows as u32;
        let treated = corrected.take(&(0..n).collect::<Vec<_>>());
        let controls = corrected.take(&(n..corrected.rows() as u32).collect::<Vec<_>>());
        let space = Space::new(&treated, &controls);
        let roles = Roles {
            label: &table.label,
            unit: table.treated.batch.as_ref().unwrap(),
            unit_name: "batch",
            layout: &table.treated,
            controls: &table.controls,
        };
        let measure = |id: &str| -> Measured {
            assert!(preset.metrics().any(|own| own == id), "the preset measures {id}");
            lookup(id).unwrap().measure(&space, &roles).unwrap_or_else(|why| panic!("{name} {id}: {why}"))
        };
        let parts = |measured: &Measured| -> BTreeMap<String, f64> {
            measured.parts.iter().map(|part| (part.name.clone(), part.value)).collect()
        };
        for (place, id) in ["hit-at-1", "hit-at-10", "precision-at-10"].into_iter().enumerate() {
            let found = measure(id);
            for (row, (found, expected)) in found.rows.iter().zip(expected["nearest"].as_array().unwrap()).enumerate() {
                // Rows of equally near wells are null.
                if !expected.is_null() {
                    close(&format!("{name} {id} row {row}"), *found, numbers(expected)[place], 1e-8);
                    compared += 1;
                }
            }
            if !expected["nearest_means"].is_null() {
                close(&format!("{name} {id}"), found.value, numbers(&expected["nearest_means"])[place], 1e-8);
            }
        }
        let grit = measure("grit");
        for (row, (found, expected)) in grit.rows.iter().zip(expected["grit"].as_array().unwrap()).enumerate() {
            match expected.as_f64() {
                Some(expected) => close(&format!("{name} grit row {row}"), *found, expected, 1e-5),
                None => assert!(found.is_nan(), "{name} grit row {row}"),
            }
        }
        close(&format!("{name} grit"), grit.value, expected["grit_mean"].as_f64().unwrap(), 1e-5);
        let (distances, medians) = (parts(&measure("mp-value")), parts(&measure("percent-replicating")));
        for (compound, expected) in expected["mp_value"].as_object().unwrap() {
            close(&format!("{name} mp-value {compound}"), distances[compound], numbers(expected)[0], 1e-4);
        }
        for (compound, expected) in expected["replicating"].as_object().unwrap() {
            close(&format!("{name} replicating {compound}"), medians[compound], expected.as_f64().unwrap(), 1e-5);
        }
        let compounds = &table.treated.compound.as_ref().unwrap().codes;
        let pairs = enrichment::table(&space, 0.01, &|a, b| Some(compounds[a] == compounds[b])).unwrap();
        for (found, expected) in pairs.iter().zip(numbers(&expected["enrichment"]["table"])) {
            // Products in 32 bits may exchange two pairs at the threshold.
            assert!((found - expected).abs() <= 1.0, "{name} enrichment: {found}, not {expected}");
        }
    }
    assert!(compared > 300, "{compared} rows were compared");
}

/// Predictions of the only fold.
fn predicted(probe: &dyn Probe, input: ProbeInput<'_>, fold: &Fold) -> Predictions {
    let mut found = None;
    let run = probe.run(input, &[fold], &|_, _| (), &mut |_, fitted| found = Some(fitted.unwrap().predictions));
    run.unwrap();
    found.unwrap()
}

#[test]
fn the_preset_of_jump_models_with_its_defects_is_that_of_the_description() {
    let preset = preset::lookup("jump-models").unwrap();
    let metrics = lookup_all(&["accuracy", "balanced-accuracy", "f1-macro"]).unwrap();
    let (mut splits, mut neighbours) = (0, 0);
    for table in tables() {
        let (name, expected) = (&table.name, &table.expected["jump-models:defects"]);
        let chain = preset.defects.unwrap();
        // Where the knee of the last plate lies at an eigenvalue that is rounding, as many features are taken as have none.
        let features = expected["features"].as_u64().unwrap();
        let corrected = table.corrected(chain, features as usize).unwrap();
        if (features as usize) < table.matrix.cols() {
            let why = table.corrected(chain, table.matrix.cols()).unwrap_err();
            assert!(why.contains("knee"), "{name}: {why}");
        }
        table.compare(&corrected, &expected["shown"]);
        let n = table.treated.rows;
        let matrix = corrected.take(&(0..n as u32).collect::<Vec<_>>());
        let classes = table.label.level_count();
        let input =
            ProbeInput { matrix: &matrix, class: &table.label.codes, classes, name_rank: &table.label.name_ranks() };
        for (split, expected) in expected["splits"].as_object().unwrap() {
            let test: Vec<u32> = numbers(&expected["test"]).into_iter().map(|row| row as u32).collect();
            let mut roles = vec![Role::Train; n];
            test.iter().for_each(|&row| roles[row as usize] = Role::Test);
            let fold = Fold { repeat: 0, seed: 0, held_out: Vec::new(), roles };
            let found = predicted(&LogisticProbe::new(LogisticSettings::default()).unwrap(), input, &fold);
            let truth: Vec<u32> = found.rows.iter().map(|&row| table.label.codes[row as usize]).collect();
            let mut seen = vec![false; classes];
            (0..n as u32).filter(|row| !test.contains(row)).for_each(|row| {
                seen[table.label.codes[row as usize] as usize] = true;
            });
            let evaluated = Evaluated::new(&found, &table.label.codes, classes, &seen);
            for ((id, found), expected) in
                evaluate_all(&evaluated, &metrics).into_iter().zip(numbers(&expected["logistic"]))
            {
                close(&format!("{name} {split} {id}"), found.unwrap(), expected, 1e-9);
            }
            let found = predicted(&Knn::new(KnnSettings::default()).unwrap(), input, &fold);
            for (at, expected) in expected["neighbours"].as_array().unwrap().iter().enumerate() {
                // Where distances or votes tie, scikit-learn takes the first and this project the expectation.
                if let Some(expected) = expected.as_f64() {
                    close(&format!("{name} {split} neighbours {at}"), found.decided(at, truth[at]), expected, 1e-9);
                    neighbours += 1;
                }
            }
            splits += 1;
        }
    }
    assert!(splits == 12 && neighbours > 100, "{splits} splits, {neighbours} rows");
}

#[test]
fn the_defect_leaves_all_plates_but_the_last_as_they_were() {
    let preset = preset::lookup("jump-models").unwrap();
    let table = tables().remove(0);
    let [plain, defective] =
        [preset.chain, preset.defects].map(|chain| table.corrected(chain.unwrap(), table.matrix.cols()).unwrap());
    let plate = |row: usize| match row.checked_sub(table.treated.rows) {
        None => table.treated.plate.as_ref().unwrap().name(row),
        Some(row) => table.controls.plate.as_ref().unwrap().name(row),
    };
    let last = (0..plain.rows()).map(plate).max().unwrap();
    for row in 0..plain.rows() {
        let expected = if plate(row) == last { plain.row(row) } else { table.matrix.row(row) };
        assert_eq!(defective.row(row), expected, "row {row} of {}", plate(row));
        assert_ne!(plain.row(row), table.matrix.row(row), "every plate is corrected without the defect");
    }
}
