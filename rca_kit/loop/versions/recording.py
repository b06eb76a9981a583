"""Answers written down as they arrive, one JSON line per chunk, so that an interrupted replay goes on where it stopped."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import numpy as np

from rca_kit.errors import BadInput

PACKED = 1000  # answers of one call, above which they are packed; below, the file can be read by eye


@dataclass
class Recording:
    """An append-only file of answers; without a path nothing is written.

    The first line holds a fingerprint of the samples: answers to other samples are refused rather than mixed in. A last line
    cut off by a crash is dropped.
    """

    path: Path | None
    fingerprint: str = ""
    known: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    _file: TextIO | None = None

    def __enter__(self) -> Recording:
        """Read what is there and open the file for more."""
        if self.path is None:
            return self
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole = self._read() if self.path.exists() else 0
        self._file = self.path.open("r+" if self.path.exists() else "w", encoding="utf-8")
        self._file.truncate(whole)
        self._file.seek(whole)
        if not whole:
            self._file.write(json.dumps({"fingerprint": self.fingerprint}) + "\n")
            self._file.flush()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def answered(self, version: str, repeat: int) -> dict[str, Any]:
        """Answers that are already there, by sample id; failures are not, they are tried again."""
        return self.known.get((version, repeat), {})

    def add(self, version: str, repeat: int, ids: Sequence[str], values: Any, errors: dict[str, str]) -> None:
        """Append answers and failures of one chunk, and hand them to the operating system."""
        if self._file is None:
            return
        line = {"version": version, "repeat": repeat, "ids": list(ids), "values": _pack(values), "errors": errors}
        self._file.write(json.dumps(line, default=str) + "\n")
        self._file.flush()

    def _read(self) -> int:
        """Read whole lines; give the length in bytes of what is sound."""
        assert self.path is not None
        sound = 0
        with self.path.open("rb") as lines:
            for number, raw in enumerate(lines):
                try:
                    line = json.loads(raw) if raw.endswith(b"\n") else None
                except ValueError:
                    line = None
                if line is None:
                    break
                if number == 0:
                    self._check(line)
                else:
                    store = self.known.setdefault((line["version"], line["repeat"]), {})
                    store.update(zip(line["ids"], _unpack(line["values"]), strict=True))
                sound += len(raw)
        return sound

    def _check(self, line: Any) -> None:
        found = line.get("fingerprint") if isinstance(line, dict) else None
        if found != self.fingerprint:
            raise BadInput(
                "this recording is of other samples or other models",
                file=str(self.path),
                found=str(found),
                expected=self.fingerprint,
                hint="name another file, or remove this one",
            )


def _pack(values: Any) -> Any:
    """Many floats as base64 of their bytes: to write them out as digits takes longer than many a model takes to give them."""
    if values.dtype == np.float64 and len(values) > PACKED:
        return {"f8": base64.b64encode(values.astype("<f8").tobytes()).decode()}
    return values.tolist()


def _unpack(values: Any) -> list[Any]:
    if isinstance(values, dict):
        return list(np.frombuffer(base64.b64decode(values["f8"]), dtype="<f8").tolist())
    return list(values)


def fingerprint(*parts: Any) -> str:
    """Give a short hash of what a recording belongs to.

    Examples
    --------
    >>> fingerprint("a", 1)
    '2657442bb4a4'
    """
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:12]
