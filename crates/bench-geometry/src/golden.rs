//! Golden values and the generated tables they belong to, for the tests of several modules.

use bench_core::Matrix;
use serde_json::Value;

/// `tests/goldens/geometry.json`.
pub(crate) fn geometry() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/geometry.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A list of numbers, nested or not, as one list.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap()],
    }
}

/// The table `clustered` of `generators/geometry.py`.
pub(crate) fn clustered(rows: usize, cols: usize, clusters: usize, seed: u64) -> Matrix {
    let mut state = seed;
    let mut draw = |modulus: u64| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % modulus) as f32
    };
    let centre: Vec<f32> = (0..clusters * cols).map(|_| draw(41)).collect();
    let value = |at: usize| {
        let (row, col) = (at / cols, at % cols);
        centre[row % clusters * cols + col] + (0..4).map(|_| draw(16)).sum::<f32>() - 30.0
    };
    Matrix::new(rows, cols, (0..rows * cols).map(value).collect())
}

/// The table `untied` of `generators/geometry.py`.
pub(crate) fn untied(rows: usize, cols: usize, clusters: usize, seed: u64) -> Matrix {
    let (a, b) = (clustered(rows, cols, clusters, seed), clustered(rows, cols, 1, seed + 100));
    Matrix::new(rows, cols, a.data().iter().zip(b.data()).map(|(a, b)| a + b / 64.0).collect())
}

/// Runs `work` on one and on two threads and returns both results.
pub(crate) fn on_one_and_two_threads<T: Send>(work: impl Fn() -> T + Sync) -> (T, T) {
    let on = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(&work);
    (on(1), on(2))
}
