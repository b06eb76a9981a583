"""Parts of a service that are ill before the whole shows it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rca_kit.loop.s4_suspects.ailing import ailing


def room(alert: str, parts: dict[str, tuple[str, float, float, float]], whole: bool | str = False) -> Any:
    """`parts`: family, before, after, z by name; `whole`: the mean logarithm of the latency rose."""
    series = {n: SimpleNamespace(family=f) for n, (f, *_) in parts.items()}
    series |= {"latency_p95": SimpleNamespace(family="service"), "volume": SimpleNamespace(family="volume")}
    moves = {n: SimpleNamespace(fit=SimpleNamespace(z=z)) for n, (*_, z) in parts.items()}
    moves["log:latency"] = SimpleNamespace(moved=bool(whole), fit=SimpleNamespace(height=0.05 * (1 + 2 * (whole == "much"))))
    read = {n: SimpleNamespace(before=b, after=a, worse=a > b) for n, (_, b, a, _) in parts.items()}
    return SimpleNamespace(
        picture=SimpleNamespace(alert=alert, series=series, moves=moves), readings=read,
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
    ("latency_p95", {"service:cache:timeouts": ("component", 0.6, 1.4, 24.0)}, False, []),
    ("latency_p95", {"service:cache:timeouts": ("component", 0.6, 9.4, 5.0)}, False, []),
    ("latency_p95", {"service:cache:cpu_utilization": ("component", 6.0, 94.0, 24.0)}, False, [])])
def test_a_part_is_ill_where_it_takes_much_longer_or_fails_far_more_often(
    alert: str, parts: dict[str, tuple[str, float, float, float]], whole: bool | str, ill: list[str]
) -> None:
    assert ailing(room(alert, parts, whole)) == ill
