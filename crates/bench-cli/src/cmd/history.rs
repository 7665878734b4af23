//! `bench history`: an append-only file of runs, a list of them and a page of trends.

use bench_core::compared::{GateOutcome, Status};
use bench_core::history::HistoryCheck;
use bench_core::record::UnitOutcomes;
use bench_report::HistoryView;
use bench_run::Error;
use bench_run::history::{self, History, Labels};

use super::compare::written;
use crate::args::{HistoryAddArgs, HistoryCommand, HistoryPageArgs, HistoryPinArgs, HistoryShowArgs, OutputArgs};
use crate::exit;

/// Runs one of the verbs.
pub(crate) fn run(command: HistoryCommand, output: &OutputArgs) -> Result<i32, Error> {
    match command {
        HistoryCommand::Add(args) => add(args, output),
        HistoryCommand::Pin(args) => pin(&args),
        HistoryCommand::Show(args) => show(&args),
        HistoryCommand::Page(args) => page(&args),
    }
}

fn add(args: HistoryAddArgs, output: &OutputArgs) -> Result<i32, Error> {
    let labels =
        Labels { commit: args.commit, date: args.date, commit_url: args.commit_url, report_url: args.report_url };
    let added = history::add(&args.history.file, &args.run, labels, args.pin)?;
    if !output.quiet {
        for note in &added.notes {
            eprintln!("note: {note}");
        }
        if added.was_there {
            eprintln!("nothing to do: the history has this run already");
        }
        for check in &added.checks {
            eprintln!("{}", told(check));
        }
    }
    println!("{}", added.number);
    Ok(exit::DONE)
}

fn told(check: &HistoryCheck) -> String {
    let against = if check.against == "pinned" { "the pinned run" } else { "the runs before it" };
    let failed = check.gates.iter().filter(|gate| gate.outcome == GateOutcome::Regression).count();
    match (check.status, &check.reason) {
        (Some(Status::Regression), _) => format!("against {against}: {failed} of {} checked gates fail", check.checked),
        (Some(Status::Unchecked), _) => format!("against {against}: not all gates could be checked"),
        (Some(Status::Improvement), _) => format!("against {against}: better"),
        (Some(Status::Unchanged), _) => format!("against {against}: no change that matters"),
        (None, reason) => format!("against {against}: {}", reason.as_deref().unwrap_or("not checked")),
    }
}

fn pin(args: &HistoryPinArgs) -> Result<i32, Error> {
    println!("{}", history::pin(&args.history.file, &args.id)?);
    Ok(exit::DONE)
}

fn show(args: &HistoryShowArgs) -> Result<i32, Error> {
    let mut history = History::read(&args.history.file)?;
    let chosen = args.id.as_ref().map(|id| history.find(id)).transpose()?;
    if args.json || chosen.is_some() {
        for run in &mut history.runs {
            run.outcomes = UnitOutcomes::default();
        }
        let value = |number: usize| {
            serde_json::json!({
                "number": number,
                "baseline": history.pinned == Some(number),
                "run": history.run(number),
            })
        };
        let value = match chosen {
            Some(number) => value(number),
            None => (1..=history.runs.len()).map(value).collect(),
        };
        println!("{value:#}");
    } else {
        print!("{}", bench_report::history_text(&view(&history)));
    }
    Ok(exit::DONE)
}

fn page(args: &HistoryPageArgs) -> Result<i32, Error> {
    let history = History::read(&args.history.file)?;
    let page = bench_report::history_html(&view(&history))
        .map_err(|error| Error::Usage { message: format!("failed to render the page: {error}"), hint: None })?;
    written(&args.out, page.as_bytes())?;
    println!("{}", args.out.display());
    Ok(exit::DONE)
}

fn view(history: &History) -> HistoryView<'_> {
    HistoryView { runs: &history.runs, pinned: history.pinned }
}
