"""Answers written down as they arrive, one JSON line per call, so that an interrupted replay goes on where it stopped."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rca_kit.errors import BadInput, RunFailed

PACKED = 1000  # answers of one call, above which they are packed; below, the file can be read by eye

Places = NDArray[np.intp]
Pieces = list[tuple[Places, Any]]


@dataclass
class Recording:
    """An append-only file of answers; without a path nothing is written.

    The first line holds a fingerprint of the samples: answers to other samples are refused rather than mixed in. So a sample is
    named by its place among them, a run of samples by its two ends. A last line cut off by a crash is dropped.
    """

    path: Path | None
    fingerprint: str = ""
    known: dict[tuple[str, int], Pieces] = field(default_factory=dict)
    _file: FileIO | None = None

    def __enter__(self) -> Recording:
        """Read what is there and open the file for more."""
        if self.path is None:
            return self
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()
        whole = self._read()
        self._file = self.path.open("r+b", buffering=0)  # one call of the system per line
        self._file.truncate(whole)
        self._file.seek(whole)
        if not whole:
            self._append({"fingerprint": self.fingerprint})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def answered(self, version: str, repeat: int) -> Pieces:
        """Answers that are already there, as places and values; failures are not, they are tried again."""
        return self.known.get((version, repeat), [])

    def add(self, version: str, repeat: int, rows: Places, values: Any, errors: dict[str, str]) -> None:
        """Append answers by the places of their samples, and failures by id; handed to the operating system at once."""
        if self._file is not None:
            self._append({"version": version, "repeat": repeat, "rows": _runs(rows), "errors": errors}, _pack(values))

    def _append(self, line: dict[str, Any], values: bytes = b"") -> None:
        assert self._file is not None
        head = json.dumps(line, default=str).encode()
        left = memoryview(head[:-1] + b', "values": ' + values + b"}\n" if values else head + b"\n")
        try:
            while left:
                left = left[self._file.write(left) or 0 :]
        except OSError as error:
            raise RunFailed("answers cannot be written down", file=str(self.path), found=error.strerror or str(error),
                            hint="make room and run again: it goes on from the answers that are there") from None

    def _read(self) -> int:
        """Read whole lines; give the length in bytes of what is sound."""
        assert self.path is not None
        sound = 0
        with self.path.open("rb") as lines:
            for number, raw in enumerate(lines):
                try:
                    line = json.loads(raw) if raw.endswith(b"\n") else None
                    if number and line is not None:
                        rows, values = _places(line["rows"]), _unpack(line["values"])
                        if len(rows) != len(values):
                            raise ValueError("places and answers do not fit together")
                        self.known.setdefault((line["version"], line["repeat"]), []).append((rows, values))
                except (ValueError, KeyError, TypeError):
                    line = None
                if number == 0:
                    self._check(line, raw)
                if line is None:
                    break
                sound += len(raw)
        return sound

    def _check(self, line: Any, raw: bytes) -> None:
        """Refuse another recording, and any file that is none: it would be written over."""
        cut_off = line is None and b'{"fingerprint": "'.startswith(raw[:17]) and len(raw) < 64
        found = line.get("fingerprint") if isinstance(line, dict) else None
        if not cut_off and found is None:
            raise BadInput("this file is no recording of answers", file=str(self.path), found=raw[:40].decode("utf-8", "replace"),
                           hint="name another file")
        if not cut_off and found != self.fingerprint:
            raise BadInput(
                "this recording is of other samples or other models",
                file=str(self.path),
                found=str(found),
                expected=self.fingerprint,
                hint="name another file, or remove this one",
            )


def _runs(rows: Places) -> list[list[int]]:
    """Places as half-open runs: a whole batch is one of them."""
    if not len(rows):
        return []
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    starts, ends = rows[np.concatenate(([0], breaks))], rows[np.concatenate((breaks - 1, [-1]))] + 1
    return [[int(a), int(b)] for a, b in zip(starts, ends, strict=True)]


def _places(runs: Any) -> Places:
    return np.concatenate([np.zeros(0, dtype=np.intp), *(np.arange(a, b, dtype=np.intp) for a, b in runs)])


def _pack(values: Any) -> bytes:
    """Answers as JSON; many floats as base64 of their bytes: to write out digits takes longer than many a model takes."""
    if values.dtype == np.float64 and len(values) > PACKED:
        return b'{"f8": "' + base64.b64encode(values.astype("<f8", copy=False).tobytes()) + b'"}'
    return json.dumps(values.tolist(), default=str).encode()


def _unpack(values: Any) -> Any:
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["f8"]), dtype="<f8").astype(np.float64)
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def fingerprint(*parts: Any) -> str:
    """Give a short hash of what a recording belongs to.

    Examples
    --------
    >>> fingerprint("a", 1)
    '5d5e06e867c8'
    """
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part if isinstance(part, bytes) else json.dumps(part, default=str).encode())
        whole.update(b"\n")
    return whole.hexdigest()[:12]
