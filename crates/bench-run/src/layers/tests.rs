//! What wins, and what is said of a value that does not fit.

use super::*;

fn read(file: &str, variables: &[(&str, &str)]) -> Result<Layers, Error> {
    let folder = tempfile::tempdir().expect("temporary folder");
    if !file.is_empty() {
        std::fs::write(folder.path().join(FILE), file).expect("written");
    }
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Layers::read(None, folder.path(), variables)
}

#[test]
fn a_variable_wins_over_the_file_and_the_file_over_the_suite() {
    let file = "seed = 7\n[splits]\nrepeats = 2\ntest-fraction = 0.3\n\n[probes.knn]\nk = 9\n";
    let layers =
        read(file, &[("BENCH_SPLITS__REPEATS", "4"), ("BENCH_PROBES__IDS", "knn"), ("PATH", "/bin")]).expect("read");
    let (suite, text, given) = layers.suite("smoke").expect("a suite");
    assert_eq!((suite.splits.repeats, suite.splits.test_fraction, suite.probes.knn.k), (4, 0.3, 9));
    assert_eq!(suite.probes.ids, ["knn"]);
    assert_eq!(text, crate::suite::embedded::text("smoke").expect("embedded"));
    let of = |key: &str| given.iter().rev().find(|g| g.key == key).map(|g| g.layer.place());
    assert_eq!(of("splits.repeats").as_deref(), Some("BENCH_SPLITS__REPEATS"));
    assert_eq!(of("splits.test-fraction").as_deref(), Some("bench.toml:4"));
    assert_eq!(of("probes.knn.k").as_deref(), Some("bench.toml:7"));
    let (seed, from) = layers.number("seed", 0..=u64::MAX).expect("a number").expect("set");
    assert_eq!((seed, from.layer.word()), (7, "user file"));
    // What is not set is as the suite has it.
    let (plain, _) = Suite::load("smoke").expect("a suite");
    assert_eq!(suite.metrics, plain.metrics);
}

#[test]
fn values_that_do_not_fit_name_their_place_and_the_key_that_was_meant() {
    let refused = |file: &str, variables: &[(&str, &str)]| {
        let error = match read(file, variables) {
            Ok(layers) => layers.suite("smoke").expect_err("refused"),
            Err(error) => error,
        };
        (error.to_string(), error.hint().unwrap_or_default())
    };
    let (message, hint) = refused("[splits]\nrepeat = 3\n", &[]);
    assert!(message.contains("bench.toml:2") && message.contains("unknown key `repeat`"), "{message}");
    assert_eq!(hint, "did you mean `repeats`?");
    let (message, hint) = refused("[split]\nrepeats = 3\n", &[]);
    assert!(message.contains("bench.toml:2") && hint.contains("splits"), "{message} {hint}");
    let (message, _) = refused("", &[("BENCH_SPLITS__REPEATS", "many")]);
    assert!(message.contains("BENCH_SPLITS__REPEATS") && message.contains("no number"), "{message}");
    let (message, _) = refused("", &[("BENCH_SPLITS__REPEATS", "0")]);
    assert!(message.contains("BENCH_SPLITS__REPEATS") && message.contains("1 to 1000"), "{message}");
    let (message, hint) = refused("", &[("BENCH_SPLIT__REPEATS", "3")]);
    assert!(message.contains("no setting") && hint.contains("BENCH_SPLITS"), "{message} {hint}");
    let (message, _) = refused("version = 2\n", &[]);
    assert!(message.contains("says what the suite is"), "{message}");
    let (message, _) = refused("[splits\n", &[]);
    assert!(message.contains("bench.toml:1"), "{message}");
    let layers = read("threads = \"all\"\n", &[]).expect("read");
    let error = layers.number("threads", 1..=1024).expect_err("no number").to_string();
    assert!(error.contains("bench.toml:1") && error.contains("from 1 to 1024"), "{error}");
}

#[test]
fn lists_switches_and_absent_values_are_read_from_words() {
    let variables = [
        ("BENCH_METRICS", "accuracy, mcc"),
        ("BENCH_PROJECTION__ENABLED", "false"),
        ("BENCH_SELECT__TOP_LABELS", "4"),
        ("BENCH_SELECT__LABELS", "[\"a,b\", \"c\"]"),
        ("BENCH_DEVICE", ""),
        ("BENCH_COMMIT", "abc"),
    ];
    let layers = read("", &variables).expect("read");
    let (suite, _, given) = layers.suite("generic").expect("a suite");
    assert_eq!(suite.metrics, ["accuracy", "mcc"]);
    assert!(!suite.projection.enabled);
    assert_eq!(suite.select.top_labels, Some(4));
    assert_eq!(suite.select.labels, Some(vec!["a,b".to_owned(), "c".to_owned()]));
    assert_eq!(given.len(), 4);
    assert_eq!(layers.text("device"), None);
    assert_eq!(variable("probes.knn.k"), "BENCH_PROBES__KNN__K");
}

#[cfg(feature = "train")]
#[test]
fn a_preset_has_keys_of_its_own() {
    let layers = read("[preset]\nembedding-batch = 7\n[preset.augment]\ncrop = 24\n", &[]).expect("read");
    let (preset, _, given) = crate::produce::Preset::load_with("smoke", &layers).expect("a preset");
    assert_eq!((preset.embedding_batch, preset.augment.crop), (7, 24));
    assert_eq!(given[0].key, "preset.embedding-batch");
    let layers = read("[preset]\nembeding-batch = 7\n", &[]).expect("read");
    let error = crate::produce::Preset::load_with("smoke", &layers).expect_err("unknown key");
    assert_eq!(error.hint().as_deref(), Some("did you mean `embedding-batch`?"));
}
