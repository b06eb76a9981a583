"""The seven steps in order: a case folder in, an Investigation out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.aggregates.plan import Columns, FeaturePlan, make_plan
from rca_kit.aggregates.scan import Aggregates, scan
from rca_kit.errors import BadInput
from rca_kit.findings.base import Window
from rca_kit.findings.investigation import CaseFacts, ChangeRecord, Investigation, TableFacts
from rca_kit.findings.samples import Samples
from rca_kit.findings.scope import MixRate, Scope, Segment
from rca_kit.findings.signal import Signal
from rca_kit.findings.suspects import Suspects
from rca_kit.findings.symptom import Symptom
from rca_kit.loop.columns import compare_columns
from rca_kit.loop.derived import component_series, share_series
from rca_kit.loop.names import psi_series, series_for
from rca_kit.loop.picture import Picture, look
from rca_kit.loop.s1_signal import signal
from rca_kit.loop.s2_symptom import symptom
from rca_kit.loop.s3_scope import badness_of, badness_where, leaves, scope
from rca_kit.loop.s4_suspects import Outcome, Room, run_checks, suspects, weigh_up
from rca_kit.loop.s4_suspects.hypotheses import GROUP
from rca_kit.loop.s4_suspects.ledger import probabilities
from rca_kit.loop.s4_suspects.room import SAMPLE_ROWS
from rca_kit.loop.s4_suspects.verdict import Verdict, decide, got_worse
from rca_kit.loop.sampling import sample_rows
from rca_kit.loop.series import Series, metric_series
from rca_kit.sources import OpenCase, open_case
from rca_kit.stats.mixrate import decompose

PLAN_ROWS = 50_000  # rows that bin edges and kept values are taken from
EAGER_ROWS = 3_000_000  # up to here the needed columns fit in memory many times over, and are read once instead of thrice
MOST_OVERSAMPLED = 6  # times as many rows as wanted are fetched at most to find enough in the right hours
MOST_TEXTS = 3  # free-text columns read in the sample
MOST_SPLITS = 4  # outcomes whose change is split into mix and rate; a mix that hurts more of them is worth a look anyway
HURT_Q = 1e-5  # corrected chance at which a fall in one segment alone makes an incident
HURT_ROWS = 100
VERSION_Z = 3.0  # standard errors by which a version must do worse than its neighbours at the same time
SURE_CLUE, HARM_LEAST = 0.8, 0.1  # strength, and part of the metric's change, at which a consequence may tell the scope
SCOPED_CLUE = 0.6  # strength from which a clue's own rows tell the scope better than the metric does

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """A case read once: its aggregates, its series, and the frame that later questions are asked of."""

    case: OpenCase
    columns: Columns
    frame: nw.LazyFrame[Any]
    aggregates: Aggregates
    series: dict[str, Series]


def investigate(case: str | Path | OpenCase, engine: str = "polars", progress: Progress | None = None) -> Investigation:
    """Walk the 7S loop on an incident folder.

    Parameters
    ----------
    case : path or OpenCase
        The case folder.
    engine : {"polars", "duckdb", "spark"}
        What reads and sums the tables.
    progress : callable, optional
        Called with the name of each step as it begins.

    Returns
    -------
    Investigation
        The seven findings; ``.to_dict()`` is findings.json.

    Raises
    ------
    BadInput
        When the case cannot be used; the message names file, column, what was found and what was expected.

    Examples
    --------
    >>> investigate("no/such/case")
    Traceback (most recent call last):
    ...
    rca_kit.errors.BadInput: ...
    """
    say = progress or (lambda _: None)
    say("read")
    opened = case if isinstance(case, OpenCase) else open_case(case, engine=engine)
    prepared = prepare(opened)
    picture = picture_of(prepared)
    return walk(prepared, picture, say)


def prepare(opened: OpenCase) -> Prepared:
    """Plan the sums from a sample, take them in one scan, make the series."""
    columns = columns_of(opened)
    frame = opened.predictions
    first, last = opened.time_range
    grid = TimeGrid.over(first, last)
    needed = list(dict.fromkeys([*columns.needed(), *([opened.roles.request_id] if opened.roles.request_id else [])]))
    native = frame.to_native()
    if isinstance(native, pl.LazyFrame) and opened.row_count <= EAGER_ROWS:
        everything = frame.collect(backend="polars").to_native().sort(columns.time, maintain_order=True)
        frame = nw.from_native(everything.lazy())
        sample = everything.select(needed).gather_every(max(opened.row_count // PLAN_ROWS, 1))
    else:
        window = Window(first, grid.time(grid.n))
        sample = sample_rows(frame, columns.time, window, needed, PLAN_ROWS, opened.row_count)
    if sample.height == 0:
        raise BadInput("the prediction log holds no usable row", file=str(opened.case.folder / "incident.yaml"))
    plan = make_plan(columns, grid, sample)
    aggregates = scan(frame, plan)
    series = metric_series(aggregates)
    series |= {s.name: s for s in share_series(aggregates)}
    if opened.service_metrics is not None:
        series |= {s.name: s for s in component_series(opened.service_metrics, grid)}
    return Prepared(opened, columns, frame, aggregates, series)


def columns_of(opened: OpenCase) -> Columns:
    """Roles in plain form."""
    r = opened.roles
    segments = tuple(dict.fromkeys([*r.segments, *([r.model_version] if r.model_version else [])]))
    return Columns(
        time=r.time, task=opened.task, score=r.score, decision=r.decision, label=r.label, error=r.error, latency=r.latency_ms,
        model_version=r.model_version, stages=tuple(r.stages), kpis=dict(r.kpi), segments=segments, features=tuple(r.features),
        positive=dict(opened.positive),
    )


def picture_of(prepared: Prepared) -> Picture:
    """Scan all series for changes and lay the windows."""
    incident = prepared.case.case.incident
    given = None
    if incident.windows is not None:
        given = tuple(Window(*w) for w in (incident.windows.before, incident.windows.after))
    name = series_for(incident.signal.metric or "", prepared.series) or (incident.signal.metric or "")
    psi = psi_series(incident.signal.metric or "", prepared.series)
    return look(prepared.aggregates, prepared.series, (name, *psi), incident.detected_at, given)  # type: ignore[arg-type]


def walk(prepared: Prepared, picture: Picture, say: Progress) -> Investigation:
    """Steps 1 to 7."""
    opened = prepared.case
    incident = opened.case.incident
    changes = tuple(ChangeRecord(c.id, c.time, c.kind, c.component, c.description, c.scope, c.version_from, c.version_to, c.link)
                    for c in opened.changes)
    metric = incident.signal.metric or (picture.anchor.series.name if picture.anchor else "volume")
    say("signal")
    room = make_room(prepared, picture, changes)
    outcomes = run_checks(room)
    found_signal = signal(picture, metric, _drift_reading(room, metric))
    say("symptom")
    main = series_for(metric, picture.series) or metric
    found_symptom = symptom(picture, main, [(c.id, c.time) for c in changes])
    say("scope")
    verdict = decide(room, outcomes)
    mix: tuple[MixRate, ...] = ()
    worse = got_worse(room)
    if worse and room.moved("mix"):
        splits = {n: mix_and_rate(prepared, picture, n) for n in worse[:MOST_SPLITS]}
        verdict, mix = decide(room, outcomes, splits if len(worse) <= MOST_SPLITS else None), splits[worse[0]]
    elif verdict.verdict != "incident":
        verdict = decide(room, outcomes, hurt=hurt_segments(prepared, picture, metric))
    found_scope = scope_of(prepared, picture, room, outcomes, found_symptom, verdict)
    say("suspects")
    found_scope = replace(found_scope, mix_rate=mix)
    found_suspects = suspects(room, outcomes, found_scope, found_symptom, verdict)
    earlier = first_of_version(picture, outcomes, found_symptom, found_suspects)
    if earlier is not found_symptom:
        found_symptom, found_suspects = earlier, suspects(room, outcomes, found_scope, earlier, verdict)
    return finish(prepared, picture, room, found_signal, found_symptom, found_scope, found_suspects, changes, say)


def make_room(prepared: Prepared, picture: Picture, changes: tuple[ChangeRecord, ...]) -> Room:
    """Sample rows before and after for the checks that need rows."""
    c = prepared.columns
    n = prepared.aggregates.cubes["time"].dense("n", picture.grid.n)
    windows = picture.windows
    inside = [picture.grid.inside(w) for w in windows]
    useful = float((n * picture.before).sum()) / max(float((n * inside[0]).sum()), 1.0)  # part of before in the hours of after
    wanted = min(SAMPLE_ROWS / max(useful, 1 / MOST_OVERSAMPLED), SAMPLE_ROWS * MOST_OVERSAMPLED)
    columns = [*c.needed(), *[s.name for s in prepared.case.columns if s.kind == "text"][:MOST_TEXTS]]
    before = sample_rows(prepared.frame, c.time, windows[0], columns, int(wanted), float((n * inside[0]).sum()))
    after = sample_rows(prepared.frame, c.time, windows[1], columns, SAMPLE_ROWS, float((n * inside[1]).sum()))
    return Room(picture, thin(before, c.time, picture), after, compare_columns(picture), changes)


def thin(frame: pl.DataFrame, time: str, picture: Picture) -> pl.DataFrame:
    """Keep rows in proportion to the weight of their bucket, so that the sample has the hours of the day of after."""
    if not picture.matched:
        return frame.head(2 * SAMPLE_ROWS)
    at = ((frame[time] - picture.grid.origin).dt.total_seconds() // picture.grid.width_s).to_numpy()
    keep = np.random.default_rng(0).random(frame.height) < picture.before[np.clip(at, 0, picture.grid.n - 1)]
    return frame.filter(pl.Series(keep)).head(2 * SAMPLE_ROWS)


def _drift_reading(room: Room, metric: str) -> Any:
    from rca_kit.findings.signal import MetricReading

    head, _, column = metric.partition(":")
    change = room.compared.get(column)
    if head != "psi" or change is None:
        return None
    return MetricReading(metric, 0.0, change.psi, change.psi, None, change.rows_before, change.rows_after, change.q_value, change.changed,
                         True if change.changed else None, change.reason)


def scope_of(prepared: Prepared, picture: Picture, room: Room, outcomes: tuple[Outcome, ...], found: Symptom, verdict: Verdict) -> Scope:
    """Scope by the main metric's rows or, where the leading suspect marks rows itself, by those."""
    if verdict.verdict == "no_change":
        return Scope(is_global=False, segments=(), metric=found.metric, because="Nothing moved.")
    schema = dict(prepared.frame.collect_schema())
    plans = _dimensions(prepared)
    main = scope(picture, prepared.frame, badness_of(picture, room.main, schema), room.main, plans)
    if verdict.verdict == "benign_shift":
        return grown(picture, outcomes, main)
    hypotheses = weigh_up(room, outcomes, main, found)
    p = probabilities(hypotheses)
    best = hypotheses[int(np.argmax(p[:-1]))] if len(hypotheses) > 1 else None
    marked = [c for c in best.clues if c.where and c.strength >= SCOPED_CLUE] if best else []
    if best is not None and best.subject in ("population", "traffic"):
        marked += [c for o in outcomes for c in o.clues if c.where and c.strength >= SCOPED_CLUE and c not in marked
                   and (c.signature == "segment_surge" or (c.signature == "new_category" and c.where["column"] in prepared.columns.segments))]
    if best is not None and not marked:  # the cause marks no rows itself, its consequence does: nulls behind cache misses
        marked = [c for o in outcomes for c in o.clues if c.where and c.strength >= SURE_CLUE and (c.harm or 0.0) >= HARM_LEAST
                  and GROUP[c.signature] in ("missing", "broken")]
    for clue in sorted(marked, key=lambda c: -c.strength):
        assert clue.where is not None
        if clue.signature in ("segment_lost", "segment_surge", "new_category"):
            same = [c for c in marked if c.signature == clue.signature and c.where and c.where["column"] == clue.where["column"]]
            return replace(main, is_global=False, segments=(_named_segment(picture, clue.where["column"], [c.where["values"][0] for c in same
                           if c.where]),), because="")
        if clue.signature == "version":
            if 0.0 < (clue.share or 1.0) < 0.95 and clue.facts.get("side_by_side_z", 0.0) > 2:
                return replace(main, is_global=False, segments=(_version_segment(clue.where, clue.share),), because="")
            continue
        bad = badness_where(clue.where, schema)
        if bad is not None:
            sharper = scope(picture, prepared.frame, bad, room.main, [q for q in plans if q.column != clue.where["column"]])
            return replace(sharper, singles=main.singles, metric=main.metric)
    return main


def mix_and_rate(prepared: Prepared, picture: Picture, metric: str) -> tuple[MixRate, ...]:
    """Split the change of a metric's row measure into mix and rate, over each segment column."""
    bad = badness_of(picture, metric, dict(prepared.frame.collect_schema()))
    plans = _dimensions(prepared)
    table = leaves(prepared.frame, picture, plans, bad) if bad is not None and plans else None
    if table is None:
        return ()
    out = []
    for i, plan in enumerate(plans):
        size = len(table.values[i])
        sums = [np.bincount(table.codes[:, i], x, size) for x in (table.total[0], table.n[0], table.total[1], table.n[1])]
        n = sums[1].sum() + sums[3].sum()
        squares = (table.squares[0].sum() + table.squares[1].sum()) / max(n, 1)
        variance = max(squares - ((sums[0].sum() + sums[2].sum()) / max(n, 1)) ** 2, 0.0)
        d = decompose(*sums, variance=None if bad is not None and bad.binary else float(variance))
        names = [str(v) for v in table.values[i]]
        out.append(MixRate(plan.column, d.total, d.mix, d.rate, d.simpson,
                           tuple((v, float(x), float(y)) for v, x, y in zip(names, d.mix_parts, d.rate_parts, strict=True)), d.rate_interval))
    return tuple(out)


def hurt_segments(prepared: Prepared, picture: Picture, alert: str) -> tuple[str, ...]:
    """Outcomes that got worse in one segment while the whole hides it: the alerted one, and one of each family."""
    names = [alert] if alert in picture.series else []
    for family in ("quality", "kpi", "service"):
        names += [n for n, s in picture.series.items() if s.family == family and n not in names][:1]
    schema = dict(prepared.frame.collect_schema())
    out = []
    for name in names:
        bad = badness_of(picture, name, schema) if picture.series[name].family in ("quality", "kpi", "service", "labels") else None
        if bad is None or bad.direction == "either":
            continue
        looked = _at_own_start(picture, name) if name == "label_share" else picture
        found = scope(looked, prepared.frame, bad, name, _dimensions(prepared))
        sure = [s for s in found.segments if (s.q_value or 1.0) < HURT_Q and min(s.n_before or 0, s.n_after or 0) >= HURT_ROWS]
        out += [f"{s}, {name} got worse ({s.before:.4g} -> {s.after:.4g} of its row measure)" for s in sure[:1]]
    return tuple(out)


def _at_own_start(picture: Picture, name: str) -> Picture:
    """The picture with windows on either side of a series' own best start."""
    fit = picture.moves[name].scan.best
    if fit is None:
        return picture
    at = picture.grid.time(fit.start, coarse=True)
    return replace(picture, windows=(Window(picture.grid.origin, at), Window(at, picture.grid.time(picture.grid.n))))


def first_of_version(picture: Picture, outcomes: tuple[Outcome, ...], found: Symptom, leading: Suspects) -> Symptom:
    """A rollout begins with its first requests: move the onset there when a worse version leads the suspects."""
    if not leading.items or found.onset is None or not leading.items[0].subject.startswith("model:"):
        return found
    name = leading.items[0].subject
    clue = next((c for o in outcomes for c in o.clues if c.signature == "version" and c.subject == name), None)
    if clue is None or clue.onset is None or clue.facts.get("side_by_side_z", 0.0) < VERSION_Z:
        return found
    start = picture.grid.time(clue.onset)
    if start >= found.onset:
        return found
    return replace(found, onset=start, onset_interval=(start, picture.grid.time(clue.onset + picture.grid.coarse)), shape="staircase")


def _version_segment(where: dict[str, Any], share: float | None) -> Segment:
    return Segment(where={where["column"]: where["values"][0]}, share_of_traffic=share, share_of_impact=1.0)


def _named_segment(picture: Picture, column: str, values: list[str]) -> Segment:
    plan = next(p for p in picture.aggregates.plan.segments if p.column == column)
    typed = [plan.values.get(v, v) for v in values]
    return Segment(where={column: typed[0] if len(typed) == 1 else typed})


def grown(picture: Picture, outcomes: tuple[Outcome, ...], main: Scope) -> Scope:
    """Name the segment that grew, for a benign shift."""
    clues = [c for o in outcomes for c in o.clues if c.signature in ("mix", "new_category") and c.where and c.where.get("grown", True)]
    columns = picture.aggregates.plan.columns.segments
    clues = [c for c in clues if c.where and c.where["column"] in columns]
    if not clues:
        return Scope(is_global=True, segments=(), metric=main.metric, because="The shift is not one segment's.", singles=main.singles)
    best = max(clues, key=lambda c: (c.strength * (c.share or 0.0), c.says))
    assert best.where is not None
    column, value = best.where["column"], best.where["values"][0]
    plan = next(p for p in picture.aggregates.plan.segments if p.column == column)
    segment = Segment(where={column: plan.values.get(value, value)}, share_of_traffic=None, before=best.facts.get("before"),
                      after=best.facts.get("before", 0.0) + best.facts.get("change", 0.0))
    return Scope(is_global=False, segments=(segment,), metric=main.metric, singles=main.singles)


def _dimensions(prepared: Prepared) -> list[FeaturePlan]:
    plan = prepared.aggregates.plan
    return [p for p in plan.segments if p.keep is None or p.numeric or p.keep]


def finish(prepared: Prepared, picture: Picture, room: Room, found_signal: Signal, found_symptom: Symptom, found_scope: Scope,
           found_suspects: Suspects, changes: tuple[ChangeRecord, ...], say: Progress) -> Investigation:
    """Steps 5 to 7, and the whole."""
    from rca_kit.loop.s5_samples import pull_samples
    from rca_kit.loop.s6_simulate import simulate_case
    from rca_kit.loop.s7_settle import settle

    opened = prepared.case
    incident = opened.case.incident
    say("samples")
    if found_suspects.verdict == "no_change":
        samples = Samples((), (), (), (), "", 0, "nothing happened")
    else:
        samples = pull_samples(prepared.frame, opened.roles, opened.positive, opened.task, picture.windows, found_scope, found_suspects,
                               tuple(incident.redact or ()), metric=found_symptom.metric)
    say("simulate")
    simulation = simulate_case(opened, room.before, room.after, found_symptom, found_suspects, found_scope.segments)
    facts = case_facts(opened, changes)
    say("settle")
    settlement = settle(facts, found_signal, found_symptom, found_scope, found_suspects, samples, simulation, facts.slos)
    return Investigation(facts, found_signal, found_symptom, found_scope, found_suspects, samples, simulation, settlement,
                         tuple(dict.fromkeys((*opened.warnings, *found_signal.notes))))


def case_facts(opened: OpenCase, changes: tuple[ChangeRecord, ...]) -> CaseFacts:
    """What was investigated, for the findings and the report."""
    incident = opened.case.incident
    slos = {k: {n: v for n, v in (("min", s.min), ("max", s.max)) if v is not None} for k, s in (incident.slos or {}).items()}
    return CaseFacts(
        case_id=incident.id, title=incident.title, service=incident.service or "", detected_at=incident.detected_at,
        summary=incident.signal.summary, task=opened.task, roles=opened.roles.to_dict(), inferred=dict(opened.roles.inferred),
        tables=tuple(TableFacts(t.name, tuple(t.files), t.rows, t.columns, t.sha256 or "") for t in opened.tables), changes=changes, slos=slos or None,
    )
