#!/usr/bin/env python3
"""Times loading and augmentation beside a PyTorch DataLoader on the same files and cores, in one run.

    cargo build --release -p bench-images --example load_speed
    python3 -m venv venv && venv/bin/pip install torch==2.11.0 torchvision==0.26.0 numpy==2.4.6 pillow
    venv/bin/python benchmarks/speed/loading.py --ours target/release/examples/load_speed --tiffs FOLDER

Makes fields of five 8-bit PNGs in the layout of JUMP, at 768 px (crops of 512) and at 80 px (crops of
64, as the demo), packs them, and lets the two sides take turns, an epoch each; medians count. Ratios
stand by the clock and by the processor time of all threads and processes of a side, which other work
on the machine changes less (Linux only). The content comes from real 16-bit images (`--tiffs`: every five files in sorted order are a field; scaled
between their percentiles, mirrored to size, turned and shifted so that no two are the same), or from
smooth noise without. The files are in the cache of the system: this times decoding, not the disk.

Ours is the loading of a training batch, from the folder and from its packed plates. The peer is a
Dataset with Pillow (or torchvision, whichever is faster here) under a DataLoader with persistent
workers; both end in a batch of 32-bit floats. Centre crops of both sides must be equal, number by
number. Writes `loading.md` beside this script.
"""
import argparse
import ctypes
import datetime
import multiprocessing
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

parser = argparse.ArgumentParser()
parser.add_argument("--ours", required=True, help="the example `load_speed`, release build")
parser.add_argument("--tiffs", help="folder of 16-bit TIFFs that give the content")
parser.add_argument("--folder", help="where the images are made, or were by an earlier run; a temporary one if absent")
parser.add_argument("--threads", type=int, default=2, help="threads of ours, workers of the peer")
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--prefetch", type=int, default=2, help="batches ahead per worker of the peer")
parser.add_argument("--fields", type=int, nargs=2, default=[256, 4096], metavar=("LARGE", "SMALL"))
parser.add_argument("--out", default=str(pathlib.Path(__file__).with_name("loading.md")))
args = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(args.threads)

import numpy as np  # noqa: E402
import PIL  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402
from PIL import Image  # noqa: E402

torch.set_num_threads(args.threads)
CHANNELS = ["DNA", "AGP", "ER", "Mito", "RNA"]
# Name; side and crop in pixels.
SIZES = [("large", 768, 512), ("small", 80, 64)]
# Shrinks a field of 768 px before a small one is cut out: the coarse pixels of the demo.
COARSER = 3
# Longer than the threads of OpenMP spin after a call.
PAUSE_S = 0.05
FLIP, COLOUR_SHIFT, COLOUR_EXPONENT = 0.5, 0.2, 0.1


def keep_freed_memory():
    """What ours does for itself: large blocks come from a heap that is kept, not from fresh pages."""
    m_trim_threshold, m_mmap_max = -1, -4
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(m_mmap_max, 0)
        libc.mallopt(m_trim_threshold, -1)


def percentiles_to_bytes(plane):
    low, high = np.percentile(plane, [1, 99])
    return (255 * np.clip((plane - low) / (high - low + 2.22e-16), 0, 1)).astype(np.uint8)


def contents(side):
    """Fields of five channels with `side` px."""
    if not args.tiffs:
        rng, fields = np.random.default_rng(1), []
        frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
        for _ in range(8):
            noise = np.fft.rfft2(rng.standard_normal((5, side, side)))
            smooth = np.fft.irfft2(noise * np.exp(-((frequency * 30) ** 2)), s=(side, side))
            smooth = 300 + 700 * np.clip(smooth / smooth.std(), 0, None)
            fields.append(np.stack([percentiles_to_bytes(p) for p in smooth + 5 * rng.standard_normal(smooth.shape)]))
        return fields
    files = sorted(path for path in pathlib.Path(args.tiffs).rglob("*.tif*"))
    fields = []
    for start in range(0, len(files) - len(files) % 5, 5):
        planes = []
        for path in files[start : start + 5]:
            plane = np.asarray(Image.open(path)).astype(np.float64)
            top, left = (max(0, n // 2 - side // 2) for n in plane.shape)
            plane = percentiles_to_bytes(plane[top : top + side, left : left + side])
            short = [side - n for n in plane.shape]
            planes.append(np.pad(plane, [(n // 2, n - n // 2) for n in short], mode="symmetric"))
        fields.append(np.stack(planes))
    return fields


def make(folder, side, count):
    """Writes `count` different fields; the same ones for the same arguments."""
    rng, large = np.random.default_rng(2), SIZES[0][1]
    fields = contents(large)
    plate = folder / "source_1" / "batch_1" / "plate_1"
    plate.mkdir(parents=True)
    for i in range(count):
        field = fields[i % len(fields)]
        if side < large:
            field = field.reshape(5, large // COARSER, COARSER, large // COARSER, COARSER).mean((2, 4)).astype(np.uint8)
        field = np.roll(field, rng.integers(field.shape[1], size=2), (1, 2))[:, :side, :side]
        field = np.rot90(field, rng.integers(4), (1, 2))
        well = f"{chr(ord('A') + i // 24 % 16)}{i % 24 + 1:02}"
        for channel, plane in zip(CHANNELS, field):
            image = Image.fromarray(np.ascontiguousarray(plane))
            image.save(plate / f"source_1__plate_1__{well}__{i // 384 + 1}__{channel}.png")


class Ours:
    """The example as a server: one request per line, one answer."""

    def __init__(self):
        environment = os.environ | {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}
        command = [args.ours, "serve", str(args.threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def ask(self, *words):
        self.process.stdin.write("\t".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"no answer to {words}")
        return float(answer)


def read_pillow(path):
    with Image.open(path) as image:
        return np.asarray(image)


def read_torchvision(path):
    return torchvision.io.read_image(path)[0].numpy()


class Fields(torch.utils.data.Dataset):
    """A random crop, flips and, with `colour`, a shift and a power of each channel; the centre without `augment`."""

    def __init__(self, folder, side, crop, read, augment=True, colour=False):
        # In the order of ours: by well, then site.
        names = {path.name.rsplit("__", 1)[0]: path.parent for path in folder.glob("*/*/*/*.png")}
        order = sorted(names, key=lambda name: name.split("__")[2:])
        self.stems = [f"{names[name]}/{name}__" for name in order]
        self.side, self.crop, self.read, self.augment, self.colour = side, crop, read, augment, colour
        self.grey = np.arange(256, dtype=np.float32) / 255

    def __len__(self):
        return len(self.stems)

    def __getitem__(self, index):
        top = left = self.side // 2 - self.crop // 2
        flips = [False, False]
        if self.augment:
            top, left = torch.randint(self.side - self.crop + 1, (2,)).tolist()
            flips = (torch.rand(2) < FLIP).tolist()
        view = [slice(None, None, -1) if flip else slice(None) for flip in flips]
        pixels = np.empty((len(CHANNELS), self.crop, self.crop), np.float32 if self.colour else np.uint8)
        for c, channel in enumerate(CHANNELS):
            plane = self.read(f"{self.stems[index]}{channel}.png")[top : top + self.crop, left : left + self.crop]
            plane = plane[view[0], view[1]]
            if self.colour:
                # A power for each grey value instead of each pixel, as ours.
                shift, exponent = (torch.rand(2) * 2 - 1).tolist()
                shifted = np.maximum(self.grey + np.float32(COLOUR_SHIFT * shift), 0)
                table = np.clip(shifted ** np.float32(1 + COLOUR_EXPONENT * exponent), 0, 1)
                np.take(table, plane, out=pixels[c], mode="clip")
            else:
                pixels[c] = plane
        return torch.from_numpy(pixels)


def loader(dataset, **options):
    return torch.utils.data.DataLoader(
        dataset, args.batch, num_workers=args.threads, persistent_workers=True, prefetch_factor=args.prefetch, **options)


def to_float(batch):
    # Bytes cross from the worker to here, a quarter of the floats.
    return batch if batch.dtype == torch.float32 else batch.float().div_(255)


def peer_epoch(batches):
    start, seen = time.perf_counter(), 0
    for batch in batches:
        seen += len(to_float(batch))
    assert seen == len(batches.dataset)
    return time.perf_counter() - start


def processor_s(processes):
    """Seconds that the threads of these processes have run."""
    files = [path for pid in processes for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(path.read_text().split()[0]) for path in files) / 1e9


def equal_centres(ours, store, folder, side, crop, work):
    """How many fields have the same numbers in the centre on both sides; all of them, or the script ends."""
    path = work / "centre.f32"
    count = int(ours.ask("centre", store, crop, path))
    numbers = np.memmap(path, np.float32, "r", shape=(count, crop, crop, len(CHANNELS)))
    dataset = Fields(folder, side, crop, read_pillow, augment=False)
    assert count == len(dataset), (count, len(dataset))
    start = 0
    for batch in torch.utils.data.DataLoader(dataset, args.batch):
        mine = np.moveaxis(numbers[start : start + len(batch)], 3, 1)
        if not np.array_equal(mine, to_float(batch).numpy()):
            sys.exit(f"{store}: centre crops {start} to {start + len(batch)} differ")
        start += len(batch)
    path.unlink()
    return count


def bits_per_pixel(folder, ending, side, count):
    size = sum(path.stat().st_size for path in folder.rglob(f"*.{ending}"))
    return 8 * size / (count * len(CHANNELS) * side * side)


keep_freed_memory()
work = pathlib.Path(tempfile.mkdtemp(prefix="bench-loading-"))
data = pathlib.Path(args.folder) if args.folder else work
ours = Ours()
lines, remarks, equal = [], [], 0
for (name, side, crop), fields in zip(SIZES, args.fields):
    folder, packed = data / name, data / f"{name}-packed"
    if not folder.exists():
        make(folder, side, fields)
    shutil.rmtree(packed, ignore_errors=True)
    packed.mkdir(parents=True)
    count = int(ours.ask("pack", folder, packed))
    for store in (folder, packed):
        equal += equal_centres(ours, store, folder, side, crop, work)
    bits = [bits_per_pixel(folder, "png", side, count), bits_per_pixel(packed, "bplate", side, count)]
    remarks.append(f"{count} fields of {side} px, {bits[0]:.2f} bits a pixel as PNG and {bits[1]:.2f} packed")
    # The faster decoder of two epochs each, after one that starts the workers.
    trials = {}
    for read in (read_pillow, read_torchvision):
        batches = loader(Fields(folder, side, crop, read), shuffle=True)
        peer_epoch(batches)
        trials[read] = min(peer_epoch(batches) for _ in range(2))
        del batches
    read = min(trials, key=trials.get)
    rates = ", ".join(f"{r.__name__.removeprefix('read_')} {count / s:.0f}" for r, s in trials.items())
    remarks[-1] += f" (decoders of the peer, images/s: {rates})"
    print(remarks[-1], flush=True)
    for what, colour in [("crop, flips", False), ("crop, flips, colour", True)]:
        batches = loader(Fields(folder, side, crop, read, colour=colour), shuffle=True)
        requests = [("load", store, crop, args.batch, int(colour)) for store in (folder, packed)]
        sides = [*(lambda epoch, request=request: ours.ask(*request, epoch) for request in requests),
                 lambda _: peer_epoch(batches)]
        # Per side and round: seconds of the clock and of processors.
        seconds = [[] for _ in sides]
        # Round 0 starts the workers and does not count.
        for epoch in range(args.rounds + 1):
            for side_number, run in enumerate(sides):
                time.sleep(PAUSE_S)
                workers = [worker.pid for worker in multiprocessing.active_children()]
                processes = [os.getpid(), *workers] if side_number == 2 else [ours.process.pid]
                busy = processor_s(processes)
                took = run(epoch)
                if epoch > 0:
                    seconds[side_number].append((took, processor_s(processes) - busy))
        del batches
        cells = [f"{side} | {crop} | {what}"]
        clock = [[took for took, _ in of_side] for of_side in seconds]
        cells.append(f"{count / statistics.median(clock[2]):.0f}")
        for mine in (0, 1):
            ratios = [theirs / took for took, theirs in zip(clock[mine], clock[2])]
            by_processor = statistics.median(theirs[1] / took[1] for took, theirs in zip(seconds[mine], seconds[2]))
            cells += [
                f"{count / statistics.median(clock[mine]):.0f}",
                f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})",
                f"{by_processor:.1f}",
            ]
        lines.append("| " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
ours.process.stdin.close()
ours.process.wait()
shutil.rmtree(work)


def training_rates():
    """Images that a training step takes a second, from `nets.md` beside this script."""
    path = pathlib.Path(__file__).with_name("nets.md")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in path.read_text().splitlines() if "|" in line]
    names = rows[0]
    rates = [(row[0], int(row[2]), float(row[names.index("items/s, ours")])) for row in rows[2:] if row[2]]
    return ", ".join(f"{net} at {size} px {rate:.0f}" for net, size, rate in rates)


cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
content = "real images" if args.tiffs else "smooth noise"
text = [
    "# Loading beside a PyTorch DataLoader",
    "",
    f"Written by `python benchmarks/speed/loading.py --ours target/release/examples/load_speed"
    f"{' --tiffs FOLDER' if args.tiffs else ''} --threads {args.threads} --batch {args.batch} --rounds {args.rounds} "
    f"--prefetch {args.prefetch} --fields {args.fields[0]} {args.fields[1]}` on {datetime.date.today()}. PyTorch "
    f"{torch.__version__}, torchvision {torchvision.__version__}, Pillow {PIL.__version__}, NumPy {np.__version__}, "
    f"Python {platform.python_version()}; {cpu}, {args.threads} threads of ours, {args.threads} workers of the peer on "
    f"the same cores.",
    "",
    f"Images (fields of 5 channels) per second, median of {args.rounds} epochs that took turns; a ratio above 1 is "
    f"faster than PyTorch: median, least and most of the rounds, then the median by processor time. Batches of {args.batch} as 32-bit floats; files in "
    f"the cache of the system. The peer reads the PNGs in both comparisons: packed plates are ours alone. Colour, "
    f"where named, changes every view. Centre crops of {equal} stored fields are equal on both sides, number by number.",
    "",
    *[f"- {remark}" for remark in remarks],
    f"- content: {content}",
    "",
    "| px | crop | augmentation | PyTorch, PNG | ours, PNG | ratio | by processor | ours, packed | ratio | by processor |",
    "| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    *lines,
    "",
    f"Training steps take, in images per second on the same cores (`nets.md`): {training_rates()}.",
]
pathlib.Path(args.out).write_text("\n".join(text) + "\n")
