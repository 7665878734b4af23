"""Golden values for PCA, UMAP and trustworthiness: writes ../geometry.json.

Versions: umap-learn 0.5.12, scikit-learn 1.9.1, numpy 2.4.6, scipy 1.17.1. Run: python geometry.py

Tolerances: PCA 1e-9 of the largest variance and 1e-7 for loadings (both sides decompose in
64 bits); curve 1e-6 (both stop at a minimum of the same sum of squares); memberships 1e-5 (the
bandwidth is sought in 32 bits to 1e-5); trustworthiness 1e-12, because ranks are whole numbers
and the small tables have no equal distances.
The trustworthiness of whole maps is compared within 0.01: two seeds of umap-learn differ by 0.003.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.metrics import pairwise_distances
from umap import UMAP
from umap.umap_ import find_ab_params, fuzzy_simplicial_set

MASK = (1 << 64) - 1


def splitmix(state):
    """Steele et al. 2014; the tests repeat it, so that large tables need not be stored."""
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def clustered(rows, cols, clusters, seed):
    """Integers: a centre for each cluster, plus the sum of four uniform digits."""
    draws = splitmix(seed)
    centre = [[next(draws) % 41 for _ in range(cols)] for _ in range(clusters)]
    table = [[centre[i % clusters][j] + sum(next(draws) % 16 for _ in range(4)) - 30 for j in range(cols)] for i in range(rows)]
    return np.array(table, dtype=np.float32)


def neighbours(x, k, metric):
    """Lists of `k` entries, the row itself first, by (distance, row)."""
    distance = pairwise_distances(x.astype(np.float64), metric=metric)
    np.fill_diagonal(distance, -1.0)
    index = np.argsort(distance, axis=1, kind="stable")[:, :k]
    distance = np.take_along_axis(distance, index, 1)
    return index.astype(np.int32), np.maximum(distance, 0.0).astype(np.float32)


def pca(x, k):
    fitted = PCA(n_components=k, svd_solver="full").fit(x.astype(np.float64))
    return {
        "k": k,
        "mean": fitted.mean_.tolist(),
        "components": fitted.components_.tolist(),
        "variance": fitted.explained_variance_.tolist(),
        "ratio": fitted.explained_variance_ratio_.tolist(),
    }


def fuzzy(rows, k):
    x = clustered(rows, 5, 4, 11)
    x[10:14] = x[9]  # equal rows: distances of zero
    index, distance = neighbours(x, k, "euclidean")
    graph, sigma, rho = fuzzy_simplicial_set(x, k, np.random.RandomState(0), "euclidean", knn_indices=index, knn_dists=distance)
    graph = graph.tocsr()
    graph.sort_indices()
    return {
        "entries": k,
        "index": index[:, 1:].ravel().tolist(),
        "distance": distance[:, 1:].ravel().astype(float).tolist(),
        "self_first": bool((index[:, 0] == np.arange(rows)).all()),
        "offset": graph.indptr.tolist(),
        "column": graph.indices.tolist(),
        "weight": graph.data.astype(float).round(7).tolist(),
    }


def untied(rows, cols, clusters, seed):
    """As `clustered`, plus fractions of 1/64 that make equal distances unlikely."""
    return clustered(rows, cols, clusters, seed) + clustered(rows, cols, 1, seed + 100) / np.float32(64)


small = untied(80, 6, 3, 3)
layout = untied(80, 2, 80, 4)  # a map that has nothing to do with the table
close = small[:, :2] + untied(80, 2, 1, 5) * np.float32(0.5)
for table in [small, layout, close]:
    distance = pairwise_distances(table.astype(np.float64))
    assert all(len(np.unique(row)) == len(row) for row in distance)
large = clustered(1500, 16, 12, 7)
golden = {
    "tall": pca(clustered(90, 7, 3, 1), 5),
    "wide": pca(clustered(12, 40, 3, 2), 6),
    "curve": [[d, s, *find_ab_params(s, d)] for d, s in [(0.1, 1.0), (0.0, 1.0), (0.5, 1.0), (0.25, 2.0)]],
    "fuzzy": fuzzy(90, 15),
    "trustworthiness": [
        {"map": name, "metric": metric, "k": k, "value": trustworthiness(small.astype(np.float64), e, n_neighbors=k, metric=metric)}
        for name, e in [("random", layout), ("close", close)]
        for metric in ["euclidean", "cosine"]
        for k in [5, 15]
    ],
    "maps": [],
}
for metric in ["euclidean", "cosine"]:
    for start in ["spectral", "pca"]:
        values = []
        for seed in range(3):
            map_ = UMAP(metric=metric, random_state=seed, init=start).fit_transform(large)
            values.append(trustworthiness(large.astype(np.float64), map_, n_neighbors=15, metric=metric))
        golden["maps"].append({"metric": metric, "start": start, "values": values})

path = Path(__file__).parents[1] / "geometry.json"
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
