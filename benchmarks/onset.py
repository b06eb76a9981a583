"""Change points: accuracy, false alarms and speed of `find_changes` beside other libraries, in one run.

    python benchmarks/onset.py [--seed 1] [--series 200] [--peers 30] [--only ours] [--data ../shared/bench/changepoints]

Everything is drawn afresh from the seed. The other libraries run on their defaults or the penalty their manuals give, on the
first `--peers` of the same series, since some take seconds each; those that are not installed are named and left out.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from scipy.signal import lfilter

from rca_kit.stats.changepoint import find_changes

N = 300
HOURS = 336  # 14 days
MARGIN_SHARE = 0.05
TCPD_MARGIN = 5
OURS = "rca_kit"
Finder = Callable[..., Sequence[int]]


@dataclass(frozen=True)
class Draw:
    """One simulated series with its true onsets."""

    values: np.ndarray
    truth: tuple[int, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


def ar1(rng: np.random.Generator, n: int, phi: float) -> np.ndarray:
    """AR(1) noise of unit standard deviation."""
    return lfilter([1.0], [1.0, -phi], rng.normal(size=n + 300))[300:] * np.sqrt(1 - phi * phi)


def day(n: int = HOURS, period: int = 24) -> np.ndarray:
    return np.sin(2 * np.pi * np.arange(n) / period)


def with_missing(rng: np.random.Generator, y: np.ndarray, share: float = 0.2) -> np.ndarray:
    return np.where(rng.random(len(y)) < share, np.nan, y)


def rates(rng: np.random.Generator, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    trials = np.exp(rng.uniform(np.log(20), np.log(2000), len(p))).astype(int)
    return rng.binomial(trials, p) / trials, trials


def quiet_binomial(rng: np.random.Generator) -> Draw:
    k, trials = rates(rng, np.full(N, 0.05))
    return Draw(k, (), {"trials": trials})


def weekly(rng: np.random.Generator) -> np.ndarray:
    t = np.arange(28 * 24)
    return 2 * day(len(t)) - 1.5 * ((t // 24) % 7 >= 5) + rng.normal(size=len(t))


QUIET: dict[str, Callable[[np.random.Generator], Draw]] = {
    "white": lambda r: Draw(r.normal(size=N)),
    "AR(1) 0.6": lambda r: Draw(ar1(r, N, 0.6)),
    "AR(1) 0.5": lambda r: Draw(ar1(r, N, 0.5)),
    "seasonal": lambda r: Draw(3 * day() + r.normal(size=HOURS)),
    "seasonal, period given": lambda r: Draw(3 * day() + r.normal(size=HOURS), (), {"period": 24}),
    "seasonal Poisson": lambda r: Draw(r.poisson(50 * (1 + 0.6 * day())).astype(float)),
    "t(3)": lambda r: Draw(r.standard_t(3, size=N)),
    "binomial rates": quiet_binomial,
    "20% missing": lambda r: Draw(with_missing(r, r.normal(size=N))),
    "weekly + daily season": lambda r: Draw(weekly(r)),
    "season + AR(1) 0.5": lambda r: Draw(3 * day() + ar1(r, HOURS, 0.5)),
    "AR(1) 0.6, n = 1000": lambda r: Draw(ar1(r, 1000, 0.6)),
}


def place(rng: np.random.Generator, n: int) -> int:
    """An onset that leaves a tenth of the series on either side."""
    return int(rng.integers(n // 10, n - n // 10))


def step(sigma: float, noise: str) -> Callable[[np.random.Generator], Draw]:
    def draw(rng: np.random.Generator) -> Draw:
        n = HOURS if noise == "season" else N
        at = place(rng, n)
        base = {"white": lambda: rng.normal(size=n), "AR": lambda: ar1(rng, n, 0.5),
                "season": lambda: 3 * day() + rng.normal(size=n)}[noise]()
        return Draw(base + sigma * rng.choice([-1, 1]) * (np.arange(n) >= at), (at,))
    return draw


def rate_step(rng: np.random.Generator) -> Draw:
    at = place(rng, N)
    k, trials = rates(rng, np.where(np.arange(N) < at, 0.05, 0.08))
    return Draw(k, (at,), {"trials": trials})


def ramp(rng: np.random.Generator) -> Draw:
    at = int(rng.integers(40, 160))
    return Draw(rng.normal(size=N) + 3 * np.clip((np.arange(N) - at) / 100, 0, 1), (at,))


def spike(rng: np.random.Generator) -> Draw:
    at, length = int(rng.integers(30, 260)), int(rng.integers(1, 11))
    y = rng.normal(size=N)
    y[at : at + length] += 4
    return Draw(y, (at, at + length))


def spread(rng: np.random.Generator) -> Draw:
    at = int(rng.integers(75, 225))
    return Draw(rng.normal(size=N) * np.where(np.arange(N) < at, 1, 3), (at,))


def missing_step(rng: np.random.Generator) -> Draw:
    d = step(2, "white")(rng)
    return Draw(with_missing(rng, d.values), d.truth)


CHANGED: dict[str, tuple[Callable[[np.random.Generator], Draw], str]] = {
    "1 sigma, white": (step(1, "white"), "84"), "2 sigma, white": (step(2, "white"), "99"),
    "3 sigma, white": (step(3, "white"), "100"),
    "1 sigma, AR(1) 0.5": (step(1, "AR"), "46"), "2 sigma, AR(1) 0.5": (step(2, "AR"), "93"),
    "3 sigma, AR(1) 0.5": (step(3, "AR"), "99"),
    "1 sigma, season 3": (step(1, "season"), "77"), "2 sigma, season 3": (step(2, "season"), "98"),
    "3 sigma, season 3": (step(3, "season"), "100"),
    "rate 5% -> 8%": (rate_step, "98"), "ramp 3 sigma / 100": (ramp, "20"), "spike 4 sigma, 1..10": (spike, "90"),
    "variance x 3": (spread, "80"), "2 sigma, 20% missing": (missing_step, ""),
}


def match(found: Sequence[int], truth: Sequence[int], margin: float) -> dict[int, int]:
    """Pair each true onset with the nearest report within the margin, each report once."""
    left, out = list(found), {}
    for t in truth:
        near = sorted((abs(f - t), f) for f in left if abs(f - t) <= margin)
        if near:
            out[t] = near[0][1]
            left.remove(near[0][1])
    return out


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(str(r[i])) for r in [header, *rows]) for i in range(len(header))]
    print(f"\n{title}")
    for r in [header, *rows]:
        print("  ".join(str(x).ljust(w) if i == 0 else str(x).rjust(w) for i, (x, w) in enumerate(zip(r, widths, strict=True))))


def seen_by(name: str, draws: Sequence[Draw], peers: int) -> Sequence[Draw]:
    """All series for ours, the first `peers` of them for the other libraries."""
    return draws if name == OURS else draws[:peers]


def false_alarms(finders: dict[str, Finder], series: int, peers: int, seed: int) -> None:
    rows, sums = [], dict.fromkeys(finders, 0.0)
    for kind, draw in QUIET.items():
        rng = np.random.default_rng([seed, 1, list(QUIET).index(kind)])
        draws = [draw(rng) for _ in range(series)]
        shares = {name: np.mean([len(f(d.values, **d.options)) > 0 for d in seen_by(name, draws, peers)])
                  for name, f in finders.items()}
        for name, share in shares.items():
            sums[name] += float(share) / len(QUIET)
        rows.append([kind, "5", *(f"{100 * s:.1f}" for s in shares.values())])
    rows.append(["mean", "3", *(f"{100 * s:.1f}" for s in sums.values())])
    table(f"False alarms: % of {heading(series, peers, finders)} change-free series with a report",
          ["kind", "at most", *finders], rows)


def heading(series: int, peers: int, finders: dict[str, Finder]) -> str:
    return f"{series}" if len(finders) == 1 or peers >= series else f"{series} (the others: {peers})"


def hits(finders: dict[str, Finder], series: int, peers: int, seed: int) -> None:
    rows = []
    for kind, (draw, goal) in CHANGED.items():
        rng = np.random.default_rng([seed, 2, list(CHANGED).index(kind)])
        draws = [draw(rng) for _ in range(series)]
        row = [kind, goal]
        for name, f in finders.items():
            hit = extra = 0
            mine = seen_by(name, draws, peers)
            for d in mine:
                found = list(f(d.values, **d.options))
                pairs = match(found, d.truth, MARGIN_SHARE * len(d.values))
                hit += len(pairs) == len(d.truth)
                extra += len(found) - len(pairs)
            row.append(f"{100 * hit / len(mine):.0f} / {extra / len(mine):.2f}")
        rows.append(row)
    table(f"Hits within 5% of n, % of {heading(series, peers, finders)} (all onsets of a series) / extra reports per series",
          ["kind", "at least", *finders], rows)


def intervals(series: int, seed: int) -> None:
    rows = []
    for kind, (draw, _) in CHANGED.items():
        rng = np.random.default_rng([seed, 3, list(CHANGED).index(kind)])
        inside = closed = n = 0
        widths, errors = [], []
        for _ in range(series):
            d = draw(rng)
            found = find_changes(d.values, **d.options)
            for t, i in match(found.indices, d.truth, 0.1 * len(d.values)).items():
                low, high = found.intervals[found.indices.index(i)]
                n += 1
                inside += low <= t < high
                closed += low <= t <= high
                widths.append(high - low)
                errors.append(abs(i - t))
        if n:
            rows.append([kind, str(n), f"{100 * inside / n:.0f}", f"{100 * closed / n:.0f}", f"{np.median(widths):.0f}",
                         f"{np.median(errors):.0f}"])
    table("90% onset intervals, ours",
          ["kind", "onsets", "[low, high) covers %", "[low, high] %", "median width", "median error"], rows)


def f_measure(people: list[list[int]], found: Sequence[int], margin: int = TCPD_MARGIN) -> float:
    """F1 of TCPDBench: precision against everybody's points, recall averaged over people, index 0 counted."""
    sets = [set(p) | {0} for p in people]
    mine = sorted(set(found) | {0})
    precision = len(match(mine, sorted(set().union(*sets)), margin)) / len(mine)
    recall = float(np.mean([len(match(mine, sorted(s), margin)) / len(s) for s in sets]))
    return 2 * precision * recall / (precision + recall)


def cover(people: list[list[int]], found: Sequence[int], n: int) -> float:
    """Mean over people of how well their segments are covered (weighted Jaccard)."""
    def segments(points: Sequence[int]) -> list[tuple[int, int]]:
        edges = [0, *sorted(set(points) - {0}), n]
        return list(pairwise(edges))

    def overlap(a: tuple[int, int], b: tuple[int, int]) -> float:
        return max(0, min(a[1], b[1]) - max(a[0], b[0])) / (max(a[1], b[1]) - min(a[0], b[0]))

    mine = segments(found)
    return float(np.mean([sum((s[1] - s[0]) * max(overlap(s, m) for m in mine) for s in segments(p)) / n for p in people]))


LINES = "lines alone"


def lines_alone(y: np.ndarray) -> list[int]:
    """Optimal partitioning with a least-squares line per segment, for comparison: good at describing, cries wolf under AR noise.

    Cost: squared errors over the variance around one line through all, plus 3 log n per segment of at least 3% of n.
    """
    t, z = np.flatnonzero(np.isfinite(y)), y[np.isfinite(y)]
    n, least = len(z), max(2, int(np.ceil(0.03 * len(y))))
    sums = np.concatenate([np.zeros((6, 1)), np.cumsum([np.ones(n), t, t * t, z, z * t, z * z], axis=1)], axis=1)

    def squares(i: np.ndarray, j: int) -> np.ndarray:
        m, x, xx, v, vx, vv = sums[:, [j]] - sums[:, i]
        spread = m * xx - x * x
        return np.maximum(vv - v * v / m - (m * vx - x * v) ** 2 / np.where(spread > 0, m * spread, np.inf), 0)

    noise, price = squares(np.array([0]), n)[0] / n, 3 * np.log(len(y))
    best, last = np.full(n + 1, np.inf), np.zeros(n + 1, dtype=int)
    best[0] = 0.0
    for j in range(least, n + 1):
        starts = np.array([i for i in (0, *range(least, j - least + 1)) if i <= j - least])
        cost = best[starts] + squares(starts, j) / noise + price
        best[j], last[j] = cost.min(), starts[cost.argmin()]
    cuts, j = [], last[n]
    while j > 0:
        cuts.append(int(t[j]))
        j = last[j]
    return sorted(cuts)


def annotated(finders: dict[str, Finder], folder: Path) -> None:
    if not (folder / "annotations.json").exists():
        print(f"\nAnnotated series: skipped, no annotations.json in {folder} (give --data)")
        return
    finders = finders | {LINES: lines_alone}
    people = json.loads((folder / "annotations.json").read_text())
    rows, totals = [], {name: [0.0, 0.0] for name in finders}
    for name, marks in sorted(people.items()):
        with (folder / f"{name}.csv").open() as file:
            y = np.array([float(row["value"]) if row["value"] else np.nan for row in csv.DictReader(file)])
        z = (y - np.nanmean(y)) / np.nanstd(y)
        row = [f"{name} ({len(y)})"]
        for method, f in finders.items():
            found = f(z)
            score = f_measure(list(marks.values()), found), cover(list(marks.values()), found, len(z))
            totals[method] = [t + s / len(people) for t, s in zip(totals[method], score, strict=True)]
            row.append(f"{score[0]:.3f} / {score[1]:.3f}")
        rows.append(row)
    rows.append(["mean", *(f"{a:.3f} / {b:.3f}" for a, b in totals.values())])
    table("Annotated series: F1 (margin 5) / cover; goal over all 31: 0.78 / 0.70", ["series (n)", *finders], rows)


def speed(finders: dict[str, Finder], seed: int, longest: int) -> None:
    rows = []
    rng = np.random.default_rng([seed, 4])
    for n, goal in ((1000, "0.02"), (10_000, "0.1"), (100_000, "1")):
        if n > longest:
            break
        y = rng.normal(size=n) + (np.arange(n) >= n // 2)
        floor = best_of(lambda y=y: np.cumsum(y))
        row = [f"{n}", goal]
        for name, f in finders.items():
            if name != OURS and n > 1000:
                row.append("-")
                continue
            seconds = best_of(lambda f=f, y=y: f(y))
            row.append(f"{seconds:.3f} ({seconds / floor:,.0f} x cumsum)")
        tracemalloc.start()
        find_changes(y)
        row.append(f"{tracemalloc.get_traced_memory()[1] / n:.0f}")
        tracemalloc.stop()
        rows.append(row)
    table("Seconds of processor time, one step in white noise", ["n", "goal", *finders, "ours: bytes per bucket at peak"], rows)


def best_of(work: Callable[[], object], times: int = 3) -> float:
    out = []
    for _ in range(times):
        start = time.process_time()
        work()
        out.append(time.process_time() - start)
    return max(min(out), 1e-7)


def filled(values: np.ndarray) -> np.ndarray:
    """The other libraries know no missing values: carry on by straight lines, and scale."""
    y = np.asarray(values, dtype=float)
    ok = np.isfinite(y)
    y = np.interp(np.arange(len(y)), np.flatnonzero(ok), y[ok])
    return (y - y.mean()) / (y.std() or 1.0)


def installed(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"{name}: not installed, left out")
        return None


def others() -> dict[str, Finder]:
    """What else is installed, on defaults or the penalty their manuals give (3 log n for l2)."""
    out: dict[str, Finder] = {}
    rpt = installed("ruptures")
    if rpt is not None:
        def penalised(algorithm: Any, penalty: Callable[[int], float]) -> Finder:
            return lambda values, **_: algorithm().fit(filled(values)).predict(pen=penalty(len(values)))[:-1]
        out["Pelt l2"] = penalised(lambda: rpt.Pelt(model="l2", jump=1), lambda n: 3 * np.log(n))
        out["Pelt rbf"] = penalised(lambda: rpt.Pelt(model="rbf"), lambda n: 3 * np.log(n))
        out["Binseg l2"] = penalised(lambda: rpt.Binseg(model="l2", jump=1), lambda n: 3 * np.log(n))
        out["KernelCPD rbf"] = penalised(lambda: rpt.KernelCPD(kernel="rbf"), lambda n: 3 * np.log(n))
    otava = installed("otava.analysis")
    if otava is not None:
        # a list: given an array, Otava 0.8 looks for the windows' changes in the whole series
        out["Otava"] = lambda values, **_: [c.index for c in otava.compute_change_points(filled(values).tolist())[0]]
    skchange = installed("skchange.detectors")
    if skchange is not None:
        out["skchange"] = lambda values, **_: [
            int(i) for i in skchange.SeededBinarySegmentation().fit_predict(filled(values)[:, None])]
    return out


def main(arguments: Sequence[str]) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--series", type=int, default=200, help="simulated series per kind")
    parser.add_argument("--peers", type=int, default=30, help="of these, given to the other libraries")
    parser.add_argument("--data", type=Path, default=Path("../shared/bench/changepoints"))
    parser.add_argument("--only", choices=["ours"], help="leave the other libraries out")
    parser.add_argument("--longest", type=int, default=100_000, help="longest series of the speed table")
    args = parser.parse_args(arguments)
    finders: dict[str, Finder] = {OURS: lambda values, **options: find_changes(values, **options).indices}
    if args.only is None:
        finders |= others()
    print(f"seed {args.seed}, {args.series} series per kind")
    annotated(finders, args.data)
    false_alarms(finders, args.series, args.peers, args.seed)
    hits(finders, args.series, args.peers, args.seed)
    intervals(args.series, args.seed)
    speed(finders, args.seed, args.longest)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
