"""Made-up request logs for the data benchmark: quiet ones (A/A) of several kinds, and ones with a known change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.signal import lfilter
from scipy.special import ndtr

DAY = 86_400.0
START = 1_767_225_600  # 2026-01-01


@dataclass(frozen=True)
class World:
    """How rows of a log depend on each other. `windows` are the lengths of before and after in days."""

    name: str
    season: float = 0.0
    hourly: float = 0.0
    row_ar: float = 0.0
    time: bool = True
    windows: tuple[float, float] = (1.0, 1.0)


WORLDS = (
    World("independent", time=False),
    World("independent, with time"),
    World("season, 1 d | 1 d", season=0.5),
    World("season, 1 d | 1 d, no time", season=0.5, time=False),
    World("season, 7 d | 1 d", season=0.5, windows=(7.0, 1.0)),
    World("season, 2 d | 3 h", season=0.5, windows=(2.0, 0.125)),
    World("season, 7 d | 3 h", season=1.0, windows=(7.0, 0.125)),
    World("season, 12 h | 12 h", season=0.5, windows=(0.5, 0.5)),
    World("AR rows 0.5", row_ar=0.5, time=False),
    World("AR rows 0.9", row_ar=0.9, time=False),
    World("AR rows 0.1", row_ar=0.1, time=False),
    World("AR hours, 1 d | 1 d", hourly=0.3),
    World("AR hours, 1 d | 1 d, no time", hourly=0.3, time=False),
    World("season + AR hours, 7 d | 1 d", season=0.5, hourly=0.3, windows=(7.0, 1.0)),
    World("season + AR rows, 2 d | 1 d", season=0.5, row_ar=0.6, windows=(2.0, 1.0)),
    World("season + AR rows, 1 d | 1 d, no time", season=0.5, row_ar=0.6, time=False),
)


def latent(rng: np.random.Generator, seconds: np.ndarray, world: World) -> np.ndarray:
    """A standard normal series with the world's season, hourly drift and row-to-row correlation added."""
    n = len(seconds)
    noise = rng.normal(size=n)
    if world.row_ar:
        start = rng.normal()
        noise = lfilter([np.sqrt(1 - world.row_ar**2)], [1, -world.row_ar], noise, zi=[world.row_ar * start])[0]
    out = noise + world.season * np.sin(2 * np.pi * (seconds / DAY + rng.random()))
    if world.hourly:
        hours = (seconds // 3600).astype(int)
        drift = lfilter([np.sqrt(1 - 0.8**2)], [1, -0.8], rng.normal(size=hours.max() + 50))[49:]
        out = out + world.hourly * drift[hours]
    return out


def make(rng: np.random.Generator, rows: int, world: World) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two consecutive windows of one unchanged log with 20 features and an id."""
    span = sum(world.windows) * DAY
    n_before = rows
    n_after = rows
    cut = world.windows[0] * DAY
    seconds = np.concatenate([np.sort(rng.uniform(0, cut, n_before)), np.sort(rng.uniform(cut, span, n_after))])
    n = len(seconds)
    columns: dict[str, np.ndarray | pl.Series] = {}
    if world.time:
        columns["ts"] = pl.Series(((START + seconds) * 1e6).astype("int64")).cast(pl.Datetime("us", "UTC"))
    columns["request_id"] = np.array([f"r{x:x}" for x in rng.integers(0, 2**60, n)])
    for i in range(8):
        columns[f"normal_{i}"] = latent(rng, seconds, world)
    columns["lognormal"] = np.exp(1.5 * latent(rng, seconds, world))
    depends = world.season or world.hourly or world.row_ar
    columns["pareto"] = np.exp(2 * latent(rng, seconds, world)) if depends else rng.pareto(1.1, n)
    columns["count"] = rng.poisson(np.exp(0.5 * latent(rng, seconds, world)))
    columns["flag"] = latent(rng, seconds, world) > 1.6
    columns["zero_inflated"] = np.where(rng.random(n) < 0.7, 0.0, np.exp(latent(rng, seconds, world)))
    nulls = latent(rng, seconds, world) > 2.6
    columns["with_nulls"] = pl.Series(rng.normal(size=n)).set(pl.Series(nulls), None)
    for cells in (2, 4, 25, 25, 200, 500):
        weights = 1 / np.arange(1, cells + 1) ** (0.0 if cells <= 25 else 0.9)
        edges = np.cumsum(weights / weights.sum())
        z = latent(rng, seconds, world)
        level = ndtr(z / np.sqrt(1 + world.season**2 / 2 + world.hourly**2))
        shuffled = np.random.default_rng(cells).permutation(cells)
        code = shuffled[np.minimum(np.searchsorted(edges, level), cells - 1)]
        columns[f"cat_{cells}_{len(columns)}"] = np.array([f"v{c}" for c in range(cells)])[code]
    frame = pl.DataFrame(columns)
    return frame[:n_before], frame[n_before:]
