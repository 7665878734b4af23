//! SHA-256 over bytes, files and canonical scores.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::Score;

/// Hexadecimal SHA-256 of bytes.
pub fn of_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Hexadecimal SHA-256 of a file, read in blocks.
pub fn of_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..n]);
    }
}

/// Hexadecimal SHA-256 of a file, or of a folder: of the names and digests of its files, sorted by name.
pub fn of_path(path: &Path) -> io::Result<String> {
    if !path.is_dir() {
        return of_file(path);
    }
    let mut files = Vec::new();
    list(path, &mut files)?;
    let mut lines = Vec::with_capacity(files.len());
    for file in files {
        let name = file.strip_prefix(path).unwrap_or(&file).components();
        let name: Vec<_> = name.map(|part| part.as_os_str().to_string_lossy()).collect();
        lines.push(format!("{:?} {}\n", name.join("/"), of_file(&file)?));
    }
    lines.sort_unstable();
    Ok(of_bytes(lines.concat().as_bytes()))
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// Digest over canonical scores: one sorted line per score, values by their bits. Two runs
/// agree if and only if this line agrees.
pub fn of_scores(scores: &[Score]) -> String {
    let mut lines: Vec<String> = scores
        .iter()
        .map(|s| {
            let value = s.value.map_or_else(|| "missing".to_owned(), |v| format!("{:016x}", v.to_bits()));
            format!(
                "{:?}\t{}\t{}\t{}\t{}\t{}\t{}\t{:?}",
                (&s.model, &s.features, &s.correction, &s.task, &s.protocol, &s.split, &s.probe, &s.metric),
                s.repeat,
                s.seed,
                s.n_train,
                s.n_test,
                s.classes_train,
                s.classes_test,
                (value, &s.reason)
            )
        })
        .collect();
    lines.sort_unstable();
    let mut hash = Sha256::new();
    for line in lines {
        hash.update(line.as_bytes());
        hash.update(b"\n");
    }
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_digest_of_a_folder_is_that_of_names_and_contents() {
        let folder = std::env::temp_dir().join(format!("bench-core-digest-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("a")).unwrap();
        std::fs::write(folder.join("a/b"), "abc").unwrap();
        let first = super::of_path(&folder).unwrap();
        std::fs::rename(folder.join("a/b"), folder.join("a/c")).unwrap();
        let renamed = super::of_path(&folder).unwrap();
        std::fs::rename(folder.join("a/c"), folder.join("a/b")).unwrap();
        let again = super::of_path(&folder).unwrap();
        std::fs::write(folder.join("a/b"), "abd").unwrap();
        let changed = super::of_path(&folder).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(first, again);
        assert!(first != renamed && first != changed);
    }

    #[test]
    fn sha256_of_abc_is_the_published_one() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(super::of_bytes(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
