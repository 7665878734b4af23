//! The exact words.

use bench_data::{ColumnRef, ControlRef, Error, ErrorKind, Missing, ReadOptions, read, validate};

use super::{Folder, GOOD, golden};

fn default() -> ReadOptions {
    ReadOptions::default()
}

#[test]
fn a_column_that_is_named_must_exist_and_a_typo_finds_its_word() {
    let folder = Folder::new();
    let mut options = default();
    options.columns.plate = ColumnRef::Named("plat".into());
    let error = read(&folder.write("t.csv", GOOD), &options).unwrap_err();
    assert_eq!(folder.message(&error), "`t.csv` has no column `plat`, named as the plate");
    assert_eq!(
        error.hint().unwrap(),
        "did you mean `plate`? metadata columns: `source`, `batch`, `plate`, `well`, `compound`, `target`"
    );
    assert_eq!(error.kind(), ErrorKind::Usage);
}

#[test]
fn a_required_unit_that_is_not_found_names_what_was_tried_and_the_flag() {
    let folder = Folder::new();
    let options = ReadOptions { required: vec!["site".into()], ..default() };
    let error = read(&folder.write("t.csv", GOOD), &options).unwrap_err();
    assert_eq!(
        folder.message(&error),
        "`t.csv` has no column for the site (tried `Metadata_Site`, `Metadata_site`, `site`)"
    );
    assert!(error.hint().unwrap().starts_with("name it with `--site COL`; metadata columns: `source`"));
    let wrong = ReadOptions { required: vec!["tissue".into()], ..default() };
    assert_eq!(folder.error_of(GOOD, &wrong), "`t.csv` has no unit `tissue`, asked for by the suite");
}

#[test]
fn text_among_numbers_is_shown_with_row_and_column() {
    let folder = Folder::new();
    assert_eq!(
        folder.error_of(&GOOD.replace("2.5,3", "2.5,n.d."), &default()),
        "`t.csv` column `emb_1` looks like a feature and holds text: `n.d.` in row 3"
    );
    // A column of numbers of any name, and truth values among numbers.
    let named = GOOD.replace("emb_0,emb_1", "area,size").replace("2.5,3", "2.5,True");
    assert_eq!(
        folder.error_of(&named, &default()),
        "`t.csv` column `size` looks like a feature and holds text: `True` in row 3"
    );
    let two = GOOD.replace("3.5,4", "x,4").replace("0.5,1", "y,1");
    let error = read(&folder.write("t.csv", two), &default()).unwrap_err();
    assert_eq!(
        folder.message(&error),
        "`t.csv` column `emb_0` looks like a feature and holds text: `y` in row 1 (and 1 more)"
    );
    assert_eq!(error.hint().unwrap(), "write numbers, or leave the column out with `--exclude-features '^emb_0$'`");
    assert_eq!(error.kind(), ErrorKind::Data);
}

#[test]
fn missing_values_are_counted_and_placed_and_the_choices_named() {
    let folder = Folder::new();
    let csv = GOOD.replace("1.5,2", ",inf").replace("3.5,4", "NaN,4");
    let error = read(&folder.write("t.csv", &csv), &default()).unwrap_err();
    assert_eq!(
        folder.message(&error),
        "`t.csv` has 3 feature values without a finite number (1 of them infinite) in 2 rows and 2 columns: \
         row 2 column `emb_0`, row 2 column `emb_1`, row 4 column `emb_0`"
    );
    assert_eq!(error.hint().unwrap(), "choose `--missing drop-features`, `--missing drop-rows` or `--missing median`");
    let with = |missing| read(&folder.path("t.csv"), &ReadOptions { missing, ..default() });
    assert_eq!(
        folder.message(&with(Missing::DropFeatures).unwrap_err()),
        "`t.csv` has no feature columns: all 2 have missing values"
    );
    let median = with(Missing::Median).unwrap();
    // Medians of {0.5, 2.5} and {1, 3, 4}.
    assert_eq!(median.treated.matrix.data(), [0.5, 1.0, 1.5, 3.0, 2.5, 3.0, 1.5, 4.0]);
    assert_eq!(median.warnings, ["3 missing values in 2 rows and 2 features are replaced by the feature's median"]);
    // Both rows of `y` go, and one label is left.
    assert_eq!(folder.message(&with(Missing::DropRows).unwrap_err()), "`t.csv` has one label only, `x` in 2 rows");
}

#[test]
fn dropping_features_or_rows_keeps_the_rest() {
    let folder = Folder::new();
    let csv = format!("{}s3,b1,p1,A01,c1,x,7.5,\n", GOOD);
    let path = folder.write("t.csv", csv);
    let features = read(&path, &ReadOptions { missing: Missing::DropFeatures, ..default() }).unwrap();
    assert_eq!(features.features, ["emb_0"]);
    assert_eq!(features.treated.matrix.data(), [0.5, 1.5, 2.5, 3.5, 7.5]);
    assert_eq!(features.warnings, ["1 of 2 features have missing values and are left out: `emb_1`"]);
    let rows = read(&path, &ReadOptions { missing: Missing::DropRows, ..default() }).unwrap();
    assert_eq!(rows.treated.matrix.data(), [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0]);
    assert_eq!(rows.dropped, [("missing feature values".to_owned(), 1)]);
    assert_eq!(rows.treated.layout.source.as_ref().unwrap().levels, ["s1", "s2"]);
}

#[test]
fn values_beyond_single_precision_are_errors_under_every_policy() {
    let folder = Folder::new();
    let path = folder.write("t.csv", GOOD.replace("2.5,3", "1e39,3"));
    for missing in [Missing::Error, Missing::Median, Missing::DropRows] {
        let error = read(&path, &ReadOptions { missing, ..default() }).unwrap_err();
        assert_eq!(
            folder.message(&error),
            "`t.csv` has 1 value too large for 32-bit floats (beyond 3.4e38): row 3 column `emb_0`"
        );
    }
}

#[test]
fn labelled_rows_must_say_where_they_come_from() {
    let folder = Folder::new();
    assert_eq!(
        folder.error_of(&GOOD.replace("s2,b1,p1,A01", "s2,b1, ,A01"), &default()),
        "`t.csv` has 1 labelled row without plate (column `plate`): row 3"
    );
    // Compounds that nobody asked for are left aside, with a warning.
    let path = folder.write("t.csv", GOOD.replace("A01,c1", "A01,"));
    let table = read(&path, &default()).unwrap();
    assert!(table.treated.layout.compound.is_none());
    assert_eq!(
        table.warnings,
        ["2 labelled rows without compound in `compound` (the first is row 1): compounds are not used; \
          name another column with `--compound COL`"]
    );
    let required = ReadOptions { required: vec!["compound".into()], ..default() };
    assert_eq!(
        folder.message(&read(&path, &required).unwrap_err()),
        "`t.csv` has 2 labelled rows without compound (column `compound`): rows 1, 3"
    );
}

#[test]
fn a_well_that_occurs_twice_is_shown_with_both_rows() {
    let folder = Folder::new();
    let csv = GOOD.replace("p1,A02,c2,y,1.5", "p1,A01,c2,y,1.5");
    let error = read(&folder.write("t.csv", &csv), &default()).unwrap_err();
    assert_eq!(folder.message(&error), "`t.csv` has the well `s1/b1/p1/A01` in rows 1 and 2");
    assert_eq!(
        error.hint().unwrap(),
        "name the column of the field of view with `--site COL`, or allow it with `--duplicates keep`"
    );
    let keep = ReadOptions { duplicates: bench_data::Duplicates::Keep, ..default() };
    assert_eq!(read(&folder.path("t.csv"), &keep).unwrap().treated.layout.rows, 4);
    let mut sites = default();
    sites.columns.site = ColumnRef::Named("emb_1".into());
    let with_site = csv.replace("y,1.5,2", "y,1.5,1");
    let error = read(&folder.write("t.csv", with_site), &sites).unwrap_err();
    assert_eq!(folder.message(&error), "`t.csv` has the field of view `s1/b1/p1/A01/1` in rows 1 and 2");
    assert_eq!(error.hint().unwrap(), "remove one of them, or allow it with `--duplicates keep`");
    assert!(read(&folder.write("t.csv", csv), &sites).is_ok());
}

#[test]
fn lists_of_different_lengths_are_mixed_dimensions() {
    let error = read(&golden("list-mixed.parquet"), &default()).unwrap_err();
    let message = error.to_string();
    assert!(message.ends_with("column `emb` has mixed dimensions: 5 values in row 1, 4 in row 7"), "{message}");
}

#[test]
fn a_matrix_needs_metadata_of_the_same_length() {
    let error = read(&golden("c-f8.npy"), &default()).unwrap_err();
    assert!(error.to_string().ends_with("c-f8.npy` holds a matrix and no metadata columns"), "{error}");
    assert_eq!(error.hint().unwrap(), "add `--metadata FILE` (CSV, TSV or Parquet), one row per row of the matrix");
    let folder = Folder::new();
    let options = ReadOptions { metadata: Some(folder.write("m.csv", GOOD)), ..default() };
    let error = read(&golden("one.npz"), &options).unwrap_err();
    assert!(
        folder.message(&error).ends_with("one.npz:embedding` has 24 rows and its metadata `m.csv` has 4"),
        "{error}"
    );
    let error = read(&golden("wide.csv"), &options).unwrap_err();
    assert!(
        folder.message(&error).ends_with("carries its own columns, so the metadata table `m.csv` has no place"),
        "{error}"
    );
}

#[test]
fn several_arrays_must_be_told_apart() {
    let error = read(&golden("two.npz"), &default()).unwrap_err();
    assert!(error.to_string().ends_with("two.npz` holds 2 two-dimensional arrays: `first`, `second`"), "{error}");
    assert_eq!(error.hint().unwrap(), "choose one, e.g. `--array first`");
    let options = ReadOptions { array: Some("third".into()), ..default() };
    let error = read(&golden("two.npz"), &options).unwrap_err();
    assert!(error.to_string().ends_with("two.npz` holds no two-dimensional array `third`"), "{error}");
    let error = read(&golden("objects.npz"), &default()).unwrap_err();
    assert!(error.to_string().contains("holds Python objects (pickled)"), "{error}");
}

#[test]
fn formats_that_are_not_read_say_which_are() {
    let folder = Folder::new();
    for (name, bytes, words) in [
        ("a.feather", b"ARROW1\0\0".as_slice(), "`a.feather` is an Arrow (Feather) file, which is not read"),
        ("a.csv.zst", b"\x28\xb5\x2f\xfd\0", "`a.csv.zst` is a Zstandard file, which is not read"),
        ("a.csv", b"\xff\xfea\0", "`a.csv` is a UTF-16 text file, which is not read"),
    ] {
        let error = read(&folder.write(name, bytes), &default()).unwrap_err();
        assert_eq!(folder.message(&error), words);
        assert_eq!(
            error.hint().unwrap(),
            "save it as Parquet, CSV or TSV (gzip too), AnnData (h5ad, zarr), GCT, or as NPY or NPZ with `--metadata FILE`"
        );
    }
    assert_eq!(
        folder.message(&read(&folder.path("absent.csv"), &default()).unwrap_err()),
        "`absent.csv` cannot be read: No such file or directory (os error 2)"
    );
}

#[test]
fn csv_breaches_name_the_line() {
    let folder = Folder::new();
    for (csv, words) in [
        ("", "`t.csv` is empty (0 bytes)"),
        ("target,emb_0\n", "`t.csv` has 2 columns and no rows"),
        ("target,emb_0\na,1\n\nb,2,3\n", "`t.csv` line 4 has 3 fields where the header has 2"),
        ("target,emb_0\na,1\nb\n", "`t.csv` line 3 has 1 field where the header has 2"),
        ("target,emb_0,target\na,1,b\n", "`t.csv` has the column `target` twice"),
        ("target;emb_0\na;1\n", "`t.csv` has one column named `target;emb_0`: it seems to be separated by `;`"),
        ("target,emb_0\na,1\n\"b,2\nc,3\n", "`t.csv` line 3: a quote is opened and never closed"),
        ("target,emb_0\n\"a\"b,1\n", "`t.csv` line 2: text follows a closing quote"),
    ] {
        assert_eq!(folder.error_of(csv, &default()), words);
    }
    let path = folder.write("t.csv", b"target,emb_0\na,1\nb\xff,2\n");
    assert_eq!(
        folder.message(&read(&path, &default()).unwrap_err()),
        "`t.csv` line 3 is not UTF-8 text (byte 2 of the line)"
    );
}

#[test]
fn validate_lists_every_breach_and_read_says_how_many() {
    let folder = Folder::new();
    let csv = GOOD.replace("s2,b1,p1,A01", ",b1,p1,A01").replace("1.5,2", "oops,").replace("emb_1", "dose");
    let path = folder.write("t.csv", csv);
    let mut options = default();
    options.columns.control = ControlRef::Is { column: "controle".into(), value: "negcon".into() };
    let report = validate(&path, &options);
    let words: Vec<String> = report.errors.iter().map(|e| folder.message(e)).collect();
    assert_eq!(
        words,
        [
            "`t.csv` has no column `controle`, named as the control",
            "`t.csv` column `emb_0` looks like a feature and holds text: `oops` in row 2",
            "`t.csv` has 1 labelled row without source (column `source`): row 3",
        ]
    );
    assert!(!report.is_ok() && report.rows == 4);
    let error = read(&path, &options).unwrap_err();
    assert_eq!(folder.message(&error), "`t.csv` has no column `controle`, named as the control (and 2 more breaches)");
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(folder.clean(&error.hint().unwrap()).ends_with("; see them all with `bench validate t.csv`"));
    assert!(matches!(error, Error::Several { more: 2, .. }));
}

#[test]
fn a_report_reads_like_a_letter() {
    let folder = Folder::new();
    let report = validate(&folder.write("t.csv", GOOD), &default());
    assert_eq!(
        folder.clean(&report.to_string()),
        "t.csv
  CSV, 4 rows, 8 columns
  columns: label = `target`, source = `source`, batch = `batch`, plate = `plate`, well = `well`, compound = `compound`
  features: 2 (`emb_0` to `emb_1`), numbered
  controls: none (name them with `--control COL=VALUE`)
  4 labelled rows: distinct 2 source, 2 batch, 2 plate, 4 well, 2 compound
  label `x`: 2 rows
  label `y`: 2 rows
ok: 4 labelled rows, 2 features"
    );
}
