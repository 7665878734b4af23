#!/usr/bin/env python3
"""Times the preprocessing of raw images beside Pillow and NumPy on the same files and cores, in one run.

    cargo build --release -p bench-images --example prepare
    python3 -m venv venv && venv/bin/pip install numpy==2.4.6 pillow==13.0.0
    venv/bin/python benchmarks/speed/prepare.py --ours target/release/examples/prepare --tiffs FOLDER

FOLDER holds 16-bit TIFF files; every five of one size in sorted order are a field, and fields repeat
under other names until there are enough. Both sides read a file, crop its centre to 768 px, scale it
between its percentiles and write a PNG; ours also measures its quality and writes a manifest with
checksums. The two take turns; medians count. The first round compares all pixels. Images per second
and core are by one thread, by the clock and by processor time (Linux only); starting the processes is
part of both times. Files are in the cache of the system. Memory is the peak of 8 threads of ours,
and the sum of the peaks of 8 processes of the peer. Writes `prepare.md` beside this script.
"""
import argparse
import csv
import datetime
import json
import multiprocessing
import os
import pathlib
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import PIL
from PIL import Image

CHANNELS = ["DNA", "AGP", "ER", "Mito", "RNA"]
SIDE, WORKERS = 768, 8

parser = argparse.ArgumentParser()
parser.add_argument("--ours", default="target/release/examples/prepare", help="the example `prepare`, release build")
parser.add_argument("--tiffs", help="folder of 16-bit TIFF files")
parser.add_argument("--fields", type=int, default=24)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--side", type=int, default=1080, help="only files of this height are used")
parser.add_argument("--out", default=str(pathlib.Path(__file__).with_name("prepare.md")))
parser.add_argument("--peer", nargs=3, metavar=("TABLE", "OUT", "PROCESSES"), help=argparse.SUPPRESS)
args = parser.parse_args()


def rows(table):
    with open(table, newline="") as file:
        return [(r["file"], f"{r['Metadata_Well']}__1__{r['channel']}.png") for r in csv.DictReader(file)]


def convert(job):
    source, target = job
    image = np.asarray(Image.open(source))
    top, left = (max(0, n // 2 - SIDE // 2) for n in image.shape)
    x = image[top : top + SIDE, left : left + SIDE].astype(np.float32)
    low, high = np.percentile(x, [1, 99])
    y = np.clip((x - low) / (high - low + np.finfo(float).eps), 0, 1)
    Image.fromarray((y * 255).astype(np.uint8)).save(target)
    return os.getpid(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def peer(table, out, processes):
    jobs = [(source, os.path.join(out, name)) for source, name in rows(table)]
    if processes == 1:
        peaks = dict(map(convert, jobs))
    else:
        with multiprocessing.Pool(processes) as pool:
            peaks = {}
            for pid, peak in pool.imap_unordered(convert, jobs):
                peaks[pid] = max(peak, peaks.get(pid, 0))
    print(json.dumps(sum(peaks.values())))


if args.peer:
    peer(args.peer[0], args.peer[1], int(args.peer[2]))
    sys.exit()
if not args.tiffs:
    parser.error("--tiffs is needed")


def timed(command):
    """Seconds by the clock and of processors, peak in KiB, and what was printed."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    assert status == 0, command
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, text


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def main(base):
    files = sorted(pathlib.Path(args.tiffs).rglob("*.tif*"))
    files = [path for path in files if Image.open(path).size[1] == args.side]
    files = files[: len(files) - len(files) % len(CHANNELS)]
    assert files, "no files of this height"
    table = base / "fields.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([f"Metadata_{n}" for n in ("Source", "Batch", "Plate", "Well", "Site")] + ["channel", "file"])
        for i in range(args.fields):
            for c, channel in enumerate(CHANNELS):
                path = files[(i * len(CHANNELS) + c) % len(files)]
                writer.writerow(["s", "b", "p", f"{chr(65 + i // 24)}{i % 24 + 1:02}", "1", channel, path.resolve()])
    n = args.fields * len(CHANNELS)
    bytes_in = sum(os.path.getsize(source) for source, _ in rows(table))
    a, b = base / "ours", base / "peer"
    script = [sys.executable, __file__, "--peer", str(table), str(b)]

    def ours(form, threads):
        return timed([args.ours, str(table), str(fresh(a)), "jump", form, str(threads)])

    def theirs(processes):
        fresh(b)
        return timed([*script, str(processes)])

    times = {"png": [], "packed": [], "pillow": []}
    sizes = {}
    for turn in range(args.rounds):
        times["pillow"].append(theirs(1))
        times["png"].append(ours("png", 1))
        if turn == 0:
            for _, name in rows(table):
                mine, other = (np.asarray(Image.open(p)) for p in (a / "s" / "b" / "p" / f"s__p__{name}", b / name))
                assert np.array_equal(mine, other), name
            sizes["pillow"] = sum(path.stat().st_size for path in b.iterdir())
        sizes["png"] = json.loads(times["png"][-1][3])["bytes"]
        times["packed"].append(ours("packed", 1))
        sizes["packed"] = json.loads(times["packed"][-1][3])["bytes"]
    peaks = {"png": ours("png", WORKERS)[2], "packed": ours("packed", WORKERS)[2], "pillow": int(theirs(WORKERS)[3])}

    def ratio(name, which):
        each = sorted(p[which] / o[which] for p, o in zip(times["pillow"], times[name]))
        return f"{statistics.median(each):.1f} ({each[0]:.1f} to {each[-1]:.1f})"

    lines = []
    for name, label in [("pillow", "Pillow and NumPy, PNG"), ("png", "ours, PNG"), ("packed", "ours, packed")]:
        clock, cpu = (statistics.median(n / t[k] for t in times[name]) for k in (0, 1))
        ratios = ["", ""] if name == "pillow" else [ratio(name, 0), ratio(name, 1)]
        lines.append(f"| {label} | {clock:.1f} | {ratios[0]} | {cpu:.1f} | {ratios[1]} | {sizes[name] / bytes_in:.3f} "
                     f"| {sizes[name] / sizes['pillow']:.2f} | {peaks[name] / 1024:.0f} |")
    command = "python benchmarks/speed/prepare.py " + " ".join(
        f"--{k} {'FOLDER' if k == 'tiffs' else v}" for k, v in vars(args).items() if k not in ("peer", "out") and v)
    model = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    text = f"""# Preprocessing beside Pillow and NumPy

Written by `{command}` on {datetime.date.today()}. Pillow {PIL.__version__}, NumPy {np.__version__}, Python {platform.python_version()}; {model}.

{n} channel images of {args.side} px ({len(files)} different files), 16-bit TIFF of {bytes_in / n / 1e6:.2f} MB each, to {SIDE} px of 8 bits between percentiles; files in the cache of the system. One thread on each side, starting the processes included; medians of {args.rounds} rounds that took turns, ratios with least and most. All pixels of both sides are equal. Ours measures quality and writes checksums too. Memory is the peak of {WORKERS} threads, or the sum over {WORKERS} processes of the peer.

| | images/s | ratio | images per processor second | ratio | bytes out per byte in | files against Pillow's | peak MB |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
""" + "\n".join(lines) + "\n"
    pathlib.Path(args.out).write_text(text)
    print(text)


with tempfile.TemporaryDirectory() as temporary:
    main(pathlib.Path(temporary))
