"""Checks of free-text columns: what they say and how long they are, before and after."""

from __future__ import annotations

import numpy as np
import polars as pl

from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.room import Room, as_clues
from rca_kit.stats.rates import rate_z

LEAST_LENGTH = 12  # shorter strings are codes, not texts
BLANKS = 2  # on average, from which strings are phrases, however often they are used again (prompts from templates)
PHRASE_BLANKS = 3  # on average, from which the few values of a segment are phrases
TEXT_ROWS = 1500  # texts read a side: a rate of two per cent is seen in thirty
TEXT_RATES = ("injection", "refusal", "leaks", "toxicity", "repetition", "cut_off")


def text_content(room: Room) -> Outcome:
    """What texts say: injected prompts, refusals, leaked data, toxicity, repetition, before and after (sampled)."""
    title, texts = "Content of text columns", [*_texts(room), *_phrases(room)]
    if not texts:
        return Outcome("text_content", title, "external", "seconds", not_applicable="no free-text column")
    from rca_kit.loop.s5_samples.text_detectors import text_measures

    clues = []
    for name in texts:
        sides = [text_measures(f[name].drop_nulls().head(TEXT_ROWS), only=TEXT_RATES) for f in (room.before, room.after)]
        for measure in TEXT_RATES:
            b, a = (np.asarray(s[measure], float) for s in sides)
            b, a = b[np.isfinite(b)] > 0, a[np.isfinite(a)] > 0
            if min(b.size, a.size) < 200:
                continue
            z = rate_z(float(b.sum()), b.size, float(a.sum()), a.size)
            if z > 6 and a.mean() - b.mean() > 0.01:
                kind = "injected" if measure == "injection" else "text_quality"
                clues.append(
                    Clue(
                        "text_content",
                        "population" if kind == "injected" else f"feature:{name}",
                        kind,
                        f"{name}: {measure.replace('_', ' ')} in {b.mean():.1%} -> {a.mean():.1%} of texts",
                        float(z / (z + 5)),
                        None,
                        float(a.mean() - b.mean()),
                        where={"column": name, "op": "matches", "pattern": _seen(room, name)} if kind == "injected" else None,
                    )
                )
    return Outcome("text_content", title, "external", "seconds", as_clues(clues), "texts say what they said before")


def _seen(room: Room, name: str) -> str:
    """Pattern of the injections that the sample shows: all families at once would take seconds on each look at the log."""
    from rca_kit.loop.s5_samples.text_detectors import INJECTION, any_of

    texts = room.after[name].drop_nulls().head(TEXT_ROWS)
    return any_of(tuple(p for p in INJECTION if texts.str.contains(any_of((p,))).any()) or INJECTION)


def _texts(room: Room) -> list[str]:
    return [
        n
        for n, t in room.before.schema.items()
        if t == pl.String
        and n not in room.columns.segments
        and (
            room.before[n].n_unique() > 0.3 * max(room.before.height, 1)
            or _average(room.before[n].str.count_matches(" ")) >= BLANKS
        )
        and _average(room.before[n].str.len_chars()) > LEAST_LENGTH
    ]


def _phrases(room: Room) -> list[str]:
    """Segments whose values are phrases: prompts that are asked again and again, of which a few may be new."""
    strings = [n for n in room.columns.segments if room.before.schema.get(n) == pl.String]
    return [n for n in strings if _average(room.before[n].str.count_matches(" ")) >= PHRASE_BLANKS]


def _average(s: pl.Series) -> float:
    return float(s.cast(pl.Float64).fill_null(0).to_numpy().mean()) if s.len() else 0.0


def text_shift(room: Room) -> Outcome:
    """Free-text columns: lengths before and after (truncation, another language, an attack)."""
    title = "Text columns"
    texts = _texts(room)
    if not texts:
        return Outcome("text", title, "code", "seconds", not_applicable="no free-text column among the features")
    clues = []
    for name in texts:
        b, a = (np.log1p(f[name].str.len_chars().cast(pl.Float64).drop_nulls().to_numpy()) for f in (room.before, room.after))
        if min(b.size, a.size) < 200:
            continue
        spread = float(b.std()) or 1.0
        d = float((a.mean() - b.mean()) / spread)
        z = d / np.sqrt(1 / a.size + 1 / b.size)
        cap = float(np.exp(np.quantile(a, 0.999)))
        capped = float((a >= np.quantile(a, 0.999) - 1e-9).mean())
        if abs(z) > 7 and abs(d) > 0.15:
            kind = "truncated" if d < 0 and capped > 0.03 else "text_length"
            clues.append(
                Clue(
                    "text_length",
                    f"feature:{name}",
                    kind,
                    f"{name}: length {np.expm1(b.mean()):.0f} -> {np.expm1(a.mean()):.0f} "
                    f"characters" + (f", cut at {cap:.0f}" if kind == "truncated" else ""),
                    float(abs(z) / (abs(z) + 8)),
                )
            )
    return Outcome("text", title, "code", "seconds", as_clues(clues), "texts are as long as before")
