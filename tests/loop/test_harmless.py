"""What looks corrupted and harms nobody: other names, other scales, values elsewhere, and when that is not so."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.aggregates.plan import Columns
from rca_kit.findings.signal import MetricReading
from rca_kit.loop.s4_suspects.clue import Clue
from rca_kit.loop.s4_suspects.harmless import borne_out, cut_along, idle, in_name_only, recalibrated, unheeded

from . import made_series as ms


@pytest.mark.parametrize(("weight", "unheeded"), [(0.0, True), (0.2, False), (0.5, False)])
def test_an_input_is_idle_where_no_score_depended_on_it(weight: float, unheeded: bool) -> None:
    rng = np.random.default_rng(8)
    x = rng.lognormal(size=(60, 4000))
    score = weight * np.log(x) ** 2 + rng.normal(size=x.shape)  # whichever way it bends
    told = []
    for values, scores in zip(x, score, strict=True):
        frame = pl.DataFrame({"x": values, "score": scores})
        room: Any = SimpleNamespace(before=frame, columns=Columns("ts", "binary", score="score"), readings={})
        told.append(idle(room, "x"))
        unit = Clue("value_range", "feature:x", "unit", "values after are x1000 those before", 0.95, share=1.0)
        assert recalibrated(room, unit) is told[-1]
        assert not recalibrated(room, replace(unit, share=0.18)), "in a part of the requests it is a mistake"
        assert not recalibrated(room, replace(unit, signature="nulls")), "what was lost is not another scale"
    assert np.mean(told) >= 0.95 if unheeded else not any(told)
    few: Any = SimpleNamespace(before=frame.head(500), columns=Columns("ts", "binary", score="score"))
    assert not idle(few, "x"), "too few rows to call it idle"


@pytest.mark.parametrize(("unknown", "rows", "harmless"), [(0.0, 6000, True), (0.5, 6000, False), (0.0, 400, False)])
def test_other_names_harm_nobody_where_their_requests_score_as_before(unknown: float, rows: int, harmless: bool) -> None:
    rng = np.random.default_rng(4)
    def side(name: str, more: float) -> pl.DataFrame:
        plan = rng.choice([name, "basic", "family"], rows, p=[0.3, 0.4, 0.3])
        return pl.DataFrame({"plan": plan, "score": rng.normal(size=rows) + np.where(plan == name, 1.0 + more, 0.0)})
    before, after = side("premium", 0.0), side("premium-2026", unknown)
    after[0, "plan"] = "premium"  # an hour on the edge
    room: Any = SimpleNamespace(before=before, after=after, columns=Columns("ts", "binary", score="score", features=("plan",)))
    clue = Clue("renamed_categories", "feature:plan", "renamed", "premium -> premium-2026", 0.9)
    assert in_name_only(room, clue) is harmless
    assert not in_name_only(room, replace(clue, signature="permuted"))
    fifth = pl.int_range(pl.len()) % 5 == 0  # that have not changed yet
    room.after = after.with_columns(
        pl.when(fifth & (pl.col("plan") == "premium-2026")).then(pl.lit("premium")).otherwise("plan").alias("plan"))
    assert in_name_only(room, clue) is harmless
    nameless: Any = SimpleNamespace(before=before, after=after, columns=Columns("ts", "binary", features=("plan",)))
    assert not in_name_only(nameless, clue)


@pytest.mark.parametrize(("off", "harmless"), [(0.0, True), (0.12, False)])
def test_a_name_is_no_mere_name_where_the_scores_of_its_requests_are_off(off: float, harmless: bool) -> None:
    """A loss that is a little larger says less than scores that all lie on one side of the truth."""
    rng = np.random.default_rng(15)
    def side(south: str, shift: float) -> pl.DataFrame:
        clinic = rng.choice([south, "Nord", "Hafen"], 9000)
        p = np.where(clinic == south, 0.18, 0.35) + rng.normal(0, 0.08, 9000)
        y = (rng.random(9000) < p).astype(float)
        return pl.DataFrame({"clinic": clinic, "risk": np.clip(p + shift * (clinic == south), 0.01, 0.99), "y": y})
    plan = SimpleNamespace(label_kind="binary", score_is_probability=True)
    room: Any = SimpleNamespace(
        before=side("Süd", 0.0), after=side("SÃ¼d", off), picture=SimpleNamespace(aggregates=SimpleNamespace(plan=plan)),
        columns=Columns("ts", "binary", score="risk", label="y", features=("clinic",), positive={"y": 1}))
    assert in_name_only(room, Clue("renamed_categories", "feature:clinic", "renamed", "Süd -> SÃ¼d", 0.9)) is harmless


def test_all_values_written_otherwise_are_no_mere_names() -> None:
    rng = np.random.default_rng(4)
    before, after = (
        pl.DataFrame({"os": rng.choice(names, 6000), "score": rng.normal(size=6000)})
        for names in (["iOS", "Android"], ["ios", "android"]))
    room: Any = SimpleNamespace(before=before, after=after, columns=Columns("ts", "binary", score="score", features=("os",)))
    assert not in_name_only(room, Clue("renamed_categories", "feature:os", "renamed", "iOS -> ios", 0.9))


@pytest.mark.parametrize(("bias", "grew"), [(0.0, True), (0.05, False), (0.04, False)])
def test_a_measure_that_the_truth_went_along_with_has_grown(bias: float, grew: bool) -> None:
    read = {r.metric: r for r in (ms.reading("score_mean", 0.05, True), ms.reading("bias", bias, False))}
    rng = np.random.default_rng(6)
    x = rng.lognormal(size=4000)
    frame = pl.DataFrame({"x": x, "score": np.log(x) + rng.normal(size=4000)})
    room: Any = SimpleNamespace(before=frame, columns=Columns("ts", "binary", score="score"), readings=read)
    assert recalibrated(room, Clue("unit_factor", "feature:x", "unit", "x 2.2", 0.9, share=1.0)) is grew


@pytest.mark.parametrize(("weight", "score_shift", "known", "harmless"), [
    (0.0, 0.0, 0.05, True), (0.5, 0.0, 0.05, False), (0.0, 1.0, 0.05, False), (0.0, 0.0, 0.0, False)])
def test_values_elsewhere_that_no_score_heeds(weight: float, score_shift: float, known: float, harmless: bool) -> None:
    rng = np.random.default_rng(7)
    def side(share: float, shift: float) -> pl.DataFrame:
        x = np.where(rng.random(8000) < share, 8.0, rng.choice([1.0, 6.0], 8000))
        return pl.DataFrame({"x": x, "score": weight * x + rng.normal(size=8000) + np.where(x == 8.0, shift, 0.0)})
    columns = Columns("ts", "binary", score="score")
    room: Any = SimpleNamespace(before=side(known, 0.0), after=side(0.6, score_shift), columns=columns, compared={})
    clue = Clue("default_value", "feature:x", "default", "8 in 60%", 0.9, where={"column": "x", "op": "equal", "value": 8.0})
    assert unheeded(room, clue) is harmless
    assert not unheeded(room, replace(clue, signature="nulls"))
    assert not unheeded(room, replace(clue, where={**(clue.where or {}), "segment": {"os": "ios"}}))


@pytest.mark.parametrize(("weight", "score_shift", "psi", "harmless"), [
    (0.0, 0.0, 1.2, True), (0.0, 0.0, 0.1, False), (0.5, 0.0, 1.2, False), (0.0, 0.4, 1.2, False)])
def test_a_few_values_out_of_range_of_an_idle_input_that_moved_as_a_whole(
    weight: float, score_shift: float, psi: float, harmless: bool
) -> None:
    rng = np.random.default_rng(7)
    def side(mean: float, shift: float) -> pl.DataFrame:
        x = rng.normal(mean, 1.0, 8000)
        return pl.DataFrame({"x": x, "score": weight * x + rng.normal(size=8000) + shift})
    compared = {"x": SimpleNamespace(changed=True, psi=psi)}
    room: Any = SimpleNamespace(
        before=side(0.0, 0.0), after=side(1.0, score_shift), columns=Columns("ts", "binary", score="score"), compared=compared)
    low, high = float(np.quantile(room.before["x"], 0.0005)), float(room.before["x"].max())
    clue = Clue("value_range", "feature:x", "range", "1%", 0.9, where={"column": "x", "op": "outside", "low": low, "high": high})
    assert unheeded(room, clue) is harmless
    unheard = Clue("default_value", "feature:x", "default", "99", 0.9, where={"column": "x", "op": "equal", "value": 99.0})
    assert not unheeded(room, unheard)


@pytest.mark.parametrize(("wrong", "signature", "odd", "harmless"), [
    (0.0, "range", 0.0, True), (2.0, "range", 0.0, False), (0.0, "unit", 1.0, True), (2.0, "unit", 1.0, False),
    (0.0, "unit", 0.0, False)])
def test_values_that_labels_bear_out_are_no_corruption(wrong: float, signature: str, odd: float, harmless: bool) -> None:
    rng = np.random.default_rng(9)
    def side(mean: float, error: float) -> pl.DataFrame:
        x = rng.normal(mean, 3.0, 4000)
        return pl.DataFrame({"x": x, "minutes": 2 * x, "truth": 2 * x + rng.normal(size=4000) * (1 + error * (x > 20))})
    plan = SimpleNamespace(label_kind="number", score_is_probability=False)
    room: Any = SimpleNamespace(
        before=side(10.0, 0.0), after=side(18.0, wrong), columns=Columns("ts", "regression", score="minutes", label="truth"),
        picture=SimpleNamespace(aggregates=SimpleNamespace(plan=plan)))
    where = {"column": "x", "op": "outside", "low": 0.0, "high": 20.0}
    clue = Clue("value_range", "feature:x", signature, "elsewhere", 0.9, where=where, facts={"odd": odd})
    assert borne_out(room, clue) is harmless


@pytest.mark.parametrize(("wrong", "harmless"), [(0.0, True), (2.0, False)])
def test_labels_are_asked_too_where_another_unit_leaves_values_among_those_of_before(wrong: float, harmless: bool) -> None:
    rng = np.random.default_rng(10)
    def side(times: float, error: float) -> pl.DataFrame:
        x = times * rng.lognormal(2.0, 0.6, 4000)
        return pl.DataFrame({"x": x, "minutes": 2 * x, "truth": 2 * x + rng.normal(size=4000) * (1 + error)})
    plan = SimpleNamespace(label_kind="number", score_is_probability=False)
    room: Any = SimpleNamespace(
        before=side(1.0, 0.0), after=side(1 / 1.609, wrong), columns=Columns("ts", "regression", score="minutes", label="truth"),
        picture=SimpleNamespace(aggregates=SimpleNamespace(plan=plan)))
    low, high = np.quantile(room.before["x"], [0.001, 0.999])
    where = {"column": "x", "op": "outside", "low": float(low), "high": float(high)}
    clue = Clue("unit_factor", "feature:x", "unit", "1/1.609 of", 0.9, share=1.0, where=where, facts={"odd": 1.0})
    assert borne_out(room, clue) is harmless


@pytest.mark.parametrize(("scale", "rate", "harmless"), [(10.0, 0.3, True), (10.0, 0.45, False), (1.0, 0.3, False)])
def test_decisions_cut_elsewhere_with_scores_of_another_scale(scale: float, rate: float, harmless: bool) -> None:
    rng = np.random.default_rng(9)
    frames = [pl.DataFrame({"score": k * rng.beta(2, 3, 4000)}) for k in (1.0, scale)]
    read = {"positive_rate": MetricReading("positive_rate", 0.3, rate, rate - 0.3, None, 4000, 4000, 0.5, rate != 0.3, None)}
    room: Any = SimpleNamespace(before=frames[0], after=frames[1], columns=Columns("ts", "binary", score="score"), readings=read)
    cut = Clue("threshold", "threshold", "threshold", "cut elsewhere", 0.95, facts={"from": 0.5, "to": 0.5 * scale * 1.1})
    assert cut_along(room, cut) is harmless
    assert not cut_along(room, replace(cut, signature="default"))


def test_other_names_for_all_values_are_no_mere_names_though_half_keep_the_old_ones() -> None:
    rng = np.random.default_rng(4)
    old, new = ["furniture", "maps"], ["furniture", "maps", "10X", "20X"]
    before, after = (
        pl.DataFrame({"kind": rng.choice(names, 6000, p=p), "score": rng.normal(size=6000)})
        for names, p in ((old, [0.7, 0.3]), (new, [0.19, 0.1, 0.51, 0.2])))
    room: Any = SimpleNamespace(before=before, after=after, columns=Columns("ts", "binary", score="score", features=("kind",)))
    clue = Clue("new_categories", "feature:kind", "renamed", "'10X' and 1 more", 0.9)
    assert in_name_only(room, clue)
    assert not in_name_only(room, replace(clue, facts={"all_other": 1.0}))
