"""The truth test of a scenario: the case is sound, the key fits it, and the cause can be found from the data alone."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rca_kit.case.metrics import metric_problem
from rca_kit.findings.base import Finding
from rca_kit.findings.suspects import CATEGORIES
from rca_kit.loop.investigate import investigate
from rca_kit.sources import OpenCase, open_case
from rca_kit.training.answers import SUBJECT_HEADS
from rca_kit.training.keys import Key
from rca_kit.training.logs import read_log
from rca_kit.training.own import Told, write_told
from rca_kit.training.scoring import CaseScore, score_case, true_rows

LEAST_HIT = 50  # rows after the onset that the fault must reach, for anybody to see it
ENOUGH_OVERLAP = 0.7  # F1 of rows from which the kit's scope counts as the key's


@dataclass(frozen=True)
class Trial:
    """One seed of a scenario: what is unsound, and what the kit made of it."""

    seed: int
    problems: tuple[str, ...]
    verdict: bool
    onset: bool | None
    scope_f1: float | None
    suspect: bool | None

    @property
    def found(self) -> bool:
        """Whether the kit found what was planted."""
        scope = self.scope_f1 is None or self.scope_f1 >= ENOUGH_OVERLAP
        return self.verdict and self.onset is not False and self.suspect is not False and scope


@dataclass(frozen=True, repr=False)
class Truth(Finding):
    """The truth test over some seeds."""

    next_call = "`.frame()` for each seed"

    slug: str
    trials: tuple[Trial, ...]

    @property
    def sound(self) -> bool:
        """Whether no seed has a problem."""
        return not any(t.problems for t in self.trials)

    @property
    def exit_code(self) -> int:
        """0 sound and found in most seeds, 1 unsound, 3 sound and not found by the kit: too hard, or not in the data."""
        return 1 if not self.sound else 0 if 2 * sum(t.found for t in self.trials) > len(self.trials) else 3

    def says(self) -> str:
        """Give the outcome."""
        problems = [p for t in self.trials for p in t.problems]
        if problems:
            return f"{self.slug} is not sound: {'; '.join(dict.fromkeys(problems))}."
        found = sum(t.found for t in self.trials)
        return f"{self.slug} is sound; the kit finds it in {found} of {len(self.trials)} variants."

    def rows(self) -> list[dict[str, Any]]:
        """One row per seed."""
        return [
            {
                "seed": t.seed,
                "problems": "; ".join(t.problems),
                "verdict": t.verdict,
                "onset": t.onset,
                "scope_f1": t.scope_f1,
                "suspect": t.suspect,
                "found": t.found,
            }
            for t in self.trials
        ]


def truth_test(told: Told, seeds: tuple[int, ...] = (1, 2, 3)) -> Truth:
    """Make some variants of a scenario, check each case and its key, and let the kit investigate it.

    Parameters
    ----------
    told : Scenario or Recipe
        From `rca_kit.training.own.get_told`.
    seeds : tuple of int
        The variants.
    """
    return Truth(told.slug, tuple(_try(told, s) for s in seeds))


def _try(told: Told, seed: int) -> Trial:
    with tempfile.TemporaryDirectory() as private:
        folder = Path(private) / "case"
        key = write_told(told, folder, seed, f"TRUTH-{seed}")
        opened = open_case(folder)
        problems = check_key(key, opened, folder)
        findings = investigate(opened).to_dict()
        rows, time = read_log(folder)
    score: CaseScore = score_case(findings, key, rows, time)
    return Trial(seed, tuple(problems), score.verdict_right, score.onset_right, score.scope_f1, score.among_three)


def check_key(key: Key, opened: OpenCase, folder: Path) -> list[str]:
    """Check that a key fits its case: names that exist, rows that are hit, an alert after the onset."""
    out = []
    ids = {c.id for c in opened.changes}
    columns = {c.name for c in opened.columns}
    metric = opened.case.incident.signal.metric
    if not metric:
        out.append("no metric is alerted on: call p.alert or set p.signal")
    elif problem := metric_problem(metric):
        out.append(problem)
    if key.verdict not in ("incident", "benign_shift", "no_change"):
        out.append(f"the verdict {key.verdict!r} does not exist")
    if key.change_id is not None and key.change_id not in ids:
        out.append("the guilty change is not in the log")
    if key.verdict == "no_change":
        return out
    if key.category not in CATEGORIES:
        out.append(f"the category {key.category!r} does not exist")
    for subject in (key.subject, *key.subjects_ok):
        head, _, name = (subject or "").partition(":")
        if head not in SUBJECT_HEADS:
            out.append(f"the subject {subject!r} names nothing the kit knows")
        elif head in ("feature", "stage") and name not in columns:
            out.append(f"the subject {subject!r} is no column of the log")
    if not key.summary:
        out.append("the key has no summary for the debrief")
    if key.onset is None:
        return [*out, "there is no onset"]
    start, end = opened.time_range
    if not start < key.onset < end:
        out.append("the onset lies outside the log")
    if key.onset > opened.case.incident.detected_at:
        out.append("the alert comes before the onset")
    unknown = [c for w in key.where for c in w if c not in columns]
    if unknown:
        return [*out, f"the segment uses columns that the log does not have: {', '.join(unknown)}"]
    rows, time = read_log(folder)
    hit = int(true_rows(rows, key, time).sum())
    return [*out, f"only {hit} requests are hit after the onset"] if hit < LEAST_HIT else out
