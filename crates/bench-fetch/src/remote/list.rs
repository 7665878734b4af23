//! Listing by prefix, page by page, and questions about one object.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use super::{Kind, Remote};
use crate::failure::Trouble;
use crate::{Cause, Error, Result};

/// One object of a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Key, relative to the remote.
    pub key: String,
    /// Length in bytes. Web servers do not always tell.
    pub bytes: Option<u64>,
    /// Tag, without quotation marks.
    pub etag: Option<String>,
    /// When it last changed, in the server's words.
    pub last_modified: Option<String>,
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Objects, by key.
    pub objects: Vec<Listed>,
    /// Prefixes that end at the next `/`; none in a recursive listing.
    pub folders: Vec<String>,
    /// Where the next page begins.
    pub(crate) next: Option<String>,
}

impl Remote {
    /// All objects whose key begins with `prefix`, by key.
    ///
    /// # Errors
    /// [`Error::Unlistable`] for web servers, [`Error::Remote`] where the server gave no answer.
    pub fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let mut objects = Vec::new();
        self.pages(prefix, false, &mut |page| {
            objects.extend(page.objects);
            ControlFlow::Continue(())
        })?;
        objects.sort_by(|a: &Listed, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    /// Objects and folders right below a prefix that is empty or ends with `/`, each sorted.
    ///
    /// # Errors
    /// As [`Remote::list`].
    pub fn list_folder(&self, prefix: &str) -> Result<Page> {
        let mut all = Page::default();
        self.pages(prefix, true, &mut |page| {
            all.objects.extend(page.objects);
            all.folders.extend(page.folders);
            ControlFlow::Continue(())
        })?;
        all.objects.sort_by(|a, b| a.key.cmp(&b.key));
        all.folders.sort();
        all.folders.dedup();
        Ok(all)
    }

    /// Pages of a listing as they come, until `each` breaks; `folders` stops at the next `/`.
    ///
    /// # Errors
    /// As [`Remote::list`].
    pub fn pages(&self, prefix: &str, folders: bool, each: &mut dyn FnMut(Page) -> ControlFlow<()>) -> Result<()> {
        let mut token: Option<String> = None;
        loop {
            let mut page = match &self.kind {
                Kind::S3(web, bucket) => {
                    let url = bucket.list_url(prefix, folders, token.as_deref());
                    self.wait(self.insist(prefix, async || bucket.page(&web.text(&url).await?)))?
                }
                Kind::Local(local) => self.wait(self.insist(prefix, async || local.page(prefix, folders)))?,
                Kind::Web(_) => {
                    let reason = "a web server has no list of its files; name them, or use a bucket or folder".into();
                    return Err(Error::Unlistable { address: self.address.clone(), reason });
                }
            };
            let next = page.next.take().filter(|next| !next.is_empty());
            if each(page).is_break() || next.is_none() {
                return Ok(());
            }
            if next == token {
                let message = "the listing does not advance: the server repeats its continuation token";
                return Err(self.failed(prefix, Trouble::lasting(Cause::Server, message)));
            }
            token = next;
        }
    }

    /// Length, tag and date of one object.
    ///
    /// # Errors
    /// [`Error::Remote`], with [`Cause::Missing`] where there is none.
    pub fn head(&self, key: &str) -> Result<Listed> {
        let info = self.wait(self.insist(key, async || self.info(key).await))?;
        Ok(Listed { key: key.to_owned(), bytes: info.bytes, etag: info.etag, last_modified: info.last_modified })
    }

    /// Asks until there is an answer or no attempt is left.
    async fn insist<T>(&self, key: &str, mut ask: impl AsyncFnMut() -> Result<T, Trouble>) -> Result<T> {
        let access = self.access();
        let mut failed = 0;
        loop {
            let trouble = match timeout(access.read_timeout, ask()).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(trouble)) => trouble,
                Err(_) => Trouble::passing(Cause::TimedOut, "no answer came in time"),
            };
            failed += 1;
            if !trouble.again || failed >= access.retry.attempts {
                return Err(self.failed(key, trouble));
            }
            sleep(access.retry.pause(key, failed, trouble.wait)).await;
        }
    }

    fn failed(&self, key: &str, trouble: Trouble) -> Error {
        let Trouble { cause, message, .. } = trouble;
        // A bucket's name does not say which server was asked.
        let address = match (&self.kind, &self.access.endpoint) {
            (Kind::S3(..), Some(endpoint)) => format!("{} at {endpoint}", self.address),
            _ => self.address.clone(),
        };
        Error::Remote { address, key: key.to_owned(), cause, message }
    }
}
