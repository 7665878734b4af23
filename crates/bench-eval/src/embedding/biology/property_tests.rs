//! The biology side on control embeddings, and under renaming, reordering, scaling, added batch effects and other numbers
//! of threads.

use std::collections::BTreeMap;

use bench_core::{Matrix, Seed};

use super::METRICS;
use super::sources::known_relationships::{TAIL, known_relationships};
use super::support::profiles::Profiles;
use super::testing::{Input, close, experiment, parts};
use crate::embedding::summary::Summary;

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
