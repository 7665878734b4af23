//! The biology side against its peers (`tests/goldens/generators/eval_biology.py`), on control embeddings, and under
//! renaming, reordering, scaling and other numbers of threads.

use std::collections::BTreeMap;

use bench_core::{Factor, Layout, Matrix, Seed};
use serde_json::Value;

use super::label::agreement;
use super::label::leiden::modularity;
use super::map::presets::{self, PEER_NULL};
use super::map::{MapTable, fdr, run};
use super::sources::known_relationships::{TAIL, known_relationships};
use super::support::stats::{apart, average_ranks, fisher_greater};
use super::support::{profiles::Profiles, ranking};
use super::*;
use crate::embedding::batch::shortest_paths::Fuzzy;
use crate::embedding::summary::Summary;
use crate::embedding::{Measured, Roles, Space};
use bench_geometry::kmeans;

/// A table of treated and control rows.
#[derive(Clone, Debug)]
struct Input {
    treated: Matrix,
    controls: Matrix,
    label: Factor,
    layout: Layout,
    control_layout: Layout,
}

impl Input {
    fn space(&self) -> Space<'_> {
        Space::new(&self.treated, &self.controls)
    }

    fn roles<'a>(&'a self, unit: &'a str) -> Roles<'a> {
        Roles {
            label: &self.label,
            unit: self.layout.unit(unit).unwrap(),
            unit_name: unit,
            layout: &self.layout,
            controls: &self.control_layout,
        }
    }

    fn measure(&self, id: &str) -> Result<Measured, String> {
        let metric =
            METRICS.into_iter().find(|metric| metric.card().card.id == id).unwrap_or_else(|| panic!("no {id}"));
        metric.measure(&self.space(), &self.roles("batch"))
    }

    fn value(&self, id: &str) -> f64 {
        self.measure(id).unwrap_or_else(|why| panic!("{id}: {why}")).value
    }

    fn with(&self, treated: Matrix, controls: Matrix) -> Self {
        Self { treated, controls, ..self.clone() }
    }
}

fn layout(rows: usize, columns: &Value) -> Layout {
    let factor = |name: &str| {
        let values: Vec<&str> = columns.get(name)?.as_array()?.iter().map(|v| v.as_str().unwrap()).collect();
        Some(Factor::first_seen(&values))
    };
    Layout {
        rows,
        source: factor("source"),
        batch: factor("batch"),
        plate: factor("plate"),
        position: factor("position"),
        compound: factor("compound"),
        file_row: (0..rows as u64).collect(),
        ..Layout::default()
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn golden() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/eval_biology.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The three inputs with their values.
fn cases() -> Vec<(String, Input, Value)> {
    let golden = golden();
    let cases = golden["cases"].as_array().unwrap();
    let read = |case: &Value| {
        let dims = case["dims"].as_u64().unwrap() as usize;
        let matrix = |key: &str| {
            let data: Vec<f32> = numbers(&case[key]).iter().map(|&value| value as f32).collect();
            Matrix::new(data.len() / dims, dims, data)
        };
        let (treated, controls) = (matrix("x"), matrix("controls"));
        let labels: Vec<&str> =
            case["columns"]["label"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
        let input = Input {
            label: Factor::first_seen(&labels),
            layout: layout(treated.rows(), &case["columns"]),
            control_layout: layout(controls.rows(), &case["control_columns"]),
            treated,
            controls,
        };
        (case["name"].as_str().unwrap().to_owned(), input, case["values"].clone())
    };
    cases.iter().map(read).collect()
}

fn close(what: &str, found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found} instead of {expected}");
}

/// Parts of a unit by name.
fn parts(measured: &Measured) -> BTreeMap<&str, (f64, Option<f64>)> {
    measured.parts.iter().map(|part| (part.name.as_str(), (part.value, part.p))).collect()
}

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

/// A balanced table: 3 sources of 2 batches of 1 plate, 6 labels of 2 compounds, 2 wells each, 6 controls per plate.
fn experiment() -> Input {
    let mut columns: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut control: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for plate in 0..6 {
        let units = [("source", plate / 2), ("batch", plate), ("plate", plate)];
        for well in 0..24 {
            units.iter().for_each(|(unit, code)| columns.entry(unit).or_default().push(format!("{unit}{code}")));
            columns.entry("position").or_default().push(format!("P{well}"));
            columns.entry("compound").or_default().push(format!("c{}", well % 12));
            columns.entry("label").or_default().push(format!("l{}", well % 6));
        }
        for well in 0..6 {
            units.iter().for_each(|(unit, code)| control.entry(unit).or_default().push(format!("{unit}{code}")));
            control.entry("position").or_default().push(format!("D{well}"));
        }
    }
    let label = Factor::first_seen(&columns["label"]);
    let (n, m) = (144, 36);
    let (columns, control) = (serde_json::json!(columns), serde_json::json!(control));
    let mut stream = Seed(4).stream();
    let (mut x, mut c) = (Vec::new(), Vec::new());
    for row in 0..n {
        let (label, compound, plate) = (label.code(row), row % 24 % 12, row / 24);
        for j in 0..12 {
            let signal = 2.0 * f64::from(j == label) + f64::from(j == compound) + 0.5 * f64::from(j == 11 - plate);
            x.push((stream.normal() * 0.6 + signal) as f32);
        }
    }
    for row in 0..m {
        c.extend((0..12).map(|j| (stream.normal() * 0.6 + 0.5 * f64::from(j == 11 - row / 6)) as f32));
    }
    Input {
        treated: Matrix::new(n, 12, x),
        controls: Matrix::new(m, 12, c),
        label,
        layout: layout(n, &columns),
        control_layout: layout(m, &control),
    }
}

#[test]
fn every_metric_measures_an_experiment_and_has_a_card_of_its_own() {
    let input = experiment();
    let mut ids: Vec<&str> = METRICS.iter().map(|metric| metric.card().card.id).collect();
    for metric in METRICS {
        let (card, found) = (metric.card(), metric.measure(&input.space(), &input.roles("batch")));
        let id = card.card.id;
        if id == "arevalo-map-negcon" {
            // Every compound is in two positions of this layout.
            assert!(found.is_ok(), "{found:?}");
        }
        let found = found.unwrap_or_else(|why| panic!("{id}: {why}"));
        assert!(found.value.is_finite(), "{id}: {}", found.value);
        assert!(found.rows.is_empty() || found.rows.len() == input.layout.rows, "{id}");
        assert!(["higher", "lower"].contains(&card.card.better), "{id}");
        for text in
            [card.card.title, card.card.what, card.card.formula, card.card.limits, card.card.reference, card.dialect]
        {
            assert!(!text.is_empty() && !text.contains("  "), "{id}: {text}");
        }
        // What is said to contribute gives the value.
        if let Some(summary) = Summary::new(&found, &input.roles("batch")) {
            close(id, summary.value(), found.value, 1e-12);
        }
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), METRICS.len());
}

#[test]
fn a_collapsed_embedding_wins_nothing() {
    let input = experiment();
    for dims in [1, 37] {
        let constant = |rows: usize| Matrix::new(rows, dims, vec![0.7; rows * dims]);
        let collapsed = input.with(constant(144), constant(36));
        let chance: &[(&str, f64)] = &[
            ("asw-label-cosine", 0.5),
            ("asw-label-euclidean", 0.5),
            ("isolated-labels", 0.5),
            ("nmi-kmeans", 0.0),
            ("ari-kmeans", 0.0),
            ("clustering-score", 0.0),
            ("activity-map", 0.0),
            ("activity-retrieved", 0.0),
            ("distinctiveness-map", 0.0),
            ("distinctiveness-retrieved", 0.0),
            ("consistency-all-map", 0.0),
            ("cross-batch-map", 0.0),
            ("cross-source-map", 0.0),
            ("percent-replicating", 0.0),
            ("percent-matching", 0.0),
            ("grit", 0.0),
            ("mp-value", 0.0),
            ("perturbation-magnitude", 0.0),
            ("perturbation-consistency", 0.0),
            ("cross-batch-ks", 0.0),
            ("cross-source-cvm", 0.0),
            ("cross-source-hit-at-1", 1.0 / 12.0),
            ("cross-source-hit-at-5", 5.0 / 12.0),
            ("cross-source-label-map", 0.0),
        ];
        for &(id, expected) in chance {
            close(&format!("{id} of {dims} equal columns"), collapsed.value(id), expected, 1e-9);
        }
        for id in ["hit-at-1", "hit-at-10", "precision-at-10", "replicate-mrr"] {
            let found = collapsed.measure(id).unwrap();
            close(id, found.value, parts(&found)["random order"].0, 1e-9);
        }
        for id in ["kni", "ksim", "clisi"] {
            assert!(collapsed.value(id) < 0.5, "{id}");
        }
        // The half that is added to every cell moves chance a little.
        for id in ["enrichment", "enrichment-label"] {
            assert!(collapsed.value(id).abs() < 0.1, "{id}: {}", collapsed.value(id));
        }
        for id in ["cka-between-sources", "cka-unit", "mantel", "consistency-map"] {
            assert!(collapsed.measure(id).is_err(), "{id}");
        }
        let consistency = collapsed.measure("perturbation-consistency").unwrap();
        assert!(consistency.parts.iter().all(|part| part.p == Some(1.0)));
        let names = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let compounds = input.layout.compound.as_ref().unwrap();
        let pairs = [names("c0", "c1"), names("c4", "c2")];
        close("known", known_relationships(&collapsed.space(), compounds, &pairs, TAIL).unwrap().value, 0.1, 1e-9);
    }
}

#[test]
fn one_hot_labels_are_best_where_the_card_says_so() {
    let input = experiment();
    let mut one_hot = Matrix::zeros(144, 7);
    (0..144).for_each(|row| one_hot.data_mut()[row * 7 + input.label.code(row)] = 1.0);
    let mut controls = Matrix::zeros(36, 7);
    (0..36).for_each(|row| controls.data_mut()[row * 7 + 6] = 1.0);
    let perfect = input.with(one_hot, controls);
    for id in [
        "asw-label-cosine",
        "asw-label-euclidean",
        "isolated-labels",
        "nmi-kmeans",
        "ari-kmeans",
        "nmi-leiden-best",
        "activity-map",
        "consistency-all-map",
        "cross-source-label-map",
        "percent-matching",
    ] {
        close(id, perfect.value(id), 1.0, 1e-6);
    }
    let (noise, best) = (input.value("enrichment-label"), perfect.value("enrichment-label"));
    assert!(best > noise, "{best} {noise}");
}

/// Values of all metrics by id, errors included.
fn all(input: &Input) -> BTreeMap<&'static str, Result<f64, String>> {
    let space = input.space();
    let roles = input.roles("batch");
    METRICS
        .iter()
        .map(|metric| (metric.card().card.id, metric.measure(&space, &roles).map(|measured| measured.value)))
        .collect()
}

#[test]
fn names_and_threads_change_nothing() {
    let input = experiment();
    let before = all(&input);
    let mut renamed = input.clone();
    for level in &mut renamed.label.levels {
        *level = format!("Z{}", level.chars().rev().collect::<String>());
    }
    let layout = &mut renamed.layout;
    for factor in [&mut layout.compound, &mut layout.position].into_iter().flatten() {
        factor.levels.iter_mut().for_each(|level| *level = format!("{}-x", level.chars().rev().collect::<String>()));
    }
    assert_eq!(all(&renamed), before);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(pool.install(|| all(&input)), before);
}

#[test]
fn metrics_about_compounds_do_not_move_with_the_labels() {
    let input = experiment();
    let mut permuted = input.clone();
    Seed(6).stream().shuffle(&mut permuted.label.codes);
    let (before, after) = (all(&input), all(&permuted));
    for metric in METRICS {
        let id = metric.card().card.id;
        if metric.about_compounds() {
            assert_eq!(before[id], after[id], "{id}");
        }
    }
    for id in ["asw-label-cosine", "nmi-kmeans", "kni", "consistency-all-map", "enrichment-label"] {
        assert_ne!(before[id], after[id], "{id}");
    }
}

#[test]
fn row_order_and_scale_change_no_value_that_is_not_drawn() {
    let input = experiment();
    let before = all(&input);
    let mut order = Seed(9).stream().permutation(144);
    order.rotate_left(5);
    let mut shuffled = Input {
        treated: input.treated.take(&order),
        label: input.label.take(&order),
        layout: input.layout.take(&order),
        ..input.clone()
    };
    // `take` keeps the order of levels; codes and rows are in another order.
    let after = all(&shuffled);
    // A power of two scales without rounding.
    shuffled.treated.data_mut().iter_mut().for_each(|value| *value *= 4.0);
    shuffled.controls.data_mut().iter_mut().for_each(|value| *value *= 4.0);
    let scaled = all(&shuffled);
    let drawn = ["kmeans", "leiden", "clustering-score", "percent", "mp-value", "magnitude", "mantel"];
    for (id, value) in &before {
        let value = value.as_ref().unwrap();
        for (what, other) in [("order", &after), ("scale", &scaled)] {
            // Effective neighbourhoods of cLISI start from a fixed scale.
            if drawn.iter().any(|drawn| id.contains(drawn)) {
                continue;
            }
            let tolerance = match *id {
                "enrichment" | "enrichment-label" => 0.05,
                "clisi" => 1e-3,
                _ => 1e-6,
            };
            close(&format!("{id} by {what}"), *other[id].as_ref().unwrap(), *value, tolerance);
        }
    }
}

#[test]
fn a_shift_between_batches_lowers_what_crosses_them() {
    let input = experiment();
    let batch = input.layout.batch.as_ref().unwrap();
    let mut stream = Seed(2).stream();
    let shift: Vec<f32> = (0..6 * 12).map(|_| stream.normal() as f32).collect();
    let mut last: BTreeMap<&str, f64> = BTreeMap::new();
    for strength in [0.0, 2.0, 8.0] {
        let mut moved = input.clone();
        for row in 0..144 {
            for j in 0..12 {
                moved.treated.data_mut()[row * 12 + j] += strength * shift[batch.code(row) * 12 + j];
            }
        }
        for id in [
            "cross-batch-map",
            "cross-source-map",
            "kni",
            "asw-label-cosine",
            "cross-source-hit-at-1",
            "cross-batch-ks",
        ] {
            let value = moved.value(id);
            if let Some(before) = last.insert(id, value) {
                assert!(value < before + 0.02, "{id}: {before} then {value} at {strength}");
            }
        }
    }
    assert!(last["cross-batch-map"] < 0.0, "{last:?}");
}

#[test]
fn fast_and_exact_distances_agree_within_the_bound() {
    let input = experiment();
    let space = input.space();
    let profiles = Profiles::with_controls(&space);
    assert_eq!(profiles.len(), 180);
    let mut block = Vec::new();
    profiles.gather(&[3, 170], &mut block);
    let product: f32 = block[..12].iter().zip(&block[12..]).map(|(a, b)| a * b).sum();
    assert!((profiles.distance(3, 170) - (1.0 - f64::from(product))).abs() < profiles.bound());
}
