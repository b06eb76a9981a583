"""Labels that follow a feature less: values of other requests are told from a world that changed its mind."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.loop.s4_suspects.checks.own_values import _by_labels, _by_links, _log_ratio, world_odds

ROWS = 6000


def requests(seed: int, fault: str, linked: float = 0.4, noise: float = 0.5) -> tuple[Any, Any, Any, Any]:
    """Rows before and after of two features and a label; `fault` is what happens to x between them."""
    sides, labels = [], []
    for side in (0, 1):
        rng = np.random.default_rng([seed, side])
        z = rng.normal(size=ROWS)
        x = linked * z + np.sqrt(1 - linked**2) * rng.normal(size=ROWS)
        slope = {"fades": 0.2, "turns": -0.4}.get(fault, 1.0) if side else 1.0
        y = slope * x + 0.8 * z + noise * rng.normal(size=ROWS)
        served = rng.permutation(x) if side and fault == "shuffled" else x
        sides.append(pl.DataFrame({"x": served, "z": z}))
        labels.append(y)
    before, after = (np.polyfit(s["x"].to_numpy(), y, 1)[0] for s, y in zip(sides, labels, strict=True))
    return (sides[0], sides[1]), (labels[0], labels[1]), before, after


@pytest.mark.parametrize(("fault", "linked", "world"), [
    ("shuffled", 0.4, False), ("shuffled", 0.0, False), ("fades", 0.4, True), ("fades", 0.0, True), ("turns", 0.0, True)])
@pytest.mark.parametrize("seed", range(5))
def test_a_world_that_changed_is_told_from_values_of_other_requests(fault: str, linked: float, world: bool, seed: int) -> None:
    frames, y, before, after = requests(seed, fault, linked)
    part = after / before
    odds = world_odds(frames, "x", ["z"], y, part, 0.02)
    assert (odds > 2) is world
    assert (odds < -1) is not world


def test_labels_of_answers_leave_the_links_to_tell() -> None:
    frames, _, before, after = requests(1, "shuffled")
    assert world_odds(frames, "x", ["z"], None, after / before, 0.02) == _by_links(frames, "x", ["z"], after / before)


def test_where_features_go_their_own_ways_links_tell_nothing() -> None:
    frames, *_ = requests(2, "shuffled", linked=0.0)
    assert _by_links(frames, "x", ["z"], 0.0) == 0.0
    assert _by_links(frames, "x", [], 0.0) == 0.0


def test_the_ratio_of_two_normal_likelihoods_is_that_of_scipy() -> None:
    from scipy.stats import norm

    for x in (0.0, 0.05, 0.3):
        still = 1.5 * 0.02
        expected = norm.logpdf(x, scale=np.hypot(still, 0.08)) - norm.logpdf(x, scale=still)
        assert _log_ratio(x, 0.02, 0.08) == pytest.approx(float(expected))


def test_few_labels_tell_nothing_and_steady_ones_speak_against_the_world() -> None:
    rng = np.random.default_rng(5)
    y = rng.normal(size=4000)
    assert _by_labels(y[:10], y[:10]) == 0.0
    told = [_by_labels(rng.normal(size=4000), rng.normal(size=4000)) for _ in range(40)]
    assert np.mean(np.array(told) > 0.5) <= 0.1
    assert np.median(told) < -1
    assert _by_labels(y, 0.8 * rng.normal(size=4000)) > 3
