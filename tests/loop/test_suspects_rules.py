"""Single rules of step 4: where failed requests fail, what only tells the date, whose probability a suspect has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.aggregates.plan import Columns
from rca_kit.findings.investigation import ChangeRecord
from rca_kit.loop.s3_scope.search import flow_scope
from rca_kit.loop.s4_suspects.changes import Fit, fits
from rca_kit.loop.s4_suspects.checks.service import failing_stage
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.hypotheses import NAMELESS, OTHER, Hypothesis, Scene, hypotheses
from rca_kit.loop.s4_suspects.ledger import LAPSE, charges, probabilities
from rca_kit.loop.s4_suspects.next_test import chain
from rca_kit.loop.s4_suspects.room import calendar_features
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


def change(key: str, component: str) -> ChangeRecord:
    return ChangeRecord(key, MONDAY, "config_change", component, "limit edited")


def test_errors_without_a_component_are_laid_at_the_blamed_change_s() -> None:
    clue = Clue("error_types", "component:", "error:timeout", "more time-outs", 0.9)
    fits = [Fit(change("c1", "ranker"), 3.0, 0.0, "silent", {}), Fit(change("c2", ""), 3.0, 0.0, "silent", {})]
    found = hypotheses([clue], fits, Scene("service", 10, ()))
    assert {(h.subject, h.change_id) for h in found[:-1]} == {(NAMELESS, None), ("component:ranker", "c1"), (NAMELESS, "c2")}


def test_each_of_more_entries_is_less_likely_the_guilty_one() -> None:
    clue = Clue("null_rate", "feature:amount", "nulls", "nulls", 0.9)
    few, many = ([Fit(change(f"c{i}", "store"), 3.0, 0.0, "silent", {}) for i in range(n)] for n in (1, 9))
    unlogged = [sum(probabilities(h)[i] for i, x in enumerate(h[:-1]) if x.change_id is None)
                for h in (hypotheses([clue], f, Scene("quality", 10, ())) for f in (few, many))]
    one = [charges(hypotheses([clue], f, Scene("quality", 10, ())))[0].probability for f in (few, many)]
    assert unlogged[0] < 1
    assert one[0] > one[1]


def test_a_suspect_s_probability_is_that_of_its_category() -> None:
    fit = Fit(change("c1", "store"), 3.0, 0.0, "silent", {})
    two = [Hypothesis(c, "feature:x", fit, (), {"harm": h}) for c, h in (("data", 6.0), ("code", 5.0))]
    found = [*two, OTHER]
    p = probabilities(found)
    (charge,) = charges(found)
    assert charge.best.category == "data"
    assert charge.probability == pytest.approx(p[0])
    assert p.sum() == pytest.approx(1.0)
    assert p[-1] >= LAPSE


def test_lost_requests_are_told_by_the_segment_that_lost_them() -> None:
    seen, dimensions = made.picture("none"), ["device", "country", "plan"]
    frame = made.log("none").with_row_index("i").with_columns(plan=pl.format("p{}", pl.col("i") % 7))
    gone = (pl.col("device") == "android") & (pl.col("ts") >= seen.windows[1].start) & (pl.col("i") % 3 > 0)
    found = flow_scope(seen, to_lazy(frame.filter(~gone)), dimensions, "decrease")
    assert [s.where for s in found.segments] == [{"device": "android"}]
    assert flow_scope(seen, to_lazy(frame), dimensions, "decrease").is_global


def two(first: Clue, *others: Clue, components: tuple[str, ...] = (), logged: tuple[Fit, ...] = ()) -> list[Hypothesis]:
    return hypotheses([first, *others], list(logged), Scene("quality", 10, (), components=components))


def test_a_category_answers_for_all_that_its_subject_shows() -> None:
    alone = Clue("alone", "feature:x", "alone", "moved alone", 0.9)
    drift = Clue("drift", "feature:x", "drift", "drifted", 0.8)
    by = {h.category: h.x for h in two(alone, drift)[:-1]}
    assert by["external"]["category:unfit"] == 0.9  # one feature alone is not what a change of who comes leaves
    assert "category:unfit" not in by["code"]


def test_a_fault_explains_the_relation_it_broke_and_a_stand_in_the_version_it_is() -> None:
    swapped = Clue("swapped", "feature:x", "swapped", "holds y", 0.95)
    stale = Clue("relation", "feature:x", "stale", "no longer goes with z", 0.9)
    assert {c.signature for h in two(swapped, stale)[:-1] for c in h.clues} == {"swapped"}
    version = Clue("version", "model:fallback", "version", "new", 0.9)
    for stand_in, subjects in ((1.0, {"routing"}), (0.0, {"routing", "model:fallback"})):
        routed = Clue("routing", "routing", "rerouted", "stands in", 0.9, facts={"stand_in": stand_in})
        assert {h.subject for h in two(version, routed)[:-1]} == subjects


def logged(component: str, text: str = "limit edited") -> Fit:
    entry = ChangeRecord("c1", MONDAY, "infra_change", component, text)
    return fits((entry,), (MONDAY, MONDAY), 10_000.0, ())[0]


@pytest.mark.parametrize(("component", "evidence"), [
    ("ratehub-partner", "change:akin"), ("inventory-db", "change:other_component"), ("", None)])
def test_a_stage_belongs_to_the_component_akin_to_it(component: str, evidence: str | None) -> None:
    slow = Clue("stage_latency", "stage:rates_ms", "slow", "slower", 0.9)
    found = two(slow, components=("ratehub-partner", "inventory-db"), logged=(logged(component),))
    x = next(h.x for h in found if h.change_id == "c1")
    assert {k for k in x if k in ("change:akin", "change:other_component")} == ({evidence} if evidence else set())
    assert {h.category for h in found if "owner:outside" in h.x} == {"upstream"}


@pytest.mark.parametrize(("text", "aside"), [
    ("feature docs url updated", True), ("Dashboards migrated", True), ("log level info -> warn", True),
    ("unit tests and typing, no functional change", True), ("header size limits documented and set", False),
    ("new key for device_type", False), ("color space of images: BGR", True), ("catalog rewritten", False),
])
def test_entries_that_touched_nothing_that_serves_say_so(text: str, aside: bool) -> None:
    assert logged("edge", text).aside is aside


def test_a_chain_names_each_link_once() -> None:
    cache = Clue("service_metrics", "component:store", "metric:cache", "cache hits fell", 0.9)
    nulls = Clue("null_rate", "feature:x", "nulls", "x lost values", 0.9)
    alone = Clue("alone", "feature:x", "alone", "x moved while others did not", 0.8)
    fit = logged("store", "new keys")
    h = next(h for h in two(cache, components=("store",), logged=(fit,)) if h.change_id == "c1")
    told = chain(h, "auc", tuple(Outcome(c.check, "", "data", "free", (c,)) for c in (cache, nulls, alone)))
    assert told == ("auc", "x lost values", "cache hits fell", "c1: new keys")
