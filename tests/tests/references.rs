//! Published splits of real Cell Painting profiles, scored; the reference numbers were computed
//! with scikit-learn 1.9.1 (recipe in each data set's README). Skipped, with a notice, where the
//! data sets are not beside the repository.
//!
//! Tolerances: logistic regression has one optimum, so probabilities agree to 1e-3 and log-loss
//! to 1e-3; accuracy may differ by rows whose two best classes are nearly equal (0.3 points). kNN
//! with scikit-learn's tie rule agrees exactly but for neighbours at equal distance.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use bench_tests::{bench, folder, record, shared};

type Row = BTreeMap<String, String>;

fn rows(path: &Path) -> Vec<Row> {
    let mut text = String::new();
    let file = fs::File::open(path).expect("a table");
    if path.extension().is_some_and(|e| e == "gz") {
        flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).expect("text");
    } else {
        std::io::BufReader::new(file).read_to_string(&mut text).expect("text");
    }
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    lines.map(|cells| header.iter().cloned().zip(cells).collect()).collect()
}

/// Writes the folds of a predictions file as a table with `row` and one column per split.
fn folds(predictions: &[Row], path: &Path) -> Vec<String> {
    let mut splits: Vec<String> = Vec::new();
    let mut of_row: BTreeMap<u64, BTreeMap<&str, &str>> = BTreeMap::new();
    for p in predictions {
        if !splits.contains(&p["split"]) {
            splits.push(p["split"].clone());
        }
        of_row.entry(p["row"].parse().expect("a row")).or_default().insert(&p["split"], &p["fold"]);
    }
    let mut text = format!("row,{}\n", splits.join(","));
    for (row, folds) in of_row {
        let cells: Vec<&str> = splits.iter().map(|s| folds.get(s.as_str()).copied().unwrap_or("")).collect();
        text += &format!("{row},{}\n", cells.join(","));
    }
    fs::write(path, text).expect("written");
    splits
}

fn check(suite: &str, table: &str, reference: &str) {
    let Some(table) = shared(table) else { return };
    let base = table.parent().expect("a folder").to_owned();
    let predictions = rows(&base.join(format!("reference_predictions_{reference}.csv.gz")));
    let metrics = rows(&base.join(format!("reference_metrics_{reference}.csv")));
    let folder = folder();
    let file = folder.path().join("folds.csv");
    let splits = folds(&predictions, &file);
    let run = folder.path().join("run");
    bench()
        .args(["score", "--suite", suite, "--standardise", "--ties", "lowest-class", "--no-projection"])
        .args(["--no-batch-probes", "--bootstrap", "200", "--folds"])
        .arg(&file)
        .arg("--embeddings")
        .arg(format!("m={}", table.display()))
        .arg("--out")
        .arg(&run)
        .assert()
        .code(0);
    let record = record(&run);
    let value = |split: &str, probe: &str, metric: &str| {
        record
            .scores
            .iter()
            .find(|s| s.model == "m" && s.split == split && s.probe == probe && s.metric == metric)
            .and_then(|s| s.value)
            .unwrap_or_else(|| panic!("no {metric} for {split} {probe}"))
    };
    for m in &metrics {
        let split = &m["split"];
        let number = |key: &str| m[key].parse::<f64>().expect("a number");
        let probe = if m["classifier"] == "logreg" { "logreg" } else { "knn" };
        let tolerance = if probe == "logreg" { 0.003 } else { 1e-9 };
        for (ours, theirs) in [
            ("accuracy", "accuracy"),
            ("balanced-accuracy", "balanced_accuracy"),
            ("f1-macro", "macro_f1"),
            ("f1-weighted", "weighted_f1"),
            ("precision-macro", "macro_precision"),
            ("recall-macro", "macro_recall"),
        ] {
            let (a, b) = (value(split, probe, ours), number(theirs));
            assert!((a - b).abs() <= tolerance, "{reference} {split} {probe} {ours}: {a} against {b}");
        }
        if probe == "logreg" {
            let (a, b) = (value(split, probe, "log-loss"), number("mean_log_loss"));
            assert!((a - b).abs() < 1e-3, "{reference} {split} log-loss: {a} against {b}");
        }
    }
    for probe in ["logreg", "knn"] {
        let ours = bench_data::read_columns(
            &run.join(format!("predictions/m-{probe}.parquet")),
            &["split", "row", "predicted", "p_true"],
        )
        .expect("predictions");
        let mut of: BTreeMap<(String, String), (String, f64)> = BTreeMap::new();
        for (((split, row), predicted), p_true) in ours[0].iter().zip(&ours[1]).zip(&ours[2]).zip(&ours[3]) {
            let p_true = p_true.parse().expect("a number");
            of.insert((split.clone(), row.clone()), (predicted.clone(), p_true));
        }
        let (mut different, mut largest) = (0, 0.0f64);
        for p in &predictions {
            let (predicted, p_true) = &of[&(p["split"].clone(), p["row"].clone())];
            let theirs = if probe == "logreg" { &p["logreg"] } else { &p["knn3"] };
            different += usize::from(predicted != theirs);
            if probe == "logreg" {
                largest = largest.max((p_true - p["logreg_p_true"].parse::<f64>().expect("a number")).abs());
            }
        }
        println!(
            "{reference} {probe}: {different} of {} predictions differ, largest |dp| {largest:.2e}",
            predictions.len()
        );
        assert!(largest < 1e-3, "{reference}: probabilities differ by up to {largest}");
        assert!(different <= predictions.len() / 1000, "{reference} {probe}: {different} predictions differ");
    }
    assert_eq!(splits.len(), record.splits.len());
}

#[test]
fn jump_moa_all_three_sources_give_the_reference_numbers() {
    check("jump-moa", "jump_moa_multisite/all3.parquet", "all3_moa10");
}

#[test]
fn jump_moa_scope_gives_the_reference_numbers() {
    check("jump-moa", "jump_moa_multisite/scope.parquet", "scope_moa10");
}

#[test]
fn cpg0016_medians_give_the_reference_numbers() {
    check("cpg0016-medians", "jump_cpg0016_source_medians/profiles.parquet", "jcp16");
}
