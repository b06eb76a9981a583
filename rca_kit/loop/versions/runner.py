"""Asking a model for answers to many samples: in chunks, failing rows apart, written down as they arrive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rca_kit.loop.progress import Meter, Report
from rca_kit.loop.versions.recording import Recording
from rca_kit.models.answers import Answers, call

Places = NDArray[np.intp]
Take = Callable[[Places], Any]

CHUNK = 50_000  # rows per call of an in-process model: large enough for vectorised code, small enough to lose little
HOPELESS = 50  # single rows that failed in a row: the model itself is broken, and trying each of the rest would take for ever


@dataclass(frozen=True)
class Run:
    """Answers of one version: one array per repeat (NaN or None: failed), and reasons of failures by row."""

    answers: tuple[Any, ...]
    errors: dict[int, str]


def run_model(
    model: Callable[[Any], Any],
    take: Take,
    ids: list[str],
    *,
    version: str,
    repeats: int,
    recording: Recording,
    chunk: int | None = None,
    progress: Report | bool | None = None,
) -> Run:
    """Ask a model for every sample, `repeats` times; samples already recorded are not asked again.

    `take` gives the frame of some samples by their places. A call that fails is halved until the samples at fault stand alone.
    """
    size = chunk or getattr(model, "chunk", None) or CHUNK
    total = len(ids)
    errors: dict[int, str] = {}
    answers: list[Any] = []
    meter = Meter(version, total * repeats, progress)
    for repeat in range(repeats):
        known = recording.answered(version, repeat)
        todo = np.asarray([i for i, one in enumerate(ids) if one not in known], dtype=np.intp) if known else np.arange(total)
        meter.add(total - len(todo))
        got: list[Any] = []
        for start in range(0, len(todo), size):
            rows = todo[start : start + size]
            answer = _ask(model, take, rows, [0])
            failed = {int(rows[i]): reason for i, reason in answer.errors.items()}
            errors.update(failed)
            if recording.path is not None:
                good = np.setdiff1d(np.arange(len(rows)), np.fromiter(answer.errors, dtype=np.intp))
                recording.add(
                    version, repeat, [ids[i] for i in rows[good]], answer.values[good], {ids[i]: e for i, e in failed.items()}
                )
            got.append(answer.values)
            meter.add(len(rows))
        fresh = _join(got)
        if known:
            values: list[Any] = [known.get(one) for one in ids]
            for i, value in zip(todo, fresh, strict=True):
                values[i] = value
            fresh = _join([np.asarray(values, dtype=object)])
        answers.append(fresh)
    return Run(tuple(answers), errors)


def _ask(model: Callable[[Any], Any], take: Take, rows: Places, failed_in_a_row: list[int]) -> Answers:
    """Ask for some samples; never raises for what a model does."""
    n = len(rows)
    try:
        answer = call(model, take(rows), n)
    except Exception as error:  # a model is somebody else's code: whatever it raises is a failure of these samples
        if n == 1 or failed_in_a_row[0] >= HOPELESS:
            failed_in_a_row[0] += 1
            reason = f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}".rstrip(": ")
            return Answers(np.full(n, None, dtype=object), dict.fromkeys(range(n), reason))
        middle = n // 2
        left = _ask(model, take, rows[:middle], failed_in_a_row)
        right = _ask(model, take, rows[middle:], failed_in_a_row)
        return Answers(_join([left.values, right.values]), dict(left.errors) | {i + middle: e for i, e in right.errors.items()})
    failed_in_a_row[0] = 0
    return answer


def _join(parts: list[Any]) -> Any:
    """One array of all parts: floats when every answer is a number or missing."""
    if not parts:
        return np.zeros(0)
    if all(p.dtype != object for p in parts):
        return np.concatenate(parts)
    whole = np.concatenate([p.astype(object) for p in parts])
    if all(v is None or isinstance(v, (int, float, np.number)) for v in whole):
        return np.asarray([np.nan if v is None else v for v in whole], dtype=np.float64)
    return np.asarray([None if isinstance(v, float) and v != v else v for v in whole], dtype=object)
