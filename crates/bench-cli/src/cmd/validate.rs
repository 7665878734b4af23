//! `bench validate`: how a table is understood, and every breach with row and column.

use bench_data::Report;
use bench_run::{Error, Layers, Request, tables};

use crate::args::ValidateArgs;
use crate::{exit, overrides, software};

/// Explains one table.
pub(crate) fn run(args: &ValidateArgs, layers: &Layers) -> Result<i32, Error> {
    let (mut suite, suite_text, given) = layers.suite(args.suite.as_deref().unwrap_or("generic"))?;
    let flags = overrides::table(&mut suite, &args.table)?;
    let request = Request {
        suite,
        suite_text,
        flags,
        given,
        origin: bench_run::Origin::default(),
        embeddings: Vec::new(),
        metadata: args.table.metadata.clone(),
        array: args.table.array.clone(),
        common_rows: args.table.common_rows,
        folds: None,
        seed: 0,
        out: None,
        command: Vec::new(),
        software: software::identity(),
    };
    request.check()?;
    let report = bench_data::validate(&args.file, &tables::options(&request.suite, &request, None));
    if args.json {
        println!("{}", json(&report));
    } else {
        println!("{report}");
    }
    Ok(match report.errors.first() {
        None => exit::DONE,
        Some(error) => exit::of(match error.kind() {
            bench_data::ErrorKind::Usage => bench_run::ErrorKind::Usage,
            bench_data::ErrorKind::Data => bench_run::ErrorKind::Data,
            bench_data::ErrorKind::Empty => bench_run::ErrorKind::Empty,
        }),
    })
}

fn json(report: &Report) -> serde_json::Value {
    serde_json::json!({
        "file": report.file,
        "format": report.format,
        "ok": report.is_ok(),
        "rows": report.rows,
        "labelled": report.labelled,
        "controls": report.controls,
        "features": report.features,
        "feature_naming": report.feature_naming,
        "labels": report.labels,
        "units": report.units,
        "understood": report.understood,
        "dropped": report.dropped,
        "warnings": report.warnings,
        "errors": report.errors.iter().map(|e| serde_json::json!({"message": e.to_string(), "hint": e.hint()})).collect::<Vec<_>>(),
    })
}
