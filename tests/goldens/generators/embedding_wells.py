"""Golden values of the robustness index that leaves out only a row's own well: writes ../embedding_wells.json.

Run: python tests/goldens/generators/embedding_wells.py. Needs NumPy alone; the version is in the file. Inputs are the three
tables of ../embedding_metrics.json (generated, real, ugly), which say where they come from; every row is a well of its own.

Form: PathoROB (arXiv:2507.17845), the well for the slide: the nearest rows by cosine similarity, of equal ones the lower row
first; SO / (SO + OS) at the k of best balanced accuracy of the label vote, tied votes in part. Tolerance 1e-9: counts.
"""

import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent.parent
GRID = [1, 3, 5, 7, 9, 11, 21, 31, 41, 51, 61, 71, 81]


def robustness(x, label, batch):
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    key = np.round(1 - unit @ unit.T, 11)
    np.fill_diagonal(key, np.inf)
    order = np.argsort(key, axis=1, kind="stable")[:, :-1]
    same_label, same_batch = label[order] == label[:, None], batch[order] == batch[:, None]

    def ratio(k):
        so, os_ = (same_label & ~same_batch)[:, :k].sum(), (~same_label & same_batch)[:, :k].sum()
        return float(so / (so + os_))

    def accuracy(k):
        votes = np.array([np.bincount(label[row[:k]], minlength=label.max() + 1) for row in order])
        wins = votes == votes.max(1, keepdims=True)
        hit = wins[np.arange(len(label)), label] / wins.sum(1)
        return np.mean([hit[label == level].mean() for level in np.unique(label)])

    grid = [k for k in GRID if k < len(label)]
    best = max(grid, key=lambda k: (round(accuracy(k), 12), -k))
    return {"k": best, "value": ratio(best), "at_11": ratio(11)}


out = {"generator": "embedding_wells.py", "versions": {"numpy": np.__version__}, "tolerance": 1e-9, "cases": {}}
for case in json.loads((HERE / "embedding_metrics.json").read_text())["cases"]:
    x = np.array(case["x"], dtype=np.float32).astype(np.float64).reshape(-1, case["d"])
    out["cases"][case["name"]] = robustness(x, np.array(case["label"]), np.array(case["batch"]))
(HERE / "embedding_wells.json").write_text(json.dumps(out, indent=1) + "\n")
