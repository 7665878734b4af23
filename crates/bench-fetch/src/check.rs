//! Whether a file is what the server and the caller say it is.
//!
//! # What
//! One reading gives SHA-256, and MD5s as the tag asks for. An expected SHA-256 alone decides
//! where there is one; else the tag; else the length.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use md5::Md5;
use sha2::{Digest, Sha256};

use crate::etag::{Tag, part_sizes};

/// What a file should be.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) bytes: Option<u64>,
    pub(crate) tag: Tag,
    pub(crate) sha256: Option<String>,
    /// SHA-256 of another, whole transfer of the same object that is as good as a tag.
    pub(crate) twin: Option<String>,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    /// By what it is known to be right, or what is wrong with it.
    pub(crate) verdict: Result<String, String>,
}

/// Reads a file. Ends with `Interrupted` when `stop` is set.
pub(crate) fn examine(path: &Path, expected: &Expected, stop: &AtomicBool) -> io::Result<Content> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut sha = Sha256::new();
    let mut md5s = match &expected.tag {
        Tag::Whole(_) => vec![Parted::new(u64::MAX)],
        Tag::Parts(_, parts) => part_sizes(length, *parts).into_iter().map(Parted::new).collect(),
        Tag::Opaque => Vec::new(),
    };
    let mut buffer = vec![0; 1 << 18];
    let mut bytes = 0u64;
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let n = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        sha.update(&buffer[..n]);
        for md5 in &mut md5s {
            md5.update(&buffer[..n]);
        }
        bytes += n as u64;
    }
    let sha256 = hex(&sha.finalize());
    let verdict = judge(expected, bytes, &sha256, md5s);
    Ok(Content { bytes, sha256, verdict })
}

fn judge(expected: &Expected, bytes: u64, sha256: &str, md5s: Vec<Parted>) -> Result<String, String> {
    if let Some(should) = expected.bytes.filter(|should| *should != bytes) {
        return Err(format!("{bytes} bytes came, {should} were expected"));
    }
    if let Some(should) = &expected.sha256 {
        return if should.eq_ignore_ascii_case(sha256) {
            Ok("sha256".into())
        } else {
            Err(format!("its SHA-256 is `{sha256}`, expected `{should}`"))
        };
    }
    match &expected.tag {
        Tag::Whole(should) => {
            let is = md5s.into_iter().map(Parted::whole).next().unwrap_or_default();
            if is == *should { Ok("md5".into()) } else { Err(format!("its MD5 is `{is}`, the server's `{should}`")) }
        }
        Tag::Parts(should, parts) if !md5s.is_empty() => {
            for md5 in md5s {
                let size = md5.size;
                if md5.parted() == *should {
                    return Ok(format!("multipart {size}"));
                }
            }
            if expected.twin.as_deref() == Some(sha256) {
                return Ok("twice".into());
            }
            Err(format!("no usual size of parts gives the server's tag `{should}-{parts}`"))
        }
        _ if expected.bytes.is_some() => Ok("length".into()),
        _ => Err("neither its length nor a digest is known, so nothing tells whether it is whole".into()),
    }
}

/// MD5s of parts of one size.
struct Parted {
    size: u64,
    filled: u64,
    part: Md5,
    parts: Md5,
}

impl Parted {
    fn new(size: u64) -> Self {
        Self { size, filled: 0, part: Md5::new(), parts: Md5::new() }
    }

    fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.filled == self.size {
                self.parts.update(self.part.finalize_reset());
                self.filled = 0;
            }
            let n = usize::try_from(self.size - self.filled).map_or(bytes.len(), |left| left.min(bytes.len()));
            self.part.update(&bytes[..n]);
            self.filled += n as u64;
            bytes = &bytes[n..];
        }
    }

    fn whole(self) -> String {
        hex(&self.part.finalize())
    }

    fn parted(mut self) -> String {
        self.parts.update(self.part.finalize());
        hex(&self.parts.finalize())
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn expect(etag: &str) -> Expected {
        Expected { bytes: None, tag: Tag::parse(etag), sha256: None, twin: None }
    }

    fn check(bytes: &[u8], expected: &Expected) -> Content {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, bytes).unwrap();
        examine(&path, expected, &AtomicBool::new(false)).unwrap()
    }

    // RFC 1321, appendix A.5; FIPS 180-2, appendix B.1.
    const MD5_OF_ABC: &str = "900150983cd24fb0d6963f7d28e17f72";
    const SHA256_OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn digests_are_the_published_ones() {
        let content = check(b"abc", &expect(MD5_OF_ABC));
        assert_eq!(content, Content { bytes: 3, sha256: SHA256_OF_ABC.into(), verdict: Ok("md5".into()) });
        assert!(check(b"abd", &expect(MD5_OF_ABC)).verdict.is_err());
    }

    #[test]
    fn an_expected_sha256_decides() {
        let expected =
            Expected { sha256: Some(SHA256_OF_ABC.to_uppercase()), ..expect("00000000000000000000000000000000") };
        assert_eq!(check(b"abc", &expected).verdict, Ok("sha256".into()));
        assert!(check(b"abd", &expected).verdict.is_err());
        assert!(check(b"abc", &Expected { bytes: Some(4), ..expected }).verdict.is_err());
    }

    #[test]
    fn tags_of_parts_are_recomputed_for_usual_sizes() {
        let bytes: Vec<u8> = (0..12_000_000u32).map(|i| (i % 251) as u8).collect();
        for size in [5usize << 20, 8 << 20, 10_000_000] {
            let md5s: Vec<u8> = bytes.chunks(size).flat_map(|part| Md5::digest(part).to_vec()).collect();
            let etag = format!("{}-{}", hex(&Md5::digest(&md5s)), bytes.len().div_ceil(size));
            assert_eq!(check(&bytes, &expect(&etag)).verdict, Ok(format!("multipart {size}")));
            let mut damaged = bytes.clone();
            damaged[11_999_999] ^= 1;
            let content = check(&damaged, &expect(&etag));
            assert!(content.verdict.is_err());
            let again = Expected { twin: Some(content.sha256), ..expect(&etag) };
            assert_eq!(check(&damaged, &again).verdict, Ok("twice".into()));
        }
    }

    #[test]
    fn reading_stops_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"abc").unwrap();
        let error = examine(&path, &expect(MD5_OF_ABC), &AtomicBool::new(true)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    }
}
