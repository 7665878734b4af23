"""Published outputs of JUMP's profiling recipe: converts them to ../correct_recipe.json.

Run: python correct_recipe.py FOLDER, FOLDER holding the fixtures of broadinstitute/jump-profiling-recipe at commit
d2512d978ca17aafead0e99de66386337e6312e4 (tests/fixtures; BSD-3-Clause, profiles CC0). Needs pandas, pyarrow, numpy.

Nothing is computed here but the two values of epsilon between which the recipe chose (NumPy's generator, its seed).
`compound`: features of two plates of source_5, their values after variant features, MAD on controls (raw deviation) and
inverse normal transformation, and after Harmony (harmonypy 0.0, 300 clusters, 20 rounds, by plate). `orf` and
`efficientnet`: features before and after sphering on controls and Harmony.

Tolerances: MAD and INT 1e-5 where a value is not tied with another (the recipe stores 32 bits after each step); a tied one
has any of the scores of its tie (ranks are drawn). Harmony starts at random: compared is the correlation of what it added.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

FOLDER = Path(sys.argv[1])
NEGATIVE = {"JCP2022_800001", "JCP2022_800002", "JCP2022_033924", "JCP2022_915131", "JCP2022_915130", "JCP2022_915129", "JCP2022_915128"}


def features(table):
    return [c for c in table.columns if not c.startswith("Metadata_")]


def values(table, digits=7):
    return [[float(f"{v:.{digits}g}") for v in row] for row in table[features(table)].astype(np.float32).to_numpy().tolist()]


def read(scenario, name):
    return pd.read_parquet(FOLDER / "outputs" / scenario / f"profiles_{name}.parquet").reset_index(drop=True)


def origin(table):
    return {"plate": table.Metadata_Plate.astype(str).tolist(), "control": table.Metadata_JCP2022.isin(NEGATIVE).tolist()}


out = {"epsilon": (10.0 ** np.random.default_rng((6, 12, 2022)).uniform(-5.0, 3.0, size=2)).tolist()}
scored, harmony = read("compound_trimmed_public", "var_mad_int_featselect"), read("compound_trimmed_public", "var_mad_int_featselect_harmony")
raw = pd.concat(pd.read_parquet(path) for path in sorted((FOLDER / "inputs/profiles/source_5").rglob("*.parquet")))
keys = ["Metadata_Plate", "Metadata_Well"]
raw = scored[keys].astype(str).merge(raw.assign(**{k: raw[k].astype(str) for k in keys}), on=keys, how="left")[features(scored)]
out["compound"] = origin(scored) | {"raw": values(raw, 9), "scored": values(scored), "harmony": values(harmony)}
for name, scenario, before in (("orf", "orf_trimmed_public", "wellpos_cc_var_mad_outlier_featselect"),
                               ("efficientnet", "orf_efficientnet_trimmed_public", "dropna_wellpos_cc_var_mad_outlier_featselect")):
    table = read(scenario, before)
    after = read(scenario, before + "_sphering_harmony")
    assert (table[keys].astype(str) == after[keys].astype(str)).all().all()
    out[name] = origin(table) | {"before": values(table), "after": values(after)}
(Path(__file__).parent.parent / "correct_recipe.json").write_text(json.dumps(out, separators=(",", ":")))
