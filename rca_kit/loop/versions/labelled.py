"""Metrics of two versions on the same labelled rows, and their paired differences."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rca_kit.errors import BadInput
from rca_kit.findings.shadow import Effect
from rca_kit.loop.versions.effects import finite, from_mean, judge_family
from rca_kit.stats import rowmetrics as rm
from rca_kit.stats.delong import ranks
from rca_kit.stats.paired import PairedMean, mcnemar, mean_interval, t_quantile, two_sided

Floats = NDArray[np.float64]

MARGIN = 0.005  # absolute, for shares and areas: half of the one percent that teams call a regression
RELATIVE_MARGIN = 0.01  # of the first version's value, for losses and errors, which have no natural unit
DECIDERS = ("auc", "log_loss", "accuracy", "mae", "rmse", "score")


@dataclass(frozen=True)
class Labelled:
    """Labels and answers of both versions, one array per repeat; `scores` says whether answers are continuous.

    For task binary: labels are 0/1 floats; answers are scores, or 0/1 decisions. For multiclass: objects. For regression:
    floats.
    """

    task: str
    label: Any
    first: tuple[Any, ...]
    second: tuple[Any, ...]
    probabilities: bool = False
    continuous: bool = True
    thresholds: tuple[float | None, float | None] = (None, None)  # of first and second
    clusters: Any = None

    @cached_property
    def mean_answers(self) -> tuple[Any, Any]:
        """Give the mean answer of each row over the repeats, of both versions."""
        one, other = ((a[0] if len(a) == 1 else np.mean(a, axis=0)) for a in (self.first, self.second))
        return one, other

    @cached_property
    def bins(self) -> tuple[rm.Bins, rm.Bins]:
        """Give the equal-count bins of the mean answers."""
        return rm.equal_count_bins(self.mean_answers[0]), rm.equal_count_bins(self.mean_answers[1])


def label_effects(
    data: Labelled,
    margin: float | Mapping[str, float] | None = None,
    alpha: float = 0.05,
    decide_by: Sequence[str] | None = None,
    seed: int = 0,
) -> tuple[list[Effect], list[str]]:
    """Give every metric of the task as an effect (second less first), and the names of those that decide."""
    effects = list(_effects(data, margin, seed))
    names = [e.metric for e in effects]
    if decide_by:
        for wanted in decide_by:
            if wanted not in names:
                raise BadInput("metric not known here", found=wanted, expected=", ".join(names))
        deciders = list(decide_by)
    else:
        deciders = [n for n in DECIDERS if n in names]
    key = [e for e in effects if e.metric in deciders]
    judged = {e.metric: e for e in judge_family(key, alpha)}
    rest = {e.metric: e for e in judge_family([e for e in effects if e.metric not in deciders], alpha)}
    merged = [judged.get(e.metric, rest.get(e.metric, e)) for e in effects]
    ordered = [e for e in merged if e.metric in deciders] + [e for e in merged if e.metric not in deciders]
    return [_direction(e) for e in ordered], deciders


def row_losses(data: Labelled) -> tuple[str, Floats, Floats]:
    """Per-row loss of both versions (mean over repeats) for the search by segment, and its name."""

    def loss(answers: Sequence[Any], threshold: float | None) -> tuple[str, Floats]:
        if data.task == "regression":
            return "mae", np.mean([np.abs(a - data.label) for a in answers], axis=0)
        if data.task == "binary" and data.continuous and data.probabilities:
            return "log_loss", np.mean([rm.log_losses(data.label, a) for a in answers], axis=0)
        decided = [_decide(data, a, threshold) for a in answers]
        return "error_rate", np.mean([(d != data.label).astype(np.float64) for d in decided], axis=0)

    name, first = loss(data.first, data.thresholds[0])
    return name, first, loss(data.second, data.thresholds[1])[1]


def default_margin(metric: str, first: float, margin: float | Mapping[str, float] | None) -> float:
    """Give the margin of a metric: the caller's, or the stated default."""
    if isinstance(margin, Mapping):
        if metric in margin:
            return float(margin[metric])
    elif margin is not None:
        return float(margin)
    if metric in ("log_loss", "mae", "rmse", "brier", "bias"):
        return RELATIVE_MARGIN * abs(first)
    return MARGIN


def _decide(data: Labelled, answers: Any, threshold: float | None) -> Any:
    if not data.continuous or data.task != "binary":
        return answers
    return (answers >= threshold).astype(np.float64) if threshold is not None else answers


def _effects(data: Labelled, margin: float | Mapping[str, float] | None, seed: int) -> Iterator[Effect]:
    """Give one metric after the other, so that the rows of one are gone before those of the next are made."""
    single = data.probabilities and len(data.first) == len(data.second) == 1
    binned = data.bins if single else (None, None)
    sides = ((data.first, data.thresholds[0], binned[0]), (data.second, data.thresholds[1], binned[1]))
    runs = [_once(data, a, threshold, of) for answers, threshold, of in sides for a in answers]
    for found in zip(*runs, strict=False):  # a version without a threshold has no metrics of decisions, which come last
        values = [value for _, value in found]
        yield _effect(data, found[0][0], values[: len(data.first)], values[len(data.first) :], margin, seed)


def _once(data: Labelled, a: Any, threshold: float | None, binned: rm.Bins | None) -> Iterator[tuple[str, rm.RowMetric]]:
    """Give each metric of the task of one run of one version."""
    y = data.label
    if data.task == "regression":
        error = a - y
        yield "mae", rm.mean_metric(np.abs(error))
        yield "rmse", rm.rmse(y, a)
        yield "bias", rm.mean_metric(error)
        return
    if data.task != "binary":
        yield "accuracy", rm.mean_metric(np.asarray(a == y, dtype=np.float64))
        return
    if data.continuous:
        ranked = ranks(a)
        yield "auc", rm.auc(y, a, ranked)
        yield "average_precision", rm.average_precision_metric(y, a, ranked)
        del ranked
        if data.probabilities:
            yield "log_loss", rm.mean_metric(rm.log_losses(y, a))
            yield "brier", rm.mean_metric((a - y) ** 2)
            yield "calibration_error", rm.calibration_metric(y, a, binned=binned)
        yield "score_mean", rm.mean_metric(np.asarray(a, dtype=np.float64))
    if threshold is not None or not data.continuous:
        yield from rm.decision_metrics(y, _decide(data, a, threshold)).items()


def _effect(
    data: Labelled,
    name: str,
    first: list[rm.RowMetric],
    second: list[rm.RowMetric],
    margin: float | Mapping[str, float] | None,
    seed: int,
) -> Effect:
    v1, v2 = float(np.mean([m.value for m in first])), float(np.mean([m.value for m in second]))
    i1, i2 = ((r[0].influence if len(r) == 1 else np.mean([m.influence for m in r], axis=0)) for r in (first, second))
    n = len(i1)
    apart = i2 - i1
    apart += v2 - v1
    mean = mean_interval(apart, data.clusters, seed=seed)
    run = _run_variance(first) + _run_variance(second)
    if run > 0:
        mean = _widen(mean, run)
    p_value = None
    if name == "accuracy" and len(first) == len(second) == 1 and data.clusters is None and run == 0:
        right1 = i1 + v1 > 0.5
        right2 = i2 + v2 > 0.5
        lost, gained = int((right1 & ~right2).sum()), int((right2 & ~right1).sum())
        p_value = mcnemar(lost, gained)
        if not data.continuous or data.task == "multiclass":
            mean = _bonett_price(lost, gained, n)
    made = from_mean(name, mean, default_margin(name, v1, margin), first=finite(v1), second=finite(v2), p_value=p_value)
    return replace(made, first_interval=_interval(v1, i1, data.clusters), second_interval=_interval(v2, i2, data.clusters))


def _run_variance(runs: list[rm.RowMetric]) -> float:
    """Variance that a whole run adds on top of what its rows add; zero without repeats."""
    if len(runs) < 2:
        return 0.0
    between = float(np.var([r.value for r in runs], ddof=1))
    rows = [float(np.var(a.influence - b.influence)) / 2 / len(a.influence) for a, b in itertools.pairwise(runs)]
    return max(0.0, between - float(np.mean(rows))) / len(runs)


def _widen(mean: PairedMean, variance: float) -> PairedMean:
    se = float(np.sqrt(mean.se**2 + variance))
    half = t_quantile(0.975, mean.df) * se
    return PairedMean(
        mean.estimate, se, (mean.estimate - half, mean.estimate + half), two_sided(mean.estimate, se, mean.df), mean.n, mean.df
    )


def _bonett_price(lost: int, gained: int, n: int) -> PairedMean:
    """Give an interval of a difference of paired shares that is honest at zero flips.

    Bonett and Price (2012), doi:10.3102/1076998611411915.
    """
    b, c, total = (lost + 1) / (n + 2), (gained + 1) / (n + 2), n + 2
    centre, se = c - b, float(np.sqrt((b + c - (c - b) ** 2) / total))
    half = t_quantile(0.975, np.inf) * se
    return PairedMean((gained - lost) / max(n, 1), se, (centre - half, centre + half), 1.0, n, np.inf)


def _interval(value: float, influence: Floats, clusters: Any) -> tuple[float, float] | None:
    if not np.isfinite(value):
        return None
    low, high = mean_interval(influence, clusters).interval
    return low + value, high + value


def _direction(e: Effect) -> Effect:
    if e.metric in ("score_mean", "positive_rate", "bias") or e.state != "different":
        return replace(e, worse=None)
    return replace(e, worse=(e.estimate > 0) == (e.metric in rm.LOWER_IS_BETTER))
