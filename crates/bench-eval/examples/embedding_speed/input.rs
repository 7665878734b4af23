//! Rows to time: generated, or read from a folder.

use std::path::Path;

use bench_core::{Factor, Layout, Matrix, Seed};
use bench_eval::embedding::Roles;
use serde_json::Value;

const LABELS: usize = 9;
const COMPOUNDS: usize = 300;
const PLATES: usize = 26;

/// Treated rows, negative controls and where they come from.
pub(super) struct Input {
    pub(super) treated: Matrix,
    pub(super) controls: Matrix,
    pub(super) label: Factor,
    pub(super) layout: Layout,
    pub(super) control_layout: Layout,
}

impl Input {
    /// Low-rank structure and noise: 300 compounds of nine labels on 26 plates of 13 batches of four sources, as many
    /// negative controls as a tenth of the rows.
    pub(super) fn generate(n: usize, d: usize) -> Self {
        let (treated, label, layout) = rows(n, d, 1);
        let (controls, _, control_layout) = rows(n / 10, d, 2);
        Self { treated, controls, label, layout, control_layout: Layout { compound: None, ..control_layout } }
    }

    /// Reads a folder.
    pub(super) fn read(folder: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let origin: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("origin.json"))?)?;
        let columns = origin["features"].as_u64().ok_or("origin.json has no `features`")? as usize;
        let matrix = |name: &str| -> Result<Matrix, Box<dyn std::error::Error>> {
            let bytes = std::fs::read(folder.join(name))?;
            let data: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            Ok(Matrix::new(data.len() / columns, columns, data))
        };
        let (treated, controls) = (matrix("treated.f32")?, matrix("controls.f32")?);
        let label = factor(&origin["treated"], "label").ok_or("origin.json has no labels")?;
        Ok(Self {
            layout: layout(&origin["treated"], treated.rows()),
            control_layout: layout(&origin["controls"], controls.rows()),
            treated,
            controls,
            label,
        })
    }

    /// What the rows are, with one nuisance unit.
    pub(super) fn roles<'a>(&'a self, unit: &'a str) -> Option<Roles<'a>> {
        let factor = self.layout.unit(unit)?;
        Some(Roles {
            label: &self.label,
            unit: factor,
            unit_name: unit,
            layout: &self.layout,
            controls: &self.control_layout,
        })
    }
}

/// One factor of a table of codes.
fn factor(columns: &Value, name: &str) -> Option<Factor> {
    let codes: Vec<u32> = columns[name].as_array()?.iter().map_while(|code| Some(code.as_u64()? as u32)).collect();
    let levels = codes.iter().max().map_or(0, |&last| last + 1);
    Some(Factor { levels: (0..levels).map(|code| format!("{name} {code:04}")).collect(), codes })
}

fn layout(columns: &Value, rows: usize) -> Layout {
    Layout {
        rows,
        source: factor(columns, "source"),
        batch: factor(columns, "batch"),
        plate: factor(columns, "plate"),
        well: factor(columns, "well"),
        position: factor(columns, "position"),
        compound: factor(columns, "compound"),
        file_row: (0..rows as u64).collect(),
        ..Layout::default()
    }
}

/// 32 hidden dimensions with effects of compound, label, batch and plate, mixed into `d` features.
fn rows(n: usize, d: usize, seed: u64) -> (Matrix, Factor, Layout) {
    const HIDDEN: usize = 32;
    let effects = |purpose: &str, levels: usize, sd: f64| -> Vec<f64> {
        let mut stream = Seed(9).derive(purpose, 0).stream();
        (0..levels * HIDDEN).map(|_| sd * stream.normal()).collect()
    };
    let (of_label, of_compound) = (effects("label", LABELS, 0.5), effects("compound", COMPOUNDS, 0.4));
    let (of_plate, of_batch) = (effects("plate", PLATES, 0.3), effects("batch", PLATES / 2, 0.5));
    let mix = effects("mix", d, 1.0);
    let mut stream = Seed(seed).stream();
    let (mut data, mut hidden) = (Vec::with_capacity(n * d), [0.0; HIDDEN]);
    let (mut compounds, mut plates, mut positions) = (Vec::new(), Vec::new(), Vec::new());
    let mut on_plate = [0_usize; PLATES];
    for _ in 0..n {
        let (compound, plate) = (stream.below(COMPOUNDS), stream.below(PLATES));
        let label = compound % LABELS;
        for (at, x) in hidden.iter_mut().enumerate() {
            let shift = of_plate[plate * HIDDEN + at] + of_batch[plate / 2 * HIDDEN + at];
            let signal = of_label[label * HIDDEN + at] + of_compound[compound * HIDDEN + at];
            *x = stream.normal() + signal + shift;
        }
        data.extend(mix.chunks_exact(HIDDEN).map(|mix| {
            let signal: f64 = mix.iter().zip(&hidden).map(|(a, b)| a * b).sum();
            (signal / (HIDDEN as f64).sqrt() + 0.3 * stream.normal()) as f32
        }));
        compounds.push(compound);
        plates.push(plate);
        positions.push(on_plate[plate] % 384);
        on_plate[plate] += 1;
    }
    let names = |codes: &[usize], f: &dyn Fn(usize) -> String| {
        Some(Factor::first_seen(&codes.iter().map(|&code| f(code)).collect::<Vec<_>>()))
    };
    let wells: Vec<usize> = (0..n).collect();
    let layout = Layout {
        rows: n,
        source: names(&plates, &|plate| format!("source {}", plate / 2 % 4)),
        batch: names(&plates, &|plate| format!("batch {}", plate / 2)),
        plate: names(&plates, &|plate| format!("plate {plate}")),
        well: names(&wells, &|well| format!("well {well}")),
        position: names(&positions, &|position| format!("position {position}")),
        compound: names(&compounds, &|compound| format!("compound {compound}")),
        file_row: (0..n as u64).collect(),
        ..Layout::default()
    };
    let label = names(&compounds, &|compound| format!("label {}", compound % LABELS));
    (Matrix::new(n, d, data), label.unwrap_or_default(), layout)
}
