//! The frame on three embeddings of the generated input.

use bench_core::record::EmbeddingScore;
use bench_core::{Factor, Matrix, Seed};

use super::{Rows, Settings, Subject, measure, preset, totals};
use crate::embedding::testing::Input;
use crate::embedding::{lookup, metrics};

fn generated() -> Input {
    Input::all().remove(0).1
}

fn run(input: &Input, models: &[(&str, &Matrix, &Matrix)], ids: &[&str], draws: usize) -> Vec<EmbeddingScore> {
    let rows = Rows { label: &input.label, layout: &input.layout, controls: &input.control_layout };
    let subjects: Vec<Subject<'_>> = models
        .iter()
        .map(|&(model, treated, controls)| Subject { model, correction: "none", treated, controls })
        .collect();
    let settings = Settings {
        metrics: ids.iter().map(|id| lookup(id).unwrap()).collect(),
        units: vec!["source", "plate", "nowhere"],
        permutations: draws,
        pass_permutations: draws,
        pair_permutations: draws,
        jackknife_rows: 6000,
        draws: 40,
        seed: Seed(6),
    };
    measure(&subjects, &rows, &settings, &|_, _| ())
}

fn find<'a>(scores: &'a [EmbeddingScore], model: &str, metric: &str, unit: Option<&str>) -> &'a EmbeddingScore {
    scores
        .iter()
        .find(|score| score.model == model && score.metric == metric && score.unit.as_deref() == unit)
        .unwrap_or_else(|| panic!("{model} {metric} {unit:?}"))
}

/// The rows without the mean of their unit.
fn centred(matrix: &Matrix, unit: &Factor) -> Matrix {
    let d = matrix.cols();
    let mut matrix = matrix.clone();
    for members in unit.members() {
        for at in 0..d {
            let mean: f32 = members.iter().map(|&row| matrix.row(row as usize)[at]).sum::<f32>() / members.len() as f32;
            members.iter().for_each(|&row| matrix.data_mut()[row as usize * d + at] -= mean);
        }
    }
    matrix
}

#[test]
fn scores_have_scale_null_interval_and_a_collapsed_embedding_wins_nothing() {
    let input = generated();
    let constant = Matrix::new(input.matrix.rows(), 2, vec![1.0; input.matrix.rows() * 2]);
    let flat = Matrix::new(input.controls.rows(), 2, vec![1.0; input.controls.rows() * 2]);
    let mild = centred(&input.matrix, &input.batch);
    let models =
        [("raw", &input.matrix, &input.controls), ("mild", &mild, &input.controls), ("flat", &constant, &flat)];
    let ids =
        ["pcr", "bras", "ilisi", "kbet", "robustness-index", "graph-connectivity", "control-energy", "effective-rank"];
    let scores = run(&input, &models, &ids, 19);

    let raw = find(&scores, "raw", "pcr", Some("source"));
    assert!(raw.z.unwrap() > 3.0 && raw.p == Some(1.0 / 20.0), "{raw:?}");
    assert!(raw.low.unwrap() <= raw.value.unwrap() && raw.value.unwrap() <= raw.high.unwrap(), "{raw:?}");
    assert_eq!((raw.resampled.as_deref(), raw.permutations), (Some("plate"), 19));
    assert!(raw.best.unwrap() < 0.1 && raw.worst.unwrap() > 0.9, "{raw:?}");
    let mild = find(&scores, "mild", "pcr", Some("source"));
    assert!(mild.scaled.unwrap() > raw.scaled.unwrap());
    // Nothing is left between sources, less than chance gives.
    assert!(mild.z.unwrap() < 0.0 && mild.p == Some(1.0), "{mild:?}");

    for metric in ["bras", "ilisi", "kbet", "robustness-index", "graph-connectivity"] {
        for unit in [Some("source"), Some("plate"), None] {
            let mut flat =
                scores.iter().filter(|s| s.model == "flat" && s.metric == metric && s.unit.as_deref() == unit);
            assert!(flat.all(|score| score.scaled.is_none() && (score.flag.is_some() || score.reason.is_some())));
        }
    }
    assert!(find(&scores, "flat", "bras", Some("source")).value == Some(1.0));
    assert!(find(&scores, "flat", "pcr", Some("source")).reason.is_some());
    assert!(find(&scores, "flat", "effective-rank", None).flag.is_some());
    assert!(find(&scores, "raw", "effective-rank", None).flag.is_none());

    // A source has two plates, a plate one: with its own plate left out a plate has no neighbours.
    assert!(find(&scores, "raw", "robustness-index", Some("plate")).reason.as_ref().unwrap().contains("one plate"));
    let energy = find(&scores, "raw", "control-energy", Some("source"));
    assert!(energy.parts.iter().all(|part| part.unit == "source-source" && part.p.is_some()), "{energy:?}");
    assert!(energy.p.unwrap() <= 0.1, "{energy:?}");

    // Control embeddings stand where the scale puts them.
    for (control, scaled) in [("noise", 1.0), ("one-hot-source", 0.0)] {
        let found = find(&scores, control, "pcr", Some("source")).scaled.unwrap();
        assert!((found - scaled).abs() < 1e-9, "{control} {found}");
    }
    assert!((find(&scores, "one-hot-plate", "pcr", Some("plate")).scaled.unwrap()).abs() < 1e-9);
    let totals = totals(&scores, &[preset::lookup("scib-metrics").unwrap()]);
    let flat = totals.iter().find(|total| total.model == "flat").unwrap();
    assert!(flat.flag.is_some() && flat.total.is_none(), "{flat:?}");
}

#[test]
fn the_null_of_an_embedding_without_batch_effect_holds_its_level() {
    let input = generated();
    let mut rejected = 0;
    let runs = 40;
    for run_at in 0..runs {
        let mut stream = Seed(run_at).derive("null level", 0).stream();
        let mut noise = |rows: usize| Matrix::new(rows, 4, (0..rows * 4).map(|_| stream.normal() as f32).collect());
        let (treated, controls) = (noise(input.matrix.rows()), noise(input.controls.rows()));
        let scores = run(&input, &[("noise4", &treated, &controls)], &["pcr"], 19);
        rejected += usize::from(find(&scores, "noise4", "pcr", Some("source")).p.unwrap() <= 0.1);
    }
    // Binomial(40, 0.1): more than ten has probability below 0.002.
    assert!(rejected <= 10, "{rejected} of {runs}");
}

#[test]
fn nothing_depends_on_threads() {
    let input = generated();
    let ids = ["pcr", "bras", "ilisi", "robustness-index", "graph-connectivity", "control-mmd"];
    let models = [("raw", &input.matrix, &input.controls)];
    let many = run(&input, &models, &ids, 7);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(many, pool.install(|| run(&input, &models, &ids, 7)));
}

#[test]
fn every_card_can_be_read_and_found() {
    let words = ["higher", "lower", "none"];
    let mut ids: Vec<&str> = Vec::new();
    for metric in metrics() {
        let card = metric.card();
        let c = card.card;
        assert!(
            [c.title, c.what, c.formula, c.range, c.limits, c.reference, card.dialect]
                .iter()
                .all(|text| !text.is_empty()),
            "{}",
            c.id
        );
        assert!(words.contains(&c.better), "{}", c.id);
        assert!(
            c.id.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-'),
            "{}",
            c.id
        );
        for anchor in [card.best, card.worst] {
            let why = anchor.strip_prefix("none: ");
            assert!(why.map_or_else(|| super::controls::exists(anchor), |why| !why.is_empty()), "{}: {anchor}", c.id);
        }
        assert!(std::ptr::eq(lookup(c.id).unwrap().card(), card), "{}", c.id);
        ids.push(c.id);
    }
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
    assert!(lookup("bros").is_err());
}
