//! Inputs of the tests of the biology side, with the values of `tests/goldens/generators/eval_biology.py`.

use std::collections::BTreeMap;

use bench_core::{Factor, Layout, Matrix, Seed};
use serde_json::Value;

use super::METRICS;
use crate::embedding::testing::layout_of;
use crate::embedding::{Measured, Roles, Space};

/// A table of treated and control rows.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub(super) treated: Matrix,
    pub(super) controls: Matrix,
    pub(super) label: Factor,
    pub(super) layout: Layout,
    pub(super) control_layout: Layout,
}

impl Input {
    pub(super) fn space(&self) -> Space<'_> {
        Space::new(&self.treated, &self.controls)
    }

    pub(super) fn roles<'a>(&'a self, unit: &'a str) -> Roles<'a> {
        Roles {
            label: &self.label,
            unit: self.layout.unit(unit).unwrap(),
            unit_name: unit,
            layout: &self.layout,
            controls: &self.control_layout,
        }
    }

    pub(super) fn measure(&self, id: &str) -> Result<Measured, String> {
        let metric =
            METRICS.into_iter().find(|metric| metric.card().card.id == id).unwrap_or_else(|| panic!("no {id}"));
        metric.measure(&self.space(), &self.roles("batch"))
    }

    pub(super) fn value(&self, id: &str) -> f64 {
        self.measure(id).unwrap_or_else(|why| panic!("{id}: {why}")).value
    }

    pub(super) fn with(&self, treated: Matrix, controls: Matrix) -> Self {
        Self { treated, controls, ..self.clone() }
    }
}

fn layout(rows: usize, columns: &Value) -> Layout {
    layout_of(rows, |name| {
        let values: Vec<&str> = columns.get(name)?.as_array()?.iter().map(|v| v.as_str().unwrap()).collect();
        Some(Factor::first_seen(&values))
    })
}

pub(super) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

pub(super) fn golden() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/eval_biology.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The three inputs with their values.
pub(super) fn cases() -> Vec<(String, Input, Value)> {
    let golden = golden();
    let cases = golden["cases"].as_array().unwrap();
    let read = |case: &Value| {
        let dims = case["dims"].as_u64().unwrap() as usize;
        let matrix = |key: &str| {
            let data: Vec<f32> = numbers(&case[key]).iter().map(|&value| value as f32).collect();
            Matrix::new(data.len() / dims, dims, data)
        };
        let (treated, controls) = (matrix("x"), matrix("controls"));
        let labels: Vec<&str> =
            case["columns"]["label"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
        let input = Input {
            label: Factor::first_seen(&labels),
            layout: layout(treated.rows(), &case["columns"]),
            control_layout: layout(controls.rows(), &case["control_columns"]),
            treated,
            controls,
        };
        (case["name"].as_str().unwrap().to_owned(), input, case["values"].clone())
    };
    cases.iter().map(read).collect()
}

pub(super) fn close(what: &str, found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found} instead of {expected}");
}

/// Parts of a unit by name.
pub(super) fn parts(measured: &Measured) -> BTreeMap<&str, (f64, Option<f64>)> {
    measured.parts.iter().map(|part| (part.name.as_str(), (part.value, part.p))).collect()
}

/// A balanced table: 3 sources of 2 batches of 1 plate, 6 labels of 2 compounds, 2 wells each, 6 controls per plate.
pub(super) fn experiment() -> Input {
    let mut columns: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut control: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for plate in 0..6 {
        let units = [("source", plate / 2), ("batch", plate), ("plate", plate)];
        for well in 0..24 {
            units.iter().for_each(|(unit, code)| columns.entry(unit).or_default().push(format!("{unit}{code}")));
            columns.entry("position").or_default().push(format!("P{well}"));
            columns.entry("compound").or_default().push(format!("c{}", well % 12));
            columns.entry("label").or_default().push(format!("l{}", well % 6));
        }
        for well in 0..6 {
            units.iter().for_each(|(unit, code)| control.entry(unit).or_default().push(format!("{unit}{code}")));
            control.entry("position").or_default().push(format!("D{well}"));
        }
    }
    let label = Factor::first_seen(&columns["label"]);
    let (n, m) = (144, 36);
    let (columns, control) = (serde_json::json!(columns), serde_json::json!(control));
    let mut stream = Seed(4).stream();
    let (mut x, mut c) = (Vec::new(), Vec::new());
    for row in 0..n {
        let (label, compound, plate) = (label.code(row), row % 24 % 12, row / 24);
        for j in 0..12 {
            let signal = 2.0 * f64::from(j == label) + f64::from(j == compound) + 0.5 * f64::from(j == 11 - plate);
            x.push((stream.normal() * 0.6 + signal) as f32);
        }
    }
    for row in 0..m {
        c.extend((0..12).map(|j| (stream.normal() * 0.6 + 0.5 * f64::from(j == 11 - row / 6)) as f32));
    }
    Input {
        treated: Matrix::new(n, 12, x),
        controls: Matrix::new(m, 12, c),
        label,
        layout: layout(n, &columns),
        control_layout: layout(m, &control),
    }
}
