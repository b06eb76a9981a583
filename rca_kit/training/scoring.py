"""Score findings against an answer key: the figures the kit is judged by."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.training.keys import Key, Where


@dataclass(frozen=True)
class CaseScore:
    """One case's figures; None where a figure does not apply (no onset in a quiet case, no scope when all is hit).

    `onset_error_minutes` is found minus true. `brier` is (probability of the first suspect - it was right)^2, with right
    meaning that it names the guilty thing or change; it exists for incidents only.
    """

    verdict_right: bool
    missed: bool | None
    false_alarm: bool | None
    onset_right: bool | None
    onset_error_minutes: float | None
    scope_f1: float | None
    category_right: bool | None
    first_right: bool | None
    among_three: bool | None
    innocent_blamed: bool | None
    brier: float | None
    seconds: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def rows_in(rows: pl.DataFrame, where: list[Where] | tuple[Where, ...]) -> NDArray[np.bool_]:
    """Which rows lie in any of the segments; all when there are none.

    Conditions are those of findings.json: a value, a list of values, None for missing, ``{"ge": low, "lt": high}``.
    A column that the rows do not have holds no row.

    Examples
    --------
    >>> frame = pl.DataFrame({"os": ["a", "b", None], "age": [1, 20, 30]})
    >>> rows_in(frame, [{"os": None}, {"age": {"ge": 18, "lt": 25}}]).tolist()
    [False, True, True]
    """
    if not where:
        return np.ones(len(rows), bool)
    out = np.zeros(len(rows), bool)
    for w in where:
        inside = np.ones(len(rows), bool)
        for name, condition in w.items():
            if name not in rows.columns:
                inside &= False
                continue
            inside &= _meets(rows[name], condition)
        out |= inside
    return out


def _meets(column: pl.Series, condition: Any) -> NDArray[np.bool_]:
    if condition is None:
        return column.is_null().to_numpy()
    if isinstance(condition, dict):
        inside = pl.Series([True] * len(column))
        if condition.get("ge") is not None:
            inside &= (column >= condition["ge"]).fill_null(False)
        if condition.get("lt") is not None:
            inside &= (column < condition["lt"]).fill_null(False)
        return inside.to_numpy()
    if isinstance(condition, (list, tuple)):
        out = np.zeros(len(column), bool)
        for c in condition:
            out |= _meets(column, c)
        return out
    return (column.cast(pl.String) == str(condition)).fill_null(False).to_numpy()


def scope_f1(rows: pl.DataFrame, found: list[Where], truth: list[Where] | tuple[Where, ...]) -> float:
    """F1 between the rows in the reported scope and the rows truly hit.

    Examples
    --------
    >>> frame = pl.DataFrame({"os": ["a", "a", "b", "b"]})
    >>> scope_f1(frame, [], [{"os": "a"}])
    0.6666666666666666
    """
    a, b = rows_in(rows, found), rows_in(rows, truth)
    both = int((a & b).sum())
    total = int(a.sum()) + int(b.sum())
    return 2 * both / total if total else 1.0


def names_guilty(suspect: dict[str, Any], key: Key) -> bool:
    """Whether a suspect names the guilty change or the guilty thing."""
    changes = {c for c in (key.change_id, *key.changes_ok) if c}
    if suspect.get("change_id") in changes:
        return True
    if suspect.get("change_id") in key.innocent:  # the right thing with an innocent change is a wrong accusation
        return False
    return suspect.get("subject") in {key.subject, *key.subjects_ok}


def score_case(
    findings: dict[str, Any], key: Key, rows: pl.DataFrame | None = None, time: str | None = None, seconds: float | None = None
) -> CaseScore:
    """Score findings.json of one case.

    Parameters
    ----------
    findings : dict
        What ``Investigation.to_dict()`` gives.
    key : Key
        The truth.
    rows : polars.DataFrame, optional
        The request log, to score the scope by rows; its UTC time column is `time`. The true rows are those of the key's
        segments at or after its onset.
    seconds : float, optional
        How long the investigation took.

    Examples
    --------
    >>> quiet = Key("Q", "no_change", None, 60, (), None, None, None, "", "noise-alert", "ads", 1)
    >>> score_case({"verdict": "no_change", "suspects": []}, quiet).false_alarm
    False
    """
    verdict = findings.get("verdict")
    suspects = findings.get("suspects") or []
    first = suspects[0] if suspects else None
    onset = (findings.get("symptom") or {}).get("onset")
    error = None
    if key.onset is not None and onset:
        error = (_utc(onset) - key.onset).total_seconds() / 60
    moved = key.verdict != "no_change"
    guilty = key.verdict == "incident"
    f1 = None
    if moved and key.where and rows is not None and key.onset is not None:
        after = rows.filter(pl.col(time) >= key.onset) if time else rows
        segments = [s["where"] for s in (findings.get("scope") or {}).get("segments", [])]
        f1 = scope_f1(after, segments, key.where) if verdict != "no_change" else 0.0
    hits = [names_guilty(s, key) for s in suspects[:3]]
    right = bool(hits and hits[0])
    accused = bool(first and first.get("change_id") and first["change_id"] not in {key.change_id, *key.changes_ok})
    return CaseScore(
        verdict_right=verdict == key.verdict,
        missed=(verdict != "incident") if guilty else None,
        false_alarm=(verdict == "incident") if key.verdict == "no_change" else None,
        onset_right=(error is not None and abs(error) <= key.onset_tolerance_minutes) if moved else None,
        onset_error_minutes=error if moved else None,
        scope_f1=f1,
        category_right=bool(first and first.get("category") in {key.category, *key.categories_ok}) if guilty else None,
        first_right=right if guilty else None,
        among_three=any(hits) if guilty else None,
        innocent_blamed=accused if guilty or (key.verdict == "no_change" and verdict == "incident") else False,
        brier=(float(first["probability"]) - right) ** 2 if guilty and first else (1.0 if guilty else None),
        seconds=seconds,
    )


def _utc(text: str) -> datetime:
    when = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def true_rows(rows: pl.DataFrame, key: Key, time: str) -> NDArray[np.bool_]:
    """Which rows of the log the fault could reach: in the key's segments, from the onset on."""
    if key.onset is None:
        return np.zeros(len(rows), bool)
    after: NDArray[np.bool_] = (rows[time] >= key.onset).fill_null(False).to_numpy()
    return rows_in(rows, key.where) & after
