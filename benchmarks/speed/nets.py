#!/usr/bin/env python3
"""Times training steps of `bench` beside PyTorch on the same networks and cores, in one run.

    cargo build --release -p bench-train --example step_speed
    python3 -m venv venv && venv/bin/pip install torch==2.11.0 numpy==2.4.6
    venv/bin/python benchmarks/speed/nets.py --ours target/release/examples/step_speed

The two take turns, so that other load on the machine falls on both; the least time of all rounds
counts. Writes `nets.md` beside this script. PyTorch runs channels-last in a process of its own
(`torch_nets.py`); memory is the peak of each process, the programs themselves included.
"""
import argparse
import datetime
import json
import pathlib
import platform
import subprocess
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--ours", required=True, help="the example `step_speed`, release build")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--seconds", type=float, default=8, help="per round and side")
parser.add_argument("--out", default=str(pathlib.Path(__file__).with_name("nets.md")))
args = parser.parse_args()

NETS = [
    ("resnet18", 32, 96),
    ("resnet34", 32, 96),
    ("demo-a", 48, 64),
    ("demo-b", 48, 96),
    ("demo-c", 48, 64),
    ("pna", 192, 0),
]
peer_script = str(pathlib.Path(__file__).with_name("torch_nets.py"))
lines, torch_version = [], ""
for net, batch, size in NETS:
    options = ["--net", net, "--batch", str(batch), "--threads", str(args.threads), "--seconds", str(args.seconds)]
    if size:
        options += ["--size", str(size)]
    least = [{}, {}]
    for _ in range(args.rounds):
        for side, command in enumerate([[args.ours], [sys.executable, peer_script]]):
            done = subprocess.run(command + options, check=True, capture_output=True, text=True)
            report = json.loads(done.stdout.strip().splitlines()[-1])
            torch_version = report.get("torch", torch_version)
            for key in ("step", "forward", "peak_rss_mib"):
                least[side][key] = min(least[side].get(key, float("inf")), report[key])
    ours, peer = least
    lines.append(
        f"| {net} | {batch} | {size or ''} | {ours['step']:.3f} | {peer['step']:.3f} | {ours['step'] / peer['step']:.2f} "
        f"| {batch / ours['step']:.0f} | {ours['forward']:.3f} | {peer['forward']:.3f} | {ours['peak_rss_mib']:.0f} "
        f"| {peer['peak_rss_mib']:.0f} |")
    print(lines[-1], flush=True)

cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
text = [
    "# Training steps beside PyTorch",
    "",
    f"Written by `python benchmarks/speed/nets.py --ours target/release/examples/step_speed --threads {args.threads} "
    f"--rounds {args.rounds} --seconds {args.seconds:g}` on {datetime.date.today()}. PyTorch {torch_version} channels-last, "
    f"Python {platform.python_version()}; {cpu}, {args.threads} threads on both sides, single precision. Seconds, least "
    f"of {args.rounds} rounds that took turns; a ratio below 1 is faster than PyTorch. Memory in MiB.",
    "",
    "| net | batch | px | step, ours | PyTorch | ratio | items/s, ours | forward, ours | PyTorch | memory, ours | PyTorch |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    *lines,
]
pathlib.Path(args.out).write_text("\n".join(text) + "\n")
