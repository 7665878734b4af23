//! One object, from the first request to its file, through all that may go wrong.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};

use tokio::time::sleep;

use super::Options;
use super::attempt::Done;
use super::halt::{Halt, Halted};
use super::plan::Job;
use crate::failure::Trouble;
use crate::part::{Part, Place};
use crate::{Cause, Entry, Error, Failure, Progress, Remote, Tally};

/// Bytes after which a broken connection counts as a step forward.
const STEP: u64 = 1 << 20;

/// What all objects of a fetch share.
pub(super) struct Fetcher<'a> {
    pub(super) remote: &'a Remote,
    pub(super) options: &'a Options,
    pub(super) progress: &'a dyn Progress,
    pub(super) halt: &'a Halt,
    pub(super) tally: RefCell<Tally>,
}

/// What became of an object.
pub(super) struct Outcome {
    pub(super) end: End,
    pub(super) requests: u32,
    pub(super) resumed: u64,
}

/// How an object ended.
pub(super) enum End {
    /// Its file is in place; the note is to be removed once the ledger has its line.
    Fetched(Entry, Place),
    /// Its file was there, and whether the ledger has this line.
    Present(Entry, bool),
    Failed(Failure),
    Halted,
    Fatal(Error),
}

/// Why an object does not go on.
pub(super) enum Stop {
    Trouble(Trouble),
    Disk(PathBuf, io::Error),
    Halted,
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<Halted> for Stop {
    fn from(_: Halted) -> Self {
        Self::Halted
    }
}

pub(super) fn disk(path: &Path) -> impl FnOnce(io::Error) -> Stop {
    let path = path.to_owned();
    move |error| Stop::Disk(path, error)
}

/// The history of one object.
#[derive(Default)]
pub(super) struct Course {
    pub(super) requests: u32,
    pub(super) resumed: u64,
    /// Attempts that failed in a row.
    pub(super) failed: u32,
    /// Times that it was begun anew.
    pub(super) anew: u32,
    /// Bytes that the tally holds for it.
    pub(super) counted: u64,
    /// Bytes of the last attempt.
    pub(super) gained: u64,
    /// Whether the tally knows its length.
    pub(super) sized: bool,
    /// SHA-256 of the last whole transfer.
    pub(super) twin: Option<String>,
}

impl Fetcher<'_> {
    /// Sees one object through.
    pub(super) async fn one(&self, job: Job) -> Outcome {
        let mut course = Course { sized: job.object.bytes.is_some() || job.known.is_some(), ..Course::default() };
        let end = match self.pursue(&job, &mut course).await {
            Ok(end) => end,
            Err(Stop::Halted) => End::Halted,
            Err(Stop::Disk(path, source)) if stops_everything(&source) => End::Fatal(Error::write(&path, source)),
            Err(Stop::Disk(path, source)) => {
                let message = format!("`{}` cannot be written: {source}", path.display());
                self.give_up(&job, &course, Cause::Disk, message)
            }
            Err(Stop::Trouble(trouble)) => self.give_up(&job, &course, trouble.cause, trouble.message),
        };
        match &end {
            End::Fetched(entry, _) | End::Present(entry, _) => self.tell(|tally| {
                tally.objects_done += 1;
                tally.bytes_done = tally.bytes_done - course.counted + entry.bytes;
            }),
            End::Failed(failure) => {
                self.tell(|tally| {
                    tally.objects_failed += 1;
                    tally.bytes_done -= course.counted;
                });
                self.progress.failed(failure);
            }
            End::Halted | End::Fatal(_) => {}
        }
        Outcome { end, requests: course.requests, resumed: course.resumed }
    }

    fn give_up(&self, job: &Job, course: &Course, cause: Cause, message: String) -> End {
        let (key, path) = (job.object.key.clone(), job.object.path.clone());
        End::Failed(Failure { key, path, attempts: course.requests, cause, message })
    }

    async fn pursue(&self, job: &Job, course: &mut Course) -> Result<End, Stop> {
        if self.halt.is_set() {
            return Err(Stop::Halted);
        }
        let known = match &job.known {
            Some(entry) if job.suspect => self.compare(job, entry).await?,
            known => known.clone().map(|entry| (entry, true)),
        };
        if let Some((entry, told)) = &known
            && !self.options.refresh
        {
            return Ok(End::Present(entry.clone(), *told));
        }
        if known.is_none()
            && let Some(entry) = self.adopt(job).await?
        {
            return Ok(End::Present(entry, false));
        }
        let part = Part::open(job.place.clone(), self.remote.address(), &job.object);
        let mut part = part.map_err(disk(&job.place.part))?;
        course.resumed = part.offset;
        self.count(course, part.offset);
        loop {
            let stop = match self.attempt(job, known.as_ref(), &mut part, course).await {
                Ok(Done::Unchanged(entry, told)) => return Ok(End::Present(entry, told)),
                Ok(Done::Fetched(entry)) => return Ok(End::Fetched(entry, job.place.clone())),
                Err(stop) => stop,
            };
            let Stop::Trouble(trouble) = stop else {
                if let Stop::Halted = stop {
                    part.leave().map_err(disk(part.path()))?;
                }
                return Err(stop);
            };
            // Of an object that is no longer there, or no longer the same, nothing is of use.
            if trouble.anew || matches!(trouble.cause, Cause::Missing | Cause::Changed) {
                part.discard().map_err(disk(part.path()))?;
                self.uncount(course);
                course.anew += 1;
            } else if course.gained >= STEP {
                course.failed = 0;
            }
            course.failed += 1;
            let retry = &self.remote.access().retry;
            if !trouble.again || course.failed.max(course.anew) >= retry.attempts {
                part.leave().map_err(disk(part.path()))?;
                return Err(trouble.into());
            }
            let pause = retry.pause(&job.object.key, course.failed, trouble.wait);
            self.progress.again(&job.object.key, &trouble.message, pause);
            if let Err(halted) = self.halt.or(sleep(pause)).await {
                part.leave().map_err(disk(part.path()))?;
                return Err(halted.into());
            }
        }
    }

    /// Changes where the fetch stands and tells it.
    pub(super) fn tell(&self, change: impl FnOnce(&mut Tally)) {
        let mut tally = self.tally.borrow_mut();
        change(&mut tally);
        let now = *tally;
        drop(tally);
        self.progress.update(&now);
    }

    pub(super) fn count(&self, course: &mut Course, bytes: u64) {
        course.counted += bytes;
        self.tell(|tally| tally.bytes_done += bytes);
    }

    pub(super) fn uncount(&self, course: &mut Course) {
        let counted = std::mem::take(&mut course.counted);
        self.tell(|tally| tally.bytes_done -= counted);
    }
}

/// Whether no other object will fare better: all but names that this file system does not take and
/// places that something else takes up.
fn stops_everything(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, InvalidFilename, IsADirectory, NotADirectory};
    !matches!(error.kind(), AlreadyExists | DirectoryNotEmpty | InvalidFilename | IsADirectory | NotADirectory)
}
