"""Golden values for corrections: writes ../correct_inputs.json, ../correct_linear.json, ../correct_neighbours.json.

Versions: pycytominer 1.7.1, scanpy 1.11.5, scikit-learn 1.9.1, scipy 1.17.1, kneed 0.9.0, scanorama 1.7.4,
numpy 2.4.6. Run: python correct.py [all3.parquet of jump_moa_multisite]; without the file the real table of the last run
is kept. Seed 20241.

Inputs: `generated` (batches with shift and scale, clusters), `real` (wells of three JUMP-MOA plates of three sources),
`ugly` (a batch of two rows, duplicated rows, a constant feature, few values), `single` (one batch). Tables are 32-bit,
the packages get them in 64 bits. Of every result the rows `shown` are stored.

Tolerances: this project stores corrected values in 32 bits, so that 1e-6 of the largest value of the column is added
to what the method itself allows: 1e-8 (1e-6 for ComBat, which stops iterating at 1e-4 of change on both sides).
Whitening of type `pca` is compared up to the sign of the axes. MNN and fastMNN have no package that installs today (mnnpy
0.1.9 needs an old NumPy, batchelor is R): their values are NumPy transcriptions of the published description below.
"""

import json
import sys
import warnings
from pathlib import Path

import anndata
import kneed
import numpy as np
import pandas as pd
import scanorama
import scanpy
import scipy.stats
from pycytominer import operations
from pycytominer.cyto_utils.features import drop_outlier_features
from pycytominer.operations import RobustMAD, Spherize
from pycytominer.operations.transform import InverseNormalTransform
from scipy.spatial.distance import cdist
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA
from sklearn.preprocessing import RobustScaler, StandardScaler

warnings.filterwarnings("ignore")
HERE = Path(__file__).parent.parent


def f32(values):
    return np.asarray(values, dtype=np.float32)


def generated():
    rng = np.random.default_rng(20241)
    n, d = 240, 10
    batch = np.arange(n) // 80
    plate = batch * 2 + (np.arange(n) % 80) // 40
    cluster = np.arange(n) % 4  # 3 is control
    centre = rng.normal(0, 1.5, (4, d))
    centre[3] = 0
    mix = np.eye(d) + 0.4 * rng.normal(size=(d, d))
    x = centre[cluster] + rng.normal(size=(n, d)) @ mix
    x = x * rng.uniform(0.7, 1.4, (3, d))[batch] + rng.normal(0, 1, (3, d))[batch] + rng.normal(0, 0.3, (6, d))[plate]
    return f32(x), [f"b{i}" for i in batch], [f"p{i}" for i in plate], cluster == 3


def real(path):
    table = pd.read_parquet(path)
    key = table.source.astype(str) + "/" + table.batch.astype(str) + "/" + table.plate.astype(str)
    chosen = ["broad_dyes/broad_2023_05_15_Batch1/BR00122246", "yokogawa_japan/yokogawa_japan_20x/20201021T092317",
              "yokogawa_us/yokogawa_us_20x_6ch/BRO0117059_20X"]
    parts = []
    for name in chosen:
        part = table[key == name]
        control = part[part.control == "negcon"].iloc[:18]
        parts += [control, part[part.control == "trt"].iloc[::8].iloc[:40]]
    part = pd.concat(parts)
    features = [c for c in table.columns[list(table.columns).index("cell_count") + 1:]][:14]
    return f32(part[features]), part.source.tolist(), part.plate.astype(str).tolist(), (part.control == "negcon").to_numpy()


def ugly():
    rng = np.random.default_rng(7)
    batch = ["a"] * 17 + ["b"] * 12 + ["c"] * 2
    plate = ["a1"] * 9 + ["a2"] * 8 + ["b1"] * 12 + ["c1"] * 2
    x = rng.normal(size=(31, 6)) + np.array([{"a": 0, "b": 2, "c": -3}[b] for b in batch])[:, None]
    x[:, 2] = 4.25  # constant
    x[:, 4] = np.round(x[:, 4])  # few values
    x[5] = x[3]
    x[20] = x[21] = x[19]
    control = np.array([i % 2 == 0 for i in range(31)])
    control[[29, 30]] = True
    return f32(x), batch, plate, control


def single():
    x, batch, plate, control = generated()
    return x[:60], ["b"] * 60, ["p"] * 60, control[:60]


def shown(n):
    return list(range(0, n, max(1, n // 14)))


def per_group(x, group, control, learn):
    """`learn(reference rows)` gives a function of rows; applied within each group."""
    group = np.array(group)
    out = np.full(x.shape, np.nan)
    for g in np.unique(group):
        rows = group == g
        out[rows] = learn(x[rows & control])(x[rows])
    return out


def power(a, p):
    values, vectors = np.linalg.eigh(a)
    return vectors @ np.diag(values**p) @ vectors.T


def combat(x, batch, covariate=None):
    obs = pd.DataFrame({"b": pd.Categorical(batch)}, index=[str(i) for i in range(len(x))])
    names = None
    if covariate is not None:
        # Treatment contrasts, given as numbers: scanpy's own coding of a category is singular beside the batches.
        levels = sorted(set(covariate))
        names = [f"c{level}" for level in levels[1:]]
        for level in levels[1:]:
            obs[f"c{level}"] = (np.array(covariate) == level).astype(float)
    return scanpy.pp.combat(anndata.AnnData(x.copy(), obs=obs), key="b", covariates=names, inplace=False)


def zca_corr(reference):
    mean, variance = reference.mean(0), reference.var(0, ddof=1)
    correlation = np.nan_to_num(pd.DataFrame(reference).corr().to_numpy())
    g, t, _ = np.linalg.svd(correlation)
    elbow = kneed.KneeLocator(list(range(len(t))), t, S=1.0, curve="convex", direction="decreasing").elbow
    if elbow is None:
        return None
    w = g @ np.diag(1 / np.sqrt(t.clip(t[elbow] / 10))) @ g.T @ np.diag(1 / np.sqrt(variance.clip(1e-3)))
    return lambda rows: (rows - mean) @ w.T


def scaled(reference):
    scaler = StandardScaler().fit(reference)
    return scaler.transform


def removed(reference, k):
    pca = PCA(k, svd_solver="full").fit(reference)
    return lambda rows: rows - pca.inverse_transform(pca.transform(rows)) + pca.mean_


def variant(x, plate, control):
    """Columns whose controls vary on every plate: `select_variant_features` of the JUMP recipe."""
    group = np.array(plate)
    mads = np.array([scipy.stats.median_abs_deviation(x[(group == g) & control]) for g in np.unique(group)])
    medians = np.array([np.median(x[(group == g) & control], axis=0) for g in np.unique(group)])
    with np.errstate(all="ignore"):
        good = (mads > 0) & (medians != 0) & (np.abs(mads / medians) > 1e-3)
    return np.nonzero(good.all(0))[0].tolist()


def tvn(x, batch, control, ridge=0.5):
    x = scaled(x[control])(x)
    centre = x[control].mean(0)
    _, s, vt = np.linalg.svd(x[control] - centre, full_matrices=False)
    vt = vt[s > s[0] * max(x[control].shape) * np.finfo(float).eps]
    p = (x - centre) @ vt.T
    def learn(reference):
        q = scaled(reference)(reference)
        return lambda rows: scaled(reference)(rows) @ power(np.cov(q, rowvar=False, ddof=1) + ridge * np.eye(len(vt)), -0.5)
    # The axes are defined up to sign: compared are lengths and inner products, which do not depend on it.
    return per_group(p, batch, control, learn)


def pca_cs(x, batch, control, k):
    centre = x.mean(0)
    _, _, vt = np.linalg.svd(x - centre, full_matrices=False)
    return per_group((x - centre) @ vt[:k].T, batch, control, scaled)


def coral(x, batch, control, ridge=1.0):
    group = np.array(batch)
    names = np.unique(group)
    parts = [x[(group == g) & control] for g in names]
    mean = np.mean([p.mean(0) for p in parts], axis=0)
    freedom = sum(len(p) - 1 for p in parts)
    pooled = sum((p - p.mean(0)).T @ (p - p.mean(0)) for p in parts) / freedom
    target = power(pooled + ridge * np.eye(x.shape[1]), 0.5)
    def learn(reference):
        whiten = power(np.cov(reference, rowvar=False, ddof=1) + ridge * np.eye(x.shape[1]), -0.5)
        return lambda rows: (rows - reference.mean(0)) @ whiten @ target + mean
    return per_group(x, batch, control, learn)


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def mutual(a, b, k):
    distance = cdist(a, b)
    of_a = [set(np.argsort(row, kind="stable")[:k]) for row in distance]
    of_b = [set(np.argsort(row, kind="stable")[:k]) for row in distance.T]
    return [(i, j) for j in range(len(b)) for i in sorted(of_b[j]) if j in of_a[i]]


def vectors(a, b, pairs):
    rows = sorted({j for _, j in pairs})
    return rows, np.array([np.mean([a[i] - b[j] for i, jj in pairs if jj == j], axis=0) for j in rows])


def mnn(x, batch, k, sigma, as_mnnpy):
    group = np.array(batch)
    x, names = unit(x), np.unique(group)
    out = np.zeros(x.shape)
    reference = out[group == names[0]] = x[group == names[0]]
    for name in names[1:]:
        own = x[group == name]
        rows, vector = vectors(reference, own, mutual(reference, own, k))
        kernel = (lambda a, b: np.exp(-a @ b.T / sigma)) if as_mnnpy else (lambda a, b: np.exp(-cdist(a, b, "sqeuclidean") / sigma))
        weight = kernel(own, own[rows])
        weight = weight / weight[rows].sum(0)
        move = weight @ vector / weight.sum(1, keepdims=True)
        factor = np.ones(len(own))
        for i, (cell, v) in enumerate(zip(own, move)):
            length = np.linalg.norm(v)
            along = v / length
            def seen(points):
                off = ((cell - points) ** 2).sum(1) - ((cell - points) @ along) ** 2
                return points @ along, np.exp(-off / sigma)
            place = cell @ along
            where, w = seen(own)
            share = w[where <= place + 1e-12 * abs(place)].sum() / w.sum()
            where, w = seen(reference)
            order = np.argsort(where, kind="stable")
            total = np.cumsum(w[order])
            above = np.nonzero(total > share * w.sum())[0]
            factor[i] = (where[order][above[0] if len(above) else -1] - place) / length
        factor = np.full(len(own), max(factor.max(), 1.0)) if as_mnnpy else np.maximum(factor, 1.0)
        out[group == name] = own + move * factor[:, None]
        reference = np.concatenate([reference, out[group == name]])
    return out


def fast_mnn(x, batch, d, k, ndist):
    group = np.array(batch)
    x, names = unit(x), np.unique(group)
    centre = np.mean([x[group == g].mean(0) for g in names], axis=0)
    covariance = sum((x[group == g] - centre).T @ (x[group == g] - centre) / (group == g).sum() for g in names)
    values, basis = np.linalg.eigh(covariance)
    basis = basis[:, ::-1][:, :d]
    p = (x - centre) @ basis
    flat = lambda part, v: part + np.outer((part @ v).mean() - part @ v, v) / (v @ v)
    out = np.zeros(p.shape)
    order, reference, removed = [np.nonzero(group == names[0])[0]], p[group == names[0]], []
    for name in names[1:]:
        own = p[group == name]
        for v in removed:
            own = flat(own, v)
        pairs = mutual(reference, own, k)
        v = vectors(reference, own, pairs)[1].mean(0)
        reference, own = flat(reference, v), flat(own, v)
        removed.append(v)
        rows, vector = vectors(reference, own, pairs)
        distance = cdist(own, own[rows])
        near = np.argsort(distance, axis=1, kind="stable")[:, :k]
        distance = np.take_along_axis(distance, near, 1)
        width = np.maximum(ndist * distance[:, near.shape[1] // 2], 1e-8)
        weight = (1 - np.minimum(distance / width[:, None], 1) ** 3) ** 3
        own = own + (weight[:, :, None] * vector[near]).sum(1) / weight.sum(1, keepdims=True)
        reference = np.concatenate([reference, own])
        order.append(np.nonzero(group == name)[0])
    out[np.concatenate(order)] = reference
    return out


def panorama(x, batch, knn):
    group = np.array(batch)
    names = np.unique(group)
    parts = scanorama.assemble([x[group == g].copy() for g in names], knn=knn, approx=False, verbose=0)
    out = np.zeros(x.shape)
    for name, part in zip(names, parts):
        out[group == name] = part
    return out


def selections(x):
    columns = [f"f{i}" for i in range(x.shape[1])]
    table = pd.DataFrame(x, columns=columns)
    holes = table.copy()
    holes.iloc[::15, 1] = np.nan
    holes.iloc[::40, 3] = np.nan
    scaled_up = table.copy()
    scaled_up["f0"] *= 1000
    correlated = table.copy()
    correlated["f1"] = table["f0"] + 0.05 * table["f1"]
    correlated["f3"] = -table["f0"] + 0.05 * table["f3"]
    few = table.copy()
    few["f3"] = (np.arange(len(x)) == 3).astype(float)
    few["f1"] = np.round(few["f1"])
    kept = lambda dropped: [i for i, c in enumerate(columns) if c not in dropped]
    return {
        "variance": kept(operations.variance_threshold(table, columns)),
        "few": few[["f1", "f3"]].to_numpy().T.tolist(),
        "frequency": kept(operations.frequency_threshold(few, columns)),
        "na": kept(operations.get_na_columns(holes, columns)),
        "outliers": kept(drop_outlier_features(scaled_up, columns)),
        "correlation": kept(operations.correlation_threshold(correlated, columns)),
    }


def tidy(values):
    return [[None if not np.isfinite(v) else float(f"{v:.12g}") for v in row] for row in np.atleast_2d(np.asarray(values, float))]


tables = {"generated": generated(), "ugly": ugly(), "single": single()}
inputs = HERE / "correct_inputs.json"
if len(sys.argv) > 1:
    tables["real"] = real(sys.argv[1])
else:
    kept = json.loads(inputs.read_text())["real"]
    tables["real"] = (f32(kept["x"]), kept["batch"], kept["plate"], np.array(kept["control"]))
inputs.write_text(json.dumps({
    name: {"x": [[float(f"{v:.9g}") for v in row] for row in x.tolist()], "batch": b, "plate": p,
           "control": [bool(v) for v in c], "shown": shown(len(x))}
    for name, (x, b, p, c) in tables.items()}, separators=(",", ":")))

linear, near = {}, {}
for name, (x, batch, plate, control) in tables.items():
    x = x.astype(np.float64)
    rows = shown(len(x))
    show = lambda m: tidy(np.asarray(m)[rows])
    frame = lambda m: pd.DataFrame(m)
    mad = lambda r: (lambda fitted: lambda m: fitted.transform(frame(m)).to_numpy())(RobustMAD(epsilon=1e-18).fit(frame(r)))
    out = {
        "centre": show(per_group(x, plate, control, lambda r: StandardScaler(with_std=False).fit(r).transform)),
        "remove-components": show(removed(x[control], 2)(x)),
        "variant": variant(x, plate, control),
        "standardise": show(per_group(x, plate, control, scaled)),
        "robust": show(per_group(x, plate, control, lambda r: RobustScaler().fit(r).transform)),
        "mad": show(per_group(x, plate, control, mad)),
        "int-quantile": show(InverseNormalTransform(n_quantiles=1000).fit(x).transform(x.copy())),
        "int-quantile-20": show(InverseNormalTransform(n_quantiles=20).fit(x).transform(x.copy())),
        "int-ordinal": show(np.apply_along_axis(
            lambda c: scipy.stats.norm.ppf((scipy.stats.rankdata(c, method="ordinal") - 0.375) / (len(c) + 0.25)), 0, x)),
        "select": selections(x),
        "coral": show(coral(x, batch, control)),
        "ledoit-wolf": float(ledoit_wolf(scaled(x[control])(x[control]))[1]),
    }
    for method in ("PCA", "ZCA", "PCA-cor", "ZCA-cor"):
        try:
            out[f"sphere-{method.lower()}"] = show(Spherize(method=method, epsilon=1e-6, return_numpy=True).fit(frame(x[control])).transform(frame(x)))
        except ValueError as error:
            out[f"sphere-{method.lower()}"] = str(error)[:40]
    few = np.nonzero(control)[0][: x.shape[1] - 2]  # fewer reference rows than features
    if name != "ugly":
        out["sphere-few"] = {m.lower(): tidy(Spherize(method=m, epsilon=1e-6, return_numpy=True).fit(frame(x[few])).transform(frame(x))[rows]) for m in ("ZCA", "ZCA-cor")}
        out["few"] = few.tolist()
    out["tvn"] = tidy((lambda y: y @ y.T)(tvn(x, batch, control)[rows]))
    out["pca-cs"] = show(pca_cs(x, batch, control, 5))
    knees = zca_corr(x[control])
    out["zca-corr"] = None if knees is None else show(knees(x))
    if name not in ("single", "ugly"):
        out["combat"] = show(combat(x, batch))
        covariate = [str(i % 3) for i in range(len(x))]
        out["combat-covariate"] = show(combat(x, batch, covariate))
    if name == "ugly":
        varying = [0, 1, 3, 4, 5]
        out["combat"] = tidy(np.insert(combat(x[:, varying], batch), 2, x[:, 2], axis=1)[rows])
        covariate = [str(i % 3) for i in range(len(x))]
        out["combat-covariate"] = tidy(np.insert(combat(x[:, varying], batch, covariate), 2, x[:, 2], axis=1)[rows])
    linear[name] = out
    if name != "single":
        base = scaled(x)(x)
        near[name] = {
            "mnn-exact": show(mnn(x, batch, 10, 0.5, False)),
            "mnn-mnnpy": show(mnn(x, batch, 10, 1.0, True)),
            "fast-mnn": tidy((lambda y: y @ y.T)(fast_mnn(x, batch, 6, 10, 3)[rows])),
        }
        # Scanorama asks for no more neighbours than the smallest batch has rows.
        for key, knn in [("scanorama-2", 2)] if name == "ugly" else [("scanorama", 20), ("scanorama-3", 3)]:
            near[name][key] = show(panorama(unit(base).astype(np.float32).astype(np.float64), batch, knn))

rng = np.random.default_rng(3)
curves = [np.sort(rng.exponential(1.0, size=n) ** p)[::-1] for n in (5, 12, 40, 200) for p in (1, 2, 4)]
curves += [1.0 / np.arange(1, 30), np.exp(-np.arange(50) / 5.0), np.r_[np.linspace(10, 5, 10), np.linspace(1, 0.5, 30)], np.linspace(5, 1, 9)]
linear["knees"] = [
    {"y": [float(f"{v:.9g}") for v in y], "knee": (lambda k: None if k is None else int(k))(
        kneed.KneeLocator(list(range(len(y))), np.array([float(f"{v:.9g}") for v in y]), S=1.0, curve="convex", direction="decreasing").elbow)}
    for y in curves]
(HERE / "correct_linear.json").write_text(json.dumps(linear, separators=(",", ":")))
(HERE / "correct_neighbours.json").write_text(json.dumps(near, separators=(",", ":")))
