"""Files between `bench` and anndata, zarr, h5py, pandas and scanpy: equal values in both directions.

usage: tests/interop.py BENCH

1. anndata writes h5ad (plain, gzip, LZF, the file format of HDF5 1.14) and zarr (formats 2 and 3, every codec that numcodecs
   ships) with dense and sparse matrices; `bench export` converts each; anndata and pandas read the result.
2. `bench score` scores an AnnData file; the run is exported and has embeddings, metadata, map and scores.
3. The examples of benchmarks/EXAMPLES.md run as they stand.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import warnings

os.environ["MPLBACKEND"] = "Agg"
warnings.simplefilter("ignore")

import anndata as ad
import h5py
import numcodecs
import numpy as np
import pandas as pd
import scipy.sparse as sparse
import zarr

ROOT = pathlib.Path(__file__).resolve().parent.parent
BENCH = pathlib.Path(sys.argv[1]).resolve()
ROWS, WIDTH = 700, 37
checks = 0


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        conversions()
        damage()
        run()
        examples()
    print(f"{checks} comparisons, all equal")


def bench(*arguments, code=0):
    done = subprocess.run([BENCH, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != code:
        sys.exit(f"bench {' '.join(map(str, arguments))}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def check(holds, what):
    global checks
    checks += 1
    if not holds:
        sys.exit(f"error: {what}")


def table():
    """Rows with every kind of metadata; values with long runs, so that codecs have something to do."""
    random = np.random.default_rng(7)
    x = np.round(random.normal(size=(ROWS, WIDTH)), 1).astype("float32")
    x[random.random(x.shape) < 0.6] = 0
    obs = pd.DataFrame(
        {
            "Metadata_Source": pd.Categorical([f"source_{i % 3}" for i in range(ROWS)]),
            "Metadata_Batch": [f"batch {i // 3 % 2}" for i in range(ROWS)],
            "Metadata_Plate": 101 + np.arange(ROWS) // 6 % 4,
            "Metadata_Well": [f"{'ABCDEFGHIJKLMNOP'[i // 24 % 16]}{i % 24 + 1:02d}" for i in range(ROWS)],
            "Metadata_moa": pd.Categorical([None if i % 50 == 49 else f"moa-{i % 4}" for i in range(ROWS)]),
            "Metadata_control": ["negcon" if i % 50 == 49 else "trt" for i in range(ROWS)],
            "dose": np.where(np.arange(ROWS) % 9 == 0, np.nan, np.arange(ROWS) / 7),
            "flag": np.arange(ROWS) % 3 == 0,
            "Größe, \"x\"": np.arange(ROWS) - 350,
            "unique": [f"row {i}" for i in range(ROWS)],
        },
        index=[f"cell-{i}" for i in range(ROWS)],
    )
    adata = ad.AnnData(x, obs=obs, var=pd.DataFrame(index=[f"emb_{j}" for j in range(WIDTH)]))
    adata.obsm["X_pca"] = random.normal(size=(ROWS, 5))
    return adata


def conversions():
    adata = table()
    x = np.asarray(adata.X)
    sources = []
    for name, matrix, options in [
        ("plain.h5ad", x, {}),
        ("double-gzip.h5ad", x.astype("float64"), {"compression": "gzip"}),
        ("csr-gzip.h5ad", sparse.csr_matrix(x), {"compression": "gzip"}),
        ("csc-lzf.h5ad", sparse.csc_matrix(x.astype("float64")), {"compression": "lzf"}),
    ]:
        adata.X = matrix
        adata.write_h5ad(name, **options)
        sources.append(name)
    adata.X = x
    with h5py.File("plain.h5ad") as old, h5py.File("latest.h5ad", "w", libver=("v110", "v114")) as new:
        for name in old:
            old.copy(name, new)
        new.attrs.update(old.attrs)
        del new["X"]
        new.create_dataset("X", data=x, chunks=(50, 9), compression="gzip", shuffle=True, fletcher32=True, maxshape=(None, WIDTH))
        new["X"].attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    sources.append("latest.h5ad")
    for version in [2, 3]:
        ad.settings.zarr_write_format = version
        for name, matrix in [("dense", x), ("csr", sparse.csr_matrix(x)), ("csc", sparse.csc_matrix(x))]:
            adata.X = matrix
            adata.write_zarr(f"{name}-v{version}.zarr")
            sources.append(f"{name}-v{version}.zarr")
    adata.X = x
    sources += codecs(x)
    for source in sources:
        for out in ["out.h5ad", "out.zarr", "out.parquet", "out.csv"]:
            bench("export", source, "--out", out)
            compare(adata, x, source, out)
    for source in ["plain.h5ad", "dense-v2.zarr", "dense-v3.zarr"]:
        bench("export", source, "--array", "obsm/X_pca", "--out", "pca.h5ad")
        found = ad.read_h5ad("pca.h5ad")
        check(np.array_equal(found.X, adata.obsm["X_pca"].astype("float32")), f"X_pca of {source}")
        check(list(found.var_names) == [f"X_pca_{i}" for i in range(5)], f"names of X_pca of {source}")
    bench("export", "plain.h5ad", "--out", "out.npz")
    arrays = np.load("out.npz")
    check(np.array_equal(arrays["embedding"], x), "embedding of the NPZ")
    check(list(arrays["Metadata_Well"]) == list(adata.obs["Metadata_Well"]), "text of the NPZ")
    check(np.array_equal(arrays["dose"], adata.obs["dose"], equal_nan=True), "numbers of the NPZ")


def codecs(x):
    """Copies of a zarr store whose X is written by each codec."""
    names = []

    def variant(name, version, **options):
        source = zarr.open_group(f"dense-v{version}.zarr", mode="r", use_consolidated=False)
        subprocess.run(["cp", "-r", f"dense-v{version}.zarr", name], check=True)
        group = zarr.open_group(name, mode="a", use_consolidated=False)
        del group["X"]
        array = group.create_array("X", shape=x.shape, dtype=x.dtype, **options)
        array[...] = x
        array.attrs.update(dict(source["X"].attrs))
        names.append(name)

    for codec in ["lz4", "lz4hc", "blosclz", "zlib", "zstd"]:
        for label, shuffle in [("none", 0), ("bytes", 1), ("bits", 2)]:
            options = {"compressors": numcodecs.Blosc(codec, 5, shuffle), "chunks": (ROWS // 2 + 1, 32)}
            variant(f"blosc-{codec}-{label}.zarr", 2, **options)
    variant("gzip.zarr", 2, chunks=(100, WIDTH), compressors=numcodecs.GZip(5))
    variant("zlib-shuffle.zarr", 2, chunks=(100, WIDTH), filters=[numcodecs.Shuffle(4)], compressors=numcodecs.Zlib(5))
    variant("lz4.zarr", 2, chunks=(100, 10), compressors=numcodecs.LZ4())
    variant("columns.zarr", 2, chunks=(100, 10), compressors=numcodecs.Zstd(3), order="F")
    variant("plain.zarr", 2, chunks=(333, 10), compressors=None)
    variant("shards.zarr", 3, chunks=(20, 8), shards=(100, 40))
    variant("blosc-v3.zarr", 3, chunks=(100, 8), compressors=zarr.codecs.BloscCodec(cname="lz4", shuffle="shuffle"))
    variant("transposed-v3.zarr", 3, chunks=(100, 8), filters=[zarr.codecs.TransposeCodec(order=(1, 0))])
    variant("crc-v3.zarr", 3, chunks=(100, 8), compressors=[zarr.codecs.GzipCodec(), zarr.codecs.Crc32cCodec()])
    return names


def compare(adata, x, source, out):
    what = f"{source} to {out}"
    if out.endswith(("h5ad", "zarr")):
        found = ad.read_h5ad(out) if out.endswith("h5ad") else ad.read_zarr(out)
        check(found.X.dtype == np.float32 and np.array_equal(found.X, x), f"X, {what}")
        check(list(found.obs_names) == list(adata.obs_names), f"obs names, {what}")
        check(list(found.var_names) == list(adata.var_names), f"var names, {what}")
        check(list(found.obs.columns) == list(adata.obs.columns), f"columns, {what}")
        frame = found.obs
    else:
        whole = pd.read_parquet(out) if out.endswith("parquet") else pd.read_csv(out, float_precision="round_trip")
        values = whole[list(adata.var_names)].to_numpy("float32")
        check(np.array_equal(values, x), f"X, {what}")
        frame = whole.set_index("obs_names")
    for name in adata.obs:
        left, right = adata.obs[name], frame[name]
        if left.dtype.kind in "ifb":
            same = left.dtype == right.dtype and np.array_equal(left, right, equal_nan=left.dtype.kind == "f")
        else:
            text = lambda column: [None if pd.isna(cell) else cell for cell in column]
            same = text(left) == text(right)
        check(same, f"`{name}`, {what}")


def damage():
    """What cannot be read is said with file and object."""
    with h5py.File("other.h5", "w") as file:
        file["X"] = np.zeros((3, 3))
    check("`other.h5`: `/` has no `obs`" in bench("validate", "other.h5", code=3), "HDF5 without obs")
    with h5py.File("plain.h5ad", "a") as file:
        del file["obs/Metadata_Well"]
        file["obs/Metadata_Well"] = np.zeros(ROWS, dtype=[("a", "i4"), ("b", "f8")])
    message = bench("validate", "plain.h5ad", "--label", "Metadata_moa", code=3)
    check("Metadata_Well" in message and "records of several fields" in message, f"records in obs: {message}")


def run():
    """A run on AnnData, and what it gives back."""
    table().write_h5ad("profiles.h5ad")
    options = ["--label", "Metadata_moa", "--duplicates", "keep", "--bootstrap", "100", "--quiet"]
    code = ["score", "--embeddings", "profiles.h5ad", *options, "--out", "run"]
    done = subprocess.run([BENCH, *code], capture_output=True, text=True)
    check(done.returncode in [0, 1], f"scoring an AnnData file: {done.stderr}")
    bench("export", "run", "--out", "run.h5ad")
    bench("export", "run", "--out", "run.zarr")
    embeddings, places = pd.read_parquet("run/embeddings/profiles.parquet"), pd.read_parquet("run/projection/profiles.parquet")
    for found in [ad.read_h5ad("run.h5ad"), ad.read_zarr("run.zarr")]:
        check(np.array_equal(found.X, embeddings[list(found.var_names)].to_numpy()), "embeddings of the run")
        rows = found.obs["Metadata_file_row"].to_numpy()
        check(np.array_equal(found.X, table().X[rows]), "embeddings of the file")
        where = places.set_index("row").reindex(rows)[["x", "y"]].to_numpy("float32")
        check(np.array_equal(found.obsm["X_umap"], where, equal_nan=True), "map of the run")
        check(np.isnan(found.obsm["X_umap"]).any(axis=1).sum() == ROWS // 50, "controls are not on the map")
        check(list(found.obs["Metadata_label"].astype(object).fillna("")) == list(embeddings["Metadata_label"]), "labels")
    bench("export", "run", "--what", "scores", "--out", "scores.parquet")
    tidy, text = pd.read_parquet("scores.parquet"), pd.read_csv("run/scores.csv", float_precision="round_trip")
    check(list(tidy.columns) == list(text.columns) and len(tidy) == len(text) > 100, "columns of the scores")
    check(np.array_equal(tidy["value"], text["value"], equal_nan=True), "values of the scores")
    check(list(tidy["split"]) == list(text["split"]), "splits of the scores")


def examples():
    """The code blocks of the page, with the program on the path."""
    import scanpy

    os.environ["PATH"] = f"{BENCH.parent}{os.pathsep}{os.environ['PATH']}"
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "benchmarks" / "EXAMPLES.md").read_text(), re.S)
    check(len(blocks) == 2, "two examples")
    adata = table()
    # A well holds one profile in these.
    adata.obs["Metadata_Plate"] = [f"plate {i // 24 // 16 * 3 + i % 3}" for i in range(ROWS)]
    adata.obs = adata.obs[[name for name in adata.obs if name.startswith("Metadata_")]]
    frame = pd.concat([adata.obs, adata.to_df()], axis=1)
    scope = {"frame": frame}
    exec(compile(blocks[0], "EXAMPLES.md, pandas", "exec"), scope)
    check(len(scope["scores"]) > 100, "scores in pandas")
    exec(compile(blocks[1], "EXAMPLES.md, scanpy", "exec"), {"adata": adata.copy()})
    check(pathlib.Path("figures/umap.png").stat().st_size > 10_000, "a figure by scanpy")
    check(scanpy.read_h5ad("scored.h5ad").obsm["X_umap"].shape == (ROWS, 2), "a map in scanpy")


if __name__ == "__main__":
    sys.exit(main())
