"""Judge a group's answers against the key, step by step, beside what the kit found."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import polars as pl

from rca_kit.findings.base import iso
from rca_kit.findings.drill import Judged
from rca_kit.findings.investigation import Investigation
from rca_kit.loop.worked import Worked
from rca_kit.training.answers import Answers
from rca_kit.training.keys import Key
from rca_kit.training.questions import questions
from rca_kit.training.scoring import scope_f1

QUIET_WEIGHT = 40.0  # on a quiet day the verdict is nearly all there is to know
WRONG_KIND = 1 / 3  # of the points, for telling an incident from a benign shift wrongly: at least something was seen to move
ONSET_ZERO = 4.0  # tolerances after which an onset wins nothing
F1_FULL, F1_ZERO = 0.9, 0.3  # overlap of rows that counts as the same segment, and as another one
VERDICTS = {
    "incident": "an outcome got worse, or data were lost on the way",
    "benign_shift": "inputs or mix moved and no outcome got worse",
    "no_change": "nothing moved beyond chance and season",
}
MISSING = "not answered"


@dataclass(frozen=True)
class Bench:
    """All that a judge looks at: the key, the rows, and the kit's own investigation of the same case."""

    key: Key
    rows: pl.DataFrame
    time: str
    inv: Investigation
    worked: Worked
    answers: Answers

    @property
    def quiet(self) -> bool:
        """Whether nothing happened."""
        return self.key.verdict == "no_change"

    @property
    def categories(self) -> tuple[str, ...]:
        """Categories a fair judge accepts."""
        return tuple(c for c in (self.key.category, *self.key.categories_ok) if c)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Subjects a fair judge accepts."""
        return tuple(s for s in (self.key.subject, *self.key.subjects_ok) if s)

    @property
    def changes(self) -> tuple[str, ...]:
        """Guilty entries of the change log."""
        return tuple(c for c in (self.key.change_id, *self.key.changes_ok) if c)


def judged(
    name: str, given: str, truth: str, kit: str, share: float, why: str, look_at: str = "", of: float | None = None
) -> Judged:
    """Put one judgement together; `share` of the question's points, 0 to 1."""
    q = questions()[name]
    worth = q.of if of is None else of
    return Judged(q.step, name, given or MISSING, truth, kit, round(worth * min(max(share, 0.0), 1.0), 2), worth, why, look_at)


def where_text(where: Any) -> str:
    """Write a scope as people do.

    Examples
    --------
    >>> where_text([{"os": "android", "app": ["7", "8"]}]), where_text([]), where_text("all")
    ('os = android and app = 7 or 8', 'all traffic', 'all traffic')
    """
    if not where or where == "all":
        return "all traffic"
    return "; or ".join(" and ".join(f"{k} = {_value(v)}" for k, v in w.items()) for w in where)


def _value(v: Any) -> str:
    if isinstance(v, (list, tuple)):
        return " or ".join(map(str, v))
    return json.dumps(v) if isinstance(v, dict) or v is None else str(v)


def judge_signal(b: Bench) -> list[Judged]:
    """Verdict and main metric."""
    given, key = b.answers.verdict, b.key.verdict
    share = 1.0 if given == key else WRONG_KIND if given and "no_change" not in (given, key) else 0.0
    why = f"It was {key.replace('_', ' ')}: {VERDICTS[key]}. {b.key.summary or ''}".strip()
    if b.inv.verdict == key:
        why += f" The kit decided so because {b.inv.suspects.verdict_because.rstrip('.')}."
    if given == "incident" and key != "incident":
        why += " A false incident costs a roll-back that helps nobody, and trust in the alert."
    if given and given != "incident" and key == "incident":
        why += " A missed incident goes on hurting until somebody else reports it."
    out = [judged("verdict", given or "", key, b.inv.verdict, share, why, _look_signal(b), QUIET_WEIGHT if b.quiet else None)]
    if not b.quiet:
        moved = list(dict.fromkeys((b.inv.symptom.metric, *b.inv.symptom.also_changed)))
        metric = b.answers.metric or ""
        out.append(
            judged(
                "metric",
                metric,
                f"one of {', '.join(moved[:6])}",
                b.inv.symptom.metric,
                float(metric in moved),
                "Every metric in the list moved at the onset; the first one departs most clearly from its own noise.",
                "the metrics beside each other on one time axis",
            )
        )
    return out


def _look_signal(b: Bench) -> str:
    if b.quiet:
        return f"the same hours of earlier days, with counts: {b.inv.signal.because}"
    return b.inv.signal.because or b.inv.symptom.says()


def judge_symptom(b: Bench) -> tuple[list[Judged], float | None]:
    """Onset, with its error in minutes; on a quiet day an onset is a change seen in noise."""
    found = b.inv.symptom.onset if b.inv.verdict != "no_change" else None
    kit = iso(found) if found else "none"
    given = iso(b.answers.onset) if b.answers.onset else ""
    if b.key.onset is None:
        if not given:
            return [], None
        return [
            judged(
                "onset",
                given,
                "none",
                kit,
                0.0,
                "Nothing changed: that time lies in ordinary noise.",
                "how often the metric goes as low on healthy days",
            )
        ], None
    if b.answers.onset is None:
        error, share = None, 0.0
    else:
        error = (b.answers.onset - b.key.onset).total_seconds() / 60
        beyond = abs(error) / max(b.key.onset_tolerance_minutes, 1) - 1
        share = 1 - beyond / (ONSET_ZERO - 1) if beyond > 0 else 1.0
    why = f"It began at {iso(b.key.onset)}; {b.key.onset_tolerance_minutes} minutes either way count as right."
    if error is not None and share < 1:
        why += f" You are {abs(error):.0f} minutes {'late' if error > 0 else 'early'}." + (
            " Who starts late finds changes guilty that came after the fault."
            if error > 0
            else " Who starts early finds changes guilty that had done nothing yet."
        )
    look = "; ".join(f"{o.metric} left its range at {iso(o.time)}" for o in b.inv.symptom.onsets[:3])
    return [judged("onset", given, iso(b.key.onset), kit, share, why, look or "the metrics with the least noise")], error


def judge_scope(b: Bench) -> tuple[list[Judged], float | None]:
    """Segment, by the rows in it after the onset."""
    if b.quiet or b.key.onset is None:
        return [], None
    kit = where_text([s.where for s in b.inv.scope.segments])
    truth = where_text(b.key.where)
    if b.answers.where is None:
        return [judged("where", "", truth, kit, 0.0, _why_scope(b), _look_scope(b))], None
    after = b.rows.filter(pl.col(b.time) >= b.key.onset)
    given: list[dict[str, Any]] = [] if b.answers.where == "all" else list(b.answers.where)
    unknown = sorted({c for w in given for c in w} - set(b.rows.columns))
    f1 = scope_f1(after, given, b.key.where)
    why = _why_scope(b) + f" Rows in your segment and rows truly hit overlap with F1 {f1:.2f}."
    if unknown:
        why += f" The log has no column {', '.join(unknown)}."
    return [
        judged("where", where_text(b.answers.where), truth, kit, (f1 - F1_ZERO) / (F1_FULL - F1_ZERO), why, _look_scope(b))
    ], f1


def _why_scope(b: Bench) -> str:
    if not b.key.where:
        return "All traffic was hit: no segment carries more than its share."
    return f"Hit were requests with {where_text(b.key.where)}."


def _look_scope(b: Bench) -> str:
    found = b.inv.scope.segments
    if not found:
        return b.inv.scope.says()
    s = found[0]
    moved = f": {s.before:.3g} -> {s.after:.3g}" if s.before is not None and s.after is not None else ""
    return f"{where_text([s.where])}{moved}; then the same metric for everybody else"
