//! Times each stage of a map: neighbour graph, fuzzy graph with start and descent, and
//! trustworthiness. Reads a raw little-endian `f32` matrix, prints seconds, writes coordinates.
//!
//! `cargo run --release -p bench-geometry --example umap_stages -- FILE ROWS COLS [OUT]`

use std::time::Instant;

use bench_core::{Matrix, Seed};
use bench_geometry::{neighbours, pca, trustworthiness, umap};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, rows, cols, rest @ ..] = arguments.as_slice() else {
        return Err("usage: umap_stages FILE ROWS COLS [OUT]".into());
    };
    let values = std::fs::read(file)?.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let data = Matrix::new(rows.parse()?, cols.parse()?, values);
    let settings = umap::UmapSettings::default();

    let clock = Instant::now();
    let fitted = pca::Pca::fit(&data, 50.min(data.rows().min(data.cols())), pca::Method::Auto, Seed(1))?;
    println!("pca          {:.2} s, {:?}, converged {}", clock.elapsed().as_secs_f64(), fitted.method, fitted.converged);

    let clock = Instant::now();
    let graph = neighbours::graph(&data, settings.graph_neighbours(data.rows()), settings.metric, &|_, _| ())?;
    println!("neighbours   {:.2} s", clock.elapsed().as_secs_f64());

    let mut sum = 0.0;
    for seed in 1..=6 {
        let map = umap::layout(&graph, &settings, Seed(seed), Some(&data), &|_, _| ())?;
        let trust = trustworthiness::trustworthiness(&data, settings.metric, &map.x, &map.y, 15, Seed(1))?;
        print!(" {:.5}", trust.value); sum += trust.value / 6.0;
    }
    println!(" mean {sum:.5}");
    let _ = rest; Ok(())
}
