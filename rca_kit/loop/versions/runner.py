"""Asking a model for answers to many samples: in chunks, failing rows apart, written down as they arrive."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np

from rca_kit.loop.progress import Meter, Report
from rca_kit.loop.versions.recording import Pieces, Places, Recording
from rca_kit.models.answers import Answers, call, to_answers

Take = Callable[[Places], Any]

CHUNK = 100_000  # rows per call of an in-process model: as fast as all at once, by any vectorised code
STEPS = (16, 128, 1024, 8192, CHUNK)  # rows per call where answers are kept or progress is shown: the most for CALL_SECONDS
CALL_SECONDS = 10.0  # work that an interruption may cost, and how long a line of progress may stand still
HOPELESS = 50  # single rows that failed in a row: the model itself is broken, and trying each of the rest would take for ever


@dataclass(frozen=True)
class Run:
    """Answers of one version: one array per repeat (NaN or None: failed), and reasons of failures by row."""

    answers: tuple[Any, ...]
    errors: dict[int, str]


def run_model(
    model: Callable[[Any], Any],
    take: Take,
    ids: Sequence[str],
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
    fixed = chunk or getattr(model, "chunk", None) or (None if recording.path is not None or progress else CHUNK)
    total = len(ids)
    errors: dict[int, str] = {}
    answers: list[Any] = []
    meter = Meter(version, total * repeats, progress)
    size = fixed or STEPS[0]
    for repeat in range(repeats):
        pieces = list(recording.answered(version, repeat))
        todo = np.arange(total)
        if pieces:
            missing = np.ones(total, dtype=bool)
            missing[np.concatenate([rows for rows, _ in pieces])] = False
            todo = np.flatnonzero(missing)
        meter.add(total - len(todo))
        start = 0
        while start < len(todo):
            began, asked = monotonic(), todo[start : start + size]
            with closing(_arriving(model, take, asked)) as arriving:
                for rows, answer in arriving:
                    failed = {int(rows[i]): reason for i, reason in answer.errors.items()}
                    errors.update(failed)
                    good = np.ones(len(rows), dtype=bool)
                    good[list(answer.errors)] = False
                    recording.add(version, repeat, rows[good], answer.values[good], {ids[i]: e for i, e in failed.items()})
                    pieces.append((rows, answer.values))
                    meter.add(len(rows))
            start += len(asked)
            if not fixed:
                fits = CALL_SECONDS / max(monotonic() - began, 1e-9) * len(asked)
                size = max([s for s in STEPS if s <= fits], default=STEPS[0])
        answers.append(_in_place(pieces, total))
    return Run(tuple(answers), errors)


def _arriving(model: Any, take: Take, rows: Places) -> Generator[tuple[Places, Answers]]:
    """Answers to some samples: at once, or bit by bit from a model that has `parts`."""
    parts = getattr(model, "parts", None)
    if not callable(parts):
        yield rows, _ask(model, take, rows, [0])
        return
    left = np.ones(len(rows), dtype=bool)
    with suppress(Exception):  # what has arrived stands; the rest is asked for like any model's answers
        for at, answer in parts(take(rows)):
            here = np.arange(at, at + len(answer.values))
            checked = to_answers(answer, len(here))
            left[here] = False
            yield rows[here], checked
    if left.any():
        yield rows[left], _ask(model, take, rows[left], [0])


def _in_place(pieces: Pieces, total: int) -> Any:
    """Answers of all samples in their order, of pieces that together hold each of them."""
    if not pieces:
        return np.zeros(0)
    joined, places = _join([values for _, values in pieces]), np.concatenate([rows for rows, _ in pieces])
    out = np.empty(total, dtype=joined.dtype)
    out[places] = joined
    return out


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
