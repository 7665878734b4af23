//! Cards of the retrieval metrics.

use bench_core::Card;

const TIES: &str = "Watkinson et al. 2023, tables 1 and 2; ties by expectation";

/// Cards in order of report.
pub static CARDS: [&Card; 9] = [&HIT_RATE, &MRR, &MAP, &PRECISION, &RECALL, &NDCG, &MEDIAN_RANK, &MEAN_RANK, &FALL_OUT];

/// Metrics that are scored by default.
pub static DEFAULT_METRICS: [&str; 14] = [
    "hit-rate@1",
    "hit-rate@3",
    "hit-rate@5",
    "hit-rate@10",
    "mrr",
    "map",
    "precision@5",
    "precision@10",
    "recall@5",
    "recall@10",
    "ndcg",
    "ndcg@10",
    "median-rank",
    "mean-rank",
];

/// Hit rate.
pub static HIT_RATE: Card = Card {
    id: "hit-rate",
    title: "Hit rate at k",
    what: "Share of queries with a relevant candidate among the first k. Written hit-rate@1, hit-rate@5.",
    formula: "mean_q P(rank of the first relevant <= k)",
    better: "higher",
    range: "0 to 1; k / n is chance with one relevant of n candidates",
    limits: "Says nothing without the size of the gallery; refused where k is at least that size.",
    reference: TIES,
};

/// Mean reciprocal rank.
pub static MRR: Card = Card {
    id: "mrr",
    title: "Mean reciprocal rank",
    what: "Mean of one over the rank of the first relevant candidate.",
    formula: "mean_q E[1 / rank of the first relevant]",
    better: "higher",
    range: "0 to 1; H_n / n is chance with one relevant of n candidates",
    limits: "Ranks beyond the first few hardly count.",
    reference: TIES,
};

/// Mean average precision.
pub static MAP: Card = Card {
    id: "map",
    title: "Mean average precision",
    what: "Mean over queries of the precision at the ranks of the relevant candidates.",
    formula: "mean_q 1/P sum over relevant i of (relevant at or above i) / rank_i",
    better: "higher",
    range: "0 to 1; chance depends on the share of relevant candidates",
    limits: "With one relevant candidate it is the mean reciprocal rank.",
    reference: "scikit-learn average_precision_score; ties by expectation over all orders",
};

/// Precision at k.
pub static PRECISION: Card = Card {
    id: "precision",
    title: "Precision at k",
    what: "Share of the first k candidates that is relevant. Written precision@5.",
    formula: "mean_q (relevant among the first k) / k",
    better: "higher",
    range: "0 to min(P, k) / k; P / n is chance",
    limits: "With one relevant candidate it is the hit rate divided by k.",
    reference: "torchmetrics RetrievalPrecision; ties by expectation",
};

/// Recall at k.
pub static RECALL: Card = Card {
    id: "recall",
    title: "Recall at k",
    what: "Share of the relevant candidates that is among the first k. Written recall@5.",
    formula: "mean_q (relevant among the first k) / P",
    better: "higher",
    range: "0 to 1; k / n is chance",
    limits: "With one relevant candidate it is the hit rate.",
    reference: "torchmetrics RetrievalRecall; ties by expectation",
};

/// Discounted cumulative gain.
pub static NDCG: Card = Card {
    id: "ndcg",
    title: "Normalised discounted cumulative gain",
    what: "Gain of the relevant candidates, discounted by rank, as a share of the best possible. Written ndcg or ndcg@10.",
    formula: "mean_q sum over relevant of 1 / log2(rank + 1), divided by that of the best order",
    better: "higher",
    range: "0 to 1; chance is far above zero without a k",
    limits: "The discount is gentle: compare with the chance value beside it.",
    reference: "scikit-learn ndcg_score",
};

/// Median rank.
pub static MEDIAN_RANK: Card = Card {
    id: "median-rank",
    title: "Median rank",
    what: "Median over queries of the expected rank of the first relevant candidate.",
    formula: "median_q E[rank of the first relevant]",
    better: "lower",
    range: "1 to n; (n + 1) / 2 is chance",
    limits: "The median of expected ranks is not the expected median where ties are many. Its interval is the percentile one.",
    reference: "usual in image-text retrieval; ties by expectation",
};

/// Mean rank.
pub static MEAN_RANK: Card = Card {
    id: "mean-rank",
    title: "Mean rank",
    what: "Mean over queries of the rank of the first relevant candidate.",
    formula: "mean_q E[rank of the first relevant]",
    better: "lower",
    range: "1 to n; (n + 1) / 2 is chance",
    limits: "A few hopeless queries dominate it.",
    reference: "usual in image-text retrieval; ties by expectation",
};

/// Fall-out at k.
pub static FALL_OUT: Card = Card {
    id: "fall-out",
    title: "Fall-out at k",
    what: "Share of the irrelevant candidates that is among the first k. Written fall-out@5.",
    formula: "mean_q (irrelevant among the first k) / (n - P)",
    better: "lower",
    range: "(k - P) / (n - P), or 0, to 1; k / n is chance",
    limits: "With large galleries it hardly moves.",
    reference: "torchmetrics RetrievalFallOut; ties by expectation",
};
