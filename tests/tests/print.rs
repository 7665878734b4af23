//! Figures, tables and cards from a finished run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bench_core::digest;
use bench_tests::{bench, folder, record};

fn smoke(run: &Path, threads: &str, more: &[&str]) {
    let mut command = assert_cmd::Command::new(bench_tests::binary());
    command.args(["--threads", threads, "run", "--suite", "smoke", "--bootstrap", "100"]);
    command.args(more).arg("--out").arg(run).assert().code(0);
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    entries.map(|e| (e.file_name().to_string_lossy().into_owned(), digest::of_file(&e.path()).expect("read"))).collect()
}

#[test]
fn figures_of_a_run_are_drawn_for_print_and_two_runs_draw_the_same_bytes() {
    let folder = folder();
    let runs = ["a", "b"].map(|name| folder.path().join(name));
    let mut drawn = Vec::new();
    for (run, threads) in runs.iter().zip(["1", "2"]) {
        smoke(run, threads, &["--splits", "random,not-same-source"]);
        let figures = assert_cmd::Command::new(bench_tests::binary())
            .args(["figures", "--width", "column", "--format", "svg,pdf,png", "--threads", threads, "--from"])
            .arg(run)
            .assert()
            .code(0);
        let out = String::from_utf8_lossy(&figures.get_output().stdout).trim().to_owned();
        assert_eq!(out, run.join("print").display().to_string());
        drawn.push(files(&run.join("print")));
    }
    assert!(drawn[0].len() > 30 && drawn[0].contains_key("ladder-strict-logreg.pdf"), "{:?}", drawn[0].keys());
    assert_eq!(drawn[0], drawn[1]);

    // The run has no retrieval, which the paper's first tables are about.
    let paper = folder.path().join("paper");
    let partly = bench()
        .args(["figures", "--paper", "watkinson2023", "--from"])
        .arg(runs[0].join("record.json"))
        .arg("--out")
        .arg(&paper)
        .assert()
        .code(5);
    let told = String::from_utf8_lossy(&partly.get_output().stderr).into_owned();
    assert!(told.contains("table 1: the run has no retrieval"), "{told}");
    let names: Vec<String> = files(&paper).into_keys().collect();
    let expected = [
        "figure-2.pdf",
        "figure-2.svg",
        "index.json",
        "table-3-strict.csv",
        "table-3-strict.tex",
        "table-3.csv",
        "table-3.tex",
    ];
    assert_eq!(names, expected);
    let record = record(&runs[0]);
    let latex = fs::read_to_string(paper.join("table-3.tex")).expect("a table");
    assert!(latex.starts_with(&format!("% run {}, suite smoke@{}\n", record.run_id, record.suite.version)), "{latex}");

    for wrong in [["--width", "wide"], ["--width", "10"], ["--format", "jpg"], ["--paper", "watkinson2032"]] {
        bench().arg("figures").args(wrong).arg("--from").arg(&runs[0]).assert().code(2);
    }
    bench().args(["figures", "--from"]).arg(folder.path().join("nowhere")).assert().code(3);
}

#[test]
fn scores_are_a_table_for_programs_too_and_cards_hold_them() {
    let folder = folder();
    let run = folder.path().join("run");
    let flags = ["--no-projection", "--no-batch-probes"];
    smoke(&run, "2", &flags);
    let record = record(&run);
    let csv = fs::read_to_string(run.join("scores.csv")).expect("scores");
    let heads: Vec<&str> = csv.lines().next().expect("a header").split(',').collect();
    let path = run.join("scores.parquet");
    assert_eq!(bench_data::column_names(&path).expect("a table"), heads);
    assert!(record.outputs.iter().any(|file| file.path == "scores.parquet"));
    let model = bench_data::read_columns(&path, &["model", "value", "reason"]).expect("a table");
    assert_eq!(model[0].len(), record.scores.len());
    for (row, score) in record.scores.iter().enumerate() {
        assert_eq!(model[0][row], score.model);
        let shown = score.value.map(|v| v.to_string()).unwrap_or_default();
        assert_eq!(model[1][row].parse::<f64>().ok(), shown.parse::<f64>().ok(), "{:?}", model[1][row]);
        assert_eq!(model[2][row], score.reason.clone().unwrap_or_default());
    }
    // One that was lost is written again without scoring.
    let bytes = fs::read(&path).expect("read");
    fs::remove_file(&path).expect("removed");
    let again =
        bench().args(["run", "--suite", "smoke", "--bootstrap", "100"]).args(flags).arg("--out").arg(&run).assert();
    assert!(String::from_utf8_lossy(&again.code(0).get_output().stderr).contains("drawn again"));
    assert!(fs::read(&path).expect("read") == bytes);

    bench().arg("card").arg(&run).assert().code(0);
    let card = fs::read_to_string(run.join("cards/model-simulated.md")).expect("a card");
    assert!(card.contains("model-index:") && card.contains("Simulated data"), "{card}");
    let data = fs::read_to_string(run.join("cards/dataset.md")).expect("a card");
    assert!(data.contains("pretty_name:") && !data.contains("license:"), "{data}");
}
