"""Parts of a service that are ill before the whole shows it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rca_kit.loop.s4_suspects.ailing import ailing


def room(
    alert: str, parts: dict[str, tuple[str, float, float, float]], whole: bool | str = False, z: float = 0.0, p: float = 1.0
) -> Any:
    """`parts`: family, before, after, z by name; `whole`: the mean logarithm of the latency rose.

    `z` and `p`: by how much it rose since the moment that the parts tell, and the chance of the alert's own metric since then.
    """
    series = {n: SimpleNamespace(family=f) for n, (f, *_) in parts.items()}
    series |= {"latency_p95": SimpleNamespace(family="service"), "volume": SimpleNamespace(family="volume")}
    moves = {n: SimpleNamespace(fit=SimpleNamespace(z=z)) for n, (*_, z) in parts.items()}
    fit = SimpleNamespace(height=0.05 * (1 + 2 * (whole == "much")))
    moves["log:latency"] = SimpleNamespace(moved=bool(whole), fit=fit, scan=SimpleNamespace(best=fit), z_at=lambda _: z)
    read = {n: SimpleNamespace(before=b, after=a, worse=a > b) for n, (_, b, a, _) in parts.items()}
    read["error_rate"] = SimpleNamespace(metric="error_rate", before=0.003, after=0.023, change=0.02, worse=True, p_value=p)
    picture = SimpleNamespace(alert=alert, series=series, moves=moves, start=9, matters=lambda *_: True)
    return SimpleNamespace(
        picture=picture, readings=read,
        moved=lambda family: [n for n, s in series.items() if s.family == family and n in read])


QUEUE = {"service:q:queue_depth": ("component", 13.0, 32.0, 8.0)}
LONGER = {"stage:rank": ("stage", 60.0, 80.0, 8.0)}


@pytest.mark.parametrize(("alert", "parts", "whole", "ill"), [
    ("latency_p95", {"stage:rank": ("stage", 60.0, 95.0, 8.0)}, False, ["stage:rank"]),
    ("stage:rank", {"stage:rank": ("stage", 60.0, 95.0, 8.0)}, False, ["stage:rank"]),
    ("volume", {"stage:rank": ("stage", 60.0, 95.0, 8.0)}, False, []),
    ("latency_p95", LONGER, False, []),
    ("latency_p95", LONGER | QUEUE, True, ["stage:rank"]),
    ("latency_p95", LONGER | QUEUE, False, []),  # all requests together take no longer
    ("latency_p95", LONGER, True, []),  # and no component tells of it
    ("latency_p95", LONGER, "much", ["stage:rank"]),
    ("latency_p95", {"service:cache:timeouts": ("component", 0.6, 9.4, 24.0)}, False, ["service:cache:timeouts"]),
    ("latency_p95", {"service:cache:timeouts": ("component", 0.0, 9.4, 24.0)}, False, ["service:cache:timeouts"]),
    ("error_rate", {"service:ranker:restarts": ("component", 0.0, 0.7, 24.0)}, False, ["service:ranker:restarts"]),
    ("latency_p95", {"service:cache:timeouts": ("component", 0.6, 1.4, 24.0)}, False, []),
    ("latency_p95", {"service:cache:timeouts": ("component", 0.6, 9.4, 5.0)}, False, []),
    ("latency_p95", {"service:cache:cpu_utilization": ("component", 6.0, 94.0, 24.0)}, False, [])])
def test_a_part_is_ill_where_it_takes_much_longer_or_fails_far_more_often(
    alert: str, parts: dict[str, tuple[str, float, float, float]], whole: bool | str, ill: list[str]
) -> None:
    assert ailing(room(alert, parts, whole)) == ill


@pytest.mark.parametrize(("alert", "parts", "z", "p", "ill"), [
    ("latency_p95", LONGER | QUEUE, 9.0, 1.0, ["stage:rank"]), ("latency_p95", LONGER | QUEUE, 3.0, 1.0, []),
    ("latency_p95", LONGER, 9.0, 1.0, []), ("latency_p95", QUEUE, 9.0, 1.0, []),
    ("error_rate", LONGER | QUEUE, 0.0, 1e-9, ["stage:rank"]), ("error_rate", LONGER | QUEUE, 0.0, 0.01, []),
    ("latency_p95", LONGER | QUEUE, 0.0, 1e-9, []), ("error_rate", LONGER, 0.0, 1e-9, [])])
def test_where_a_stage_and_a_component_tell_since_when_the_whole_is_asked_once(
    alert: str, parts: dict[str, tuple[str, float, float, float]], z: float, p: float, ill: list[str]
) -> None:
    """By its mean logarithm, or by what the alert is about: neither alone stands out in all of the log."""
    assert ailing(room(alert, parts, False, z, p)) == ill
