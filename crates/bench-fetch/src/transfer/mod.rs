//! Fetching many objects at once.
//!
//! # What
//! [`Remote::fetch`] sorts out what is there already, fetches the rest with a bounded number of
//! objects under way, writes the ledger and reports.
//!
//! # Why
//! All objects are futures of one thread, the caller's: it alone writes files, the ledger and the
//! report, so none of them needs a lock. Connections are served, and files checked, on others.

mod attempt;
mod halt;
mod one;
mod plan;
mod present;

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::sleep;

use crate::ledger::Ledger;
use crate::lock::Lock;
use crate::{Error, Object, Progress, Remote, Report, Result};
use halt::Halt;
use one::{Fetcher, Outcome};
use plan::Plan;

/// How often the caller's wish to stop is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How a fetch goes about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Objects under way at once, 1 to 1024.
    pub concurrency: usize,
    /// Reads every file that is there, and fetches those again whose digest is not that of the ledger.
    pub recheck: bool,
    /// Asks the server of every file that is there whether it changed (one request per file).
    pub refresh: bool,
    /// Keeps an object whose multipart tag no usual size of parts explains, if two whole transfers
    /// gave the same bytes. Without it such an object fails as damaged.
    pub keep_repeated: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { concurrency: 16, recheck: false, refresh: false, keep_repeated: false }
    }
}

impl Remote {
    /// Fetches objects into a folder, which is made if need be. Setting `interrupted` ends it
    /// within a second; what is unfinished is continued by the next call.
    ///
    /// # Errors
    /// [`Error::Destination`] before anything is fetched; [`Error::Busy`] where another process is
    /// at it; [`Error::Ledger`]; [`Error::Write`] as soon as the disk is full or must not be
    /// written to. An object that fails is no error: it stands in the report, and the rest goes on.
    pub fn fetch(
        &self,
        objects: &[Object],
        folder: &Path,
        options: &Options,
        progress: &dyn Progress,
        interrupted: &AtomicBool,
    ) -> Result<Report> {
        if !(1..=1024).contains(&options.concurrency) {
            let reason = format!("must be from 1 to 1024, and is {}", options.concurrency);
            return Err(Error::Setting { name: "concurrency", reason });
        }
        let wanted = plan::destinations(objects)?;
        fs::create_dir_all(folder).map_err(|source| Error::write(folder, source))?;
        let _lock = Lock::alone(folder)?;
        let mut ledger = Ledger::open(folder)?;
        plan::tidy(folder, &ledger)?;

        let mut report = Report { objects: wanted.len(), ..Report::default() };
        let Plan { jobs, present, tally } = plan::plan(self, wanted, folder, &ledger, options, interrupted)?;
        report.present = present.len();
        report.files = present;
        progress.update(&tally);

        let halt = Halt::new();
        let fetcher = Fetcher { remote: self, options, progress, halt: &halt, tally: RefCell::new(tally) };
        let mut fatal = None;
        let work = async {
            let mut outcomes = stream::iter(jobs).map(|job| fetcher.one(job)).buffer_unordered(options.concurrency);
            while let Some(outcome) = outcomes.next().await {
                if let Err(error) = settle(outcome, &mut ledger, &mut report) {
                    halt.set();
                    fatal.get_or_insert(error);
                }
            }
        };
        let watch = async {
            while !interrupted.load(Ordering::Relaxed) {
                sleep(LOOK_EVERY).await;
            }
            halt.set();
            std::future::pending::<()>().await;
        };
        self.wait(async {
            tokio::select! {
                () = work => {}
                () = watch => {}
            }
        });
        ledger.sync()?;
        if let Some(error) = fatal {
            return Err(error);
        }
        report.interrupted =
            interrupted.load(Ordering::Relaxed) && report.files.len() + report.failures.len() < report.objects;
        report.bytes_received = fetcher.tally.borrow().bytes_received;
        report.files.sort_by(|a, b| (&a.key, &a.path).cmp(&(&b.key, &b.path)));
        report.failures.sort_by(|a, b| (&a.key, &a.path).cmp(&(&b.key, &b.path)));
        Ok(report)
    }
}

/// Writes down what became of one object.
fn settle(outcome: Outcome, ledger: &mut Ledger, report: &mut Report) -> Result<()> {
    let Outcome { end, requests, resumed } = outcome;
    report.requests += u64::from(requests);
    report.bytes_resumed += resumed;
    match end {
        one::End::Fetched(entry, place) => {
            ledger.add(&entry)?;
            place.settle()?;
            report.fetched += 1;
            report.files.push(entry);
        }
        one::End::Present(entry, told) => {
            if !told {
                ledger.add(&entry)?;
            }
            report.present += 1;
            report.files.push(entry);
        }
        one::End::Failed(failure) => report.failures.push(failure),
        one::End::Halted => {}
        one::End::Fatal(error) => return Err(error),
    }
    Ok(())
}
