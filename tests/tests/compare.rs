//! A run against its baseline: what fails, what is refused, what is damaged, what is old.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use bench_core::compared::{Compared, GateOutcome, Status};
use bench_core::record::UnitOutcomes;
use bench_tests::{Csv, bench, folder, record};

const QUICK: [&str; 11] = [
    "score",
    "--label",
    "target",
    "--no-projection",
    "--no-controls",
    "--no-batch-probes",
    "--bootstrap",
    "100",
    "--repeats",
    "3",
    "--no-progress",
];

fn score(table: &Path, name: &str, run: &Path, flags: &[&str]) {
    let embeddings = format!("{name}={}", table.display());
    bench().args(QUICK).args(flags).args(["--embeddings", &embeddings, "--out"]).arg(run).assert().code(0);
}

fn experiment() -> Csv {
    Csv::experiment(48, 4)
}

/// Half of the label's signal is gone.
fn weaker(mut csv: Csv) -> Csv {
    for feature in 0..2 {
        csv.map(&format!("emb_{feature}"), |_| "0.5".into());
    }
    csv
}

/// Exit code, standard output and standard error.
fn run(args: &[&str]) -> (i32, String, String) {
    let output = bench().args(args).output().expect("bench runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn path(of: &Path) -> &str {
    of.to_str().expect("a path")
}

fn compared(base: &Path, head: &Path, flags: &[&str]) -> Compared {
    let (code, out, err) = run(&[&["compare", path(base), path(head), "--format", "json"], flags].concat());
    assert_eq!(code, 0, "{err}");
    serde_json::from_str(&out).expect("a comparison parses")
}

/// A base, a head of the same quality and a weaker one, scored.
fn three(folder: &Path) -> [PathBuf; 3] {
    let csv = experiment();
    let [base, again, weak] = ["base", "again", "weak"].map(|name| folder.join(name));
    score(&csv.write(folder, "good.csv"), "m", &base, &[]);
    // Rows in another order are the same experiment.
    let mut turned = csv.clone();
    turned.rows.reverse();
    score(&turned.write(folder, "turned.csv"), "m", &again, &[]);
    score(&weaker(csv).write(folder, "weak.csv"), "m", &weak, &[]);
    [base, again, weak]
}

#[test]
fn a_loss_fails_the_gate_and_the_same_model_does_not() {
    let folder = folder();
    let [base, again, weak] = three(folder.path());
    let same = compared(&base, &again, &[]);
    assert_eq!(same.status, Status::Unchanged);
    assert!(same.gates.len() >= 14 && same.gates.iter().all(|gate| gate.difference == Some(0.0)), "{same:?}");
    assert_eq!(run(&["compare", path(&base), path(&again), "--gate"]).0, 0);

    let worse = compared(&base, &weak, &[]);
    assert_eq!(worse.status, Status::Regression);
    let random = worse.gates.iter().find(|g| g.quantity == "accuracy" && g.split == "random" && g.probe == "logreg");
    let random = random.expect("the gate is there");
    assert_eq!(random.outcome, GateOutcome::Regression);
    let stored = |run: &Path| {
        let record = record(run);
        let found = record.summaries.into_iter().find(|s| {
            (s.quantity.as_str(), s.protocol.as_str(), s.split.as_str(), s.probe.as_str())
                == ("accuracy", "strict", "random", "logreg")
        });
        found.and_then(|s| s.value).expect("a value")
    };
    for (of_gate, of_record) in [(random.base, stored(&base)), (random.head, stored(&weak))] {
        assert!((of_gate.expect("a value") - of_record).abs() < 1e-12, "the gate has the record's value");
    }
    assert_eq!(compared(&weak, &base, &[]).status, Status::Improvement);
    let json = |threads: &str| {
        let mut one = assert_cmd::Command::new(bench_tests::binary());
        one.args(["--threads", threads, "compare", path(&base), path(&weak), "--format", "json"]);
        one.output().expect("bench runs").stdout
    };
    assert_eq!(json("1"), json("3"), "the same bytes at any thread count");
    assert_eq!(run(&["compare", path(&base), path(&weak)]).0, 0, "without --gate nothing fails");
    let (code, text, _) = run(&["compare", path(&base), path(&weak), "--gate"]);
    assert_eq!(code, 1);
    assert!(text.starts_with("Worse than a run: ") && text.contains("REGRESSION"), "{text}");

    for (format, holds) in [("md", "<!-- bench-compare:generic -->"), ("junit", "<failure"), ("html", "</html>")] {
        let out = folder.path().join(format!("out.{format}"));
        let (code, _, err) = run(&["compare", path(&base), path(&weak), "--format", format, "--out", path(&out)]);
        assert_eq!(code, 0, "{err}");
        let written = fs::read_to_string(&out).expect("written");
        assert!(written.contains(holds) && err.contains("Worse than"), "{format}: {err}");
    }
}

#[test]
fn a_renamed_model_is_matched_and_one_that_is_not_named_is_refused() {
    let folder = folder();
    let csv = experiment();
    let table = csv.write(folder.path(), "t.csv");
    let [old, new] = ["old", "new"].map(|name| folder.path().join(name));
    score(&table, "emm", &old, &["--splits", "random"]);
    score(&table, "emm-v2", &new, &["--splits", "random"]);
    let (code, _, err) = run(&["compare", path(&old), path(&new)]);
    assert!(code == 2 && err.contains("--map OLD=NEW"), "{err}");
    let mapped = compared(&old, &new, &["--map", "emm=emm-v2"]);
    assert!(mapped.gates.iter().all(|gate| gate.base_model.as_deref() == Some("emm") && gate.difference == Some(0.0)));
    let (code, _, err) = run(&["compare", path(&old), path(&new), "--map", "emn=emm-v2"]);
    assert!(code == 2 && err.contains("did you mean `emm`?"), "{err}");
}

#[test]
fn other_seeds_rows_and_versions_are_refused_with_the_reason() {
    let folder = folder();
    let csv = experiment();
    let table = csv.write(folder.path(), "t.csv");
    let dir = folder.path();
    score(&table, "m", &dir.join("base"), &["--splits", "random"]);
    score(&table, "m", &dir.join("seed"), &["--splits", "random", "--seed", "7"]);
    let mut fewer = csv.clone();
    fewer.rows.retain(|row| row[0] != "s2");
    score(&fewer.write(dir, "fewer.csv"), "m", &dir.join("fewer"), &["--splits", "random"]);
    let mut swapped = csv.clone();
    let column = swapped.column("target");
    let (a, b) = (swapped.rows[0][column].clone(), swapped.rows[1][column].clone());
    (swapped.rows[0][column], swapped.rows[1][column]) = (b, a);
    score(&swapped.write(dir, "swapped.csv"), "m", &dir.join("swapped"), &["--splits", "random"]);
    for version in [1, 2] {
        let suite = dir.join(format!("v{version}.toml"));
        fs::write(&suite, format!("id = \"mine\"\nversion = {version}\ntitle = \"Mine\"\n")).expect("a suite");
        score(&table, "m", &dir.join(format!("v{version}")), &["--splits", "random", "--suite", path(&suite)]);
    }
    for (base, head, why) in [
        ("base", "seed", "other seeds, 0 and 7"),
        ("base", "fewer", "in one run only"),
        ("base", "swapped", "labels"),
        ("base", "v1", "other suites, `generic` and `mine`"),
        ("v1", "v2", "versions 1 and 2 of `mine`"),
    ] {
        let (code, out, err) = run(&["compare", path(&dir.join(base)), path(&dir.join(head)), "--gate"]);
        assert!(code == 2 && err.contains(why) && err.contains("hint: ") && out.is_empty(), "{base} {head}: {err}");
    }
}

#[test]
fn a_damaged_record_is_named_and_nothing_is_written() {
    let folder = folder();
    let table = experiment().write(folder.path(), "t.csv");
    let good = folder.path().join("good");
    score(&table, "m", &good, &["--splits", "random"]);
    let text = fs::read_to_string(good.join("record.json")).expect("a record");
    let bad = folder.path().join("bad.json");
    let out = folder.path().join("out.md");
    fs::write(&out, "old").expect("written");
    let at = text.find("\"correct\":[[").expect("outcomes") + 12;
    let flip = if &text[at..=at] == "1" { "0" } else { "1" };
    let cases = [
        (text[..text.len() / 2].to_owned(), "it is not a run record"),
        (format!("{}{flip}{}", &text[..at], &text[at + 1..]), "its digest is wrong"),
        (text.replacen("\"schema_version\":1", "\"schema_version\":99", 1), "layout is version 99"),
        ("{}".to_owned(), "it is not a run record"),
    ];
    for (damaged, why) in cases {
        fs::write(&bad, damaged).expect("written");
        for args in [[path(&good), path(&bad)], [path(&bad), path(&good)]] {
            let (code, _, err) = run(&["compare", args[0], args[1], "--format", "md", "--out", path(&out)]);
            assert!(code == 3 && err.contains("bad.json") && err.contains(why), "{err}");
        }
        let history = folder.path().join("h.jsonl");
        let (code, _, err) = run(&["history", "add", path(&bad), "--file", path(&history)]);
        assert!(code == 3 && err.contains("bad.json") && !history.exists(), "{err}");
    }
    assert_eq!(fs::read_to_string(&out).expect("still there"), "old");
    let (code, _, err) = run(&["compare", path(&good), path(&folder.path().join("nowhere"))]);
    assert!(code == 3 && err.contains("nowhere"), "{err}");
}

#[test]
fn a_history_keeps_runs_judges_them_and_refuses_damage() {
    let folder = folder();
    let [base, again, weak] = three(folder.path());
    let file = folder.path().join("h.jsonl");
    let history = |args: &[&str]| run(&[&["history"], args, &["--file", path(&file)]].concat());
    let (code, _, err) = run(&["compare", "pinned", path(&base), "--history", path(&file)]);
    assert!(code == 3 && err.contains("h.jsonl"), "{err}");

    let (code, out, err) = history(&["add", path(&base), "--pin", "--commit", "aaa111", "--date", "2026-01-01"]);
    assert_eq!((code, out.as_str()), (0, "1\n"), "{err}");
    let link = ["--commit-url", "https://example.org/bbb222"];
    assert_eq!(history(&[&["add", path(&again), "--commit", "bbb222"], &link[..]].concat()).1, "2\n");
    let before = fs::read(&file).expect("a history");
    let (code, out, err) = history(&["add", path(&again), "--commit", "bbb222"]);
    assert!((code, out.as_str()) == (0, "2\n") && err.contains("nothing to do"), "{err}");
    assert_eq!(fs::read(&file).expect("a history"), before, "a run is not added twice");
    let (_, out, err) = history(&["add", path(&weak), "--commit", "ccc333"]);
    assert!(out == "3\n" && err.contains("against the pinned run: ") && err.contains("gates fail"), "{err}");
    assert!(fs::read(&file).expect("a history").starts_with(&before), "lines are appended");
    assert_eq!(history(&["add", path(&base), "--commit-url", "javascript:alert(1)"]).0, 2);

    let (_, list, _) = history(&["show"]);
    assert!(list.lines().count() == 4 && list.contains("REGRESSION") && list.contains("*  1"), "{list}");
    let json: serde_json::Value = serde_json::from_str(&history(&["show", "bbb", "--json"]).1).expect("JSON");
    assert_eq!(json["number"], 2);
    let page = folder.path().join("trends.html");
    let (code, out, err) = history(&["page", "--out", path(&page)]);
    assert_eq!((code, out.trim()), (0, path(&page)), "{err}");
    let page = fs::read_to_string(&page).expect("a page");
    assert!(
        page.contains("https://example.org/bbb222") && page.contains("class=\"failed\"") && !page.contains("<script")
    );

    // Windows end before the head; the pinned run can be moved.
    let flags = ["--history", path(&file), "--format", "json", "--gate"];
    let status = |base: &str, head: &str, code: i32| {
        let (got, out, err) = run(&[&["compare", base, head], &flags[..]].concat());
        assert_eq!(got, code, "{err}");
        serde_json::from_str::<Compared>(&out).expect("a comparison")
    };
    let window = status("history:window", "history:3", 1);
    assert_eq!(window.base.runs.len(), 2);
    assert_eq!(status("history:1", path(&again), 0).status, Status::Unchanged);
    let pinned = status("pinned", path(&weak), 1);
    assert_eq!(pinned.base.runs[0].commit.as_deref(), Some("aaa111"));
    let window = status("history:window", path(&weak), 1);
    assert_eq!(window.base.runs.len(), 2, "a run that failed is no part of a window");
    assert!(window.notes.iter().any(|note| note.contains("leaves out one run whose gates failed")), "{window:?}");
    assert_eq!(history(&["pin", "3"]).1, "3\n");
    assert_eq!(status("pinned", path(&weak), 0).status, Status::Unchanged);
    let window = status("history:window", path(&weak), 0);
    assert_eq!((window.base.runs.len(), window.status), (1, Status::Unchanged), "unless it is pinned");

    let text = fs::read_to_string(&file).expect("a history");
    fs::write(&file, text.replacen("bbb222", "bbb223", 1)).expect("damaged");
    let damaged = fs::read(&file).expect("a history");
    for args in [&["add", path(&base)][..], &["show"], &["pin", "1"]] {
        let (code, _, err) = history(args);
        assert!(code == 3 && err.contains("h.jsonl") && err.contains("line 2"), "{err}");
    }
    assert_eq!(run(&["compare", "pinned", path(&base), "--history", path(&file)]).0, 3);
    assert_eq!(fs::read(&file).expect("a history"), damaged, "nothing is overwritten");
}

#[test]
fn a_record_without_outcomes_is_counted_from_its_predictions_or_says_why_not() {
    let folder = folder();
    let [base, _, weak] = three(folder.path());
    let full = compared(&base, &weak, &[]);
    // As an older program would have left it.
    let mut old = record(&base);
    old.outcomes = UnitOutcomes::default();
    old.splits_digest.clear();
    old.gates = None;
    old.record_digest = bench_run::record::digest(&old);
    fs::write(base.join("record.json"), serde_json::to_vec(&old).expect("JSON")).expect("written");
    let counted = compared(&base, &weak, &[]);
    let notes = counted.notes.join("\n");
    assert!(notes.contains("predictions/*.parquet") && notes.contains("no digest of its splits"), "{notes}");
    assert!(notes.contains("default gates"), "{notes}");
    assert_eq!(counted.gates.len(), full.gates.len());
    for (a, b) in full.gates.iter().zip(&counted.gates) {
        assert_eq!((&a.split, &a.probe, &a.quantity, a.outcome), (&b.split, &b.probe, &b.quantity, b.outcome));
        // Ties in parts may be summed in another order.
        let ends = |g: &bench_core::compared::Gate| g.interval.map(|i| [i.low, i.high]).expect("an interval");
        assert!(ends(a).iter().zip(ends(b)).all(|(a, b)| (a - b).abs() < 1e-9), "{a:?} {b:?}");
    }
    fs::remove_dir_all(base.join("predictions")).expect("removed");
    let (code, text, _) = run(&["compare", path(&base), path(&weak), "--gate"]);
    assert_eq!(code, 5, "gates that cannot be checked are no success");
    assert!(text.starts_with("No gate could be checked.") && text.contains("predictions"), "{text}");
}

#[test]
fn the_oldest_published_record_still_renders_and_compares() {
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/published");
    let mut runs: Vec<PathBuf> =
        fs::read_dir(reports).expect("published reports").flatten().map(|e| e.path()).collect();
    runs.sort();
    let packed = fs::File::open(runs[0].join("record.json.gz")).expect("a record");
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut text).expect("gzip");
    let folder = folder();
    fs::write(folder.path().join("record.json"), &text).expect("written");
    let run_folder = path(folder.path());
    assert_eq!(run(&["report", run_folder]).0, 0);
    assert!(fs::metadata(folder.path().join("report.html")).is_ok_and(|m| m.len() > 100_000));
    let (code, out, err) = run(&["compare", run_folder, run_folder, "--format", "md"]);
    assert_eq!(code, 0, "{err}");
    if serde_json::from_slice::<serde_json::Value>(&text).expect("JSON").get("outcomes").is_none() {
        assert!(out.contains("No gate could be checked") && out.contains("was written before"), "{out}");
        assert_eq!(run(&["compare", run_folder, run_folder, "--gate"]).0, 5);
        let history = folder.path().join("h.jsonl");
        let (code, _, err) = run(&["history", "add", run_folder, "--file", path(&history)]);
        assert!(code == 2 && err.contains("no outcomes by well"), "{err}");
    }
}

#[test]
fn a_report_says_what_changed_since_its_baseline_or_how_to_name_one() {
    let folder = folder();
    let [base, again, weak] = three(folder.path());
    let page = |run: &Path| fs::read_to_string(run.join("report.html")).expect("a page");
    assert!(page(&weak).contains("This page was made without a baseline"));
    let out = folder.path().join("told");
    let (code, _, err) = run(&["report", path(&weak), "--baseline", path(&base), "--out", path(&out)]);
    assert_eq!(code, 0, "{err}");
    let told = page(&out);
    assert!(
        told.contains("Worse than a run: ") && told.contains("REGRESSION") && told.contains("data-name=\"changes\"")
    );
    assert!(!told.contains("made without a baseline"));

    // A finished run is not scored again, but its page learns of the baseline, and forgets it.
    let table = folder.path().join("turned.csv");
    score(&table, "m", &again, &["--baseline-run", path(&base)]);
    assert!(page(&again).contains("No change that matters"));
    let steps = record(&again).steps;
    score(&table, "m", &again, &["--baseline-run", path(&weak)]);
    assert!(page(&again).contains("Better than a run"));
    assert_eq!(record(&again).steps, steps, "nothing was scored");

    // What cannot be compared is refused by `report`, and said in the page of a run that is worth keeping all the same.
    let other = folder.path().join("other");
    let flags = ["--seed", "5", "--baseline-run", path(&base)];
    score(&table, "m", &other, &flags);
    assert!(page(&other).contains("Nothing was compared: "));
    let (code, _, err) = run(&["report", path(&other), "--baseline", path(&base)]);
    assert!(code == 2 && err.contains("cannot compare"), "{err}");
    let (code, _, err) = run(&["report", path(&weak), "--baseline", "nowhere"]);
    assert!(code != 0 && err.contains("nowhere"), "{err}");
}
