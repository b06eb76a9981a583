"""The series as the statistics see it: checked, missing buckets dropped, gaps and precisions kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rca_kit.errors import BadInput

Array = NDArray[np.float64]
Index = NDArray[np.int64]

MIN_VALUES = 8  # fewer observed values cannot tell a change from chance at any size
PRIOR_TRIALS = 0.5  # Jeffreys: keeps the variance of an all-zero rate above zero
LARGEST = 1e150  # squares of larger values overflow


@dataclass(frozen=True)
class Series:
    """Observed values of one metric.

    Attributes
    ----------
    y : (m,) observed values
    precision : (m,) square root of the relative precision, 1 for plain values; noise has sd sigma / precision
    gap : (m,) distance to the previous observed value in buckets; gap[0] is 1
    index : (m,) position of each observed value in the series given
    n : length of the series given
    trials : (m,) counts behind rates, or None
    known : whether the error of each value is known: then its variance is 1 / precision squared
    """

    y: Array
    precision: Array
    gap: Array
    index: Index
    n: int
    trials: Array | None = None
    known: bool = False


def _floats(name: str, values: Any, n: int | None) -> Array:
    try:
        out = np.asarray(values)
        if out.dtype == object and len(out) and isinstance(out.flat[0], datetime):
            out = np.asarray([t.timestamp() for t in out.flat])
        out = out.astype("datetime64[us]").astype(np.float64) if out.dtype.kind == "M" else out.astype(np.float64)
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        expected = "numbers or datetimes, increasing" if name == "times" else "a 1-D array of floats, NaN = missing"
        raise BadInput(f"`{name}` must be numbers", found=str(error), expected=expected) from None
    if out.ndim != 1:
        raise BadInput(f"`{name}` must be one-dimensional", found=f"shape {out.shape}", expected="shape (n,)")
    if n is not None and len(out) != n:
        raise BadInput(f"`{name}` has another length than `values`", found=str(len(out)), expected=str(n))
    if np.isinf(out).any():
        raise BadInput(f"`{name}` holds infinite values", found=f"inf at index {int(np.flatnonzero(np.isinf(out))[0])}",
                       expected="finite numbers", hint="write NaN where a value is missing")
    if len(out) and np.nanmax(np.abs(out), initial=0.0) > LARGEST:
        raise BadInput(f"`{name}` holds values too large to square", found=f"{np.nanmax(np.abs(out)):.3g}",
                       expected=f"at most {LARGEST:.0e}", hint="divide by a constant: changes do not depend on the unit")
    return out


def read_series(values: Any, trials: Any = None, times: Any = None, standard_errors: Any = None) -> Series:
    """Check the arguments of `find_changes` and drop missing buckets.

    Raises
    ------
    BadInput
        On wrong shapes, infinite values, rates outside 0..1, negative trials, times that do not increase.
    """
    raw = _floats("values", values, None)
    n = len(raw)
    keep = np.isfinite(raw)
    precision = np.ones(n)
    counts: Array | None = None
    if trials is not None and standard_errors is not None:
        raise BadInput("give `trials` or `standard_errors`, not both", hint="`trials` for rates, `standard_errors` for the rest")
    if trials is not None:
        counts = _floats("trials", trials, n)
        if (counts < 0).any():
            raise BadInput("`trials` holds negative counts", found=str(counts.min()), expected="0 or more")
        if keep.any() and (raw[keep].min() < 0 or raw[keep].max() > 1):
            raise BadInput("with `trials`, `values` are rates", found=f"{raw[keep].min():.4g} to {raw[keep].max():.4g}",
                           expected="0 to 1", hint="give k / n, not k")
        keep &= np.nan_to_num(counts) > 0
        total = counts[keep].sum()
        if total > 0:
            share = ((counts * np.nan_to_num(raw))[keep].sum() + PRIOR_TRIALS) / (total + 2 * PRIOR_TRIALS)
            precision = np.sqrt(np.maximum(np.nan_to_num(counts), 1e-12) / (share * (1 - share)))
    if standard_errors is not None:
        se = _floats("standard_errors", standard_errors, n)
        if (se[keep] < 0).any():
            raise BadInput("`standard_errors` holds negative values", found=str(se[keep].min()), expected="above 0")
        keep &= np.isfinite(se)
        positive = se[keep & (se > 0)]
        floor = float(np.median(positive)) * 1e-3 if len(positive) else 1.0
        precision = 1.0 / np.maximum(np.nan_to_num(se, nan=1.0), floor)
    position = np.arange(n, dtype=np.float64)
    if times is not None:
        position = _positions(_floats("times", times, n))
    index = np.flatnonzero(keep).astype(np.int64)
    gap = np.ones(len(index))
    gap[1:] = np.diff(position[index])
    return Series(raw[index], precision[index], gap, index, n, None if counts is None else counts[index],
                  trials is not None or standard_errors is not None)


def _positions(times: Array) -> Array:
    """Express times in units of the usual spacing."""
    if np.isnan(times).any():
        raise BadInput("`times` holds missing values", expected="one time per value")
    steps = np.diff(times)
    if len(steps) == 0:
        return np.zeros(len(times))
    if steps.min() <= 0:
        at = int(np.flatnonzero(steps <= 0)[0]) + 1
        raise BadInput("`times` must increase", found=f"index {at} is not after index {at - 1}", hint="sort by time first")
    return np.concatenate([[0.0], np.cumsum(steps)]) / float(np.median(steps))
