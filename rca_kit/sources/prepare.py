"""From a scanned table to one that can be computed on: plain types, numbers that were written as text, UTC times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import narwhals as nw
import polars as pl

from rca_kit.case.columns import ColumnSummary
from rca_kit.case.vocabulary import SUCCESS_VALUES
from rca_kit.errors import BadInput
from rca_kit.sources.columns import is_nested
from rca_kit.sources.times import UTC_US, is_plausible, read_time

MOSTLY_NUMBERS = 0.5  # share of readable values from which a text column is one of numbers with junk in it
NEARLY_ALL = 0.9  # share of numbers from which the other words of an outcome are junk rather than classes
MIN_NUMBERS = 20  # fewer distinct numbers may be codes or version numbers, which stay text
NO_VALUE = ("na", "n/a", "#n/a", "-", "?", "none", "null", "nan", "missing", "nil", "")  # junk that just says "nothing here"
HTTP_CODES = (100, 600)
FIRST_HTTP_ERROR = 400  # RFC 9110: below it a request was answered, maybe elsewhere


@dataclass(frozen=True)
class Prepared:
    """A lazy frame of plain types, and what was done to it."""

    frame: pl.LazyFrame
    warnings: tuple[str, ...] = ()


def plain_types(frame: pl.LazyFrame, file: str) -> Prepared:
    """Drop nested columns, and turn decimals, durations and categoricals into plain types.

    Raises
    ------
    BadInput
        When there is no column left.

    Examples
    --------
    >>> prepared = plain_types(pl.LazyFrame({"a": [1], "b": [[1, 2]]}), "p.parquet")
    >>> prepared.frame.collect_schema().names(), prepared.warnings
    (['a'], ('p.parquet: columns of lists, records or bytes are left out: b',))
    """
    schema = frame.collect_schema()
    nested = [n for n, t in schema.items() if is_nested(t)]
    if len(nested) == len(schema):
        raise BadInput("has no columns that can be used", file=file, found=", ".join(schema) or "no columns")
    casts: list[pl.Expr] = []
    for name, dtype in schema.items():
        if isinstance(dtype, pl.Decimal) or dtype in (pl.Int128, pl.UInt128):
            casts.append(pl.col(name).cast(pl.Float64))
        elif isinstance(dtype, (pl.Categorical, pl.Enum)) or dtype == pl.Null:
            casts.append(pl.col(name).cast(pl.String))
        elif isinstance(dtype, pl.Duration):
            casts.append(pl.col(name).dt.total_milliseconds(fractional=True).cast(pl.Float64))
        elif dtype == pl.Time:
            casts.append(pl.col(name).cast(pl.String))
    notes = (f"{file}: columns of lists, records or bytes are left out: {', '.join(nested)}",) if nested else ()
    out = frame.drop(nested) if nested else frame
    return Prepared(out.with_columns(casts) if casts else out, notes)


def numbers_in_text(
    sample: pl.DataFrame, file: str, needed: Iterable[str], codes: Iterable[str] = ()
) -> tuple[list[pl.Expr], list[str]]:
    """Give casts for text columns that are numbers with some junk, and warnings with the junk.

    Parameters
    ----------
    sample : polars.DataFrame
    file : str
    needed : iterable of str
        Columns that must be numbers because of their role.
    codes : iterable of str, optional
        Columns whose few numbers are codes of an outcome: junk among 0 and 1 is junk, not a third class.

    Raises
    ------
    BadInput
        When a needed column is not one of numbers.

    Examples
    --------
    >>> casts, notes = numbers_in_text(pl.DataFrame({"x": ["1", "2", "3", "oops"]}), "p.csv", ["x"])
    >>> len(casts), notes
    (1, ['p.csv: column `x`: 1 of 4 values are no numbers (such as `oops`) and are taken as missing'])
    """
    must, coded = set(needed), set(codes)
    casts: list[pl.Expr] = []
    notes: list[str] = []
    for name in sample.columns:
        values = sample[name]
        if values.dtype != pl.String:
            if name in must and not (values.dtype.is_numeric() or values.dtype == pl.Boolean):
                raise BadInput("must hold numbers", file=file, column=name, found=str(values.dtype))
            continue
        # each text once, with how often it stands there: columns of a few values are most of a log's texts
        texts = values.drop_nulls().to_frame().group_by(name, maintain_order=True).len("rk_n")
        texts = texts.filter(~pl.col(name).str.strip_chars().str.to_lowercase().is_in(list(NO_VALUE)))
        meant, times = texts[name], texts["rk_n"]
        if not len(meant):
            if name in must:
                casts.append(_number(name))
            continue
        read = meant.to_frame().select(_number(name))[name]
        lost = int(times.filter(read.is_null()).sum())
        share = 1 - lost / int(times.sum())
        comma = share < MOSTLY_NUMBERS and _decimal_commas(meant, times) > MOSTLY_NUMBERS
        if comma:
            casts.append(_number(name, comma=True))
            notes.append(f"{file}: column `{name}`: numbers are written with a decimal comma")
            continue
        few = read.n_unique() < MIN_NUMBERS and name not in must
        junk_among_codes = name in coded and NEARLY_ALL <= share < 1
        if share < MOSTLY_NUMBERS or (few and not junk_among_codes):
            if name in must:
                raise BadInput("must hold numbers", file=file, column=name, found=f"text such as `{str(meant[0])[:40]}`")
            continue
        if _written_as_keys(meant) and name not in must:
            continue
        casts.append(_number(name))
        if share < 1:
            junk = str(meant.filter(read.is_null())[0])[:40]
            notes.append(f"{file}: column `{name}`: {lost:,} of {len(values):,} values are no numbers "
                         f"(such as `{junk}`) and are taken as missing")
    return casts, notes


def _number(name: str, *, comma: bool = False) -> pl.Expr:
    text = pl.col(name).str.strip_chars()
    if comma:
        text = text.str.replace(",", ".", literal=True)
    return text.cast(pl.Float64, strict=False).alias(name)


def _decimal_commas(values: pl.Series, times: pl.Series) -> float:
    return int(times.filter(values.str.contains(r"^\s*[-+]?\d+,\d+\s*$")).sum()) / int(times.sum())


def _written_as_keys(values: pl.Series) -> bool:
    """Whether whole numbers begin with zeros, as postcodes do, or hold an `e` before four digits or more, as keys do."""
    return bool(values.str.contains(r"^(?:0\d+|\d+[eE][-+]?\d{4,})$").any())


def infinite_values(sample: pl.DataFrame, file: str) -> list[str]:
    """Warn of infinities, which count as missing.

    Examples
    --------
    >>> infinite_values(pl.DataFrame({"x": [1.0, float("inf")]}), "p.csv")
    ['p.csv: column `x`: infinite values (1 seen) are taken as missing']
    """
    floats = [n for n, t in sample.schema.items() if t.is_float()]
    seen = sample.select(pl.col(n).is_infinite().sum() for n in floats).row(0, named=True) if floats else {}
    return [f"{file}: column `{n}`: infinite values ({k:,} seen) are taken as missing" for n, k in seen.items() if k]


def errors_only(column: ColumnSummary) -> nw.Expr | None:
    """Give what makes successes null in an error column: words such as `ok`, HTTP codes below 400; None if there are none.

    Examples
    --------
    >>> status = ColumnSummary("status", "numeric", "Int64", 2, 0.0, 200, 503, (200, 503))
    >>> nw.from_native(pl.DataFrame({"status": [200, 503]})).select(errors_only(status))["status"].to_list()
    [None, 503]
    """
    name, low, high = nw.col(column.name), column.min, column.max
    if column.kind == "bool":
        return nw.when(name).then(name).alias(column.name)
    if column.kind == "numeric" and isinstance(low, (int, float)) and isinstance(high, (int, float)):
        codes = low >= HTTP_CODES[0] and high < HTTP_CODES[1]
        return nw.when(name >= FIRST_HTTP_ERROR if codes else name != 0).then(name).alias(column.name)
    fine = [v for v in column.values if str(v).strip().lower() in SUCCESS_VALUES]
    return nw.when(~name.is_in(fine)).then(name).alias(column.name) if fine else None


def time_casts(sample: pl.DataFrame, kinds: dict[str, str], file: str) -> tuple[dict[str, pl.Expr], dict[str, tuple[str, ...]]]:
    """Give casts to UTC for columns of times, with notes by column; one that cannot be read stays as it is.

    Examples
    --------
    >>> casts, notes = time_casts(pl.DataFrame({"t": ["2026-03-02 10:00"]}), {"t": "time"}, "p.csv")
    >>> list(casts), notes["t"]
    (['t'], ('the times have no offset; they are taken as UTC',))
    """
    casts: dict[str, pl.Expr] = {}
    notes: dict[str, tuple[str, ...]] = {}
    for name, kind in kinds.items():
        if kind != "time":
            continue
        try:
            reading = read_time(sample[name], file=file)
        except BadInput:
            continue
        if reading is not None:
            # a cast to the same type would only keep engines from reading the file themselves
            done = sample.schema[name] == UTC_US and is_plausible(sample[name].min(), sample[name].max())
            casts[name], notes[name] = pl.col(name) if done else reading.expr.alias(name), reading.notes
    return casts, notes
