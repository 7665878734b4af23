"""Files and expected values for reading and preparing raw images.

    python -m venv venv && venv/bin/pip install numpy==2.4.6 pillow==13.0.0 tifffile==2026.3.3 imagecodecs==2026.3.6
    venv/bin/python images_prepare.py

`images_tiff/`: one plane in many encodings, and files that must be refused, written by tifffile and
Pillow. `images_tiff/expected.json`: what each holds, or a part of the message that refuses it.
`images_prepare.json`: recipes applied with NumPy and Pillow alone.
"""

import json
import struct
from pathlib import Path

import numpy as np
import PIL
import tifffile
from PIL import Image

here = Path(__file__).parents[1]
folder = here / "images_tiff"
folder.mkdir(exist_ok=True)
for old in folder.iterdir():
    old.unlink()
rng = np.random.default_rng(11)
height, width = 40, 56
y, x = np.mgrid[:height, :width]
plane = (900 + 25 * x + 12 * y + rng.integers(0, 40, (height, width))).astype(np.uint16)
plane[3:9, 5:11] = 60_000
small = (plane // 256).astype(np.uint8)
twelve = np.minimum(plane, 4095)

expected = {}


def put(name, values, scale=1.0, **options):
    tifffile.imwrite(folder / name, values, **options)
    expected[name] = {"kind": values.dtype.name}


grey = {"photometric": "minisblack"}
for name, values, options in [
    ("plain", plane, {}),
    ("strips", plane, {"rowsperstrip": 7}),
    ("lzw", plane, {"compression": "lzw", "rowsperstrip": 7}),
    ("lzw_predictor", plane, {"compression": "lzw", "predictor": True}),
    ("deflate", plane, {"compression": "zlib"}),
    ("deflate_predictor", plane, {"compression": "zlib", "predictor": True, "rowsperstrip": 11}),
    ("packbits", plane, {"compression": "packbits"}),
    ("tiles", plane, {"tile": (16, 32)}),
    ("tiles_lzw_predictor", plane, {"tile": (16, 16), "compression": "lzw", "predictor": True}),
    ("tiles_deflate", plane, {"tile": (32, 16), "compression": "zlib"}),
    ("big_endian", plane, {"byteorder": ">"}),
    ("big_endian_lzw_predictor", plane, {"byteorder": ">", "compression": "lzw", "predictor": True}),
    ("bigtiff", plane, {"bigtiff": True}),
    ("bigtiff_big_endian_tiles", plane, {"bigtiff": True, "byteorder": ">", "tile": (16, 16), "compression": "zlib"}),
    ("imagej", plane, {"imagej": True}),
    ("ome", plane, {"ome": True}),
    ("eight", small, {}),
    ("eight_lzw_predictor", small, {"compression": "lzw", "predictor": True}),
    ("twelve_in_sixteen", twelve, {"compression": "lzw"}),
    ("float32", (plane / 4).astype(np.float32), {}),
    ("float32_deflate_predictor", (plane / 4).astype(np.float32), {"compression": "zlib", "predictor": 3}),
    ("float32_big_endian_tiles", (plane / 4).astype(np.float32), {"byteorder": ">", "tile": (16, 16)}),
    ("float64", plane / 4, {"compression": "zlib"}),
]:
    put(f"{name}.tif", values, **({} if "imagej" in options else grey), **options)
for name, compression in [("pillow_lzw", "tiff_lzw"), ("pillow_deflate", "tiff_adobe_deflate"), ("pillow", None)]:
    Image.fromarray(plane).save(folder / f"{name}.tif", compression=compression)
    expected[f"{name}.tif"] = {"kind": "uint16"}

# The first page counts when the others are reduced copies of it.
with tifffile.TiffWriter(folder / "pyramid.tif") as tiff:
    tiff.write(plane, **grey)
    tiff.write(plane[::2, ::2], subfiletype=1, **grey)
    tiff.write(plane[::4, ::4], subfiletype=1, **grey)
expected["pyramid.tif"] = {"kind": "uint16"}

with tifffile.TiffWriter(folder / "stack.tif") as tiff:
    for i in range(3):
        tiff.write(plane[:8, :8] + np.uint16(i), contiguous=False, **grey)
tifffile.imwrite(folder / "rgb.tif", np.dstack([small[:8, :8]] * 3), photometric="rgb")
tifffile.imwrite(folder / "two_samples.tif", np.dstack([plane[:8, :8]] * 2), photometric="minisblack", planarconfig="contig")
tifffile.imwrite(folder / "signed.tif", plane[:8, :8].astype(np.int16), **grey)
tifffile.imwrite(folder / "uint32.tif", plane[:8, :8].astype(np.uint32), **grey)
tifffile.imwrite(folder / "white_is_zero.tif", plane[:8, :8], photometric="miniswhite")
tifffile.imwrite(folder / "jpeg.tif", small[:16, :16], compression="jpeg", **grey)
holes = (plane[:8, :8] / 4).astype(np.float32)
holes[2, 3] = np.nan
tifffile.imwrite(folder / "nan.tif", holes, **grey)


def twelve_bits():
    """A TIFF with two samples in three bytes: few programs write them."""
    values = twelve[:8, :8].reshape(-1, 2).astype(int)
    first, second = values.T
    data = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], 1).astype(np.uint8).tobytes()
    tags = [(256, 8), (257, 8), (258, 12), (259, 1), (262, 1), (273, 8), (277, 1), (278, 8), (279, len(data))]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", t, 4, 1, v) for t, v in tags)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory + struct.pack("<I", 0)


(folder / "twelve_packed.tif").write_bytes(twelve_bits())
whole = (folder / "lzw.tif").read_bytes()
# tifffile writes the directory first: half a file has a header, and strips beyond its end.
(folder / "truncated.tif").write_bytes(whole[: len(whole) // 2])
(folder / "header_only.tif").write_bytes(whole[:6])
(folder / "empty.tif").write_bytes(b"")
(folder / "text.tif").write_bytes(b"this is not an image, whatever its name says")
refused = {
    "stack.tif": ["unsupported", "it has 3 pages"],
    "rgb.tif": ["unsupported", "RGB(8)"],
    "two_samples.tif": ["unsupported", "one grey channel"],
    "signed.tif": ["unsupported", "unsigned integers"],
    "uint32.tif": ["unsupported", "unsigned integers"],
    "white_is_zero.tif": ["unsupported", "zero is white"],
    "jpeg.tif": ["unsupported", ""],
    "nan.tif": ["corrupt", "pixel 19 is NaN"],
    "twelve_packed.tif": ["unsupported", "12"],
    "truncated.tif": ["corrupt", ""],
    "header_only.tif": ["corrupt", ""],
    "empty.tif": ["corrupt", "the file is empty"],
    "text.tif": ["corrupt", "neither those of a PNG nor of a TIFF"],
}
about = {"generator": "images_prepare.py", "tifffile": tifffile.__version__, "pillow": PIL.__version__,
         "numpy": np.__version__, "tolerance": 0, "why": "pixels are copied, floating-point ones divided by 4"}
(folder / "expected.json").write_text(json.dumps(
    about | {"height": height, "width": width, "values": plane.reshape(-1).tolist(), "files": expected, "refused": refused}) + "\n")

# Recipes ----------------------------------------------------------------------------------------
EPSILON = np.finfo(float).eps


def crop(image, size):
    if size is None:
        return image
    (top, left) = (max(0, n // 2 - size // 2) for n in image.shape)
    return image[top : top + size, left : left + size]


def percentiles(image, low, high):
    image = image.astype(np.float64)
    a, b = np.percentile(image, [low, high])
    return (np.clip((image - a) / (b - a + EPSILON), 0, 1) * 255).astype(np.uint8)


def bray(image):
    image = image.astype(np.float64)
    count = max(1, int(np.around(image.size * 2.8e-5)))
    threshold = np.sort(image, axis=None)[-count]
    scaled = image * (256.0 / threshold) * (image > 0)
    scaled[scaled > 255] = 255
    return scaled.astype(np.uint8)


def resize(image, side):
    h, w = image.shape
    size = (side * w // h, side) if h <= w else (side, side * h // w)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def quality(image):
    values = image.astype(np.float64)
    white = {"uint8": 255, "uint16": 65535}.get(image.dtype.name, 1)
    v = values / white
    laplacian = 4 * v[1:-1, 1:-1] - v[1:-1, :-2] - v[1:-1, 2:] - v[:-2, 1:-1] - v[2:, 1:-1]
    p1, p99 = np.percentile(values, [1, 99])
    return {"focus": laplacian.var() / v.mean() if v.mean() > 0 else 0.0, "saturated": (values == values.max()).mean(),
            "lowest": (values == values.min()).mean(), "mean": values.mean(), "p1": p1, "p99": p99}


cases = []
for h, w, kind, size, depth, light, side in [
    (20, 26, "uint16", 16, [1, 99], None, None),
    (17, 23, "uint16", None, [1, 99], None, None),
    (20, 26, "uint16", 768, [0.5, 99.9], None, None),
    (20, 26, "uint16", 16, [1, 99], "<f8", None),
    (20, 26, "uint16", 16, [1, 99], ">f4", None),
    (21, 26, "uint8", 16, [1, 99], "<f4", None),
    (20, 26, "uint16", None, "bray", None, None),
    (20, 26, "uint16", None, "bray", "<f8", None),
    (20, 26, "float32", 16, [1, 99], None, None),
    (20, 26, "float32", None, "bray", None, None),
    (31, 44, "uint16", None, [1, 99], None, 12),
    (44, 31, "uint16", 40, [1, 99], None, 20),
    (24, 24, "uint16", None, [1, 99], None, 30),
]:
    image = rng.gamma(2, 300, (h, w)) + 100
    image = image / 7 if kind == "uint8" else image
    image = np.clip(image, 0, 255 if kind == "uint8" else 65535).astype(kind)
    corrected, function = image, None
    if light:
        yy, xx = np.mgrid[:h, :w]
        function = (1.6 - ((yy / h - 0.5) ** 2 + (xx / w - 0.4) ** 2)).astype(light)
        corrected = image.astype(np.float64) / function.astype(np.float64)
    cut = crop(corrected, size)
    out = bray(cut) if depth == "bray" else percentiles(cut, *depth)
    if side:
        out = resize(out, side)
    cases.append({"height": h, "width": w, "kind": kind, "pixels": image.reshape(-1).tolist(), "crop": size,
                  "depth": depth, "resize": side, "function": None if function is None else
                  {"descr": light, "values": function.reshape(-1).tolist()}, "out": list(out.shape),
                  "expected": out.reshape(-1).tolist(), "quality": quality(image)})
about |= {"seed": 11, "tolerance": 0, "tolerance_resized": 1,
          "why": "the arithmetic is NumPy's in f64; Pillow rounds between its two passes of resizing"}
(here / "images_prepare.json").write_text(json.dumps(about | {"cases": cases}) + "\n")
print(sum(f.stat().st_size for f in folder.iterdir()) + (here / "images_prepare.json").stat().st_size, "bytes")
