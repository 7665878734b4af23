"""Golden values of sBEE by its own package: writes ../sbee.json.

Run (Python >= 3.12): python sbee.py, with scib-metrics 0.6.1; the output names the versions.

The inputs are those of embedding_metrics.json (generated, real, ugly); neighbours are exact and handed to the package,
ordered by (Euclidean distance rounded to twelve digits, row), the row itself first. No seed.
Tolerance 1e-10: both work in 64 bits on the same neighbours and the same 32-bit inputs.
"""

import json
import os
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np
import scib_metrics
from scib_metrics.nearest_neighbors import NeighborsResults
from scipy.spatial.distance import cdist

HERE = Path(__file__).resolve().parent.parent


def neighbours(x, k):
    distance = cdist(x, x)
    key = np.round(distance, 12)
    np.fill_diagonal(key, -1)
    order = np.argsort(key, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(distance, order, 1)


cases = {}
for case in json.loads((HERE / "embedding_metrics.json").read_text())["cases"]:
    x = np.array(case["x"], dtype=np.float32).reshape(-1, case["d"]).astype(np.float64)
    label, batch = np.array(case["label"]), np.array(case["batch"])
    index, distance = neighbours(x, min(90, len(x)))
    nn = NeighborsResults(indices=index, distances=distance)
    value = scib_metrics.sbee(nn, x, batch, label)
    cases[case["name"]] = float(value)
names = ["scib-metrics", "numpy", "scipy", "pandas", "jax"]
print(cases)
(HERE / "sbee.json").write_text(
    json.dumps({"generator": "tests/goldens/generators/sbee.py", "versions": {n: version(n) for n in names}, "values": cases}, indent=1)
    + "\n"
)
