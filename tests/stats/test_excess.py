"""Loss of newcomers beyond that of others with the same scores: oracle, coverage, false alarms and power."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rca_kit.stats.excess import SCORE_BINS, Excess, excess_loss


def rows(seed: int, groups: int = 4, n: int = 1000, hard: bool = False, between: float = 0.0, other: float = 0.0) -> Any:
    """Loss, score and group; of the last group a part `other` has labels that the scores know nothing of."""
    rng = np.random.default_rng(seed)
    loss, score, group = [], [], []
    for g in range(groups):
        last = g == groups - 1
        p = rng.uniform(*((0.3, 0.7) if hard and last else (0.1, 0.9)), n)
        true = 1 / (1 + np.exp(-(np.log(p / (1 - p)) + rng.normal(0, between))))
        y = np.where(last & (rng.random(n) < other), rng.random(n) < 0.5, rng.random(n) < true)
        loss.append(-np.log(np.where(y, p, 1 - p)))
        score.append(p)
        group += [str(g)] * n
    return np.concatenate(loss), np.concatenate(score), np.array(group)


def found(*args: Any, **kwargs: Any) -> Excess:
    loss, score, group = rows(*args, **kwargs)
    new = group == group[-1]
    out = excess_loss(loss[~new], score[~new], group[~new], loss[new], score[new])
    assert out is not None
    return out


def test_the_part_is_that_of_standardisation_by_hand() -> None:
    loss, score, group = rows(3, other=0.4)
    new = group == "3"
    edges = np.quantile(score[~new], np.linspace(0, 1, SCORE_BINS + 1)[1:-1])
    beyond = 0.0
    for b in range(SCORE_BINS):
        here = np.digitize(score, edges) == b
        beyond += (loss[here & new] - loss[here & ~new].mean()).sum()
    assert found(3, other=0.4).part == pytest.approx(beyond / new.sum() / loss[~new].mean())


@pytest.mark.parametrize("kind", [{}, {"hard": True}, {"between": 0.2}, {"between": 0.2, "groups": 7}, {"n": 300}])
def test_newcomers_that_the_scores_know_are_no_worse_however_hard_they_are(kind: dict[str, Any]) -> None:
    told = [found(seed, **kind) for seed in range(200)]
    assert max(abs(e.z) for e in told) < 5
    assert np.mean([e.low <= 0 <= e.high for e in told]) >= 0.92
    assert np.std([e.z for e in told]) <= 1.1


def test_newcomers_that_the_scores_know_nothing_of_are_seen() -> None:
    told = [found(seed, other=0.6) for seed in range(50)]
    assert np.mean([e.z >= 5 and e.part >= max(0.1, 3 * e.most) for e in told]) >= 0.95


def test_too_few_rows_or_groups_tell_nothing() -> None:
    loss, score, group = rows(0)
    new = group == "3"
    assert excess_loss(loss[group == "0"], score[group == "0"], group[group == "0"], loss[new], score[new]) is None
    assert excess_loss(loss[~new], score[~new], group[~new], loss[new][:50], score[new][:50]) is None
