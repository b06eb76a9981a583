"""What all feeds share: their result, texts of strangers made harmless, JSON files, and kinds told from words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rca_kit.case.changes import Change
from rca_kit.case.times import parse_time
from rca_kit.errors import BadInput

MAX_TEXT = 300  # characters of a description: a line in a table, not a page
MAX_FILE_BYTES = 512 * 2**20
_KINDS = (  # first hit wins: the more telling word stands first
    ("model_deploy", r"model|weights|checkpoint"),
    ("flag_change", r"feature.?flags?|flags?|toggles?"),
    ("experiment", r"experiments?|ab.?tests?"),
    ("schema_change", r"schemas?|migrations?|migrate"),
    ("data_pipeline", r"pipelines?|dags?|etl|airflow|dbt|backfill"),
    ("config_change", r"configs?|configmaps?|configuration|settings"),
    ("infra_change", r"infra|infrastructure|terraform|helm|nodes?|clusters?|autoscal\w*"),
)


@dataclass(frozen=True)
class Feed:
    """Changes of one source, and what a reader should know of what was left out."""

    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()


def plain(value: Any, limit: int = MAX_TEXT) -> str:
    r"""Make one line of printable text out of whatever stood there.

    Examples
    --------
    >>> plain("fix\x1b[31m  it\n\n now"), plain(None)
    ('fix[31m it now', '')
    """
    text = "".join(c if c.isprintable() else " " if c.isspace() else "" for c in str(value if value is not None else ""))
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def web_link(value: Any) -> str:
    """Keep a link only when it is an http address.

    Examples
    --------
    >>> web_link("javascript:alert(1)"), web_link("https://example.org/a")
    ('', 'https://example.org/a')
    """
    text = str(value or "")
    return text if re.fullmatch(r"https?://[^\s<>\"'`]+", text) and len(text) <= MAX_TEXT else ""


def kind_of_words(text: str, default: str = "code_deploy") -> str:
    """Tell the kind of a change from the words of a task or an environment.

    Examples
    --------
    >>> kind_of_words("deploy:migrations"), kind_of_words("deploy"), kind_of_words("model-serving")
    ('schema_change', 'code_deploy', 'model_deploy')
    """
    spaced = re.sub(r"[^a-z0-9]+", " ", text.lower())
    return next((kind for kind, words in _KINDS if re.search(rf"\b(?:{words})\b", spaced)), default)


def when(value: Any) -> datetime | None:
    """Read a time, None where there is none."""
    if value in (None, ""):
        return None
    try:
        return parse_time(value)[0]
    except BadInput:
        return None


def mapping(value: Any) -> Mapping[str, Any]:
    """Give a mapping, empty where something else stands."""
    return value if isinstance(value, Mapping) else {}


def read_json(path: Path) -> list[Any]:
    """Read the JSON values of a file: one, or several behind each other as `--watch` and JSON lines write them.

    Raises
    ------
    BadInput
        When the file is missing, too large, or no JSON.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BadInput("is too large", file=path.name, found=f"{path.stat().st_size:,} bytes", hint="export a shorter span")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadInput("there is no such file", file=str(path)) from None
    except UnicodeDecodeError:
        raise BadInput("is not UTF-8 text", file=path.name) from None
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", file=str(path)) from None
    decoder, at, found = json.JSONDecoder(), 0, []
    blank = re.compile(r"\s*")
    try:
        while (at := blank.match(text, at).end()) < len(text):  # type: ignore[union-attr]
            value, at = decoder.raw_decode(text, at)
            found.append(value)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"is not JSON: {error}", file=path.name) from None
    return found


def objects(values: Iterable[Any], *lists: str) -> list[Mapping[str, Any]]:
    """Flatten pages, lists and wrappers (named in `lists`) into the objects inside them.

    Examples
    --------
    >>> objects([[{"a": 1}], {"items": [{"a": 2}]}, 3], "items")
    [{'a': 1}, {'a': 2}]
    """
    out: list[Mapping[str, Any]] = []
    waiting = list(values)[::-1]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value[::-1])
        elif isinstance(value, Mapping):
            inner = next((value[n] for n in lists if isinstance(value.get(n), list)), None)
            if inner is None:
                out.append(value)
            else:
                waiting.extend(inner[::-1])
    return out
