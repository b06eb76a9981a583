"""The decision threshold under a person's hand: confusion and KPIs of the sampled rows, before and after, at any cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rca_kit.findings.base import Finding
from rca_kit.loop.s4_suspects.room import Room, numbers
from rca_kit.loop.s6_simulate.whatif import Rows, best_threshold, rows_of


@dataclass(frozen=True)
class Confusion:
    """Counts of decisions against labels, as shares of the labelled rows; None where nothing is labelled."""

    window: str
    rows: int
    labelled: int
    tp: int
    fp: int
    fn: int
    tn: int
    positive_rate: float | None
    kpis: tuple[tuple[str, float | None, float | None], ...]  # name, mean where the decision is yes, and where it is no

    @property
    def precision(self) -> float | None:
        """Share of yes that are right."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else None

    @property
    def recall(self) -> float | None:
        """Share of positives that get a yes."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else None


@dataclass(frozen=True, repr=False)
class Cut(Finding):
    """What one threshold of the score would decide, in the sampled rows before and after."""

    next_call = "`.frame()`"

    threshold: float
    in_use: tuple[float | None, float | None]
    low: float
    high: float
    windows: tuple[Confusion, ...]

    def says(self) -> str:
        """Name the thresholds in use."""
        names = [f"{w} {v:.4g}" for w, v in zip(("before", "after"), self.in_use, strict=True) if v is not None]
        return f"In use: {', '.join(names)}." if names else "The decisions do not follow one threshold of the score."

    def rows(self) -> list[dict[str, Any]]:
        """One row per window."""
        return [
            {
                "window": c.window,
                "rows": c.rows,
                "labelled": c.labelled,
                "true positives": c.tp,
                "false positives": c.fp,
                "false negatives": c.fn,
                "true negatives": c.tn,
                "precision": c.precision,
                "recall": c.recall,
                "positive_rate": c.positive_rate,
                **{f"{k} if yes": yes for k, yes, _ in c.kpis},
                **{f"{k} if no": no for k, _, no in c.kpis},
            }
            for c in self.windows
        ]


def cut_at(room: Room, threshold: float | None = None, *, label: bool = True) -> Cut | None:
    """Cut the sampled scores at a threshold, that in use after when none is given; None without scores to cut.

    KPIs are those that were logged: where another threshold would have decided otherwise, they tell what followed the decision
    that was made, not what would have followed.
    """
    c = room.columns
    if c.score is None or c.task not in ("binary", "ranking", "text"):
        return None
    positive = {role: c.positive[name] for role, name in (("decision", c.decision), ("label", c.label)) if name in c.positive}
    sides = [rows_of(f, c.score, c.decision, c.label if label else None, positive) for f in (room.before, room.after)]
    scores = np.concatenate([s.score[~np.isnan(s.score)] for s in sides])
    if not scores.size:
        return None
    low, high = float(scores.min()), float(scores.max())
    in_use = (best_threshold(sides[0]), best_threshold(sides[1]))
    known = next((v for v in (in_use[1], in_use[0]) if v is not None), None)
    at = threshold if threshold is not None else known if known is not None else float(np.median(scores))
    names = ("before", "after")
    windows = tuple(_confusion(w, s, at, room) for w, s in zip(names, sides, strict=True))
    return Cut(at, in_use, low, high, windows)


def _confusion(window: str, rows: Rows, at: float, room: Room) -> Confusion:
    scored = ~np.isnan(rows.score)
    yes = scored & (rows.score >= at)
    labelled = scored & ~np.isnan(rows.label)
    positive = labelled & (rows.label == 1)
    kpis = []
    for name in room.columns.kpis:
        x = numbers(rows.frame, name, room.columns.positive.get(name))
        there = np.isfinite(x)
        kpis.append((name, _mean(x[there & yes]), _mean(x[there & scored & ~yes])))
    return Confusion(
        window,
        int(scored.sum()),
        int(labelled.sum()),
        int((positive & yes).sum()),
        int((labelled & ~positive & yes).sum()),
        int((positive & ~yes).sum()),
        int((labelled & ~positive & ~yes).sum()),
        float(yes.sum() / scored.sum()) if scored.any() else None,
        tuple(kpis),
    )


def _mean(x: Any) -> float | None:
    return float(x.mean()) if len(x) else None
