//! Fetching public data: from where it lies to files that are right, or absent.
//!
//! - [`Remote`]: a bucket, a web server or a folder; listing, [`Remote::head`], [`Remote::fetch`].
//! - [`Object`]: what to fetch, where to put it, what is known of it.
//! - [`Report`]: what was fetched, what was there already, and what failed with its reason.
//! - [`ledger`]: the list of fetched files beside them; a second run asks the server for nothing.
//! - [`verify()`]: reads every file again and compares it with the ledger.
//!
//! # What
//! A body goes to `NAME.part` and continues there after a broken connection or a killed process.
//! It is checked (length, MD5 or multipart tag of the server, SHA-256 where one is expected) and
//! only then gets its name. Broken transfers are repeated with growing pauses.
//!
//! # Why
//! A data set is thousands of files over hours. Connections break, servers ask for patience,
//! processes are killed; none of this may cost what was fetched before, or leave a wrong file.
//!
//! Every function blocks; none may be called from within an asynchronous runtime.
//!
//! ```no_run
//! use std::sync::atomic::AtomicBool;
//!
//! use bench_fetch::{Access, Object, Options, Remote};
//!
//! let remote = Remote::open("s3://cellpainting-gallery/cpg0016-jump", &Access::default())?;
//! let objects: Vec<Object> = remote.list("source_4/workspace/load_data_csv/")?.iter().map(Object::from).collect();
//! let interrupted = AtomicBool::new(false);
//! let report = remote.fetch(&objects, "jump".as_ref(), &Options::default(), &(), &interrupted)?;
//! println!("{} fetched, {} failed", report.fetched, report.failures.len());
//! # Ok::<(), bench_fetch::Error>(())
//! ```

mod check;
mod error;
mod etag;
mod failure;
mod key;
pub mod ledger;
mod lock;
mod object;
mod part;
mod progress;
mod remote;
mod report;
mod retry;
mod transfer;
pub mod verify;

pub use error::{Error, ErrorKind, Result};
pub use failure::{Cause, Failure};
pub use ledger::Entry;
pub use object::Object;
pub use progress::{Progress, Tally};
pub use remote::{Access, Listed, Page, Proxy, Remote};
pub use report::Report;
pub use retry::Retry;
pub use transfer::Options;
pub use verify::{Verification, verify};
