"""What the answers of two versions mean: task, labels, classes, thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from rca_kit.errors import BadInput
from rca_kit.loop.tables import numbers
from rca_kit.loop.versions.labelled import Labelled

MAX_CLASSES = 50  # whole-number labels with more values than this are quantities
YES = ({"1", "0"}, {"true", "false"}, {"yes", "no"}, {"y", "n"})


@dataclass(frozen=True)
class Ids(Sequence[str]):
    """Names of samples, written out one by one where they are shown: their ids, or their place among the samples."""

    size: int
    column: pl.Series | None = None

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, at: Any) -> Any:
        value = None if self.column is None else self.column[int(at)]
        return f"row {int(at)}" if value is None else str(value)


@dataclass(frozen=True)
class Answered:
    """Samples with the answers of both versions, one array per repeat."""

    frame: pl.DataFrame
    ids: Sequence[str]
    label: str
    id: str
    previous: tuple[Any, ...]
    current: tuple[Any, ...]
    features: tuple[str, ...]
    dimensions: tuple[str, ...]
    cluster: str | None = None


def read_labels(
    a: Answered, rows: Any, task: str | None, threshold: float | Mapping[str, float] | None, notes: list[str]
) -> Labelled:
    """Read labels and answers of some rows by their task; `notes` gains what was assumed."""
    whole = len(rows) == a.frame.height  # nothing to leave out, and so nothing to copy
    column = a.frame[a.label] if whole else a.frame[a.label][rows]
    first, second = (tuple(x if whole else x[rows] for x in side) for side in (a.previous, a.current))
    numeric = all(x.dtype != object for x in (*first, *second))
    task = task or _task(column, first + second, numeric)
    clusters = None if a.cluster is None else a.frame[a.cluster][rows].rank("dense").fill_null(0).to_numpy().astype(np.int64)
    if task == "regression":
        if not numeric or not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
            raise BadInput("regression needs numbers as labels and as answers", column=a.label, found=str(column.dtype))
        return Labelled("regression", numbers(column), first, second, clusters=clusters)
    if task == "binary" and numeric:
        y = _zero_one(column, a.label)
        decisions = all(_zeros_and_ones(x) for x in (*first, *second))
        probabilities = not decisions and all(len(x) == 0 or (x.min() >= 0 and x.max() <= 1) for x in (*first, *second))
        cut = _thresholds(threshold, y, first, decisions, probabilities, notes)
        return Labelled("binary", y, first, second, probabilities, not decisions, cut, clusters)
    if task not in ("binary", "multiclass"):
        raise BadInput(
            "replay cannot score this task",
            found=task,
            expected="binary, multiclass or regression",
            hint="compare_shadow compares texts and rankings without labels",
        )
    as_text = [np.asarray([_class(v) for v in x], dtype=object) for x in (*first, *second)]
    y = np.asarray([_class(v) for v in column.to_list()], dtype=object)
    return Labelled(
        "multiclass", y, tuple(as_text[: len(first)]), tuple(as_text[len(first) :]), continuous=False, clusters=clusters
    )


def _task(column: pl.Series, answers: Sequence[Any], numeric: bool) -> str:
    if not numeric:
        return "multiclass"
    if column.dtype == pl.Boolean:
        return "binary"
    if not column.dtype.is_numeric():
        return "binary" if {str(v).lower() for v in column.unique().to_list()} in YES else "multiclass"
    values = np.sort(numbers(column.unique()))
    if np.isin(values, (0.0, 1.0)).all():
        return "binary"
    whole = bool((values == np.round(values)).all()) and len(values) <= MAX_CLASSES
    return "multiclass" if whole and all(np.isin(x, values).all() for x in answers) else "regression"


def _zeros_and_ones(values: Any) -> bool:
    return bool(((values == 0) | (values == 1)).all())


def _zero_one(column: pl.Series, name: str) -> Any:
    if column.dtype == pl.Boolean or column.dtype.is_numeric():
        y = numbers(column)
        if _zeros_and_ones(y):
            return y
    else:
        text = [str(v).lower() for v in column.to_list()]
        if any(set(text) <= pair for pair in YES):
            return np.asarray([t in ("1", "true", "yes", "y") for t in text], dtype=np.float64)
    found = ", ".join(str(v) for v in column.unique().sort().head(5).to_list())
    raise BadInput("a binary label must be 0 or 1", column=name, found=found)


def _class(value: Any) -> str:
    """Name a class alike whether it came as 1, 1.0 or True."""
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _thresholds(
    threshold: float | Mapping[str, float] | None,
    y: Any,
    previous: Sequence[Any],
    decisions: bool,
    probabilities: bool,
    notes: list[str],
) -> tuple[float | None, float | None]:
    if decisions:
        return (None, None)
    if isinstance(threshold, Mapping):
        unknown = [k for k in threshold if k not in ("current", "previous")]
        if unknown:
            raise BadInput("a threshold is of a version", found=unknown[0], expected="current, previous")
        fallback = 0.5 if probabilities else None
        return (threshold.get("previous", fallback), threshold.get("current", fallback))
    if threshold is not None:
        return (float(threshold), float(threshold))
    if probabilities:
        return (0.5, 0.5)
    if not len(y):
        return (None, None)
    cut = float(np.quantile(previous[0], 1 - float(np.mean(y))))
    notes.append(f"no threshold given: decisions are cut at {cut:.6g}, where the previous version says yes as often as labels")
    return (cut, cut)
