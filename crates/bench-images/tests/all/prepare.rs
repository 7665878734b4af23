//! Raw fields become images by a recipe: the pixels, the tables, second runs and verification.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bench_images::csv::Csv;
use bench_images::prepare::{
    Illumination, Output, PrepareOptions, PrepareReport, QcFilter, Recipe, Verified, verify, write,
};
use bench_images::store::scale::Depth;
use bench_images::{ErrorKind, Image, ImageStore, Pixels, Policy, Result, StoreOptions};
use serde::Deserialize;

use crate::support::*;

fn silent(_: usize, _: usize) {}

/// 16-bit TIFFs in the layout of JUMP.
fn raw(root: &Path) {
    for id in &ids() {
        let image = field(id, 30, 40, 65535);
        let Pixels::U16(values) = &image.pixels else { unreachable!() };
        for (c, channel) in CHANNELS.iter().enumerate() {
            let plane: Vec<u16> = values[c..].iter().step_by(5).copied().collect();
            write_tiff(&file(root, id, channel, "tif"), 30, 40, &plane);
        }
    }
}

fn small() -> Recipe {
    Recipe { crop: Some(24), ..Recipe::JUMP }
}

fn png() -> PrepareOptions {
    PrepareOptions { output: Output::Png, ..PrepareOptions::default() }
}

fn run(from: &Path, to: &Path, options: &PrepareOptions) -> Result<PrepareReport> {
    let store = ImageStore::open_with(from, &StoreOptions { policy: options.policy, ..small().options() })?;
    write(&store, to, options, &silent)
}

fn found(folder: &Path) -> Verified {
    verify(folder).unwrap()
}

fn reasons(verified: &Verified) -> Vec<&str> {
    verified.problems.iter().map(|p| p.reason.as_str()).collect()
}

/// Every file of a folder and its bytes.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut out = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(contents(&path));
        } else {
            out.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    out
}

#[test]
fn both_outputs_hold_what_the_store_loads_and_pass_verification() {
    let (from, pngs, plates) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    raw(from.path());
    let source = ImageStore::open_with(from.path(), &small().options()).unwrap();
    for (folder, options) in [(pngs.path(), png()), (plates.path(), PrepareOptions::default())] {
        let report = run(from.path(), folder, &options).unwrap();
        assert_eq!((report.plates, report.fields, report.kept, report.problems.len()), (2, 8, 0, 0));
        assert!(report.bytes > 0 && report.bytes_in > 8 * 5 * 1000);
        let made = ImageStore::open(folder).unwrap();
        assert_eq!(made.ids(), source.ids());
        for i in 0..8 {
            assert_eq!(made.load(i).unwrap(), source.load(i).unwrap());
            assert_eq!(made.shape(i).unwrap(), (24, 24));
        }
        let verified = found(folder);
        assert_eq!((verified.images, verified.problems.len()), (if options.output == Output::Png { 40 } else { 8 }, 0));
        assert_eq!(bench_images::store::verify(folder).unwrap(), verified);
        let quality = Csv::read(&report.quality).unwrap();
        assert_eq!((quality.rows.len(), quality.header.len()), (8, 3 + 6 * 5));
        let prepared = Csv::read(&report.prepared).unwrap();
        let cell = |name: &str| &prepared.rows[0].1[prepared.column(&[name]).unwrap()];
        let numbers = ["raw_height", "raw_width", "crop_top", "crop_left", "crop_height", "crop_width", "height"];
        assert_eq!(numbers.map(|name| cell(name).as_str()), ["30", "40", "3", "8", "24", "24", "24"]);
        assert_eq!(cell("field"), &ids()[0].to_string());
        assert!(cell("source_files").starts_with("source_1__P1__A01__1__DNA.tif"));
    }
}

#[test]
fn a_second_run_keeps_everything_and_threads_do_not_matter() {
    let from = tempfile::tempdir().unwrap();
    raw(from.path());
    for options in [png(), PrepareOptions::default()] {
        let (one, four) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let a = pool(1).install(|| run(from.path(), one.path(), &options)).unwrap();
        let b = pool(4).install(|| run(from.path(), four.path(), &options)).unwrap();
        assert_eq!(a.digest, b.digest);
        let strip = |folder: &Path| -> BTreeMap<PathBuf, Vec<u8>> {
            contents(folder).into_iter().map(|(k, v)| (k.strip_prefix(folder).unwrap().to_owned(), v)).collect()
        };
        assert_eq!(strip(one.path()), strip(four.path()));
        let again = run(from.path(), one.path(), &options).unwrap();
        assert_eq!((again.kept, &again.digest), (8, &a.digest));
        assert_eq!(strip(one.path()), strip(four.path()));
    }
}

#[test]
fn only_fields_that_are_damaged_or_whose_source_changed_are_made_again() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    raw(from.path());
    let first = run(from.path(), to.path(), &png()).unwrap();
    let all = ids();
    // Gone, cut short, and of another source.
    fs::remove_file(file(to.path(), &all[0], "ER", "png")).unwrap();
    fs::write(file(to.path(), &all[1], "ER", "png"), b"short").unwrap();
    write_tiff(&file(from.path(), &all[5], "RNA", "tif"), 30, 40, &[9; 1200]);
    // What a killed run leaves: no tables, a line cut off, a temporary file.
    let journal = to.path().join(".prepared/source_2__b_1__P2.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text.trim_end().trim_end_matches('}')).unwrap();
    fs::remove_file(to.path().join("prepared.csv")).unwrap();
    let left = file(to.path(), &all[0], "DNA", "png.1.tmp");
    fs::write(&left, b"half").unwrap();
    let second = run(from.path(), to.path(), &png()).unwrap();
    assert_eq!((second.fields, second.kept), (8, 4));
    assert!(second.digest != first.digest && !left.exists());
    assert!(found(to.path()).problems.is_empty());
    let made = ImageStore::open(to.path()).unwrap().load(5).unwrap();
    assert!(made.plane(4).iter().all(|&v| v == 0.0), "a constant channel is black");
}

#[test]
fn verification_names_what_is_missing_changed_and_extra() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    raw(from.path());
    run(from.path(), to.path(), &png()).unwrap();
    let all = ids();
    let path = |i: usize, channel| file(to.path(), &all[i], channel, "png");
    fs::remove_file(path(0, "DNA")).unwrap();
    fs::copy(path(1, "DNA"), path(1, "ER")).unwrap();
    let mut flipped = fs::read(path(2, "AGP")).unwrap();
    let at = flipped.len() / 2;
    flipped[at] ^= 1;
    fs::write(path(2, "AGP"), flipped).unwrap();
    fs::copy(path(3, "DNA"), path(3, "DNA").with_file_name("source_1__P1__Z09__1__DNA.png")).unwrap();
    assert_eq!(reasons(&found(to.path())), ["missing", "changed", "changed", "extra"]);

    let packed = tempfile::tempdir().unwrap();
    let report = run(from.path(), packed.path(), &PrepareOptions::default()).unwrap();
    let plate = |n: usize| packed.path().join(format!("source_{n}__b_1__P{n}.bplate"));
    // The right container with the pixels of another recipe.
    let other = tempfile::tempdir().unwrap();
    let store = ImageStore::open_with(from.path(), &Recipe { crop: Some(20), ..Recipe::JUMP }.options()).unwrap();
    write(&store, other.path(), &PrepareOptions::default(), &silent).unwrap();
    fs::copy(other.path().join("source_1__b_1__P1.bplate"), plate(1)).unwrap();
    fs::remove_file(plate(2)).unwrap();
    assert_eq!(reasons(&found(packed.path())), ["changed", "changed", "changed", "changed", "missing"]);
    assert!(report.prepared.is_file() && verify(from.path()).is_err());
}

#[test]
fn a_folder_holds_images_of_one_recipe() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    raw(from.path());
    run(from.path(), to.path(), &png()).unwrap();
    let store = ImageStore::open_with(from.path(), &Recipe::BRAY.options()).unwrap();
    let error = write(&store, to.path(), &png(), &silent).unwrap_err();
    assert_eq!((error.reason(), error.kind()), ("occupied", ErrorKind::Usage));
    let keep = ImageStore::open_with(from.path(), &Recipe { depth: Depth::Keep, ..small() }.options()).unwrap();
    let wide = tempfile::tempdir().unwrap();
    let error = write(&keep, &wide.path().join("png"), &png(), &silent).unwrap_err();
    assert!(error.to_string().contains("PNG output has 8 bits"), "{error}");
    let report = write(&keep, &wide.path().join("packed"), &PrepareOptions::default(), &silent).unwrap();
    assert!(matches!(ImageStore::open(&wide.path().join("packed")).unwrap().load(3).unwrap().pixels, Pixels::U16(_)));
    assert!(report.fields == 8 && found(&wide.path().join("packed")).problems.is_empty());
}

#[test]
fn fields_are_left_out_for_their_quality_and_come_back_when_the_filter_goes() {
    let from = tempfile::tempdir().unwrap();
    raw(from.path());
    let all = ids();
    write_tiff(&file(from.path(), &all[2], "Mito", "tif"), 30, 40, &[500; 1200]);
    write_tiff(&file(from.path(), &all[6], "DNA", "tif"), 30, 40, &[65535; 1200]);
    let filter = QcFilter { drop_empty: true, max_saturated: Some(0.5), min_focus: None };
    for options in [png(), PrepareOptions::default()] {
        let to = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let report = run(from.path(), to.path(), &PrepareOptions { filter, ..options }).unwrap();
            let names: Vec<(&str, &str)> =
                report.problems.iter().map(|p| (p.name.as_str(), p.reason.as_str())).collect();
            let wanted = [2, 6].map(|i| all[i].to_string());
            assert_eq!(names, [(wanted[0].as_str(), "quality"), (wanted[1].as_str(), "quality")]);
            assert!(report.problems[0].message.contains("channel `Mito` is empty"));
            assert_eq!(report.fields, 6);
            assert_eq!(ImageStore::open(to.path()).unwrap().len(), 6);
            assert!(found(to.path()).problems.is_empty());
            let quality = Csv::read(&report.quality).unwrap();
            let out = quality.column(&["left_out"]).unwrap();
            assert_eq!(quality.rows.iter().filter(|(_, row)| row[out] == "true").count(), 2);
            assert_eq!(quality.rows.len(), 8, "what is left out is measured too");
        }
        let report = run(from.path(), to.path(), &options).unwrap();
        assert_eq!((report.fields, report.problems.len()), (8, 0));
        if options.output == Output::Png {
            assert_eq!(report.kept, 6);
            let report = run(from.path(), to.path(), &PrepareOptions { filter, ..options }).unwrap();
            assert_eq!((report.fields, report.kept), (6, 6));
            assert!(!file(to.path(), &all[2], "DNA", "png").exists() && found(to.path()).problems.is_empty());
        }
    }
}

#[test]
fn damaged_fields_end_the_run_or_are_listed_and_tried_again() {
    let from = tempfile::tempdir().unwrap();
    raw(from.path());
    let all = ids();
    let broken = file(from.path(), &all[3], "ER", "tif");
    let sound = fs::read(&broken).unwrap();
    fs::write(&broken, &sound[..sound.len() / 2]).unwrap();
    for options in [png(), PrepareOptions::default()] {
        let to = tempfile::tempdir().unwrap();
        fs::write(&broken, &sound[..sound.len() / 2]).unwrap();
        let error = run(from.path(), to.path(), &options).unwrap_err();
        assert!(error.reason() == "corrupt" && error.to_string().contains("P1__C07__2__ER.tif"), "{error}");
        let skip = PrepareOptions { policy: Policy::Skip, ..options };
        for _ in 0..2 {
            let report = run(from.path(), to.path(), &skip).unwrap();
            assert_eq!((report.fields, report.problems.len()), (7, 1));
            assert!(report.problems[0].name == all[3].to_string() && found(to.path()).problems.is_empty());
        }
        fs::write(&broken, &sound).unwrap();
        let report = run(from.path(), to.path(), &options).unwrap();
        assert_eq!((report.fields, report.problems.len()), (8, 0));
    }
}

#[test]
fn a_file_that_goes_after_the_scan_is_listed() {
    let from = tempfile::tempdir().unwrap();
    raw(from.path());
    let gone = file(from.path(), &ids()[4], "AGP", "tif");
    for options in [png(), PrepareOptions::default()] {
        raw(from.path());
        let store = ImageStore::open_with(from.path(), &small().options()).unwrap();
        fs::remove_file(&gone).unwrap();
        let to = tempfile::tempdir().unwrap();
        let skip = PrepareOptions { policy: Policy::Skip, ..options };
        let report = write(&store, to.path(), &skip, &silent).unwrap();
        assert_eq!((report.fields, report.problems[0].reason.as_str()), (7, "missing"));
        assert!(found(to.path()).problems.is_empty());
        assert_eq!(write(&store, to.path(), &options, &silent).unwrap_err().reason(), "missing");
    }
}

#[test]
fn a_sample_of_sites_is_prepared() {
    use bench_images::sites::{Rule, choose_fields};
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    raw(from.path());
    let mut store = ImageStore::open_with(from.path(), &small().options()).unwrap();
    let known = |_: &bench_images::FieldId| ("TARGET2", "trt");
    let chosen = choose_fields(Rule::Count(1), bench_core::Seed(1), store.ids(), &known);
    store.retain(&|id| chosen.contains(id));
    let report = write(&store, to.path(), &PrepareOptions::default(), &silent).unwrap();
    assert_eq!((report.plates, report.fields), (2, 4));
    assert!(ImageStore::open(to.path()).unwrap().ids().iter().eq(&chosen));
}

#[derive(Deserialize)]
struct Golden {
    tolerance: i16,
    tolerance_resized: i16,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    height: u32,
    width: u32,
    kind: String,
    pixels: Vec<f64>,
    crop: Option<usize>,
    depth: serde_json::Value,
    resize: Option<usize>,
    function: Option<Function>,
    out: [usize; 2],
    expected: Vec<u8>,
    quality: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Function {
    descr: String,
    values: Vec<f64>,
}

/// A NumPy file of version 1, or of version 2 for big numbers.
fn npy(function: &Function, height: u32, width: u32) -> Vec<u8> {
    let big = function.descr.starts_with('>');
    let header = format!("{{'descr': '{}', 'fortran_order': False, 'shape': ({height}, {width}), }}\n", function.descr);
    let mut bytes = b"\x93NUMPY".to_vec();
    if big {
        bytes.extend([2, 0]);
        bytes.extend((header.len() as u32).to_le_bytes());
    } else {
        bytes.extend([1, 0]);
        bytes.extend((header.len() as u16).to_le_bytes());
    }
    bytes.extend(header.bytes());
    for &value in &function.values {
        match function.descr.as_str() {
            "<f8" => bytes.extend(value.to_le_bytes()),
            "<f4" => bytes.extend((value as f32).to_le_bytes()),
            ">f4" => bytes.extend((value as f32).to_be_bytes()),
            other => panic!("{other}"),
        }
    }
    bytes
}

fn write_raw(path: &Path, case: &Case) {
    use tiff::encoder::{TiffEncoder, colortype};
    let mut encoder = TiffEncoder::new(fs::File::create(path).unwrap()).unwrap();
    let (w, h) = (case.width, case.height);
    match case.kind.as_str() {
        "uint8" => {
            let values: Vec<u8> = case.pixels.iter().map(|&v| v as u8).collect();
            encoder.write_image::<colortype::Gray8>(w, h, &values).unwrap();
        }
        "uint16" => {
            let values: Vec<u16> = case.pixels.iter().map(|&v| v as u16).collect();
            encoder.write_image::<colortype::Gray16>(w, h, &values).unwrap();
        }
        _ => {
            let values: Vec<f32> = case.pixels.iter().map(|&v| v as f32).collect();
            encoder.write_image::<colortype::Gray32Float>(w, h, &values).unwrap();
        }
    }
}

#[test]
fn recipes_give_the_pixels_that_numpy_and_pillow_give() {
    let text = include_str!("../../../../tests/goldens/images_prepare.json");
    let golden: Golden = serde_json::from_str(text).unwrap();
    assert_eq!(golden.cases.len(), 13);
    for (n, case) in golden.cases.iter().enumerate() {
        let root = tempfile::tempdir().unwrap();
        write_raw(&root.path().join("x.tif"), case);
        let place = "source_1,b,p,A01,1";
        let mut table = format!(
            "Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_Site,DNA,AGP,ER,Mito,RNA,{}\n{place}",
            CHANNELS.map(|c| format!("FileName_Illum{c}")).join(",")
        );
        table.push_str(&",x.tif".repeat(5));
        table.push_str(&if case.function.is_some() { ",f.npy" } else { "," }.repeat(5));
        fs::write(root.path().join("t.csv"), table).unwrap();
        if let Some(function) = &case.function {
            fs::write(root.path().join("f.npy"), npy(function, case.height, case.width)).unwrap();
        }
        let depth = match case.depth.as_array() {
            Some(q) => Depth::Percentiles { low: q[0].as_f64().unwrap(), high: q[1].as_f64().unwrap() },
            None => Depth::Bray,
        };
        let illumination = case.function.as_ref().map(|_| Illumination::Table);
        let recipe = Recipe { crop: case.crop, depth, resize: case.resize, illumination };
        let store = ImageStore::open_with(&root.path().join("t.csv"), &recipe.options()).unwrap();
        assert_eq!(store.shape(0).unwrap(), (case.out[0], case.out[1]), "case {n}");
        let to = root.path().join("out");
        let report = write(&store, &to, &png(), &silent).unwrap();
        let made = ImageStore::open(&to).unwrap().load(0).unwrap();
        let Image { height, width, pixels: Pixels::U8(pixels), .. } = made else { panic!("8 bits") };
        assert_eq!([height, width], case.out, "case {n}");
        // Files of 8 bits that nothing corrected stay as they are; here they are always corrected.
        let tolerance = if case.resize.is_some() { golden.tolerance_resized } else { golden.tolerance };
        for (i, (ours, theirs)) in pixels.iter().step_by(5).zip(&case.expected).enumerate() {
            let difference = i16::from(*ours) - i16::from(*theirs);
            assert!(difference.abs() <= tolerance, "case {n}, pixel {i}: {ours} {theirs}");
        }
        let quality = Csv::read(&report.quality).unwrap();
        for (name, theirs) in &case.quality {
            let column = quality.column(&[&format!("{name}_DNA")]).unwrap();
            let ours: f64 = quality.rows[0].1[column].parse().unwrap();
            assert!((ours - theirs).abs() <= 1e-12 * theirs.abs(), "case {n}, {name}: {ours} {theirs}");
        }
    }
}

#[test]
fn illumination_functions_come_from_templates_and_bad_ones_are_named() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    raw(from.path());
    let template = || Some(Illumination::Template("illum/{source}/{plate}_Illum{channel}.npy".into()));
    let options = Recipe { illumination: template(), ..small() }.options();
    let store = ImageStore::open_with(from.path(), &options).unwrap();
    assert_eq!(store.load(0).unwrap_err().reason(), "missing");
    let name =
        |source: usize, channel: &str| from.path().join(format!("illum/source_{source}/P{source}_Illum{channel}.npy"));
    let flat = |value: f64, n: usize| Function { descr: "<f8".into(), values: vec![value; n] };
    for source in [1, 2] {
        for channel in CHANNELS {
            fs::create_dir_all(name(source, channel).parent().unwrap()).unwrap();
            fs::write(name(source, channel), npy(&flat(2.0, 1200), 30, 40)).unwrap();
        }
    }
    // A constant function changes nothing that percentiles see.
    let plain = ImageStore::open_with(from.path(), &small().options()).unwrap();
    let store = ImageStore::open_with(from.path(), &options).unwrap();
    for i in 0..8 {
        assert_eq!(store.load(i).unwrap(), plain.load(i).unwrap());
    }
    let first = write(&store, to.path(), &png(), &silent).unwrap();
    assert_eq!(write(&store, to.path(), &png(), &silent).unwrap().kept, 8);
    // A function that changes concerns its plate alone.
    let mut steep = flat(1.0, 1200);
    steep.values[..600].fill(3.0);
    fs::write(name(2, "ER"), npy(&steep, 30, 40)).unwrap();
    let store = ImageStore::open_with(from.path(), &options).unwrap();
    let second = write(&store, to.path(), &png(), &silent).unwrap();
    assert!(second.kept == 4 && second.digest != first.digest);
    let sound = fs::read(name(2, "ER")).unwrap();
    for (bytes, part) in [
        (npy(&flat(1.0, 1200), 40, 30), "40 x 30 values, and the image 30 x 40 px"),
        (npy(&flat(0.0, 1200), 30, 40), "cannot be divided by it"),
        (sound[..500].to_vec(), "bytes of values"),
        (sound[..9].to_vec(), "ends inside its header"),
        (b"no array".to_vec(), "no NumPy array"),
    ] {
        fs::write(name(2, "ER"), bytes).unwrap();
        let store = ImageStore::open_with(from.path(), &options).unwrap();
        let error = store.load(7).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("P2_IllumER.npy"), "{error}");
    }
    let table = Recipe { illumination: Some(Illumination::Table), ..small() };
    assert_eq!(ImageStore::open_with(from.path(), &table.options()).unwrap_err().reason(), "setting");
}
