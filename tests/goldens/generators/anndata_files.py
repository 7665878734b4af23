"""Writes the table of tables.py as anndata, h5py, zarr and pycytominer write it: tests/goldens/tables/.

Run from anywhere: python tests/goldens/generators/anndata_files.py
Versions are printed; written with anndata 0.12.19, h5py 3.16.0, zarr 3.1.6, numcodecs 0.16.6, pycytominer 1.7.1.
The values are exact in float16, so every file holds the same matrix and no tolerance is needed. `adata-07.h5ad` has the
layout of anndata 0.7 (categories apart, reached by a reference), written by h5py from its description.
"""

import gzip
import importlib.metadata
import io
import pathlib
import tempfile
import warnings
import zipfile

import anndata as ad
import h5py
import numcodecs
import numpy as np
import pandas as pd
import scipy.sparse as sparse
import zarr
from pycytominer.cyto_utils.write_gct import write_gct

warnings.simplefilter("ignore")
FOLDER = pathlib.Path(__file__).parent.parent / "tables"

rows = 24
matrix = ((np.arange(rows)[:, None] * 7 + np.arange(5)[None, :] * 13) % 64 - 31.5) / 4
names = [f"emb_{j}" for j in range(5)]
obs = pd.DataFrame(
    {
        "Metadata_Source": pd.Categorical([f"source_{i % 2 + 1}" for i in range(rows)]),
        "Metadata_Batch": [f"batch_{i // 2 % 2 + 1}" for i in range(rows)],
        "Metadata_Plate": [i // 4 % 2 + 101 for i in range(rows)],
        "Metadata_Well": [f"{'ABC'[i // 8]}{i % 4 + 1:02d}" for i in range(rows)],
        "Metadata_JCP2022": [f"JCP_{i % 6}" for i in range(rows)],
        "target": [["AKT1", "BRD4", "EGFR"][i % 3] for i in range(rows)],
        "control": ["negcon" if i % 12 == 5 else "trt" for i in range(rows)],
        "score": [i / 8 if i % 5 else np.nan for i in range(rows)],
        "flag": [i % 3 == 0 for i in range(rows)],
        "cells": pd.array([i * 10 if i % 7 else None for i in range(rows)], dtype="Int64"),
        "seen": pd.array([bool(i % 2) if i % 4 else None for i in range(rows)], dtype="boolean"),
        "note": pd.Categorical([None if i % 6 == 1 else "ü, \"b\"" if i % 2 else "a" for i in range(rows)]),
        "unique": [f"row number {i}" for i in range(rows)],
    },
    index=[f"cell-{i}" for i in range(rows)],
)


def adata(x):
    table = ad.AnnData(x, obs=obs.copy(), var=pd.DataFrame(index=names))
    table.obsm["X_emb"] = -matrix
    table.layers["eighths"] = (matrix * 8).astype("int16")
    return table


def h5ad(name, x, **options):
    adata(x).write_h5ad(FOLDER / name, **options)


h5ad("adata.h5ad", matrix.astype("float32"))
h5ad("adata-gzip.h5ad", matrix, compression="gzip")
h5ad("adata-csr.h5ad", sparse.csr_matrix(matrix.astype("float32")), compression="gzip")
h5ad("adata-csc.h5ad", sparse.csc_matrix(matrix), compression="lzf")
only = ad.AnnData(obs=obs.copy())
only.obsm["X_emb"] = matrix.astype("float32")
only.write_h5ad(FOLDER / "adata-obsm.h5ad")

# The newer file format (HDF5 1.10 to 1.14): links in a heap and a tree, chunks with checksums and an index that grows.
with h5py.File(FOLDER / "adata.h5ad") as old, h5py.File(FOLDER / "adata-latest.h5ad", "w", libver=("v110", "v114")) as new:
    for name in old:
        old.copy(name, new)
    new.attrs.update(old.attrs)
    del new["X"]
    new.create_dataset(
        "X", data=matrix.astype(">f8"), chunks=(7, 2), compression="gzip", shuffle=True, fletcher32=True, maxshape=(None, 5)
    )
    new["X"].attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})

with h5py.File(FOLDER / "adata-07.h5ad", "w") as file:
    file["X"] = matrix.astype("float32")
    frame = file.create_group("obs")
    frame.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.1.0", "_index": "index"})
    columns = [name for name in obs if name not in ["cells", "seen"]]
    text = h5py.string_dtype()
    frame.attrs.create("column-order", columns, dtype=text)
    frame.create_dataset("index", data=list(obs.index), dtype=text)
    for name in columns:
        if obs[name].dtype.kind in "ifb":
            frame[name] = obs[name].to_numpy()
            continue
        codes = pd.Categorical(obs[name])
        categories = frame.create_dataset(f"__categories/{name}", data=list(codes.categories), dtype=text)
        categories.attrs["ordered"] = False
        frame[name] = codes.codes
        frame[name].attrs["categories"] = categories.ref
    frame = file.create_group("var")
    frame.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.1.0", "_index": "index"})
    frame.attrs.create("column-order", [], dtype=text)
    frame.create_dataset("index", data=[name.encode() for name in names])

# One archive of zarr folders: they are many small files.
with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    table = adata(matrix.astype("float32"))
    for version in [2, 3]:
        ad.settings.zarr_write_format = version
        table.write_zarr(folder / f"v{version}.zarr")

    def variant(name, version, **options):
        ad.settings.zarr_write_format = version
        columns = [name for name in obs if name.startswith("Metadata_") or name in ["target", "control"]]
        table = ad.AnnData(matrix.astype("float32"), obs=obs[columns].copy(), var=pd.DataFrame(index=names))
        table.write_zarr(folder / name)
        group = zarr.open_group(folder / name, mode="a", use_consolidated=False)
        for unused in ["layers", "obsm", "obsp", "uns", "varm", "varp"]:
            del group[unused]
        attributes = dict(group["X"].attrs)
        del group["X"]
        values = options.pop("values", matrix.astype("float32"))
        array = group.create_array("X", shape=values.shape, dtype=values.dtype, **options)
        array[...] = values
        array.attrs.update(attributes)
        (folder / name / ".zmetadata").unlink(missing_ok=True)

    blosc = numcodecs.Blosc
    variant("blosc-lz4.zarr", 2, chunks=(10, 3), compressors=blosc("lz4", 5, blosc.SHUFFLE))
    variant("blosc-blosclz.zarr", 2, chunks=(24, 5), compressors=blosc("blosclz", 9, blosc.SHUFFLE))
    variant("blosc-zlib-bits.zarr", 2, chunks=(24, 5), compressors=blosc("zlib", 9, blosc.BITSHUFFLE))
    variant("blosc-zstd.zarr", 2, chunks=(5, 5), compressors=blosc("zstd", 1, blosc.NOSHUFFLE), order="F")
    variant("gzip.zarr", 2, chunks=(7, 5), compressors=numcodecs.GZip(5), values=matrix.astype(">f8"))
    variant("zlib-shuffle.zarr", 2, chunks=(24, 5), filters=[numcodecs.Shuffle(4)], compressors=numcodecs.Zlib(5))
    variant("lz4.zarr", 2, chunks=(24, 5), compressors=numcodecs.LZ4())
    variant("plain.zarr", 2, chunks=(24, 5), compressors=None)
    shards = dict(chunks=(4, 5), shards=(12, 5))
    variant("v3-shards.zarr", 3, **shards, compressors=zarr.codecs.BloscCodec(cname="zstd", shuffle="bitshuffle"))
    variant("v3-gzip.zarr", 3, chunks=(7, 2), compressors=[zarr.codecs.GzipCodec(), zarr.codecs.Crc32cCodec()])
    variant("v3-transposed.zarr", 3, chunks=(7, 2), filters=[zarr.codecs.TransposeCodec(order=(1, 0))])
    with zipfile.ZipFile(FOLDER / "zarr.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.writestr(zipfile.ZipInfo(str(path.relative_to(folder))), path.read_bytes(), zipfile.ZIP_DEFLATED)

# pycytominer takes `Metadata_` off as a set of letters; these names survive that.
profiles = obs[["Metadata_Source", "Metadata_Batch", "Metadata_Plate", "Metadata_Well", "Metadata_JCP2022"]].copy()
profiles["Metadata_label"], profiles["Metadata_control"] = obs["target"], obs["control"]
profiles = profiles.reset_index(drop=True)
features = pd.DataFrame(matrix, columns=[f"Cells_{name}" for name in names])
write_gct(pd.concat([profiles, features], axis=1), FOLDER / "profiles.gct")
lines = io.StringIO()
print("#1.2", f"{len(names)}\t{rows}", sep="\n", file=lines)
print("Name", "Description", *obs.index, sep="\t", file=lines)
for name, values in zip(names, matrix.T):
    print(name, "na", *values, sep="\t", file=lines)
with gzip.GzipFile(FOLDER / "matrix.gct.gz", "wb", mtime=0) as file:
    file.write(lines.getvalue().encode())

for package in ["anndata", "h5py", "zarr", "numcodecs", "pycytominer", "pandas", "numpy"]:
    print(package, importlib.metadata.version(package))
