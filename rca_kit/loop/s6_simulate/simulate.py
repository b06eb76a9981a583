"""Step 6, Simulate: replay, shadow, repair and injection, reweighting, thresholds, calibration - as far as the case allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from rca_kit.errors import RcaKitError
from rca_kit.findings.scope import Segment
from rca_kit.findings.simulation import Simulation, Trial
from rca_kit.findings.suspects import Suspects
from rca_kit.findings.symptom import Symptom
from rca_kit.loop.s6_simulate.repair import Bench, model_trials, repair_trials, shares_among
from rca_kit.loop.s6_simulate.surrogate import MIN_FIDELITY, weights_like
from rca_kit.loop.s6_simulate.thresholds import calibration_trials, threshold_trials, verdict_of
from rca_kit.loop.s6_simulate.whatif import DECISION_METRICS, SCORE_METRICS, VALUE_METRICS, restored, rows_of, shows_in
from rca_kit.sources.open import OpenCase

if TYPE_CHECKING:
    from rca_kit.findings.replay import Replay
    from rca_kit.findings.shadow import Shadow

MAX_SUSPECTS = 6  # features repaired: up to so many, Shapley shares are exact
MAX_MIX = 3  # columns reweighted together: more leave no overlap
PART = 0.05  # of the change: features that take back less do not enter the sharing
FEATURE = "feature:"


def simulate(
    before: pl.DataFrame,
    after: pl.DataFrame,
    *,
    metric: str,
    suspects: Sequence[str] = (),
    score: str | None = None,
    decision: str | None = None,
    label: str | None = None,
    features: Sequence[str] = (),
    segments: Sequence[str] = (),
    affected: Sequence[Segment] = (),
    positive: Mapping[str, Any] | None = None,
    model: Callable[[Any], Any] | None = None,
    previous: Callable[[Any], Any] | None = None,
    healthy: pl.DataFrame | None = None,
    id: str | None = None,
    replay: Replay | None = None,
    shadow: Shadow | None = None,
    seed: int = 0,
) -> Simulation:
    """Run every trial that the inputs allow, and name what the others would need.

    Parameters
    ----------
    before, after : polars.DataFrame
        Sampled rows of the log from both windows, some thousands each.
    metric : str
        The metric that fell, by its name in findings.json.
    suspects : sequence of str
        Subjects in order of suspicion, like ``feature:device_type``; features are repaired, the first six.
    score, decision, label : str, optional
        Columns of the log.
    features, segments : sequence of str
        Columns: model inputs as served, and dimensions.
    affected : sequence of Segment
        Segments that carry the change; repair works within them, and a confirmation must hold in each.
    positive : mapping, optional
        Which value of a two-valued label or decision counts as positive.
    model, previous : callable, optional
        Current and previous version, from a frame of features to scores.
    healthy : polars.DataFrame, optional
        Correct feature values by request id (`id`), of an offline store or a backfill.
    replay, shadow : optional
        Results that are there already.
    seed : int
        For resampling.

    Returns
    -------
    Simulation
        `confirmed` when one repair takes most of the symptom away and the same fault injected brings it about, with the real
        model, in every affected segment.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> def window(unit):
    ...     x = rng.normal(size=4000)
    ...     return pl.DataFrame({"x": unit * x, "y": (rng.random(4000) < 1 / (1 + np.exp(-2 * x))) * 1})
    >>> def model(frame): return 1 / (1 + np.exp(-2 * frame["x"].to_numpy()))
    >>> b, a = window(1), window(0.001)
    >>> b, a = (w.with_columns(p=pl.Series(model(w))) for w in (b, a))
    >>> got = simulate(b, a, metric="log_loss", suspects=["feature:x"], score="p", label="y", features=["x"], model=model)
    >>> got.confirmed, got.trials[1].kind, round(got.trials[1].restored, 1)
    (True, 'repair', 1.0)
    """
    pos = dict(positive or {})
    rows = tuple(rows_of(f, score, decision, label, pos) for f in (before, after))
    needs: list[str] = []
    trials = _ready(replay, shadow)
    confirmed = False
    names = [s.removeprefix(FEATURE) for s in suspects if s.startswith(FEATURE)]
    names = [n for n in dict.fromkeys(names) if n in before.columns and n in after.columns][:MAX_SUSPECTS]
    known = metric in (*DECISION_METRICS, *SCORE_METRICS, *VALUE_METRICS)
    if known and min(len(r) for r in rows):
        bench = Bench(
            metric,
            rows[0],
            rows[1],
            tuple(f for f in features if f in before.columns and f in after.columns),
            tuple(affected),
            model,
            healthy,
            id,
            seed,
        )
        shown = shows_in(metric, *rows)
        trials += model_trials(bench, previous)
        if names and shown:
            if bench.usable:
                made, confirmed = repair_trials(bench, names)
                trials += made
                back = {t.subject: abs(t.restored or 0) for t in made if t.kind == "repair"}
                moved = [n for n in names if back.get(FEATURE + n, 0) > PART]
                trials += shares_among(bench, moved)
            elif bench.surrogate is not None:
                explained = max(bench.surrogate.fidelity, 0)
                needs.append(
                    f"the model itself: a copy fitted on the log explains only {explained:.0%} of the scores (at least "
                    f"{MIN_FIDELITY:.0%} is asked)"
                )
        if shown:
            trials += threshold_trials(metric, rows[0], rows[1], affected)
            trials += calibration_trials(metric, rows[0], rows[1], seed)
            trials += _mix(metric, rows, [*dict.fromkeys([*segments, *names])])
        elif not trials:
            needs.append(f"more rows: the sampled ones do not show the change of {metric}")
    elif not known:
        needs.append(f"a copy of the service for a trial of {metric}: send it recorded requests with one change at a time")
    needs += _needs(model, replay, shadow, healthy, names, known)
    return Simulation(tuple(trials), tuple(dict.fromkeys(needs)), confirmed, replay, shadow)


def simulate_case(
    opened: OpenCase,
    before: pl.DataFrame,
    after: pl.DataFrame,
    symptom: Symptom,
    suspects: Suspects,
    affected: Sequence[Segment] = (),
    trusted: bool = False,
) -> Simulation:
    """Simulate for an open case: its models, golden set and shadow table are used where it has them.

    Nothing that goes wrong with a model or a table stops an investigation: it is written into `needs`.
    """
    needs: list[str] = []
    replayed: Replay | None = None
    shadowed: Shadow | None = None
    models: dict[str, Any] = {}
    entries = opened.case.incident.models
    for version in ("current", "previous"):
        if version in entries:
            from rca_kit.models.load import load_model

            try:
                models[version] = load_model(entries[version], trusted, opened.case.folder)
            except RcaKitError as error:
                needs.append(f"the {version} model: {error.message}" + (f" ({error.hint})" if error.hint else ""))
    if opened.golden is not None and len(models) == 2:
        from rca_kit.loop.versions.gates import replay_opened

        try:
            replayed = replay_opened(opened, trusted=trusted)[0]
        except RcaKitError as error:
            needs.append(f"the golden set: {error.message}")
    if opened.shadow is not None:
        from rca_kit.loop.versions.gates import shadow_opened

        try:
            shadowed = shadow_opened(opened)[0]
        except RcaKitError as error:
            needs.append(f"the shadow table: {error.message}")
    if suspects.verdict == "no_change":
        return Simulation(
            tuple(_ready(replayed, shadowed)), ("nothing changed that a trial could take back", *needs), False, replayed, shadowed
        )
    r = opened.roles
    try:
        found = simulate(
            before,
            after,
            metric=symptom.metric,
            suspects=[s.subject for s in suspects.items],
            score=r.score,
            decision=r.decision,
            label=r.label,
            features=r.features,
            segments=r.segments,
            affected=affected,
            positive=opened.positive,
            model=models.get("current"),
            previous=models.get("previous"),
            id=r.request_id,
            replay=replayed,
            shadow=shadowed,
        )
    except Exception as error:
        if "current" not in models:
            raise
        # a model that breaks on logged rows is a finding about the model, not the end of the investigation
        reason = str(error).splitlines()[0] if str(error) else ""
        needs.append(f"a model that runs on the logged rows: {type(error).__name__}: {reason}")
        found = Simulation(tuple(_ready(replayed, shadowed)), (), False, replayed, shadowed)
    return Simulation(found.trials, tuple(dict.fromkeys((*needs, *found.needs))), found.confirmed, replayed, shadowed)


def _ready(replay: Replay | None, shadow: Shadow | None) -> list[Trial]:
    """Trials that replay and shadow compare already are."""
    out = []
    if replay is not None:
        metric = replay.deciders[0] if replay.deciders else ""
        out.append(Trial("replay", "model:current", replay.verdict, f"Golden set: {replay.says()}", metric))
    if shadow is not None:
        out.append(Trial("shadow", "model:candidate", shadow.verdict, f"Shadow traffic: {shadow.says()}"))
    return out


def _mix(metric: str, rows: Any, columns: Sequence[str]) -> list[Trial]:
    """Weight the rows of after as before was composed: what returns is the mix's part."""
    out = []
    singles = []
    for column in columns:
        weight = weights_like(rows[0].frame, rows[1].frame, [column])
        if weight is None:
            continue
        got = restored(metric, rows[0], rows[1], None, weight)
        if got is not None and np.isfinite(got.share) and got.interval[0] > 0.1:
            singles.append((got.share, column, got))
    best = sorted(singles, key=lambda s: (-s[0], s[1]))[:MAX_MIX]
    for share, column, got in best:
        says = (
            f"With {column} mixed as before, {metric} goes from {got.after:.4g} to {got.changed:.4g}: {share:.0%} returns "
            "(by reweighting rows, not by scoring again)."
        )
        out.append(Trial("reweighting", f"feature:{column}", verdict_of(share, got.interval), says, metric, share, got.interval))
    return out


def _needs(model: Any, replay: Any, shadow: Any, healthy: Any, names: Sequence[str], known: bool) -> list[str]:
    out = []
    if replay is None:
        out.append("a golden set and both models (`tables: golden`, `models: current, previous`) for a replay")
    if shadow is None:
        out.append("the same requests answered by both versions (`tables: shadow`) for a shadow compare")
    if known and names and model is None:
        out.append("the current model (`models: current`) to confirm a repair; a fitted copy cannot")
    if known and names and healthy is None:
        out.append("correct values by request id from the offline store, to repair row by row")
    return out
