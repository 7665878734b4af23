//! From nothing to a report: plates are simulated, models trained, plates embedded and scored.

use std::path::Path;

use bench_core::RunRecord;
use bench_tests::{bench, binary, folder, record};

/// One small model, scored quickly.
fn run(threads: &str, cache: &Path, out: &Path) -> (RunRecord, String) {
    let flags =
        ["--preset", "smoke", "--models", "emm", "--protocols", "strict", "--no-projection", "--bootstrap", "100"];
    let mut command = assert_cmd::Command::new(binary());
    command.env("NO_COLOR", "1").args(["--threads", threads, "run", "--suite", "target2"]).args(flags);
    command.args(["--probes", "logreg"]);
    let done = command.arg("--cache").arg(cache).arg("--out").arg(out).assert().code(0);
    (record(out), String::from_utf8_lossy(&done.get_output().stderr).into_owned())
}

#[test]
fn a_suite_trains_its_models_and_the_thread_count_changes_nothing() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let (one, _) = run("1", &path("cache-one"), &path("one"));
    let (two, _) = run("2", &path("cache-two"), &path("two"));
    assert!(one.suite.simulated);
    assert_eq!(one.training.len(), 1);
    assert_eq!(one.training[0].history.len(), 3);
    let models: Vec<&str> = one.models.iter().map(|model| model.name.as_str()).take(4).collect();
    assert_eq!(models, ["emm", "emm-backbone", "random-init", "simple-features"]);
    let retrieved = one.retrieval.iter().filter(|row| row.model == "emm" && row.metric == "hit-rate@1");
    assert_eq!(retrieved.filter(|row| row.value.is_some()).count(), 2, "both directions");
    assert!(one.retrieval.iter().any(|row| row.model == "random" && row.value == Some(0.1)));
    // Checkpoints are named by what decides them, so equal digests mean equal settings, and equal
    // scores equal weights.
    assert_eq!(one.training, two.training);
    assert_eq!(one.scores_digest, two.scores_digest);
    assert_eq!(one.record_digest, two.record_digest);

    let (again, told) = run("2", &path("cache-two"), &path("two"));
    assert!(told.contains("nothing to do"), "{told}");
    assert_eq!(again.record_digest, two.record_digest);
    // The cache alone is enough: a new folder needs no training.
    let (elsewhere, told) = run("2", &path("cache-two"), &path("three"));
    assert!(!told.contains("images per second"), "{told}");
    assert_eq!(elsewhere.record_digest, two.record_digest);
}

#[test]
fn presets_devices_and_folders_that_cannot_be_used_are_refused() {
    let folder = folder();
    let refused = |flags: &[&str], code: i32, word: &str| {
        let done = bench().args(["run", "--suite", "target2"]).args(flags).assert().code(code);
        let told = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
        assert!(told.contains(word), "{flags:?}: {told}");
    };
    refused(&["--preset", "smok"], 2, "did you mean `smoke`?");
    refused(&["--preset", "smoke", "--models", "clap"], 2, "clip, emm, imm");
    refused(&["--preset", "smoke", "--device", "gpu"], 2, "cuda:N");
    let empty = folder.path().display().to_string();
    refused(&["--preset", "smoke", "--data", &empty, "--cache", &empty], 2, "metadata.csv");
}
