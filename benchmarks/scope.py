"""Segment localisation: accuracy, false reports and speed, beside two simple baselines.

    python benchmarks/scope.py                 # generated sets; the published ones too when ../shared/bench is there
    python benchmarks/scope.py --cases 100     # more generated cases
    python benchmarks/scope.py --log           # also a log of 10 million rows beside a bare Polars group-by
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parent))
from scope_data import quiet_counts, quiet_log_leaves, quiet_totals, synthetic

import rca_kit

BENCH = Path(os.environ.get("RCA_KIT_BENCH", Path(__file__).resolve().parents[2] / "shared" / "bench"))
MEASURES = ("n_before", "k_before", "n_after", "k_after", "minutes_before", "rate_before", "real", "predict")


def dimensions(table):
    return [c for c in table.columns if c not in MEASURES]


def kit(table):
    if "real" in table.columns:
        found = rca_kit.localize(table, dimensions(table), actual="real", expected="predict")
    else:
        found = rca_kit.localize(table, dimensions(table), actual=("k_after", "n_after"), expected=("k_before", "n_before"))
    return [s.where for s in found]


def _excess(table, dims):
    after, before = ("real", "predict") if "real" in table.columns else ("k_after", "k_before")
    cells = table.group_by(dims).agg(pl.col(c).sum() for c in table.columns if c in MEASURES and c != "rate_before")
    a, b = cells[after].to_numpy().astype(float), cells[before].to_numpy().astype(float)
    if after == "k_after":
        n0, n1 = cells["n_before"].to_numpy().astype(float), cells["n_after"].to_numpy().astype(float)
        rate = b.sum() / max(n0.sum(), 1)
        b = n1 * np.where(n0 > 0, b / np.maximum(n0, 1), rate)
    return cells, a, np.maximum(b, 0.5)


def poisson_scan(table):
    """The segment of up to three conditions whose count is least likely under its expectation."""
    best = (0.0, None)
    for depth in range(1, 4):
        for dims in itertools.combinations(dimensions(table), depth):
            cells, a, b = _excess(table, list(dims))
            score = np.where(a > 0, a * np.log(np.maximum(a, 1e-9) / b), 0) - (a - b)
            if "real" not in table.columns:
                score = np.where(a > b, score, 0)
            i = int(score.argmax())
            if score[i] > best[0]:
                best = (float(score[i]), cells.select(dims).row(i, named=True))
    return [best[1]] if best[1] else []


def worst_value(table):
    """The single value with the largest change of its total."""
    best = (0.0, None)
    for dim in dimensions(table):
        cells, a, b = _excess(table, [dim])
        i = int(np.abs(a - b).argmax())
        if abs(a[i] - b[i]) > best[0]:
            best = (float(abs(a[i] - b[i])), {dim: cells[dim][i]})
    return [best[1]] if best[1] else []


METHODS = {"rca_kit": kit, "Poisson scan, top 1": poisson_scan, "worst value of one dimension": worst_value}


def score(name, method, cases):
    hits = said = true = exact = 0
    seconds = []
    for table, truth in cases:
        start = time.perf_counter()
        found = {frozenset(w.items()) for w in method(table)}
        seconds.append(time.perf_counter() - start)
        want = {frozenset(t.items()) for t in truth}
        hits, said, true, exact = hits + len(found & want), said + len(found), true + len(want), exact + (found == want)
    print(f"  {name:30} {2 * hits / max(said + true, 1):6.3f} {hits / max(said, 1):9.3f} {hits / max(true, 1):6.3f} "
          f"{exact / len(seconds):11.3f} {np.median(seconds):13.3f} {max(seconds):9.3f}", flush=True)


def published(name):
    folder = BENCH / f"segments_{name}"
    if not folder.is_dir():
        return None
    truth = json.loads((folder / "truth.json").read_text())
    return [(pl.read_parquet(folder / f"{case}.parquet"), segments) for case, segments in truth.items()]


def accuracy(cases):
    sets = {f"{n} (published, development part)": published(n) for n in ("RS", "S", "L")}
    for n in ("S", "L"):
        rng = np.random.default_rng(2026)
        sets[f"{n} (generated here, seed 2026)"] = [synthetic(n, rng) for _ in range(cases)]
    for name, data in sets.items():
        if data is None:
            print(f"{name}: not here")
            continue
        print(f"{name}, {len(data)} cases\n  {'':30} {'F1':>6} {'precision':>9} {'recall':>6} {'exact match':>11} "
              f"{'s, median':>13} {'s, max':>9}")
        for method, function in METHODS.items():
            score(method, function, data if method == "rca_kit" or len(data) < 20 or data[0][0].height < 10_000 else data[:10])


def quiet(count):
    rng = np.random.default_rng(7)
    real = published("RS")
    sources = {
        "leaves of random logs": lambda i: quiet_log_leaves(rng)[0],
        "Poisson volumes": lambda i: quiet_totals(rng)[0],
        "S without anomaly": lambda i: synthetic("S", rng, anomalous=False)[0],
        "L without anomaly": lambda i: synthetic("L", rng, anomalous=False)[0],
    }
    if real:
        sources["RS, both windows from one rate"] = lambda i: quiet_counts(real[i % len(real)][0], rng)
        sources["RS, leaves overdispersed 14 %"] = lambda i: quiet_counts(real[i % len(real)][0], rng, 0.02)
    print("tables in which nothing moved: reports")
    for name, make in sources.items():
        n = count if "without" not in name else max(10, count // 10)
        reports = sum(bool(kit(make(i))) for i in range(n))
        print(f"  {name:34} {reports:3} of {n} ({reports / n:.1%})", flush=True)


CHILD = """
import resource, sys, time
import polars as pl

def used():
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime

dims = [f"dim{i}" for i in range(8)]
if sys.argv[2] == "floor":
    sums = pl.col("k_after", "n_after", "k_before", "n_before").sum()
    start, cpu = time.perf_counter(), used()
    found = pl.scan_parquet(sys.argv[1]).group_by(dims).agg(sums).collect(engine="streaming").height
else:
    import rca_kit
    start, cpu = time.perf_counter(), used()
    s = rca_kit.localize(sys.argv[1], dims, actual=("k_after", "n_after"), expected=("k_before", "n_before"), max_depth=3)
    found = [x.where for x in s]
print(f"{time.perf_counter() - start:6.1f} s  {used() - cpu:6.2f} CPU s "
      f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:7.0f} MB  {found}")
"""


def write_log(path, cardinalities, skew, rows=10_000_000):
    rng = np.random.default_rng(1)
    codes = [rng.choice(c, rows, p=(w := 1 / np.arange(1, c + 1) ** skew) / w.sum()).astype(np.int8) for c in cardinalities]
    after = rng.random(rows) < 0.3
    failed = rng.random(rows) < np.where(after & (codes[0] == 1) & (codes[1] == 1), 0.2, 0.02)
    columns = {f"dim{i}": pl.Series([f"v{j}" for j in range(c)]).gather(pl.Series(codes[i]).cast(pl.UInt32))
               for i, c in enumerate(cardinalities)}
    pl.DataFrame({**columns, "k_after": (failed & after).astype(np.int8), "n_after": after.astype(np.int8),
                  "k_before": (failed & ~after).astype(np.int8), "n_before": (~after).astype(np.int8)}).write_parquet(path)


def log_speed():
    print("10 million rows, 8 dimensions, depth 3, from Parquet")
    shapes = {"43 thousand leaves": ((3, 4, 5, 4, 3, 6, 2, 5), 0.0), "3 million leaves": ((5, 8, 12, 20, 6, 30, 3, 10), 1.2)}
    with tempfile.TemporaryDirectory() as folder:
        for name, (cardinalities, skew) in shapes.items():
            path = Path(folder) / "log.parquet"
            write_log(path, cardinalities, skew)
            for what in ("floor", "localize", "floor", "localize"):
                run = subprocess.run([sys.executable, "-c", CHILD, str(path), what], capture_output=True, text=True, check=True)
                print(f"  {name:20} {'bare group-by' if what == 'floor' else 'localize':14} {run.stdout.strip()}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=20, help="generated cases per set")
    parser.add_argument("--quiet", type=int, default=200, help="tables in which nothing moved, per kind")
    parser.add_argument("--log", action="store_true", help="also the log of 10 million rows")
    options = parser.parse_args()
    accuracy(options.cases)
    quiet(options.quiet)
    if options.log:
        log_speed()
    print(f"peak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
