//! Totals of packages and papers: which metrics they average, and with what weights.
//!
//! # What
//! A [`Preset`] is two lists of metric ids and two weights. [`totals`] averages the values that are there and names
//! those that are not.
//!
//! # Formula
//! `total = 0.4 mean(batch) + 0.6 mean(biology)`, without any scaling, as all three do today. Where lower is better the
//! value counts as one less itself (PCR). A side without a value leaves the total absent.
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
//! scib 1.1.7; scib-metrics 0.5.10 (`Benchmarker`); Arevalo et al. 2024.

use bench_core::record::{EmbeddingScore, EmbeddingTotal, Interval};

/// A list of metrics that make up a total.
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
    /// Weights of the two sides.
    pub weights: (f64, f64),
    /// How far it can be that of its model.
    pub note: &'static str,
}

/// All presets, in order of report.
pub static PRESETS: [Preset; 3] = [
    Preset {
        id: "scib",
        title: "scib",
        batch: &["asw-batch", "ilisi-graph", "kbet-label", "graph-connectivity", "pcr-50"],
        biology: &["asw-label-euclidean", "isolated-labels", "nmi-leiden-best", "ari-leiden-best", "clisi-graph"],
        weights: (0.4, 0.6),
        note: "Without the metrics of gene expression (cell cycle, variable genes, trajectories), and with one less PCR in the place of the comparison with the uncorrected data.",
    },
    Preset {
        id: "scib-metrics",
        title: "scib-metrics",
        batch: &["bras", "ilisi", "kbet-label", "graph-connectivity-directed", "pcr"],
        biology: &["isolated-labels", "nmi-kmeans", "ari-kmeans", "asw-label-euclidean", "clisi"],
        weights: (0.4, 0.6),
        note: "With one less PCR in the place of the comparison with the uncorrected data.",
    },
    Preset {
        id: "arevalo2024",
        title: "Arevalo et al. 2024",
        batch: &["asw-batch-cosine", "ilisi-graph", "kbet-label", "graph-connectivity"],
        biology: &[
            "nmi-leiden",
            "ari-leiden",
            "asw-label-cosine",
            "clisi-graph",
            "arevalo-map-negcon",
            "arevalo-map-nonrep",
        ],
        weights: (0.4, 0.6),
        note: "On the shared Euclidean graph; the paper's graph has 25 cosine neighbours.",
    },
];

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
    for preset in presets {
        for &(model, correction) in &subjects {
            for &unit in &units {
                let of = |score: &&EmbeddingScore| {
                    score.model == model
                        && score.correction == correction
                        && score.unit.as_deref().is_none_or(|other| other == unit)
                };
                let own: Vec<&EmbeddingScore> = scores.iter().filter(of).collect();
                totals.push(total(preset, (model, correction, unit), &own));
            }
        }
    }
    totals
}

fn total(preset: &Preset, (model, correction, unit): (&str, &str, &str), scores: &[&EmbeddingScore]) -> EmbeddingTotal {
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
            let interval = score.low.zip(score.high);
            spread |= interval.is_some();
            let (low, high) = interval.unwrap_or((value, value));
            if super::super::lookup(id).is_ok_and(|metric| metric.card().card.better == "lower") {
                values.push(1.0 - value);
                lows.push(1.0 - high);
                highs.push(1.0 - low);
            } else {
                values.push(value);
                lows.push(low);
                highs.push(high);
            }
        }
        let ends = bench_core::number::mean(&lows).zip(bench_core::number::mean(&highs));
        let range = ends.filter(|_| spread).map(|(low, high)| Interval { low, high });
        (bench_core::number::mean(&values), range)
    };
    let ((batch, batch_range), (biology, biology_range)) = (side(preset.batch), side(preset.biology));
    let weigh = |batch: f64, biology: f64| preset.weights.0 * batch + preset.weights.1 * biology;
    let total = batch.zip(biology).map(|(batch, biology)| weigh(batch, biology));
    // A side without intervals stays where it is.
    let ends = |range: Option<Interval>, value: Option<f64>| range.or(value.map(|v| Interval { low: v, high: v }));
    let total_range = ends(batch_range, batch)
        .zip(ends(biology_range, biology))
        .filter(|_| batch_range.is_some() || biology_range.is_some())
        .map(|(batch, biology)| Interval { low: weigh(batch.low, biology.low), high: weigh(batch.high, biology.high) });
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
}
