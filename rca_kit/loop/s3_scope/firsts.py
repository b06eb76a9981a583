"""First requests: a version, or a value, that was not there before dates what came with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import narwhals as nw

from rca_kit.aggregates.rows import as_text
from rca_kit.findings.scope import Scope
from rca_kit.findings.suspects import Suspects
from rca_kit.findings.symptom import Symptom
from rca_kit.loop.reading.onset import appearance
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.prepare import Prepared
from rca_kit.loop.s3_scope.of_version import WHOLE_VERSION, came_to_stay, served_all_along
from rca_kit.loop.s4_suspects import Outcome
from rca_kit.loop.s4_suspects.beside import worse_arms
from rca_kit.loop.s4_suspects.clue import Clue
from rca_kit.sources.collect import collect

GROWTH_PART = 0.5  # of the growth of traffic that a new value must bring to date it
SURE_VERSION = 0.8  # probability from which a version that was rolled out until the symptom began dates it
STAGES = timedelta(days=1)  # by which the first stage of a rollout may lead what shows of it
SURE_NEW = 0.6  # probability from which who came surely is what it is about
# for which who is new may be there before an outcome shows it; by which that may seem to rise before he came
NEW_WITHIN, NEW_AFTER = timedelta(hours=6), timedelta(hours=12)
RISEN = timedelta(hours=6)  # by which a rise may seem to begin before the version that brought it
VERSION_Z = 3.0  # standard errors by which a version must do worse than its neighbours at the same time


def accuses_version(leading: Suspects) -> bool:
    """Whether a model version is surely the first suspect."""
    first = leading.items[0] if leading.items else None
    return first is not None and first.subject.startswith("model:") and first.probability >= SURE_VERSION


def first_of_version(
    prepared: Prepared, picture: Picture, outcomes: tuple[Outcome, ...], found: Symptom, leading: Suspects
) -> Symptom:
    """A rollout begins with its first requests: move the onset there when a worse version leads the suspects.

    So does a switch to a version that takes all requests inside the onset interval, where no other serves beside it.
    """
    if not leading.items or not leading.items[0].subject.startswith(("model:", "routing")):
        return found
    name = leading.items[0].subject
    clues = [c for o in outcomes for c in o.clues]
    if name == "routing":  # what stands in is a version too
        routed = next((c for c in clues if c.signature == "rerouted"), None)
        clue = next((c for c in clues if routed is not None and c.signature == "version" and c.where == routed.where), None)
        clue = clue or next(iter(worse_arms(clues)), None)
    else:
        clue = next((c for c in clues if c.signature == "version" and c.subject == name), None)
    grid = picture.grid
    if clue is None or clue.onset is None or clue.where is None or clue.onset < grid.coarse:
        return found  # one that served all along is no rollout: what changed is who is sent to it
    at, coarse = grid.time(came_to_stay(picture, clue)), timedelta(seconds=grid.coarse_s)
    if found.onset is None or found.onset_interval is None:  # too few of all requests for the whole to show when
        sure = leading.verdict == "incident" and leading.items[0].probability >= SURE_VERSION
        return _since_first(prepared, picture, clue, at, found, "step") if sure else found
    if name == "routing" and "known" in clue.facts and found.onset - at > STAGES:
        return found  # some were sent to it for days
    if found.onset > at and served_all_along(picture, clue, grid.index(found.onset_interval[0])):
        return found
    z = clue.facts.get("side_by_side_z")
    rolling = clue.facts.get("alone_since", 0.0) >= grid.index(found.onset) - grid.coarse  # other versions served until then
    sure = leading.items[0].probability >= SURE_VERSION and rolling
    if "known" in clue.facts and not sure and (z is None or z < VERSION_Z):
        return found
    switched = (
        clue.facts.get("share", 0.0) >= WHOLE_VERSION
        and found.onset_interval[0] - coarse <= at <= found.onset_interval[1] + coarse
    )
    beside = z is not None and z >= VERSION_Z
    # too few requests in the first stage to compare: a rollout that ended in harm began with it
    alone = (z is None or sure) and timedelta(0) < found.onset - at <= STAGES
    # what seems to rise slowly and is surely a version's fault rose with it
    risen = leading.items[0].probability >= SURE_VERSION and found.shape == "ramp" and timedelta(0) < at - found.onset <= RISEN
    if not (beside or switched or alone or risen):
        return found
    return _since_first(prepared, picture, clue, at, found, "staircase" if beside or alone else found.shape)


def _since_first(
    prepared: Prepared, picture: Picture, clue: Clue, at: datetime, found: Symptom, shape: str | None
) -> Symptom:
    """The symptom, dated by the first request that a version answered, from its first bucket on."""
    assert clue.where is not None
    first, grid = _first_request(prepared, clue.where, at), picture.grid
    start = grid.time(grid.index(first)) if first is not None else at
    if start == found.onset:
        return found
    end = min(start + timedelta(seconds=grid.coarse_s), grid.time(grid.n))
    return replace(found, onset=start, onset_interval=(start, end), shape=shape)


def first_of_value(prepared: Prepared, picture: Picture, found: Symptom) -> Symptom:
    """A value that was not there before dates a shift of the mix, or the growth that it brings, by its first request."""
    anchor = picture.anchor
    if anchor is None or anchor.series.family not in ("mix", "volume") or found.onset is None:
        return found
    column = anchor.series.column if anchor.series.family == "mix" else None
    born = [
        (b, m.series) for m in picture.moves.values()
        if m.moved and m.series.family == "mix" and (b := appearance(m)) is not None
        and (m.series.column == column or (column is None and _brings_growth(picture, m.series.name)))
    ]
    if not born:
        return found
    bucket, series = min(born, key=lambda x: (x[0], x[1].name))
    since = picture.grid.time(bucket, coarse=True)
    first = _first_request(prepared, {"column": series.column, "values": [series.name.partition("=")[2]]}, since)
    if first is None:
        return found
    start = picture.grid.time(picture.grid.index(first))
    end = min(start + timedelta(seconds=picture.grid.coarse_s), picture.grid.time(picture.grid.n))
    return replace(found, onset=start, onset_interval=(start, end))


def first_of_newcomers(
    prepared: Prepared, picture: Picture, found: Symptom, scope: Scope, leading: Suspects
) -> Symptom:
    """Who was not there before, and is surely whom it is about, dates it by the first request: few come at first."""
    if not leading.items or leading.items[0].subject != "population" or leading.items[0].probability < SURE_NEW:
        return found
    dated = []
    for column, value in (pair for s in scope.segments if len(s.where) == 1 for pair in s.where.items()):
        move = picture.moves.get(f"share:{column}={value}")
        bucket = appearance(move) if move is not None and move.moved else None
        if bucket is None:
            continue
        first = _first_request(prepared, {"column": column, "values": [str(value)]}, picture.grid.time(bucket, coarse=True))
        if first is None or found.onset is None:
            continue
        before, risen = found.onset - first, found.shape == "ramp" and timedelta(0) < first - found.onset <= NEW_AFTER
        if timedelta(0) < before <= NEW_WITHIN or risen:
            dated.append(first)
    if not dated:
        return found
    grid = picture.grid
    start = grid.time(grid.index(max(dated)))  # who came last before it showed
    end = min(start + timedelta(seconds=grid.coarse_s), grid.time(grid.n))
    return replace(found, onset=start, onset_interval=(start, end), shape="ramp")


def _brings_growth(picture: Picture, name: str) -> bool:
    """Whether a value's requests are most of those by which traffic grew."""
    before, after = (picture.level("volume", w).value for w in (picture.before, picture.after))
    return after > before > 0 and picture.level(name, picture.after).value >= GROWTH_PART * (1 - before / after)


def _first_request(prepared: Prepared, where: dict[str, Any], since: datetime) -> datetime | None:
    """Time of the first request that a version answered, from its first bucket on; None where that cannot be told."""
    time = prepared.columns.time
    own = prepared.frame.filter((as_text(where["column"]) == where["values"][0]) & (nw.col(time) >= since))
    first = collect(own.select(nw.col(time).min().alias("t")))["t"][0]
    return first if isinstance(first, datetime) and first.tzinfo is not None else None
