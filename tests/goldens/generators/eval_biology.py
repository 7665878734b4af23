"""Golden values for the biology side of embedding metrics: writes ../eval_biology.json.

Versions: copairs 0.5.5, scib-metrics 0.5.10, scikit-learn 1.9.1, scipy 1.17.1, statsmodels, igraph 1.0.0,
umap-learn 0.5.12, cytominer-eval 0.1, numpy 2.x; the exact ones are in the file. Seeds are in the code.
Run: python eval_biology.py DATA, with DATA the folder that holds jump_moa_multisite/all3.parquet.

Three inputs: generated (batch shifts, labels with two names), real profiles (14 compounds, 6 plates, 3 sources, 16
features), and an ugly one (a label of one row, repeated rows, a constant feature, a batch with one label).

Tolerances: silhouettes and cLISI 1e-5 (the peers work in 32 bits); AP 1e-6 where no positive and negative are within
2e-7 of each other (the peer takes positives first, and works in 32 bits); p within five standard errors of two draws of
10,000; q, Fisher, KS, CvM, NMI, ARI 1e-10; forms in numpy 1e-6 (inputs are 32 bits).
"""

import json
import random
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import igraph
import numpy as np
import pandas as pd
from copairs.map import average_precision, mean_average_precision
from copairs.map import multilabel
from copairs.map.hierarchical_fdr import apply_hierarchical_fdr_correction
from copairs.map.normalization import expected_ap
import scib_metrics
from scib_metrics.nearest_neighbors import NeighborsResults
from scipy import stats
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, pairwise_distances, silhouette_samples
from sklearn.preprocessing import StandardScaler
from statsmodels.stats.multitest import multipletests

COLUMNS = ["label", "compound", "source", "batch", "plate", "position"]


def rounded(x):
    return np.array([[float(f"{v:.5g}") for v in row] for row in x], dtype=np.float32)


def generated():
    g = np.random.default_rng(5)
    rows, controls = [], []
    names = ["a", "a|e", "b", "b", "c", "c|a", "d", "d", "e", "e|b"]
    effect = g.normal(0, 0.5, (5, 8))
    compound = g.normal(0, 0.4, (10, 8))
    for plate in range(6):
        shift = g.normal(0, 0.5, 8)
        where = dict(source=f"s{plate // 2}", batch=f"s{plate // 2}/b{plate}", plate=f"s{plate // 2}/b{plate}/p{plate}")
        for c in range(10):
            for well in range(4):
                x = effect["abcde".index(names[c][0])] + compound[c] + shift + g.normal(0, 0.6, 8)
                # Two compounds change places between the wells of a plate.
                position = f"W{(c * 4 + (well + plate if c < 2 else well)) % 40:02d}"
                rows.append(dict(x=x, label=names[c], compound=f"k{c}", position=position, **where))
        for well in range(8):
            controls.append(dict(x=shift + g.normal(0, 0.6, 8), position=f"Z{well}", **where))
    return rows, controls


def real(folder):
    d = pd.read_parquet(Path(folder) / "jump_moa_multisite" / "all3.parquet")
    features = [c for c in d.columns if c.startswith(("Cells_", "Cytoplasm_", "Nuclei_"))][::2][:16]
    plates = [("broad_dyes", "BR00122246"), ("broad_dyes", "BR00122250"), ("yokogawa_japan", "20201021T092317"),
              ("yokogawa_japan", "20201020T134356"), ("yokogawa_us", "BRO0117033_20xb"), ("yokogawa_us", "BRO0117056_20x")]
    on = d[[(s, p) in plates for s, p in zip(d.source, d.plate)]]
    treated = on[on.control == "trt"]
    everywhere = treated.groupby("compound").plate.nunique()
    treated = treated[treated.compound.isin(everywhere[everywhere == 6].index)]
    of = treated.groupby("moa").compound.unique()
    moas = [m for m in sorted(of.index) if len(of[m]) >= 2][:7]
    compounds = [c for m in moas for c in sorted(of[m])[:2]]
    rows, controls = [], []
    for _, r in pd.concat([treated[treated.compound.isin(compounds)], on[on.control == "negcon"].groupby("plate").head(8)]).iterrows():
        batch = f"{r.source}/{r.batch}"
        row = dict(x=r[features].to_numpy(float), source=r.source, batch=batch, plate=f"{batch}/{r.plate}", position=r.well)
        if r.control == "trt":
            rows.append(dict(label=r.moa, compound=r.compound, **row))
        else:
            controls.append(row)
    return rows, controls


def ugly():
    g = np.random.default_rng(8)
    rows, controls = [], []
    labels = ["big"] * 30 + ["mid"] * 20 + ["pair"] * 2 + ["one"] + ["mid"] * 7
    for i, label in enumerate(labels):
        x = g.normal(0, 1, 5) + (2 if label == "mid" else 0)
        x[3] = 7.0
        if i in (4, 9, 33):
            x = rows[i - 3]["x"]
        # The last rows are a batch of one label.
        batch = 2 if i >= 53 else i % 2
        source = "t" if batch == 2 else "s"
        where = dict(source=source, batch=f"{source}/b{batch}", plate=f"{source}/b{batch}/p")
        rows.append(dict(x=x, label=label, compound=f"{label}{i % 3}", position=f"P{i}", **where))
    for i in range(9):
        source = "t" if i % 3 == 2 else "s"
        where = dict(source=source, batch=f"{source}/b{i % 3}", plate=f"{source}/b{i % 3}/p")
        controls.append(dict(x=np.append(g.normal(0, 1, 4), 7.0)[[0, 1, 2, 4, 3]], position=f"Q{i}", **where))
    return rows, controls


def neighbours(x, k):
    """Lists of `k` entries, the row itself first, by (distance, row)."""
    distance = pairwise_distances(x.astype(np.float64))
    np.fill_diagonal(distance, -1.0)
    index = np.argsort(distance, axis=1, kind="stable")[:, :k]
    return index, np.maximum(np.take_along_axis(distance, index, 1), 0).astype(np.float32)


def cosine(x, y=None):
    return 1 - pairwise_distances(x.astype(np.float64), None if y is None else y.astype(np.float64), metric="cosine")


def scores(table, x, sameby, with_p=True):
    """AP of the rows of copairs, and groups."""
    cache = tempfile.mkdtemp()
    g = mean_average_precision(table, sameby, null_size=10000, threshold=0.05, seed=0, progress_bar=False, cache_dir=cache)
    return {r[sameby[0]]: [r.mean_average_precision, r.mean_normalized_average_precision, r.p_value, r.corrected_p_value]
            for _, r in g.iterrows()}


def task(meta, x, n, positive, negative, pos_diff, neg_same, neg_diff):
    """copairs on treated rows (the first n) or all; null for rows without a score, and where a tie could decide."""
    r = average_precision(meta, x, ["compound"], pos_diff, neg_same, neg_diff, progress_bar=False)
    sim = cosine(x)
    out = []
    for i in range(n):
        ap, norm, P, L = (r.iloc[i][c] for c in ["average_precision", "normalized_average_precision", "n_pos_pairs", "n_total_pairs"])
        if P == 0 or L == P or np.isnan(ap):
            out.append(None)
            continue
        p, q = sim[i][positive(i)], sim[i][negative(i)]
        assert len(p) == P and len(p) + len(q) == L, (i, len(p), len(q), P, L)
        tied = np.abs(p[:, None] - q[None]).min() < 2e-7
        out.append([int(P), int(L)] if tied else [int(P), int(L), round(ap, 10), round(norm, 10)])
    r = r.iloc[:n]
    r = r[(r.n_pos_pairs > 0) & (r.n_total_pairs > r.n_pos_pairs)]
    return {"rows": out, "groups": scores(r, x, ["compound"])}


def maps(rows, controls, x, xc):
    n, m = len(rows), len(controls)
    meta = pd.DataFrame([{k: v for k, v in r.items() if k != "x"} for r in rows + controls])
    meta["kind"] = ["trt"] * n + ["negcon"] * m
    meta["compound"] = [r["compound"] for r in rows] + [f"control{i}" for i in range(m)]
    all_x = np.vstack([x, xc])
    c, k, p, b, s, w = (meta[col].to_numpy() for col in ["compound", "kind", "plate", "batch", "source", "position"])
    not_self = lambda i, a: a & (np.arange(len(a)) != i)
    t = slice(0, n)
    trt = meta[:n].copy()
    out = {
        "activity": task(meta, all_x, n, lambda i: not_self(i, c == c[i]), lambda i: (p == p[i]) & (k != k[i]), [], ["plate"], ["kind", "compound"]),
        "distinctiveness": task(trt, x, n, lambda i: not_self(i, c[t] == c[i]), lambda i: (p[t] == p[i]) & (c[t] != c[i]), [], ["plate"], ["compound"]),
        "cross_batch": task(trt, x, n, lambda i: (c[t] == c[i]) & (b[t] != b[i]), lambda i: (b[t] == b[i]) & (c[t] != c[i]), ["batch"], ["batch"], ["compound"]),
        "cross_source": task(trt, x, n, lambda i: (c[t] == c[i]) & (s[t] != s[i]), lambda i: (s[t] == s[i]) & (c[t] != c[i]), ["source"], ["source"], ["compound"]),
    }
    if (trt.groupby("compound").position.nunique() > 1).any():
        out["negcon"] = task(meta, all_x, n, lambda i: (c == c[i]) & (w != w[i]), lambda i: (p == p[i]) & (k != k[i]), ["position"], ["plate"], ["kind", "compound"])
    compounds = list(dict.fromkeys(trt.compound))
    consensus = np.array([np.median(x[(trt.compound == name).to_numpy()].astype(np.float64), axis=0) for name in compounds]).astype(np.float32)
    label = [trt.label[trt.compound == name].iloc[0].split("|") for name in compounds]
    table = pd.DataFrame({"compound": compounds, "label": label})
    try:
        r = multilabel.average_precision(table, consensus, ["label"], [], [], ["label"], multilabel_col="label", progress_bar=False)
        r = r[r.n_total_pairs > r.n_pos_pairs]
        out["consistency_all"] = {"groups": scores(r, consensus, ["label"])}
    except Exception as error:  # a table without two compounds of a label
        assert "find" in str(error), error
    return out


def clusters(rows, x, label):
    codes = pd.Categorical(label).codes
    index, distance = neighbours(x, 15)
    graph = NeighborsResults(indices=index, distances=distance).knn_graph_connectivities
    out = {"kmeans_inertia": float(KMeans(len(set(label)), n_init=20, random_state=0).fit(x.astype(np.float64)).inertia_), "leiden": {}}
    directed = igraph.Graph.Weighted_Adjacency(graph.tocoo(), mode="directed")
    directed.to_undirected(mode="each")
    for tenths in (4, 10, 20):
        best = (-1.0, None)
        for seed in range(10):
            igraph.set_random_number_generator(random.Random(seed))
            found = directed.community_leiden(objective_function="modularity", weights="weight", resolution=tenths / 10)
            q = directed.modularity(found.membership, weights="weight", resolution=tenths / 10)
            if q > best[0]:
                best = (q, normalized_mutual_info_score(codes, found.membership))
        out["leiden"][str(tenths)] = list(best)
    return out


def nearest(x, compound):
    sim, same = cosine(x), compound[:, None] == compound
    values, usable = [], []
    for i in range(len(x)):
        p, q = sim[i][same[i] & (np.arange(len(x)) != i)], sim[i][~same[i]]
        if len(p) == 0 or np.abs(p[:, None] - q[None]).min() < 1e-9:
            values.append(None)
            continue
        order = np.array([1 + i + (q > v).sum() for i, v in enumerate(np.sort(p)[::-1])])
        values.append([float(order[0] <= 1), float(order[0] <= 10), float((order <= 10).mean() * len(p) / 10), 1 / int(order[0])])
    return values


def grit(x, xc, compound):
    r = np.corrcoef(np.vstack([x, xc]).astype(np.float64))
    n, rows = len(x), []
    for i in range(n):
        scaler = StandardScaler().fit(r[i, n:].reshape(-1, 1))
        same = (compound == compound[i]) & (np.arange(n) != i)
        rows.append(float(scaler.transform(r[i, :n][same].reshape(-1, 1)).mean()) if same.any() else None)
    return rows


def mp_value(x, xc, compound):
    np.float = float  # cytominer-eval 0.1 names an alias that NumPy no longer has
    from cytominer_eval.operations.util import calculate_mahalanobis, calculate_mp_value
    from sklearn.decomposition import PCA
    np.random.seed(0)
    out = {}
    for name in sorted(set(compound)):
        treated = x[compound == name].astype(np.float64)
        if len(treated) < 2:
            continue
        pca = PCA(n_components=0.9, svd_solver="full")
        found = pca.fit_transform(np.vstack([treated, xc.astype(np.float64)])) * 1.0
        found = found * pca.explained_variance_ratio_
        distance = calculate_mahalanobis(found[: len(treated)], found[-len(xc):])
        p = calculate_mp_value(pd.DataFrame(treated), pd.DataFrame(xc.astype(np.float64)), {"nb_permutations": 500})
        out[name] = [float(distance), float(p)]
    return out


def percent(x, groups, pairs):
    r = np.corrcoef(x.astype(np.float64))
    out = {}
    for name, members in groups.items():
        values = [r[a, b] for i, a in enumerate(members) for b in members[i + 1:] if pairs(a, b)]
        if values:
            out[name] = float(np.median(values))
    return out


def enrichment(x, related):
    sim = cosine(x)
    a, b = np.triu_indices(len(x), 1)
    s, rel = sim[a, b], related[a, b]
    wanted = 0.01 * len(s)
    order = np.argsort(-s, kind="stable")
    whole, rest = int(wanted), wanted - int(wanted)
    above = np.zeros(len(s))
    above[order[:whole]] = 1
    above[order[whole]] = rest
    t = [above[rel].sum(), rel.sum() - above[rel].sum(), above[~rel].sum(), (~rel).sum() - above[~rel].sum()]
    rounded_table = [int(round(v)) for v in t]
    return {"table": [float(v) for v in t], "p": float(stats.fisher_exact([rounded_table[:2], rounded_table[2:]], alternative="greater")[1])}


def magnitude(x, xc, compound):
    mean = lambda a, b: pairwise_distances(a.astype(np.float64), b.astype(np.float64)).mean()
    return {name: float(2 * mean(x[compound == name], xc) - mean(x[compound == name], x[compound == name]) - mean(xc, xc))
            for name in sorted(set(compound)) if (compound == name).sum() >= 5 and 2 * (compound == name).sum() < len(xc)}


def consistency(x, compound):
    sim, out = cosine(x), {}
    for name in sorted(set(compound)):
        at = np.flatnonzero(compound == name)
        if len(at) > 1:
            out[name] = float(sim[np.ix_(at, at)][np.triu_indices(len(at), 1)].mean())
    return out


def centroids(x, compound, unit):
    keys = sorted({(u, c) for u, c in zip(unit, compound)})
    return keys, np.array([x[(unit == u) & (compound == c)].astype(np.float64).mean(0) for u, c in keys]).astype(np.float32)


def distributions(x, compound, unit):
    keys, mean = centroids(x, compound, unit)
    sim, same, other = cosine(mean), [], []
    for i, (u, c) in enumerate(keys):
        for j, (v, d) in enumerate(keys[:i]):
            if u != v:
                (same if c == d else other).append(sim[i, j])
    t = stats.cramervonmises_2samp(same, other).statistic
    return {"n": [len(same), len(other)], "ks": float(stats.ks_2samp(same, other).statistic), "cvm": float(t)}


def sources(x, compound, label, source):
    keys, mean = centroids(x, compound, source)
    names = sorted(set(source))
    of = {s: [i for i, key in enumerate(keys) if key[0] == s] for s in names}
    labels = {c: set(l.split("|")) for c, l in zip(compound, label)}
    sim, retrieval, cka, mantel = cosine(mean), {}, {}, {}
    for a in names:
        for b in names:
            if a == b:
                continue
            ranks, aps = [], []
            for i in of[a]:
                line = sorted(of[b], key=lambda j: -sim[i, j])
                place = [r for r, j in enumerate(line, 1) if keys[j][1] == keys[i][1]]
                if place and len(line) > 1:
                    ranks.append(place[0])
                others = [j for j in line if keys[j][1] != keys[i][1]]
                hits = np.array([bool(labels[keys[j][1]] & labels[keys[i][1]]) for j in others])
                if 0 < hits.sum() < len(hits):
                    where = np.flatnonzero(hits) + 1
                    ap, mu = (np.arange(1, len(where) + 1) / where).mean(), expected_ap(int(hits.sum()), int((~hits).sum()))
                    aps.append(max(-1.0, (ap - mu) / (1 - mu)))
            ranks = np.array(ranks)
            if len(ranks):
                retrieval[f"{a} > {b}"] = [float((ranks <= k).mean()) for k in (1, 5, 10)] + [float((1 / ranks).mean()), float(np.mean(aps)) if aps else None]
            if a < b:
                shared = sorted({keys[i][1] for i in of[a]} & {keys[i][1] for i in of[b]})
                if len(shared) < 4:
                    continue
                A, B = (np.array([mean[keys.index((s, c))] for c in shared], dtype=float) for s in (a, b))
                up = np.triu_indices(len(shared), 1)
                ra, rb = stats.rankdata((1 - cosine(A))[up]), stats.rankdata((1 - cosine(B))[up])
                square = np.zeros((len(shared),) * 2)
                square[up] = rb
                square += square.T
                g, observed = np.random.default_rng(0), np.corrcoef(ra, rb)[0, 1]
                draws = [np.corrcoef(ra, square[np.ix_(o, o)][up])[0, 1] for o in (g.permutation(len(shared)) for _ in range(2000))]
                mantel[f"{a} - {b}"] = [float(observed), float((1 + np.sum(np.array(draws) >= observed - 1e-12)) / 2001)]
                A, B = A - A.mean(0), B - B.mean(0)
                cka[f"{a} - {b}"] = float(np.linalg.norm(A.T @ B) ** 2 / (np.linalg.norm(A.T @ A) * np.linalg.norm(B.T @ B)))
    return {"retrieval": retrieval, "cka": cka, "mantel": mantel}


def unit_cka(x, unit):
    X, Y = x.astype(np.float64), (unit[:, None] == np.array(sorted(set(unit)))[None]).astype(float)
    X, Y = X - X.mean(0), Y - Y.mean(0)
    return float(np.linalg.norm(X.T @ Y) ** 2 / (np.linalg.norm(X.T @ X) * np.linalg.norm(Y.T @ Y)))


def known(x, compound):
    names = list(dict.fromkeys(compound))
    mean = np.array([x[compound == c].astype(np.float64).mean(0) for c in names]).astype(np.float32)
    sim = cosine(mean)
    up = np.triu_indices(len(names), 1)
    g = np.random.default_rng(1)
    chosen = g.choice(len(up[0]), min(20, len(up[0]) // 2), replace=False)
    listed = [(names[up[0][i]], names[up[1][i]]) for i in chosen]
    s = np.sort(sim[up])

    def above(values, share):
        wanted = share * len(values)
        order = np.sort(values)[::-1]
        return order[int(wanted)], wanted - int(wanted)  # the value that counts in part

    def counted(value, values, share):
        cut, part = above(values, share)
        return 1.0 if value > cut else part if value == cut else 0.0

    all_values = sim[up]
    similar = float(np.mean([counted(all_values[i], all_values, 0.05) for i in chosen]))
    opposite = float(np.mean([counted(-all_values[i], -all_values, 0.05) for i in chosen]))
    return {"pairs": [[b, a] if i % 2 else [a, b] for i, (a, b) in enumerate(listed)] + [["nobody", listed[0][0]]],
            "similar": similar, "opposite": opposite}


def case(name, rows, controls):
    x, xc = rounded([r["x"] for r in rows]), rounded([r["x"] for r in controls])
    label, compound, source, batch = (np.array([r[c] for r in rows]) for c in ["label", "compound", "source", "batch"])
    codes = pd.Categorical(label).codes
    k = min(90, len(x))
    index, distance = neighbours(x, k)
    nn = NeighborsResults(indices=index, distances=distance)
    near = index[:, 1:51]
    own = (batch[near] == batch[:, None]).sum(1)
    kni = []
    for i in range(len(x)):
        votes = np.bincount(codes[near[i]][batch[near[i]] != batch[i]], minlength=codes.max() + 1)
        won = votes == votes.max()
        kni.append(float(won[codes[i]] / won.sum()) if own[i] < 0.8 * near.shape[1] else 0.0)
    entries = min(25, len(x))
    ksim = (((codes[index[:, :entries]] == codes[:, None]).sum(1) / entries) >= 0.9).mean()
    wells = {c: list(np.flatnonzero(compound == c)) for c in sorted(set(compound))}
    names = list(dict.fromkeys(compound))
    consensus = np.array([np.median(x[compound == c].astype(np.float64), axis=0) for c in names]).astype(np.float32)
    sets = [set(label[compound == c][0].split("|")) for c in names]
    matching = {l: [i for i, s in enumerate(sets) if l in s] for l in sorted(set().union(*sets))}
    label_sets = [set(l.split("|")) for l in label]
    share = np.array([[bool(a & b) for b in label_sets] for a in label_sets])
    out = {
        "asw_cosine": float((silhouette_samples(x.astype(np.float64), label, metric="cosine").mean() + 1) / 2),
        "asw_euclidean": float((silhouette_samples(x.astype(np.float64), label).mean() + 1) / 2),
        "isolated_labels": float(scib_metrics.isolated_labels(x, label, batch)),
        "clisi": float(scib_metrics.clisi_knn(nn, label)),
        "kni": float(np.mean(kni)), "ksim": float(ksim), "clusters": clusters(rows, x, label),
        "map": maps(rows, controls, x, xc), "nearest": nearest(x, compound), "grit": grit(x, xc, compound),
        "mp_value": mp_value(x, xc, compound), "replicating": percent(x, wells, lambda a, b: True),
        "matching": percent(consensus, matching, lambda a, b: True),
        "enrichment": enrichment(x, compound[:, None] == compound),
        "magnitude": magnitude(x, xc, compound), "consistency": consistency(x, compound),
        "cross_batch": distributions(x, compound, batch), "sources": sources(x, compound, label, source),
        "cka_unit": unit_cka(x, batch), "known": known(x, compound),
    }
    columns = {c: [r[c] for r in rows] for c in COLUMNS}
    control_columns = {c: [r[c] for r in controls] for c in COLUMNS[2:]}
    return {"name": name, "dims": x.shape[1], "x": [float(f"{v:.5g}") for v in x.ravel()], "columns": columns,
            "controls": [float(f"{v:.5g}") for v in xc.ravel()], "control_columns": control_columns, "values": out}


def small():
    g = np.random.default_rng(2)
    p = np.round(g.uniform(0, 1, 40) ** 3, 4)
    p[5] = p[6]
    group = g.integers(0, 9, 40)
    table = apply_hierarchical_fdr_correction(pd.DataFrame({"g": group, "t": range(40), "p_value": p}), ["g"], ["g", "t"])
    a, b = g.integers(0, 4, 60), g.integers(0, 6, 60)
    x, y = np.round(g.normal(0, 1, 35), 1), np.round(g.normal(0.3, 1.2, 50), 1)
    fisher = [[3, 7, 12, 90], [40, 3, 2, 80], [0, 5, 9, 11], [300, 700, 4000, 30000], [1, 1, 1, 1]]
    return {
        "fdr": {"p": p.tolist(), "group": group.tolist(), "bh": multipletests(p, method="fdr_bh")[1].tolist(),
                "hierarchical": table.sort_values("t").corrected_p_value.tolist()},
        "agreement": {"a": a.tolist(), "b": b.tolist(), "nmi": normalized_mutual_info_score(a, b), "ari": adjusted_rand_score(a, b)},
        "apart": {"x": x.tolist(), "y": y.tolist(), "ks": stats.ks_2samp(x, y).statistic, "cvm": stats.cramervonmises_2samp(x, y).statistic},
        "fisher": [{"table": t, "p": stats.fisher_exact([t[:2], t[2:]], alternative="greater")[1]} for t in fisher],
        "expected_ap": [[m, n, expected_ap(m, n)] for m, n in [(1, 1), (3, 24), (2, 500), (40, 4000)]],
        "spearman_ranks": stats.rankdata(x).tolist(),
    }


def main():
    cases = [case("generated", *generated()), case("real", *real(sys.argv[1])), case("ugly", *ugly())]
    packages = ["copairs", "scib-metrics", "scikit-learn", "scipy", "statsmodels", "igraph", "umap-learn", "cytominer-eval", "numpy", "pandas"]
    text = json.dumps({"versions": {p: version(p) for p in packages}, "small": small(), "cases": cases}, separators=(",", ":"))
    Path(__file__).parent.parent.joinpath("eval_biology.json").write_text(text + "\n")
    print(len(text))


if __name__ == "__main__":
    main()
