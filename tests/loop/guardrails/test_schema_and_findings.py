"""The input schema holds what the findings call broken to account, and nothing else; inside the affected segment too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from scipy.stats import chi2

from rca_kit.findings.scope import Segment
from rca_kit.loop.guardrails import schema, schema_file
from rca_kit.loop.guardrails.broken import broken_columns
from rca_kit.loop.s5_samples.rows import inside

T0 = datetime(2026, 3, 1, tzinfo=UTC)
ONSET = T0 + timedelta(days=4)


def loaded(source: str) -> dict:
    space: dict = {"__name__": "input_schema"}
    exec(compile(source, "input_schema.py", "exec", dont_inherit=True), space)
    return space


def facts(verdict="incident", onsets=(), suspects=()):
    def at(minutes):
        return ONSET + timedelta(minutes=minutes)

    moved = [SimpleNamespace(metric=m, interval=(at(a), at(a + 30))) for m, a in onsets]
    return SimpleNamespace(
        verdict=verdict, symptom=SimpleNamespace(onset=ONSET, onset_interval=(ONSET, at(10)), onsets=moved),
        suspects=SimpleNamespace(items=[SimpleNamespace(subject=s) for s in suspects]))


def test_broken_is_what_a_suspect_names_or_what_moved_with_the_onset():
    said = facts(onsets=[("psi:a", -200), ("null_rate:b", 0), ("psi:c", 180), ("auc", 0)], suspects=["feature:d", "component:e"])
    assert broken_columns(said, ["a", "b", "c", "d", "e"]) == ("a", "b", "d")
    assert broken_columns(facts("benign_shift", [("psi:a", 0)], ["feature:a"]), ["a"]) == ()


def day(seed: int, swap: float = 0.0, n: int = 3000) -> pl.DataFrame:
    """Cities; `swap` of the desktop requests have them turned round."""
    rng = np.random.default_rng(seed)
    city = rng.choice(["x", "y", "z"], n, p=[0.6, 0.3, 0.1])
    device = rng.choice(["desktop", "phone"], n, p=[0.2, 0.8])
    turned = (device == "desktop") & (rng.random(n) < swap)
    city = np.where(turned, np.where(city == "x", "z", np.where(city == "z", "x", city)), city)
    return pl.DataFrame({"ts": [T0] * n, "city": city, "device": device, "age": rng.integers(18, 90, n)})


def healthy(days: int = 4) -> list[schema.Batch]:
    return [schema.Batch(T0 + timedelta(days=i), T0 + timedelta(days=i + 1), day(i)) for i in range(days)]


def test_a_fault_of_a_small_segment_shows_inside_it_only():
    pa = pytest.importorskip("pandera.polars")
    limits = schema.learn(healthy(), ["city", "device"], set())
    ill, well = day(9, swap=0.5), day(8)
    blind = loaded(schema_file.render("I", "s", limits))
    assert blind["problems"](ill) == []
    within = schema.learn_within(healthy(), ["city"], set(), [Segment({"device": "desktop"})])
    made = loaded(schema_file.render("I", "s", limits, within))
    assert made["problems"](ill) == ["city: distribution, where device = desktop"]
    assert made["problems"](well) == []
    made["SCHEMA"].validate(well, lazy=True)
    with pytest.raises(pa.errors.SchemaErrors, match="within segments"):
        made["SCHEMA"].validate(ill, lazy=True)


def test_segments_that_cannot_be_learnt_have_no_limits():
    assert schema.learn_within(healthy(), ["city"], {"device"}, [Segment({"device": "desktop"})]) == []  # personal data
    assert schema.learn_within(healthy(), ["city"], set(), [Segment({"device": "watch"})]) == []  # nobody before
    assert schema.learn_within(healthy(), ["city"], set(), [Segment({"city": "x"})]) == []  # the column itself
    assert schema.learn_within(healthy(), ["city"], set(), [Segment({"gone": "x"})]) == []
    small = [schema.Batch(b.start, b.end, b.rows.head(400)) for b in healthy(8)]  # 80 desktop rows a day: taken together
    assert len(schema.learn_within(small, ["city"], set(), [Segment({"device": "desktop"})])) == 1


@pytest.mark.parametrize("where", [
    {"device": "desktop"}, {"city": ["x", "z"]}, {"age": {"ge": 30, "lt": 50}}, {"age": {"ge": 60}}, {"age": 40},
    {"device": None}, {"city": ["x", None], "device": "phone"}, {"ok": True},
])
def test_the_file_and_the_kit_mean_the_same_rows(where):
    frame = day(0).with_columns(city=pl.when(pl.col("age") < 25).then(None).otherwise(pl.col("city")), ok=pl.col("age") % 2 == 0,
                                device=pl.when(pl.col("age") > 80).then(None).otherwise(pl.col("device")))
    theirs = loaded(schema_file.render("I", "s", {}))["inside"](frame, where)
    lazy = nw.from_native(frame)
    ours = lazy.filter(inside((Segment(where),), dict(lazy.schema))).to_native()
    assert theirs.height > 0 and theirs.equals(ours)


def test_chance_is_bounded_as_the_chi_square_says():
    for bins in (2, 3, 6, 11, 51, 201):
        bound = 500 * schema.psi_chance(bins, 500)
        assert chi2.ppf(0.99985, bins - 1) * 0.96 <= bound <= chi2.ppf(0.9999, bins - 1) * 1.04


def test_small_batches_of_the_same_shares_pass_and_a_change_does_not():
    limits = schema.learn(healthy(), ["city"], set())
    problems = loaded(schema_file.render("I", "s", limits))["problems"]
    small = [problems(day(100 + i, n=250)) for i in range(200)]
    assert sum(bool(p) for p in small) <= 1
    ill = day(7, n=250).with_columns(city=pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.lit("z")).otherwise(pl.col("city")))
    assert problems(ill) == ["city: distribution"]
