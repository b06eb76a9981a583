"""Text tables before they are parsed: delimiter, encoding, header."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rca_kit.errors import BadInput

HEAD_BYTES = 256_000  # enough for some hundred lines of a wide log
HEAD_LINES = 60
UTF8_HINT = "save the file as UTF-8, or convert it with `iconv -f latin1 -t utf8`"
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}


@dataclass(frozen=True)
class Sniffed:
    """What the head of a CSV file shows."""

    delimiter: str
    header: tuple[str, ...]


def read_head(path: Path) -> tuple[str, bool]:
    """Read the first lines as text; also tell whether that was the whole file.

    Raises
    ------
    BadInput
        When the file is empty, a broken gzip, or not UTF-8.
    """
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rb") as stream:
                raw = stream.read(HEAD_BYTES)
        else:
            with path.open("rb") as stream:
                raw = stream.read(HEAD_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise BadInput("is not a readable gzip file: damaged or cut off", file=path.name, hint="fetch the file again") from None
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror or error}", file=path.name) from None
    if not raw.strip():
        raise BadInput("is empty", file=path.name, expected="a header and at least one row")
    whole = len(raw) < HEAD_BYTES
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise BadInput("is not UTF-8 text", file=path.name, found="UTF-16", hint="save the file as UTF-8")
    if not whole:
        raw = raw[: raw.rfind(b"\n") + 1] or raw
    try:
        return raw.decode("utf-8-sig"), whole
    except UnicodeDecodeError as error:
        if not whole and error.start > len(raw) - 4:
            return raw[: error.start].decode("utf-8-sig"), whole
        raise not_utf8(path.name, raw, error) from None


def not_utf8(file: str, raw: bytes, error: UnicodeDecodeError) -> BadInput:
    """Say in which line the first byte stands that is not UTF-8."""
    line = raw[: error.start].count(b"\n") + 1
    return BadInput("is not UTF-8 text", file=file, found=f"byte {raw[error.start]:#04x} in line {line}",
                    hint=UTF8_HINT)


def sniff_csv(path: Path) -> Sniffed:
    r"""Find the delimiter and the header of a CSV file from its first lines.

    Raises
    ------
    BadInput
        When no delimiter splits the lines alike, or the header repeats or lacks names.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.csv"
    ...     _ = path.write_text("ts;score\n1;0,5\n2;0,6\n")
    ...     sniff_csv(path)
    Sniffed(delimiter=';', header=('ts', 'score'))
    """
    text, _ = read_head(path)
    if "\x00" in text:
        raise BadInput("holds binary data, not text", file=path.name, hint="is the ending of the file name right?")
    widths = {mark: _widths(text, mark) for mark in DELIMITERS}
    fitting = {mark: w for mark, w in widths.items() if w and w[0] > 1}
    if not fitting:
        first = text.splitlines()[0][:120]
        if len(first.split()) == 1 and not any(not c.isalnum() and c not in "_-. " for c in first):
            return Sniffed(",", (first.strip().strip('"'),))
        raise BadInput("no delimiter found that splits it into columns", file=path.name, found=f"first line `{first}`",
                       expected="columns separated by comma, semicolon, tab or pipe")
    # The right mark gives every line as many fields as the header; a mark inside texts does so by chance only.
    best = max(fitting, key=lambda mark: (_agreement(fitting[mark]), fitting[mark][0], mark == ","))
    header = next(csv.reader(io.StringIO(text), delimiter=best))
    check_header(header, path.name)
    return Sniffed(best, tuple(header))


def check_header(header: list[str], file: str) -> None:
    """Refuse a header with repeated or empty names.

    Examples
    --------
    >>> check_header(["a", "b", "a"], "t.csv")
    Traceback (most recent call last):
    ...
    rca_kit.errors.BadInput: t.csv: column `a`: the column name stands 2 times
      expected: column names that differ
    """
    repeated = [(name, n) for name, n in Counter(header).items() if n > 1 and name.strip()]
    if repeated:
        raise BadInput(f"the column name stands {repeated[0][1]} times", file=file, column=repeated[0][0],
                       expected="column names that differ")
    if not any(name.strip() for name in header):
        raise BadInput("the first line names no column", file=file, expected="a header")
    if header and all(_is_number(name) for name in header):
        raise BadInput("the first line looks like data, not like column names", file=file, found=", ".join(header[:6]),
                       expected="a header")


def check_jsonl(path: Path) -> None:
    """Read the first lines as JSON, so that a wrong file is named with its line.

    Raises
    ------
    BadInput
        When a line is no JSON object.
    """
    text, whole = read_head(path)
    lines = text.splitlines()
    if not whole:
        lines = lines[:HEAD_LINES]
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            listed = line.lstrip()[:1] == "["
            hint = "one JSON object per line; a list `[...]` over several lines is not JSON Lines" if listed else None
            raise BadInput(f"line {number} is not JSON: {error.msg}", file=path.name, found=line[:80], hint=hint) from None
        if not isinstance(value, dict):
            raise BadInput(f"line {number} is no JSON object", file=path.name, found=line[:80], expected='{"column": value, ...}')


def jsonl_columns(path: Path) -> list[str]:
    r"""Keys of the first lines, in the order in which they come: the engine gives them in any.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "log.jsonl"
    ...     _ = path.write_text('{"ts": 1, "a": 2}\n{"ts": 2, "b": 3}', encoding="utf-8")
    ...     jsonl_columns(path)
    ['ts', 'a', 'b']
    """
    lines = [line for line in read_head(path)[0].splitlines()[:HEAD_LINES] if line.strip()]
    names: dict[str, None] = {}
    for line in lines:
        try:
            names |= dict.fromkeys(json.loads(line))
        except json.JSONDecodeError:  # the last line of the head may be cut
            continue
    return list(names)


def _widths(text: str, mark: str) -> list[int]:
    reader = csv.reader(io.StringIO(text), delimiter=mark)
    widths: list[int] = []
    try:
        for row in reader:
            if row:
                widths.append(len(row))
            if len(widths) >= HEAD_LINES:
                break
    except csv.Error:
        return widths
    return widths


def _agreement(widths: list[int]) -> float:
    return sum(w == widths[0] for w in widths) / len(widths)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
