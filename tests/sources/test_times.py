"""Times are read as written, in every form people use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rca_kit.case.times import parse_time
from rca_kit.errors import BadInput
from rca_kit.sources.times import read_time

WHEN = [datetime(2026, 3, 2, 14, 35, 7, tzinfo=UTC) + timedelta(minutes=17 * i) for i in range(40)]
MINUTES = [w.replace(second=0) for w in WHEN]


def values(series: pl.Series) -> list[datetime]:
    reading = read_time(series)
    assert reading is not None
    return series.to_frame().select(reading.expr.alias("t"))["t"].to_list()


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%dT%H:%M:%SZ",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M:%S+00:00",
        "%Y-%m-%d %H:%M:%S.000",
        "%d.%m.%Y %H:%M:%S",
        "%Y/%m/%d %H:%M:%S",
        "%Y-%m-%d %H:%M:%S UTC",
        "%Y-%m-%d %H:%M:%S +0000",
        "%Y%m%d %H%M%S",
    ],
)
def test_text_to_the_second(form):
    assert values(pl.Series("t", [w.strftime(form) for w in WHEN])) == WHEN


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%MZ", "%Y-%m-%d %H:%M", "%d.%m.%Y %H:%M", "%Y/%m/%d %H:%M"])
def test_text_to_the_minute(form):
    assert values(pl.Series("t", [w.strftime(form) for w in MINUTES])) == MINUTES


@pytest.mark.parametrize(
    ("scale", "dtype"),
    [(1, pl.Int64), (1000, pl.Int64), (10**6, pl.Int64), (10**9, pl.Int64), (1, pl.Float64), (1000, pl.String), (1, pl.Int32)],
)
def test_epoch_numbers(scale, dtype):
    assert values(pl.Series("t", [int(w.timestamp()) * scale for w in WHEN]).cast(dtype)) == WHEN


@pytest.mark.parametrize(
    "dtype", [pl.Datetime("ms"), pl.Datetime("ns"), pl.Datetime("us", "Europe/Berlin"), pl.Datetime("us", "UTC")]
)
def test_typed(dtype):
    series = pl.Series("t", WHEN, dtype=pl.Datetime("us", "UTC"))
    series = (
        series.dt.convert_time_zone(dtype.time_zone).cast(dtype)
        if dtype.time_zone
        else series.dt.replace_time_zone(None).cast(dtype)
    )
    assert values(series) == WHEN


def test_dates_typed_written_and_as_numbers():
    days = [datetime(2026, 2, 27, tzinfo=UTC) + timedelta(days=i) for i in range(5)]
    for series in (
        pl.Series("t", [d.date() for d in days]),
        pl.Series("t", [f"{d:%Y-%m-%d}" for d in days]),
        pl.Series("t", [int(f"{d:%Y%m%d}") for d in days]),
    ):
        assert values(series) == days


def test_day_and_month_first_are_told_apart_by_the_values():
    assert values(pl.Series("t", ["13/02/2026 10:00", "01/03/2026 10:00"]))[1] == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert values(pl.Series("t", ["02/13/2026 10:00", "01/03/2026 10:00"]))[1] == datetime(2026, 1, 3, 10, tzinfo=UTC)
    with pytest.raises(BadInput, match="days and months"):
        read_time(pl.Series("t", ["01/02/2026 10:00"]))


def test_offsets_of_several_zones():
    written = [
        w.astimezone().isoformat() if i % 2 else (w + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S+02:00")
        for i, w in enumerate(WHEN)
    ]
    assert values(pl.Series("t", written)) == WHEN


@pytest.mark.parametrize(
    "series",
    [
        pl.Series("t", ["a", "b"]),
        pl.Series("t", [1.0, 2.0]),
        pl.Series("t", [None, None], dtype=pl.String),
        pl.Series("t", [True, False]),
        pl.Series("t", ["1.2.3", "1.2.4"]),
    ],
)
def test_what_is_no_time(series):
    assert read_time(series) is None


@settings(max_examples=40, deadline=None)
@given(st.datetimes(datetime(1972, 1, 1), datetime(2199, 1, 1)), st.integers(-14 * 4, 14 * 4))
def test_single_times_keep_their_instant(naive, quarters):
    from datetime import timezone

    when = naive.replace(tzinfo=timezone(timedelta(minutes=15 * quarters)))
    if datetime(1971, 1, 2, tzinfo=UTC) < when < datetime(2199, 12, 30, tzinfo=UTC):
        assert parse_time(when.isoformat()) == (when.astimezone(UTC), True)
        assert parse_time(naive.isoformat()) == (naive.replace(tzinfo=UTC), False)


@pytest.mark.parametrize("bad", ["", "soon", "2026-13-01", "12", None, True, float("nan"), [], "0001-01-01"])
def test_single_times_refused(bad):
    with pytest.raises(BadInput, match="is not a time"):
        parse_time(bad)
