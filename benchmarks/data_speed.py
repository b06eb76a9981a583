"""Speed and peak memory of the comparison, each in its own process, beside bare Polars scans that take the same sums."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

HERE = Path(__file__).parent
CITIES = 300

OURS = """
import rca_kit
found = rca_kit.compare(BEFORE, AFTER)
assert found.rows_after == ROWS
"""

# The floor takes, per side in one streaming pass, what any comparison needs: nulls, mean, spread, extremes, 19 cumulated counts
# per number, rows per category; and distinct counts, approximate or exact.
FLOOR = """
import polars as pl
passes = []
for path in (BEFORE, AFTER):
    scan = pl.scan_parquet(path)
    head = scan.head(4096).collect()
    numbers = [c for c, t in head.schema.items() if t.is_numeric()]
    sums = [pl.all().null_count().name.suffix("|nulls")]
    sums += [getattr(pl.col(numbers), f)().name.suffix("|" + f) for f in ("mean", "std", "min", "max")]
    sums += [(pl.col(c) <= head[c].quantile(k / 20)).sum().alias(f"{c}|{k}") for c in numbers for k in range(1, 20)]
    if DISTINCT:
        sums += [getattr(pl.all(), DISTINCT)().name.suffix("|distinct")]
    passes += [scan.select(sums), *(scan.group_by(c).len() for c in head.columns if c not in numbers)]
    pl.collect_all(passes, engine="streaming")
    passes = []
"""

MEASURE = """
import time
wall, cpu = time.perf_counter(), time.process_time()
{code}
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))  # getrusage counts the parent before exec
print(wall, cpu, int(peak.split()[1]) / 1024)
"""


def write_log(path: Path, rows: int, seed: int) -> None:
    """Write a Parquet file of 20 features: 12 floats, 2 integers, 5 strings, 1 boolean."""
    rng = np.random.default_rng(seed)
    columns: dict[str, np.ndarray | pl.Series] = {f"normal_{i}": rng.normal(size=rows) for i in range(10)}
    columns |= {f"skewed_{i}": rng.lognormal(0, 1.5, rows) for i in range(2)}
    columns |= {f"count_{i}": rng.integers(0, 1000, rows) for i in range(2)}
    columns |= {f"device_{i}": pl.Series(["ios", "android", "web"]).gather(pl.Series(rng.integers(0, 3, rows))) for i in range(3)}
    columns["plan"] = pl.Series([f"plan {k}" for k in range(25)]).gather(pl.Series(rng.integers(0, 25, rows)))
    columns["city"] = pl.Series([f"city {k}" for k in range(CITIES)]).gather(pl.Series(rng.integers(0, CITIES, rows)))
    columns["vip"] = rng.random(rows) < 0.3
    pl.DataFrame(columns).write_parquet(path)


def measure(codes: dict[str, str], python: str = sys.executable, repeats: int = 5) -> dict[str, tuple[float, float, float]]:
    """Best wall seconds, CPU seconds and peak MB of each piece of code in a fresh process; imports are part of it.

    They take turns, so that what else the machine does falls on all alike.
    """
    best = dict.fromkeys(codes, (float("inf"), float("inf"), 0.0))
    for _ in range(repeats):
        for name, code in codes.items():
            out = subprocess.run([python, "-c", MEASURE.format(code=code)], capture_output=True, text=True, check=False)
            if out.returncode:
                raise SystemExit(out.stderr[-2000:])
            wall, cpu, peak = map(float, out.stdout.split()[-3:])
            best[name] = min(best[name][0], wall), min(best[name][1], cpu), max(best[name][2], peak)
    return best


def speed_table(rows: int, peers: dict[str, str]) -> None:
    """Print seconds, ratios and peak memory for 2 x `rows` rows x 20 features from Parquet."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / "before.parquet", Path(folder) / "after.parquet"]
        for seed, path in enumerate(paths):
            write_log(path, rows, seed)
        names = f"BEFORE, AFTER, ROWS = {str(paths[0])!r}, {str(paths[1])!r}, {rows}\n"
        runs = {"rca_kit.compare": OURS}
        for name, function in (("exact", "n_unique"), ("approximate", "approx_n_unique"), ("no", "")):
            runs[f"floor, {name} distinct"] = f"DISTINCT = {function!r}\n{FLOOR}"
        found = measure({name: names + code for name, code in runs.items()})
        peer = (HERE / "data_peers.py").read_text(encoding="utf-8")
        for library, python in peers.items():
            if rows <= 1_000_000:
                call = f"\nimport sys\nsys.argv = ['x', {library!r}, BEFORE, AFTER]\n"
                found |= measure({library: names + call + peer}, python, repeats=1)
    floor = found["floor, exact distinct"][0], found["floor, approximate distinct"][0]
    print(f"2 x {rows:,} rows x 20 features{'':24s}{'s':>8s}{'CPU s':>8s}{'x exact':>10s}{'x approx':>10s}{'peak MB':>10s}")
    for name, (wall, cpu, peak) in found.items():
        print(f"  {name:50s}{wall:8.2f}{cpu:8.2f}{wall / floor[0]:10.2f}{wall / floor[1]:10.2f}{peak:10.0f}")


if __name__ == "__main__":
    for count in [int(a) for a in sys.argv[1:]] or [1_000_000]:
        speed_table(count, {})
