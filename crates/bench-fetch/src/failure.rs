//! Why one object could not be fetched.
//!
//! # What
//! [`Failure`] stands in the report. [`Trouble`] is one attempt that went wrong: the same cause,
//! and whether another attempt may help.

use std::time::Duration;

use serde::Serialize;

/// The kinds of failure of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Cause {
    /// There is no such object (404, 410).
    Missing,
    /// It must not be read (401, 403). Public buckets say so of missing objects, too.
    Forbidden,
    /// The server refused the request for another reason, or the key cannot be asked for.
    Refused,
    /// The server failed, or asked for patience too often (408, 429, 5xx).
    Server,
    /// No connection, or connections kept breaking.
    Network,
    /// Connections kept stalling.
    TimedOut,
    /// What came was never what the server or the caller says it is.
    Damaged,
    /// The object is not the one that was expected: another tag.
    Changed,
    /// The file cannot have this name or place.
    Disk,
}

impl Cause {
    /// One word for lists and counts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Forbidden => "forbidden",
            Self::Refused => "refused",
            Self::Server => "server error",
            Self::Network => "network",
            Self::TimedOut => "timed out",
            Self::Damaged => "damaged",
            Self::Changed => "changed",
            Self::Disk => "disk",
        }
    }
}

/// One object that was not fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Key of the object.
    pub key: String,
    /// Its destination, relative to the folder.
    pub path: String,
    /// Number of requests made for it.
    pub attempts: u32,
    /// The kind of the last failure.
    pub cause: Cause,
    /// What happened last, for people.
    pub message: String,
}

/// One attempt that went wrong.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) cause: Cause,
    pub(crate) message: String,
    /// Whether another attempt may help.
    pub(crate) again: bool,
    /// The server's word on when.
    pub(crate) wait: Option<Duration>,
    /// Whether nothing of what came so far is of use.
    pub(crate) anew: bool,
}

impl Trouble {
    /// Trouble that time may heal.
    pub(crate) fn passing(cause: Cause, message: impl Into<String>) -> Self {
        Self { cause, message: message.into(), again: true, wait: None, anew: false }
    }

    /// Trouble that another attempt will meet again.
    pub(crate) fn lasting(cause: Cause, message: impl Into<String>) -> Self {
        Self { again: false, ..Self::passing(cause, message) }
    }

    /// What came cannot be used; another attempt starts from nothing.
    pub(crate) fn anew(cause: Cause, message: impl Into<String>) -> Self {
        Self { anew: true, ..Self::passing(cause, message) }
    }
}
