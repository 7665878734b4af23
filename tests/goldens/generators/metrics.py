"""Golden values of the metrics, from scikit-learn.

usage: python metrics.py DATA_FOLDER > ../metrics.json
DATA_FOLDER holds jump_moa_multisite and jump_cpg0016_source_medians with their reference
predictions. Written with numpy 2.4.6, scipy 1.17.1, pandas 2.3.3, scikit-learn 1.9.1.

Tied decisions: a row whose decision is shared by several classes is written once per class with
the share as `sample_weight`; that is the metric of the expected confusion matrix. Tied
probabilities in top-N: the mean of `top_k_accuracy_score` over all orders of the classes, each
put into effect by adding less than one to the dense ranks of the probabilities.
Log-loss clips at 1e-15 (scikit-learn up to 1.2); newer versions clip elsewhere, so it is written
out with numpy, and compared with scikit-learn where no probability is clipped.
"""

import itertools
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import scipy
import sklearn
from scipy.stats import rankdata
from sklearn import metrics as m

warnings.filterwarnings("ignore")


def top_n(truth, p, n, seen):
    """Expected top-n over all orders of tied classes; classes unseen in training never hit."""
    classes = p.shape[1]
    tied = any(len(np.unique(row[seen])) < seen.sum() for row in p)
    orders = list(itertools.permutations(range(classes))) if tied else [tuple(range(classes))]
    values = []
    for order in orders:
        moved = rankdata(p, method="dense", axis=1) + np.array(order) / (10.0 * classes)
        moved[:, ~seen] = -1.0
        values.append(m.top_k_accuracy_score(truth, moved, k=n, labels=np.arange(classes)))
    return float(np.mean(values))


def case(name, truth, p, decisions, seen, tops):
    classes = p.shape[1]
    labels = np.arange(classes)
    rows = [(i, c, w) for i, d in enumerate(decisions) for c, w in d]
    y = truth[[i for i, _, _ in rows]]
    d = np.array([c for _, c, _ in rows])
    w = np.array([w for _, _, w in rows])
    values = {"accuracy": m.accuracy_score(y, d, sample_weight=w),
              "balanced-accuracy": m.balanced_accuracy_score(y, d, sample_weight=w),
              "mcc": m.matthews_corrcoef(y, d, sample_weight=w)}
    for average in ("macro", "weighted"):
        for kind in ("precision", "recall", "f1"):
            score = getattr(m, f"{kind}_score")
            values[f"{kind}-{average}"] = score(y, d, average=average, sample_weight=w, zero_division=0)
    areas = []
    for c in labels:
        own = truth == c
        areas.append(m.roc_auc_score(own, p[:, c]) if 0 < own.sum() < len(truth) else None)
    if None in areas:
        values["roc-auc"] = None
    elif classes == 2:
        values["roc-auc"] = m.roc_auc_score(truth, p[:, 1])
    else:
        values["roc-auc"] = m.roc_auc_score(truth, p, multi_class="ovr", average="macro", labels=labels)
    of_truth = p[np.arange(len(truth)), truth]
    values["log-loss"] = -np.log(np.clip(of_truth, 1e-15, 1)).mean()
    if of_truth.min() > 1e-15:
        assert abs(values["log-loss"] - m.log_loss(truth, p, labels=labels)) < 1e-12
    values["brier"] = m.brier_score_loss(truth, p, labels=labels, scale_by_half=False)
    for n in tops:
        values[f"top-{n}"] = top_n(truth, p, n, seen)
    precision, recall, f1, support = m.precision_recall_fscore_support(
        y, d, labels=labels, sample_weight=w, zero_division=0)
    return {
        "name": name, "classes": classes, "truth": truth.tolist(), "probability": p.ravel().tolist(),
        "decisions": [[[int(c), float(x)] for c, x in d] for d in decisions], "seen": seen.tolist(),
        "values": {k: None if v is None else float(v) for k, v in values.items()},
        "areas": [None if a is None else float(a) for a in areas],
        "per_class": {"precision": precision.tolist(), "recall": recall.tolist(), "f1": f1.tolist(),
                      "support": support.tolist()},
        "confusion": m.confusion_matrix(y, d, labels=labels, sample_weight=w).astype(float).ravel().tolist(),
    }


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def argmax(p):
    return [[(int(c), 1.0)] for c in p.argmax(axis=1)]


def tied_argmax(p):
    best = [np.flatnonzero(row == row.max()) for row in p]
    return [[(int(c), 1.0 / len(b)) for c in b] for b in best]


def synthetic():
    rng = np.random.default_rng(20240229)
    all_seen = lambda c: np.ones(c, bool)
    truth = rng.integers(0, 6, 90)
    p = softmax(rng.normal(size=(90, 6)) + 1.5 * np.eye(6)[truth])
    yield case("plain", truth, p, argmax(p), all_seen(6), [1, 3, 5])

    # Class 4 unseen in training, class 5 absent from the test rows but decided.
    truth = rng.choice([0, 1, 2, 3, 4], 60, p=[0.4, 0.3, 0.1, 0.1, 0.1])
    p = softmax(rng.normal(size=(60, 5)) + 1.2 * np.eye(6)[truth][:, [0, 1, 2, 3, 5]])
    p = np.insert(p, 4, 0.0, axis=1)
    seen = np.array([True, True, True, True, False, True])
    yield case("unseen", truth, p, argmax(p), seen, [3, 4])

    # Unbalanced, one class never decided, nearly certain probabilities below the clip.
    truth = rng.choice([0, 1, 2, 3], 50, p=[0.7, 0.1, 0.1, 0.1])
    p = softmax(12 * rng.normal(size=(50, 4)) - np.array([0, 0, 0, 60.0]))
    yield case("confident", truth, p, argmax(p), all_seen(4), [2, 3])

    # Three votes over five classes.
    truth = rng.integers(0, 5, 40)
    votes = [rng.choice(5, 3, p=0.15 * np.ones(5) + 0.25 * np.eye(5)[t]) for t in truth]
    p = np.array([np.bincount(v, minlength=5) / 3 for v in votes])
    yield case("votes", truth, p, tied_argmax(p), all_seen(5), [1, 3, 4])

    # A constant embedding: the same votes for every row.
    truth = rng.integers(0, 4, 30)
    p = np.tile([0.4, 0.4, 0.1, 0.1], (30, 1))
    yield case("constant", truth, p, tied_argmax(p), all_seen(4), [1, 3])

    truth = rng.integers(0, 2, 25)
    p = softmax(rng.normal(size=(25, 2)) + np.eye(2)[truth])
    yield case("binary", truth, p, argmax(p), all_seen(2), [])


def reference(folder):
    """Stored predictions on real data with the reference metrics of their README."""
    for path, name in [("jump_moa_multisite", "all3_moa10"), ("jump_moa_multisite", "scope_moa10"),
                       ("jump_cpg0016_source_medians", "jcp16")]:
        rows = pd.read_csv(folder / path / f"reference_predictions_{name}.csv.gz")
        scores = pd.read_csv(folder / path / f"reference_metrics_{name}.csv")
        for _, score in scores[scores.split.isin(["hashed5", "not_same_source"])].iterrows():
            part = rows[rows.split == score.split]
            column = {"logreg": "logreg", "knn3_cosine": "knn3"}[score.classifier]
            code = {c: i for i, c in enumerate(sorted(part.y.unique()))}
            assert len(code) == score.classes and len(part) == score.n
            yield {"name": f"{name} {score.split} {score.classifier}", "classes": int(score.classes),
                   "truth": [code[v] for v in part.y], "decided": [code[v] for v in part[column]],
                   "values": {"accuracy": score.accuracy, "balanced-accuracy": score.balanced_accuracy,
                              "f1-macro": score.macro_f1, "f1-weighted": score.weighted_f1,
                              "precision-macro": score.macro_precision, "recall-macro": score.macro_recall}}


json.dump({"generator": "metrics.py",
           "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "pandas": pd.__version__, "scikit-learn": sklearn.__version__},
           "cases": list(synthetic()), "reference": list(reference(Path(sys.argv[1])))},
          sys.stdout, separators=(",", ":"))
