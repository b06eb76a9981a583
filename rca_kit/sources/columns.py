"""Columns of a table as they are: a sample of rows, and a summary of each column."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import polars as pl
import polars.selectors as cs

from rca_kit.case.columns import MAX_LISTED_VALUES, ColumnSummary, Kind
from rca_kit.case.names import ID_WORDS, tokens
from rca_kit.case.times import EPOCH_UNITS, PER_SECOND, epoch_unit
from rca_kit.case.vocabulary import QUANTITIES
from rca_kit.sources.times import read_time

EAGER_ROWS = 3_000_000  # up to here a log fits in memory many times over, and is read once
SAMPLE_ROWS = 200_000  # rows that summaries and inference look at; all of them up to here
SLICES = 10  # beyond that, this many stretches spread evenly over the table
ID_SHARE = 0.95  # distinct values per row from which text or whole numbers identify the row
MIN_ID_ROWS = 50  # below this, distinct values say nothing
TEXT_LENGTH = 40  # mean characters from which a column is prose
TEXT_WORDS = 4.0  # mean words, likewise
ENDED_WORDS, ENDED = 2.5, 0.5  # mean words of short sentences, of which most end as sentences do
DAYS_BEFORE, DAYS_AFTER = 400, 60  # a log goes back from its incident by a year at most; labels arrive some weeks after
_HEX = re.compile(r"^[0-9a-fA-F-]{16,}$")


def sample_rows(frame: pl.LazyFrame, rows: int) -> pl.DataFrame:
    """Read all rows of a small table, or evenly spread stretches of a large one.

    Examples
    --------
    >>> sample_rows(pl.LazyFrame({"a": [1, 2, 3]}), 3).height
    3
    """
    if rows <= SAMPLE_ROWS:
        return frame.collect(engine="streaming")
    length = SAMPLE_ROWS // SLICES
    starts = [i * (rows - length) // (SLICES - 1) for i in range(SLICES)]
    # each stretch is a scan of its own: a slice of a Parquet scan reads only the row groups it needs
    return pl.concat(pl.collect_all([frame.slice(start, length) for start in starts]))


def summarise(sample: pl.DataFrame, near: datetime | None = None) -> tuple[ColumnSummary, ...]:
    """Summarise every column of a sample.

    Parameters
    ----------
    sample : polars.DataFrame
    near : datetime, optional
        When the incident was noticed; numbers that are epochs of about then are times, whatever their column is called.

    Examples
    --------
    >>> c = summarise(pl.DataFrame({"device": ["a", "b", None, "a"]}))[0]
    >>> c.kind, c.n_unique, c.null_rate, c.values
    ('category', 2, 0.25, ('a', 'b'))
    """
    known = (cs.float().drop_nulls().drop_nans(), (~cs.float()).drop_nulls())
    distinct = {c.name: c.item() for c in sample.select(k.n_unique() for k in known)}  # of all columns side by side
    return tuple(_one(sample[name], distinct[name], near) for name in sample.columns)


def is_nested(dtype: pl.DataType) -> bool:
    """Whether a column holds lists, structs or bytes, of which no metric can be made.

    Examples
    --------
    >>> is_nested(pl.List(pl.Int64)), is_nested(pl.String())
    (True, False)
    """
    return dtype.is_nested() or dtype in (pl.Binary, pl.Object)


def _one(values: pl.Series, n_unique: int, near: datetime | None) -> ColumnSummary:
    dtype = values.dtype
    numbers = dtype.is_float()
    known = values.drop_nulls().drop_nans() if numbers else values.drop_nulls()
    null_rate = 1 - len(known) / len(values) if len(values) else 0.0
    kind = _kind(values.name, known, n_unique, near)
    low: Any = known.min() if kind != "category" and dtype != pl.String and len(known) else None
    high: Any = known.max() if low is not None else None
    listed = tuple(known.unique().sort().to_list()) if 0 < n_unique <= MAX_LISTED_VALUES and not dtype.is_temporal() else ()
    if isinstance(low, bool):
        low = high = None
    return ColumnSummary(values.name, kind, str(dtype), n_unique, null_rate, low, high, listed)


def _kind(name: str, known: pl.Series, n_unique: int, near: datetime | None) -> Kind:
    dtype = known.dtype
    if dtype == pl.Boolean:
        return "bool"
    if dtype.is_temporal():
        return "time"
    identifies = len(known) >= MIN_ID_ROWS and n_unique >= ID_SHARE * len(known)
    parts = set(tokens(name))
    named_id = bool(ID_WORDS & parts) and not parts & QUANTITIES
    if dtype.is_numeric():
        if _looks_like_epoch(name, known) or (near is not None and n_unique > 1 and _epochs_near(known, near)):
            return "time"
        named_number = named_id and n_unique > MAX_LISTED_VALUES
        runs = identifies and _whole(known) and _counts_up(known)
        return "id" if runs or (named_number and _whole(known)) else "numeric"
    if not len(known):
        return "category"
    # spread over the table: the first rows of a log may be odd
    head = known.gather_every(max(1, len(known) // 2_000)).head(2_000)
    if _is_time_text(head):
        return "time"
    length, words = _mean(head.str.len_chars()), _mean(head.str.count_matches(r"\S+"))
    ended = words >= ENDED_WORDS and _mean(head.str.contains(r"[.!?…]\s*$").cast(pl.Float64)) >= ENDED
    if words >= TEXT_WORDS or ended or (length >= TEXT_LENGTH and words >= 2):
        # a dozen long phrases may be the names of a menu; answers written from templates are few and longer still
        return "text" if n_unique > MAX_LISTED_VALUES // 2 or words >= 2 * TEXT_WORDS or identifies else "category"
    if identifies:
        return "id"
    if named_id and n_unique > MAX_LISTED_VALUES:
        return "id"
    return "id" if n_unique > MAX_LISTED_VALUES and all(_HEX.match(v) for v in head.head(20)) else "category"


def _whole(known: pl.Series) -> bool:
    """Whether all numbers are whole, be they kept as floats: digits in text and columns with gaps are read as these."""
    return known.dtype.is_integer() or bool((known.is_finite() & (known == known.floor())).all())


def _counts_up(known: pl.Series) -> bool:
    """Whether whole numbers are running numbers: no gaps worth mentioning, steadily rising, or drawn from very many."""
    spread = float(known.max()) - float(known.min())  # type: ignore[arg-type]
    return known.is_sorted() or spread <= 2.0 * len(known) or (spread > 1e8 and known.dtype.is_integer())


def _looks_like_epoch(name: str, known: pl.Series) -> bool:
    words = set(tokens(name))
    if not words & {"ts", "time", "timestamp", "at", "date", "epoch", "zeit", "datetime", "when", "fecha", "heure", "created"}:
        return False
    if not len(known) or {"ms", "seconds", "minutes", "min", "s", "of", "latency"} & words:
        return False
    return read_time(known.head(2_000)) is not None


def _epochs_near(known: pl.Series, near: datetime) -> bool:
    """Whether numbers are epochs of the months around a moment: a band too narrow for numbers of anything else to fall into."""
    if float(known.max()) < EPOCH_UNITS[0][1]:  # type: ignore[arg-type]  # spares most columns the quantiles
        return False
    low, high = (known.quantile(q, "nearest") for q in (0.01, 0.99))
    unit = None if low is None else epoch_unit(float(low))
    if unit is None or low is None or high is None:
        return False
    seconds = [float(v) / PER_SECOND[unit] - near.timestamp() for v in (low, high)]
    return seconds[0] >= -DAYS_BEFORE * 86_400 and seconds[1] <= DAYS_AFTER * 86_400


def _is_time_text(head: pl.Series) -> bool:
    probe = head.gather_every(max(1, len(head) // 200))
    if _mean(probe.str.contains(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}").cast(pl.Float64)) < 0.9:
        return False
    if _mean(probe.str.contains(r"^\d+\.\d+\.\d+$").cast(pl.Float64)) > 0.5 and probe.str.len_chars().max() != 10:
        return False  # version numbers
    try:
        reading = read_time(head)
    except Exception:  # days and months that cannot be told apart are still times
        return True
    return reading is not None and reading.share > 0.9


def _mean(values: pl.Series) -> float:
    mean = values.mean()
    return float(mean) if isinstance(mean, (int, float)) else 0.0
