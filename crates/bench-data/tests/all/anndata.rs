//! AnnData and GCT as their own packages write them (tests/goldens/generators/anndata_files.py), and as we do.

use std::path::PathBuf;

use bench_core::{Matrix, Table};
use bench_data::{
    Annotated, ColumnRef, Error, ExportFormat, ObsValues, ReadOptions, read, read_annotated, validate, write_annotated,
};

use super::{Folder, content, golden};

const FORMATS: [(&str, ExportFormat); 5] = [
    ("t.h5ad", ExportFormat::H5ad),
    ("t.zarr", ExportFormat::Zarr),
    ("t.parquet", ExportFormat::Parquet),
    ("t.csv", ExportFormat::Csv),
    ("t.npz", ExportFormat::Npz),
];

fn expected() -> Table {
    read(&golden("wide-f64.parquet"), &ReadOptions::default()).unwrap()
}

fn array(name: &str) -> ReadOptions {
    ReadOptions { array: Some(name.into()), ..ReadOptions::default() }
}

/// The archive of zarr folders, unpacked; names of the folders.
fn unpacked(folder: &Folder) -> Vec<String> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(golden("zarr.zip")).unwrap()).unwrap();
    archive.extract(folder.path("")).unwrap();
    let mut names: Vec<String> = std::fs::read_dir(folder.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".zarr"))
        .collect();
    names.sort();
    names
}

#[test]
fn every_h5ad_gives_the_table_that_parquet_gives() {
    let expected = expected();
    for name in
        ["adata.h5ad", "adata-gzip.h5ad", "adata-csr.h5ad", "adata-csc.h5ad", "adata-latest.h5ad", "adata-07.h5ad"]
    {
        let table = read(&golden(name), &ReadOptions::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(content(&table), content(&expected), "{name}");
        assert_eq!(table.features, expected.features, "{name}");
        assert_eq!(table.treated.layout.file_row, expected.treated.layout.file_row, "{name}");
    }
}

#[test]
fn every_zarr_folder_gives_the_table_that_parquet_gives() {
    let (folder, expected) = (Folder::new(), expected());
    let names = unpacked(&folder);
    assert_eq!(names.len(), 13);
    for name in names {
        let table = read(&folder.path(&name), &ReadOptions::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(content(&table), content(&expected), "{name}");
        assert_eq!(table.features, expected.features, "{name}");
        assert_eq!(format!("{}.zarr", table.name), name);
    }
}

#[test]
fn another_matrix_is_chosen_by_its_path_or_its_name() {
    let folder = Folder::new();
    unpacked(&folder);
    let mut sorted: Vec<f32> = expected().treated.matrix.data().to_vec();
    sorted.sort_by(f32::total_cmp);
    for path in [golden("adata.h5ad"), golden("adata-csr.h5ad"), folder.path("v2.zarr"), folder.path("v3.zarr")] {
        for (name, features, scale) in
            [("obsm/X_emb", "X_emb_0", -1.0), ("X_emb", "X_emb_0", -1.0), ("layers/eighths", "emb_0", 8.0)]
        {
            let table = read(&path, &array(name)).unwrap();
            assert_eq!(table.features[0], features);
            let mut values: Vec<f32> = table.treated.matrix.data().iter().map(|value| value / scale).collect();
            values.sort_by(f32::total_cmp);
            assert_eq!(values, sorted, "{name}");
        }
    }
    // Without `X` there is no doubt which matrix is meant.
    let only = read(&golden("adata-obsm.h5ad"), &ReadOptions::default()).unwrap();
    assert_eq!(content(&only), content(&expected()));
    let wrong = read(&golden("adata.h5ad"), &array("X_pca")).unwrap_err();
    assert!(matches!(wrong, Error::UnknownArray { .. }));
    assert_eq!(wrong.hint().unwrap(), "it holds `X`, `layers/eighths`, `obsm/X_emb`");
}

#[test]
fn metadata_keep_their_types() {
    for name in ["adata.h5ad", "adata-07.h5ad"] {
        let table = read_annotated(&golden(name), &ReadOptions::default()).unwrap();
        let column = |wanted: &str| table.obs.iter().find(|(name, _)| name == wanted).map(|(_, values)| values);
        let plate = (0..24).map(|i| i / 4 % 2 + 101).collect();
        assert_eq!(column("Metadata_Plate"), Some(&ObsValues::Whole(plate)));
        assert_eq!(column("flag"), Some(&ObsValues::Truth((0..24).map(|i| i % 3 == 0).collect())));
        let Some(ObsValues::Real(score)) = column("score") else { panic!("numbers") };
        assert!(score[5].is_nan() && score[6] == 0.75);
        let Some(ObsValues::Text { levels, codes }) = column("note") else { panic!("text") };
        assert_eq!((codes[1], codes[7]), (None, None));
        assert_eq!(levels[codes[3].unwrap() as usize], "ü, \"b\"");
        let Some(ObsValues::Text { levels, .. }) = column("obs_names") else { panic!("text") };
        assert_eq!((levels.len(), levels[23].as_str()), (24, "cell-23"));
        assert_eq!(table.features, ["emb_0", "emb_1", "emb_2", "emb_3", "emb_4"]);
        if name == "adata.h5ad" {
            let Some(ObsValues::Real(cells)) = column("cells") else { panic!("numbers with missing ones") };
            assert!(cells[0].is_nan() && cells[1] == 10.0);
            let Some(ObsValues::Text { levels, codes }) = column("seen") else { panic!("text") };
            assert_eq!((codes[4], levels[codes[1].unwrap() as usize].as_str()), (None, "True"));
        }
    }
}

#[test]
fn gct_is_read_with_the_names_that_pycytominer_took_off() {
    let mut options = ReadOptions::default();
    options.columns.label = ColumnRef::Named("Metadata_label".into());
    let table = read(&golden("profiles.gct"), &options).unwrap();
    let expected = expected();
    assert_eq!(table.treated, expected.treated);
    assert_eq!(table.controls, expected.controls);
    assert_eq!(table.answers.label, expected.answers.label);
    assert_eq!(table.features[4], "Cells_emb_4");
    let bare = read_annotated(&golden("matrix.gct.gz"), &ReadOptions::default()).unwrap();
    let whole = read_annotated(&golden("wide-f64.parquet"), &ReadOptions::default()).unwrap();
    assert_eq!((bare.matrix, bare.features), (whole.matrix, whole.features));
    assert_eq!(bare.obs[0].0, "Metadata_id");
}

#[test]
fn gct_files_that_contradict_themselves_are_errors() {
    let folder = Folder::new();
    let good = "#1.3\n2\t2\t0\t1\nid\ta\tb\nPlate\tp1\tp2\nemb_0\t1\t2\nemb_1\t3\t4\n";
    let message = |text: &str| {
        folder.message(&read_annotated(&folder.write("t.gct", text), &ReadOptions::default()).unwrap_err())
    };
    assert!(read_annotated(&folder.write("t.gct", good), &ReadOptions::default()).is_ok());
    for (from, to, words) in [
        ("emb_1\t3\t4\n", "", "`t.gct` line 6: the file ends before its last feature"),
        ("2\t2\t0\t1\n", "2\t2\t0\n", "`t.gct` line 2: the file does not count features and profiles"),
        ("\t4\n", "\n", "`t.gct` line 6 has 2 fields where the header has 3"),
        ("\t4\n", "\t4\nmore\t1\t2\n", "`t.gct` line 7: the file goes on after its 2 features"),
        ("emb_1\t3", "emb_1\tx", "`t.gct` column `emb_1` looks like a feature and holds text: `x` in row 1"),
        ("emb_1", "emb_0", "`t.gct` has the column `emb_0` twice"),
        (
            "2\t2\t0",
            "2\t99999999999\t0",
            "`t.gct` line 2: the file counts an impossible number of features or profiles",
        ),
    ] {
        assert_eq!(message(&good.replacen(from, to, 1)), words);
    }
}

fn small() -> Annotated {
    Annotated {
        obs: vec![
            ("Metadata_Plate".into(), ObsValues::Whole(vec![101, 101, -7])),
            ("Metadata_dose".into(), ObsValues::Real(vec![0.1, f64::NAN, 3e-7])),
            ("Metadata_flag".into(), ObsValues::Truth(vec![true, false, true])),
            (
                "Metadata_note".into(),
                ObsValues::Text { levels: vec!["z, \"q\"".into(), "ä".into()], codes: vec![Some(0), None, Some(1)] },
            ),
        ],
        features: vec!["emb_0".into(), "emb_1".into()],
        matrix: Matrix::new(3, 2, vec![0.1, f32::NAN, -3.0, 4e-30, 5.0, f32::MAX]),
        obsm: Vec::new(),
    }
}

fn same(a: &Annotated, b: &Annotated) -> bool {
    let bits =
        |m: &Matrix| m.data().iter().map(|v| if v.is_nan() { None } else { Some(v.to_bits()) }).collect::<Vec<_>>();
    let obs = |t: &Annotated| {
        let mut obs = t.obs.clone();
        // NaN equals nothing; the index of AnnData comes as a column of its own.
        obs.retain(|(name, _)| name != "obs_names");
        format!("{obs:?}")
    };
    obs(a) == obs(b) && bits(&a.matrix) == bits(&b.matrix) && a.features == b.features
}

#[test]
fn what_is_written_reads_back() {
    let folder = Folder::new();
    for (name, format) in FORMATS {
        let path = folder.path(name);
        assert_eq!(ExportFormat::of(&path), Some(format));
        write_annotated(&path, format, &small()).unwrap();
        let again = read_annotated(&path, &ReadOptions::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        if format == ExportFormat::Npz {
            // NPZ has no kinds beyond arrays: metadata come back as text.
            assert_eq!(again.features, small().features);
            assert_eq!(again.obs.len(), 4);
            continue;
        }
        assert!(same(&again, &small()), "{name}: {again:?}");
    }
}

#[test]
fn columns_of_a_matrix_are_features_whatever_their_names() {
    let folder = Folder::new();
    let mut table = small();
    table.features = ["CD4", "GAPDH", "CD8", "cell_count"].map(String::from).to_vec();
    table.matrix = Matrix::new(3, 4, (0..12).map(|i| i as f32).collect());
    table.obs.push((
        "target".into(),
        ObsValues::Text { levels: vec!["a".into(), "b".into()], codes: vec![Some(0), Some(1), Some(0)] },
    ));
    let path = folder.path("t.h5ad");
    write_annotated(&path, ExportFormat::H5ad, &table).unwrap();
    let mut options = ReadOptions::default();
    options.selection.min_label_rows = 1;
    // A count of cells is leakage, and is left out and listed; an export changes nothing.
    assert_eq!(read(&path, &options).unwrap().features, ["CD4", "GAPDH", "CD8"]);
    assert_eq!(read_annotated(&path, &ReadOptions::default()).unwrap().features, table.features);
}

#[test]
fn real_files_survive_a_round_trip_and_give_the_same_bytes() {
    let folder = Folder::new();
    let mut first = read_annotated(&golden("adata.h5ad"), &ReadOptions::default()).unwrap();
    first.obsm.push(("X_umap".into(), Matrix::new(24, 2, (0..48).map(|i| i as f32 / 4.0).collect())));
    for (name, format) in FORMATS {
        let path = folder.path(name);
        write_annotated(&path, format, &first).unwrap();
        let digest = bench_core::digest::of_path(&path).unwrap();
        write_annotated(&path, format, &first).unwrap();
        assert_eq!(bench_core::digest::of_path(&path).unwrap(), digest, "{name}");
        let table = read(&path, &ReadOptions::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(content(&table), content(&expected()), "{name}");
        if matches!(format, ExportFormat::H5ad | ExportFormat::Zarr) {
            let again = read_annotated(&path, &ReadOptions::default()).unwrap();
            assert_eq!(format!("{:?}", again.obs), format!("{:?}", first.obs), "{name}");
            let map = read_annotated(&path, &array("X_umap")).unwrap();
            assert_eq!(map.matrix, first.obsm[0].1);
        }
    }
    let left: Vec<_> = std::fs::read_dir(folder.path("")).unwrap().collect();
    assert_eq!(left.len(), FORMATS.len(), "no temporary file is left");
}

#[test]
fn what_cannot_be_written_is_said_before_anything_is() {
    let folder = Folder::new();
    let mut table = small();
    table.obs[0].0 = "a/b".into();
    let error = write_annotated(&folder.path("t.h5ad"), ExportFormat::H5ad, &table).unwrap_err();
    assert_eq!(
        folder.message(&error),
        "`t.h5ad` cannot hold the column `a/b`: names of AnnData have no slash or colon, and neither dot nor `__` in front"
    );
    folder.write("other/file.txt", "mine");
    let error = write_annotated(&folder.path("other"), ExportFormat::Zarr, &small()).unwrap_err();
    assert_eq!(folder.message(&error), "`other` cannot be written: something that is no zarr store is there already");
    assert_eq!(std::fs::read_dir(folder.path("")).unwrap().count(), 1);
}

/// Messages of files with something removed or changed.
#[test]
fn damage_is_named_with_its_object() {
    let folder = Folder::new();
    unpacked(&folder);
    let message = |path: &PathBuf| folder.message(&read(path, &ReadOptions::default()).unwrap_err());
    let zarr = folder.path("gzip.zarr");
    let metadata = std::fs::read_to_string(zarr.join("X/.zarray")).unwrap();
    for (from, to, words) in [
        ("\"gzip\"", "\"lzma\"", "`gzip.zarr`: `X` holds values behind the filter `lzma`, which is not read"),
        (">f8", "<c16", "`gzip.zarr`: `X` holds elements of the type `<c16`, which is not read"),
        ("24", "25", "`gzip.zarr` has 25 rows and its metadata `obs/_index` has 24"),
        ("\"shape\"", "\"shap\"", "`gzip.zarr`: `X` has a `.zarray` without its shape"),
    ] {
        let changed = metadata.replacen(from, to, 1);
        assert_ne!(changed, metadata);
        std::fs::write(zarr.join("X/.zarray"), changed).unwrap();
        assert_eq!(message(&zarr), words);
    }
    std::fs::write(zarr.join("X/.zarray"), "{").unwrap();
    assert!(message(&zarr).starts_with("`gzip.zarr`: `X` has a damaged `.zarray`: EOF"), "{}", message(&zarr));
    std::fs::write(zarr.join("X/.zarray"), &metadata).unwrap();
    std::fs::write(zarr.join("X/1.0"), b"\x1f\x8b\x08").unwrap();
    assert!(message(&zarr).starts_with("`gzip.zarr`: `X` has a damaged gzip chunk: "), "{}", message(&zarr));
    // A chunk that is not there holds the fill value, as zarr has it.
    std::fs::remove_file(zarr.join("X/1.0")).unwrap();
    assert!(read(&zarr, &ReadOptions::default()).is_ok());
    std::fs::remove_dir_all(zarr.join("obs/target")).unwrap();
    assert_eq!(message(&zarr), "`gzip.zarr`: `obs/target` is named as a column and is not there");
    std::fs::remove_dir_all(zarr.join("obs")).unwrap();
    assert_eq!(message(&zarr), "`gzip.zarr`: `/` has no `obs`, so it is no AnnData");

    let whole = std::fs::read(golden("adata.h5ad")).unwrap();
    let cut = message(&folder.write("cut.h5ad", &whole[..whole.len() / 2]));
    assert!(cut.starts_with("`cut.h5ad`: `"), "{cut}");
    assert_eq!(
        folder.message(&read(&folder.write("t.h5ad", "a,b\n1,2\n"), &ReadOptions::default()).unwrap_err()),
        "`t.h5ad` is named like an HDF5 file but does not begin like one"
    );
    let options = ReadOptions { metadata: Some(golden("metadata.csv")), ..ReadOptions::default() };
    assert!(matches!(read(&golden("adata.h5ad"), &options), Err(Error::MetadataNotNeeded { .. })));
}

/// A sample of all bytes is flipped, one at a time, and files are cut; reading may fail or succeed, and must come back.
#[test]
fn flipped_bytes_never_panic() {
    let folder = Folder::new();
    std::panic::set_hook(Box::new(|_| {}));
    for name in ["adata.h5ad", "adata-07.h5ad", "adata-latest.h5ad"] {
        let whole = std::fs::read(golden(name)).unwrap();
        for at in (0..whole.len()).step_by(1 + whole.len() / 40) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x5a;
            let _ = validate(&folder.write(name, bytes), &ReadOptions::default()).to_string();
        }
        for cut in (0..whole.len()).step_by(1 + whole.len() / 10) {
            let _ = validate(&folder.write(name, &whole[..cut]), &ReadOptions::default()).to_string();
        }
    }
    unpacked(&folder);
    for name in ["blosc-lz4.zarr/X/0.0", "blosc-blosclz.zarr/X/0.0", "v3-shards.zarr/X/c/0/0", "v3.zarr/obs/_index/c/0"]
    {
        let path = folder.path(name);
        let whole = std::fs::read(&path).unwrap();
        let root = folder.path(name.split('/').next().unwrap());
        for at in (0..whole.len()).step_by(1 + whole.len() / 60) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x5a;
            std::fs::write(&path, bytes).unwrap();
            let _ = validate(&root, &ReadOptions::default()).to_string();
        }
        std::fs::write(&path, whole).unwrap();
    }
    let _ = std::panic::take_hook();
}
