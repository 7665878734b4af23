use std::collections::BTreeSet;

use super::*;
use crate::csv::Csv;
use crate::features::{FeatureSet, measure};
use crate::store::ImageStore;

fn silent(_: usize, _: usize) {}

fn tiny(dials: Dials) -> SimulationConfig {
    let mut config = SimulationConfig { dials, ..SimulationConfig::tiny() };
    config.training.compounds = 0;
    config.target2.plates_per_batch = 3;
    config
}

/// One measured field.
struct Row {
    source: String,
    plate: String,
    well: String,
    target: String,
    features: Vec<f32>,
}

fn measured(config: SimulationConfig) -> Vec<Row> {
    let simulator = Simulator::new(config).unwrap();
    let mut rows = Vec::new();
    for plate in simulator.plates() {
        for (well, site) in plate.fields() {
            let image = simulator.render(plate, well, site);
            let features = measure(FeatureSet::Simple, &image, 6);
            let target = well.compound.target.clone();
            rows.push(Row {
                source: plate.source.clone(),
                plate: plate.name.clone(),
                well: well.name(),
                target,
                features,
            });
        }
    }
    rows
}

/// Accuracy of a discriminant with one variance per feature, pooled over classes.
fn accuracy(rows: &[&Row], label: impl Fn(&Row) -> String, held_out: impl Fn(&Row) -> bool) -> (f64, usize) {
    let (test, train): (Vec<&Row>, Vec<&Row>) = rows.iter().copied().partition(|row| held_out(row));
    let classes: Vec<String> = train.iter().map(|row| label(row)).collect::<BTreeSet<_>>().into_iter().collect();
    let n = train[0].features.len();
    let mut means = vec![vec![0.0f64; n]; classes.len()];
    let mut counts = vec![0.0f64; classes.len()];
    let class_of = |row: &Row| classes.iter().position(|class| *class == label(row));
    for row in &train {
        let class = class_of(row).unwrap();
        counts[class] += 1.0;
        for (mean, value) in means[class].iter_mut().zip(&row.features) {
            *mean += f64::from(*value);
        }
    }
    for (mean, count) in means.iter_mut().zip(&counts) {
        mean.iter_mut().for_each(|m| *m /= count);
    }
    let mut variance = vec![1e-9f64; n];
    for row in &train {
        let mean = &means[class_of(row).unwrap()];
        for ((v, m), value) in variance.iter_mut().zip(mean).zip(&row.features) {
            *v += (f64::from(*value) - m).powi(2) / train.len() as f64;
        }
    }
    let right = test.iter().filter(|row| {
        let distance = |mean: &Vec<f64>| -> f64 {
            row.features.iter().zip(mean).zip(&variance).map(|((x, m), v)| (f64::from(*x) - m).powi(2) / v).sum()
        };
        let nearest = (0..classes.len()).min_by(|&a, &b| distance(&means[a]).total_cmp(&distance(&means[b])));
        nearest == class_of(row)
    });
    (right.count() as f64 / test.len() as f64, test.len())
}

/// The source of fields in wells that were not trained on.
fn source_accuracy(dials: Dials) -> (f64, usize) {
    let rows = measured(tiny(dials));
    let wells: BTreeSet<String> = rows.iter().map(|row| row.well.clone()).collect();
    let odd: BTreeSet<&String> = wells.iter().skip(1).step_by(2).collect();
    accuracy(&rows.iter().collect::<Vec<_>>(), |row| row.source.clone(), |row| odd.contains(&row.well))
}

#[test]
fn without_dials_the_source_cannot_be_told_and_with_them_it_can() {
    let (none, n) = source_accuracy(Dials::none());
    let chance = 1.0 / 3.0;
    let error = (chance * (1.0 - chance) / n as f64).sqrt();
    assert!((none - chance).abs() < 3.0 * error, "{none} over {n} fields");
    let (half, _) = source_accuracy(Dials::sources(0.3));
    let (full, _) = source_accuracy(Dials::sources(1.0));
    assert!(half > chance + 3.0 * error && full > 0.8 && full > half, "{none} {half} {full}");
}

#[test]
fn targets_show_in_other_plates_and_only_with_an_effect() {
    let of = |effect_size: f64| {
        let rows = measured(SimulationConfig { effect_size, ..tiny(Dials::none()) });
        let treated: Vec<&Row> = rows.iter().filter(|row| !row.target.is_empty()).collect();
        accuracy(&treated, |row| row.target.clone(), |row| row.plate.ends_with('3'))
    };
    let (none, n) = of(0.0);
    let error = (0.25 * 0.75 / n as f64).sqrt();
    assert!((none - 0.25).abs() < 3.0 * error, "{none} over {n} fields");
    let (full, _) = of(1.0);
    assert!(full > 0.6, "{full}");
}

#[test]
fn fields_do_not_depend_on_order_or_threads() {
    let simulator = Simulator::new(SimulationConfig::tiny()).unwrap();
    let plate = &simulator.plates()[3];
    let render = |(well, site): &(&plan::Well, usize)| simulator.render(plate, well, *site);
    let fields = plate.fields();
    let forward: Vec<Image> = fields.iter().map(render).collect();
    let mut backward: Vec<Image> = fields.iter().rev().map(render).collect();
    backward.reverse();
    assert_eq!(forward, backward);
    assert_ne!(forward[0], forward[1], "sites differ");

    let mut config = SimulationConfig::tiny();
    (config.sources, config.training.replicates) = (1, 1);
    let simulator = Simulator::new(config).unwrap();
    let folders = [1, 4].map(|threads| {
        let folder = tempfile::tempdir().unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| write(&simulator, folder.path(), &silent)).unwrap();
        folder
    });
    let files = |folder: &std::path::Path| -> Vec<(std::ffi::OsString, Vec<u8>)> {
        let mut out: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name(), std::fs::read(entry.path()).unwrap()))
            .collect();
        out.sort();
        out
    };
    assert_eq!(files(folders[0].path()), files(folders[1].path()));
}

#[test]
fn both_formats_hold_the_same_pixels_and_say_that_they_are_simulated() {
    let mut config = SimulationConfig::tiny();
    (config.sources, config.training.compounds, config.target2.targets) = (1, 4, 2);
    config.training.replicates = 1;
    let [packed, folder] = [Format::Packed, Format::Folder].map(|format| {
        let root = tempfile::tempdir().unwrap();
        let simulator = Simulator::new(SimulationConfig { format, ..config.clone() }).unwrap();
        let report = write(&simulator, root.path(), &silent).unwrap();
        assert_eq!(report.kept, 0);
        let again = write(&simulator, root.path(), &silent).unwrap();
        assert_eq!(again.kept, again.plates);
        let store = ImageStore::open(root.path()).unwrap();
        assert!(store.is_simulated() && output::is_simulated(root.path()));
        assert_eq!(store.len(), simulator.fields());
        let table = Csv::read(&report.metadata).unwrap();
        assert_eq!(table.rows.len(), store.len());
        let simulated = table.column(&["simulated"]).unwrap();
        assert!(table.rows.iter().all(|(_, row)| row[simulated] == "true"));
        if format == Format::Folder {
            let listed = ImageStore::open(&report.metadata).unwrap();
            assert_eq!(listed.ids(), store.ids(), "the table of fields is a table of files");
        }
        (root, store)
    });
    assert_eq!(packed.1.ids(), folder.1.ids());
    for i in 0..packed.1.len() {
        assert_eq!(packed.1.load(i).unwrap(), folder.1.load(i).unwrap());
    }
    let other = Simulator::new(SimulationConfig { seed: 99, ..config.clone() }).unwrap();
    let refused = write(&other, packed.0.path(), &silent).unwrap_err();
    assert_eq!(refused.reason(), "occupied");
}

#[test]
fn an_interrupted_simulation_ends_with_the_same_bytes() {
    let mut config = SimulationConfig::tiny();
    (config.sources, config.training.compounds, config.target2.targets) = (1, 4, 2);
    config.training.replicates = 1;
    for format in [Format::Packed, Format::Folder] {
        let simulator = Simulator::new(SimulationConfig { format, ..config.clone() }).unwrap();
        let root = tempfile::tempdir().unwrap();
        write(&simulator, root.path(), &silent).unwrap();
        let before = ImageStore::open(root.path()).unwrap();
        let pixels: Vec<Image> = (0..before.len()).map(|i| before.load(i).unwrap()).collect();
        let plate = &simulator.plates()[0];
        std::fs::remove_file(root.path().join("metadata.csv")).unwrap();
        match format {
            Format::Packed => {
                let (well, site) = plate.fields()[0];
                let path = root.path().join(format!("{}.bplate", plate.field_id(well, site).plate_key()));
                let bytes = std::fs::read(&path).unwrap();
                std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
            }
            Format::Folder => {
                let path = root.path().join(&plate.source).join(&plate.batch).join(&plate.name);
                std::fs::remove_file(path.join(".complete")).unwrap();
                std::fs::rename(&path, path.with_file_name(format!(".{}.tmp", plate.name))).unwrap();
            }
        }
        let report = write(&simulator, root.path(), &silent).unwrap();
        assert_eq!(report.kept, report.plates - 1);
        let after = ImageStore::open(root.path()).unwrap();
        assert!(pixels.iter().enumerate().all(|(i, image)| &after.load(i).unwrap() == image));
        assert!(report.metadata.is_file());
    }
}

#[test]
fn percentiles_use_the_whole_range() {
    let simulator =
        Simulator::new(SimulationConfig { conversion: Conversion::Percentiles, ..SimulationConfig::tiny() }).unwrap();
    let plate = &simulator.plates()[0];
    let image = simulator.render(plate, &plate.wells[0], 1);
    for channel in 0..5 {
        let plane = image.plane(channel);
        let (low, high) = plane.iter().fold((1.0f32, 0.0f32), |(l, h), &v| (l.min(v), h.max(v)));
        assert_eq!((low, high), (0.0, 1.0));
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let refused = |change: fn(&mut SimulationConfig)| {
        let mut config = SimulationConfig::tiny();
        change(&mut config);
        Simulator::new(config).unwrap_err().to_string()
    };
    assert!(refused(|c| c.sources = 40).starts_with("setting `sources` is between 1 and 13"));
    assert!(refused(|c| c.dials.blur = -1.0).starts_with("setting `dials.blur`"));
    assert!(refused(|c| c.target2.target_list = vec!["NOT1".to_owned()]).contains("`NOT1`"));
    assert!(serde_json::from_str::<SimulationConfig>(r#"{"sedd": 1}"#).is_err());
}
