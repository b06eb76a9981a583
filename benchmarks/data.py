"""Data comparison: false alarms, power, and speed and memory beside a bare Polars scan. Run by `make bench-data`.

    python benchmarks/data.py [--logs 50] [--sizes 2000 20000 200000] [--rows 1000000] [--evidently PYTHON] [--nannyml PYTHON]

The last two name the Python of an environment in which that library is installed; it is then run on the same logs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
from data_logs import WORLDS, World, make
from data_speed import speed_table

import rca_kit

Flag = Callable[[pl.DataFrame, pl.DataFrame], set[str]]
HERE = Path(__file__).parent


def ours(before: pl.DataFrame, after: pl.DataFrame) -> set[str]:
    """Name the columns that the kit calls changed."""
    return {c.column for c in rca_kit.compare(before, after).columns if c.changed}


def other(library: str, python: str) -> Flag:
    """Ask another library, in its own environment, on its defaults."""

    def flag(before: pl.DataFrame, after: pl.DataFrame) -> set[str]:
        with tempfile.TemporaryDirectory() as folder:
            paths = [str(Path(folder) / name) for name in ("before.parquet", "after.parquet")]
            for frame, path in zip((before, after), paths, strict=True):
                frame.drop("ts", "request_id", strict=False).write_parquet(path)
            command = [python, str(HERE / "data_peers.py"), library, *paths]
            out = subprocess.run(command, capture_output=True, text=True, check=False)
            if out.returncode:
                raise SystemExit(f"{library} failed:\n{out.stderr[-2000:]}")
            return set(json.loads(out.stdout.strip().splitlines()[-1]))

    return flag


def quiet_table(flag: Flag, sizes: list[int], logs: int, worlds: tuple[World, ...] = WORLDS) -> None:
    """False alarms on logs in which nothing changed."""
    print(f"{'nothing changed (goal: <= 0.1 % of features, <= 1 % of logs)':64s}" + "".join(f"{n:>20,}" for n in sizes))
    for world in worlds:
        line = f"  {world.name:62s}"
        for rows in sizes:
            count = logs if rows < 100_000 else max(4, logs // 5)
            features = flagged = seen = 0
            for seed in range(count):
                before, after = make(np.random.default_rng([seed, rows, 11]), rows, world)
                found = flag(before, after)
                features, flagged, seen = features + len(found), flagged + bool(found), seen + before.width
            line += f"{features / seen:>10.2%} {flagged / count:>9.1%}"
        print(line, flush=True)


def damaged(rng: np.random.Generator, rows: int) -> Iterator[tuple[str, pl.DataFrame, pl.DataFrame, list[str]]]:
    """Yield each kind of change: its name, both sides, and the columns changed."""
    def side() -> pl.DataFrame:
        return pl.DataFrame({**{f"n{i}": rng.normal(size=rows) for i in range(10)},
                             **{f"two{i}": rng.choice(["a", "b"], rows) for i in range(5)},
                             **{f"many{i}": rng.choice([f"v{k}" for k in range(25)], rows) for i in range(5)}})

    def plus_five_points(frame: pl.DataFrame, name: str, value: str) -> pl.Series:
        share = float((frame[name] == value).mean() or 0.0)
        moved = (frame[name] != value) & pl.Series(rng.random(rows) < 0.05 / (1 - share))
        return frame.select(pl.when(moved).then(pl.lit(value)).otherwise(pl.col(name)).alias(name))[name]

    before, after = side(), side()
    numbers, two, many = ([f"{p}{i}" for i in range(k)] for p, k in (("n", 10), ("two", 5), ("many", 5)))
    for shift in (0.1, 0.3):
        yield f"all 10 numbers + {shift} sigma", before, after.with_columns(pl.col(numbers) + shift), numbers
    yield "1 number of 20 columns + 0.1 sigma", before, after.with_columns(pl.col("n0") + 0.1), ["n0"]
    holes = [pl.when(pl.Series(rng.random(rows)) < rate).then(None).otherwise(pl.col("n0")).alias("n0") for rate in (0.005, 0.05)]
    yield "nulls 0.5 -> 5 %", before.with_columns(holes[0]), after.with_columns(holes[1]), ["n0"]
    yield "+ 5 points, 2 categories, 5 columns", before, after.with_columns(plus_five_points(after, c, "a") for c in two), two
    yield "+ 5 points, 25 categories, 5 columns", before, after.with_columns(plus_five_points(after, c, "v3") for c in many), many
    all_of_it = after.with_columns(pl.col(numbers) + 0.1).with_columns(plus_five_points(after, c, "a") for c in two)
    all_of_it = all_of_it.with_columns(plus_five_points(after, c, "v3") for c in many)
    yield "everything: numbers + 0.1 sigma", before, all_of_it, numbers
    yield "everything: + 5 points, 2 categories", before, all_of_it, two


def power_table(flag: Flag, sizes: list[int], logs: int) -> None:
    """Share of changed columns that are found, and of unchanged columns beside them that are flagged."""
    print(f"{'changed: found, and false ones beside':64s}" + "".join(f"{n:>20,}" for n in sizes))
    results: dict[str, list[list[tuple[float, float]]]] = {}
    for k, rows in enumerate(sizes):
        for seed in range(logs if rows < 100_000 else max(4, logs // 5)):
            for name, before, after, changed in damaged(np.random.default_rng([seed, rows, 12]), rows):
                found = flag(before, after)
                others = [c for c in before.columns if c not in changed] if not name.startswith("everything") else []
                hit = len(found & set(changed)) / len(changed)
                results.setdefault(name, [[] for _ in sizes])[k].append((hit, len(found & set(others)) / max(len(others), 1)))
    for name, per_size in results.items():
        means = [np.mean(r, axis=0) for r in per_size]
        print(f"  {name:62s}" + "".join(f"{hit:>10.1%} {false:>9.2%}" for hit, false in means))


def tiny_shift() -> None:
    """A shift of 0.01 sigma in 5 million rows: certain, and negligible."""
    rng = np.random.default_rng(3)
    frames = [pl.DataFrame({"x": rng.normal(shift, 1, 5_000_000)}) for shift in (0.0, 0.01)]
    found = rca_kit.compare(*frames)["x"]
    print(f"0.01 sigma at 5M rows: changed={found.changed}, {found.reason}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=int, default=50)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2_000, 20_000, 200_000])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 5_000_000])
    parser.add_argument("--evidently", default=os.environ.get("EVIDENTLY_PYTHON"))
    parser.add_argument("--nannyml", default=os.environ.get("NANNYML_PYTHON"))
    given = parser.parse_args()
    started = time.time()
    print("rca_kit.compare, defaults\n")
    quiet_table(ours, given.sizes, given.logs)
    print()
    power_table(ours, given.sizes, given.logs)
    print()
    tiny_shift()
    for library in ("evidently", "nannyml"):
        python = getattr(given, library)
        if not python:
            print(f"\n{library}: not run (name the Python of its environment with --{library})")
            continue
        print(f"\n{library}, defaults, {min(given.logs, 10)} logs of up to 20,000 rows\n")
        sizes = [n for n in given.sizes if n <= 20_000]
        quiet_table(other(library, python), sizes, min(given.logs, 10), WORLDS[:1])
        power_table(other(library, python), sizes, min(given.logs, 10))
    print()
    for rows in given.rows:
        speed_table(rows, {k: getattr(given, k) for k in ("evidently", "nannyml") if getattr(given, k)})
    print(f"\n{time.time() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
