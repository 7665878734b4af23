//! `bench report`: every file that is a function of the record.

use bench_core::{RunRecord, atomic};
use bench_run::{Error, outputs};

use crate::args::ReportArgs;
use crate::exit;

/// Verdict, figures, tables and pages of a record.
pub(crate) fn render(record: &mut RunRecord) -> Result<Vec<(String, Vec<u8>)>, Error> {
    record.verdict = bench_report::verdict(record);
    let artifacts = bench_report::render(record).map_err(|error| Error::Usage {
        message: format!("failed to render the report: {error}"),
        hint: Some("scores are kept; `bench report RUN` tries again".into()),
    })?;
    Ok(artifacts.into_iter().map(|a| (a.path, a.bytes)).collect())
}

/// Writes the files of a finished run again.
pub(crate) fn run(args: &ReportArgs) -> Result<i32, Error> {
    let path = if args.run.is_dir() { args.run.join("record.json") } else { args.run.clone() };
    let mut record = outputs::read_record(&path)?;
    let folder = match (&args.out, path.parent()) {
        (Some(out), _) => out.clone(),
        (None, Some(parent)) => parent.to_owned(),
        (None, None) => ".".into(),
    };
    for (name, bytes) in render(&mut record)? {
        let path = folder.join(name);
        atomic::write(&path, &bytes).map_err(|source| Error::Write { path, source })?;
    }
    println!("{}", folder.join("report.html").display());
    Ok(exit::DONE)
}
