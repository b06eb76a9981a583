"""Checks of features that moved: one alone while the rest stayed, or any of them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from rca_kit.loop.reading.picture import same_days
from rca_kit.loop.s4_suspects.checks.traffic import MIX_LEAST
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.room import Room, as_clues
from rca_kit.stats.drift import ColumnChange

ALONE_LEAST = 0.2  # sigmas (or Cohen's h) by which a lone feature must move
SEASONED_LEAST = 0.3  # sigmas by which the mean over time must move for it to overrule the comparison
DRIFT_LEAST = 0.1  # sigmas (or Cohen's h) a feature must move to be called drifted


def alone(room: Room) -> Outcome:
    """One feature (or the features of one source) that moved while the rest of the requests stayed the same."""
    title = "Features that moved alone"
    tested = [c for n, c in room.compared.items() if n in room.columns.features and n not in room.clocks]
    told = [c for c in tested if _told(room, c.column)]
    moved = [c for c in map(partial(_over_time, room), told) if c.changed and abs(c.effect) >= ALONE_LEAST]
    moved = [c for c in moved if c.column not in room.columns.segments]
    segments = [
        n
        for n in room.moved("mix")
        if room.picture.series[n].column in room.columns.segments and abs(room.readings[n].change or 0.0) >= MIX_LEAST
    ]
    if not moved or len(moved) > max(2, len(tested) // 4) or segments:
        return Outcome("alone", title, "upstream", "free", clear="no feature moved by itself")
    clues = tuple(
        Clue(
            "alone",
            f"feature:{c.column}",
            "alone",
            f"{c.column} moved ({c.reason}) while {len(tested) - len(moved)} other features did not",
            float(np.clip(abs(c.effect) / (abs(c.effect) + 0.3), 0, 0.95)),
            room.onset(f"mean:{c.column}"),
            facts={"effect": c.effect},
        )
        for c in moved
    )
    return Outcome("alone", title, "upstream", "free", as_clues(clues))


def _told(room: Room, column: str) -> bool:
    """Whether a difference before/after says more than working days against a weekend: else a series of the column must tell."""
    if same_days(room.picture):
        return True
    return any(room.readings[n].moved for n, s in room.picture.series.items() if s.column == column and n in room.readings)


def _over_time(room: Room, c: ColumnChange) -> ColumnChange:
    """The comparison, or what the mean over time says where that saw no change: a season in a column hides it from the first."""
    reading = room.readings.get(f"mean:{c.column}")
    if c.changed or reading is None or not reading.moved or not c.spread_before:
        return c
    effect = ((reading.after or 0.0) - (reading.before or 0.0)) / c.spread_before
    if abs(effect) < SEASONED_LEAST:  # weather and the like wander
        return c
    return replace(c, changed=True, effect=effect, reason=f"mean {reading.before:.4g} -> {reading.after:.4g} beyond its season")


def drift(room: Room) -> Outcome:
    """Features whose distribution moved beyond chance (the data comparison), without a fault seen in them."""
    clues = []
    for column, compared in room.compared.items():
        change = _over_time(room, compared)
        if not change.changed or abs(change.effect) < DRIFT_LEAST or column not in room.columns.features or column in room.clocks:
            continue
        if not _told(room, column):
            continue
        psi = f", PSI {change.psi:.2f}" if change.psi is not None else ""
        strength = float(np.clip(abs(change.effect) / (abs(change.effect) + 0.4), 0, 0.95))
        clues.append(
            Clue(
                "drift",
                f"feature:{column}",
                "drift",
                f"{column}: {change.reason}{psi}",
                strength,
                room.onset(f"mean:{column}"),
                facts={"psi": change.psi or 0.0, "effect": change.effect},
            )
        )
    return Outcome(
        "drift", "Drift of features", "external", "free", as_clues(clues), "no feature's distribution moved beyond chance"
    )
