//! Keys in addresses, and destinations in a folder.

use std::path::{Component, Path, PathBuf};

/// Ending of a body under way.
pub(crate) const PART: &str = ".part";
/// Ending of the note beside it.
pub(crate) const NOTE: &str = ".part.json";
/// Name of the ledger in its folder.
pub(crate) const LEDGER: &str = "fetched.jsonl";
/// Name of the lock in its folder.
pub(crate) const LOCK: &str = "fetched.lock";

/// Percent-encodes a key for the path of an address; slashes stay.
pub(crate) fn encode_path(key: &str) -> String {
    encode(key, b"/")
}

/// Percent-encodes a value of a query.
pub(crate) fn encode_query(value: &str) -> String {
    encode(value, b"")
}

fn encode(text: &str, keep: &[u8]) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || keep.contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Whether a key survives in an address: clients resolve segments of dots.
pub(crate) fn can_be_asked_for(key: &str) -> bool {
    !key.is_empty() && !key.split('/').any(|segment| segment == "." || segment == "..")
}

/// A destination as a path below the folder, or the rule that it breaks.
pub(crate) fn destination(path: &str) -> Result<PathBuf, &'static str> {
    if path.is_empty() || path.ends_with('/') {
        return Err("it names no file");
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return Err("control characters and backslashes are not allowed");
    }
    if path.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        return Err("it must be relative, without empty segments, `.` and `..`");
    }
    // What a drive or a network share looks like depends on the system.
    if Path::new(path).components().any(|component| !matches!(component, Component::Normal(_))) {
        return Err("it must be relative to the folder");
    }
    if path.ends_with(PART) || path.ends_with(NOTE) || path == LEDGER || path == LOCK {
        return Err("names of ledger, lock and unfinished files are reserved");
    }
    Ok(path.split('/').collect())
}

/// A path with an ending added to its name.
pub(crate) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_encoded_byte_by_byte() {
        assert_eq!(encode_path("a b/c+d%20/ü.tif"), "a%20b/c%2Bd%2520/%C3%BC.tif");
        assert_eq!(encode_query("a/b=c&d~"), "a%2Fb%3Dc%26d~");
    }

    #[test]
    fn destinations_stay_in_the_folder() {
        for path in ["a", "a b/c+d%20/ü.tif", "..a/b..", ".hidden", "sub/fetched.jsonl"] {
            assert_eq!(destination(path).map(|p| p.to_str().unwrap().replace('\\', "/")), Ok(path.to_owned()));
        }
        for path in ["", "/etc/passwd", "../a", "a/../../b", "a/..", "a//b", "./a", "a/", "a\\..\\b", "a\0b", "a\nb"] {
            assert!(destination(path).is_err(), "`{path}` was allowed");
        }
        for path in ["a.part", "b/a.part.json", "fetched.jsonl", "fetched.lock"] {
            assert!(destination(path).is_err(), "`{path}` was allowed");
        }
    }

    #[test]
    fn segments_of_dots_cannot_be_asked_for() {
        assert!(can_be_asked_for("a/...b/.c"));
        assert!(!can_be_asked_for("a/../b"));
        assert!(!can_be_asked_for("./b"));
        assert!(!can_be_asked_for(""));
    }
}
