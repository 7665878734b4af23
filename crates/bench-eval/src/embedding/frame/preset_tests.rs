//! Presets against their packages; see `metric_presets.py` and `sbee.py` in `tests/goldens/generators`.

use serde_json::Value;

use super::preset;
use crate::embedding::batch::robustness;
use crate::embedding::batch::robustness_pairs::counts_of;
use crate::embedding::testing::Input;
use crate::embedding::{EmbeddingMetric as _, Space, lookup};

fn golden(name: &str) -> Value {
    let path = format!("{}/../../tests/goldens/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn measured(input: &Input, id: &str) -> f64 {
    input.with(|space, roles| {
        lookup(id).unwrap().measure(space, roles).unwrap_or_else(|why| panic!("{id}: {why}")).value
    })
}

fn close(name: &str, id: &str, found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{name} {id}: {found} instead of {expected}");
}

/// Clusterings draw other random numbers: a value lies within the range of the peer's ten seeds, or near it.
fn in_range(name: &str, id: &str, found: f64, range: &Value) {
    let (low, high) = (range[0].as_f64().unwrap(), range[1].as_f64().unwrap());
    assert!(found >= low - 0.1 && found <= high + 0.1, "{name} {id}: {found} outside of {low} to {high}");
}

#[test]
fn scib_and_arevalo_are_answered_on_their_own_graphs() {
    let golden = golden("metric_presets");
    for (name, input, _) in Input::all() {
        let of = |preset: &str| golden["cases"][&name][preset].clone();
        for (preset, prefix, expected) in [("scib", "", of("scib")), ("arevalo2024", "arevalo-", of("arevalo2024"))] {
            for (id, tolerance) in [("graph-connectivity", 1e-12), ("ilisi-graph", 1e-4), ("clisi-graph", 1e-4)] {
                let own = format!("{prefix}{id}");
                assert!(preset::lookup(preset).unwrap().metrics().any(|id| id == own), "{preset} measures {own}");
                close(&name, &own, measured(&input, &own), expected[id].as_f64().unwrap(), tolerance);
            }
            let best = if preset == "scib" { "-best" } else { "" };
            for id in ["nmi", "ari"] {
                let own = format!("{prefix}{id}-leiden{best}");
                in_range(&name, &own, measured(&input, &own), &expected[id]);
            }
            for id in [
                "asw-label-euclidean",
                "asw-batch",
                "asw-label-cosine",
                "asw-batch-cosine",
                "isolated-labels",
                "pcr-50",
            ] {
                if let Some(expected) = expected[id].as_f64() {
                    close(&name, id, measured(&input, id), expected, 1e-5);
                }
            }
        }
    }
}

#[test]
fn the_benchmarker_of_scib_metrics_prints_the_same_values() {
    let golden = golden("metric_presets");
    let mut compared = 0;
    for (name, input, _) in Input::all() {
        let expected = &golden["cases"][&name]["scib-metrics"];
        for (id, key, tolerance) in [
            ("bras", "bras", 2e-6),
            ("ilisi", "ilisi_knn", 1e-4),
            ("graph-connectivity-directed", "graph_connectivity", 1e-6),
            ("asw-label-euclidean", "silhouette_label", 2e-6),
            ("clisi", "clisi_knn", 1e-4),
            ("isolated-labels", "isolated_labels", 2e-6),
            // Other neighbours, and components that depend on the order of labels; other starts.
            ("kbet-label", "kbet_per_label", 0.25),
            ("nmi-kmeans", "nmi_ari_cluster_labels_kmeans_nmi", 0.1),
            ("ari-kmeans", "nmi_ari_cluster_labels_kmeans_ari", 0.1),
        ] {
            if let Some(expected) = expected[key].as_f64().filter(|value| value.is_finite()) {
                close(&name, id, measured(&input, id), expected, tolerance);
                compared += 1;
            }
        }
    }
    assert!(compared >= 16, "{compared} values were compared");
}

#[test]
fn sbee_is_that_of_its_package() {
    let golden = golden("sbee");
    for (name, input, _) in Input::all() {
        close(&name, "sbee", measured(&input, "sbee"), golden["values"][&name].as_f64().unwrap(), 1e-10);
    }
}

#[test]
fn robustness_indices_are_those_of_their_description() {
    let golden = golden("metric_presets");
    for (name, input, _) in Input::all() {
        let expected = &golden["cases"][&name]["pathorob"];
        let k = expected["k"].as_u64().unwrap() as usize;
        let space = Space::new(&input.matrix, &input.controls);
        space.robustness_k.set(k).unwrap();
        let first = robustness::EARLIER.measure(&space, &input.roles()).unwrap().value;
        close(&name, "first form", first, expected["first_form"].as_f64().unwrap(), 1e-9);
        for pair in expected["pairs"].as_array().unwrap() {
            let rows = indices(&pair["rows"]);
            let (same_label, all) = counts_of(&space, &rows, &input.roles(), k).unwrap();
            close(&name, "SO of a pair", same_label, pair["so"].as_f64().unwrap(), 1e-9);
            close(&name, "SO + OS of a pair", all, pair["all"].as_f64().unwrap(), 1e-9);
        }
    }
}

fn indices(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|row| row.as_u64().unwrap() as u32).collect()
}

#[test]
fn every_metric_has_an_id_of_its_own() {
    let mut ids: Vec<&str> = crate::embedding::every().map(|metric| metric.card().card.id).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
}
