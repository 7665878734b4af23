#!/usr/bin/env python3
"""Times the embedding metrics and corrections of `bench` against their peers on the same rows and cores, in one run.

    python3 -m venv venv && venv/bin/pip install -r benchmarks/speed/requirements.txt
    venv/bin/python benchmarks/speed/embedding.py

Builds the examples `embedding_speed` and `correction_speed`, writes synthetic rows of realistic spectrum
(`synthetic.py`) to a folder, and lets both sides take turns, one measurement per process: seconds without the start
of the process, the reading of the rows and the import of packages; peak memory of the process with all of that. What
a peer is given (a neighbour graph, say) is not timed on its side, and not on ours. Values are compared, so that no
one is fast by answering something else. Writes `embedding.md` beside this script.

Every peer measurement has a time limit (`--limit`); what exceeds it is written as `> limit`.
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
parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 27_000])
parser.add_argument("--dims", type=int, default=1024)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--limit", type=int, default=120, help="seconds that the process of a peer may take")
parser.add_argument("--large", default="200000x256", help="rows x features of the run that only has to complete; empty for none")
parser.add_argument("--frame-rows", type=int, default=10_000, help="most rows that the whole frame is timed on")
parser.add_argument("--only", default="", help="comma-separated beginnings of the comparisons to run")
parser.add_argument("--examples", help="folder of the built examples; by default they are built")
parser.add_argument("--resume", help="file of finished comparisons, one JSON object a line: reused, and added to")
parser.add_argument("--note", default="", help="a sentence about the machine for the head of the result")
parser.add_argument("--out", default=str(pathlib.Path(__file__).with_name("embedding.md")))
parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
args = parser.parse_args()
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[name] = str(args.threads)
os.environ["JAX_PLATFORMS"] = "cpu"

import numpy as np  # noqa: E402

NEIGHBOURS = 90


# What the peers do. Each gets the rows and returns a function to time, which returns a value to compare (or None).
def peers():
    def sklearn_graph(d):
        from sklearn.neighbors import NearestNeighbors
        return lambda: NearestNeighbors(n_neighbors=NEIGHBOURS + 1, algorithm="brute", n_jobs=args.threads).fit(d.x).kneighbors(d.x)[0][:, -1].mean()

    def given_graph(d, k):
        from scib_metrics.nearest_neighbors import NeighborsResults
        return NeighborsResults(indices=d.index[:, :k].astype(np.int64), distances=d.distance[:, :k])

    def silhouette_label(d):
        import scib_metrics
        return lambda: scib_metrics.silhouette_label(d.x, d.label)

    def sklearn_silhouette(metric):
        def of(d):
            from sklearn.metrics import silhouette_score
            return lambda: (silhouette_score(d.x, d.label, metric=metric) + 1) / 2
        return of

    def silhouette_batch(d):
        import scib_metrics
        return lambda: scib_metrics.silhouette_batch(d.x, d.label, d.batch)

    def bras(d):
        import scib_metrics
        return lambda: scib_metrics.bras(d.x, d.label, d.batch)

    def isolated(d):
        import scib_metrics
        return lambda: scib_metrics.isolated_labels(d.x, d.label, d.batch)

    def ilisi(d):
        import scib_metrics
        graph = given_graph(d, 90)
        return lambda: scib_metrics.ilisi_knn(graph, d.batch)

    def clisi(d):
        import scib_metrics
        graph = given_graph(d, 90)
        return lambda: scib_metrics.clisi_knn(graph, d.label)

    def lisi(d):
        import harmonypy
        import pandas as pd
        return lambda: harmonypy.compute_lisi(d.x, pd.DataFrame({"batch": d.batch}), ["batch"], 30).mean()

    def kbet(d):
        import scib_metrics
        graph = given_graph(d, 50)
        return lambda: float(scib_metrics.kbet(graph, d.batch)[0])

    def kbet_label(d):
        import scib_metrics
        graph = given_graph(d, 50)
        return lambda: float(scib_metrics.kbet_per_label(graph, d.batch, d.label))

    def connectivity(d):
        import scib_metrics
        graph = given_graph(d, 15)
        return lambda: scib_metrics.graph_connectivity(graph, d.label)

    def leiden(d):
        import scib_metrics
        graph = given_graph(d, 15)
        return lambda: scib_metrics.nmi_ari_cluster_labels_leiden(graph, d.label)["nmi"]

    def kmeans(d):
        import scib_metrics
        return lambda: scib_metrics.nmi_ari_cluster_labels_kmeans(d.x, d.label)["nmi"]

    def sklearn_kmeans(d):
        from sklearn.cluster import KMeans
        from sklearn.metrics import normalized_mutual_info_score
        clusters = len(np.unique(d.label))
        return lambda: normalized_mutual_info_score(d.label, KMeans(clusters, n_init=5, random_state=0).fit_predict(d.x))

    def pcr(d):
        from scib_metrics.utils import principal_component_regression
        return lambda: principal_component_regression(d.x, d.batch, categorical=True)

    def pcr_50(d):
        import anndata
        import pandas as pd
        import scib
        table = anndata.AnnData(d.x, obs=pd.DataFrame({"batch": pd.Categorical(d.batch)}, index=[str(i) for i in range(len(d.x))]))
        return lambda: scib.metrics.pc_regression(table.X, table.obs["batch"], n_comps=50)

    def copairs(negatives):
        def of(d):
            import copairs.map
            import pandas as pd
            table = pd.DataFrame({name: np.concatenate([d.treated[name], d.controls[name]]) for name in ("plate", "batch", "well")})
            table["control"] = np.arange(len(table)) >= len(d.x)
            # Controls are a compound of their own.
            table["compound"] = np.concatenate([d.treated["compound"], np.full(len(d.c), -1)])
            everything = np.concatenate([d.x, d.c])
            keep = np.ones(len(table), bool) if negatives == ["control", "compound"] else ~table["control"].to_numpy()

            def run():
                ap = copairs.map.average_precision(table[keep].reset_index(drop=True), everything[keep], ["compound"], ["well"], ["plate"], negatives)
                ap = ap[~ap["control"]].reset_index(drop=True)
                mean = copairs.map.mean_average_precision(ap, ["compound"], null_size=10_000, threshold=0.05, seed=0)
                return mean["mean_average_precision"].mean()
            return run
        return of

    def cka(d):
        def run():
            x = d.x.astype(np.float64)
            x -= x.mean(0)
            y = np.eye(d.batch.max() + 1)[d.batch]
            y -= y.mean(0)
            return np.linalg.norm(x.T @ y) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
        return run

    # (our metric or chain, words, peer, function, tolerance or None)
    return {
        "graph": ("graph-euclidean", "exact neighbour graph, 90 neighbours", "scikit-learn, brute", sklearn_graph, None),
        "asw-label": ("asw-label-euclidean", "ASW label, Euclidean", "scib-metrics", silhouette_label, 1e-5),
        "asw-label-sklearn": ("asw-label-euclidean", "ASW label, Euclidean", "scikit-learn", sklearn_silhouette("euclidean"), 1e-5),
        "asw-label-cosine": ("asw-label-cosine", "ASW label, cosine", "scikit-learn", sklearn_silhouette("cosine"), 1e-5),
        "isolated": ("isolated-labels", "isolated labels", "scib-metrics", isolated, 1e-5),
        "asw-batch": ("asw-batch", "ASW batch, Euclidean", "scib-metrics", silhouette_batch, 1e-5),
        "bras": ("bras", "BRAS", "scib-metrics", bras, 1e-5),
        "ilisi": ("ilisi", "iLISI, graph given", "scib-metrics", ilisi, 1e-4),
        "clisi": ("clisi", "cLISI, graph given", "scib-metrics", clisi, 1e-4),
        "lisi": ("lisi-unit", "LISI; ours with the graph given", "harmonypy, with its own search", lisi, 1e-3),
        "kbet": ("kbet", "kBET, graph given", "scib-metrics", kbet, 1e-4),
        "kbet-label": ("kbet-label", "kBET per label; ours exact, with its graphs", "scib-metrics, diffusion, graph given", kbet_label, None),
        "connectivity": ("graph-connectivity-directed", "graph connectivity, graph given", "scib-metrics", connectivity, 1e-9),
        "leiden": ("nmi-leiden-best", "Leiden at ten resolutions, graph given", "scib-metrics (igraph)", leiden, None),
        "kmeans": ("nmi-kmeans", "k-means, NMI; ours best of five starts", "scib-metrics", kmeans, None),
        "kmeans-sklearn": ("nmi-kmeans", "k-means, NMI; best of five starts", "scikit-learn", sklearn_kmeans, None),
        "pcr": ("pcr", "PCR, all components", "scib-metrics", pcr, 1e-4),
        "pcr-50": ("pcr-50", "PCR, 50 components", "scib", pcr_50, 1e-2),
        "activity": ("activity-map-raw", "mAP against controls of the plate, with p", "copairs, 10,000 draws", copairs(["control", "compound"]), 1e-4),
        "distinctiveness": ("distinctiveness-map-raw", "mAP against other compounds of the plate, with p", "copairs, 10,000 draws", copairs(["compound"]), 1e-4),
        "cka": ("cka-unit", "linear CKA to the batch", "NumPy", cka, 1e-6),
    }


def corrections():
    def frame(d):
        import pandas as pd
        x = np.concatenate([d.x, d.c])
        return pd.DataFrame(x, columns=[f"f{i}" for i in range(x.shape[1])])

    def mad(d):
        from pycytominer.operations import RobustMAD
        table, fit = frame(d), np.arange(len(d.x) + len(d.c)) >= len(d.x)
        return lambda: RobustMAD().fit(table[fit]).transform(table).to_numpy()

    def sphere(method):
        def of(d):
            from pycytominer.operations import Spherize
            table = frame(d)
            return lambda: Spherize(method=method, epsilon=1e-6).fit(table).transform(table).to_numpy()
        return of

    def combat(d):
        import anndata
        import pandas as pd
        import scanpy
        batch = np.concatenate([d.batch, d.controls["batch"]])
        table = anndata.AnnData(np.concatenate([d.x, d.c]), obs=pd.DataFrame({"batch": pd.Categorical(batch.astype(str))}, index=[str(i) for i in range(len(batch))]))
        return lambda: scanpy.pp.combat(table, key="batch", inplace=False)

    def harmony(d):
        import harmonypy
        import pandas as pd
        batch = np.concatenate([d.batch, d.controls["batch"]])
        x, meta = np.concatenate([d.x, d.c]), pd.DataFrame({"batch": batch.astype(str)})
        return lambda: harmonypy.run_harmony(x, meta, ["batch"], verbose=False, random_state=0).Z_corr

    return {
        "robust-mad": ("mad(by=all)", "MAD on controls", "pycytominer RobustMAD", mad, 1e-3),
        "sphere-zca": ("sphere(method=zca, on=all)", "sphering, ZCA, on all rows", "pycytominer Spherize", sphere("ZCA"), 1e-2),
        "sphere-zca-cor": ("sphere(method=zca-cor, on=all)", "sphering, ZCA-cor, on all rows", "pycytominer Spherize", sphere("ZCA-cor"), 1e-2),
        "combat": ("combat(by=batch)", "ComBat", "scanpy", combat, 1e-3),
        "harmony": ("harmony(by=batch)", "Harmony", "harmonypy", harmony, None),
    }


class Data:
    """The rows of a folder."""

    def __init__(self, folder):
        origin = json.loads((folder / "origin.json").read_text())
        self.x = np.fromfile(folder / "treated.f32", "<f4").reshape(-1, origin["features"])
        self.c = np.fromfile(folder / "controls.f32", "<f4").reshape(-1, origin["features"])
        self.treated = {name: np.asarray(codes) for name, codes in origin["treated"].items()}
        self.controls = {name: np.asarray(codes) for name, codes in origin["controls"].items()}
        self.label, self.batch = self.treated["label"], self.treated["batch"]
        if (folder / "index.npy").exists():
            self.index, self.distance = np.load(folder / "index.npy"), np.load(folder / "distance.npy")


if args.child:
    import warnings

    warnings.filterwarnings("ignore")
    folder, key = pathlib.Path(args.child[0]), args.child[1]
    function = (peers() | corrections())[key][3](Data(folder))
    start = time.perf_counter()
    value = function()
    seconds = time.perf_counter() - start
    if isinstance(value, np.ndarray):
        value.astype("<f4").tofile(folder / f"peer-{key}.f32")
        value = None
    # The peak of this program alone: what `getrusage` says counts its parent before the start.
    peak = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM:"))
    print("RESULT " + json.dumps({"seconds": seconds, "peak_bytes": peak, "value": None if value is None else float(value)}))
    sys.exit()

from importlib.metadata import version  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import synthetic  # noqa: E402

root = pathlib.Path(__file__).resolve().parents[2]
if args.examples is None:
    subprocess.run(["cargo", "build", "--release", "--locked", "-p", "bench-eval", "-p", "bench-correct", "--examples"], check=True, cwd=root)
    args.examples = str(pathlib.Path(os.environ.get("CARGO_TARGET_DIR", root / "target")) / "release" / "examples")


def make(folder, rows, dims):
    """Compounds and plates as on TARGET2 plates: 300 compounds, one well of each on a plate, a tenth more are controls."""
    total = rows + rows // 10
    x, label, batch, plate = synthetic.embeddings(total, dims)
    g = np.random.default_rng(1)
    control = np.zeros(total, bool)
    control[g.permutation(total)[:total - rows]] = True
    order = np.empty(total, int)
    for p in range(plate.max() + 1):
        for kind in (False, True):
            at = np.flatnonzero((plate == p) & (control == kind))
            order[at] = np.arange(len(at))
    # Compounds follow each other on every plate, so that replicates are as many as plates are large.
    label_of = g.integers(9, size=300)
    effects = g.normal(0, 0.3, (300, dims)).astype(np.float32) * x.std()
    compound = order % 300
    x[~control] += effects[compound[~control]]
    folder.mkdir(parents=True, exist_ok=True)
    x[~control].astype("<f4").tofile(folder / "treated.f32")
    x[control].astype("<f4").tofile(folder / "controls.f32")

    def columns(rows_of, start):
        n = int(rows_of.sum())
        table = {"source": batch[rows_of] % 4, "batch": batch[rows_of], "plate": plate[rows_of],
                 "well": np.arange(start, start + n), "position": order[rows_of] % 384}
        if start == 0:
            table |= {"compound": compound[rows_of], "label": label_of[compound[rows_of]]}
        return {name: codes.tolist() for name, codes in table.items()}

    (folder / "origin.json").write_text(json.dumps(
        {"features": dims, "treated": columns(~control, 0), "controls": columns(control, rows)}))


def run(command, limit=None):
    """Output of a process; None for one that is stopped at the limit."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode != 0:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no message"])[-1][:160])
    return done.stdout


def ours(folder, id, graph, correction):
    if correction:
        out = run([f"{args.examples}/correction_speed", str(folder), id, str(folder / "ours.f32")])
        return json.loads(out) | {"value": None}
    command = [f"{args.examples}/embedding_speed", str(folder), "--json", str(folder / "ours.json")]
    command += ["--graph", graph] if graph else []
    run(command + ([] if id == "graph-euclidean" else ["--metric", id]))
    found = {entry["id"]: entry for entry in json.loads((folder / "ours.json").read_text())}
    return found[id] | {"peak_bytes": max(entry["peak_bytes"] for entry in found.values())}


def theirs(rows, folder, key, peer, id):
    if any(line["id"] == id and line["peer"] == peer and line["rows"] < rows and line["why"].startswith(">") for line in lines):
        return {"seconds": None, "why": f"> {args.limit}"}
    try:
        out = run([sys.executable, __file__, "--threads", str(args.threads), "--child", str(folder), key], args.limit)
    except RuntimeError as error:
        return {"seconds": None, "why": f"fails: {error}"}
    if out is None:
        return {"seconds": None, "why": f"> {args.limit}"}
    return json.loads(next(line for line in out.splitlines() if line.startswith("RESULT "))[7:])


def row(rows, key, table, folder, correction):
    id, words, peer, _, tolerance = table[key]
    graph = "euclidean" if key == "graph" or "graph given" in words else None
    mine, other = ours(folder, id, graph, correction), theirs(rows, folder, key, peer, id)
    agreement = ""
    if other["seconds"] is not None and tolerance is None and not correction and key != "graph":
        agreement = f"{mine['value']:.4f}, peer {other['value']:.4f}"
    elif other["seconds"] is not None and tolerance is not None:
        if correction:
            a, b = np.fromfile(folder / "ours.f32", "<f4"), np.fromfile(folder / f"peer-{key}.f32", "<f4")
            difference = float(np.quantile(np.abs(a - b), 0.999) / max(1e-9, np.std(b)))
        else:
            difference = abs(mine["value"] - other["value"])
        agreement = f"difference {difference:.1e}" + ("" if difference <= tolerance else f", above {tolerance:g}!")
    line = {"rows": rows, "what": words, "id": id, "peer": peer, "ours": mine["seconds"], "theirs": other["seconds"],
            "our_mb": mine["peak_bytes"] / 1e6, "their_mb": other.get("peak_bytes", 0) / 1e6,
            "agreement": agreement, "why": other.get("why", "")}
    print(json.dumps(line), flush=True)
    return line


def cell(value, digits=2):
    return "" if value is None else f"{value:.{digits}f}"


work = pathlib.Path(tempfile.mkdtemp(prefix="bench-embedding-speed-"))
lines, wholes, finished = [], [], {}
if args.resume and pathlib.Path(args.resume).exists():
    for text in pathlib.Path(args.resume).read_text().splitlines():
        line = json.loads(text)
        finished[(line["rows"], line["id"], line["peer"])] = line
wanted = [part for part in args.only.split(",") if part]


def compare(rows):
    folder = work / f"{rows}x{args.dims}"
    make(folder, rows, args.dims)
    data = Data(folder)
    from sklearn.neighbors import NearestNeighbors

    # The graph that the peers are given, themselves first as scib-metrics expects.
    distance, index = NearestNeighbors(n_neighbors=NEIGHBOURS, algorithm="brute", n_jobs=args.threads).fit(data.x).kneighbors(data.x)
    np.save(folder / "index.npy", index)
    np.save(folder / "distance.npy", distance.astype(np.float32))
    del data
    for table, correction in ((peers(), False), (corrections(), True)):
        for key in table:
            if wanted and not any(key.startswith(part) for part in wanted):
                continue
            known = finished.get((rows, table[key][0], table[key][2]))
            lines.append(known or row(rows, key, table, folder, correction))
            if args.resume and known is None:
                with open(args.resume, "a") as out:
                    out.write(json.dumps(lines[-1]) + "\n")
            write()


def whole(rows, dims, with_frame):
    folder = work / f"{rows}x{dims}"
    if not folder.exists():
        make(folder, rows, dims)
    run([f"{args.examples}/embedding_speed", str(folder), "--once", "--json", str(folder / "all.json")])
    found = {"rows": rows, "dims": dims, "metrics": json.loads((folder / "all.json").read_text()), "frame": None}
    wholes.append(found)
    write()
    if with_frame:
        run([f"{args.examples}/embedding_speed", str(folder), "--frame", "--json", str(folder / "frame.json")])
        found["frame"] = json.loads((folder / "frame.json").read_text())[-1]
        write()
    print(json.dumps(found), flush=True)


def write():
    """The result so far."""
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    packages = ", ".join(f"{name} {version(name)}" for name in (
        "scib-metrics", "scib", "scikit-learn", "copairs", "harmonypy", "pycytominer", "scanpy", "numpy", "jax"))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=root).stdout.strip()
    text = [
        "# Embedding metrics and corrections beside their peers",
        "",
        f"Written by `python benchmarks/speed/embedding.py --rows {' '.join(map(str, args.rows))} --dims {args.dims} --threads "
        f"{args.threads} --limit {args.limit}` at commit {commit} on {datetime.date.today()}.",
        "",
        f"{packages}, Python {platform.python_version()}; {cpu}, {args.threads} threads on both sides.{' ' + args.note if args.note else ''}",
        "",
        "Seconds without start, reading and imports, but with the compilation that JAX and Numba do on a first call (about "
        "10 s for scib-metrics); peak memory of the whole process in MB, interpreter and packages included. Ours takes turns "
        "with the peer, one process each. `given` marks what neither side is timed for. The last column compares the values.",
        "",
        "Two peers may be faster: scib takes its 50 components with ARPACK in the precision of the table, ours are all "
        "eigenvalues in double precision, of which 50 are read; NumPy's `x.T @ x` makes half of a symmetric product.",
    ]
    for rows in args.rows:
        text += ["", f"## {rows} x {args.dims}", "", "| what | peer | ours, s | peer, s | ratio | ours, MB | peer, MB | values |",
                 "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |"]
        for line in (line for line in lines if line["rows"] == rows):
            theirs_s = line["why"] if line["theirs"] is None else cell(line["theirs"])
            ratio = "" if line["theirs"] is None else f"{line['theirs'] / line['ours']:.1f}"
            if line["why"].startswith(">"):
                ratio = f"> {args.limit / line['ours']:.0f}"
            their_mb = "" if line["theirs"] is None else cell(line["their_mb"], 0)
            text.append(f"| {line['what']} | {line['peer']} | {cell(line['ours'])} | {theirs_s} | {ratio} | {cell(line['our_mb'], 0)} | "
                        f"{their_mb} | {line['agreement']} |")
    if wholes:
        text += ["", "## All metrics in one process", "",
                 "Every metric once, with the batch as the unit; what metrics share is counted where it is first asked for. The "
                 "frame adds six control embeddings, all units, permutation nulls and bootstrap intervals.", "",
                 "| rows x features | all metrics once, s | peak, MB | whole frame, s | peak, MB |", "| --- | ---: | ---: | ---: | ---: |"]
        for found in wholes:
            peak = max(entry["peak_bytes"] or 0 for entry in found["metrics"]) / 1e6
            frame = found["frame"]
            more = f"{frame['seconds']:.1f} | {(frame['peak_bytes'] or 0) / 1e6:.0f}" if frame else " | "
            seconds = sum(entry["seconds"] for entry in found["metrics"])
            text.append(f"| {found['rows']} x {found['dims']} | {seconds:.1f} | {peak:.0f} | {more} |")
        text += ["", "Seconds of every metric:", "",
                 "| metric | " + " | ".join(f"{found['rows']} x {found['dims']}" for found in wholes) + " |",
                 "| --- |" + " ---: |" * len(wholes)]
        for at, entry in enumerate(wholes[0]["metrics"]):
            of = [found["metrics"][at] for found in wholes]
            cells = [f"{entry['seconds']:.2f}" if entry["reason"] is None else "not defined" for entry in of]
            text.append(f"| {entry['id']} | " + " | ".join(cells) + " |")
    pathlib.Path(args.out).write_text("\n".join(text) + "\n")


for rows in args.rows:
    compare(rows)
    whole(rows, args.dims, rows <= args.frame_rows)
if args.large:
    whole(*(int(part) for part in args.large.split("x")), False)
shutil.rmtree(work)
