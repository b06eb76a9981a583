"""The comparisons behind a shadow verdict, one function each; all of them have mean zero when both versions are alike.

With a second answer of the primary, candidate and secondary are exchangeable under "no difference", so that every statistic here
is symmetric round zero and its test keeps its level whatever the noise looks like. Without it, primary and candidate are
exchangeable, which leaves signed and marginal differences testable; sizes of differences then need a stated tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rca_kit.findings.shadow import Effect, FieldDifference, Flips
from rca_kit.loop.versions.effects import effect, finite
from rca_kit.loop.versions.pairing import Pairs
from rca_kit.stats.distances import document_distance, logit, ranking_distance, text_distance
from rca_kit.stats.paired import holm, mcnemar, mean_interval

Floats = NDArray[np.float64]

SIGMA_MARGIN = 0.05  # of the primary's spread between requests: a quarter of what Cohen (1988) calls a small effect
PROBABILITY_MARGIN = 0.01  # and for probabilities never more than one point
DISTANCE_MARGIN = 0.01  # texts, documents, rankings, classes: one percent of the answer
FLIP_MARGIN = 0.01  # one decision in a hundred
SPREAD_MARGIN = 0.25  # without a secondary: relative change of the scores' variance that counts as none
TOLERANCE_SIGMAS = 0.5  # without a secondary: two scores this far apart are two models, whatever their noise
TOLERANCE = {"class": 0.05, "text": 0.2, "json": 0.05, "ranking": 0.2}  # mean distance, likewise
MAX_COMPARED = 20_000  # texts and documents compared, drawn with a seed: an edit distance takes up to milliseconds
SECONDARY_SHARE = 0.5  # with fewer second answers than this, segments are searched without them


@dataclass(frozen=True)
class Measured:
    """Per-pair quantities: signed difference, distance to the candidate, distance to the secondary (NaN where unknown)."""

    signed: Floats | None
    distance: Floats
    own: Floats | None
    scale_margin: float
    distance_margin: float
    tolerance: float

    @property
    def coverage(self) -> float:
        """Share of pairs with a second answer of the primary."""
        return 0.0 if self.own is None else float(np.mean(~np.isnan(self.own)))


def measure(pairs: Pairs, margin: float | None, tolerance: float | None) -> Measured:
    """Differences and distances of each pair, in the units the kind of answer asks for."""
    p, c, s = pairs.primary, pairs.candidate, pairs.secondary
    if pairs.kind in ("probability", "score"):
        sigma = float(np.std(p)) if len(p) else 0.0
        unit = sigma if sigma > 0 else abs(float(np.mean(p))) if len(p) else 0.0
        probability = pairs.kind == "probability"
        scale = margin if margin is not None else SIGMA_MARGIN * unit
        if margin is None and probability:
            scale = min(scale, PROBABILITY_MARGIN)
        if margin is None and scale == 0:
            scale = PROBABILITY_MARGIN
        z = logit if probability else np.asarray
        zp = z(p)
        # a margin given in score units is worth this much in log-odds at the primary's typical spread
        stretch = float(np.std(zp)) / sigma if probability and sigma > 0 else 1.0
        signed = c - p if s is None else _less_own(c - p, s - p)
        own = None if s is None else np.abs(z(s) - zp)
        return Measured(
            signed,
            np.abs(z(c) - zp),
            own,
            scale,
            scale * max(stretch, 1e-12),
            tolerance if tolerance is not None else TOLERANCE_SIGMAS * unit,
        )
    distance = _distances(pairs.kind, p, c)
    own = None if s is None else _distances(pairs.kind, p, s)
    limit = margin if margin is not None else DISTANCE_MARGIN
    return Measured(None, distance, own, limit, limit, tolerance if tolerance is not None else TOLERANCE[pairs.kind])


def _less_own(difference: Floats, own: Floats) -> Floats:
    """Difference less the secondary's, whose rows count more where it answered only some of the requests."""
    known = ~np.isnan(own)
    if not known.any():
        return difference
    weight = len(own) / known.sum()
    out: Floats = difference - np.where(known, own, 0.0) * weight
    return out


def _distances(kind: str, a: Any, b: Any) -> Floats:
    if kind == "class":
        known = np.fromiter((v is not None for v in b), dtype=bool, count=len(b))
        return np.where(known, (a != b).astype(np.float64), np.nan)
    one: Any = {"text": text_distance, "ranking": _ranking, "json": lambda x, y: document_distance(x, y)[0]}[kind]
    return np.fromiter((np.nan if y is None else one(x, y) for x, y in zip(a, b, strict=True)), dtype=np.float64, count=len(a))


def _ranking(a: Any, b: Any) -> float:
    return ranking_distance(list(a), list(b))


def bias(pairs: Pairs, m: Measured, clusters: Any, seed: int) -> Effect | None:
    """Mean signed difference of scores."""
    if m.signed is None:
        return None
    note = "" if pairs.secondary is None else "less what a second answer of the primary shows"
    return effect(
        "bias",
        m.signed,
        m.scale_margin,
        clusters=clusters,
        first=finite(np.mean(pairs.primary)),
        second=finite(np.mean(pairs.candidate)),
        note=note,
        seed=seed,
    )


def excess(pairs: Pairs, m: Measured, clusters: Any, seed: int) -> Effect | None:
    """Distance to the candidate in excess of the primary's distance to itself."""
    if m.own is None or not m.coverage:
        return None
    unit = {"probability": "log-odds", "score": "score units"}.get(pairs.kind, "share of the answer")
    return effect(
        "excess",
        _less_own(m.distance, m.own),
        m.distance_margin,
        clusters=clusters,
        first=finite(np.nanmean(m.own)),
        second=finite(np.mean(m.distance)),
        one_sided=True,
        note=f"mean distance in {unit}: first is the primary's own noise",
        seed=seed,
    )


def disagreement(pairs: Pairs, m: Measured, clusters: Any, seed: int) -> Effect | None:
    """Without a secondary: mean distance against the tolerance, tested as distance less tolerance."""
    if m.own is not None:
        return None
    numeric = pairs.kind in ("probability", "score")
    distance = np.abs(pairs.candidate - pairs.primary) if numeric else m.distance
    got = mean_interval(distance - m.tolerance, clusters, seed=seed)
    low, high = got.interval[0] + m.tolerance, got.interval[1] + m.tolerance
    state = "equivalent" if high <= m.tolerance else "different" if low > m.tolerance else "inconclusive"
    return Effect(
        "disagreement",
        got.estimate + m.tolerance,
        (low, high),
        m.tolerance,
        got.p_greater(),
        state,
        got.n,
        None,
        None,
        finite(np.mean(distance)),
        note="no second answer of the primary: judged by a stated tolerance",
    )


def spread(pairs: Pairs, m: Measured, clusters: Any, seed: int) -> Effect | None:
    """Without a secondary: relative change of the scores' variance between requests."""
    if m.own is not None or m.signed is None or len(pairs) < 2:
        return None
    centre, variance = float(np.mean(pairs.primary)), float(np.var(pairs.primary))
    if variance == 0:
        return None
    values = ((pairs.candidate - float(np.mean(pairs.candidate))) ** 2 - (pairs.primary - centre) ** 2) / variance
    return effect(
        "spread",
        values,
        SPREAD_MARGIN,
        clusters=clusters,
        first=1.0,
        second=finite(np.var(pairs.candidate) / variance),
        note="variance of scores, primary = 1",
        seed=seed,
    )


def flips(pairs: Pairs, threshold: float | None, clusters: Any, seed: int) -> tuple[Flips, Effect] | None:
    """Decisions that change, in excess of those the primary changes by itself."""
    numeric = pairs.kind in ("probability", "score")
    if numeric and threshold is None:
        return None
    if not numeric and pairs.kind != "class":
        return None

    def decide(x: Any) -> Any:
        return x >= threshold if numeric else x

    first, second = decide(pairs.primary), decide(pairs.candidate)
    changed = (first != second).astype(np.float64)
    own = None
    if pairs.secondary is not None:
        known = ~np.isnan(pairs.secondary) if numeric else np.fromiter((v is not None for v in pairs.secondary), bool)
        own = np.where(known, (first != decide(pairs.secondary)).astype(np.float64), np.nan)
    yes = _positive(pairs)
    gained = int((~first & second).sum()) if numeric else int(((first != yes) & (second == yes)).sum()) if yes else 0
    lost = int((first & ~second).sum()) if numeric else int(((first == yes) & (second != yes)).sum()) if yes else 0
    share = float(changed.mean()) if len(changed) else 0.0
    if own is not None and not np.isnan(own).all():
        mean = mean_interval(_less_own(changed, own), clusters, seed=seed)
        made = effect(
            "flips",
            _less_own(changed, own),
            FLIP_MARGIN,
            clusters=clusters,
            first=finite(np.nanmean(own)),
            second=share,
            one_sided=True,
            note="share of decisions that change: first is the primary's own",
            seed=seed,
        )
        return Flips(gained, lost, share, finite(np.nanmean(own)), mean.estimate, mean.interval, threshold, len(pairs)), made
    # one way more than the other is a difference; as many each way may be the primary's own noise
    direction = (
        np.zeros(len(changed))
        if not (numeric or yes)
        else (
            second.astype(np.float64) - first.astype(np.float64)
            if numeric
            else (second == yes).astype(np.float64) - (first == yes).astype(np.float64)
        )
    )
    made = effect(
        "positive_rate",
        direction,
        FLIP_MARGIN,
        clusters=clusters,
        seed=seed,
        first=finite(np.mean(first)) if numeric else None,
        second=finite(np.mean(second)) if numeric else None,
    )
    if clusters is None:
        made = _with_p(made, mcnemar(lost, gained))
    whole = mean_interval(changed, clusters, seed=seed)
    return Flips(gained, lost, share, None, share, whole.interval, threshold, len(pairs)), made


def _positive(pairs: Pairs) -> Any:
    """Name the yes of a yes/no answer: 1 or true; None for other classes."""
    if pairs.kind != "class":
        return None
    values = set(pairs.primary) | set(pairs.candidate)
    for yes, no in (("1.0", "0.0"), ("true", "false"), ("True", "False"), ("yes", "no")):
        if values <= {yes, no}:
            return yes
    return None


def class_shares(pairs: Pairs, clusters: Any, seed: int) -> Effect | None:
    """Shares of the classes: the one that changed most, its p-value corrected for the number of classes."""
    if pairs.kind != "class" or _positive(pairs) is not None or not len(pairs):
        return None
    reference, candidate = pairs.primary, pairs.candidate
    if pairs.secondary is not None:
        known = np.fromiter((v is not None for v in pairs.secondary), dtype=bool, count=len(pairs))
        reference, candidate = pairs.secondary[known], candidate[known]
        clusters = None if clusters is None else clusters[known]
    values = sorted({*reference, *candidate})
    tested = [
        effect(
            f"share of {v}",
            (candidate == v).astype(np.float64) - (reference == v).astype(np.float64),
            FLIP_MARGIN,
            clusters=clusters,
            first=float(np.mean(reference == v)),
            second=float(np.mean(candidate == v)),
            seed=seed,
        )
        for v in values
    ]
    if not tested:
        return None
    p = holm([t.p_value for t in tested])
    best = min(range(len(tested)), key=lambda i: (p[i], -abs(tested[i].estimate)))
    return replace(_with_p(tested[best], float(p[best])), metric="class_shares", note=tested[best].metric)


def failures(pairs: Pairs) -> Effect | None:
    """Compare how often each version failed, where the table says so; a missing answer alone may just not be logged."""
    if pairs.errors is None:
        return None
    p, c = pairs.errors
    made = effect(
        "error_rate", c.astype(np.float64) - p.astype(np.float64), FLIP_MARGIN, first=float(p.mean()), second=float(c.mean())
    )
    return _with_p(made, mcnemar(int((p & ~c).sum()), int((c & ~p).sum())))


def field_differences(pairs: Pairs) -> tuple[FieldDifference, ...]:
    """JSON paths that differ from the candidate more often than from the secondary, most certain first."""
    if pairs.kind != "json" or not len(pairs):
        return ()
    mine = [document_distance(a, b)[1] for a, b in zip(pairs.primary, pairs.candidate, strict=True)]
    own = (
        [
            frozenset[str]() if b is None else document_distance(a, b)[1]
            for a, b in zip(pairs.primary, pairs.secondary, strict=True)
        ]
        if pairs.secondary is not None
        else None
    )
    n = len(mine)
    out = []
    for path in sorted(frozenset().union(*mine)):
        more = sum(path in m and (own is None or path not in own[i]) for i, m in enumerate(mine))
        less = sum(own is not None and path in own[i] and path not in m for i, m in enumerate(mine))
        share = sum(path in m for m in mine) / n
        own_share = None if own is None else sum(path in o for o in own) / n
        if more > less:
            out.append(FieldDifference(path, share, own_share, mcnemar(less, more)))
    return tuple(sorted(out, key=lambda f: (f.p_value, -f.share, f.path))[:50])


def _with_p(e: Effect, p_value: float) -> Effect:
    return replace(e, p_value=p_value)


def noise_of(m: Measured) -> float | None:
    """Mean distance of the primary to its own second answer, None without one."""
    return None if m.own is None or np.isnan(m.own).all() else float(np.nanmean(m.own))
