#!/usr/bin/env python3
"""Times `bench` against scikit-learn and umap-learn on the same data, splits and cores, in one run.

    cargo build --release
    python3 -m venv venv && venv/bin/pip install -r benchmarks/speed/requirements.txt
    venv/bin/python benchmarks/speed/scoring.py --bench target/release/bench

Writes a table of ratios with versions and date to `scoring.md` beside this script. Both sides may
use `--threads` cores (default 2); BLAS threads that spin are kept out by fixing every pool before
NumPy is loaded. The peer fits the very folds that `bench` wrote to `splits.parquet`.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time

parser = argparse.ArgumentParser()
parser.add_argument("--bench", required=True, help="the release binary")
parser.add_argument("--rows", type=int, default=27_000)
parser.add_argument("--dims", type=int, default=1024)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--fits", type=int, default=20, help="how many of the 20 fits the peer repeats; fewer are scaled up")
parser.add_argument("--skip-umap", action="store_true")
parser.add_argument("--out", default=str(pathlib.Path(__file__).with_name("scoring.md")))
args = parser.parse_args()
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = str(args.threads)

import warnings  # noqa: E402

warnings.filterwarnings("ignore")
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import sklearn  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.manifold import trustworthiness  # noqa: E402
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from synthetic import make  # noqa: E402

work = pathlib.Path(tempfile.mkdtemp(prefix="bench-speed-"))
table = work / "embeddings.parquet"
x, label, batch, plate = make(table, args.rows, args.dims)
rows_out = []


def note(what, ours, peer, remark=""):
    rows_out.append((what, ours, peer, remark))
    print(f"{what}: ours {ours:.2f} s, peer {peer:.2f} s, ratio {peer / ours:.1f}  {remark}", flush=True)


def bench(name, *flags):
    out = work / name
    shutil.rmtree(out, ignore_errors=True)
    start = time.perf_counter()
    subprocess.run(
        [args.bench, "score", "--suite", "generic", "--label", "target", "--embeddings", str(table), "--threads",
         str(args.threads), "--no-progress", "--quiet", "--out", str(out), *flags],
        check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    record = json.loads((out / "record.json").read_text())
    return seconds, record, out


def step(record, part):
    return sum(s["seconds"] for s in record["steps"] if part in s["name"])


def accuracy(record, probe):
    values = {}
    for s in record["scores"]:
        if s["probe"] == probe and s["metric"] == "accuracy" and s["model"] == "embeddings":
            values[(s["split"], s["repeat"])] = s["value"]
    return values


bare = ["--protocols", "paper", "--no-controls", "--no-batch-probes", "--no-projection"]

# Logistic regression: 4 splits x 5 repeats.
whole, record, out = bench("logreg", *bare, "--probes", "logreg")
ours = step(record, "logreg")
mine = accuracy(record, "logreg")
splits = pd.read_parquet(out / "splits.parquet")
folds = {}
for (split, repeat), part in splits.groupby(["split", "repeat"], observed=True):
    role = part["role"].astype(str)
    folds[(split, repeat)] = (part.loc[role == "train", "row"].to_numpy(), part.loc[role == "test", "row"].to_numpy())
peer, iterations, difference = 0.0, [], []
chosen = list(folds)[:: max(1, len(folds) // args.fits)]
for key in chosen:
    train, test = folds[key]
    start = time.perf_counter()
    model = LogisticRegression(max_iter=1000).fit(x[train], label[train])
    score = model.score(x[test], label[test])
    peer += time.perf_counter() - start
    iterations.append(int(np.max(model.n_iter_)))
    difference.append(abs(score - mine[key]))
scale = len(folds) / len(chosen)
ours_iterations = [f["iterations"] for f in record["fits"]]
note(f"logistic regression, {len(folds)} fits", ours, peer * scale,
     f"accuracy {np.mean(list(mine.values())):.3f}; peer's iterations {min(iterations)} to {max(iterations)}, ours "
     f"{min(i[0] for i in ours_iterations)} to {max(i[1] for i in ours_iterations)}; largest difference of accuracy "
     f"{max(difference):.4f}" + ("" if scale == 1 else f"; peer measured on {len(chosen)} fits"))

# kNN: the votes of the same folds.
whole, record, out = bench("knn", *bare, "--probes", "knn", "--ties", "lowest-class")
ours = step(record, "knn")
mine = accuracy(record, "knn")
peer, difference = 0.0, []
for key in chosen:
    train, test = folds[key]
    start = time.perf_counter()
    model = KNeighborsClassifier(3, metric="cosine", n_jobs=args.threads).fit(x[train], label[train])
    score = model.score(x[test], label[test])
    peer += time.perf_counter() - start
    difference.append(abs(score - mine[key]))
note(f"kNN (k = 3, cosine), {len(folds)} splits", ours, peer * scale,
     f"largest difference of accuracy {max(difference):.4f}")

# The whole default scoring against the sum of the peers' parts above is a lower bound for the peers.
whole_default, record_default, out_default = bench("default")
print(f"whole default scoring: {whole_default:.1f} s", flush=True)
for s in record_default["steps"]:
    print(f"  {s['name']}: {s['seconds']:.2f} s", flush=True)

if not args.skip_umap:
    projection = step(record_default, "projection")
    x.astype("<f4").tofile(work / "x.f32")
    done = subprocess.run(
        ["cargo", "run", "--quiet", "--release", "-p", "bench-geometry", "--example", "neighbour_graph", "--",
         str(work / "x.f32"), str(x.shape[0]), str(x.shape[1]), "90", str(args.threads)],
        check=True, capture_output=True, text=True, cwd=pathlib.Path(__file__).parents[2])
    graph_peer = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        NearestNeighbors(n_neighbors=91, metric="cosine", algorithm="brute", n_jobs=args.threads).fit(x).kneighbors(x)
        graph_peer = min(graph_peer, time.perf_counter() - start)
    note("exact 90-neighbour graph (cosine)", float(done.stdout), graph_peer, "least of three runs on both sides")
    start = time.perf_counter()
    script = ("import sys, time; import numpy as np; import umap; x = np.load(sys.argv[1]); t = time.perf_counter(); "
              "e = umap.UMAP(metric='cosine', random_state=0).fit_transform(x); t1 = time.perf_counter(); "
              "umap.UMAP(metric='cosine', random_state=0).fit_transform(x); t2 = time.perf_counter(); "
              "np.save(sys.argv[2], e); print(t1 - t, t2 - t1)")
    np.save(work / "x.npy", x)
    done = subprocess.run([sys.executable, "-c", script, str(work / "x.npy"), str(work / "umap.npy")], check=True,
                          capture_output=True, text=True)
    first, warm = map(float, done.stdout.split())
    process = time.perf_counter() - start - warm
    whole_map, _, out_map = bench("map", *bare[:4], "--probes", "knn", "--splits", "random", "--repeats", "1")
    sample = np.sort(np.random.default_rng(0).choice(len(x), min(4000, len(x)), replace=False))
    theirs = np.load(work / "umap.npy")
    ours_map = pd.read_parquet(out_default / "projection" / "embeddings.parquet").sort_values("row")[["x", "y"]].to_numpy()
    trust = [trustworthiness(x[sample], m[sample], n_neighbors=15, metric="cosine") for m in (theirs, ours_map)]
    remark = f"trustworthiness on {len(sample)} rows: ours {trust[1]:.4f}, peer {trust[0]:.4f}"
    note("UMAP with its exact graph, peer warm", projection, warm, remark)
    note("UMAP, peer as a process", projection, process, "ours: the projection step, graph included")

import umap  # noqa: E402

cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
version = subprocess.run([args.bench, "--version"], capture_output=True, text=True).stdout.strip()
lines = [
    "# Speed beside the peers",
    "",
    f"Written by `python benchmarks/speed/scoring.py --bench target/release/bench --rows {args.rows} --dims {args.dims} "
    f"--threads {args.threads} --fits {args.fits}` on {datetime.date.today()}.",
    "",
    f"{version}, scikit-learn {sklearn.__version__}, umap-learn {umap.__version__}, numpy {np.__version__}, "
    f"Python {platform.python_version()}; {cpu}, {args.threads} threads on both sides. Synthetic embeddings, "
    f"{args.rows} x {args.dims}, 9 labels, 13 batches, 4 sources (`synthetic.py`).",
    "",
    "| what | ours, s | peer, s | ratio | remark |",
    "| --- | ---: | ---: | ---: | --- |",
]
for what, ours, peer, remark in rows_out:
    lines.append(f"| {what} | {ours:.2f} | {peer:.2f} | {peer / ours:.1f} | {remark} |")
lines += [
    "",
    f"Whole default scoring (`bench score`, paper and strict protocol, two probes, five controls, batch probes, 1000 "
    f"bootstrap draws, UMAP, report): {whole_default:.1f} s as a process.",
    "",
    "| step | s |",
    "| --- | ---: |",
]
lines += [f"| {s['name']} | {s['seconds']:.2f} |" for s in record_default["steps"]]
pathlib.Path(args.out).write_text("\n".join(lines) + "\n")
shutil.rmtree(work)
