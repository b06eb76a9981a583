"""Seconds and peak memory of `rca-kit findings` by size of the log, beside a bare Polars scan that computes the same sums.

    python benchmarks/speed.py                 # 100k and 1M rows
    python benchmarks/speed.py --max 10000000  # 10M too
    python benchmarks/speed.py --max 100000000 --data /big/disk   # 100M too: 13 GB, half an hour
    python benchmarks/speed.py --profile 1000000

`us/row` is the slope: microseconds of processor per row beyond the size before; level means linear. The 100M log repeats each
part of the 10M log ten times, the times of each copy shifted by some milliseconds.

The floor is `rca_kit.aggregates.scan` written by hand: one `collect_all` of plain group-bys over the same Parquet file, with the
same keys (20 quantile bins per feature, 64 score bins, latency bins, 6 segments) and the same sums. Parts of more than ten
million rows together are summed ten million rows at a time, as one such query keeps its rows in memory, and the sums are added.
Both run in a process of their own, interpreter start included, so that peak memory is theirs.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path

import numpy as np
import polars as pl

ROOT = Path(__file__).parents[1]
DATA = ROOT / ".benchdata"
T0 = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 7
ONSET = 0.8  # part of the log before the incident
FEATURES = 20
SEGMENTS = {"country": 12, "device": 4, "os": 5, "app_version": 8, "channel": 6, "tier": 3}
NAMES = tuple(f"f{i:02d}" for i in range(FEATURES))
CHUNK = 1_000_000
SIZES = (100_000, 1_000_000, 10_000_000, 100_000_000)
UNIQUE = 10_000_000  # rows drawn; a larger log repeats them
SHIFT_US = 7_919  # between copies: a copy is another request at nearly the same time


def case_of(rows: int, data: Path = DATA) -> Path:
    """Make the case unless it is there: nulls in one feature on one device from the onset on, AUC falls by itself."""
    folder = data / f"rows-{rows}"
    if (folder / "incident.yaml").is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    if rows > UNIQUE:
        for part in sorted(case_of(UNIQUE, data).glob("predictions-*.parquet")):
            frame = pl.read_parquet(part)
            for copy in range(rows // UNIQUE):
                shifted = frame.with_columns(pl.col("ts") + pl.duration(microseconds=copy * SHIFT_US))
                shifted.write_parquet(folder / f"{part.stem}-{copy:03d}.parquet", compression="lz4")
    else:
        for start in range(0, rows, CHUNK):
            _chunk(start, min(CHUNK, rows - start), rows).write_parquet(folder / f"predictions-{start // CHUNK:03d}.parquet")
    onset = T0 + timedelta(days=DAYS * ONSET)
    logged = f"{onset - timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
    (folder / "changes.csv").write_text(
        f"id,time,kind,component,description\nc1,{logged},config_change,feature-store,new key for f03\n", encoding="utf-8")
    detected = onset + timedelta(hours=12)
    (folder / "incident.yaml").write_text(
        f"id: BENCH-{rows}\ntitle: speed\ndetected_at: {detected:%Y-%m-%dT%H:%M:%SZ}\n"
        "signal: {source: alert, metric: auc, summary: AUC fell}\ntask: binary\n"
        "tables: {predictions: 'predictions-*.parquet', changes: changes.csv}\n"
        "roles:\n  time: ts\n  score: score\n  decision: decision\n  label: label\n  error: error\n"
        "  latency_ms: latency_ms\n"
        f"  segments: [{', '.join(SEGMENTS)}]\n  features: [{', '.join(NAMES)}]\n", encoding="utf-8")
    return folder


def _chunk(first: int, rows: int, total: int) -> pl.DataFrame:
    rng = np.random.default_rng(first + 1)
    share = (first + np.sort(rng.random(rows)) * rows) / total
    micros = (share * DAYS * 86400e6).astype("int64") + int(T0.timestamp() * 1e6)
    x = rng.normal(size=(FEATURES, rows))
    names = {name: rng.choice([f"{name}{k}" for k in range(n)], rows) for name, n in SEGMENTS.items()}
    logit = x[:6].sum(0) * 0.6 - 2
    label = rng.random(rows) < 1 / (1 + np.exp(-logit))
    broken = (share > ONSET) & (names["device"] == "device1")
    served = logit - np.where(broken, 3 * 0.6 * x[3], 0) + rng.normal(size=rows) * 0.3
    score = 1 / (1 + np.exp(-served))
    features: dict[str, object] = {f"f{i:02d}": x[i] for i in range(16)}
    features |= {f"f{i:02d}": rng.integers(0, 9, rows) for i in (16, 17)}
    features |= {f"f{i:02d}": rng.choice(["red", "green", "blue", "grey"], rows) for i in (18, 19)}
    failed = pl.Series(rng.random(rows) < 0.005).replace_strict({True: "timeout", False: None}, return_dtype=pl.String)
    frame = pl.DataFrame({
        "ts": pl.Series(micros).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"), "score": score, "label": label.astype(int),
        "decision": (score > 0.3).astype(int), "error": failed, "latency_ms": rng.lognormal(4, 0.5, rows), **names, **features,
    })
    return frame.with_columns(f03=pl.when(~pl.Series(broken)).then(pl.col("f03")))


def floor(folder: Path) -> None:
    """Take the same sums by hand."""
    parts = sorted(folder.glob("predictions-*.parquet"))
    sample = pl.scan_parquet(parts[0]).head(50_000).collect()
    at_once = max(UNIQUE * len(parts) // max(pl.scan_parquet(parts).select(pl.len()).collect().item(), 1), 1)
    sums = [_floor_of(parts[i : i + at_once], sample) for i in range(0, len(parts), at_once)]
    for cubes in zip(*sums, strict=True):
        keys = list(takewhile(lambda c: c not in ("n", "len"), cubes[0].columns))
        pl.concat(cubes).group_by(keys).sum()


def _floor_of(parts: list[Path], sample: pl.DataFrame) -> list[pl.DataFrame]:
    scan = pl.scan_parquet(parts)
    numeric = [c for c in NAMES if sample[c].dtype.is_numeric()]

    def bins(column: str, n: int) -> pl.Expr:
        edges = np.unique(sample[column].drop_nulls().to_numpy())
        if edges.size > n:
            edges = np.unique(np.quantile(edges, np.linspace(0, 1, n + 1)[1:-1]))
        return pl.sum_horizontal([(pl.col(column) >= e).cast(pl.UInt8) for e in edges]).alias(f"k_{column}")

    fine = (pl.col("ts").dt.epoch("s") // 300).alias("b")
    y, s, d = pl.col("label"), pl.col("score"), pl.col("decision")
    p = s.clip(1e-6, 1 - 1e-6)
    slow = (pl.col("latency_ms").log() * 20.5).floor().cast(pl.Int32).alias("k_lat")
    base = scan.with_columns(
        fine, *[bins(f, 20) for f in numeric], bins("score", 64), slow, tp=y * d, loss=-(y * p.log() + (1 - y) * (1 - p).log()),
        gap=s - y, correct=(y == d).cast(pl.Int32), log=pl.col("latency_ms").log(),
        bad=pl.col("error").is_not_null().cast(pl.Int32),
    )
    measures = ["score", "label", "decision", "tp", "loss", "gap", "correct", "bad", "log"]

    def sums(names: list[str]) -> list[pl.Expr]:
        return [pl.len().alias("n"), *[e for m in names for e in (
            pl.col(m).sum().alias(f"{m}_s"), pl.col(m).count().alias(f"{m}_n"), (pl.col(m) * pl.col(m)).sum().alias(f"{m}_ss"))]]

    coarse = base.with_columns(pl.col("b") // 6)
    queries = [base.group_by("b").agg(sums([*measures, *numeric])),
               *[coarse.group_by("b", *keys).agg(pl.len()) for keys in (("k_score", "label"), ("k_lat",), ("error",))]]
    queries += [coarse.group_by("b", c).agg(sums(measures)) for c in SEGMENTS]
    queries += [coarse.group_by("b", f"k_{c}" if c in numeric else c).agg(pl.len()) for c in NAMES]
    return pl.collect_all(queries, engine="streaming")


def child(command: list[str]) -> tuple[float, float, float]:
    """Seconds, seconds of processor and peak MB of a command in a process of its own."""
    started = time.perf_counter()
    pid = os.spawnve(os.P_NOWAIT, command[0], command, {**os.environ, "POLARS_MAX_THREADS": "2"})
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def profile(rows: int, data: Path) -> None:
    """Print where the time goes beyond the floor."""
    import cProfile
    import pstats

    import rca_kit

    folder = case_of(rows, data)
    profiler = cProfile.Profile()
    profiler.runcall(rca_kit.investigate, folder)
    pstats.Stats(profiler).sort_stats("cumulative").print_stats("rca_kit|collect", 45)


def main() -> None:
    """Measure each size and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--max", type=int, default=1_000_000, help="largest number of rows")
    parser.add_argument("--min", type=int, default=0, help="smallest number of rows")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the logs, made there when missing")
    parser.add_argument("--profile", type=int, metavar="ROWS")
    parser.add_argument("--floor", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.floor:
        floor(given.floor)
        return
    if given.profile:
        profile(given.profile, given.data)
        return
    lines = []
    last = None
    for rows in (n for n in SIZES if given.min <= n <= given.max):
        folder = case_of(rows, given.data)
        bare, bare_cpu, bare_mb = child([sys.executable, str(Path(__file__)), "--floor", str(folder)])
        kit = str(Path(sys.executable).parent / "rca-kit")
        whole, whole_cpu, whole_mb = child([kit, "findings", str(folder), "--out", str(folder / "findings.json")])
        slope = f"{(whole_cpu - last[1]) / (rows - last[0]) * 1e6:.2f}" if last else ""
        last = rows, whole_cpu
        lines.append(f"| {rows:,} | {whole:.1f} | {whole_cpu:.1f} | {whole_mb:.0f} | {bare:.1f} | {bare_cpu:.1f} | {bare_mb:.0f} "
                     f"| {whole / bare:.1f} | {whole_cpu / bare_cpu:.1f} "
                     f"| {slope} |")
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, load {os.getloadavg()[0]:.1f}, {FEATURES} features, {len(SEGMENTS)} segment columns\n")
    head = "| rows | findings s | CPU s | peak MB | floor s | CPU s | peak MB | ratio | CPU ratio | us/row |"
    print(head + "\n" + "|---" * 10 + "|")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
