//! A history of runs for people: a list, and a page of trends.
//!
//! Pure functions of the runs of a history; what the gates said was stored when a run was added.

mod page;
mod text;
mod trend;

pub use page::history_html;
pub use text::history_text;

use bench_core::compared::Status;
use bench_core::history::{HistoryCheck, HistoryRun};

/// What a page or list is made of.
#[derive(Clone, Copy, Debug)]
pub struct HistoryView<'a> {
    /// Runs, oldest first.
    pub runs: &'a [HistoryRun],
    /// Number of the pinned run, counted from one.
    pub pinned: Option<usize>,
}

/// One check of a run in a few words.
pub(crate) fn check_words(run: &HistoryRun, against: &str) -> String {
    let Some(check) = run.checks.iter().find(|check| check.against == against) else { return "–".to_owned() };
    verdict(check)
}

fn verdict(check: &HistoryCheck) -> String {
    let failed = check.gates.iter().filter(|g| g.outcome == bench_core::compared::GateOutcome::Regression).count();
    match check.status {
        Some(Status::Regression) => format!("REGRESSION ({failed} of {})", check.checked),
        Some(Status::Unchecked) => "not all checked".to_owned(),
        Some(Status::Improvement) => "better".to_owned(),
        Some(Status::Unchanged) => "no change".to_owned(),
        None => "not comparable".to_owned(),
    }
}
