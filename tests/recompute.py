#!/usr/bin/env python3
"""Recomputes the numbers of a run from the files beside its record, without a line of the program.

usage: recompute.py RUN [--no-retrieval]
Needs numpy, scikit-learn and pyarrow. Exit code 1 if a number is beyond its tolerance or none of a kind was found.

Read are `embeddings/` (features, labels, where rows come from), `splits.parquet` (who trains, who is tested),
`retrieval/` (embeddings of both sides, and `queries-*.csv` for who was asked among whom) and, of the record, the
configuration. Compared are `scores.csv` and the record. Definitions: benchmarks/METHODOLOGY.md and `bench show`.

Tolerances
- kNN and everything made of it: 1e-9. Votes are counts, so only the order of sums may differ. Distances that differ
  by less than 2^-40 are equal by definition and tie; ties are resolved by expectation.
- logistic regression: both sides stop near the same optimum, and a row whose best two classes are nearly as likely may
  be decided either way: one row per test set. AUC 0.005, losses 0.5 per cent.
- source, batch, plate and position by logistic regression: the program stops that fit early by design, so rows near
  a border may differ: two rows, or one per cent of the rows where that is more.
- retrieval: levels of every query exactly, metrics 1e-9.

Not recomputed: the controls `noise` and `shuffled-labels`, intervals and tests (they depend on the program's random
draws), and batch probes of tables so large that they are thinned. Folds of batch probes and of transfer within a source
are not stored; they are drawn again here, by the published generator (Philox4x32-10) and the rule in the sources.
"""

import argparse
import collections
import csv
import hashlib
import itertools
import json
import math
import pathlib
import statistics
import sys
import warnings

import numpy as np
import pyarrow.parquet as parquet
from scipy.stats import rankdata
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

EXACT = 1e-9
ROWS = 1
SMOOTH = 5e-3
# Of several rows with equal distances to within this, none is nearer.
STEP = 2.0**-40
# Batch probes: strength of the penalty for so many rows, and rows beyond which tables are thinned.
BATCH_C = lambda rows: min(max(4 / rows, 0.01), 1.0)  # noqa: E731
MOST_BATCH_ROWS = {"logreg": 4000, "knn": 6000}
SUMMARIES = "means, spreads, G, G*, gap, "
SCORES = [
    "accuracy: kNN",
    "accuracy: kNN, controls",
    "accuracy: logistic regression",
    "other metrics: kNN",
    "AUC and losses: logistic regression",
    SUMMARIES + "from scores.csv",
    SUMMARIES + "recomputed: kNN",
    SUMMARIES + "recomputed: logistic regression",
    "source to source: kNN",
    "source to source: logistic regression",
    "batch probes: kNN",
    "batch probes: logistic regression",
    "batch probes: corrected for chance",
    "confounding",
]
RETRIEVAL = ["retrieval: levels of queries", "retrieval: values", "retrieval: chance, corrected, spreads",
             "retrieval: a random ranking"]


class Ledger:
    """What was compared, by kind."""

    def __init__(self, kinds):
        self.count = dict.fromkeys(kinds, 0)
        self.largest = dict.fromkeys(kinds, 0.0)
        self.share = dict.fromkeys(kinds, 0.0)
        self.wrong = []

    def compare(self, kind, own, stored, tolerance, *where):
        difference = abs(own - stored) if own is not None and stored is not None else math.inf
        if math.isnan(difference):
            difference = math.inf
        if difference > tolerance:
            self.wrong.append(f"{kind}: {' / '.join(map(str, where))}: stored {stored}, recomputed {own}")
        self.count[kind] += 1
        self.largest[kind] = max(self.largest[kind], difference)
        self.share[kind] = max(self.share[kind], difference / tolerance)

    def close(self):
        """Prints the table, then what is wrong; the exit code."""
        width = max(map(len, self.count))
        print(f"{'kind':{width}}  {'compared':>8}  {'largest difference':>18}  {'of its tolerance':>16}")
        for kind, count in self.count.items():
            print(f"{kind:{width}}  {count:8}  {self.largest[kind]:18.1e}  {self.share[kind]:15.1%}", flush=True)
        missing = [kind for kind, count in self.count.items() if count == 0]
        for line in self.wrong[:20]:
            print(f"error: {line}", file=sys.stderr)
        if len(self.wrong) > 20:
            print(f"error: and {len(self.wrong) - 20} more", file=sys.stderr)
        for kind in missing:
            print(f"error: nothing was compared of `{kind}`", file=sys.stderr)
        return 1 if self.wrong or missing else 0


class Table:
    """One model's stored embeddings."""

    def __init__(self, path):
        table = parquet.read_table(path)
        names = table.column_names
        first = names.index("Metadata_file_row") + 1
        text = {name[len("Metadata_"):]: table.column(name).to_pylist() for name in names[:first]}
        control = np.array(text.pop("control")) != "trt"
        self.file_row = np.array(text.pop("file_row"))[~control]
        features = np.column_stack([table.column(name).to_numpy() for name in names[first:]]).astype(np.float64)
        self.features, self.control_features = features[~control], features[control]
        columns = {name: np.array(values, dtype=str) for name, values in text.items()}
        self.label = columns.pop("label")[~control]
        self.units = units({name: values[~control] for name, values in columns.items()})
        self.control_units = units({name: values[control] for name, values in columns.items()})
        self.classes, self.truth = np.unique(self.label, return_inverse=True)


def units(columns):
    """Names of units; a batch is one only within its source, and so on."""
    named, outer = {}, None
    for name, column in [("source", "Source"), ("batch", "Batch"), ("plate", "Plate"), ("well", "Well")]:
        if column in columns:
            outer = columns[column] if outer is None else np.char.add(np.char.add(outer, "/"), columns[column])
            named[name] = outer
    for name, column in [("position", "Well"), ("compound", "Compound")]:
        if column in columns:
            named[name] = columns[column]
    return named


def main():
    arguments = argparse.ArgumentParser(description="Recomputes the numbers of a run.")
    arguments.add_argument("run", type=pathlib.Path)
    arguments.add_argument("--no-retrieval", action="store_true", help="the run has no retrieval")
    arguments = arguments.parse_args()
    run = arguments.run
    record = json.loads((run / "record.json").read_text())
    settings = Settings(record)
    ledger = Ledger(SCORES + ([] if arguments.no_retrieval else RETRIEVAL))
    models = [model["name"] for model in record["models"] if model["kind"] == "model"]
    tables = {name: Table(run / "embeddings" / f"{name}.parquet") for name in models}
    folds = read_folds(run / "splits.parquet", tables[models[0]])
    pooled = {(split["protocol"], split["split"]): split["pooled"] for split in record["splits"]}
    scores = Scores(run / "scores.csv")
    own = check_scores(ledger, settings, tables, folds, pooled, scores)
    check_summaries(ledger, record, tables[models[0]], scores, own)
    check_transfer(ledger, record, settings, tables)
    check_batch_probes(ledger, record, settings, tables)
    check_confounding(ledger, record, tables[models[0]])
    if not arguments.no_retrieval:
        check_retrieval(ledger, run, record)
    return ledger.close()


class Settings:
    """The configuration as the record has it."""

    def __init__(self, record):
        of = {setting["key"]: setting["value"] for setting in record["settings"]}
        self.probes = json.loads(of["probes.ids"])
        self.standardised = {probe: json.loads(of[f"probes.{probe}-standardise"]) for probe in ["logreg", "knn"]}
        self.c = float(of["probes.logreg.c"])
        self.k = int(of["probes.knn.k"])
        self.seed = record["seed"]
        supported = of["probes.knn.metric"] == "cosine" and of["probes.knn.ties"] == "expected"
        if not supported:
            sys.exit("error: only the cosine and ties by expectation are recomputed here")

    def fit(self, probe, protocol, features, truth, classes, train, test):
        """Decisions and probabilities of the tested rows."""
        if protocol in self.standardised[probe]:
            features = StandardScaler().fit(features[train]).transform(features)
        if probe == "knn":
            return neighbours(features, truth, classes, train, test, self.k)
        return logistic(features, truth, classes, train, test, self.c)


# Probes


def logistic(features, truth, classes, train, test, c):
    seen = np.unique(truth[train])
    probability = np.zeros((len(test), classes))
    if len(seen) == 1:
        probability[:, seen[0]] = 1.0
    else:
        model = LogisticRegression(C=c, solver="lbfgs", tol=1e-8, max_iter=100_000)
        model.fit(features[train], truth[train])
        probability[:, model.classes_] = model.predict_proba(features[test])
    decision = np.zeros_like(probability)
    decision[np.arange(len(test)), probability.argmax(axis=1)] = 1.0
    return decision, probability


def neighbours(features, truth, classes, train, test, k):
    length = np.linalg.norm(features, axis=1, keepdims=True)
    unit = np.divide(features, length, out=np.zeros_like(features), where=length > 0)
    distance = np.round((1.0 - unit[test] @ unit[train].T) / STEP)
    voters = min(k, len(train))
    boundary = np.partition(distance, voters - 1, axis=1)[:, voters - 1 : voters]
    one_hot = np.eye(classes, dtype=int)[truth[train]]
    certain, tied = (distance < boundary) @ one_hot, (distance == boundary) @ one_hot
    votes = [vote(tuple(a.tolist()), tuple(t.tolist()), voters) for a, t in zip(certain, tied)]
    return np.array([decision for decision, _ in votes]), np.array([share for _, share in votes])


VOTES = {}


def vote(certain, tied, voters):
    """Mean decision and shares over all ways to draw the last voters from the tied rows."""
    key = (certain, tied, voters)
    if key not in VOTES:
        classes, open_places = len(certain), voters - sum(certain)
        decision, share = np.zeros(classes), np.zeros(classes)
        ways = math.comb(sum(tied), open_places)
        candidates = [c for c in range(classes) if tied[c] > 0]
        for drawn in itertools.combinations_with_replacement(candidates, open_places):
            counts = collections.Counter(drawn)
            weight = math.prod(math.comb(tied[c], n) for c, n in counts.items()) / ways
            total = np.array([certain[c] + counts[c] for c in range(classes)])
            winners = total == total.max()
            decision += weight * winners / winners.sum()
            share += weight * total / voters
        VOTES[key] = decision, share
    return VOTES[key]


# Scores of the label task


def read_folds(path, table):
    """Positions of the training and tested rows, by (protocol, split) and repeat."""
    position = {row: at for at, row in enumerate(table.file_row.tolist())}
    columns = parquet.read_table(path).to_pydict()
    folds = collections.defaultdict(lambda: collections.defaultdict(lambda: {"train": [], "test": []}))
    names = ["protocol", "split", "repeat", "row", "role"]
    for protocol, split, repeat, row, role in zip(*(columns[name] for name in names)):
        folds[protocol, split][repeat][role].append(position[row])
    for of in folds.values():
        for fold in of.values():
            fold.update({role: np.array(sorted(rows)) for role, rows in fold.items()})
    return folds


class Scores:
    """Raw scores by (model, protocol, split, probe, metric, repeat)."""

    def __init__(self, path):
        self.value, self.least_tested = {}, {}
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                model, protocol, split, probe = (row[name] for name in ["model", "protocol", "split", "probe"])
                key = (model, protocol, split, probe, row["metric"], int(row["repeat"]))
                self.value[key] = float(row["value"]) if row["value"] else None
                cell, tested = (model, protocol, split, probe), int(row["n_test"])
                self.least_tested[cell] = min(tested, self.least_tested.get(cell, tested))


def check_scores(ledger, settings, tables, folds, pooled, scores):
    """Compares every raw score that can be recomputed, and returns all of them."""
    own = {}
    first = next(iter(tables.values()))
    for name, probe in itertools.product(tables, settings.probes):
        table = tables[name]
        for (protocol, split, repeat), predicted in evaluations(settings, probe, table.features, table, folds, pooled):
            for metric, value in values_of(probe, *predicted).items():
                key = (name, protocol, split, probe, metric, repeat)
                if key in scores.value:
                    own[key] = value
                    compare_score(ledger, key, value, scores.value[key], len(predicted[2]))
    for key, value in scores.value.items():
        if key[0] in tables and key[4] == "accuracy" and value is not None and key not in own:
            ledger.wrong.append(f"{' / '.join(map(str, key))}: no stored fold gives this score")
    controls = {"constant": np.ones((len(first.label), 1)), "one-hot-label": np.eye(len(first.classes))[first.truth]}
    if "source" in first.units:
        names, codes = np.unique(first.units["source"], return_inverse=True)
        controls["one-hot-source"] = np.eye(len(names))[codes]
    for name, features in controls.items():
        for (protocol, split, repeat), predicted in evaluations(settings, "knn", features, first, folds, pooled):
            key = (name, protocol, split, "knn", "accuracy", repeat)
            if scores.value.get(key) is not None:
                own[key] = right(predicted[0], predicted[2]).mean()
                ledger.compare("accuracy: kNN, controls", own[key], scores.value[key], EXACT, *key)
    return own


def evaluations(settings, probe, features, table, folds, pooled):
    """Decisions, probabilities and answers of every fold, or of all folds of a split where they are pooled."""
    for (protocol, split), of in folds.items():
        fitted = []
        for repeat, fold in sorted(of.items()):
            train, test = fold["train"], fold["test"]
            predicted = settings.fit(probe, protocol, features, table.truth, len(table.classes), train, test)
            fitted.append(((protocol, split, repeat), (*predicted, table.truth[test])))
        if pooled[protocol, split]:
            fitted = [((protocol, split, 0), tuple(map(np.concatenate, zip(*(part for _, part in fitted)))))]
        yield from fitted


def right(decision, truth):
    """Weight of the right decision of every row."""
    return decision[np.arange(len(truth)), truth]


def values_of(probe, decision, probability, truth):
    if probe == "knn":
        return graded(probability, truth) | decided(decision, truth)
    return graded(probability, truth) | {"accuracy": right(decision, truth).mean()}


def compare_score(ledger, key, own, stored, n_test):
    if own is None and stored is None:
        return
    probe, metric = key[3:5]
    if probe == "knn":
        ledger.compare("accuracy: kNN" if metric == "accuracy" else "other metrics: kNN", own, stored, EXACT, *key)
    elif metric == "accuracy":
        ledger.compare("accuracy: logistic regression", own, stored, ROWS / n_test + EXACT, *key)
    else:
        tolerance = SMOOTH * max(1.0, own or 0.0)
        ledger.compare("AUC and losses: logistic regression", own, stored, tolerance, *key)


def decided(decision, truth):
    """Metrics of decisions; a divided decision is a row for each class, with its weight."""
    row, predicted = np.nonzero(decision)
    weight, expected = decision[row, predicted], truth[row]
    values = {"accuracy": metrics.accuracy_score(expected, predicted, sample_weight=weight)}
    with warnings.catch_warnings():
        # A decision for a class without test rows is no fault.
        warnings.simplefilter("ignore", UserWarning)
        values["balanced-accuracy"] = metrics.balanced_accuracy_score(expected, predicted, sample_weight=weight)
        for average in ["macro", "weighted"]:
            three = metrics.precision_recall_fscore_support(
                expected, predicted, average=average, sample_weight=weight, zero_division=0
            )
            values |= {f"{name}-{average}": value for name, value in zip(["precision", "recall", "f1"], three)}
        values["mcc"] = metrics.matthews_corrcoef(expected, predicted, sample_weight=weight)
    return values


def graded(probability, truth):
    """Metrics of probabilities."""
    one_hot = np.eye(probability.shape[1])[truth]
    own = one_hot.sum(axis=0)
    others = len(truth) - own
    # Mann-Whitney, one class against the rest; undefined without rows of a class, or of others.
    sums = (rankdata(probability, axis=0) * one_hot).sum(axis=0)
    defined = (own * others > 0).all()
    return {
        "roc-auc": ((sums - own * (own + 1) / 2) / (own * others)).mean() if defined else None,
        "log-loss": -np.log(np.maximum(probability[np.arange(len(truth)), truth], 1e-15)).mean(),
        "brier": ((probability - one_hot) ** 2).sum(axis=1).mean(),
    }


def check_summaries(ledger, record, table, scores, own):
    """Means, spreads and what is left of accuracy, from the stored scores and from those recomputed here."""
    counts = np.bincount(table.truth)
    guess = max(1 / len(counts), counts.max() / counts.sum())
    for kind, source in [("from scores.csv", scores.value), ("recomputed", own)]:
        cells = collections.defaultdict(list)
        for key, value in source.items():
            if value is not None:
                cells[key[:-1]].append(value)
        for row in record["summaries"]:
            of, probe = (row["model"], row["protocol"]), row["probe"]
            quantity, split = row["quantity"], row["split"]
            relative = quantity in ["g", "g-star", "gap"]
            values = cells[(*of, split, probe, "accuracy" if relative else quantity)]
            if row["value"] is None or not values:
                continue
            tolerance = dict.fromkeys(["value", "sd", "min", "max"], EXACT)
            accuracy, random, random_split = statistics.fmean(values), None, baseline(record, of[1])
            if relative:
                random = statistics.fmean(cells[(*of, random_split, probe, "accuracy")])
                values = [against(quantity, value, random, guess) for value in values]
            if probe == "logreg" and kind == "recomputed":
                if not relative and quantity != "accuracy":
                    continue
                splits = [split, random_split] if relative else [split]
                rows = [ROWS / scores.least_tested[(*of, split, probe)] for split in splits]
                tolerance = {"value": slack(quantity, accuracy, random, guess, rows)}
            found = {"value": statistics.fmean(values), "min": min(values), "max": max(values)}
            if len(values) > 1:
                found["sd"] = statistics.stdev(values)
            name = {"knn": "kNN", "logreg": "logistic regression"}[probe]
            kind_of_row = SUMMARIES + kind + (f": {name}" if kind == "recomputed" else "")
            for part in found.keys() & tolerance.keys():
                ledger.compare(kind_of_row, found[part], row[part], tolerance[part], *of, split, probe, quantity, part)


def baseline(record, protocol):
    """The split that stands for random."""
    names = [split["split"] for split in record["splits"] if split["protocol"] == protocol]
    return next((name for name in names if name.lower().startswith(("random", "hashed"))), None)


def against(quantity, accuracy, random, guess):
    if quantity == "g":
        return accuracy / random
    return (accuracy - guess) / (random - guess) if quantity == "g-star" else random - accuracy


def slack(quantity, accuracy, random, guess, rows):
    """How far a summary may move where each accuracy moves by its share of `rows`."""
    if quantity not in ["g", "g-star", "gap"]:
        return rows[0] + EXACT
    if quantity == "gap":
        return sum(rows) + EXACT
    least = (guess if quantity == "g-star" else 0.0) + 1e-6
    middle, corners = against(quantity, accuracy, random, guess), itertools.product([-1, 1], [-1, 1])
    moved = ((accuracy + a * rows[0], max(random + b * rows[1], least)) for a, b in corners)
    return max(abs(against(quantity, *pair, guess) - middle) for pair in moved) + EXACT


# Source to source, and reading the origin


def check_transfer(ledger, record, settings, tables):
    for name, table in tables.items():
        if "source" not in table.units:
            continue
        source = table.units["source"]
        order = list(dict.fromkeys(source.tolist()))
        for cell in (cell for cell in record["transfer"] if cell["model"] == name and cell["accuracy"] is not None):
            probe = cell["probe"]
            train, test = (np.flatnonzero(source == cell[side]) for side in ["train", "test"])
            if cell["train"] == cell["test"]:
                seed = derive(settings.seed, "split/transfer", order.index(cell["train"]))
                strata = first_seen(table.label)
                folds = draw_folds(table.units.get("well", np.arange(len(source))), strata, seed, train)
            else:
                folds = [(train, test)]
            hits, tested = 0.0, 0
            for train, test in folds:
                classes = len(table.classes)
                decision, _ = settings.fit(probe, "strict", table.features, table.truth, classes, train, test)
                hits += right(decision, table.truth[test]).sum()
                tested += len(test)
            kind, tolerance = ("kNN", EXACT) if probe == "knn" else ("logistic regression", ROWS / tested + EXACT)
            where = (name, cell["train"], cell["test"])
            ledger.compare(f"source to source: {kind}", hits / tested, cell["accuracy"], tolerance, *where)


def check_batch_probes(ledger, record, settings, tables):
    for probed in record["batch_probes"]:
        table = tables.get(probed["model"])
        if table is None or probed["balanced_accuracy"] is None:
            continue
        treated = probed["rows"] == "treated"
        features, of = (table.features, table.units) if treated else (table.control_features, table.control_units)
        level = levels(of, probed["target"])
        well = of.get("well", np.arange(len(level)).astype(str))
        wells = {name: len(set(well[level == name])) for name in set(level.tolist())}
        kept = np.flatnonzero([wells[name] > 1 for name in level.tolist()])
        probe = probed["probe"]
        if len(kept) > MOST_BATCH_ROWS[probe]:
            continue
        names, truth = np.unique(level[kept], return_inverse=True)
        seed = derive(settings.seed, f"batch-probe/{probed['target']}/{probed['rows']}", 0)
        folds = draw_folds(well[kept], truth, derive(seed, "folds", 0), np.arange(len(kept)))
        hits = np.zeros(len(names))
        for train, test in folds:
            x = features[kept]
            if probe == "knn":
                decision, _ = neighbours(x, truth, len(names), train, test, settings.k)
            else:
                x = StandardScaler().fit(x[train]).transform(x)
                decision, _ = logistic(x, truth, len(names), train, test, BATCH_C(len(features)))
            np.add.at(hits, truth[test], right(decision, truth[test]))
        rows = np.bincount(truth)
        balanced, stored, chance = (hits / rows).mean(), probed["balanced_accuracy"], 1 / len(names)
        kind, tolerance = "kNN", EXACT
        if probe == "logreg":
            kind, tolerance = "logistic regression", max(2, 0.01 * len(kept)) / rows.min() / len(names) + EXACT
        where = (probed["model"], probed["target"], probed["rows"])
        ledger.compare(f"batch probes: {kind}", balanced, stored, tolerance, *where)
        corrected = (stored - chance) / (1 - chance)
        ledger.compare("batch probes: corrected for chance", corrected, probed["corrected"], EXACT, *where)


def levels(of, target):
    """Level of every row, as text whose order is the order of levels."""
    if not target.startswith("well-"):
        return of[target]
    places = np.array([place(name) for name in of["position"].tolist()])
    if target != "well-edge":
        column = ["well-row", "well-column"].index(target)
        return np.array([f"{value:02}" for value in places[:, column]])
    source = of.get("source", np.zeros(len(places)).astype(str))
    edge = np.empty(len(places), dtype="<U1")
    for name in set(source.tolist()):
        mine = source == name
        size = next(size for size in [(8, 12), (16, 24), (32, 48)] if (places[mine].max(axis=0) <= size).all())
        at_edge = (places[mine] == 1).any(axis=1) | (places[mine] == size).any(axis=1)
        edge[mine] = np.where(at_edge, "1", "0")
    return edge


def place(name):
    """Row and column of a well such as A01 or AF48."""
    letters = name.rstrip("0123456789")
    row = 0
    for letter in letters.upper():
        row = row * 26 + ord(letter) - ord("A") + 1
    return row, int(name[len(letters):])


def first_seen(values):
    number = {}
    return np.array([number.setdefault(value, len(number)) for value in values.tolist()])


def draw_folds(groups, strata, seed, rows):
    """Five folds that divide no group and spread every stratum: (training rows, tested rows)."""
    members = {}
    for row in rows.tolist():
        members.setdefault(groups[row], []).append(row)
    members = list(members.values())
    stream = Stream(seed)
    for i in range(len(members) - 1, 0, -1):
        j = stream.below(i + 1)
        members[i], members[j] = members[j], members[i]
    members.sort(key=lambda rows: (strata[rows[0]], -len(rows)))
    count = min(5, len(members))
    total, tested = [0] * count, [[] for _ in range(count)]
    for _, of_stratum in itertools.groupby(members, key=lambda rows: strata[rows[0]]):
        load = [0] * count
        for group in of_stratum:
            fold = min(range(count), key=lambda fold: (load[fold], total[fold], fold))
            load[fold] += len(group)
            total[fold] += len(group)
            tested[fold] += group
    return [(np.setdiff1d(rows, test), np.array(sorted(test))) for test in tested if test]


def derive(seed, purpose, index):
    """Seed of a choice: the first eight bytes of a digest over run seed, purpose and index."""
    text = purpose.encode()
    parts = [seed.to_bytes(8, "little"), len(text).to_bytes(8, "little"), text, index.to_bytes(8, "little")]
    return int.from_bytes(hashlib.sha256(b"".join(parts)).digest()[:8], "little")


class Stream:
    """Philox4x32-10 (Salmon et al. 2011), counting from zero."""

    def __init__(self, seed):
        self.seed, self.counter, self.words = seed, 0, []

    def word(self):
        if not self.words:
            mask = 2**32 - 1
            key = [self.seed & mask, self.seed >> 32]
            c = [self.counter >> 32 * i & mask for i in range(4)]
            for _ in range(10):
                a, b = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
                c = [b >> 32 ^ c[1] ^ key[0], b & mask, a >> 32 ^ c[3] ^ key[1], a & mask]
                key = [key[0] + 0x9E3779B9 & mask, key[1] + 0xBB67AE85 & mask]
            self.counter, self.words = self.counter + 1, c
        return self.words.pop(0)

    def below(self, bound):
        """Uniform below a bound, without bias (Lemire 2019)."""
        while True:
            low = self.word()
            product = (low | self.word() << 32) * bound
            if product % 2**64 >= 2**64 % bound:
                return product >> 64


def check_confounding(ledger, record, table):
    """Cramér's V, every well counted once."""
    named = {"label": table.label} | table.units
    well = table.units.get("well", np.arange(len(table.label)).astype(str))
    for pair in record["confounding"]["pairs"]:
        if pair["a"] not in named or pair["b"] not in named:
            continue
        a, b = named[pair["a"]], named[pair["b"]]
        once = sorted(set(zip(a.tolist(), b.tolist(), well.tolist())))
        counts = metrics.cluster.contingency_matrix([x for x, _, _ in once], [y for _, y, _ in once]).astype(float)
        n, (r, c) = counts.sum(), counts.shape
        expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
        phi2 = ((counts - expected) ** 2 / expected).sum() / n
        where = (pair["a"], pair["b"])
        # Squares: near zero the root turns the rounding of a sum into 1e-8.
        if pair["cramers_v"] is not None:
            ledger.compare("confounding", phi2 / (min(r, c) - 1), pair["cramers_v"] ** 2, EXACT, *where)
        if pair["cramers_v_corrected"] is not None:
            # Bergsma 2013.
            smaller = min(x - (x - 1) ** 2 / (n - 1) for x in (r, c)) - 1
            own = min(1.0, max(0.0, phi2 - (r - 1) * (c - 1) / (n - 1)) / smaller)
            ledger.compare("confounding", own, pair["cramers_v_corrected"] ** 2, EXACT, *where, "corrected")


# Retrieval


def check_retrieval(ledger, run, record):
    rows = collections.defaultdict(list)
    for row in record.get("retrieval", []):
        if row["model"] != "random":
            rows[row["model"], row["protocol"], row["gallery"]].append(row)
    chance = {}
    for (model, protocol, gallery), rows in rows.items():
        folder = run / "retrieval" / model
        queries = read_queries(folder / f"queries-{protocol}-{gallery}.csv")
        ranked = rank(folder, queries, gallery)
        for where, (levels, candidates, masked) in ranked.items():
            stored = queries[where]
            own = [(candidates, masked, *level) for level in levels]
            differences = sum(a != b for a, b in itertools.zip_longest(own, stored))
            at = (model, protocol, gallery, *where, own, stored)
            ledger.compare("retrieval: levels of queries", differences, 0, EXACT, *at)
        for row in rows:
            if row["value"] is not None:
                mine = {key: value for key, value in ranked.items() if key[0] == row["direction"]}
                chance[protocol, gallery, row["direction"], row["metric"]] = compare_retrieval(ledger, row, mine)
    for row in (row for row in record.get("retrieval", []) if row["model"] == "random" and row["value"] is not None):
        where = (row["protocol"], row["gallery"], row["direction"], row["metric"])
        ledger.compare("retrieval: a random ranking", chance.get(where), row["value"], EXACT, *where)


def read_queries(path):
    """Levels of every query, in the order of the file."""
    queries = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            key = (row["direction"], int(row["draw"]), int(row["gallery"]), row["compound"], row["image"])
            level = tuple(int(row[name]) for name in ["candidates", "masked", "above", "tied", "relevant"])
            queries.setdefault(key, []).append(level)
    return queries


def rank(folder, queries, size):
    """Levels of all queries from the embeddings: of each similarity at which something is right, how many are above, of
    the same similarity, and right."""
    molecule, identity, left = read_vectors(folder / "molecules.parquet", "Metadata_InChIKey", "Metadata_structure")
    compounds, images, right = read_vectors(folder / "images.parquet", "Metadata_InChIKey", "Metadata_Image")
    molecule_at = {key: at for at, key in enumerate(molecule)}
    image_at = {key: at for at, key in enumerate(zip(compounds, images))}
    similarity = left @ right.T
    asked = [key for key in queries if key[0] == "image-to-molecule"]
    members, shown = collections.defaultdict(list), collections.defaultdict(list)
    for _, draw, gallery, compound, image in asked:
        if compound not in members[gallery]:
            members[gallery].append(compound)
        shown[draw, compound].append(image_at[compound, image])
    # A short last gallery is filled up with those that were asked first.
    order = [compound for gallery in sorted(members) for compound in members[gallery]]
    for gallery in members:
        members[gallery] = members[gallery] + order[: size - len(members[gallery])]
    block = {key: key.split("-")[0] for key in molecule}
    ranked = {}
    for key in queries:
        direction, draw, gallery, compound, image = key
        if direction == "image-to-molecule":
            at = image_at[compound, image]
            candidates = [(other, similarity[molecule_at[other], at]) for other in members[gallery]]
        else:
            row = similarity[molecule_at[compound]]
            candidates = [(other, row[at]) for other in members[gallery] for at in shown[draw, other]]
        kept = [(other, value) for other, value in candidates if other == compound or block[other] != block[compound]]
        # Equal embeddings are equally similar, whatever the order of sums.
        values = np.round([value for _, value in kept], 12)
        is_right = np.array([other == compound for other, _ in kept])
        levels = [(int((values > level).sum()), int((values == level).sum()), int((values[is_right] == level).sum()))
                  for level in sorted(set(values[is_right].tolist()), reverse=True)]
        ranked[key] = levels, len(kept), len(candidates) - len(kept)
    return ranked


def read_vectors(path, *keys):
    table = parquet.read_table(path)
    names = [name for name in table.column_names if not name.startswith("Metadata_")]
    values = np.column_stack([table.column(name).to_numpy() for name in names]).astype(np.float64)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    unit = np.divide(values, length, out=np.zeros_like(values), where=length > 0)
    return *(table.column(key).to_pylist() for key in keys), unit


def compare_retrieval(ledger, row, ranked):
    metric = row["metric"]
    values = {key: quality(metric, levels, n) for key, (levels, n, _) in ranked.items()}
    relevant = {key: sum(level[2] for level in levels) for key, (levels, _, _) in ranked.items()}
    guessed = {key: quality(metric, [(0, n, relevant[key])], n) for key, (_, n, _) in ranked.items()}
    perfect = {key: quality(metric, [(0, relevant[key], relevant[key])], n) for key, (_, n, _) in ranked.items()}
    by_draw, by_gallery = averages(metric, values)
    value, chance = statistics.fmean(by_draw), statistics.fmean(averages(metric, guessed)[0])
    best = statistics.fmean(averages(metric, perfect)[0])
    where = (row["model"], row["protocol"], row["gallery"], row["direction"], metric)
    ledger.compare("retrieval: values", value, row["value"], EXACT, *where)
    others = {"chance": chance, "corrected": (value - chance) / (best - chance)}
    if len(by_draw) > 1:
        others["sd_draws"] = statistics.stdev(by_draw)
    if all(len(of_draw) > 1 for of_draw in by_gallery):
        others["sd_galleries"] = statistics.fmean(statistics.stdev(of_draw) for of_draw in by_gallery)
    for name, own in others.items():
        ledger.compare("retrieval: chance, corrected, spreads", own, row[name], EXACT, *where, name)
    return chance


def averages(metric, values):
    """Mean over compounds of the mean over their queries, by draw, and by draw and gallery."""
    draws = collections.defaultdict(lambda: collections.defaultdict(lambda: collections.defaultdict(list)))
    for (_, draw, gallery, compound, _), value in values.items():
        draws[draw][gallery][compound].append(value)

    def average(of_compound):
        if metric == "median-rank":
            common = math.lcm(*map(len, of_compound))
            return statistics.median(v for values in of_compound for v in values for _ in range(common // len(values)))
        return statistics.fmean(map(statistics.fmean, of_compound))

    by_draw = [average([values for of in galleries.values() for values in of.values()]) for galleries in draws.values()]
    by_gallery = [[average(list(of.values())) for of in galleries.values()] for galleries in draws.values()]
    return by_draw, by_gallery


def quality(metric, levels, n):
    """Mean of a metric over all orders of what is equally similar."""
    name, _, k = metric.partition("@")
    k = int(k) if k else n
    relevant = sum(p for _, _, p in levels)
    above, tied, right = levels[0]
    # Place of the first right one within its level.
    first = [math.comb(tied - j, right - 1) / math.comb(tied, right) for j in range(1, tied - right + 2)]
    # Chance that the candidate in a place is right, by place from one.
    chance = {r + j: p / t for r, t, p in levels for j in range(1, t + 1)}
    found = sum(p for place, p in chance.items() if place <= k)
    if name == "hit-rate":
        return sum(p for j, p in enumerate(first, 1) if above + j <= k)
    if name == "mrr":
        return sum(p / (above + j) for j, p in enumerate(first, 1))
    if name in ["mean-rank", "median-rank"]:
        return sum(p * (above + j) for j, p in enumerate(first, 1))
    if name == "precision":
        return found / k
    if name == "recall":
        return found / relevant
    if name == "fall-out":
        return (min(k, n) - found) / (n - relevant)
    if name == "ndcg":
        best = sum(1 / math.log2(place + 1) for place in range(1, min(k, relevant) + 1))
        return sum(p / math.log2(place + 1) for place, p in chance.items() if place <= k) / best
    if name == "map":
        total, before = 0.0, 0
        for r, t, p in levels:
            for j in range(1, t + 1):
                earlier = (j - 1) * (p - 1) / (t - 1) if t > 1 else 0.0
                total += p / t * (before + 1 + earlier) / (r + j)
            before += p
        return total / relevant
    sys.exit(f"error: the metric `{metric}` is not known here")


if __name__ == "__main__":
    sys.exit(main())
