"""What labels follow: features that went stale, labels of others, a world that changed its mind."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.aggregates.plan import Columns
from rca_kit.loop.s4_suspects.checks.concept import followed_less
from rca_kit.loop.s4_suspects.checks.relations import labels_for_values, relations, unfollowed
from rca_kit.loop.s4_suspects.clue import Clue
from rca_kit.loop.s4_suspects.explained import explained_away
from rca_kit.loop.s4_suspects.surrogate import followed
from rca_kit.loop.s4_suspects.worst import odds_moved, worst_segment


def followed_room(change: Any, binary: bool, quality: bool = True) -> Any:
    """Labels of four features; `change` is given the features, labels and generator of after and gives both as served."""
    frames: list[pl.DataFrame] = []
    for seed, after in ((1, False), (2, True)):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(4000, 4))
        y = x @ np.array([1.0, 0.8, -0.7, 0.5]) + rng.normal(size=4000)
        y = (y > 0).astype(float) if binary else y
        if after:
            x, y = change(x, y, rng)
        frames.append(pl.DataFrame({**{f"f{i}": x[:, i] for i in range(4)}, "y": y}))
    plan = SimpleNamespace(label_kind="binary" if binary else "number")
    return SimpleNamespace(
        readings={}, before=frames[0], after=frames[1], compared={}, inside={},
        picture=SimpleNamespace(aggregates=SimpleNamespace(plan=plan)),
        moved=lambda *_: ["mae"] if quality else [],
        columns=Columns("ts", "binary", label="y", features=("f0", "f1", "f2", "f3")))


def aged(x: Any, y: Any, rng: Any) -> Any:
    return np.column_stack([rng.permutation(x[:, 0]), x[:, 1:]]), y


@pytest.mark.parametrize("binary", [False, True])
def test_labels_that_follow_one_feature_no_more_say_that_it_is_stale(binary: bool) -> None:
    names = ["f0", "f1", "f2", "f3"]
    (clue,) = unfollowed(followed_room(aged, binary), names)
    assert clue.subject == "feature:f0" and clue.signature == "stale" and "as much as before" in clue.says
    assert clue.facts["part"] == pytest.approx(0.0, abs=0.06)
    some = followed_room(lambda x, y, r: (np.where(r.random((4000, 1)) < 0.5, aged(x, y, r)[0], x), y), binary)
    (half,) = unfollowed(some, names)
    assert half.subject == "feature:f0" and half.facts["part"] == pytest.approx(0.5, abs=0.12)
    noisy = followed_room(lambda x, y, r: (x, np.where(r.random(4000) < 0.5, r.permutation(y), y)), binary)
    assert not unfollowed(noisy, names)  # labels follow everything less: the world, or the labels
    assert not unfollowed(followed_room(lambda x, y, r: (x, y), binary), names)
    assert not unfollowed(followed_room(aged, binary, quality=False), names)


@pytest.mark.parametrize(("bias", "told"), [(0.01, True), (0.3, False)])
def test_labels_that_went_as_far_as_the_scores_are_the_weathers(bias: float, told: bool) -> None:
    """All labels lie a little higher, and one feature is stale beside it; the scores knew of it or they did not."""
    room = followed_room(lambda x, y, r: (aged(x, y, r)[0], y + 0.22), binary=False)
    room.readings = {"bias": SimpleNamespace(change=bias)}
    assert [c.subject for c in unfollowed(room, ["f0", "f1", "f2", "f3"])] == (["feature:f0"] if told else [])


@pytest.mark.parametrize("binary", [False, True])
def test_a_world_that_turned_one_relation_round_may_have_undone_another(binary: bool) -> None:
    """The labels themselves are drawn anew: two of four inputs keep their part, one has the other sign, one none at all."""
    def other_world(x: Any, y: Any, rng: Any) -> Any:
        z = x @ np.array([-1.0, 0.0, -0.7, 0.5]) + rng.normal(size=4000)
        return x, (z > 0).astype(float) if binary else z

    clues = unfollowed(followed_room(other_world, binary), ["f0", "f1", "f2", "f3"])
    assert {c.signature for c in clues} == {"concept"} and {c.subject for c in clues} == {"population"}
    assert sum("f0 the other way round" in c.says for c in clues) == 1
    assert sum("follow f1" in c.says for c in clues) == 1


def kinds(x: Any) -> Any:
    return np.array(["a", "b", "c", "d"])[np.digitize(x, [-0.8, 0.1, 0.9])]


@pytest.mark.parametrize("binary", [False, True])
def test_labels_that_follow_a_category_no_more_say_that_its_values_are_those_of_others(binary: bool) -> None:
    names = ["f0", "f1", "f2", "f3"]

    def served(change: Any) -> Any:
        room = followed_room(change, binary)
        for side in ("before", "after"):
            frame = getattr(room, side)
            setattr(room, side, frame.with_columns(f0=pl.Series(kinds(frame["f0"].to_numpy()))))
        return room

    (clue,) = unfollowed(served(aged), names)
    assert clue.subject == "feature:f0" and clue.signature == "stale"
    assert clue.facts["part"] == pytest.approx(0.0, abs=0.08)
    assert not unfollowed(served(lambda x, y, r: (x, y)), names)
    assert not unfollowed(served(lambda x, y, r: (x, np.where(r.random(4000) < 0.5, r.permutation(y), y))), names)


def test_a_value_with_few_labels_and_a_name_tell_nothing() -> None:
    rng = np.random.default_rng(4)
    frame = pl.DataFrame({"kind": ["a"] * 100 + ["b"] * 100 + ["rare"] * 5, "who": [f"u{i}" for i in range(205)]})
    y = np.concatenate([np.zeros(100), np.ones(100), rng.random(5)])
    (before, after) = labels_for_values((frame, frame.head(1)), ["kind", "who"], y)
    assert before["kind"].to_list() == [0.0] * 100 + [1.0] * 100 + [None] * 5
    assert after["kind"].to_list() == [0.0] and before["who"].dtype == pl.String


def classes_room(change: Any) -> Any:
    """Labels of three classes that follow four features; `change` as above."""
    room = followed_room(lambda x, y, r: (x, y), binary=False)
    for seed, side in ((1, "before"), (2, "after")):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(6000, 4))
        pull = np.column_stack([x @ [1.0, 0.8, 0.0, 0.5], x @ [0.0, -0.8, 0.9, 0.3], np.zeros(6000)])
        y = np.array(["billing", "login", "returns"])[np.argmax(pull + rng.gumbel(size=(6000, 3)), axis=1)]
        if side == "after":
            x, y = change(x, y, rng)
        setattr(room, side, pl.DataFrame({**{f"f{i}": x[:, i] for i in range(4)}, "y": y}))
    room.picture.aggregates.plan.label_kind = "class"
    room.columns = Columns("ts", "multiclass", label="y", features=("f0", "f1", "f2", "f3"))
    return room


def test_classes_are_asked_all_together_what_they_follow() -> None:
    names = ["f0", "f1", "f2", "f3"]
    (clue,) = unfollowed(classes_room(aged), names)
    assert clue.subject == "feature:f0" and clue.facts["part"] == pytest.approx(0.0, abs=0.08)
    assert not unfollowed(classes_room(lambda x, y, r: (x, y)), names)
    assert not unfollowed(classes_room(lambda x, y, r: (x, np.where(r.random(6000) < 0.5, r.permutation(y), y))), names)


@pytest.mark.parametrize(("task", "told"), [("ranking", True), ("text", True), ("binary", False)])
def test_where_labels_judge_the_answer_they_may_fall_with_what_was_served(task: str, told: bool) -> None:
    room = followed_room(lambda x, y, r: (aged(x, y, r)[0], np.where(r.random(4000) < 0.85, y, 0.0)), binary=True)
    room.columns = replace(room.columns, task=task)
    assert [c.subject for c in unfollowed(room, ["f0", "f1", "f2", "f3"])] == (["feature:f0"] if told else [])


def test_slopes_are_those_of_least_squares_and_of_several_numbers_walds_statistic() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(12)
    xb, xa = rng.uniform(-1, 1, (900, 2)), rng.uniform(-1, 1, (700, 2))
    noise = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 1600)
    yb, ya = xb @ [[1.0, 0.5], [0.4, 0.0]] + noise[:900], xa @ [[0.2, 0.4], [0.4, 0.0]] + noise[900:]
    low, high = np.quantile(xb, [0.01, 0.99], axis=0)
    fits = [sm.OLS(y[:, 0], sm.add_constant(np.clip(x, low, high))).fit() for x, y in ((xb, yb), (xa, ya))]
    one = followed(xb, yb[:, 0], xa, ya[:, 0])
    assert one.z == pytest.approx(np.abs(fits[0].tvalues[1:]), rel=1e-9)
    lost = (fits[0].params[1:] - fits[1].params[1:]) / np.hypot(fits[0].bse[1:], fits[1].bse[1:])
    assert np.abs(one.lost) == pytest.approx(np.abs(lost), rel=1e-9)
    assert one.part == pytest.approx(fits[1].params[1:] / fits[0].params[1:], rel=1e-9)
    both = followed(xb, yb, xa, ya)  # by brute force: the joint covariance of the slopes of one column on both numbers
    sides = []
    for x, y in ((xb, yb), (xa, ya)):
        design = sm.add_constant(np.clip(x, low, high))
        slope, *_ = np.linalg.lstsq(design, y, rcond=None)
        rest = y - design @ slope
        covariance = np.kron(np.linalg.inv(design.T @ design), rest.T @ rest / (len(x) - 3))
        sides.append((slope.reshape(-1)[2:4], covariance[2:4, 2:4]))
    (b, vb), (a, va) = sides
    assert both.z[0] ** 2 + 5 == pytest.approx(b @ np.linalg.solve(vb, b), rel=1e-9)
    assert both.lost[0] ** 2 + 5 == pytest.approx((b - a) @ np.linalg.solve(vb + va, b - a), rel=1e-9)


def test_several_numbers_together_are_lost_by_chance_as_seldom_as_one() -> None:
    lost = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(1200, 5)), rng.normal(size=(1200, 3))
        y += x[:, :1]
        lost.append(np.abs(followed(x[:600], y[:600], x[600:], y[600:]).lost))
    assert np.mean(np.array(lost) > 3.0) <= 0.0027


def test_stale_values_explain_that_labels_differ() -> None:
    concept = Clue("concept", "population", "concept", "labels differ", 1.0)
    stale = Clue("relation", "feature:f0", "stale", "labels follow f0 less", 0.8, facts={"labels": 1.0, "world_odds": -2.0})
    assert explained_away([concept, stale]) == [stale]
    assert explained_away([concept, replace(stale, facts={"labels": 1.0, "world_odds": -1.0})])[0] == concept, "it is open"
    assert explained_away([concept, replace(stale, facts={"z": 9.0})])[0] == concept


@pytest.mark.parametrize("mixed", [True, False])
def test_rows_of_somebody_else_in_one_segment_are_stale_there_and_no_changed_world(mixed: bool) -> None:
    region = np.random.default_rng(3).choice(["north", "south", "east", "west"], 4000)
    there = region == "south"

    def served(x: Any, y: Any, rng: Any) -> Any:
        x = x.copy()
        if mixed:
            x[there, :2] = x[rng.permutation(np.flatnonzero(there)), :2]
        return x, y

    names = ["f0", "f1", "f2", "f3"]
    room = followed_room(served, binary=False)
    slopes = np.array([1.0, 0.8, -0.7, 0.5])
    for side in ("before", "after"):
        frame = getattr(room, side).with_columns(region=pl.Series(region))
        setattr(room, side, frame)
    room.columns = replace(room.columns, segments=("region",))
    room.loss = lambda f: np.abs(f["y"].to_numpy() - f.select(names).to_numpy() @ slopes)
    here = worst_segment(room)
    assert (here is not None) is mixed
    if here is not None:
        assert here.where == {"region": "south"}
        found = unfollowed(room, names, here)
        assert {c.subject for c in found} == {"feature:f0", "feature:f1"}
        assert all(c.says.startswith("in region = south") for c in found)


def test_a_relation_that_turned_round_in_one_segment_is_the_worlds_though_the_whole_seems_to_lose_some_of_it() -> None:
    region = np.random.default_rng(3).choice(["north", "south", "east", "west"], 4000)
    slopes, names = np.array([1.0, 0.8, -0.7, 0.5]), ["f0", "f1", "f2", "f3"]

    def world(x: Any, y: Any, rng: Any) -> Any:
        return x, y - np.where(region == "south", 1.75 * x[:, 0], 0.0)

    room = followed_room(world, binary=False)
    room.before, room.after = (f.with_columns(region=pl.Series(region)) for f in (room.before, room.after))
    room.columns = replace(room.columns, segments=("region",))
    room.loss = lambda f: np.abs(f["y"].to_numpy() - f.select(names).to_numpy() @ slopes)
    room.clocks, room.clumps, room.picture.moves = (), {}, {}
    assert [(c.subject, c.signature) for c in unfollowed(room, names)] == [("feature:f0", "stale")], "what the whole seems to say"
    (clue,) = relations(room).clues
    assert (clue.subject, clue.signature) == ("population", "concept") and clue.says.startswith("in region = south")


def thinned(part: float) -> Any:
    """Labels of which a part belongs to other requests."""
    return lambda x, y, r: (x, np.where(r.random(len(y)) < part, r.permutation(y), y))


@pytest.mark.parametrize("binary", [True, False])
def test_labels_of_others_thin_out_all_that_they_followed(binary: bool) -> None:
    room = followed_room(thinned(0.5), binary)
    room.clocks, room.moved = (), lambda *_: []
    part = followed_less(room)
    assert part == pytest.approx(0.5, abs=0.08)
    room.after = followed_room(lambda x, y, r: (x, y), binary).after
    assert followed_less(room) is None
    room.after = followed_room(aged, binary).after
    assert followed_less(room) is None, "one of them alone"
    other = np.array([1.0, -0.8, -0.7, 0.1])
    room.after = followed_room(lambda x, y, r: (x, x @ other + r.normal(size=4000)), binary=False).after
    if not binary:
        assert followed_less(room) is None, "the world changed its mind about two of them"


def test_labels_that_changed_nothing_are_seldom_thinned_out() -> None:
    told = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        frames = []
        for _ in range(2):
            x = rng.normal(size=(3000, 4))
            frames.append(pl.DataFrame(
                {**{f"f{i}": x[:, i] for i in range(4)}, "y": x @ np.array([1.0, 0.8, -0.7, 0.5]) + rng.normal(size=3000)}))
        room = followed_room(lambda x, y, r: (x, y), binary=False)
        room.before, room.after, room.clocks, room.moved = frames[0], frames[1], (), lambda *_: []
        told += followed_less(room) is not None
    assert told == 0


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize(("kind", "world"), [("odds", True), ("lost", False), ("turned", False), ("same", False)])
def test_odds_that_moved_alike_for_all_scores_tell_of_the_world(kind: str, world: bool, inside: bool) -> None:
    """In all requests, or in those of one segment, of which the whole is a mixture."""
    rng = np.random.default_rng(11)

    def side(after: bool) -> pl.DataFrame:
        x, where = rng.normal(0, 1.5, 6000), rng.choice(["n", "s", "w"], 6000)
        p = 1 / (1 + np.exp(-(x - 0.8)))
        hit = after & ((where == "s") | (not inside))
        moved = {"odds": 1 / (1 + np.exp(-(x + 0.7))), "lost": 0.45 * p, "turned": 0.25 + 0.5 * p, "same": p}[kind]
        y = (rng.random(6000) < np.where(hit, moved, p)).astype(float)
        return pl.DataFrame({"score": p, "y": y, "where": where})

    room: Any = SimpleNamespace(
        before=side(False), after=side(True), loss=lambda f: (f["score"] - f["y"]).to_numpy() ** 2,
        readings={}, picture=SimpleNamespace(aggregates=SimpleNamespace(plan=SimpleNamespace(label_kind="binary"))),
        columns=Columns("ts", "binary", score="score", label="y", segments=("where",), positive={"y": 1}))
    assert odds_moved(room) is world
    room.columns = replace(room.columns, score=None)
    assert odds_moved(room) is False


def test_labels_that_went_with_the_scores_as_others_came_tell_of_no_stale_feature() -> None:
    room = followed_room(lambda x, y, r: (aged(x, y, r)[0], y + 0.22), binary=False)
    room.readings = {"bias": SimpleNamespace(change=0.01)}
    room.compared = {"f3": SimpleNamespace(changed=True, effect=0.6)}
    assert not unfollowed(room, ["f0", "f1", "f2", "f3"])
