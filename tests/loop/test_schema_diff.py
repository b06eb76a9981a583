"""The schema diff of the data explorer, on made-up comparisons: what came, went, was renamed, or differs from the golden set."""

from __future__ import annotations

from types import SimpleNamespace

import narwhals as nw
import polars as pl

from rca_kit.loop.reading.schema_diff import SchemaDifference, schema_diff


def change(column, before=0.0, after=0.0, new=(), gone=(), renamed=()):
    return SimpleNamespace(column=column, null_rate_before=before, null_rate_after=after, new_values=new, vanished_values=gone,
                           renamed=renamed)


def test_every_kind_of_difference_is_told_and_nothing_else():
    log = nw.from_native(pl.LazyFrame({"a": [1], "b": [1.0], "c": ["x"], "d": ["x"], "e": [1], "same": [1], "part": [1]}))
    golden = nw.from_native(pl.LazyFrame({"a": [1.5], "b": [1], "c": ["x"], "d": ["x"], "e": ["1"], "part": [2]}))
    prepared = SimpleNamespace(frame=log, columns=SimpleNamespace(features=("a", "b", "c", "d", "e", "same", "part")),
                               case=SimpleNamespace(golden=golden))
    found = [change("a", 0.01, 1.0), change("b", 1.0, 0.2), change("c", new=("y",), gone=("z",)),
             change("d", renamed=(("X", "x"),)), change("e"), change("same"), change("part", 0.0, 0.9)]
    assert schema_diff(prepared, {c.column: c for c in found}) == (
        SchemaDifference("a", "gone", "there", "always missing"), SchemaDifference("b", "new", "always missing", "there"),
        SchemaDifference("c", "values", "z", "y"), SchemaDifference("d", "values", "X", "x"),
        SchemaDifference("e", "golden_type", "number", "text"),
        SchemaDifference("same", "not_in_golden", "number", "not a column"))
    prepared.case.golden = None
    assert schema_diff(prepared, {"e": change("e"), "same": change("same")}) == ()
