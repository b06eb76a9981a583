"""How much of a change is mix, how much is rate: Kitagawa-Oaxaca-Blinder over one or two dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rca_kit.errors import BadInput

Floats = NDArray[np.float64]

# A segment counts as having moved against the total only beyond this share of the total's change: flat is flat.
CONTRARY_SHARE = 0.05
Z95 = 1.959964


@dataclass(frozen=True, eq=False)
class Decomposition:
    """The change of an overall mean or rate, split exactly.

    Attributes
    ----------
    total : float
        Overall after minus overall before; ``total == mix + rate`` (and ``interaction`` lies half in each).
    mix : float
        Part from traffic moving between groups, at the average of their rates before and after.
    rate : float
        Part from groups changing inside, at the average of their shares.
    mix_parts, rate_parts : (g,) array
        Per group; they add up to `mix` and `rate`. A group's mix part is taken against the overall mean, so a group that grew
        and is better than average has a positive part whatever the unit's zero.
    before, after : float
        Overall value.
    simpson : bool
        The overall value moved one way and no group beyond chance moved that way inside.
    rate_interval : tuple of float
        95 % interval of `rate`.
    """

    total: float
    mix: float
    rate: float
    mix_parts: Floats
    rate_parts: Floats
    before: float
    after: float
    simpson: bool
    rate_interval: tuple[float, float]


@dataclass(frozen=True, eq=False)
class TwoWay:
    """The change split over two dimensions: mix of the first, mix of the second inside the first, and rate.

    ``total == mix_first + mix_second + rate``.
    """

    total: float
    mix_first: float
    mix_second: float
    rate: float
    first: Decomposition
    cells: Decomposition


def decompose(sum_before: Floats, n_before: Floats, sum_after: Floats, n_after: Floats,
              variance: float | None = None) -> Decomposition:
    """Split the change of an overall mean into mix and rate.

    Parameters
    ----------
    sum_before, n_before, sum_after, n_after : (g,) array
        Sum of the measure (or events) and rows per group. A group unseen in one window keeps the rate of the other: its coming
        or going is mix.
    variance : float, optional
        Variance of one row's value; for rates it is taken from the group's own rate.

    Returns
    -------
    Decomposition

    Raises
    ------
    BadInput
        When the arrays differ in length or a window is empty.

    Notes
    -----
    Kitagawa 1955 (doi 10.1080/01621459.1955.10501299) with the interaction shared evenly, which makes both halves exact and
    symmetric in time. Simpson's paradox: every group's own change, beyond its 95 % interval, is flat or contrary.

    Examples
    --------
    >>> d = decompose(np.array([90., 10.]), np.array([100., 100.]), np.array([45., 16.]), np.array([50., 150.]))
    >>> round(d.total, 3), round(d.mix, 3), round(d.rate, 3), d.simpson
    (-0.195, -0.199, 0.004, True)
    """
    s0, n0, s1, n1 = (np.nan_to_num(np.asarray(x, dtype=np.float64)) for x in (sum_before, n_before, sum_after, n_after))
    if not s0.shape == n0.shape == s1.shape == n1.shape or s0.ndim != 1:
        raise BadInput("groups differ in length", found=str([x.shape for x in (s0, n0, s1, n1)]), expected="four equal vectors")
    if n0.sum() <= 0 or n1.sum() <= 0:
        raise BadInput("one of the windows is empty", found=f"{n0.sum():g} and {n1.sum():g} rows", expected="rows in both")
    known0, known1 = n0 > 0, n1 > 0
    y0 = np.where(known0, s0 / np.where(known0, n0, 1.0), 0.0)
    y1 = np.where(known1, s1 / np.where(known1, n1, 1.0), 0.0)
    y0, y1 = np.where(known0, y0, y1), np.where(known1, y1, y0)
    p0, p1 = n0 / n0.sum(), n1 / n1.sum()
    before, after = float(s0.sum() / n0.sum()), float(s1.sum() / n1.sum())
    middle, share = (y0 + y1) / 2, (p0 + p1) / 2
    reference = float((share * middle).sum())
    mix_parts, rate_parts = (p1 - p0) * (middle - reference), share * (y1 - y0)
    rate = float(rate_parts.sum())
    errors = np.sqrt(_row_variance(y0, variance) / np.maximum(n0, 1) + _row_variance(y1, variance) / np.maximum(n1, 1))
    total = after - before
    half = Z95 * float(np.sqrt(((share * errors) ** 2).sum()))
    moves = np.sign(total) * (y1 - y0)
    along = (moves > Z95 * errors) & (moves > CONTRARY_SHARE * abs(total)) & known0 & known1
    overall = float(np.sqrt(_row_variance(np.array([before]), variance)[0] / n0.sum()
                            + _row_variance(np.array([after]), variance)[0] / n1.sum()))
    simpson = bool(abs(total) > Z95 * overall and not along.any() and np.sign(total) * rate < 0.5 * abs(total)
                   and int((known0 & known1).sum()) >= 2)
    return Decomposition(total, float(mix_parts.sum()), rate, mix_parts, rate_parts, before, after, simpson,
                         (rate - half, rate + half))


def decompose_two_ways(first: NDArray[np.integer], second: NDArray[np.integer], sum_before: Floats, n_before: Floats,
                       sum_after: Floats, n_after: Floats, variance: float | None = None) -> TwoWay:
    """Split the change over two dimensions: who came, what they brought, and what changed inside.

    Parameters
    ----------
    first, second : (n,) array of int
        Codes of both dimensions, per leaf.
    sum_before, n_before, sum_after, n_after : (n,) array
        Per leaf.
    variance : float, optional
        As in `decompose`.

    Examples
    --------
    >>> a, b = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    >>> n = np.full(4, 100.0)
    >>> w = decompose_two_ways(a, b, np.array([10., 20., 30., 40.]), n, np.array([10., 20., 30., 40.]), n)
    >>> w.total, w.mix_first, w.mix_second, w.rate
    (0.0, 0.0, 0.0, 0.0)
    """
    sizes = int(first.max(initial=0)) + 1, int(second.max(initial=0)) + 1
    key = first.astype(np.int64) * sizes[1] + second
    one = decompose(*_by_group(first, sizes[0], sum_before, n_before, sum_after, n_after), variance)
    cells = decompose(*_by_group(key, sizes[0] * sizes[1], sum_before, n_before, sum_after, n_after), variance)
    return TwoWay(cells.total, one.mix, cells.mix - one.mix, cells.rate, one, cells)


def simpson_words(dimension: str, part: Decomposition, measure: str = "the rate") -> str:
    """Say in words what a decomposition found.

    Examples
    --------
    >>> d = decompose(np.array([90., 10.]), np.array([100., 100.]), np.array([45., 16.]), np.array([50., 150.]))
    >>> simpson_words("country", d)
    'the rate fell overall although no country fell by itself: traffic moved between them (102% of the change is mix).'
    """
    went = "fell" if part.total < 0 else "rose"
    if part.total == 0:
        return f"{measure} did not change overall."
    share = part.mix / part.total
    if part.simpson:
        return (f"{measure} {went} overall although no {dimension} {went} by itself: traffic moved between them "
                f"({share:.0%} of the change is mix).")
    return f"{measure} {went}: {share:.0%} of it because traffic moved between {dimension} values, {1 - share:.0%} inside them."


def _by_group(key: NDArray[np.integer], size: int, a: Floats, b: Floats, c: Floats,
              d: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    w, x, y, z = (np.bincount(key, np.asarray(v, dtype=np.float64), minlength=size).astype(np.float64) for v in (a, b, c, d))
    return w, x, y, z


def _row_variance(rate: Floats, variance: float | None) -> Floats:
    if variance is not None:
        return np.full(len(rate), variance)
    return np.maximum(rate * (1.0 - rate), 0.0)
