"""Can this golden set carry a verdict: size, coverage, staleness, duplicates, leakage."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from rca_kit.errors import BadInput
from rca_kit.findings.replay import GoldenHealth, HealthCheck
from rca_kit.findings.shadow import NamedRows
from rca_kit.loop.tables import guess_dimensions, to_polars
from rca_kit.loop.versions.feature_compare import PSI_MOVED, psi

MIN_CLASS = 100  # samples of each class: the AUC's standard error is then about 0.03
DETECTED = 0.02  # loss of accuracy that the set should show with 80 % power, when a twentieth of decisions flip
FLIPPED = 0.05
MIN_SEGMENT = 30  # samples of each segment with at least 1 % of traffic
TRAFFIC_SHARE = 0.01
STALE = timedelta(days=180)  # age of the median label beyond which the world has had time to change
MAX_LISTED = 5


def golden_health(
    golden: Any,
    label: str = "label",
    id: str = "sample_id",
    features: Sequence[str] | None = None,
    dimensions: Sequence[str] | None = None,
    traffic: Any = None,
    training_ids: Sequence[Any] | None = None,
    label_time: str | None = None,
    now: datetime | None = None,
) -> GoldenHealth:
    """Check a golden set.

    Parameters
    ----------
    golden : frame or path
        Labelled samples.
    label, id : str
        Columns; the id column may be missing.
    features : sequence of str, optional
        Columns whose combination makes a sample; all but label, id and label time when absent.
    dimensions : sequence of str, optional
        Columns whose values should be covered; texts, booleans and integers of few values when absent.
    traffic : frame or path, optional
        Current traffic, for coverage.
    training_ids : sequence, optional
        Ids the model was trained on.
    label_time : str, optional
        Column with the time each label was given, UTC.
    now : datetime, optional
        Moment the age of labels is counted to; the newest label when absent.

    Returns
    -------
    GoldenHealth
        One check each: fine, weak, or not applicable with the reason.

    Examples
    --------
    >>> g = pl.DataFrame({"sample_id": range(40), "x": range(40), "label": [0, 1] * 20})
    >>> golden_health(g).checks["size"].status
    'weak'
    """
    frame = to_polars(golden, name="the golden set")
    if label not in frame.columns:
        raise BadInput("the golden set has no such column", column=label, found=", ".join(frame.columns))
    chosen = list(features) if features is not None else [c for c in frame.columns if c not in (label, id, label_time)]
    names = list(dimensions) if dimensions is not None else guess_dimensions(frame.select(chosen))
    current = to_polars(traffic, name="the traffic") if traffic is not None else None
    checks = [
        _size(frame, label),
        _classes(frame, label),
        _duplicates(frame, id, chosen, label),
        _leakage(frame, id, training_ids),
        _stale(frame, label_time, now),
        _coverage(frame, names, current),
        _drift(frame, chosen, current),
    ]
    return GoldenHealth(NamedRows(checks))


def _size(frame: pl.DataFrame, label: str) -> HealthCheck:
    n = frame.height - frame[label].null_count()
    # McNemar's test: (z_a sqrt(f) + z_b sqrt(f - d^2))^2 / d^2 pairs (Connor 1987)
    needed = int(np.ceil((1.96 * np.sqrt(FLIPPED) + 0.84 * np.sqrt(FLIPPED - DETECTED**2)) ** 2 / DETECTED**2))
    says = f"{n:,} labelled samples; {needed:,} show a loss of {DETECTED:.0%} accuracy when {FLIPPED:.0%} of decisions flip"
    return HealthCheck("size", "fine" if n >= needed else "weak", says)


def _classes(frame: pl.DataFrame, label: str) -> HealthCheck:
    known = frame[label].drop_nulls()
    if known.dtype.is_float() and known.n_unique() > 20:
        return HealthCheck("classes", "not_applicable", "the label is a quantity")
    counts = known.cast(pl.String).alias("v").to_frame().group_by("v").len().sort(["len", "v"])
    few = counts.filter(pl.col("len") < MIN_CLASS)
    listed = ", ".join(f"{v} ({n})" for v, n in few.head(MAX_LISTED).iter_rows())
    if counts.height < 2:
        return HealthCheck("classes", "weak", "there is one class only")
    return HealthCheck(
        "classes",
        "weak" if few.height else "fine",
        f"fewer than {MIN_CLASS} samples of class {listed}" if few.height else f"{counts.height} classes covered",
    )


def _duplicates(frame: pl.DataFrame, id: str, features: Sequence[str], label: str) -> HealthCheck:
    ids = int(frame[id].drop_nulls().is_duplicated().sum()) if id in frame.columns else 0
    plain = [f for f in features if not frame.schema[f].is_nested()]
    same = frame.select(plain).is_duplicated() if plain else pl.Series([False] * frame.height)
    conflicting = 0
    if plain and same.any():
        conflicting = frame.filter(same).group_by(plain).agg(pl.col(label).n_unique().alias("_k")).filter(pl.col("_k") > 1).height
    weak = ids > 0 or conflicting > 0 or same.sum() > 0.05 * frame.height
    return HealthCheck(
        "duplicates",
        "weak" if weak else "fine",
        f"{ids:,} samples share an id, {int(same.sum()):,} have the features of another, {conflicting:,} of these "
        "groups have labels that disagree",
    )


def _leakage(frame: pl.DataFrame, id: str, training_ids: Sequence[Any] | None) -> HealthCheck:
    if training_ids is None or id not in frame.columns:
        return HealthCheck("leakage", "not_applicable", "no ids of the training data were given")
    known = {str(i) for i in training_ids}
    found = int(frame[id].cast(pl.String).is_in(list(known)).sum())
    return HealthCheck("leakage", "weak" if found else "fine", f"{found:,} of {frame.height:,} samples were trained on")


def _stale(frame: pl.DataFrame, label_time: str | None, now: datetime | None) -> HealthCheck:
    if label_time is None or label_time not in frame.columns:
        return HealthCheck("stale labels", "not_applicable", "no label time was given")
    times = frame[label_time].drop_nulls()
    if not isinstance(times.dtype, (pl.Datetime, pl.Date)):
        return HealthCheck("stale labels", "not_applicable", f"{label_time} holds no times")
    naive = times.cast(pl.Datetime("us"))
    end = now.replace(tzinfo=None) if now is not None else naive.max()
    if end is None:
        return HealthCheck("stale labels", "not_applicable", f"{label_time} is empty")
    ages = (pl.Series([end]).cast(pl.Datetime("us"))[0] - naive).dt.total_days()
    median, old = float(ages.median()), float((ages > STALE.days).mean())
    return HealthCheck(
        "stale labels",
        "weak" if median > STALE.days else "fine",
        f"the median label is {median:.0f} days old, {old:.0%} are older than {STALE.days}",
    )


def _coverage(frame: pl.DataFrame, names: Sequence[str], current: pl.DataFrame | None) -> HealthCheck:
    if current is None:
        return HealthCheck("coverage", "not_applicable", "no current traffic was given")
    missing = []
    for name in names:
        if name not in current.columns or name not in frame.columns:
            continue
        have = dict(frame[name].cast(pl.String).alias("v").to_frame().group_by("v").len().iter_rows())
        traffic = current[name].cast(pl.String).alias("v").to_frame().group_by("v").len()
        for value, n in traffic.sort(["len", "v"], descending=[True, False]).iter_rows():
            share = n / max(current.height, 1)
            if share >= TRAFFIC_SHARE and have.get(value, 0) < MIN_SEGMENT:
                missing.append(
                    (
                        share,
                        f"{name} = {value if value is not None else 'missing'} ({share:.0%} of traffic, "
                        f"{have.get(value, 0)} samples)",
                    )
                )
    listed = "; ".join(text for _, text in sorted(missing, key=lambda m: (-m[0], m[1]))[:MAX_LISTED])
    return HealthCheck(
        "coverage",
        "weak" if missing else "fine",
        f"too few samples of {listed}"
        if missing
        else f"every value with {TRAFFIC_SHARE:.0%} of traffic has {MIN_SEGMENT} samples",
    )


def _drift(frame: pl.DataFrame, features: Sequence[str], current: pl.DataFrame | None) -> HealthCheck:
    if current is None:
        return HealthCheck("like traffic", "not_applicable", "no current traffic was given")
    moved = []
    for f in features:
        if f in current.columns and not frame.schema[f].is_nested():
            index, chance = psi(frame[f], current[f])
            if index is not None and index > PSI_MOVED + chance:
                moved.append((index, f"{f} ({index:.2f})"))
    listed = ", ".join(text for _, text in sorted(moved, key=lambda m: (-m[0], m[1]))[:MAX_LISTED])
    return HealthCheck(
        "like traffic",
        "weak" if moved else "fine",
        f"PSI against current traffic: {listed}" if moved else "features are distributed as in current traffic",
    )
