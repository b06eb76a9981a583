"""Which change is investigated, and which series dates it: the alerted one, or one that tells of it earlier and more clearly."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.loop.reading import anchor
from rca_kit.loop.reading.anchor import choose_anchor, told_earlier
from rca_kit.loop.reading.detect import worse
from rca_kit.loop.reading.picture import look

from . import made
from .made_series import counted, grid, moves_of, quantile, series


def test_the_clearest_quantile_dates_a_slowdown_and_an_earlier_outcome_an_alerted_input() -> None:
    def told(name: str, family: str, start: int, z: float, **more: Any) -> Any:
        over = SimpleNamespace(n_coarse=100)
        s = SimpleNamespace(name=name, family=family, quantile=None, column=None, good="lower", log=False, grid=over)
        for key, value in more.items():
            setattr(s, key, value)
        fit = SimpleNamespace(start=start, end=100, height=z / 10, z=z)
        scan, at = SimpleNamespace(profile=np.array([z * z]), kind="step"), more.get("at", 0.0)  # z of a step elsewhere
        return SimpleNamespace(
            series=s, fit=fit, moved=True, worsened=worse(s, z), scan=scan, reach=lambda: (start, start + 1), z_at=lambda _: at)

    half, tail = told("latency_p50", "service", 60, 20, quantile=0.5), told("latency_p95", "service", 50, 30, quantile=0.95)
    assert told_earlier(half, {"a": half, "b": tail}) is tail
    assert told_earlier(tail, {"a": half, "b": tail}) is tail
    drift, errors = told("mean:gps", "input", 60, 23), told("error_rate", "service", 30, 9)
    assert told_earlier(drift, {"a": drift, "b": errors}) is errors
    edge = told("error_rate", "service", 9, 9)
    assert told_earlier(drift, {"a": drift, "b": edge}) is drift
    blurred = told("error_rate", "service", 30, 9, at=8.9)  # as well explained by a step with the drift
    assert told_earlier(drift, {"a": drift, "b": blurred}) is drift
    late = told("error_rate", "service", 61, 9)
    assert told_earlier(drift, {"a": drift, "b": late}) is drift
    doubtful = told("kpi:booked", "kpi", 30, 7)
    assert told_earlier(drift, {"a": drift, "b": doubtful}) is drift
    better = told("error_rate", "service", 30, -9)
    assert told_earlier(drift, {"a": drift, "b": better}) is drift


def test_a_part_that_got_slower_dates_the_service_and_a_share_the_traffic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anchor, "calm_between", lambda m, *_: m.series.name != "stage:slowly")
    def told(name: str, family: str, start: int, z: float, at: float = 0.0, quantile: float | None = None,
             coarse_s: int = 3600) -> Any:
        s = SimpleNamespace(name=name, family=family, quantile=quantile, column=None, good="lower", log=False,
                            grid=SimpleNamespace(n_coarse=100, coarse_s=coarse_s))
        fit = SimpleNamespace(start=start, end=100, height=z / 10, z=z)
        scan = SimpleNamespace(profile=np.array([z * z]), kind="step")
        return SimpleNamespace(series=s, fit=fit, moved=True, worsened=z > 0, scan=scan,
                               reach=lambda: (start, start + 1), z_at=lambda _: at)

    slow, part = told("latency_p95", "service", 50, 9, at=6.5, quantile=0.95), told("stage:ocr", "stage", 60, 60)
    assert told_earlier(slow, {"a": slow, "b": part}) is part
    busy = told("latency_p95", "service", 50, 9, at=3.0, quantile=0.95)  # what it did by then was something else
    assert told_earlier(busy, {"a": busy, "b": part}) is busy
    slowly = told("stage:slowly", "stage", 60, 60)
    assert told_earlier(slow, {"a": slow, "b": slowly}) is slow
    little, faster = told("stage:ocr", "stage", 60, 20), told("stage:ocr", "stage", 60, -60)
    assert told_earlier(slow, {"a": slow, "b": little}) is slow
    assert told_earlier(slow, {"a": slow, "b": faster}) is slow
    more, ios = told("volume", "volume", 30, 4), told("share:os=ios", "mix", 60, 20)
    assert told_earlier(more, {"a": more, "b": ios}) is ios
    some = told("share:os=ios", "mix", 60, 6)
    assert told_earlier(more, {"a": more, "b": some}) is more
    brief = told("volume", "volume", 30, 4, coarse_s=1200)  # two days tell little of what is usual at an hour
    assert told_earlier(brief, {"a": brief, "b": some}) is some
    assert told_earlier(brief, {"a": brief, "b": told("share:os=ios", "mix", 60, 2)}) is brief


def test_the_label_rate_of_another_hour_is_no_symptom_where_quality_fell() -> None:
    over = grid(3)
    wrong = counted("accuracy", "quality", lambda h: np.where(h < 48, 0.9, 0.8), over, 1)
    rate = counted("label_rate", "labels", lambda h: np.where((h > 30) & (h < 69), 0.3, 0.1), over, 2)
    wrong, rate = replace(wrong, good="higher"), replace(rate, column="y")
    moves = moves_of(wrong, rate, over=over)
    assert all(m.moved for m in moves.values())
    assert choose_anchor(moves, (), over, over.time(over.n)) is moves["accuracy"]
    alone = {"label_rate": moves["label_rate"]}
    assert choose_anchor(alone, (), over, over.time(over.n)) is moves["label_rate"]


@pytest.mark.parametrize(("jump", "since", "chosen"), [(3.0, 70.0, True), (1.16, 93.5, False)])
def test_a_shaky_percentile_is_the_symptom_only_where_it_is_sharp(jump: float, since: float, chosen: bool) -> None:
    over = grid(4)
    hours = np.arange(over.n_coarse) * over.coarse_s / 3600
    slow = np.where(hours >= since, 100 * jump, 100.0)
    for name, told in (("latency_p99", chosen), ("latency_p95", True)):
        moves = moves_of(quantile(name, slow, over, 3), over=over)
        assert moves[name].moved
        assert (choose_anchor(moves, (), over, over.time(over.n)) is moves[name]) is told


@pytest.mark.parametrize(("before", "after", "error", "expected"), [
    (0.007, -0.011, 0.003, False),  # as far on the other side
    (0.02, -0.05, 0.004, True), (0.01, 0.05, 0.004, True), (0.05, 0.01, 0.004, False), (0.01, 0.016, 0.004, False)])
def test_a_bias_is_worse_that_lies_further_from_zero_beyond_chance(
    before: float, after: float, error: float, expected: bool
) -> None:
    bias = replace(series("bias", "quality", np.zeros(72), np.ones(72), grid(3)), good="zero")
    assert worse(bias, after - before, before, error) is expected


@pytest.mark.parametrize(("height", "dates"), [(0.035, True), (0.1, False)])
def test_quality_that_falls_slowly_dates_a_noisy_outcome_that_may_have_fallen_with_it(height: float, dates: bool) -> None:
    """Bias rises from the third day on; a KPI falls as slowly (told as a late step), or at once and clearly on the eighth."""
    over, right = grid(10.0), 0
    hours = np.arange(over.n) * over.width_s / 3600
    for seed in range(8):
        rng = np.random.default_rng(seed)
        rise = np.clip((hours - 72) / 168, 0, 1)
        fall = height * rise if dates else height * (hours >= 192)
        kpi = replace(counted("kpi:sold", "kpi", lambda h: 0.3 - fall, over, seed), good="higher")  # noqa: B023
        wrong = rng.binomial(40, 0.2 + 0.25 * rise)
        loss = replace(series("log_loss", "quality", wrong, np.full(over.n, 40), over), good="lower")
        moves = moves_of(kpi, loss, over=over)
        assert moves["log_loss"].scan.kind == "ramp"
        if not (moves["kpi:sold"].moved and moves["kpi:sold"].scan.kind == "step"):
            continue
        chosen = told_earlier(moves["kpi:sold"], moves)
        right += 1
        assert (chosen.series.name == "log_loss") is dates
    assert right >= 3


def test_a_calibration_error_is_dated_by_the_bias_that_makes_it() -> None:
    over = grid(4.0)
    gap = replace(counted("calibration_error", "quality", lambda h: 0.1 + 0.1 * (h > 60), over, 1), good="lower")
    bias = replace(counted("bias", "quality", lambda h: 0.1 + 0.2 * (h > 58), over, 2), good="zero")
    moves = moves_of(gap, bias, over=over)
    assert told_earlier(moves["calibration_error"], moves) is moves["bias"]
    faint = {**moves, "bias": replace(moves["bias"], moved=False)}
    assert told_earlier(moves["calibration_error"], faint) is moves["calibration_error"]


def test_requests_that_take_far_longer_date_those_that_fail_and_no_others() -> None:
    def told(name: str, start: int, z: float, reach: tuple[int, int], quantile: float | None = None, height: float = 1.0) -> Any:
        s = SimpleNamespace(name=name, family="service", quantile=quantile, column=None, good="lower", log=False,
                            grid=SimpleNamespace(n_coarse=300, coarse_s=600))
        fit = SimpleNamespace(start=start, end=300, height=height, z=z)
        scan = SimpleNamespace(profile=np.array([z * z]), kind="step")
        return SimpleNamespace(series=s, fit=fit, moved=True, worsened=z > 0, scan=scan,
                               reach=lambda: reach, z_at=lambda _: 0.0)

    failing = told("error_rate", 200, 7, (194, 200))
    slow = told("latency_p50", 190, 38, (189, 191), 0.5)
    assert told_earlier(failing, {"a": failing, "b": slow}) is slow
    for other in (
        told("latency_p50", 190, 20, (189, 191), 0.5),  # not so much clearer
        told("latency_p50", 230, 38, (229, 231), 0.5),  # later
        told("latency_p50", 90, 38, (89, 91), 0.5),  # hours before
        told("latency_p50", 190, 38, (189, 191), 0.5, height=-1.0),
    ):
        assert told_earlier(failing, {"a": failing, "b": other}) is failing


def test_a_mean_of_scores_is_dated_by_who_came_where_that_is_far_clearer() -> None:
    def told(name: str, family: str, start: int, z: float) -> Any:
        s = SimpleNamespace(name=name, family=family, quantile=None, column=None, good=None, log=False,
                            grid=SimpleNamespace(n_coarse=100))
        fit = SimpleNamespace(start=start, end=100, height=z / 10, z=z)
        scan = SimpleNamespace(profile=np.array([z * z]), kind="step")
        return SimpleNamespace(series=s, fit=fit, moved=True, worsened=z > 0, scan=scan,
                               reach=lambda: (start, start + 1), z_at=lambda _: 0.0)

    mean = told("positive_rate", "output", 60, 7)
    guests, few, others = (told("share:os=ios", "mix", start, z) for start, z in ((58, 30), (58, 8), (40, 30)))
    assert told_earlier(mean, {"a": mean, "b": guests}) is guests
    assert told_earlier(mean, {"a": mean, "b": few}) is mean
    assert told_earlier(mean, {"a": mean, "b": others}) is mean, "at another time: another story"


@pytest.mark.parametrize(("before", "after", "expected"), [
    (0.0, 0.4, True), (0.4, 0.0, False), (0.5, 0.2, False), (0.2, 0.6, True)])
def test_a_bias_that_comes_nearer_to_zero_is_no_worse(before: float, after: float, expected: bool) -> None:
    """A part of the positive labels is turned negative, before the onset or after: scores lie above the truth."""
    turned = pl.when(made.AFTER).then(after).otherwise(before)
    frame = made.log(rows=40_000).with_columns(label=pl.when(pl.col("u") * 6131 % 1 < turned).then(0).otherwise("label"))
    move = look(*made.sums(frame), ("auc",), made.ALERT, None).moves["bias"]
    assert move.moved and move.worsened is expected
