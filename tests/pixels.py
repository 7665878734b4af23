#!/usr/bin/env python3
"""Preprocessing by a second implementation, from its written description alone, pixel by pixel.

    cargo build --release -p bench-images --example prepare
    python3 -m venv venv && venv/bin/pip install numpy pillow tifffile imagecodecs
    venv/bin/python tests/pixels.py --images FOLDER --prepare target/release/examples/prepare

FOLDER holds TIFF files and `manifest.csv` (columns file, group, plate, well, channel). Every image is
read twice, by Pillow and by tifffile, and both must agree; NumPy crops, scales and (in one mode) Pillow
resizes it; the PNG that the command wrote must hold the same pixels. Modes: the recipe of JUMP, that of
Bray 2017, and JUMP resized to 224 px. Pillow rounds 8-bit images between its two passes, so there one grey
value of difference is allowed; against its floating-point images only ties may differ. Then small images with published answers go the same way. Ends with 1 when
anything differs.

Another command: --command "bench ... {table} ... {out} ... {recipe} ... {resize}".
"""
import argparse
import csv
import pathlib
import shlex
import subprocess
import sys
import tempfile

import numpy as np
import tifffile
from PIL import Image

CHANNELS = ["DNA", "AGP", "ER", "Mito", "RNA"]
SIDE, RESIZED = 768, 224

parser = argparse.ArgumentParser()
parser.add_argument("--images", help="folder of TIFF files with manifest.csv; only the small images if absent")
parser.add_argument("--prepare", default="target/release/examples/prepare")
parser.add_argument("--command", default="{prepare} {table} {out} {recipe} png 2 {resize}")
parser.add_argument("--keep", help="folder for what is written; a temporary one if absent")
args = parser.parse_args()


def centre(image, size=SIDE):
    height, width = image.shape
    top = 0 if height < size else height // 2 - size // 2
    left = 0 if width < size else width // 2 - size // 2
    return image[top : top + size, left : left + size]


def jump(image, kind=np.float64):
    x = centre(image).astype(kind)
    low, high = np.percentile(x, 1), np.percentile(x, 99)
    y = np.clip((x - low) / (high - low + np.finfo(float).eps), 0, 1)
    return (y * 255).astype(np.uint8)


def bray(image):
    count = int(np.around(image.size * (0.0028 / 100)))
    # The reference takes every pixel where the share rounds to none; the rule here is at least one.
    threshold = np.partition(image, -max(count, 1), axis=None)[-max(count, 1)]
    if threshold == 0:
        return np.zeros(image.shape, np.uint8)
    scaled = image.astype(float) * (256.0 / float(threshold))
    scaled[scaled > 255] = 255
    return scaled.astype(np.uint8)


def resize(image):
    width, height = image.size
    size = (RESIZED * width // height, RESIZED) if height <= width else (RESIZED, RESIZED * height // width)
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR))


def resized(image):
    return resize(Image.fromarray(jump(image)))


def resized_once_rounded(image):
    return np.floor(resize(Image.fromarray(jump(image).astype(np.float32))) + 0.5).astype(np.uint8)


# Name, recipe, side, function, largest difference.
MODES = [("jump", "jump", "none", jump, 0), ("bray", "bray", "none", bray, 0),
         (f"jump, resized to {RESIZED}", "jump", str(RESIZED), resized, 1),
         (f"jump, resized to {RESIZED} and rounded once", "jump", str(RESIZED), resized_once_rounded, 1)]


def read(path):
    pillow, other = np.asarray(Image.open(path)), tifffile.imread(path)
    assert np.array_equal(pillow, other), f"{path}: Pillow and tifffile disagree"
    return other


def prepare(rows, folder, recipe, resize):
    """Runs the command; rows are (five parts of the name, channel, path)."""
    folder.mkdir(parents=True, exist_ok=True)
    table, out = folder / "fields.csv", folder / "out"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([f"Metadata_{n}" for n in ("Source", "Batch", "Plate", "Well", "Site")] + ["channel", "file"])
        writer.writerows([*place, channel, path.resolve()] for place, channel, path in rows)
    words = {"prepare": args.prepare, "table": table, "out": out, "recipe": recipe, "resize": resize}
    command = [word.format(**words) for word in shlex.split(args.command)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return out


def png(out, place, channel):
    source, batch, plate, well, site = place
    return out / source / batch / plate / f"{source}__{plate}__{well}__{site}__{channel}.png"


def compare(rows, out, function, allowed):
    """Counts images, pixels, pixels that differ, the largest difference and images that fail."""
    images = pixels = differing = largest = failed = 0
    for place, channel, path in rows:
        wanted, file = function(read(path)), png(out, place, channel)
        with Image.open(file) as image:
            assert image.mode == "L", f"{file}: mode {image.mode}"
            found = np.asarray(image)
        images += 1
        if found.shape != wanted.shape:
            print(f"{file}: {found.shape}, and {wanted.shape} is right", file=sys.stderr)
            failed += 1
            continue
        difference = np.abs(found.astype(int) - wanted.astype(int))
        pixels += difference.size
        differing += int((difference > 0).sum())
        largest = max(largest, int(difference.max()))
        if difference.max() > allowed:
            print(f"{file}: differs by up to {difference.max()} in {(difference > 0).sum()} pixels", file=sys.stderr)
            failed += 1
    return images, pixels, differing, largest, failed


def real(folder):
    rows = []
    with (folder / "manifest.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            source = row["group"] if "two_sources" in row["file"] else "cpjump1"
            site = "5" if "f05" in row["file"] else "1"
            place = (source, row["group"], row["plate"].rstrip("?"), row["well"], site)
            rows.append((place, row["channel"], folder / row["file"]))
    return rows


def vectors(folder):
    """Images with known answers: (name, pixels, the answer of JUMP's recipe or None)."""
    ramp = np.arange(16, dtype=np.uint16).reshape(1, 16) * 100
    answer = [0, 14, 32, 49, 66, 84, 101, 118, 136, 153, 170, 188, 205, 222, 240, 255]
    sparse = np.array([[0, 0, 10, 20, 30, 40, 50, 60, 65535, 65535]], np.uint16)
    rng = np.random.default_rng(3)
    noise = lambda h, w: rng.integers(100, 4096, (h, w), dtype=np.uint16)
    images = [("A01", ramp, [answer]), ("A02", sparse, [[0] * 8 + [255] * 2]),
              ("A03", np.full((9, 7), 7, np.uint16), np.zeros((9, 7))),
              ("A04", np.full((9, 7), 65535, np.uint16), np.zeros((9, 7))), ("A05", np.zeros((5, 5), np.uint16), np.zeros((5, 5))),
              ("B01", noise(1080, 997), None), ("B02", noise(970, 768), None), ("B03", noise(700, 1080), None),
              ("B04", noise(520, 696), None), ("B05", noise(1, 1), np.zeros((1, 1)))]
    rows = []
    folder.mkdir(parents=True, exist_ok=True)
    for well, image, wanted in images:
        if wanted is not None:
            assert np.array_equal(jump(image), np.asarray(wanted)), f"the script itself is wrong at {well}"
        path = folder / f"{well}.tif"
        tifffile.imwrite(path, image, photometric="minisblack", compression="lzw")
        rows += [(("source_0", "b", "p", well, "1"), channel, path) for channel in CHANNELS]
    return rows, {"B01": (156, 114), "B02": (101, 0), "B03": (0, 156), "B04": (0, 0)}


def main(base):
    bad = 0
    if args.images:
        rows = real(pathlib.Path(args.images))
        for n, (name, recipe, resize, function, allowed) in enumerate(MODES):
            out = prepare(rows, base / f"real{n}", recipe, resize)
            images, pixels, differing, largest, failed = compare(rows, out, function, allowed)
            print(f"real images, {name}: {images} images, {pixels} pixels, {differing} differ, by {largest} at most")
            bad += failed
        single = sum(int((jump(i) != jump(i, np.float32)).sum()) for i in (read(path) for _, _, path in rows))
        print(f"real images, the recipe in single precision: {single} pixels differ from double precision")
    rows, starts = vectors(base / "vectors")
    for n, (name, recipe, resize, function, allowed) in enumerate(MODES[:2]):
        out = prepare(rows, base / f"small{n}", recipe, resize)
        images, pixels, differing, largest, failed = compare(rows, out, function, allowed)
        print(f"images with known answers, {name}: {images} images, {pixels} pixels, {differing} differ, by {largest} at most")
        bad += failed
        with (out / "prepared.csv").open(newline="") as file:
            for row in csv.DictReader(file) if recipe == "jump" else ():
                start = starts.get(row["field"].split("__")[3])
                bad += start is not None and start != (int(row["crop_top"]), int(row["crop_left"]))
    return 1 if bad else 0


if args.keep:
    sys.exit(main(pathlib.Path(args.keep)))
with tempfile.TemporaryDirectory() as temporary:
    sys.exit(main(pathlib.Path(temporary)))
