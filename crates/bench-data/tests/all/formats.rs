use bench_core::Table;
use bench_data::{ReadOptions, read};

use super::{Folder, GOOD, content, golden};

fn table(name: &str) -> Table {
    let options = match name.rsplit_once('.') {
        Some((_, "npy")) => ReadOptions { metadata: Some(golden("metadata.csv")), ..ReadOptions::default() },
        _ => ReadOptions::default(),
    };
    read(&golden(name), &options).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_format_gives_the_same_table() {
    let expected = table("wide-f64.parquet");
    assert_eq!((expected.treated.matrix.rows(), expected.treated.matrix.cols()), (22, 5));
    assert_eq!(expected.controls.layout.rows, 2);
    for name in [
        "wide-f32-groups.parquet",
        "category-index.parquet",
        "list-f64.parquet",
        "fixed-f32.parquet",
        "fixed-f16.parquet",
        "wide.csv",
        "wide.csv.gz",
        "wide.tsv",
        "c-f8.npy",
        "fortran-f4.npy",
        "big-endian-f8.npy",
        "half.npy",
        "one.npz",
    ] {
        let table = table(name);
        assert_eq!(content(&table), content(&expected), "{name}");
        assert_eq!(table.treated.layout.file_row, expected.treated.layout.file_row, "{name}");
        let features: Vec<&str> = if name.starts_with("one") {
            vec!["emb_0", "emb_1", "emb_2", "emb_3", "emb_4"]
        } else {
            expected.features.iter().map(String::as_str).collect()
        };
        assert_eq!(table.features, features, "{name}");
    }
}

#[test]
fn values_are_those_of_the_generator() {
    let table = table("wide-f64.parquet");
    for (row, &file_row) in table.treated.layout.file_row.iter().enumerate() {
        let i = file_row as usize;
        for j in 0..5 {
            let expected = (((i * 7 + j * 13) % 64) as f32 - 31.5) / 4.0;
            assert_eq!(table.treated.matrix.row(row)[j], expected);
        }
        let layout = &table.treated.layout;
        let source = format!("source_{}", i % 2 + 1);
        let plate = format!("{source}/batch_{}/{}", i / 2 % 2 + 1, i / 4 % 2 + 101);
        assert_eq!(layout.source.as_ref().unwrap().name(row), source);
        assert_eq!(layout.plate.as_ref().unwrap().name(row), plate);
        let position = format!("{}{:02}", ["A", "B", "C"][i / 8], i % 4 + 1);
        assert_eq!(layout.position.as_ref().unwrap().name(row), position);
        assert_eq!(layout.well.as_ref().unwrap().name(row), format!("{plate}/{position}"));
        assert_eq!(layout.compound.as_ref().unwrap().name(row), format!("JCP_{}", i % 6));
        assert_eq!(table.answers.label.name(row), ["AKT1", "BRD4", "EGFR"][i % 3]);
    }
    assert_eq!(table.answers.column, "target");
    assert_eq!(table.controls.layout.file_row.len(), 2);
}

#[test]
fn integers_and_the_second_of_two_arrays_are_read() {
    let eighths = table("int.npy");
    let expected = table("wide-f64.parquet");
    let scaled: Vec<f32> = expected.treated.matrix.data().iter().map(|v| v * 8.0).collect();
    assert_eq!(eighths.treated.matrix.data(), scaled);
    let options = ReadOptions { array: Some("second".into()), ..ReadOptions::default() };
    let second = read(&golden("two.npz"), &options).unwrap();
    let mut negated: Vec<f32> = expected.treated.matrix.data().iter().map(|v| -v).collect();
    let mut values = second.treated.matrix.data().to_vec();
    negated.sort_by(f32::total_cmp);
    values.sort_by(f32::total_cmp);
    assert_eq!(values, negated);
}

#[test]
fn quotes_line_ends_blank_lines_and_a_byte_order_mark_change_nothing() {
    let folder = Folder::new();
    let plain = read(&folder.write("t.csv", GOOD), &ReadOptions::default()).unwrap();
    let odd = format!("\u{feff}{}\r\n\r\n", GOOD.replace("x,", "\"x\",").replace('\n', "\r\n"));
    let odd = read(&folder.write("odd.csv", odd), &ReadOptions::default()).unwrap();
    assert_eq!(content(&plain), content(&odd));
    assert_ne!(plain.digest, odd.digest);
    assert_eq!((plain.name.as_str(), odd.name.as_str()), ("t", "odd"));
}

#[test]
fn quoted_fields_hold_separators_quotes_and_line_breaks() {
    let folder = Folder::new();
    let csv = "target,emb_0\n\"a, \"\"b\"\"\nc\",1\n\"a, \"\"b\"\"\nc\",2\nz,3\nz,4\n";
    let table = read(&folder.write("t.csv", csv), &ReadOptions::default()).unwrap();
    assert_eq!(table.answers.label.levels, ["a, \"b\"\nc", "z"]);
}

#[test]
fn the_order_of_the_file_changes_nothing_but_the_row_numbers() {
    let folder = Folder::new();
    // Without wells rows of one plate are told apart by their values only.
    let strip = |csv: &str| -> Vec<String> {
        csv.lines()
            .map(|line| line.split(',').filter(|f| !f.starts_with("A0") && *f != "well").collect::<Vec<_>>().join(","))
            .collect()
    };
    for lines in [GOOD.lines().map(str::to_owned).collect::<Vec<_>>(), strip(GOOD)] {
        let write = |name: &str, order: [usize; 4]| {
            let rows: Vec<&str> = std::iter::once(0).chain(order.map(|i| i + 1)).map(|i| lines[i].as_str()).collect();
            read(&folder.write(name, rows.join("\n")), &ReadOptions::default()).unwrap()
        };
        let first = write("a.csv", [0, 1, 2, 3]);
        for order in [[3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
            let other = write("b.csv", order);
            assert_eq!(content(&first), content(&other));
            for (row, &file_row) in other.treated.layout.file_row.iter().enumerate() {
                assert_eq!(order[file_row as usize] as u64, first.treated.layout.file_row[row]);
            }
        }
    }
}

#[test]
fn renaming_labels_changes_no_code_and_no_row() {
    let folder = Folder::new();
    let options = || {
        let mut options = ReadOptions::default();
        // The label is the compound column: its names must not decide the order of rows.
        options.columns.label = bench_data::ColumnRef::Named("compound".into());
        options
    };
    let plain = GOOD
        .lines()
        .map(|l| l.replace(",A01", "").replace(",A02", "").replace(",well", ""))
        .collect::<Vec<_>>()
        .join("\n");
    let a = read(&folder.write("a.csv", &plain), &options()).unwrap();
    let b = read(&folder.write("b.csv", plain.replace("c1", "zz").replace("c2", "aa")), &options()).unwrap();
    assert_eq!(a.treated.matrix, b.treated.matrix);
    assert_eq!(a.answers.label.codes, b.answers.label.codes);
    assert_ne!(a.answers.label.levels, b.answers.label.levels);
}
