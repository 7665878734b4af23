"""Golden numbers of the statistics in bench-eval: `aggregate` and `confounding`.

Run: python tests/goldens/generators/eval_statistics.py > tests/goldens/statistics.json
Written with the versions that the output names. Tolerances stand beside the tests:
same formula on the same numbers 1e-10 or better; bootstrap against bootstrap, Monte-Carlo error.
"""

import json

import numpy as np
import scipy
import statsmodels
from scipy import stats
from scipy.stats import _resampling
from statsmodels.stats.multitest import multipletests

rng = np.random.default_rng(20240501)


def normal():
    xs = [-38, -20, -8.5, -6, -5, -4.5, -4.01, -3.99, -3, -2, -1.959963984540054, -1, -0.3, 0, 1e-6, 0.7, 1.5, 2.5, 3.9, 4.1, 6, 9]
    ps = [1e-300, 1e-100, 1e-30, 1e-12, 1e-6, 0.001, 0.0249, 0.025, 0.0749, 0.0751, 0.2, 0.4, 0.5, 0.6, 0.9, 0.924, 0.926, 0.975, 0.999, 1 - 1e-9]
    return {
        "cdf": [[x, float(stats.norm.cdf(x))] for x in xs],
        "quantile": [[p, float(stats.norm.ppf(p))] for p in ps],
    }


def bca_of_draws():
    cases = []
    for n, draws in [(12, 300), (40, 501)]:
        data = rng.exponential(size=n).round(6)
        theta = np.array([rng.choice(data, n).mean() for _ in range(draws)]).round(9)
        low, high, a = _resampling._bca_interval(
            (data,), lambda x, axis=-1: x.mean(axis=axis), axis=-1, alpha=0.025, theta_hat_b=theta, batch=None, xp=np
        )
        cases.append({
            "estimate": float(data.mean()),
            "draws": theta.tolist(),
            "jackknife": [float(np.delete(data, i).mean()) for i in range(n)],
            "acceleration": float(np.ravel(a)[0]),
            "low": float(np.quantile(theta, float(low))),
            "high": float(np.quantile(theta, float(high))),
        })
    return cases


def iid():
    cases = []
    for n in (30, 80):
        x = rng.lognormal(size=n).round(6)
        y = (0.6 * x + rng.lognormal(sigma=0.5, size=n)).round(6)
        case = {"x": x.tolist(), "y": y.tolist()}
        for name, data, statistic in [
            ("mean", (x,), lambda x, axis=-1: x.mean(axis=axis)),
            ("ratio", (x, y), lambda x, y, axis=-1: x.mean(axis=axis) / y.mean(axis=axis)),
        ]:
            case[name] = {}
            for method in ("BCa", "percentile"):
                r = stats.bootstrap(data, statistic, paired=True, vectorized=True, n_resamples=60_000,
                                    batch=2000, method=method, rng=np.random.default_rng(1))
                case[name][method.lower()] = [float(r.confidence_interval.low), float(r.confidence_interval.high)]
        cases.append(case)
    return cases


def sign_flip():
    cases = []
    for d in [
        rng.normal(0.6, 1, 9).round(4),
        np.array([0.25, 0.25, -0.25, 0.5, 0.0, 0.25, -0.5, 0.25, 0.25, 0.0]),
        rng.normal(0.4, 1, 18).round(4),
        np.round(rng.normal(0.2, 1, 19) * 3) / 12,
    ]:
        r = stats.permutation_test((d,), lambda x, axis=-1: x.sum(axis=axis), permutation_type="samples",
                                   vectorized=True, n_resamples=np.inf, batch=10_000, alternative="two-sided")
        cases.append({"differences": d.tolist(), "p": float(r.pvalue)})
    return cases


def holm():
    cases = []
    for p in [rng.uniform(size=12) ** 3, np.array([0.01, 0.04, 0.03, 0.005]), np.array([0.5, 0.5, 0.9]), np.array([0.2])]:
        cases.append({"p": p.tolist(), "corrected": multipletests(p, method="holm")[1].tolist()})
    return cases


def association():
    """V by scipy; Bergsma (2013), equations 7 to 9, written out."""
    cases = []
    for n, r, c, link in [(60, 3, 4, 0.0), (200, 5, 3, 0.6), (90, 2, 2, 0.9), (40, 9, 7, 0.2)]:
        a = rng.integers(0, r, n)
        b = np.where(rng.uniform(size=n) < link, a % c, rng.integers(0, c, n))
        table = np.zeros((r, c), int)
        np.add.at(table, (a, b), 1)
        assert (table.sum(0) > 0).all() and (table.sum(1) > 0).all()
        chi2 = stats.chi2_contingency(table, correction=False).statistic
        phi = max(0.0, chi2 / n - (r - 1) * (c - 1) / (n - 1))
        rr, cc = r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)
        cases.append({
            "a": a.tolist(),
            "b": b.tolist(),
            "v": float(stats.contingency.association(table, method="cramer", correction=False)),
            "v_corrected": float(np.sqrt(phi / min(rr - 1, cc - 1))),
            "empty": float((table == 0).mean()),
        })
    return cases


print(json.dumps({
    "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "statsmodels": statsmodels.__version__},
    "normal": normal(),
    "bca_of_draws": bca_of_draws(),
    "iid": iid(),
    "sign_flip": sign_flip(),
    "holm": holm(),
    "association": association(),
}, indent=None))
