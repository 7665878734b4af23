"""Golden values for exact neighbours and the kNN probe: writes ../knn.json.

Versions: scikit-learn 1.9.1, numpy 2.4.6. Run: python knn.py
Tolerance: neighbours and decisions exactly (the generated data have no equal distances),
distances to 1e-6 (they are stored as 32-bit floats), vote shares to 1e-12.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.preprocessing import StandardScaler

ROWS, COLUMNS, CLASSES, K = 150, 6, 5, 10

random = np.random.default_rng(20240229)
label = random.integers(0, CLASSES, ROWS)
centre = random.normal(size=(CLASSES, COLUMNS))
scale = np.array([1.0, 3.0, 0.2, 1.0, 1.0, 1.0])
# Rounded to 32 bits, so that both sides see the same numbers.
features = ((centre[label] + random.normal(size=(ROWS, COLUMNS))) * scale).astype(np.float32).astype(np.float64)
names = np.array(["e", "b", "d", "a", "c"])[label]
train = random.random(ROWS) < 0.7

golden = {
    "features": features.tolist(),
    "label": names.tolist(),
    "train": train.tolist(),
    "graph": {},
    "probe": {},
}
for metric in ["cosine", "euclidean"]:
    search = NearestNeighbors(n_neighbors=K, metric=metric, algorithm="brute").fit(features)
    distance, index = search.kneighbors()
    golden["graph"][metric] = {"k": K, "index": index.tolist(), "distance": distance.tolist()}
    for standardise in [False, True]:
        scaler = StandardScaler(with_mean=standardise, with_std=standardise).fit(features[train])
        x = scaler.transform(features)
        probe = KNeighborsClassifier(3, metric=metric, algorithm="brute").fit(x[train], names[train])
        golden["probe"][metric + ("-standardised" if standardise else "")] = {
            "classes": probe.classes_.tolist(),
            "decision": probe.predict(x[~train]).tolist(),
            "probability": probe.predict_proba(x[~train]).tolist(),
        }

target = Path(__file__).resolve().parent.parent / "knn.json"
target.write_text(json.dumps(golden) + "\n")
