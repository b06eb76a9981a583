"""A log read batch by batch: memory holds a few batches, however many there are."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import polars as pl

from rca_kit.aggregates.batch import sum_batch
from rca_kit.aggregates.cube import Cube
from rca_kit.aggregates.plan import Plan
from rca_kit.sources.collect import explained_engine

BATCH_ROWS = 262_144  # two hundred megabytes of thirty columns with all that is made of them
MOST_WORKERS = 4  # batches summed side by side: each takes memory, and reading keeps up with no more
PENDING = 16  # batches whose sums wait before they are added up

Seen = Callable[[pl.DataFrame], None]


def sum_batches(batches: Iterable[pl.DataFrame], plan: Plan) -> dict[str, Cube]:
    """Sum batches as they come, in their order; nothing when there are no rows."""
    done: list[dict[str, Cube]] = []
    at_work: deque[Future[dict[str, Cube]]] = deque()
    workers = min(pl.thread_pool_size(), MOST_WORKERS)
    with ThreadPoolExecutor(workers) as pool:
        try:
            for batch in batches:
                if not batch.height:
                    continue
                at_work.append(pool.submit(sum_batch, batch, plan))
                if len(at_work) > workers:
                    done.append(at_work.popleft().result())
                if len(done) >= PENDING:
                    done = [_added(done)]
            done += [task.result() for task in at_work]
        except BaseException:  # an interrupt waits for the batches at work, not for those in line
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return _added(done)


def _added(parts: list[dict[str, Cube]]) -> dict[str, Cube]:
    return {name: Cube.total([p[name] for p in parts]) for name in parts[0]} if parts else {}


def batches_of(frame: pl.LazyFrame, seen: Seen | None = None) -> Iterator[pl.DataFrame]:
    """Read a frame batch by batch in the order of its rows, showing each to `seen`; the reader stays a little ahead.

    Raises
    ------
    RunFailed
        When the data cannot be read to their end.
    """
    reader = frame.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True, engine="streaming")
    while True:
        try:
            batch = next(reader, None)
        except (pl.exceptions.PolarsError, OSError) as error:
            failed = explained_engine(error)
            if failed is None:
                raise
            raise failed from None
        if batch is None:
            return
        if seen is not None:
            seen(batch)
        yield batch
