//! One attempt at an object: a request, its body, the check, the name.

use std::fs::{self, File};
use std::future::Future;
use std::io;
use std::sync::atomic::AtomicBool;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::one::{Course, Fetcher, Stop, disk};
use super::plan::Job;
use crate::check::{Content, Expected, examine};
use crate::failure::Trouble;
use crate::ledger::mtime_ns;
use crate::part::{Info, Part, Place};
use crate::remote::{Ask, Reply};
use crate::{Cause, Entry};

/// How an attempt ended well.
pub(super) enum Done {
    Fetched(Entry),
    /// The server has what the ledger names, and whether the ledger has this line.
    Unchanged(Entry, bool),
}

impl Fetcher<'_> {
    /// One request, and the check of what came.
    pub(super) async fn attempt(
        &self,
        job: &Job,
        known: Option<&(Entry, bool)>,
        part: &mut Part,
        course: &mut Course,
    ) -> Result<Done, Stop> {
        course.gained = 0;
        if !part.is_whole() {
            let etag = part.continues().map(str::to_owned);
            let ask = Ask {
                key: &job.object.key,
                rest: etag.as_deref().map(|etag| (part.offset, etag)),
                known: known
                    .filter(|_| etag.is_none())
                    .map(|(entry, _)| (entry.etag.as_deref(), entry.last_modified.as_deref())),
            };
            course.requests += 1;
            let (info, from, mut body) = match self.patiently(self.remote.get(ask)).await? {
                Reply::Unchanged => {
                    let (entry, told) = known.cloned().expect("only a known file is unchanged");
                    return Ok(Done::Unchanged(entry, told));
                }
                Reply::Gone => {
                    return Err(Trouble::anew(Cause::Changed, "the object changed while it was fetched").into());
                }
                Reply::Body { info, from, body } => (info, from, body),
            };
            self.compare_info(job, part, &info, from)?;
            if from == 0 {
                self.uncount(course);
                if let (Some(bytes), false) = (info.bytes, course.sized) {
                    course.sized = true;
                    self.tell(|tally| tally.bytes += bytes);
                }
                part.begin(self.remote.address(), &job.object, info).map_err(disk(&job.place.part))?;
            }
            while let Some(bytes) = self.patiently(body.next()).await? {
                let bytes = bytes.as_ref();
                part.write(bytes).map_err(disk(&job.place.part))?;
                course.gained += bytes.len() as u64;
                self.tell(|tally| tally.bytes_received += bytes.len() as u64);
                self.count(course, bytes.len() as u64);
            }
            let whole = part.info().and_then(|info| info.bytes);
            if let Some(whole) = whole.filter(|whole| part.offset < *whole) {
                let message = format!("the body ended after {} of {whole} bytes", part.offset);
                return Err(Trouble::passing(Cause::Network, message).into());
            }
        }
        self.finish(job, part, course).await.map(Done::Fetched)
    }

    /// Whether what comes is what is expected, and the rest of what is there.
    fn compare_info(&self, job: &Job, part: &Part, info: &Info, from: u64) -> Result<(), Trouble> {
        let object = &job.object;
        if let Some(etag) = object.etag.as_ref().filter(|etag| info.etag.as_ref() != Some(etag)) {
            let is = info.etag.as_deref().unwrap_or("none");
            return Err(Trouble::lasting(Cause::Changed, format!("its tag is `{is}`, expected `{etag}`")));
        }
        if let (Some(expected), Some(bytes)) = (object.bytes, info.bytes)
            && expected != bytes
        {
            let message = format!("the server has {bytes} bytes, {expected} were expected");
            return Err(Trouble::anew(Cause::Damaged, message));
        }
        let earlier = part.info();
        if from > 0 && earlier.is_some_and(|earlier| earlier.etag != info.etag || earlier.bytes != info.bytes) {
            return Err(Trouble::anew(Cause::Changed, "the rest is of another version of the object"));
        }
        Ok(())
    }

    /// Checks a whole part and gives it its name.
    async fn finish(&self, job: &Job, part: &mut Part, course: &mut Course) -> Result<Entry, Stop> {
        let object = &job.object;
        let info = part.info().cloned().unwrap_or_default();
        let expected = Expected {
            // A chunked body tells where it ends.
            bytes: object.bytes.or(info.bytes).or(info.framed.then_some(part.offset)),
            tag: info.tag(),
            sha256: object.sha256.clone(),
            twin: course.twin.take(),
        };
        let (place, file, flag) = (job.place.clone(), part.close(), self.halt.flag());
        let finished = spawn_blocking(move || finish(&place, file, &expected, &flag)).await;
        let (content, mtime_ns) = finished.map_err(io::Error::other).and_then(|result| result).map_err(|error| {
            // Nothing but the order to stop interrupts a reading.
            if error.kind() == io::ErrorKind::Interrupted {
                Stop::Halted
            } else {
                Stop::Disk(job.place.file.clone(), error)
            }
        })?;
        match content.verdict {
            Ok(checked) => Ok(Entry {
                remote: self.remote.address().to_owned(),
                key: object.key.clone(),
                path: object.path.clone(),
                bytes: content.bytes,
                etag: info.etag,
                last_modified: info.last_modified,
                sha256: content.sha256,
                checked,
                mtime_ns,
            }),
            Err(message) => {
                course.twin = self.options.keep_repeated.then_some(content.sha256);
                Err(Trouble::anew(Cause::Damaged, message).into())
            }
        }
    }

    /// What a future gives, unless it takes too long or everything stops.
    async fn patiently<T>(&self, future: impl Future<Output = Result<T, Trouble>>) -> Result<T, Stop> {
        let limit = self.remote.access().read_timeout;
        match self.halt.or(timeout(limit, future)).await? {
            Ok(result) => result.map_err(Stop::from),
            Err(_) => Err(Trouble::passing(Cause::TimedOut, format!("no byte came for {limit:?}")).into()),
        }
    }
}

/// Reads a part, and renames it if it is right.
fn finish(place: &Place, file: Option<File>, expected: &Expected, stop: &AtomicBool) -> io::Result<(Content, u64)> {
    let content = examine(&place.part, expected, stop)?;
    let mut mtime = 0;
    if content.verdict.is_ok() {
        if let Some(file) = file {
            file.sync_all()?;
        }
        mtime = mtime_ns(&fs::metadata(&place.part)?);
        fs::rename(&place.part, &place.file)?;
    }
    Ok((content, mtime))
}
