//! Damaged and hostile files: an error, never a panic.

use std::io::Write;

use bench_data::{ReadOptions, read, validate};
use flate2::{Compression, write::GzEncoder};

use super::{Folder, GOOD, golden};

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn error(folder: &Folder, name: &str, bytes: &[u8]) -> String {
    folder.message(&read(&folder.write(name, bytes), &ReadOptions::default()).unwrap_err())
}

#[test]
fn gzip_is_known_by_its_bytes_and_damage_is_named() {
    let folder = Folder::new();
    // The name says nothing; the bytes do.
    assert!(read(&folder.write("plain.csv", gzip(GOOD)), &ReadOptions::default()).is_ok());
    assert_eq!(
        error(&folder, "t.csv.gz", GOOD.as_bytes()),
        "`t.csv.gz` is named like a gzip file but does not begin like one"
    );
    let mut large = String::from(GOOD);
    for i in 0..5000 {
        large.push_str(&format!("s1,b1,p{i},A01,c1,x,{i}.25,{}\n", i * 7919 % 10_007));
    }
    let whole = gzip(&large);
    let cut = error(&folder, "cut.csv.gz", &whole[..whole.len() / 2]);
    assert!(cut.starts_with("`cut.csv.gz` is a damaged gzip file: it ends after line "), "{cut}");
    let mut flipped = whole.clone();
    let last = flipped.len() - 6;
    flipped[last] ^= 0xff;
    let flipped = error(&folder, "bad.csv.gz", &flipped);
    assert!(flipped.starts_with("`bad.csv.gz` is a damaged gzip file: "), "{flipped}");
    assert_eq!(
        error(&folder, "p.csv.gz", &gzip("PAR1xxxxxxxxxxxxxxxxx")),
        "`p.csv.gz` is a gzip file of a Parquet file, which is not read"
    );
}

#[test]
fn parquet_files_that_end_early_or_lie_are_errors() {
    let folder = Folder::new();
    let whole = std::fs::read(golden("wide-f64.parquet")).unwrap();
    assert_eq!(
        error(&folder, "cut.parquet", &whole[..whole.len() / 2]),
        "`cut.parquet` is a damaged Parquet file: it ends before its footer (was it written to the end?)"
    );
    assert_eq!(
        error(&folder, "no.parquet", b"hello there"),
        "`no.parquet` is named like a Parquet file but does not begin like one"
    );
    let mut long = whole.clone();
    let at = long.len() - 8;
    long[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(
        error(&folder, "long.parquet", &long),
        "`long.parquet` is a damaged Parquet file: its footer is longer than the file"
    );
}

/// A sample of all bytes is flipped, one at a time; reading may fail or succeed, and must come
/// back.
#[test]
fn flipped_bytes_never_panic() {
    let folder = Folder::new();
    std::panic::set_hook(Box::new(|_| {}));
    for name in ["fixed-f32.parquet", "one.npz", "c-f8.npy", "wide.csv.gz"] {
        let whole = std::fs::read(golden(name)).unwrap();
        let options =
            ReadOptions { metadata: name.ends_with("npy").then(|| golden("metadata.csv")), ..ReadOptions::default() };
        for at in (0..whole.len()).step_by(1 + whole.len() / 120) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x5a;
            let _ = validate(&folder.write(name, bytes), &options).to_string();
        }
        for cut in (0..whole.len()).step_by(1 + whole.len() / 40) {
            assert!(!validate(&folder.write(name, &whole[..cut]), &options).is_ok(), "{name} cut at {cut}");
        }
    }
    let _ = std::panic::take_hook();
}

#[test]
fn numpy_headers_that_claim_too_much_allocate_nothing() {
    let folder = Folder::new();
    let npy = |header: &str| {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend([0; 64]);
        bytes
    };
    for (header, words) in [
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 8), }", "it ends before its last value"),
        (
            "{'descr': '<f8', 'fortran_order': False, 'shape': (18446744073709551615, 3), }",
            "it ends before its last value",
        ),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (8,), }", "it has 1 dimensions where a matrix has 2"),
        ("{'descr': '<U3', 'fortran_order': False, 'shape': (2, 2), }", "it does not hold numbers"),
        (
            "{'descr': '|O', 'fortran_order': False, 'shape': (2, 2), }",
            "it holds Python objects (pickled); save text as `str` and numbers as `float32`",
        ),
        ("{'descr': '<c16', 'fortran_order': False, 'shape': (2, 2), }", "it has the dtype `<c16`"),
        ("", "its header has no `descr`"),
    ] {
        assert_eq!(
            error(&folder, "t.npy", &npy(header)),
            format!("`t.npy` is not a NumPy array that can be read: {words}")
        );
    }
    assert_eq!(
        error(&folder, "t.npz", b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        "`t.npz` is a zip archive without NumPy arrays, which is not read"
    );
}
