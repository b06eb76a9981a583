"""Shadow compare: does a candidate answer differently from the primary, beyond the primary's own noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from rca_kit.errors import BadInput
from rca_kit.findings.base import NotApplicable
from rca_kit.findings.scope import Segment, describe_where
from rca_kit.findings.shadow import Effect, Flips, NamedRows, Shadow
from rca_kit.loop.tables import guess_dimensions, numbers
from rca_kit.loop.versions import shadow_checks as checks
from rca_kit.loop.versions.effects import judge_family
from rca_kit.loop.versions.labelled import Labelled, label_effects
from rca_kit.loop.versions.pairing import Pairs, at_hand, pair
from rca_kit.loop.versions.shadow_parts import compare_latency, cut_from_scores, find_segments
from rca_kit.stats.paired import detectable

# 5 % false alarms in all, shared out: overall comparisons get more because they are what the gate is for
ALPHA_OVERALL = 0.03
ERROR_SUFFIXES = ("_error", "_error_type")


def compare_shadow(
    table: Any,
    primary: str = "primary",
    candidate: str = "candidate",
    secondary: str | bool | None = None,
    label: str | bool | None = None,
    dimensions: Sequence[str] | None = None,
    *,
    id: str = "request_id",
    kind: str | None = None,
    threshold: float | None = None,
    margin: float | None = None,
    tolerance: float | None = None,
    cluster: str | None = None,
    seed: int = 0,
) -> Shadow:
    """Compare two versions that answered the same requests.

    Parameters
    ----------
    table : frame or path
        One row per request. Rows with the same id count once; rows that one version did not answer are counted, not compared.
        Of more than 300,000 rows in DuckDB, Spark or a database, that many requests are drawn there, by a hash of the id;
        `.notes` says so.
    primary, candidate : str
        Columns with the answers: probabilities, scores, classes, texts, JSON documents or ranked lists.
    secondary : str or False, optional
        A second answer of the primary, from which its own noise is learnt. None takes a column named `secondary` where there
        is one; False does without.
    label : str or False, optional
        Ground truth, null while unknown. None takes a column named `label` where there is one; False does without.
    dimensions : sequence of str, optional
        Columns to search for segments that differ, alone and in pairs. None takes texts, booleans and integers of few values.
    id : str
        The request's id; where there is no such column every row is its own request.
    kind : {"probability", "score", "class", "text", "json", "ranking"}, optional
        Kind of the answers; told from the data when absent.
    threshold : float, optional
        Decision threshold of scores, in their units. Probabilities have 0.5 when absent.
    margin : float, optional
        Differences up to this count as none: in score units, or as share of the answer. Absent: 0.05 standard deviations of
        the primary's answers, and no more than 0.01 for probabilities; 0.01 for other kinds.
    tolerance : float, optional
        Only without a secondary: mean distance of the answers that is still ascribed to noise. Absent: half a standard
        deviation of the primary's answers; 0.05 for classes and documents, 0.2 for texts and rankings.
    cluster : str, optional
        Column whose rows move together (a user, a session); intervals allow for it.
    seed : int
        For resampling and for drawing texts.

    Returns
    -------
    Shadow
        `.verdict` is different when a comparison or a segment differs beyond chance (5 % in all, over every look) and beyond
        the margin; equivalent when every interval lies within its margin; else inconclusive, with `.needed_pairs`.

    Raises
    ------
    BadInput
        When a column is missing or answers cannot be compared.

    References
    ----------
    Diffy's idea of a second primary; the tests follow from exchangeability of candidate and secondary, with Holm's
    correction over comparisons and Bonferroni's over segments.

    Examples
    --------
    >>> import polars as pl, numpy as np
    >>> rng = np.random.default_rng(0)
    >>> p = rng.beta(2, 5, 4000)
    >>> t = pl.DataFrame({"primary": p, "candidate": p + rng.normal(0, .01, 4000), "secondary": p + rng.normal(0, .01, 4000)})
    >>> compare_shadow(t).verdict
    'equivalent'
    >>> compare_shadow(t.with_columns(candidate=pl.col("candidate") + 0.02)).verdict
    'different'
    """
    frame, drawn = at_hand(table, id, primary, candidate)
    secondary = _optional(frame, secondary, "secondary", taken=(primary, candidate))
    label = _optional(frame, label, "label", taken=(primary, candidate))
    known_id = id if id in frame.columns else None
    error_columns = {name: name + s for name in (primary, candidate) for s in ERROR_SUFFIXES if name + s in frame.columns}
    pairs = pair(frame, primary, candidate, secondary, known_id, kind, error_columns)
    notes = [drawn] if drawn else []
    unmatched, requests = pairs.counts["unmatched"].count, len(pairs) + pairs.counts["unmatched"].count
    if unmatched:
        notes.append(f"{unmatched:,} of {requests:,} requests have an answer of one version only; they are not compared")
    if pairs.kind in ("text", "json", "ranking") and len(pairs) > checks.MAX_COMPARED:
        pairs = _draw(pairs, seed)
        notes.append(f"{checks.MAX_COMPARED:,} pairs drawn, {pairs.kind} is slow to compare")
    if threshold is None and pairs.kind == "probability":
        threshold = 0.5
    clusters = _clusters(pairs, cluster)
    measured = checks.measure(pairs, margin, tolerance)

    found = (
        []
        if not len(pairs)
        else [
            e
            for e in (
                checks.bias(pairs, measured, clusters, seed),
                checks.excess(pairs, measured, clusters, seed),
                checks.spread(pairs, measured, clusters, seed),
                checks.class_shares(pairs, clusters, seed),
                checks.failures(pairs),
            )
            if e is not None
        ]
    )
    flipped = checks.flips(pairs, threshold, clusters, seed) if len(pairs) else None
    if flipped:
        found.append(flipped[1])
    metrics = _metrics(pairs, label, threshold, clusters, seed)
    one_sided = ("excess", "flips")
    judged = judge_family([*found, *metrics], ALPHA_OVERALL, one_sided)
    overall, labelled = judged[: len(found)], judged[len(found) :]
    beyond = checks.disagreement(pairs, measured, clusters, seed) if len(pairs) else None
    if beyond is not None:
        if pairs.kind == "text" and tolerance is None and beyond.state == "different":
            # sampled texts differ from themselves by any amount: only the user can say that this is too much
            beyond = replace(beyond, state="inconclusive", note=beyond.note + "; pass `secondary` or `tolerance`")
        overall.append(beyond)

    used = {primary, candidate, secondary, label, id, cluster, *error_columns.values()}
    names = list(dimensions) if dimensions is not None else guess_dimensions(pairs.frame, [u for u in used if isinstance(u, str)])
    if dimensions is None and secondary is None:
        cut = [n for n in names if cut_from_scores(pairs, n)]
        names = [n for n in names if n not in cut]
        notes += [
            f"`{n}` is cut from the primary's own scores: without a secondary it would differ by regression to the mean, and "
            "is not searched"
            for n in cut
        ]
    segments, singles, general = find_segments(pairs, measured, names, clusters)
    verdict = _verdict(overall, labelled, segments)
    main = next((e for e in overall if e.metric == "bias"), None) or next(
        e for e in [*overall, _none(measured.scale_margin)] if e.metric in ("excess", "disagreement", "none")
    )
    half = (main.interval[1] - main.interval[0]) / 2 / 1.96
    needed = [e.needed for e in overall if e.state == "inconclusive" and e.needed]
    return Shadow(
        verdict=verdict,
        because=_because(verdict, overall, labelled, segments, general, len(pairs), needed),
        kind=pairs.kind,
        difference=main.estimate,
        interval=main.interval,
        margin=main.margin,
        p_value=main.p_value,
        detectable=detectable(half) if np.isfinite(half) else float("inf"),
        needed_pairs=max(needed) if needed and verdict == "inconclusive" else None,
        checks=NamedRows(overall),
        flips=flipped[0] if flipped else NotApplicable(_no_flips(pairs.kind)),
        segments=segments,
        singles=singles,
        latency=compare_latency(pairs.frame, primary, candidate, seed),
        metrics=NamedRows(labelled),
        pairs=len(pairs),
        pairing=pairs.counts,
        noise=checks.noise_of(measured),
        fields=checks.field_differences(pairs),
        notes=tuple(notes),
    )


def _optional(frame: pl.DataFrame, given: str | bool | None, usual: str, taken: Sequence[str]) -> str | None:
    if given is False:
        return None
    if given is None or given is True:
        return usual if usual in frame.columns and usual not in taken else None
    if given not in frame.columns:
        raise BadInput("the shadow table has no such column", column=given, found=", ".join(frame.columns))
    return given


def _draw(pairs: Pairs, seed: int) -> Pairs:
    rows = np.sort(np.random.default_rng(seed).choice(len(pairs), checks.MAX_COMPARED, replace=False))
    return replace(
        pairs,
        frame=pairs.frame[rows],
        primary=pairs.primary[rows],
        candidate=pairs.candidate[rows],
        secondary=None if pairs.secondary is None else pairs.secondary[rows],
    )


def _clusters(pairs: Pairs, cluster: str | None) -> Any:
    if cluster is None:
        return None
    if cluster not in pairs.frame.columns:
        raise BadInput("the shadow table has no such column", column=cluster, found=", ".join(pairs.frame.columns))
    return pairs.frame[cluster].rank("dense").fill_null(0).to_numpy().astype(np.int64)


def _metrics(pairs: Pairs, label: str | None, threshold: float | None, clusters: Any, seed: int) -> list[Effect]:
    """Paired metric differences on the rows whose label is known; those that decide a replay enter the verdict."""
    if label is None or pairs.kind not in ("probability", "score", "class"):
        return []
    if pairs.kind == "class":
        truth = pair(pairs.frame.select(pl.col(label).alias("a"), pl.col(label).alias("b")), "a", "b", None, None, "class")
        known = pairs.frame[label].is_not_null().to_numpy()
        data = Labelled(
            "multiclass",
            truth.primary,
            (pairs.primary[known],),
            (pairs.candidate[known],),
            continuous=False,
            clusters=None if clusters is None else clusters[known],
        )
    else:
        y = numbers(pairs.frame[label])
        known = ~np.isnan(y)
        binary = bool(np.isin(y[known], (0.0, 1.0)).all())
        data = Labelled(
            "binary" if binary else "regression",
            y[known],
            (pairs.primary[known],),
            (pairs.candidate[known],),
            probabilities=pairs.kind == "probability",
            thresholds=(threshold, threshold),
            clusters=None if clusters is None else clusters[known],
        )
    if known.sum() < 2 or (data.task == "binary" and len(np.unique(data.label)) < 2):
        return []
    effects, deciders = label_effects(data, seed=seed)
    return [e for e in effects if e.metric in deciders]


def _verdict(overall: Sequence[Effect], labelled: Sequence[Effect], segments: Sequence[Segment]) -> str:
    if segments or any(e.state == "different" for e in (*overall, *labelled)):
        return "different"
    return "equivalent" if overall and all(e.state == "equivalent" for e in overall) else "inconclusive"


def _because(
    verdict: str,
    overall: Sequence[Effect],
    labelled: Sequence[Effect],
    segments: Sequence[Segment],
    general: bool,
    n: int,
    needed: Sequence[int],
) -> str:
    if verdict == "different":
        parts = [
            f"{e.metric} {e.estimate:+.4g} (95% {e.interval[0]:+.4g} to {e.interval[1]:+.4g}, margin {e.margin:.3g})"
            for e in (*overall, *labelled)
            if e.state == "different"
        ]
        if segments:
            where = "; ".join(f"{describe_where(s.where)} by {s.score:+.4g}" for s in segments)
            parts.append(("besides a general difference: " if general else "") + where)
        return "The versions differ: " + ", ".join(parts) + "."
    if verdict == "equivalent":
        return f"Every interval lies within its margin over {n:,} pairs, and no segment differs."
    open_ = [e for e in overall if e.state == "inconclusive"]
    named = ", ".join(f"{e.metric} {e.interval[0]:+.4g} to {e.interval[1]:+.4g} (margin {e.margin:.3g})" for e in open_)
    more = f"; about {max(needed):,} pairs would decide" if needed else ""
    return f"{n:,} pairs do not decide: {named or 'nothing to compare'}{more}."


def _none(margin: float) -> Effect:
    return Effect("none", float("nan"), (-np.inf, np.inf), margin, 1.0, "inconclusive", 0)


def _no_flips(kind: str) -> str:
    return "no decision threshold was given" if kind == "score" else f"answers of kind {kind} are no decisions"


__all__ = ["Flips", "compare_shadow"]
