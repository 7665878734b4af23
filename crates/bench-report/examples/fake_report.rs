//! Writes the report of a made-up record, to look at the figures and the page:
//! `cargo run -p bench-report --example fake_report -- DIR [full|hostile|simulated|crowd|atlas|RECORD.json]`;
//! `atlas` has three maps of 50,000 points, `full` corrections, embedding metrics and plates.
//! Given a record, it writes the report of that one.

use std::path::Path;

#[path = "../tests/report/fake/mod.rs"]
#[allow(dead_code)]
mod fake;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("name a folder to write to")?;
    let record = match arguments.next().as_deref() {
        Some("hostile") => fake::hostile_full(20_000),
        Some("full") => fake::full(1500),
        Some("crowd") => fake::crowd(30),
        Some("atlas") => fake::record(50_000),
        Some("simulated") => {
            let mut record = fake::record(1500);
            record.suite.simulated = true;
            record.verdict = bench_report::verdict(&record);
            record
        }
        Some(path) => {
            let mut record: bench_core::RunRecord = serde_json::from_slice(&std::fs::read(path)?)?;
            record.verdict = bench_report::verdict(&record);
            record
        }
        None => fake::record(20_000),
    };
    std::fs::create_dir_all(&folder)?;
    std::fs::write(Path::new(&folder).join("record.json"), serde_json::to_vec(&record)?)?;
    for artifact in bench_report::render(&record)? {
        let path = Path::new(&folder).join(&artifact.path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, &artifact.bytes)?;
    }
    Ok(())
}
