//! Seconds of retrieval on random embeddings: `cargo run --release --example retrieval_speed -- COMPOUNDS DIMS`.
//!
//! One gallery of all compounds, then galleries of 100 with five draws, both directions, all default metrics.

use std::time::Instant;

use bench_core::{Matrix, Seed};
use bench_eval::retrieval::{Amount, Images, Molecules, Plan, Settings, evaluate};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse().expect("arguments are numbers"));
    let (count, dims) = (arguments.next().unwrap_or(4096), arguments.next().unwrap_or(1024));
    let mut stream = Seed(1).stream();
    let molecule: Vec<f32> = (0..count * dims).map(|_| stream.normal() as f32).collect();
    let image: Vec<f32> = molecule.iter().map(|value| 0.1 * value + stream.normal() as f32).collect();
    let keys: Vec<String> = (0..count).map(|at| format!("C{at:06}")).collect();
    let (molecule, image) = (Matrix::new(count, dims, molecule), Matrix::new(count, dims, image));
    let molecules = Molecules { keys: &keys, identities: None, matrix: &molecule };
    let images = Images { compounds: &keys, ids: &keys, matrix: &image };
    for (gallery, draws) in [(Amount::All, 1), (Amount::Count(100), 5)] {
        let settings = Settings { gallery, draws, ..Settings::default() };
        let start = Instant::now();
        let plan = Plan::new(&molecules, &images, None, &settings).expect("the settings fit the data");
        let planned = start.elapsed().as_secs_f64();
        let scored = evaluate("random", &plan, &molecules, &images, &settings).expect("embeddings are finite");
        let (all, mrr) = (start.elapsed().as_secs_f64(), scored.summaries[4].value);
        println!("{count} x {dims}, gallery {gallery}, {draws} draws: {all:.2} s (plan {planned:.2} s), mrr {mrr:?}");
    }
}
