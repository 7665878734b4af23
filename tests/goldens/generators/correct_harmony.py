"""Golden values for Harmony: adds one dialect to ../correct_harmony.json.

Versions: harmonypy 2.1.0 and harmonypy 0.0.10, which do not install side by side: run `python correct_harmony.py` once in an
environment of each. Input: the tables of ../correct_inputs.json (`ugly`: few rows, duplicates, a constant feature) and a larger generated one (seed 5, stored in 32 bits).

Clusters start at random, so that two seeds of harmonypy itself differ. Compared are the correlation of every feature with
the result of the package (> 0.99, or what two seeds of the package reach where that is less) and the objective: the first
within a quarter, the last within the range of nine seeds, 20 % below and 5 % above (version 2 stops early for some starts).
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import harmonypy
import numpy as np
import pandas as pd

HERE = Path(__file__).parent.parent
path = HERE / "correct_harmony.json"
golden = json.loads(path.read_text()) if path.exists() else {}
dialect = "2" if version("harmonypy").startswith("2") else "0.0"


def large():
    rng = np.random.default_rng(5)
    n, d = 480, 8
    batch = np.arange(n) * 3 // n
    centre = rng.normal(0, 3, (6, d))
    x = centre[rng.integers(6, size=n)] + rng.normal(size=(n, d)) + rng.normal(0, 1.5, (3, d))[batch]
    return x.astype(np.float32), [f"b{i}" for i in batch]


def run(x, batch, seed, **settings):
    result = harmonypy.run_harmony(x.astype(np.float64), pd.DataFrame({"b": batch}), "b", verbose=False, random_state=seed, **settings)
    z = np.asarray(result.Z_corr)
    return (z if z.shape == x.shape else z.T), [float(v) for v in result.objective_harmony], [float(v) for v in result.objective_kmeans]


tables = json.loads((HERE / "correct_inputs.json").read_text())
x, batch = large()
inputs = {"large": (x, batch)}
for name in ("generated", "real", "ugly"):
    inputs[name] = (np.array(tables[name]["x"], np.float32), tables[name]["batch"])
golden["large"] = {"x": [[float(f"{v:.9g}") for v in row] for row in x.tolist()], "batch": batch}
out = {}
for name, (x, batch) in inputs.items():
    # Few rows in four clusters are fitted almost exactly and end elsewhere with every start: nothing to compare with.
    for label, settings in (("auto", {}),) if name == "ugly" else (("auto", {}), ("four", {"nclust": 4})):
        try:
            z, outer, _ = run(x, batch, 0, **settings)
        except TypeError as error:
            # Few rows are one cluster, for which 0.0.10 takes its list of widths for a number.
            assert dialect == "0.0" and len(x) < 60, error
            out[f"{name}-{label}"] = str(error)
            continue
        others = [run(x, batch, seed, **settings) for seed in range(1, 10)]
        between = [np.corrcoef(z[:, j], o[0][:, j])[0, 1] for o in others for j in range(x.shape[1])]
        shown = list(range(0, len(x), 4))
        out[f"{name}-{label}"] = {
            "settings": settings,
            "shown": shown,
            "z": [[float(f"{v:.7g}") for v in row] for row in z[shown]],
            "objective": outer,
            "last": [o[1][-1] for o in others],
            "between_seeds": float(min(between)),
        }
        print(dialect, name, label, "objective", outer[0], outer[-1], len(outer), "between", min(between), min(out[f"{name}-{label}"]["last"]), max(out[f"{name}-{label}"]["last"]))
golden[dialect] = {"version": version("harmonypy"), "runs": out}
path.write_text(json.dumps(golden, separators=(",", ":")))
