"""Logs of made-up services for role inference: a score that knows something of the label, columns of any name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from rca_kit.sources import OpenCase, open_case

N = 3_000
START = datetime(2026, 3, 1, tzinfo=UTC)


def times(step: float = 60.0) -> list[datetime]:
    return [START + timedelta(seconds=i * step) for i in range(N)]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Draw:
    """Mechanical truth: a score that knows something of the label."""

    def __init__(self, seed: int = 0, base: float = -1.0):
        self.rng = np.random.default_rng(seed)
        self.z = self.rng.normal(size=N)
        self.p = sigmoid(base + 1.5 * self.z)
        self.y = (self.rng.random(N) < self.p).astype(int)

    def cat(self, *values, p=None):
        return self.rng.choice(values, size=N, p=p).tolist()

    def num(self, scale=1.0):
        return (self.rng.normal(size=N) * scale).round(4).tolist()

    def ids(self, prefix="r"):
        return [f"{prefix}{i:07d}" for i in self.rng.permutation(N)]

    def ms(self, middle):
        return (middle * np.exp(0.3 * self.rng.normal(size=N))).round(2)


def opened(tmp_path: Path, table: dict, extra: str = "", detected: datetime | None = None, name: str = "p.parquet") -> OpenCase:
    frame = pl.DataFrame(table, strict=False)
    frame.write_csv(tmp_path / name) if name.endswith("csv") else frame.write_parquet(tmp_path / name)
    at = detected or times()[-1]
    (tmp_path / "incident.yaml").write_text(
        f"id: T-1\ntitle: t\ndetected_at: {at:%Y-%m-%dT%H:%M:%SZ}\ntables: {{predictions: {name}}}\n{extra}"
    )
    return open_case(tmp_path)
