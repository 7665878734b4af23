//! Seconds and peak memory of every embedding metric, on generated rows or on those of a folder.
//!
//! ```text
//! cargo run --release -p bench-eval --example embedding_speed -- 10000 1024
//! cargo run --release -p bench-eval --example embedding_speed -- FOLDER --unit batch --metric bras --metric pcr
//! cargo run --release -p bench-eval --example embedding_speed -- FOLDER --graph euclidean --metric ilisi
//! cargo run --release -p bench-eval --example embedding_speed -- FOLDER --frame
//! ```
//!
//! The neighbour graphs, which many metrics share, are counted first and by themselves, unless metrics are named: then
//! only those that `--graph` names. Neighbours on other plates are found with the cosine graph. Everything else that metrics share
//! is counted where it is first asked for; `again` is the time of a second measurement, which is what one draw of a null
//! costs (`--once` leaves it out). `--frame` times the whole frame instead: controls, nulls (`--draws N`) and intervals. `--json FILE`
//! writes what is printed. A folder holds what `benchmarks/speed/embedding.py` writes: `treated.f32`, `controls.f32`
//! (little-endian rows) and `origin.json` (shape and codes of every row).

mod input;
mod memory;

use std::path::{Path, PathBuf};
use std::time::Instant;

use bench_eval::embedding::frame::{self, Rows, Settings, Subject};
use bench_eval::embedding::{EmbeddingMetric, Space, lookup, metrics};
use bench_geometry::neighbours::Metric;
use input::Input;
use serde_json::{Value, json};

/// What the command line says.
struct Arguments {
    words: Vec<String>,
    unit: String,
    graphs: Vec<Metric>,
    metrics: Vec<&'static dyn EmbeddingMetric>,
    frame: bool,
    once: bool,
    draws: usize,
    json: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = parse()?;
    let input = match arguments.words.as_slice() {
        [folder] => Input::read(Path::new(folder))?,
        [rows, features] => Input::generate(rows.parse()?, features.parse()?),
        _ => return Err("name a folder, or rows and features".into()),
    };
    let found = if arguments.frame { whole_frame(&input, &arguments) } else { each(&input, &arguments)? };
    if let Some(path) = &arguments.json {
        std::fs::write(path, format!("{:#}\n", Value::Array(found)))?;
    }
    Ok(())
}

fn parse() -> Result<Arguments, Box<dyn std::error::Error>> {
    let mut arguments = Arguments {
        words: Vec::new(),
        unit: "batch".to_owned(),
        graphs: Vec::new(),
        metrics: Vec::new(),
        frame: false,
        once: false,
        draws: 100,
        json: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
        match word.as_str() {
            "--unit" => arguments.unit = value()?,
            "--graph" => arguments.graphs.push(match value()?.as_str() {
                "cosine" => Metric::Cosine,
                "euclidean" => Metric::Euclidean,
                other => return Err(format!("unknown graph `{other}`").into()),
            }),
            "--metric" => arguments.metrics.push(lookup(&value()?)?),
            "--frame" => arguments.frame = true,
            "--once" => arguments.once = true,
            "--draws" => arguments.draws = value()?.parse()?,
            "--json" => arguments.json = Some(value()?.into()),
            flag if flag.starts_with("--") => return Err(format!("unknown flag `{flag}`").into()),
            _ => arguments.words.push(word),
        }
    }
    if arguments.metrics.is_empty() && arguments.graphs.is_empty() {
        arguments.metrics = metrics().collect();
        arguments.graphs = vec![Metric::Euclidean, Metric::Cosine];
    }
    Ok(arguments)
}

/// Every metric by itself, once, and again unless `--once` says not to.
fn each(input: &Input, arguments: &Arguments) -> Result<Vec<Value>, Box<dyn std::error::Error>> {
    let space = Space::new(&input.treated, &input.controls);
    let roles = input.roles(&arguments.unit).ok_or_else(|| format!("the rows have no `{}`", arguments.unit))?;
    // As the frame does where the robustness index is among the metrics.
    let of_plates = |metric: &&dyn EmbeddingMetric| metric.card().card.id.starts_with("robustness-index");
    if let Some(plates) = input.layout.plate.clone().filter(|_| arguments.metrics.iter().any(of_plates)) {
        space.plates.get_or_init(|| plates);
    }
    let mut found = Vec::new();
    let all = Instant::now();
    // The peak of a single measurement is that of the process.
    let many = arguments.metrics.len() > 1;
    for &metric in &arguments.graphs {
        if many {
            memory::reset_peak();
        }
        let id = match metric {
            Metric::Cosine => "graph-cosine",
            Metric::Euclidean => "graph-euclidean",
        };
        let start = Instant::now();
        let outcome = space.graph(metric).map(|graph| graph.k as f64);
        found.push(line(id, start.elapsed().as_secs_f64(), 0.0, outcome));
    }
    for metric in &arguments.metrics {
        let id = metric.card().card.id;
        if many {
            memory::reset_peak();
        }
        let start = Instant::now();
        let measured = metric.measure(&space, &roles);
        let first = start.elapsed().as_secs_f64();
        let start = Instant::now();
        if !arguments.once {
            let again = metric.measure(&space, &roles);
            assert_eq!(measured.as_ref().map(|m| m.value), again.as_ref().map(|m| m.value), "{id} repeats itself");
        }
        found.push(line(id, first, start.elapsed().as_secs_f64(), measured.map(|measured| measured.value)));
    }
    println!("{} x {}: {:.1} s", input.treated.rows(), input.treated.cols(), all.elapsed().as_secs_f64());
    Ok(found)
}

fn line(id: &str, seconds: f64, again: f64, outcome: Result<f64, String>) -> Value {
    let peak = memory::peak();
    let value = match &outcome {
        Ok(value) => format!("{value:.4}"),
        Err(why) => why.clone(),
    };
    let mib = peak.map_or(f64::NAN, |bytes| bytes as f64 / f64::from(1 << 20));
    println!("{id:34} {seconds:8.2} s, again {again:8.3} s, {mib:6.0} MiB  {value}");
    json!({
        "id": id, "seconds": seconds, "again": again, "peak_bytes": peak, "value": outcome.as_ref().ok(),
        "reason": outcome.as_ref().err(),
    })
}

/// The frame with all its controls, nulls and intervals; the first line is what comes before the first metric.
fn whole_frame(input: &Input, arguments: &Arguments) -> Vec<Value> {
    let rows = Rows { label: &input.label, layout: &input.layout, controls: &input.control_layout };
    let subject =
        Subject { model: "embeddings", correction: "none", treated: &input.treated, controls: &input.controls };
    let defaults = Settings::default();
    let settings = Settings {
        metrics: arguments.metrics.clone(),
        permutations: arguments.draws,
        pass_permutations: arguments.draws.min(defaults.pass_permutations),
        pair_permutations: arguments.draws.min(defaults.pair_permutations),
        ..defaults
    };
    let start = Instant::now();
    let ticks = std::sync::Mutex::new(Vec::new());
    let scores = frame::measure(&[subject], &rows, &settings, &|done, _| {
        let mut ticks = ticks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        ticks.push((done, start.elapsed().as_secs_f64()));
    });
    let total = start.elapsed().as_secs_f64();
    let ticks = ticks.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut found = Vec::new();
    let mut before = 0.0;
    for (metric, (_, until)) in arguments.metrics.iter().zip(&ticks) {
        let id = metric.card().card.id;
        let of: Vec<_> = scores.iter().filter(|score| score.model == "embeddings" && score.metric == id).collect();
        let drawn = of.iter().map(|score| score.permutations).max().unwrap_or(0);
        println!("{id:34} {:8.2} s, {} scores, {drawn} draws", until - before, of.len());
        found.push(json!({"id": id, "seconds": until - before, "scores": of.len(), "draws": drawn}));
        before = *until;
    }
    println!("{} x {}: {total:.1} s, peak {:?} bytes", input.treated.rows(), input.treated.cols(), memory::peak());
    found.push(json!({"id": "frame", "seconds": total, "peak_bytes": memory::peak()}));
    found
}
