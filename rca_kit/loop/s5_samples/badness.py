"""What makes a row bad: its loss under the metric that fell, and the failing signature of the first suspect."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from rca_kit.aggregates.rows import LOG_LOSS_FLOOR, as_number, error_flag, flag
from rca_kit.case.roles import Roles
from rca_kit.findings.suspects import Suspect
from rca_kit.loop.s5_samples.redaction import display
from rca_kit.loop.s5_samples.rows import INSIDE, WINDOW

BAD_QUANTILE = 0.95  # a loss that only 5 % of healthy rows reach; the usual reading of "unusual"
LATENCY_QUANTILE = 0.99  # latency has a long tail in health too
MIN_LIFT = 0.02  # a signature must be at least two points more frequent after than before
OUTSIDE = (0.005, 0.995)  # healthy range of a number: one row in a hundred is outside by definition
MAX_VALUES = 200  # values of one column looked at, most frequent after first
QUALITY = ("auc", "average_precision", "log_loss", "calibration_error")
NUMBER_QUALITY = ("mae", "rmse", "bias")


@dataclass(frozen=True)
class Loss:
    """How bad a row is: `value` grows with harm and is null where unknown; a row is bad when it exceeds `threshold`."""

    value: nw.Expr
    threshold: float
    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Signature:
    """A mark that rows carry far more often after than before: `test` is true on the rows that carry it."""

    test: nw.Expr
    column: str
    says: str
    share_before: float
    share_after: float


def loss_for(metric: str, roles: Roles, positive: dict[str, Any], task: str, sample: pl.DataFrame) -> Loss | None:
    """Choose the loss of a row for the metric that fell; None when single rows do not have that metric.

    Parameters
    ----------
    metric : str
        A metric name of the case format.
    sample : Polars frame
        Sampled rows with `rk_after`; thresholds come from the healthy ones.

    Examples
    --------
    >>> frame = pl.DataFrame({"ts": [0], "err": ["timeout"], "rk_after": [1], "rk_inside": [1]})
    >>> loss_for("error_rate", Roles(time="ts", error="err"), {}, "binary", frame).name
    'the request failed'
    """
    schema = dict(nw.from_native(sample).schema)
    kind, _, column = metric.partition(":")
    if kind == "error_rate" and roles.error:
        return Loss(_number(error_flag(roles.error, schema[roles.error])), 0.5, "the request failed", (roles.error,))
    if kind == "null_rate" and column in schema:
        return Loss(_number(nw.col(column).is_null()), 0.5, f"{column} is missing", (column,))
    if kind.startswith("latency") and roles.latency_ms:
        value = as_number(roles.latency_ms, schema[roles.latency_ms])
        return _above(value, sample, LATENCY_QUANTILE, "slower than 99 % of healthy requests", (roles.latency_ms,))
    if kind == "kpi" and column in roles.kpi and column in schema:
        return _kpi_loss(column, roles, positive, schema, sample)
    return _quality_loss(kind, roles, positive, task, schema, sample)


def signature_of(suspect: Suspect | None, metric: str, roles: Roles, sample: pl.DataFrame) -> Signature | None:
    """Find the mark that the first suspect leaves on rows, by comparing the affected rows after with those before.

    Looked at, in the suspect's column: missing values, single values (new ones too), numbers outside their healthy range. The
    mark whose share rose most wins, when it rose by at least `MIN_LIFT`.
    """
    if metric.startswith("null_rate:") and metric.partition(":")[2] in sample.columns:
        return _column_signature(metric.partition(":")[2], sample)
    if suspect is None:
        return None
    told = " ".join([suspect.title, *suspect.chain, *(e.says for e in suspect.evidence if e.supports)])
    kind, _, name = suspect.subject.partition(":")
    if kind == "feature" and name in sample.columns:
        return _column_signature(name, sample)
    if kind == "stage" and name in sample.columns:
        return _column_signature(name, sample)
    if kind == "model" and roles.model_version in sample.columns and roles.model_version:
        return _column_signature(roles.model_version, sample)
    if kind == "label" and roles.label in sample.columns and roles.label:
        return _column_signature(roles.label, sample)
    if kind == "threshold" and roles.score in sample.columns and roles.decision in sample.columns:
        return _threshold_signature(roles, sample)
    if kind in ("component", "routing", "population"):
        # the suspect itself is not in the log; a feature that its evidence names can be
        named = [c for c in roles.features if c in sample.columns and re.search(rf"(?<!\w){re.escape(c)}(?!\w)", told)]
        found = [s for s in (_column_signature(c, sample) for c in named) if s is not None]
        return max(found, key=lambda s: s.share_after - s.share_before, default=None)
    return None


def share(test: nw.Expr, frame: pl.DataFrame) -> float:
    """Share of rows where the test holds; 0 for no rows."""
    return shares([test], frame)[0]


def shares(tests: list[nw.Expr], frame: pl.DataFrame) -> list[float]:
    """Share of rows where each test holds, all of them in one pass."""
    if not frame.height:
        return [0.0] * len(tests)
    means = nw.from_native(frame).select(**{f"x{i}": _number(t).fill_null(0.0).mean() for i, t in enumerate(tests)})
    return [float(v or 0.0) for v in means.row(0)]


def evaluate(expression: nw.Expr, frame: pl.DataFrame) -> pl.Series:
    """Evaluate an expression on sampled rows."""
    out: pl.Series = nw.from_native(frame).select(x=expression)["x"].to_native()
    return out


def _number(test: nw.Expr) -> nw.Expr:
    return test.cast(nw.Int64).cast(nw.Float64)


def healthy(sample: pl.DataFrame) -> pl.DataFrame:
    """Give the rows before, of the affected segments where there are any."""
    before = sample.filter(pl.col(WINDOW) == 0)
    affected = before.filter(pl.col(INSIDE) == 1)
    return affected if affected.height else before


def _above(value: nw.Expr, sample: pl.DataFrame, quantile: float, name: str, columns: tuple[str, ...]) -> Loss | None:
    base = healthy(sample)
    values = evaluate(value, base if base.height else sample).drop_nulls()
    if not len(values):
        return None
    limit = values.cast(pl.Float64).quantile(quantile, interpolation="lower")
    return Loss(value, float(limit if limit is not None else 0.0), name, columns)


def _kpi_loss(column: str, roles: Roles, positive: dict[str, Any], schema: dict[str, Any], sample: pl.DataFrame) -> Loss | None:
    value = _number(flag(column, positive[column])) if column in positive else as_number(column, schema[column])
    good_up = roles.kpi[column] == "higher"
    found = evaluate(value, sample).drop_nulls().unique().to_list()
    if set(found) <= {0.0, 1.0}:
        return Loss(1 - value if good_up else value, 0.5, f"{column} turned out {'0' if good_up else '1'}", (column,))
    name = f"{column} is unusually {'low' if good_up else 'high'}"
    return _above(-value if good_up else value, sample, BAD_QUANTILE, name, (column,))


def _quality_loss(
    kind: str, roles: Roles, positive: dict[str, Any], task: str, schema: dict[str, Any], sample: pl.DataFrame
) -> Loss | None:
    label, score, decision = roles.label, roles.score, roles.decision
    if not label or label not in schema:
        return None
    binary = label in positive and task not in ("regression", "multiclass")
    if kind in NUMBER_QUALITY and score and schema[label].is_numeric():
        gap = as_number(score, schema[score]) - as_number(label, schema[label])
        return _above(gap.abs(), sample, BAD_QUANTILE, "the estimate is further off than 95 % of healthy ones", (score, label))
    if kind in QUALITY and binary and score:
        return _score_loss(score, label, positive, schema, sample)
    if kind in ("precision", "recall", "f1", "accuracy", *QUALITY) and decision and decision in schema:
        if binary and decision in positive:
            called, truth = flag(decision, positive[decision]), flag(label, positive[label])
            wrong = {"precision": called * (1 - truth), "recall": truth * (1 - called)}.get(kind, (called - truth).abs())
            name = {"precision": "false positive", "recall": "false negative"}.get(kind, "decided wrongly")
            return Loss(_number(wrong), 0.5, name, (decision, label))
        wrong = _number(nw.col(decision).cast(nw.String) != nw.col(label).cast(nw.String))
        if score and schema[score].is_numeric():  # the surest mistakes first
            wrong = wrong * (1 + as_number(score, schema[score]).fill_null(0.0).clip(0.0, 1.0))
        return Loss(wrong, 0.5, "decided wrongly", (decision, label))
    if kind in ("accuracy", "precision", "recall", "f1") and binary and score:
        return _score_loss(score, label, positive, schema, sample)
    return None


def _score_loss(score: str, label: str, positive: dict[str, Any], schema: dict[str, Any], sample: pl.DataFrame) -> Loss | None:
    p, y = as_number(score, schema[score]), _number(flag(label, positive[label]))
    values = evaluate(p, sample).drop_nulls().to_numpy()
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1:  # no probability: the loss is how far the score is on the wrong side of the middle
        base = evaluate(p, healthy(sample)).drop_nulls().to_numpy()
        middle, spread = (float(np.median(base)), float(np.std(base))) if len(base) else (0.0, 1.0)
        value = (1 - 2 * y) * (p - middle) / (spread or 1.0)
    else:
        p = p.clip(LOG_LOSS_FLOOR, 1 - LOG_LOSS_FLOOR)
        value = -(y * p.log() + (1 - y) * (1 - p).log())
    return _above(value, sample, BAD_QUANTILE, "its score is further from its label than 95 % of healthy ones", (score, label))


def _column_signature(column: str, sample: pl.DataFrame) -> Signature | None:
    before = healthy(sample)
    after = sample.filter((pl.col(WINDOW) == 1) & (pl.col(INSIDE) == 1))
    if not before.height or not after.height:
        return None
    tests: list[tuple[nw.Expr, str]] = [(nw.col(column).is_null(), f"{column} is missing")]
    numeric = sample.schema[column].is_numeric()
    if numeric:
        values = before[column].cast(pl.Float64).drop_nulls()
        if len(values):
            low, high = (float(values.quantile(q, interpolation="nearest") or 0.0) for q in OUTSIDE)
            tests.append((nw.col(column) > high, f"{column} is above {high:.6g}, its healthy range"))
            tests.append((nw.col(column) < low, f"{column} is below {low:.6g}, its healthy range"))
    counts = after[column].drop_nulls().value_counts(name="rk_n").sort(["rk_n", column], descending=[True, False])
    values_after = [v for v in counts[column].head(MAX_VALUES).to_list() if not (isinstance(v, float) and not np.isfinite(v))]
    tests += [(nw.col(column) == v, f"{column} is {display(v)}") for v in values_after]
    rates = [shares([t for t, _ in tests], part) for part in (before, after)]
    found = [Signature(t, column, says, b, a) for (t, says), b, a in zip(tests, *rates, strict=True)]
    best = max(found, key=lambda s: s.share_after - s.share_before)
    return best if best.share_after - best.share_before >= MIN_LIFT else None


def _threshold_signature(roles: Roles, sample: pl.DataFrame) -> Signature | None:
    """Rows between the old and the new threshold: those that are now decided otherwise."""
    score, decision = roles.score, roles.decision
    assert score and decision
    cuts = []
    for after in (0, 1):
        part = (
            sample.filter((pl.col(WINDOW) == after) & (pl.col(INSIDE) == 1))
            .select(pl.col(score).cast(pl.Float64), pl.col(decision).cast(pl.String))
            .drop_nulls()
        )
        cuts.append(best_cut(part[score].to_numpy(), part[decision].to_numpy()))
    if cuts[0] is None or cuts[1] is None or cuts[0] == cuts[1]:
        return None
    low, high = sorted((cuts[0], cuts[1]))
    test = (nw.col(score) >= low) & (nw.col(score) < high)
    base, now = healthy(sample), sample.filter((pl.col(WINDOW) == 1) & (pl.col(INSIDE) == 1))
    says = f"{score} lies between the old and the new threshold ({cuts[0]:.4g} and {cuts[1]:.4g})"
    return Signature(test, score, says, share(test, base), share(test, now))


def best_cut(scores: np.ndarray[Any, Any], decisions: np.ndarray[Any, Any]) -> float | None:
    """Find the score that separates two decisions best; None unless it gets 99 % of the rows right.

    Examples
    --------
    >>> best_cut(np.array([0.1, 0.4, 0.5, 0.9]), np.array(["0", "0", "1", "1"]))
    0.45
    """
    classes = np.unique(decisions)
    if len(classes) != 2:
        return None
    order = np.argsort(scores, kind="stable")
    s, d = scores[order], (decisions[order] == classes[1]).astype(int)
    ones_left = np.concatenate([[0], np.cumsum(d)])
    zeros_left = np.arange(len(d) + 1) - ones_left
    right = np.maximum(zeros_left + ones_left[-1] - ones_left, ones_left + zeros_left[-1] - zeros_left)
    right[1:-1][s[1:] == s[:-1]] = -1  # no cut between equal scores
    k = int(np.argmax(right))
    if right[k] < 0.99 * len(d) or k in (0, len(d)):  # some services override a few decisions by rule
        return None
    return float((s[k - 1] + s[k]) / 2)
