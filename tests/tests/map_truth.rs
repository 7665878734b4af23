//! Average precision that the authors of copairs published for two plates, recomputed from the profiles.
//!
//! The data set's README has the recipe: positives are wells of the same compound, negatives the DMSO wells
//! (`wrt_Control`) or every other well (`wrt_Treatment`). Skipped, with a notice, where the data sets are absent.
//!
//! Tolerances: AP and mAP 1e-6; of the wells of one file at most 2 % may differ by up to 0.06, because the published
//! values come from products in 32 bits and a sort that puts positives before negatives of equal similarity. p is
//! random on both sides: five standard errors of two nulls of 10,000.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use bench_core::{Factor, Layout, Matrix};
use bench_eval::embedding::biology::map::presets::{COPAIRS_ACTIVITY, PEER_NULL};
use bench_eval::embedding::biology::map::run::mean_average_precision;
use bench_eval::embedding::biology::map::{MapTable, PairRule};
use bench_eval::embedding::{Roles, Space};
use bench_tests::shared;

const PLATES: [&str; 2] = ["BR00122250", "BR00122247"];
const TABLES: [&str; 2] = ["normalized_feature_select_negcon_batch", "normalized_negcon_pc"];

/// Every other well is a negative; naming `kind` lets control wells take part.
static TREATMENT: PairRule<'static> =
    PairRule { pos_sameby: &["kind", "compound"], pos_diffby: &[], neg_sameby: &["plate"], neg_diffby: &["compound"] };

/// Header and rows of a CSV file, gzipped or not, with quoted cells.
fn read(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let mut text = String::new();
    let file = fs::File::open(path).expect("a table");
    if path.extension().is_some_and(|extension| extension == "gz") {
        flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).expect("text");
    } else {
        std::io::BufReader::new(file).read_to_string(&mut text).expect("text");
    }
    let mut rows: Vec<Vec<String>> = text
        .lines()
        .map(|line| {
            let (mut cells, mut quoted) = (vec![String::new()], false);
            for character in line.chars() {
                match character {
                    '"' => quoted = !quoted,
                    ',' if !quoted => cells.push(String::new()),
                    other => cells.last_mut().expect("a cell").push(other),
                }
            }
            cells
        })
        .collect();
    (rows.remove(0), rows)
}

/// Treated and control wells of one plate.
struct Plate {
    wells: Vec<String>,
    treated: Matrix,
    controls: Matrix,
    layout: Layout,
    control_layout: Layout,
}

fn plate(path: &Path) -> Plate {
    let (header, rows) = read(path);
    let column = |name: &str| header.iter().position(|column| column == name).expect("the column");
    let (sample, well) = (column("Metadata_broad_sample"), column("Metadata_Well"));
    let number = |row: &[String], at: usize| row[at].parse::<f32>().ok().filter(|value| value.is_finite());
    let features: Vec<usize> = (0..header.len())
        .filter(|&at| !header[at].starts_with("Metadata"))
        .filter(|&at| rows.iter().all(|row| number(row, at).is_some()))
        .collect();
    let part =
        |treated: bool| -> Vec<&Vec<String>> { rows.iter().filter(|row| row[sample].is_empty() != treated).collect() };
    let matrix = |rows: &[&Vec<String>]| {
        let data = rows.iter().flat_map(|row| features.iter().filter_map(|&at| number(row, at))).collect();
        Matrix::new(rows.len(), features.len(), data)
    };
    let layout = |rows: &[&Vec<String>]| Layout {
        rows: rows.len(),
        plate: Some(Factor::first_seen(&vec!["plate"; rows.len()])),
        compound: Some(Factor::first_seen(&rows.iter().map(|row| row[sample].as_str()).collect::<Vec<_>>())),
        file_row: (0..rows.len() as u64).collect(),
        ..Layout::default()
    };
    let (treated, controls) = (part(true), part(false));
    Plate {
        wells: treated.iter().map(|row| row[well].clone()).collect(),
        treated: matrix(&treated),
        controls: matrix(&controls),
        layout: layout(&treated),
        control_layout: layout(&controls),
    }
}

fn compare(folder: &Path, stem: &str, against: &str, plate: &Plate, table: &MapTable) {
    let file = |what: &str| folder.join(format!("{stem}_{what}_NegconNorm_mAP_wrt_{against}_woNAN.csv"));
    let (header, rows) = read(&file("Result"));
    let column = |name: &str| header.iter().position(|column| column == name).expect("the column");
    let published: BTreeMap<&str, &Vec<String>> =
        rows.iter().map(|row| (row[column("Metadata_Well")].as_str(), row)).collect();
    let mut apart = 0;
    for row in &table.rows {
        let published = published[plate.wells[row.row as usize].as_str()];
        let number = |name: &str| published[column(name)].parse::<f64>().expect("a number");
        assert_eq!((row.positives as f64, row.all as f64), (number("n_pos_pairs"), number("n_total_pairs")));
        let difference = (row.average_precision - number("average_precision")).abs();
        assert!(difference < 0.06, "{stem} {against}: {difference}");
        apart += usize::from(difference > 1e-6);
    }
    assert!(apart * 50 <= table.rows.len(), "{stem} {against}: {apart} of {} wells differ", table.rows.len());

    let (header, rows) = read(&file("Aggregate_result"));
    let column = |name: &str| header.iter().position(|column| column == name).expect("the column");
    let published: BTreeMap<&str, &Vec<String>> =
        rows.iter().map(|row| (row[column("Metadata_broad_sample")].as_str(), row)).collect();
    let mut equal = 0;
    for group in &table.groups {
        let published = published[group.name.as_str()];
        let number = |name: &str| published[column(name)].parse::<f64>().expect("a number");
        if (group.mean_average_precision - number("mean_average_precision")).abs() > 1e-6 {
            continue;
        }
        equal += 1;
        let p = number("p_value");
        let error = (p * (1.0 - p) / PEER_NULL.size as f64).sqrt().max(group.standard_error);
        assert!(
            (group.p - p).abs() < 5.0 * 2f64.sqrt() * error + 2e-4,
            "{stem} {against} {}: {} {p}",
            group.name,
            group.p
        );
    }
    assert_eq!(table.groups.len(), 90);
    assert!(equal >= 85, "{stem} {against}: {equal} of 90 compounds agree");
}

#[test]
fn published_average_precision_is_reproduced() {
    let Some(folder) = shared("copairs_map_truth") else { return };
    for name in PLATES {
        for table in TABLES {
            let stem = format!("{name}_{table}");
            let plate = plate(&folder.join(format!("{stem}.csv.gz")));
            let compounds = plate.layout.compound.as_ref().expect("compounds");
            let space = Space::new(&plate.treated, &plate.controls);
            let roles = Roles {
                label: compounds,
                unit: plate.layout.plate.as_ref().expect("a plate"),
                unit_name: "plate",
                layout: &plate.layout,
                controls: &plate.control_layout,
            };
            for (against, rule) in [("Control", &COPAIRS_ACTIVITY), ("Treatment", &TREATMENT)] {
                let found = mean_average_precision(&space, &roles, rule, compounds, PEER_NULL).expect("a table");
                compare(&folder, &stem, against, &plate, &found);
            }
        }
    }
}
