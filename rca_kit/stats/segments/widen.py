"""Join values of one dimension that share an effect: neighbouring ranges always, other values when asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rca_kit.stats.segments.evidence import Evidence, Floats, Mask
from rca_kit.stats.segments.found import Conditions, members

# A value joins only if it alone makes this case for the effect of the segment, nats per value tried.
LEAST_JOIN = 3.0
# Joined values may hold this share of the traffic that meets the other conditions: more would be "all but ...".
MOST_TRAFFIC = 0.75


def widen(codes: NDArray[np.integer], conditions: Conditions, evidence: Evidence, weight: Floats, active: Mask,
          ordered: tuple[bool, ...], cardinalities: tuple[int, ...], merge: bool) -> Conditions:
    """Let further values into a segment's conditions, one dimension at a time.

    Parameters
    ----------
    codes : (n, d) array of int
    conditions : Conditions
        One code per dimension.
    evidence : Evidence
    weight : (n,) array
    active : (n,) array of bool
        Leaves no earlier segment explains.
    ordered : tuple of bool
        Dimensions whose neighbouring codes are neighbouring ranges: only an unbroken run of them is joined.
    cardinalities : tuple of int
    merge : bool
        Whether to join values of unordered dimensions as well.

    Returns
    -------
    Conditions

    Examples
    --------
    >>> codes = np.array([[0], [1], [2], [3], [4], [5]])
    >>> gains = np.array([[9.0], [8.0], [-5.0], [-5.0], [-5.0], [7.0]])
    >>> evidence = Evidence(gains, np.array([0.3]), gains[:, 0])
    >>> widen(codes, ((0, (0,)),), evidence, np.ones(6), np.ones(6, bool), (True,), (6,), False)
    ((0, (0, 1)),)
    >>> widen(codes, ((0, (0,)),), evidence, np.ones(6), np.ones(6, bool), (False,), (6,), True)
    ((0, (0, 1, 5)),)
    """
    current = conditions
    for position, (dim, allowed) in enumerate(conditions):
        if not (ordered[dim] or merge) or cardinalities[dim] < 3:
            continue
        inside = members(codes, current) & active
        effect = int(evidence.total(inside).argmax())
        others = tuple(c for i, c in enumerate(current) if i != position)
        around = members(codes, others) & active
        leaves = np.flatnonzero(around)
        column = codes[leaves, dim]
        gain = evidence.by_group(column, leaves, cardinalities[dim])[:, effect]
        traffic = np.bincount(column, weight[leaves], minlength=cardinalities[dim])
        joins = gain > LEAST_JOIN + np.log(cardinalities[dim])
        chosen = _run(allowed[0], joins) if ordered[dim] else tuple(
            int(c) for c in np.flatnonzero(joins | (np.arange(len(joins)) == allowed[0])))
        if len(chosen) > 1 and traffic[list(chosen)].sum() <= MOST_TRAFFIC * traffic.sum():
            current = tuple((d, chosen if i == position else a) for i, (d, a) in enumerate(current))
    return current


def _run(start: int, joins: NDArray[np.bool_]) -> tuple[int, ...]:
    low = high = start
    while low > 0 and joins[low - 1]:
        low -= 1
    while high + 1 < len(joins) and joins[high + 1]:
        high += 1
    return tuple(range(low, high + 1))
