//! A collapsed embedding wins nothing; an embedding of the laboratory is found out.

use bench_tests::{Csv, bench, folder, record};

fn score(table: &Csv, name: &str) -> bench_core::RunRecord {
    let folder = folder();
    let path = table.write(folder.path(), "t.csv");
    let run = folder.path().join("run");
    bench()
        .args(["score", "--label", "target", "--no-projection", "--bootstrap", "200", "--embeddings"])
        .arg(format!("{name}={}", path.display()))
        .arg("--out")
        .arg(&run)
        .assert()
        .code(0);
    record(&run)
}

fn replace_features(table: &mut Csv, value: impl Fn(usize, &[String]) -> f64) {
    for row in &mut table.rows {
        let known = row.clone();
        for feature in 0..6 {
            row[7 + feature] = format!("{}", value(feature, &known));
        }
    }
}

#[test]
fn a_constant_embedding_gets_chance_everywhere_and_wins_nothing() {
    let mut table = Csv::experiment(24, 4);
    replace_features(&mut table, |_, _| 1.0);
    let record = score(&table, "collapsed");
    let accuracies: Vec<_> =
        record.scores.iter().filter(|s| s.model == "collapsed" && s.metric == "accuracy").collect();
    assert!(accuracies.len() > 30);
    for s in accuracies {
        let value = s.value.expect("a value");
        // A random division leaves the commonest training class with the fewest test rows, and a
        // held-out compound makes its own label rare in training: below chance, for a good reason.
        let (low, high) = match s.split.as_str() {
            "random" => (0.15, 0.32),
            "leave-compound-out" => (0.0, 0.3),
            _ => (0.249, 0.251),
        };
        assert!((low..high).contains(&value), "{} {} {}: {value}", s.protocol, s.split, s.probe);
    }
    assert!(
        record.batch_probes.iter().filter(|p| p.model == "collapsed").all(|p| p.corrected.is_none_or(|c| c < 0.05))
    );
    assert!(
        record.verdict[0].contains("chance") || record.verdict[0].contains("no label information"),
        "{:?}",
        record.verdict
    );
}

#[test]
fn an_embedding_of_the_source_is_found_out() {
    let mut table = Csv::experiment(24, 4);
    replace_features(&mut table, |feature, row| if row[0] == format!("s{feature}") { 1.0 } else { 0.0 });
    let record = score(&table, "lab");
    for probe in ["logreg", "knn"] {
        let source = record
            .batch_probes
            .iter()
            .find(|p| p.model == "lab" && p.target == "source" && p.probe == probe && p.rows == "treated")
            .expect("a source probe");
        assert_eq!(source.corrected, Some(1.0), "{probe}");
    }
    for s in record.scores.iter().filter(|s| s.model == "lab" && s.split == "not-same-source" && s.metric == "accuracy")
    {
        let value = s.value.expect("a value");
        assert!((value - 0.25).abs() < 0.03, "{} {}: {value}", s.protocol, s.probe);
    }
}
