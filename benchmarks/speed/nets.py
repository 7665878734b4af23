#!/usr/bin/env python3
"""Times training steps of `bench` beside PyTorch on the same networks and cores, in one run.

    cargo build --release -p bench-train --example step_speed
    python3 -m venv venv && venv/bin/pip install torch==2.11.0 numpy==2.4.6
    venv/bin/python benchmarks/speed/nets.py --ours target/release/examples/step_speed

Both sides are programs that wait for requests; the two take turns of about a second, so that other
load on the machine falls on both. The least time counts; the ratio of the medians stands beside it,
and differs much where the machine was not quiet. Writes `nets.md` beside this script. PyTorch runs
channels-last, with fused AdamW and, as ours, a heap that is kept (`torch_nets.py`); memory is the
peak of each process, the programs themselves included.
"""
import argparse
import datetime
import pathlib
import platform
import statistics
import subprocess
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--ours", required=True, help="the example `step_speed`, release build")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--rounds", type=int, default=8, help="turns of each side")
parser.add_argument("--seconds", type=float, default=1, help="of steps in a turn; forward passes take half of it")
parser.add_argument("--only", default="", help="prefix of the networks to run")
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
# Longer than the threads of OpenMP spin after a call.
PAUSE_S = 0.05
LEAST_CALLS = 2


class Side:
    """A program that answers `step` and `forward` with seconds."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.seconds = {"step": [], "forward": []}

    def ask(self, what):
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def turn(self, what, seconds):
        """A call that does not count, after the wait, then calls for some seconds."""
        time.sleep(PAUSE_S)
        self.ask(what)
        end, done = time.perf_counter() + seconds, 0
        while done < LEAST_CALLS or time.perf_counter() < end:
            self.seconds[what].append(self.ask(what))
            done += 1

    def end(self):
        """Peak resident memory in MiB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
        self.process.stdin.close()
        self.process.wait()
        return int(peak) / 1024


lines, torch_version = [], ""
for net, batch, size in NETS:
    if not net.startswith(args.only):
        continue
    options = ["--serve", "--net", net, "--batch", str(batch), "--threads", str(args.threads)]
    if size:
        options += ["--size", str(size)]
    sides = [Side([args.ours, *options]), Side([sys.executable, peer_script, *options])]
    torch_version = sides[1].process.stdout.readline().strip()
    # Round 0 allocates and does not count.
    for round in range(args.rounds + 1):
        for what, share in (("step", 1), ("forward", 0.5)):
            for side in sides:
                side.turn(what, args.seconds * share)
                if round == 0:
                    side.seconds[what].clear()
    memory = [side.end() for side in sides]
    step, forward = [[min(side.seconds[what]) for side in sides] for what in ("step", "forward")]
    medians = [statistics.median(side.seconds["step"]) for side in sides]
    lines.append(
        f"| {net} | {batch} | {size or ''} | {step[0]:.3f} | {step[1]:.3f} | {step[0] / step[1]:.2f} "
        f"| {medians[0] / medians[1]:.2f} | {batch / step[0]:.0f} | {forward[0]:.3f} | {forward[1]:.3f} "
        f"| {memory[0]:.0f} | {memory[1]:.0f} |")
    print(lines[-1], flush=True)

cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
text = [
    "# Training steps beside PyTorch",
    "",
    f"Written by `python benchmarks/speed/nets.py --ours target/release/examples/step_speed --threads {args.threads} "
    f"--rounds {args.rounds} --seconds {args.seconds:g}` on {datetime.date.today()}. PyTorch {torch_version} channels-last, "
    f"Python {platform.python_version()}; {cpu}, {args.threads} threads on both sides, single precision. Seconds, least "
    f"of {args.rounds} turns of each; a ratio below 1 is faster than PyTorch. Memory in MiB.",
    "",
    "| net | batch | px | step, ours | PyTorch | ratio | of medians | items/s, ours | forward, ours | PyTorch | memory, ours | PyTorch |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    *lines,
]
pathlib.Path(args.out).write_text("\n".join(text) + "\n")
