//! Presets: what packages and papers measure, and the totals that they make of it.
//!
//! # What
//! A [`Preset`] names the metrics of one peer in that peer's dialects, the corrections that come before them, and what
//! cannot be answered from embeddings. Where the peer has a total it has two weights too: [`totals`] averages the values
//! that are there and names those that are not.
//!
//! # Formula
//! `total = 0.4 mean(batch) + 0.6 mean(biology)`, without any scaling, as all three do today. Where lower is better the
//! value counts as one less itself. The PCR of a model that has corrections in the run counts as the packages' comparison
//! with the uncorrected embedding, `max(0, (before - after) / before)`, which is 0 for the uncorrected one itself. A side
//! without a value leaves the total absent.
//!
//! The range of a side is its mean with every metric at the lower, then at the upper, end of its interval; a metric
//! without an interval stays where it is. The range of the total weighs those ends. It is at least as wide as an interval
//! of the mean would be, whatever the metrics have in common.
//!
//! # Why
//! It is the number people compare. It has no interval of its own, only that range, and mixes metrics of unequal range,
//! which is why it stands beside the single scores and does not replace them.
//!
//! # What it cannot show
//! Graph connectivity counts as a batch score here, as in the packages, though it behaves as a biology score.
//!
//! # Reference
//! scib 1.1.7; scib-metrics 0.5.10 (`Benchmarker`); copairs 0.5.5; Arevalo et al. 2024; PathoROB 2025;
//! gwatkinson/jump_models; pycytominer 1.7.1 and cytominer-eval 0.1.

use bench_core::record::{EmbeddingScore, EmbeddingTotal, Interval};

use crate::embedding::batch::pcr;

/// What one peer measures.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Id.
    pub id: &'static str,
    /// What it is.
    pub title: &'static str,
    /// Metrics of the batch side.
    pub batch: &'static [&'static str],
    /// Metrics of the biology side.
    pub biology: &'static [&'static str],
    /// Weights of the two sides in the peer's total, if it has one.
    pub weights: Option<(f64, f64)>,
    /// The chain of corrections that the peer applies before it measures.
    pub chain: Option<&'static str>,
    /// The same with the peer's named defects, for `ID:defects`.
    pub defects: Option<&'static str>,
    /// Whether classifiers are fitted as in the reference code of the paper.
    pub classifiers: bool,
    /// What the peer reports and embeddings cannot answer, or what is answered another way; one sentence each.
    pub absent: &'static [&'static str],
}

/// All presets, in order of report.
pub static PRESETS: [Preset; 7] = [
    Preset {
        id: "scib",
        title: "scib 1.1.7",
        batch: &["asw-batch", "ilisi-graph", "kbet-label", "graph-connectivity", "pcr-50"],
        biology: &["asw-label-euclidean", "isolated-labels", "nmi-leiden-best", "ari-leiden-best", "clisi-graph"],
        weights: Some((0.4, 0.6)),
        chain: None,
        defects: None,
        classifiers: false,
        absent: &[
            "kBET runs in R on neighbours by diffusion; here it is the same test on exact neighbours within the label.",
            "Cell cycle, variable genes and trajectories need gene expression.",
            "The F1 of isolated labels is not measured, their silhouette is; where every label is in all batches scib has none, \
             here all labels count, as in scib-metrics.",
        ],
    },
    Preset {
        id: "scib-metrics",
        title: "scib-metrics 0.5.10",
        batch: &["bras", "ilisi", "kbet-label", "graph-connectivity-directed", "pcr"],
        biology: &["isolated-labels", "nmi-kmeans", "ari-kmeans", "asw-label-euclidean", "clisi"],
        weights: Some((0.4, 0.6)),
        chain: None,
        defects: None,
        classifiers: false,
        absent: &[
            "kBET takes neighbours by diffusion maps, whose number of components depends on the order of the labels; here \
             they are exact neighbours within the label.",
            "Starts of k-means are random, so NMI and ARI agree where the clusters are clear.",
        ],
    },
    Preset {
        id: "copairs",
        title: "copairs 0.5.5",
        batch: &[],
        biology: &[
            "copairs-activity-map",
            "copairs-activity-normalised",
            "copairs-activity-retrieved",
            "copairs-distinctiveness-map",
            "copairs-distinctiveness-normalised",
            "copairs-distinctiveness-retrieved",
            "consistency-map",
            "consistency-retrieved",
        ],
        weights: None,
        chain: None,
        defects: None,
        classifiers: false,
        absent: &[
            "Ties are averaged over their orders; copairs resolves each in favour of the positives, so that a constant \
             embedding has full marks there.",
            "p values are drawn from a null of the same size; they agree within its error.",
        ],
    },
    Preset {
        id: "arevalo2024",
        title: "Arevalo et al. 2024",
        batch: &["asw-batch-cosine", "arevalo-ilisi-graph", "kbet-label", "arevalo-graph-connectivity"],
        biology: &[
            "arevalo-nmi-leiden",
            "arevalo-ari-leiden",
            "asw-label-cosine",
            "arevalo-clisi-graph",
            "arevalo-map-negcon",
            "arevalo-map-nonrep",
        ],
        weights: Some((0.4, 0.6)),
        chain: Some("arevalo2024"),
        defects: None,
        classifiers: false,
        absent: &[
            "kBET runs in R on neighbours by diffusion; here it is the same test on exact Euclidean neighbours within the \
             label.",
            "PCR, its comparison and isolated labels are measured by the paper and left out of its score.",
            "Leiden draws other random numbers than leidenalg.",
        ],
    },
    Preset {
        id: "pathorob",
        title: "PathoROB",
        batch: &[
            "robustness-index",
            "robustness-index-pairs",
            "robustness-index-2025",
            "performance-drop",
            "performance-drop-unseen",
        ],
        biology: &["clustering-score-pathorob"],
        weights: None,
        chain: None,
        defects: None,
        classifiers: false,
        absent: &[
            "The plate stands for the slide. Its data sets have designs of their own for the performance drop; here pairs of \
             labels and units are drawn.",
        ],
    },
    Preset {
        id: "jump-models",
        title: "gwatkinson/jump_models",
        batch: &[],
        biology: &[],
        weights: None,
        chain: Some("jump-models"),
        defects: Some("jump-models-as-run"),
        classifiers: true,
        absent: &[
            "Retrieval between images and molecules needs embeddings of both: `bench retrieve`.",
            "Its splits are unseeded, so single runs cannot be repeated; ours are drawn by the same rule with a seed.",
            "`jump-models:defects` leaves all plates but the last uncorrected, as the code does; without it every plate is \
             corrected.",
        ],
    },
    Preset {
        id: "pycytominer",
        title: "pycytominer 1.7.1 and cytominer-eval 0.1",
        batch: &[],
        biology: &[
            "percent-replicating",
            "percent-matching",
            "grit",
            "mp-value",
            "enrichment",
            "hit-at-1",
            "hit-at-10",
            "precision-at-10",
        ],
        weights: None,
        chain: Some("pycytominer"),
        defects: None,
        classifiers: false,
        absent: &[
            "Aggregation of cells and consensus profiles: give a table of wells.",
            "The choice of mp-value's permutations is drawn; it agrees within its error.",
        ],
    },
];

impl Preset {
    /// Its metrics, batch side first.
    pub fn metrics(&self) -> impl Iterator<Item = &'static str> {
        self.batch.iter().chain(self.biology).copied()
    }
}

/// The preset of an id.
///
/// # Errors
/// An unknown id, with the closest valid one.
pub fn lookup(id: &str) -> Result<&'static Preset, crate::Error> {
    PRESETS.iter().find(|preset| preset.id == id).ok_or_else(|| crate::Error::UnknownId {
        kind: "preset of embedding metrics",
        id: id.to_owned(),
        suggestion: bench_core::suggest::closest(id, PRESETS.iter().map(|preset| preset.id)).map(str::to_owned),
    })
}

/// The totals of every model and correction for every unit of the batch side. Scores of a model under one unit are
/// joined with its scores without a unit.
pub fn totals(scores: &[EmbeddingScore], presets: &[&Preset]) -> Vec<EmbeddingTotal> {
    let mut subjects: Vec<(&str, &str)> = Vec::new();
    let mut units: Vec<&str> = Vec::new();
    for score in scores {
        let subject = (score.model.as_str(), score.correction.as_str());
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
        if let Some(unit) = &score.unit
            && !units.contains(&unit.as_str())
        {
            units.push(unit);
        }
    }
    let mut totals = Vec::new();
    for preset in presets.iter().filter(|preset| preset.weights.is_some()) {
        for &(model, correction) in &subjects {
            for &unit in &units {
                let of = |score: &&EmbeddingScore| {
                    score.model == model
                        && score.correction == correction
                        && score.unit.as_deref().is_none_or(|other| other == unit)
                };
                let own: Vec<&EmbeddingScore> = scores.iter().filter(of).collect();
                // Control embeddings of single metrics take part in no set.
                let is_asked = |s: &&EmbeddingScore| {
                    let id = s.metric.as_str();
                    preset.batch.contains(&id) || preset.biology.contains(&id)
                };
                if !own.iter().any(is_asked) {
                    continue;
                }
                let is_before =
                    |s: &&EmbeddingScore| s.model == model && s.correction == "none" && s.unit.as_deref() == Some(unit);
                // A model without corrections in the run has nothing to be compared with.
                let is_compared = scores.iter().any(|s| s.model == model && s.correction != "none");
                let before: Vec<&EmbeddingScore> = scores.iter().filter(is_before).filter(|_| is_compared).collect();
                totals.push(total(preset, (model, correction, unit), &own, &before));
            }
        }
    }
    totals
}

fn total(
    preset: &Preset,
    (model, correction, unit): (&str, &str, &str),
    scores: &[&EmbeddingScore],
    before: &[&EmbeddingScore],
) -> EmbeddingTotal {
    let value_of = |scores: &[&EmbeddingScore], id: &str| scores.iter().find(|s| s.metric == id).and_then(|s| s.value);
    let compared = [pcr::ALL_CARD.card.id, pcr::LEADING_CARD.card.id];
    let mut missing = Vec::new();
    let mut flag = None;
    let mut side = |ids: &[&str]| {
        let (mut values, mut lows, mut highs) = (Vec::new(), Vec::new(), Vec::new());
        let mut spread = false;
        for &id in ids {
            let found = scores.iter().find(|score| score.metric == id);
            flag = flag.take().or_else(|| found.and_then(|score| score.flag.clone()));
            let Some((score, value)) = found.and_then(|score| Some((score, score.value?))) else {
                missing.push(id.to_owned());
                continue;
            };
            let uncorrected = compared.contains(&id).then(|| value_of(before, id)).flatten();
            let lower = super::super::lookup(id).is_ok_and(|metric| metric.card().card.better == "lower");
            let counted = |value: f64| match uncorrected {
                Some(before) => pcr::comparison(before, value),
                None if lower => 1.0 - value,
                None => value,
            };
            let interval = score.low.zip(score.high);
            spread |= interval.is_some();
            let (low, high) = interval.unwrap_or((value, value));
            let (low, high) = (counted(low), counted(high));
            values.push(counted(value));
            lows.push(low.min(high));
            highs.push(low.max(high));
        }
        let ends = bench_core::number::mean(&lows).zip(bench_core::number::mean(&highs));
        let range = ends.filter(|_| spread).map(|(low, high)| Interval { low, high });
        (bench_core::number::mean(&values), range)
    };
    let ((batch, batch_range), (biology, biology_range)) = (side(preset.batch), side(preset.biology));
    // Peers that make no total of their own get none here.
    let weigh = |batch: f64, biology: f64| preset.weights.map(|(a, b)| a * batch + b * biology);
    let total = batch.zip(biology).and_then(|(batch, biology)| weigh(batch, biology));
    // A side without intervals stays where it is.
    let ends = |range: Option<Interval>, value: Option<f64>| range.or(value.map(|v| Interval { low: v, high: v }));
    let total_range = ends(batch_range, batch)
        .zip(ends(biology_range, biology))
        .filter(|_| batch_range.is_some() || biology_range.is_some())
        .and_then(|(batch, biology)| {
            Some(Interval { low: weigh(batch.low, biology.low)?, high: weigh(batch.high, biology.high)? })
        });
    EmbeddingTotal {
        model: model.to_owned(),
        correction: correction.to_owned(),
        preset: preset.id.to_owned(),
        unit: Some(unit.to_owned()),
        batch,
        biology,
        total,
        batch_range,
        biology_range,
        total_range,
        batch_metrics: preset.batch.iter().map(|id| (*id).to_owned()).collect(),
        biology_metrics: preset.biology.iter().map(|id| (*id).to_owned()).collect(),
        missing,
        flag,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(metric: &str, unit: Option<&str>, value: f64) -> EmbeddingScore {
        EmbeddingScore {
            model: "m".to_owned(),
            correction: "none".to_owned(),
            metric: metric.to_owned(),
            unit: unit.map(str::to_owned),
            value: Some(value),
            ..EmbeddingScore::default()
        }
    }

    #[test]
    fn sides_are_averaged_and_weighted_and_what_is_missing_is_named() {
        let scores = [
            score("bras", Some("source"), 0.8),
            score("bras", Some("plate"), 0.1),
            score("pcr", Some("source"), 0.4),
            score("clisi", None, 0.9),
        ];
        let found = totals(&scores, &[lookup("scib-metrics").unwrap()]);
        assert_eq!(found.len(), 2);
        let close = |a: Option<f64>, b: f64| (a.unwrap() - b).abs() < 1e-12;
        assert!(
            close(found[0].batch, 0.7) && close(found[0].biology, 0.9) && close(found[0].total, 0.4 * 0.7 + 0.6 * 0.9)
        );
        assert_eq!(found[0].missing.len(), 7);
        assert_eq!((found[0].batch_metrics.len(), found[0].biology_metrics.len()), (5, 5));
        assert!(found[0].total_range.is_none(), "no metric has an interval");
        assert!(lookup("scib-metric").is_err());
    }

    #[test]
    fn ranges_hold_all_metrics_at_one_end_at_once() {
        let spread = |mut score: EmbeddingScore, low: f64, high: f64| {
            (score.low, score.high) = (Some(low), Some(high));
            score
        };
        let unit = Some("source");
        let scores = [
            spread(score("bras", unit, 0.8), 0.7, 0.9),
            // Lower is better: its upper end is the worse one.
            spread(score("pcr", unit, 0.4), 0.3, 0.6),
            score("clisi", None, 0.9),
        ];
        let found = totals(&scores, &[lookup("scib-metrics").unwrap()]).remove(0);
        let (batch, total) = (found.batch_range.unwrap(), found.total_range.unwrap());
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} is not {b}");
        close(batch.low, (0.7 + 0.4) / 2.0);
        close(batch.high, (0.9 + 0.7) / 2.0);
        assert_eq!(found.biology_range, None);
        close(total.low, 0.4 * batch.low + 0.6 * 0.9);
        close(total.high, 0.4 * batch.high + 0.6 * 0.9);
    }

    #[test]
    fn a_corrected_embedding_is_compared_with_the_uncorrected_one() {
        let corrected =
            |value: f64| EmbeddingScore { correction: "mad".to_owned(), ..score("pcr", Some("source"), value) };
        let scores = [score("pcr", Some("source"), 0.4), corrected(0.1), score("clisi", None, 0.9)];
        let found = totals(&scores, &[lookup("scib-metrics").unwrap()]);
        assert_eq!((found[0].correction.as_str(), found[0].batch), ("none", Some(0.0)));
        assert!((found[1].batch.unwrap() - 0.75).abs() < 1e-12, "{:?}", found[1]);
    }

    #[test]
    fn every_metric_of_a_preset_has_a_card_and_every_preset_measures_something() {
        for preset in &PRESETS {
            for id in preset.metrics() {
                assert!(crate::embedding::lookup(id).is_ok(), "{}: {id}", preset.id);
            }
            assert!(preset.metrics().next().is_some() || preset.classifiers, "{}", preset.id);
            assert!(!preset.absent.is_empty() && preset.weights.is_none_or(|(a, b)| (a + b - 1.0).abs() < 1e-12));
        }
    }
}
