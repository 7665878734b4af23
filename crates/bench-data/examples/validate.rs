//! Prints what is understood of a table and how long reading took:
//! `cargo run --release -p bench-data --example validate -- FILE [LABEL] [CONTROL=VALUE]`.

use std::path::PathBuf;
use std::time::Instant;

use bench_data::{ColumnRef, ControlRef, ReadOptions, read, validate};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(path) = arguments.next().map(PathBuf::from) else {
        eprintln!("usage: validate FILE [LABEL] [CONTROL=VALUE]");
        std::process::exit(2);
    };
    let mut options = ReadOptions::default();
    if let Some(label) = arguments.next() {
        options.columns.label = ColumnRef::Named(label);
    }
    if let Some((column, value)) = arguments.next().as_deref().and_then(|c| c.split_once('=')) {
        options.columns.control = ControlRef::Is { column: column.to_owned(), value: value.to_owned() };
    }
    options.selection.rare_labels = bench_data::RareLabels::Drop;
    println!("{}", validate(&path, &options));
    let start = Instant::now();
    let table = read(&path, &options);
    let seconds = start.elapsed().as_secs_f64();
    match table {
        Ok(table) => {
            println!("read in {seconds:.3} s: {} x {}", table.treated.matrix.rows(), table.treated.matrix.cols())
        }
        Err(error) => println!("failed in {seconds:.3} s: {error}"),
    }
    // Linux counts the peak of the process here.
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        status.lines().filter(|l| l.starts_with("VmHWM") || l.starts_with("RssAnon")).for_each(|l| println!("{l}"));
    }
}
