//! One process per folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use crate::key::LOCK;
use crate::{Error, Result};

/// A lock that ends with this value, or with the process. Its file stays: removing it would let
/// two processes lock two files of the same name.
#[derive(Debug)]
pub(crate) struct Lock {
    file: Option<File>,
}

impl Lock {
    /// For writing; nobody else may read or write.
    pub(crate) fn alone(folder: &Path) -> Result<Self> {
        let path = folder.join(LOCK);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|source| Error::write(&path, source))?;
        settle(folder, file.try_lock())?;
        Ok(Self { file: Some(file) })
    }

    /// For reading, beside other readers. A folder without a lock file was not fetched into.
    pub(crate) fn shared(folder: &Path) -> Result<Self> {
        let path = folder.join(LOCK);
        match File::open(&path) {
            Ok(file) => {
                settle(folder, file.try_lock_shared())?;
                Ok(Self { file: Some(file) })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self { file: None }),
            Err(source) => Err(Error::read(&path, source)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a process that is being started holds a copy for a moment.
        if let Some(file) = &self.file {
            let _ = file.unlock();
        }
    }
}

/// Some file systems of clusters cannot lock. There it is left to the user to run one process.
fn settle(folder: &Path, locked: Result<(), TryLockError>) -> Result<()> {
    match locked {
        Err(TryLockError::WouldBlock) => Err(Error::Busy { path: folder.to_owned() }),
        Err(TryLockError::Error(_)) | Ok(()) => Ok(()),
    }
}
