use std::path::Path;
use std::sync::Mutex;

use tempfile::TempDir;

use super::*;

/// Keeps what is told.
#[derive(Default)]
pub(crate) struct Notes(Mutex<Vec<String>>);

impl Notes {
    /// Whether a note holds every one of these words.
    pub(crate) fn hold(&self, words: &[&str]) -> bool {
        self.0.lock().expect("not poisoned").iter().any(|note| words.iter().all(|word| note.contains(word)))
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().expect("not poisoned").clone()
    }
}

impl Progress for Notes {
    fn step(&self, _: usize, _: usize, _: &str) {}
    fn reused(&self, _: usize, _: usize, _: &str) {}
    fn tick(&self, _: usize, _: usize) {}
    fn note(&self, message: &str) {
        self.0.lock().expect("not poisoned").push(message.to_owned());
    }
}

/// A listed plate with the 384-well layout, one of 1,536 wells, and one that the manifest does not list.
const LISTED: [&str; 3] = ["source_4", "2021_08_30_Batch13", "BR00127145"];
const LARGE: [&str; 3] = ["source_9", "20210825_Run6", "GR00003394"];
const OTHER: [&str; 3] = ["source_1", "Batch1", "UL000001"];

const PRESENT: &str = "\
broad_sample\tInChIKey\tpert_iname\ttarget_list\tpert_type\tcontrol_type\tsmiles
B1\tAAAAAAAAAAAAAA-UHFFFAOYSA-N\tone\tG1|G2\ttrt\tNA\tCCO
B2\tLOUPRKONTZGTKE-UHFFFAOYSA-N\tquinine\tKCNN4|GP9\ttrt\tNA\tCCN
B3\tLOUPRKONTZGTKE-UHFFFAOYSA-N\tquinidine\tKCNK1\ttrt\tNA\tCCN
B4\tCCCCCCCCCCCCCC-UHFFFAOYSA-N\tfour\tG4\tcontrol\tposcon_cp\tCCS
B4\tCCCCCCCCCCCCCC-UHFFFAOYSA-N\tfour\tG4\tcontrol\tposcon_cp\tCCS
NA\tIAZDPXIOMUYVGZ-UHFFFAOYSA-N\tDMSO\tNA\tcontrol\tnegcon\tCS(C)=O
";
const OLD: &str = "\
broad_sample\tInChIKey\tpert_iname\ttarget\tpert_type\tcontrol_type\tsmiles
B1\tAAAAAAAAAAAAAA-UHFFFAOYSA-N\tone\tG1\ttrt\t\tCCO
B2\tLOUPRKONTZGTKE-AFHBHXEDSA-N\tquinine\tKCNN4\ttrt\t\tCCN
B3\tLOUPRKONTZGTKE-LHHVKLHASA-N\tquinidine\tKCNK1\ttrt\t\tCCN
B4\tDDDDDDDDDDDDDD-AAAAAAAASA-N\tfour\tG4\tcontrol\tposcon_cp\tCCS
\tIAZDPXIOMUYVGZ-UHFFFAOYSA-N\tDMSO\t\tcontrol\tnegcon\tCS(C)=O
";
const PLATEMAP: &str = "well_position\tbroad_sample\tsolvent
A01\tB1\tDMSO\nA02\tB2\tDMSO\nH12\tB3\tDMSO\nB01\tB4\tDMSO\nA05\t\tDMSO\n";
const COMPOUND: &str = "Metadata_JCP2022,Metadata_InChIKey,Metadata_InChI,Metadata_SMILES
J1,AAAAAAAAAAAAAA-UHFFFAOYSA-N,InChI=1,CCO
J2,LOUPRKONTZGTKE-UHFFFAOYSA-N,InChI=2,CCN
J4,CCCCCCCCCCCCCC-UHFFFAOYSA-N,InChI=4,
J5,EEEEEEEEEEEEEE-UHFFFAOYSA-N,InChI=5,CCCl
JCP2022_033924,IAZDPXIOMUYVGZ-UHFFFAOYSA-N,InChI=0,CS(C)=O
";
const CONTROL: &str = "Metadata_JCP2022,Metadata_pert_type,Metadata_Name,Metadata_modality
JCP2022_999999,empty,Empty,any\nJCP2022_033924,negcon,DMSO,compound\nJ4,poscon,four,compound\n";

fn plates(types: [&str; 3]) -> String {
    let mut text = "Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_PlateType\n".to_owned();
    for ([source, batch, barcode], kind) in [LISTED, LARGE, OTHER].into_iter().zip(types) {
        text += &format!("{source},{batch},{barcode},{kind}\n");
    }
    text
}

/// JUMP's tables; `changes` replaces some and takes away those that are given as empty.
fn folder(changes: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut wells = "Metadata_Source,Metadata_Plate,Metadata_Well,Metadata_JCP2022\n".to_owned();
    let held = [("A01", "J1"), ("A02", "J2"), ("H12", "J2"), ("B01", "J4"), ("A05", "JCP2022_033924")];
    for [source, _, barcode] in [LISTED, LARGE, OTHER] {
        for (well, id) in held.into_iter().chain([("C01", "J5"), ("C02", "J9"), ("C03", "JCP2022_999999")]) {
            wells += &format!("{source},{barcode},{well},{id}\n");
        }
    }
    wells += "source_9,GR00003394,AF48,J1\n";
    let plates = plates(["TARGET2", "TARGET2", "COMPOUND"]);
    let tables = [
        ("plate.csv", plates.as_str()),
        ("metadata/well.csv", &wells),
        ("metadata/compound.csv", COMPOUND),
        ("perturbation_control.csv", CONTROL),
        ("JUMP-Target-2_compound_metadata.tsv", PRESENT),
        ("JUMP-Target-2_compound_metadata.2021-05-03.tsv", OLD),
        ("JUMP-Target-2_compound_platemap.tsv", PLATEMAP),
    ];
    let own = |name: &str| changes.iter().find(|(changed, _)| *changed == name).map(|(_, text)| *text);
    let added = changes.iter().filter(|(name, _)| tables.iter().all(|(known, _)| known != name));
    for (name, text) in tables.iter().map(|(name, text)| (*name, own(name).unwrap_or(text))).chain(added.copied()) {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        if !text.is_empty() {
            std::fs::write(path, text).expect("written");
        }
    }
    folder
}

fn images(plates: &[[&str; 3]]) -> BTreeSet<PlateName> {
    plates.iter().map(|plate| plate.map(str::to_owned)).collect()
}

fn join(folder: &Path, plates: &[[&str; 3]]) -> Result<(BTreeMap<String, Field>, Notes), Error> {
    let notes = Notes::default();
    let tables = Tables::find(folder)?.expect("JUMP's tables");
    Ok((tables.join(&images(plates), &notes)?, notes))
}

fn of<'a>(fields: &'a BTreeMap<String, Field>, plate: [&str; 3], well: &str) -> &'a Field {
    &fields[&format!("{}\t{well}\t", plate.join("\t"))]
}

const NO_WELLS: [(&str, &str); 2] = [("metadata/well.csv", ""), ("metadata/compound.csv", "")];

#[test]
fn wells_types_compounds_and_targets_are_joined() {
    let folder = folder(&[]);
    let (fields, notes) = join(folder.path(), &[LISTED, LARGE, OTHER]).expect("joined");
    let one = of(&fields, LISTED, "A01");
    let wanted = Field {
        compound: "AAAAAAAAAAAAAA-UHFFFAOYSA-N".into(),
        structure: "CCO".into(),
        target: "G1".into(),
        target_list: "G1|G2".into(),
        target_reference_join: "G1".into(),
        pert_type: "trt".into(),
        plate_type: "TARGET2".into(),
    };
    assert_eq!(*one, wanted);
    assert_eq!(of(&fields, OTHER, "A01"), &Field { plate_type: "COMPOUND".into(), ..wanted.clone() });
    assert_eq!(of(&fields, LARGE, "AF48"), &wanted);
    // The single target comes by sample, and the reference's join loses it with the stereo key.
    let four = of(&fields, LISTED, "B01");
    assert_eq!((four.target.as_str(), four.pert_type.as_str(), four.structure.as_str()), ("G4", "poscon", "InChI=4"));
    assert_eq!(four.target_reference_join, "");
    // One id, two compounds: the layout tells them apart where it holds.
    assert_eq!(
        (of(&fields, LISTED, "A02").target.as_str(), of(&fields, LISTED, "H12").target.as_str()),
        ("KCNN4", "KCNK1")
    );
    assert_eq!((of(&fields, LARGE, "A02").target.as_str(), of(&fields, LARGE, "H12").target_list.as_str()), ("", ""));
    assert!(notes.hold(&["2 wells of TARGET2 plates have their target by their place"]), "{:?}", notes.all());
    assert!(notes.hold(&["2 wells of TARGET2 plates have no target", "(KCNN4 or KCNK1)"]), "{:?}", notes.all());
    assert_eq!(of(&fields, LISTED, "A05").pert_type, "negcon");
    assert_eq!(of(&fields, LISTED, "C01").target, "");
    assert!(notes.hold(&["4 wells of TARGET2 plates hold compounds without known target", "EEEEEEEEEEEEEE", "J9"]));
    assert!(notes.hold(&["3 wells hold compounds that `compound.csv` does not list: J9"]));
    assert!(notes.hold(&["3 wells are empty"]));
    assert_eq!(fields.len(), 3 * 7 + 1);
}

#[test]
fn plates_that_no_table_names_are_told() {
    let folder = folder(&[]);
    let strange = ["source_1", "Batch1", "UL000002"];
    let moved = ["source_4", "another_batch", "BR00127145"];
    let (fields, notes) = join(folder.path(), &[OTHER, strange, moved]).expect("joined");
    assert_eq!(fields.len(), 7);
    assert!(notes.hold(&["1 plates of images are not in", "plate.csv", "source_1 UL000002"]));
    assert!(notes.hold(&["another in", "source_4 BR00127145 (`another_batch` and `2021_08_30_Batch13`)"]));
    let header = "Metadata_Source,Metadata_Plate,Metadata_Well,Metadata_JCP2022\n";
    let empty = self::folder(&[("metadata/well.csv", &format!("{header}source_4,BR00127145,A01,J1\n"))]);
    let (_, notes) = join(empty.path(), &[LISTED, OTHER]).expect("joined");
    assert!(notes.hold(&["1 plates have no well", "source_1 UL000001"]), "{:?}", notes.all());
}

#[test]
fn the_layout_takes_the_place_of_wells_only_where_it_holds() {
    let here = folder(&NO_WELLS);
    let (fields, notes) = join(here.path(), &[LISTED, OTHER]).expect("joined");
    assert_eq!(fields.len(), 5);
    let quinidine = of(&fields, LISTED, "H12");
    assert_eq!((quinidine.target.as_str(), quinidine.compound.as_str()), ("KCNK1", "LOUPRKONTZGTKE-UHFFFAOYSA-N"));
    assert_eq!((quinidine.structure.as_str(), quinidine.plate_type.as_str()), ("CCN", "TARGET2"));
    assert_eq!(of(&fields, LISTED, "A05").pert_type, "negcon");
    assert_eq!(of(&fields, LISTED, "B01").pert_type, "poscon");
    assert_eq!(of(&fields, LISTED, "A01").target_reference_join, "G1");
    assert!(notes.hold(&["384-well layout is taken for 1 TARGET2 plates (source_4 BR00127145)"]));
    assert!(notes.hold(&["wells of 1 plates is not known", "source_1 UL000001"]));

    let error = join(here.path(), &[LISTED, LARGE]).map(drop).expect_err("1,536 wells");
    let text = error.to_string();
    assert!(text.contains("1536 wells of plate `GR00003394` of source_9") && text.contains("`well.csv`"), "{text}");
    assert!(error.hint().is_some_and(|hint| hint.contains("well.csv.gz")));
    let mirrored = ["source_7", "20211126_Run7", "CP1-SC2-25"];
    let table = plates(["TARGET2", "TARGET2", "COMPOUND"]) + "source_7,20211126_Run7,CP1-SC2-25,TARGET2\n";
    let here = folder(&[NO_WELLS[0], NO_WELLS[1], ("plate.csv", &table)]);
    let error = join(here.path(), &[mirrored]).map(drop).expect_err("mirrored").to_string();
    assert!(error.contains("CP1-SC2-25"), "{error}");

    let here = folder(&[NO_WELLS[0], NO_WELLS[1], ("JUMP-Target-2_compound_platemap.tsv", "")]);
    let error = join(here.path(), &[LISTED]).map(drop).expect_err("no layout").to_string();
    assert!(error.contains("JUMP-Target-2_compound_platemap.tsv"), "{error}");
}

#[test]
fn one_version_of_the_targets_is_enough() {
    let here = folder(&[("JUMP-Target-2_compound_metadata.2021-05-03.tsv", "")]);
    let (fields, notes) = join(here.path(), &[LISTED]).expect("joined");
    let one = of(&fields, LISTED, "A01");
    assert_eq!((one.target.as_str(), one.target_reference_join.as_str()), ("G1|G2", ""));
    assert!(notes.hold(&["`target` holds lists of genes"]));

    let here = folder(&[("JUMP-Target-2_compound_metadata.tsv", "")]);
    let (fields, notes) = join(here.path(), &[LISTED]).expect("joined");
    assert_eq!(of(&fields, LISTED, "A01").target, "G1");
    assert_eq!(of(&fields, LISTED, "A02").target, "KCNN4");
    // The key of 2021 has another skeleton: nothing is guessed.
    assert_eq!(of(&fields, LISTED, "B01").target, "");
    assert!(notes.hold(&["3 wells of TARGET2 plates hold compounds without known target"]), "{:?}", notes.all());

    // Keys of 2021 are not JUMP's, so the reference's join cannot be repeated without JUMP's.
    let here = folder(&[NO_WELLS[0], NO_WELLS[1], ("JUMP-Target-2_compound_metadata.tsv", "")]);
    let (fields, _) = join(here.path(), &[LISTED]).expect("joined");
    assert_eq!(of(&fields, LISTED, "A02").target, "KCNN4");
    assert!(fields.values().all(|field| field.target_reference_join.is_empty()));
}

#[test]
fn a_skeleton_is_enough_where_keys_differ() {
    let moved = COMPOUND.replace("CCCCCCCCCCCCCC-UHFFFAOYSA-N", "CCCCCCCCCCCCCC-BBBBBBBBSA-N");
    let here = folder(&[("metadata/compound.csv", &moved)]);
    let (fields, notes) = join(here.path(), &[LISTED]).expect("joined");
    assert_eq!(of(&fields, LISTED, "B01").target, "G4");
    assert!(notes.hold(&["1 wells", "first block"]));
}

#[test]
fn tables_that_contradict_themselves_or_lack_something_are_errors() {
    let refused = |changes: &[(&str, &str)], words: &[&str]| {
        let here = folder(changes);
        let error = join(here.path(), &[LISTED]).map(drop).expect_err("refused");
        let text = format!("{error} {}", error.hint().unwrap_or_default());
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    };
    let wells = |rows: &str| format!("Metadata_Source,Metadata_Plate,Metadata_Well,Metadata_JCP2022\n{rows}");
    let two = wells("source_4,BR00127145,A01,J1\nsource_4,BR00127145,A02,J2\nsource_4,BR00127145,A01,J4\n");
    refused(&[("metadata/well.csv", &two)], &["well.csv", "row 4", "A01", "`J4` here and `J1` before"]);
    let same = wells("source_4,BR00127145,A01,J1\nsource_4,BR00127145,A01,J1\n");
    assert!(join(folder(&[("metadata/well.csv", &same)]).path(), &[LISTED]).is_ok());
    refused(
        &[("metadata/well.csv", "Metadata_Source,Metadata_Plate,Metadata_Wel,Metadata_JCP2022\n")],
        &["well.csv", "Metadata_Well"],
    );
    refused(&[("metadata/compound.csv", "Metadata_JCP2022,Metadata_InChIKey\nJ1,A\n")], &["Metadata_SMILES"]);
    let twice = format!("{COMPOUND}J1,FFFFFFFFFFFFFF-UHFFFAOYSA-N,InChI=1,C\n");
    refused(&[("metadata/compound.csv", &twice)], &["row 7", "`J1` is"]);
    let twice = plates(["TARGET2", "TARGET2", "COMPOUND"]) + "source_4,Batch99,BR00127145,TARGET2\n";
    refused(&[("plate.csv", &twice)], &["plate.csv", "row 5", "BR00127145", "twice"]);
    refused(&[("JUMP-Target-2_compound_metadata.copy.tsv", OLD)], &["same version", "keep one"]);
    let none = [("JUMP-Target-2_compound_metadata.tsv", ""), ("JUMP-Target-2_compound_metadata.2021-05-03.tsv", "")];
    refused(&none, &["no table says which targets", "JUMP-Target"]);
    refused(&[("JUMP-Target-2_compound_metadata.tsv", &PRESENT.replace("target_list", "targets"))], &["target_list"]);
    let differs = format!("{PRESENT}B1\tAAAAAAAAAAAAAA-UHFFFAOYSA-N\tone\tG9\ttrt\tNA\tCCO\n");
    refused(&[("JUMP-Target-2_compound_metadata.tsv", &differs)], &["row 8", "`B1` is listed twice"]);
    let stranger = format!("{PLATEMAP}C01\tB7\tDMSO\n");
    refused(&[("JUMP-Target-2_compound_platemap.tsv", &stranger)], &["platemap.tsv", "row 7", "C01", "B7"]);
    refused(&[("metadata/compound.csv", "")], &["well.csv", "no `compound.csv`"]);
    refused(&[("plate.csv", "")], &["well.csv", "no `plate.csv`"]);
    assert!(Tables::find(tempfile::tempdir().expect("a folder").path()).expect("no tables").is_none());
}
