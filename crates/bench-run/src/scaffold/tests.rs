//! Files that are started, and the checkout that they are registered in.

use super::*;

const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A copy of the files of the checkout that registrations change.
fn checkout() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    for file in [
        "crates/bench-eval/src/metric/mod.rs",
        "crates/bench-eval/src/split/mod.rs",
        "crates/bench-eval/src/control/mod.rs",
        "crates/bench-eval/src/embedding/batch/mod.rs",
        "crates/bench-correct/src/lib.rs",
        "crates/bench-correct/src/registry.rs",
        "crates/bench-models/src/losses/mod.rs",
    ] {
        let to = folder.path().join(file);
        std::fs::create_dir_all(to.parent().expect("a folder")).expect("made");
        std::fs::copy(Path::new(CHECKOUT).join(file), to).expect("copied");
    }
    folder
}

#[test]
fn a_new_kind_is_registered_where_the_others_are() {
    let folder = checkout();
    let read = |file: &str| std::fs::read_to_string(folder.path().join(file)).expect("read");
    for (kind, module, name) in [
        (Kind::Metric, "metric", "MyKind"),
        (Kind::Split, "split", "MyKind"),
        (Kind::Control, "control", "MyKind"),
        (Kind::EmbeddingMetric, "embedding/batch", "MyKind"),
        (Kind::Loss, "losses", "build"),
    ] {
        let krate = if kind == Kind::Loss { "bench-models" } else { "bench-eval" };
        let file = format!("crates/{krate}/src/{module}/mod.rs");
        let before = read(&file);
        let started = start(kind, "my-kind", folder.path(), false).expect("started");
        assert_eq!(read(&file), before, "nothing is registered unasked");
        assert!(started.lines.len() >= 2, "{:?}", started.lines);
        std::fs::remove_file(&started.file).expect("removed");
        let started = start(kind, "my-kind", folder.path(), true).expect("started");
        let after = read(&file);
        assert!(after.contains("pub mod my_kind;") && after.contains(&format!("my_kind::{name}")), "{after}");
        assert_eq!(after.lines().count(), before.lines().count() + started.lines.len());
        let text = std::fs::read_to_string(&started.file).expect("read");
        assert!(text.contains("id: \"my-kind\"") && text.contains("My kind") && text.contains("#[test]"), "{text}");
        let lower = text.to_lowercase();
        assert!(!lower.contains("template") && !lower.contains("scaffold"), "{text}");
        let again = start(kind, "my-kind", folder.path(), false).expect_err("there already");
        assert!(again.to_string().contains("there already"), "{again}");
    }
    let started = start(Kind::Correction, "my-kind", folder.path(), true).expect("started");
    assert!(started.file.ends_with("crates/bench-correct/src/my_kind.rs") && started.file.is_file());
    assert!(read("crates/bench-correct/src/lib.rs").contains("\nmod my_kind;\n"));
    let kinds = bench_correct::registry::KINDS.len() + 1;
    let registry = read("crates/bench-correct/src/registry.rs");
    assert!(registry.contains(&format!("pub static KINDS: [Kind; {kinds}] = kinds![")), "{registry}");
    assert!(registry.contains("\n    my_kind,\n];"), "{registry}");
    let metrics = read("crates/bench-eval/src/metric/mod.rs");
    let n = bench_eval::metric::CARDS.len() + 1;
    assert!(metrics.contains(&format!("pub static CARDS: [&Card; {n}] = [")), "{metrics}");
}

#[test]
fn a_new_suite_and_a_new_preset_are_valid() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let suite = start(Kind::Suite, "my-suite", folder.path(), false).expect("started");
    let (suite, _) = crate::suite::Suite::load(suite.file.to_str().expect("a path")).expect("a suite");
    assert_eq!((suite.id.as_str(), suite.title.as_str()), ("my-suite", "My suite"));
    #[cfg(feature = "train")]
    {
        let preset = start(Kind::Preset, "my-preset", folder.path(), false).expect("started");
        let preset = crate::produce::Preset::load(preset.file.to_str().expect("a path")).expect("a preset");
        assert_eq!(preset.id, "my-preset");
    }
}

#[test]
fn ids_that_are_none_or_are_taken_are_refused() {
    let folder = checkout();
    for id in ["", "My-Metric", "my--metric", "-x", "x-", "1x", "a_b", "match", "../x"] {
        let error = start(Kind::Metric, id, folder.path(), false).expect_err(id);
        assert!(error.to_string().contains("no id"), "{error}");
    }
    for (kind, id) in [
        (Kind::Metric, "accuracy"),
        (Kind::EmbeddingMetric, "bras"),
        (Kind::Correction, "combat"),
        (Kind::Split, "random"),
        (Kind::Control, "noise"),
        (Kind::Suite, "smoke"),
    ] {
        let error = start(kind, id, folder.path(), false).expect_err(id);
        assert!(error.to_string().contains("already"), "{error}");
    }
    let elsewhere = tempfile::tempdir().expect("temporary folder");
    let error = start(Kind::Metric, "my-metric", elsewhere.path(), false).expect_err("no checkout");
    assert!(error.hint().is_some_and(|hint| hint.contains("--dir")), "{error}");
    assert_eq!(std::fs::read_dir(elsewhere.path()).expect("read").count(), 0, "nothing was written");
}
