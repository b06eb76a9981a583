"""A pytest file that compares features as computed offline with features as served online, per request."""

from __future__ import annotations

import pprint
from collections.abc import Iterable, Mapping

MAX_MISMATCH = 0.001  # one request in a thousand: late updates between serving and backfill
MIN_PAIRS = 100  # requests in both files below which nothing is said
TOLERANCE = 1e-6  # relative: float32 stores and JSON round trips differ by less


def render(
    case_id: str, request_id: str, features: Iterable[str], limits: Mapping[str, tuple[float, float]] | None = None
) -> str:
    """Write the test file.

    Parameters
    ----------
    case_id, request_id : str
        The case; the column that names a request, in both files.
    features : iterable of str
        Columns to compare.
    limits : mapping, optional
        Per feature the shares of requests that may be missing on one side only, and that may differ; `MAX_MISMATCH` when absent.

    Examples
    --------
    >>> text = render("INC-1", "request_id", ["amount"])
    >>> compile(text, "test_feature_parity.py", "exec") is not None
    True
    """
    allowed = {f: (limits or {}).get(f, (MAX_MISMATCH, MAX_MISMATCH)) for f in features}
    return (
        TEMPLATE.replace("@CASE@", repr(case_id))
        .replace("@KEY@", repr(request_id))
        .replace("@TOLERANCE@", repr(TOLERANCE))
        .replace("@PAIRS@", repr(MIN_PAIRS))
        .replace("@LIMITS@", pprint.pformat(allowed, width=120, sort_dicts=False))
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
TOLERANCE = @TOLERANCE@  # relative difference of numbers that counts as equal
MIN_PAIRS = @PAIRS@  # requests in both files below which nothing can be said

# per feature: share of requests that may lack it on one side only, share whose values may differ
LIMITS = @LIMITS@


def match(offline: pl.DataFrame, online: pl.DataFrame) -> pl.DataFrame:
    """Join both sides on the request; NaN is a missing value too."""
    sides = []
    for name, frame in (("OFFLINE", offline), ("ONLINE", online)):
        missing = [c for c in [KEY, *LIMITS] if c not in frame.columns]
        assert not missing, f"{name} lacks the columns {missing}"
        assert frame[KEY].n_unique() == frame.height, f"{name} holds a request twice"
        side = frame.select(KEY, *LIMITS).with_columns(pl.col(KEY).cast(pl.String))
        sides.append(side.with_columns(pl.col(pl.Float32, pl.Float64).fill_nan(None)))
    joined = sides[0].join(sides[1], on=KEY, suffix=" online")
    assert joined.height >= MIN_PAIRS, f"only {joined.height} requests are in both files"
    return joined


def nulls_apart(pairs: pl.DataFrame, feature: str) -> tuple[float, str]:
    """Share of requests that lack the feature on one side only, and what is seen."""
    offline, online = pairs[feature], pairs[feature + " online"]
    apart = float((offline.is_null() != online.is_null()).mean())
    return apart, (
        f"{feature}: {apart:.1%} of requests are missing on one side only "
        f"(offline {offline.null_count() / len(offline):.1%} null, online {online.null_count() / len(online):.1%})")


def values_apart(pairs: pl.DataFrame, feature: str) -> tuple[float, str]:
    """Share of requests whose values differ where both sides have one, and what is seen."""
    both = pairs.select(a=pl.col(feature), b=pl.col(feature + " online")).drop_nulls()
    if not both.height:
        return 0.0, f"{feature}: no request has it on both sides"
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
        changed = both.filter(different).group_by("a", "b").len().sort(["len", "a", "b"], descending=[True, False, False]).head(3)
        hint = "; " + ", ".join(f"{x!r} -> {y!r} ({n})" for x, y, n in changed.iter_rows()) if changed.height else ""
    share = float(different.mean())
    return share, f"{feature}: {share:.1%} of requests differ{hint}"


def problems(offline: pl.DataFrame, online: pl.DataFrame) -> list[str]:
    """Say what differs by more than is allowed; empty when nothing does."""
    pairs = match(offline, online)
    seen = [(check(pairs, f), limit) for f in LIMITS for check, limit in zip((nulls_apart, values_apart), LIMITS[f])]
    return [says for (share, says), limit in seen if share > limit]


def read(variable: str) -> pl.DataFrame:
    path = os.environ.get(variable)
    if not path:
        pytest.skip(f"set {variable} to a parquet or csv file")
    return pl.read_csv(path) if path.endswith((".csv", ".csv.gz")) else pl.read_parquet(path)


@pytest.fixture(scope="module")
def pairs() -> pl.DataFrame:
    return match(read("OFFLINE"), read("ONLINE"))


@pytest.mark.parametrize("feature", LIMITS)
def test_same_nulls(pairs: pl.DataFrame, feature: str) -> None:
    share, says = nulls_apart(pairs, feature)
    assert share <= LIMITS[feature][0], says


@pytest.mark.parametrize("feature", LIMITS)
def test_same_values(pairs: pl.DataFrame, feature: str) -> None:
    share, says = values_apart(pairs, feature)
    assert share <= LIMITS[feature][1], says
'''
