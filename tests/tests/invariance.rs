//! Nothing that should not matter moves a score by a single bit.

use std::path::Path;

use bench_core::{Score, Seed};
use bench_tests::{Csv, bench, folder, record};

const FLAGS: [&str; 7] = ["--label", "target", "--no-projection", "--bootstrap", "100", "--repeats", "2"];

fn score(table: &Path, run: &Path, more: &[&str]) -> bench_core::RunRecord {
    let mut command = bench();
    command.args(["score", "--control", "control=negcon", "--embeddings"]).arg(format!("m={}", table.display()));
    command.args(FLAGS).args(more).arg("--out").arg(run).assert().code(0);
    record(run)
}

/// Everything about the scores but the names of labels.
fn bits(scores: &[Score]) -> Vec<String> {
    let mut lines: Vec<String> = scores
        .iter()
        .map(|s| {
            let value = s.value.map(f64::to_bits);
            format!("{} {} {} {} {} {} {value:?}", s.model, s.protocol, s.split, s.probe, s.metric, s.repeat)
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn row_order_label_names_and_thread_count_leave_every_score_bit_identical() {
    let folder = folder();
    let path = folder.path();
    let table = Csv::experiment(24, 4);
    let reference = score(&table.write(path, "a.csv"), &path.join("a"), &[]);
    assert!(reference.scores.iter().filter(|s| s.value.is_some()).count() > 500);

    let mut permuted = table.clone();
    Seed(5).stream().shuffle(&mut permuted.rows);
    let permuted = score(&permuted.write(path, "b.csv"), &path.join("b"), &[]);
    assert_eq!(permuted.scores_digest, reference.scores_digest, "row order");

    let mut renamed = table.clone();
    renamed.map("target", |t| match t {
        "" => String::new(),
        "t0" => "zebra".into(),
        "t1" => "yak \"<b>".into(),
        "t2" => "aardvark".into(),
        _ => "m".into(),
    });
    let renamed = score(&renamed.write(path, "c.csv"), &path.join("c"), &[]);
    assert_eq!(bits(&renamed.scores), bits(&reference.scores), "label names");

    for threads in ["1", "3"] {
        let mut command = assert_cmd_with_threads(threads);
        command
            .args(["score", "--control", "control=negcon", "--embeddings"])
            .arg(format!("m={}", path.join("a.csv").display()));
        let run = path.join(format!("t{threads}"));
        command.args(FLAGS).arg("--out").arg(&run).assert().code(0);
        let other = record(&run);
        assert_eq!(other.scores_digest, reference.scores_digest, "{threads} threads");
        assert_eq!(other.record_digest, reference.record_digest, "{threads} threads");
    }
}

fn assert_cmd_with_threads(threads: &str) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(bench_tests::binary());
    command.env("NO_COLOR", "1").args(["--threads", threads]);
    command
}
