//! Tables as published, if the folder of shared data lies beside the repository.

use std::path::{Path, PathBuf};

use bench_data::{ColumnRef, Missing, RareLabels, ReadOptions, read};

use super::content;

fn shared(path: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(path);
    if !folder.exists() {
        eprintln!("skipped: {} is not there", folder.display());
        return None;
    }
    Some(folder)
}

fn options(label: &str) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.columns.label = ColumnRef::Named(label.into());
    options.required = ["source", "batch", "plate", "well"].map(str::to_owned).to_vec();
    options
}

#[test]
fn the_three_site_table_is_read_alike_from_parquet_and_csv() {
    let Some(folder) = shared("jump_moa_multisite") else { return };
    // Counts from the data set's README.
    for (name, rows, features) in [("all3", 6892, 38), ("scope", 3415, 109), ("broad_dyes", 3455, 63)] {
        let parquet = read(&folder.join(format!("{name}.parquet")), &options("moa")).unwrap();
        let csv = read(&folder.join(format!("{name}.csv.gz")), &options("moa")).unwrap();
        assert_eq!(content(&parquet), content(&csv), "{name}");
        assert_eq!(parquet.features.len(), features);
        assert_eq!(parquet.treated.layout.rows + parquet.controls.layout.rows, rows);
    }
}

#[test]
fn ten_mechanisms_in_every_source_are_those_of_the_list() {
    let Some(folder) = shared("jump_moa_multisite") else { return };
    let mut options = options("moa");
    options.selection.filters = vec![("control".into(), vec!["trt".into()])];
    options.selection.in_every = Some("source".into());
    options.selection.top_labels = Some(10);
    let table = read(&folder.join("all3.parquet"), &options).unwrap();
    assert_eq!(table.treated.layout.rows, 1440);
    assert_eq!(table.controls.layout.rows, 432);
    assert_eq!(table.answers.label.counts(), [144; 10]);
    assert_eq!(table.treated.layout.plate.as_ref().unwrap().level_count(), 18);
    assert_eq!(table.treated.layout.batch.as_ref().unwrap().level_count(), 13);
    let list = std::fs::read_to_string(folder.join("label10.json")).unwrap();
    for label in &table.answers.label.levels {
        assert!(list.contains(&format!("\"{label}\"")), "{label}");
    }
}

#[test]
fn raw_files_are_read_as_published() {
    let Some(folder) = shared("jump_moa_multisite/raw") else { return };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    // Columns, features, missing cells, columns with missing cells; counted with pandas 2.3.3.
    let expected = [
        (767, 613, 1, 1),
        (384, 703, 0, 0),
        (384, 590, 0, 0),
        (384, 618, 0, 0),
        (768, 771, 12, 1),
        (768, 665, 16, 1),
        (384, 433, 0, 0),
        (381, 670, 12, 4),
        (383, 410, 0, 0),
        (383, 443, 3, 2),
        (384, 574, 0, 0),
        (383, 574, 8, 4),
        (380, 655, 15, 4),
        (383, 786, 16, 4),
        (376, 718, 20, 5),
    ];
    assert_eq!(files.len(), expected.len());
    for (file, (rows, features, cells, columns)) in files.iter().zip(expected) {
        let report = bench_data::validate(file, &ReadOptions::default());
        assert_eq!((report.rows, report.features), (rows, features), "{}", file.display());
        match report.errors.as_slice() {
            [] => assert_eq!(cells, 0, "{}", file.display()),
            [bench_data::Error::MissingValues { cells: c, columns: k, .. }] => {
                assert_eq!((*c, *k), (cells, columns), "{}", file.display());
            }
            other => panic!("{}: {other:?}", file.display()),
        }
        let drop = ReadOptions { missing: Missing::DropFeatures, ..ReadOptions::default() };
        assert_eq!(read(file, &drop).unwrap().features.len(), features - columns as usize);
    }
}

#[test]
fn the_recipe_fixtures_are_read() {
    let Some(folder) = shared("jump_recipe_fixtures") else { return };
    let mut options = ReadOptions::default();
    options.columns.label = ColumnRef::Named("Metadata_JCP2022".into());
    options.selection.rare_labels = RareLabels::Drop;
    let outputs = folder.join("outputs");
    for (path, rows) in [
        ("compound_trimmed_public/profiles_var_mad_int_featselect.parquet", 768),
        ("crispr_trimmed_public/profiles_wellpos_cc_var_mad_outlier_featselect.parquet", 766),
        (
            "orf_cpcnn_trimmed_public/profiles_dropna_wellpos_cc_var_mad_outlier_featselect_sphering_harmony.parquet",
            730,
        ),
    ] {
        let table = read(&outputs.join(path), &options).unwrap();
        let dropped: usize = table.dropped.iter().map(|(_, n)| n).sum();
        assert_eq!(table.treated.layout.rows + dropped, rows, "{path}");
    }
    let lists = folder.join(
        "inputs/profiles_efficientnet_v2_imagenet21k_s_feature_vector_2_0260bc96/source_4/workspace/profiles/\
         2021_04_26_Batch1/BR00117037/BR00117037.parquet",
    );
    options.columns.label = ColumnRef::Named("well".into());
    options.selection.min_label_rows = 1;
    let error = read(&lists, &options).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "has features in more than one form: the list columns `agp_emb`, `dna_emb`, `er_emb`, `mito_emb`, `rna_emb`"
        ),
        "{error}"
    );
    options.features = Some("_emb$".into());
    let table = read(&lists, &options).unwrap();
    assert_eq!(table.treated.layout.rows, 384);
    assert!(table.features.contains(&"agp_emb_0".to_owned()) && table.features.contains(&"rna_emb_0".to_owned()));
}

#[test]
fn source_medians_are_wider_than_long() {
    let Some(folder) = shared("jump_cpg0016_source_medians") else { return };
    let mut options = ReadOptions::default();
    options.columns.label = ColumnRef::Named("jcp2022".into());
    options.selection.rare_labels = RareLabels::Drop;
    let table = read(&folder.join("profiles.parquet"), &options).unwrap();
    assert_eq!(table.features.len(), 748);
    assert_eq!(table.treated.layout.source.as_ref().unwrap().level_count(), 10);
}
