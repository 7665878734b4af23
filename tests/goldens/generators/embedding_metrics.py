"""Golden values of the embedding metrics of the batch side and the guards in bench-eval.

Run: python tests/goldens/generators/embedding_metrics.py all3.parquet > tests/goldens/embedding_metrics.json
Needs (Python 3.11): scib-metrics 0.5.10, scib 1.1.7, harmonypy 2.1.0, umap-learn, scikit-learn, scipy,
pandas, pyarrow, and g++; the output names the versions. `all3.parquet` is the JUMP-MOA multi-site table (BSD-3-Clause
and CC0).

Three inputs: `generated` (seed 20250901), `real` (360 wells of six modes of action in three laboratories, 16 features, and 120
negative controls), `ugly` (labels of one to three rows, a batch with one label, duplicated rows, a constant feature).
Neighbours are exact: ordered by (Euclidean distance rounded to twelve digits, row), the row itself first.

Own forms, where a package has none that can be run: robustness index (PathoROB with the plate for the slide), CiLISI and
norm_iLISI (scib's own entropy step on the 30 neighbours that scIntegrationMetrics takes), kBET of R with its bisection,
kBET per label (scib-metrics' kbet on exact neighbours within the label), variance components (traces of the dense matrices of Henderson's method I), distances between controls.
Tolerances stand beside the tests: 1e-6 for silhouettes (float32 there), 1e-4 for LISI, exact for kBET and components.
"""

import itertools
import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import harmonypy
import numpy as np
import pandas as pd
import scib
import scib_metrics as sm
from scib.metrics.lisi import Hbeta, compute_simpson_index_graph
from scib.metrics.pcr import pc_regression
from scib_metrics.nearest_neighbors import NeighborsResults
from scib_metrics.utils import principal_component_regression
from scipy import sparse, stats
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist
from umap.umap_ import fuzzy_simplicial_set

GRID = [1, 3, 5, 7, 9, 11, 21, 31, 41, 51, 61, 71, 81]


def generated():
    rng = np.random.default_rng(20250901)
    n, m, d, batches, labels = 240, 80, 8, 4, 5
    plate_batch = np.repeat(np.arange(batches), 2)
    shift = rng.normal(0, 0.5, (batches, d))
    plate_shift = rng.normal(0, 0.2, (2 * batches, d))
    centre = rng.normal(0, 0.8, (labels, d))

    def rows(count, label):
        plate = rng.integers(2 * batches, size=count)
        x = shift[plate_batch[plate]] + plate_shift[plate] + rng.normal(size=(count, d))
        return x + (centre[label] if label is not None else 0), plate

    label = rng.integers(labels, size=n)
    x, plate = rows(n, label)
    c, c_plate = rows(m, None)
    return case("generated", x, label, plate_batch[plate], plate, rng.integers(40, size=n), c, plate_batch[c_plate], c_plate, rng.integers(10, size=m))


def real(path):
    table = pd.read_parquet(path)
    meta = ["source", "batch", "plate", "physical_plate", "well", "compound", "moa", "control", "cell_count"]
    features = [c for c in table.columns if c not in meta][:16]
    table["p"] = table["batch"].astype(str) + "/" + table["plate"].astype(str)
    rng = np.random.default_rng(3)
    treated = table[table.control == "trt"]
    # Wells are few per compound, so that the label is the mode of action.
    moas = treated[treated.groupby("moa").source.transform("nunique") == 3].moa.value_counts().index[:6]
    pool = treated[treated.moa.isin(moas)]
    chosen = pool.iloc[np.sort(rng.permutation(len(pool))[:360])]
    controls = table[table.control == "negcon"]
    controls = controls.iloc[np.sort(rng.permutation(len(controls))[:120])]
    codes = lambda key: pd.Categorical(pd.concat([chosen[key], controls[key]])).codes.astype(int)
    split = lambda values: (values[: len(chosen)], values[len(chosen) :])
    (source, c_source), (plate, c_plate), (well, c_well) = split(codes("source")), split(codes("p")), split(codes("well"))
    label = pd.Categorical(chosen.moa).codes.astype(int)
    return case("real", chosen[features].to_numpy(), label, source, plate, well, controls[features].to_numpy(), c_source, c_plate, c_well)


def ugly():
    rng = np.random.default_rng(7)
    sizes = [1, 2, 3, 40, 50, 24]
    label = np.repeat(np.arange(len(sizes)), sizes)
    n, d = len(label), 6
    batch = rng.integers(2, size=n)
    batch[label == 5] = 2                                        # a batch with one label, and a label in one batch
    x = rng.normal(size=(n, d)) + 0.7 * batch[:, None] + rng.normal(0, 1, (len(sizes), d))[label]
    x[:, 3] = 2.5                                                # a constant feature
    for a, b in [(10, 11), (12, 60), (61, 62), (61, 63), (100, 101)]:
        x[b] = x[a]                                              # duplicated rows
    order = rng.permutation(n)
    x, label, batch = x[order], label[order], batch[order]
    plate = batch * 2 + rng.integers(2, size=n)
    m = 30
    c_batch = np.repeat([0, 1, 2], [14, 10, 6])
    c = rng.normal(size=(m, d)) + 0.5 * c_batch[:, None]
    c[:, 3] = 2.5
    c[1] = c[0]
    return case("ugly", x, label, batch, plate, rng.integers(30, size=n), c, c_batch, c_batch * 2 + rng.integers(2, size=m), rng.integers(6, size=m))


def case(name, x, label, batch, plate, position, c, c_batch, c_plate, c_position):
    x, c = (np.round(np.asarray(v, float), 4).astype(np.float32) for v in (x, c))
    ints = lambda v: [int(i) for i in v]
    return {
        "name": name, "d": x.shape[1], "x": [float(f"{v:.4f}") for v in x.ravel()], "label": ints(label), "batch": ints(batch),
        "plate": ints(plate), "position": ints(position), "controls": [float(f"{v:.4f}") for v in c.ravel()],
        "control_batch": ints(c_batch), "control_plate": ints(c_plate), "control_position": ints(c_position),
        "values": values(x, np.array(label), np.array(batch), np.array(plate), c, np.array(c_batch)),
    }


def neighbours(x, k):
    """Self first, then others by (distance, row)."""
    distance = cdist(x.astype(float), x.astype(float))
    key = np.round(distance, 12)
    np.fill_diagonal(key, -1)
    order = np.argsort(key, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(distance, order, 1) * (order != np.arange(len(x))[:, None])


def simpson(distance, codes, perplexity):
    beta, low, high = 1.0, -np.inf, np.inf
    h, p = Hbeta(distance.astype(float), beta)
    for _ in range(50):
        off = h - np.log(perplexity)
        if abs(off) < 1e-5:
            break
        if off > 0:
            low, beta = beta, beta * 2 if high == np.inf else (beta + high) / 2
        else:
            high, beta = beta, beta / 2 if low == -np.inf else (beta + low) / 2
        h, p = Hbeta(distance.astype(float), beta)
    return -1.0 if h == 0 else float((np.bincount(codes, weights=p) ** 2).sum())


def lisi30(x, codes):
    k = min(30, len(x) - 1)
    index, distance = neighbours(x, k + 1)
    return np.array([1 / simpson(distance[i, 1:], codes[index[i, 1:]], k) for i in range(len(x))])


def graph_lisi(fuzzy, *factors):
    # The program that scib ships is compiled from the source it ships: the binary asks for a recent C library.
    source = os.path.join(os.path.dirname(scib.__file__), "knn_graph", "knn_graph.cpp")
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "knn_graph")
        subprocess.run(["g++", "-std=c++11", "-O2", source, "-o", program], check=True)
        prefix = os.path.join(folder, "g")
        matrix = sparse.csr_matrix(fuzzy).sorted_indices()
        with open(prefix + ".mtx", "w") as out:
            out.write("%%MatrixMarket matrix coordinate real general\n")
            coo = matrix.tocoo()
            out.write(f"{coo.shape[0]} {coo.shape[1]} {coo.nnz}\n")
            for i, j, v in zip(coo.row, coo.col, coo.data):
                out.write(f"{i + 1} {j + 1} {float(v)!r}\n")
        subprocess.run([program, prefix + ".mtx", prefix, "90", "1", "100"], check=True, stdout=subprocess.DEVNULL)
        return [1 / compute_simpson_index_graph(prefix, f, f.max() + 1, n_neighbors=90, perplexity=30) for f in factors]


def accept(index, batch):
    share = np.bincount(batch) / len(batch)
    k = index.shape[1]
    seen = np.array([np.bincount(batch[row], minlength=len(share)) for row in index])
    statistic = ((seen - k * share) ** 2 / (k * share)).sum(1)
    return stats.chi2.sf(statistic, len(share) - 1) >= 0.05


def kbet_r(index, batch):
    most = min(len(batch) // len(np.unique(batch)) // 4, index.shape[1], 90)
    rate = lambda k: 1 - accept(index[:, :k], batch).mean()
    low, high = 10, most
    while high - low > 5:
        a, b, middle = rate(low), rate(high), int(round((low + high) / 2))
        if b - a < -0.01:
            high = middle
        elif b - a > 0.01:
            low = middle
        else:
            centre = rate(middle)
            if max(abs(centre - a), abs(centre - b)) < 0.01:
                break
            if abs(centre - a) > 0.01:
                high = middle
            else:
                low = middle
    return {"k": high, "acceptance": 1 - rate(high)}


def kbet_label(x, label, batch):
    scores = []
    for l in np.unique(label):
        rows = np.flatnonzero(label == l)
        b = pd.Categorical(batch[rows]).codes
        if len(rows) < 10 or b.max() == 0:
            continue
        k = min(70, max(10, int(np.floor(np.mean(np.bincount(b)) / 4))), len(rows) - 1)
        index, distance = neighbours(x[rows], k + 1)
        scores.append(float(sm.kbet(NeighborsResults(indices=index, distances=distance.astype(np.float32)), b)[0]))
    return float(np.mean(scores))


def weights(key, k):
    """Weight of every entry of an ascending list among the first k: ties over the k-th place count by expectation."""
    first, last = np.searchsorted(key, key[k - 1], "left"), np.searchsorted(key, key[k - 1], "right")
    w = np.zeros(len(key))
    w[:first] = 1
    w[first:last] = (k - first) / (last - first)
    return w


def robustness(x, label, batch, plate):
    unit = x.astype(float) / np.linalg.norm(x.astype(float), axis=1, keepdims=True)
    key = np.round(1 - unit @ unit.T, 11)
    key[plate[:, None] == plate] = np.inf
    order = np.argsort(key, axis=1, kind="stable")
    key = np.take_along_axis(key, order, 1)
    count = np.isfinite(key).sum(1)
    same_label, same_batch = label[order] == label[:, None], batch[order] == batch[:, None]
    weigh = lambda k: np.array([weights(row, min(k, n)) for row, n in zip(key, count)])

    def ratio(k):
        w = weigh(k)
        so, os_ = (w * (same_label & ~same_batch)).sum(), (w * (~same_label & same_batch)).sum()
        return float(so / (so + os_))

    def accuracy(k):
        votes = np.array([np.bincount(label[row], w, minlength=label.max() + 1) for row, w in zip(order, weigh(k))])
        wins = votes >= votes.max(1, keepdims=True) * (1 - 1e-9)
        hit = wins[np.arange(len(label)), label] / wins.sum(1)
        return np.mean([hit[label == l].mean() for l in np.unique(label)])

    best = max(GRID, key=lambda k: (round(accuracy(k), 12), -k))
    return {"k": best, "value": ratio(best), "at_11": ratio(11)}


def components(x, factors):
    n = len(x)
    z = [(f[:, None] == np.unique(f)).astype(float) for f in factors] + [np.eye(n)]
    project = lambda a: a @ np.linalg.pinv(a)
    p = [project(a) for a in z] + [np.full((n, n), 1 / n)]
    y = x.astype(float)
    t = [np.trace(y.T @ q @ y) for q in p]
    # E[y' Q y] for y = 1 mu + sum Z_m u_m: tr(Q Z_m Z_m') s_m, less the same for the grand mean.
    a = np.array([[np.trace((q - p[-1]) @ b @ b.T) for b in z] for q in p[:-1]])
    s = np.clip(np.linalg.solve(a, np.array(t[:-1]) - t[-1]), 0, None)
    return [float(v) for v in s / s.sum()]


def controls(c, batch):
    c = c.astype(float)
    d = cdist(c, c)
    median = np.median(d[np.triu_indices(len(c), 1)])
    k = np.exp(-(d**2) / (2 * median**2))
    total = np.trace(np.cov(c.T))
    out = {"energy": [], "mmd": [], "frechet": [], "sliced_1d": []}
    first = c[:, 0]
    for a, b in itertools.combinations([g for g in np.unique(batch) if (batch == g).sum() >= 4], 2):
        i, j = np.flatnonzero(batch == a), np.flatnonzero(batch == b)
        between = d[np.ix_(i, j)].mean()
        out["energy"].append((2 * between - d[np.ix_(i, i)].mean() - d[np.ix_(j, j)].mean()) / (2 * between))
        off = lambda r: (k[np.ix_(r, r)].sum() - len(r)) / (len(r) * (len(r) - 1))
        out["mmd"].append(off(i) + off(j) - 2 * k[np.ix_(i, j)].mean())
        si, sj = np.cov(c[i].T), np.cov(c[j].T)
        root = np.sqrt(np.clip(np.linalg.eigvals(si @ sj).real, 0, None)).sum()
        out["frechet"].append((((c[i].mean(0) - c[j].mean(0)) ** 2).sum() + np.trace(si) + np.trace(sj) - 2 * root) / total)
        out["sliced_1d"].append(stats.wasserstein_distance(first[i], first[j]) / first.std(ddof=1))
    return {key: float(np.mean(v)) for key, v in out.items()}


def guards(x, label):
    x = x.astype(float)
    spectrum = np.linalg.eigvalsh(np.cov(x.T))
    share = spectrum[spectrum > 1e-12] / spectrum[spectrum > 1e-12].sum()
    u = x / np.linalg.norm(x, axis=1, keepdims=True)
    square = cdist(u, u, "sqeuclidean")
    off = ~np.eye(len(x), dtype=bool)
    same = (label[:, None] == label) & off
    key = np.round(1 - u @ u.T, 12)
    np.fill_diagonal(key, np.inf)
    near = np.argsort(key, axis=1, kind="stable")[:, :10]
    return {
        "effective_rank": float(np.exp(-(share * np.log(share)).sum())),
        "uniformity": float(np.log(np.exp(-2 * square[off]).mean())),
        "alignment": float(square[same].mean()),
        "alignment_all": float(square[off].mean()),
        "duplicates": float(1 - len(np.unique(x, axis=0)) / len(x)),
        "hubness": float(stats.skew(np.bincount(near.ravel(), minlength=len(x)))),
    }


def values(x, label, batch, plate, c, c_batch):
    n, nb = len(x), len(np.unique(batch))
    index, distance = neighbours(x, min(90, n))
    nn = NeighborsResults(indices=index.astype(np.int64), distances=distance.astype(np.float32))
    fifteen = nn.subset_neighbors(15)
    fuzzy = fuzzy_simplicial_set(
        sparse.coo_matrix((n, 1)), 15, None, None, knn_indices=index[:, :15], knn_dists=distance[:, :15].astype(np.float32),
        set_op_mix_ratio=1.0, local_connectivity=1.0,
    )[0].tocsr()
    connected = lambda rows: np.bincount(connected_components(fuzzy[rows][:, rows], connection="strong")[1]).max() / len(rows)
    wide, wide_distance = neighbours(x, min(91, n))
    perplexity = min(30, (wide.shape[1] - 1) // 3)
    harmony = harmonypy.compute_lisi(x, pd.DataFrame({"b": batch}), ["b"], perplexity)[:, 0]
    thirty = lisi30(x, batch)
    per = {}
    for l in np.unique(label):
        rows = label == l
        q = len(np.unique(batch[rows]))
        if rows.sum() >= 10 and q >= 2:
            per[l] = (lisi30(x[rows], pd.Categorical(batch[rows]).codes) - 1) / (q - 1)
    rounded = np.round(distance[:, 1:], 6)
    shares = [np.bincount(batch[row[1:]], weights(key, 50), minlength=nb) for row, key in zip(index, rounded)]
    entropy = np.array([stats.entropy(s) for s in shares]) / np.log(nb)
    graph, graph_label = graph_lisi(fuzzy, batch, label)
    nl = len(np.unique(label))
    return {
        "asw-batch": float(sm.silhouette_batch(x, label, batch)),
        "asw-batch-cosine": float(sm.silhouette_batch(x, label, batch, metric="cosine")),
        "bras": float(sm.bras(x, label, batch)),
        "ilisi": float(sm.ilisi_knn(nn, batch)),
        "lisi-unit": float(harmony.mean()),
        "ilisi-scintegration": float(((thirty - 1) / (nb - 1)).mean()),
        "ilisi-graph": float((np.nanmedian(graph) - 1) / (nb - 1)),
        "clisi-graph": float((nl - np.nanmedian(graph_label)) / (nl - 1)),
        "cilisi": float(np.concatenate(list(per.values())).mean()),
        "cilisi-means": float(np.mean([v.mean() for v in per.values()])),
        "kbet": float(sm.kbet(nn.subset_neighbors(50), batch)[0]),
        "kbet-label": kbet_label(x, label, batch),
        "kbet-r": kbet_r(index, batch),
        "graph-connectivity": float(np.mean([connected(np.flatnonzero(label == l)) for l in np.unique(label)])),
        "graph-connectivity-directed": float(sm.graph_connectivity(fifteen, label)),
        "pcr": float(principal_component_regression(x, batch, categorical=True)),
        "pcr-50": float(pc_regression(x.astype(float), pd.Series(batch).astype(str), n_comps=min(50, min(x.shape)))),
        "variance-components": components(x, [batch, plate, label]),
        "neighbour-entropy": float(entropy.mean()),
        "robustness-index": robustness(x, label, batch, plate),
        "controls": controls(c, c_batch),
        "guards": guards(x, label),
    }


chi = [[x, v, float(stats.chi2.sf(x, v))] for v in (1, 2, 3, 7, 12, 25, 140) for x in (0.01, 0.5, 3.0, 11.7, 40.0, 160.0)]
packages = ["numpy", "scipy", "pandas", "scikit-learn", "scib-metrics", "scib", "harmonypy", "umap-learn", "jax"]
json.dump(
    {
        "generator": "tests/goldens/generators/embedding_metrics.py",
        "versions": {name: version(name) for name in packages},
        "cases": [generated(), real(sys.argv[1]), ugly()],
        "chi_squared": chi,
    },
    sys.stdout,
)
