"""Open a case: incident.yaml checked, tables scanned, roles filled, times in UTC; everything heavy stays lazy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from rca_kit.case.changes import Change
from rca_kit.case.columns import ColumnSummary
from rca_kit.case.incident import Case, RolesGiven, Tables, load_case
from rca_kit.case.infer import Inferred, infer_roles
from rca_kit.case.roles import Roles, check_given
from rca_kit.case.vocabulary import LABEL
from rca_kit.errors import BadInput, did_you_mean
from rca_kit.sources.archive import Archive
from rca_kit.sources.collect import collect
from rca_kit.sources.columns import EAGER_ROWS, sample_rows, summarise
from rca_kit.sources.engines import ENGINES, predictions_of
from rca_kit.sources.files import Scanned, explained
from rca_kit.sources.frames import Frame
from rca_kit.sources.log import Log, check_impact, check_outcomes, check_redact, check_rows, check_span, refuse_time
from rca_kit.sources.native import Native
from rca_kit.sources.native_log import read_native
from rca_kit.sources.prepare import errors_only, infinite_values, numbers_in_text, plain_types, time_casts
from rca_kit.sources.saved import SavedLog, open_saved
from rca_kit.sources.tables import (
    TableEntry,
    entry,
    golden_table,
    open_source,
    read_change_log,
    service_metrics_table,
    shadow_table,
)
from rca_kit.sources.times import is_plausible, plausible


@dataclass(frozen=True)
class OpenCase:
    """A case that is ready to be investigated. Frames are narwhals lazy frames; times in them are UTC microseconds."""

    case: Case
    roles: Roles
    positive: dict[str, Any]
    task: str
    predictions: Frame
    row_count: int
    time_range: tuple[datetime, datetime]
    columns: tuple[ColumnSummary, ...]
    changes: tuple[Change, ...]
    service_metrics: Frame | None
    golden: Frame | None
    shadow: Frame | None
    warnings: tuple[str, ...]
    tables: tuple[TableEntry, ...]
    engine: str = "polars"
    sample: pl.DataFrame | None = None  # the rows that columns were told from, spread over the log
    saved: tuple[tuple[str, Archive], ...] = ()  # name and content of each file, when the log is here as aggregates only
    newer: OpenCase | None = None  # the rows named beside aggregates, those later than the aggregates

    def column(self, name: str) -> ColumnSummary:
        """Give the summary of one column.

        Raises
        ------
        KeyError
            When there is no such column.
        """
        return next(c for c in self.columns if c.name == name)


def open_case(folder: str | Path, engine: str = "polars") -> OpenCase:
    r"""Open a case folder.

    Parameters
    ----------
    folder : str or Path
        The case folder, or the path of its incident.yaml.
    engine : {"polars", "duckdb", "spark"}
        What answers for the request log; the other tables are small. A log that is named by its engine stays there.

    Raises
    ------
    BadInput
        When the case cannot be used; the message names file, column, what was found and what was expected.
    MissingExtra
        When the engine is not installed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as d:
    ...     rows = "\n".join(f"2026-03-02T10:{m:02d}:00Z,0.{m:02d},{m % 2}" for m in range(60))
    ...     _ = (Path(d) / "p.csv").write_text("ts,score,label\n" + rows)
    ...     text = "{id: A-1, title: t, detected_at: 2026-03-02T11:00:00Z, tables: {predictions: p.csv}}"
    ...     _ = (Path(d) / "incident.yaml").write_text(text)
    ...     opened = open_case(d)
    >>> opened.roles.time, opened.roles.score, opened.roles.label, opened.row_count
    ('ts', 'score', 'label', 60)
    """
    if engine not in ENGINES:
        raise BadInput("unknown engine", found=engine, expected=" or ".join(ENGINES), hint=did_you_mean(engine, ENGINES))
    return open_incident(load_case(folder), engine)


def open_incident(case: Case, engine: str = "polars") -> OpenCase:
    """Open a case whose incident.yaml is in memory; see `open_case`."""
    spec = case.incident.tables.predictions
    saved = open_saved(case, spec) if isinstance(spec, dict) and "aggregates" in spec else None
    source = Scanned(saved.frame, saved.files) if saved else open_source(case.folder, spec, "predictions")
    changes, change_entry, change_notes = read_change_log(case)
    deployed = frozenset(v for c in changes if c.kind == "model_deploy" for v in (c.version_from, c.version_to) if v)
    if isinstance(source, Native):
        log, engine = read_native(case, source, deployed), source.engine
        warnings, frame = [*log.warnings], log.frame
    else:
        log = _saved_log(case, saved) if saved else _read_log(case, source, deployed, held=engine == "polars")
        warnings = [*source.warnings, *log.warnings]
        own = engine == "polars" or saved is not None
        frame = log.frame if own else predictions_of(engine, source, log.frame.to_native())
    newer: OpenCase | None = None
    if saved and isinstance(spec, dict) and "rows" in spec:
        newer, newer_notes = _newer(case, saved, spec["rows"], engine)
        warnings += newer_notes
    rows, span = log.rows, log.span
    if newer is not None:
        rows, span = rows + newer.row_count, (span[0], max(span[1], newer.time_range[1]))
        frame = _with_newer(frame, newer)
        warnings += newer.warnings
    check_impact(case, log.inferred.roles)
    metrics, metric_entry, metric_notes = service_metrics_table(case, span)
    golden, golden_entry, golden_notes = golden_table(case)
    shadow, shadow_entry, shadow_notes = shadow_table(case)
    for notes in (change_notes, metric_notes, golden_notes, shadow_notes):
        warnings += notes
    predictions = entry("predictions", source, rows, len(log.columns))
    if newer is not None:
        predictions = replace(predictions, files=(*predictions.files, *newer.tables[0].files))
    entries = [predictions, change_entry, metric_entry, golden_entry, shadow_entry]
    return OpenCase(
        case=case, roles=log.inferred.roles, positive=log.inferred.positive, task=log.inferred.task, predictions=frame,
        row_count=rows, time_range=span, columns=log.columns, changes=changes, service_metrics=metrics, golden=golden,
        shadow=shadow, warnings=tuple(dict.fromkeys(warnings)), tables=tuple(e for e in entries if e is not None), engine=engine,
        sample=log.sample, saved=saved.archives if saved else (), newer=newer,
    )


def _newer(case: Case, saved: SavedLog, spec: Any, engine: str) -> tuple[OpenCase | None, tuple[str, ...]]:
    """Open the rows beside aggregates by the aggregates' roles; rows no later than theirs are summed there already."""
    roles = dict.fromkeys(RolesGiven.model_fields) | saved.roles.to_dict()
    tables = Tables.model_validate({"predictions": spec})
    alone = case.incident.model_copy(update={"tables": tables, "roles": RolesGiven(**roles), "task": saved.task})
    opened = open_incident(replace(case, incident=alone), engine)
    time, last = opened.roles.time, saved.span[1]
    frame = opened.predictions.filter(nw.col(time) > nw.lit(last))
    facts = collect(frame.select(nw.len().alias("n"), nw.col(time).min().alias("first"))).row(0, named=True)
    early = opened.row_count - facts["n"]
    notes: tuple[str, ...] = ()
    if early:
        notes = (f"{early:,} of {opened.row_count:,} rows beside the aggregates are no later than {last:%Y-%m-%d %H:%M:%S} UTC, "
                 "where those end: they count as summed already and are left out",)
    if not facts["n"]:
        return None, notes
    span = (facts["first"], opened.time_range[1])
    named = [t for t in opened.tables if t.name == "predictions"]
    return replace(opened, predictions=frame, row_count=facts["n"], time_range=span, tables=tuple(named)), notes


def _with_newer(kept: Frame, newer: OpenCase) -> Frame:
    """Rows kept with the aggregates and the newer ones together; where an engine holds the newer, those alone."""
    mine, theirs = kept.to_native(), newer.predictions.to_native()
    if not isinstance(theirs, pl.LazyFrame):
        return newer.predictions
    both = pl.concat([mine, theirs.select(mine.collect_schema().names())], how="vertical_relaxed")
    together: Frame = nw.from_native(both)
    return together


def _saved_log(case: Case, saved: SavedLog) -> Log:
    """The log as its aggregates describe it."""
    notes = check_span(case, *saved.span, saved.files[0].name)
    inferred = Inferred(roles=saved.roles, positive=saved.positive, task=saved.task)
    frame: Frame = nw.from_native(saved.frame)
    return Log(frame, saved.rows, saved.span, saved.columns, inferred, (*saved.warnings, *notes))


def _read_log(case: Case, scanned: Scanned, deployed: frozenset[str], *, held: bool) -> Log:
    """Prepare a log of files; `held` in memory where it fits: not for another engine, which reads the files itself."""
    file = scanned.names[0] if len(scanned.names) == 1 else f"{scanned.names[0]} and {len(scanned.names) - 1} more"
    incident, given = case.incident, case.incident.roles
    with explained(file):
        prepared = plain_types(scanned.frame, file)
        names = prepared.frame.collect_schema().names()
        check_given(given, names, file)
        check_redact(case, names, file)
        rows = int(prepared.frame.select(pl.len()).collect().item())
        check_rows(rows, file)
        if held and rows <= EAGER_ROWS:
            prepared = replace(prepared, frame=prepared.frame.collect(engine="streaming").lazy())
        raw = sample_rows(prepared.frame, rows)
    warnings = list(prepared.warnings)
    must = [n for n in (given.score if incident.task in (None, "binary", "regression") else None, given.latency_ms,
                        *(given.stages or ())) if n]
    outcomes = [n for n in names if n in (given.label, given.decision, *(given.kpi or {})) or LABEL.points(n) > 0]
    casts, notes = numbers_in_text(raw, file, must, outcomes)
    warnings += notes
    frame, sample = (prepared.frame.with_columns(casts) if casts else prepared.frame), raw.with_columns(casts)
    summaries = summarise(sample, incident.detected_at)
    kinds = {c.name: c.kind for c in summaries}
    if given.time:
        kinds[given.time] = "time"
    times, time_notes = time_casts(sample, dict(kinds), file)
    if given.time and given.time not in times:
        refuse_time(sample[given.time], file)
    done = [e for e in times.values() if not e.meta.is_column()]
    frame, sample = (frame.with_columns(done) if done else frame), sample.with_columns(done)
    summaries = tuple(summarise(sample.select(c.name))[0] if c.name in times else c for c in summaries)
    inferred = infer_roles(incident, summaries, nw.from_native(sample, eager_only=True), rows, file, deployed)
    time = inferred.roles.time
    failed = next((c for c in summaries if c.name == inferred.roles.error), None)
    if failed is not None and (successes := errors_only(failed)) is not None:
        frame = nw.from_native(frame).with_columns(successes).to_native()
        changed = nw.from_native(sample, eager_only=True).select(successes).to_native()
        summaries = tuple(summarise(changed)[0] if c is failed else c for c in summaries)
    if time not in times:
        refuse_time(sample[time], file)
    warnings += [f"{file}: column `{time}`: {note}" for note in time_notes.get(time, ())]
    warnings += [*inferred.warnings, *infinite_values(sample, file)]
    with explained(file):
        low, high, lost = _ends(frame, time)
        if low is not None and not is_plausible(low, high):  # the sample may not have shown them
            frame = frame.with_columns(plausible(pl.col(time)).alias(time))
            low, high, lost = _ends(frame, time)
    if low is None:
        raise BadInput("no row has a time that can be read", file=file, column=time, expected="times like 2026-03-02T14:35:00Z")
    if lost:
        warnings.append(f"{file}: {lost:,} of {rows:,} rows have no readable time in `{time}` and are left out")
        frame = frame.filter(pl.col(time).is_not_null())
    warnings += check_span(case, low, high, file)
    warnings += check_outcomes(inferred, summaries, file)
    span = (low.astimezone(UTC), high.astimezone(UTC))
    return Log(nw.from_native(frame), rows - lost, span, summaries, inferred, tuple(warnings), sample)


def _ends(frame: pl.LazyFrame, time: str) -> tuple[Any, Any, int]:
    """First and last time and the number of rows without one; a scan of one column."""
    column = pl.col(time)
    ends = frame.select(column.min().alias("low"), column.max().alias("high"), column.null_count().alias("lost"))
    low, high, lost = ends.collect(engine="streaming").row(0)
    return low, high, int(lost)
