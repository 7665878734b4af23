//! The key of a run: a digest of everything that decides its scores.

use std::path::{Path, PathBuf};

use bench_core::digest;

use crate::{Error, Request};

/// Raised whenever scoring code changes in a way that may move a score, so that results of
/// earlier code are not taken for results of this code.
const SCORING_REVISION: u32 = 2;

/// Key and id of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Full digest.
    pub digest: String,
    /// Id of the run: the first twelve digits.
    pub id: String,
    /// Digest of each embedding file, in the order of the request.
    pub files: Vec<String>,
}

/// Reads every input once to compute the key.
///
/// # Errors
/// An input that cannot be read.
pub fn key(request: &Request) -> Result<Key, Error> {
    let read = |path: &Path| digest::of_path(path).map_err(|source| Error::Input { path: path.to_owned(), source });
    let mut parts = vec![format!("revision {SCORING_REVISION}"), format!("seed {}", request.seed)];
    parts.push(serde_json::to_string(&request.suite).map_err(|e| Error::Usage { message: e.to_string(), hint: None })?);
    let mut files = Vec::new();
    for embedding in &request.embeddings {
        let file = read(&embedding.path)?;
        parts.push(format!("embedding {} {file}", embedding.name));
        files.push(file);
    }
    if !request.origin.digest.is_empty() {
        parts.push(format!("origin {}", request.origin.digest));
    }
    let relationships = &request.suite.embedding_metrics.relationships;
    for (what, path) in [("metadata", &request.metadata), ("folds", &request.folds), ("relationships", relationships)] {
        if let Some(path) = path {
            parts.push(format!("{what} {}", read(path)?));
        }
    }
    parts.push(format!(
        "array {:?} common {} flags {:?}",
        request.array,
        request.common_rows,
        selection_flags(request)
    ));
    let digest = digest::of_bytes(parts.join("\n").as_bytes());
    Ok(Key { id: digest[..12].to_owned(), digest, files })
}

/// Keys that the user set decide more than their values only where folds are given: the suite's selection of
/// labels is lifted unless the user made it.
fn selection_flags(request: &Request) -> Vec<&String> {
    let given = request.given.iter().map(|given| &given.key);
    request.flags.iter().chain(given).filter(|f| f.starts_with("select.") || f.starts_with("columns.control")).collect()
}

/// Folder of a run.
pub fn folder(request: &Request, key: &Key) -> PathBuf {
    match &request.out {
        Some(folder) => folder.clone(),
        None => Path::new("reports").join(&request.suite.id).join(&key.id),
    }
}
