//! A history of runs: one append-only file that comparisons and the page of trends read.
//!
//! # What it is
//! JSON lines. Each line opens with the SHA-256 of the rest of it, and the rest names the digest of the
//! line before, so that a changed, removed or inserted line is found, and named by its number. Lines cut off
//! the end leave no trace: keep the file where others write, too (a branch, a cache of continuous
//! integration).
//!
//! # Where it fits
//! [`file`] reads, checks and appends; [`entry`] turns a record into a line, with what the gates say of it
//! against the pinned run and against the window of runs before it.

pub mod entry;
pub mod file;

use std::path::{Path, PathBuf};

use bench_core::history::{Event, HistoryRun};

use crate::Error;

pub use entry::{Added, Labels, add, pin};

/// Name of the file where none is given.
pub const DEFAULT_FILE: &str = "bench-history.jsonl";

/// A history that was read and checked.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The file.
    pub path: PathBuf,
    /// Runs in the order in which they were added.
    pub runs: Vec<HistoryRun>,
    /// Number of the pinned run, counted from one.
    pub pinned: Option<usize>,
}

impl History {
    /// Reads and checks a history.
    ///
    /// # Errors
    /// Unreadable, or damaged in a line that is named.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(|source| Error::Input { path: path.to_owned(), source })?;
        Ok(Self::of_events(path, file::parse(path, &bytes)?.0))
    }

    /// As [`History::read`]; a file that does not exist is an empty history.
    ///
    /// # Errors
    /// As [`History::read`].
    pub fn read_or_new(path: &Path) -> Result<Self, Error> {
        if path.exists() { Self::read(path) } else { Ok(Self { path: path.to_owned(), ..Self::default() }) }
    }

    fn of_events(path: &Path, events: Vec<Event>) -> Self {
        let mut history = Self { path: path.to_owned(), ..Self::default() };
        for event in events {
            match event {
                Event::Run(run) => {
                    history.runs.push(*run);
                    if history.runs.last().is_some_and(|run| run.pinned) {
                        history.pinned = Some(history.runs.len());
                    }
                }
                Event::Pin { number } => history.pinned = Some(number),
            }
        }
        history
    }

    /// The run of that number, counted from one.
    ///
    /// # Panics
    /// If there is no such run; numbers come from this history.
    pub fn run(&self, number: usize) -> &HistoryRun {
        &self.runs[number - 1]
    }

    /// Number of a run given by number or by the beginning of its id; of several runs with that id, the newest.
    ///
    /// # Errors
    /// There is none, or several ids begin like that.
    pub fn find(&self, id: &str) -> Result<usize, Error> {
        if let Some(number) = id.parse().ok().filter(|number| (1..=self.runs.len()).contains(number)) {
            return Ok(number);
        }
        let found = |run: &HistoryRun| {
            !id.is_empty() && (run.run_id.starts_with(id) || run.commit.as_ref().is_some_and(|c| c.starts_with(id)))
        };
        let numbers: Vec<usize> = (1..=self.runs.len()).filter(|number| found(self.run(*number))).collect();
        let mut ids: Vec<&str> = numbers.iter().map(|number| self.run(*number).run_id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        match (numbers.last(), ids.len()) {
            (Some(number), 1) => Ok(*number),
            (Some(_), _) => Err(self.usage(format!("`{id}` is the beginning of several runs: {}", ids.join(", ")))),
            (None, _) => Err(self.usage(format!("the history has no run `{id}`"))),
        }
    }

    /// Number of the pinned run.
    ///
    /// # Errors
    /// None is pinned.
    pub fn pinned_or_error(&self) -> Result<usize, Error> {
        self.pinned.ok_or_else(|| Error::Usage {
            message: format!("no run of `{}` is pinned", self.path.display()),
            hint: Some("`bench history add RUN --pin` or `bench history pin NUMBER` pins one".into()),
        })
    }

    /// Number of the newest run.
    ///
    /// # Errors
    /// The history is empty.
    pub fn last_or_error(&self) -> Result<usize, Error> {
        if self.runs.is_empty() { Err(self.usage("the history has no runs".into())) } else { Ok(self.runs.len()) }
    }

    fn usage(&self, message: String) -> Error {
        Error::Usage { message, hint: Some(format!("`bench history show --file {}` lists them", self.path.display())) }
    }
}
