//! Scores of embeddings without a fit: one row per model, correction, metric and unit.

use serde::{Deserialize, Serialize};

use super::Interval;

/// One embedding metric of one model, with its controls, null and interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingScore {
    /// Model or control embedding.
    pub model: String,
    /// Correction that was applied; `none` without one.
    pub correction: String,
    /// Metric id.
    pub metric: String,
    /// `batch`, `biology` or `guard`.
    pub side: String,
    /// Whose definition it follows.
    pub dialect: String,
    /// Nuisance unit (`source`, `batch`, `plate`), for metrics that are measured once per unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The value.
    pub value: Option<f64>,
    /// `(value - worst) / (best - worst)` between the control embeddings: 0 is as bad as the worst, 1 as good as the
    /// best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaled: Option<f64>,
    /// Value of the control embedding that must be best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<f64>,
    /// Value of the control embedding that must be worst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<f64>,
    /// Mean over permutations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null_mean: Option<f64>,
    /// Standard deviation over permutations (ddof 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null_sd: Option<f64>,
    /// `(value - null mean) / null sd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub z: Option<f64>,
    /// Share of permutations at least as extreme: on the batch side at least as badly mixed, on the biology side at
    /// least as good; the value itself counts as one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// Permutations.
    #[serde(default)]
    pub permutations: usize,
    /// Lower end of the 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end of the 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// What was resampled for the interval: `plate`, `well`, `compound`, `label`, `row`, or `plate (jackknife of 10
    /// groups)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resampled: Option<String>,
    /// Rows or queries that count.
    pub n: usize,
    /// Why a guard fired, or which guard makes this score doubtful.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<String>,
    /// Why there is a value but no scaled value, null or interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// Why the value is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The value by group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<EmbeddingPart>,
}

/// The value of one group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingPart {
    /// `label`, `compound`, `source`, ... or a pair such as `source-source`.
    pub unit: String,
    /// Name of the group.
    pub name: String,
    /// Rows or queries.
    pub n: usize,
    /// Value; absent where it is no number.
    pub value: Option<f64>,
    /// p value, where there is one per group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
}

/// Means over sets of metrics that packages and papers call a total.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingTotal {
    /// Model or control embedding.
    pub model: String,
    /// Correction.
    pub correction: String,
    /// Which set: `scib`, `scib-metrics`, `arevalo2024`.
    pub preset: String,
    /// Nuisance unit of the batch side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Mean of the batch side.
    pub batch: Option<f64>,
    /// Mean of the biology side.
    pub biology: Option<f64>,
    /// Weighted mean of both.
    pub total: Option<f64>,
    /// The batch side with all of its metrics at the lower, and at the upper, ends of their intervals at once: at least
    /// as wide as its own interval, since metrics rarely err together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_range: Option<Interval>,
    /// The same of the biology side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub biology_range: Option<Interval>,
    /// The same of the total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_range: Option<Interval>,
    /// Metrics of the batch side of the set, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub batch_metrics: Vec<String>,
    /// Metrics of the biology side of the set, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub biology_metrics: Vec<String>,
    /// Metrics of the set without a value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Why it takes no part in a ranking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_fields_are_left_out_and_read_back() {
        let score = EmbeddingScore { model: "m".to_owned(), value: Some(0.5), n: 3, ..EmbeddingScore::default() };
        let text = serde_json::to_string(&score).unwrap();
        assert!(!text.contains("null_mean") && !text.contains("parts"), "{text}");
        assert_eq!(serde_json::from_str::<EmbeddingScore>(&text).unwrap(), score);
    }
}
