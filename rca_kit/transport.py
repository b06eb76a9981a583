"""One HTTP POST that ends in time, whatever the other side does; no redirects are followed."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


class NoReply(Exception):
    """The other side could not be reached, broke off, or took too long."""


@dataclass(frozen=True)
class Reply:
    """Status and body (not `whole` when cut at the limit), and the seconds after which the server asks to be tried again."""

    status: int
    body: bytes
    retry_after: float = 0.0
    whole: bool = True


def post(url: str, body: bytes, headers: Mapping[str, str], seconds: float, limit: int) -> Reply:
    """POST a body and give the reply, whatever its status.

    A socket's own time-out starts anew with every byte, so a server that drips would hold it for ever: a timer closes the
    connection instead.

    Parameters
    ----------
    url : str
        http or https.
    headers : mapping
        Sent to this address only.
    seconds : float
        From connecting to the last byte.
    limit : int
        Bytes of the body to read at most.

    Raises
    ------
    NoReply
        Within `seconds`.
    """
    parts = urlsplit(url)
    make: Any = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    options = {"context": ssl.create_default_context()} if parts.scheme == "https" else {}
    late = threading.Event()
    opened: list[Any] = []
    connection: Any = None
    response: Any = None

    def cut() -> None:
        late.set()
        # the connection lets go of its socket once a body without a length begins: keep hold of it here
        for sock in opened or [getattr(connection, "sock", None)]:
            with contextlib.suppress(OSError, AttributeError):
                sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        connection = make(parts.hostname, parts.port, timeout=seconds, **options)
        connection.connect()
        opened.append(connection.sock)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, dict(headers))
        response = connection.getresponse()
        answer: bytes = response.read(limit + 1)
        status, again = int(response.status), _seconds(response.headers.get("Retry-After"))
    except (OSError, http.client.HTTPException, ValueError) as error:
        if late.is_set() or isinstance(error, TimeoutError):
            raise NoReply(f"no answer within {seconds:.3g} s") from None
        raise NoReply(f"connection failed: {error or type(error).__name__}") from None
    finally:
        timer.cancel()
        for thing in (response, connection, *opened):
            if thing is not None:
                thing.close()
    if late.is_set():
        raise NoReply(f"no answer within {seconds:.3g} s")
    return Reply(status, answer[:limit], again, len(answer) <= limit)


def _seconds(header: str | None) -> float:
    try:
        return max(0.0, float(header)) if header else 0.0
    except ValueError:
        return 0.0
