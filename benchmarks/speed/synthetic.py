"""Synthetic embeddings that are as hard as real ones: low rank, decaying spectrum, weak labels.

`make(path, rows, dims)` writes a Parquet table with 9 labels, 13 batches in 4 sources, 52 plates.
The spectrum decays over nearly three orders of magnitude, so that logistic regression needs hundreds of
L-BFGS iterations, as on real embeddings; labels are a noisy function of latent directions of every
scale, so that test accuracy lies near 0.7 and not at 1.
"""
import numpy as np
import pandas as pd


def embeddings(rows, dims, seed=0, labels=9, batches=13):
    g = np.random.default_rng(seed)
    rank = min(dims, 256)
    spectrum = np.logspace(0.75, -2.0, rank)
    label = g.integers(labels, size=rows)
    batch = np.sort(g.integers(batches, size=rows))
    plate = batch * 4 + g.integers(4, size=rows)
    latent = g.normal(size=(rows, rank)).astype(np.float32)
    centres = g.normal(0, 0.16, (labels, rank))
    latent += centres[label].astype(np.float32)
    latent += g.normal(0, 0.5, (batches, rank))[batch].astype(np.float32)
    latent += g.normal(0, 0.15, (plate.max() + 1, rank))[plate].astype(np.float32)
    basis = np.linalg.qr(g.normal(size=(dims, rank)))[0].T.astype(np.float32)
    x = (latent * spectrum.astype(np.float32)) @ basis
    x += g.normal(0, 1e-3, (rows, dims)).astype(np.float32)
    return x.astype(np.float32), label, batch, plate


def make(path, rows, dims, seed=0, labels=9, batches=13):
    x, label, batch, plate = embeddings(rows, dims, seed, labels, batches)
    # Wells are numbered within their plate; 1536 of them at most carry a position.
    order = pd.Series(plate).groupby(plate).cumcount().to_numpy()
    meta = pd.DataFrame({
        "Metadata_Source": [f"source_{b % 4 + 1}" for b in batch],
        "Metadata_Batch": [f"batch_{b:02d}" for b in batch],
        "Metadata_Plate": [f"plate_{p:03d}" for p in plate],
        "Metadata_Well": [f"W{o:05d}" for o in order],
        "target": [f"target_{l}" for l in label],
    })
    frame = pd.concat([meta, pd.DataFrame(x, columns=[f"emb_{i}" for i in range(dims)])], axis=1)
    frame.to_parquet(path, index=False)
    return x, label, batch, plate
