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
//! # Why
//! It is the number people compare. It has no interval of its own and mixes metrics of unequal range, which is why it
//! stands beside the single scores and does not replace them.
//!
//! # What it cannot show
//! Graph connectivity counts as a batch score here, as in the packages, though it behaves as a biology score.
//!
//! # Reference
//! scib 1.1.7; scib-metrics 0.5.10 (`Benchmarker`); Arevalo et al. 2024.

use bench_core::record::{EmbeddingScore, EmbeddingTotal};

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
        let mut values = Vec::new();
        for &id in ids {
            let found = scores.iter().find(|score| score.metric == id);
            flag = flag.take().or_else(|| found.and_then(|score| score.flag.clone()));
            let lower = super::super::lookup(id).is_ok_and(|metric| metric.card().card.better == "lower");
            match found.and_then(|score| score.value) {
                Some(value) => values.push(if lower { 1.0 - value } else { value }),
                None => missing.push(id.to_owned()),
            }
        }
        bench_core::number::mean(&values)
    };
    let (batch, biology) = (side(preset.batch), side(preset.biology));
    EmbeddingTotal {
        model: model.to_owned(),
        correction: correction.to_owned(),
        preset: preset.id.to_owned(),
        unit: Some(unit.to_owned()),
        batch,
        biology,
        total: batch.zip(biology).map(|(batch, biology)| preset.weights.0 * batch + preset.weights.1 * biology),
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
        assert!(lookup("scib-metric").is_err());
    }
}
