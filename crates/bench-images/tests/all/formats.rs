//! Files of microscopes and of other programs: one plane in many encodings, and files that are
//! refused (`tests/goldens/generators/images_prepare.py`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bench_images::Pixels;
use bench_images::store::file::{read_plane, read_raw, read_shape};
use bench_images::store::samples::Samples;
use serde::Deserialize;

fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens/images_tiff")
}

#[derive(Deserialize)]
struct Expected {
    height: usize,
    width: usize,
    values: Vec<u16>,
    files: BTreeMap<String, Kind>,
    refused: BTreeMap<String, (String, String)>,
}

#[derive(Deserialize)]
struct Kind {
    kind: String,
}

fn expected() -> Expected {
    serde_json::from_str(&std::fs::read_to_string(goldens().join("expected.json")).unwrap()).unwrap()
}

#[test]
fn every_encoding_gives_the_pixels_that_were_written() {
    let expected = expected();
    assert_eq!(expected.files.len(), 27);
    for (name, Kind { kind }) in &expected.files {
        let path = goldens().join(name);
        let raw = read_raw(&path).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((raw.height, raw.width), (expected.height, expected.width), "{name}");
        assert_eq!(read_shape(&path).unwrap(), (expected.height, expected.width), "{name}");
        let limit = if name.starts_with("twelve") { 4095 } else { u16::MAX };
        let wanted = match kind.as_str() {
            "uint8" => Samples::U8(expected.values.iter().map(|v| (v / 256) as u8).collect()),
            "uint16" => Samples::U16(expected.values.iter().map(|&v| v.min(limit)).collect()),
            _ => Samples::Float { values: expected.values.iter().map(|&v| f64::from(v) / 4.0).collect(), white: None },
        };
        assert_eq!(raw.samples, wanted, "{name}");
        match (read_plane(&path), wanted) {
            (Ok(plane), Samples::U8(values)) => assert_eq!(plane.pixels, Pixels::U8(values), "{name}"),
            (Ok(plane), Samples::U16(values)) => assert_eq!(plane.pixels, Pixels::U16(values), "{name}"),
            (Err(error), Samples::Float { .. }) => {
                assert_eq!(error.reason(), "unsupported");
                assert!(error.to_string().contains("which a recipe has to scale"));
            }
            _ => panic!("{name}: numbers became pixels"),
        }
    }
}

#[test]
fn what_cannot_be_read_says_what_it_is() {
    for (name, (reason, part)) in &expected().refused {
        let path = goldens().join(name);
        let error = read_raw(&path).expect_err(name);
        assert_eq!(error.reason(), reason, "{name}: {error}");
        let message = error.to_string();
        assert!(message.contains(part) && message.contains(name.as_str()), "{name}: {message}");
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error_and_never_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["deflate_predictor.tif", "bigtiff_big_endian_tiles.tif", "packbits.tif", "float64.tif"] {
        let whole = std::fs::read(goldens().join(name)).unwrap();
        let sound = read_raw(&goldens().join(name)).unwrap();
        for at in (0..whole.len()).step_by(97) {
            let path = folder.path().join(name);
            std::fs::write(&path, &whole[..at]).unwrap();
            // A cut that removes nothing but padding leaves the same pixels.
            if let Ok(raw) = read_raw(&path) {
                assert_eq!(raw, sound, "{name} {at}");
            }
        }
    }
}
