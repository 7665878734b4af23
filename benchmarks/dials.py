#!/usr/bin/env python3
"""Simulates plates with technical effects of rising strength and scores them: do G and the probes follow?

    cargo build --release -p bench-cli
    python3 -m venv venv && venv/bin/pip install matplotlib==3.11.2
    venv/bin/python benchmarks/dials.py target/release/bench

For every seed all dials are turned together (`--strengths`), then those of one group alone (source, batch, plate,
well: `--alone`). A seed draws another set of sources, batches, plates, phenotypes and cells; within a seed the same
ones are drawn at every strength, only stronger. Each time the scored plates are simulated (nothing is trained),
embedded with `bench embed --model simple-features`, and scored by the suite `target2` with its own settings.

Writes `figures/dials.csv`, one row per simulation, and `figures/dials.svg`; prints what the page on methods says.
`--draw` draws and prints from the table that is there. A run takes 5 to 10 s on two cores.
"""
import argparse
import csv
import json
import pathlib
import platform
import shlex
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
PRESET = """\
id = "dials"
title = "Scored plates alone"

[simulation]
height = 80
width = 80
pixel-um = 1.6
sources = 5
batches-per-source = 2

[simulation.training]
compounds = 0
replicates = 0

[simulation.target2]
plates-per-batch = 2
targets = 9
dmso-wells = 32
fields-per-well = 3
fields-per-control = 1

# A preset names a model; nothing is trained here.
[[models]]
id = "none"
model = { loss = { loss = "emm" }, image = "tiny" }
"""
PROTOCOLS, PROBES = ["strict", "paper"], ["logreg", "knn"]
SPLITS = {"nsp": "not-same-plate", "nsb": "not-same-batch", "nss": "not-same-source"}
# Protocol `strict` alone has this one.
COMPOUNDS = {"lco": "leave-compound-out"}
GROUPS = ["source", "batch", "plate", "well"]
TARGETS = ["source", "batch", "plate", "well-row", "well-column", "well-edge"]
ROWS = ["treated", "controls"]

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("bench", nargs="?", default="bench", help="the program")
parser.add_argument("--seeds", type=int, default=8, help="simulations of each kind: seeds 1, 2, ...")
parser.add_argument("--strengths", type=float, nargs="+", default=[0, 0.125, 0.25, 0.5, 1, 2])
parser.add_argument("--alone", type=float, nargs="+", default=[1, 2], help="strengths of one group alone")
parser.add_argument("--effect-size", type=float, default=0.5, help="strength of the phenotypes")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--out", type=pathlib.Path, default=HERE / "figures")
parser.add_argument("--draw", action="store_true", help="from the table that is there")


def simulate(args, folder, dials, seed):
    """Record of the scores of one simulation."""
    def bench(*words):
        command = [args.bench, "--quiet", "--no-progress", "--threads", args.threads, *words]
        done = subprocess.run([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(f"{shlex.join(map(str, command))}: exit code {done.returncode}\n{done.stderr}")
    preset = folder / "preset.toml"
    preset.write_text(PRESET)
    effect = ["--seed", seed, "--effect-size", args.effect_size]
    bench("data", "simulate", "--preset", preset, *effect, *dials, "--out", folder / "plates")
    bench("embed", "--model", "simple-features", "--data", folder / "plates", "--out", folder)
    table = f"simple-features={folder / 'simple-features.parquet'}"
    quick = ["--no-controls", "--no-projection"]
    bench("score", "--suite", "target2", "--embeddings", table, *quick, "--out", folder / "run")
    return json.loads((folder / "run" / "record.json").read_text())


def columns(record):
    """The numbers of a record that are kept, by column name."""
    out = {}
    found = {(s["protocol"], s["probe"], s["split"], s["quantity"]): s for s in record["summaries"]}
    for protocol in PROTOCOLS:
        for probe in PROBES:
            name = f"{protocol}.{probe}"
            out[f"{name}.acc.random"] = found[protocol, probe, "random", "accuracy"]["value"]
            for short, split in (SPLITS | COMPOUNDS if protocol == "strict" else SPLITS).items():
                out[f"{name}.acc.{short}"] = found[protocol, probe, split, "accuracy"]["value"]
                g = found[protocol, probe, split, "g"]
                out[f"{name}.g.{short}"] = g["value"]
                for end in ["low", "high"]:
                    out[f"{name}.g.{short}.{end}"] = g["percentile"][end] if g["percentile"] else None
    for probe in record["batch_probes"]:
        out[f"{probe['rows']}.{probe['probe']}.{probe['target']}"] = probe["corrected"]
    return out


def measure(args):
    """Simulates everything; gives the comment of the table and its rows."""
    jobs = [("all", strength, ["--dials", strength]) for strength in args.strengths]
    jobs += [(g, x, ["--dials", 0, "--dial", f"{g}={x}"]) for g in GROUPS for x in args.alone]
    rows, total = [], args.seeds * len(jobs)
    for seed in range(1, args.seeds + 1):
        for group, strength, dials in jobs:
            start = time.time()
            with tempfile.TemporaryDirectory() as folder:
                record = simulate(args, pathlib.Path(folder), dials, seed)
            rows.append({"seed": seed, "dials": group, "strength": strength, **columns(record)})
            took = time.time() - start
            print(f"{len(rows)} of {total}: seed {seed}, {group} at {strength:g}, {took:.0f} s", file=sys.stderr)
    software = record["software"]
    commit = f"{(software['commit'] or 'unknown')[:12]}{' with changes' if software['dirty'] else ''}"
    flags = [f"--seeds {args.seeds}", f"--effect-size {args.effect_size:g}"]
    flags += [f"--{name} {' '.join(f'{x:g}' for x in getattr(args, name))}" for name in ["strengths", "alone"]]
    data = record["data"]
    units = ", ".join(f"{n} {name}" for name, n in data["units"])
    comment = [
        f"python benchmarks/dials.py {pathlib.Path(args.bench).name} {' '.join(flags)}",
        f"bench {software['version']}, commit {commit}; Python {platform.python_version()}",
        f"Simulated plates: {data['rows']} labelled fields ({units}), {len(data['labels'])} labels; features: simple-features.",
        "acc and g: suite target2, PROTOCOL.PROBE.QUANTITY.SPLIT; low, high: 95 % interval. Then corrected probes, ROWS.PROBE.FACTOR.",
    ]
    return comment, rows


def write(path, comment, rows):
    cell = lambda value: f"{value:.4f}" if isinstance(value, float) else "" if value is None else value
    with path.open("w", newline="") as file:
        file.writelines(f"# {line}\n" for line in comment)
        table = csv.writer(file, lineterminator="\n")
        table.writerow(rows[0])
        for row in rows:
            table.writerow([f"{v:g}" if k == "strength" else cell(v) for k, v in row.items()])


def read(path):
    with path.open(newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    number = lambda key, text: text if key == "dials" else float(text) if text else None
    return [{key: number(key, text) for key, text in row.items()} for row in rows]


def mean(values):
    values = [value for value in values if value is not None]
    return sum(values) / len(values) if values else float("nan")


def tell(rows):
    """The tables of the page on methods, and how often what should hold does."""
    of = lambda group, strength: [r for r in rows if r["dials"] == group and r["strength"] == strength]
    strengths = sorted({r["strength"] for r in rows if r["dials"] == "all"})
    shown = ["strict.logreg.acc.random", *(f"strict.logreg.g.{s}" for s in SPLITS | COMPOUNDS)]
    shown += ["controls.knn.source", "controls.logreg.source", "treated.logreg.source"]
    shown += ["controls.logreg.batch", "controls.logreg.plate", "controls.logreg.well-row", "controls.logreg.well-edge"]
    cells = [("all", x) for x in strengths]
    cells += sorted({(r["dials"], r["strength"]) for r in rows if r["dials"] != "all"}, key=lambda c: GROUPS.index(c[0]))
    print("means over seeds\ndials | " + " | ".join(shown))
    for group, x in cells:
        values = [mean(r[c] for r in of(group, x)) for c in shown]
        print(f"{group} {x:g} | " + " | ".join(f"{v:.2f}" for v in values))
    print("\nintervals that hold 1, dials at zero (and mean of G):")
    for protocol in PROTOCOLS:
        for probe in PROBES:
            told = []
            for s in SPLITS:
                name, zero = f"{protocol}.{probe}.g.{s}", of("all", 0.0)
                held = sum(r[f"{name}.low"] <= 1 <= r[f"{name}.high"] for r in zero)
                told.append(f"{s} {held} of {len(zero)} ({mean(r[name] for r in zero):.3f})")
            print(f"{protocol} {probe}: " + ", ".join(told))
    print("\nseeds in which it falls or rises at every step:")
    seeds = sorted({r["seed"] for r in rows})
    for name, sign in [*((f"{p}.logreg.g.{s}", -1) for p in PROTOCOLS for s in SPLITS), ("strict.logreg.acc.nss", -1),
                       ("strict.knn.g.nss", -1), ("controls.knn.source", 1), ("treated.knn.source", 1), ("controls.logreg.source", 1)]:
        series = [[next(r[name] for r in of("all", x) if r["seed"] == seed) for x in strengths] for seed in seeds]
        held = sum(all(sign * (b - a) > 0 for a, b in zip(s, s[1:])) for s in series)
        worst = max(max(sign * (a - b) for a, b in zip(s, s[1:])) for s in series)
        print(f"{name}: {held} of {len(seeds)}; largest step the other way {max(worst, 0):.3f}")
    print("\nrange of corrected probes, dials at zero:")
    for rows_name in ROWS:
        for probe in PROBES:
            told = []
            for target in TARGETS:
                values = [r[f"{rows_name}.{probe}.{target}"] for r in of("all", 0.0)]
                values = [v for v in values if v is not None]
                told.append(f"{target} {min(values):+.2f} to {max(values):+.2f}" if values else f"{target} -")
            print(f"{rows_name} {probe}: " + ", ".join(told))


def draw(rows, path):
    import matplotlib
    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({
        "svg.fonttype": "none", "svg.hashsalt": "dials", "font.family": "sans-serif",
        "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans"], "font.size": 10,
        "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 11, "axes.titlelocation": "left",
    })
    turned = [r for r in rows if r["dials"] == "all"]
    strengths = sorted({r["strength"] for r in turned})
    seeds = sorted({r["seed"] for r in turned})
    at = {x: i for i, x in enumerate(strengths)}
    last = len(strengths) - 1
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")

    def line(axes, name, colour, style="-"):
        values = [mean(r[name] for r in turned if r["strength"] == x) for x in strengths]
        axes.plot(range(len(strengths)), values, style, color=colour, linewidth=2, zorder=3)
        return values[-1]

    def label(axes, ends):
        """Labels to the right of the lines, moved apart where they would touch."""
        low, high = axes.get_ylim()
        step, floor = (high - low) * 0.062, low
        for end, text, colour in sorted(ends):
            y = max(end, floor)
            axes.annotate(text, (last + 0.32, y), color=colour, va="center", annotation_clip=False)
            floor = y + step * (text.count("\n") + 1)

    left.axhline(1, color="#999999", linewidth=1, zorder=1)
    left_ends = []
    # Splits side by side at each strength, seeds side by side within a split.
    for k, (short, what, colour) in enumerate([
        ("nsp", "plate", "#0072B2"), ("nsb", "batch", "#B07D00"), ("nss", "source", "#CC3311"),
    ]):
        name = f"strict.logreg.g.{short}"
        for r in turned:
            x = at[r["strength"]] + (k - 1) * 0.24 + (seeds.index(r["seed"]) - (len(seeds) - 1) / 2) * 0.18 / len(seeds)
            left.plot([x, x], [r[f"{name}.low"], r[f"{name}.high"]], color=colour, linewidth=0.9, alpha=0.55, zorder=2)
        values = [mean(r[name] for r in turned if r["strength"] == x) for x in strengths]
        left.plot([i + (k - 1) * 0.24 for i in range(last + 1)], values, color=colour, linewidth=2, zorder=3)
        left_ends.append((values[-1], f"G_{short.upper()}, unseen {what}", colour))
    left.set_ylim(0, None)
    label(left, left_ends)
    left.set_ylabel("G: share of the accuracy that is left")
    left.set_title("G, strict protocol, logistic regression")

    right.axhline(0, color="#999999", linewidth=1, zorder=1)
    right.set_ylim(-0.12, 1.05)
    ends = []
    for name, text, colour, style in [
        ("controls.logreg.source", "source,\nlogistic regression", "#CC3311", "--"),
        ("controls.knn.source", "source, kNN", "#CC3311", "-"),
        ("controls.knn.batch", "batch, kNN", "#B07D00", "-"),
        ("controls.knn.plate", "plate, kNN", "#0072B2", "-"),
        ("controls.knn.well-row", "well row, kNN", "#555555", "-"),
    ]:
        ends.append((line(right, name, colour, style), text, colour))
        for r in turned:
            x = at[r["strength"]] + (seeds.index(r["seed"]) - (len(seeds) - 1) / 2) * 0.24 / len(seeds)
            right.plot(x, r[name], ".", color=colour, markersize=4, alpha=0.6, markeredgewidth=0, zorder=2)
    label(right, ends)
    right.set_ylabel("corrected accuracy: 0 chance, 1 perfect")
    right.set_title("What can be read from untreated wells")
    for axes in [left, right]:
        axes.set_xticks(range(last + 1), [f"{x:g}" for x in strengths])
        axes.set_xlabel("strength of all dials")
        axes.set_xlim(-0.5, last + 0.5)
    for axes in [left, right]:
        # Room for the labels, which the layout does not see.
        axes.set_box_aspect(0.78)
    figure.get_layout_engine().set(wspace=0.16, rect=(0, 0, 0.89, 1))
    figure.savefig(path, metadata={"Date": None, "Creator": None}, facecolor="white")


def main():
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    table = args.out / "dials.csv"
    if not args.draw:
        comment, rows = measure(args)
        write(table, comment, rows)
    rows = read(table)
    tell(rows)
    draw(rows, args.out / "dials.svg")


if __name__ == "__main__":
    main()
