"""Text columns, as prompts and responses: length, language, vocabulary and the rates of the text detectors."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rca_kit.aggregates.profile import ColumnProfile
from rca_kit.aggregates.profile_parts import OTHER
from rca_kit.stats.drift import ColumnChange, ColumnStats, compare_column

SAMPLED = 3000  # texts per side, spread evenly: detectors cost a tenth of a millisecond each
MOSTLY_OTHER = 0.5  # share of rows whose value is not named, above which a column of strings may be text
LONG = 20  # characters on average that make free text of strings with spaces
BLOCKS = 60
CELLS = 64
OF_LENGTH = (
    "psi",
    "js",
    "kl",
    "ks",
    "wasserstein",
    "mean_before",
    "mean_after",
    "spread_before",
    "spread_after",
    "mean_change_sigma",
    "mean_change_low",
    "mean_change_high",
)  # what the row of a text column shows of its length
WORD = re.compile(r"\w{2,}", re.UNICODE)


def may_be_text(column: ColumnProfile) -> bool:
    """Whether most values are their own: then the strings themselves decide (`is_text`)."""
    if column.labels is None or OTHER not in column.labels or column.rows == 0:
        return False
    other = int(column.counts[:, column.labels.index(OTHER)].sum())
    return other > MOSTLY_OTHER * int(column.counts.sum())


def is_text(values: list[str | None]) -> bool:
    """Whether strings read like free text: long, with spaces.

    Examples
    --------
    >>> is_text(["please translate this letter", "what is the weather like"]), is_text(["user-17", "user-18"])
    (True, False)
    """
    present = [v for v in values if v]
    if not present:
        return False
    return sum(map(len, present)) / len(present) >= LONG and sum(" " in v for v in present) > 0.7 * len(present)


def text_change(base: ColumnChange, before: list[str | None], after: list[str | None]) -> ColumnChange:
    """Add the tests of all measures to a column's null test; `before` and `after` are texts in order of the rows."""
    from rca_kit.loop.s5_samples.text_detectors import fitting_measures, text_measures

    sides = [text_measures(values) for values in (before, after)]
    fitting = [m for m in fitting_measures(base.column) if m in sides[0] and m in sides[1]]
    unseen = _unseen_words(before, after)
    for side, values in zip(sides, unseen, strict=True):
        side["unseen_words"] = values
    changes = []
    for measure in (*fitting, "unseen_words"):
        left, right = sides[0][measure], sides[1][measure]
        stats = _words_stats(measure, left, right) if left.dtype == object else _number_stats(measure, left, right)
        if stats is not None:
            changes.append((measure, compare_column(*stats, judge=False)))
    tests = list(base.tests)
    share = 1.0 / max(len(changes), 1)
    for measure, change in changes:
        name = measure.replace("_", " ")
        tests += [
            replace(t, name=f"{measure} {t.name}", share=t.share * share, says=f"{name}: {_in_words(t.says, change)}")
            for t in change.tests
            if t.name not in ("missing", "shape", "value", "range", "spread")
        ]
    length = next((c for m, c in changes if m == "length"), None)
    more: dict[str, Any] = {}
    if length is not None:
        more = {k: getattr(length, k) for k in OF_LENGTH}
    return replace(base, kind="text", reason="", tests=tuple(tests), **more)


def _in_words(says: str, change: ColumnChange) -> str:
    if change.mean_before is not None and change.mean_after is not None:
        return f"mean {change.mean_before:.3g} -> {change.mean_after:.3g}"
    return says


def _unseen_words(before: list[str | None], after: list[str | None]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Share of words per text that a second half of before does not know; fair to both sides."""
    known = Counter(w for text in before[::2] if text for w in set(WORD.findall(text.casefold())))

    def share(text: str | None) -> float:
        words = WORD.findall(text.casefold()) if text else []
        return sum(w not in known for w in words) / len(words) if words else np.nan

    return np.array([share(t) for t in before[1::2]], float), np.array([share(t) for t in after], float)


def _number_stats(name: str, before: NDArray[Any], after: NDArray[Any]) -> tuple[ColumnStats, ColumnStats] | None:
    both = np.concatenate([before, after])
    both = both[np.isfinite(both)]
    if len(both) < 2 or both.min() == both.max():
        return None
    edges = np.unique(np.quantile(both, np.linspace(0, 1, CELLS + 1)[1:-1]))
    edges = edges[edges > both.min()]
    if not len(edges):
        edges = np.array([both.max()])
    return _number(name, before, edges), _number(name, after, edges)


def _number(name: str, values: NDArray[Any], edges: NDArray[np.float64]) -> ColumnStats:
    there = np.isfinite(values)
    block = np.arange(len(values)) * BLOCKS // max(len(values), 1)
    x, cells = values[there], len(edges) + 1
    joint = block[there] * cells + np.searchsorted(edges, x, side="right")
    counts = np.bincount(joint, minlength=BLOCKS * cells).reshape(BLOCKS, cells)
    more: dict[str, Any] = {"minimum": float(x.min()), "maximum": float(x.max())} if len(x) else {}
    return ColumnStats.number(
        name,
        edges,
        counts,
        np.bincount(block[~there], minlength=BLOCKS),
        sums=np.array([x.sum()]),
        squares=np.array([x @ x]),
        **more,
    )


def _words_stats(name: str, before: NDArray[Any], after: NDArray[Any]) -> tuple[ColumnStats, ColumnStats] | None:
    labels = tuple(sorted({str(v) for v in (*before, *after) if v is not None}))
    if len(labels) < 2:
        return None
    sides = []
    for values in (before, after):
        block = np.arange(len(values)) * BLOCKS // max(len(values), 1)
        counts, missing = np.zeros((BLOCKS, len(labels)), np.int64), np.zeros(BLOCKS, np.int64)
        for at, value in zip(block, values, strict=True):
            if value is None:
                missing[at] += 1
            else:
                counts[at, labels.index(str(value))] += 1
        sides.append(ColumnStats.category(name, labels, counts, missing))
    return sides[0], sides[1]
