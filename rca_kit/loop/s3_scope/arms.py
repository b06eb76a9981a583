"""Arms of an experiment that began with the symptom: nobody was in them before, and by lot everybody could have been."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rca_kit.aggregates.leaves import Leaves
from rca_kit.loop.s4_suspects.signatures import is_arm

IN_NONE, IN_SOME = 0.95, 0.5  # share of rows before in no arm, and of rows after in some, from which the experiment began between


def with_lots_drawn(table: Leaves, before: str, after: str) -> Leaves:
    """Draw the lots for the rows before an experiment began, in the shares of its arms.

    A lot makes its arms alike in all but what they are given, so each arm would have had before what all had, in its share.

    Parameters
    ----------
    table : Leaves
        Sums before and after, by names that end in `before` and `after`.
    before, after : str
        Names of the numbers of rows.

    Returns
    -------
    Leaves
        The same where no column of arms was empty before.

    Examples
    --------
    >>> sums = {"n_before": np.array([100.0, 0, 0]), "n_after": np.array([0.0, 30, 90])}
    >>> codes = np.array([[0], [1], [2]], np.int32)
    >>> table = Leaves(("exp.arm",), ((None, "control", "treatment"),), (False,), codes, sums)
    >>> with_lots_drawn(table, "n_before", "n_after").sums["n_before"].tolist()
    [0.0, 25.0, 75.0]
    """
    for i, name in enumerate(table.names):
        if is_arm(name) and None in table.values[i]:
            table = _drawn(table, i, before, after)
    return table


def _drawn(table: Leaves, i: int, before: str, after: str) -> Leaves:
    none = table.codes[:, i] == table.values[i].index(None)
    n0, n1 = table.sums[before], table.sums[after]
    if n0[none].sum() < IN_NONE * n0.sum() or n1[~none].sum() < IN_SOME * n1.sum():
        return table
    arms = np.bincount(table.codes[~none, i], n1[~none], len(table.values[i]))
    moved = np.flatnonzero(none & (n0 > 0))
    codes, sums = [table.codes], {k: [np.where(none, 0.0, v) if k.endswith("before") else v] for k, v in table.sums.items()}
    for arm in np.flatnonzero(arms > 0):
        own = table.codes[moved].copy()
        own[:, i] = arm
        codes.append(own)
        for k, v in table.sums.items():
            share = arms[arm] / arms.sum() if k.endswith("before") else 0.0
            sums[k].append(v[moved] * share)
    return _together(table, np.concatenate(codes), {k: np.concatenate(v) for k, v in sums.items()})


def _together(table: Leaves, codes: NDArray[np.int32], sums: dict[str, NDArray[np.float64]]) -> Leaves:
    """One leaf for each combination of codes."""
    each, at = np.unique(codes, axis=0, return_inverse=True)
    summed = {k: np.bincount(at.ravel(), v, len(each)).astype(np.float64) for k, v in sums.items()}
    return Leaves(table.names, table.values, table.ordered, each, summed, table.rows)
