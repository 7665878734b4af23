//! What is to be fetched.

use serde::{Deserialize, Serialize};

use crate::Listed;

/// One object and its destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// Its key, relative to the remote.
    pub key: String,
    /// Where it goes, relative to the folder, with `/` between segments on every system.
    pub path: String,
    /// Its length in bytes, where known. Another length is damage.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// The server's tag, where known, without quotation marks. An object with another tag is not fetched.
    #[serde(default)]
    pub etag: Option<String>,
    /// Hexadecimal SHA-256 of its bytes, where known.
    #[serde(default)]
    pub sha256: Option<String>,
}

impl Object {
    /// An object that keeps its key as path.
    pub fn new(key: impl Into<String>) -> Self {
        let key = key.into();
        Self { path: key.clone(), key, bytes: None, etag: None, sha256: None }
    }

    /// The same object at another destination.
    pub fn at(self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self }
    }
}

impl From<&Listed> for Object {
    fn from(listed: &Listed) -> Self {
        Self { bytes: listed.bytes, etag: listed.etag.clone(), ..Self::new(&listed.key) }
    }
}
