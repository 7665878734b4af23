//! Inputs and golden values of the embedding metrics, by `tests/goldens/generators/embedding_metrics.py`.

use std::sync::OnceLock;

use bench_core::{Factor, Layout, Matrix, Seed};
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

/// A balanced experiment in which every metric is defined: 3 sources of 2 batches of 2 plates; on every plate 6 labels of
/// 2 compounds of 2 wells, and 8 negative controls. Normal features, the first ones with label and compound.
pub(crate) fn experiment() -> Input {
    const FEATURES: usize = 12;
    let mut stream = Seed(17).stream();
    let mut rows = |wells: usize, prefix: &str, signal: f64| {
        let mut data = Vec::new();
        let mut columns: [Vec<String>; 6] = Default::default();
        for plate in 0..12 {
            for well in 0..wells {
                let (label, compound) = (well % 6, well % 12);
                data.extend((0..FEATURES).map(|at| {
                    let shown = 2.0 * f64::from(at == label) + f64::from(at == compound);
                    (0.6 * stream.normal() + signal * shown) as f32
                }));
                let names = [
                    format!("s{}", plate / 4),
                    format!("s{}/b{}", plate / 4, plate / 2),
                    format!("s{}/b{}/p{plate:02}", plate / 4, plate / 2),
                    format!("{prefix}{well:02}"),
                    format!("c{compound:02}"),
                    format!("l{label}"),
                ];
                columns.iter_mut().zip(names).for_each(|(column, name)| column.push(name));
            }
        }
        let [source, batch, plate, position, compound, label] = columns.map(|column| Factor::sorted(&column));
        let mut layout = layout(&batch, &plate, &position);
        layout.source = Some(source);
        layout.compound = Some(compound).filter(|_| signal > 0.0);
        (Matrix::new(data.len() / FEATURES, FEATURES, data), label, batch, layout)
    };
    let (matrix, label, batch, layout) = rows(24, "W", 1.0);
    let (controls, _, _, control_layout) = rows(8, "D", 0.0);
    Input { matrix, controls, label, batch, layout, control_layout }
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

/// Where rows come from, by the columns that there are; every row is a well of its own.
pub(crate) fn layout_of(rows: usize, factor: impl Fn(&str) -> Option<Factor>) -> Layout {
    Layout {
        rows,
        source: factor("source"),
        batch: factor("batch"),
        plate: factor("plate"),
        position: factor("position"),
        compound: factor("compound"),
        file_row: (0..rows as u64).collect(),
        ..Layout::default()
    }
}
