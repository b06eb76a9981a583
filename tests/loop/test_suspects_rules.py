"""Single rules of step 4: where failed requests fail, what only tells the date, who is no loss and no rollout."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.aggregates.plan import Columns
from rca_kit.findings.investigation import ChangeRecord
from rca_kit.loop.s3_scope.search import badness_where, flow_scope
from rca_kit.loop.s4_suspects.changes import fits
from rca_kit.loop.s4_suspects.checks import traffic
from rca_kit.loop.s4_suspects.checks.categories import _category, _took_place, same_under_mapping
from rca_kit.loop.s4_suspects.checks.downstream import downstream, unexplained
from rca_kit.loop.s4_suspects.checks.model import _always_there, _scale
from rca_kit.loop.s4_suspects.checks.service import _added, _error_kind, _part_of_failures, components, failing_stage, metric_kind
from rca_kit.loop.s4_suspects.checks.traffic import _announced, _counted_too, _kept_whole, _too_many
from rca_kit.loop.s4_suspects.checks.values import values
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.hypotheses import Hypothesis, Scene, hypotheses
from rca_kit.loop.s4_suspects.ledger import charges, evidence
from rca_kit.loop.s4_suspects.room import calendar_features
from rca_kit.loop.s4_suspects.signatures import CATEGORIES_OF
from rca_kit.loop.s4_suspects.verdict import _abrupt, _first_weekend, _who_comes, decide
from rca_kit.sources import to_lazy

from . import made

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def failing(slow: str, rows: int = 400) -> Any:
    rng = np.random.default_rng(0)
    kind = np.where(np.arange(rows) % 10 == 0, "Timeout", None)
    stages = {s: rng.lognormal(3, 0.2, rows) for s in ("fetch_ms", "score_ms")}
    stages[slow] = np.where(kind == "Timeout", 2.5, 1.0) * stages[slow]
    columns = Columns("ts", "binary", error="err", stages=("fetch_ms", "score_ms"))
    return SimpleNamespace(after=pl.DataFrame({"err": pl.Series(kind.tolist(), dtype=pl.String), **stages}), columns=columns)


@pytest.mark.parametrize("slow", ["fetch_ms", "score_ms"])
def test_failed_requests_tell_the_stage_they_fail_in(slow: str) -> None:
    assert failing_stage(failing(slow), "Timeout") == slow


def test_a_handful_of_failures_or_equal_stages_tell_nothing() -> None:
    assert failing_stage(failing("fetch_ms", rows=60), "Timeout") is None
    even = failing("fetch_ms")
    even.after = even.after.with_columns(fetch_ms=pl.lit(20.0), score_ms=pl.lit(30.0))
    assert failing_stage(even, "Timeout") is None


def test_weekdays_are_told_by_the_date_and_a_fault_is_not() -> None:
    at = [MONDAY + timedelta(minutes=20 * i) for i in range(72 * 5)]
    days = [t.weekday() for t in at]
    frame = pl.DataFrame({
        "ts": at, "weekday": days, "as_float": [float(d) for d in days], "name": [t.strftime("%a") for t in at],
        "stuck": [0 if t < MONDAY + timedelta(days=3) else 7 for t in at], "code": [i % 3 for i in range(len(at))],
        "constant": [1] * len(at),
    })
    features = tuple(n for n in frame.columns if n != "ts")
    assert calendar_features(frame, Columns("ts", "binary", features=features)) == ("weekday", "as_float", "name")


def test_lost_requests_are_told_by_the_segment_that_lost_them() -> None:
    seen, dimensions = made.picture("none"), ["device", "country", "plan"]
    frame = made.log("none").with_row_index("i").with_columns(plan=pl.format("p{}", pl.col("i") % 7))
    gone = (pl.col("device") == "android") & (pl.col("ts") >= seen.windows[1].start) & (pl.col("i") % 3 > 0)
    found = flow_scope(seen, to_lazy(frame.filter(~gone)), dimensions, "decrease")
    assert [s.where for s in found.segments] == [{"device": "android"}]
    assert flow_scope(seen, to_lazy(frame), dimensions, "decrease").is_global


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


@pytest.mark.parametrize(("before", "expected"), [
    (np.full(20, 12.0), True),  # an arm of a split, there since the log begins
    (np.r_[np.zeros(15), np.full(5, 12.0)], False),  # a canary that began a while ago
    (np.full(20, 1.0), False),  # a trickle
])
def test_an_arm_that_was_always_there_is_no_rollout(before: Any, expected: bool) -> None:
    assert _always_there(before, np.full(20, 100.0)) is expected


@pytest.mark.parametrize(("kind", "hours", "counted", "expected"), [
    ("calendar", -1.0, 0.5, True), ("calendar", -30.0, 0.5, False), ("code_deploy", -1.0, 0.5, False),
    ("calendar", -1.0, 1.0, False)])
def test_a_lull_is_announced_by_the_calendar_and_counted_by_the_service(
    kind: str, hours: float, counted: float, expected: bool
) -> None:
    grid = made.seen_grid()
    at = grid.index(made.ONSET)
    parts = {"api": counted, "edge": counted, "joiner": 1.0}  # what one service does by itself says nothing of requests
    room: Any = SimpleNamespace(
        onset=lambda _: at, readings={f"service:{n}:requests": moved(100.0, 100.0 * c) for n, c in parts.items()},
        picture=SimpleNamespace(series={f"service:{n}:requests": SimpleNamespace(family="component") for n in parts}, grid=grid),
        changes=(made.change(60 * hours, kind, "calendar", "bank holiday"),))
    assert _announced(room, 0.5) is expected
    assert _counted_too(room, 0.5) is (counted < 1)


@pytest.mark.parametrize(("ratio", "weekend", "counted", "kind"), [
    (0.5, False, True, "lull"), (0.5, False, False, "lost"), (0.5, True, True, None), (0.8, False, True, None)])
def test_fewer_requests_are_a_lull_or_lost_on_days_like_those_before(
    monkeypatch: pytest.MonkeyPatch, ratio: float, weekend: bool, counted: bool, kind: str | None
) -> None:
    monkeypatch.setattr(traffic, "same_days", lambda _: not weekend)
    monkeypatch.setattr(traffic, "_duplicates", lambda _: None)
    monkeypatch.setattr(traffic, "_again", lambda _: None)
    monkeypatch.setattr(traffic, "_counted_too", lambda *_, **__: counted)
    fewer = SimpleNamespace(moved=True, before=20.0, after=20.0 * ratio, change=20.0 * (ratio - 1))
    room: Any = SimpleNamespace(
        readings={"volume": fewer}, strength=lambda _: 0.9, onset=lambda _: 100, changes=(),
        picture=SimpleNamespace(grid=made.seen_grid(), matched=True, moves={}))
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


def test_a_mark_of_all_rows_carries_no_harm() -> None:
    seen = made.room("unit")
    clue = next(c for c in values(seen).clues if c.subject == "feature:amount")
    assert clue.signature == "unit" and clue.harm is None


def test_clocks_that_are_off_are_marked_row_by_row() -> None:
    at = [MONDAY + timedelta(minutes=7 * i) for i in range(600)]
    frame = pl.DataFrame({"ts": at, "hour": [(t.hour + 1) % 24 + (3 if i % 4 == 0 else 0) for i, t in enumerate(at)]})
    bad = badness_where({"column": "hour", "op": "clock", "time": "ts", "offset": 1}, dict(to_lazy(frame).collect_schema()))
    assert bad is not None
    marked = to_lazy(frame).select(bad.row.alias("b")).collect().to_native()["b"].to_list()
    assert marked == [int(i % 4 == 0) for i in range(600)]


def weekend_room(start: float, days: float, first: datetime, family: str = "volume", kind: str = "box", end: float = 1e9,
                 onset: float | None = None) -> Any:
    grid = TimeGrid.over(first, first + timedelta(days=days))
    coarse = 86400 / grid.coarse_s
    fit = SimpleNamespace(start=int(start * coarse), end=int(min(end * coarse, grid.n_coarse)), height=-1.0)
    series = SimpleNamespace(family=family, name="volume")
    anchor = SimpleNamespace(series=series, fit=fit, scan=SimpleNamespace(kind=kind))
    dated = None if onset is None else SimpleNamespace(index=int(onset * coarse) * grid.coarse)
    alert = first + timedelta(days=days)
    return SimpleNamespace(picture=SimpleNamespace(anchor=anchor, grid=grid, detected_at=alert, onset=dated), readings={})


@pytest.mark.parametrize(("start", "days", "end", "expected"), [
    (4.9, 6.5, 1e9, True),  # Monday to Sunday, fewer requests since Friday night
    (4.9, 7.0, 6.9, True),  # ... and over on Sunday night
    (2.5, 6.5, 1e9, False),  # since Wednesday
    (11.9, 13.5, 1e9, False),  # an earlier weekend is there to compare with
    (4.9, 12.0, 1e9, False),  # long after the weekend it is still so
    (0.2, 1.0, 1e9, False),  # a log of one working day holds no weekend
])
def test_the_first_weekend_of_a_log_is_no_shift(start: float, days: float, end: float, expected: bool) -> None:
    assert _first_weekend(weekend_room(start, days, MONDAY, end=end)) is expected
    assert not _first_weekend(weekend_room(start, days, MONDAY, family="quality", end=end))
    assert not _first_weekend(weekend_room(start, days, MONDAY, end=end, onset=6.3))  # it began on Sunday morning


def test_a_few_more_requests_are_not_too_many() -> None:
    assert [_too_many(g) for g in (1.05, 1.1, 1.6, 3.0)] == pytest.approx([0.0, 0.0, 1.0, 1.0])
    assert 0.2 < _too_many(1.23) < 0.4


@pytest.mark.parametrize("scorer", [True, False])
def test_a_version_that_answers_otherwise_is_no_less_suspect_for_being_in_the_log(scorer: bool) -> None:
    signature = "score_function" if scorer else "version"
    clue = Clue(signature, "model:v2", signature, "other scores", 0.9)
    entry = ChangeRecord("c1", MONDAY, "model_deploy", "scorer", "v2 out", version_to="v2")
    fit = fits((entry,), (MONDAY, MONDAY), 10_000.0, ())[0]
    scene = Scene("quality", 30, ())
    told = {h.change_id: "version:logged" in h.x for h in hypotheses([clue], [fit], scene)[:-1]}
    assert told == {"c1": True, None: not scorer}


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
    assert _abrupt(room) is expected
    other = {f"share:market={v}": SimpleNamespace(before=b, after=a) for v, b, a in (("DE", 0.5, 0.25), ("FR", 0.3, 0.6))}
    room.readings, room.picture.series = other, {n: SimpleNamespace(column="market") for n in other}
    assert _abrupt(room), "another population altogether"


@pytest.mark.parametrize(("off", "expected"), [(0.2, True), (0.02, False), (-0.2, True)])
def test_a_new_value_whose_requests_are_scored_amiss_is_an_incident(off: float, expected: bool) -> None:
    rng = np.random.default_rng(3)
    score = rng.beta(2, 5, 6000)
    new = np.arange(6000) < 1200
    y = (rng.random(6000) < np.clip(score - off * new, 0, 1)).astype(float)
    frame = pl.DataFrame({"client": np.where(new, "v9", "v8"), "s": score, "y": y})
    columns = Columns("ts", "binary", score="s", label="y", segments=("client",), features=("client",))
    picture = SimpleNamespace(aggregates=SimpleNamespace(plan=SimpleNamespace(label_kind="binary")))
    room: Any = SimpleNamespace(
        before=frame.with_columns(client=pl.lit("v8")), after=frame, harm=lambda *_: None, columns=columns, inside={},
        picture=picture, readings={})
    clue = _category(room, "client")
    assert clue is not None and clue.signature == "new_category" and clue.facts["amiss_z"] >= 0
    quiet = SimpleNamespace(alert="auc", onset=None, matched=True, anchor=None, moves={}, series={})
    asked: Any = SimpleNamespace(readings={}, picture=quiet, moved=lambda *_: [], main="auc", compared={}, columns=columns)
    verdict = decide(asked, (Outcome("categories", "t", "upstream", "free", (clue,)),))
    assert (verdict.verdict == "incident") is expected


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
    (0.2, 0, False)])  # no weekend before it
def test_the_first_working_day_of_a_log_is_no_shift(start: float, hours: int, expected: bool) -> None:
    assert _first_weekend(weekend_room(start, start + 1.1, MONDAY - timedelta(hours=hours))) is expected


def outcome_room(moved: dict[str, str], worse: tuple[str, ...], score: str | None = None) -> Any:
    """A room in which these series (name: family) moved."""
    readings = {n: SimpleNamespace(moved=True, worse=n in worse, before=0.4, after=0.2) for n in moved}
    picture = SimpleNamespace(series={n: SimpleNamespace(family=f) for n, f in moved.items()}, alert="auc")
    return SimpleNamespace(
        readings=readings, picture=picture, strength=lambda _: 0.8, onset=lambda _: 7, columns=SimpleNamespace(score=score),
        moved=lambda *families: [n for n, f in moved.items() if f in families], main=next(iter(worse), "auc"))


def test_a_business_outcome_that_fell_alone_has_suspects() -> None:
    alone = outcome_room({"kpi:paid": "kpi", "label_share": "labels"}, ("kpi:paid",))
    (clue,) = downstream(alone).clues
    assert (clue.signature, clue.subject) == ("downstream", "population") and "kpi:paid 0.4 -> 0.2" in clue.says
    (clue,) = downstream(outcome_room({"segment:kpi:paid|channel=sms": "segment"}, ("segment:kpi:paid|channel=sms",))).clues
    assert clue.signature == "downstream_here" and "kpi:paid in channel=sms" in clue.says
    assert CATEGORIES_OF["downstream_here"][0] == "code"
    for more in ("output", "service", "version", "component"):
        assert not downstream(outcome_room({"kpi:paid": "kpi", "x": more}, ("kpi:paid",))).clues
    for more in ("input", "nulls"):  # a drift that left the scores alone did not do it; without scores it may have
        assert downstream(outcome_room({"kpi:paid": "kpi", "x": more}, ("kpi:paid",), score="s")).clues
        assert not downstream(outcome_room({"kpi:paid": "kpi", "x": more}, ("kpi:paid",))).clues
    assert not downstream(outcome_room({"kpi:paid": "kpi", "auc": "quality"}, ("kpi:paid", "auc"))).clues
    assert not downstream(outcome_room({"kpi:paid": "kpi"}, ())).clues


@pytest.mark.parametrize(("after", "kept"), [
    ({"none": 820.0, "silver": 50.0, "gold": 105.0}, True),  # silver became none
    ({"none": 586.0, "silver": 50.0, "gold": 110.0}, False),  # silver is gone
    ({"none": 615.0, "silver": 50.0, "gold": 115.0}, False),  # ... on a day with 5 % more requests
    ({"none": 586.0, "silver": 1500.0, "gold": 110.0}, False),  # silver came
])
def test_requests_that_became_others_are_not_lost(after: dict[str, float], kept: bool) -> None:
    before = {"none": 586.0, "silver": 303.0, "gold": 111.0}
    assert _kept_whole({v: (before[v], after[v]) for v in before}, "silver") is kept


def test_a_version_that_served_alone_before_the_symptom_is_believed_less() -> None:
    def blamed(alone_since: float) -> Hypothesis:
        facts = {"alone_since": alone_since, "share": 1.0}
        clue = Clue("version", "model:v12", "version", "version v12: 0.0% -> 100.0% of requests", 0.65, 8, 1.0, facts=facts)
        found = hypotheses([clue], [], Scene("quality", 20, (), calm=14))
        return next(h for h in found if h.category == "model")

    assert "served_well" in blamed(10.0).x and "served_well" not in blamed(15.0).x
    assert any("served alone before" in e.says and e.weight < 0 for e in evidence(blamed(10.0)))


@pytest.mark.parametrize(("name", "kind"), [
    ("upstream timeout", "timeout"), ("DeadlineExceeded", "timeout"), ("tijdslimiet", "timeout"),
    ("tempo limite scaduto", "timeout"), ("Zeitüberschreitung", "timeout"), ("RateLimitExceeded", "limit"), ("429", "limit"),
    ("504", "upstream"), ("RuntimeError: value", "code"), ("KeyError", "code"), ("OOMKilled", "memory"),
    ("geen_antwoord", "other"), ("408", "timeout"), ("HTTP 524", "timeout"), ("424", "upstream"),
    ("code_422", "code"), ("417", "other"),
])
def test_errors_are_told_by_their_names(name: str, kind: str) -> None:
    assert _error_kind(name) == kind


def test_a_kind_of_error_answers_for_its_part_of_the_error_rate() -> None:
    room: Any = SimpleNamespace(main="error_rate", readings={"error_rate": SimpleNamespace(change=0.04)})
    assert _part_of_failures(room, 0.03) == pytest.approx(0.75)
    assert _part_of_failures(room, 0.09) == 1.0
    room.main = "latency_p95"
    assert _part_of_failures(room, 0.03) is None


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


def test_quality_that_fell_by_itself_has_suspects() -> None:
    room = outcome_room({"auc": "quality", "label_share": "labels"}, ("auc",))
    room.columns = Columns("ts", "binary", label="y")
    nothing = (Outcome("concept", "Labels", "external", "seconds", clear="as before"),)
    assert {c.subject for c in unexplained(room, nothing)} == {"label", "population"}
    found = (Outcome("x", "X", "data", "free", (Clue("x", "feature:a", "nulls", "nulls", 0.9),)),)
    assert unexplained(room, found) == ()
    moved = outcome_room({"auc": "quality", "score_mean": "output"}, ("auc",))
    moved.columns = room.columns
    assert unexplained(moved, nothing) == ()


def test_scores_on_another_scale_in_some_requests() -> None:
    rng = np.random.default_rng(2)
    before, after = (rng.beta(2, 5, 3000) for _ in range(2))
    mixed = np.where(rng.random(3000) < 0.4, after * 100, after)
    frames = [pl.DataFrame({"s": x}) for x in (before, mixed)]
    said = _scale(SimpleNamespace(before=frames[0], after=frames[1], columns=SimpleNamespace(score="s")))  # type: ignore[arg-type]
    assert said.startswith("scores after are x100 those before, in ") and 0.37 <= int(said[-15:-13]) / 100 <= 0.43


def test_features_that_broke_in_other_ways_or_only_drifted_stay_suspects_of_their_own() -> None:
    mixed = hypotheses(
        [Clue("null_rate", "feature:a", "nulls", "nulls", 0.9), Clue("value_range", "feature:b", "unit", "x100", 0.9),
         Clue("drift", "feature:c", "drift", "drifted", 0.9), Clue("drift", "feature:d", "drift", "drifted", 0.9)],
        [], Scene("quality", 10, ()),
    )  # fmt: skip
    assert all(h.twins == () for h in mixed)
    assert {c.best.subject for c in charges(mixed)} == {f"feature:{x}" for x in "abcd"}


@pytest.mark.parametrize(("change", "says"), [
    (lambda s: s * 100, "scores after are x100 those before"), (lambda s: 1 - s, "scores after are 1 less those before"),
    (lambda s: s, ""), (lambda s: np.sqrt(s), ""), (lambda s: s * 1.3, ""), (lambda s: s**2, ""),
])
def test_scores_on_another_scale_are_told_from_another_model(change: Any, says: str) -> None:
    before, after = (np.random.default_rng(i).beta(2, 5, 3000) for i in (1, 2))
    frames = [pl.DataFrame({"s": x}) for x in (before, change(after))]
    assert _scale(SimpleNamespace(before=frames[0], after=frames[1], columns=SimpleNamespace(score="s"))) == says  # type: ignore[arg-type]


@pytest.mark.parametrize(("worse", "slow", "expected"), [(True, 0.1, "stage:store_ms"), (True, 0.0, None), (False, 0.1, None)])
def test_the_stage_that_takes_the_added_time_of_a_few_requests_is_told(worse: bool, slow: float, expected: str | None) -> None:
    frames = []
    for seed, part in ((1, 0.0), (2, slow)):
        rng = np.random.default_rng(seed)
        model, store = rng.gamma(8, 5, 5000), rng.gamma(4, 2, 5000) + np.where(rng.random(5000) < part, rng.gamma(9, 8, 5000), 0)
        frames.append(pl.DataFrame({"ms": model + store, "model_ms": model, "store_ms": store}))
    room: Any = SimpleNamespace(
        before=frames[0], after=frames[1], readings={"latency_p95": SimpleNamespace(worse=worse)},
        moved=lambda *_: ["latency_p95"], columns=Columns("ts", "binary", latency="ms", stages=("model_ms", "store_ms")))
    assert [c.subject for c in _added(room)] == ([expected] if expected else [])
