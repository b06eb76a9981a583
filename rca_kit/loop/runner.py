"""Asking a model for answers to many samples: in chunks, failing rows apart, written down as they arrive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from rca_kit.loop.progress import Meter, Report
from rca_kit.loop.recording import Recording
from rca_kit.models.answers import Answers, call

CHUNK = 20_000  # rows per call of an in-process model: large enough for vectorised code, small enough to lose little
HOPELESS = 50  # single rows that failed in a row: the model itself is broken, and trying each of the rest would take for ever


@dataclass(frozen=True)
class Run:
    """Answers of one version: one array per repeat (NaN or None: failed), and reasons of failures by row."""

    answers: tuple[Any, ...]
    errors: dict[int, str]


def run_model(model: Callable[[Any], Any], frame: pl.DataFrame, ids: list[str], give: Callable[[pl.DataFrame], Any], *,
              version: str, repeats: int, recording: Recording, chunk: int | None = None, progress: Report | bool | None = None,
              ) -> Run:
    """Ask a model for every row, `repeats` times; rows already recorded are not asked again.

    `give` turns a Polars frame into the kind of frame the model expects. A call that fails is halved until the rows at fault
    stand alone.
    """
    size = chunk or getattr(model, "chunk", None) or CHUNK
    errors: dict[int, str] = {}
    answers: list[Any] = []
    meter = Meter(version, frame.height * repeats, progress)
    whole: Any = None
    for repeat in range(repeats):
        known = recording.answered(version, repeat)
        todo = np.asarray([i for i, one in enumerate(ids) if one not in known], dtype=np.intp) if known else None
        values: list[Any] = [known.get(one) for one in ids] if known else []
        got: list[Any] = []
        meter.add(frame.height - (len(todo) if todo is not None else frame.height))
        rows = frame if todo is None else frame[todo]
        for start in range(0, rows.height, size):
            part = rows.slice(start, size)
            answer = _ask(model, part, give, [0])
            at = range(start, start + part.height) if todo is None else todo[start: start + part.height]
            failed = {int(at[i]): reason for i, reason in answer.errors.items()}
            errors.update(failed)
            if recording.path is not None:
                good = [i for i in range(part.height) if i not in answer.errors]
                recording.add(version, repeat, [ids[at[i]] for i in good], [_plain(answer.values[i]) for i in good],
                              {ids[i]: e for i, e in failed.items()})
            got.append(answer.values)
            meter.add(part.height)
        fresh = _join(got)
        if todo is not None:
            for i, value in zip(todo, fresh, strict=True):
                values[i] = value
            fresh = _join([np.asarray(values, dtype=object)])
        whole = fresh
        answers.append(whole)
    return Run(tuple(answers), errors)


def _ask(model: Callable[[Any], Any], part: pl.DataFrame, give: Callable[[pl.DataFrame], Any],
         failed_in_a_row: list[int]) -> Answers:
    """Ask for some rows; never raises for what a model does."""
    try:
        answer = call(model, give(part), part.height)
    except Exception as error:  # a model is somebody else's code: whatever it raises is a failure of these rows
        if part.height == 1 or failed_in_a_row[0] >= HOPELESS:
            failed_in_a_row[0] += 1
            reason = f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}".rstrip(": ")
            return Answers(np.full(part.height, None, dtype=object), dict.fromkeys(range(part.height), reason))
        middle = part.height // 2
        left = _ask(model, part[:middle], give, failed_in_a_row)
        right = _ask(model, part[middle:], give, failed_in_a_row)
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


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
