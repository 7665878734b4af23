#!/usr/bin/env python3
"""Do the embedding metrics follow what they claim to measure? Tables for METHODOLOGY.md.

    python3 -m venv venv && venv/bin/pip install matplotlib==3.11.2
    venv/bin/python benchmarks/metric_validation.py

Runs `cargo run --release -p bench-eval --example metric_validation`, which makes synthetic wells with dials for batch
effects, biology, position effects and collapse, and measures every embedding metric on them; its head has the model.

Writes `figures/metric-validation.csv` (one row per sweep, level and metric, a column per seed),
`figures/metric-validation.svg`, and the section between the markers of METHODOLOGY.md. `--draw` makes the last two from
the table that is there. Four seeds take half a minute on two cores, after the build.
"""
import argparse
import csv
import io
import math
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
PAGE = HERE / "METHODOLOGY.md"
START, END = "<!-- metric validation: start, by metric_validation.py -->", "<!-- metric validation: end -->"
COMMAND = ["cargo", "run", "--release", "--locked", "-p", "bench-eval", "--example", "metric_validation", "--"]
SIZES = ["rows", "batches", "labels"]
# Guards that a dial is made for; no dial moves duplicates and hubness.
GUARDS = {"effective-rank": "collapse", "uniformity": "collapse", "alignment": "biology", "position-leak": "position"}

# A step against the dial counts from this share of the range and this many standard errors.
REVERSAL, ERRORS = 0.05, 3.0
# A level is told from zero if it differs by this many standard deviations between seeds.
TOLD = 2.0
# Of the own range: a steep part has more than this between two levels; moved by something else; idle steps.
MOVED, TALK, IDLE = 0.10, 0.25, 0.02

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--seeds", type=int, default=4)
parser.add_argument("--out", type=pathlib.Path, default=HERE / "figures")
parser.add_argument("--raw", type=pathlib.Path, help="what the example printed, instead of running it")
parser.add_argument("--draw", action="store_true", help="from the table that is there")


def run(seeds):
    """What the example prints."""
    done = subprocess.run([*COMMAND, str(seeds)], stdout=subprocess.PIPE, text=True, cwd=HERE.parent)
    if done.returncode != 0:
        sys.exit(f"{' '.join(COMMAND)}: exit code {done.returncode}")
    return done.stdout


def collect(raw):
    """Rows of the table: one per sweep, level and metric, with a column per seed."""
    cells = {}
    for row in csv.DictReader(io.StringIO(raw)):
        key = (row["sweep"], float(row["level"]), row["metric"])
        follows = [dial for dial, told in [("batch", row["side"] == "batch" or row["worst"] == "one-hot-source"),
                                           ("biology", row["side"] == "biology" or row["best"] == "one-hot-label")] if told]
        cell = cells.setdefault(key, {
            "sweep": key[0], "level": f"{key[1]:g}", "metric": key[2], "side": row["side"], "better": row["better"],
            "follows": " ".join(follows), "values": {}, "fires": 0, "collapse": 0, "reason": "",
        })
        cell["values"][int(row["seed"])] = row["value"]
        cell["fires"] += row["fires"] == "1"
        cell["collapse"] += row["collapse"] == "1"
        cell["reason"] = cell["reason"] or row["reason"]
    out = []
    for cell in cells.values():
        values = cell.pop("values")
        seen = {f"seed {seed}": f"{float(values[seed]):.5g}" if values[seed] else "" for seed in sorted(values)}
        out.append(cell | seen)
    return out


def write(path, rows):
    commit = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, cwd=HERE).stdout.strip()
    seeds = sum(key.startswith("seed ") for key in rows[0])
    with path.open("w", newline="") as file:
        file.write(f"# python benchmarks/metric_validation.py --seeds {seeds}; commit {commit or 'unknown'}\n")
        file.write("# sweep, level: examples/metric_validation.rs; follows: dials that the card names; fires, collapse: seeds in which a guard fires, and means collapse\n")
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


class Metric:
    """The values of one metric: by sweep, then level, then seed."""

    def __init__(self, rows):
        first = rows[0]
        self.id, self.side, self.better = first["metric"], first["side"], first["better"]
        self.follows = first["follows"].split()
        self.sign = -1 if self.better == "lower" else 1
        self.sweeps, self.collapse, self.missing = {}, {}, []
        for row in rows:
            values = [float(row[key]) if row[key] else math.nan for key in row if key.startswith("seed ")]
            level = float(row["level"])
            if all(math.isnan(value) for value in values):
                self.missing.append((row["sweep"], level, row["reason"]))
                continue
            self.sweeps.setdefault(row["sweep"], {})[level] = values
            self.collapse[row["sweep"], level] = int(row["collapse"])
        self.dial = GUARDS.get(self.id) if self.side == "guard" else self.side

    def mean(self, sweep, level):
        return statistics.fmean(v for v in self.sweeps[sweep][level] if not math.isnan(v))

    def means(self, sweep):
        return [self.mean(sweep, level) for level in sorted(self.sweeps.get(sweep, {}))]

    def sd(self, sweep, level):
        values = [v for v in self.sweeps[sweep][level] if not math.isnan(v)]
        return statistics.stdev(values) if len(values) > 1 else 0.0

    def expected(self, sweep):
        """Direction of the value as the dial rises: batch effects, positions and collapse are bad, biology is good."""
        return self.sign if sweep == "biology" else -self.sign

    def range(self):
        """What the own dial moves, at most."""
        means = self.means(self.dial) if self.dial else []
        return max(means) - min(means) if means else 0.0

    def told(self):
        """First level of the own dial that a single run tells from zero."""
        levels = sorted(self.sweeps[self.dial])
        return next((level for level in levels[1:] if self.distance(levels[0], level) >= TOLD), None)

    def distance(self, a, b):
        """Difference of two levels over the standard deviation between seeds."""
        spread = math.sqrt((self.sd(self.dial, a) ** 2 + self.sd(self.dial, b) ** 2) / 2)
        gap = abs(self.mean(self.dial, a) - self.mean(self.dial, b))
        return gap / max(spread, 1e-3 * self.range(), 1e-12)

    def sensitivity(self):
        levels = sorted(self.sweeps[self.dial])
        return statistics.median(self.distance(a, b) for a, b in zip(levels, levels[1:]))

    def tau(self, sweep):
        """Kendall's tau between level and value, mean over seeds; 1 if the value follows as the card says."""
        levels = sorted(self.sweeps[sweep])
        series = zip(*(self.sweeps[sweep][level] for level in levels))
        return statistics.fmean(kendall(levels, values) for values in series) * self.expected(sweep)

    def reversal(self, sweep):
        """Largest step against the dial: share of the range of the sweep, if it is more than chance."""
        levels, worst = sorted(self.sweeps[sweep]), 0.0
        means = self.means(sweep)
        spread = max(means) - min(means)
        for a, b in zip(levels, levels[1:]):
            steps = [(y - x) * -self.expected(sweep) for x, y in zip(self.sweeps[sweep][a], self.sweeps[sweep][b])
                     if not math.isnan(x + y)]
            step = statistics.fmean(steps)
            error = statistics.stdev(steps) / math.sqrt(len(steps)) if len(steps) > 1 else 0.0
            if spread > 0 and step > ERRORS * error:
                worst = max(worst, step / spread)
        return worst

    def span(self):
        """Levels of the own dial by which 10 and 90 % of the range are used, and idle steps below and above."""
        levels, means = sorted(self.sweeps[self.dial]), self.means(self.dial)
        total = means[-1] - means[0]
        if total == 0:
            return None, None, 0, 0
        used = [(value - means[0]) / total for value in means]
        low = next(level for level, share in zip(levels, used) if share >= 0.1)
        high = next(level for at, level in enumerate(levels) if all(share >= 0.9 for share in used[at:]))
        steps = [abs(b - a) / self.range() < IDLE for a, b in zip(means, means[1:])]
        below = next((at for at, idle in enumerate(steps) if not idle), len(steps))
        above = next((at for at, idle in enumerate(reversed(steps)) if not idle), len(steps))
        return low, high, below, above

    def talk(self, sweep):
        """What another dial does: range of the means, in shares of the own one, and whether it looks better or worse."""
        means = self.means(sweep)
        if not means or self.range() == 0:
            return None
        return (max(means) - min(means)) / self.range() * (1 if self.sign * (means[-1] - means[0]) >= 0 else -1)

    def bias(self, size):
        """How far a size moves the value where the own dial is at zero, in shares of the own range."""
        sweep = f"{size} without {'biology' if self.dial == 'biology' else 'batch'}"
        means = self.means(sweep)
        return (means[-1] - means[0]) / self.range() if len(means) > 1 and self.range() > 0 else None


def kendall(x, y):
    """Kendall's tau-b; 0 if nothing varies."""
    concordant = ties_x = ties_y = pairs = 0
    for a in range(len(x)):
        for b in range(a + 1, len(x)):
            if math.isnan(y[a] + y[b]):
                continue
            p, q = (x[b] > x[a]) - (x[b] < x[a]), (y[b] > y[a]) - (y[b] < y[a])
            pairs += 1
            concordant += p * q
            ties_x += p == 0
            ties_y += q == 0
    below = math.sqrt((pairs - ties_x) * (pairs - ties_y))
    return concordant / below if below else 0.0


def number(value):
    return "-" if value is None else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"


def percent(value):
    return "-" if value is None else f"{100 * value:+.0f}"


def level(value):
    return "-" if value is None else f"{value:g}"


def line(metric):
    dial = metric.dial
    if dial is None or metric.range() == 0:
        means = metric.means("batch")
        return f"| {metric.id} | {number(means[0]) if means else '-'} throughout |" + " - |" * 10
    means = metric.means(dial)
    low, high, _, _ = metric.span()
    other = "biology" if dial == "batch" else "batch"
    cells = [metric.id, f"{number(means[0])} to {number(means[-1])}", f"{metric.tau(dial):.2f}", number(metric.sensitivity()),
             level(metric.told()), f"{level(low)} to {level(high)}", percent(metric.talk(other)),
             *(percent(metric.bias(size)) for size in SIZES), percent(metric.talk("position")), percent(metric.talk("collapse"))]
    if dial in ["position", "collapse"]:
        cells[10 if dial == "position" else 11] = "own"
    return "| " + " | ".join(cells) + " |"


HEAD = ("| metric | dial at zero, at most | tau | step / sd | told from | 10 to 90 % of the range | other dial | rows | batches "
        "| labels | position | collapse |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")


def names(found):
    return ", ".join(f"`{name}`" if not note else f"`{name}` ({note})" for name, note in found) or "none"


def findings(metrics):
    """Sentences on what fails, with the names."""
    dialled = [m for m in metrics if m.dial and m.range() > 0]
    told = {}
    told["Steps against the own dial"] = names(
        (m.id, f"{100 * m.reversal(m.dial):.0f} % of the range") for m in dialled if m.reversal(m.dial) > REVERSAL)
    told["Flat or wavering over much of the dial (tau below 0.8)"] = names(
        (m.id, f"{m.tau(m.dial):.2f}") for m in dialled if m.tau(m.dial) < 0.8)
    both = [(m, dial) for m in dialled for dial in m.follows if dial != m.dial and dial in m.sweeps]
    told["Does not follow the other dial that its card names (tau below 0.5)"] = names(
        (m.id, f"{dial}, tau {m.tau(dial):.2f}") for m, dial in both if m.tau(dial) < 0.5)
    sided = [m for m in dialled if m.side != "guard"]
    told["Saturated early: 90 % of the range is used at a quarter or before"] = names(
        (m.id, f"at {level(m.span()[1])}") for m in sided if m.span()[1] is not None and m.span()[1] <= 0.25)
    told["Blind to weak effects: nothing below 0.5 is told from zero in a single run"] = names(
        (m.id, f"from {level(m.told())}") for m in sided if m.told() is None or m.told() >= 0.5)
    told[f"Moved by the other dial by more than {100 * TALK:.0f} % of the own range, though its card names one dial"] = names(
        (m.id, f"{percent(m.talk(other))} %") for m in sided for other in ["biology" if m.dial == "batch" else "batch"]
        if other not in m.follows and abs(m.talk(other) or 0) > TALK)
    for size, what in [("rows", "rows, 256 to 1024"), ("batches", "batches, 2 to 16"), ("labels", "labels, 2 to 16")]:
        told[f"Biased by the number of {what}: more than {100 * MOVED:.0f} % of the range where there is nothing to see"] = names(
            (m.id, f"{percent(m.bias(size))} %") for m in sided if abs(m.bias(size) or 0) > MOVED)
    told[f"Looks better under position effects, by more than {100 * MOVED:.0f} % of the range"] = names(
        (m.id, f"{percent(m.talk('position'))} %") for m in sided if (m.talk("position") or 0) > MOVED)
    told[f"Looks better as the embedding collapses, by more than {100 * MOVED:.0f} % of the range"] = names(
        (m.id, f"{percent(gain)} %") for m in sided if (gain := reward(m)) is not None and gain > MOVED)
    return told


def reward(metric):
    """What full collapse gives beyond the embedding that it was made of."""
    means = metric.means("collapse")
    return metric.sign * (means[-1] - means[0]) / metric.range() if means and metric.range() > 0 else None


def flagged(metrics, amount):
    """Seeds in which a guard that means collapse fires at an amount of collapse."""
    return max(m.collapse.get(("collapse", amount), 0) for m in metrics)


def section(metrics):
    seeds = len(next(iter(metrics[0].sweeps["batch"].values())))
    dialled = [m for m in metrics if m.dial and m.range() > 0]
    follow = [m for m in dialled if m.reversal(m.dial) <= REVERSAL]
    out = [f"Means over {seeds} seeds. {len(follow)} of {len(dialled)} metrics with a dial follow it at every step.", ""]
    out += [f"- {what}: {who}." for what, who in findings(metrics).items()]
    amounts = sorted({amount for m in metrics for amount in m.sweeps.get("collapse", {})})
    out.append("- Flagged by a guard that means collapse: " + ", ".join(
        f"{flagged(metrics, amount)} of {seeds} seeds at {amount:g}" for amount in amounts) + ".")
    gone = {}
    for m in metrics:
        for sweep, at, why in m.missing:
            gone.setdefault((m.id, why), []).append(f"{sweep} {at:g}")
    out += [f"- Not defined: `{name}` at {', '.join(where)} ({why})." for (name, why), where in sorted(gone.items())]
    for side, title in [("batch", "Batch side, dial of batch effects"), ("biology", "Biology side, dial of biology"),
                        ("guard", "Guards, the dial made for each")]:
        out += ["", f"**{title}**", "", HEAD, *(line(m) for m in metrics if m.side == side)]
    return "\n".join(out)


def publish(text):
    page = PAGE.read_text()
    before, rest = page.split(START)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{START}\n\n{text}\n\n{END}{after}")


def draw(metrics, path):
    import matplotlib
    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({
        "svg.fonttype": "none", "svg.hashsalt": "metric validation", "font.family": "sans-serif",
        "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans"], "font.size": 8, "axes.titlesize": 10,
        "axes.titlelocation": "left",
    })
    shown = [m for m in metrics if m.side != "guard" and m.range() > 0]
    dials = [("batch", "batch effects"), ("biology", "biology"), ("position", "position"), ("collapse", "collapse")]
    widths = [len(shown[0].sweeps[dial]) for dial, _ in dials]
    figure, panels = plt.subplots(1, 4, figsize=(11, 0.155 * len(shown) + 1.6), layout="constrained", sharey=True,
                                  gridspec_kw={"width_ratios": widths})
    for axes, (dial, title) in zip(panels, dials):
        levels = sorted(shown[0].sweeps[dial])
        cells = []
        for m in shown:
            means = {at: m.mean(dial, at) for at in m.sweeps.get(dial, {})}
            everything = [v for sweep, _ in dials[:2] for v in m.means(sweep)]
            low, high = min(everything), max(everything)
            place = lambda v: (v - low) / (high - low) if m.sign > 0 else (high - v) / (high - low)
            cells.append([min(max(place(means[at]), 0), 1) if at in means else math.nan for at in levels])
        mesh = axes.pcolormesh(cells, cmap="cividis", vmin=0, vmax=1, rasterized=True)
        axes.set_xticks([i + 0.5 for i in range(len(levels))], [f"{x:g}".lstrip("0") or "0" for x in levels])
        axes.set_title(title)
        axes.tick_params(length=0)
        split = sum(m.side == "batch" for m in shown)
        axes.axhline(split, color="black", linewidth=1)
        for side in axes.spines.values():
            side.set_visible(False)
    panels[0].set_yticks([i + 0.5 for i in range(len(shown))], [m.id for m in shown])
    panels[0].invert_yaxis()
    bar = figure.colorbar(mesh, ax=panels, location="bottom", shrink=0.3, aspect=40, pad=0.01)
    bar.set_label("value between the worst (0) and the best (1) of both dials; above the line the batch side")
    figure.savefig(path, metadata={"Date": None, "Creator": None}, facecolor="white", dpi=150)


def main():
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    table = args.out / "metric-validation.csv"
    if not args.draw:
        write(table, collect(args.raw.read_text() if args.raw else run(args.seeds)))
    rows, by_metric = read(table), {}
    for row in rows:
        by_metric.setdefault(row["metric"], []).append(row)
    metrics = [Metric(rows) for rows in by_metric.values()]
    order = {"batch": 0, "biology": 1, "guard": 2}
    metrics.sort(key=lambda m: order[m.side])
    text = section(metrics)
    publish(text)
    print(text)
    draw(metrics, args.out / "metric-validation.svg")


if __name__ == "__main__":
    main()
