"""A real record (ELEC2): what is known of it from outside must come out, and no more than that."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import rca_kit
from rca_kit.findings.base import iso
from rca_kit.findings.investigation import Investigation

CASE = Path(__file__).parents[3] / "shared" / "real" / "electricity"
COUPLED = datetime(1997, 5, 5, tzinfo=UTC)
LIVE = ("vicprice", "vicdemand", "transfer")
NEAR = timedelta(days=2)  # buckets of this log are hours wide, its noise is that of a market

pytestmark = pytest.mark.skipif(not CASE.is_dir(), reason="the real case is not here: ../shared/real/electricity")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Investigation:
    copied = tmp_path_factory.mktemp("real") / "electricity"
    shutil.copytree(CASE, copied)
    return rca_kit.investigate(copied)


def said(found: Investigation) -> str:
    """All that the findings say of inputs: metrics, evidence, chains, checks, warnings."""
    parts = [*found.symptom.also_changed, *(o.metric for o in found.symptom.onsets), *found.warnings]
    for s in found.suspects.items:
        parts += [s.subject, s.title, *s.chain, *(e.says for e in s.evidence)]
    return " ".join([*parts, *(c.says for c in found.suspects.checks if c.status == "found")])


def test_scores_are_too_low_since_march(found: Investigation) -> None:
    assert found.verdict == "incident"
    assert found.signal.holds
    assert found.symptom.metric == "bias"
    assert found.symptom.direction == "down"
    assert found.symptom.after is not None
    assert found.symptom.after < 0
    assert found.symptom.onset is not None
    assert datetime(1997, 2, 15, tzinfo=UTC) <= found.symptom.onset <= datetime(1997, 4, 15, tzinfo=UTC)


def test_the_sinking_price_level_is_named(found: Investigation) -> None:
    assert "nswprice" in said(found)


def test_no_innocent_change_leads(found: Investigation) -> None:
    first = found.suspects.items[0]
    assert first.change_id not in ("c1", "c2", "c4")
    assert first.probability < 0.9, "a market that drifts gives no certainty"


def test_it_is_global(found: Investigation) -> None:
    assert found.scope.is_global
    assert found.scope.segments == ()


@pytest.mark.parametrize("column", LIVE)
def test_each_input_that_came_alive_is_named(found: Investigation, column: str) -> None:
    assert column in said(found)


@pytest.mark.parametrize("column", LIVE)
def test_inputs_came_alive_when_the_markets_were_coupled(found: Investigation, column: str) -> None:
    times = [o.time for o in found.symptom.onsets if o.metric in (f"psi:{column}", f"mean:{column}")]
    assert times, "no onset"
    assert all(abs(t - COUPLED) <= NEAR for t in times), [iso(t) for t in times]


def test_the_coupling_is_kept_apart_from_the_slow_sinking(found: Investigation) -> None:
    noticed = [s for s in found.suspects.items if s.change_id == "c3"]
    assert [s.category for s in noticed][:1] == ["upstream"]
    assert noticed[0].subject in {f"feature:{c}" for c in LIVE}


def test_a_demand_that_only_follows_the_season_is_not_blamed(found: Investigation) -> None:
    assert found.suspects.items[0].subject != "feature:nswdemand"
