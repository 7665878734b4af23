//! Copies all objects below an address into a folder:
//! `cargo run -p bench-fetch --example mirror -- s3://cellpainting-gallery/cpg0016-jump/source_4/images FOLDER`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use bench_fetch::{Access, Error, Failure, Object, Options, Progress, Remote};

struct Lines;

impl Progress for Lines {
    fn failed(&self, failure: &Failure) {
        eprintln!("{}: {} ({})", failure.key, failure.cause.word(), failure.message);
    }
}

fn main() -> Result<ExitCode, Error> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(folder)) = (arguments.next(), arguments.next().map(PathBuf::from)) else {
        eprintln!("usage: mirror ADDRESS FOLDER");
        return Ok(ExitCode::from(2));
    };
    let remote = Remote::open(&address, &Access::default())?;
    let objects: Vec<Object> = remote.list("")?.iter().map(Object::from).collect();
    let report = remote.fetch(&objects, &folder, &Options::default(), &Lines, &AtomicBool::new(false))?;
    println!("{} fetched, {} there already, {} failed", report.fetched, report.present, report.failures.len());
    Ok(if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::from(5) })
}
