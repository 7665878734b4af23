//! The interface that scripts rely on: verbs, ids, help, dry runs.

use bench_tests::{Csv, bench, folder, record};

fn stdout(args: &[&str], code: i32) -> String {
    let output = bench().args(args).assert().code(code);
    String::from_utf8_lossy(&output.get_output().stdout).into_owned()
}

#[test]
fn every_listed_id_has_a_card() {
    let listed: serde_json::Value = serde_json::from_str(&stdout(&["list", "--json"], 0)).expect("JSON");
    let mut shown = 0;
    for kind in ["suites", "splits", "probes", "metrics", "controls"] {
        for row in listed[kind].as_array().expect("a list") {
            let id = row["id"].as_str().expect("an id");
            assert!(!stdout(&["show", id], 0).is_empty(), "{id}");
            shown += 1;
        }
    }
    assert!(shown > 30, "{shown}");
    assert!(stdout(&["show", "nss"], 0).contains("not-same-source"));
    bench().args(["show", "acuracy"]).assert().code(2);
    bench().args(["list", "metrcs"]).assert().code(2);
}

#[test]
fn help_names_exit_codes_and_opens_with_examples() {
    assert!(stdout(&["--help"], 0).contains("Exit codes: 0 done"));
    assert!(stdout(&["score", "--help"], 0).contains("bench score --suite jump-moa"));
    assert!(stdout(&["completions", "bash"], 0).contains("complete"));
    assert!(stdout(&["man"], 0).contains(".TH"));
    bench().arg("scroe").assert().code(2);
    bench().args(["run"]).assert().code(2);
    bench().args(["run", "--suite", "jump-moa"]).assert().code(2);
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = folder();
    let run = folder.path().join("run");
    let plan = stdout(&["run", "--suite", "smoke", "--dry-run", "--out", run.to_str().expect("a path")], 0);
    assert!(plan.contains("score simulated with logreg"), "{plan}");
    assert!(!run.exists());
}

#[test]
fn validate_prints_what_was_understood_and_every_breach() {
    let folder = folder();
    let mut csv = Csv::experiment(12, 3);
    let good = csv.write(folder.path(), "good.csv");
    let text = stdout(&["validate", good.to_str().expect("a path"), "--label", "target"], 0);
    assert!(text.contains("ok: ") && text.contains("t0"), "{text}");
    let (a, b) = (csv.column("emb_0"), csv.column("emb_3"));
    csv.rows[1][a] = "text".into();
    csv.rows[2][b] = String::new();
    let bad = csv.write(folder.path(), "bad.csv");
    let text = stdout(&["validate", bad.to_str().expect("a path"), "--label", "target"], 3);
    assert!(text.contains("emb_0") && text.contains("emb_3") && text.contains("2 breaches"), "{text}");
}

#[test]
fn two_models_are_compared_on_the_same_rows() {
    let folder = folder();
    let strong = Csv::experiment(24, 4);
    let mut weak = strong.clone();
    for feature in 0..4 {
        weak.map(&format!("emb_{feature}"), |_| "0.5".into());
    }
    weak.rows.reverse();
    let (strong, weak) = (strong.write(folder.path(), "strong.csv"), weak.write(folder.path(), "weak.csv"));
    let run = folder.path().join("run");
    bench()
        .args(["score", "--label", "target", "--no-projection", "--bootstrap", "200", "--embeddings"])
        .arg(&strong)
        .arg(&weak)
        .arg("--out")
        .arg(&run)
        .assert()
        .code(0);
    let record = record(&run);
    let random =
        |c: &&bench_core::record::Comparison| c.protocol == "strict" && c.split == "random" && c.probe == "logreg";
    let comparison = record.comparisons.iter().find(random).expect("a comparison");
    assert_eq!((comparison.a.as_str(), comparison.b.as_str()), ("strong", "weak"));
    assert!(comparison.difference > 0.2 && comparison.p_holm < 0.05, "{comparison:?}");
    assert!(comparison.p_holm >= comparison.p);
    let first = record.ranks.iter().find(|r| r.model == "strong" && r.split == "random" && r.protocol == "strict");
    assert_eq!(first.map(|r| r.rank), Some(1.0));
}

#[test]
fn both_back_ends_give_the_same_scores() {
    let folder = folder();
    let table = Csv::experiment(24, 4).write(folder.path(), "t.csv");
    let score = |backend: &str| {
        let run = folder.path().join(backend);
        bench()
            .args(["score", "--label", "target", "--no-projection", "--no-controls", "--no-batch-probes"])
            .args(["--bootstrap", "100", "--standardise", "--repeats", "2", "--backend", backend, "--embeddings"])
            .arg(&table)
            .arg("--out")
            .arg(&run)
            .assert()
            .code(0);
        record(&run)
    };
    let (fast, reference) = (score("gemm"), score("linfa"));
    assert_eq!(fast.scores.len(), reference.scores.len());
    let mut compared = 0;
    for (a, b) in fast.scores.iter().zip(&reference.scores) {
        assert_eq!((&a.split, &a.probe, &a.metric, a.repeat), (&b.split, &b.probe, &b.metric, b.repeat));
        let (Some(x), Some(y)) = (a.value, b.value) else { continue };
        let tolerance = if a.probe == "knn" { 1e-12 } else { 2e-3 };
        if a.probe == "knn" || ["log-loss", "brier"].contains(&a.metric.as_str()) {
            assert!((x - y).abs() <= tolerance, "{} {} {}: {x} against {y}", a.split, a.probe, a.metric);
            compared += 1;
        }
    }
    assert!(compared > 100);
}
