"""A session in a notebook: the case's tables and charts without their interpretation, and a place for the answers."""

from __future__ import annotations

import html
import importlib
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from rca_kit.case.journal import Journal
from rca_kit.case.times import parse_time
from rca_kit.errors import BadInput, did_you_mean
from rca_kit.findings.drill import DrillScore, Listing
from rca_kit.loop.compare.compare import compare
from rca_kit.loop.reading.names import public, series_for
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.prepare import Prepared, picture_of, prepare
from rca_kit.loop.s2_symptom import chart
from rca_kit.sources import OpenCase, open_case
from rca_kit.stats.changepoint import find_changes
from rca_kit.training.answers import Answers, check_answers, read_answers, write_answers
from rca_kit.training.drill_file import DrillFile
from rca_kit.training.hints import Hint
from rca_kit.training.questions import get_step, known_test, known_tests
from rca_kit.training.sessions import score_session, take_hint


class Drill:
    """One training session, for a notebook.

    Tables: `.rows`, `.changes`, `.service_metrics`, `.metrics`. Charts: `.chart(metric)`. Answers: `.ask(step)` shows the
    questions with a form, `.answer(verdict="incident", ...)` writes them down, `.test(name)` notes a test that was run,
    `.hint(step)` costs points, `.score()` ends it.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.info = DrillFile.load(self.folder)

    def __repr__(self) -> str:
        case = self._opened.case.incident
        return (
            f"{self.info.id}: {case.title}. Alert {case.detected_at:%Y-%m-%d %H:%M} UTC, {case.signal.metric or ''} "
            f"{case.signal.summary}".rstrip()
            + f". {self.info.minutes} minutes."
        )

    def _repr_html_(self) -> str:
        case = self._opened.case.incident
        start, end = self._opened.time_range
        tables = ", ".join(f"{t.name} ({t.rows:,} rows)" if t.rows is not None else t.name for t in self._opened.tables)
        slos = ", ".join(
            f"{m} {' '.join(f'{k} {v:g}' for k, v in s.model_dump(exclude_none=True).items())}" for m, s in case.slos.items()
        )
        rows = {
            "Alert": f"{case.detected_at:%Y-%m-%d %H:%M} UTC, {case.signal.metric or 'no metric named'}: {case.signal.summary}",
            "Service": case.service or "not named",
            "Log": f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC; {tables}",
            "Targets": slos or "none given",
            "Time": f"{self.info.minutes} minutes",
        }
        body = "".join(
            f"<tr><th style='text-align:left'>{k}</th><td style='text-align:left'>{html.escape(v)}</td></tr>"
            for k, v in rows.items()
        )
        return f"<p><b>{html.escape(self.info.id)}: {html.escape(case.title)}</b></p><table>{body}</table>"

    @cached_property
    def _opened(self) -> OpenCase:
        return open_case(self.folder)

    @cached_property
    def _prepared(self) -> Prepared:
        return prepare(self._opened)

    @cached_property
    def _picture(self) -> Picture:
        return picture_of(self._prepared)

    @property
    def roles(self) -> dict[str, Any]:
        """Which column means what."""
        return self._opened.roles.to_dict()

    @property
    def time(self) -> str:
        """Name of the time column."""
        return self._opened.roles.time

    @property
    def alert(self) -> str:
        """The metric of the alert; the number of requests when none is named."""
        return self._opened.case.incident.signal.metric or "volume"

    @property
    def alert_time(self) -> datetime:
        """When the alert fired, UTC."""
        return self._opened.case.incident.detected_at

    @property
    def segments(self) -> list[str]:
        """Columns to cut by."""
        return list(self._prepared.columns.segments)

    @property
    def inputs(self) -> list[str]:
        """The model's inputs."""
        return list(self._opened.roles.features)

    @cached_property
    def rows(self) -> pl.DataFrame:
        """The request log, in order of time."""
        frame: pl.DataFrame = self._opened.predictions.collect(backend="polars").to_native()
        return frame.sort(self.time, maintain_order=True)

    @cached_property
    def changes(self) -> Listing:
        """The change log, in order of time."""
        names = ("id", "kind", "component", "description", "scope", "version_from", "version_to")
        listed = sorted(self._opened.changes, key=lambda c: c.time)
        rows = tuple({"time": f"{c.time:%Y-%m-%d %H:%M}", **{n: getattr(c, n) for n in names}} for c in listed)
        return Listing(f"{len(rows)} logged changes, times UTC", rows)

    @cached_property
    def service_metrics(self) -> pl.DataFrame:
        """Metrics of the components, in long form; empty when the case has none."""
        if self._opened.service_metrics is None:
            return pl.DataFrame()
        frame: pl.DataFrame = self._opened.service_metrics.collect(backend="polars").to_native()
        return frame

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics that the log holds and `.chart` can show."""
        return tuple(
            sorted({public(n) for n, s in self._prepared.series.items() if s.family not in ("segment", "mix", "helper")})
        )

    def series(self, metric: str) -> pl.DataFrame:
        """Give one metric over time: time, value, count."""
        s = chart(self._picture, self._find(metric))
        return pl.DataFrame({"time": s.times, "value": s.values, "count": s.counts})

    def chart(self, metric: str = "") -> Any:
        """Draw one metric over time, with its noise and the logged changes; the metric of the alert when none is named."""
        name = self._find(metric or self.alert)
        # looked up by name: drawing lies beside this package, not below it
        draw = importlib.import_module("rca_kit.views.metric_figure").metric_figure
        marks = importlib.import_module("rca_kit.views.svg.chart").Marks(
            changes=tuple((c.id, c.time) for c in self._opened.changes), detected_at=self._opened.case.incident.detected_at
        )
        return importlib.import_module("plotly.graph_objects").Figure(draw(chart(self._picture, name), marks))

    def _find(self, metric: str) -> str:
        named = {public(n): n for n in self._prepared.series}
        name = series_for(metric, self._prepared.series) or named.get(metric)
        if name is None:
            raise BadInput(
                "the log holds no such metric", found=metric, expected="one of .metrics", hint=did_you_mean(metric, self.metrics)
            )
        return name

    def split(self, at: str | datetime) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Give the rows before a time and the rows from then on; no offset means UTC."""
        when = parse_time(at)[0].astimezone(UTC)
        return self.rows.filter(pl.col(self.time) < when), self.rows.filter(pl.col(self.time) >= when)

    def counts(self, before: pl.DataFrame, after: pl.DataFrame, column: str = "") -> pl.DataFrame:
        """Count an outcome per combination of segments, before and after, as `rca_kit.localize` takes it.

        Parameters
        ----------
        before, after : polars.DataFrame
            From `.split`.
        column : str
            Counted are rows in which it is 1 or true; in other columns, rows in which it is missing. When empty, the outcome of
            the alert: its KPI, its nulls, wrong decisions for a quality metric, failed requests for any other.

        Returns
        -------
        polars.DataFrame
            The segment columns, and k_before, n_before, k_after, n_after.
        """
        hit = self._outcome(column)
        parts = [
            f.group_by(self.segments).agg(hit.sum().cast(pl.Int64).alias(f"k_{side}"), pl.len().cast(pl.Int64).alias(f"n_{side}"))
            for f, side in ((before, "before"), (after, "after"))
        ]
        joined = parts[0].join(parts[1], on=self.segments, how="full", coalesce=True, nulls_equal=True)
        return joined.with_columns(pl.col(r"^[kn]_(before|after)$").fill_null(0)).sort(self.segments)

    def _outcome(self, column: str) -> pl.Expr:
        roles = self._opened.roles
        head, _, tail = self.alert.partition(":")
        if not column and head not in ("kpi", "null_rate"):
            wrong = head not in ("error_rate", "latency_p50", "latency_p95", "latency_p99", "volume", "psi", "freshness")
            if wrong and roles.decision and roles.label:
                return (pl.col(roles.decision) != pl.col(roles.label)).fill_null(False)
            if roles.error:
                return pl.col(roles.error).is_not_null()
        name = column or tail or roles.time
        if name not in self.rows.columns:
            raise BadInput("the log has no such column", found=name, hint=did_you_mean(name, self.rows.columns))
        values = self.rows[name].drop_nulls().unique()
        if values.dtype == pl.Boolean or (values.dtype.is_numeric() and set(values.to_list()) <= {0, 1}):
            return pl.col(name).cast(pl.Int64) == 1
        return pl.col(name).is_null()

    def what_changed(self, before: pl.DataFrame, after: pl.DataFrame) -> Listing:
        """Compare the inputs before and after with `rca_kit.compare`, changed ones first, the few columns that one reads."""
        found = compare(before, after, columns=self.inputs)
        rows = tuple(
            {
                "column": c.column,
                "changed": "yes" if c.changed else "no",
                "why": c.reason,
                "nulls before": _share(c.null_rate_before),
                "nulls after": _share(c.null_rate_after),
                "PSI": "" if c.psi is None else f"{c.psi:.2f}",
            }
            for c in sorted(found.columns, key=lambda c: not c.changed)
        )
        return Listing(f"{sum(r['changed'] == 'yes' for r in rows)} of {len(rows)} inputs changed", rows)

    def change_points(self, metric: str = "") -> Listing:
        """Find change points of a metric with `rca_kit.find_changes`, its daily season taken out, with their times."""
        s = chart(self._picture, self._find(metric or self.alert))
        per_day = round(86_400 / s.bucket_seconds)
        values = np.array([np.nan if v is None else v for v in s.values])
        found = find_changes(values, period=per_day if len(values) >= 3 * per_day else None)
        rows = tuple(
            {
                "between": f"{s.times[max(int(low), 0)]:%Y-%m-%d %H:%M}",
                "and": f"{s.times[min(int(high), len(s.times) - 1)]:%Y-%m-%d %H:%M}",
                "best guess": f"{s.times[int(at)]:%Y-%m-%d %H:%M}",
            }
            for at, (low, high) in zip(found.indices, found.intervals, strict=True)
        )
        return Listing(f"{metric or self.alert}: {len(rows)} change point{'s' * (len(rows) != 1)}, times UTC", rows)

    def side_by_side(self, before: pl.DataFrame, after: pl.DataFrame, n: int = 3) -> Listing:
        """Lay the first requests of two frames side by side, one line per column."""
        left, right = before.head(n), after.head(n)
        rows = tuple(
            {
                "column": c,
                **{f"before {i + 1}": _cell(v) for i, v in enumerate(left[c])},
                **{f"after {i + 1}": _cell(v) for i, v in enumerate(right[c])},
            }
            for c in left.columns
            if c in right.columns
        )
        return Listing("requests before and after", rows)

    @property
    def tests(self) -> Listing:
        """The tests one can ask for, with the minutes they take."""
        return Listing("tests", tuple({"name": t.name, "what": t.title, "minutes": t.minutes} for t in known_tests()))

    @property
    def answers(self) -> Answers:
        """What is answered so far."""
        return read_answers(self.folder)

    def ask(self, step: str) -> Any:
        """Show the questions of a step with a form; without widgets, as a table with what is answered so far."""
        form = importlib.import_module("rca_kit.training.forms")
        return form.step_form(self, get_step(step))

    def answer(self, **given: Any) -> Answers:
        """Write answers down; those not named stay as they are, None takes one back.

        Raises
        ------
        BadInput
            With every problem in one message; nothing is written then.
        """
        kept = {k: v for k, v in self.answers.model_dump().items() if k not in given}
        answers = check_answers({**kept, **given}, "answers")
        write_answers(self.folder, answers, f"{self.info.id}, {self.info.title}")
        plain = answers.model_dump(mode="json", include=set(given))
        Journal(self.folder).add("answer", ", ".join(given), data=plain)
        return answers

    def test(self, name: str) -> str:
        """Note that a test was run or asked for; tests that cannot decide cost points."""
        found = known_test(name)
        Journal(self.folder).add("drill_test", found.title, data={"name": name, "minutes": found.minutes})
        return f"noted: {found.title} ({found.minutes} minutes)"

    def hint(self, step: str) -> Hint:
        """Take the next hint of a step; it costs points."""
        return take_hint(self.folder, step)

    def score(self) -> DrillScore | None:
        """Score what is answered; None while nothing is."""
        return score_session(self.folder) if self.answers.given else None


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _cell(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else "missing" if value is None else str(value)


def open_drill(folder: str | Path = "..") -> Drill:
    """Open a training session in a notebook.

    Parameters
    ----------
    folder : path
        The session's folder; a notebook in its `notebooks` folder needs none.

    Raises
    ------
    BadInput
        When the folder is no session.

    Examples
    --------
    >>> open_drill("no/such/folder")
    Traceback (most recent call last):
    ...
    rca_kit.errors.BadInput: no/such/folder: this is no training session...
    """
    return Drill(folder)
