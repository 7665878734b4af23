"""Golden values for logistic regression: writes ../logistic.json.

Versions: scikit-learn 1.9.1, numpy 2.4.6. Run: python logistic.py

Every case is fitted with lbfgs at tol 1e-8, as the reference tables of the field are, and again
with newton-cholesky at tol 1e-10; the second is stored, and the first must agree with it within
1e-4 in mean log-loss of the test rows.
Tolerance: probabilities 1e-4 (a relative error of 1e-9 in the objective leaves about 3e-5),
mean log-loss of the test rows 1e-5, objective per training row 1e-6 relative.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

random = np.random.default_rng(20260117)


def blobs(rows, columns, classes, apart, scale=1.0, decay=0.0):
    label = np.arange(rows) % classes
    random.shuffle(label)
    centre = random.normal(size=(classes, columns)) * apart
    spread = (1.0 + np.arange(columns)) ** -decay
    return (centre[label] + random.normal(size=(rows, columns)) * spread) * scale, label


def roles(rows, folds):
    drawn = random.integers(0, 5, size=(folds, rows))
    return np.where(drawn == 0, "t", np.where(drawn == 4, ".", "T"))


def z_scores(x):
    return (x - x.mean(0)) / x.std(0)


def mean_log_loss(p, y):
    return float(-np.log(np.clip(p[np.arange(len(y)), y], 1e-300, 1)).mean())


def fit(x, y, role, classes, standardise):
    train, test = role == "T", role == "t"
    scaler = StandardScaler(with_mean=standardise, with_std=standardise).fit(x[train])
    a, b = scaler.transform(x[train]), scaler.transform(x[test])
    usual = LogisticRegression(C=1.0, max_iter=10000, tol=1e-8).fit(a, y[train])
    exact = LogisticRegression(C=1.0, max_iter=10000, tol=1e-10, solver="newton-cholesky").fit(a, y[train])
    p, q = (np.zeros((test.sum(), classes)) for _ in range(2))
    p[:, exact.classes_] = exact.predict_proba(b)
    q[:, usual.classes_] = usual.predict_proba(b)
    seen = np.isin(y[test], exact.classes_)
    assert abs(mean_log_loss(p[seen], y[test][seen]) - mean_log_loss(q[seen], y[test][seen])) < 1e-4
    code = np.searchsorted(exact.classes_, y[train])
    loss = -np.log(exact.predict_proba(a)[np.arange(len(code)), code]).sum()
    objective = (loss + 0.5 * (exact.coef_**2).sum()) / train.sum()
    return {
        "roles": "".join(role),
        "probability": [[float(f"{v:.8g}") for v in row] for row in p],
        "log_loss_of_seen": mean_log_loss(p[seen], y[test][seen]),
        "objective": float(objective),
    }


def case(x, y, role, standardise=False):
    # Rounded to 32 bits, so that both sides see the same numbers.
    x = np.round(x, 3).astype(np.float32)
    y = np.asarray(y)
    classes = int(y.max()) + 1
    return {
        "features": [[float(str(v)) for v in row] for row in x],
        "class": y.tolist(),
        "classes": classes,
        "standardise": standardise,
        "folds": [fit(x.astype(np.float64), y, r, classes, standardise) for r in role],
    }


x, y = blobs(150, 8, 4, 0.7)
cases = {"standardised": case(z_scores(x), y, roles(150, 2))}
x, y = blobs(120, 4, 3, 6.0)
role = roles(120, 2)
cases["separable times 10"] = case(10 * x, y, role)
cases["separable times 100"] = case(100 * x, y, role)
x, y = blobs(48, 100, 3, 0.2)
cases["wide"] = case(x, y, roles(48, 2))
x, y = blobs(90, 5, 4, 0.8)
role = roles(90, 2)
role[0][(y == 3) & (role[0] == "T")] = "t"
cases["missing class"] = case(x, y, role)
x, y = blobs(80, 5, 2, 0.5)
cases["two classes"] = case(x, y, roles(80, 2))
x, y = blobs(100, 6, 3, 0.7, scale=np.array([1, 30, 0.02, 5, 1, 1]))
role = roles(100, 2)
x[:, 4] = np.where(role[0] == "T", 2.5, x[:, 4])
x[:, 1] += 500
cases["standardised inside the fold"] = case(x, y, role, standardise=True)

text = json.dumps(cases, separators=(",", ":"))
(Path(__file__).parent.parent / "logistic.json").write_text(text + "\n")
print(len(text), {name: [f["log_loss_of_seen"] for f in c["folds"]] for name, c in cases.items()})
