//! What every embedding metric answers where the truth is known: synthetic wells with dials for batch effects, biology,
//! position effects and collapse, at several numbers of rows, batches and labels.
//!
//! `cargo run --release -p bench-eval --example metric_validation -- SEEDS [METRIC ...] > raw.csv`
//!
//! Prints one line per sweep, level, seed and metric. `benchmarks/metric_validation.py` runs it and reads tables out of
//! it: monotonicity, sensitivity, saturation, cross-talk, bias.
//!
//! # Model
//! A well has 32 features of falling scale. In units of that scale it is
//! `exp(0.15 batch g_b) noise + batch (shift_b + shift_plate / 2) + biology (effect_label + effect_compound / 2)
//! + position effect_position`; all are standard normal, `batch`, `biology` and `position` are the dials. So a dial of 1
//! spreads the means of its levels as far as wells of one level differ in each feature. Two plates per batch, half of the
//! batches in either source, two compounds per label, the same layout on every plate, a control for every four wells.
//! `collapse` takes all but one feature away and adds an offset, until the rows are a line that is seen from afar.
//!
//! # Randomness
//! A seed draws effects and wells. Within a seed they are the same at every level, only stronger.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use bench_core::{Factor, Layout, Matrix, Seed};
use bench_eval::embedding::{EmbeddingMetric, Roles, Space, metrics};
use rayon::prelude::*;

const FEATURES: usize = 32;
const COMPOUNDS_PER_LABEL: usize = 2;
const PLATES_PER_BATCH: usize = 2;
/// Wells per negative control.
const PER_CONTROL: usize = 4;
/// How far a full collapse moves the rows away from the origin.
const OFFSET: f64 = 20.0;

/// Strengths of the dials of batch and biology.
const STRENGTHS: [f64; 8] = [0.0, 0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0];
const POSITIONS: [f64; 5] = [0.0, 0.125, 0.25, 0.5, 1.0];
const COLLAPSES: [f64; 6] = [0.0, 0.5, 0.75, 0.9, 0.97, 1.0];
const BATCHES: [usize; 4] = [2, 4, 8, 16];
const LABELS: [usize; 4] = [2, 4, 8, 16];
const ROWS: [usize; 3] = [256, 512, 1024];

/// One table of wells.
#[derive(Clone, Copy, Debug)]
struct Design {
    batches: usize,
    labels: usize,
    /// Treated rows; a multiple of plates and compounds.
    rows: usize,
    batch: f64,
    biology: f64,
    position: f64,
    collapse: f64,
}

/// The design that sweeps vary, one thing at a time.
const BASE: Design =
    Design { batches: 8, labels: 8, rows: 512, batch: 0.25, biology: 0.5, position: 0.0, collapse: 0.0 };

/// Sweeps with their level and design.
fn designs() -> Vec<(String, f64, Design)> {
    let mut all = Vec::new();
    let mut add = |sweep: &str, level: f64, design: Design| all.push((sweep.to_owned(), level, design));
    for level in STRENGTHS {
        add("batch", level, Design { batch: level, ..BASE });
        add("biology", level, Design { biology: level, ..BASE });
    }
    for level in POSITIONS {
        add("position", level, Design { position: level, ..BASE });
    }
    for level in COLLAPSES {
        add("collapse", level, Design { collapse: level, ..BASE });
    }
    // Sizes, once without batch effects and once without biology.
    for (without, base) in [("batch", Design { batch: 0.0, ..BASE }), ("biology", Design { biology: 0.0, ..BASE })] {
        for rows in ROWS {
            add(&format!("rows without {without}"), rows as f64, Design { rows, ..base });
        }
        for batches in BATCHES {
            add(&format!("batches without {without}"), batches as f64, Design { batches, ..base });
        }
        for labels in LABELS {
            add(&format!("labels without {without}"), labels as f64, Design { labels, ..base });
        }
    }
    all
}

/// Standard normal draws for one level of something.
fn effect(seed: Seed, purpose: &str, level: usize) -> Vec<f64> {
    let mut stream = seed.derive(purpose, level as u64).stream();
    (0..FEATURES).map(|_| stream.normal()).collect()
}

/// Treated rows or negative controls.
struct Wells {
    matrix: Matrix,
    label: Factor,
    layout: Layout,
}

/// The wells of a design: treated ones, or negative controls where `controls` is set.
fn wells(design: &Design, controls: bool, seed: Seed) -> Wells {
    let plates = design.batches * PLATES_PER_BATCH;
    let treated = design.rows / plates;
    let (per_plate, kind) = if controls { (treated / PER_CONTROL, "control") } else { (treated, "well") };
    let compounds = design.labels * COMPOUNDS_PER_LABEL;
    let mut effects: BTreeMap<(&str, usize), Vec<f64>> = BTreeMap::new();
    let mut data = Vec::with_capacity(plates * per_plate * FEATURES);
    let mut names: [Vec<String>; 7] = Default::default();
    for plate in 0..plates {
        let batch = plate / PLATES_PER_BATCH;
        for place in 0..per_plate {
            let compound = place % compounds;
            let label = compound / COMPOUNDS_PER_LABEL;
            let own = effect(seed, &format!("{kind} of plate {plate}"), place);
            let mut of = |purpose: &'static str, level: usize| -> Vec<f64> {
                effects.entry((purpose, level)).or_insert_with(|| effect(seed, purpose, level)).clone()
            };
            let (spread, shift) = (of("batch spread", batch), of("batch", batch));
            let of_plate = of("plate", plate);
            let of_position = of(if controls { "control position" } else { "position" }, place);
            let biology = if controls { 0.0 } else { design.biology };
            let (of_label, of_compound) = (of("label", label), of("compound", compound));
            data.extend((0..FEATURES).map(|at| {
                let noise = (0.15 * design.batch * spread[at]).exp() * own[at];
                let technical = design.batch * (shift[at] + of_plate[at] / 2.0);
                let phenotype = biology * (of_label[at] + of_compound[at] / 2.0);
                let scale = (1.0 + at as f64 / 8.0).powf(-0.5);
                let x = scale * (noise + technical + phenotype + design.position * of_position[at]);
                let left = if at == 0 { 1.0 } else { 1.0 - design.collapse };
                (left * x + if at == 1 { design.collapse * OFFSET } else { 0.0 }) as f32
            }));
            let source = batch % 2;
            let row = [
                format!("source {source}"),
                format!("source {source}/batch {batch:02}"),
                format!("source {source}/batch {batch:02}/plate {plate:02}"),
                format!("plate {plate:02}/{kind} {place:03}"),
                format!("{kind} {place:03}"),
                if controls { "control".to_owned() } else { format!("compound {compound:02}") },
                if controls { "control".to_owned() } else { format!("label {label:02}") },
            ];
            names.iter_mut().zip(row).for_each(|(column, name)| column.push(name));
        }
    }
    let [source, batch, plate, well, position, compound, label] = names.map(|column| Factor::sorted(&column));
    let rows = plates * per_plate;
    let layout = Layout {
        rows,
        source: Some(source),
        batch: Some(batch),
        plate: Some(plate),
        well: Some(well),
        position: Some(position),
        compound: Some(compound),
        file_row: (0..rows as u64).collect(),
        ..Layout::default()
    };
    Wells { matrix: Matrix::new(rows, FEATURES, data), label, layout }
}

/// A field of a CSV file: quoted where it must be.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// The lines of one table of wells: every metric for the batch, or for all rows where it asks for no unit.
fn lines(sweep: &str, level: f64, design: &Design, seed: u64, wanted: &[&dyn EmbeddingMetric]) -> Vec<String> {
    let seed_of = Seed(seed).derive("metric validation", 0);
    let (treated, control) = (wells(design, false, seed_of), wells(design, true, seed_of));
    let space = Space::new(&treated.matrix, &control.matrix);
    let whole = Factor { levels: vec!["all".to_owned()], codes: vec![0; treated.layout.rows] };
    let measured = wanted.iter().map(|metric| {
        let (unit_name, unit) = match &treated.layout.batch {
            Some(batch) if metric.per_unit() => ("batch", batch),
            _ => ("all", &whole),
        };
        let (label, layout, controls) = (&treated.label, &treated.layout, &control.layout);
        let measured = metric.measure(&space, &Roles { label, unit, unit_name, layout, controls });
        let fires = measured.as_ref().is_ok_and(|measured| metric.fires(measured).is_some());
        let collapse = measured.as_ref().is_ok_and(|measured| fires && metric.means_collapse(measured));
        let (value, reason) = match measured {
            Ok(measured) => (measured.value.to_string(), String::new()),
            Err(why) => (String::new(), field(&why)),
        };
        let card = metric.card();
        let (id, side, better, best, worst) = (card.card.id, card.side.word(), card.card.better, card.best, card.worst);
        format!(
            "{sweep},{level},{seed},{id},{side},{better},{best},{worst},{value},{},{},{reason}",
            u8::from(fires),
            u8::from(collapse)
        )
    });
    measured.collect()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seeds: u64 = arguments.first().and_then(|text| text.parse().ok()).unwrap_or(4);
    let wanted: Vec<&dyn EmbeddingMetric> = metrics()
        .filter(|metric| arguments.len() < 2 || arguments[1..].iter().any(|id| id == metric.card().card.id))
        .collect();
    let designs = designs();
    let jobs: Vec<(u64, &(String, f64, Design))> =
        (1..=seeds).flat_map(|seed| designs.iter().map(move |design| (seed, design))).collect();
    let done = AtomicUsize::new(0);
    let found: Vec<Vec<String>> = jobs
        .par_iter()
        .map(|&(seed, (sweep, level, design))| {
            let lines = lines(sweep, *level, design, seed, &wanted);
            let count = done.fetch_add(1, Ordering::Relaxed) + 1;
            eprintln!("{count} of {}: {sweep} {level}, seed {seed}", jobs.len());
            lines
        })
        .collect();
    println!("sweep,level,seed,metric,side,better,best,worst,value,fires,collapse,reason");
    found.into_iter().flatten().for_each(|line| println!("{line}"));
}
