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
    let (mut sides, mut left_out) = (Vec::new(), Vec::new());
    for number in (1..=end).rev() {
        if sides.len() == size {
            break;
        }
        let side = Side::of_history(number, history.run(number), "history");
        match refusal::refuse(&side, head) {
            Some((why, _)) => left_out.push((number, why)),
            None => sides.push(side),
        }
    }
    if sides.is_empty() {
        return Err(Error::Usage {
            message: match left_out.first() {
                None => "the history has no earlier run to compare with".to_owned(),
                Some((number, why)) => format!("no run of the history can be compared; run {number}: {why}"),
            },
            hint: Some("`bench history add RUN` adds one".into()),
        });
    }
    sides.reverse();
    let what = match sides.len() {
        1 => "the last run of the history".to_owned(),
        n => format!("the mean of the last {n} runs of the history"),
    };
    let notes = left_out.first().map(|(number, why)| {
        let runs = if left_out.len() == 1 { "one run".to_owned() } else { format!("{} runs", left_out.len()) };
        format!("the window leaves out {runs} of the history; run {number}: {why}")
    });
    Ok(Found { what, sides, notes: notes.into_iter().collect() })
}

impl Found {
    /// As the output names it.
    pub fn baseline(&self) -> Baseline {
        Baseline { what: self.what.clone(), runs: self.sides.iter().map(|side| side.name.clone()).collect() }
    }
}
