"""Repair and injection: put a suspect feature's healthy values back, or its bad ones in, score again, and watch the metric."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.findings.scope import Segment
from rca_kit.findings.simulation import Trial
from rca_kit.loop.s6_simulate.surrogate import MIN_FIDELITY, Surrogate, fit_surrogate
from rca_kit.loop.s6_simulate.thresholds import inside_segment, verdict_of
from rca_kit.loop.s6_simulate.transplant import from_store, transplant
from rca_kit.loop.s6_simulate.whatif import DECISION_METRICS, MIN_ROWS, Restored, Rows, best_threshold, restored
from rca_kit.models.answers import call

Floats = NDArray[np.float64]

REPRODUCES = 0.95  # squared correlation of the model's scores with the logged ones, above which it is what served them
STORE_SHARE = 0.5  # share of rows an offline store must know to be used instead of resampling
CONFIRMED = 0.5  # share of the symptom that one change must take back, and create, in every affected segment


@dataclass(frozen=True)
class Bench:
    """Rows of both windows and a way to score them: a model, or a copy of it fitted on the before window."""

    metric: str
    before: Rows
    after: Rows
    features: tuple[str, ...]
    affected: tuple[Segment, ...] = ()
    model: Callable[[Any], Any] | None = None
    healthy: pl.DataFrame | None = None
    id: str | None = None
    seed: int = 0

    @cached_property
    def surrogate(self) -> Surrogate | None:
        """The copy of the before window's scores, where there is no model: what healthy features would give."""
        return None if self.model is not None else fit_surrogate(self.before.frame, self.before.score, self.features, self.seed)

    @cached_property
    def surrogate_after(self) -> Surrogate | None:
        """The copy of the after window's scores: what bad features do."""
        return None if self.model is not None else fit_surrogate(self.after.frame, self.after.score, self.features, self.seed)

    @property
    def by(self) -> str:
        """What scores."""
        if self.model is not None:
            return "model"
        return f"surrogate (R2 {self.surrogate.fidelity:.2f})" if self.surrogate is not None else ""

    @property
    def usable(self) -> bool:
        """Whether there is anything to score with."""
        return self.model is not None or (self.surrogate is not None and self.surrogate.fidelity >= MIN_FIDELITY)

    def scored(self, rows: Rows, changed: pl.DataFrame, copy: Surrogate | None) -> Rows:
        """Give the rows with the scores, and decisions, of changed features."""
        if self.model is not None:
            score = self.ask(changed)
        else:
            score = copy.moved(rows.score, rows.frame, changed) if copy is not None else np.full(len(rows), np.nan)
        cut = best_threshold(rows) if self.metric in DECISION_METRICS else None
        decision = rows.decision if cut is None else np.where(np.isnan(score), np.nan, (score >= cut).astype(np.float64))
        return rows.having(score=score, decision=decision)

    def ask(self, frame: pl.DataFrame) -> Floats:
        """Ask the model for scores; NaN where it has none."""
        assert self.model is not None
        answers = call(self.model, frame.select([f for f in self.features if f in frame.columns]), frame.height)
        values = np.full(frame.height, np.nan)
        if answers.values.dtype != object:
            values[:] = answers.values
        return values

    @cached_property
    def rescored(self) -> tuple[Rows, Rows]:
        """Both windows with the model's own scores: what a repair is compared with."""
        if self.model is None:
            return self.before, self.after
        return self.scored(self.before, self.before.frame, None), self.scored(self.after, self.after.frame, None)

    def repaired(self, features: frozenset[str]) -> Rows:
        """Give the after window with healthy values of some features."""
        return self.scored(self.after, self._changed(self.after, self.before, features, store=True), self.surrogate)

    def injected(self, features: frozenset[str]) -> Rows:
        """Give the before window with the bad values of some features."""
        changed = self._changed(self.before, self.after, features, store=False)
        return self.scored(self.before, changed, self.surrogate_after)

    def effect(self, features: frozenset[str]) -> Restored | None:
        """How much of the change a repair takes back."""
        return restored(self.metric, self.before, self.after, self.repaired(features), base=self.rescored[1])

    def symptom(self, features: frozenset[str]) -> Restored | None:
        """How much of the change an injection creates."""
        return restored(self.metric, self.after, self.before, self.injected(features), base=self.rescored[0])

    def holds_everywhere(self, features: frozenset[str]) -> bool:
        """Whether the change goes with the repair and comes with the injection in every affected segment."""
        before, after = self.before, self.after
        fixed, broken = self.repaired(features), self.injected(features)
        seen = 0
        for segment in self.affected:
            i, j = inside_segment(before, segment.where), inside_segment(after, segment.where)
            if min(i.sum(), j.sum()) < MIN_ROWS:
                continue
            b, a = before.select(i), after.select(j)
            gone = restored(self.metric, b, a, fixed.select(j), base=self.rescored[1].select(j))
            come = restored(self.metric, a, b, broken.select(i), base=self.rescored[0].select(i))
            if gone is None or come is None:
                continue
            if min(gone.share, come.share) < CONFIRMED:
                return False
            seen += 1
        return seen > 0 or not self.affected

    def _changed(self, target: Rows, donor: Rows, features: frozenset[str], store: bool) -> pl.DataFrame:
        frame = target.frame
        for f in sorted(features):
            if f not in frame.columns or f not in donor.frame.columns:
                continue
            if store and self.healthy is not None and self.id and f in self.healthy.columns and self.id in frame.columns:
                column, known = from_store(frame, self.healthy, self.id, f)
                if known >= STORE_SHARE * frame.height:
                    frame = frame.with_columns(column)
                    continue
            wide = [self._strata(r) for r in (target, donor)]
            narrow = [w * 3 + _by_label(r) for w, r in zip(wide, (target, donor), strict=True)]
            frame = frame.with_columns(transplant(frame, donor.frame, f, narrow[0], narrow[1], wide[0], wide[1], self.seed))
        return frame

    def _strata(self, rows: Rows) -> NDArray[np.intp]:
        """Give the number of the first affected segment a row is in, 0 outside."""
        out = np.zeros(len(rows), dtype=np.intp)
        for i, segment in reversed(list(enumerate(self.affected, 1))):
            out[inside_segment(rows, segment.where)] = i
        return out


def _by_label(rows: Rows) -> NDArray[np.intp]:
    known = ~np.isnan(rows.label)
    return np.where(known, 1 + (rows.label > 0), 0).astype(np.intp)


def repair_trials(bench: Bench, suspects: Sequence[str]) -> tuple[list[Trial], bool]:
    """Repair and inject each suspect feature; and whether one of them is confirmed by both, everywhere."""
    trials: list[Trial] = []
    confirmed = False
    m = bench.metric
    for f in suspects:
        some = frozenset({f})
        fixed, broken = bench.effect(some), bench.symptom(some)
        if fixed is None:
            continue
        says = (
            f"With healthy values of {f}, {m} goes from {fixed.after:.4g} to {fixed.changed:.4g} "
            f"(before {fixed.before:.4g}): {fixed.share:.0%} returns, by the {bench.by}."
        )
        verdict = verdict_of(fixed.share, fixed.interval)
        trials.append(Trial("repair", f"feature:{f}", verdict, says, m, fixed.share, fixed.interval))
        if broken is None:
            continue
        says = (
            f"With the bad values of {f} in healthy rows, {m} goes from {broken.after:.4g} to {broken.changed:.4g}: "
            f"{broken.share:.0%} of the symptom appears, by the {bench.by}."
        )
        appears = verdict_of(broken.share, broken.interval)
        trials.append(
            Trial(
                "inject",
                f"feature:{f}",
                {"restores": "appears", "part": "part"}.get(appears, appears),
                says,
                m,
                broken.share,
                broken.interval,
            )
        )
        # only the model itself can confirm: a copy cannot vouch for what it was not fitted on
        if bench.model is not None and verdict == "restores" and appears == "restores" and bench.holds_everywhere(some):
            confirmed = True
    return trials, confirmed


def shares_among(bench: Bench, suspects: Sequence[str]) -> list[Trial]:
    """Shapley shares of several suspect features in what repairing all of them takes back."""
    from rca_kit.stats.shapley import shapley

    if len(suspects) < 2:
        return []

    def worth(some: frozenset[str]) -> float:
        if not some:
            return 0.0
        found = bench.effect(some)
        return found.share if found is not None else 0.0

    return [
        Trial(
            "repair",
            f"feature:{s.name}",
            "shapley",
            f"Among {len(suspects)} suspects, {s.name} carries {s.value:.0%} of the change"
            + (f" (sampled, +- {1.96 * s.error:.0%})" if s.error else "")
            + ".",
            bench.metric,
            s.value,
            (s.value - 1.96 * s.error, s.value + 1.96 * s.error),
        )
        for s in shapley(suspects, worth, bench.seed)
    ]


def model_trials(bench: Bench, previous: Callable[[Any], Any] | None) -> list[Trial]:
    """Tell model, data and serving path apart: does the model give the logged scores, and does the old one fail too."""
    trials: list[Trial] = []
    if bench.model is None:
        return trials
    own = bench.ask(bench.after.frame)
    both = ~np.isnan(own) & ~np.isnan(bench.after.score)
    if both.sum() >= MIN_ROWS and np.std(own[both]) > 0 and np.std(bench.after.score[both]) > 0:
        r2 = float(np.corrcoef(own[both], bench.after.score[both])[0, 1] ** 2)
        good = r2 >= REPRODUCES
        says = (
            f"The current model gives the logged scores of the logged features (R2 {r2:.2f})."
            if good
            else f"The current model does not give the logged scores of the logged features (R2 {r2:.2f}): something between "
            "features and score differs from the model that was handed over."
        )
        trials.append(Trial("replay", "stage:score", "same" if good else "different", says))
    if previous is not None:
        old = replace(bench, model=previous)
        got = restored(bench.metric, bench.before, bench.rescored[1], old.scored(bench.after, bench.after.frame, None))
        if got is not None:
            says = (
                f"The previous model on the rows of after has {bench.metric} {got.changed:.4g}, the current one "
                f"{got.after:.4g} (before {got.before:.4g}): {got.share:.0%} returns."
            )
            trials.append(
                Trial(
                    "replay", "model:previous", verdict_of(got.share, got.interval), says, bench.metric, got.share, got.interval
                )
            )
    return trials
