//! Seconds of a correction, fitted and applied, on the rows of a folder.
//!
//! ```text
//! cargo run --release -p bench-correct --example correction_speed -- FOLDER 'combat(by=batch)' [ROWS.f32]
//! ```
//!
//! A folder holds what `benchmarks/speed/embedding.py` writes: `treated.f32`, `controls.f32` (little-endian rows) and
//! `origin.json` (shape and codes of every row). Treated rows and negative controls are one table, as corrections see
//! them. Prints seconds, and the largest resident set in bytes where the system says it; corrected rows are written to
//! the third argument, so that they can be compared with those of a peer.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use bench_core::{Factor, Layout, Matrix, Seed};
use bench_correct::{Chain, FitInput, Fitted, Origin};
use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, chain, rest @ ..] = arguments.as_slice() else {
        return Err("name a folder and a chain".into());
    };
    let (matrix, origin) = read(Path::new(folder))?;
    let chain = Chain::parse(chain)?;
    let start = Instant::now();
    let input = FitInput { matrix: &matrix, origin: &origin, covariate: None, seed: Seed(0) };
    let corrected = chain.fit(&input)?.apply(&matrix, &origin)?;
    let seconds = start.elapsed().as_secs_f64();
    println!("{}", serde_json::json!({"seconds": seconds, "peak_bytes": peak()}));
    if let Some(path) = rest.first() {
        let bytes: Vec<u8> = corrected.data().iter().flat_map(|value| value.to_le_bytes()).collect();
        std::fs::write(path, bytes)?;
    }
    Ok(())
}

/// Treated rows, then controls.
fn read(folder: &Path) -> Result<(Matrix, Origin), Box<dyn Error>> {
    let origin: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("origin.json"))?)?;
    let columns = origin["features"].as_u64().ok_or("origin.json has no `features`")? as usize;
    let mut data: Vec<f32> = Vec::new();
    for name in ["treated.f32", "controls.f32"] {
        let bytes = std::fs::read(folder.join(name))?;
        data.extend(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
    }
    let codes = |part: &str, name: &str| -> Option<Vec<u32>> {
        origin[part][name].as_array()?.iter().map(|code| Some(code.as_u64()? as u32)).collect()
    };
    let factor = |name: &str| -> Option<Factor> {
        let codes = [codes("treated", name)?, codes("controls", name)?].concat();
        let levels = codes.iter().max().map_or(0, |&last| last + 1);
        Some(Factor { levels: (0..levels).map(|code| format!("{name} {code:04}")).collect(), codes })
    };
    let rows = data.len() / columns;
    let layout = Layout {
        rows,
        source: factor("source"),
        batch: factor("batch"),
        plate: factor("plate"),
        file_row: (0..rows as u64).collect(),
        ..Layout::default()
    };
    let treated = codes("treated", "plate").ok_or("origin.json has no plates")?.len();
    let origin = Origin::new(&layout, (0..rows).map(|row| row >= treated).collect())?;
    Ok((Matrix::new(rows, columns, data), origin))
}

/// Bytes of the largest resident set of this process.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}
