"""Labels follow a feature less: its values are no longer those of their requests, or the world changed its mind about it."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.loop.s4_suspects.room import numbers
from rca_kit.loop.s4_suspects.surrogate import Encoder

Floats = NDArray[np.float64]

LINKED_Z = 6.0  # standard errors of a feature's multiple correlation with the others from which its loss would be seen
LINK_WANDERS = 0.15  # part by which such a correlation differs from day to day
LABELS_CLUMP = 1.5  # standard errors, for each that independent labels have, of what labels do by themselves
# deviations by which a world that changed moves the mean label; and by which the log of their variance
WORLD_RATE, WORLD_SPREAD = 0.08, 0.15
VALUES_LEAST = 20  # values that labels must have for their spread to tell what their mean does not


def world_odds(
    frames: tuple[pl.DataFrame, pl.DataFrame], column: str, others: list[str], y: tuple[Floats, Floats] | None, part: float,
    error: float,
) -> float:
    """Log of how much likelier it is that the world changed than that a feature's values are those of other requests.

    Values of others keep their distribution, go with the other features `part` as much as they did, as they do with labels, and
    leave the labels themselves alone, mean and spread. Where the world changes its mind about a feature, its values are those of
    their requests as ever, labels become more or fewer, or spread otherwise, and may follow it the other way round. Each of these
    is asked by the ratio of two likelihoods.

    Parameters
    ----------
    frames : (DataFrame, DataFrame)
        Rows before and after.
    column, others : str, list of str
        The numeric feature that labels follow less, and the features that it may go with.
    y : (array, array) of shape (rows,), optional
        Labels as numbers, where they tell of the world and not of how good an answer was.
    part, error : float
        Part of the relation with labels that is left, and its standard error.
    """
    turned = max((part / error) ** 2 / 2 + np.log(error * np.sqrt(2 * np.pi) / 2), 0.0) if part < 0 else 0.0
    return float(turned) + _by_links(frames, column, others, part) + (_by_labels(*y) if y is not None else 0.0)


def _by_links(frames: tuple[pl.DataFrame, pl.DataFrame], column: str, others: list[str], part: float) -> float:
    encoder = Encoder.fit(frames[0], others)
    x = [numbers(f, column) for f in frames]
    z = [_design(encoder, f) for f in frames]
    own = np.isfinite(x[0])
    half = own & (np.arange(own.size) % 2 == 0)
    if half.sum() < 10 * z[0].shape[1] or not x[0][half].std() > 0:
        return 0.0
    middle, spread = np.median(x[0][half]), x[0][half].std()
    scaled = [np.clip((v - middle) / spread, -3, 3) for v in x]
    beta = np.linalg.lstsq(z[0][half], scaled[0][half], rcond=None)[0]
    fitted = [m @ beta for m in z]
    sides = ((fitted[0], scaled[0], own & ~half), (fitted[1], scaled[1], np.isfinite(x[1])))
    (before, n), (after, m) = (_correlation(p[ok], v[ok]) for p, v, ok in sides)
    if min(n, m) < 10 or before < LINKED_Z / np.sqrt(n):
        return 0.0
    error = 1 / n + 1 / m + (LINK_WANDERS * before) ** 2
    return float(((after - max(part, 0.0) * before) ** 2 - (after - before) ** 2) / (2 * error))


def _design(encoder: Encoder, frame: pl.DataFrame) -> Floats:
    """Columns of numbers, missing ones at zero; of categories, one for each of the commonest values, and a constant."""
    columns = []
    for name, values in zip(encoder.names, encoder.apply(frame).T, strict=True):
        if name in encoder.levels:
            columns += [(values == level).astype(float) for level in range(min(len(encoder.levels[name]), 5))]
        else:
            spread = (encoder.high[name] - encoder.low[name]) or 1.0
            columns.append(np.nan_to_num(np.clip((values - encoder.low[name]) / spread, 0, 1), nan=0.5))
    return np.column_stack([*columns, np.ones(frame.height)])


def _correlation(a: Floats, b: Floats) -> tuple[float, int]:
    return (float(np.corrcoef(a, b)[0, 1]), a.size) if a.size > 2 and a.std() > 0 and b.std() > 0 else (0.0, 0)


def _by_labels(before: Floats, after: Floats) -> float:
    b, a = (y[np.isfinite(y)] for y in (before, after))
    if min(b.size, a.size) < VALUES_LEAST or not b.std() > 0:
        return 0.0
    unit = np.sqrt(1 / b.size + 1 / a.size)
    odds = _log_ratio((a.mean() - b.mean()) / b.std(), unit, WORLD_RATE)
    if np.unique(b).size < VALUES_LEAST or not a.std() > 0:
        return odds
    tails = [float((((y - y.mean()) / y.std()) ** 4).mean()) for y in (b, a)]  # they tell how much a variance varies
    error = np.sqrt(sum(max(k - 1, 0.1) / y.size for k, y in zip(tails, (b, a), strict=True)))
    return odds + _log_ratio(float(np.log(a.var() / b.var())), float(error), WORLD_SPREAD)


def _log_ratio(x: float, error: float, moves: float) -> float:
    """Log likelihood ratio of a difference under a normal spread `moves` wide, and under none, given its error."""
    still = LABELS_CLUMP * error
    wide = float(np.hypot(still, moves))
    return float(np.log(still / wide) + x**2 / 2 * (1 / still**2 - 1 / wide**2))
