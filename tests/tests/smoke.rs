//! The first thing a newcomer does, and what it leaves behind.

use std::fs;

use bench_tests::{bench, folder, record};

#[test]
fn the_smoke_suite_ends_with_a_report_and_a_second_run_does_nothing() {
    let folder = folder();
    let run = folder.path().join("run");
    let first = bench().args(["run", "--suite", "smoke", "--out"]).arg(&run).assert().code(0);
    let stdout = String::from_utf8_lossy(&first.get_output().stdout).into_owned();
    assert_eq!(stdout.trim(), run.join("report.html").display().to_string(), "stdout is the path of the report");

    for path in ["record.json", "scores.csv", "splits.parquet", "summary.md", "report.html", "junit.xml"] {
        assert!(fs::metadata(run.join(path)).is_ok_and(|m| m.len() > 0), "{path} was written");
    }
    for sub in ["figures", "tables", "projection", "predictions", "embeddings"] {
        assert!(fs::read_dir(run.join(sub)).is_ok_and(|d| d.count() > 0), "{sub}/ holds something");
    }
    let record = record(&run);
    assert!(record.suite.simulated);
    assert_eq!(bench_core::digest::of_scores(&record.scores), record.scores_digest);
    assert!(record.controls.iter().all(|c| c.holds != Some(false)), "{:#?}", record.controls);
    assert!(record.verdict.iter().any(|v| v.to_lowercase().contains("simulated")), "{:?}", record.verdict);
    let inside = |p: &String| p.strip_prefix(run.to_str().expect("a path")).unwrap_or(p).to_owned();
    let leftover: Vec<_> =
        walk(&run).iter().map(inside).filter(|p| p.contains(".tmp") || p.contains(".steps")).collect();
    assert!(leftover.is_empty(), "{leftover:?}");

    let before = modified(&run);
    let second = bench().args(["run", "--suite", "smoke", "--out"]).arg(&run).assert().code(0);
    let stderr = String::from_utf8_lossy(&second.get_output().stderr).into_owned();
    assert!(stderr.contains("nothing to do"), "{stderr}");
    assert_eq!(modified(&run), before, "a second run writes nothing");
}

#[test]
fn a_deleted_figure_is_drawn_again_without_scoring() {
    let folder = folder();
    let run = folder.path().join("run");
    let flags = ["run", "--suite", "smoke", "--no-projection", "--protocols", "strict", "--bootstrap", "100", "--out"];
    bench().args(flags).arg(&run).assert().code(0);
    let figure = walk(&run).into_iter().find(|p| p.ends_with(".svg")).expect("a figure");
    let bytes = fs::read(&figure).expect("read");
    fs::remove_file(&figure).expect("removed");
    let again = bench().args(flags).arg(&run).assert().code(0);
    assert!(String::from_utf8_lossy(&again.get_output().stderr).contains("drawn again"));
    assert_eq!(fs::read(&figure).expect("read"), bytes);
}

fn walk(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            found.extend(walk(&entry.path()));
        } else {
            found.push(entry.path().display().to_string());
        }
    }
    found.sort();
    found
}

fn modified(folder: &std::path::Path) -> Vec<(String, std::time::SystemTime)> {
    let time = |path: &String| fs::metadata(path).and_then(|m| m.modified()).expect("a time");
    walk(folder).into_iter().map(|path| (path.clone(), time(&path))).collect()
}
