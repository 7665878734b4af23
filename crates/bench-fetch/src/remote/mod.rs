//! Where objects are.
//!
//! # What
//! A public S3 bucket, files of a web server, or a folder, behind one type: listing by prefix,
//! questions about one object, and bodies from a given byte on.
//!
//! # Why
//! object_store is taken for its connections (TLS, proxies, host names with many addresses), and
//! not for its buckets: those hide headers that decide here (encryption, ranges, the server's
//! wish to wait), and a listing fails as a whole where one key has an empty segment.

mod access;
mod list;
mod local;
mod s3;
mod web;

use std::future::Future;
use std::path::PathBuf;
use std::thread;

use tokio::runtime::{self, Runtime};

pub use access::{Access, Proxy};
pub use list::{Listed, Page};

use crate::failure::Trouble;
use crate::part::Info;
use crate::{Error, Result};
use local::Local;
use web::Web;

/// A bucket, a web server or a folder.
#[derive(Debug)]
pub struct Remote {
    address: String,
    kind: Kind,
    access: Access,
    runtime: Option<Runtime>,
}

#[derive(Debug)]
enum Kind {
    S3(Web, s3::Bucket),
    Web(Web),
    Local(Local),
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ask<'a> {
    pub(crate) key: &'a str,
    /// First byte wanted, and the tag that the object must still have.
    pub(crate) rest: Option<(u64, &'a str)>,
    /// Nothing is wanted of an object with this tag, or unchanged since this date.
    pub(crate) known: Option<(Option<&'a str>, Option<&'a str>)>,
}

/// What comes.
pub(crate) enum Reply {
    /// Bytes from this one on.
    Body { info: Info, from: u64, body: Body },
    /// The object is the known one.
    Unchanged,
    /// The object is another one than that whose rest was asked for.
    Gone,
}

/// Bytes under way.
pub(crate) enum Body {
    Web(web::Stream),
    Local(local::Stream),
}

impl Body {
    /// The next bytes; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, Trouble> {
        match self {
            Self::Web(stream) => Ok(web::next(stream).await?.map(Chunk::Web)),
            Self::Local(stream) => Ok(stream.next().await?.map(Chunk::Local)),
        }
    }
}

enum Chunk<W> {
    Web(W),
    Local(Vec<u8>),
}

impl<W: AsRef<[u8]>> AsRef<[u8]> for Chunk<W> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Web(bytes) => bytes.as_ref(),
            Self::Local(bytes) => bytes,
        }
    }
}

impl Remote {
    /// Opens `s3://bucket/prefix`, `https://host/path`, `http://host/path`, `file:///folder` or the
    /// path of a folder. Keys are relative to it. Connects to nothing yet.
    ///
    /// # Errors
    /// [`Error::Address`] and [`Error::Setting`]; [`Error::Setup`] where the system gives no threads.
    pub fn open(address: &str, access: &Access) -> Result<Self> {
        access.check()?;
        let kind = match address.split_once("://") {
            Some(("s3", rest)) => {
                let bucket = s3::Bucket::parse(address, rest, access)?;
                Kind::S3(Web::new(bucket.base(), access)?, bucket)
            }
            Some(("http" | "https", _)) => Kind::Web(Web::new(&web::base(address)?, access)?),
            Some(("file", _)) => {
                let path = url::Url::parse(address).ok().and_then(|url| url.to_file_path().ok());
                Kind::Local(Local::new(path.ok_or_else(|| Error::address(address, "names no folder of this machine"))?))
            }
            Some((scheme, _)) => {
                let reason = format!("begins with `{scheme}`; known are s3, https, http, file and paths of folders");
                return Err(Error::address(address, reason));
            }
            None if address.is_empty() => return Err(Error::address(address, "is empty")),
            None => Kind::Local(Local::new(PathBuf::from(address))),
        };
        let workers = thread::available_parallelism().map_or(1, |n| n.get().min(4));
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .thread_name("bench-fetch")
            .enable_all()
            .build()
            .map_err(|error| Error::Setup { reason: error.to_string() })?;
        let address = address.trim_end_matches('/').to_owned();
        Ok(Self { address, kind, access: access.clone(), runtime: Some(runtime) })
    }

    /// The address, as ledgers and messages show it.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// Runs a future on this thread; connections live on the threads of the remote.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.as_ref().expect("a remote has its runtime until it is dropped").block_on(future)
    }

    /// Whether tags are digests.
    pub(crate) fn tags_are_digests(&self) -> bool {
        matches!(self.kind, Kind::S3(..))
    }

    /// Asks for a body.
    pub(crate) async fn get(&self, ask: Ask<'_>) -> Result<Reply, Trouble> {
        match &self.kind {
            Kind::S3(web, bucket) => web.get(&bucket.key(ask.key), ask, true).await,
            Kind::Web(web) => web.get(ask.key, ask, false).await,
            Kind::Local(local) => local.get(ask),
        }
    }

    /// Asks what an object is.
    async fn info(&self, key: &str) -> Result<Info, Trouble> {
        match &self.kind {
            Kind::S3(web, bucket) => web.head(&bucket.key(key), true).await,
            Kind::Web(web) => web.head(key, false).await,
            Kind::Local(local) => local.info(key),
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A name that is being resolved cannot be called off, and nobody waits for it.
            runtime.shutdown_background();
        }
    }
}
