"""Golden values of the perturbation magnitude: writes ../perturbation_magnitude.json.

Run: python perturbation_magnitude.py, with dcor 0.7 and numpy; the output names the versions. Seed 13.

The inputs are the generated, the real and the ugly one of embedding_metrics.json with their controls; a compound is a label
on a plate, so that there are compounds of many sizes, some of fewer than five wells, in the ugly one with repeated rows and a
constant feature. Distances are `dcor.energy_distance`; p of a compound is the share of 4000 random groups of controls
of its size whose energy distance to the other controls, by dcor too, is as large, q is scipy's Benjamini-Hochberg.

Tolerances: distances 1e-9 relative (64 bits on both sides); p four standard errors of 200 draws and 1/201.
"""

import json
from importlib.metadata import version
from pathlib import Path

import dcor
import numpy as np

HERE = Path(__file__).resolve().parent.parent


def p_of(value, controls, size, rng, known):
    if size not in known:
        drawn = [rng.permutation(len(controls)) for _ in range(4000)]
        known[size] = np.array([float(dcor.energy_distance(controls[o[:size]], controls[o[size:]])) for o in drawn])
    return float(np.mean(known[size] >= value * (1 - 1e-9)))


cases = {}
for case in json.loads((HERE / "embedding_metrics.json").read_text())["cases"]:
    read = lambda key: np.array(case[key], dtype=np.float32).reshape(-1, case["d"]).astype(np.float64)
    x, controls, rng, known, found = read("x"), read("controls"), np.random.default_rng(13), {}, {}
    compound = np.array([f"{l:03d}/{p:03d}" for l, p in zip(case["label"], case["plate"])])
    for name in np.unique(compound):
        wells = x[compound == name]
        if len(wells) >= 5 and 2 * len(wells) < len(controls):
            value = float(dcor.energy_distance(wells, controls))
            found[str(name)] = [value, p_of(value, controls, len(wells), rng, known)]
    cases[case["name"]] = {"compound": compound.tolist(), "parts": found}
    print(case["name"], len(found), "of", len(np.unique(compound)), "sizes", sorted(known))
    assert found
(HERE / "perturbation_magnitude.json").write_text(
    json.dumps({
        "generator": "tests/goldens/generators/perturbation_magnitude.py",
        "versions": {name: version(name) for name in ["dcor", "numpy"]},
        "cases": cases,
    }) + "\n"
)
