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
    println!(
        "pca          {:.2} s, {:?}, converged {}",
        clock.elapsed().as_secs_f64(),
        fitted.method,
        fitted.converged
    );

    let clock = Instant::now();
    let graph = neighbours::graph(&data, settings.graph_neighbours(data.rows()), settings.metric, &|_, _| ())?;
    println!("neighbours   {:.2} s", clock.elapsed().as_secs_f64());

    let clock = Instant::now();
    let first_epoch = std::sync::OnceLock::new();
    let map = umap::layout(&graph, &settings, Seed(1), Some(&data), &|_, _| {
        first_epoch.get_or_init(|| clock.elapsed().as_secs_f64());
    })?;
    let start = first_epoch.get().copied().unwrap_or(0.0);
    println!("graph, start {start:.2} s, {} component(s)", map.components);
    println!("descent      {:.2} s, {} epochs", clock.elapsed().as_secs_f64() - start, map.epochs);
    map.notes.iter().for_each(|note| println!("note: {note}"));

    let clock = Instant::now();
    let trust = trustworthiness::trustworthiness(&data, settings.metric, &map.x, &map.y, 15, Seed(1))?;
    println!("trust        {:.2} s, {:.5} from {} rows", clock.elapsed().as_secs_f64(), trust.value, trust.queries);
    if let [out, ..] = rest {
        let bytes: Vec<u8> = map.x.iter().zip(&map.y).flat_map(|(x, y)| [*x, *y]).flat_map(f32::to_le_bytes).collect();
        std::fs::write(out, bytes)?;
    }
    Ok(())
}
