"""Golden values of PathoROB's average performance drop: writes ../performance_drop.json.

Run: python performance_drop.py, with scikit-learn 1.9.1 and numpy; the output names the versions. Seed 11.

The inputs are those of embedding_metrics.json. Written from the description: two labels in two batches, training rows with
Cramer's V 0, 0.2, ... 1, logistic regression, C by balanced accuracy on validation rows. Only four of the 15
values of C (0.01 to 3.7) are compared: below, scikit-learn stops before the intercept has moved, above it takes long.
Tolerance 1e-9: accuracies are counts.
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

HERE = Path(__file__).resolve().parent.parent


def drops(x, label, batch, rng):
    """Trials of two labels in two batches with their accuracies by scikit-learn."""
    sizes = {(l, b): np.flatnonzero((label == l) & (batch == b)) for l in np.unique(label) for b in np.unique(batch)}
    pairs = [
        (a, b, u, v)
        for a in np.unique(label) for b in np.unique(label) if a < b
        for u in np.unique(batch) for v in np.unique(batch) if u < v
        if min(len(sizes[c]) for c in [(a, u), (a, v), (b, u), (b, v)]) >= 8
    ]
    if not pairs:
        return None
    a, b, u, v = pairs[0]
    strengths = (10.0 ** np.linspace(-8, 4, 15))[7:11]
    trials = []
    for repeat in range(2):
        cells = [rng.permutation(sizes[c]) for c in [(a, u), (a, v), (b, u), (b, v)]]
        most = min(map(len, cells))
        tested = most // 3
        validated = max(1, (most - tested) // 5)
        trained = most - tested - validated
        outside = np.concatenate([np.flatnonzero((label == l) & (batch != u) & (batch != v))[:20] for l in (a, b)])
        for level in [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]:
            def part(start, n):
                many = int(np.floor(n * (1 + level) / 2 + 0.5))
                return np.concatenate([c[start : start + m] for c, m in zip(cells, [many, n - many, n - many, many])])
            train, validation = part(tested, trained), part(tested + trained, validated)
            inside = np.concatenate([c[:tested] for c in cells])
            y = (label == b).astype(int)
            best = (-1.0, None)
            for c in strengths:
                model = LogisticRegression(C=c, max_iter=100000, tol=1e-10).fit(x[train].astype(float), y[train])
                def balanced(rows):
                    if len(rows) == 0 or len(np.unique(y[rows])) < 1:
                        return None
                    hit = model.predict(x[rows].astype(float)) == y[rows]
                    return float(np.mean([hit[y[rows] == k].mean() for k in np.unique(y[rows])]))
                score = balanced(validation)
                if score > best[0] + 1e-12:
                    best = (score, (balanced(inside), balanced(outside)))
            ints = lambda rows: [int(r) for r in rows]
            trials.append({"level": level, "train": ints(train), "validation": ints(validation), "inside": ints(inside),
                           "outside": ints(outside), "accuracy": best[1][0], "accuracy_outside": best[1][1]})
    means = [float(np.mean([t["accuracy"] for t in trials if t["level"] == l])) for l in [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]]
    return {"class_of": [int(b)], "trials": trials, "drop": float(np.mean(np.array(means[1:]) / means[0]) - 1)}


cases = {}
for case in json.loads((HERE / "embedding_metrics.json").read_text())["cases"]:
    x = np.array(case["x"], dtype=np.float32).reshape(-1, case["d"])
    label, batch = (np.array(case[key]) for key in ["label", "batch"])
    cases[case["name"]] = drops(x, label, batch, np.random.default_rng(11))
    print(case["name"], cases[case["name"]] and cases[case["name"]]["drop"])
(HERE / "performance_drop.json").write_text(
    json.dumps({
        "generator": "tests/goldens/generators/performance_drop.py",
        "versions": {name: version(name) for name in ["scikit-learn", "numpy", "scipy"]},
        "cases": cases,
    })
    + "\n"
)
