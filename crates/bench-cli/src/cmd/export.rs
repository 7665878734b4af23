//! `bench export`: what a run made, or any table, in the format of another tool.

use std::path::Path;

use bench_data::{ExportFormat, ReadOptions};
use bench_run::{Error, export};

use crate::args::{ExportArgs, ExportWhat};
use crate::exit;

/// Reads, converts, writes.
pub(crate) fn run(args: &ExportArgs) -> Result<i32, Error> {
    let format = format(args)?;
    let is_run = export::is_run(&args.source);
    if args.what == ExportWhat::Scores {
        if !is_run {
            return Err(refuse("only a run has scores", "give the folder of a run"));
        }
        let rows = export::scores(&args.source, format, &args.out)?;
        eprintln!("{rows} scores");
    } else {
        let table = if is_run {
            if args.array.is_some() || args.metadata.is_some() || args.features.is_some() {
                return Err(refuse("a run is exported as it is", "choose its model with `--model NAME`"));
            }
            export::embeddings(&args.source, args.model.as_deref())?
        } else {
            if args.model.is_some() {
                return Err(refuse("only a run has models", "choose a matrix of a table with `--array NAME`"));
            }
            let options = ReadOptions {
                metadata: args.metadata.clone(),
                array: args.array.clone(),
                features: args.features.clone(),
                exclude_features: args.exclude_features.clone(),
                ..ReadOptions::default()
            };
            bench_data::read_annotated(&args.source, &options)?
        };
        bench_data::write_annotated(&args.out, format, &table)?;
        let map = if table.obsm.is_empty() { "" } else { ", and a map" };
        let (rows, columns, metadata) = (table.matrix.rows(), table.features.len(), table.obs.len());
        eprintln!("{rows} rows of {columns} features, {metadata} metadata columns{map}");
    }
    println!("{}", args.out.display());
    Ok(exit::DONE)
}

fn format(args: &ExportArgs) -> Result<ExportFormat, Error> {
    let known = || format!("formats are {}", ExportFormat::NAMES.join(", "));
    match &args.format {
        Some(name) => name.parse().map_err(|()| refuse(&format!("no format is called `{name}`"), &known())),
        None => ExportFormat::of(Path::new(&args.out)).ok_or_else(|| {
            let message = format!("the ending of `{}` names no format", args.out.display());
            refuse(&message, &format!("give `--format`; {}", known()))
        }),
    }
}

fn refuse(message: &str, hint: &str) -> Error {
    Error::Usage { message: message.to_owned(), hint: Some(hint.to_owned()) }
}
