"""The form of a scenario: a told incident with its own world, numbers and change log; the seed varies the chance in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from rca_kit.training.plan import Change, Plan
from rca_kit.training.world import World

CANON_SEED = 2041  # the sample in data/samples; other seeds are variants


@dataclass(frozen=True)
class Scenario:
    """One incident of SCENARIOS.md.

    `fill` plants it in a plan whose times are set already; the minutes of a change are relative to the onset. For training
    sessions: `topic` in words that give nothing away, `difficulty` 1 to 3, `minutes` a group should take.
    """

    slug: str
    case_id: str
    title: str
    summary: str
    world: World
    fill: Callable[[Plan], None]
    rows: int = 24_000
    days: float = 6.0
    after_hours: float = 4.0
    tolerance: int = 30
    start: datetime = datetime(2026, 2, 23, 21, 0, tzinfo=UTC)
    fmt: str = "parquet"
    slos: dict[str, dict[str, float]] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    golden: int = 0
    shadow: int = 0
    seed: int = CANON_SEED
    topic: str = ""
    difficulty: int = 2
    minutes: int = 45


def plan_of(s: Scenario, seed: int | None = None) -> Plan:
    """Plan a scenario; seeds other than its own move its time, its weights and its rows."""
    seed = s.seed if seed is None else seed
    rng = np.random.default_rng([seed, *s.slug.encode()])
    p = Plan(s.world, seed, rng, s.rows, s.slug, plain=True)
    p.span = p.end = s.days * 24
    p.day_amp, p.week_amp = 0.45, -0.1
    p.start = s.start
    jitter = 0.0
    if seed != s.seed:
        jitter = float(rng.integers(0, 14 * 24))
        p.start = datetime.fromtimestamp(s.start.timestamp() + 3600 * jitter, tz=UTC)
    p.detected = p.span - 0.25
    p.onset = round((p.detected - s.after_hours) * 12) / 12
    p.tolerance = s.tolerance
    p.signal = ("", s.summary)
    s.fill(p)
    if seed != s.seed and any(c.isdigit() for c in p.signal[1]):
        p.signal = (p.signal[0], "")  # the told figures are those of the sample; a variant has its own
    return p


def change(
    p: Plan,
    minutes: float,
    kind: str,
    component: str,
    text: str,
    scope: str = "",
    versions: tuple[str, str] = ("", ""),
    guilty: bool = False,
) -> None:
    """Add one entry of the change log."""
    p.changes.append(Change(minutes, kind, component, text, scope, versions[0], versions[1], guilty))
