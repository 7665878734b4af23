use std::fs;

use bench_images::simulate::{Format, SimulationConfig, Simulator, write};
use tempfile::TempDir;

use super::super::jump::tests::Notes;
use super::*;

/// A folder of a training plate and a plate to score, made of few small images.
fn simulated() -> TempDir {
    let mut config = SimulationConfig::tiny();
    (config.height, config.width, config.pixel_um) = (8, 8, 8.0);
    (config.sources, config.batches_per_source, config.format) = (1, 1, Format::Folder);
    (config.training.compounds, config.training.targets, config.training.replicates) = (3, 3, 1);
    (config.target2.targets, config.target2.plates_per_batch, config.target2.fields_per_well) = (2, 1, 1);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let simulator = Simulator::new(config).expect("in range");
    write(&simulator, folder.path(), &|_, _| {}).expect("written");
    folder
}

/// Writes the plate of this type again under another barcode, and without the mark of a simulation.
fn rename(folder: &Path, plate_type: &str, barcode: &str) {
    let table = folder.join("metadata.csv");
    let text = fs::read_to_string(&table).expect("a table");
    let row = text.lines().find(|row| row.contains(&format!(",{plate_type},"))).expect("a plate of the type");
    let cells: Vec<&str> = row.split(',').collect();
    let [source, batch, old] = [cells[0], cells[1], cells[2]];
    fs::write(&table, text.replace(old, barcode)).expect("written");
    let batch = folder.join(source).join(batch);
    fs::rename(batch.join(old), batch.join(barcode)).expect("renamed");
    for entry in fs::read_dir(batch.join(barcode)).expect("a folder").flatten() {
        let name = entry.file_name().to_string_lossy().replace(old, barcode);
        fs::rename(entry.path(), batch.join(barcode).join(name)).expect("renamed");
    }
    let _ = fs::remove_file(folder.join("simulation.json"));
}

fn open(folder: &Path) -> (Dataset, Notes) {
    let notes = Notes::default();
    (Dataset::open(folder, Policy::Error, &notes).expect("opens"), notes)
}

#[test]
fn the_tables_of_jump_give_what_one_table_gives() {
    let folder = simulated();
    let (one, _) = open(folder.path());
    let mut tables: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut row = |name: &'static str, cells: &[&str], separator: &str| {
        tables.entry(name).or_default().insert(cells.join(separator));
    };
    for (id, field) in one.store.ids().iter().zip(&one.fields) {
        let field = field.as_ref().expect("every image is in the table");
        let own =
            if field.pert_type == "negcon" { "JCP2022_033924".to_owned() } else { field.compound[..9].to_owned() };
        row("plate.csv", &[&id.source, &id.batch, &id.plate, &field.plate_type], ",");
        row("well.csv", &[&id.source, &id.plate, &id.well, &own], ",");
        row("compound.csv", &[&own, &field.compound, &field.structure], ",");
        let sample = if field.target.is_empty() { "NA" } else { &own };
        let cells = [sample, &field.compound, &field.target, "trt", "NA", &field.structure];
        row("JUMP-Target-2_compound_metadata.tsv", &cells, "\t");
        row("JUMP-Target-2_compound_metadata.old.tsv", &cells, "\t");
    }
    let header = |name: &str| match name {
        "plate.csv" => "Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_PlateType".to_owned(),
        "well.csv" => "Metadata_Source,Metadata_Plate,Metadata_Well,Metadata_JCP2022".to_owned(),
        "compound.csv" => "Metadata_JCP2022,Metadata_InChIKey,Metadata_SMILES".to_owned(),
        _ => {
            let labels = if name.ends_with("old.tsv") { "target" } else { "target_list" };
            format!("broad_sample\tInChIKey\t{labels}\tpert_type\tcontrol_type\tsmiles")
        }
    };
    for (name, rows) in &tables {
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        fs::write(folder.path().join(name), format!("{}\n{}\n", header(name), rows.join("\n"))).expect("written");
    }
    fs::remove_file(folder.path().join("metadata.csv")).expect("removed");
    let (joined, _) = open(folder.path());
    assert!(joined.fields.len() > 5);
    for (joined, one) in joined.fields.iter().zip(&one.fields) {
        let (joined, one) = (joined.as_deref().expect("joined"), one.as_deref().expect("in the table"));
        let same = Field { target_list: String::new(), target_reference_join: String::new(), ..joined.clone() };
        assert_eq!(same, *one);
        assert_eq!(joined.target_list, one.target);
    }
    assert_ne!(joined.digest, one.digest);
}

#[test]
fn target2_plates_are_not_trained_on_whatever_the_table_says() {
    let folder = simulated();
    rename(folder.path(), "COMPOUND", "BR00127145");
    let (dataset, notes) = open(folder.path());
    let error = dataset.training(&Plates::default(), false, &notes).map(drop).expect_err("held out");
    let text = error.to_string();
    let words = ["`BR00127145`", "`source_2`", "cpg0016-target2", "TARGET2 plate of cpg0016", "source_4"];
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
}

#[test]
fn plates_of_the_manifest_and_shared_compounds_are_told() {
    let folder = simulated();
    let (dataset, notes) = open(folder.path());
    dataset.training(&Plates::default(), false, &notes).expect("trains");
    assert!(!notes.hold(&["of 141"]) && !notes.hold(&["also on the scored plates"]));

    rename(folder.path(), "TARGET2", "BR00127145");
    let (dataset, notes) = open(folder.path());
    let training = dataset.training(&Plates::default(), false, &notes).expect("trains");
    let compounds = training.catalogue.compounds().len();
    assert!(notes.hold(&["1 of 141 TARGET2 plates of cpg0016 are here, of 1 sources and 1 batches: BR00127145"]));
    assert!(notes.hold(&[&format!("0 of {compounds} training compounds are also on the scored plates")]));

    // One treated compound of the scored plate on the training plate, too, as another stereoisomer.
    let table = folder.path().join("metadata.csv");
    let text = fs::read_to_string(&table).expect("a table");
    let key = |plate_type: &str| {
        let row = text.lines().find(|row| row.contains(&format!(",{plate_type},")) && row.contains(",trt,"));
        row.expect("a treated well").split(',').nth(7).expect("an InChIKey").to_owned()
    };
    let isomer = format!("{}-AAAAAAAASA-N", key("TARGET2").split('-').next().expect("a block"));
    fs::write(&table, text.replace(&key("COMPOUND"), &isomer)).expect("written");
    let (dataset, notes) = open(folder.path());
    dataset.training(&Plates::default(), false, &notes).expect("trains");
    assert!(notes.hold(&[&format!("1 of {compounds} training compounds are also")]));
}

#[test]
fn a_plate_of_two_types_is_refused() {
    let folder = simulated();
    let table = folder.path().join("metadata.csv");
    let text = fs::read_to_string(&table).expect("a table").replacen(",COMPOUND,", ",TARGET2,", 1);
    fs::write(&table, text).expect("written");
    let (dataset, notes) = open(folder.path());
    let error = dataset.training(&Plates::default(), false, &notes).map(drop).expect_err("two types");
    assert!(error.to_string().contains("both trained on and scored"), "{error}");
}

#[test]
fn lists_and_the_target_of_the_reference_are_read_where_a_table_has_them() {
    let folder = simulated();
    let table = folder.path().join("metadata.csv");
    let text = fs::read_to_string(&table).expect("a table");
    let mut lines = text.lines();
    let mut longer = format!("{},target_list,target_reference_join\n", lines.next().expect("a header"));
    lines.for_each(|row| longer += &format!("{row},A|B,A\n"));
    fs::write(&table, &longer).expect("written");
    let (dataset, _) = open(folder.path());
    for field in dataset.fields.iter().flatten() {
        assert_eq!((field.target_list.as_str(), field.target_reference_join.as_str()), ("A|B", "A"));
    }
    fs::write(&table, longer.replacen(",target,", ",gene,", 1)).expect("written");
    let (dataset, _) = open(folder.path());
    assert!(dataset.fields.iter().flatten().all(|field| field.target == "A|B"));
}
