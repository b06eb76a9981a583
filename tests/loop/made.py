"""Small logs with one thing wrong from a known onset on, and what the loop makes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.aggregates.plan import Columns, make_plan
from rca_kit.aggregates.scan import Aggregates, scan
from rca_kit.findings.base import Window
from rca_kit.findings.investigation import ChangeRecord
from rca_kit.loop.reading.columns import compare_columns
from rca_kit.loop.reading.derived import share_series
from rca_kit.loop.reading.picture import Picture, look
from rca_kit.loop.reading.series import Series, metric_series
from rca_kit.loop.s4_suspects.room import Room
from rca_kit.sources import to_lazy

T0 = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 4
END = T0 + timedelta(days=DAYS)
ONSET = T0 + timedelta(days=3, hours=6)
ALERT = ONSET + timedelta(hours=3)
COLUMNS = Columns(
    time="ts", task="binary", score="score", decision="decision", label="label", error="error", latency="latency_ms",
    model_version="version", kpis={"clicked": "higher"}, segments=("device", "country", "version"),
    features=("amount", "age", "city"), positive={"label": 1, "decision": 1},
)
AFTER = pl.col("ts") >= ONSET
LOST = AFTER & (pl.col("device") == "android") & (pl.col("u") < 0.6)
FAULTS: dict[str, list[pl.Expr]] = {
    "none": [],
    "nulls": [pl.when(LOST).then(None).otherwise(pl.col("amount")).alias("amount")],
    "unit": [pl.when(AFTER).then(pl.col("amount") * 1000).otherwise(pl.col("amount")).alias("amount")],
    "renamed": [pl.when(AFTER).then(pl.col("city").str.to_uppercase()).otherwise(pl.col("city")).alias("city")],
    "threshold": [pl.when(AFTER).then(pl.col("score") >= 0.6).otherwise(pl.col("score") >= 0.4).cast(pl.Int64).alias("decision")],
    "errors": [pl.when(AFTER & (pl.col("u") < 0.3)).then(pl.lit("upstream timeout")).otherwise(pl.col("error")).alias("error")],
    "scores": [pl.when(AFTER).then(pl.col("u")).otherwise(pl.col("score")).alias("score")],
    "scores android": [
        pl.when(AFTER & (pl.col("device") == "android")).then(pl.col("u")).otherwise(pl.col("score")).alias("score")],
    "slow": [pl.when(AFTER).then(pl.col("latency_ms") * 4).otherwise(pl.col("latency_ms")).alias("latency_ms")],
    "labels": [pl.when(AFTER & (pl.col("u") < 0.5)).then(None).otherwise(pl.col("label")).alias("label")],
}


def log(fault: str = "none", rows: int = 12_000, seed: int = 0) -> pl.DataFrame:
    """Make a log of four days with one fault from `ONSET` on."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, rows).astype(float)
    amount = rng.lognormal(3, 1, rows)
    logit = 0.8 * (np.log(amount) - 3) + 0.03 * (age - 50)
    score = 1 / (1 + np.exp(-logit - rng.normal(size=rows) * 0.2))
    micros = np.sort(rng.uniform(0, DAYS * 86400e6, rows)).astype("int64") + int(T0.timestamp() * 1e6)
    return pl.DataFrame({
        "ts": pl.Series(micros).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"), "u": rng.random(rows), "score": score,
        "label": (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(int), "decision": (score >= 0.4).astype(int),
        "error": pl.Series([None, "bad request"]).gather((rng.random(rows) < 0.01).astype(int)),
        "latency_ms": rng.lognormal(4, 0.4, rows),
        "clicked": (rng.random(rows) < 0.3).astype(int), "version": ["v1"] * rows, "amount": amount, "age": age,
        "device": rng.choice(["android", "ios", "web"], rows), "country": rng.choice(["DE", "FR"], rows),
        "city": rng.choice(["Berlin", "Paris", "Rome", "Wien"], rows),
    }).with_columns(FAULTS[fault])


def sums(frame: pl.DataFrame) -> tuple[Aggregates, dict[str, Series]]:
    """Aggregates and series of a log."""
    a = scan(to_lazy(frame), make_plan(COLUMNS, TimeGrid.over(T0, END), frame))
    return a, metric_series(a) | {s.name: s for s in share_series(a)}


def picture(fault: str = "none", alert: str = "auc", given: tuple[Window, Window] | None = None, seed: int = 0) -> Picture:
    """Look at a log."""
    return look(*sums(log(fault, seed=seed)), (alert,), ALERT, given)


def room(fault: str = "none", alert: str = "auc", changes: tuple[ChangeRecord, ...] = ()) -> Room:
    """Lay a log out for the checks."""
    seen, frame = picture(fault, alert), log(fault)
    before, after = (frame.filter((pl.col("ts") >= w.start) & (pl.col("ts") < w.end)) for w in seen.windows)
    return Room(seen, before, after, compare_columns(seen), changes)


def change(minutes: float = -5, kind: str = "config_change", component: str = "feature-store", text: str = "new key",
           scope: str = "", key: str = "c1") -> ChangeRecord:
    """One line of a change log, minutes after the onset."""
    return ChangeRecord(key, ONSET + timedelta(minutes=minutes), kind, component, text, scope)


def seen_grid() -> TimeGrid:
    """The grid of every log here."""
    return TimeGrid.over(T0, END)
