//! Adding a run: what is kept of it, and what the gates say at that moment.

use std::path::Path;

use bench_core::compared::{Compared, GateOutcome};
use bench_core::history::{Event, HistoryCheck, HistoryRun, MarkedGate};
use bench_core::record::{TestedSplit, UnitOutcomes};

use super::{History, file};
use crate::Error;
use crate::compare::source::runs_before;
use crate::compare::{Found, Options, Side, compare};

/// What the record does not know.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// Commit that was measured.
    pub commit: Option<String>,
    /// Date, in the words of who adds it.
    pub date: Option<String>,
    /// Address of the commit.
    pub commit_url: Option<String>,
    /// Address of the report.
    pub report_url: Option<String>,
}

/// What adding came to.
#[derive(Clone, Debug)]
pub struct Added {
    /// Number of the run, counted from one.
    pub number: usize,
    /// Whether it was there already.
    pub was_there: bool,
    /// What the gates said.
    pub checks: Vec<HistoryCheck>,
    /// Things the reader should know.
    pub notes: Vec<String>,
}

/// Adds a run folder or a record.
///
/// # Errors
/// A run that cannot be read or keeps no outcomes; a history that is damaged.
pub fn add(path: &Path, run: &Path, labels: Labels, pin: bool) -> Result<Added, Error> {
    let side = Side::read(run)?;
    if let Some(why) = &side.without_outcomes {
        return Err(Error::Usage {
            message: format!("`{}` cannot be added: it keeps no outcomes by well ({why})", run.display()),
            hint: Some("run the suite again with this program".into()),
        });
    }
    for (flag, url) in [("--commit-url", &labels.commit_url), ("--report-url", &labels.report_url)] {
        if let Some(url) = url.as_ref().filter(|url| is_script(url)) {
            return Err(Error::Usage {
                message: format!("`{flag} {url}` is no address of a page"),
                hint: Some("give an address with http: or https:, or a relative path".into()),
            });
        }
    }
    let notes = side.notes.clone();
    file::append(path, |events| {
        let history = History::of_events(path, events);
        let same = |old: &HistoryRun| {
            (&old.run_id, &old.scores_digest, &old.commit)
                == (&side.run.run_id, &side.run.scores_digest, &labels.commit)
        };
        if let Some(at) = history.runs.iter().position(same) {
            let number = at + 1;
            let event = (pin && history.pinned != Some(number)).then_some(Event::Pin { number });
            let checks = history.runs[at].checks.clone();
            return Ok((event, Added { number, was_there: true, checks, notes }));
        }
        let checks = checks(&history, &side);
        let entry = HistoryRun {
            commit: labels.commit,
            date: labels.date,
            commit_url: labels.commit_url,
            report_url: labels.report_url,
            outcomes: gated(&side.run),
            checks: checks.clone(),
            pinned: pin,
            ..side.run.clone()
        };
        let number = history.runs.len() + 1;
        Ok((Some(Event::Run(Box::new(entry))), Added { number, was_there: false, checks, notes }))
    })
}

/// Pins an earlier run.
///
/// # Errors
/// No such run; a history that is damaged.
pub fn pin(path: &Path, id: &str) -> Result<usize, Error> {
    if !path.exists() {
        History::read(path)?;
    }
    file::append(path, |events| {
        let history = History::of_events(path, events);
        let number = history.find(id)?;
        Ok(((history.pinned != Some(number)).then_some(Event::Pin { number }), number))
    })
}

/// Addresses that a browser would run instead of opening.
fn is_script(url: &str) -> bool {
    let scheme: String = url.chars().take_while(|c| *c != '/' && *c != ':').collect();
    let has_scheme = url[scheme.len()..].starts_with(':');
    has_scheme && !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str())
}

/// Outcomes of the splits that the gates need; the rest would only make the file larger.
fn gated(run: &HistoryRun) -> UnitOutcomes {
    let outcomes = &run.outcomes;
    let is_needed = |test: &TestedSplit| {
        let rules = &run.gates.rules;
        rules.iter().any(|r| r.protocol == test.protocol && (r.split == test.split || r.baseline == test.split))
    };
    let kept: Vec<usize> = (0..outcomes.tests.len()).filter(|at| is_needed(&outcomes.tests[*at])).collect();
    let cells = outcomes.cells.iter().filter_map(|cell| {
        let test = kept.iter().position(|at| *at == cell.test)?;
        Some(bench_core::record::CellOutcomes { test, ..cell.clone() })
    });
    UnitOutcomes {
        tests: kept.iter().map(|at| outcomes.tests[*at].clone()).collect(),
        cells: cells.collect(),
        ..outcomes.clone()
    }
}

/// The gates against the pinned run and against the window of runs before.
fn checks(history: &History, head: &Side) -> Vec<HistoryCheck> {
    let mut checks = Vec::new();
    if let Some(number) = history.pinned {
        let side = Side::of_history(number, history.run(number), "history");
        let base = Found { what: "the pinned run".into(), sides: vec![side], notes: Vec::new() };
        checks.push(check("pinned", compare(&base, head, &Options::default())));
    }
    if !history.runs.is_empty() {
        let base = runs_before(history, head, None, None);
        checks.push(check("window", base.and_then(|base| compare(&base, head, &Options::default()))));
    }
    checks
}

fn check(against: &str, compared: Result<Compared, Error>) -> HistoryCheck {
    let against = against.to_owned();
    match compared {
        Err(error) => HistoryCheck { against, reason: Some(error.to_string()), ..HistoryCheck::default() },
        Ok(compared) => {
            let number = |place: &String| place.rsplit_once(':').and_then(|(_, number)| number.parse().ok());
            let quiet = [GateOutcome::Noise, GateOutcome::Tolerated, GateOutcome::Absent];
            let marked = compared.gates.iter().filter(|gate| !quiet.contains(&gate.outcome));
            HistoryCheck {
                against,
                runs: compared.base.runs.iter().filter_map(|run| number(&run.place)).collect(),
                status: Some(compared.status),
                checked: compared.checked(),
                gates: marked
                    .map(|gate| MarkedGate {
                        model: gate.model.clone(),
                        quantity: gate.quantity.clone(),
                        protocol: gate.protocol.clone(),
                        split: gate.split.clone(),
                        probe: gate.probe.clone(),
                        difference: gate.difference,
                        outcome: gate.outcome,
                    })
                    .collect(),
                reason: None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_script;

    #[test]
    fn only_addresses_of_pages_are_taken() {
        for good in ["https://example.org/a:b", "runs/7/report.html", "HTTP://x", "/a:b"] {
            assert!(!is_script(good), "{good}");
        }
        for bad in ["javascript:alert(1)", "JavaScript:x", "data:text/html,x", " javascript:x"] {
            assert!(is_script(bad), "{bad}");
        }
    }
}
