//! What `BASE` and `HEAD` mean: a record, a run folder, or runs of a history.

use std::path::{Path, PathBuf};

use bench_core::compared::Baseline;

use super::{Side, refusal};
use crate::Error;
use crate::history::History;

/// A run, or runs, as named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A record or a run folder.
    Path(PathBuf),
    /// The pinned run of the history.
    Pinned,
    /// The newest run of the history.
    Last,
    /// The mean of the last runs of the history.
    Window,
    /// One run of the history, by number or by the beginning of its id.
    Run(String),
}

/// What a head is compared with.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// In words.
    pub what: String,
    /// The runs, oldest first.
    pub sides: Vec<Side>,
    /// Things the reader should know.
    pub notes: Vec<String>,
}

impl Source {
    /// Reads `pinned`, `history:pinned`, `history:last`, `history:window`, `history:ID` or a path.
    pub fn parse(text: &str) -> Self {
        match text.strip_prefix("history:").or((text == "pinned").then_some("pinned")) {
            Some("pinned") => Self::Pinned,
            Some("last") => Self::Last,
            Some("window") => Self::Window,
            Some(id) => Self::Run(id.to_owned()),
            None => Self::Path(text.into()),
        }
    }

    /// One run: anything but a window.
    ///
    /// # Errors
    /// Unreadable or damaged; a run that the history does not have.
    pub fn one(&self, history: &Path) -> Result<(Side, Option<usize>), Error> {
        let history = match self {
            Self::Path(path) => return Ok((Side::read(path)?, None)),
            Self::Window => {
                return Err(Error::Usage {
                    message: "a window of runs can only be the baseline".into(),
                    hint: Some("`bench compare history:window RUN`".into()),
                });
            }
            Self::Pinned | Self::Last | Self::Run(_) => History::read(history)?,
        };
        let number = match self {
            Self::Pinned => history.pinned_or_error()?,
            Self::Run(id) => history.find(id)?,
            _ => history.last_or_error()?,
        };
        Ok((Side::of_history(number, history.run(number), "history"), Some(number)))
    }

    /// The baseline of `head`. `before` is the head's number where it is itself a run of the history: a
    /// window then ends before it.
    ///
    /// # Errors
    /// As [`Source::one`]; a window in which no run can be compared with the head.
    pub fn baseline(
        &self,
        history: &Path,
        head: &Side,
        before: Option<usize>,
        window: Option<usize>,
    ) -> Result<Found, Error> {
        let what = match self {
            Self::Window => return runs_before(&History::read(history)?, head, before, window),
            Self::Path(_) => "a run",
            Self::Pinned => "the pinned run",
            Self::Last => "the last run of the history",
            Self::Run(_) => "a run of the history",
        };
        Ok(Found { what: what.to_owned(), sides: vec![self.one(history)?.0], notes: Vec::new() })
    }
}

/// The last runs of a history that can be compared with `head`.
///
/// Runs whose gates failed when they were added are left out: they would pull the mean down and make the
/// spread so large that nothing fails any more. A failed run that is pinned was accepted; it is the oldest of its
/// window.
///
/// # Errors
/// There are none.
pub fn runs_before(
    history: &History,
    head: &Side,
    before: Option<usize>,
    window: Option<usize>,
) -> Result<Found, Error> {
    let size = window.unwrap_or(head.run.gates.window).max(1);
    let end = before.map_or(history.runs.len(), |number| number - 1);
    let (mut sides, mut left_out, mut failed) = (Vec::new(), Vec::new(), 0);
    for number in (1..=end).rev() {
        if sides.len() == size {
            break;
        }
        let is_accepted = history.pinned == Some(number);
        let has_failed = history.run(number).has_failed();
        let side = Side::of_history(number, history.run(number), "history");
        if let Some((why, _)) = refusal::refuse(&side, head) {
            left_out.push((number, why));
        } else if has_failed && !is_accepted {
            failed += 1;
        } else {
            sides.push(side);
            if has_failed {
                break;
            }
        }
    }
    if sides.is_empty() {
        return Err(Error::Usage {
            message: match left_out.first() {
                Some((number, why)) => format!("no run of the history can be compared; run {number}: {why}"),
                None if failed > 0 => "all earlier runs of the history failed their gates".to_owned(),
                None => "the history has no earlier run to compare with".to_owned(),
            },
            hint: Some("`bench history add RUN` adds one; `bench history pin ID` accepts one that failed".into()),
        });
    }
    sides.reverse();
    let what = match sides.len() {
        1 => "one run of the history".to_owned(),
        n => format!("the mean of {n} runs of the history"),
    };
    let runs = |n: usize| if n == 1 { "one run".to_owned() } else { format!("{n} runs") };
    let mut notes = Vec::new();
    if let Some((number, why)) = left_out.first() {
        notes.push(format!(
            "the window leaves out {} that cannot be compared; run {number}: {why}",
            runs(left_out.len())
        ));
    }
    if failed > 0 {
        notes.push(format!(
            "the window leaves out {} whose gates failed; `bench history pin ID` accepts such a run",
            runs(failed)
        ));
    }
    Ok(Found { what, sides, notes })
}

impl Found {
    /// As the output names it.
    pub fn baseline(&self) -> Baseline {
        Baseline { what: self.what.clone(), runs: self.sides.iter().map(|side| side.name.clone()).collect() }
    }
}
