//! The biology side against its peers; see `tests/goldens/generators/eval_biology.py`.

use std::collections::BTreeMap;

use bench_core::Seed;
use bench_geometry::kmeans;
use serde_json::Value;

use super::label::agreement;
use super::label::leiden::modularity;
use super::map::presets::{self, PEER_NULL};
use super::map::{MapTable, fdr, run};
use super::sources::known_relationships::{TAIL, known_relationships};
use super::support::ranking;
use super::support::stats::{apart, average_ranks, fisher_greater};
use super::testing::{cases, close, golden, numbers, parts};
use super::*;
use crate::embedding::Measured;
use crate::embedding::batch::shortest_paths::Fuzzy;

fn same_parts(what: &str, found: &Measured, expected: &Value, tolerance: f64) {
    let found = parts(found);
    let expected = expected.as_object().unwrap();
    assert_eq!(found.len(), expected.len(), "{what}: {found:?}");
    for (name, value) in expected {
        let value = value.as_f64().unwrap();
        close(&format!("{what} {name}"), found[name.as_str()].0, value, tolerance * (1.0 + value.abs()));
    }
}

#[test]
fn small_statistics_are_those_of_the_peers() {
    let golden = golden();
    let small = &golden["small"];
    let (p, group) = (numbers(&small["fdr"]["p"]), numbers(&small["fdr"]["group"]));
    let group: Vec<usize> = group.into_iter().map(|group| group as usize).collect();
    for (found, key) in [(fdr::benjamini_hochberg(&p), "bh"), (fdr::hierarchical(&p, &group, 0.05), "hierarchical")] {
        for (found, expected) in found.into_iter().zip(numbers(&small["fdr"][key])) {
            close(key, found, expected, 1e-12);
        }
    }
    let codes = |key: &str| -> Vec<u32> { numbers(&small["agreement"][key]).iter().map(|&code| code as u32).collect() };
    close("nmi", agreement::nmi(&codes("a"), &codes("b")), small["agreement"]["nmi"].as_f64().unwrap(), 1e-12);
    close("ari", agreement::ari(&codes("a"), &codes("b")), small["agreement"]["ari"].as_f64().unwrap(), 1e-12);
    let (mut x, mut y) = (numbers(&small["apart"]["x"]), numbers(&small["apart"]["y"]));
    for (found, expected) in average_ranks(&x).into_iter().zip(numbers(&small["spearman_ranks"])) {
        close("rank", found, expected, 0.0);
    }
    let found = apart(&mut x, &mut y);
    close("ks", found.kolmogorov_smirnov, small["apart"]["ks"].as_f64().unwrap(), 1e-12);
    close("cvm", found.cramer_von_mises, small["apart"]["cvm"].as_f64().unwrap(), 1e-10);
    for case in small["fisher"].as_array().unwrap() {
        let table: Vec<u64> = numbers(&case["table"]).iter().map(|&count| count as u64).collect();
        let expected = case["p"].as_f64().unwrap();
        close("fisher", fisher_greater(table.try_into().unwrap()), expected, 1e-9 * expected);
    }
    for case in small["expected_ap"].as_array().unwrap() {
        let case = numbers(case);
        close("mu", ranking::chance_average_precision(case[0] as usize, case[1] as usize), case[2], 1e-12);
    }
}

#[test]
fn label_metrics_are_those_of_the_peers() {
    for (name, input, values) in cases() {
        for (id, key, tolerance) in [
            ("asw-label-cosine", "asw_cosine", 1e-9),
            ("asw-label-euclidean", "asw_euclidean", 1e-6),
            ("isolated-labels", "isolated_labels", 1e-5),
            ("clisi", "clisi", 1e-4),
            ("kni", "kni", 1e-12),
            ("ksim", "ksim", 1e-12),
        ] {
            close(&format!("{name} {id}"), input.value(id), values[key].as_f64().unwrap(), tolerance);
        }
    }
}

#[test]
fn clusterings_are_as_good_as_those_of_the_peers() {
    for (name, input, values) in cases() {
        let expected = values["clusters"]["kmeans_inertia"].as_f64().unwrap();
        let settings =
            kmeans::KMeansSettings { restarts: 20, ..kmeans::KMeansSettings::new(input.label.level_count()) };
        let found = kmeans::kmeans(&input.treated, &settings, Seed(1)).inertia;
        assert!(found <= expected * 1.01, "{name}: {found} {expected}");
        let space = input.space();
        let graph = label::clusters::connectivities(&space, Fuzzy::Scib).unwrap();
        for (tenths, expected) in values["clusters"]["leiden"].as_object().unwrap() {
            let expected = numbers(expected);
            let tenths: u32 = tenths.parse().unwrap();
            let clusters = label::clusters::leiden_clusters(&space, Fuzzy::Scib, tenths).unwrap();
            let found = modularity(&graph, &clusters, f64::from(tenths) / 10.0);
            // igraph's is the best of ten seeds.
            assert!(found >= expected[0] - 0.01, "{name} resolution {tenths}/10: {found} {expected:?}");
            close(&format!("{name} nmi"), agreement::nmi(&input.label.codes, &clusters), expected[1], 0.1);
        }
    }
}

/// Compares a table with copairs: rows `[P, L, AP, normalised]`, those with a near tie without the last two.
fn same_map(what: &str, table: &MapTable, expected: &Value) {
    let mut clear = BTreeMap::new();
    if let Some(rows) = expected["rows"].as_array() {
        let mut found = table.rows.iter().peekable();
        for (at, row) in rows.iter().enumerate().filter(|(_, row)| !row.is_null()) {
            let (row, score) = (numbers(row), found.next().unwrap());
            assert_eq!(
                (score.row as usize, score.positives, score.all),
                (at, row[0] as usize, row[1] as usize),
                "{what}"
            );
            if let [_, _, ap, normalised] = row[..] {
                close(what, score.average_precision, ap, 1e-6);
                close(what, score.normalised, normalised, 1e-6);
                clear.insert(at, ());
            }
        }
        assert!(found.peek().is_none(), "{what}: more rows than copairs");
        assert!(clear.len() * 10 >= table.rows.len() * 7, "{what}: too many near ties");
    }
    let groups = expected["groups"].as_object().unwrap();
    assert_eq!(groups.len(), table.groups.len(), "{what}");
    for group in &table.groups {
        let Some(expected) = groups.get(&group.name) else { panic!("{what}: copairs has no {}", group.name) };
        let expected = numbers(expected);
        let is_clear = clear.len() == table.rows.len() || expected_is_close(group.mean_average_precision, expected[0]);
        if is_clear {
            close(what, group.mean_average_precision, expected[0], 1e-6);
            close(what, group.normalised, expected[1], 1e-6);
            let error = (expected[2] * (1.0 - expected[2]) / PEER_NULL.size as f64).sqrt().max(group.standard_error);
            close(&format!("{what} p"), group.p, expected[2], 5.0 * 2f64.sqrt() * error + 2e-4);
        }
    }
}

fn expected_is_close(found: f64, expected: f64) -> bool {
    (found - expected).abs() < 1e-6
}

#[test]
fn average_precision_is_that_of_copairs() {
    for (name, input, values) in cases() {
        let (space, roles) = (input.space(), input.roles("batch"));
        let compounds = input.layout.compound.as_ref().unwrap();
        for (task, rule) in [
            ("activity", &presets::COPAIRS_ACTIVITY),
            ("activity", &presets::ACTIVITY),
            ("distinctiveness", &presets::AREVALO_NONREP),
            ("distinctiveness", &presets::DISTINCTIVENESS),
            ("cross_batch", &presets::CROSS_BATCH),
            ("cross_source", &presets::CROSS_SOURCE),
            ("negcon", &presets::AREVALO_NEGCON),
        ] {
            let expected = &values["map"][task];
            let found = run::mean_average_precision(&space, &roles, rule, compounds, PEER_NULL);
            if expected.is_null() {
                assert!(found.is_err(), "{name} {task}");
                continue;
            }
            same_map(&format!("{name} {task}"), &found.unwrap(), expected);
        }
        if let Some(expected) = values["map"].get("consistency_all") {
            let found = map::consistency::consistency(&space, &roles, false, PEER_NULL).unwrap();
            same_map(&format!("{name} consistency"), &found, expected);
        }
    }
}

#[test]
fn the_copairs_preset_is_the_mean_over_the_groups_of_copairs() {
    // Without ties: copairs takes positives first.
    let (name, input, values) = cases().remove(0);
    let measure = |id: &str| {
        let metric = crate::embedding::lookup(id).unwrap();
        metric.measure(&input.space(), &input.roles("batch")).unwrap().value
    };
    for task in ["activity", "distinctiveness"] {
        let groups: Vec<Vec<f64>> = values["map"][task]["groups"].as_object().unwrap().values().map(numbers).collect();
        let mean = |place: usize| groups.iter().map(|group| group[place]).sum::<f64>() / groups.len() as f64;
        close(&format!("{name} {task}"), measure(&format!("copairs-{task}-map")), mean(0), 1e-6);
        close(&format!("{name} {task} normalised"), measure(&format!("copairs-{task}-normalised")), mean(1), 1e-6);
        let p: Vec<f64> = groups.iter().map(|group| group[2]).collect();
        let q = fdr::benjamini_hochberg(&p);
        let retrieved = q.iter().filter(|&&q| q < 0.05).count() as f64 / q.len() as f64;
        // One group may lie at the threshold of a drawn null.
        let one = 1.0 / groups.len() as f64 + 1e-12;
        close(&format!("{name} {task} retrieved"), measure(&format!("copairs-{task}-retrieved")), retrieved, one);
    }
}

#[test]
fn replicate_metrics_are_those_of_the_peers() {
    for (name, input, values) in cases() {
        let places = [("hit-at-1", 0), ("hit-at-10", 1), ("precision-at-10", 2), ("replicate-mrr", 3)];
        for (id, place) in places {
            let found = input.measure(id).unwrap();
            for (found, expected) in found.rows.iter().zip(values["nearest"].as_array().unwrap()) {
                if !expected.is_null() {
                    close(&format!("{name} {id}"), *found, numbers(expected)[place], 1e-9);
                }
            }
        }
        let grit = input.measure("grit").unwrap();
        for (found, expected) in grit.rows.iter().zip(values["grit"].as_array().unwrap()) {
            assert_eq!(found.is_nan(), expected.is_null());
            if let Some(expected) = expected.as_f64() {
                close(&format!("{name} grit"), *found, expected, 1e-6 * (1.0 + expected.abs()));
            }
        }
        let found = input.measure("mp-value").unwrap();
        for (compound, expected) in values["mp_value"].as_object().unwrap() {
            let (expected, (distance, p)) = (numbers(expected), parts(&found)[compound.as_str()]);
            close(&format!("{name} mp {compound}"), distance, expected[0], 1e-6 * (1.0 + expected[0]));
            // 100 permutations against 500.
            let error = (expected[1] * (1.0 - expected[1]) / 100.0).sqrt();
            close(&format!("{name} mp p {compound}"), p.unwrap(), expected[1], 4.0 * error + 0.03);
        }
        same_parts(&name, &input.measure("percent-replicating").unwrap(), &values["replicating"], 1e-6);
        match input.measure("percent-matching") {
            Ok(found) => same_parts(&name, &found, &values["matching"], 1e-6),
            Err(why) => assert!(values["matching"].as_object().unwrap().is_empty(), "{name}: {why}"),
        }
        same_parts(&name, &input.measure("perturbation-consistency").unwrap(), &values["consistency"], 1e-6);
        match input.measure("perturbation-magnitude") {
            Ok(found) => same_parts(&name, &found, &values["magnitude"], 1e-6),
            // More wells than half the controls; these inputs are measured with others in `magnitude_tests`.
            Err(why) => {
                assert!(values["magnitude"].as_object().unwrap().is_empty(), "{name}");
                assert!(why.contains("fewer than half as many"), "{name}: {why}");
            }
        }
    }
}

#[test]
fn enrichment_is_that_of_a_sorted_list() {
    for (name, input, values) in cases() {
        let space = input.space();
        let compounds = &input.layout.compound.as_ref().unwrap().codes;
        let table = replicates::enrichment::table(&space, 0.01, &|a, b| Some(compounds[a] == compounds[b])).unwrap();
        for (found, expected) in table.iter().zip(numbers(&values["enrichment"]["table"])) {
            // Products in 32 bits may exchange two pairs at the threshold.
            close(&format!("{name} enrichment"), *found, expected, 1.0);
        }
    }
}

#[test]
fn agreement_between_sources_is_that_of_numpy() {
    for (name, input, values) in cases() {
        let ids = ["cross-source-hit-at-1", "cross-source-hit-at-5", "cross-source-hit-at-10", "cross-source-mrr"];
        let expected = &values["sources"];
        for (place, id) in ids.into_iter().chain(["cross-source-label-map"]).enumerate() {
            let found = input.measure(id).unwrap();
            for (pair, expected) in expected["retrieval"].as_object().unwrap() {
                if let Some(expected) = expected[place].as_f64() {
                    close(&format!("{name} {id} {pair}"), parts(&found)[pair.as_str()].0, expected, 1e-6);
                }
            }
        }
        let cka = expected["cka"].as_object().unwrap();
        if !cka.is_empty() {
            same_parts(&name, &input.measure("cka-between-sources").unwrap(), &expected["cka"], 1e-6);
            let mantel = input.measure("mantel").unwrap();
            for (pair, expected) in expected["mantel"].as_object().unwrap() {
                let (expected, (value, p)) = (numbers(expected), parts(&mantel)[pair.as_str()]);
                close(&format!("{name} mantel {pair}"), value, expected[0], 1e-6);
                let error = (expected[1] * (1.0 - expected[1]) / 999.0).sqrt();
                close(&format!("{name} mantel p {pair}"), p.unwrap(), expected[1], 6.0 * error + 2e-3);
            }
        }
        close(&format!("{name} cka"), input.value("cka-unit"), values["cka_unit"].as_f64().unwrap(), 1e-6);
        let across = &values["cross_batch"];
        close(&format!("{name} ks"), input.value("cross-batch-ks"), across["ks"].as_f64().unwrap(), 1e-9);
        let (space, roles) = (input.space(), input.roles("batch"));
        let (mut same, mut other) = replicates::distributions::similarities(&space, &roles, "batch").unwrap();
        assert_eq!(numbers(&across["n"]), [same.len() as f64, other.len() as f64]);
        close(&name, apart(&mut same, &mut other).cramer_von_mises, across["cvm"].as_f64().unwrap(), 1e-6);
        let pairs: Vec<(String, String)> = values["known"]["pairs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| (pair[0].as_str().unwrap().to_owned(), pair[1].as_str().unwrap().to_owned()))
            .collect();
        let compounds = input.layout.compound.as_ref().unwrap();
        let found = known_relationships(&space, compounds, &pairs, TAIL).unwrap();
        let found = parts(&found);
        for side in ["similar", "opposite"] {
            close(&format!("{name} {side}"), found[side].0, values["known"][side].as_f64().unwrap(), 1e-6);
        }
    }
}
