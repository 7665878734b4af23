//! What a fetch tells while it runs; the command line draws it, tests ignore it.

use std::time::Duration;

use crate::Failure;

/// Where a fetch or a verification stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Objects planned.
    pub objects: u64,
    /// Of them in place: fetched now or there already.
    pub objects_done: u64,
    /// Of them given up.
    pub objects_failed: u64,
    /// Bytes of the objects whose length is known so far. Grows while lengths become known.
    pub bytes: u64,
    /// Bytes in place, those of unfinished files included. Shrinks where a damaged file is dropped.
    pub bytes_done: u64,
    /// Bytes that came from the remote in this run.
    pub bytes_received: u64,
}

/// Receives progress, on the thread that called. Implementations must be cheap: `update` is called
/// for every few kilobytes.
pub trait Progress {
    /// Something moved.
    fn update(&self, _tally: &Tally) {}
    /// An attempt failed and another one follows after a pause.
    fn again(&self, _key: &str, _message: &str, _pause: Duration) {}
    /// An object was given up.
    fn failed(&self, _failure: &Failure) {}
}

/// Says nothing.
impl Progress for () {}
