//! Writing files that are either whole or absent.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes `bytes` to `path` through a temporary name in the same folder, synced and renamed.
/// A reader never sees half a file, and a killed writer leaves the old one.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(path, |file| file.write_all(bytes))
}

/// Like [`write()`], for content that is produced piece by piece.
pub fn write_with(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let temporary = temporary_name(path);
    let result = File::create(&temporary).and_then(|mut file| {
        // Tells `sweep` that somebody writes here. Where files cannot be locked, nothing is swept either.
        let _ = file.try_lock();
        fill(&mut file)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    });
    if result.is_err() {
        // The error that matters is the one above; a left-over temporary file is harmless.
        let _ = fs::remove_file(&temporary);
    }
    result
}

/// Removes what killed writers left in a folder: files of temporary names that nobody writes any more.
pub fn sweep(folder: &Path) {
    let paths = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in paths.filter(|path| is_temporary(path)) {
        if File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            // Left-over files cost disk space and nothing else.
            let _ = fs::remove_file(path);
        }
    }
}

fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let writer = name.strip_suffix(".tmp").and_then(|name| name.rsplit_once('.'));
    writer.is_some_and(|(_, id)| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_writer_left_is_swept_and_nothing_else() {
        let folder = std::env::temp_dir().join(format!("bench-core-sweep-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for name in ["a.json", "a.json.12.tmp", "notes.tmp", "b..tmp"] {
            fs::write(folder.join(name), "").unwrap();
        }
        let written = write_with(&folder.join("c.json"), |_| {
            sweep(&folder);
            Ok(())
        });
        written.unwrap();
        let entries = fs::read_dir(&folder).unwrap().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(names, ["a.json", "b..tmp", "c.json", "notes.tmp"]);
    }
}
