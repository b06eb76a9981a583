"""Segments that differ, and latencies, of a shadow compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from rca_kit.findings.base import NotApplicable
from rca_kit.findings.scope import Segment
from rca_kit.findings.shadow import LatencyDifference
from rca_kit.loop.tables import encode, numbers
from rca_kit.loop.versions import shadow_checks as checks
from rca_kit.loop.versions.pairing import Pairs
from rca_kit.stats.paired import mean_interval
from rca_kit.stats.paired_segments import CellDifference, CellSearch, find_carriers
from rca_kit.stats.quantile_pairs import median_interval, tail_difference

ALPHA_SEGMENTS = 0.012  # of the 5 % false alarms that a comparison may raise
LATENCY_LEVEL = 0.975  # middle and tail are two looks: 95 % together
LATENCY_NAMES = ("primary_ms", "candidate_ms")


def find_segments(
    pairs: Pairs, m: checks.Measured, names: Sequence[str], clusters: Any
) -> tuple[tuple[Segment, ...], tuple[Segment, ...], bool]:
    """Find segments that differ: by signed difference where there is one, and by distance in excess of the primary's own."""
    dimensions = encode(pairs.frame, names, "the shadow table") if len(pairs) else []
    if not dimensions:
        return (), (), False
    with_own = m.own is not None and m.coverage >= checks.SECONDARY_SHARE
    rows = ~np.isnan(m.own) if m.own is not None and with_own else np.ones(len(pairs), dtype=bool)
    searches: list[tuple[np.ndarray[Any, Any], float, bool]] = []  # values, margin, whether both signs are differences
    if m.signed is not None:
        reference = pairs.secondary[rows] if with_own else pairs.primary[rows]
        searches.append((pairs.candidate[rows] - reference, m.scale_margin, True))
    if m.own is not None and with_own:
        searches.append((m.distance[rows] - m.own[rows], m.distance_margin, False))
    elif m.signed is None:
        searches.append((m.distance - m.tolerance, m.tolerance, False))
    codes = [d.codes[rows] for d in dimensions]
    levels = [len(d.conditions) for d in dimensions]
    found: list[Segment] = []
    singles: list[Segment] = []
    general = False
    for values, margin, signed in searches:
        if clusters is not None:
            plain, robust = mean_interval(values).se, mean_interval(values, clusters[rows]).se
            inflation = max(1.0, (robust / plain) ** 2) if plain > 0 else 1.0
        else:
            inflation = 1.0
        got = find_carriers(values, codes, levels, ALPHA_SEGMENTS / len(searches), margin, inflation)
        general |= got.everywhere
        of = [_as_segment(pairs, rows, dimensions, c, got, values) for c in got.carriers if signed or c.interval[0] > 0]
        # the excess of scores repeats what the signed search found; only what is new is added
        found += [s for s in of if not any(_within(s.where, f.where) or _within(f.where, s.where) for f in found)]
        singles = singles or [_as_segment(pairs, rows, dimensions, c, got, values) for c in got.singles]
    return tuple(found), tuple(singles), general


def _within(inner: dict[str, Any], outer: dict[str, Any]) -> bool:
    return all(k in inner and inner[k] == v for k, v in outer.items())


def _as_segment(
    pairs: Pairs, rows: Any, dimensions: Sequence[Any], cell: CellDifference, search: CellSearch, values: Any
) -> Segment:
    inside = np.ones(int(rows.sum()), dtype=bool)
    for d, code in cell.key:
        inside &= dimensions[d].codes[rows] == code
    numeric = pairs.kind in ("probability", "score")
    total = float(np.abs(values.sum()))
    return Segment(
        where={dimensions[d].name: dimensions[d].conditions[code] for d, code in cell.key},
        share_of_traffic=cell.n / max(int(rows.sum()), 1),
        before=float(pairs.primary[rows][inside].mean()) if numeric else None,
        after=float(pairs.candidate[rows][inside].mean()) if numeric else cell.mean,
        share_of_impact=float(np.clip(abs(cell.mean * cell.n) / total, 0, 1)) if total > 0 else None,
        q_value=cell.q_value,
        change_interval=(cell.mean - 1.96 * cell.se, cell.mean + 1.96 * cell.se),
        n_before=cell.n,
        n_after=cell.n,
        score=cell.mean,
    )


def cut_from_scores(pairs: Pairs, name: str) -> bool:
    """Whether a column's values are bands of the primary's own scores (a decision, a risk band)."""
    if pairs.kind not in ("probability", "score") or not len(pairs):
        return False
    bands = (
        pl.DataFrame({"v": pairs.frame[name].cast(pl.String), "p": pairs.primary})
        .group_by("v")
        .agg(low=pl.col("p").min(), high=pl.col("p").max(), n=pl.len())
        .filter(pl.col("n") > 1)
        .sort("low", "high")
    )
    if bands.height < 2:
        return False
    return bool((bands["low"][1:].to_numpy() >= bands["high"][:-1].to_numpy()).all())


def compare_latency(frame: pl.DataFrame, primary: str, candidate: str, seed: int) -> LatencyDifference | NotApplicable:
    """Compare the latencies of requests that both versions timed."""
    names = (f"{primary}_ms", f"{candidate}_ms")
    if not all(n in frame.columns for n in names):
        names = LATENCY_NAMES
    if not all(n in frame.columns for n in names):
        return NotApplicable(f"no columns {names[0]} and {names[1]}")
    a, b = numbers(frame[names[0]]), numbers(frame[names[1]])
    known = ~np.isnan(a) & ~np.isnan(b)
    a, b = a[known], b[known]
    if len(a) < 2:
        return NotApplicable("fewer than two requests with both latencies")
    median, low, high = median_interval(b - a, LATENCY_LEVEL)
    tail = tail_difference(a, b, seed=seed, level=LATENCY_LEVEL)
    mean = mean_interval(b - a)

    def percentiles(x: Any) -> tuple[float, float, float]:
        p50, p95, p99 = (float(v) for v in np.quantile(x, [0.5, 0.95, 0.99]))
        return p50, p95, p99

    return LatencyDifference(
        len(a), percentiles(a), percentiles(b), mean.estimate, mean.interval, median, (low, high), tail[0], tail[1:]
    )
