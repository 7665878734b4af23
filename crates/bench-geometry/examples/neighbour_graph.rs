//! Seconds for the exact neighbour graph of a table, for `benchmarks/speed/scoring.py`.
//!
//!     neighbour_graph FILE ROWS COLS K THREADS
//!
//! `FILE` holds ROWS x COLS little-endian `f32`, row after row. Prints the least of three runs.

use std::time::Instant;

use bench_core::Matrix;
use bench_geometry::neighbours::{Metric, graph};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, rows, cols, k, threads] = arguments.as_slice() else {
        return Err("usage: neighbour_graph FILE ROWS COLS K THREADS".into());
    };
    let (rows, cols, k): (usize, usize, usize) = (rows.parse()?, cols.parse()?, k.parse()?);
    let bytes = std::fs::read(file)?;
    let values: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
    if values.len() != rows * cols {
        return Err(format!("`{file}` holds {} values, not {rows} x {cols}", values.len()).into());
    }
    let matrix = Matrix::new(rows, cols, values);
    rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?).build_global()?;
    let mut least = f64::INFINITY;
    for _ in 0..3 {
        let start = Instant::now();
        std::hint::black_box(graph(&matrix, k, Metric::Cosine, &|_, _| ())?);
        least = least.min(start.elapsed().as_secs_f64());
    }
    println!("{least:.3}");
    Ok(())
}
