"""Single rules of step 4: where failed requests fail, what only tells the date, who is no loss and no rollout."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.aggregates.plan import Columns
from rca_kit.findings.investigation import ChangeRecord
from rca_kit.loop.s3_scope.search import badness_where, flow_scope
from rca_kit.loop.s4_suspects.changes import fits
from rca_kit.loop.s4_suspects.checks.downstream import downstream, unexplained
from rca_kit.loop.s4_suspects.checks.model import _always_there, _scale
from rca_kit.loop.s4_suspects.checks.service import _added, _error_kind, _part_of_failures, failing_stage
from rca_kit.loop.s4_suspects.checks.values import values
from rca_kit.loop.s4_suspects.clocks import calendar_features
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.hypotheses import Hypothesis, Scene, hypotheses
from rca_kit.loop.s4_suspects.ledger import charges, evidence
from rca_kit.loop.s4_suspects.signatures import CATEGORIES_OF
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


@pytest.mark.parametrize(("before", "expected"), [
    (np.full(20, 12.0), True),  # an arm of a split, there since the log begins
    (np.r_[np.zeros(15), np.full(5, 12.0)], False),  # a canary that began a while ago
    (np.full(20, 1.0), False),  # a trickle
])
def test_an_arm_that_was_always_there_is_no_rollout(before: Any, expected: bool) -> None:
    assert _always_there(before, np.full(20, 100.0)) is expected


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


@pytest.mark.parametrize("scorer", [True, False])
def test_a_version_that_answers_otherwise_is_no_less_suspect_for_being_in_the_log(scorer: bool) -> None:
    signature = "score_function" if scorer else "version"
    clue = Clue(signature, "model:v2", signature, "other scores", 0.9)
    entry = ChangeRecord("c1", MONDAY, "model_deploy", "scorer", "v2 out", version_to="v2")
    fit = fits((entry,), (MONDAY, MONDAY), 10_000.0, ())[0]
    scene = Scene("quality", 30, ())
    told = {h.change_id: "version:logged" in h.x for h in hypotheses([clue], [fit], scene)[:-1]}
    assert told == {"c1": True, None: not scorer}


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
