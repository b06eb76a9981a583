"""Tables for the segment benchmark: planted additive anomalies, and tables in which nothing moved."""

from __future__ import annotations

import numpy as np
import polars as pl

SETS = {
    # dimensions, anomalies, elements per anomaly, severity, spread, noise, depth
    "S": {"shape": (10, 12, 10, 8, 5), "anomalies": (1, 3), "elements": (1, 3), "severity": (0.25, 1.0), "spread": (0.0, 0.2),
          "noise": (0.0, 0.25), "deepest": False},
    "L": {"shape": (10, 24, 10, 15), "anomalies": (1, 5), "elements": (1, 1), "severity": (0.5, 1.0), "spread": (0.0, 0.0),
          "noise": (0.0, 0.1), "deepest": True},
}


def leaf_codes(shape):
    return np.indices(shape).reshape(len(shape), -1).T


def synthetic(kind, rng, anomalous=True):
    """One additive table in the manner of the published sets S and L: Weibull values, relative noise, common deviations."""
    s = SETS[kind]
    codes = leaf_codes(s["shape"])
    n, d = codes.shape
    value = rng.weibull(rng.uniform(0.5, 1.0), n) * 100
    value[rng.random(n) < rng.uniform(0, 0.25)] = 0.0
    sigma = rng.uniform(*s["noise"])
    other = np.maximum(value * (1 + rng.normal(0, sigma, n)), 0.0)
    swap = rng.random(n) < 0.5
    real, predict = np.where(swap, other, value), np.where(swap, value, other)
    truth, taken, down = [], np.zeros(n, dtype=bool), rng.random() < 0.5
    for _ in range(rng.integers(s["anomalies"][0], s["anomalies"][1] + 1) if anomalous else 0):
        depth = d if s["deepest"] else int(rng.integers(1, d + 1))
        dims = sorted(rng.choice(d, depth, replace=False))
        severity, spread = rng.uniform(*s["severity"]), rng.uniform(*s["spread"])
        for _ in range(rng.integers(s["elements"][0], s["elements"][1] + 1)):
            for _ in range(50):
                element = {int(x): int(rng.integers(s["shape"][x])) for x in dims}
                inside = np.all([codes[:, k] == v for k, v in element.items()], axis=0)
                if not (inside & taken).any() and value[inside].any():
                    break
            else:
                continue
            taken |= inside
            moved = np.maximum(value * (1 - rng.normal(severity, spread, n)), 0.0)
            real = np.where(inside, moved if down else value, real)
            predict = np.where(inside, value if down else moved, predict)
            truth.append({"abcdef"[k]: f"{'abcdef'[k]}{v + 1}" for k, v in element.items()})
    names = "abcdef"[:d]
    columns = {name: np.char.add(name, (codes[:, i] + 1).astype(str)) for i, name in enumerate(names)}
    return pl.DataFrame({**columns, "real": real, "predict": predict}), truth


def quiet_counts(table, rng, overdispersion=0.0):
    """The same leaves with both windows drawn from the same rates: an A/A table from a real one."""
    n0, n1 = (table[c].fill_null(0).to_numpy().round().astype(int) for c in ("n_before", "n_after"))
    k = table["k_before"].fill_null(0).to_numpy() + table["k_after"].fill_null(0).to_numpy()
    rate = np.clip((k + 0.5) / np.maximum(n0 + n1 + 1, 1), 0, 1)
    if overdispersion > 0:
        before, after = (np.clip(rate * rng.gamma(1 / overdispersion, overdispersion, len(rate)), 0, 1) for _ in range(2))
    else:
        before = after = rate
    return table.with_columns(n_before=n0.astype(float), n_after=n1.astype(float),
                              k_before=rng.binomial(n0, before).astype(float), k_after=rng.binomial(n1, after).astype(float))


def quiet_log_leaves(rng):
    """A/A leaves of a request log of random size, shape and error rate, split at random in two windows of unequal size."""
    d = int(rng.integers(2, 6))
    shape = tuple(int(x) for x in rng.integers(2, 12, d))
    rows = int(10 ** rng.uniform(3, 6))
    codes = np.stack([rng.choice(s, rows, p=rng.dirichlet(np.ones(s))) for s in shape], axis=1)
    logit = rng.normal(0, 0.5, (d, max(shape)))
    base = np.log(rng.uniform(0.002, 0.3))
    p = 1 / (1 + np.exp(-(base + sum(logit[i, codes[:, i]] for i in range(d)))))
    failed = rng.random(rows) < p
    after = rng.random(rows) < rng.uniform(0.05, 0.6)
    frame = pl.DataFrame({**{f"d{i}": codes[:, i] for i in range(d)}, "k": failed.astype(float), "after": after})
    dims = [f"d{i}" for i in range(d)]
    return frame.group_by(dims).agg(
        n_before=(~pl.col("after")).sum().cast(pl.Float64), n_after=pl.col("after").sum().cast(pl.Float64),
        k_before=pl.col("k").filter(~pl.col("after")).sum(), k_after=pl.col("k").filter(pl.col("after")).sum()), dims


def quiet_totals(rng):
    """A/A volumes: Poisson counts against their true expectation, forecast from as much history."""
    shape = tuple(int(x) for x in rng.integers(2, 12, int(rng.integers(2, 5))))
    codes = leaf_codes(shape)
    rate = rng.lognormal(rng.uniform(-1, 5), rng.uniform(0.3, 2), len(codes))
    expected = rng.poisson(rate) if rng.random() < 0.5 else rate
    frame = pl.DataFrame({**{f"d{i}": codes[:, i] for i in range(len(shape))}, "real": rng.poisson(rate).astype(float),
                          "predict": np.asarray(expected, dtype=float)})
    return frame, [f"d{i}" for i in range(len(shape))]
