"""Shadow compare on streams where the truth is known: false alarms on A/A, power for a bias in one segment.

python benchmarks/shadow.py [streams] [latency]     # latency: only the latencies, on as many tables
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from time import perf_counter

import numpy as np
import polars as pl

import rca_kit


def make(rng: np.random.Generator, n: int, jitter: float, bias: float = 0.0, clip: bool = True, doubled: float = 0.01,
         lost: float = 0.02, heavy: bool = False) -> pl.DataFrame:
    base = rng.beta(2, 5, n)
    device, country = rng.choice(["ios", "android", "web"], n, p=[.3, .5, .2]), rng.choice(list("ABCDEFGH"), n)
    segment = (device == "ios") & (country == "C") if bias < 0 else device == "ios"

    def noisy(shift: float = 0.0) -> np.ndarray:
        noise = rng.standard_t(3, n) if heavy else rng.normal(size=n)
        out = base + jitter * noise + np.where(segment, shift, 0.0)
        return np.clip(out, 0, 1) if clip else out

    t = pl.DataFrame({"request_id": np.arange(n), "primary": noisy(), "candidate": noisy(abs(bias)), "secondary": noisy(),
                      "device": device, "country": country, "hour": rng.integers(0, 24, n),
                      "label": (rng.random(n) < base).astype(int),
                      "primary_ms": rng.gamma(3, 10, n), "candidate_ms": rng.gamma(3, 10, n)})
    t = t.with_columns(candidate=pl.when(pl.Series(rng.random(n) < lost)).then(None).otherwise("candidate"),
                       primary=pl.when(pl.Series(rng.random(n) < lost)).then(None).otherwise("primary"))
    return pl.concat([t, t.filter(pl.Series(rng.random(n) < doubled))])


def row(name: str, streams: int, make_one: Callable[[int], pl.DataFrame], where: dict[str, str] | None = None,
        **options: object) -> None:
    start, verdicts, named, slower = perf_counter(), Counter[str](), 0, 0
    for seed in range(streams):
        got = rca_kit.compare_shadow(make_one(seed), **options)
        verdicts[got.verdict] += 1
        named += where is not None and [s.where for s in got.segments] == [where]
        slower += bool(got.latency) and (got.latency.slower or got.latency.interval[1] < 0)
    shares = " ".join(f"{k} {v / streams:6.1%}" for k, v in sorted(verdicts.items()))
    print(f"{name:44} {shares:44} named exactly {named / streams:6.1%}  latency alarms {slower / streams:5.1%} "
          f"{(perf_counter() - start) / streams * 1e3:6.0f} ms")


Draw = Callable[[np.random.Generator, int], np.ndarray]
LATENCIES: dict[str, Draw] = {
    "gamma": lambda r, n: r.gamma(3, 10, n),
    "lognormal, sigma 1": lambda r, n: r.lognormal(3, 1, n),
    "Pareto tail 1.5": lambda r, n: 10 * (1 + r.pareto(1.5, n)),
    "whole milliseconds": lambda r, n: np.rint(r.gamma(2, 2, n)),
    "2 % time-outs at 1 s": lambda r, n: np.where(r.random(n) < 0.02, 1000.0, r.gamma(3, 10, n)),
}


def latencies(tables: int) -> None:
    """Share of tables whose latencies are called slower or faster: when alike (with half of it shared), and when slower."""
    from rca_kit.loop.versions.shadow_parts import compare_latency

    for n in (300, 2000, 20000):
        for name, draw in LATENCIES.items():
            said = Counter[str]()
            for seed in range(tables if n < 20000 else tables // 4):
                rng = np.random.default_rng([seed, n, 8])
                shared = draw(rng, n)
                a, b = shared + draw(rng, n), shared + draw(rng, n)
                later = np.quantile(a, 0.5) * 0.1
                for case, c in (("alike", b), ("middle +10 %", b + later), ("tail", np.where(rng.random(n) < 0.03, 3 * b, b))):
                    got = compare_latency(pl.DataFrame({"primary_ms": a, "candidate_ms": c}), "primary", "candidate", seed)
                    said[f"{case}, slower"] += got.slower
                    said[f"{case}, faster"] += got.interval[1] < 0
                said["tables"] += 1
            share = {what: count / said["tables"] for what, count in said.items()}
            print(f"latency n={n:<6} {name:22} alike: slower {share['alike, slower']:5.1%}, "
                  f"faster {share['alike, faster']:5.1%}   found: middle +10 % {share['middle +10 %, slower']:4.0%}, "
                  f"3 % of requests x 3 {share['tail, slower']:4.0%}", flush=True)


def main() -> None:
    streams = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    if sys.argv[2:] == ["latency"]:
        latencies(streams)
        return
    for n in (300, 2000, 20000):
        for jitter in (0.005, 0.02, 0.1):
            row(f"A/A n={n} jitter={jitter}", streams, lambda s, n=n, j=jitter: make(np.random.default_rng([s, 1]), n, j))
    row("A/A n=2000 heavy tails", streams, lambda s: make(np.random.default_rng([s, 2]), 2000, 0.02, heavy=True))
    row("A/A n=2000 no secondary", streams, lambda s: make(np.random.default_rng([s, 3]), 2000, 0.02), secondary=False)
    row("A/A n=2000 self-check", streams, lambda s: make(np.random.default_rng([s, 4]), 2000, 0.02), candidate="secondary")
    for bias in (0.01, 0.02, 0.05):
        row(f"ios +{bias} n=5000 jitter=0.02", streams, lambda s, b=bias: make(np.random.default_rng([s, 5]), 5000, 0.02, b),
            {"device": "ios"})
    row("ios and C +0.05 n=5000 jitter=0.02", streams, lambda s: make(np.random.default_rng([s, 6]), 5000, 0.02, -0.05),
        {"device": "ios", "country": "C"})
    row("ios +0.05 n=5000 no secondary", streams, lambda s: make(np.random.default_rng([s, 7]), 5000, 0.02, 0.05),
        {"device": "ios"}, secondary=False)


if __name__ == "__main__":
    main()
