//! Crates may depend to the right in the list of the design, never back.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// What each crate may depend on (normal dependencies). A new crate needs a line here.
fn allowed() -> BTreeMap<&'static str, Vec<&'static str>> {
    BTreeMap::from([
        ("bench-core", vec![]),
        ("bench-geometry", vec!["bench-core"]),
        ("bench-data", vec!["bench-core"]),
        ("bench-images", vec!["bench-core"]),
        ("bench-fetch", vec!["bench-core"]),
        ("bench-report", vec!["bench-core"]),
        ("bench-chem", vec![]),
        ("bench-nn", vec!["bench-core"]),
        ("bench-models", vec!["bench-nn", "bench-chem", "bench-core"]),
        ("bench-train", vec!["bench-core", "bench-models", "bench-nn", "bench-chem"]),
        ("bench-eval", vec!["bench-core", "bench-geometry"]),
        ("bench-correct", vec!["bench-core", "bench-geometry"]),
        (
            "bench-run",
            vec![
                "bench-core",
                "bench-correct",
                "bench-data",
                "bench-eval",
                "bench-fetch",
                "bench-geometry",
                "bench-images",
                "bench-chem",
                "bench-nn",
                "bench-models",
                "bench-train",
            ],
        ),
        ("bench-cli", vec!["bench-core", "bench-correct", "bench-data", "bench-eval", "bench-report", "bench-run"]),
        ("bench-tests", vec!["bench-core", "bench-data"]),
    ])
}

/// Dependencies that few crates may have, because they are most of the build.
const CONFINED: [(&str, &[&str]); 6] = [
    ("polars", &["bench-data"]),
    ("object_store", &["bench-fetch"]),
    ("tokio", &["bench-fetch"]),
    ("plotters", &["bench-report"]),
    ("clap", &["bench-cli"]),
    ("candle-core", &["bench-nn", "bench-models", "bench-train"]),
];

#[test]
fn crates_depend_only_to_the_right() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().expect("cargo metadata");
    let allowed = allowed();
    let mut seen = 0;
    for package in &metadata.packages {
        let name = package.name.as_str();
        let may = allowed.get(name).unwrap_or_else(|| panic!("`{name}` is not in the list of crates"));
        seen += 1;
        for dependency in &package.dependencies {
            let on = dependency.name.as_str();
            if dependency.kind == DependencyKind::Normal && on.starts_with("bench-") {
                assert!(may.contains(&on), "`{name}` must not depend on `{on}`");
            }
            for (heavy, owners) in CONFINED {
                let normal = dependency.kind == DependencyKind::Normal;
                let owned = owners.contains(&name);
                assert!(!(normal && on == heavy) || owned, "`{heavy}` belongs to {owners:?}, not to `{name}`");
            }
        }
    }
    assert_eq!(seen, allowed.len(), "every crate of the list exists");
}
