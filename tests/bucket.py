#!/usr/bin/env python3
"""Fetches plates from a small bucket on this machine, through a proxy that breaks connections.

usage: bucket.py PROGRAM (needs moto[s3,server], numpy, pillow, tifffile, pyarrow; ends at the first wrong thing)

Bucket: moto's S3 server, the gallery's layout; six plates of three sources with crops of real 16-bit fields (drawn ones
where ../shared/data is absent), an image uploaded in parts, load-data tables in every form they have had, well profiles
with holes. JUMP's tables lie in a folder {repository}/{commit}/{path}; those that the manifest does not pin are made.
Proxy: logs requests, counts the bytes of bodies, and by key resets, stalls, closes early, shortens, changes a byte, or
says 404, 500 or 503.
Checked: what is planned, fetched, refused, resumed after faults and `kill -9`, chosen by filters and draws, reached
through proxies; every file against its object, every byte sent; then verify, prepare, embed, run, score.
"""

import collections
import gzip
import http.client
import io
import json
import logging
import os
import pathlib
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import types
import urllib.parse
import zlib

# Read by moto: parts of a mebibyte, where S3 wants five.
os.environ.update(S3_UPLOAD_PART_MIN_SIZE=str(1 << 20), AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none")
for word in [word for word in os.environ if word.lower() in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"]]:
    del os.environ[word]

import boto3  # noqa: E402
import numpy as np  # noqa: E402
import pyarrow as arrow  # noqa: E402
import pyarrow.csv as arrow_csv  # noqa: E402
import pyarrow.parquet as parquet  # noqa: E402
import tifffile  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402
from PIL import Image  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent.parent
SHARED = HERE.parent / "shared" / "data"
BUCKET, B13, SIDE, ATTEMPTS, TIMEOUT = "cellpainting-gallery", "2021_08_30_Batch13", 200, 3, 2
CHANNELS = {"DNA": 5, "ER": 4, "RNA": 3, "AGP": 2, "Mito": 1}
ERROR = ["<Error><Code>", "</Code><Message>Drill</Message></Error>"]
# Two wells each, and two of DMSO.
LABELS = ["ABL1", "ADH1C", "AKT1"]
# A few steps: what is tested is that they can be taken.
PRESET = """
id = "bucket"
title = "A few steps on fetched plates"
evaluation = "five"
augment = { crop = 64 }
compounds.sizes = { test = { count = 0 }, retrieval = { count = 2 }, validation = { count = 0 } }
retrieval = [{ gallery = { count = 2 }, bootstrap = 100 }]
[[models]]
id = "clip"
model.loss = { loss = "clip" }
model.image = "tiny"
model.temperature = { start = 0.5 }
model.molecule = { pna = { hidden = 16, depth = 2, output = 32 } }
model.head = { embedding = 16, dropout = 0.0 }
train.epochs = 2
train.schedule = { warmup-epochs = 1, warmup-start = 1e-4 }
train.sampler = { views = 1, strategy = "uniform", batch = 2, batch-unit = "compounds" }
"""
Plate = collections.namedtuple("Plate", "source batch name folder table sites")
Picture = collections.namedtuple("Picture", "plate well site channel key path")
TARGET2 = [
    Plate("source_4", B13, "BR00127145", "BR00127145__2021-09-22T12_00_00-Measurement1/Images", "new", 8),
    Plate("source_4", B13, "BR00127146", "BR00127146__2021-09-22T14_00_00-Measurement 1/Images", "old", 2),
    Plate("source_3", "CP59", "JCPQC051", "JCPQC051__2022-04-29T01_02_16-Measurement 1/Images", "parquet", 2),
    Plate("source_2", "20210614_Batch_1", "1053600674", "1053600674", "raw", 2),
]
COMPOUND = [
    Plate("source_2", "20210607_Batch_2", "1053601756", "1053601756", "new", 3),
    Plate("source_3", "CP59", "BR5867a3", "BR5867a3__2022-04-29T01_02_16-Measurement1/Images", "old", 3),
]
def check(fine, text, *more):
    """A line of what was seen; the end, if it is wrong."""
    if not fine:
        sys.exit("\n  ".join([f"WRONG {text}", *map(str, more)]))
    print(f"ok  {time.monotonic() - BEGUN:5.1f} s  {text}", flush=True)


def seeded(*words):
    return np.random.default_rng(zlib.crc32(repr(words).encode()))


# The bucket


def fields():
    """Fields, each an array in the order of CHANNELS, and the files of a whole one."""
    base = SHARED / "cell_painting_images"
    if not base.is_dir():
        print("*** cell_painting_images is absent: fields are DRAWN, nothing real is read ***")
        drawn = [[seeded(field, name).poisson(900, (512, 512)) for name in CHANNELS] for field in range(4)]
        drawn = np.array(drawn, "uint16")
        return drawn, [tiff(np.tile(plane, (3, 3))) for plane in drawn[0]]
    crops = []
    for start in [*sorted((base / "cpjump1_crop512").iterdir()), *base.glob("jump_cpg0016_two_sources/*__DNA.tif")]:
        dna = str(next(start.glob("*-DNA.tif")) if start.is_dir() else start)
        crops.append(np.array([np.array(Image.open(dna.replace("DNA", name))) for name in CHANNELS]))
    whole = base / "cpjump1_full" / "B2_DMSO"
    return crops, [next(whole.glob(f"*-ch{number}sk*")).read_bytes() for number in CHANNELS.values()]


def tiff(plane, lzw=False):
    out = io.BytesIO()
    Image.fromarray(plane).save(out, "TIFF", compression="tiff_lzw") if lzw else tifffile.imwrite(out, plane)
    return out.getvalue()


def table_file(rows, name="t.csv"):
    out = io.BytesIO()
    write = parquet.write_table if name.endswith(".parquet") else arrow_csv.write_csv
    write(arrow.Table.from_pylist(rows), out)
    return gzip.compress(out.getvalue(), mtime=0) if name.endswith(".gz") else out.getvalue()


def layout():
    """Whether JUMP's tables are here, and the wells of the TARGET2 plate: id, target, InChIKey, SMILES."""
    path = SHARED / "jump_metadata" / "target2_layout_384.csv"
    if path.is_file():
        return True, arrow_csv.read_csv(path).to_pylist()
    print("*** jump_metadata is absent: metadata, joins, packing and scores are LEFT OUT ***")
    return False, [dict(well=f"A{n + 1:02}", target=([*LABELS, ""] * 2)[n]) for n in range(8)]


def pictures(plate, wells):
    """What the load-data table of a plate names, in its order."""
    home = f"cpg0016-jump/{plate.source}/images/{plate.batch}/images/{plate.folder}"
    start = f"{plate.source}/{plate.batch}/{plate.name}/{plate.source}__{plate.name}"
    out = []
    for at, well in enumerate(wells):
        # All sites in the first well and in one of DMSO; a whole field as a further one.
        count = plate.sites if at in [0, 6] else min(plate.sites, 2)
        for site in [*range(1, count + 1)] + ([9] if (plate.sites, at) == (8, 1) else []):
            for channel, number in CHANNELS.items():
                name = f"r{ord(well[0]) - 64:02}c{int(well[1:]):02}f{site:02}p01-ch{number}sk1fk1fl1.tiff"
                if plate.source == "source_2":
                    name = f"{plate.name}_{well}_T0001F{site:03}L01A01Z01C{number:02}.tif"
                path = f"{start}__{well}__{site}__{channel}.{name.rsplit('.')[-1]}"
                out.append(Picture(plate.name, well, site, channel, f"{home}/{name}", path))
    return out


def function(plate, channel):
    """Key of an illumination function; one plate has its files under another name."""
    name = "other" if plate.table == "parquet" else plate.name
    return f"cpg0016-jump/{plate.source}/images/{plate.batch}/illum/{plate.name}/{name}_Illum{channel}.npy"


def load_data(plate, images):
    """The table's name and bytes in the form that the plate has."""
    rows = {}
    for image in images:
        row = rows.setdefault((image.well, image.site), {"Metadata_Plate": plate.name, "Metadata_Well": image.well})
        row["Metadata_Site"] = f"{image.site}.0" if plate.table == "raw" else image.site
        folder, name = image.key.rsplit("/", 1)
        if plate.table == "old":
            row[f"FileName_Orig{image.channel}"] = name
            row[f"PathName_Orig{image.channel}"] = f"s3://{BUCKET}/{folder}/"
        else:
            head = "/home/ubuntu/bucket" if plate.table == "parquet" else f"s3://{BUCKET}"
            row[f"URL_Orig{image.channel}"] = f"{head}/{folder}/{name}"
        row[f"FileName_Illum{image.channel}"] = f"{plate.name}_Illum{image.channel}.npy"
        if plate.table == "parquet":
            row[f"URL_Illum{image.channel}"] = f"s3://{BUCKET}/{function(plate, image.channel)}"
    stem = "load_data" if plate.table == "raw" else "load_data_with_illum"
    name = stem + {"parquet": ".parquet", "old": ".csv.gz"}.get(plate.table, ".csv")
    return name, table_file(list(rows.values()), name)


def profiles(plate, wells):
    """Well profiles: what a well holds moves its features, plates differ, and two features have holes."""
    rng = seeded("profiles", plate.name)
    values = rng.normal(size=(len(wells), 50)) * 0.3 + rng.normal(size=50) * 0.2
    values += [seeded("well", well["target"]).normal(size=50) for well in wells]
    values[::7, 3], values[1, 17] = np.nan, np.nan
    rows = []
    for well, of_well in zip(wells, values.astype("float32")):
        names = {"Metadata_Source": plate.source, "Metadata_Plate": plate.name, "Metadata_Well": well["well"]}
        rows.append(names | {f"{['Cells', 'Nuclei'][n % 2]}_Texture_{n}": value for n, value in enumerate(of_well)})
    return table_file(rows, "p.parquet")


def put(w, key):
    """By hand: boto3 spends most of its time on signatures."""
    connection = http.client.HTTPConnection(*w.server)
    path = urllib.parse.quote(f"/{BUCKET}/{key}")
    connection.request("PUT", path, body=w.objects[key], headers={"x-amz-acl": "public-read"})
    if (status := connection.getresponse().status) != 200:
        sys.exit(f"error: the server takes no object: {status}")
    connection.close()


def fill(w):
    """Makes objects by key, images by plate, keys of tables and profiles by path; hands all objects to the server."""
    crops, whole = fields()
    w.objects, w.images, w.keys = {}, {}, {}
    here = [well for label in [*LABELS, ""] for well in [well for well in w.wells if well["target"] == label][:2]]
    for plate in TARGET2 + COMPOUND:
        wells = here if plate in TARGET2 else [*here[:6:2], here[6]]
        named = w.images[plate.name] = pictures(plate, [well["well"] for well in wells])
        for image in named:
            channel, rng = list(CHANNELS).index(image.channel), seeded(plate.name, image.well, image.site)
            field = crops[rng.integers(len(crops))][channel]
            top, left = rng.integers(field.shape[0] - SIDE, size=2)
            cut = np.ascontiguousarray(field[top : top + SIDE, left : left + SIDE])
            w.objects[image.key] = whole[channel] if image.site == 9 else tiff(cut, plate.source != "source_2")
        name, table = load_data(plate, named)
        home, place = f"cpg0016-jump/{plate.source}/workspace", f"{plate.batch}/{plate.name}"
        for kind, key, path, body in [
            ("load_data_csv", name, f"load_data/{plate.source}/{place}.{name.partition('.')[2]}", table),
            ("profiles", f"{plate.name}.parquet", f"profiles/{plate.source}/{place}.parquet", profiles(plate, wells)),
        ]:
            w.keys[path] = f"{home}/{kind}/{place}/{key}"
            w.objects[w.keys[path]] = body
    for plate in TARGET2:
        for channel in CHANNELS:
            out = io.BytesIO()
            np.save(out, seeded(plate.name, channel).uniform(0.5, 2, (SIDE, SIDE)))
            w.objects[function(plate, channel)] = out.getvalue()
    w.client.create_bucket(Bucket=BUCKET)
    parted = w.parted = next(i.key for i in w.images[TARGET2[0].name] if i.site == 9 and i.channel == "AGP")
    for key in w.objects:
        if key != parted:
            put(w, key)
    upload, tags = {"Bucket": BUCKET, "Key": parted}, []
    upload["UploadId"] = w.client.create_multipart_upload(**upload, ACL="public-read")["UploadId"]
    for number, start in enumerate(range(0, len(w.objects[parted]), 1 << 20), 1):
        part = w.client.upload_part(**upload, PartNumber=number, Body=w.objects[parted][start : start + (1 << 20)])
        tags.append({"PartNumber": number, "ETag": part["ETag"]})
    tag = w.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": tags})["ETag"].strip('"')
    size = sum(map(len, w.objects.values()))
    check(tag.endswith(f"-{len(tags)}"), f"bucket: {len(w.objects)} objects of {size} bytes, one in {len(tags)} parts")


def lay_tables(w):
    """JUMP's tables where the manifest says; those of wells and compounds as far as these plates go."""
    if not w.joined:
        return
    wells, compounds = [], {}
    for plate in TARGET2 + COMPOUND:
        for well in w.wells:
            names = {"Metadata_Source": plate.source, "Metadata_Plate": plate.name, "Metadata_Well": well["well"]}
            own = {"Metadata_JCP2022": well["jcp2022"]}
            wells.append(names | own)
            known = {"Metadata_InChIKey": well["InChIKey"], "Metadata_SMILES": well["smiles"]}
            compounds[well["jcp2022"]] = own | known
    made = {"well.csv.gz": wells, "compound.csv.gz": list(compounds.values())}
    manifest = tomllib.loads((HERE / "data-manifests" / "cpg0016-target2.toml").read_text())
    for table in manifest["tables"]:
        name = table.get("file", table["path"].rsplit("/")[-1])
        body = table_file(made[name], name) if name in made else (SHARED / "jump_metadata" / name).read_bytes()
        path = w.work / "tables" / table["repository"] / table.get("commit", "HEAD") / table["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        w.tables[f"metadata/{name}"] = body


# The proxy


class Proxy(socketserver.ThreadingTCPServer):
    """Hands requests on, and does what `faults` says of a key: the first of its list, or `always:...`."""

    daemon_threads, block_on_close, request_queue_size = True, False, 128

    def __init__(self, server):
        super().__init__(("127.0.0.1", 0), Handler)
        # `pace`: bytes a second and connection.
        self.server, self.faults, self.log, self.lock, self.pace = server, {}, [], threading.Lock(), None
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def begin(self, entry):
        with self.lock:
            self.log.append(entry)
            todo = self.faults.get(entry["key"]) or [None]
            return todo[0].split(":")[1] if str(todo[0]).startswith("always:") else todo.pop(0)


class Handler(socketserver.StreamRequestHandler):
    """One connection of the program."""

    def handle(self):
        try:
            while self.one():
                pass
        except OSError:
            # The program went away.
            pass

    def one(self):
        line = self.rfile.readline().decode("latin-1").split()
        if len(line) != 3:
            return False
        headers = http.client.parse_headers(self.rfile)
        through = urllib.parse.urlsplit(line[1]).netloc
        target = line[1].removeprefix(f"http://{through}")
        key = urllib.parse.unquote(target.partition("?")[0]).removeprefix(f"/{BUCKET}/")
        entry = {"key": "LIST" if "list-type=" in target else key, "status": 0, "sent": 0, "through": through,
                 "signed": "authorization" in headers}
        fault = self.server.begin(entry)
        if fault in ["404", "500", "503"]:
            body = {"404": "NoSuchKey", "500": "InternalError", "503": "SlowDown"}[fault].join(ERROR)
            wait = "Retry-After: 1\r\n" if fault == "503" else ""
            self.connection.sendall(f"HTTP/1.1 {fault} -\r\nContent-Length: {len(body)}\r\n{wait}\r\n{body}".encode())
            return True
        upstream = http.client.HTTPConnection(*self.server.server, timeout=30)
        ask = {name: value for name, value in headers.items() if name.lower() in ["range", "if-match", "if-none-match"]}
        upstream.request(line[0], target, headers=ask)
        answer = upstream.getresponse()
        body, entry["status"] = bytearray(answer.read()), answer.status
        upstream.close()
        if fault == "flip":
            body[len(body) // 2] ^= 1
        most = len(body) if fault in [None, "flip"] else len(body) // 2
        keep = ["content-type", "content-range", "etag", "last-modified"]
        head = [f"{name}: {value}" for name, value in answer.getheaders() if name.lower() in keep]
        length = most if fault == "short" else len(body)
        head.append("Connection: close" if fault == "unframed" else f"Content-Length: {length}")
        self.connection.sendall("\r\n".join([f"HTTP/1.1 {answer.status} Told", *head, "", ""]).encode("latin-1"))
        for at in range(0, most, 4096):
            self.connection.sendall(piece := body[at : min(at + 4096, most)])
            entry["sent"] += len(piece)
            time.sleep(len(piece) / self.server.pace if self.server.pace else 0)
        if fault == "stall":
            self.connection.settimeout(4 * TIMEOUT)
            self.connection.recv(1)
        if fault == "reset":
            # What was sent is read first; then no goodbye, but a reset.
            time.sleep(0.3)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.rfile.close()
            self.connection.close()
        return fault in [None, "flip", "short"]


# The program


def bench(w, *args, code=0, env=None):
    """Runs a verb; another exit code than the right ones is the end."""
    command = [str(w.program), *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, env={**os.environ, **(env or {})})
    if done.returncode not in np.atleast_1d(code):
        told = f"{done.stdout[-2000:]}{done.stderr[-2000:]}".replace("\n", "\n  ")
        sys.exit(f"WRONG exit code {done.returncode} instead of {code} of\n  {' '.join(command)}\n  {told}")
    return done


def order(w, out, *flags, plates=TARGET2, data="cpg0016-target2", endpoint=None):
    args = ["data", "fetch", data, "--endpoint", endpoint or w.proxy.address, "--attempts", ATTEMPTS]
    args += ["--timeout", TIMEOUT, "--tables", w.work / "tables", "--out", out, *flags]
    return args + (["--plate", ",".join(plate.name for plate in plates)] if plates else [])


def fetch(w, out, *flags, code=0, env=None, **more):
    """What the program says came of it, with what the proxy saw: requests, keys asked for, bytes sent by key."""
    mark = len(w.proxy.log)
    done = bench(w, *order(w, out, *flags, "--json", **more), code=code, env=env)
    log = w.proxy.log[mark:]
    asked = {entry["key"] for entry in log} - {"LIST"}
    return types.SimpleNamespace(**json.loads(done.stdout), log=log, asked=asked, sent=sent(log), told=done.stderr)


def sent(log):
    """Bytes of bodies by key."""
    out = collections.Counter()
    for entry in list(log):
        if entry["status"] in [200, 206] and entry["key"] != "LIST":
            out[entry["key"]] += entry["sent"]
    return out


def files(out, ends=""):
    return {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file() and path.name.endswith(ends)}


def of(w, plates):
    return [image for plate in plates for image in w.images[plate.name]]


def amiss(w, out, pictures, tables=()):
    """Files that are not their objects, or that nobody asked for; ledgers and locks aside."""
    truth = {i.path: w.objects[i.key] for i in pictures} | {path: w.objects[w.keys[path]] for path in tables}
    truth |= w.tables if tables else {}
    there = {name: (out / name).read_bytes() for name in files(out) if not name.endswith(("fetched.jsonl", ".lock"))}
    return sorted(name for name in there.keys() | truth if there.get(name) != truth.get(name))


def planning(w):
    out, every = w.work / "plan", of(w, TARGET2)
    fetch(w, out, "--what", "load-data")
    state = lambda: {name: (out / name).stat().st_mtime_ns for name in files(out)}  # noqa: E731
    before, found = state(), fetch(w, out, "--what", "profiles,load-data,images", "--dry-run")
    size = lambda keys: (len(keys), sum(len(w.objects[key]) for key in keys))  # noqa: E731
    tables = lambda word: size([w.keys[path] for path in w.own if path.startswith(word)])  # noqa: E731
    truth = {"load-data": tables("load"), "profiles": tables("prof"), "images": size([i.key for i in every])}
    kinds = {kind: (counts["objects"], counts["bytes"]) for kind, counts in found.kinds.items()}
    check(kinds == truth, f"dry run: {kinds}, which is right", truth)
    check(before == state() and not found.asked, "dry run: writes nothing and asks for no body", found.asked)
    check(not any(entry["signed"] for entry in found.log), "requests bear no signature")
    found = fetch(w, w.work / "dry", "--what", "images", "--dry-run")
    told = (found.kinds["images"]["objects"], found.kinds["images"]["bytes"])
    asked = [key for key in found.asked if "/images/" in key]
    fine = (told == truth["images"] or "not counted" in found.told) and not files(w.work / "dry") and not asked
    check(fine, f"dry run, new folder: {told}, or it says so; nothing is written, no image asked for", asked)


def faults(w):
    """Fetches everything through trouble; the folder that is left is whole."""
    out, every, objects = w.work / "plates", of(w, TARGET2), w.objects
    plain = lambda n, at: [i for i in w.images[TARGET2[n].name] if i.key != w.parted][at]  # noqa: E731
    corrupt, lost, gone = failed = [plain(1, 7), plain(2, 11), plain(0, 13)]
    bad = {corrupt.key: "damaged", lost.key: "missing", gone.key: "missing"}
    once = {"reset": plain(1, 20), "500": plain(1, 21), "503": plain(0, 30), "stall": plain(0, 31), "cut": plain(2, 32),
            "short": plain(3, 33), "unframed": plain(1, 34), "flip": plain(0, 35)}
    table, profile = (next(key for key in w.keys.values() if word in key) for word in ["load_data_csv", "/profiles/"])
    w.proxy.faults = {image.key: [fault] for fault, image in once.items()}
    w.proxy.faults |= {w.parted: ["reset", "cut"], table: ["500"], profile: ["reset"], "LIST": ["503", "cut"]}
    w.proxy.faults |= {corrupt.key: ["always:flip"], lost.key: ["always:404"]}
    w.client.delete_object(Bucket=BUCKET, Key=gone.key)
    what = ["--what", "metadata,profiles,load-data,images" if w.joined else "profiles,load-data,images"]

    mark = len(w.proxy.log)
    done = bench(w, *order(w, out, *what), code=5)
    listed = dict(line.split("\t")[:2] for line in done.stdout.splitlines())
    check(listed == bad, f"faults: exit code 5; what failed is listed: {sorted(listed.values())}", done.stdout, bad)
    left = {key: todo for key, todo in w.proxy.faults.items() if todo and key not in bad}
    check(not left, "every fault was met", left)
    right = [i for i in every if i not in failed]
    wrong = amiss(w, out, right, w.own)
    count = len(w.own) + len(w.tables)
    check(not wrong, f"{len(right)} images and {count} tables equal their objects; there is no other file", wrong)

    seen, size = sent(w.proxy.log[mark:]), lambda image: len(objects[image.key])
    most = {"flip": size(once["flip"]), "short": size(once["short"]) // 2, "unframed": size(once["unframed"]) // 2}
    more = {fault: seen[image.key] - size(image) for fault, image in once.items()}
    fine = all(0 <= n <= most.get(fault, 0) for fault, n in more.items())
    check(fine, f"bytes sent again after a fault: {more}", most)
    check(seen[w.parted] == len(objects[w.parted]), "the image in parts broke twice, and no byte came twice", seen)
    check(seen[corrupt.key] == ATTEMPTS * size(corrupt), f"the damaged one was asked for {ATTEMPTS} times")
    quiet = [i for i in right if i not in once.values()]
    check(all(seen[i.key] == size(i) for i in quiet), f"the other {len(quiet)} images were sent once: "
          f"{sum(map(size, quiet))} bytes", [i.key for i in quiet if seen[i.key] != size(i)])

    again = fetch(w, out, *what, code=5)
    check(again.asked == {corrupt.key, lost.key}, "second run: asks for no body but of those that failed", again.asked)
    told = {failure["key"]: failure["cause"] for failure in again.failures}
    check(told == bad and again.kinds["images"]["present"] == len(right), "and lists the same, as JSON", told)
    w.proxy.faults = {}
    put(w, gone.key)
    mended = fetch(w, out, *what)
    check(mended.sent == {i.key: size(i) for i in failed}, "mended: exit code 0, fetches what failed and no more")
    check(mended.bytes_received == sum(map(size, failed)), f"and counts {mended.bytes_received} bytes received")
    idle, wrong = fetch(w, out, *what), amiss(w, out, every, w.own)
    check(not idle.asked and not wrong, f"fourth run: {len(idle.log)} listings, no body; every file is right", wrong)

    victim = out / plain(0, 5).path
    body, when = bytearray(victim.read_bytes()), victim.stat()
    body[100] ^= 1
    victim.write_bytes(body)
    os.utime(victim, ns=(when.st_atime_ns, when.st_mtime_ns))
    found = fetch(w, out, *what, "--recheck")
    check(found.asked == {plain(0, 5).key} and not amiss(w, out, every, w.own), "--recheck: finds the one byte that "
          "changed on the disk", found.asked)
    return out


def killed(w):
    """kill -9 in the middle: nothing that is on the disk is asked for again."""
    out, every = w.work / "killed", of(w, TARGET2[:1])
    keys, total = {i.key for i in every}, sum(len(w.objects[i.key]) for i in every)
    args = order(w, out, "--what", "images", "--concurrency", 4, plates=TARGET2[:1])
    mark, w.proxy.pace, begun = len(w.proxy.log), 1_000_000, time.monotonic()
    seen = lambda: sum(n for key, n in sent(w.proxy.log[mark:]).items() if key in keys)  # noqa: E731
    process = subprocess.Popen([str(w.program), *map(str, args)], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    while process.poll() is None and seen() < 0.4 * total and time.monotonic() < begun + 60:
        time.sleep(0.05)
    process.kill()
    alive = process.wait() < 0
    w.proxy.pace = None
    time.sleep(0.3)
    before = seen()
    size = lambda path: path.stat().st_size if path.is_file() else 0  # noqa: E731
    kept = {i.key: size(out / i.path) + size(out / f"{i.path}.part") for i in every}
    have, parts = sum(kept.values()), len(files(out, ".part"))
    check(alive and 0.3 * total < have < 0.9 * total, f"kill -9: {have} of {total} bytes and {parts} parts are there")
    found = fetch(w, out, "--what", "images", plates=TARGET2[:1])
    rest = {key: n for key, n in found.sent.items() if key in keys and n}
    wanted = {key: len(w.objects[key]) - n for key, n in kept.items() if n < len(w.objects[key])}
    check(rest == wanted, f"resumed: asks for the {sum(rest.values())} bytes that were not there", rest, wanted)
    over = before + sum(rest.values()) - total
    check(0 <= over <= 4 << 18, f"{over} bytes came twice: under way when it died")
    table = next(path for path in w.own if path.startswith("load_data") and TARGET2[0].name in path)
    check(not [name for name in amiss(w, out, every) if name != table], "every image is right, and no part is left")


def filters(w):
    every, at, plate = of(w, TARGET2), {p.name: p for p in TARGET2 + COMPOUND}, TARGET2[2]
    wells = sorted({i.well for i in every})

    def fetched(*flags, folder=None, **more):
        out = w.work / "filters" / (folder or "-".join(flags).replace("/", "."))
        if w.joined and "paper" in flags:
            fetch(w, out, "--what", "metadata")
        fetch(w, out, "--what", "images", *flags, **more)
        return files(out, (".tif", ".tiff"))

    for flags, keep, more in [
        (["--well", ",".join(wells[1:3]), "--site", "2"], lambda i: i.well in wells[1:3] and i.site == 2, {}),
        (["--source", "source_4", "--site", "1"], lambda i: at[i.plate].source == "source_4" and i.site == 1, {}),
        (["--batch", "CP59"], lambda i: i.plate == plate.name, {}),
        (["--site", "1,2"], lambda i: i.plate == plate.name, {"plates": [plate]}),
        (["--plate-type", "COMPOUND", "--site", "1"], lambda i: at[i.plate] == COMPOUND[0] and i.site == 1,
         {"plates": [COMPOUND[0], TARGET2[3]], "data": "cpg0016-jump"}),
    ]:
        wanted, found = {i.path for i in of(w, TARGET2 + COMPOUND) if keep(i)}, fetched(*flags, **more)
        if more.get("data") is None:
            wanted &= {i.path for i in every}
        check(found and found == wanted, f"{' '.join(flags)}: {len(found)} images", sorted(found ^ wanted)[:5])
    one, two = (fetched("--shard", f"{n}/2", "--site", "1") for n in [1, 2])
    ones = {i.path for i in every if i.site == 1}
    fine = one and two and not one & two and one | two == ones
    check(fine, f"--shard: {len(one)} + {len(two)} images, disjoint and complete")

    def draw(rule, n, *flags):
        return fetched("--sites-per-well", rule, *flags, folder=f"{rule}-{n}", plates=TARGET2[:1])

    def sites(found):
        return collections.Counter(well for well, _ in {tuple(name.split("__")[2:4]) for name in found})

    one, two, three = draw("2", 1), draw("2", 2), draw("2", 3, "--seed", "1")
    check(set(sites(one).values()) == {2} and one == two, "--sites-per-well 2: two sites, the same ones twice")
    check(one != three and sites(one) == sites(three), "and others with another seed")
    if w.joined:
        one, two = draw("paper", 1), draw("paper", 2)
        counts = sorted(sites(one).values())
        fine = counts == [2] * 5 + [3, 3, 6] and one == two
        check(fine, "--sites-per-well paper: 6 sites of a compound, 3 of DMSO, the same twice", counts)
    for flag, name, meant in [("--plate", "BR00127154", "BR00127145"), ("--source", "sourc_4", "source_4"),
                              ("--batch", B13[:-1], B13), ("--plate-type", "TARGET", "TARGET2"),
                              ("--what", "imags", "images")]:
        done = bench(w, *order(w, w.work / "slip", flag, name, plates=None), code=2)
        check(meant in done.stderr, f"{flag} {name}: exit code 2, and `{meant}` is suggested", done.stderr)


def proxies(w):
    dead, nowhere, way = "http://127.0.0.1:9", "http://gallery.invalid:8080", w.proxy.address
    wanted = {i.path for i in w.images[TARGET2[2].name] if i.site == 1 and i.channel == "DNA"}
    for name, endpoint, flags, env in [
        ("HTTP_PROXY", nowhere, [], {"HTTP_PROXY": way}),
        ("--proxy", nowhere, ["--proxy", way], {"HTTP_PROXY": dead}),
        ("--proxy none", way, ["--proxy", "none"], {"HTTP_PROXY": dead}),
        ("NO_PROXY", way, [], {"HTTP_PROXY": dead, "NO_PROXY": "127.0.0.1"}),
    ]:
        out = w.work / "proxies" / name
        flags = ["--what", "images", "--site", "1", *flags]
        found = fetch(w, out, *flags, plates=TARGET2[2:3], endpoint=endpoint, env=env)
        through = {entry["through"] for entry in found.log}
        own = {"gallery.invalid:8080"} if endpoint == nowhere else {""}
        check(files(out, "__1__DNA.tiff") == wanted and through == own, f"{name}: {len(wanted)} images, of {through}")
    done = bench(w, *order(w, w.work / "dead", "--what", "images", endpoint=dead), code=3)
    check(BUCKET in done.stderr and dead in done.stderr,
          "no server: exit code 3; bucket and server are named", done.stderr)


def use(w, out):
    """What was fetched is joined, verified, packed, embedded, trained on and scored."""
    table, packed, features = w.work / "t.parquet", w.work / "packed", w.work / "e"
    bench(w, "data", "table", out, "--out", table)
    read = parquet.read_table(table)
    holes = sum(bool(np.isnan(read[name].to_numpy()).any()) for name in read.column_names if "_Texture_" in name)
    fine = read.num_rows == 32 and sum("_Texture_" in name for name in read.column_names) == 50 and holes == 2
    check(fine and set(LABELS) <= set(read["target"].to_pylist()), "data table: 32 wells with targets, 50 features, of "
          "which 2 keep their holes", read.schema)
    done = bench(w, "validate", table, code=3)
    bench(w, "validate", table, "--missing", "drop-features")
    check("1 breach" in done.stdout + done.stderr, "validate: the holes are the one breach", done.stdout, done.stderr)
    small = ["--suite", "target2", "--labels", ",".join(LABELS), "--no-projection", "--bootstrap", 100]
    bench(w, "score", *small, "--embeddings", table, "--missing", "drop-features", "--out", w.work / "scored")
    value = accuracy(w.work / "scored")
    check(value and value > 0.8, f"score: accuracy {value} of profiles that are easy to tell apart")

    fetch(w, out, "--what", "images", plates=COMPOUND, data="cpg0016-jump")
    count = len({i[:3] for i in of(w, TARGET2 + COMPOUND)})
    verified = lambda of: f"{count} fields of view, 0 " in of.stderr  # noqa: E731
    done = bench(w, "data", "verify", out)
    check(verified(done), f"verify: {count} fields, all of use", done.stderr)
    done = bench(w, "data", "prepare", out, "--out", packed)
    fine = f"{len(TARGET2 + COMPOUND)} plates" in done.stderr and f"{count} fields of view" in done.stderr
    check(fine, "prepare: " + done.stderr.splitlines()[-1], done.stderr)
    done = bench(w, "data", "verify", packed)
    check(verified(done), "verify: what was prepared is right, too", done.stderr)
    bench(w, "embed", "--model", "simple-features", "--data", packed, "--plate-types", "TARGET2", "--out", features)
    rows = {path.name: parquet.read_metadata(path).num_rows for path in features.rglob("*.parquet")}
    scored = len({i[:3] for i in of(w, TARGET2)})
    check(scored in rows.values(), f"embed: a row for each of {scored} fields of TARGET2 plates", rows)
    (w.work / "preset.toml").write_text(PRESET)
    small += ["--preset", w.work / "preset.toml"]
    bench(w, "run", *small, "--data", packed, "--cache", w.work / "cache", "--out", w.work / "run")
    value, record = accuracy(w.work / "run"), json.loads((w.work / "run" / "record.json").read_text())
    fine = value is not None and not record["suite"]["simulated"] and record["training"]
    check(fine, f"run: trains on COMPOUND plates, scores TARGET2 plates; accuracy {value}")

    victim = w.images[TARGET2[1].name][3]
    (out / victim.path).write_bytes(w.objects[victim.key][:3000])
    done = bench(w, "data", "verify", out, code=3)
    found = fetch(w, out, "--what", "images")
    check(TARGET2[1].name in done.stdout, "verify: names a file cut short on the disk, exit code 3", done.stdout)
    check(found.asked == {victim.key}, "and fetch takes it again, and nothing else", found.asked)


def streamed(w):
    """Images that are prepared as they come, and divided by their illumination functions."""
    out, ready, plates = w.work / "stream", w.work / "ready", TARGET2[1:3]
    names = {f"{plate.source}__{plate.batch}__{plate.name}.bplate" for plate in plates}
    lost = w.images[plates[1].name][7]
    w.proxy.faults = {lost.key: ["always:404"]}
    flags = ["--what", "images", "--prepare", ready]
    fetch(w, out, *flags, plates=plates, code=5)
    kept = {i.path for i in w.images[plates[1].name]} - {lost.path}
    fine = files(ready, ".bplate") == {min(names, key=lambda name: plates[0].name not in name)}
    check(fine and files(out, (".tif", ".tiff")) == kept, "--prepare: a whole plate is packed and its raw images go; "
          "one that lacks an image stays raw", files(ready), files(out))
    w.proxy.faults = {}
    found = fetch(w, out, *flags, plates=plates)
    check(found.sent == {lost.key: len(w.objects[lost.key])}, "mended: the image that lacked is fetched, and no other")
    fine = files(ready, ".bplate") == names and not files(out, (".tif", ".tiff"))
    check(fine, "both plates are packed, no raw image is left", files(ready))
    found = fetch(w, out, *flags, plates=plates)
    check(not found.asked, "third run: asks for no image", found.asked)
    raw, packed = w.work / "stream-raw", w.work / "stream-packed"
    fetch(w, raw, "--what", "illumination,images", plates=plates)
    bench(w, "data", "prepare", raw, "--out", packed)
    fine = all((ready / name).read_bytes() == (packed / name).read_bytes() for name in names)
    check(fine, "and they are those of a fetch and a prepare, byte by byte")

    home = lambda plate: f"illum/{plate.source}/{plate.batch}/{plate.name}"  # noqa: E731
    wanted = {f"{home(plate)}/{c}.npy": w.objects[function(plate, c)] for plate in plates for c in CHANNELS}
    there = {path: (raw / path).read_bytes() if (raw / path).is_file() else None for path in wanted}
    check(there == wanted, f"illumination: {len(wanted)} functions, by the table or by the layout")
    flat = w.work / "flat"
    bench(w, "data", "prepare", raw, "--out", flat, "--format", "png", "--illumination",
          "illum/{source}/{batch}/{plate}/{channel}.npy")
    different = []
    for image in of(w, plates):
        pixels = np.asarray(Image.open(io.BytesIO(w.objects[image.key]))).astype(float)
        by = np.load(io.BytesIO(wanted["/".join(["illum", *image.path.split("/")[:3], f"{image.channel}.npy"])]))
        pixels = pixels / by
        low, high = np.percentile(pixels, 1), np.percentile(pixels, 99)
        right = (np.clip((pixels - low) / (high - low + np.finfo(float).eps), 0, 1) * 255).astype("uint8")
        path = image.path.rsplit(".", 1)[0] + ".png"
        if not np.array_equal(np.asarray(Image.open(flat / path)), right):
            different.append(path)
    check(not different, f"{len(of(w, plates))} images divided by them have the pixels of NumPy", different[:5])

    shards = [subprocess.Popen([str(w.program), "data", "prepare", str(raw), "--out", str(w.work / "both"), "--shard",
                                f"{n}/2"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for n in [1, 2]]
    codes = [one.wait(timeout=120) for one in shards]
    whole = (packed / "prepared.csv").read_bytes() == (w.work / "both" / "prepared.csv").read_bytes()
    check(codes == [0, 0] and whole, "two processes prepare parts into one folder: its table names all images", codes)


def accuracy(folder):
    rows = json.loads((folder / "record.json").read_text())["summaries"]
    values = [row["value"] for row in rows if row["split"] == "random" and row["quantity"] == "accuracy"]
    return max((value for value in values if value is not None), default=None)


def slips(w):
    for flag, name in [("--well", "Z99"), ("--site", "77")]:
        done = bench(w, *order(w, w.work / "slip", "--what", "images", flag, name, plates=TARGET2[2:3]), code=[2, 4])
        check(name in done.stderr, f"{flag} {name}: exit code {done.returncode}, no plate has it", done.stderr)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server, proxy = ThreadedMotoServer("127.0.0.1", 0, verbose=False), None
    server.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            joined, wells = layout()
            w = types.SimpleNamespace(work=pathlib.Path(folder), joined=joined, wells=wells, tables={})
            w.program, w.server = pathlib.Path(sys.argv[1]).resolve(), server.get_host_and_port()
            w.client = boto3.client("s3", region_name="us-east-1", endpoint_url="http://%s:%d" % w.server)
            fill(w)
            lay_tables(w)
            w.own = [path for path in w.keys if any(plate.name in path for plate in TARGET2)]
            proxy = w.proxy = Proxy(w.server)
            planning(w)
            out = faults(w)
            for part in [killed, streamed, filters, proxies]:
                part(w)
            if joined:
                use(w, out)
            slips(w)
    finally:
        if proxy:
            proxy.shutdown()
            proxy.server_close()
        server.stop()
    print(f"done in {time.monotonic() - BEGUN:.0f} s")


BEGUN = time.monotonic()
if __name__ == "__main__":
    main()
