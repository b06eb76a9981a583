"""What the segment search answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Conditions = tuple[tuple[int, tuple[int, ...]], ...]
"""Dimension index and the codes it may take, by ascending dimension: conditions joined by AND, codes by OR."""


@dataclass(frozen=True)
class Found:
    """One segment, in codes.

    Attributes
    ----------
    conditions : tuple
        Dimension index and allowed codes, by ascending dimension.
    score : float
        Log-likelihood gain (nats) of "these leaves moved together" over "these leaves did not move".
    share_of_traffic : float
        Share of the after-window's weight (requests, or the expected total of an additive measure).
    share_of_impact : float
        Share of the net change that is left if only this segment moves; may pass 1 when the rest moved the other way.
    before, after : float or None
        The measure in the segment: a rate, a mean, or a total.
    interval : tuple of float or None
        95 % interval of `after - before`.
    q_value : float
        Chance of a gain like this anywhere in the search if nothing had moved (Bonferroni over all segments looked at).
    n_before, n_after : float
        Weight in either window.
    stability : float or None
        Share of the bootstrap resamples of the leaves that find it again; None when not asked for.
    aliases : tuple of Conditions
        Other descriptions of exactly the same leaves, shortest first.
    """

    conditions: Conditions
    score: float
    share_of_traffic: float
    share_of_impact: float
    before: float | None
    after: float | None
    interval: tuple[float, float] | None
    q_value: float
    n_before: float
    n_after: float
    stability: float | None = None
    aliases: tuple[Conditions, ...] = ()


@dataclass(frozen=True)
class SearchResult:
    """Segments found, best first, and what the search looked at.

    Attributes
    ----------
    found : tuple of Found
        Segments that stand out; several combine by OR.
    is_global : bool
        The total moved beyond chance and no segment stands out.
    because : str
        Why there is no segment, or empty.
    singles : tuple of Found
        Every single value with support, largest score first.
    looked_at : int
        Number of segments the correction counts.
    before, after : float or None
        The measure over all leaves.
    total_p_value : float
        Two-sided p-value of the change of the total.
    """

    found: tuple[Found, ...]
    is_global: bool
    because: str
    singles: tuple[Found, ...]
    looked_at: int
    before: float | None
    after: float | None
    total_p_value: float


def members(codes: NDArray[np.integer], conditions: Conditions) -> NDArray[np.bool_]:
    """Mark the leaves that meet all conditions.

    Parameters
    ----------
    codes : (n, d) array of int
        Code of every leaf in every dimension.
    conditions : tuple
        Dimension index and allowed codes.

    Returns
    -------
    (n,) array of bool

    Examples
    --------
    >>> members(np.array([[0, 1], [1, 1], [2, 0]]), ((0, (0, 1)), (1, (1,))))
    array([ True,  True, False])
    """
    inside = np.ones(len(codes), dtype=bool)
    for dimension, allowed in conditions:
        column = codes[:, dimension]
        inside &= column == allowed[0] if len(allowed) == 1 else np.isin(column, allowed)
    return inside
