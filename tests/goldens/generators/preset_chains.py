"""Golden values of whole presets, from raw profiles to the last number: writes ../preset_chains.json.

Run: python preset_chains.py, with pycytominer 1.7.1, cytominer-eval 0.1, kneed 0.9, scikit-learn 1.9.1 and what
eval_biology.py imports; the output names the versions. Seed 17.

Inputs: the generated, the real and the ugly one of eval_biology.json, treated rows and controls as one table.

`pycytominer`: the package's own `normalize(method="mad_robustize")` plate by plate, `feature_select` (variance, correlation,
missing, outliers) and `normalize(method="spherize")` on the controls, at their defaults; on the result, in 32 bits, what
cytominer-eval measures, by the forms of eval_biology.py.

`jump-models:defects`: from the description alone, in numpy with kneed and scikit-learn. ZCA_corr of every plate on its
controls (eigenvalues of the correlation lifted to a tenth of the one at the knee, variances to 0.001), of which only the
last plate is kept; then random splits and splits by plate, batch and source, 80/20 of the units, and logistic
regression (C 1) and three nearest neighbours by the cosine. Splits are drawn here and stored, which the reference does
not do. Logistic regression is solved by `newton-cholesky` to 1e-10 and its decisions are clear to 1e-5.
Where the controls of a plate are fewer than the features their spectrum may have no knee, and the reference fails: `fails`
says so, and the first features are taken, as many as have one on every plate.

Tolerances: shown corrected values 2e-5 of the largest of their column; accuracies and macro F1 1e-9; metrics as in eval_biology.py, ten
times wider, for the 32 bits between the chain and the metric.
"""

import json
import warnings
from importlib.metadata import version
from pathlib import Path

import kneed
import numpy as np
import pandas as pd
from pycytominer import feature_select, normalize
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from sklearn.neighbors import KNeighborsClassifier

import eval_biology as forms

warnings.filterwarnings("ignore")
HERE = Path(__file__).resolve().parent.parent


def recipe(x, plate, control):
    """pycytominer from raw features to sphered ones."""
    names = [f"Cells_f{j}" for j in range(x.shape[1])]
    table = pd.DataFrame(x.astype(np.float64), columns=names)
    table.insert(0, "Metadata_plate", plate)
    table.insert(1, "Metadata_control", np.where(control, "yes", "no"))
    meta = ["Metadata_plate", "Metadata_control"]
    parts = [
        normalize(part, features=names, meta_features=meta, samples="all", method="mad_robustize")
        for _, part in table.groupby("Metadata_plate", sort=True)
    ]
    index = np.concatenate([part.index for _, part in table.groupby("Metadata_plate", sort=True)])
    scaled = pd.concat(parts, ignore_index=True)
    scaled.index = index
    scaled = scaled.sort_index()
    operations = ["variance_threshold", "correlation_threshold", "drop_na_columns", "drop_outliers"]
    chosen = feature_select(scaled, features=names, samples="all", operation=operations)
    kept = [c for c in chosen.columns if c.startswith("Cells_")]
    sphered = normalize(
        chosen, features=kept, meta_features=meta, samples="Metadata_control == 'yes'", method="spherize",
        spherize_method="ZCA-cor",
    )
    return [names.index(c) for c in kept], sphered[kept].to_numpy().astype(np.float32)


def means(rows, compound):
    """Mean over compounds of the mean over their rows; none if a row is not clear."""
    if any(r is None for r in rows):
        return None
    rows = np.array(rows, dtype=float)
    return np.mean([rows[compound == c].mean(0) for c in np.unique(compound)], axis=0).tolist()


def pycytominer(x, plate, control, compound):
    kept, out = recipe(x, plate, control)
    t, c = out[~control], out[control]
    nearest, grit = forms.nearest(t, compound), forms.grit(t, c, compound)
    wells = {name: list(np.flatnonzero(compound == name)) for name in sorted(set(compound))}
    graded = [(np.mean([g for g, k in zip(grit, compound) if k == name and g is not None])) for name in wells
              if any(g is not None for g, k in zip(grit, compound) if k == name)]
    return {
        "kept": kept, "shown": shown(out), "nearest": nearest, "nearest_means": means(nearest, compound), "grit": grit,
        "grit_mean": float(np.mean(graded)), "mp_value": forms.mp_value(t, c, compound),
        "replicating": forms.percent(t, wells, lambda a, b: True),
        "enrichment": forms.enrichment(t, compound[:, None] == compound),
    }


def shown(out):
    return {str(i): [float(f"{v:.9g}") for v in out[i]] for i in range(0, len(out), max(1, len(out) // 12))}


def zca_corr(reference, kept):
    """Mean and matrix; a spectrum without knee is an error, as in the reference, and so is, where the result is `kept`, a
    knee at an eigenvalue that is rounding."""
    mean, variance = reference.mean(0), reference.var(0, ddof=1)
    with np.errstate(all="ignore"):
        correlation = np.nan_to_num(np.corrcoef(reference.T))
    values, vectors = np.linalg.eigh(correlation)
    values, vectors = values[::-1], vectors[:, ::-1]
    knee = kneed.KneeLocator(list(range(len(values))), values, S=1.0, curve="convex", direction="decreasing").elbow
    if knee is None or (kept and values[knee] <= 1e-9):
        raise ValueError("no knee")
    lifted = np.maximum(values, max(values[knee] / 10, 1e-300))
    return mean, np.diag(np.maximum(variance, 0.001) ** -0.5) @ vectors @ np.diag(lifted**-0.5) @ vectors.T


def as_run(x, plate, control):
    for name in sorted(set(plate)):
        own = plate == name
        mean, map_ = zca_corr(x[own & control].astype(np.float64), name == max(plate))
        out = x.astype(np.float64).copy()                        # reset inside the loop: the defect
        out[own] = (x[own].astype(np.float64) - mean) @ map_
    return out.astype(np.float32)


def scores(y, predicted):
    return [float(accuracy_score(y, predicted)), float(balanced_accuracy_score(y, predicted)),
            float(f1_score(y, predicted, average="macro", zero_division=0))]


def jump_models(x, plate, control, label, units, rng):
    found = {}
    for d in range(x.shape[1], 2, -1):
        try:
            out = as_run(x[:, :d], plate, control)
            break
        except ValueError as error:
            found.setdefault("fails", str(error))
    else:
        return found
    found["features"] = d
    t = out[~control].astype(np.float64)
    y = np.unique(label, return_inverse=True)[1]
    splits = {}
    for name, unit in units.items():
        levels = np.unique(unit)
        if len(levels) < 2:
            continue
        for _ in range(200):
            held = rng.permutation(levels)[: max(1, round(0.2 * len(levels)))]
            test = np.isin(unit, held)
            if set(y[test]) <= set(y[~test]) and len(set(y[~test])) > 1:
                break
        else:
            continue
        model = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-10, max_iter=10000).fit(t[~test], y[~test])
        logits = np.sort(model.decision_function(t[test]).reshape(test.sum(), -1), axis=1)
        clear = np.abs(logits[:, -1] - (logits[:, -2] if logits.shape[1] > 1 else 0)).min()
        near = KNeighborsClassifier(3, metric="cosine").fit(t[~test], y[~test])
        distance, index = near.kneighbors(t[test], n_neighbors=4)
        votes = np.array([np.bincount(v, minlength=y.max() + 1) for v in y[~test][index[:, :3]]])
        # Rows whose third and fourth neighbours are equally far, or whose votes tie: expectations, which scikit-learn has not.
        unclear = (distance[:, 3] - distance[:, 2] < 1e-6) | ((votes == votes.max(1, keepdims=True)).sum(1) > 1)
        decided = votes.argmax(1)
        assert (decided == near.predict(t[test])).all()
        splits[name] = {
            "test": np.flatnonzero(test).tolist(), "clear": float(clear), "logistic": scores(y[test], model.predict(t[test])),
            "neighbours": [None if u else int(d == k) for u, d, k in zip(unclear, decided, y[test])],
        }
    return found | {"shown": shown(out), "splits": splits}


def main():
    cases = {}
    for case in json.loads((HERE / "eval_biology.json").read_text())["cases"]:
        d = case["dims"]
        both = lambda name: np.array(case["columns"][name] + case["control_columns"][name])
        x = np.array(case["x"] + case["controls"], dtype=np.float32).reshape(-1, d)
        n = len(case["columns"]["plate"])
        control, plate = np.arange(len(x)) >= n, both("plate")
        compound, label = (np.array(case["columns"][key]) for key in ["compound", "label"])
        rng = np.random.default_rng(17)
        units = {"random": np.array([f"{i:04d}" for i in range(n)])} | {k: np.array(case["columns"][k]) for k in ["plate", "batch", "source"]}
        found = {}
        try:
            found["pycytominer"] = pycytominer(x, plate, control, compound)
        except Exception as error:
            found["pycytominer"] = {"fails": f"{type(error).__name__}: {error}"}
        found["jump-models:defects"] = jump_models(x, plate, control, label, units, rng)
        cases[case["name"]] = found
        print(case["name"], found["pycytominer"].get("fails"), found["pycytominer"].get("kept"), found["jump-models:defects"].get("fails"),
              {k: (v["logistic"], v["clear"], sum(u is None for u in v["neighbours"])) for k, v in found["jump-models:defects"].get("splits", {}).items()})
    packages = ["pycytominer", "cytominer-eval", "kneed", "scikit-learn", "numpy", "pandas", "scipy"]
    text = json.dumps({"generator": "tests/goldens/generators/preset_chains.py", "versions": {p: version(p) for p in packages}, "cases": cases}) + "\n"
    (HERE / "preset_chains.json").write_text(text)
    print(len(text))


if __name__ == "__main__":
    main()
