"""Check of the decision threshold: where decisions, and outcomes that follow a cut of the score, are cut."""

from __future__ import annotations

import numpy as np

from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.room import Room, numbers
from rca_kit.loop.s4_suspects.units import ROW_MIN
from rca_kit.stats.cuts import best_cut
from rca_kit.stats.rates import rate_z

# part of decisions, and of outcomes, that one cut of the score must explain; part of the rarer outcome that it may miss
CUT_DECISIONS, CUT_OUTCOMES, CUT_OUTCOMES_RARE = 0.9, 0.97, 0.2
# standard errors, and part of the rows, by which more must lie off the cut; standard errors where on both sides one explains all
MOVED_Z, MOVED_LEAST, CLEAN, CLEAN_Z = 6.0, 0.003, 0.995, 4.0


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
    was, now = (best_cut(s, d) for s, d in sides)
    sb, db = sides[0]
    rare = min(float(db.mean()), 1 - float(db.mean()))  # of a constant any cut is right
    if was.clean < clean or (column != c.decision and 1 - was.clean > CUT_OUTCOMES_RARE * rare):
        return "decisions do not follow one cut of the score"
    s, d = sides[1]
    implied = was.implied(s)
    differ = float((implied != (d > 0.5)).mean())
    base = float((was.implied(sb) != (db > 0.5)).mean())
    z = rate_z(base * sb.size, sb.size, differ * s.size, s.size)
    least = CLEAN_Z if min(was.clean, now.clean) >= CLEAN else MOVED_Z
    if z < least or differ - base < MOVED_LEAST:
        return was.at
    mixed = now.clean < 0.97
    bad = implied != (d > 0.5)
    what = "decisions were" if column == c.decision else f"{column} was"
    text = (
        f"{what} cut at {was.at:.3g}, now at {now.at:.3g}"
        if not mixed
        else f"{differ:.1%} of {'decisions' if column == c.decision else column} no longer follow the cut at {was.at:.3g}"
    )
    return Clue(
        "threshold",
        "threshold",
        "threshold",
        text,
        float(z / (z + 4)),
        None,
        float(bad.mean()),
        facts={"from": was.at, "to": now.at, "differ": differ},
        where={
            "column": column,
            "op": "threshold",
            "cut": was.at,
            "score": c.score,
            "up": was.up,
            "positive": c.positive[column],
        },
    )
