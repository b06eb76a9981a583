"""The journal of a case: what people decided, tried and excluded, in an append-only file that several sessions may write."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rca_kit.case.times import parse_time
from rca_kit.errors import BadInput

FILE_NAME = "journal.jsonl"


@dataclass(frozen=True)
class JournalEntry:
    """One line of the journal; time is UTC."""

    time: datetime
    author: str
    kind: str
    text: str
    data: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain form, as the file has it."""
        stamp = self.time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"time": stamp, "author": self.author, "kind": self.kind, "text": self.text, "data": self.data}


class Journal:
    """Append to and read the journal of one case folder.

    A line is written with one call on a file opened for appending, under a lock, and brought to disk, so that concurrent
    sessions do not mix lines and a crash loses at most the line being written; reading leaves a torn line out.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     journal = Journal(folder)
    ...     _ = journal.add("excluded", "not the deploy", author="ana", data={"change_id": "c1"})
    ...     [(e.author, e.kind, e.text) for e in journal.entries()]
    [('ana', 'excluded', 'not the deploy')]
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder) / FILE_NAME

    def add(self, kind: str, text: str, *, author: str = "", data: Mapping[str, Any] | None = None,
            time: datetime | None = None) -> JournalEntry:
        """Append one entry and return it.

        Parameters
        ----------
        kind : str
            Such as decision, test, excluded, confirmed, note, selection.
        text : str
            In words.
        author : str, optional
        data : mapping, optional
            Anything JSON can hold.
        time : datetime, optional
            Now when not given; naive is UTC.

        Raises
        ------
        BadInput
            When the file cannot be written, or `data` cannot be written as JSON.
        """
        when = parse_time(time)[0] if time is not None else datetime.now(UTC)
        entry = JournalEntry(when, author, kind, text, dict(data or {}))
        try:
            line = json.dumps(entry.to_dict(), ensure_ascii=False, allow_nan=False) + "\n"
        except (TypeError, ValueError) as error:
            raise BadInput(f"the data of a journal entry cannot be written as JSON: {error}", file=FILE_NAME) from None
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            raise BadInput(f"cannot be written: {error.strerror}", file=str(self.path)) from None
        try:
            with _locked(handle):
                # after a crash the last line may lack its end: begin a new one, so that only the torn line is lost
                size = os.lseek(handle, 0, os.SEEK_END)
                torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
                _write_all(handle, (("\n" if torn else "") + line).encode())
                os.fsync(handle)
        finally:
            os.close(handle)
        return entry

    def entries(self) -> tuple[JournalEntry, ...]:
        """Read all entries in the order in which they were written; lines that cannot be read are left out."""
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise BadInput(f"cannot be read: {error.strerror}", file=str(self.path)) from None
        return tuple(e for line in raw.split(b"\n") if (e := _parse(line)) is not None)


def _write_all(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data):]


def _parse(line: bytes) -> JournalEntry | None:
    try:
        item = json.loads(line)
        when, _ = parse_time(item["time"])
        data = item.get("data") or {}
        return JournalEntry(when, str(item.get("author", "")), str(item["kind"]), str(item.get("text", "")),
                            data if isinstance(data, dict) else {"value": data})
    except (ValueError, KeyError, TypeError, AttributeError, BadInput):
        return None


@contextmanager
def _locked(handle: int) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # no such locks on this system; appending is still one write
        yield
        return
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)
