//! Bad input: a clear message, and the exit code that scripts rely on.

use std::fs;
use std::path::{Path, PathBuf};

use bench_tests::{Csv, bench, folder};

const USAGE: i32 = 2;
const DATA: i32 = 3;
const EMPTY: i32 = 4;
const PARTLY: i32 = 5;

/// Runs `bench score` and returns its exit code and what it says.
fn score(table: &Path, run: &Path, flags: &[&str]) -> (i32, String) {
    let mut command = bench();
    command.args(["score", "--no-projection", "--bootstrap", "100", "--repeats", "1", "--embeddings"]).arg(table);
    let output = command.args(flags).arg("--out").arg(run).output().expect("it runs");
    (output.status.code().expect("an exit code"), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn experiment() -> Csv {
    Csv::experiment(12, 3)
}

/// Expects an exit code and words in the message.
fn expect(table: &Path, flags: &[&str], code: i32, words: &[&str]) {
    let folder = folder();
    let (got, message) = score(table, &folder.path().join("run"), flags);
    assert_eq!(got, code, "{flags:?}: {message}");
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
    if code != PARTLY {
        assert!(message.contains("error: "), "{message}");
        assert!(!folder.path().join("run/record.json").exists(), "no record of a failed run");
    }
}

const LABEL: [&str; 2] = ["--label", "target"];

#[test]
fn a_missing_column_is_named_with_the_one_that_was_meant() {
    let folder = folder();
    let table = experiment().write(folder.path(), "t.csv");
    expect(&table, &["--label", "targt"], USAGE, &["targt", "hint", "target"]);
    expect(&table, &["--label", "target", "--plate", "plaet"], USAGE, &["plaet", "plate"]);
    expect(&folder.path().join("absent.csv"), &LABEL, DATA, &["absent.csv"]);
}

#[test]
fn duplicate_wells_are_named_by_row() {
    let folder = folder();
    let mut csv = experiment();
    let copy = csv.rows[4].clone();
    csv.rows.push(copy);
    let table = csv.write(folder.path(), "t.csv");
    let last = csv.rows.len().to_string();
    expect(&table, &LABEL, DATA, &["A05", "5", &last, "--site"]);
}

#[test]
fn text_in_a_feature_is_named_by_row_and_column() {
    let folder = folder();
    let mut csv = experiment();
    let column = csv.column("emb_2");
    csv.rows[6][column] = "n/a?".into();
    expect(&csv.write(folder.path(), "t.csv"), &LABEL, DATA, &["emb_2", "n/a?", "7"]);
}

#[test]
fn missing_values_are_counted_and_the_choices_are_named() {
    let folder = folder();
    let mut csv = experiment();
    let column = csv.column("emb_1");
    csv.rows[2][column] = "NaN".into();
    csv.rows[9][column] = String::new();
    let table = csv.write(folder.path(), "t.csv");
    expect(&table, &LABEL, DATA, &["emb_1", "--missing", "drop-features", "drop-rows", "median"]);
    for policy in ["drop-features", "drop-rows", "median"] {
        let run = folder.path().join(policy);
        let (code, message) = score(&table, &run, &["--label", "target", "--missing", policy]);
        assert_eq!(code, 0, "{policy}: {message}");
    }
}

#[test]
fn one_source_only_scores_the_rest_and_says_what_is_missing() {
    let folder = folder();
    let mut csv = experiment();
    csv.map("batch", |b| b.to_owned());
    let source = csv.column("source");
    csv.rows.retain(|row| row[source] == "s0");
    let table = csv.write(folder.path(), "t.csv");
    expect(&table, &LABEL, PARTLY, &["not-same-source", "only one source", "--splits"]);
    let (code, message) = score(
        &table,
        &folder.path().join("rest"),
        &["--label", "target", "--splits", "random,not-same-plate,not-same-batch"],
    );
    assert_eq!(code, 0, "{message}");
}

#[test]
fn a_class_with_one_row_is_named() {
    let folder = folder();
    let mut csv = experiment();
    let column = csv.column("target");
    csv.rows[0][column] = "lonely".into();
    let table = csv.write(folder.path(), "t.csv");
    let suite = folder.path().join("mine.toml");
    fs::write(&suite, "id = \"mine\"\nversion = 1\ntitle = \"Mine\"\n").expect("written");
    let suite = suite.to_str().expect("a path");
    expect(&table, &["--label", "target", "--suite", suite], DATA, &["lonely", "--rare-labels drop"]);
    let run = folder.path().join("dropped");
    let (code, message) = score(&table, &run, &["--label", "target", "--suite", suite, "--rare-labels", "drop"]);
    assert_eq!(code, 0, "{message}");
}

#[test]
fn an_empty_selection_has_its_own_exit_code() {
    let folder = folder();
    let table = experiment().write(folder.path(), "t.csv");
    expect(&table, &["--label", "target", "--where", "control=nothing"], EMPTY, &["control"]);
    let folds = folder.path().join("folds.csv");
    fs::write(&folds, "row,mine\n999999,0\n").expect("written");
    let (code, message) =
        score(&table, &folder.path().join("f"), &["--label", "target", "--folds", folds.to_str().expect("a path")]);
    assert!([DATA, EMPTY].contains(&code), "{message}");
}

#[test]
fn truncated_and_mislabelled_files_are_told_apart() {
    let folder = folder();
    let path = folder.path();
    let csv = experiment();
    let mislabelled = path.join("t.csv.gz");
    fs::write(&mislabelled, csv.text()).expect("written");
    expect(&mislabelled, &LABEL, DATA, &["gzip"]);

    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gz, csv.text().as_bytes()).expect("written");
    let bytes = gz.finish().expect("compressed");
    let cut = path.join("cut.csv.gz");
    fs::write(&cut, &bytes[..bytes.len() / 2]).expect("written");
    expect(&cut, &LABEL, DATA, &["gzip"]);

    let parquet = parquet(path);
    let bytes = fs::read(&parquet).expect("read");
    let truncated = path.join("cut.parquet");
    fs::write(&truncated, &bytes[..bytes.len() * 2 / 3]).expect("written");
    expect(&truncated, &[], DATA, &["cut.parquet"]);
    let mut damaged = bytes.clone();
    for byte in &mut damaged[bytes.len() / 4..bytes.len() / 2] {
        *byte ^= 0x5a;
    }
    fs::write(&truncated, &damaged).expect("written");
    let (code, message) = score(&truncated, &path.join("damaged"), &[]);
    assert_eq!(code, DATA, "{message}");

    let empty = path.join("empty.csv");
    fs::write(&empty, "").expect("written");
    expect(&empty, &LABEL, DATA, &["empty"]);
}

/// A Parquet table, taken from a run on a CSV table.
fn parquet(path: &Path) -> PathBuf {
    let table = experiment().write(path, "for_parquet.csv");
    let run = path.join("for_parquet");
    let (code, message) = score(&table, &run, &LABEL);
    assert_eq!(code, 0, "{message}");
    run.join("embeddings/for_parquet.parquet")
}

#[test]
fn a_misspelt_suite_key_or_id_is_answered_with_the_right_one() {
    let folder = folder();
    let table = experiment().write(folder.path(), "t.csv");
    expect(&table, &["--suite", "jump-mao"], USAGE, &["jump-mao", "did you mean `jump-moa`"]);
    let suite = folder.path().join("s.toml");
    fs::write(&suite, "id = \"s\"\nversion = 1\ntitle = \"S\"\n[split]\nrepeats = 2\n").expect("written");
    expect(
        &table,
        &["--suite", suite.to_str().expect("a path")],
        USAGE,
        &["s.toml:4", "unknown key `split`", "`splits`"],
    );
    expect(&table, &["--label", "target", "--splits", "not-same-sorce"], USAGE, &["not-same-sorce", "not-same-source"]);
    expect(&table, &["--label", "target", "--metrics", "acuracy"], USAGE, &["acuracy", "accuracy"]);
}

#[test]
fn an_output_that_cannot_be_written_fails_before_scoring() {
    let folder = folder();
    let table = experiment().write(folder.path(), "t.csv");
    let file = folder.path().join("a-file");
    fs::write(&file, "in the way").expect("written");
    let (code, message) = score(&table, &file.join("run"), &LABEL);
    assert_eq!(code, DATA, "{message}");
    assert!(message.contains("a-file") && message.contains("--out"), "{message}");
}

#[test]
fn a_label_of_one_source_is_reported_and_not_fatal() {
    let folder = folder();
    let mut csv = experiment();
    let (source, target, control) = (csv.column("source"), csv.column("target"), csv.column("control"));
    for row in csv.rows.iter_mut().filter(|row| row[source] == "s1" && row[control] == "trt") {
        if row[target] == "t0" {
            row[target] = "only here".into();
        }
    }
    let table = csv.write(folder.path(), "t.csv");
    let run = folder.path().join("run");
    let (code, message) = score(&table, &run, &LABEL);
    assert_eq!(code, 0, "{message}");
    let record = bench_tests::record(&run);
    let single = record.confounding.single.iter().find(|s| s.label == "only here" && s.unit == "source");
    assert_eq!(single.map(|s| s.level.as_str()), Some("s1"));
}
