"""Incident, benign shift or no change: what moved, whether it hurt, and whether the truth went with the scores."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.aggregates.plan import Columns
from rca_kit.findings.scope import MixRate
from rca_kit.findings.signal import MetricReading
from rca_kit.loop.s4_suspects.checks.concept import _few_more
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.harmless import STAYED_BEHIND, truth_stayed
from rca_kit.loop.s4_suspects.room import Room
from rca_kit.loop.s4_suspects.verdict import _only_mix, _passed, decide, mix_index, stayed_behind
from rca_kit.stats.rates import Z95

from . import made_series as ms


def asked(score: float, bias: float, moved: bool = True, least: float = STAYED_BEHIND) -> str:
    read = (ms.reading("score_mean", score, moved), ms.reading("bias", bias, False))
    room: Any = SimpleNamespace(readings={r.metric: r for r in read})
    return stayed_behind(room, least)


def test_scores_that_moved_alone_are_told() -> None:
    said = asked(-0.05, -0.04)
    assert "the mean score moved (0.3 -> 0.25)" in said
    assert asked(-0.05, -0.01) == "", "the truth went with them"
    assert asked(-0.05, 0.05) == "", "the bias moved the other way"
    assert asked(-0.05, -0.04, moved=False) == "", "scores that held still say nothing"


def test_a_bias_that_took_half_of_it_is_neither_theirs_nor_the_worlds() -> None:
    assert asked(-0.30, -0.16) == "", "labels of one kind are late, or others came"
    assert asked(-0.30, -0.28) != ""


def test_little_is_enough_where_something_else_speaks_for_it() -> None:
    assert asked(-0.03, -0.02) == ""
    assert asked(-0.03, -0.02, least=1.0) != ""


def test_metrics_that_the_log_cannot_tell_say_nothing() -> None:
    room: Any = SimpleNamespace(readings={"score_mean": ms.reading("score_mean", -0.05, True)})
    assert stayed_behind(room, STAYED_BEHIND) == ""


@pytest.mark.parametrize("score", [0.5, 1.0, 2.5, 6.0])  # standard errors of the bias
def test_harmless_drifts_are_seldom_called_that(score: float) -> None:
    """Where the world moves with the scores the bias is noise: the ratio exceeds 20 once in 140 times at most."""
    noise = np.random.default_rng(5).normal(size=4000) * ms.ERROR
    told = np.mean([asked(score * ms.ERROR, b) != "" for b in noise])
    assert told <= 0.011
    missed = np.mean([asked(score * ms.ERROR, score * ms.ERROR + b) == "" for b in noise])
    assert missed <= 0.02 or score < 6.0


@pytest.mark.parametrize(("p_value", "moved", "worse", "calm"), [
    (0.2, False, True, True), (1e-5, False, True, False), (1e-5, False, False, True), (1e-9, True, True, False)])
def test_business_that_got_a_little_worse_did_not_stay_calm(p_value: float, moved: bool, worse: bool, calm: bool) -> None:
    paid = MetricReading("kpi:paid", 0.3, 0.29, -0.01, (-0.02, 0.0), 5000, 900, p_value, moved, worse)
    series = {"kpi:paid": SimpleNamespace(family="kpi"), "auc": SimpleNamespace(family="quality")}
    read = {"kpi:paid": paid, "auc": ms.reading("auc", -0.2, True)}
    room: Any = SimpleNamespace(readings=read, picture=SimpleNamespace(series=series))
    asked_of = Room.business_calm.fget
    assert asked_of is not None and asked_of(room) is calm
    del read["kpi:paid"]
    assert asked_of(room) is None


@pytest.mark.parametrize(("onset", "strength", "verdict"), [
    (None, 0.27, "no_change"), (None, 0.5, "benign_shift"), (100, 0.27, "benign_shift")])
def test_a_faint_drift_that_began_nowhere_is_none(onset: int | None, strength: float, verdict: str) -> None:
    picture: Any = SimpleNamespace(alert="auc", onset=onset, matched=True, anchor=None, series={}, moves={})
    columns = Columns("ts", "binary", features=("x",))
    room: Any = SimpleNamespace(picture=picture, readings={}, moved=lambda *_: [], columns=columns)
    drift = Outcome("drift", "Drift", "external", "free", (Clue("drift", "feature:x", "drift", "x moved", strength),))
    assert decide(room, (drift,)).verdict == verdict


@pytest.mark.parametrize(("rate", "z", "chance"), [(0.03, 2.0, True), (0.03, 5.0, False), (0.5, 2.0, False)])
def test_a_few_more_rare_labels_are_no_wrong_labels(rate: float, z: float, chance: bool) -> None:
    labels = pl.DataFrame({"y": np.random.default_rng(3).binomial(1, rate, 5000)})
    room: Any = SimpleNamespace(
        before=labels, columns=Columns("ts", "binary", label="y", positive={"y": 1}),
        picture=SimpleNamespace(aggregates=SimpleNamespace(plan=SimpleNamespace(label_kind="binary"))))
    assert _few_more(room, z) is chance


def share(column: str, value: str, before: float, after: float) -> tuple[str, MetricReading]:
    name = f"share:{column}={value}"
    return name, MetricReading(name, before, after, after - before, None, 5000, 5000, 1e-9, True, None)


@pytest.mark.parametrize(("after", "verdict"), [((0.45, 0.35), "no_change"), ((0.35, 0.5), "benign_shift")])
@pytest.mark.parametrize("asked", [False, True])
def test_a_mix_that_hardly_moved_is_no_shift_unless_somebody_asked(after: tuple[float, float], verdict: str, asked: bool) -> None:
    read = dict(share("cell", v, b, a) for v, b, a in zip("ab", (0.5, 0.3), after, strict=True))
    series = {n: SimpleNamespace(family="mix", column="cell") for n in read}
    moves = {n: SimpleNamespace(moved=True, series=series[n]) for n in read}
    alert = "share:cell=a" if asked else "auc"
    picture: Any = SimpleNamespace(alert=alert, onset=9, matched=True, anchor=None, series=series, moves=moves, grid=None)
    room: Any = SimpleNamespace(
        picture=picture, readings=read, columns=Columns("ts", "binary", segments=("cell",)), compared={}, clocks=(),
        moved=lambda *f: [*read] if "mix" in f else [])
    p, q = np.array([0.5, 0.3, 0.2]), np.array([*after, 1 - sum(after)])
    assert mix_index(room, "cell") == pytest.approx(float(((q - p) * np.log(q / p)).sum()))
    mix = Outcome("mix", "Mix", "external", "free", (
        Clue("mix", "population", "mix", "cell moved", 0.8, where={"column": "cell"}),))
    assert decide(room, (mix,)).verdict == ("benign_shift" if asked else verdict)


def worse_room(changes: dict[str, float], kind: str = "binary") -> Any:
    """A room in which some metrics got worse by so much, and nothing else is known."""
    read = {n: replace(ms.reading(n, d, True), worse=True) for n, d in changes.items()}
    plan = SimpleNamespace(label_kind=kind)
    series = {n: SimpleNamespace(family="quality", column=None) for n in read}
    picture = SimpleNamespace(
        alert="auc", onset=None, matched=True, anchor=None, series=series, moves={}, aggregates=SimpleNamespace(plan=plan))
    return SimpleNamespace(
        picture=picture, readings=read, columns=Columns("ts", "binary"), compared={}, clocks=(), main="auc",
        moved=lambda *f: [*read] if "quality" in f else [])


@pytest.mark.parametrize(("changes", "kind", "verdict"), [
    ({"precision": -0.06}, "binary", "no_change"),
    ({"bias": 0.02, "precision": -0.06}, "binary", "no_change"),
    ({"bias": 0.05}, "binary", "incident"),
    ({"bias": 0.02, "log_loss": 0.05}, "binary", "incident"),
    ({"bias": 0.02}, "number", "incident"),
    ({"auc": -0.06}, "binary", "incident")])
def test_what_a_few_more_positive_labels_make_is_no_incident_by_itself(
    changes: dict[str, float], kind: str, verdict: str
) -> None:
    assert decide(worse_room(changes, kind), ()).verdict == verdict
    broken = Outcome("nulls", "t", "data", "free", (Clue("nulls", "feature:a", "nulls", "nulls", 0.9),))
    assert decide(worse_room(changes, kind), (broken,)).verdict == "incident"


@pytest.mark.parametrize(("labels", "bias", "verdict"), [
    (True, 0.0, "no_change"), (False, 0.0, "incident"), (True, 0.02, "incident")])
def test_an_input_that_moved_alone_may_be_behind_a_fall_unless_the_truth_went_along(
    labels: bool, bias: float, verdict: str
) -> None:
    room = worse_room({"recall": -0.05, "precision": -0.05} | ({"bias": bias} if bias else {}))
    room.readings["label_rate"] = replace(ms.reading("label_rate", -0.05, labels), worse=None)
    room.picture.series["label_rate"] = SimpleNamespace(family="labels", column=None)
    alone = Clue("alone", "feature:amount", "alone", "amount moved alone", 0.9)
    room.moved = lambda *f: [n for n in room.readings if n != "label_rate"] if "quality" in f else []
    assert decide(room, (Outcome("alone", "t", "data", "free", (alone,)),)).verdict == verdict


def test_labels_that_mean_something_else_make_some_answer_wrong() -> None:
    differ = Clue("concept", "label", "labels_moved", "labels differ", 0.9)
    assert decide(worse_room({}), (Outcome("concept", "t", "external", "seconds", (differ,)),)).verdict == "no_change"
    more = replace(differ, check="label_rate")
    assert decide(worse_room({}), (Outcome("labels", "t", "data", "free", (more,)),)).verdict == "incident"


@pytest.mark.parametrize(("metric", "p", "share", "scored", "expected"), [
    ("accuracy", 1e-5, 1.0, True, "incident"), ("accuracy", 1e-5, 1.0, None, "incident"),
    ("accuracy", 1e-5, 0.5, True, "no_change"),
    ("accuracy", 1e-5, 1.0, False, "no_change"), ("accuracy", 0.01, 1.0, True, "no_change"),
    ("precision", 1e-9, 1.0, True, "no_change")])
def test_outcomes_worse_since_a_version_that_scores_otherwise_took_over(
    metric: str, p: float, share: float, scored: bool | None, expected: str
) -> None:
    """The version tells when, so less has to be seen than of what may have begun at any time; None: only row by row."""
    room = worse_room({metric: -0.04, "recall": -0.001})
    room.readings = {n: replace(r, moved=False, p_value=p if n == metric else 0.5) for n, r in room.readings.items()}
    room.picture.matters = lambda *_: True
    room.moved = lambda *f: ["score_mean"] if "output" in f and scored and "mix" not in f else []
    new = Clue("version", "model:v8", "version", "version v8", 0.9, facts={"share": share})
    facts = {"ratio": 1.1 if scored is False else 2.0}
    rows = Clue("score_function", "model:", "score_function", "other scores", 0.9, facts=facts)
    verdict = decide(room, (Outcome("version", "t", "model", "free", (new, rows)),))
    assert verdict.verdict == expected
    assert expected != "incident" or "since v8" in verdict.because


@pytest.mark.parametrize(("score", "bias", "surely"), [(-0.10, -0.10, True), (-0.05, -0.04, False), (-0.10, 0.0, False)])
def test_labels_that_surely_stayed_tell_that_nobody_else_came_and_no_world_changed(
    score: float, bias: float, surely: bool
) -> None:
    read = (ms.reading("score_mean", score, True), ms.reading("bias", bias, True))
    room: Any = SimpleNamespace(readings={r.metric: r for r in read})
    assert truth_stayed(room) is surely


@pytest.mark.parametrize(("began", "verdict"), [(False, "no_change"), (True, "benign_shift")])
def test_more_requests_are_a_shift_only_where_they_began_at_some_time(began: bool, verdict: str) -> None:
    """Two windows differ, as a weekend's do, and no scan of the volume found a beginning."""
    room = worse_room({})
    room.readings["volume"] = MetricReading("volume", 30.0, 60.0, 30.0, None, 500, 50, 1e-9, True, None)
    room.picture.series["volume"] = SimpleNamespace(family="volume", column=None, name="volume")
    room.picture.alert, room.picture.grid, room.picture.moves = "volume", None, {"volume": SimpleNamespace(moved=began)}
    room.picture.moves["volume"].series = room.picture.series["volume"]
    assert decide(room, ()).verdict == verdict


@pytest.mark.parametrize(("alert", "days", "verdict"), [
    ("latency_p99", 2.0, "no_change"), ("latency_p99", 5.0, "benign_shift"), ("volume", 2.0, "benign_shift")])
@pytest.mark.parametrize("signature", ["surge", "lull"])
def test_short_logs_do_not_tell_more_requests_from_other_hours_unless_somebody_asked(
    alert: str, days: float, verdict: str, signature: str
) -> None:
    room, after = worse_room({}), 60.0 if signature == "surge" else 10.0
    room.readings["volume"] = MetricReading("volume", 30.0, after, after - 30.0, None, 500, 50, 1e-9, signature == "surge", None)
    room.picture.series["volume"] = SimpleNamespace(family="volume", column=None, name="volume")
    room.picture.alert, room.picture.grid = alert, ms.grid(days)
    room.picture.moves = {"volume": SimpleNamespace(moved=True, series=room.picture.series["volume"])}
    clue = Clue("volume", "traffic", signature, "requests", 0.9)
    assert decide(room, (Outcome("volume", "t", "external", "free", (clue,)),)).verdict == verdict


@pytest.mark.parametrize(("mix", "rate", "error", "others", "only"), [
    (0.9, 0.1, 0.05, 10, True),
    (0.56, 0.44, 0.2, 10, True),  # by chance: one of eleven outcomes differs by 2.2 standard errors
    (0.56, 0.44, 0.1, 10, False), (0.4, 0.6, 0.3, 10, False),
    (0.6, 0.4, 0.19, 0, False)])  # the only outcome, and mix is not most of it
def test_of_many_outcomes_one_differs_by_chance_where_mix_explains_all(
    mix: float, rate: float, error: float, others: int, only: bool
) -> None:
    def split(m: float, r: float, e: float) -> tuple[MixRate, ...]:
        return (MixRate("language", m + r, m, r, True, (), (r - Z95 * e, r + Z95 * e)),)

    worse = [f"kpi:{i}" for i in range(others)] + ["kpi:last"]
    known = {n: split(0.95, 0.05, 0.05) for n in worse} | {"kpi:last": split(mix, rate, error)}
    assert _only_mix(worse, known) is only
    assert _only_mix(worse, {}) is False


@pytest.mark.parametrize(("alert", "passed"), [("share:land=NL", False), ("share:os=ios", True), ("error_rate", True)])
def test_a_mix_that_somebody_asked_about_has_not_passed_unseen(alert: str, passed: bool) -> None:
    """An alert about a column's PSI is about all its values, whichever stands for it."""
    def series(name: str, family: str, column: str | None) -> Any:
        return SimpleNamespace(name=name, family=family, column=column)

    known = {n: series(n, "mix", n[6:].split("=")[0]) for n in ("share:land=NL", "share:land=ES", "share:os=ios")}
    known["error_rate"] = series("error_rate", "service", None)
    anchor = SimpleNamespace(series=known["share:land=ES"], scan=SimpleNamespace(kind="box"), fit=SimpleNamespace(end=20))
    grid = SimpleNamespace(index=lambda _: 600, coarse=6)
    room: Any = SimpleNamespace(picture=SimpleNamespace(anchor=anchor, alert=alert, series=known, grid=grid, detected_at=None))
    assert _passed(room) is passed
