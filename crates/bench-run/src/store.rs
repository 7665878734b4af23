//! Results of finished steps, so that a killed run goes on where it stopped.
//!
//! Design. A step's result is one file in `.steps/` of the run's folder, written under a
//! temporary name, synced and renamed: it is whole or absent. Its name carries the digest of
//! everything that decides the result (inputs, resolved settings, seed, revision of the scoring
//! code), so a stale result is never found. Its first bytes are the SHA-256 of the rest: a
//! damaged file counts as absent and the step is done again. Timings travel inside and are no
//! part of any digest. The folder is removed when the record has been written.

use std::fs;
use std::path::{Path, PathBuf};

use bench_core::{atomic, digest};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// Store of one run.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    key: String,
}

impl Store {
    /// Store in the run folder `run`, for the run whose settings digest is `key`.
    pub fn open(run: &Path, key: &str) -> Self {
        Self { folder: run.join(".steps"), key: key.to_owned() }
    }

    fn path(&self, step: &str) -> PathBuf {
        self.folder.join(format!("{}.bin", &digest::of_bytes(format!("{}\n{step}", self.key).as_bytes())[..24]))
    }

    /// Result of a step and the seconds it took, if it was finished.
    pub fn get<T: DeserializeOwned>(&self, step: &str) -> Option<(T, f64)> {
        let bytes = fs::read(self.path(step)).ok()?;
        let (stamp, payload) = bytes.split_at_checked(64)?;
        if digest::of_bytes(payload).as_bytes() != stamp {
            return None;
        }
        postcard::from_bytes(payload).ok()
    }

    /// Keeps the result of a step.
    pub fn put<T: Serialize>(&self, step: &str, result: &T, seconds: f64) -> Result<(), Error> {
        let path = self.path(step);
        let write = |source| Error::Write { path: path.clone(), source };
        let payload =
            postcard::to_stdvec(&(result, seconds)).map_err(|e| write(std::io::Error::other(e.to_string())))?;
        let mut bytes = digest::of_bytes(&payload).into_bytes();
        bytes.extend_from_slice(&payload);
        atomic::write(&path, &bytes).map_err(write)
    }

    /// Removes the folder with everything in it.
    pub fn clear(&self) {
        // Left-over step files cost disk space and nothing else.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_found_again_and_a_damaged_one_is_not() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let store = Store::open(folder.path(), "key");
        store.put("a", &vec![1.5f64, f64::NAN.copysign(1.0)], 2.0).expect("written");
        let (value, seconds): (Vec<f64>, f64) = store.get("a").expect("found");
        assert_eq!((value[0], seconds), (1.5, 2.0));
        assert!(store.get::<Vec<f64>>("b").is_none());
        assert!(Store::open(folder.path(), "other").get::<Vec<f64>>("a").is_none());
        let path = store.path("a");
        let mut bytes = fs::read(&path).expect("read");
        bytes[70] ^= 1;
        fs::write(&path, bytes).expect("write");
        assert!(store.get::<Vec<f64>>("a").is_none());
    }
}
