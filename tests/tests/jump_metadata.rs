//! Real metadata of JUMP-CP: the manifest of TARGET2 plates, and the join of JUMP's tables on them.
//! Skipped, with a notice, where the shared data are not beside the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use bench_data::read_columns;
use bench_run::Silent;
use bench_run::manifest::Manifest;
use bench_run::produce::Field;
use bench_run::produce::jump::{PlateName, Tables};
use bench_tests::{bench, folder, shared};

/// The plates of source_4 whose wells are here.
const PLATES: [&str; 5] = ["BR00127145", "BR00127146", "BR00127147", "BR00127148", "BR00127149"];
/// The first nine targets in alphabetical order, and those among wells that the reference's join keeps.
const NINE: [&str; 9] = ["ABL1", "ADA", "ADH1C", "ADORA2A", "ADRA2B", "AGER", "AKR1B1", "AKR1C1", "AKT1"];
const NINE_JOINED: [&str; 9] = ["ABL1", "ADH1C", "ADORA2A", "ADRA2B", "AGER", "AKR1B1", "AKR1C1", "ALDH2", "ALK"];

#[test]
fn the_manifest_lists_the_target2_plates_of_jump() {
    let Some(table) = shared("jump_metadata/plate.csv.gz") else { return };
    let names = ["Metadata_Source", "Metadata_Batch", "Metadata_Plate", "Metadata_PlateType"];
    let columns = read_columns(&table, &names).expect("JUMP's table of plates");
    let of = |row: usize| [0, 1, 2].map(|column: usize| columns[column][row].clone());
    let (theirs, others): (Vec<usize>, Vec<usize>) =
        (0..columns[0].len()).partition(|&row| columns[3][row] == "TARGET2");
    let theirs: BTreeSet<[String; 3]> = theirs.into_iter().map(of).collect();
    let manifest = Manifest::load("cpg0016-target2").expect("embedded");
    let ours: BTreeSet<[String; 3]> =
        manifest.plates().map(|plate| [&plate.source, &plate.batch, &plate.barcode].map(String::clone)).collect();
    assert_eq!(ours, theirs);
    assert_eq!(ours.len(), 141);
    // A barcode is enough to hold a plate out: no plate of another type bears one of them.
    assert!(others.len() > 2000);
    assert!(others.into_iter().all(|row| manifest.plate(&columns[2][row]).is_none()));
    for (file, path) in
        [("plate.csv.gz", "metadata/plate.csv.gz"), ("perturbation_control.csv", "metadata/perturbation_control.csv")]
    {
        let origin = manifest.tables.iter().find(|table| table.path == path).expect("an origin");
        let digest = bench_core::digest::of_file(&table.with_file_name(file)).expect("read");
        assert_eq!(origin.sha256.as_deref(), Some(digest.as_str()), "{file}");
    }
}

/// The shared tables in a folder of their own, with the wells of five plates and the compounds that
/// these wells name; the compounds' keys are those of the layout table.
fn tables(base: &Path, wells: bool) -> tempfile::TempDir {
    let folder = folder();
    let metadata = folder.path().join("metadata");
    fs::create_dir(&metadata).expect("made");
    let copied = [
        "plate.csv.gz",
        "perturbation_control.csv",
        "JUMP-Target-2_compound_metadata.tsv",
        "JUMP-Target-2_compound_metadata.2021-05-03.tsv",
        "JUMP-Target-2_compound_platemap.tsv",
    ];
    for name in copied {
        fs::copy(base.join(name), metadata.join(name)).expect("copied");
    }
    if wells {
        fs::copy(base.join("source4_batch13_target2.csv"), metadata.join("well.csv")).expect("copied");
        let columns = layout(base, &["jcp2022", "InChIKey", "smiles"]);
        let cells = |row: usize| [0, 1, 2].map(|column: usize| columns[column][row].as_str()).join(",");
        let rows: BTreeSet<String> = (0..columns[0].len()).map(cells).collect();
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let text = format!("Metadata_JCP2022,Metadata_InChIKey,Metadata_SMILES\n{}\n", rows.join("\n"));
        fs::write(metadata.join("compound.csv"), text).expect("written");
    }
    folder
}

fn layout(base: &Path, names: &[&str]) -> Vec<Vec<String>> {
    read_columns(&base.join("target2_layout_384.csv"), names).expect("the derived layout")
}

fn join(folder: &Path, plates: &[[&str; 3]]) -> Result<BTreeMap<String, Field>, String> {
    let images: BTreeSet<PlateName> = plates.iter().map(|plate| plate.map(str::to_owned)).collect();
    let tables = Tables::find(folder).map_err(|error| error.to_string())?.expect("JUMP's tables");
    tables.join(&images, &Silent).map_err(|error| error.to_string())
}

/// Fields of the wells of a plate.
fn of_plate<'a>(fields: &'a BTreeMap<String, Field>, plate: &str) -> Vec<&'a Field> {
    let infix = format!("\t{plate}\t");
    fields.iter().filter(|(key, _)| key.contains(&infix)).map(|(_, field)| field).collect()
}

/// Wells by label.
fn count<'a>(labels: impl Iterator<Item = &'a String>) -> BTreeMap<&'a str, usize> {
    let mut wells = BTreeMap::new();
    labels.filter(|label| !label.is_empty()).for_each(|label| *wells.entry(label.as_str()).or_default() += 1);
    wells
}

fn five() -> Vec<[&'static str; 3]> {
    PLATES.iter().map(|plate| ["source_4", "2021_08_30_Batch13", *plate]).collect()
}

#[test]
fn the_wells_of_real_plates_get_the_targets_of_the_layout() {
    let Some(base) = shared("jump_metadata") else { return };
    let folder = tables(&base, true);
    let fields = join(folder.path(), &five()).expect("joined");
    assert_eq!(fields.len(), 4 * 384 + 382);
    for plate in PLATES {
        let wells = of_plate(&fields, plate);
        let target = count(wells.iter().map(|field| &field.target));
        let kept = count(wells.iter().map(|field| &field.target_reference_join));
        assert_eq!(target.len(), 160, "{plate}");
        assert_eq!(wells.iter().filter(|field| field.pert_type == "negcon").count(), 64, "{plate}");
        assert!(wells.iter().all(|field| field.plate_type == "TARGET2"));
        assert!(wells.iter().all(|field| field.target.is_empty() == field.target_list.is_empty()));
        if plate == "BR00127147" {
            // F16 (MAPK8) and F22 (CHEK2) are not in JUMP's table.
            assert_eq!(target.values().sum::<usize>(), 318);
            let single: Vec<&str> = target.iter().filter(|(_, wells)| **wells == 1).map(|(name, _)| *name).collect();
            assert_eq!(single, ["CHEK2", "MAPK8"]);
        } else {
            assert_eq!(target.values().sum::<usize>(), 320, "{plate}");
            assert!(target.values().all(|wells| *wells == 2), "{plate}: {target:?}");
            assert_eq!(kept.values().sum::<usize>(), 188, "{plate}");
            assert_eq!((kept.len(), kept.values().filter(|wells| **wells == 2).count()), (118, 70), "{plate}");
        }
    }
}

#[test]
fn layout_and_wells_agree_and_the_layout_is_not_applied_elsewhere() {
    let Some(base) = shared("jump_metadata") else { return };
    let (with, without) = (tables(&base, true), tables(&base, false));
    let by_wells = join(with.path(), &five()).expect("joined");
    let by_layout = join(without.path(), &five()).expect("the layout holds");
    assert_eq!(by_layout.len(), 5 * 384);
    for (key, field) in &by_wells {
        let other = &by_layout[key];
        let control = field.pert_type == "negcon";
        assert_eq!(other.pert_type == "negcon", control, "{key}");
        // Positive controls differ: JUMP's table names eight compounds, the layout 46. DMSO is
        // written in two ways.
        let structure = |field: &Field| if control { String::new() } else { field.structure.clone() };
        let rest = |field: &Field| Field { pert_type: String::new(), structure: structure(field), ..field.clone() };
        assert_eq!(rest(field), rest(other), "{key}");
    }
    let manifest = Manifest::load("cpg0016-target2").expect("embedded");
    for plate in manifest.plates().filter(|plate| !plate.standard_layout) {
        let error = join(without.path(), &[[&plate.source, &plate.batch, &plate.barcode]]).expect_err("not applied");
        assert!(error.contains(&plate.barcode) && error.contains(&plate.wells.to_string()), "{error}");
    }
}

#[test]
fn the_rule_of_the_suite_gives_the_first_nine_targets() {
    let Some(base) = shared("jump_metadata") else { return };
    let columns = layout(&base, &["well", "InChIKey", "control_type", "target", "matched_by_reference_join"]);
    let folder = folder();
    let table: PathBuf = folder.path().join("table.csv");
    let mut text =
        "Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_InChIKey,Metadata_pert_type,target,\
                    target_reference_join,emb_0,emb_1\n"
            .to_owned();
    for plate in 0..6 {
        for (row, well) in columns[0].iter().enumerate() {
            let [key, control, target, kept] = [1, 2, 3, 4].map(|column: usize| columns[column][row].as_str());
            let role = if control == "negcon" { "negcon" } else { "trt" };
            let joined = if kept == "True" { target } else { "" };
            let (value, other) = ((row * 7919 + plate * 31) % 1009, (row * 104_729 + plate * 17) % 997);
            let unit = format!("s{},b{},p{plate},{well}", plate / 2, plate % 2);
            let _ = writeln!(text, "{unit},{key},{role},{target},{joined},{value}.5,{other}.25");
        }
    }
    fs::write(&table, text).expect("written");
    let labels = |flags: &[&str]| -> Vec<String> {
        let done = bench().arg("validate").arg(&table).args(["--suite", "target2"]).args(flags).assert().code(0);
        let told = String::from_utf8_lossy(&done.get_output().stdout).into_owned();
        let rows = told.lines().filter_map(|line| line.trim().strip_prefix("label `"));
        rows.map(|rest| rest.split('`').next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(labels(&[]), NINE);
    assert_eq!(labels(&["--label", "target_reference_join"]), NINE_JOINED);
}
