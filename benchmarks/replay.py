"""Golden-set replay: overhead over bare predict calls, and power and false alarms of the verdict.

python benchmarks/replay.py [streams]
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import process_time

import numpy as np
import pandas as pd
import polars as pl

import rca_kit

ROUNDS = 9


def golden(rng: np.random.Generator, n: int) -> pl.DataFrame:
    x = rng.normal(size=(n, 10))
    p = 1 / (1 + np.exp(-(1.5 * x[:, 0] + x[:, 1] - 0.5 * x[:, 2] * x[:, 3] - 1)))
    return pl.DataFrame({"sample_id": np.arange(n), **{f"x{i}": x[:, i] for i in range(10)}, "p": p,
                         "label": (rng.random(n) < p).astype(int)})


def overhead(n: int) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

    rng = np.random.default_rng(0)
    train, g = golden(rng, 20_000).to_pandas(), golden(rng, n)
    names = [f"x{i}" for i in range(10)]
    made: dict[str, list] = {
        "gradient boosting": [HistGradientBoostingClassifier(max_iter=k).fit(train[names], train.label) for k in (200, 190)],
        "random forest": [RandomForestClassifier(60, max_depth=12, n_jobs=1).fit(train[names], train.label) for _ in range(2)],
    }
    print(f"{n:,} samples x 2 versions, CPU seconds and overhead over bare predict calls (medians of {ROUNDS} rounds)")
    for name, (old, new) in made.items():
        table: pd.DataFrame = g.select(names).to_pandas()
        frame = g.drop("p").to_pandas()

        def bare(old=old, new=new, table=table) -> None:
            old.predict_proba(table)
            new.predict_proba(table)

        def run(record: Path | None = None, old=old, new=new, frame=frame) -> None:
            rca_kit.replay(frame, current=lambda f: new.predict_proba(f)[:, 1], previous=lambda f: old.predict_proba(f)[:, 1],
                           features=names, record=record)

        with tempfile.TemporaryDirectory() as d:
            run(Path(d) / "first.jsonl")  # imports and caches
            # all three in every round, so that a busy neighbour slows each of them
            rounds = np.array([(cpu(bare), cpu(run), cpu(lambda i=i, run=run, d=d: run(Path(d) / f"{i}.jsonl")))
                               for i in range(ROUNDS)])
        over = np.median(rounds / rounds[:, :1] - 1, axis=0)
        plain, whole, recorded = np.median(rounds, axis=0)
        print(f"  {name:18} bare predict {plain:6.2f}   replay, verdict included {whole:6.2f} ({over[1]:+.0%})   "
              f"recorded {recorded:6.2f} ({over[2]:+.0%})")


def cpu(call: Callable[[], object]) -> float:
    start = process_time()
    call()
    return process_time() - start


def call(model: Callable[..., np.ndarray], rng: np.random.Generator, frame: pl.DataFrame) -> np.ndarray:
    return model(frame, rng)


def verdicts(streams: int) -> None:
    def wrong(share: float) -> Callable[[pl.DataFrame, np.random.Generator], np.ndarray]:
        return lambda f, rng: np.where(rng.random(f.height) < share, 1 - f["p"].to_numpy(), f["p"].to_numpy())

    def noisy(sd: float) -> Callable[[pl.DataFrame, np.random.Generator], np.ndarray]:
        return lambda f, rng: 1 / (1 + np.exp(-(np.log(f["p"] / (1 - f["p"])).to_numpy() + sd * rng.normal(size=f.height))))

    cases = {"same model": (noisy(0), noisy(0)), "A/A, own noise 0.3 log-odds": (noisy(0.3), noisy(0.3)),
             "1 % of answers turned round": (wrong(0.01), noisy(0)), "0.5 % of answers turned round": (wrong(0.005), noisy(0)),
             "noise 0.5 log-odds added": (noisy(0.5), noisy(0))}
    print(f"\nverdicts over {streams} golden sets")
    for n in (1000, 5000, 20_000):
        for name, (new, old) in cases.items():
            found: Counter[str] = Counter()
            for seed in range(streams):
                rng = np.random.default_rng([seed, n])
                g = golden(rng, n)
                # one chunk: the versions draw their noise in the order of the samples
                found[rca_kit.replay(g, current=partial(call, new, rng), previous=partial(call, old, rng),
                                     features=["p"]).verdict] += 1
            print(f"  n={n:<7} {name:32} " + "  ".join(f"{k} {v / streams:.0%}" for k, v in sorted(found.items())))


if __name__ == "__main__":
    overhead(100_000)
    verdicts(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
