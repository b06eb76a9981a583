"""Columns that are no outcome: latency and its stages, KPIs, segments to slice by, features of the model."""

from __future__ import annotations

from rca_kit.case.columns import ColumnSummary
from rca_kit.case.evidence import Evidence
from rca_kit.case.names import EXACT_POINTS, joined, tokens, words
from rca_kit.case.vocabulary import (
    AMOUNTS,
    CALENDAR,
    CONTEXT,
    DURATION_HINTS,
    DURATION_UNITS,
    DURATIONS,
    HIGHER,
    HIGHER_STEMS,
    LATENCY,
    LOWER,
    LOWER_STEMS,
    NOT_AMOUNT,
    NOT_KPI,
    NOT_SERVING,
    OUTCOME_PREFIX,
    PAST,
    WHOLE_REQUEST,
)

MAX_SEGMENT_VALUES = 200  # beyond this a column has too few rows per value to slice by
MAX_NUMERIC_SEGMENT = 12  # whole numbers with up to this many values are codes: a tier, a number of items
PART_OF_WHOLE = 0.95  # share of rows in which a stage is no longer than the whole request
_VERSIONED = words("version ver sdk firmware release build app os client")
ADDS_TO_WHOLE = 0.02  # rank correlation with the whole that even a short stage reaches; the wind in m/s does not
FEW_SIZES = 50  # distinct values up to which positive fractions may be settings or counts, not measured times
LAST_LATITUDE = 90.0  # beyond it `lat` is no latitude
_CODES = words("zone cluster tier level band bucket group grade class segment cohort category type code region store shop plan")


def latency_and_stages(free: list[str], evidence: Evidence, total: str | None) -> tuple[str | None, tuple[str, ...], str]:
    """Find the latency of the whole request and of its stages.

    Parameters
    ----------
    free : list of str
        Columns that have no role yet.
    evidence : Evidence
    total : str or None
        The total latency, when it is given.

    Returns
    -------
    (str or None, tuple of str, str)
        The total, the stages, and why.

    Examples
    --------
    >>> import narwhals as nw, polars as pl
    >>> rows = pl.DataFrame({"fetch_ms": [3.0, 4.0], "all_ms": [9.0, 8.0]})
    >>> cols = [ColumnSummary(n, "numeric", "Float64", 20, 0, 1, 9) for n in rows.columns]
    >>> latency_and_stages(rows.columns, Evidence(cols, nw.from_native(rows)), None)
    ('all_ms', ('fetch_ms',), '`all_ms`: a duration, no less than the other durations')
    """
    timed = [n for n in free if n != total and _is_duration(evidence.columns[n])]
    why = ""
    if total is None:
        total, why = _total(timed, evidence)
    timed = [n for n in timed if n != total]
    others = [evidence.columns[n] for n in free if n not in timed and n != total]
    loose = [c.name for c in others if _may_be_duration(c) or _named_after(c, total)] if total else []
    stages = [
        n for n in (*timed, *loose)
        if total is None or (evidence.at_most(n, total) >= PART_OF_WHOLE and evidence.adds_to(n, total) > ADDS_TO_WHOLE)
    ]
    if total is not None:
        sizes = [n for n in free if n != total and _measurement(evidence.columns[n])]
        shorter = [n for n in sizes if evidence.at_most(n, total) >= PART_OF_WHOLE]
        stages += [n for n in evidence.parts_of(total, shorter) if n not in stages]
    return total, tuple(sorted(stages, key=list(evidence.columns).index)), why


def _total(timed: list[str], evidence: Evidence) -> tuple[str | None, str]:
    if not timed:
        return None, ""
    # a name that says so (latency_ms, total_ms), then the one that contains the others
    named = [n for n in timed if LATENCY.points(n) >= EXACT_POINTS]
    whole = [n for n in timed if all(evidence.at_most(o, n) >= PART_OF_WHOLE for o in timed if o != n)]
    if len(timed) == 1:
        only = timed[0]
        return only, f"`{only}`: the only duration"
    for group, reason in (([n for n in named if n in whole], "its name, and no less than the other durations"),
                          (whole, "a duration, no less than the other durations"), (named, "its name")):
        if group:
            best = max(group, key=lambda n: (LATENCY.points(n), n))
            return best, f"`{best}`: {reason}"
    return None, ""


def _is_duration(c: ColumnSummary) -> bool:
    parts = set(tokens(c.name))
    named = bool(parts & DURATION_UNITS) or joined(c.name) in LATENCY.exact or bool(parts & DURATIONS and parts & WHOLE_REQUEST)
    named = named or ("lat" in parts and isinstance(c.max, (int, float)) and c.max > LAST_LATITUDE)
    positive = isinstance(c.min, (int, float)) and c.min >= 0
    return c.kind == "numeric" and c.n_unique > 2 and named and positive and not parts & NOT_SERVING


def _measurement(c: ColumnSummary) -> bool:
    """Whether values are positive fractions of many sizes, as measured times are."""
    positive = isinstance(c.min, (int, float)) and c.min >= 0
    return c.kind == "numeric" and "Float" in c.dtype and c.n_unique > FEW_SIZES and positive


def _may_be_duration(c: ColumnSummary) -> bool:
    parts = set(tokens(c.name))
    measured = c.kind == "numeric" and "Float" in c.dtype and c.n_unique > 2
    return measured and bool(parts & DURATION_HINTS) and not parts & (NOT_SERVING | CALENDAR)


def _named_after(c: ColumnSummary, total: str) -> bool:
    """Whether fractions of many sizes carry the name of the whole and a word more, as `rt_db` beside `rt`."""
    whole, own = tokens(total), tokens(c.name)
    return _measurement(c) and len(own) == len(whole) + 1 and own[: len(whole)] == whole


def kpi_direction(column: ColumnSummary) -> str | None:
    """Tell which way is good when a column is a business outcome by its name and values, else None.

    Examples
    --------
    >>> kpi_direction(ColumnSummary("cancelled", "numeric", "Int64", 2, 0, 0, 1, (0, 1)))
    'lower'
    >>> kpi_direction(ColumnSummary("clicks_7d", "numeric", "Int64", 9, 0, 0, 9)) is None
    True
    """
    parts = set(tokens(column.name))
    if parts & NOT_KPI or column.kind not in ("numeric", "bool", "category"):
        return None
    if column.kind == "category" and column.n_unique != 2:
        return None
    named = bool(set(tokens(column.name)[:1]) & OUTCOME_PREFIX)
    amount = named or (parts & AMOUNTS and not parts & NOT_AMOUNT and not _of_past(parts))
    if column.kind == "numeric" and column.n_unique > 2 and not amount:
        return None
    if parts & LOWER or any(p.startswith(LOWER_STEMS) for p in parts):
        return "lower"
    return "higher" if parts & HIGHER or any(p.startswith(HIGHER_STEMS) for p in parts) else None


def _of_past(parts: set[str]) -> bool:
    """Whether a word is one of the past with a number behind it, as in `mean28`."""
    return any(p.rstrip("0123456789") in PAST | {"lag"} and p[-1].isdigit() for p in parts)


def segments(free: list[str], evidence: Evidence, rows: int) -> tuple[str, ...]:
    """Find columns to slice by: few values, no prose, no identifier, not the calendar.

    Examples
    --------
    >>> land = ColumnSummary("país", "category", "String", 7, 0, None, None)
    >>> price = ColumnSummary("price", "numeric", "Float64", 99, 0, 0, 9)
    >>> segments(["país", "price"], Evidence([land, price], []), 1000)
    ('país',)
    """
    return tuple(n for n in free if _is_segment(evidence.columns[n], rows))


def _is_segment(c: ColumnSummary, rows: int) -> bool:
    parts = set(tokens(c.name))
    if (parts & CALENDAR and not _a_place(c)) or not 2 <= c.n_unique <= min(MAX_SEGMENT_VALUES, max(2, rows // 5)):
        return False
    if c.kind in ("bool", "category"):
        return True
    if _is_version(c):
        return True
    if c.kind != "numeric" or "Int" not in c.dtype:
        return False
    return c.n_unique <= MAX_NUMERIC_SEGMENT or bool(parts & _CODES)


def _a_place(c: ColumnSummary) -> bool:
    """Whether a quarter is one of a city, by its values: those of a year have numbers.

    Examples
    --------
    >>> _a_place(ColumnSummary("quarter", "category", "String", 2, 0, None, None, ("Nord", "Hafen")))
    True
    >>> _a_place(ColumnSummary("quarter", "category", "String", 2, 0, None, None, ("Q1", "Q2")))
    False
    """
    named = "quarter" in tokens(c.name) and c.kind == "category"
    return named and all(len(str(v)) > 2 and not any(x.isdigit() for x in str(v)) for v in c.values)


def _is_version(c: ColumnSummary) -> bool:
    """Whether values are versions of a client: a CSV reader makes numbers of 5.9, 6.0, 6.1."""
    if c.n_unique > MAX_SEGMENT_VALUES or not set(tokens(c.name)) & _VERSIONED:
        return False
    numbers = c.kind == "numeric" and c.n_unique <= MAX_NUMERIC_SEGMENT
    return numbers or (c.kind == "category" and bool(c.values) and all(any(ch.isdigit() for ch in str(v)) for v in c.values))


def features(free: list[str], evidence: Evidence) -> tuple[str, ...]:
    """Find model inputs: numbers and categories that vary and are not about where a request was served.

    Examples
    --------
    >>> pod = ColumnSummary("pod", "category", "String", 7, 0, None, None)
    >>> price = ColumnSummary("price", "numeric", "Float64", 99, 0, 0, 9)
    >>> features(["pod", "price"], Evidence([pod, price], []))
    ('price',)
    """
    found = []
    for name in free:
        c = evidence.columns[name]
        context = c.kind != "numeric" and set(tokens(name)) & CONTEXT
        if c.kind in ("numeric", "category", "bool") and c.n_unique > 1 and not context and not _is_version(c):
            found.append(name)
    return tuple(found)
