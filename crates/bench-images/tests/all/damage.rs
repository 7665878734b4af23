//! Damaged stores: every breach is named, none is passed over.

use std::fs;
use std::path::Path;

use bench_images::prepare::{PrepareOptions, write as prepare};
use bench_images::{ErrorKind, ImageStore, Policy, StoreOptions};

use crate::support::*;

fn silent(_: usize, _: usize) {}

fn skipping(root: &Path) -> ImageStore {
    ImageStore::open_with(root, &StoreOptions { policy: Policy::Skip, ..StoreOptions::default() }).unwrap()
}

#[test]
fn missing_empty_and_misnamed_files_are_named_by_the_scan() {
    let root = tempfile::tempdir().unwrap();
    folder(root.path(), 10, 10, 255);
    let all = ids();
    fs::remove_file(file(root.path(), &all[1], "ER", "png")).unwrap();
    fs::write(file(root.path(), &all[2], "RNA", "png"), b"").unwrap();
    let odd = file(root.path(), &all[3], "DNA", "png").with_file_name("scan_0001.png");
    fs::write(&odd, b"x").unwrap();
    fs::copy(file(root.path(), &all[5], "DNA", "png"), file(root.path(), &all[5], "OrigDNA", "png")).unwrap();
    fs::write(file(root.path(), &all[0], "Brightfield", "png"), b"not asked for").unwrap();
    fs::write(root.path().join("notes.txt"), b"not an image").unwrap();

    let error = ImageStore::open(root.path()).unwrap_err();
    assert_eq!(error.to_string(), format!("field `{}` is incomplete: no file for channel `ER`", all[1]));
    assert_eq!(error.kind(), ErrorKind::Data);
    let store = skipping(root.path());
    assert_eq!(store.ids(), [&all[0], &all[3], &all[4], &all[6], &all[7]].map(Clone::clone));
    let problems: Vec<(&str, &str)> = store.problems().iter().map(|p| (p.name.as_str(), p.reason.as_str())).collect();
    let [one, two, five] = [&all[1], &all[2], &all[5]].map(ToString::to_string);
    let odd = odd.display().to_string();
    assert_eq!(problems, [(&*one, "incomplete"), (&*two, "corrupt"), (&*odd, "malformed"), (&*five, "inconsistent")]);
    assert!(store.problems()[1].message.ends_with("is corrupt: the file has 0 bytes"));
}

#[test]
fn damage_inside_files_is_named_when_they_are_read() {
    let root = tempfile::tempdir().unwrap();
    folder(root.path(), 40, 40, 255);
    let all = ids();
    let path = |i: usize| file(root.path(), &all[i], "Mito", "png");
    let sound = fs::read(path(0)).unwrap();
    fs::write(path(0), &sound[..sound.len() / 2]).unwrap();
    fs::write(path(1), &sound[..sound.len() - 6]).unwrap();
    let mut flipped = sound.clone();
    flipped[sound.len() / 2] ^= 0x10;
    fs::write(path(2), flipped).unwrap();
    fs::write(path(3), b"this is no image at all").unwrap();
    write_png(&path(4), 39, 40, &vec![0; 39 * 40], false);
    let mut rgb = png::Encoder::new(fs::File::create(path(5)).unwrap(), 40, 40);
    rgb.set_color(png::ColorType::Rgb);
    rgb.write_header().unwrap().write_image_data(&vec![0; 4800]).unwrap();
    write_png(&path(6), 40, 40, &vec![0; 3200], true);

    let store = ImageStore::open(root.path()).unwrap();
    let problems = store.verify();
    let reasons: Vec<&str> = problems.iter().map(|p| p.reason.as_str()).collect();
    assert_eq!(reasons, ["corrupt", "corrupt", "corrupt", "corrupt", "inconsistent", "unsupported"]);
    for (i, problem) in problems.iter().take(4).enumerate() {
        assert_eq!(problem.name, all[i].to_string());
        assert!(problem.message.contains("__Mito.png` is corrupt: "), "{}", problem.message);
    }
    assert!(problems[4].message.contains("channel `Mito` has 39 x 40 px"));
    assert!(problems[5].message.contains("one grey channel of 8 or 16 bits is needed"));

    let packed = tempfile::tempdir().unwrap();
    let error = prepare(&store, packed.path(), &PrepareOptions::default(), &silent).unwrap_err();
    assert!(error.to_string().contains("A01__1__Mito.png"), "{error}");
    assert!(packed_plates(packed.path()).is_empty(), "no half plate is left");
    let options = PrepareOptions { policy: Policy::Skip, ..PrepareOptions::default() };
    let report = prepare(&store, packed.path(), &options, &silent).unwrap();
    assert_eq!((report.fields, report.problems.len()), (2, 6));
    let packed = ImageStore::open(packed.path()).unwrap();
    assert_eq!((packed.len(), packed.problems().len()), (2, 6), "what was left out is still known");
}

#[test]
fn a_file_that_vanishes_after_the_scan_is_named() {
    let root = tempfile::tempdir().unwrap();
    folder(root.path(), 10, 10, 255);
    let store = ImageStore::open(root.path()).unwrap();
    fs::remove_file(file(root.path(), &ids()[3], "AGP", "png")).unwrap();
    let error = store.load(3).unwrap_err();
    assert_eq!(error.reason(), "missing");
    assert!(error.to_string().contains("C07__2__AGP.png"));
}

#[test]
fn damaged_packed_plates_are_named_and_never_crash() {
    let root = tempfile::tempdir().unwrap();
    let packed = tempfile::tempdir().unwrap();
    folder(root.path(), 24, 24, 255);
    let store = ImageStore::open(root.path()).unwrap();
    prepare(&store, packed.path(), &PrepareOptions { tile: 8, ..PrepareOptions::default() }, &silent).unwrap();
    let path = &packed_plates(packed.path())[0];
    let sound = fs::read(path).unwrap();
    for cut in [0, 7, 40, 60, sound.len() / 2, sound.len() - 1] {
        fs::write(path, &sound[..cut]).unwrap();
        let error = ImageStore::open(packed.path()).unwrap_err();
        assert!(error.to_string().contains("source_1__b_1__P1.bplate"), "{cut}: {error}");
        assert_eq!(error.reason(), "corrupt");
        let rest = skipping(packed.path());
        assert_eq!((rest.len(), rest.problems().len()), (4, 1));
    }
    // Any single byte: either the plate does not open, or a tile fails its checksum.
    for at in (0..sound.len()).step_by(97) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x40;
        fs::write(path, bytes).unwrap();
        match ImageStore::open(path) {
            Err(error) => assert_eq!(error.reason(), "corrupt", "{at}"),
            Ok(store) => {
                let problems = store.verify();
                assert_eq!(problems.len(), 1, "{at}");
                assert!(problems[0].message.contains("fails its checksum"));
            }
        }
    }
}

#[test]
fn a_folder_without_images_says_what_was_looked_for() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("source_1/b/p")).unwrap();
    let error = ImageStore::open(root.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Empty);
    assert!(error.to_string().contains("{source}__{plate}__{well}__{site}__{channel}.png"));
    assert_eq!(ImageStore::open(&root.path().join("nowhere")).unwrap_err().reason(), "missing");
}
