"""From a paired estimate to a statement: different, equivalent, or inconclusive and how many pairs would decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rca_kit.findings.shadow import Effect
from rca_kit.stats.paired import MIN_PAIRS, PairedMean, holm, mean_interval, needed_pairs


def effect(
    name: str,
    values: Any,
    margin: float,
    *,
    clusters: Any = None,
    first: float | None = None,
    second: float | None = None,
    one_sided: bool = False,
    note: str = "",
    seed: int = 0,
) -> Effect:
    """Mean of paired differences as an effect; with `one_sided`, only a mean above zero is a difference.

    Examples
    --------
    >>> effect("bias", [0.2, 0.3, 0.2, 0.3, 0.2, 0.3, 0.25, 0.25, 0.2], margin=0.01).state
    'different'
    """
    return from_mean(
        name, mean_interval(values, clusters, seed=seed), margin, first=first, second=second, one_sided=one_sided, note=note
    )


def from_mean(
    name: str,
    mean: PairedMean,
    margin: float,
    *,
    first: float | None = None,
    second: float | None = None,
    one_sided: bool = False,
    note: str = "",
    worse: bool | None = None,
    p_value: float | None = None,
) -> Effect:
    """Effect of an estimate that is already there; `p_value` replaces the t test's own (an exact test, say)."""
    p = p_value if p_value is not None else mean.p_greater() if one_sided else mean.p_value
    base = Effect(
        name,
        mean.estimate,
        mean.interval,
        margin,
        p,
        "inconclusive",
        mean.n,
        needed_pairs(mean.se, mean.n, margin, mean.estimate),
        first,
        second,
        worse,
        note,
    )
    return judge(base, p, one_sided=one_sided)


def judge(e: Effect, p_value: float, alpha: float = 0.05, one_sided: bool = False) -> Effect:
    """Set the state from the interval, the margin and a p-value that may be corrected for other looks."""
    low, high = e.interval
    inside = high <= e.margin and (one_sided or low >= -e.margin)
    if e.n >= MIN_PAIRS and inside:
        return replace(e, state="equivalent", needed=None)
    beyond = e.estimate > 0 or not one_sided
    if e.n >= MIN_PAIRS and p_value <= alpha and beyond and not inside:
        return replace(e, state="different", needed=None)
    return replace(e, state="inconclusive")


def judge_family(effects: Sequence[Effect], alpha: float, one_sided: Sequence[str] = ()) -> list[Effect]:
    """Judge several effects of one question: Holm keeps the chance of any false alarm below `alpha`."""
    adjusted = holm([e.p_value for e in effects])
    return [judge(e, float(p), alpha, e.metric in one_sided) for e, p in zip(effects, adjusted, strict=True)]


def finite(value: float | np.floating[Any] | None) -> float | None:
    """Give a plain float, None for NaN."""
    return None if value is None or not np.isfinite(value) else float(value)
