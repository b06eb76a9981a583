"""What bodies look like going out to an endpoint and coming back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from rca_kit.models.answers import BadAnswer
from rca_kit.transport import TRANSIENT, NoReply, post

MAX_BODY = 64 * 2**20  # bytes: an answer to a few dozen rows is never this long, and memory is the user's
LISTS = ("predictions", "scores", "outputs", "probabilities", "results", "answers", "data", "instances")
SCORES = ("score", "probability", "prediction", "value", "output", "answer", "label")


class EndpointError(Exception):
    """A request without a usable answer.

    `down` when the endpoint did not answer at all, `again` when another try may help, `retry_after` in seconds.
    """

    def __init__(self, message: str, *, down: bool, again: bool = True, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.down, self.again, self.retry_after = down, again, retry_after


def send(url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> bytes:
    """POST a JSON body and give the answer's body, or raise `EndpointError` within `seconds`."""
    try:
        reply = post(url, body, {"Content-Type": "application/json", "Accept": "application/json", **headers}, seconds, MAX_BODY)
    except NoReply as error:
        raise EndpointError(str(error), down=True) from None
    if not reply.whole:
        raise EndpointError(f"the answer is longer than {MAX_BODY // 2**20} MB", down=False, again=False)
    if reply.status in TRANSIENT:
        raise EndpointError(f"HTTP {reply.status}", down=False, retry_after=reply.retry_after)
    if not 200 <= reply.status < 300:
        raise EndpointError(f"HTTP {reply.status}", down=False, again=False)
    return reply.body


def write_request(rows: list[dict[str, Any]], shape: str) -> bytes:
    """Write rows as a request body.

    Examples
    --------
    >>> write_request([{"a": 1}], "instances")
    b'{"instances": [{"a": 1}]}'
    """
    if shape == "records":
        body: Any = rows
    elif shape == "dataframe_split":
        names = list(rows[0]) if rows else []
        body = {shape: {"columns": names, "data": [[r[n] for n in names] for r in rows]}}
    else:
        body = {shape: rows}
    return json.dumps(body, default=_plain, allow_nan=False).encode()


def read_answers(body: bytes, rows: int, key: str | None = None, inner: str | None = None) -> tuple[list[Any], dict[int, str]]:
    """Read a response body: one answer per row, and the rows whose answer is no answer.

    Raises
    ------
    BadAnswer
        When it is not JSON, or has another number of answers than rows were asked.

    Examples
    --------
    >>> read_answers(b'{"predictions": [0.1, "oops", {"score": 0.3}]}', 3)[0]
    [0.1, None, 0.3]
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise BadAnswer("the answer is not JSON", found=ascii(body[:60])) from None
    if isinstance(found, dict):
        names = [key] if key else [n for n in LISTS if n in found] or [n for n, v in found.items() if isinstance(v, list)][:1]
        if not names or names[0] not in found:
            raise BadAnswer("the answer has no list of predictions", found=", ".join(list(found)[:8]) or "an empty object")
        found = found[names[0]]
    if not isinstance(found, list) or len(found) != rows:
        count = f"{len(found)} answers" if isinstance(found, list) else type(found).__name__
        raise BadAnswer("the number of answers is not the number of rows", found=count, expected=str(rows))
    values: list[Any] = []
    errors: dict[int, str] = {}
    for i, item in enumerate(found):
        value = _value(item, inner)
        if value is None or (isinstance(value, float) and not math.isfinite(value)) or isinstance(value, (list, dict)):
            errors[i] = f"rubbish: {ascii(item)[:60]}"
            value = None
        values.append(value)
    numeric = sum(isinstance(v, (int, float)) for v in values)
    if numeric * 2 > len(values):  # most answers are numbers, so a text among them is no class name
        for i, value in enumerate(values):
            if isinstance(value, str):
                errors[i], values[i] = f"rubbish: {ascii(value)[:60]}", None
    return values, errors


def _value(item: Any, inner: str | None) -> Any:
    if isinstance(item, dict):
        names = [inner] if inner else [n for n in SCORES if n in item] or (list(item) if len(item) == 1 else [])
        return _value(item.get(names[0]), None) if names and names[0] is not None else None
    if isinstance(item, list) and len(item) in (1, 2) and all(isinstance(x, (int, float)) for x in item):
        return item[-1]
    return item


def _plain(value: Any) -> Any:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if hasattr(value, "item"):
        return value.item()
    return str(value)
