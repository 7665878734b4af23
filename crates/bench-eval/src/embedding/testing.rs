//! Inputs and golden values of the embedding metrics, by `tests/goldens/generators/embedding_metrics.py`.

use std::sync::OnceLock;

use bench_core::{Factor, Layout, Matrix};
use serde_json::Value;

use super::{Roles, Space};

/// The golden file.
pub(crate) fn golden() -> &'static Value {
    static GOLDEN: OnceLock<Value> = OnceLock::new();
    GOLDEN.get_or_init(|| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/embedding_metrics.json");
        let text = std::fs::read_to_string(path).unwrap();
        serde_json::from_str(&text).unwrap()
    })
}

/// One input: rows and where they come from.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) matrix: Matrix,
    pub(crate) controls: Matrix,
    pub(crate) label: Factor,
    pub(crate) batch: Factor,
    pub(crate) layout: Layout,
    pub(crate) control_layout: Layout,
}

impl Input {
    /// The three inputs of the golden file with their names: generated, real, ugly.
    pub(crate) fn all() -> Vec<(String, Self, &'static Value)> {
        let cases = golden()["cases"].as_array().unwrap();
        cases
            .iter()
            .map(|case| (case["name"].as_str().unwrap().to_owned(), Self::read(case), &case["values"]))
            .collect()
    }

    fn read(case: &Value) -> Self {
        let d = case["d"].as_u64().unwrap() as usize;
        let matrix = |key: &str| {
            let data: Vec<f32> = case[key].as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect();
            Matrix::new(data.len() / d, d, data)
        };
        let factor = |key: &str| {
            let codes = case[key].as_array().unwrap().iter().map(|x| format!("{key}{:03}", x.as_u64().unwrap()));
            Factor::sorted(&codes.collect::<Vec<_>>())
        };
        let (matrix, controls) = (matrix("x"), matrix("controls"));
        let treated_layout = layout(&factor("batch"), &factor("plate"), &factor("position"));
        let control_layout = layout(&factor("control_batch"), &factor("control_plate"), &factor("control_position"));
        Self {
            matrix,
            controls,
            label: factor("label"),
            batch: factor("batch"),
            layout: treated_layout,
            control_layout,
        }
    }

    /// Metrics' view of it, with the batch as the unit.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&Space<'_>, &Roles<'_>) -> T) -> T {
        let space = Space::new(&self.matrix, &self.controls);
        f(&space, &self.roles())
    }

    pub(crate) fn roles(&self) -> Roles<'_> {
        Roles {
            label: &self.label,
            unit: &self.batch,
            unit_name: "batch",
            layout: &self.layout,
            controls: &self.control_layout,
        }
    }

    /// The same rows in another order.
    pub(crate) fn reordered(&self, order: &[u32]) -> Self {
        Self {
            matrix: self.matrix.take(order),
            label: self.label.take(order),
            batch: self.batch.take(order),
            layout: self.layout.take(order),
            ..self.clone()
        }
    }
}

fn layout(batch: &Factor, plate: &Factor, position: &Factor) -> Layout {
    let rows = batch.len();
    let well: Vec<String> = (0..rows).map(|row| format!("{}/{}/{row}", plate.name(row), position.name(row))).collect();
    Layout {
        rows,
        source: Some(batch.clone()),
        batch: Some(batch.clone()),
        plate: Some(plate.clone()),
        well: Some(Factor::sorted(&well)),
        position: Some(position.clone()),
        compound: None,
        file_row: (0..rows as u64).collect(),
        ..Layout::default()
    }
}
