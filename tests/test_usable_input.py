"""Cases that are usable in part: they open, and say what was left out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from case_files import N, changes, csv_text, log, metrics, raw_csv, text, two_parts, write
from cli_helpers import run

from rca_kit.sources import open_case

USABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "semicolons": (lambda d: raw_csv(d, log().write_csv(separator=";").encode()), "separated by `;`"),
    "decimal commas": (
        lambda d: raw_csv(
            d,
            log()
            .with_columns(pl.col("score").map_elements(lambda v: f"{v:.4f}".replace(".", ","), pl.String))
            .write_csv(separator=";")
            .encode(),
        ),
        "decimal comma",
    ),
    "junk in a numeric column": (
        lambda d: write(
            d,
            frame=csv_text(
                amount=pl.when(pl.int_range(N) % 50 == 3).then(pl.lit("oops")).otherwise(pl.col("amount").cast(pl.String))
            ),
        ),
        "8 of 400 values are no numbers (such as `oops`)",
    ),
    "all-null label": (
        lambda d: write(d, "roles: {label: label}", csv_text(label=pl.lit(None, pl.Int8)), "p.parquet"),
        "(label) is empty",
    ),
    "all-null score": (
        lambda d: write(d, "roles: {score: score}", csv_text(score=pl.lit(None, pl.Float64)), "p.parquet"),
        "(score) is empty",
    ),
    "constant score": (lambda d: write(d, "roles: {score: score}", csv_text(score=pl.lit(0.5))), "(score) has one value only"),
    "naive times": (lambda d: write(d, frame=csv_text(ts=pl.col("ts").dt.strftime("%Y-%m-%d %H:%M:%S"))), "taken as UTC"),
    "mixed time zones": (
        lambda d: write(
            d,
            frame=csv_text(
                ts=pl.when(pl.int_range(N) % 2 == 0)
                .then(pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%S+00:00"))
                .otherwise(pl.col("ts").dt.offset_by("2h").dt.strftime("%Y-%m-%dT%H:%M:%S"))
            ),
        ),
        "50% of the times have no offset",
    ),
    "some times unreadable": (
        lambda d: write(
            d,
            frame=csv_text(
                ts=pl.when(pl.int_range(N) < 7).then(pl.lit("?")).otherwise(pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
            ),
        ),
        "7 of 400 rows have no readable time",
    ),
    "alert after the data": (
        lambda d: text(d, "id: a\ntitle: t\ndetected_at: 2026-04-01\ntables: {predictions: p.csv}"),
        "before the alert",
    ),
    "nested columns": (
        lambda d: write(
            d,
            frame=csv_text(vector=pl.lit([[1, 2]]).list.first()).with_columns(
                pl.concat_list("score", "amount").alias("embedding")
            ),
            file="p.parquet",
        ),
        "left out: ",
    ),
    "unknown kind of change": (
        lambda d: changes(d, "id,time,kind,component,description\nc1,2026-03-01T01:00:00Z,rollout,a,b\n"),
        "taken as `other`: rollout",
    ),
    "two changes of one id": (
        lambda d: changes(d, "id,time,kind,component,description\n" + "c1,2026-03-01T01:00:00Z,other,a,b\n" * 2),
        "`c1` stands twice",
    ),
    "service metrics without rows": (lambda d: metrics(d, "time,component,metric,value\n"), "holds no rows"),
    "parts whose numbers widen": (
        lambda d: two_parts(d, log().with_columns(pl.col("label").cast(pl.Float64))),
        "were widened (label)",
    ),
}


@pytest.mark.parametrize("name", USABLE)
def test_case_usable_in_part_warns(name, tmp_path, monkeypatch, capsys):
    make, expected = USABLE[name]
    make(tmp_path)
    ran = run(monkeypatch, capsys, "check", tmp_path)
    assert ran.code == 0, ran
    warnings = [line for line in ran.out.splitlines() if line.startswith("warning: ")]
    assert any(expected in w for w in warnings), ran.out


def test_infinities_and_many_segment_values_open(tmp_path, monkeypatch, capsys):
    frame = log(20_000).with_columns(
        amount=pl.when(pl.int_range(20_000) % 100 == 0).then(float("inf")).otherwise("amount"),
        shop=("s" + (pl.int_range(20_000) % 10_000).cast(pl.String)),
    )
    write(tmp_path, frame=frame, file="p.parquet")
    ran = run(monkeypatch, capsys, "check", tmp_path)
    assert ran.code == 0 and "shop" not in next(line for line in ran.out.splitlines() if "segments" in line)
    assert "column `amount`: infinite values (200 seen) are taken as missing" in ran.out
    write(tmp_path, "roles: {segments: [shop]}", frame=frame, file="p.parquet")
    ran = run(monkeypatch, capsys, "check", tmp_path)
    assert ran.code == 0 and "segment `shop` has 10,000 values" in ran.out


def test_junk_among_zeros_and_ones_is_no_third_class(tmp_path):
    label = pl.when(pl.int_range(N) % 100 == 7).then(pl.lit("oops")).otherwise(pl.col("label").cast(pl.String))
    opened = open_case(write(tmp_path, frame=csv_text(label=label)))
    assert opened.task == "binary" and opened.roles.label == "label" and opened.positive["label"] == 1
    assert any("`label`: 4 of 400 values are no numbers (such as `oops`)" in w for w in opened.warnings)


def test_times_out_of_order_are_fine(tmp_path, monkeypatch, capsys):
    write(tmp_path, frame=log().sample(fraction=1, shuffle=True, seed=1))
    ran = run(monkeypatch, capsys, "check", tmp_path)
    assert ran.code == 0 and "no problems found" in ran.out
