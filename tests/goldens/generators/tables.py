"""Writes small tables as pandas, pyarrow and NumPy write them: tests/goldens/tables/.

Run from anywhere: python tests/goldens/generators/tables.py
Written with numpy 2.4.6, pandas 2.3.3, pyarrow (version printed). The values are exact in
float16, so every file holds the same matrix and no tolerance is needed.
"""

import gzip
import pathlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = pathlib.Path(__file__).parent.parent / "tables"
FOLDER.mkdir(exist_ok=True)

rows = 24
matrix = ((np.arange(rows)[:, None] * 7 + np.arange(5)[None, :] * 13) % 64 - 31.5) / 4
meta = pd.DataFrame(
    {
        "Metadata_Source": [f"source_{i % 2 + 1}" for i in range(rows)],
        "Metadata_Batch": [f"batch_{i // 2 % 2 + 1}" for i in range(rows)],
        "Metadata_Plate": [i // 4 % 2 + 101 for i in range(rows)],
        "Metadata_Well": [f"{'ABC'[i // 8]}{i % 4 + 1:02d}" for i in range(rows)],
        "Metadata_JCP2022": [f"JCP_{i % 6}" for i in range(rows)],
        "target": [["AKT1", "BRD4", "EGFR"][i % 3] for i in range(rows)],
        "control": ["negcon" if i % 12 == 5 else "trt" for i in range(rows)],
    }
)
names = [f"emb_{j}" for j in range(5)]


def wide(dtype):
    return pd.concat([meta, pd.DataFrame(matrix.astype(dtype), columns=names)], axis=1)


def table(column):
    return pa.Table.from_pandas(meta, preserve_index=False).append_column("emb", column)


wide("float64").to_parquet(FOLDER / "wide-f64.parquet", index=False)
wide("float32").to_parquet(FOLDER / "wide-f32-groups.parquet", index=False, row_group_size=5)
category = wide("float32")
for column in meta:
    category[column] = category[column].astype("category")
category.index = pd.Index(range(100, 100 + rows))
category.to_parquet(FOLDER / "category-index.parquet", index=True, compression="zstd")
pq.write_table(table(pa.array(matrix.tolist(), pa.list_(pa.float64()))), FOLDER / "list-f64.parquet")
fixed = pa.FixedSizeListArray.from_arrays(pa.array(matrix.astype("float32").ravel()), 5)
pq.write_table(table(fixed), FOLDER / "fixed-f32.parquet", row_group_size=7)
halves = pa.array(matrix.astype("float16").ravel(), pa.float16())
pq.write_table(table(pa.FixedSizeListArray.from_arrays(halves, 5)), FOLDER / "fixed-f16.parquet")
pq.write_table(table(pa.array([r[: 4 if i == 6 else 5] for i, r in enumerate(matrix.tolist())])), FOLDER / "list-mixed.parquet")

wide("float64").to_csv(FOLDER / "wide.csv")
wide("float64").to_csv(FOLDER / "wide.tsv", sep="\t", index=False)
with gzip.GzipFile(FOLDER / "wide.csv.gz", "wb", mtime=0) as file:
    file.write(wide("float64").to_csv(index=False).encode())

meta.to_csv(FOLDER / "metadata.csv", index=False)
for name, array in {
    "c-f8": matrix,
    "fortran-f4": np.asfortranarray(matrix.astype("<f4")),
    "big-endian-f8": matrix.astype(">f8"),
    "half": matrix.astype("<f2"),
    "int": (matrix * 8).astype("<i2"),
}.items():
    np.save(FOLDER / f"{name}.npy", array)
columns = {name: meta[name].to_numpy(dtype=None if name == "Metadata_Plate" else str) for name in meta}
np.savez_compressed(FOLDER / "one.npz", embedding=matrix.astype("float32"), **columns)
np.savez(FOLDER / "two.npz", first=matrix, second=-matrix, other=np.arange(3), **columns)
np.savez(FOLDER / "objects.npz", embedding=matrix, target=meta["target"].to_numpy(dtype=object))
print("pandas", pd.__version__, "numpy", np.__version__, "pyarrow", pa.__version__)
