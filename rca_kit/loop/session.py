"""A case while people work on it: its sums and findings in memory, its journal on disk, and what a click changes.

A click is answered at once from what is in memory; `catch_up` then takes the steps again that depend on it, so that the session
ends where an unattended run of the same case, with the same journal, ends.
"""

from __future__ import annotations

import getpass
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from rca_kit.case.decisions import Decisions, read_decisions
from rca_kit.case.journal import Journal
from rca_kit.errors import BadInput
from rca_kit.findings.base import Window
from rca_kit.findings.investigation import Investigation
from rca_kit.findings.settlement import Settlement
from rca_kit.findings.signal import MetricReading
from rca_kit.findings.slices import Slices
from rca_kit.findings.suspects import Suspects
from rca_kit.loop.decided import decided, tagged
from rca_kit.loop.investigate import finish
from rca_kit.loop.reading.names import public
from rca_kit.loop.reading.picture import Picture, weigh
from rca_kit.loop.reading.prepare import Prepared, picture_of, prepare
from rca_kit.loop.s3_scope import slicing
from rca_kit.loop.s3_scope.cells import Cells, Within, cells_over_time, narrowed
from rca_kit.loop.s3_scope.search import badness_of
from rca_kit.loop.s4_suspects import suspects
from rca_kit.loop.s4_suspects.verdict import decide as decide_verdict
from rca_kit.loop.work import work
from rca_kit.loop.worked import Worked
from rca_kit.sources import OpenCase, open_case

Say = Callable[[str], None]
MEASURES = {
    "nulls": "without a value",
    "output_nulls": "without a value",
    "quality": "decided wrongly",
    "labels": "without a label",
    "service": "slower than 95 % were before",
    "stage": "slower than 95 % were before",
}
MOST_READINGS = 15  # rows of the table under the onset chart: those drawn, and no more than a screen
LEAST_SHARE = 0.002  # of traffic: smaller segments are not listed while drilling down


class Session:
    """One case in work.

    Parameters
    ----------
    case : path or OpenCase
        The case folder.
    engine : {"polars", "duckdb", "spark"}
    author : str, optional
        Who decides, for the journal; the login name when not given.
    progress : callable, optional
        Called with the name of each step as it begins.

    Raises
    ------
    BadInput
        When the case cannot be used.
    """

    def __init__(
        self, case: str | Path | OpenCase, engine: str = "polars", author: str | None = None, progress: Say | None = None
    ) -> None:
        say = progress or (lambda _: None)
        say("read")
        opened = case if isinstance(case, OpenCase) else open_case(case, engine=engine)
        self.author = login() if author is None else author
        self.journal = Journal(opened.case.folder)
        self.prepared: Prepared = prepare(opened)
        self._looked: Picture = picture_of(self.prepared)  # before the steps moved its windows: where every run begins
        self.worked: Worked = work(self.prepared, self._looked, say)
        self.picture: Picture = self.worked.picture
        self.suspects: Suspects = self.worked.suspects
        self._whole: Investigation | None = None
        self._last: Investigation | None = None  # shown until the steps have been taken again
        self._cells: dict[str, Cells | None] = {}
        self._inside: Within | None = None
        self._behind: set[str] = set()
        self._lock = threading.RLock()

    @property
    def folder(self) -> Path:
        """The case folder."""
        return self.prepared.case.case.folder

    @property
    def decisions(self) -> Decisions:
        """What people decided so far."""
        return self.prepared.decisions

    @property
    def metric(self) -> str:
        """Series of the outcome the investigation is about."""
        return self.worked.room.main

    @property
    def windows(self) -> tuple[Window, Window]:
        """Before and after, as they are now."""
        return self.picture.windows

    @property
    def behind(self) -> bool:
        """Whether steps wait to be taken again; see `catch_up`."""
        return bool(self._behind)

    # --- decisions -------------------------------------------------------------------------------------------------------

    def note(self, kind: str, text: str = "", /, **data: Any) -> None:
        """Write a decision into the journal and take it in.

        Parameters
        ----------
        kind : str
            See `rca_kit.case.decisions`; any other kind is a plain note.
        text : str
            In words.
        **data
            What JSON can hold.
        """
        self.journal.add(kind, text, author=self.author, data=data)
        self.reread()

    def reread(self) -> None:
        """Take in what the journal says now; other sessions write it too."""
        old, new = self.decisions, read_decisions(self.journal.entries())
        if new == old:
            return
        self.prepared = replace(self.prepared, decisions=new)
        if new.windows != old.windows:
            self._show_windows()
            self._behind |= {"windows", "suspects", "rows"}
        if (new.marks, new.suspects, new.evidence) != (old.marks, old.suspects, old.evidence):
            self._weigh_again()
            self._behind |= {"suspects", "rows"}
        if new.scope != old.scope:
            self._behind |= {"suspects", "rows"}

    def set_windows(self, before: tuple[datetime, datetime], after: tuple[datetime, datetime]) -> None:
        """Compare other windows, UTC and half-open; both are cut to the log.

        Raises
        ------
        BadInput
            When they are empty or not in order.
        """
        start, end = self.picture.grid.origin, self.picture.grid.time(self.picture.grid.n)
        spans = [(max(a, start), min(b, end)) for a, b in (before, after)]
        (b0, b1), (a0, a1) = spans
        if not b0 < b1 <= a0 < a1:
            raise BadInput(
                "the windows are empty or not in order",
                found=f"before {b0:%m-%d %H:%M} to {b1:%m-%d %H:%M}, after {a0:%m-%d %H:%M} to {a1:%m-%d %H:%M}",
                expected="before ends where after begins, or earlier",
            )
        words = [[t.isoformat() for t in s] for s in spans]
        self.note(
            "windows",
            f"before {b0:%Y-%m-%d %H:%M} to {b1:%H:%M}, after {a0:%Y-%m-%d %H:%M} to {a1:%H:%M} UTC",
            before=words[0],
            after=words[1],
        )

    def reset_windows(self) -> None:
        """Go back to the windows that the onset gives."""
        self.note("windows", "as the onset gives them", before=None, after=None)

    def _show_windows(self) -> None:
        if self.decisions.windows is None:
            return  # the detected ones come with catch_up
        windows = (Window(*self.decisions.windows[0]), Window(*self.decisions.windows[1]))
        before, after, matched = weigh(self.picture.grid, windows)
        noise = self.picture.noise
        self.picture = replace(self.picture, windows=windows, before=before, after=after, matched=matched)
        self.picture.__dict__["noise"] = noise  # of the hours before the onset: a brush does not change how a metric wanders

    def _weigh_again(self) -> None:
        w = self.worked
        verdict = replace(decide_verdict(w.room, w.outcomes), verdict=w.suspects.verdict, because=w.suspects.verdict_because)
        self.suspects = suspects(w.room, w.outcomes, w.scope, w.symptom, verdict, self.decisions)

    # --- steps -----------------------------------------------------------------------------------------------------------

    def catch_up(self, say: Say = lambda _: None) -> bool:
        """Take the steps again that wait; safe to call from another thread. Tells whether something was done."""
        with self._lock:
            if not self._behind:
                return False
            prepared, waiting = self.prepared, set(self._behind)
            if "windows" in waiting:
                self._looked = picture_of(prepared)
            worked = work(prepared, self._looked, say)
            if self.prepared.decisions.windows == prepared.decisions.windows:
                self.picture = worked.picture
            self.worked, self.suspects, self._whole = worked, worked.suspects, None
            if weighty(self.prepared.decisions) == weighty(prepared.decisions):
                self._behind -= waiting
            else:
                self._weigh_again()  # somebody decided meanwhile
            return True

    def investigation(self, say: Say = lambda _: None) -> Investigation:
        """Give all seven steps, with every decision in them."""
        with self._lock:
            while self.catch_up(say):
                pass
            if self._whole is None:
                self._whole = self._last = finish(replace(self.prepared, decisions=Decisions()), self.worked, say)
            return self._with_decisions(self._whole)

    def latest(self) -> Investigation:
        """Give the seven steps as they were last taken, without waiting for those that are being taken again."""
        return self.investigation() if self._last is None else self._with_decisions(self._last)

    def _with_decisions(self, whole: Investigation) -> Investigation:
        said = self.decisions
        return replace(whole, samples=tagged(whole.samples, said), settlement=decided(whole.settlement, said))

    @property
    def drafts(self) -> Settlement:
        """Step 7 as the kit drafts it, before anybody changed it."""
        self.latest()
        assert self._last is not None
        return self._last.settlement

    # --- what explorers show ---------------------------------------------------------------------------------------------

    def reading(self, metric: str) -> MetricReading:
        """Read one metric before and after, in the windows as they are now."""
        return self.picture.reading(metric)

    def readings(self) -> list[MetricReading]:
        """Read the charted metrics, the main one first."""
        charted = {s.metric for s in self.worked.symptom.series}
        names = [self.metric] if self.metric in self.picture.series else []
        names += [n for n, s in self.picture.series.items() if public(n) in charted and n not in names and s.family != "helper"]
        return [self.reading(n) for n in names[:MOST_READINGS]]

    def cells(self, metric: str = "") -> Cells | None:
        """Sums by segment and time of a metric's row measure; read from the log once, then kept."""
        name = metric or self.metric
        if name not in self._cells:
            schema = dict(self.prepared.frame.collect_schema())
            version = self.prepared.columns.model_version
            plans = [p for p in self.prepared.aggregates.plan.segments if p.column in schema]
            plans.sort(key=lambda p: p.column == version)
            columns = [p.column for p in plans]
            rows = self.worked.room.after
            leaves = rows.select(columns).n_unique() if columns and rows.height else 1
            bad = badness_of(self.picture, name, schema)
            self._cells[name] = cells_over_time(self.prepared.frame, self.picture, plans, bad, leaves)
        return self._cells[name]

    def measure(self, metric: str = "") -> tuple[str, bool]:
        """Say what is summed per row for a metric, and whether it is a share of requests."""
        cells = self.cells(metric)
        bad = cells.badness if cells else None
        if bad is None:
            return "share of all requests", True
        series = self.picture.series.get(metric or self.metric)
        family, name = (series.family if series else ""), public(bad.name)
        if not bad.binary:
            return {"quality": "mean loss per request"}.get(family, f"mean {name.partition(':')[2] or name}"), False
        said = "that failed" if bad.name == "error_rate" else MEASURES.get(family, f"with {name}")
        return f"share of requests {said}", True

    def drill(self, where: Mapping[str, Any] | None = None, metric: str = "") -> Slices:
        """List every value below a selection, the one that carries most of the change first."""
        cells = self.cells(metric)
        if cells is None:
            return Slices("drill_down", "there is no segment column to slice by", ())
        kept = self._within(cells)
        asked = repr(sorted((where or {}).items()))
        if asked not in kept.drilled:
            found = slicing.drill_down(*kept.sums, where)
            total = sum(r["n_after"] for r in found.table if found.table and r["dimension"] == found.table[0]["dimension"])
            rows = tuple(r for r in found.table if r["n_after"] + r["n_before"] >= LEAST_SHARE * max(total, 1))
            kept.drilled[asked] = replace(found, table=rows)
        return kept.drilled[asked]

    def _within(self, cells: Cells) -> Within:
        """Sums of the windows as they are now: head, picture and table of one click ask for the same ones."""
        if self._inside is None or self._inside.cells is not cells or self._inside.windows != self.windows:
            self._inside = Within(cells, self.windows, cells.within(self.windows))
        return self._inside

    def heat(self, first: str, second: str, where: Mapping[str, Any] | None = None, metric: str = "") -> Slices:
        """Give the change in every cell of two dimensions, inside a selection."""
        cells = self.cells(metric)
        if cells is None:
            return Slices("heat_map", "there is no segment column to slice by", ())
        return slicing.heat_map(*narrowed(*self._within(cells).sums, where or {}), first, second)

    def fall(self, dimension: str, where: Mapping[str, Any] | None = None, metric: str = "") -> Slices:
        """Walk from before to after over one dimension, mix and rate apart, inside a selection."""
        cells = self.cells(metric)
        if cells is None:
            return Slices("waterfall", "there is no segment column to slice by", ())
        return slicing.waterfall(*narrowed(*self._within(cells).sums, where or {}), dimension)

    def against_rest(self, where: Mapping[str, Any], columns: Sequence[str] | None = None) -> Slices:
        """Tell in which columns a selection differs from the rest, among the sampled rows after the onset."""
        c = self.prepared.columns
        names = columns or [n for n in dict.fromkeys((*c.segments, *c.features)) if n not in where and n != c.time]
        return slicing.compare_with_rest(self.worked.room.after, dict(where), columns=names)


def weighty(decisions: Decisions) -> tuple[Any, ...]:
    """Give the decisions that steps 1 to 4 depend on; the rest is put over their findings."""
    d = decisions
    return d.windows, d.scope, d.marks, d.suspects, d.evidence


def login() -> str:
    """Name the person at the machine, empty when it is not known."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
