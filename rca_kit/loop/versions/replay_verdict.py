"""From the answers of two versions to a `Replay` finding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from rca_kit.findings.base import NotApplicable
from rca_kit.findings.replay import CalibrationPoint, FeatureDifference, FlipExample, Replay, ReplayErrors, ReplayFlips
from rca_kit.findings.scope import Segment, describe_where
from rca_kit.findings.shadow import Effect, NamedRows
from rca_kit.loop.tables import Dimension, encode
from rca_kit.loop.versions.feature_compare import compare_features, feature_parity
from rca_kit.loop.versions.labelled import Labelled, default_margin, label_effects, row_losses
from rca_kit.loop.versions.replay_answers import Answered, read_labels
from rca_kit.stats.paired import mcnemar, mean_interval
from rca_kit.stats.paired_segments import CellDifference, find_carriers
from rca_kit.stats.rowmetrics import calibration_bins

ALPHA = 0.04  # of the 5 % false alarms; the rest is for segments
ALPHA_SEGMENTS = 0.01
# share of samples without an answer above which no gate may pass on the rest: the 5-and-20 rule for subjects who are lost
# (under 5 % little bias, over 20 % a threat to validity; Sackett and others, Evidence-Based Medicine, 2000)
MOST_UNANSWERED = 0.2
EXAMPLES = 20  # flips shown each way
FEATURE_ROWS = 20_000  # rows on which the features of two preprocessing steps are compared


def judge_replay(
    a: Answered,
    models: Mapping[str, Any],
    take: Callable[[Any], Any],
    errors: ReplayErrors,
    *,
    task: str | None,
    threshold: float | Mapping[str, float] | None,
    margin: float | Mapping[str, float] | None,
    decide_by: Sequence[str] | None,
    served: Any,
    seed: int,
) -> Replay:
    """Compute everything that a replay shows, on the samples that both versions answered every time."""
    keep = np.ones(a.frame.height, dtype=bool)
    for answers in (*a.previous, *a.current):
        keep &= ~np.isnan(answers) if answers.dtype != object else np.asarray([v is not None for v in answers], dtype=bool)
    rows = np.flatnonzero(keep)
    notes: list[str] = []
    data = read_labels(a, rows, task, threshold, notes)
    effects: list[Effect] = []
    deciders: list[str] = []
    segments: tuple[Segment, ...] = ()
    singles: tuple[Segment, ...] = ()
    if len(rows) > 1:
        effects, deciders = label_effects(data, margin, ALPHA, decide_by, seed)
        segments, singles = _segments(a, rows, data, margin)
    if errors.count:
        notes.append(
            f"left out: {errors.current:,} samples without an answer of the current version, {errors.previous:,} "
            "without one of the previous"
        )
    verdict, because, needed = _verdict(effects, deciders, segments, len(rows))
    verdict, because = _with_failures(verdict, because, errors, len(rows), a.frame.height)
    return Replay(
        verdict=verdict,
        because=because,
        task=data.task,
        samples=len(rows),
        metrics=NamedRows(effects),
        deciders=tuple(deciders),
        flips=_flips(a, rows, data),
        segments=segments,
        singles=singles,
        calibration=_calibration(data),
        features=_features(a, models, take, notes),
        parity=feature_parity(a.frame, served, a.id, None) if served is not None else NamedRows(),
        errors=errors,
        needed_samples=needed,
        noise=(_noise(data.first), _noise(data.second)),
        notes=tuple(notes),
    )


def _decisions(data: Labelled, answers: Sequence[Any], threshold: float | None) -> list[Any] | None:
    if data.task == "regression" or (data.task == "binary" and data.continuous and threshold is None):
        return None
    return [(x >= threshold).astype(np.float64) if data.task == "binary" and data.continuous else x for x in answers]


def _flips(a: Answered, rows: Any, data: Labelled) -> ReplayFlips | NotApplicable:
    before, after = (_decisions(data, x, t) for x, t in ((data.first, data.thresholds[0]), (data.second, data.thresholds[1])))
    if before is None or after is None:
        return NotApplicable("the answers are no decisions")
    if not len(rows):
        return NotApplicable("no sample was answered by both versions")
    right_before, right_after = ([d == data.label for d in side] for side in (before, after))
    pairs = list(zip(right_before, right_after, before, after, strict=True))
    lost, gained = _share([b & ~c for b, c, _, _ in pairs]), _share([~b & c for b, c, _, _ in pairs])
    changed = _share([x != y for _, _, x, y in pairs])
    own = [_own(before), _own(after)]
    excess = changed - (own[0] + own[1]) / 2 if own[0] is not None and own[1] is not None else changed
    mean = mean_interval(excess, data.clusters)
    direction = mean_interval(gained - lost, data.clusters)
    p_value = mcnemar(int(lost.sum()), int(gained.sum())) if len(pairs) == 1 and data.clusters is None else direction.p_value

    def examples(where: Any) -> tuple[FlipExample, ...]:
        # of many flips, the ones where the versions are furthest apart
        at = np.flatnonzero(where > 0.5)
        if data.continuous and data.task == "binary":
            at = at[np.argsort(-np.abs(data.second[0][at] - data.first[0][at]), kind="stable")]
        return tuple(
            FlipExample(a.ids[rows[i]], _plain(data.label[i]), _plain(data.first[0][i]), _plain(data.second[0][i]))
            for i in at[:EXAMPLES]
        )

    return ReplayFlips(
        _count(lost),
        _count(gained),
        _count(np.maximum(changed - lost - gained, 0)),
        float(changed.mean()),
        None if own[0] is None else float(own[0].mean()),
        None if own[1] is None else float(own[1].mean()),
        mean.estimate,
        mean.interval,
        p_value,
        len(rows),
        examples(lost),
        examples(gained),
    )


def _share(flags: Sequence[Any]) -> Any:
    """Share of runs in which a row's flag is set."""
    return np.asarray(flags[0], dtype=np.float64) if len(flags) == 1 else np.mean(flags, axis=0)


def _own(decisions: Sequence[Any]) -> Any:
    """Share of decisions that a version changes between two repeats, by row."""
    if len(decisions) < 2:
        return None
    return np.mean([x != y for i, x in enumerate(decisions) for y in decisions[i + 1 :]], axis=0)


def _count(values: Any) -> float:
    total = float(values.sum())
    return int(total) if total.is_integer() else total


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _noise(answers: Sequence[Any]) -> float | None:
    """Give the standard deviation of a score between repeats of one version."""
    if len(answers) < 2 or answers[0].dtype == object:
        return None
    return float(np.sqrt(np.mean(np.var(answers, axis=0, ddof=1))))


def _segments(a: Answered, rows: Any, data: Labelled, margin: Any) -> tuple[tuple[Segment, ...], tuple[Segment, ...]]:
    """Segments where the current version loses more per sample."""
    dimensions = _dimensions(a, rows)
    if not dimensions:
        return (), ()
    name, first, second = row_losses(data)
    limit = default_margin(name, float(first.mean()), margin if isinstance(margin, Mapping) else None)
    found = find_carriers(
        second - first, [d.codes for d in dimensions], [len(d.conditions) for d in dimensions], ALPHA_SEGMENTS, limit
    )
    total = float((second - first).sum())

    def segment(cell: CellDifference) -> Segment:
        inside = np.ones(len(rows), dtype=bool)
        for d, code in cell.key:
            inside &= dimensions[d].codes == code
        return Segment(
            {dimensions[d].name: dimensions[d].conditions[c] for d, c in cell.key},
            cell.n / len(rows),
            float(first[inside].mean()),
            float(second[inside].mean()),
            float(np.clip(cell.mean * cell.n / total, 0, 1)) if total > 0 else None,
            cell.q_value,
            cell.interval,
            cell.n,
            cell.n,
            cell.mean,
        )

    worse = tuple(segment(c) for c in found.carriers if c.mean > 0)
    return worse, tuple(segment(c) for c in found.singles)


def _dimensions(a: Answered, rows: Any) -> list[Dimension]:
    """Codes of the columns to search; the rest of a wide golden set is not copied."""
    here = [d for d in a.dimensions if d in a.frame.columns]
    return encode(a.frame.select(here)[rows] if here else a.frame.clear(), a.dimensions, "the golden set")


def _calibration(data: Labelled) -> tuple[CalibrationPoint, ...]:
    if not data.probabilities or not len(data.label):
        return ()
    out = []
    for version, answers, binned in zip(("previous", "current"), data.mean_answers, data.bins, strict=True):
        for p, k, n in calibration_bins(data.label, answers, binned=binned):
            centre, half = (k + 2 / n) / (1 + 4 / n), 2 * np.sqrt(k * (1 - k) / n + 1 / n**2) / (1 + 4 / n)  # Wilson, z = 2
            out.append(CalibrationPoint(version, float(p), float(k), (float(centre - half), float(centre + half)), int(n)))
    return tuple(out)


def _features(
    a: Answered, models: Mapping[str, Any], take: Callable[[Any], Any], notes: list[str]
) -> NamedRows[FeatureDifference]:
    """Features each version was given: what its preprocessing made, or the raw columns."""
    raw = a.frame.select(a.features).head(FEATURE_ROWS)
    if not any(callable(getattr(m, "features", None)) for m in models.values()):
        # both are given the same columns: only how many values are missing is news
        return NamedRows(_same_feature(a.frame[f]) for f in a.features)
    made = {}
    for version in ("previous", "current"):
        step = getattr(models[version], "features", None)
        try:
            made[version] = step(take(np.arange(raw.height))) if callable(step) else raw
        except Exception as error:  # somebody else's code; its failing rows are counted by the run, the rest is still of use
            notes.append(f"features of the {version} version could not be made: {type(error).__name__}: {error}")
            return NamedRows()
    return compare_features(made["previous"], made["current"])


def _same_feature(column: pl.Series) -> FeatureDifference:
    missing = column.null_count() + (int(column.is_nan().sum() or 0) if column.dtype.is_float() else 0)
    rate = missing / max(len(column), 1)
    return FeatureDifference(column.name, rate, rate, 0.0, 0.0, str(column.dtype), str(column.dtype))


def _with_failures(verdict: str, because: str, errors: ReplayErrors, answered: int, asked: int) -> tuple[str, str]:
    """Say how many samples have no answer and why; many of them, and nobody knows that the versions are alike."""
    if not errors.count:
        return verdict, because
    counts = ((v, n) for v, n in (("current", errors.current), ("previous", errors.previous)) if n)
    left_out = " and ".join(f"{n:,} of {asked:,} samples have no answer of the {v} version" for v, n in counts)
    version, reason, count = errors.reasons[0]
    because += f" {left_out} (most often, {count:,} of the {version}: {reason})."
    if verdict in ("same", "better") and asked - answered > MOST_UNANSWERED * asked:
        return "inconclusive", f"Too many answers are missing to call it {verdict}. {because}"
    return verdict, because


def _verdict(
    effects: Sequence[Effect], deciders: Sequence[str], segments: Sequence[Segment], n: int
) -> tuple[str, str, int | None]:
    key = [e for e in effects if e.metric in deciders]

    def tell(some: Sequence[Effect]) -> str:
        return ", ".join(
            f"{e.metric} {e.first:.4g} -> {e.second:.4g} ({e.estimate:+.4g}, 95% {e.interval[0]:+.4g} to {e.interval[1]:+.4g})"
            for e in some
            if e.first is not None and e.second is not None
        )

    worse = [e for e in key if e.state == "different" and e.worse]
    better = [e for e in key if e.state == "different" and e.worse is False]
    where = "; ".join(describe_where(s.where) for s in segments)
    if worse:
        return (
            "worse",
            f"On {n:,} samples: {tell(worse)}"
            + (f"; but better: {tell(better)}" if better else "")
            + (f"; mostly where {where}" if where else "")
            + ".",
            None,
        )
    if better:
        return "better", f"On {n:,} samples: {tell(better)}" + (f"; but worse where {where}" if where else "") + ".", None
    if segments:
        return "worse", f"On {n:,} samples, worse where {where}.", None
    if key and all(e.state == "equivalent" for e in key):
        return "same", f"On {n:,} samples every deciding interval lies within its margin: {tell(key)}.", None
    needed = [e.needed for e in key if e.state == "inconclusive" and e.needed]
    more = f"; about {max(needed):,} samples would decide" if needed else ""
    because = f"{n:,} samples do not decide: {tell(key) or 'nothing to compare'}{more}."
    return "inconclusive", because, max(needed) if needed else None
