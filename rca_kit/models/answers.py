"""What a model is to the kit, and what its answers must look like.

A model is any callable that takes a frame with the feature columns and gives one answer per row: a 1-D array of scores or class
names, or `Answers` when some rows failed. It may have `name`, `chunk` (rows per call that suit it), `features(frame)` (what it
computes its score from) and `parts(frame)` (pairs of a first row and the `Answers` from there on, as they arrive, each row
once). A new adapter is one class with `__call__`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rca_kit.errors import BadInput

Model = Callable[[Any], Any]


@dataclass(frozen=True)
class Answers:
    """One value per row, None or NaN where there is none; `errors` says why, by row."""

    values: Any
    errors: Mapping[int, str] = field(default_factory=dict)


class BadAnswer(BadInput):
    """A model gave something that is not one answer per row."""


def to_answers(output: Any, rows: int) -> Answers:
    """Check and normalise whatever a model returned.

    Parameters
    ----------
    output : array_like or Answers
        Shape (rows,), (rows, 1), or (rows, 2) for the probabilities of no and yes; with more columns the class with the largest
        value is the answer. A frame with one column is fine too.
    rows : int
        How many rows were asked.

    Returns
    -------
    Answers
        `values` is a float array, or an object array of texts and other values. Answers that are missing or not finite are in
        `errors`.

    Raises
    ------
    BadAnswer
        When the number of answers is not the number of rows.

    Examples
    --------
    >>> to_answers([0.2, float("nan")], 2).errors
    {1: 'the answer is missing or not a finite number'}
    """
    given = output.errors if isinstance(output, Answers) else {}
    values = _array(output.values if isinstance(output, Answers) else output)
    if values.ndim == 0 or values.shape[0] != rows:
        raise BadAnswer("the model must give one answer per row", found=f"shape {values.shape}", expected=f"({rows},)")
    if values.ndim == 2:
        values = values[:, 0] if values.shape[1] == 1 else values[:, 1] if values.shape[1] == 2 else values.argmax(axis=1)
    elif values.ndim > 2:
        raise BadAnswer("the model must give one answer per row", found=f"shape {values.shape}", expected=f"({rows},)")
    if values.dtype == object:
        values = _numeric_if_possible(values)
    if values.dtype.kind in "biuf":
        values = values.astype(np.float64)
        bad = np.flatnonzero(~np.isfinite(values))
        values[bad] = np.nan
    else:
        values = values.astype(object)
        bad = np.flatnonzero([v is None or (isinstance(v, float) and v != v) for v in values])
    errors = {int(i): given.get(int(i), "the answer is missing or not a finite number") for i in bad}
    return Answers(values, errors)


def _array(output: Any) -> Any:
    if isinstance(output, dict):
        if len(output) != 1:
            raise BadAnswer("the model must give one column of answers", found=", ".join(map(str, output)))
        output = next(iter(output.values()))
    if hasattr(output, "to_numpy"):
        output = output.to_numpy()
    if isinstance(output, (str, bytes)) or output is None:
        raise BadAnswer("the model must give one answer per row", found=type(output).__name__, expected="an array")
    try:
        return np.asarray(output)
    except ValueError:  # ragged rows: each is an answer of its own
        out = np.empty(len(output), dtype=object)
        out[:] = list(output)
        return out


def _numeric_if_possible(values: Any) -> Any:
    out = np.empty(len(values))
    for i, v in enumerate(values):
        if v is None:
            out[i] = np.nan
        elif isinstance(v, (int, float, np.number, np.bool_)):
            out[i] = v
        else:
            return values
    return out


def call(model: Model, frame: Any, rows: int) -> Answers:
    """Ask a model and check its answers."""
    return to_answers(model(frame), rows)


def name_of(model: Any, fallback: str) -> str:
    """Give a model's own name, or another."""
    found = getattr(model, "name", None) or getattr(model, "__name__", None)
    return str(found) if found and found != "<lambda>" else fallback


def to_pandas(frame: Any) -> Any:
    """Give any eager frame as pandas, as most model libraries want it."""
    import narwhals as nw

    return nw.from_native(frame, eager_only=True).to_pandas()


def to_records(frame: Any) -> list[dict[str, Any]]:
    """Give any eager frame as one dict per row, with None for missing values and NaN."""
    import narwhals as nw

    rows: list[dict[str, Any]] = nw.from_native(frame, eager_only=True).to_arrow().to_pylist()
    return [{k: None if isinstance(v, float) and v != v else v for k, v in r.items()} for r in rows]
