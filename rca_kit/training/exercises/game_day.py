"""Game day for a canary: when a group would have rolled back, when each trigger would have, and whether on a healthy one too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from rca_kit.case.times import parse_time
from rca_kit.errors import BadInput
from rca_kit.findings.base import Finding, iso
from rca_kit.loop.versions.gates import canary_case
from rca_kit.loop.versions.triggers import TriggerHistory, evaluate_trigger, parse_trigger
from rca_kit.sources import OpenCase, open_case

# From the one in every handbook to those that wait for enough requests; which of them is good depends on the traffic.
RULES = (
    "precision < -5% or p99 +50 ms for 5 min",
    "error_rate > +1% for 60 min",
    "p99 +50 ms for 60 min",
    "p50 +30 ms for 60 min",
    "p50 +30 ms for 180 min",
    "auc < -10% for 360 min",
)
BUCKET_S, LEAST_WINDOW_S = 300.0, 3600.0  # a canary of a few per cent has too few requests in less than an hour
HALVES = 2


@dataclass(frozen=True)
class Fired:
    """One trigger: when it fired, what the candidate had served by then, and whether it fires on two equal halves as well."""

    rule: str
    fired_at: datetime | None
    minutes: float | None
    served: int | None
    false_alarm: bool | None
    says: str


@dataclass(frozen=True, repr=False)
class GameDay(Finding):
    """The outcome of a game day; times UTC, `minutes` after the candidate's first request."""

    next_call = "`.frame()` for each trigger"

    candidate: str
    began: datetime
    decided: datetime | None
    decided_minutes: float | None
    decided_served: int | None
    triggers: tuple[Fired, ...]

    @property
    def best(self) -> Fired | None:
        """The earliest trigger that does not fire on a healthy canary."""
        good = [t for t in self.triggers if t.minutes is not None and not t.false_alarm]
        return min(good, key=lambda t: t.minutes or 0.0, default=None)

    def says(self) -> str:
        """Compare the group's decision with the triggers."""
        best = self.best
        machine = (
            f"`{best.rule}` fires {best.minutes:.0f} minutes after the start, {best.served:,} requests in, "
            "and stays silent on a healthy canary"
            if best
            else "no trigger both fires and stays silent on a healthy canary"
        )
        if self.decided_minutes is None:
            return f"{self.candidate}: {machine}. When would you have rolled back?"
        return (
            f"{self.candidate}: you rolled back after {self.decided_minutes:.0f} minutes, {self.decided_served:,} requests "
            f"in; {machine}."
        )

    def rows(self) -> list[dict[str, Any]]:
        """One row per trigger."""
        return [
            {
                "rule": t.rule,
                "fired": iso(t.fired_at) if t.fired_at else "never",
                "minutes": t.minutes,
                "served": t.served,
                "also on a healthy canary": t.false_alarm,
                "says": t.says,
            }
            for t in self.triggers
        ]


def game_day(case: str | Path, decided: str | datetime | None = None, rules: Sequence[str] = RULES) -> GameDay:
    """Run triggers over a canary's log, and set a group's decision beside them.

    Parameters
    ----------
    case : path
        A case with two model versions, such as `fraud-canary`.
    decided : str or datetime, optional
        When the group would have rolled back; UTC when no offset is given.
    rules : sequence of str
        Triggers; see `rca_kit.loop.versions.triggers`.

    Raises
    ------
    BadInput
        When the log has fewer than two versions, or the decision lies before the canary.
    """
    opened = open_case(case)
    runs = [_try(case, rule) for rule in rules]
    if not any(isinstance(r, TriggerHistory) for r in runs):
        raise runs[0] if isinstance(runs[0], BadInput) else BadInput("no rule could be run")
    version, time = str(opened.roles.model_version), opened.roles.time
    log: pl.DataFrame = opened.predictions.collect(backend="polars").to_native()
    firsts = log.drop_nulls(version).group_by(version).agg(pl.col(time).min()).sort(time, version)
    candidate, began = str(firsts[version][-1]), firsts[time][-1]
    mine = log.filter(pl.col(version).cast(pl.String) == candidate)[time]
    when = parse_time(decided)[0] if decided is not None else None
    if when is not None and when < began:
        raise BadInput("the decision lies before the canary's first request", found=iso(when), expected=f"after {iso(began)}")
    fired = tuple(_fired(rule, run, opened, log, mine, began) for rule, run in zip(rules, runs, strict=True))
    return GameDay(
        candidate,
        began,
        when,
        (when - began).total_seconds() / 60 if when else None,
        int((mine < when).sum()) if when else None,
        fired,
    )


def _try(case: str | Path, rule: str) -> TriggerHistory | BadInput:
    try:
        return canary_case(case, rule, bucket_seconds=BUCKET_S, window_seconds=_window(rule))
    except BadInput as problem:
        return problem


def _window(rule: str) -> float:
    """Each look covers as long as the rule has to hold, and an hour at least."""
    return max(parse_trigger(rule).seconds, LEAST_WINDOW_S)


def _fired(
    rule: str, run: TriggerHistory | BadInput, opened: OpenCase, log: pl.DataFrame, mine: pl.Series, began: datetime
) -> Fired:
    if isinstance(run, BadInput):
        return Fired(rule, None, None, None, None, f"cannot be run: {run.message}")
    at = run.fired_at
    at = parse_time(at)[0] if at is not None else None
    minutes = (at - began).total_seconds() / 60 if at else None
    return Fired(rule, at, minutes, int((mine < at).sum()) if at else None, _on_halves(rule, opened, log, began), run.says())


def _on_halves(rule: str, opened: OpenCase, log: pl.DataFrame, began: datetime) -> bool | None:
    """Whether the rule fires between two random halves of the stable version: it would stop a healthy canary too."""
    r = opened.roles
    stable = log.filter(pl.col(r.time) < began)
    if stable.height < HALVES:
        return None
    half = pl.int_range(pl.len()).hash(seed=7) % HALVES
    stable = stable.with_columns(half.cast(pl.String).alias("half"))
    history = evaluate_trigger(
        rule,
        stable,
        version="half",
        primary="0",
        candidate="1",
        time=r.time,
        score=r.score,
        decision=r.decision,
        label=r.label,
        error=r.error,
        latency=r.latency_ms,
        bucket_seconds=BUCKET_S,
        window_seconds=_window(rule),
    )
    return history.fired_at is not None
