//! Writes a simulated table: `cargo run -p bench-data --example simulate -- FILE [SEED]`.

use bench_core::Seed;
use bench_data::{SyntheticSpec, simulate, write_embeddings};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: simulate FILE [SEED]")?;
    let seed = arguments.next().map_or(Ok(0), |seed| seed.parse())?;
    let table = simulate(&SyntheticSpec::default(), Seed(seed))?;
    write_embeddings(path.as_ref(), &table)?;
    table.understood.iter().for_each(|line| println!("{line}"));
    Ok(())
}
