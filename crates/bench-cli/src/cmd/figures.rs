//! `bench figures`: figures and tables of a run at the width of a printed column.

use bench_core::atomic;
use bench_core::suggest::closest;
use bench_report::{Format, Paper, Publication, WIDTHS, WIDTHS_MM, publish};
use bench_run::{Error, Progress};

use super::report;
use crate::args::{FiguresArgs, OutputArgs};
use crate::exit;
use crate::progress::Terminal;

/// Writes the files; exit code 5 if the run lacks a part, 4 if it lacks all.
pub(crate) fn run(args: &FiguresArgs, output: &OutputArgs) -> Result<i32, Error> {
    let request = request(args)?;
    let (record, folder) = report::load(&args.from)?;
    let folder = args.out.clone().unwrap_or_else(|| folder.join("print"));
    let published = publish(&record, &request).map_err(|error| Error::Usage {
        message: format!("failed to draw run `{}`: {error}", record.run_id),
        hint: Some("a record that was not written by this program may be incomplete".into()),
    })?;
    let gaps = || published.missing.iter().map(|(part, why)| format!("{part}: {why}"));
    if published.files.is_empty() {
        return Err(Error::Nothing {
            message: format!("nothing can be drawn from run `{}`", record.run_id),
            hint: gaps().next().unwrap_or_else(|| "the record holds no scores".into()),
        });
    }
    for file in &published.files {
        let path = folder.join(&file.path);
        atomic::write(&path, &file.bytes).map_err(|source| Error::Write { path, source })?;
    }
    let progress = Terminal::new(output.quiet, output.no_progress);
    progress.note(&format!("{} files, {} mm wide", published.files.len(), request.width_mm));
    println!("{}", folder.display());
    for gap in gaps() {
        eprintln!("warning: {gap}");
    }
    Ok(if published.missing.is_empty() { exit::DONE } else { exit::PARTLY })
}

fn request(args: &FiguresArgs) -> Result<Publication, Error> {
    let paper = args.paper.as_deref().map(|id| find("paper", id, &Paper::ALL)).transpose()?;
    let mut formats =
        args.format.iter().map(|name| find("format", name, &Format::ALL)).collect::<Result<Vec<_>, _>>()?;
    formats.sort_unstable();
    formats.dedup();
    let (least, most) = WIDTHS_MM;
    let width_mm = match WIDTHS.iter().find(|(name, _)| *name == args.width) {
        Some((_, width)) => *width,
        None => args.width.parse().ok().filter(|mm| (least..=most).contains(mm)).ok_or_else(|| {
            let names: Vec<String> = WIDTHS.iter().map(|(name, mm)| format!("{name} ({mm} mm)")).collect();
            Error::Usage {
                message: format!("cannot draw `--width {}`", args.width),
                hint: Some(format!(
                    "widths are {}, or a number of millimetres from {least} to {most}",
                    names.join(", ")
                )),
            }
        })?,
    };
    Ok(Publication { paper, formats, width_mm })
}

fn find<T: Copy>(what: &str, name: &str, known: &[(&'static str, T)]) -> Result<T, Error> {
    if let Some((_, found)) = known.iter().find(|(id, _)| *id == name) {
        return Ok(*found);
    }
    let ids: Vec<&str> = known.iter().map(|(id, _)| *id).collect();
    let meant = closest(name, ids.iter().copied()).map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
    Err(Error::Usage {
        message: format!("unknown {what} `{name}`"),
        hint: Some(format!("{meant}{what}s are {}", ids.join(", "))),
    })
}
