"""Metrics of two versions on the same labelled rows, and their paired differences."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
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
    first, second = _metrics(data, 0), _metrics(data, 1)
    effects = [_effect(data, name, first[name], second[name], margin, seed) for name in first if name in second]
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


def _metrics(data: Labelled, side: int) -> dict[str, list[rm.RowMetric]]:
    """Each metric of one version once per repeat."""
    out: dict[str, list[rm.RowMetric]] = {}
    answers = (data.first, data.second)[side]
    binned = data.bins[side] if data.probabilities and len(answers) == 1 else None
    for a in answers:
        for name, value in _once(data, a, data.thresholds[side], binned).items():
            out.setdefault(name, []).append(value)
    return out


def _once(data: Labelled, a: Any, threshold: float | None, binned: rm.Bins | None) -> dict[str, rm.RowMetric]:
    y = data.label
    if data.task == "regression":
        error = a - y
        return {"mae": rm.mean_metric(np.abs(error)), "rmse": rm.rmse(y, a), "bias": rm.mean_metric(error)}
    if data.task != "binary":
        return {"accuracy": rm.mean_metric(np.asarray(a == y, dtype=np.float64))}
    out: dict[str, rm.RowMetric] = {}
    if data.continuous:
        ranked = ranks(a)
        out["auc"] = rm.auc(y, a, ranked)
        out["average_precision"] = rm.average_precision_metric(y, a, ranked)
        if data.probabilities:
            out["log_loss"] = rm.mean_metric(rm.log_losses(y, a))
            out["brier"] = rm.mean_metric((a - y) ** 2)
            out["calibration_error"] = rm.calibration_metric(y, a, binned=binned)
        out["score_mean"] = rm.mean_metric(np.asarray(a, dtype=np.float64))
    if threshold is not None or not data.continuous:
        out.update(rm.decision_metrics(y, _decide(data, a, threshold)))
    return out


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
    mean = mean_interval(i2 - i1 + (v2 - v1), data.clusters, seed=seed)
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
    return mean_interval(influence + value, clusters).interval


def _direction(e: Effect) -> Effect:
    if e.metric in ("score_mean", "positive_rate", "bias") or e.state != "different":
        return replace(e, worse=None)
    return replace(e, worse=(e.estimate > 0) == (e.metric in rm.LOWER_IS_BETTER))
