"""Live canary: shadow answers watched as they arrive, with a verdict that holds however often one looks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from rca_kit.errors import BadInput
from rca_kit.findings.base import Finding, Interval, iso
from rca_kit.loop.versions.pairing import pair
from rca_kit.loop.versions.shadow_checks import measure
from rca_kit.stats.sequential import TUNED_AT, confidence_sequence

ALPHA = 0.05


@dataclass(frozen=True)
class Look:
    """The mean difference and its always-valid interval after so many pairs."""

    pairs: int
    time: datetime | None
    difference: float
    interval: Interval


@dataclass(frozen=True, repr=False)
class Watch(Finding):
    """What watching found: `decided_at` is the first look at which the verdict was certain, `pairs` the pairs until then."""

    next_call = "`.frame()` for every look"

    verdict: str
    decided_at: datetime | None
    pairs: int
    margin: float
    looks: tuple[Look, ...]
    notes: tuple[str, ...] = ()

    def says(self) -> str:
        """Say the verdict and when it was reached."""
        if not self.looks:
            return "inconclusive. There was nothing to look at."
        last = self.looks[-1]
        when = f" at {iso(self.decided_at)}" if self.decided_at is not None else ""
        state = f"decided after {self.pairs:,} pairs{when}"
        if self.verdict == "inconclusive":
            state = f"open after {last.pairs:,} pairs"
        return (
            f"{self.verdict}, {state}; difference {last.difference:+.4g} ({last.interval[0]:+.4g} to {last.interval[1]:+.4g} "
            f"by the last look, valid at all {len(self.looks)} looks together; margin {self.margin:.3g})."
            + "".join(f" {note[0].upper()}{note[1:]}." for note in self.notes)
        )

    def rows(self) -> list[dict[str, Any]]:
        """One row per look."""
        return [
            {"pairs": x.pairs, "time": x.time, "difference": x.difference, "low": x.interval[0], "high": x.interval[1]}
            for x in self.looks
        ]


def watch_shadow(
    table: Any,
    primary: str = "primary",
    candidate: str = "candidate",
    secondary: str | None = None,
    *,
    time: str | None = "time",
    id: str = "request_id",
    every: int = 100,
    margin: float | None = None,
    alpha: float = ALPHA,
    tuned_at: int = TUNED_AT,
) -> Watch:
    """Watch scores in order of time, looking after every so many pairs.

    Parameters
    ----------
    table : frame or path
        As for `compare_shadow`, scores or probabilities.
    primary, candidate, secondary : str
        Columns with the answers; with a secondary, what it differs by is taken off.
    time : str, optional
        Column that orders the rows; the order given when there is no such column.
    every : int
        Pairs between two looks.
    margin : float, optional
        Differences up to this count as none; as for `compare_shadow` when absent.
    alpha : float
        Chance of a false "different", over all looks together.
    tuned_at : int
        Pairs at which the test is sharpest.

    Returns
    -------
    Watch
        `.verdict` different at the first look whose interval lies beyond zero and not within the margin, equivalent at the first
        one that lies within the margin, else inconclusive.

    Examples
    --------
    >>> import polars as pl
    >>> rng = np.random.default_rng(0)
    >>> p = rng.random(3000)
    >>> t = pl.DataFrame({"primary": p, "candidate": p + rng.normal(0.05, 0.1, 3000)})
    >>> watch_shadow(t).verdict
    'different'
    """
    pairs = pair(table, primary, candidate, secondary, id)
    if pairs.kind not in ("probability", "score"):
        raise BadInput("only scores and probabilities can be watched", found=pairs.kind, hint="use compare_shadow")
    frame = pairs.frame
    order = np.arange(len(pairs))
    times = None
    if time is not None and time in frame.columns and len(pairs):
        order = np.argsort(frame[time].to_physical().to_numpy(), kind="stable")
        times = frame[time][order]
    measured = measure(pairs, margin, None)
    values = (pairs.candidate - (pairs.primary if pairs.secondary is None else pairs.secondary))[order]
    known = np.flatnonzero(~np.isnan(values))
    looks = confidence_sequence(values[known], every, alpha, tuned_at)
    limit = measured.scale_margin
    verdict, decided = "inconclusive", None
    for row, (_, _, low, high) in enumerate(looks):
        inside = -limit <= low and high <= limit
        if inside or low > 0 or high < 0:
            verdict, decided = ("equivalent" if inside else "different"), row
            break

    def at(n: float) -> datetime | None:
        found = None if times is None else times[int(known[int(n) - 1])]
        return found if isinstance(found, datetime) else None

    return Watch(
        verdict,
        None if decided is None else at(looks[decided, 0]),
        int(looks[decided, 0]) if decided is not None else len(known),
        limit,
        tuple(Look(int(n), at(n), float(m), (float(low), float(high))) for n, m, low, high in looks),
        pairs.notes,
    )
