"""Golden values of PathoROB's average performance drop: writes ../performance_drop.json.

Run: python performance_drop.py, with scikit-learn 1.9.1 and numpy; the output names the versions. Seed 11.

The inputs are those of embedding_metrics.json, features as they are on both sides. Written from the description: two labels
in two batches, training rows whose label and batch have Cramer's V 0, 0.2, ... 1, scikit-learn's logistic regression at 15
values of C from 1e-8 to 1e4, the least C of best balanced accuracy on the validation rows. Stored are the rows of every
trial, the accuracies at every C (on validation rows, on rows of the two batches, on rows of others), those at the C that
validates best, and the drop.

scikit-learn's default, `lbfgs`, is not used: its tolerance is one of the gradient per row, and at C = 1e-8 the weights are so
small that the gradient falls below 1e-10 before the intercept has moved, which changes decisions. `newton-cholesky` solves
to the last digits, which is checked here for every fit: the gradient of the penalised objective, in 64 bits, has to be
below 1e-6 of the largest term that it is a difference of. Every decision has to be clear too: logits farther from
zero than 1e-6 of their own spread; repeats with a fit or decision that is not are drawn again.
Tolerance 1e-9: accuracies are counts.
"""

import json
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

HERE = Path(__file__).resolve().parent.parent
LEVELS = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
STRENGTHS = 10.0 ** (-8.0 + 12.0 * np.arange(15) / 14)


def fitted(x, y, c, tested):
    """Classes of `tested` by the optimum, and how far it is from one: relative gradient and least relative logit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")                          # convergence is checked below
        model = LogisticRegression(C=c, solver="newton-cholesky", tol=1e-15, max_iter=10000).fit(x, y)
    w, b = model.coef_[0], model.intercept_[0]
    residual = 1 / (1 + np.exp(-(x @ w + b))) - y
    terms = np.abs(residual[:, None] * x).sum(0)
    gradient = np.abs(x.T @ residual + w / c) / np.maximum(terms, 1e-300)
    # What the intercept answers to: the change of the residuals by the weights.
    moved = np.abs(residual - (0.5 - y)).sum()
    logits = tested @ w + b
    return (logits > 0).astype(int), max(gradient.max(), abs(residual.sum()) / moved), np.abs(logits).min() / (logits.std() + 1e-300)


def balanced(hit, truth):
    return float(np.mean([hit[truth == k].mean() for k in np.unique(truth)])) if len(truth) else None


def cramer(label, batch):
    table = np.array([[np.sum((label == a) & (batch == b)) for b in np.unique(batch)] for a in np.unique(label)], float)
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    return float(np.sqrt(((table - expected) ** 2 / expected).sum() / table.sum()))


def repeat_of(x, label, batch, rng, pair, worst):
    a, b, u, v = pair
    y = (label == b).astype(int)
    cells = [rng.permutation(np.flatnonzero((label == l) & (batch == k))) for l, k in [(a, u), (a, v), (b, u), (b, v)]]
    most = min(map(len, cells))
    tested = most // 3
    validated = max(1, (most - tested) // 5)
    trained = most - tested - validated
    beyond = [np.flatnonzero((label == l) & (batch != u) & (batch != v))[:20] for l in (a, b)]
    outside = np.concatenate(beyond) if all(map(len, beyond)) else np.array([], dtype=int)
    inside = np.concatenate([c[:tested] for c in cells])
    trials = []
    for level in LEVELS:
        def part(start, n):
            many = int(np.floor(n * (1 + level) / 2 + 0.5))
            return np.concatenate([c[start : start + m] for c, m in zip(cells, [many, n - many, n - many, many])])
        train, validation = part(tested, trained), part(tested + trained, validated)
        scored = np.concatenate([validation, inside, outside])
        parts = np.split(np.arange(len(scored)), np.cumsum([len(validation), len(inside)]))
        found, best = [], None
        for c in STRENGTHS:
            decided, gradient, margin = fitted(x[train], y[train], c, x[scored])
            worst[0], worst[1] = max(worst[0], gradient), min(worst[1], margin)
            if gradient > 1e-6 or margin < 1e-6:
                return None
            hit = decided == y[scored]
            found.append([balanced(hit[p], y[scored][p]) for p in parts])
            if best is None or found[-1][0] > best[0] + 1e-12:
                best = found[-1]
        trials.append({
            "level": level, "cramer": cramer(label[train], batch[train]),
            **{key: [int(r) for r in rows] for key, rows in
               [("train", train), ("validation", validation), ("inside", inside), ("outside", outside)]},
            "by_strength": found, "inside_accuracy": best[1], "outside_accuracy": best[2],
        })
    return trials


def case_of(x, label, batch, rng):
    sizes = lambda l, k: np.sum((label == l) & (batch == k))
    labels, batches = np.unique(label), np.unique(batch)
    pairs = [
        (int(a), int(b), int(u), int(v))
        for a in labels for b in labels if a < b for u in batches for v in batches if u < v
        if min(sizes(l, k) for l in (a, b) for k in (u, v)) >= 8
    ]
    found = []
    for pair in pairs[:: max(1, len(pairs) // 2)][:2]:
        worst, repeats, draws = [0.0, np.inf], [], 0
        while len(repeats) < 2 and draws < 50:
            draws += 1
            drawn = repeat_of(x, label, batch, rng, pair, worst)
            if drawn:
                repeats.append(drawn)
        print(pair, f"draws {draws}, kept {len(repeats)}, worst gradient {worst[0]:.1e}, least margin {worst[1]:.1e}")
        assert len(repeats) == 2, "no clear trials"
        drop = {}
        for key in ["inside_accuracy", "outside_accuracy"]:
            values = [[t[key] for t in r] for r in repeats]
            means = None if values[0][0] is None else np.mean(values, axis=0)
            drop[key] = None if means is None else float(np.mean(means[1:] / means[0]) - 1)
        found.append({"pair": pair, "trials": sum(repeats, []), "drop": drop["inside_accuracy"], "drop_outside": drop["outside_accuracy"]})
    return found


def main():
    cases = {}
    for case in json.loads((HERE / "embedding_metrics.json").read_text())["cases"]:
        x = np.array(case["x"], dtype=np.float32).reshape(-1, case["d"]).astype(np.float64)
        label, batch = (np.array(case[key]) for key in ["label", "batch"])
        print(case["name"])
        cases[case["name"]] = case_of(x, label, batch, np.random.default_rng(11))
    packages = ["scikit-learn", "numpy", "scipy"]
    (HERE / "performance_drop.json").write_text(
        json.dumps({
            "generator": "tests/goldens/generators/performance_drop.py",
            "versions": {name: version(name) for name in packages},
            "cases": cases,
        }) + "\n"
    )


if __name__ == "__main__":
    main()
