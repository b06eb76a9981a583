"""How far two answers to one request are from each other: texts, rankings, JSON documents, probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOGIT_CLIP = 1e-3  # probabilities nearer to 0 or 1 than this are one: their log-odds would drown all others in noise
MAX_TEXT = 4000  # characters compared of each text; longer ones are compared by words, so that no pair takes over 10 ms
RANK_PERSISTENCE = 0.9  # weight of depth in rank-biased overlap: the first ten places carry 86 % (Webber et al. 2010)


def logit(p: Any) -> NDArray[np.float64]:
    """Log-odds of probabilities, clipped to [0.001, 0.999].

    Examples
    --------
    >>> logit([0.5, 0.0]).round(2).tolist()
    [0.0, -6.91]
    """
    q = np.clip(np.asarray(p, dtype=np.float64), LOGIT_CLIP, 1 - LOGIT_CLIP)
    out: NDArray[np.float64] = np.log(q) - np.log1p(-q)
    return out


def edit_distance(a: Sequence[Any], b: Sequence[Any]) -> int:
    """Levenshtein distance of two sequences, bit-parallel (Myers 1999, doi:10.1145/316542.316550; Hyyrö 2003).

    Examples
    --------
    >>> edit_distance("kitten", "sitting")
    3
    """
    if a == b:
        return 0
    if len(a) > len(b):
        a, b = b, a
    m = len(a)
    if not m:
        return len(b)
    at: dict[Any, int] = {}
    for i, item in enumerate(a):
        at[item] = at.get(item, 0) | (1 << i)
    mask, last = (1 << m) - 1, 1 << (m - 1)
    plus, minus, score = mask, 0, m
    for item in b:
        eq = at.get(item, 0)
        vertical = eq | minus
        horizontal = (((eq & plus) + plus) ^ plus) | eq
        up = minus | (~(horizontal | plus) & mask)
        down = plus & horizontal
        if up & last:
            score += 1
        if down & last:
            score -= 1
        up = ((up << 1) | 1) & mask
        down = (down << 1) & mask
        plus = down | (~(vertical | up) & mask)
        minus = up & vertical
    return score


def text_distance(a: str, b: str) -> float:
    """Share of characters (of words, in long texts) to edit: 0 for the same text, 1 for nothing in common.

    Examples
    --------
    >>> text_distance("yes, of course", "yes of course") < 0.1
    True
    """
    if a == b:
        return 0.0
    first: Sequence[Any] = a
    second: Sequence[Any] = b
    if max(len(a), len(b)) > MAX_TEXT:
        first, second = a.split()[:MAX_TEXT], b.split()[:MAX_TEXT]
        if first == second:
            return 0.0
    return edit_distance(first, second) / max(len(first), len(second), 1)


def ranking_distance(a: Sequence[Any], b: Sequence[Any]) -> float:
    """One less rank-biased overlap: 0 for the same order, 1 for disjoint lists.

    References
    ----------
    Webber, Moffat and Zobel (2010), doi:10.1145/1852102.1852106; cut at the longer list and scaled to reach 1.

    Examples
    --------
    >>> ranking_distance([1, 2, 3], [1, 2, 3]), ranking_distance([1, 2], [3, 4])
    (0.0, 1.0)
    """
    depth = max(len(a), len(b))
    if not depth:
        return 0.0
    if list(a) == list(b):
        return 0.0
    seen_a: set[Any] = set()
    seen_b: set[Any] = set()
    overlap, total, weights = 0.0, 0.0, 0.0
    for d in range(depth):
        if d < len(a):
            seen_a.add(a[d])
        if d < len(b):
            seen_b.add(b[d])
        weight = RANK_PERSISTENCE**d
        overlap = len(seen_a & seen_b) / max(len(seen_a), len(seen_b), 1)
        total += weight * overlap
        weights += weight
    return 1.0 - total / weights


def flatten(document: Any, prefix: str = "") -> dict[str, Any]:
    """Leaves of a JSON document by path; items of lists by place.

    Examples
    --------
    >>> flatten({"a": {"b": 1}, "c": [2, 3]})
    {'a.b': 1, 'c[0]': 2, 'c[1]': 3}
    """
    if isinstance(document, dict) and document:
        out: dict[str, Any] = {}
        for key, value in document.items():
            out.update(flatten(value, f"{prefix}.{key}" if prefix else str(key)))
        return out
    if isinstance(document, list) and document:
        out = {}
        for i, value in enumerate(document):
            out.update(flatten(value, f"{prefix}[{i}]"))
        return out
    return {prefix or "$": document}


def document_distance(a: Any, b: Any) -> tuple[float, frozenset[str]]:
    """Share of leaves that differ (missing ones too), and their paths.

    Examples
    --------
    >>> document_distance({"a": 1, "b": 2}, {"a": 1, "b": 3})
    (0.5, frozenset({'b'}))
    """
    left, right = flatten(a), flatten(b)
    paths = left.keys() | right.keys()
    missing = object()
    differ = frozenset(p for p in paths if not _same(left.get(p, missing), right.get(p, missing)))
    return len(differ) / max(len(paths), 1), differ


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return a == b or abs(a - b) <= 1e-9 * max(abs(a), abs(b))
    return type(a) is type(b) and a == b
