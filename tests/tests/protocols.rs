//! Protocols of peers and of new laboratories, from the command line to the record.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bench_core::RunRecord;
use bench_tests::{Csv, bench, folder, record};
use serde_json::Value;

fn golden(name: &str) -> Value {
    let path = format!("{}/goldens/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("a golden file")).expect("JSON")
}

/// The generated input of the embedding metrics as a table: batches are sources, a label has two compounds.
fn generated(folder: &Path) -> PathBuf {
    let golden = golden("embedding_metrics");
    let case = &golden["cases"][0];
    let dims = case["d"].as_u64().expect("a number") as usize;
    let mut text = "source,batch,plate,well,label,compound,control".to_owned();
    for at in 0..dims {
        let _ = write!(text, ",emb_{at}");
    }
    text.push('\n');
    let mut wells = 0;
    for (prefix, features, kind) in [("", "x", "trt"), ("control_", "controls", "negcon")] {
        let column = |name: &str| case[format!("{prefix}{name}")].as_array().expect("a column");
        for (row, batch) in column("batch").iter().enumerate() {
            let label = match kind {
                "trt" => format!("l{},k{}-{}", case["label"][row], case["label"][row], row % 2),
                _ => "DMSO,DMSO".to_owned(),
            };
            let name = format!("{}{:02}", char::from(b'A' + (wells / 24) as u8), wells % 24 + 1);
            wells += 1;
            let _ = write!(text, "b{batch},b{batch},p{},{name},{label},{kind}", column("plate")[row]);
            for value in &case[features].as_array().expect("features")[row * dims..(row + 1) * dims] {
                let _ = write!(text, ",{value}");
            }
            text.push('\n');
        }
    }
    let path = folder.join("generated.csv");
    std::fs::write(&path, text).expect("a table is written");
    path
}

fn score(table: &Path, run: &Path, flags: &[&str]) -> RunRecord {
    let short = ["--no-projection", "--no-batch-probes", "--no-controls", "--repeats", "1", "--probes", "logreg"];
    bench().arg("score").arg("--embeddings").arg(table).arg("--out").arg(run).args(short).args(flags).assert().code(0);
    record(run)
}

#[test]
fn a_preset_prints_what_its_package_prints_and_pairs_are_recalled() {
    let folder = folder();
    let table = generated(folder.path());
    let pairs = folder.path().join("pairs.tsv");
    std::fs::write(&pairs, "one\ttwo\nk0-0\tk0-1\nk1-0\tk1-1\nk2-0\tabsent\n").expect("pairs are written");
    let flags = ["--label", "label", "--splits", "random", "--metric-preset", "scib-metrics"];
    let pairs_flag = ["--relationships", pairs.to_str().expect("text")];
    let record = score(&table, &folder.path().join("run"), &[flags.as_slice(), &pairs_flag].concat());
    let found = |metric: &str, unit: Option<&str>| {
        let mut scores = record.embedding_scores.iter();
        let own = |s: &&bench_core::record::EmbeddingScore| {
            s.model == "generated" && s.metric == metric && s.unit.as_deref() == unit
        };
        scores.find(own).unwrap_or_else(|| panic!("no {metric}")).value.expect("a value")
    };
    let golden = golden("metric_presets");
    let expected = &golden["cases"]["generated"]["scib-metrics"];
    for (metric, unit, key, tolerance) in [
        ("bras", Some("source"), "bras", 2e-6),
        ("ilisi", Some("source"), "ilisi_knn", 1e-4),
        ("graph-connectivity-directed", None, "graph_connectivity", 1e-6),
        ("asw-label-euclidean", None, "silhouette_label", 2e-6),
        ("clisi", None, "clisi_knn", 1e-4),
    ] {
        let (found, expected) = (found(metric, unit), expected[key].as_f64().expect("a value"));
        assert!((found - expected).abs() < tolerance, "{metric}: {found} instead of {expected}");
    }
    let recall = record.embedding_scores.iter().find(|score| score.metric == "known-relationships").expect("a recall");
    assert_eq!((recall.n, recall.value.is_some()), (2, true), "the pair with an absent name is left out");
    let total = record.embedding_totals.iter().find(|total| total.preset == "scib-metrics").expect("a total");
    assert!(total.missing.is_empty() && total.total.is_some());
}

#[test]
fn an_unseen_laboratory_is_aligned_by_its_controls_and_open_settings_are_chosen() {
    let folder = folder();
    let table = Csv::experiment(24, 2).write(folder.path(), "t.csv");
    let chain = "standardise(by=plate, on=controls) > sphere(on=all, shrinkage=ridge, ridge=0.1|10)";
    let flags = ["--label", "target", "--splits", "random,not-same-source", "--protocols", "strict"];
    let given = ["--corrections", chain, "--control-curve=2,3"];
    let run = folder.path().join("run");
    let record = score(&table, &run, &[flags.as_slice(), &given].concat());
    let numbers: Vec<Option<usize>> = record.control_curve.iter().map(|point| point.controls).collect();
    assert_eq!(numbers, [Some(2), Some(3), None]);
    for point in &record.control_curve {
        assert_eq!((point.unit.as_str(), point.sources.len(), &point.reason), ("plate", 3, &None));
        let accuracy = point.accuracy.expect("an accuracy");
        assert!(point.low.expect("an end") <= accuracy && accuracy <= point.high.expect("an end"));
    }
    // A choice per fold of both splits and the transfer is not asked for; per unseen source of the curve it is.
    let chosen = &record.correction_choices;
    assert!(chosen.iter().filter(|choice| choice.unit == "source" && choice.held_out.len() == 1).count() >= 3);
    assert!(chosen.iter().all(|choice| choice.chosen.contains("ridge=0.1") || choice.chosen.contains("ridge=10")));
    for table in ["control-curve", "correction-choices"] {
        assert!(run.join(format!("tables/{table}.csv")).is_file(), "{table}");
    }
    for probe in record.control_curve.iter().map(|point| point.probe.as_str()) {
        let drawn = std::fs::read_to_string(run.join(format!("figures/control-curve-{}.svg", probe.replace('_', "-"))));
        let drawn = drawn.expect("a figure for every probe");
        assert!(drawn.contains("control wells per plate") && drawn.contains(">\nall\n</text>"), "{probe}");
    }
    let refused = bench()
        .args(["score", "--embeddings"])
        .arg(&table)
        .args(["--label", "target", "--control-curve", "--out"])
        .arg(folder.path().join("none"))
        .assert()
        .code(2);
    let message = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(message.contains("needs a correction"), "{message}");
}
