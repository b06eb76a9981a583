from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from rca_kit.findings.investigation import Investigation
from rca_kit.views.example import example
from rca_kit.views.report import RunFacts

HOSTILE = (
    "<img src=x onerror=document.title='owned'>",
    "</script><script>document.title='owned'</script>",
    "**bold** [link](javascript:alert(1))",
    '=cmd("calc")',
    "{{ 7*7 }}",
    "'\"><svg/onload=alert(1)>",
    "a|b",
    "<b>x</b> %{x} $e$",
    "‮evil",
    "<!--",
    "`x`",
    "@everyone",
)
KEEP = {"verdict", "status", "state", "shape", "direction", "level", "metric", "category", "task", "action"}


def poison(value: Any, counter: list[int], name: str = "") -> Any:
    """Put a hostile text in place of every free text of an investigation."""
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: poison(getattr(value, f.name), counter, f.name) for f in fields(value) if f.init})
    if isinstance(value, tuple):
        return tuple(poison(v, counter, name) for v in value)
    if isinstance(value, dict):
        return {k: poison(v, counter, name) for k, v in value.items()}
    if isinstance(value, str) and name not in KEEP:
        counter[0] += 1
        return HOSTILE[counter[0] % len(HOSTILE)]
    return value


def hostile_case() -> Investigation:
    inv = example()
    poisoned = poison(inv, [0])
    # dictionaries keyed by column keep their columns; the columns themselves are poisoned here
    bad_column = HOSTILE[0]
    pairs = tuple(
        replace(p, bad={bad_column: HOSTILE[1]}, twin={bad_column: None}, differing=(bad_column,)) for p in inv.samples.pairs
    )
    samples = replace(poisoned.samples, columns=(bad_column,), pairs=pairs)
    segments = tuple(replace(s, where={HOSTILE[0]: HOSTILE[1]}) for s in inv.scope.segments)
    series = tuple(replace(s, metric=f"null_rate:{HOSTILE[0]}") for s in inv.symptom.series)
    onsets = tuple(replace(o, metric=f"kpi:{HOSTILE[1]}") for o in inv.symptom.onsets)
    return replace(
        poisoned,
        samples=samples,
        scope=replace(poisoned.scope, segments=segments),
        symptom=replace(poisoned.symptom, series=series, onsets=onsets, metric=series[0].metric, also_changed=HOSTILE),
    )


@pytest.fixture
def inv() -> Investigation:
    return example()


@pytest.fixture
def hostile() -> Investigation:
    return hostile_case()


@pytest.fixture
def facts() -> RunFacts:
    return RunFacts(
        datetime(2026, 3, 2, 16, tzinfo=UTC), {"case": "c", "engine": "polars"}, {"rca-kit": "0.1.0"}, "rca-kit investigate CASE"
    )
