"""The costlier comparisons, on request: inside segments, all columns together, pairs of columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np

from rca_kit.aggregates.hashing import HASH_PRIME, row_hash
from rca_kit.aggregates.kept import KEPT
from rca_kit.errors import BadInput, did_you_mean
from rca_kit.findings.comparison import DataComparison
from rca_kit.sources.collect import collect
from rca_kit.sources.draw import settled
from rca_kit.sources.frames import to_lazy
from rca_kit.stats.drift import LEVEL

SAMPLED = 20_000  # rows per side that the classifier and the pairs of columns look at
SEED = 3
SEGMENTS = 12  # most frequent values compared by themselves


def deepen(
    found: DataComparison,
    before: Any,
    after: Any,
    columns: Sequence[str] | None,
    *,
    time: str | None,
    by: str | None,
    multivariate: bool,
    options: dict[str, Any],
) -> DataComparison:
    """Add segments and multivariate results to a comparison."""
    frames = []
    for side in (before, after):
        try:
            frames.append(to_lazy(side))
        except BadInput:
            raise BadInput("saved profiles hold no rows", hint="pass tables when `by` or `multivariate` is asked for") from None
    if by is not None:
        found = replace(found, segments=_segments(frames[0], frames[1], columns, by, time, options))
    if multivariate:
        from rca_kit.loop.compare.together import classify, relation_breaks

        usable = [
            c.column
            for c in found.columns
            if c.kind in ("number", "category")
            and "new column" not in c.flags
            and "lost column" not in c.flags
            and "type" not in c.flags
        ]
        left, right = (sample_rows(f, usable, SAMPLED) for f in frames)
        numbers = [c.column for c in found.columns if c.kind == "number" and c.column in usable]
        found = replace(found, classifier=classify(left, right, usable), relations=relation_breaks(left, right, numbers))
    return found


def _segments(
    before: nw.LazyFrame[Any],
    after: nw.LazyFrame[Any],
    columns: Sequence[str] | None,
    by: str,
    time: str | None,
    options: dict[str, Any],
) -> tuple[tuple[str, DataComparison], ...]:
    """Compare inside each of the frequent values; the level is shared among them."""
    from rca_kit.loop.compare.compare import compare

    names = before.collect_schema().names()
    if by not in names:
        raise BadInput("column is missing", column=by, hint=did_you_mean(by, names))
    counted = before.filter(~nw.col(by).is_null()).group_by(by).agg(nw.len().alias("rca rows"))
    counted = counted.sort("rca rows", by, descending=[True, False])
    values = collect(counted.head(SEGMENTS))[by].to_list()
    wanted = [c for c in (columns or names) if c != by]
    level = LEVEL if options["level"] is None else options["level"]
    shared = {**options, "level": level / max(len(values), 1)}
    inside = [(v, nw.col(by) == v) for v in values]
    return tuple((f"{by}={v}", compare(before.filter(at), after.filter(at), wanted, time=time, **shared)) for v, at in inside)


def sample_rows(frame: nw.LazyFrame[Any], columns: list[str], most: int) -> Any:
    """Rows spread evenly over the table, in order, as a Polars frame; where the engine has no order, a draw of them."""
    import polars as pl

    chosen = frame.select(columns)
    if not chosen.implementation.is_polars():
        return _drawn(chosen, most)
    plan = chosen.to_native()
    rows = int(plan.select(pl.len()).collect(engine="streaming").item())
    step = max(1, rows // most)
    if step == 1:
        return plan.collect(engine="streaming")
    number = "\x00row"
    out = plan.with_row_index(number).filter(pl.col(number) % step == 0).drop(number).collect(engine="streaming")
    return out.head(most)


def _drawn(frame: nw.LazyFrame[Any], most: int) -> Any:
    """Draw rows inside an engine, the same ones each time: Spark by its own sampler, others by a hash of the rows' numbers.

    The first rows of a table are often those of one day or one partition. Only where there are no numbers to hash are they
    taken.
    """
    rows = int(collect(frame.select(nw.len().alias("n")))["n"][0])
    if rows <= most:
        return collect(frame)
    if frame.implementation.is_spark_like():
        drawn = frame.to_native().sample(fraction=most / rows, seed=SEED)
        return collect(nw.from_native(drawn).head(2 * most))
    schema = dict(frame.collect_schema())
    numbers = sorted((n for n, t in schema.items() if t.is_numeric()), key=lambda n: not schema[n].is_float())
    if not numbers:
        return collect(frame.head(most))
    drawn_by = row_hash(nw.lit(0, nw.Int64), numbers, SEED, schema)
    marked = frame.with_columns(drawn_by.alias(KEPT)).filter(nw.col(KEPT) < int(HASH_PRIME * most / rows))
    return settled(collect(marked.head(2 * most)), KEPT).drop(KEPT)


def blocks_of(rows: int, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Give the number of the contiguous block, 0..count-1, of each row."""
    return np.arange(rows, dtype=np.int64) * count // max(rows, 1)
