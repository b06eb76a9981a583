"""Faults in one segment: units, defaults and swapped codes are asked for where a feature moved while the rest held still."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.aggregates.plan import Columns
from rca_kit.loop.s3_scope.search import badness_where
from rca_kit.loop.s4_suspects.checks.permuted import permuted_inside
from rca_kit.loop.s4_suspects.checks.values import _filled, _inside, _swapped, _whole_or_inside, imputed
from rca_kit.loop.s4_suspects.inside import moved_inside
from rca_kit.sources import to_lazy
from rca_kit.stats.clumps import rows_per_value

ROWS = 6000
KINDS = ("billing", "login", "cancel", "other", "howto")
SHARES = (0.4, 0.25, 0.2, 0.1, 0.05)


def side(seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame({
        "country": rng.choice(["AT", "DE", "FR", "IT"], ROWS), "device": rng.choice(["ios", "web"], ROWS),
        "amount": rng.lognormal(3, 0.5, ROWS), "age": rng.normal(40, 9, ROWS), "kind": rng.choice(KINDS, ROWS, p=SHARES),
    })


AUSTRIA = pl.col("country") == "AT"
PAIR = AUSTRIA & (pl.col("device") == "ios")


def found(change: pl.Expr, seed: int = 0) -> dict[str, Any]:
    before, after = side(2 * seed), side(2 * seed + 1).with_columns(change)
    return moved_inside(before, after, ["amount", "age", "kind"], ["country", "device"])


@pytest.mark.parametrize(("whom", "where"), [(AUSTRIA, {"country": "AT"}), (PAIR, {"country": "AT", "device": "ios"})])
def test_the_segment_that_a_feature_moved_in_is_found(whom: pl.Expr, where: dict[str, str]) -> None:
    seen = found(pl.when(whom).then(pl.col("amount") * 100).otherwise(pl.col("amount")).alias("amount"))
    assert set(seen) == {"amount"}
    assert dict(sorted(seen["amount"].where.items())) == where
    lost = found(pl.when(whom & (pl.col("age") > 40)).then(None).otherwise(pl.col("age")).alias("age"))
    assert dict(sorted(lost["age"].where.items())) == where


def test_nothing_is_found_where_nothing_moved_or_everything_did() -> None:
    for seed in range(40):  # 40 logs of 18 pairs with 3 to 6 measures each
        assert found(pl.col("age"), seed) == {}
    assert found((pl.col("amount") * 100).alias("amount")) == {}


def searches(seed: int) -> pl.DataFrame:
    """Eight rows a search, which share what is known of the person who searches."""
    return side(seed).head(ROWS // 8).select(pl.all().repeat_by(8).explode())


def test_rows_of_one_search_count_for_one() -> None:
    features, segments = ["amount", "age", "kind"], ["country", "device"]
    effect = rows_per_value(searches(0)["age"].rank("dense").to_numpy().astype(np.intp), np.arange(ROWS) // 8 * 30.0)
    assert effect == pytest.approx(8.0, rel=0.1)
    clumped = dict.fromkeys(features, effect)
    naive = [moved_inside(searches(2 * s), searches(2 * s + 1), features, segments) for s in range(20)]
    aware = [moved_inside(searches(2 * s), searches(2 * s + 1), features, segments, clumped) for s in range(20)]
    assert sum(map(bool, naive)) >= 5  # the reason for all this
    assert not any(aware)
    moved = searches(1).with_columns(pl.when(AUSTRIA).then(pl.col("amount") * 100).otherwise(pl.col("amount")).alias("amount"))
    assert set(moved_inside(searches(0), moved, features, segments, clumped)) == {"amount"}


def room(change: pl.Expr) -> Any:
    before, after = side(0), side(1).with_columns(change)
    inside = moved_inside(before, after, ["amount", "kind"], ["country", "device"])
    return SimpleNamespace(
        before=before, after=after, inside=inside, clumps={}, readings={}, harm=lambda *_: None, columns=Columns("ts", "binary"),
    )


def test_a_unit_that_changed_in_one_segment_is_named_with_it() -> None:
    here = room(pl.when(AUSTRIA).then(pl.col("amount") * 100).otherwise(pl.col("amount")).alias("amount"))
    told = _inside(here, "amount", here.before["amount"].to_numpy(), here.after["amount"].to_numpy())
    assert told is not None
    clue, _, marked = told
    assert clue.signature == "unit" and clue.says.startswith("in country = AT, amount: ") and "x100" in clue.says
    assert clue.share == pytest.approx(0.25, abs=0.02)
    assert (marked == (here.after["country"] == "AT").to_numpy()).mean() > 0.99
    assert clue.where is not None
    bad = badness_where(clue.where, dict(to_lazy(here.after).collect_schema()))
    assert bad is not None
    rows = to_lazy(here.after).select(bad.row.alias("bad"), "country").collect().to_native()
    assert set(rows.filter(pl.col("bad") == 1)["country"]) == {"AT"}


def test_codes_that_changed_places_in_one_segment_are_no_new_mix() -> None:
    turned = dict(zip(KINDS, (*KINDS[1:], KINDS[0]), strict=True))
    here = room(pl.when(AUSTRIA).then(pl.col("kind").replace(turned)).otherwise(pl.col("kind")).alias("kind"))
    clue = permuted_inside(here, "kind")
    assert clue is not None and clue.signature == "permuted" and "in country = AT" in clue.says
    assert clue.where == {"column": "kind", "op": "segment", "segment": {"country": "AT"}}
    drift = pl.when(AUSTRIA & (pl.col("age") < 36)).then(pl.lit("cancel")).otherwise(pl.col("kind")).alias("kind")
    there = room(drift)
    assert "kind" in there.inside and permuted_inside(there, "kind") is None


def labelled(frame: pl.DataFrame, seed: int, step: float = 0.0) -> pl.DataFrame:
    """Labels that follow the true kind, and go up by a step for all."""
    rates = dict(zip(KINDS, (0.1, 0.45, 0.2, 0.6, 0.25), strict=True))
    rate = frame["kind"].replace_strict(rates, return_dtype=pl.Float64) + step
    return frame.with_columns((pl.Series(np.random.default_rng(seed).random(frame.height)) < rate).cast(pl.Float64).alias("y"))


def labels_room(after: pl.DataFrame, before: pl.DataFrame) -> Any:
    inside = moved_inside(before, after, ["amount", "kind"], ["country", "device"])
    return SimpleNamespace(
        before=before, after=after, inside=inside, harm=lambda *_: None,
        columns=Columns("ts", "binary", label="y", features=("amount", "kind")),
    )


def test_labels_tell_codes_of_another_dictionary_from_other_requests() -> None:
    """Four of five requests of one segment have codes that changed places: their shares end nowhere near a permutation."""
    turned = dict(zip(KINDS, (*KINDS[2:], *KINDS[:2]), strict=True))
    found = []
    for seed in range(6):
        before, after = labelled(side(2 * seed), 50 + seed), labelled(side(2 * seed + 1), 90 + seed)
        some = AUSTRIA & (pl.Series(np.random.default_rng(seed).random(ROWS)) < 0.7)
        wrong = after.with_columns(pl.when(some).then(pl.col("kind").replace(turned)).otherwise(pl.col("kind")).alias("kind"))
        clue = permuted_inside(labels_room(wrong, before), "kind")
        found.append(clue is not None and clue.signature == "permuted" and "labels of others" in clue.says)
        # other requests with the labels that theirs always had, also where all labels went up
        kind = pl.when(AUSTRIA & (pl.col("age") < 38)).then(pl.lit("cancel")).otherwise(pl.col("kind")).alias("kind")
        for step in (0.0, 0.15):
            mixed = labels_room(labelled(side(2 * seed + 1).with_columns(kind), 90 + seed, step), before)
            assert "kind" in mixed.inside and permuted_inside(mixed, "kind") is None
        # a world in which one kind went beyond all that any had
        beyond = pl.when(AUSTRIA & (pl.col("kind") == "cancel")).then(pl.lit(1.0)).otherwise(pl.col("y")).alias("y")
        world = labels_room(labelled(side(2 * seed + 1).with_columns(kind), 90 + seed).with_columns(beyond), before)
        assert permuted_inside(world, "kind") is None
    assert sum(found) >= 5  # power with 1,500 requests of the segment a side


def test_values_of_newcomers_are_no_fault_of_their_segment() -> None:
    before, after = side(0), side(1)
    rng = np.random.default_rng(7)
    odd = AUSTRIA & (pl.Series(rng.random(ROWS)) < 0.4)
    spoilt = after.with_columns(pl.when(odd).then(pl.col("age") + 60).otherwise(pl.col("age")).alias("age"))
    more = pl.concat([spoilt, spoilt.filter(AUSTRIA)])  # twice as many Austrians
    for rows, told in ((spoilt, True), (more, False)):
        inside = moved_inside(before, rows, ["age"], ["country"])
        here: Any = SimpleNamespace(before=before, after=rows, inside=inside, clumps={}, readings={}, harm=lambda *_: None)
        assert "age" in inside
        found = _inside(here, "age", before["age"].to_numpy(), rows["age"].to_numpy())
        assert (found is not None) is told


@pytest.mark.parametrize(("part", "kind"), [(1.0, "frozen"), (0.3, "default")])
def test_one_value_in_all_rows_of_a_segment_is_frozen_and_in_some_a_default(part: float, kind: str) -> None:
    chosen = AUSTRIA & (pl.int_range(pl.len()) % 10 < 10 * part)
    here = room(pl.when(chosen).then(38.7).otherwise(pl.col("amount")).alias("amount"))
    b, a = (f["amount"].to_numpy() for f in (here.before, here.after))
    seen = _whole_or_inside(_filled("amount", b, a), here, "amount", b, a)
    assert seen is not None and seen[0].signature == kind
    assert ("segment" in (seen[0].where or {})) == (kind == "frozen")


def test_two_features_swapped_in_one_segment_are_told_as_one_fault() -> None:
    def with_rate(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
        return frame.with_columns(rate=pl.Series(np.random.default_rng(seed).gamma(2, 3, ROWS)))

    before, after = with_rate(side(0), 5), with_rate(side(1), 6)
    swap = [pl.when(AUSTRIA).then(pl.col(b)).otherwise(pl.col(a)).alias(a) for a, b in (("age", "rate"), ("rate", "age"))]
    after = after.with_columns(swap)
    inside = moved_inside(before, after, ["age", "rate"], ["country", "device"])
    columns = SimpleNamespace(features=("age", "rate"))
    here = SimpleNamespace(before=before, after=after, inside=inside, compared={}, columns=columns)
    told = _swapped(here, [])  # type: ignore[arg-type]
    assert {(c.subject, c.signature) for c in told} == {("feature:age", "swapped"), ("feature:rate", "swapped")}
    assert all((c.where or {})["segment"] == {"country": "AT"} for c in told)
    assert "in country = AT" in told[0].says
    other = after.with_columns(pl.when(AUSTRIA).then(99.0).otherwise("rate").alias("rate"))
    unlike = SimpleNamespace(**{**vars(here), "after": other})
    assert _swapped(unlike, []) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(("nulls", "signature"), [(0.2, "imputed"), (0.0, "default")])
def test_a_default_in_the_place_of_nulls_is_told_so(nulls: float, signature: str) -> None:
    before, after = side(0), side(1)
    gone = pl.int_range(pl.len()) % 10 < 2
    lost = pl.when(gone).then(None).otherwise(pl.col("amount")).alias("amount")
    before = before.with_columns(lost) if nulls else before
    after = after.with_columns(pl.when(gone).then(0.0).otherwise(pl.col("amount")).alias("amount"))
    found = _filled("amount", before["amount"].fill_null(np.nan).to_numpy(), after["amount"].to_numpy())
    assert found is not None
    clue = imputed(SimpleNamespace(before=before, after=after), found[0])  # type: ignore[arg-type]
    assert clue.signature == signature
    assert ("used to be missing" in clue.says) == (signature == "imputed")


@pytest.mark.parametrize(("rows", "alike", "told"), [(65, 2, False), (65, 3, False), (65, 20, True), (2000, 100, True)])
def test_two_rows_of_one_value_are_no_default(rows: int, alike: int, told: bool) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(60, 12, 12_000).round(1), rng.normal(60, 12, rows).round(3)
    y[:alike] = 30.0
    assert (_filled("humidity", x, y) is not None) is told
