//! What cards state about control embeddings, and that no collapsed embedding wins anything: every metric, by its card.
//!
//! Metrics that are measured only where they are named are held to their cards too, but for four ([`ELSEWHERE`]): the
//! performance drops, which fit 1800 classifiers per pair, control and unit (minutes; on a constant embedding they are
//! tested in `batch/performance_drop_tests.rs`), PathoROB's clustering score, which makes 1450 clusterings for each, and
//! known relationships, which need a user's pairs and are tested with them.

use std::collections::BTreeMap;

use bench_core::record::EmbeddingScore;
use bench_core::{Factor, Matrix, Seed};

use super::frame::{Rows, Settings, Subject, measure};
use super::testing::{Input, experiment, golden};
use super::{EmbeddingCard, EmbeddingMetric, Side, every, lookup, metrics};

const UNITS: [&str; 3] = ["source", "batch", "plate"];

/// Metrics that are held to their cards elsewhere.
const ELSEWHERE: [&str; 4] =
    ["performance-drop", "performance-drop-unseen", "clustering-score-pathorob", "known-relationships"];

/// The metrics that are measured here: all, and those that are measured only where they are named.
fn tested() -> impl Iterator<Item = &'static dyn EmbeddingMetric> {
    every().filter(|metric| !ELSEWHERE.contains(&metric.card().card.id))
}

fn scores(input: &Input, subjects: &[(&str, Matrix, Matrix)], ids: Option<&[&str]>) -> Vec<EmbeddingScore> {
    let rows = Rows { label: &input.label, layout: &input.layout, controls: &input.control_layout };
    let subjects: Vec<Subject<'_>> = subjects
        .iter()
        .map(|(model, treated, controls)| Subject { model, correction: "none", treated, controls })
        .collect();
    let settings = Settings {
        metrics: tested().filter(|metric| ids.is_none_or(|ids| ids.contains(&metric.card().card.id))).collect(),
        units: UNITS.to_vec(),
        permutations: 0,
        pass_permutations: 0,
        pair_permutations: 0,
        draws: 2,
        jackknife_rows: 0,
        seed: Seed(3),
    };
    measure(&subjects, &rows, &settings, &|_, _| ())
}

/// Scores of the control embeddings by metric and unit, then by control; a card's `one-hot-source` is the one of the unit.
fn of_controls(input: &Input) -> BTreeMap<(String, Option<String>), BTreeMap<String, EmbeddingScore>> {
    let mut found: BTreeMap<_, BTreeMap<String, EmbeddingScore>> = BTreeMap::new();
    for score in scores(input, &[], None) {
        let name = match (&score.unit, score.model.strip_prefix("one-hot-")) {
            (Some(unit), Some(own)) if unit == own => "one-hot-source".to_owned(),
            (_, Some(own)) if UNITS.contains(&own) && (score.unit.is_some() || own != "source") => continue,
            _ => score.model.clone(),
        };
        found.entry((score.metric.clone(), score.unit.clone())).or_default().insert(name, score);
    }
    found
}

/// What a card says after `Constant embedding: `.
fn stated(card: &EmbeddingCard) -> &'static str {
    let said = [card.card.what, card.card.limits].into_iter().find_map(|text| text.split("onstant embedding: ").nth(1));
    said.unwrap_or_else(|| panic!("{}: the card does not say what a constant embedding scores", card.card.id))
}

/// A number at the start of a text, unless it is one of two.
fn leading(text: &str) -> Option<f64> {
    if text.contains(" or ") {
        return None;
    }
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    text[..end].trim_end_matches('.').parse().ok()
}

/// Ends of a range such as `0 to 1`, `about -4 to 0`, `0 to 1/3`; infinite where it has none.
fn range(text: &str) -> (f64, f64) {
    let number = |word: &str| match word.split_once('/') {
        Some((a, b)) => Some(a.parse::<f64>().ok()? / b.parse::<f64>().ok()?),
        None => word.parse::<f64>().ok(),
    };
    let Some((before, after)) = text.split_once(" to ") else { return (f64::NEG_INFINITY, f64::INFINITY) };
    let low = before.split([' ', ',']).filter_map(number).next().unwrap_or(f64::NEG_INFINITY);
    let high = after.split([' ', ',']).find_map(number).unwrap_or(f64::INFINITY);
    // An end that is about somewhere is not held to.
    let slack = |of: &str, value: f64, none: f64| if of.contains("about") { none } else { value };
    (slack(before, low, f64::NEG_INFINITY), slack(after, high, f64::INFINITY))
}

#[test]
fn ranges_are_read_from_cards() {
    assert_eq!(range("0 to 1"), (0.0, 1.0));
    assert_eq!(range("0 to 1/3"), (0.0, 1.0 / 3.0));
    assert_eq!(range("-0.5 to 1"), (-0.5, 1.0));
    assert_eq!(range("0 to 1, 0.05 without a leak"), (0.0, 1.0));
    assert_eq!(range("about -4 to 0"), (f64::NEG_INFINITY, 0.0));
    assert_eq!(range("0 to about 4"), (0.0, f64::INFINITY));
    assert_eq!(range("no bounds, 0 is chance"), (f64::NEG_INFINITY, f64::INFINITY));
    assert_eq!(leading("0.5. And"), Some(0.5));
    assert_eq!(leading("1, as with the peers"), Some(1.0));
    assert_eq!(leading("large"), None);
}

#[test]
fn control_embeddings_score_what_cards_state() {
    let input = experiment();
    let mut broken = Vec::new();
    for ((id, unit), by_control) in of_controls(&input) {
        let card = lookup(&id).unwrap().card();
        let mut check = |holds: bool, why: String| {
            if !holds {
                broken.push(format!("{id} {unit:?}: {why}"));
            }
        };
        for (control, score) in &by_control {
            if let Some(value) = score.value {
                let (low, high) = range(card.card.range);
                let inside = low - 1e-6 <= value && value <= high + 1e-6;
                check(inside, format!("{control} is {value}, outside {}", card.card.range));
            }
        }
        let (constant, said) = (&by_control["constant"], stated(card));
        match leading(said) {
            _ if said.starts_with("not defined") => {
                check(constant.value.is_none() && constant.reason.is_some(), format!("{said}: {:?}", constant.value));
            }
            // Nothing has a value for this unit, a plate of one plate say: the card's does not apply.
            Some(_) if by_control.values().all(|score| score.value.is_none()) => {
                check(constant.reason.is_some(), "no value and no reason".to_owned());
            }
            Some(expected) => {
                let holds = constant.value.is_some_and(|value| (value - expected).abs() < 1e-9);
                check(holds, format!("{:?} {:?}, the card says `{said}`", constant.value, constant.reason));
            }
            None => check(constant.value.is_some() || constant.reason.is_some(), said.to_owned()),
        }
        if card.side != Side::Guard && constant.value.is_some() {
            let flagged = constant.flag.is_some() && constant.scaled.is_none();
            check(flagged, "a constant embedding is not flagged".to_owned());
        }
        // What the card calls best and worst is so. Noise and one-hot labels are both free of a unit, and the finite
        // neighbourhoods of noise, which has hubs, need not be the better mixed ones.
        let sign = if card.card.better == "lower" { -1.0 } else { 1.0 };
        let value = |name: &str| by_control.get(name).and_then(|score| score.value).map(|value| sign * value);
        if let (Some(best), Some(worst)) = (value(card.best), value(card.worst)) {
            // Of few labels none has a p that is small enough after the correction for many.
            let blind = id == "consistency-all-retrieved" && best == worst;
            check(best > worst || blind, format!("best {best}, worst {worst}"));
            let slack = 0.1 * (best - worst);
            for name in ["noise", "one-hot-label", "one-hot-source"] {
                let Some(other) = value(name) else { continue };
                let free = card.best == "noise" && name == "one-hot-label";
                check(other <= best + slack || free, format!("{name} {other} above {} {best}", card.best));
                // Islands of fewer than 90 rows count as not mixed on the graph of scib.
                let island = id == "ilisi-graph" || id == "arevalo-ilisi-graph";
                check(other > worst || !free || island, format!("{name} {other} below {} {worst}", card.worst));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn what_is_said_to_be_chance_is_the_mean_of_noise() {
    let input = experiment();
    let ids: Vec<&str> = tested()
        .map(|metric| metric.card())
        .filter(|card| stated(card).starts_with("chance"))
        .map(|c| c.card.id)
        .collect();
    assert!(ids.len() >= 8, "{ids:?}");
    let mut stream = Seed(8).stream();
    let mut noise = |rows: usize| Matrix::new(rows, 8, (0..rows * 8).map(|_| stream.normal() as f32).collect());
    let names: Vec<String> = (0..30).map(|at| format!("noise {at}")).collect();
    let subjects: Vec<(&str, Matrix, Matrix)> =
        names.iter().map(|name| (name.as_str(), noise(input.matrix.rows()), noise(input.controls.rows()))).collect();
    let found = scores(&input, &subjects, Some(&ids));
    for id in ids {
        let value = |model: &str| found.iter().find(|score| score.model == model && score.metric == id).unwrap().value;
        let values: Vec<f64> = names.iter().map(|name| value(name).unwrap()).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let sd = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64).sqrt();
        let constant = value("constant").unwrap();
        // Six standard errors: a false alarm in none of the metrics.
        assert!(
            (constant - mean).abs() < 6.0 * sd / (values.len() as f64).sqrt(),
            "{id}: {constant}, noise {mean} {sd}"
        );
    }
}

/// Embeddings that say next to nothing, with their names.
fn collapsed(input: &Input) -> Vec<(&'static str, Matrix, Matrix)> {
    let d = 6;
    let normal = |purpose: &str, at: usize| -> Vec<f64> {
        let mut stream = Seed(21).derive(purpose, at as u64).stream();
        (0..d).map(|_| stream.normal()).collect()
    };
    let make = |row: &dyn Fn(usize, bool) -> Vec<f64>| {
        let table = |rows: usize, treated: bool| {
            let data: Vec<f32> = (0..rows).flat_map(|at| row(at, treated)).map(|x| x as f32).collect();
            Matrix::new(rows, data.len() / rows, data)
        };
        (table(input.matrix.rows(), true), table(input.controls.rows(), false))
    };
    let jittered = |point: Vec<f64>, by: f64, at: usize| -> Vec<f64> {
        point.iter().zip(normal("jitter", at)).map(|(x, noise)| x + by * noise).collect()
    };
    let line = |at: usize| -> Vec<f64> {
        let place = normal("place", at)[0];
        normal("offset", 0).iter().zip(normal("direction", 0)).map(|(from, to)| from + place * to).collect()
    };
    let point =
        |at: usize, points: u64| normal("point", Seed(5).derive("choice", at as u64).stream().below(points as usize));
    let level = |factor: &Factor, at: usize, treated: bool| normal("level", if treated { factor.code(at) } else { 99 });
    let compound = input.layout.compound.as_ref().unwrap();
    let all: Vec<(&'static str, (Matrix, Matrix))> = vec![
        ("constant", make(&|_, _| vec![0.7; d])),
        ("zero", make(&|_, _| vec![0.0; d])),
        ("one constant feature", make(&|_, _| vec![2.0])),
        ("nearly constant", make(&|at, _| jittered(vec![0.7; d], 1e-4, at))),
        ("line", make(&|at, _| line(at))),
        ("nearly a line", make(&|at, _| jittered(line(at), 1e-2, at))),
        ("two points", make(&|at, _| point(at, 2))),
        ("nearly two points", make(&|at, _| jittered(point(at, 2), 1e-2, at))),
        ("few points", make(&|at, _| point(at, 9))),
        ("a point per compound", make(&|at, treated| level(compound, at, treated))),
        ("a point per label", make(&|at, treated| level(&input.label, at, treated))),
        ("a point per batch", make(&|at, _| normal("batch", at % 6))),
        ("rows twice and more", make(&|at, _| normal("own", at / 3))),
    ];
    all.into_iter().map(|(name, (treated, controls))| (name, treated, controls)).collect()
}

#[test]
fn no_collapsed_embedding_has_a_score_without_a_flag() {
    let input = experiment();
    let subjects = collapsed(&input);
    let found = scores(&input, &subjects, None);
    let mut values = 0;
    for (name, ..) in &subjects {
        for score in found.iter().filter(|score| score.model == *name && score.side != "guard") {
            if score.value.is_some() {
                values += 1;
                assert!(score.flag.is_some() && score.scaled.is_none(), "{name} {}: {score:?}", score.metric);
            } else {
                assert!(score.reason.is_some() && score.scaled.is_none(), "{name} {}", score.metric);
            }
        }
    }
    assert!(values > 500, "{values}");
}

#[test]
fn the_flag_does_not_wait_for_the_guards_to_be_asked_for() {
    let input = experiment();
    let subjects = collapsed(&input);
    let found = scores(&input, &subjects, Some(&["bras"]));
    for score in found.iter().filter(|score| subjects.iter().any(|(name, ..)| *name == score.model)) {
        assert!(score.flag.is_some() || score.value.is_none(), "{score:?}");
    }
}

#[test]
fn embeddings_that_say_something_are_not_called_collapsed() {
    let input = experiment();
    let subjects = [("raw", input.matrix.clone(), input.controls.clone())];
    for score in scores(&input, &subjects, None).iter().filter(|score| score.side != "guard") {
        if score.model != "constant" {
            assert_eq!(score.flag, None, "{} {}", score.model, score.metric);
        }
    }
}

#[test]
fn distances_of_controls_that_have_collapsed_are_no_scores() {
    let input = experiment();
    let flat = Matrix::new(input.controls.rows(), 12, vec![0.4; input.controls.rows() * 12]);
    let found = scores(&input, &[("flat controls", input.matrix.clone(), flat)], None);
    for metric in metrics().filter(|metric| metric.on_controls()) {
        let of = |score: &&EmbeddingScore| score.model == "flat controls" && score.metric == metric.card().card.id;
        assert!(found.iter().filter(of).all(|score| score.value.is_none() && score.reason.is_some()));
    }
}

#[test]
fn a_shift_between_batches_never_helps_what_claims_to_fall_with_it() {
    let input = experiment();
    let d = input.matrix.cols();
    let mut stream = Seed(12).stream();
    let direction: Vec<f32> = (0..6 * d).map(|_| stream.normal() as f32).collect();
    let shifted = |by: f32| {
        let add = |matrix: &Matrix, batch: &Factor| {
            let mut matrix = matrix.clone();
            for (row, values) in matrix.data_mut().chunks_exact_mut(d).enumerate() {
                values.iter_mut().zip(&direction[batch.code(row) * d..]).for_each(|(x, step)| *x += by * step);
            }
            matrix
        };
        let of_controls = input.control_layout.batch.as_ref().unwrap();
        Input { matrix: add(&input.matrix, &input.batch), controls: add(&input.controls, of_controls), ..input.clone() }
    };
    let steps: Vec<Input> = [0.0, 0.5, 2.0, 8.0].into_iter().map(shifted).collect();
    for metric in metrics().filter(|metric| metric.card().worst == "one-hot-source") {
        let card = metric.card().card;
        let sign = if card.better == "lower" { -1.0 } else { 1.0 };
        let values: Vec<f64> = steps
            .iter()
            .map(|input| sign * input.with(|space, roles| metric.measure(space, roles).map(|m| m.value)).unwrap())
            .collect();
        let fall = values[0] - values[3];
        assert!(fall > 0.03, "{}: {values:?}", card.id);
        assert!(values.windows(2).all(|pair| pair[1] < pair[0] + 0.05 * fall + 0.02), "{}: {values:?}", card.id);
    }
}

#[test]
fn guards_do_not_see_names_order_scale_or_threads() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let renamed = |factor: &Factor| Factor {
        levels: factor.levels.iter().rev().map(|name| format!("other {name}")).collect(),
        codes: factor.codes.iter().map(|&code| factor.level_count() as u32 - 1 - code).collect(),
    };
    let scaled =
        |matrix: &Matrix| Matrix::new(matrix.rows(), matrix.cols(), matrix.data().iter().map(|x| x * 4.0).collect());
    let all: Vec<(String, Input)> = Input::all().into_iter().map(|(name, input, _)| (name, input)).collect();
    for (name, input) in all.iter().filter(|(name, _)| name != "ugly").chain([&("balanced".to_owned(), experiment())]) {
        let order = Seed(5).stream().permutation(input.matrix.rows());
        let others = [
            ("names", Input { label: renamed(&input.label), batch: renamed(&input.batch), ..input.clone() }),
            ("order", input.reordered(&order)),
            ("scale", Input { matrix: scaled(&input.matrix), controls: scaled(&input.controls), ..input.clone() }),
        ];
        for guard in super::guard::METRICS {
            let measured = |input: &Input| input.with(|space, roles| guard.measure(space, roles));
            let (id, before) = (guard.card().card.id, measured(input));
            assert_eq!(format!("{before:?}"), format!("{:?}", pool.install(|| measured(input))), "{name} {id}");
            let Ok(before) = before else { continue };
            for (what, other) in &others {
                let after = measured(other).unwrap();
                assert!(
                    (before.value - after.value).abs() < 1e-6,
                    "{name} {id} {what}: {} {}",
                    before.value,
                    after.value
                );
                assert_eq!(guard.fires(&before).is_some(), guard.fires(&after).is_some(), "{name} {id} {what}");
            }
        }
    }
}

#[test]
fn a_value_alone_is_that_of_the_measurement() {
    for (name, input, _) in Input::all().into_iter().chain([("experiment".to_owned(), experiment(), golden())]) {
        for metric in every() {
            let whole =
                input.with(|space, roles| metric.measure(space, roles).map(|measured| measured.value.to_bits()));
            let alone = input.with(|space, roles| metric.value(space, roles).map(f64::to_bits));
            assert_eq!(alone, whole, "{name} {}", metric.card().card.id);
        }
    }
}
