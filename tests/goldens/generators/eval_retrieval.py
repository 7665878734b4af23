"""Golden numbers of cross-modal retrieval (`bench-eval/src/retrieval`).

Run: python tests/goldens/generators/eval_retrieval.py > tests/goldens/eval_retrieval.json
Versions and seed are in the output. Tolerance 1e-12: the same definitions in f64.

One gallery of all compounds, all their images. Similarities in f64 by NumPy. Two kinds of cases:
- `random`: no ties. AP and nDCG from scikit-learn, the rest from the sorted order.
- `tied`: entries -1, 0, 1. Ties are found in exact rational arithmetic, and every metric is the plain one
  (of an order without ties) averaged over all placements of the relevant candidates within their ties,
  in rational arithmetic or, for nDCG, by scikit-learn's own average over ties.
Candidates of another compound with the same identity are left out. Queries of a compound are averaged, then
compounds; the median repeats each query so that compounds weigh the same.
"""

import itertools
import json
from fractions import Fraction
from math import lcm

import numpy as np
import sklearn
from sklearn.metrics import average_precision_score, ndcg_score

SEED = 20260401
rng = np.random.default_rng(SEED)
DEPTHS = [1, 2, 3, 5]


def plain(order, k_max):
    """Metrics of one order: a list of 0/1, the most similar candidate first."""
    n, p = len(order), sum(order)
    first = order.index(1) + 1
    out = {"mrr": Fraction(1, first), "mean-rank": Fraction(first)}
    hits, precision = 0, Fraction(0)
    for rank, relevant in enumerate(order, 1):
        if relevant:
            hits += 1
            precision += Fraction(hits, rank)
    out["map"] = precision / p
    for k in DEPTHS:
        top = sum(order[:k])
        out[f"hit-rate@{k}"] = Fraction(int(top > 0))
        out[f"precision@{k}"] = Fraction(top, k)
        out[f"recall@{k}"] = Fraction(top, p)
        out[f"fall-out@{k}"] = Fraction(k - top, n - p)
    return out


def orders(similarity, relevant):
    """All orders that differ in where relevant candidates stand among their ties."""
    levels = sorted(set(similarity), reverse=True)
    choices = []
    for level in levels:
        members = [r for s, r in zip(similarity, relevant) if s == level]
        t, p = len(members), sum(members)
        choices.append([[int(i in c) for i in range(t)] for c in itertools.combinations(range(t), p)])
    for parts in itertools.product(*choices):
        yield list(itertools.chain(*parts))


def query(similarity, relevant, tied):
    """Expected and pessimistic metrics of a query, and the best and worst rank of its first relevant candidate."""
    rel = [int(r) for r in relevant]
    if tied:
        expected, count = {}, 0
        # The last order in which combinations come has the relevant ones behind.
        for order in orders(similarity, rel):
            last = plain(order, len(rel))
            count += 1
            for key, value in last.items():
                expected[key] = expected.get(key, 0) + value
        expected = {key: value / count for key, value in expected.items()}
        pessimistic = last
    else:
        assert len(set(similarity)) == len(similarity)
        order = [r for _, r in sorted(zip(similarity, rel), reverse=True)]
        expected = pessimistic = plain(order, len(rel))
    expected = {key: float(value) for key, value in expected.items()}
    if not tied:
        expected["map"] = float(average_precision_score(rel, similarity))
    y = np.array([rel], float)
    # Ranks of the exact similarities, so that scikit-learn sees the ties.
    levels = sorted(set(similarity))
    scores = np.array([[levels.index(s) for s in similarity]], float)
    expected["ndcg"] = float(ndcg_score(y, scores))
    for k in DEPTHS:
        expected[f"ndcg@{k}"] = float(ndcg_score(y, scores, k=k))
    best = 1 + sum(s > max(e for e, r in zip(similarity, rel) if r) for s in similarity)
    return expected, {key: float(value) for key, value in pessimistic.items()}, best, int(pessimistic["mean-rank"])


def exact_similarity(kind, a, b):
    a, b = [int(x) for x in a], [int(x) for x in b]
    dot = sum(x * y for x, y in zip(a, b))
    if kind == "dot":
        return Fraction(dot)
    if kind == "euclidean":
        return Fraction(-sum((x - y) ** 2 for x, y in zip(a, b)))
    lengths = sum(x * x for x in a) * sum(y * y for y in b)
    return Fraction(0) if lengths == 0 else (1 if dot > 0 else -1) * Fraction(dot * dot, lengths)


def float_similarity(kind, a, b):
    if kind == "dot":
        return float(a @ b)
    if kind == "euclidean":
        return -float(np.linalg.norm(a - b))
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def case(name, molecules, images, compound, identity, tied):
    stored = {"name": name, "molecules": molecules.ravel().tolist(), "images": images.ravel().tolist(),
              "dims": molecules.shape[1], "compound": compound, "identity": identity, "results": []}
    count = len(molecules)
    for kind in ("cosine", "dot", "euclidean"):
        for direction in ("image-to-molecule", "molecule-to-image"):
            if direction == "image-to-molecule":
                asking, ranked, of_query, of_candidate = images, molecules, compound, list(range(count))
            else:
                asking, ranked, of_query, of_candidate = molecules, images, list(range(count)), compound
            answers, best, worst = [], [], []
            for q, c in enumerate(of_query):
                kept = [i for i, d in enumerate(of_candidate) if d == c or identity[d] != identity[c]]
                similar = exact_similarity if tied else float_similarity
                scores = [similar(kind, asking[q].astype(float), ranked[i].astype(float)) for i in kept]
                answer = query(scores, [of_candidate[i] == c for i in kept], tied)
                answers.append(answer)
                best.append(answer[2])
                worst.append(answer[3])
            result = {"similarity": kind, "direction": direction, "best": best, "worst": worst}
            for at, ties in enumerate(("expected", "pessimistic")):
                values = {}
                for key in answers[0][at]:
                    of = [[a[at][key] for a, d in zip(answers, of_query) if d == c] for c in range(count)]
                    values[key] = float(np.mean([np.mean(v) for v in of]))
                    if key == "mean-rank":
                        common = lcm(*(len(v) for v in of))
                        repeated = [v for vs in of for v in vs for _ in range(common // len(vs))]
                        values["median-rank"] = float(np.median(repeated))
                result[ties] = values
            stored["results"].append(result)
    return stored


def random_case():
    count, dims = 20, 7
    compound = sorted(list(range(count)) + rng.integers(0, count, 24).tolist())
    molecules = rng.normal(size=(count, dims)).round(3).astype(np.float32)
    images = (0.6 * molecules[compound] + rng.normal(size=(len(compound), dims))).round(3).astype(np.float32)
    identity = [f"I{max(0, i - 1) if i in (1, 8, 9) else i}" for i in range(count)]
    return case("random", molecules, images, compound, identity, False)


def tied_case(name, count, per_compound, dims):
    compound = sorted(list(range(count)) * per_compound)
    molecules = rng.integers(-1, 2, size=(count, dims)).astype(np.float32)
    images = rng.integers(-1, 2, size=(len(compound), dims)).astype(np.float32)
    identity = [f"I{min(i, count - 2)}" for i in range(count)]
    return case(name, molecules, images, compound, identity, True)


def main():
    cases = [random_case(), tied_case("tied", 9, 1, 3), tied_case("tied, several images", 7, 3, 2)]
    ones = case("constant", np.ones((8, 2), np.float32), np.ones((16, 2), np.float32),
                sorted(list(range(8)) * 2), [f"I{i}" for i in range(8)], True)
    print(json.dumps({"generator": "eval_retrieval.py", "seed": SEED, "tolerance": 1e-12,
                      "versions": {"numpy": np.__version__, "scikit-learn": sklearn.__version__},
                      "cases": cases + [ones]}))


main()
