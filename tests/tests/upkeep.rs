//! Settings, cache, doctor, scaffolds: what looks after the program.

use std::fs;
use std::path::Path;

use bench_tests::{bench, folder};

fn stdout(command: &mut assert_cmd::Command, code: i32) -> String {
    String::from_utf8_lossy(&command.assert().code(code).get_output().stdout).into_owned()
}

fn settings(command: &mut assert_cmd::Command) -> Vec<(String, String, String)> {
    let value: serde_json::Value = serde_json::from_str(&stdout(command, 0)).expect("JSON");
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let rows = value["settings"].as_array().expect("a list");
    rows.iter().map(|row| (text(row, "key"), text(row, "value"), text(row, "origin"))).collect()
}

#[test]
fn every_value_says_where_it_is_from_and_the_last_layer_wins() {
    let folder = folder();
    fs::write(folder.path().join("bench.toml"), "threads = 1\n[splits]\nrepeats = 2\n[probes.knn]\nk = 9\n")
        .expect("written");
    let show = || {
        let mut command = assert_cmd::Command::new(bench_tests::binary());
        command.current_dir(folder.path()).env("BENCH_PROBES__KNN__K", "7").env("BENCH_CACHE", "elsewhere");
        command.args(["config", "show", "--suite", "target2", "--bootstrap", "200", "--models", "emm", "--json"]);
        command
    };
    let found = settings(&mut show());
    let of = |key: &str| {
        let row = found.iter().find(|(k, ..)| k == key).unwrap_or_else(|| panic!("{key}"));
        (row.1.clone(), row.2.clone())
    };
    let is = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
    assert_eq!(of("splits.repeats"), is("2", "user file"));
    assert_eq!(of("probes.knn.k"), is("7", "environment"));
    assert_eq!(of("uncertainty.bootstrap"), is("200", "flag"));
    assert_eq!(of("select.top-labels"), is("9", "suite"));
    assert_eq!(of("splits.test-fraction"), is("0.2", "default"));
    assert_eq!(of("threads"), is("1", "user file"));
    assert_eq!(of("cache"), is("elsewhere", "environment"));
    assert_eq!(of("seed"), is("0", "default"));
    assert_eq!(of("preset.title").1, "preset");
    assert_eq!(of("preset.models").1, "flag");
    // For people, with the place of each.
    let mut people = show();
    let text = stdout(people.args(["--origin"]).args(["--config", "bench.toml"]), 0);
    assert!(!text.contains("threads  1"), "JSON was asked for");

    // The same layers decide a run, and its record says so.
    let run = folder.path().join("run");
    let mut command = assert_cmd::Command::new(bench_tests::binary());
    command.current_dir(folder.path()).env("BENCH_SEED", "5").env("BENCH_PROJECTION__ENABLED", "false");
    command.args(["run", "--suite", "smoke", "--bootstrap", "100", "--no-batch-probes", "--out"]).arg(&run);
    command.assert().code(0);
    let record = bench_tests::record(&run);
    assert_eq!(record.seed, 5);
    assert!(record.projections.is_empty());
    let origin = |key: &str| record.settings.iter().find(|s| s.key == key).map(|s| s.origin.as_str());
    assert_eq!(origin("seed"), Some("environment"));
    assert_eq!(origin("splits.repeats"), Some("user file"));
    assert_eq!(record.scores.iter().map(|s| s.repeat).max(), Some(1), "two repeats");
}

#[test]
fn broken_settings_are_refused_by_place_and_are_a_finding_of_the_doctor() {
    let folder = folder();
    fs::write(folder.path().join("bench.toml"), "[splits]\nrepeat = 2\n").expect("written");
    let run = |args: &[&str]| {
        let mut command = assert_cmd::Command::new(bench_tests::binary());
        command.current_dir(folder.path()).args(args);
        command
    };
    let refused = run(&["config", "show"]).assert().code(2);
    let told = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(told.contains("bench.toml:2") && told.contains("did you mean `repeats`?"), "{told}");
    fs::write(folder.path().join("bench.toml"), "splits = \n").expect("written");
    let text = stdout(&mut run(&["doctor"]), 1);
    assert!(text.contains("fail") && text.contains("bench.toml:1"), "{text}");
    fs::remove_file(folder.path().join("bench.toml")).expect("removed");
    let unknown = run(&["config", "show"]).env("BENCH_SPLIT__REPEATS", "2").assert().code(2);
    let told = String::from_utf8_lossy(&unknown.get_output().stderr).into_owned();
    assert!(told.contains("BENCH_SPLIT__REPEATS") && told.contains("BENCH_SPLITS"), "{told}");
}

#[test]
fn the_doctor_answers_people_and_programs() {
    let folder = folder();
    let doctor = |json: bool| {
        let mut command = bench();
        command.args(["doctor", "--out"]).arg(folder.path()).env("BENCH_CACHE", folder.path().join("cache"));
        command.env("LC_ALL", "C.UTF-8");
        if json {
            command.arg("--json");
        }
        stdout(&mut command, 0)
    };
    let text = doctor(false);
    for name in [
        "program",
        "features",
        "platform",
        "device",
        "threads",
        "memory",
        "disk, results",
        "cache",
        "shipped",
        "locale",
    ] {
        assert!(text.lines().any(|line| line.contains(name)), "{name} in\n{text}");
    }
    let value: serde_json::Value = serde_json::from_str(&doctor(true)).expect("JSON");
    let checks = value["checks"].as_array().expect("a list");
    assert_eq!(checks.len(), text.lines().filter(|line| !line.contains("hint: ")).count());
    assert!(!folder.path().join("cache").exists(), "looking makes nothing");
}

#[test]
fn a_step_is_explained_and_old_entries_go() {
    let folder = folder();
    let cache = folder.path().join("cache");
    let cached = |args: &[&str]| {
        let mut command = bench();
        command.arg("cache").args(args).arg("--cache").arg(&cache);
        stdout(&mut command, 0)
    };
    let why = |step: &str, more: &[&str]| cached(&[&["why", step, "--preset", "smoke"], more].concat());
    assert!(cached(&["size"]).contains("0 entries"));
    assert!(why("simulate plates", &[]).contains("the cache has nothing"));
    assert!(why("train emm", &[]).contains("cannot be said before `simulate plates`"));
    let run = folder.path().join("run");
    let train = |seed: &str| {
        bench()
            .args(["train", "--preset", "smoke", "--models", "emm", "--train-seeds", seed, "--cache"])
            .arg(&cache)
            .arg("--out")
            .arg(&run)
            .assert()
            .code(0);
    };
    train("1");
    assert!(why("simulate plates", &[]).contains("taken from the cache"));
    assert!(why("train emm", &["--models", "emm"]).contains("taken from the cache"));
    let text = why("train clip", &[]);
    assert!(text.contains("done again") && text.contains("described.model.loss.loss: clip here, emm there"), "{text}");
    let size = cached(&["size"]);
    assert!(
        size.contains("plates") && size.lines().any(|l| l.starts_with("models") && l.contains("1 entry")),
        "{size}"
    );
    assert!(cached(&["prune"]).contains("0 entries"), "nothing is thirty days old");
    assert!(cached(&["prune", "--older-than", "0", "--dry-run"]).contains("would be removed"));
    assert!(why("simulate plates", &[]).contains("taken from the cache"), "a dry run removes nothing");
    assert!(cached(&["prune", "--older-than", "0"]).contains("removed"));
    assert!(cached(&["size"]).contains("0 entries"));
    bench().args(["cache", "why", "train em", "--preset", "smoke", "--cache"]).arg(&cache).assert().code(2);
}

#[test]
fn a_suite_and_a_preset_that_were_started_can_be_used() {
    let folder = folder();
    let new = |kind: &str, id: &str| {
        let mut command = bench();
        command.args(["new", kind, id, "--dir"]).arg(folder.path());
        stdout(&mut command, 0)
    };
    assert!(new("suite", "my-plates").contains("my-plates.toml"));
    new("preset", "my-training");
    let suite = folder.path().join("my-plates.toml");
    let plan = stdout(bench().args(["config", "show", "--suite"]).arg(&suite), 0);
    assert!(plan.contains("min-label-rows"), "{plan}");
    let preset = folder.path().join("my-training.toml");
    let plan = stdout(bench().args(["train", "--dry-run", "--preset"]).arg(&preset), 0);
    assert!(plan.contains("train emm"), "{plan}");
    bench().args(["new", "suite", "my-plates", "--dir"]).arg(folder.path()).assert().code(2);
    bench().args(["new", "metrc", "x", "--dir"]).arg(folder.path()).assert().code(2);
    bench().args(["new", "metric", "x", "--dir"]).arg(folder.path()).assert().code(2);
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    bench().args(["new", "metric", "accuracy", "--dir"]).arg(&checkout).assert().code(2);
}

#[test]
fn everything_that_has_an_id_is_listed_and_shown_with_formula_and_defaults() {
    let listed: serde_json::Value = serde_json::from_str(&stdout(bench().args(["list", "--json"]), 0)).expect("JSON");
    for kind in
        ["suites", "presets", "manifests", "splits", "probes", "metrics", "retrieval", "controls", "losses", "encoders"]
    {
        let rows = listed[kind].as_array().unwrap_or_else(|| panic!("{kind}"));
        assert!(!rows.is_empty(), "{kind}");
        for row in rows {
            let id = row["id"].as_str().expect("an id");
            assert!(stdout(bench().args(["show", id]), 0).len() > 100, "{id}");
        }
    }
    let text = stdout(bench().args(["show", "emm-code"]), 0);
    for words in ["formula", "reference", "defaults     loss = \"emm-code\"", "gamma = 0.5"] {
        assert!(text.contains(words), "{words} in\n{text}");
    }
    assert!(stdout(bench().args(["show", "knn"]), 0).contains("k = 3"));
    assert!(stdout(bench().args(["list", "loss"]), 0).contains("nt-xent"));
}
