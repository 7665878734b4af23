//! What became of a fetch.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{Cause, Entry, Failure};

/// The outcome of a fetch. Lists are sorted by key, then by path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Objects asked for; the same object at the same place counts once.
    pub objects: usize,
    /// Files that were fetched.
    pub fetched: usize,
    /// Files that were there already.
    pub present: usize,
    /// Files that are in place, with digest and what they were checked by.
    pub files: Vec<Entry>,
    /// Objects that failed.
    pub failures: Vec<Failure>,
    /// Whether the fetch was interrupted. Objects that are neither in `files` nor in `failures`
    /// were not reached, or are left as parts.
    pub interrupted: bool,
    /// Bytes of bodies that came from the remote.
    pub bytes_received: u64,
    /// Bytes of unfinished files of an earlier run that were kept.
    pub bytes_resumed: u64,
    /// Requests for objects.
    pub requests: u64,
}

impl Report {
    /// Whether every object is in place.
    pub fn is_complete(&self) -> bool {
        self.files.len() == self.objects
    }

    /// How often each cause ended an object.
    pub fn causes(&self) -> BTreeMap<Cause, usize> {
        let mut causes = BTreeMap::new();
        for failure in &self.failures {
            *causes.entry(failure.cause).or_default() += 1;
        }
        causes
    }
}
