"""Check of the decision threshold: where decisions, and outcomes that follow a cut of the score, are cut."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.room import Room, numbers
from rca_kit.loop.s4_suspects.units import ROW_MIN
from rca_kit.stats.rates import rate_z

Floats = NDArray[np.float64]

# part of decisions, and of outcomes, that one cut of the score must explain; part of the rarer outcome that it may miss
CUT_DECISIONS, CUT_OUTCOMES, CUT_OUTCOMES_RARE = 0.9, 0.97, 0.2


def threshold(room: Room) -> Outcome:
    """Whether decisions are cut at another score than before; outcomes that follow a cut too tell of one as decisions do."""
    title, c = "Decision threshold", room.columns
    asked = {c.decision: CUT_DECISIONS} if c.decision is not None and c.decision in c.positive else {}
    asked |= {k: CUT_OUTCOMES for k in c.kpis if k in c.positive}
    if c.score is None or not asked:
        return Outcome("threshold", title, "config", "free", not_applicable="needs a score and a two-valued decision")
    told = {name: _moved_cut(room, str(name), clean) for name, clean in asked.items()}
    clues = tuple(t for t in told.values() if isinstance(t, Clue))
    if clues:
        return Outcome("threshold", title, "config", "free", clues[:1])
    first = next(iter(told.values()))
    if isinstance(first, float):
        return Outcome("threshold", title, "config", "free", clear=f"decisions are still cut at {first:.3g}")
    return Outcome("threshold", title, "config", "free", not_applicable=str(first))


def _moved_cut(room: Room, column: str, clean: float) -> Clue | float | str:
    """What tells that a two-valued column is cut at another score; the cut, where it is as before; why nothing is told."""
    c, sides = room.columns, []
    for frame in (room.before, room.after):
        s, d = numbers(frame, c.score), numbers(frame, column, c.positive[column])
        ok = np.isfinite(s) & np.isfinite(d)
        sides.append((s[ok], d[ok]))
    if min(s.size for s, _ in sides) < ROW_MIN:
        return "too few decided rows"
    (cut_b, clean_b), (cut_a, clean_a) = (_cut(s, d) for s, d in sides)
    sb, db = sides[0]
    rare = min(float(db.mean()), 1 - float(db.mean()))  # of a constant any cut is right
    if clean_b < clean or (column != c.decision and 1 - clean_b > CUT_OUTCOMES_RARE * rare):
        return "decisions do not follow one cut of the score"
    s, d = sides[1]
    up = cut_b[1]
    implied = (s >= cut_b[0]) == up
    differ = float((implied != (d > 0.5)).mean())
    base = float((((sb >= cut_b[0]) == up) != (db > 0.5)).mean())
    z = rate_z(base * sb.size, sb.size, differ * s.size, s.size)
    if z < 6 or differ - base < 0.003:
        return cut_b[0]
    mixed = clean_a < 0.97
    bad = implied != (d > 0.5)
    what = "decisions were" if column == c.decision else f"{column} was"
    text = (
        f"{what} cut at {cut_b[0]:.3g}, now at {cut_a[0]:.3g}"
        if not mixed
        else f"{differ:.1%} of {'decisions' if column == c.decision else column} no longer follow the cut at {cut_b[0]:.3g}"
    )
    return Clue(
        "threshold",
        "threshold",
        "threshold",
        text,
        float(z / (z + 4)),
        None,
        float(bad.mean()),
        facts={"from": cut_b[0], "to": cut_a[0], "differ": differ},
        where={
            "column": column,
            "op": "threshold",
            "cut": cut_b[0],
            "score": c.score,
            "up": up,
            "positive": c.positive[column],
        },
    )


def _cut(score: Floats, decision: Floats) -> tuple[tuple[float, bool], float]:
    """Best single cut: (score at or above which the decision is positive, orientation), and how cleanly it separates."""
    order = np.argsort(score, kind="stable")
    s, d = score[order], decision[order]
    ones = np.concatenate([[0.0], np.cumsum(d)])
    zeros = np.concatenate([[0.0], np.cumsum(1 - d)])
    right = zeros + (ones[-1] - ones)  # zeros below the cut, ones at or above
    valid = np.concatenate([[True], np.diff(s) > 0, [True]])
    right_up = np.where(valid, right, -1)
    right_down = np.where(valid, s.size - right, -1)
    up = bool(right_up.max() >= right_down.max())
    scores = right_up if up else right_down
    i = int(np.argmax(scores))
    at = float(s[min(i, s.size - 1)]) if i < s.size else float(s[-1]) + 1e-9
    if 0 < i < s.size:
        at = float((s[i - 1] + s[i]) / 2)
    return (at, up), float(scores[i] / s.size)
