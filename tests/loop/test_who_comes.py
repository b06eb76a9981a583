"""Who comes, and how many: lulls, floods, weekends, guests, new names and new arms."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.aggregates.plan import Columns
from rca_kit.loop.s4_suspects.checks import traffic
from rca_kit.loop.s4_suspects.checks.categories import _category, _took_place
from rca_kit.loop.s4_suspects.checks.service import components, metric_kind
from rca_kit.loop.s4_suspects.checks.traffic import _announced, _counted_too, _kept_whole, _too_many
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.first_week import abrupt, first_weekend
from rca_kit.loop.s4_suspects.signatures import CATEGORIES_OF
from rca_kit.loop.s4_suspects.verdict import _traffic_began, _who_comes, decide
from rca_kit.stats.drift.spelling import same_under_mapping

from . import made

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def moved(before: float, after: float) -> Any:
    return SimpleNamespace(moved=True, before=before, after=after, worse=None)


def counters(volume: tuple[float, float], written: tuple[float, float]) -> str:
    names = {"volume": "volume", "service:loader:rows_written": "component"}
    readings = {"volume": moved(*volume), "service:loader:rows_written": moved(*written)}
    room = SimpleNamespace(
        readings=readings, picture=SimpleNamespace(series={n: SimpleNamespace(family=f) for n, f in names.items()}),
        moved=lambda *_: ["service:loader:rows_written"], columns=Columns("ts", "binary"),
        onset=lambda _: None, strength=lambda _: 0.9)
    room.readings["volume"].moved = volume[0] != volume[1]
    return components(room).clues[0].signature


def test_rows_that_a_job_wrote_are_data_unless_they_go_with_the_traffic() -> None:
    assert counters((100, 100), (50_000, 12_000)) == "metric:rows"
    assert counters((100, 50), (50_000, 26_000)) == "metric:requests"
    assert {"data", "upstream", "infra"} == set(CATEGORIES_OF["metric:rows"])
    assert metric_kind("rows_loaded") == "rows" and metric_kind("cpu_load") == "saturation"


@pytest.mark.parametrize(("kind", "hours", "counted", "expected"), [
    ("calendar", -1.0, 0.5, True), ("calendar", -30.0, 0.5, False), ("code_deploy", -1.0, 0.5, False),
    ("calendar", -1.0, 1.0, False), ("calendar", 6.0, 0.5, True), ("calendar", 10.0, 0.5, False)])
@pytest.mark.parametrize("others", [1, 3])  # what a service does by itself says nothing of requests
def test_a_lull_is_announced_by_the_calendar_and_counted_by_the_service(
    kind: str, hours: float, counted: float, expected: bool, others: int
) -> None:
    grid = made.seen_grid()
    at = grid.index(made.ONSET)
    parts = {"api": counted, "edge": counted, **{f"joiner {i}": 1.0 for i in range(others)}}
    room: Any = SimpleNamespace(
        onset=lambda _: at, readings={f"service:{n}:requests": moved(100.0, 100.0 * c) for n, c in parts.items()},
        picture=SimpleNamespace(series={f"service:{n}:requests": SimpleNamespace(family="component") for n in parts}, grid=grid),
        changes=(made.change(60 * hours, kind, "calendar", "bank holiday"),))
    assert _announced(room, 0.5) is expected
    assert _counted_too(room, 0.5) is (counted < 1 and others == 1)  # most of them must have, where nobody announced it


@pytest.mark.parametrize(("ratio", "weekend", "counted", "kind"), [
    (0.5, False, True, "lull"), (0.5, False, False, "lost"), (0.5, True, True, None), (0.8, False, True, None)])
def test_fewer_requests_are_a_lull_or_lost_on_days_like_those_before(
    monkeypatch: pytest.MonkeyPatch, ratio: float, weekend: bool, counted: bool, kind: str | None
) -> None:
    monkeypatch.setattr(traffic, "same_days", lambda _: not weekend)
    monkeypatch.setattr(traffic, "_duplicates", lambda _: None)
    monkeypatch.setattr(traffic, "_again", lambda _: None)
    monkeypatch.setattr(traffic, "_counted_too", lambda *_: counted)
    fewer = SimpleNamespace(moved=True, before=20.0, after=20.0 * ratio, change=20.0 * (ratio - 1))
    room: Any = SimpleNamespace(
        readings={"volume": fewer}, strength=lambda _: 0.9, onset=lambda _: 100, changes=(),
        picture=SimpleNamespace(grid=made.seen_grid(), matched=True, moves={}, onset=100, series={}))
    told = [c.signature for c in traffic.volume(room).clues]
    assert told == ([kind] if kind else [])


@pytest.mark.parametrize(("matched", "height", "told"), [(False, 0.6, True), (True, 0.6, False), (False, -0.6, False)])
def test_a_flood_at_night_is_one_though_the_day_before_had_as_many(
    monkeypatch: pytest.MonkeyPatch, matched: bool, height: float, told: bool
) -> None:
    monkeypatch.setattr(traffic, "_duplicates", lambda _: None)
    monkeypatch.setattr(traffic, "_again", lambda _: None)
    fit = SimpleNamespace(height=height)
    move = SimpleNamespace(moved=True, series=SimpleNamespace(log=True), scan=SimpleNamespace(best=fit), fit=fit)
    same = SimpleNamespace(moved=False, before=41.3, after=41.4, change=0.1)
    room: Any = SimpleNamespace(
        readings={"volume": same}, strength=lambda _: 0.9, onset=lambda _: 100, changes=(),
        picture=SimpleNamespace(grid=made.seen_grid(), matched=matched, moves={"volume": move}))
    clues = traffic.volume(room).clues
    assert [c.signature for c in clues] == (["surge"] if told else [])
    assert not told or "x1.82 beyond what other hours bring" in clues[0].says


def weekend_room(start: float, days: float, first: datetime, family: str = "volume", kind: str = "box", end: float = 1e9,
                 onset: float | None = None) -> Any:
    grid = TimeGrid.over(first, first + timedelta(days=days))
    coarse = 86400 / grid.coarse_s
    fit = SimpleNamespace(start=int(start * coarse), end=int(min(end * coarse, grid.n_coarse)), height=-1.0)
    series = SimpleNamespace(family=family, name="volume")
    anchor = SimpleNamespace(series=series, fit=fit, scan=SimpleNamespace(kind=kind))
    dated = None if onset is None else SimpleNamespace(index=int(onset * coarse) * grid.coarse)
    alert = first + timedelta(days=days)
    picture = SimpleNamespace(anchor=anchor, grid=grid, detected_at=alert, onset=dated, series={})
    return SimpleNamespace(picture=picture, readings={})


@pytest.mark.parametrize(("start", "days", "end", "expected"), [
    (4.9, 6.5, 1e9, True),  # Monday to Sunday, fewer requests since Friday night
    (4.9, 7.0, 6.9, True),  # ... and over on Sunday night
    (2.5, 6.5, 1e9, False),  # since Wednesday
    (11.9, 13.5, 1e9, False),  # an earlier weekend is there to compare with
    (4.9, 12.0, 1e9, False),  # long after the weekend it is still so
    (0.5, 1.0, 1e9, False),  # a log of one working day holds no weekend, nor is its noon the end of one anywhere
    (0.2, 1.0, 1e9, True),  # in New York it is Sunday until five
])
def test_the_first_weekend_of_a_log_is_no_shift(start: float, days: float, end: float, expected: bool) -> None:
    assert first_weekend(weekend_room(start, days, MONDAY, end=end)) is expected
    assert not first_weekend(weekend_room(start, days, MONDAY, family="quality", end=end))
    assert not first_weekend(weekend_room(start, days, MONDAY, end=end, onset=6.3))  # it began on Sunday morning


@pytest.mark.parametrize(("peak", "expected"), [(14, True), (22, False)])
def test_no_weekend_begins_when_most_requests_come(peak: int, expected: bool) -> None:
    """Monday to Sunday, more requests since Friday night at ten; the day has its peak at that hour, or in the afternoon."""
    room = weekend_room(4.9, 6.5, MONDAY)
    grid = room.picture.grid
    hours = np.arange(grid.n_coarse) * grid.coarse_s / 3600
    n = 200 * (1.2 + np.cos(2 * np.pi * (hours - peak) / 24))
    room.picture.series = {"volume": SimpleNamespace(coarse_sum=lambda _: n)}
    assert first_weekend(room) is expected


def test_a_few_more_requests_are_not_too_many() -> None:
    assert [_too_many(g) for g in (1.05, 1.1, 1.6, 3.0)] == pytest.approx([0.0, 0.0, 1.0, 1.0])
    assert 0.2 < _too_many(1.23) < 0.4


@pytest.mark.parametrize(("after", "expected"), [
    ({"clear": 30, "blue": 280, "green": 350, "X-TRA": 340}, True),  # nine in ten hosts write it
    ({"blue": 280, "green": 350, "X-TRA": 370}, True),
    ({"clear": 260, "blue": 190, "green": 240, "X-TRA": 310}, False),  # guests take from all alike
    ({"clear": 30, "blue": 450, "green": 350, "X-TRA": 170}, False),  # somebody else took most of the place
])
def test_a_new_name_in_the_place_of_an_old_one_is_told_from_guests(after: dict[str, int], expected: bool) -> None:
    before = {"clear": 370, "blue": 280, "green": 350}
    more = {v: 20 * n for v, n in after.items()}
    assert _took_place({v: 20 * n for v, n in before.items()}, more, {"X-TRA": more["X-TRA"]}) is expected


@pytest.mark.parametrize(("later", "hours", "width", "expected"), [
    (0.30, 0, 0, True),  # from one hour to the next
    (0.30, 8, 0, False),  # little by little
    (0.18, 0, 0, False),  # a little
    (0.30, 0, 5, False)])  # nobody knows when
def test_no_weekend_doubles_a_share_within_an_hour(later: float, hours: float, width: float, expected: bool) -> None:
    room = weekend_room(0.9, 2.0, MONDAY - timedelta(hours=24), family="mix")
    grid, step = room.picture.grid, 3600 / room.picture.grid.width_s
    at = np.arange(grid.n) / step - 21.6
    share = 0.15 + (later - 0.15) * np.clip((at + 0.01) / max(hours, 0.01), 0, 1)
    n = np.full(grid.n, 800 / step)
    room.picture.anchor.series.sums, room.picture.anchor.series.coarse = (share * n, n), False
    room.picture.anchor.series.grid, room.picture.anchor.series.column = grid, "market"
    middle = int(21.6 * step)
    room.picture.onset = SimpleNamespace(index=middle, low=middle - int(width * step), high=middle)
    assert abrupt(room) is expected
    other = {f"share:market={v}": SimpleNamespace(before=b, after=a) for v, b, a in (("DE", 0.5, 0.25), ("FR", 0.3, 0.6))}
    room.readings, room.picture.series = other, {n: SimpleNamespace(column="market") for n in other}
    assert abrupt(room), "another population altogether"


@pytest.mark.parametrize(("off", "unknown", "expected"), [
    (0.2, 0.0, True), (0.02, 0.0, False), (-0.2, 0.0, True), (0.0, 1.0, True), (0.0, 0.05, False)])
def test_a_new_value_whose_requests_are_scored_amiss_is_an_incident(off: float, unknown: float, expected: bool) -> None:
    """`off`: by which the scores are wrong; `unknown`: part of whose labels they know nothing, though right on average."""
    rng = np.random.default_rng(3)
    score = rng.beta(2, 5, 6000)
    new = np.arange(6000) < 1200
    true = np.where(new & (rng.random(6000) < unknown), score.mean(), np.clip(score - off * new, 0, 1))
    y = (rng.random(6000) < true).astype(float)
    known = np.where(rng.random(6000) < 0.5, "v7", "v8")
    frame = pl.DataFrame({"client": np.where(new, "v9", known), "s": score, "y": y})
    columns = Columns("ts", "binary", score="s", label="y", segments=("client",), features=("client",))
    picture = SimpleNamespace(aggregates=SimpleNamespace(plan=SimpleNamespace(label_kind="binary", score_is_probability=True)))
    before = frame.with_columns(client=pl.Series(known), y=pl.Series((rng.random(6000) < score).astype(float)))
    room: Any = SimpleNamespace(
        before=before, after=frame, harm=lambda *_: None, columns=columns, inside={}, picture=picture, readings={})
    clue = _category(room, "client")
    assert clue is not None and clue.signature == "new_category" and clue.facts["amiss_z"] >= 0
    quiet = SimpleNamespace(alert="auc", onset=None, matched=True, anchor=None, moves={}, series={})
    asked: Any = SimpleNamespace(readings={}, picture=quiet, moved=lambda *_: [], main="auc", compared={}, columns=columns)
    verdict = decide(asked, (Outcome("categories", "t", "upstream", "free", (clue,)),))
    assert (verdict.verdict == "incident") is expected


@pytest.mark.parametrize(("times", "daily", "width", "expected"), [
    (1.8, False, 0.2, True),  # within minutes on a Friday evening
    (1.8, True, 0.2, False),  # as on the evening before
    (1.1, False, 0.2, False),
    (1.8, False, 3.0, False)])  # nobody knows when
def test_no_weekend_brings_many_more_requests_within_minutes(times: float, daily: bool, width: float, expected: bool) -> None:
    grid = TimeGrid.over(MONDAY, MONDAY + timedelta(days=2))
    at = np.arange(grid.n) * grid.width_s / 3600
    jump = (at >= 44) | (daily & (at >= 20) & (at < 30))
    rng = np.random.default_rng(3)
    n = rng.poisson((10 + 2 * np.sin(at / 24 * 2 * np.pi)) * grid.width_s / 60 * np.where(jump, times, 1.0)).astype(float)
    low = int((44 - width) * 3600 // grid.width_s)
    onset = SimpleNamespace(index=int(44 * 3600 // grid.width_s), low=low, high=int(44.05 * 3600 // grid.width_s))
    volume = SimpleNamespace(family="volume", name="volume", sums=(n,), column=None)
    picture = SimpleNamespace(anchor=SimpleNamespace(series=volume), onset=onset, grid=grid, series={"volume": volume})
    assert abrupt(SimpleNamespace(picture=picture, readings={})) is expected  # type: ignore[arg-type]


@pytest.mark.parametrize(("onset", "moved", "told"), [(None, False, []), (None, True, ["lost"]), (100, False, ["lost"])])
def test_the_evening_of_a_log_in_which_nothing_began_has_lost_nothing(
    monkeypatch: pytest.MonkeyPatch, onset: int | None, moved: bool, told: list[str]
) -> None:
    monkeypatch.setattr(traffic, "_duplicates", lambda _: None)
    monkeypatch.setattr(traffic, "_again", lambda _: None)
    monkeypatch.setattr(traffic, "same_days", lambda _: True)
    move = SimpleNamespace(moved=moved, series=SimpleNamespace(log=True), scan=SimpleNamespace(best=None))
    fewer = SimpleNamespace(moved=True, before=25.6, after=11.5, change=-14.1)
    room: Any = SimpleNamespace(
        readings={"volume": fewer}, strength=lambda _: 0.9, onset=lambda _: None, changes=(),
        picture=SimpleNamespace(grid=made.seen_grid(), matched=True, moves={"volume": move}, onset=onset, series={}))
    assert [c.signature for c in traffic.volume(room).clues] == told


@pytest.mark.parametrize(("signature", "column", "expected"), [
    ("mix", "market", True), ("drift", "market", True), ("drift", "amount", False), ("lull", "market", False)])
def test_who_comes_is_told_by_segments(signature: str, column: str, expected: bool) -> None:
    room: Any = SimpleNamespace(columns=Columns("ts", "binary", segments=("market",), features=("amount", "market")))
    subject = "population" if signature == "mix" else f"feature:{column}"
    assert _who_comes(room, Clue("mix", subject, signature, "more from there", 0.6)) is expected


@pytest.mark.parametrize(("start", "hours", "expected"), [
    (0.9, 24, True), (1.1, 24, True), (1.7, 24, False),
    (0.3, 8, True),  # eight hours of a Sunday, and then working days
    (2.2, 52, True),  # a Friday evening, a weekend, and then working days
    (2.9, 68, False),  # a Friday from the morning on
    (0.5, 0, False)])  # no weekend before it
def test_the_first_working_day_of_a_log_is_no_shift(start: float, hours: int, expected: bool) -> None:
    assert first_weekend(weekend_room(start, start + 1.1, MONDAY - timedelta(hours=hours))) is expected


@pytest.mark.parametrize(("after", "kept"), [
    ({"none": 820.0, "silver": 50.0, "gold": 105.0}, True),  # silver became none
    ({"none": 586.0, "silver": 50.0, "gold": 110.0}, False),  # silver is gone
    ({"none": 615.0, "silver": 50.0, "gold": 115.0}, False),  # ... on a day with 5 % more requests
    ({"none": 586.0, "silver": 1500.0, "gold": 110.0}, False),  # silver came
])
def test_requests_that_became_others_are_not_lost(after: dict[str, float], kept: bool) -> None:
    before = {"none": 586.0, "silver": 303.0, "gold": 111.0}
    assert _kept_whole({v: (before[v], after[v]) for v in before}, "silver") is kept


def test_a_new_arm_is_a_matter_of_routing_and_a_next_version_is_no_other_name() -> None:
    rng = np.random.default_rng(0)

    def told(column: str, before: list[str], after: list[str]) -> Clue | None:
        frames = [pl.DataFrame({column: v if len(v) >= 2000 else rng.choice(v, 2000)}) for v in (before, after)]
        columns = Columns("ts", "binary", segments=(column,))
        room: Any = SimpleNamespace(before=frames[0], after=frames[1], harm=lambda *_: None, columns=columns, inside={},
                                    picture=SimpleNamespace(onset=None))
        return _category(room, column)

    arm = told("test.arm", ["A", "B"], ["A", "B", "C"])
    assert arm is not None and (arm.subject, arm.signature) == ("routing", "rerouted")
    app = told("client", ["web", "app", "app"], ["web", "app9", "app9", "app9", "app9", "app9", "app9", "app"])
    assert app is not None and (app.subject, app.signature) == ("feature:client", "new_category")
    guests = told("client", ["web", "app", "app"], ["web", "app", "app", "kiosk"])
    assert guests is not None and (guests.subject, guests.signature) == ("population", "new_category")
    assert same_under_mapping(("app", "DE"), ("app9", "de")) == [("DE", "de")]
    late = ["red"] * 1996 + ["RED"] * 4  # the onset is known to an hour or so
    written = told("colour", late, ["RED"] * 9 + ["red"])
    assert written is not None and written.signature == "renamed" and "red -> RED" in written.says
    assert told("colour", late[::-1], ["RED"] * 9 + ["red"]) is None, "some always wrote it so"
    assert told("colour", ["red"] * 9 + ["RED"], ["RED"] * 9 + ["red"]) is None


@pytest.mark.parametrize("new", ["SÃ¼d", "S?d", "S\ufffdd", "S\ufffd\ufffdd", "S??d", "S%C3%BCd", "S&uuml;d", "Sud", " SÜD"])
def test_text_that_was_decoded_wrongly_is_another_spelling(new: str) -> None:
    assert same_under_mapping(("Nord", "Süd"), (new, "Ost")) == [("Süd", new)]


def test_a_longer_name_is_another_spelling_only_where_the_shorter_one_is_missed() -> None:
    rng = np.random.default_rng(5)

    def told(after: list[str]) -> str:
        frames = [pl.DataFrame({"clinic": rng.choice(v, 3000)}) for v in (["Hafen", "Nord"], after)]
        room: Any = SimpleNamespace(
            before=frames[0], after=frames[1], harm=lambda *_: None, inside={}, picture=SimpleNamespace(onset=None),
            columns=Columns("ts", "binary", segments=("clinic",)))
        clue = _category(room, "clinic")
        assert clue is not None
        return clue.signature

    assert told(["Hafen", "Nord", "Flughafen"]) == "new_category", "another place"
    assert told(["Flughafen", "Nord"]) == "renamed"
    assert told(["Hafen", "Flughafen", "Flughafen", "Nord", "Nord", "Nord"]) == "renamed", "for most of its requests"


@pytest.mark.parametrize(("coming", "told"), [(0.1, False), (0.0, True)])
def test_customers_of_whom_some_are_always_new_are_no_news(coming: float, told: bool) -> None:
    """One request in ten is of somebody new, as ever; or of a thousand who were always the same, now one in ten is new."""
    rng = np.random.default_rng(4)
    known = 1000 + np.floor(np.arange(8000) * coming).astype(int)
    before = pl.DataFrame({"reader": [f"r{int(k)}" for k in rng.random(8000) * known]})
    after = rng.random(4000) * 1000
    after = np.where(rng.random(4000) < 0.1, 5000 + np.arange(4000), after)
    room: Any = SimpleNamespace(
        before=before, after=pl.DataFrame({"reader": [f"r{int(k)}" for k in after]}), harm=lambda *_: None, inside={},
        columns=Columns("ts", "binary", features=("reader",)), picture=SimpleNamespace(onset=None), readings={})
    clue = _category(room, "reader")
    assert (clue is not None and clue.signature == "new_category") is told


@pytest.mark.parametrize(("family", "moved", "began"), [
    ("component", False, False), ("component", True, True), ("mix", False, True), (None, False, True)])
def test_what_a_component_does_by_itself_is_no_beginning_of_traffic(family: str | None, moved: bool, began: bool) -> None:
    anchor = None if family is None else SimpleNamespace(series=SimpleNamespace(family=family))
    room: Any = SimpleNamespace(picture=SimpleNamespace(
        anchor=anchor, onset=object(), moves={"volume": SimpleNamespace(moved=moved)}))
    assert _traffic_began(room) is began
