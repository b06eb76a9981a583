"""A request log that stays in its engine: what has to be done to it is decided on a sample, and done there."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import narwhals as nw
import polars as pl

from rca_kit.case.incident import Case
from rca_kit.case.infer import infer_roles
from rca_kit.case.roles import check_given
from rca_kit.case.times import EARLIEST, LATEST
from rca_kit.errors import BadInput
from rca_kit.sources.collect import collect
from rca_kit.sources.columns import SAMPLE_ROWS, summarise
from rca_kit.sources.draw import draw
from rca_kit.sources.frames import Frame
from rca_kit.sources.log import Log, check_outcomes, check_redact, check_rows, check_span
from rca_kit.sources.native import Native
from rca_kit.sources.prepare import errors_only, infinite_values

HEAD = 5_000  # rows that show which column holds the time, before rows can be drawn by it
DRAWN = 50_000  # rows that summaries and inference look at when there are too many to look at all
CAST_HINT = "write it as one in a query or a view, such as CAST({name} AS {type})"
UTC_TIME = nw.Datetime("us", "UTC")


def read_native(case: Case, native: Native, deployed: frozenset[str]) -> Log:
    """Prepare a log for the loop by expressions that its engine runs.

    Only sampled rows and the first and last time are fetched. Engines hold typed columns, so little is guessed: a time that is
    text or a number is refused with a hint, where files would be parsed.

    Raises
    ------
    BadInput
        When the log cannot be used.
    RunFailed
        When the engine stops answering.
    """
    file, incident, given = native.label, case.incident, case.incident.roles
    frame, warnings = plain(native.frame, file)
    names = frame.collect_schema().names()
    check_given(given, names, file)
    check_redact(case, names, file)
    time = given.time or _time_of(frame, case, file)
    frame, low, high, rows, lost = _timed(frame, time, file)
    check_rows(rows, file)
    sample = draw(frame, time, low, names, rows if rows <= SAMPLE_ROWS else DRAWN, rows).select(names)
    frame, sample = _numbers(frame, sample, [given.score if incident.task in (None, "binary", "regression") else None,
                                             given.latency_ms, *(given.stages or ())], file)
    summaries = summarise(sample)
    inferred = infer_roles(incident, summaries, nw.from_native(sample, eager_only=True), rows, file, deployed)
    if inferred.roles.time != time:  # pragma: no cover - the head showed another column than the sample
        raise BadInput("the column of the time is not clear", file=file, found=f"{time}, {inferred.roles.time}",
                       hint="name it in incident.yaml under roles.time")
    failed = next((c for c in summaries if c.name == inferred.roles.error), None)
    if failed is not None and (successes := errors_only(failed)) is not None:
        frame = frame.with_columns(successes)
        changed = nw.from_native(sample, eager_only=True).select(successes).to_native()
        summaries = tuple(summarise(changed)[0] if c is failed else c for c in summaries)
    if lost:
        warnings.append(f"{file}: {lost:,} of {rows + lost:,} rows have no readable time in `{time}` and are left out")
    warnings += [*inferred.warnings, *infinite_values(sample, file), *check_span(case, low, high, file),
                 *check_outcomes(inferred, summaries, file)]
    return Log(frame, rows, (low.astimezone(UTC), high.astimezone(UTC)), summaries, inferred, tuple(warnings))


def plain(frame: Frame, file: str) -> tuple[Frame, list[str]]:
    """Leave out columns that hold no plain values, and turn decimals, naive times and categories into plain types."""
    schema = frame.collect_schema()
    odd = [n for n, t in schema.items() if t.is_nested() or t in (nw.Binary, nw.Object, nw.Unknown, nw.Duration, nw.Time)]
    if len(odd) == len(schema):
        raise BadInput("has no columns that can be used", file=file, found=", ".join(schema) or "no columns")
    casts: list[nw.Expr] = []
    for name, dtype in schema.items():
        if name in odd:
            continue
        if dtype == nw.Decimal or dtype in (nw.Int128, nw.UInt128, nw.UInt64):
            casts.append(nw.col(name).cast(nw.Float64))
        elif isinstance(dtype, nw.Enum) or dtype == nw.Categorical:
            casts.append(nw.col(name).cast(nw.String))
        elif isinstance(dtype, nw.Datetime) and dtype.time_zone is None:
            casts.append(nw.col(name).cast(UTC_TIME))
    out = frame.select(*[nw.col(n) for n in schema if n not in odd]) if odd else frame
    notes = [f"{file}: columns of lists, records, bytes or unknown types are left out: {', '.join(odd)}"] if odd else []
    return (out.with_columns(*casts) if casts else out), notes


def _time_of(frame: Frame, case: Case, file: str) -> str:
    head = collect(frame.head(HEAD))
    found = infer_roles(case.incident, summarise(head), nw.from_native(head, eager_only=True), head.height, file, frozenset())
    return found.roles.time


def _timed(frame: Frame, time: str, file: str) -> tuple[Frame, Any, Any, int, int]:
    """Keep the rows whose time can be read; give the first and last one and the numbers of rows kept and lost."""
    dtype = frame.collect_schema()[time]
    if dtype == nw.Date:
        frame = frame.with_columns(nw.col(time).cast(UTC_TIME))
    elif not isinstance(dtype, nw.Datetime):
        raise BadInput("is no time", file=file, column=time, found=str(dtype), expected="a column of timestamps",
                       hint=CAST_HINT.format(name=time, type="TIMESTAMP WITH TIME ZONE"))
    there = (nw.col(time) >= nw.lit(EARLIEST)) & (nw.col(time) < nw.lit(LATEST))
    kept = frame.filter(there)
    facts = collect(frame.select(
        nw.len().alias("all"), nw.when(there).then(nw.lit(1)).otherwise(nw.lit(0)).sum().alias("kept"),
        nw.when(there).then(nw.col(time)).min().alias("low"), nw.when(there).then(nw.col(time)).max().alias("high")))
    rows, good = int(facts["all"][0] or 0), int(facts["kept"][0] or 0)
    if rows and not good:
        raise BadInput("no row has a time that can be read", file=file, column=time, expected="times like 2026-03-02T14:35:00Z")
    check_rows(good, file)
    return (kept if good < rows else frame), facts["low"][0], facts["high"][0], good, rows - good


def _numbers(frame: Frame, sample: pl.DataFrame, must: list[str | None], file: str) -> tuple[Frame, pl.DataFrame]:
    """Cast columns that must be numbers and are text: where every sampled value is one, or not at all."""
    for name in [n for n in must if n is not None]:
        values = sample[name]
        if values.dtype.is_numeric() or values.dtype == pl.Boolean:
            continue
        read = values.cast(pl.Float64, strict=False) if values.dtype == pl.String else None
        if read is None or read.null_count() > values.null_count():
            known = values.drop_nulls()
            raise BadInput("must hold numbers", file=file, column=name, found=f"values such as `{str(known[0])[:40]}`",
                           hint=CAST_HINT.format(name=name, type="DOUBLE PRECISION"))
        frame, sample = frame.with_columns(nw.col(name).cast(nw.Float64)), sample.with_columns(read)
    return frame, sample
