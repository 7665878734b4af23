//! Scales, nulls and intervals of all metrics on one designed experiment.

use bench_core::record::EmbeddingScore;
use bench_core::{Card, Factor, Layout, Matrix, Seed};

use super::{Rows, Settings, Subject, measure};
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, Roles, Side, Space, metrics};

const PLATES: usize = 6;
const WELLS: usize = 24;
const CONTROLS: usize = 8;
const DIMS: usize = 12;
/// A label has 24 rows here, fewer than the perplexity of 30: every neighbourhood is all of them. And no p of six labels is
/// small enough after the correction for many. No compound of noise is active, so that noise has no consistency of those.
const BLIND: [&str; 5] =
    ["cilisi", "cilisi-means", "consistency-all-retrieved", "consistency-map", "consistency-retrieved"];

/// Three sources of two batches of one plate; 12 compounds of 6 labels, in two wells of every plate, at positions that
/// differ between plates; controls at positions that do not.
struct Experiment {
    label: Factor,
    layout: Layout,
    controls: Layout,
}

impl Experiment {
    fn new() -> Self {
        let layout = |wells: usize, prefix: &str| {
            let rows = PLATES * wells;
            let factor = |name: &dyn Fn(usize, usize) -> String| {
                let names = (0..rows).map(|row| name(row / wells, row % wells));
                Some(Factor::first_seen(&names.collect::<Vec<_>>()))
            };
            Layout {
                rows,
                source: factor(&|plate, _| format!("source{}", plate / 2)),
                batch: factor(&|plate, _| format!("batch{plate}")),
                plate: factor(&|plate, _| format!("plate{plate}")),
                well: factor(&|plate, well| format!("plate{plate}/{prefix}{well}")),
                position: factor(&|_, well| format!("{prefix}{well}")),
                file_row: (0..rows as u64).collect(),
                ..Layout::default()
            }
        };
        let (mut treated, controls) = (layout(WELLS, "P"), layout(CONTROLS, "D"));
        let compound = |row: usize| (row % WELLS + 5 * (row / WELLS)) % 12;
        let named = |prefix: &str, of: usize| -> Factor {
            Factor::first_seen(
                &(0..PLATES * WELLS).map(|row| format!("{prefix}{}", compound(row) % of)).collect::<Vec<_>>(),
            )
        };
        treated.compound = Some(named("c", 12));
        Self { label: named("l", 6), layout: treated, controls }
    }

    /// Noise, with `signal` times a direction per compound and label.
    fn embedding(&self, signal: f32, seed: u64) -> (Matrix, Matrix) {
        let mut stream = Seed(seed).stream();
        let mut noise = |rows: usize| -> Vec<f32> { (0..rows * DIMS).map(|_| stream.normal() as f32).collect() };
        let (mut treated, controls) = (noise(self.layout.rows), noise(self.controls.rows));
        let compound = self.layout.compound.as_ref().unwrap();
        for row in 0..self.layout.rows {
            treated[row * DIMS + compound.code(row)] += signal;
            treated[row * DIMS + self.label.code(row)] += signal;
        }
        (Matrix::new(self.layout.rows, DIMS, treated), Matrix::new(self.controls.rows, DIMS, controls))
    }

    fn scores(&self, (treated, controls): &(Matrix, Matrix), settings: &Settings<'_>) -> Vec<EmbeddingScore> {
        let rows = Rows { label: &self.label, layout: &self.layout, controls: &self.controls };
        let subject = Subject { model: "model", correction: "none", treated, controls };
        measure(&[subject], &rows, settings, &|_, _| ())
    }
}

fn settings<'a>(permutations: usize, draws: usize) -> Settings<'a> {
    Settings {
        units: vec!["source", "batch"],
        permutations,
        pass_permutations: permutations,
        draws,
        seed: Seed(8),
        ..Settings::default()
    }
}

fn of_model(scores: &[EmbeddingScore]) -> impl Iterator<Item = &EmbeddingScore> {
    scores.iter().filter(|score| score.model == "model" && score.value.is_some())
}

#[test]
fn controls_named_by_cards_are_the_ends_of_every_scale() {
    let experiment = Experiment::new();
    let scores = experiment.scores(&experiment.embedding(3.0, 1), &settings(0, 0));
    let mut broken = Vec::new();
    for metric in metrics() {
        let card = metric.card();
        let id = card.card.id;
        let of_metric: Vec<&EmbeddingScore> = of_model(&scores).filter(|score| score.metric == id).collect();
        if of_metric.is_empty() && !BLIND.contains(&id) {
            broken.push(format!("{id} has no value"));
        }
        for score in of_metric {
            let unit = score.unit.as_deref();
            if [card.best, card.worst].iter().any(|name| name.starts_with("none: ")) {
                assert!(score.scaled.is_none() && score.remark.is_some(), "{id}");
                continue;
            }
            let (best, worst) = (score.best.unwrap_or(f64::NAN), score.worst.unwrap_or(f64::NAN));
            let sign = if card.card.better == "higher" { 1.0 } else { -1.0 };
            if BLIND.contains(&id) {
                continue;
            }
            if sign * (best - worst) <= 1e-3 || best.is_nan() || worst.is_nan() || score.scaled.is_none() {
                broken.push(format!("{id} {unit:?}: best {best}, worst {worst}, scaled {:?}", score.scaled));
                continue;
            }
            for (control, end) in [(card.best, 1.0), (card.worst, 0.0)] {
                let name = super::controls::anchor(control, unit);
                let found = scores.iter().find(|s| s.model == name && s.metric == id && s.unit == score.unit).unwrap();
                // The constant has collapsed and keeps no scaled value but in guards.
                let collapsed = name == "constant" && card.side != Side::Guard;
                if !collapsed && found.scaled.is_none_or(|scaled| (scaled - end).abs() > 1e-9) {
                    broken.push(format!("{id} {name} {:?}", found.scaled));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    // Special controls stand for the metrics that name them.
    let named = |model: &str| -> Vec<&str> {
        scores.iter().filter(|score| score.model == model).map(|score| score.metric.as_str()).collect()
    };
    assert_eq!(named("one-hot-position"), ["position-leak"]);
    assert_eq!(named("random-compound"), ["mantel"]);
}

#[test]
fn every_value_has_an_interval_or_says_why_not() {
    let experiment = Experiment::new();
    let embedding = experiment.embedding(1.0, 2);
    let scores = experiment.scores(&embedding, &settings(0, 60));
    let mut without: Vec<(&str, &str)> = Vec::new();
    for score in of_model(&scores) {
        let id = score.metric.as_str();
        match (score.low, score.high) {
            (Some(low), Some(high)) => {
                assert!(low <= high, "{score:?}");
                let resampled = score.resampled.as_deref().unwrap();
                if resampled == "plate (jackknife of 6 groups)" {
                    let value = score.value.unwrap();
                    assert!(low <= value && value <= high, "{score:?}");
                } else {
                    assert!(["plate", "compound", "label", "pair of labels"].contains(&resampled), "{id} {resampled}");
                }
            }
            _ => without.push((id, score.remark.as_deref().unwrap_or(""))),
        }
    }
    assert!(without.iter().all(|(_, why)| why.contains("no interval: ")), "{without:?}");
    assert!(without.is_empty(), "{without:?}");

    let small = Settings { jackknife_rows: 10, ..settings(3, 60) };
    let scores = experiment.scores(&embedding, &small);
    for (id, missing) in [("nmi-kmeans", "no interval"), ("activity-map", "no null"), ("enrichment", "no null")] {
        let score = of_model(&scores).find(|score| score.metric == id).unwrap();
        assert!(score.remark.as_deref().unwrap().contains(&format!("{missing}: more than 10 rows")), "{score:?}");
    }
}

#[test]
fn nulls_of_compounds_are_where_noise_is_and_below_a_signal() {
    let experiment = Experiment::new();
    let asked = || Settings {
        metrics: metrics().filter(|metric| metric.about_compounds()).collect(),
        pass_permutations: 19,
        ..settings(19, 0)
    };
    assert!(asked().metrics.len() > 30);
    let noise = experiment.scores(&experiment.embedding(0.0, 3), &asked());
    let mut low = 0;
    for score in of_model(&noise) {
        let p = score.p.unwrap_or_else(|| panic!("{score:?}"));
        assert_eq!(score.permutations, 19, "{score:?}");
        assert!(score.z.is_none_or(|z| z.abs() < 4.5), "{score:?}");
        low += usize::from(p <= 0.05);
    }
    // The metrics look at one table and agree with each other; all of them at once do not stand out.
    assert!(low <= asked().metrics.len() / 3, "{low}");
    let signal = experiment.scores(&experiment.embedding(2.0, 3), &asked());
    for id in
        ["distinctiveness-map", "cross-source-map", "hit-at-1", "enrichment", "cross-batch-ks", "percent-replicating"]
    {
        let score = of_model(&signal).find(|score| score.metric == id).unwrap();
        assert!(score.p == Some(0.05) && score.z.unwrap() > 3.0, "{score:?}");
    }
    // Parts keep the metric's own p.
    let activity = of_model(&signal).find(|score| score.metric == "activity-map").unwrap();
    assert!(activity.parts.iter().all(|part| part.p.is_some()));
}

/// The mean of the first feature, which keeps what its rows contribute to itself.
struct Mean;

static MEAN: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "mean",
        title: "Mean",
        what: "The mean of the first feature.",
        formula: "sum of x / n",
        better: "none",
        range: "no bounds",
        limits: "Everything else.",
        reference: "none needed",
    },
    side: Side::Guard,
    dialect: "first feature",
    best: "none: a mean is neither good nor bad",
    worst: "none: a mean is neither good nor bad",
};

impl EmbeddingMetric for Mean {
    fn card(&self) -> &'static EmbeddingCard {
        &MEAN
    }

    fn measure(&self, space: &Space<'_>, _: &Roles<'_>) -> Result<Measured, String> {
        let n = space.treated.rows();
        let sum: f64 = (0..n).map(|row| f64::from(space.treated.row(row)[0])).sum();
        Ok(Measured { value: sum / n as f64, n, ..Measured::default() })
    }
}

#[test]
fn jackknife_intervals_cover_the_mean_about_as_often_as_they_say() {
    // 20 plates with effects of their own, so that wells of a plate are not independent; ten groups of two.
    let (plates, wells, runs) = (20, 8, 200);
    let label = Factor::first_seen(&vec!["l"; plates * wells]);
    let plate: Vec<String> = (0..plates * wells).map(|row| format!("p{}", row / wells)).collect();
    let layout = Layout {
        rows: plates * wells,
        plate: Some(Factor::first_seen(&plate)),
        file_row: (0..(plates * wells) as u64).collect(),
        ..Layout::default()
    };
    let controls = Layout::default();
    let none = Matrix::zeros(0, 2);
    let mut covered = 0;
    for run in 0..runs {
        let mut stream = Seed(run).derive("coverage", 0).stream();
        let effects: Vec<f64> = (0..plates).map(|_| stream.normal()).collect();
        let data = (0..plates * wells).flat_map(|row| [(effects[row / wells] + stream.normal()) as f32, row as f32]);
        let treated = Matrix::new(plates * wells, 2, data.collect());
        let rows = Rows { label: &label, layout: &layout, controls: &controls };
        let subject = Subject { model: "model", correction: "none", treated: &treated, controls: &none };
        let asked = Settings { metrics: vec![&Mean], seed: Seed(run), ..settings(0, 1) };
        let scores = measure(&[subject], &rows, &asked, &|_, _| ());
        let score = of_model(&scores).next().unwrap();
        assert_eq!(score.resampled.as_deref(), Some("plate (jackknife of 10 groups)"), "{score:?}");
        covered += usize::from(score.low.unwrap() <= 0.0 && 0.0 <= score.high.unwrap());
    }
    // Binomial(200, 0.95): below 178 or above 199 has probability below 0.001.
    assert!((178..=199).contains(&covered), "{covered} of {runs}");
}

#[test]
fn nothing_depends_on_threads() {
    let experiment = Experiment::new();
    let embedding = experiment.embedding(1.0, 5);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| experiment.scores(&embedding, &settings(3, 20)))
    };
    assert_eq!(on(1), on(4));
}
