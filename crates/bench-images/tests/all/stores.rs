//! What is read is what was written, whichever way.

use std::fs;

use bench_core::Seed;
use bench_images::prepare::{PrepareOptions, write as prepare};
use bench_images::store::scale::{Depth, between_percentiles};
use bench_images::{Image, ImageStore, Pixels, StoreOptions, Window};

use crate::support::*;

fn silent(_: usize, _: usize) {}

fn windows(height: usize, width: usize) -> Vec<Window> {
    let mut stream = Seed(2).stream();
    let mut out = vec![Window::whole(height, width)];
    for _ in 0..40 {
        let (top, left) = (stream.below(height), stream.below(width));
        let (h, w) = (1 + stream.below(height - top), 1 + stream.below(width - left));
        out.push(Window { top, left, height: h, width: w });
    }
    out
}

#[test]
fn folders_and_packed_plates_give_the_pixels_that_were_written() {
    for (white, depth) in [(255, Depth::default()), (65535, Depth::Keep)] {
        let folder_path = tempfile::tempdir().unwrap();
        let packed_path = tempfile::tempdir().unwrap();
        let written = folder(folder_path.path(), 37, 52, white);
        let options = StoreOptions { depth, ..StoreOptions::default() };
        let store = ImageStore::open_with(folder_path.path(), &options).unwrap();
        assert_eq!(store.ids(), ids());
        assert!(!store.is_simulated() && store.problems().is_empty() && store.verify().is_empty());
        let report =
            prepare(&store, packed_path.path(), &PrepareOptions { tile: 16, ..PrepareOptions::default() }, &silent)
                .unwrap();
        assert_eq!((report.fields, report.kept, report.plates), (8, 0, 2));
        let packed = ImageStore::open(packed_path.path()).unwrap();
        assert_eq!(packed.ids(), store.ids());
        for (i, image) in written.iter().enumerate() {
            assert_eq!(store.shape(i).unwrap(), (37, 52));
            assert_eq!(packed.shape(i).unwrap(), (37, 52));
            assert_eq!(&store.load(i).unwrap(), image);
            assert_eq!(&packed.load(i).unwrap(), image);
            for window in windows(37, 52) {
                let slice = image.crop(window).unwrap();
                assert_eq!(packed.load_crop(i, window).unwrap(), slice);
                assert_eq!(store.load_crop(i, window).unwrap(), slice);
            }
        }
        let outside = Window { top: 30, left: 0, height: 8, width: 52 };
        assert!(packed.load_crop(0, outside).is_err() && store.load_crop(0, outside).is_err());
        let one = ImageStore::open(&packed_plates(packed_path.path())[1]).unwrap();
        assert_eq!((one.len(), one.load(0).unwrap()), (4, written[4].clone()));
    }
}

#[test]
fn packing_again_keeps_what_is_there_and_threads_do_not_matter() {
    let source = tempfile::tempdir().unwrap();
    folder(source.path(), 20, 20, 255);
    let store = ImageStore::open(source.path()).unwrap();
    let run = |threads: usize, to: &std::path::Path| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| prepare(&store, to, &PrepareOptions::default(), &silent)).unwrap()
    };
    let (one, four) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (run(1, one.path()), run(4, four.path()));
    assert_eq!(a.digest, b.digest);
    let (plates, others) = (packed_plates(one.path()), packed_plates(four.path()));
    assert_eq!((plates.len(), others.len()), (2, 2));
    for (a, b) in plates.iter().zip(&others) {
        assert_eq!(fs::read(a).unwrap(), fs::read(b).unwrap());
    }
    assert_eq!(run(2, one.path()).kept, 8);
    // An interrupted run leaves one plate out, or half of it under another name.
    fs::remove_file(&plates[0]).unwrap();
    let again = run(2, one.path());
    assert_eq!((again.kept, again.digest), (4, b.digest.clone()));
    let digest = ImageStore::open(one.path()).unwrap().digest().unwrap();
    assert_eq!(digest, ImageStore::open(four.path()).unwrap().digest().unwrap());
}

#[test]
fn tiffs_of_16_bits_are_scaled_after_the_centre_crop() {
    let root = tempfile::tempdir().unwrap();
    let id = &ids()[0];
    let image = field(id, 30, 40, 65535);
    let Pixels::U16(values) = &image.pixels else { unreachable!() };
    for (c, channel) in ["OrigDNA", "agp", "Er", "MITO", "OrigRNA"].iter().enumerate() {
        let plane: Vec<u16> = values[c..].iter().step_by(5).copied().collect();
        write_tiff(&file(root.path(), id, channel, if c == 2 { "TIFF" } else { "tif" }), 30, 40, &plane);
    }
    let options = StoreOptions { centre_crop: Some(24), ..StoreOptions::default() };
    let store = ImageStore::open_with(root.path(), &options).unwrap();
    assert_eq!(store.shape(0).unwrap(), (24, 24));
    let Image { pixels: Pixels::U8(ours), .. } = store.load(0).unwrap() else { panic!("scaled to 8 bits") };
    let cut = image.crop(Window { top: 3, left: 8, height: 24, width: 24 }).unwrap();
    let Pixels::U16(cut) = &cut.pixels else { unreachable!() };
    for c in 0..5 {
        let plane: Vec<u16> = cut[c..].iter().step_by(5).copied().collect();
        let expected = between_percentiles(&plane, 1.0, 99.0);
        assert!(ours[c..].iter().step_by(5).eq(expected.iter()));
    }
}

#[test]
fn tables_of_files_open_folders_of_any_layout() {
    let root = tempfile::tempdir().unwrap();
    let written = folder(&root.path().join("deep"), 12, 12, 255);
    let name = |id, channel| file(std::path::Path::new("deep"), id, channel, "png").display().to_string();
    let mut long = "file,channel,Metadata_Source,Metadata_Batch,plate,well,SITE\n".to_owned();
    let mut wide = "Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_Site,FileName_OrigDNA,\
                    FileName_OrigAGP,ER,Mito,FileName_RNA\n"
        .to_owned();
    for id in &ids() {
        let place = [&id.source, &id.batch, &id.plate, &id.well, &id.site].map(String::as_str).join(",");
        for channel in CHANNELS {
            long.push_str(&format!("{},{channel},{place}\n", name(id, channel)));
        }
        long.push_str(&format!("none.png,Brightfield,{place}\n"));
        wide.push_str(&format!("{place},{}\n", CHANNELS.map(|c| name(id, c)).join(",")));
    }
    for (table, text) in [("long.csv", long), ("wide.csv", wide)] {
        let path = root.path().join(table);
        fs::write(&path, text).unwrap();
        let store = ImageStore::open(&path).unwrap();
        assert_eq!(store.ids(), ids());
        assert!(written.iter().enumerate().all(|(i, image)| &store.load(i).unwrap() == image), "{table}");
    }
    let bad = root.path().join("bad.csv");
    fs::write(&bad, "Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_Well,file,channel\n").unwrap();
    assert!(ImageStore::open(&bad).unwrap_err().to_string().contains("no column `Metadata_Site`"));
}
