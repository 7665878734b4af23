//! Files that are there: whether they are what is wanted.

use std::fs;
use std::io;

use tokio::task::spawn_blocking;

use super::one::{Fetcher, Stop};
use super::plan::Job;
use crate::Entry;
use crate::check::{Content, Expected, examine};
use crate::etag::Tag;
use crate::ledger::mtime_ns;

impl Fetcher<'_> {
    /// Compares the digest of a file with the ledger: its line, perhaps with another time, or
    /// nothing if it is another file.
    pub(super) async fn compare(&self, job: &Job, entry: &Entry) -> Result<Option<(Entry, bool)>, Stop> {
        let sha256 = Some(entry.sha256.clone());
        let expected = Expected { bytes: Some(entry.bytes), tag: Tag::Opaque, sha256, twin: None };
        let Some((content, mtime_ns)) = self.look(job, expected).await? else { return Ok(None) };
        let told = mtime_ns == entry.mtime_ns;
        Ok(content.verdict.is_ok().then(|| (Entry { mtime_ns, ..entry.clone() }, told)))
    }

    /// Takes a file that is there without a line in the ledger, if a digest says that it is right.
    pub(super) async fn adopt(&self, job: &Job) -> Result<Option<Entry>, Stop> {
        let object = &job.object;
        let tag = match &object.etag {
            Some(etag) if self.remote.tags_are_digests() => Tag::parse(etag),
            _ => Tag::Opaque,
        };
        let length = fs::metadata(&job.place.file).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len());
        let Some(length) = length.filter(|length| object.bytes.is_none_or(|bytes| bytes == *length)) else {
            return Ok(None);
        };
        if job.place.note.exists() || !(object.sha256.is_some() || tag.tells(length)) {
            return Ok(None);
        }
        let expected = Expected { bytes: Some(length), tag, sha256: object.sha256.clone(), twin: None };
        let Some((content, mtime_ns)) = self.look(job, expected).await? else { return Ok(None) };
        Ok(content.verdict.ok().map(|checked| Entry {
            remote: self.remote.address().to_owned(),
            key: object.key.clone(),
            path: object.path.clone(),
            bytes: content.bytes,
            etag: object.etag.clone(),
            last_modified: None,
            sha256: content.sha256,
            checked,
            mtime_ns,
        }))
    }

    /// Reads a file that is there; nothing if it cannot be read, which its replacement will settle.
    async fn look(&self, job: &Job, expected: Expected) -> Result<Option<(Content, u64)>, Stop> {
        let (path, flag) = (job.place.file.clone(), self.halt.flag());
        let looked = spawn_blocking(move || {
            let content = examine(&path, &expected, &flag)?;
            Ok::<_, io::Error>((content, mtime_ns(&fs::metadata(&path)?)))
        });
        match looked.await.map_err(io::Error::other).and_then(|result| result) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(Stop::Halted),
            Err(_) => Ok(None),
        }
    }
}
