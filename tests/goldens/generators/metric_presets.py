"""Golden values of the presets of metrics: writes ../metric_presets.json.

Run: python metric_presets.py, with scib-metrics 0.5.10, scib 1.1.7, scanpy 1.11.5, leidenalg, igraph, scikit-learn and
g++ (Python 3.11); the output names the versions.

The inputs are those of embedding_metrics.json. `scib-metrics` is the package's own Benchmarker with exact neighbours
(its totals as it prints them), `scib` and `arevalo2024` call scib and scanpy as the package and the paper's code do, on the
15 Euclidean and the 25 cosine neighbours (for graph LISI through the program that scib ships, compiled from its source),
`pathorob` is written from its description in numpy.

Seeds: Leiden 0 (ten seeds give the range that is stored), drawn pairs 11. Tolerances stand beside the tests:
1e-4 for LISI (its bisection stops within 1e-5), 2e-6 for silhouettes (32 bits), exact for components and counts, 0.1 for
clusterings (other random numbers).
"""

import json
import os
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import anndata
import numpy as np
import pandas as pd
import scanpy as sc
import scib
from scib_metrics.benchmark import BatchCorrection, Benchmarker, BioConservation
from scib_metrics.nearest_neighbors import NeighborsResults
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_score
from umap.umap_ import fuzzy_simplicial_set
from scib.metrics.lisi import compute_simpson_index_graph

HERE = Path(__file__).resolve().parent.parent


def neighbours(x, k, metric):
    x = x.astype(np.float64)
    distance = cdist(x, x, metric)
    key = np.round(distance, 12)
    np.fill_diagonal(key, -1)
    order = np.argsort(key, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(distance, order, 1) * (order != np.arange(len(x))[:, None])


def fuzzy(x, k, metric):
    index, distance = neighbours(x, k, metric)
    return fuzzy_simplicial_set(
        sparse.coo_matrix((len(x), 1)), k, None, None, knn_indices=index, knn_dists=distance.astype(np.float32),
        set_op_mix_ratio=1.0, local_connectivity=1.0,
    )[0].tocsr()


def graph_lisi(graph, *factors):
    source = os.path.join(os.path.dirname(scib.__file__), "knn_graph", "knn_graph.cpp")
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "knn_graph")
        subprocess.run(["g++", "-std=c++11", "-O2", source, "-o", program], check=True)
        prefix = os.path.join(folder, "g")
        coo = graph.sorted_indices().tocoo()
        with open(prefix + ".mtx", "w") as out:
            out.write("%%MatrixMarket matrix coordinate real general\n")
            out.write(f"{coo.shape[0]} {coo.shape[1]} {coo.nnz}\n")
            for i, j, v in zip(coo.row, coo.col, coo.data):
                out.write(f"{i + 1} {j + 1} {float(v)!r}\n")
        subprocess.run([program, prefix + ".mtx", prefix, "90", "1", "100"], check=True, stdout=subprocess.DEVNULL)
        return [1 / compute_simpson_index_graph(prefix, f, f.max() + 1, n_neighbors=90, perplexity=30) for f in factors]


def frame(x, label, batch, graph):
    adata = anndata.AnnData(x.astype(np.float32))
    adata.obs["label"] = pd.Categorical([f"l{v:03d}" for v in label])
    adata.obs["batch"] = pd.Categorical([f"b{v:03d}" for v in batch])
    adata.obsm["X_emb"] = adata.X
    adata.obsp["connectivities"], adata.obsp["distances"] = graph, graph
    adata.uns["neighbors"] = {"connectivities_key": "connectivities", "distances_key": "distances", "params": {"n_neighbors": 15, "method": "umap"}}
    return adata


def leiden(adata, resolution, seed):
    sc.tl.leiden(adata, resolution=resolution, random_state=seed, flavor="igraph", n_iterations=2, directed=False, key_added="c")
    return adata.obs["c"].astype(int).to_numpy()


def agreement(adata, label, resolutions):
    """Range over ten seeds of NMI and ARI at the resolution of best NMI."""
    found = []
    for seed in range(10):
        best = max((lambda c: (normalized_mutual_info_score(label, c), adjusted_rand_score(label, c)))(leiden(adata, r, seed)) for r in resolutions)
        found.append(best)
    return [[float(min(v)), float(max(v))] for v in zip(*found)]


def on_graph(x, label, batch, k, metric, resolutions):
    graph = fuzzy(x, k, metric)
    adata = frame(x, label, batch, graph)
    ilisi, clisi = graph_lisi(graph, batch, label)
    nb, nl = len(np.unique(batch)), len(np.unique(label))
    nmi, ari = agreement(adata, label, resolutions)
    return {
        "graph-connectivity": float(scib.me.graph_connectivity(adata, "label")),
        "ilisi-graph": float((np.nanmedian(ilisi) - 1) / (nb - 1)),
        "clisi-graph": float((nl - np.nanmedian(clisi)) / (nl - 1)),
        "nmi": nmi,
        "ari": ari,
    }


def scib_package(x, label, batch):
    found = on_graph(x, label, batch, 15, "euclidean", [round(0.2 * r, 1) for r in range(1, 11)])
    adata = frame(x, label, batch, fuzzy(x, 15, "euclidean"))
    found["asw-label-euclidean"] = float(scib.me.silhouette(adata, "label", "X_emb"))
    found["asw-batch"] = float(scib.me.silhouette_batch(adata, "batch", "label", "X_emb", verbose=False))
    pcr = scib.me.pc_regression(x.astype(float), pd.Series([f"b{v}" for v in batch]), n_comps=min(50, min(x.shape)))
    found["pcr-50"] = float(pcr)
    try:
        found["isolated-labels"] = float(scib.me.isolated_labels_asw(adata, "label", "batch", "X_emb", verbose=False))
    except Exception as error:                                    # every label in all batches: scib has none
        found["isolated-labels"] = None
        print("scib isolated:", error)
    return found


def arevalo(x, label, batch):
    found = on_graph(x, label, batch, 25, "cosine", [1.0])
    adata = frame(x, label, batch, fuzzy(x, 25, "cosine"))
    found["asw-label-cosine"] = float((silhouette_score(x.astype(float), label, metric="cosine") + 1) / 2)
    found["asw-batch-cosine"] = float(
        scib.me.silhouette_batch(adata, "batch", "label", "X_emb", metric="cosine", verbose=False)
    )
    return found


def benchmarker(x, label, batch):
    adata = frame(x, label, batch, fuzzy(x, 15, "euclidean"))
    adata.obsm["X_pre"] = adata.X
    bench = Benchmarker(
        adata, batch_key="batch", label_key="label", embedding_obsm_keys=["X_emb"], pre_integrated_embedding_obsm_key="X_pre",
        bio_conservation_metrics=BioConservation(), batch_correction_metrics=BatchCorrection(), n_jobs=1, progress_bar=False,
    )

    def exact(points, k):
        index, distance = neighbours(np.asarray(points), k, "euclidean")
        return NeighborsResults(indices=index.astype(np.int64), distances=distance.astype(np.float32))

    bench.prepare(neighbor_computer=exact)
    bench.benchmark()
    results = bench.get_results(min_max_scale=False, clean_names=False)
    row = results.loc["X_emb"]
    return {str(key): float(value) for key, value in row.items()}


def unit(x):
    x = x.astype(np.float64)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def order_of(x, plate):
    key = np.round(1 - unit(x) @ unit(x).T, 11)
    key[plate[:, None] == plate] = np.inf
    return key, np.argsort(key, axis=1, kind="stable")


def counts(key, label, batch, k):
    so = ss = os_ = 0.0
    for i in range(len(label)):
        finite = np.flatnonzero(np.isfinite(key[i]))
        order = finite[np.argsort(key[i, finite], kind="stable")]
        d = key[i, order]
        n = min(k, len(order))
        first, last = np.searchsorted(d, d[n - 1], "left"), np.searchsorted(d, d[n - 1], "right")
        w = np.zeros(len(order))
        w[:first] = 1
        w[first:last] = (n - first) / (last - first)
        l, b = label[order] == label[i], batch[order] == batch[i]
        so, ss, os_ = so + w[l & ~b].sum(), ss + w[l & b].sum(), os_ + w[~l & b].sum()
    return so, ss, os_


def pathorob(x, label, batch, plate, rng):
    key, _ = order_of(x, plate)
    so, ss, os_ = counts(key, label, batch, 11)
    found = {"k": 11, "first_form": float((ss + so) / (ss + os_)), "pairs": []}
    cells = {(l, b): np.flatnonzero((label == l) & (batch == b)) for l in np.unique(label) for b in np.unique(batch)}
    pairs = [
        (a, b, u, v)
        for a in np.unique(label) for b in np.unique(label) if a < b
        for u in np.unique(batch) for v in np.unique(batch) if u < v
        if min(len(cells[c]) for c in [(a, u), (a, v), (b, u), (b, v)]) >= 3
        and all(len(np.unique(plate[np.r_[cells[a, w], cells[b, w]]])) > 1 for w in (u, v))
    ]
    for a, b, u, v in pairs[:4]:
        four = [cells[a, u], cells[a, v], cells[b, u], cells[b, v]]
        size = min(map(len, four))
        rows = np.concatenate([rng.permutation(c)[:size] for c in four])
        sub, _ = order_of(x[rows], plate[rows])
        so, _, os_ = counts(sub, label[rows], batch[rows], 11)
        found["pairs"].append({"rows": [int(r) for r in rows], "so": float(so), "all": float(so + os_)})
    return found


cases = {}
for case in json.loads((HERE / "embedding_metrics.json").read_text())["cases"]:
    name = case["name"]
    x = np.array(case["x"], dtype=np.float32).reshape(-1, case["d"])
    label, batch, plate = (np.array(case[key]) for key in ["label", "batch", "plate"])
    rng = np.random.default_rng(11)
    found = {"arevalo2024": arevalo(x, label, batch), "scib": scib_package(x, label, batch)}
    found["pathorob"] = pathorob(x, label, batch, plate, rng)
    try:
        found["scib-metrics"] = benchmarker(x, label, batch)
    except Exception as error:
        print(name, "Benchmarker:", type(error).__name__, error)
        found["scib-metrics"] = None
    cases[name] = found
def finite(value):
    """Values that are no numbers as nulls, which JSON has."""
    if isinstance(value, dict):
        return {key: finite(v) for key, v in value.items()}
    if isinstance(value, list):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


packages = ["scib", "scib-metrics", "scanpy", "leidenalg", "igraph", "scikit-learn", "numpy", "scipy", "pandas", "umap-learn", "jax"]
(HERE / "metric_presets.json").write_text(
    json.dumps({"generator": "tests/goldens/generators/metric_presets.py", "versions": {n: version(n) for n in packages}, "cases": finite(cases)}) + "\n"
)
