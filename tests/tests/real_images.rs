//! Real Cell Painting fields, 16-bit TIFF files as microscopes write them, go through the whole chain.
//!
//! Six fields of CPJUMP1 train two models for a few steps. Two fields of CPJUMP1 and one of each of two
//! JUMP sources are scored: they are cut into tiles, and each tile stands for a well, because four fields are
//! too few to score. So the numbers say nothing of models; that they come out at all, and come out the
//! same from packed plates, is what is tested.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use bench_images::store::file::read_plane;
use bench_images::{Pixels, Window};
use bench_tests::{bench, folder, record, shared};
use tiff::encoder::{TiffEncoder, colortype::Gray16};

const CHANNELS: [&str; 5] = ["Mito", "AGP", "RNA", "ER", "DNA"];

/// Fields to train on: folder, plate, batch, well, role, compound.
const TRAINED: [(&str, &str, &str, &str, &str, &str); 6] = [
    ("cpjump1_crop512/B1_FK-866", "BR00117012", "B1", "D08", "trt", "FK-866"),
    ("cpjump1_crop512/B1_dexamethasone", "BR00117012", "B1", "A21", "trt", "dexamethasone"),
    ("cpjump1_crop512/B2_AMG900", "BR00117013", "B2", "N09", "trt", "AMG900"),
    ("cpjump1_crop512/B4_LY2109761", "BR00117011", "B4", "M02", "trt", "LY2109761"),
    ("cpjump1_full/B2_DMSO", "BR00117013", "B2", "D14", "negcon", "DMSO"),
    ("cpjump1_full/B3_FK-866", "BR00117010", "B3", "L09", "trt", "FK-866"),
];

/// Fields to score: start of the files, source, plate, role, compound, target, tiles per side.
const SCORED: [(&str, &str, &str, &str, &str, &str, usize); 4] = [
    ("cpjump1_full/B2_DMSO/", "cpjump1", "tiles-B2", "negcon", "DMSO", "", 4),
    ("cpjump1_full/B3_FK-866/", "cpjump1", "tiles-B3", "trt", "FK-866", "NAMPT", 4),
    ("jump_cpg0016_two_sources/source_4_", "source_4", "tiles-4", "trt", "RAB30-ORF", "RAB30", 3),
    ("jump_cpg0016_two_sources/source_13_", "source_13", "tiles-13", "trt", "RAB30-CRISPR", "RAB30", 3),
];

/// Structures as in JUMP's table of compounds.
const SMILES: [(&str, &str); 5] = [
    ("FK-866", "O=C(C=Cc1cccnc1)NCCCCC1CCN(C(=O)c2ccccc2)CC1"),
    ("dexamethasone", "CC1CC2C3CC=C4CC(=O)C=CC4(C)C3(F)C(O)CC2(C)C1(O)C(=O)CO"),
    ("AMG900", "Cc1csc(-c2n[nH]c(=Nc3ccc(Oc4ncccc4-c4cc[nH]c(=N)n4)cc3)c3ccccc23)c1"),
    ("LY2109761", "c1ccc(-c2nn3c(c2-c2ccnc4cc(OCCN5CCOCC5)ccc24)CCC3)nc1"),
    ("DMSO", "CS(C)=O"),
];

const PRESET: &str = r#"
id = "real"
title = "A few steps on real fields"
evaluation = "five"
baselines = ["simple-features"]
[augment]
crop = 64
[compounds.sizes]
test = { count = 0 }
retrieval = { count = 2 }
validation = { count = 0 }
[[retrieval]]
gallery = { count = 2 }
bootstrap = 100
[[models]]
id = "clip"
[models.model]
loss = { loss = "clip" }
image = "tiny"
molecule = { pna = { hidden = 16, depth = 2, output = 32 } }
temperature = { start = 0.5 }
head = { embedding = 16, dropout = 0.0 }
[models.train]
epochs = 4
sampler = { views = 1, strategy = "uniform", batch = 2, batch-unit = "compounds" }
schedule = { warmup-epochs = 1, warmup-start = 1e-4 }
[[models]]
id = "emm"
[models.model]
loss = { loss = "emm" }
image = "tiny"
molecule = { pna = { hidden = 16, depth = 2, output = 32 } }
temperature = { start = 1.0 }
head = { embedding = 16, dropout = 0.0 }
[models.train]
epochs = 4
sampler = { views = 3, strategy = "distinct-groups", batch = 2, batch-unit = "compounds" }
schedule = { warmup-epochs = 1, warmup-start = 1e-4 }
"#;

/// The file of a channel of a field: the data sets name channels in three ways.
fn file(base: &Path, start: &str, channel: usize) -> std::path::PathBuf {
    let (folder, prefix) = start.rsplit_once('/').expect("a folder");
    let ends = [format!("-{}.tif", CHANNELS[channel]), format!("_{}.tif", CHANNELS[channel])];
    let number = format!("-ch{}sk", channel + 1);
    let entries = fs::read_dir(base.join(folder)).expect("a folder of images");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        name.starts_with(prefix) && (ends.iter().any(|end| name.ends_with(end)) || name.contains(&number))
    });
    assert_eq!(files.len(), 1, "{start} {channel}: {files:?}");
    files.remove(0)
}

fn write_tile(from: &Path, window: Window, to: &Path) {
    let plane = read_plane(from).expect("a real file");
    let Pixels::U16(pixels) = plane.pixels else { panic!("16 bits") };
    let rows = (window.top..window.top + window.height).map(|row| row * plane.width + window.left);
    let tile: Vec<u16> = rows.flat_map(|at| pixels[at..at + window.width].to_vec()).collect();
    let mut encoder = TiffEncoder::new(fs::File::create(to).expect("created")).expect("a TIFF");
    let side = |length: usize| u32::try_from(length).expect("small");
    encoder.write_image::<Gray16>(side(window.width), side(window.height), &tile).expect("written");
}

/// Writes plates in the layout of JUMP, and their table.
fn plates(base: &Path, to: &Path) {
    let smiles = |compound: &str| SMILES.iter().find(|(name, _)| *name == compound).map_or("", |(_, smiles)| *smiles);
    let mut table = "Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_PlateType,Metadata_InChIKey,\
                     Metadata_SMILES,Metadata_pert_type,target\n"
        .to_owned();
    for (start, plate, batch, well, role, compound) in TRAINED {
        let folder = to.join(format!("cpjump1/{batch}/{plate}"));
        fs::create_dir_all(&folder).expect("created");
        for (at, channel) in CHANNELS.iter().enumerate() {
            // Byte copies: LZW and deflate, with and without a predictor.
            let to = folder.join(format!("cpjump1__{plate}__{well}__5__{channel}.tif"));
            let from = file(base, &format!("{start}/"), at);
            fs::copy(&from, to).expect("copied");
            // Three views of a compound need more images of it: quarters of the field are further ones.
            for quarter in 0..4 {
                let window = Window { top: quarter / 2 * 256, left: quarter % 2 * 256, height: 256, width: 256 };
                let to = folder.join(format!("cpjump1__{plate}__{well}__5{quarter}__{channel}.tif"));
                write_tile(&from, window, &to);
            }
        }
        let structure = smiles(compound);
        let _ = writeln!(table, "cpjump1,{batch},{plate},{well},COMPOUND,{compound},{structure},{role},");
    }
    for (start, source, plate, role, compound, target, tiles) in SCORED {
        let folder = to.join(format!("{source}/scored/{plate}"));
        fs::create_dir_all(&folder).expect("created");
        for tile in 0..tiles * tiles {
            let well = format!("{}{:02}", (b'A' + (tile / tiles) as u8) as char, tile % tiles + 1);
            for (at, channel) in CHANNELS.iter().enumerate() {
                let window = Window { top: tile / tiles * 128, left: tile % tiles * 128, height: 128, width: 128 };
                let to = folder.join(format!("{source}__{plate}__{well}__1__{channel}.tif"));
                write_tile(&file(base, start, at), window, &to);
            }
            let structure = smiles(compound);
            let _ = writeln!(table, "{source},scored,{plate},{well},TARGET2,{compound},{structure},{role},{target}");
        }
    }
    fs::write(to.join("metadata.csv"), table).expect("written");
}

#[test]
fn real_fields_train_embed_and_score_and_packing_changes_nothing() {
    let Some(base) = shared("cell_painting_images") else { return };
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    plates(&base, &path("plates"));
    fs::write(path("real.toml"), PRESET).expect("written");
    let told = |command: &mut assert_cmd::Command| {
        let done = command.assert().code(0);
        String::from_utf8_lossy(&done.get_output().stderr).into_owned()
    };

    let mut verify = bench();
    told(verify.args(["data", "verify"]).arg(path("plates")));
    let run = |data: &str, out: &str| {
        let mut command = bench();
        command.args(["run", "--suite", "target2", "--labels", "NAMPT,RAB30", "--no-projection", "--bootstrap", "100"]);
        command.arg("--preset").arg(path("real.toml")).arg("--data").arg(path(data));
        command.arg("--cache").arg(path(&format!("cache-{out}"))).arg("--out").arg(path(out));
        let told = told(&mut command);
        (record(&path(out)), told)
    };
    let (whole, said) = run("plates", "whole");
    assert!(!whole.suite.simulated, "{said}");
    assert_eq!(whole.data.rows, 16 + 2 * 9, "labelled tiles");
    assert_eq!(whole.training.len(), 2);
    for training in &whole.training {
        assert_eq!(training.history.len(), 4, "{}", training.model);
        assert!(
            training.history.iter().all(|epoch| epoch.train_loss.is_some_and(f64::is_finite)),
            "{}",
            training.model
        );
    }
    let accuracy = |model: &str, split: &str| {
        let mut all = whole.summaries.iter().filter(|s| s.protocol == "strict" && s.probe == "logreg");
        let found = all.find(|s| s.model == model && s.split == split && s.quantity == "accuracy");
        found.expect("a summary").value
    };
    // Nearly empty tiles against tiles full of cells, in other hands: anyone sees that.
    assert!(accuracy("simple-features", "random").expect("a value") > 0.9);
    assert!(accuracy("clip", "random").is_some() && accuracy("emm", "random").is_some());
    // NAMPT is in one source alone, and the run says so; what has no value has a reason.
    assert!(whole.confounding.single.iter().any(|one| one.unit == "source" && one.label == "NAMPT"));
    assert!(whole.summaries.iter().all(|s| s.value.is_some() || s.reason.is_some()));
    let found = whole.retrieval.iter().filter(|row| row.metric == "hit-rate@1" && row.value.is_some());
    let mut models: Vec<&str> = found.map(|row| row.model.as_str()).collect();
    models.dedup();
    assert!(models.contains(&"clip") && models.contains(&"emm"), "{models:?}");

    let mut prepare = bench();
    told(prepare.args(["data", "prepare"]).arg(path("plates")).arg("--out").arg(path("packed")));
    let (packed, _) = run("packed", "packed-run");
    assert_eq!(packed.scores_digest, whole.scores_digest);
}
