"""Does the change hold wherever it was looked at, and does it last? Two of the questions of "did you really find it?"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rca_kit.findings.scope import Segment
from rca_kit.loop.s7_settle.facts import Facts

PARTS = 3  # of the time since the onset: enough to see it come back, few enough to hold buckets each
LASTS = 0.25  # of the change that each part must still show: the first third of a straight ramp shows a third
SAME_WAY = 0.9  # of the single values that must move the same way before a change counts as everyone's
MIN_ROWS = 100  # a value with fewer requests on either side moves by chance


@dataclass(frozen=True)
class Found:
    """Whether it holds, None when that cannot be told; and the evidence in words."""

    holds: bool | None
    says: str


def over_time(facts: Facts) -> Found:
    """Whether each third of the time since the onset still shows the change of the main metric.

    Values are weighted by their counts and set against the same hours of earlier days where the series has them.
    """
    s, series = facts.symptom, next((x for x in facts.symptom.series if x.metric == facts.symptom.metric), None)
    if series is None or s.windows is None or not s.change or s.before is None:
        return Found(None, "how it went on since cannot be told")
    after = s.windows[1]
    at = [i for i, t in enumerate(series.times) if after.start <= t < after.end and series.values[i] is not None]
    if len(at) < PARTS:
        return Found(None, "too little time has passed to see whether it lasts")
    shown = []
    for part in np.array_split(np.array(at), PARTS):
        weights = np.array([max(series.counts[i], 1) for i in part], dtype=float)
        usual = [series.expected[i] if series.expected and series.expected[i] is not None else s.before for i in part]
        gaps = np.array([series.values[i] for i in part], dtype=float) - np.array(usual, dtype=float)
        shown.append(float(np.average(gaps, weights=weights)) / s.change >= LASTS)
    if all(shown):
        return Found(True, "each third of the time since the onset shows it")
    return Found(False, f"{sum(shown)} of {PARTS} thirds of the time since the onset show it")


def everywhere(facts: Facts) -> Found:
    """Of a change that all traffic has: whether the single values of the columns go the same way as the whole."""
    told = [x for x in facts.scope.singles if x.before is not None and x.after is not None and _enough(x)]
    if not told:
        return Found(None, "all traffic is affected; no single value has rows enough to look at")
    moves = np.array([(x.after or 0.0) - (x.before or 0.0) for x in told])
    whole = float(np.sign(moves @ np.array([x.share_of_traffic or 1.0 for x in told])))
    same = int((np.sign(moves) == whole).sum())
    return Found(same >= SAME_WAY * len(told), f"all traffic is affected; {same} of {len(told)} single values go the same way")


def _enough(x: Segment) -> bool:
    return all(n is None or n >= MIN_ROWS for n in (x.n_before, x.n_after))
