"""Time columns: whatever they are written as, one expression makes them UTC microseconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from rca_kit.case.times import EARLIEST, LATEST, epoch_unit
from rca_kit.errors import BadInput

UTC_US = pl.Datetime("us", "UTC")
_PER_SECOND = {"s": 1_000_000.0, "ms": 1_000.0, "us": 1.0}
# T and blank are made alike before; what has an offset is read with %#z, which also knows Z
_ZONED = ("%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M%#z", "%Y/%m/%d %H:%M:%S%.f%#z")
_NAIVE = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M:%S%.f", "%Y/%m/%d %H:%M", "%d.%m.%Y %H:%M:%S%.f",
          "%d.%m.%Y %H:%M", "%Y%m%d %H%M%S", "%d %b %Y %H:%M:%S", "%b %d, %Y %H:%M:%S")
_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%Y%m%d")
_DAY_FIRST = ("%d/%m/%Y %H:%M:%S%.f", "%d/%m/%Y %H:%M", "%d/%m/%Y", "%d-%m-%Y %H:%M:%S%.f", "%d-%m-%Y %H:%M", "%d-%m-%Y")
_MONTH_FIRST = tuple(f.replace("%d", "%_").replace("%m", "%d").replace("%_", "%m") for f in _DAY_FIRST)
ENOUGH = 0.5  # a column is one of times when at least half of its values read as times
LOOK = 5_000  # values that decide the formats


@dataclass(frozen=True)
class TimeReading:
    """How to read a time column: the expression, the share of values it could read, and notes for the user."""

    expr: pl.Expr
    share: float
    notes: tuple[str, ...] = ()


def read_time(values: pl.Series, *, file: str = "") -> TimeReading | None:
    """Find out how a column writes times.

    Parameters
    ----------
    values : polars.Series
        The column, or a sample of it; its name is used in the expression.
    file : str, optional
        Named in errors.

    Returns
    -------
    TimeReading or None
        None when the column does not hold times.

    Raises
    ------
    BadInput
        When days and months cannot be told apart.

    Examples
    --------
    >>> column = pl.Series("t", ["2026-03-02T14:35:00+02:00", "2026-03-02 14:35:00"])
    >>> reading = read_time(column)
    >>> column.to_frame().select(reading.expr)["t"].dt.hour().to_list()
    [12, 14]
    >>> reading.notes
    ('50% of the times have no offset; they are taken as UTC',)
    """
    reading = _read(values, file)
    if reading is None:
        return None
    if values.dtype == UTC_US and is_plausible(values.min(), values.max()):
        return reading  # as it should be: nothing is to be done to it
    inside = plausible(reading.expr).alias(values.name)
    share = _share(values, inside) if values.dtype == pl.String else reading.share
    return TimeReading(inside, share, reading.notes) if share >= ENOUGH else None


def plausible(times: pl.Expr) -> pl.Expr:
    """Make times outside 1971..2199 null: zero, or a year typed wrongly, is a missing time that would stretch every chart.

    Examples
    --------
    >>> pl.Series("t", [0]).cast(UTC_US).to_frame().select(plausible(pl.col("t")))["t"].to_list()
    [None]
    """
    return pl.when(times.is_between(EARLIEST, LATEST, closed="left")).then(times)


def is_plausible(low: object, high: object) -> bool:
    """Whether the first and the last time of a column lie in 1971..2199; true of a column without times.

    Examples
    --------
    >>> is_plausible(None, None), is_plausible(EARLIEST, LATEST)
    (True, False)
    """
    return not (isinstance(low, datetime) and isinstance(high, datetime)) or (low >= EARLIEST and high < LATEST)


def _read(values: pl.Series, file: str) -> TimeReading | None:
    name, dtype = values.name, values.dtype
    column = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        if dtype == UTC_US:
            return TimeReading(column, 1.0)
        if dtype.time_zone is None:
            note = ("the times have no offset; they are taken as UTC",)
            return TimeReading(column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"), 1.0, note)
        return TimeReading(column.dt.convert_time_zone("UTC").cast(UTC_US), 1.0)
    if dtype == pl.Date:
        return TimeReading(column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"), 1.0, ("dates are taken as 00:00 UTC",))
    if dtype.is_numeric():
        return _read_numbers(values)
    return _read_text(values, file) if dtype == pl.String else None


def _read_numbers(values: pl.Series) -> TimeReading | None:
    known = values.cast(pl.Float64, strict=False).drop_nulls().drop_nans()
    middle = known.median()
    if not isinstance(middle, (int, float)):
        return None
    unit = epoch_unit(float(middle))
    if unit is None:
        return _read_compact_dates(values, known)
    share = float(known.is_between(*_bounds(unit)).mean() or 0)  # type: ignore[arg-type]
    return TimeReading(_epoch(pl.col(values.name), unit, values.dtype), share, (f"numbers are read as {unit} since 1970 in UTC",))


def _bounds(unit: str) -> tuple[float, float]:
    factor = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[unit]
    return EARLIEST.timestamp() * factor, LATEST.timestamp() * factor


def _epoch(column: pl.Expr, unit: str, dtype: pl.DataType) -> pl.Expr:
    inside = pl.when(column.is_between(*_bounds(unit))).then(column)
    if unit == "ns":
        micro = inside // 1000
    elif dtype.is_integer():
        micro = inside.cast(pl.Int64) * int(_PER_SECOND[unit])
    else:
        micro = (inside * _PER_SECOND[unit]).round()
    return micro.cast(pl.Int64).cast(UTC_US)


def _read_compact_dates(values: pl.Series, known: pl.Series) -> TimeReading | None:
    """Read whole numbers such as 20260302."""
    if not len(known) or not bool(known.is_between(19_710_101, 22_000_101).all()):
        return None
    expr = _naive(pl.col(values.name).cast(pl.Int64, strict=False).cast(pl.String), "%Y%m%d")
    share = _share(values, expr)
    if share < ENOUGH:
        return None
    return TimeReading(expr, share, ("dates are taken as 00:00 UTC",))


def _read_text(values: pl.Series, file: str) -> TimeReading | None:
    known = values.drop_nulls()
    sample = known.gather_every(max(1, len(known) // LOOK)) if len(known) > LOOK else known
    if not len(sample):
        return None
    text = pl.col(values.name).str.strip_chars().str.replace(r"^(\d{4}.\d{2}.\d{2})T", "$1 ").str.replace(r"\s?(?:UTC|GMT)$", "Z")
    text = text.str.replace(r"\s([+-]\d{2}:?\d{2})$", "$1")
    options = [(form, _zoned(text, form), True) for form in _ZONED]
    options += [(form, _naive(text, form), False) for form in (*_NAIVE, *_DATES, *_slashed(sample, file))]
    frame = sample.to_frame()
    reads = frame.select(expr.is_not_null().alias(str(i)) for i, (_, expr, _) in enumerate(options))
    used = [options[i] for i in range(len(options)) if bool(reads[str(i)].any())]
    if not used:
        return _read_numeric_text(sample)
    expr = pl.coalesce([e for _, e, _ in used])
    share = _share(sample, expr)
    if share < ENOUGH:
        return None
    notes: list[str] = []
    naive = [e for _, e, zoned in used if not zoned]
    if naive:
        part = _share(sample, pl.coalesce(naive))
        rest = "the times have" if part >= share else f"{part:.0%} of the times have"
        notes.append(f"{rest} no offset; they are taken as UTC")
    return TimeReading(expr.alias(values.name), share, tuple(notes))


def _read_numeric_text(sample: pl.Series) -> TimeReading | None:
    numbers = sample.cast(pl.Float64, strict=False)
    if numbers.null_count() > len(numbers) * (1 - ENOUGH):
        return None
    reading = _read_numbers(numbers)
    if reading is None:
        return None
    unit = epoch_unit(float(numbers.drop_nulls().median()))  # type: ignore[arg-type]
    if unit is None:
        return None
    numeric = pl.col(sample.name).cast(pl.Float64, strict=False)
    return TimeReading(_epoch(numeric, unit, pl.Float64()), reading.share, reading.notes)


def _slashed(sample: pl.Series, file: str) -> tuple[str, ...]:
    """Tell 02/03/2026 apart: day first or month first."""
    pairs = sample.str.extract_groups(r"^(\d{1,2})[/-](\d{1,2})[/-]\d{4}").struct.unnest()
    first, second = (pairs[c].cast(pl.Int32, strict=False).drop_nulls() for c in pairs.columns)
    if not len(first):
        return ()
    day_first, month_first = bool((first > 12).any()), bool((second > 12).any())
    if day_first == month_first:
        raise BadInput("days and months cannot be told apart", file=file or None, column=sample.name, found=str(sample[0]),
                       expected="a time like 2026-03-02T14:35:00Z", hint="write the times in ISO 8601")
    return _DAY_FIRST if day_first else _MONTH_FIRST


def _zoned(text: pl.Expr, form: str) -> pl.Expr:
    return text.str.to_datetime(form, strict=False, time_unit="us", time_zone="UTC")


def _naive(text: pl.Expr, form: str) -> pl.Expr:
    if "%H" not in form:
        return text.str.to_date(form, strict=False).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return text.str.to_datetime(form, strict=False, time_unit="us").dt.replace_time_zone("UTC")


def _share(values: pl.Series, expr: pl.Expr) -> float:
    known = values.drop_nulls()
    return float(known.to_frame().select(expr.is_not_null().mean()).item() or 0) if len(known) else 0.0
