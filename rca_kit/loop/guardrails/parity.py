"""A pytest file that compares features as computed offline with features as served online, per request."""

from __future__ import annotations

from collections.abc import Iterable

TOLERANCE = 1e-6  # relative: float32 stores and JSON round trips differ by less
MAX_MISMATCH = 0.001  # one request in a thousand: late updates between serving and backfill


def render(case_id: str, request_id: str, features: Iterable[str]) -> str:
    """Write the test file.

    Examples
    --------
    >>> text = render("INC-1", "request_id", ["amount"])
    >>> compile(text, "test_feature_parity.py", "exec") is not None
    True
    """
    listed = ",\n    ".join(repr(f) for f in features)
    return (
        TEMPLATE.replace("@CASE@", repr(case_id))
        .replace("@KEY@", repr(request_id))
        .replace("@FEATURES@", listed)
        .replace("@TOLERANCE@", repr(TOLERANCE))
        .replace("@MISMATCH@", repr(MAX_MISMATCH))
    )


TEMPLATE = '''"""Offline/online parity of features, written by rca-kit after an incident. Run before each release:

    OFFLINE=offline.parquet ONLINE=online.parquet pytest test_feature_parity.py

Both files hold the request id and the features of the same requests: ONLINE as the model was served them (the request log),
OFFLINE as the training pipeline computes them. Needs polars and pytest.
"""

from __future__ import annotations

import os

import polars as pl
import pytest

CASE = @CASE@
KEY = @KEY@
FEATURES = [
    @FEATURES@,
]
TOLERANCE = @TOLERANCE@  # relative difference of numbers that counts as equal
MAX_MISMATCH = @MISMATCH@  # share of requests that may differ


def read(variable: str) -> pl.DataFrame:
    path = os.environ.get(variable)
    if not path:
        pytest.skip(f"set {variable} to a parquet or csv file")
    frame = pl.read_csv(path) if path.endswith(".csv") else pl.read_parquet(path)
    return frame.with_columns(pl.col(pl.Float32, pl.Float64).fill_nan(None))  # NaN is a missing value too


@pytest.fixture(scope="module")
def pairs() -> pl.DataFrame:
    offline, online = read("OFFLINE"), read("ONLINE")
    for name, frame in (("OFFLINE", offline), ("ONLINE", online)):
        missing = [c for c in [KEY, *FEATURES] if c not in frame.columns]
        assert not missing, f"{name} lacks the columns {missing}"
        assert frame[KEY].n_unique() == frame.height, f"{name} holds a request twice"
    joined = offline.with_columns(pl.col(KEY).cast(pl.String)).join(
        online.with_columns(pl.col(KEY).cast(pl.String)), on=KEY, suffix=" online")
    assert joined.height >= 100, f"only {joined.height} requests are in both files"
    return joined


@pytest.mark.parametrize("feature", FEATURES)
def test_same_nulls(pairs: pl.DataFrame, feature: str) -> None:
    offline, online = pairs[feature], pairs[feature + " online"]
    apart = (offline.is_null() != online.is_null()).mean()
    assert apart <= MAX_MISMATCH, (
        f"{feature}: {apart:.1%} of requests are missing on one side only "
        f"(offline {offline.null_count() / len(offline):.1%} null, online {online.null_count() / len(online):.1%})")


@pytest.mark.parametrize("feature", FEATURES)
def test_same_values(pairs: pl.DataFrame, feature: str) -> None:
    both = pairs.select(a=pl.col(feature), b=pl.col(feature + " online")).drop_nulls()
    if not both.height:
        pytest.skip("no request has the feature on both sides")
    if both["a"].dtype.is_numeric() and both["b"].dtype.is_numeric():
        a, b = both["a"].cast(pl.Float64), both["b"].cast(pl.Float64)
        scale = pl.DataFrame({"a": a.abs(), "b": b.abs()}).max_horizontal()
        finite = a.is_finite() & b.is_finite()
        different = (a != b) & (~finite | ((a - b).abs() > TOLERANCE * scale))
        ratios = (b / a).filter((a != 0) & a.is_finite() & b.is_finite())
        factor = ratios.median() if len(ratios) else None
        steady = factor is not None and ((ratios / factor - 1).abs() < 1e-3).mean() > 0.95
        hint = f"; online = {factor:.6g} x offline: units" if steady and abs(factor - 1) > 1e-3 else ""
    else:
        different = both["a"].cast(pl.String) != both["b"].cast(pl.String)
        changed = both.filter(different).group_by("a", "b").len().sort("len", descending=True).head(3)
        hint = "; " + ", ".join(f"{x!r} -> {y!r} ({n})" for x, y, n in changed.iter_rows()) if changed.height else ""
    share = different.mean()
    assert share <= MAX_MISMATCH, f"{feature}: {share:.1%} of requests differ{hint}"
'''
