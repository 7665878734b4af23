//! Small tables and goldens for the tests of several modules.

use bench_core::{Factor, Layout, Matrix, Seed};
use serde_json::Value;

use crate::Origin;

/// Parameters as text: `a=1,b=2`.
pub(crate) fn spec(text: &str) -> Vec<(String, String)> {
    text.split(',').filter_map(|part| part.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// Normal noise.
pub(crate) fn noise(rows: usize, cols: usize, seed: u64) -> Matrix {
    let mut stream = Seed(seed).stream();
    Matrix::new(rows, cols, (0..rows * cols).map(|_| stream.normal() as f32).collect())
}

/// Rows of no known origin, none of them a control.
pub(crate) fn plain(rows: usize) -> Origin {
    Origin::new(&Layout { rows, ..Layout::default() }, vec![false; rows]).unwrap()
}

/// Rows of batches (which are sources too, two plates each) with controls where `is_control` says.
pub(crate) fn origin(batch: &[String], plate: &[String], is_control: Vec<bool>) -> Origin {
    let layout = Layout {
        rows: batch.len(),
        source: Some(Factor::sorted(batch)),
        batch: Some(Factor::sorted(batch)),
        plate: Some(Factor::sorted(plate)),
        ..Layout::default()
    };
    Origin::new(&layout, is_control).unwrap()
}

/// An experiment of batches with their own shift and scale, clusters of treatments, and controls in every plate.
pub(crate) fn experiment(per_batch: usize, cols: usize, batches: usize, seed: u64) -> (Matrix, Origin) {
    let mut stream = Seed(seed).stream();
    let mut draw = |n: usize, scale: f64| (0..n).map(|_| stream.normal() * scale).collect::<Vec<f64>>();
    let (centre, shift, scale) = (draw(3 * cols, 1.5), draw(batches * cols, 0.7), draw(batches * cols, 0.2));
    let values = draw(per_batch * batches * cols, 1.0);
    // What all features share, so that their correlation has a knee.
    let common = draw(per_batch * batches, 1.0);
    let (mut data, mut batch, mut plate, mut control) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for b in 0..batches {
        for i in 0..per_batch {
            let cluster = i % 4;
            for col in 0..cols {
                let effect = if cluster == 3 { 0.0 } else { centre[cluster * cols + col] };
                let value = values[(b * per_batch + i) * cols + col] * 0.5 + common[b * per_batch + i] + effect;
                data.push((value * scale[b * cols + col].exp() + shift[b * cols + col]) as f32);
            }
            batch.push(format!("b{b}"));
            plate.push(format!("b{b}p{}", i / 4 % 2));
            control.push(cluster == 3);
        }
    }
    (Matrix::new(per_batch * batches, cols, data), origin(&batch, &plate, control))
}

/// `tests/goldens/NAME`.
pub(crate) fn golden(name: &str) -> Value {
    let path = format!("{}/../../tests/goldens/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A list of numbers, nested or not, as one list.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        Value::Null => vec![f64::NAN],
        other => vec![other.as_f64().unwrap()],
    }
}

/// Runs `work` on one and on two threads and returns both results.
pub(crate) fn on_one_and_two_threads<T: Send>(work: impl Fn() -> T + Sync) -> (T, T) {
    let on = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(&work);
    (on(1), on(2))
}
