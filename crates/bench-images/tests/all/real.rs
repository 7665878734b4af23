//! Real 16-bit fields as they are, if the folder of shared data lies beside the repository.

use std::path::{Path, PathBuf};

use bench_images::csv::Csv;
use bench_images::features::{FeatureSet, measure, names};
use bench_images::{ImageStore, StoreOptions, Window, store::scale::Depth};

fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/cell_painting_images");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not here", folder.display());
        return None;
    }
    Some(folder)
}

/// The ids of a row: the table names groups and perturbations, not sources and sites.
fn place(source: &str, group: &str, plate: &str, well: &str, file: &str) -> String {
    let source = if source.contains("two_sources") { group } else { "cpjump1" };
    let site = if file.contains("f05") { "5" } else { "1" };
    let plate = plate.trim_end_matches('?');
    // Two fields of one plate and well differ in their group.
    format!("{source},{group},{plate},{well},{site}")
}

#[test]
fn real_fields_load_as_they_are_through_a_small_table() {
    let Some(folder) = shared() else { return };
    let table = Csv::read(&folder.join("manifest.csv")).unwrap();
    let column = |name: &str| table.column(&[name]).unwrap();
    let [file, group, plate, well, channel] = ["file", "group", "plate", "well", "channel"].map(column);
    let mut text =
        "Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_Site,file,channel\n".to_owned();
    for (_, row) in &table.rows {
        let place = place(&row[file], &row[group], &row[plate], &row[well], &row[file]);
        text.push_str(&format!("{place},{},{}\n", row[file], row[channel]));
    }
    let here = tempfile::tempdir().unwrap();
    let manifest = here.path().join("fields.csv");
    std::fs::write(&manifest, text).unwrap();

    let options = StoreOptions { root: Some(folder.clone()), ..StoreOptions::default() };
    let store = ImageStore::open_with(&manifest, &options).unwrap();
    assert_eq!(store.len(), 8);
    assert!(store.verify().is_empty());
    let mut sides: Vec<usize> = (0..8).map(|i| store.shape(i).unwrap().0).collect();
    sides.sort_unstable();
    assert_eq!(sides, [384, 384, 512, 512, 512, 512, 768, 768]);

    // Means of the raw pixels are those that NumPy wrote into the table.
    let raw = StoreOptions { depth: Depth::Keep, centre_crop: None, ..options };
    let raw = ImageStore::open_with(&manifest, &raw).unwrap();
    let mean = column("mean");
    let images: Vec<_> = (0..raw.len()).map(|i| raw.load(i).unwrap()).collect();
    for (_, row) in &table.rows {
        let place = place(&row[file], &row[group], &row[plate], &row[well], &row[file]).replace(',', "__");
        let index = raw.ids().iter().position(|id| id.to_string() == place).unwrap();
        let c = raw.channels().iter().position(|name| name == &row[channel]).unwrap();
        let plane = images[index].plane(c);
        let ours = plane.iter().map(|&v| f64::from(v) * 65535.0).sum::<f64>() / plane.len() as f64;
        let theirs: f64 = row[mean].parse().unwrap();
        assert!((ours - theirs).abs() < 1e-3 * theirs, "{}: {ours} {theirs}", row[file]);
    }

    // The normal field has more nuclei than the one whose cells the compound killed.
    let count = |batch: &str, well: &str| {
        let index = store.ids().iter().position(|id| id.batch == batch && id.well == well).unwrap();
        let all = names(FeatureSet::Simple, store.channels());
        let values = measure(FeatureSet::Simple, &store.load(index).unwrap(), 200);
        assert!(values.iter().all(|v| v.is_finite()));
        values[all.iter().position(|n| n == "Nuclei_Count").unwrap()]
    };
    let (untreated, killed) = (count("B2", "D14"), count("B3", "L09"));
    assert!(untreated > 50.0 && killed < 0.5 * untreated, "{untreated} {killed}");
    let window = Window { top: 100, left: 50, height: 64, width: 128 };
    assert_eq!(store.load_crop(0, window).unwrap(), store.load(0).unwrap().crop(window).unwrap());
}
