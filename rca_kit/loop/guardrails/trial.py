"""Try generated guardrails on the incident's log: the schema's own code on batches, the canary's trigger on two versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from rca_kit.errors import BadInput
from rca_kit.findings.base import Window
from rca_kit.loop.guardrails.schema import MIN_ROWS, Batch, learn
from rca_kit.loop.guardrails.schema_file import render
from rca_kit.loop.s7_settle.facts import Facts
from rca_kit.loop.versions.triggers import TriggerHistory, evaluate_trigger, parse_trigger
from rca_kit.sources.collect import collect

TAUGHT = 2 / 3  # of the healthy time: limits learnt from it are tried on the rest, which they have not seen
TICKS = 24  # the incident is tried in this many growing batches, to see when the schema would have said no
CANARY_ROWS = 500_000
CANARY_BUCKET_S = 60.0
CANARY_REQUESTS = (1_000, 3_000, 10_000, 30_000)  # per side, tried from the least
LEAST_WINDOWS = 3  # that the healthy requests must fill; in fewer, silence says little
BUCKETS = 30  # looks while one window passes
CANARY_WINDOW_S = 3600.0  # an hour of requests: metrics of a minute are noise
DEAL = 0x5EA1  # seed of the dealing; not 0, which made-up logs are drawn with: the sides would follow their columns
SIDE = "rk_side"  # which of two equal sides a healthy request was dealt to
LEAST_DAYS = 0.5  # false alarms a week are not extrapolated from less


def try_schema(
    source: str, healthy: list[Batch], incident: list[Batch], time: str, detected_at: datetime, held: HeldOut | None = None
) -> dict[str, Any]:
    """Run the generated file's own checks on healthy batches and on those of the incident: all of it first, then its parts.

    Where pandera is not installed, the same checks run without its wrapper. `held` tells what the same learner does on healthy
    batches that it has not seen: false alarms a week come from there, since the file passes its own by construction.
    """
    problems = _problems_of(source)
    failing = [b.start for b in healthy if problems(b.rows.drop(_helpers(b.rows)))]
    told = [(b, problems(b.rows.drop(_helpers(b.rows)))) for b in incident]
    said = list(dict.fromkeys(p for _, found in told for p in found))  # what grows slowly shows in the later parts only
    hit = min((b for b, found in told if found), key=lambda b: b.end, default=None)
    fired = _when(problems, hit.rows.drop(_helpers(hit.rows)), time) if hit else None
    days = {b.start.date() for b in healthy}
    return {
        "fires_on_incident": bool(said),
        "says": said[:10],
        "fired_at": fired,
        "lead_minutes": (detected_at - fired).total_seconds() / 60 if fired else None,
        "passes_on_healthy_days": not failing,
        "healthy_batches": len(healthy),
        "healthy_days": len(days),
        "held_out": held.to_dict() if held else {"not_applicable": "too little healthy time to learn from a part of it"},
        "false_alarms_per_week": held.per_week if held else None,
    }


@dataclass(frozen=True)
class HeldOut:
    """Healthy batches that the limits were not learnt from: how many there are, over how many days, and which failed."""

    batches: int
    days: float
    failing: tuple[datetime, ...]
    says: tuple[str, ...]

    @property
    def per_week(self) -> float | None:
        """Days with a false alarm, per week; None when less than half a day was held out."""
        return 7 * len({f.date() for f in self.failing}) / max(self.days, 1.0) if self.days >= LEAST_DAYS else None

    def to_dict(self) -> dict[str, Any]:
        """Plain form, for the back-test file."""
        return {"batches": self.batches, "days": round(self.days, 2), "failing": len(self.failing), "says": list(self.says)}


def held_out(healthy: list[Batch], columns: list[str], hidden: set[str], end: datetime) -> HeldOut | None:
    """Learn from the first two thirds of the healthy batches, try on those that begin later; None when either is missing."""
    first = min(b.start for b in healthy)
    split = first + TAUGHT * (end - first)
    later = [b for b in healthy if b.start >= split]
    taught = [b for b in healthy if b.end <= split]
    if not later or not taught:
        return None
    problems = _problems_of(render("", "", learn(taught, columns, hidden)))
    said = {b.start: problems(b.rows.drop(_helpers(b.rows))) for b in later}
    failing = tuple(start for start, found in said.items() if found)
    days = (end - min(b.start for b in later)).total_seconds() / 86400
    return HeldOut(len(later), days, failing, tuple(dict.fromkeys(p for found in said.values() for p in found))[:10])


def try_canary(facts: Facts, opened: Any, rule: str) -> dict[str, Any]:
    """Try a trigger on healthy requests dealt out to two sides, then on the two versions that served side by side, if there were.

    ``min_requests`` is the least of `CANARY_REQUESTS` per side with which it stays silent between two equal sides, or the first
    that this log is too short to try: with fewer, the trigger would stop a good release.
    """
    roles, windows = opened.roles, facts.symptom.windows
    if windows is None:
        return {"not_applicable": "there is no onset"}
    healthy = _alike(facts, opened, rule, windows[0])
    if not roles.model_version:
        return {"not_applicable": "the log holds no model version", **healthy}
    version = nw.col(roles.model_version)
    sides = []
    for w in windows:
        inside = (nw.col(roles.time) >= nw.lit(w.start)) & (nw.col(roles.time) < nw.lit(w.end))
        counted = collect(opened.predictions.filter(inside).group_by(version.alias("v")).agg(nw.len().alias("n")))
        sides.append(dict(counted.drop_nulls().sort(["n", "v"], descending=[True, False]).iter_rows()))
    old = next(iter(sides[0]), None)
    new = next((v for v in sides[1] if sides[0].get(v, 0) < 0.01 * sum(sides[0].values())), None)
    if old is None or new is None or sides[1].get(old, 0) == 0:
        return {"not_applicable": "no two versions served side by side in this log", **healthy}
    after = (nw.col(roles.time) >= nw.lit(windows[1].start)) & version.is_in([old, new])
    log = _rows(opened, after)
    side = (log[roles.model_version] == new).fill_null(False).cast(pl.Int64)
    try:
        enough = healthy["min_requests"] if healthy.get("passes_on_healthy_days") else CANARY_REQUESTS[0]
        history = _run(opened, rule, log, side, enough)
    except BadInput as error:
        return {"not_applicable": error.message}
    lead = (facts.case.detected_at - history.fired_at).total_seconds() / 60 if history.fired_at else None
    return {
        "fires_on_incident": history.fired_at is not None,
        "fired_at": history.fired_at,
        "lead_minutes": lead,
        "rule": rule,
        "primary": str(old),
        "candidate": str(new),
        "says": history.says(),
        **healthy,
    }


def _alike(facts: Facts, opened: Any, rule: str, before: Window) -> dict[str, Any]:
    """Deal the healthy requests out to two sides: a trigger that fires between the two would stop any release."""
    time = nw.col(opened.roles.time)
    onset = facts.symptom.onset or before.end
    log = _rows(opened, (time >= nw.lit(before.start)) & (time < nw.lit(min(before.end, onset))))
    side = pl.Series(np.random.default_rng(DEAL).integers(0, 2, log.height))
    out: dict[str, Any] = {}
    for requests in CANARY_REQUESTS:
        if log.height < LEAST_WINDOWS * 2 * requests:
            return out | {"min_requests": requests}
        try:
            history = _run(opened, rule, log, side, requests)
        except BadInput:
            return {}
        quiet = history.fired_at is None
        out = {"passes_on_healthy_days": quiet, "min_requests": requests, "healthy_says": history.says()}
        if quiet:
            return out
    return out


def _run(opened: Any, rule: str, log: pl.DataFrame, side: pl.Series, requests: int) -> TriggerHistory:
    """Run the conditions that the log can answer, over windows that hold so many requests of the smaller side."""
    named = {k: v for k, v in _named(opened.roles).items() if v}
    trigger = parse_trigger(rule).answerable(named)
    if trigger is None:
        raise BadInput("the log holds nothing that the trigger reads", found=rule)
    times = log[opened.roles.time]
    first, last = times.min(), times.max()
    fewer = min(int(side.sum()), log.height - int(side.sum()))
    if not isinstance(first, datetime) or not isinstance(last, datetime) or not fewer:
        raise BadInput("the log holds no two sides")
    # twice the mean time that so many take: traffic is slower at night
    width = max(CANARY_WINDOW_S, 2 * requests * (last - first).total_seconds() / fewer)
    return evaluate_trigger(
        trigger,
        log.with_columns(side.alias(SIDE)),
        version=SIDE,
        primary=0,
        candidate=1,
        time=opened.roles.time,
        bucket_seconds=max(CANARY_BUCKET_S, width / BUCKETS),
        window_seconds=width,
        min_count=requests,
        **named,
    )


def _rows(opened: Any, where: nw.Expr) -> pl.DataFrame:
    """Fetch the columns that triggers read, classes as 0 and 1."""
    roles = opened.roles
    columns = list(dict.fromkeys(c for c in (roles.time, roles.model_version, *_named(roles).values()) if c))
    log = collect(opened.predictions.filter(where).select(*[nw.col(c) for c in columns]).head(CANARY_ROWS))
    for column in (roles.label, roles.decision):
        if column and column in opened.positive:
            log = log.with_columns((pl.col(column) == opened.positive[column]).cast(pl.Int64))
    return log


def _named(roles: Any) -> dict[str, str | None]:
    return {
        "score": roles.score,
        "decision": roles.decision,
        "label": roles.label,
        "error": roles.error,
        "latency": roles.latency_ms,
    }


def _problems_of(source: str) -> Any:
    """Load `problems` from the generated file; its pandera part is left out, so that the kit runs without the extra."""
    plain = source.replace("import pandera.polars as pa\n", "").partition("\ndef _check(title")[0]
    space: dict[str, Any] = {"__name__": "input_schema"}
    exec(compile(plain, "input_schema.py", "exec", dont_inherit=True), space)  # noqa: S102  (our own template, data are literals)
    return space["problems"]


def _when(problems: Any, rows: pl.DataFrame, time: str) -> datetime | None:
    """Find the end of the first growing batch that fails."""
    start, end = rows[time].min(), rows[time].max()
    assert isinstance(start, datetime) and isinstance(end, datetime)
    step = max((end - start) / TICKS, timedelta(seconds=1))
    for i in range(1, TICKS + 1):
        until = start + i * step
        part = rows.filter(pl.col(time) <= until)
        if part.height >= MIN_ROWS and problems(part):
            return until
    return end


def _helpers(frame: pl.DataFrame) -> list[str]:
    return [c for c in frame.columns if c.startswith("rk_")]
