"""The scan behind a profile: batches of a Polars plan through numpy, or grouped sums inside another engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from rca_kit.aggregates.profile import ColumnProfile, TableProfile, finish
from rca_kit.aggregates.profile_grid import HEAD, BlockPlan
from rca_kit.aggregates.profile_parts import CategoryPart, NullPart, NumberPart
from rca_kit.errors import BadInput, did_you_mean

Ints = NDArray[np.int64]

BATCH = 131_072  # rows in flight at once
TIME_NAMES = ("ts", "time", "timestamp", "event_time", "request_time", "datetime", "created_at", "date")
WORKERS = 2  # more than the decoder leaves idle would only queue


def scan_profile(
    frame: nw.LazyFrame[Any], columns: Sequence[str] | None = None, *, time: str | None = None, like: TableProfile | None = None
) -> TableProfile:
    """Profile a table in one scan.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Over any engine; Polars plans are streamed in batches, others aggregate inside their engine.
    columns : sequence of str, optional
        Which columns; all when absent.
    time : str, optional
        Column of the rows' times. When absent, a time-typed column with a usual name, or the only one, is taken.
        Blocks are of time then, else of row order.
    like : TableProfile, optional
        Count over the same cells (needed to compare or merge); blocks are this table's own unless they are the same plan.

    Raises
    ------
    BadInput
        When a column is not there.
    """
    schema = dict(frame.collect_schema())
    wanted = list(columns) if columns is not None else list(schema)
    for name in wanted:
        if name not in schema:
            raise BadInput("column is missing", column=name, expected=", ".join(list(schema)[:20]),
                           hint=did_you_mean(name, schema))
    axis = find_time(schema, time)
    if not frame.implementation.is_polars():
        from rca_kit.aggregates.profile_sql import scan_sql

        return scan_sql(frame, wanted, axis, schema, like)
    return _scan_polars(frame.to_native(), wanted, axis, like)


def find_time(schema: dict[str, Any], time: str | None) -> str | None:
    """Choose the column of the rows' times: the one named, else a usual name, else the only one of a time type."""
    if time is not None:
        if time not in schema:
            raise BadInput("column is missing", column=time, hint=did_you_mean(time, schema))
        return time
    typed = [c for c, t in schema.items() if isinstance(t, nw.Datetime) or t == nw.Date]
    named = [c for c in typed if c.casefold() in TIME_NAMES]
    named.sort(key=lambda c: TIME_NAMES.index(c.casefold()))
    return named[0] if named else typed[0] if len(typed) == 1 else None


def _scan_polars(plan: Any, wanted: list[str], axis: str | None, like: TableProfile | None) -> TableProfile:
    import polars as pl

    schema = plan.collect_schema()
    shown = {c: str(t) for c, t in nw.from_native(plan).collect_schema().items()}
    first, last, rows = _extent(plan, axis)
    if axis is not None and first is None:
        axis = None
    if axis is not None and first is not None and last is not None:
        blocks = BlockPlan.of_time(axis, first, last)
        if like is not None and like.blocks.covers(axis, first, last):
            blocks = like.blocks
    else:
        blocks = BlockPlan.of_rows(rows)
    parts = {c: _part(c, pl.Float64() if axis and _dated(schema[c]) else schema[c], blocks, like) for c in wanted if c != axis}
    needed = [c for c in wanted if c != axis]
    selection = [pl.col(c) for c in needed]
    if axis is not None:
        clock = _micros(pl.col(axis), schema[axis])
        # another time is compared by its age in seconds: times themselves always move on
        selection = [((clock - _micros(pl.col(c), schema[c])) / 1e6).alias(c) if _dated(schema[c]) else pl.col(c) for c in needed]
        selection.append(clock.alias("\x00time"))
    block_rows = np.zeros(blocks.count, np.int64)
    missing_time = np.zeros(blocks.count, np.int64)
    done = 0
    jobs: list[Any] = []
    if not selection:
        return TableProfile((), rows, blocks, block_rows, first, last)
    with ThreadPoolExecutor(WORKERS) as pool:
        for batch in _batches(plan.select(selection)):
            if axis is not None:
                micros = batch["\x00time"]
                if micros.null_count():
                    null = micros.is_null().to_numpy()
                    micros = micros.fill_null(strategy="forward").fill_null(strategy="backward").fill_null(blocks.origin)
                    block = blocks.block(micros.to_numpy().copy())
                    missing_time += np.bincount(block[null], minlength=blocks.count)
                else:
                    block = blocks.block(micros.to_numpy().copy())
            else:
                block = blocks.block(np.arange(done, done + batch.height, dtype=np.int64))
            done += batch.height
            block_rows += np.bincount(block, minlength=blocks.count)
            for job in jobs:  # the next batch was decoded while these ran
                job.result()
            ordered = not np.any(block[1:] < block[:-1])
            jobs = [pool.submit(parts[c].add, batch[c], block, ordered) for c in needed]
        for job in jobs:
            job.result()
    profiles: list[ColumnProfile] = []
    for c in wanted:
        if c == axis:
            profiles.append(ColumnProfile(c, "other", shown[c], (block_rows - missing_time)[:, None], missing_time))
        else:
            profiles.append(finish(c, shown[c], parts[c]))
    return TableProfile(tuple(profiles), done, blocks, block_rows, first, last)


def _extent(plan: Any, axis: str | None) -> tuple[int | None, int | None, int]:
    """First and last time in microseconds, and the number of rows."""
    import polars as pl

    if axis is None:
        return None, None, int(plan.select(pl.len()).collect(engine="streaming").item())
    micros = _micros(pl.col(axis), plan.collect_schema()[axis])
    found = plan.select(micros.min().alias("lo"), micros.max().alias("hi"), pl.len().alias("n")).collect(engine="streaming")
    return found["lo"][0], found["hi"][0], int(found["n"][0])


def _micros(column: Any, dtype: Any) -> Any:
    """Microseconds since 1970, UTC, as integer; numbers are read as epoch seconds, milli-, micro- or nanoseconds by size."""
    import polars as pl

    if dtype == pl.Date:
        return column.cast(pl.Datetime("us")).dt.epoch("us")
    if dtype.is_temporal():
        return column.dt.epoch("us")
    if dtype.is_numeric():
        size = column.cast(pl.Float64)
        scaled = pl.when(size < 1e11).then(size * 1e6).when(size < 1e14).then(size * 1e3).when(size < 1e17).then(size)
        return scaled.otherwise(size / 1e3).cast(pl.Int64, strict=False)
    text = column.cast(pl.String)
    return text.str.to_datetime(time_unit="us", time_zone="UTC", strict=False).dt.epoch("us")


def _dated(dtype: Any) -> bool:
    import polars as pl

    return isinstance(dtype, pl.Datetime) or dtype == pl.Date


def _part(name: str, dtype: Any, blocks: BlockPlan, like: TableProfile | None) -> NumberPart | CategoryPart | NullPart:
    import polars as pl

    known = like[name] if like is not None and name in like.names else None
    if dtype.is_numeric():
        return NumberPart(blocks.count, known.grid if known is not None else None)
    if dtype in (pl.String, pl.Boolean) or isinstance(dtype, (pl.Categorical, pl.Enum)) or dtype in (pl.Categorical, pl.Enum):
        return CategoryPart(blocks.count, known.labels if known is not None else None)
    return NullPart(blocks.count)


def _batches(plan: Any) -> Iterator[Any]:
    """Batches in the order of the rows, the first with at least `HEAD` rows if there are as many."""
    import polars as pl

    waiting: list[Any] = []
    height = 0
    started = False
    for batch in plan.collect_batches(chunk_size=BATCH, maintain_order=True, engine="streaming"):
        if not batch.height:
            continue
        waiting.append(batch)
        height += batch.height
        if started or height >= HEAD:
            yield pl.concat(waiting) if len(waiting) > 1 else batch
            waiting, height, started = [], 0, True
    if waiting:
        yield pl.concat(waiting)
