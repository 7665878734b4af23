//! Seconds of every metric of the batch side and every guard on generated rows: low-rank structure and noise, 13 batches,
//! 26 plates, 9 labels, as many negative controls as a tenth of the rows. What metrics share is counted where it is first
//! asked for.
//!
//! `cargo run --release -p bench-eval --example embedding_speed -- ROWS FEATURES [METRIC ...]`

use std::time::Instant;

use bench_core::{Factor, Layout, Matrix, Seed};
use bench_eval::embedding::{Roles, Space, batch, guard};

const LABELS: usize = 9;
const PLATES: usize = 26;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: usize| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (n, d) = (number(0, 5000), number(1, 256));
    let (treated, label, layout) = rows(n, d, 1);
    let (controls, _, control_layout) = rows(n / 10, d, 2);
    let space = Space::new(&treated, &controls);
    let Some(unit) = layout.batch.as_ref() else { return };
    let roles = Roles { label: &label, unit, unit_name: "batch", layout: &layout, controls: &control_layout };
    let all = Instant::now();
    for metric in batch::METRICS.into_iter().chain(guard::METRICS) {
        let id = metric.card().card.id;
        if arguments.len() > 2 && !arguments[2..].iter().any(|wanted| wanted == id) {
            continue;
        }
        let start = Instant::now();
        let measured = metric.measure(&space, &roles);
        let first = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let again = metric.measure(&space, &roles);
        assert_eq!(measured.as_ref().map(|m| m.value), again.as_ref().map(|m| m.value), "{id} repeats itself");
        let value = measured.map_or_else(|why| why, |measured| format!("{:.4}", measured.value));
        println!("{id:30} {first:8.2} s, again {:8.2} s  {value}", start.elapsed().as_secs_f64());
    }
    println!("{n} x {d}: {:.1} s", all.elapsed().as_secs_f64());
}

/// Rows of labels on plates: 32 hidden dimensions with effects of label, batch and plate, mixed into `d` features.
fn rows(n: usize, d: usize, seed: u64) -> (Matrix, Factor, Layout) {
    const HIDDEN: usize = 32;
    let effects = |purpose: &str, levels: usize, sd: f64| -> Vec<f64> {
        let mut stream = Seed(9).derive(purpose, 0).stream();
        (0..levels * HIDDEN).map(|_| sd * stream.normal()).collect()
    };
    let (of_label, of_plate) = (effects("label", LABELS, 0.6), effects("plate", PLATES, 0.3));
    let (of_batch, mix) = (effects("batch", PLATES / 2, 0.5), effects("mix", d, 1.0));
    let mut stream = Seed(seed).stream();
    let (mut data, mut hidden) = (Vec::with_capacity(n * d), [0.0; HIDDEN]);
    let (mut labels, mut plates) = (Vec::new(), Vec::new());
    for _ in 0..n {
        let (label, plate) = (stream.below(LABELS), stream.below(PLATES));
        for (at, x) in hidden.iter_mut().enumerate() {
            let shift = of_plate[plate * HIDDEN + at] + of_batch[plate / 2 * HIDDEN + at];
            *x = stream.normal() + of_label[label * HIDDEN + at] + shift;
        }
        data.extend(mix.chunks_exact(HIDDEN).map(|mix| {
            let signal: f64 = mix.iter().zip(&hidden).map(|(a, b)| a * b).sum();
            (signal / (HIDDEN as f64).sqrt() + 0.3 * stream.normal()) as f32
        }));
        labels.push(format!("label {label}"));
        plates.push(plate);
    }
    let names =
        |f: &dyn Fn(usize) -> String| Factor::first_seen(&plates.iter().map(|&plate| f(plate)).collect::<Vec<_>>());
    let wells: Vec<String> = (0..n).map(|row| format!("well {row}")).collect();
    let positions: Vec<String> = (0..n).map(|row| format!("A{:02}", row % 24 + 1)).collect();
    let layout = Layout {
        rows: n,
        batch: Some(names(&|plate| format!("batch {}", plate / 2))),
        plate: Some(names(&|plate| format!("plate {plate}"))),
        well: Some(Factor::first_seen(&wells)),
        position: Some(Factor::first_seen(&positions)),
        file_row: (0..n as u64).collect(),
        ..Layout::default()
    };
    (Matrix::new(n, d, data), Factor::first_seen(&labels), layout)
}
