"""Inputs that moved as much where nobody was hurt: what they do there, they would have done here."""

from __future__ import annotations

from collections.abc import Iterable

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.findings.scope import Segment
from rca_kit.loop.s3_scope.conditions import where_expression
from rca_kit.loop.s4_suspects.clue import Clue
from rca_kit.loop.s4_suspects.room import Room, numbers
from rca_kit.loop.s4_suspects.units import ROW_MIN

# total variation of a segment's shares by which those whom a lot drew may differ from the others; or times what chance makes
UNLIKE, CHANCES = 0.05, 2.0
ARM_Z = 4.0  # standard errors by which those whom a lot drew do worse: by chance in one of thirty thousand experiments
AS_MUCH, SURE_Z = 0.7, 6.0  # part of the change inside that lies outside too; standard errors of the latter


def moved_elsewhere(room: Room, clues: Iterable[Clue], segments: tuple[Segment, ...]) -> frozenset[str]:
    """Subjects that drifted outside the affected segments about as much as inside; empty where all requests are affected.

    A number by its mean in standard deviations, other values by the total variation of their shares.
    """
    named = {c.subject for c in clues if c.unsure and c.signature != "stale"}
    sides = [(f, _inside(f, segments)) for f in (room.before, room.after)] if named and segments else []
    if not sides or min(min(int(m.sum()), int((~m).sum())) for _, m in sides) < ROW_MIN:
        return frozenset()
    out = []
    for subject in named:
        column = subject.partition(":")[2]
        if any(column not in f.columns for f, _ in sides):
            continue
        change = _numeric if room.before.schema[column].is_numeric() else _of_shares
        (here, _), (there, error) = (change([f.filter(pl.Series(m == hit)) for f, m in sides], column) for hit in (True, False))
        if abs(there) >= SURE_Z * error and there * here > 0 and abs(there) >= AS_MUCH * abs(here):
            out.append(subject)
    return frozenset(out)


def of_one_kind(mine: pl.DataFrame, others: pl.DataFrame, segments: Iterable[str]) -> bool:
    """Whether two groups of requests at the same time have the same shares of all segments, as a lot gives them.

    Without a segment nothing tells it.
    """
    told = [total_variation(*(f[s].cast(pl.String) for f in (others, mine))) for s in segments if s in mine.columns]
    return bool(told) and all(apart <= max(UNLIKE, CHANCES * chance) for apart, chance in told)


def _inside(frame: pl.DataFrame, segments: tuple[Segment, ...]) -> NDArray[np.bool_]:
    """Rows of any of the segments."""
    rows, schema = nw.from_native(frame), dict(nw.from_native(frame).schema)
    told = [rows.select(hit=where_expression(s.where, schema))["hit"].to_numpy() for s in segments if set(s.where) <= set(schema)]
    return np.any([np.equal(t, True) for t in told], axis=0) if told else np.zeros(frame.height, bool)


def _numeric(sides: list[pl.DataFrame], column: str) -> tuple[float, float]:
    """Change of a mean in standard deviations, and its standard error."""
    was, now = (x[np.isfinite(x)] for x in (numbers(f, column) for f in sides))
    if min(was.size, now.size) < ROW_MIN or not was.std() > 0:
        return 0.0, np.inf
    return float((now.mean() - was.mean()) / was.std()), float(np.sqrt(1 / was.size + now.var() / was.var() / now.size))


def _of_shares(sides: list[pl.DataFrame], column: str) -> tuple[float, float]:
    """Change of the shares of a column's values, and what chance makes of it; of few rows it tells nothing."""
    was, now = (f[column].cast(pl.String) for f in sides)
    return total_variation(was, now) if min(was.len(), now.len()) >= ROW_MIN else (0.0, np.inf)


def total_variation(was: pl.Series, now: pl.Series) -> tuple[float, float]:
    """Total variation of the shares of values, of which missing is one, and half the sum of the shares' standard errors.

    Examples
    --------
    >>> total_variation(pl.Series(["a", "b", None, None]), pl.Series(["a", "a", None, None]))[0]
    0.25
    """
    counts = [s.alias("value").value_counts(name="rows") for s in (was, now)]
    both = counts[0].join(counts[1], on="value", how="full", coalesce=True, suffix="_after", nulls_equal=True)
    n, m = (both[c].fill_null(0).to_numpy().astype(float) for c in ("rows", "rows_after"))
    p, q, pooled = n / n.sum(), m / m.sum(), (n + m) / (n.sum() + m.sum())
    errors = np.sqrt(pooled * (1 - pooled) * (1 / n.sum() + 1 / m.sum()))
    return float(np.abs(q - p).sum() / 2), float(errors.sum() / 2)
