"""Metrics over time, from the cubes: every series can be read per bucket, or over any weighting of buckets."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rca_kit.aggregates.cube import BIN, BUCKET, LABEL, VALUE
from rca_kit.aggregates.grid import TimeGrid
from rca_kit.aggregates.plan import LATENCY_BINS, latency_values
from rca_kit.aggregates.scan import Aggregates
from rca_kit.stats import metrics
from rca_kit.stats.metrics import Estimate

Floats = NDArray[np.float64]
QUALITY = (
    "auc",
    "average_precision",
    "accuracy",
    "precision",
    "recall",
    "f1",
    "log_loss",
    "calibration_error",
    "mae",
    "rmse",
    "bias",
)
GOOD = {
    "auc": "higher",
    "average_precision": "higher",
    "accuracy": "higher",
    "precision": "higher",
    "recall": "higher",
    "f1": "higher",
    "log_loss": "lower",
    "calibration_error": "lower",
    "mae": "lower",
    "rmse": "lower",
    "bias": "zero",
    "error_rate": "lower",
    "latency_p50": "lower",
    "latency_p95": "lower",
    "latency_p99": "lower",
}
ECE_BINS = 10  # Guo et al. 2017 use 15; ten keeps buckets of a few hundred labels usable


class Reading(NamedTuple):
    """A metric over one weighting of buckets."""

    value: float
    error: float
    n: float

LABELLED = {"binary": "label_n", "number": "gap_n", "class": "correct_n"}  # sums that count requests with a label, by its kind


@dataclass(frozen=True)
class Series:
    """One metric as sums per bucket and the formula that turns sums into a value with its error.

    Attributes
    ----------
    name : str
        Metric name as in the case format, or `mean:<column>`, `stage:<column>`, `share:<column>=<value>`, `service:...`.
    family : str
        quality, service, kpi, nulls, output, input, mix, volume, labels or component.
    good : str or None
        higher, lower, zero, or None when no direction is better.
    grid : TimeGrid
    coarse : bool
        Whether the sums are per coarse bucket.
    sums : tuple of arrays, each of shape (buckets, ...)
    formula : callable
        Summed arrays of shape (m, ...) to an Estimate of shape (m,).
    log : bool
        Whether changes are multiplicative (latency, volume): detection then works on logarithms.
    """

    name: str
    family: str
    good: str | None
    grid: TimeGrid
    coarse: bool
    sums: tuple[Floats, ...]
    formula: Callable[..., Estimate]
    log: bool = False
    column: str | None = None
    counts: bool = False  # sums[0] / sums[1] is a rate of whole rows, fit for the binomial likelihood
    quantile: float | None = None  # sums[0] is a histogram of which this quantile is taken

    @property
    def n_buckets(self) -> int:
        """Number of buckets in the sums."""
        return int(self.sums[0].shape[0])

    def buckets(self, factor: int = 1) -> Estimate:
        """Value, error and n per group of `factor` buckets."""
        return self.formula(*[_group(s, factor) for s in self.sums])

    def detection(self) -> Estimate:
        """Value, error and n per coarse bucket."""
        return self.buckets(1 if self.coarse else self.grid.coarse)

    def weights(self, fine: Floats) -> Floats:
        """Weights for this series' own buckets from weights per fine bucket (a coarse bucket gets its mean)."""
        return _group(fine, self.grid.coarse) / self.grid.coarse if self.coarse and self.grid.coarse > 1 else fine

    def coarse_weights(self, fine: Floats) -> Floats:
        """Weights per coarse bucket: the mean over its fine ones."""
        return _group(fine, self.grid.coarse) / self.grid.coarse

    def coarse_sum(self, i: int) -> Floats:
        """The i-th sum per coarse bucket."""
        return self.sums[i] if self.coarse else _group(self.sums[i], self.grid.coarse)

    def covered(self) -> Floats:
        """1.0 for each fine bucket of a count from the first row of the log to its last; the grid may reach beyond."""
        rows = np.flatnonzero(self.sums[0] > 0)
        at = np.arange(self.grid.n)
        return np.asarray((at >= rows[0]) & (at <= rows[-1]), float) if rows.size else np.zeros(self.grid.n)

    def over(self, fine: Floats) -> Reading:
        """Value over buckets weighted by `fine` (shape (grid.n,)); the error uses Kish's effective sample size."""
        w = self.weights(fine)
        if self.family == "volume":  # a rate per bucket: empty buckets count, and buckets are the observations
            x, w = self.sums[0], w * self.covered()
            mass = float(w.sum())
            if mass <= 0:
                return Reading(float("nan"), float("nan"), 0.0)
            level = float((w * x).sum() / mass)
            size = mass**2 / float((w * w).sum())
            return Reading(level, float(np.sqrt(max((w * (x - level) ** 2).sum() / mass, level) / size)), float((w > 0).sum()))
        n = self.buckets().n
        n = np.where(np.isfinite(n), n, 0)
        shrink = float((w * n).sum() / max((w * w * n).sum(), 1e-300)) if (w > 0).any() else 0.0
        total = [np.tensordot(w, s, axes=(0, 0))[None] * shrink for s in self.sums]
        value, error, count = self.formula(*total)
        return Reading(float(value[0]), float(error[0]), float(count[0]))


def _group(a: Floats, factor: int) -> Floats:
    if factor == 1:
        return a
    pad = -a.shape[0] % factor
    if pad:
        a = np.concatenate([a, np.zeros((pad, *a.shape[1:]))])
    return np.asarray(a.reshape(-1, factor, *a.shape[1:]).sum(axis=1))


def metric_series(aggregates: Aggregates) -> dict[str, Series]:
    """Every series the request log gives, by name, in a fixed order."""
    return {s.name: s for s in _all(aggregates)}


def _all(a: Aggregates) -> Iterator[Series]:
    plan, grid = a.plan, a.plan.grid
    c = plan.columns
    time = a.cubes["time"]
    have = set(time.frame.columns)

    def col(name: str) -> Floats:
        return time.dense(name, grid.n) if name in have else np.zeros(grid.n)

    def make(name: str, family: str, formula: Callable[..., Estimate], *sums: Floats, **more: Any) -> Series:
        return Series(name, family, more.pop("good", GOOD.get(name)), grid, more.pop("coarse", False), sums, formula, **more)

    n = col("n")
    yield from _quality(a, make, col)
    if c.error:
        yield make("error_rate", "service", metrics.rate, col("error_s"), n, counts=True)
    if c.latency:
        yield from _latency(a, make, c.latency)
    for stage in c.stages:
        yield make(
            f"stage:{stage}",
            "stage",
            _percentile(0.95),
            _histogram(a, f"latency:{stage}", LATENCY_BINS),
            good="lower",
            coarse=True,
            log=True,
            column=stage,
            quantile=0.95,
        )
        yield make(f"log:{stage}", "helper", metrics.mean, *(col(f"log:{stage}_{x}") for x in ("s", "ss", "n")), column=stage)
    for kpi, good in c.kpis.items():
        m = f"kpi:{kpi}"
        yield _ratio_or_mean(make, m, "kpi", col, kpi in plan.binary_kpis or kpi in c.positive, good=good, column=kpi)
        missing = n - col(f"{m}_n")
        yield make(f"null_rate:{kpi}", "labels", metrics.rate, missing, n, counts=True, column=kpi)
    yield make("volume", "volume", _count, n, log=True)
    if c.score:
        yield make("score_mean", "output", metrics.mean, col("score_s"), col("score_ss"), col("score_n"))
        yield make(f"null_rate:{c.score}", "output_nulls", metrics.rate, n - col("score_n"), n, column=c.score, counts=True)
    if plan.decision_kind == "binary":
        yield make("positive_rate", "output", metrics.rate, col("decision_s"), col("decision_n"), counts=True)
    if plan.cut is not None:
        yield make("off_threshold", "cut", metrics.rate, col("off_cut_s"), col("off_cut_n"), counts=True, column=c.decision)
    if plan.label_kind != "none":
        arrived = LABELLED[plan.label_kind]
        if arrived in have:
            yield make("label_share", "labels", metrics.rate, col(arrived), n, counts=True, column=c.label)
    if plan.label_kind == "binary":
        yield make("label_rate", "labels", metrics.rate, col("label_s"), col("label_n"), counts=True, column=c.label)
    for i, feature in enumerate(plan.features):
        valid = col(f"feature{i}_n")
        yield make(f"null_rate:{feature.column}", "nulls", metrics.rate, n - valid, n, column=feature.column, counts=True)
        if feature.numeric:
            yield make(
                f"mean:{feature.column}",
                "input",
                metrics.mean,
                col(f"feature{i}_s"),
                col(f"feature{i}_ss"),
                valid,
                column=feature.column,
            )


def _ratio_or_mean(
    make: Callable[..., Series], m: str, family: str, col: Callable[[str], Floats], binary: bool, **more: Any
) -> Series:
    if binary:
        return make(m, family, metrics.rate, col(f"{m}_s"), col(f"{m}_n"), counts=True, **more)
    return make(m, family, metrics.mean, col(f"{m}_s"), col(f"{m}_ss"), col(f"{m}_n"), **more)


def _quality(a: Aggregates, make: Callable[..., Series], col: Callable[[str], Floats]) -> Iterator[Series]:
    plan = a.plan
    if plan.label_kind == "binary" and plan.columns.score:
        hist = score_histogram(a)
        yield make("auc", "quality", metrics.auc, hist[..., 0], hist[..., 1], coarse=True)
        yield make("average_precision", "quality", metrics.average_precision, hist[..., 0], hist[..., 1], coarse=True)
        if plan.score_is_probability:
            yield make("log_loss", "quality", metrics.mean, col("log_loss_s"), col("log_loss_ss"), col("log_loss_n"))
            centres = np.asarray(score_centres(plan.score_edges))
            yield make("calibration_error", "quality", _ece(centres), hist[..., 0], hist[..., 1], coarse=True)
            yield make("bias", "quality", metrics.mean, col("gap_s"), col("gap_ss"), col("gap_n"))
    if plan.label_kind in ("binary", "class") and plan.decision_kind != "none":
        yield make("accuracy", "quality", metrics.rate, col("correct_s"), col("correct_n"), counts=True)
    if plan.label_kind == "binary" and plan.decision_kind == "binary":
        yield make("precision", "quality", metrics.rate, col("tp_s"), col("called_s"), counts=True)
        yield make("recall", "quality", metrics.rate, col("tp_s"), col("label_s"), counts=True)
        yield make("f1", "quality", _f1, col("tp_s"), col("called_s") + col("label_s"))
    if plan.label_kind == "class" and plan.score_is_probability and plan.columns.score:
        yield make("bias", "quality", metrics.mean, col("gap_s"), col("gap_ss"), col("gap_n"))
    if plan.label_kind == "number" and plan.columns.score:
        yield make("mae", "quality", metrics.mean, col("abs_error_s"), col("abs_error_ss"), col("abs_error_n"))
        yield make("rmse", "quality", _rmse, col("square_error_s"), col("square_error_ss"), col("square_error_n"))
        yield make("bias", "quality", metrics.mean, col("gap_s"), col("gap_ss"), col("gap_n"))


def _latency(a: Aggregates, make: Callable[..., Series], column: str) -> Iterator[Series]:
    hist = _histogram(a, f"latency:{column}", LATENCY_BINS)
    for name, q in (("latency_p95", 0.95), ("latency_p50", 0.5), ("latency_p99", 0.99)):
        yield make(name, "service", _percentile(q), hist, coarse=True, log=True, quantile=q)
    time = a.cubes["time"]
    sums = (time.dense(f"log:{column}_{x}", a.plan.grid.n) for x in ("s", "ss", "n"))
    yield make("log:latency", "helper", metrics.mean, *sums, good="lower")


def _histogram(a: Aggregates, cube: str, bins: int) -> Floats:
    frame = a.cubes[cube].frame.drop_nulls(VALUE)
    out = np.zeros((a.plan.grid.n_coarse, bins))
    out[frame[BUCKET].to_numpy(), np.minimum(frame[VALUE].to_numpy(), bins - 1)] = frame["n"].to_numpy()
    return out


def score_histogram(a: Aggregates) -> Floats:
    """Counts of labelled rows by coarse bucket, score bin and label, shape (coarse buckets, bins, 2)."""
    frame = a.cubes["score"].frame.drop_nulls([BIN, LABEL])
    out = np.zeros((a.plan.grid.n_coarse, len(a.plan.score_edges) + 1, 2))
    out[frame[BUCKET].to_numpy(), frame[BIN].to_numpy(), frame[LABEL].to_numpy()] = frame["n"].to_numpy()
    return out


def score_centres(edges: tuple[float, ...]) -> list[float]:
    """Representative score of each bin, for probabilities."""
    full = [0.0, *edges, 1.0]
    return [(x + y) / 2 for x, y in itertools.pairwise(full)]


def _percentile(q: float) -> Callable[[Floats], Estimate]:
    values = latency_values()
    return lambda counts: metrics.quantile(counts, values, q)


def _count(n: Floats) -> Estimate:
    return Estimate(n, np.sqrt(np.maximum(n, 1.0)), n)


def _f1(tp: Floats, both: Floats) -> Estimate:
    value, error, n = metrics.rate(2 * tp, both)
    return Estimate(value, error * np.sqrt(2), n)


def _rmse(total: Floats, squares: Floats, n: Floats) -> Estimate:
    value, error, count = metrics.mean(total, squares, n)
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(value)
        return Estimate(root, error / (2 * root), count)


def _ece(centres: Floats) -> Callable[[Floats, Floats], Estimate]:
    """Expected calibration error over ten groups of score bins, less what sampling noise alone would give."""
    groups = np.array_split(np.arange(centres.size), min(ECE_BINS, centres.size))

    def formula(neg: Floats, pos: Floats) -> Estimate:
        n_all = (neg + pos).sum(-1)
        gap = np.zeros(n_all.shape)
        noise = np.zeros(n_all.shape)
        for g in groups:
            n = (neg[..., g] + pos[..., g]).sum(-1)
            k = pos[..., g].sum(-1)
            expected = ((neg + pos)[..., g] * centres[g]).sum(-1)
            gap += np.abs(expected - k)
            noise += np.sqrt(np.maximum(expected * (1 - expected / np.maximum(n, 1)), 0))
        with np.errstate(divide="ignore", invalid="ignore"):
            raw = np.where(n_all > 0, gap / n_all, np.nan)
            chance = np.where(n_all > 0, np.sqrt(2 / np.pi) * noise / n_all, np.nan)
            return Estimate(np.maximum(raw - chance, 0), np.maximum(chance / np.sqrt(len(groups)), 1e-4), n_all)

    return formula
