"""Range queries to a Prometheus server: in pieces below its limits, with time-outs, retries and credentials."""

from __future__ import annotations

import base64
import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from rca_kit.errors import BadInput
from rca_kit.transport import TRANSIENT, NoReply, Reply, post

MAX_POINTS = 11_000  # per series and query: Prometheus refuses more
MAX_BODY = 256 * 2**20  # bytes of one answer; larger pieces are asked for in halves
MIN_POINTS = 30  # a piece this short that is still refused is not refused for its length
BACKOFF = 0.5  # seconds before the first retry, doubled each time
MAX_WAIT = 30.0  # seconds between two tries, whatever the server asks for
TOO_MUCH = ("too many samples", "exceeded maximum resolution", "query timed out", "too many points", "memory limit", "too large")
"""Refusals of a query for its size, by Prometheus, Thanos, Mimir and VictoriaMetrics: half of the span may pass."""

URL_VARIABLE = "RCA_KIT_PROMETHEUS_URL"
TOKEN_VARIABLE = "RCA_KIT_PROMETHEUS_TOKEN"  # noqa: S105 - the name of a variable
USER_VARIABLE, PASSWORD_VARIABLE = "RCA_KIT_PROMETHEUS_USER", "RCA_KIT_PROMETHEUS_PASSWORD"
ORG_VARIABLE = "RCA_KIT_PROMETHEUS_ORG"  # X-Scope-OrgID of Mimir and Cortex


@dataclass(frozen=True)
class Series:
    """One series: labels, times in seconds since 1970, values (NaN where there is none)."""

    labels: Mapping[str, str]
    times: list[float]
    values: list[float]


@dataclass(frozen=True)
class Found:
    """Series of one query, and what the server warned of."""

    series: tuple[Series, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Client:
    """A server, how long to wait for it, and what it is told about who asks."""

    url: str
    timeout: float
    retries: int
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)

    @property
    def shown(self) -> str:
        """The server's address for messages: without path and query, which may hold secrets."""
        return shown(self.url)

    @classmethod
    def of(cls, url: str, timeout: float, retries: int, environ: Mapping[str, str] | None = None) -> Client:
        """Make a client; credentials come from the environment and go to the server that it names, and to no other.

        Raises
        ------
        BadInput
            When the address is no http address, holds credentials, or is not the one that the credentials are for.

        Examples
        --------
        >>> Client.of("http://prometheus:9090/", 30, 2, {}).shown
        'http://prometheus:9090'
        >>> Client.of("http://me:secret@prometheus:9090", 30, 2, {})
        Traceback (most recent call last):
        ...
        rca_kit.errors.BadInput: incident.yaml: tables.service_metrics.prometheus: the address holds credentials
          found: http://prometheus:9090
          hint: take them out and set RCA_KIT_PROMETHEUS_USER and RCA_KIT_PROMETHEUS_PASSWORD, or RCA_KIT_PROMETHEUS_TOKEN
        """
        place = "incident.yaml: tables.service_metrics.prometheus"
        variables = os.environ if environ is None else environ
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            usable = False
        if not usable:
            raise BadInput("is no http or https address", file=place, found=url[:80] if "@" not in url else "an address",
                           expected="one like http://prometheus:9090")
        if parts.username is not None or parts.password is not None:
            raise BadInput("the address holds credentials", file=place, found=shown(url),
                           hint=f"take them out and set {USER_VARIABLE} and {PASSWORD_VARIABLE}, or {TOKEN_VARIABLE}")
        return cls(url.rstrip("/"), timeout, retries, _credentials(url, variables, place))

    def query_range(self, query: str, start: float, end: float, step: float, name: str) -> Found:
        """Ask for every step from start to end, both included, in pieces that the server takes.

        Raises
        ------
        BadInput
            When the server cannot be reached, refuses the query, or answers with something else than series.
        """
        merged: dict[tuple[tuple[str, str], ...], Series] = {}
        notes: dict[str, None] = {}
        total = int((end - start) // step) + 1
        pieces = [(first, min(first + MAX_POINTS, total)) for first in range(0, total, MAX_POINTS)]
        while pieces:
            first, last = pieces.pop(0)
            given = {"query": query, "start": repr(start + first * step), "end": repr(start + (last - 1) * step),
                     "step": repr(step), "timeout": f"{self.timeout:g}s"}
            answer = self._ask(given, name, splits=last - first > MIN_POINTS)
            if answer is None:
                middle = (first + last) // 2
                pieces[:0] = [(first, middle), (middle, last)]
                continue
            notes |= dict.fromkeys(str(w) for key in ("warnings", "infos") for w in answer.get(key) or ())
            for labels, times, values in _series(answer, name, self.shown):
                kept = merged.setdefault(tuple(sorted(labels.items())), Series(labels, [], []))
                kept.times.extend(times)
                kept.values.extend(values)
        return Found(tuple(merged[key] for key in sorted(merged)), tuple(notes))

    def _ask(self, given: Mapping[str, str], name: str, *, splits: bool) -> dict[str, Any] | None:
        """Ask once, with retries; None when a shorter span should be asked for."""
        failure = ""
        for attempt in range(self.retries + 1):
            wait = BACKOFF * 2**attempt
            try:
                reply = post(f"{self.url}/api/v1/query_range", urlencode(given).encode(), self.headers, self.timeout, MAX_BODY)
            except NoReply as error:
                failure = str(error)
            else:
                body = _json(reply)
                said = str(body.get("error", "")) if body else ""
                if not reply.whole or any(words in said for words in TOO_MUCH):
                    if splits:
                        return None
                    raise BadInput(f"query `{name}` asks for more than the server gives", file=self.shown,
                                   found=said[:300] or None, hint="sum in the query, or take a longer step")
                if reply.status == 200 and body is not None and body.get("status") == "success":
                    return body
                if reply.status not in TRANSIENT:
                    raise self._refused(reply, said, name)
                failure, wait = f"HTTP {reply.status}" + (f": {said[:200]}" if said else ""), max(wait, reply.retry_after)
            if attempt < self.retries:
                time.sleep(min(wait, MAX_WAIT))
        raise BadInput(f"the Prometheus server gives no answer to query `{name}`", file=self.shown,
                       found=f"{failure}, {self.retries + 1} times", expected="an answer to a range query",
                       hint="is it up, and reachable from here? `timeout` and `retries` can be set beside `prometheus`")

    def _refused(self, reply: Reply, said: str, name: str) -> BadInput:
        if reply.status in (401, 403):
            return BadInput("the Prometheus server refuses access", file=self.shown, found=f"HTTP {reply.status}",
                            hint=f"set {TOKEN_VARIABLE}, or {USER_VARIABLE} and {PASSWORD_VARIABLE}, with {URL_VARIABLE}")
        if 300 <= reply.status < 400:
            return BadInput("the address is redirected, and credentials do not follow", file=self.shown,
                            found=f"HTTP {reply.status}", hint="give the address that answers")
        if said:
            return BadInput(f"the Prometheus server refuses query `{name}`", file=self.shown, found=said[:300],
                            expected="a PromQL expression")
        return BadInput("is no Prometheus server", file=self.shown, found=f"HTTP {reply.status} without its kind of answer",
                        expected="an address below which /api/v1/query_range answers")


def shown(url: str) -> str:
    """Give scheme, host and port of an address.

    Examples
    --------
    >>> shown("https://me:secret@host:9090/tenant?key=1")
    'https://host:9090'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}" + (f":{parts.port}" if parts.port else "")


def _credentials(url: str, variables: Mapping[str, str], place: str) -> dict[str, str]:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    token, user = variables.get(TOKEN_VARIABLE), variables.get(USER_VARIABLE)
    org = variables.get(ORG_VARIABLE)
    if not (token or user or org):
        return headers
    owner = variables.get(URL_VARIABLE, "")
    if not owner or _origin(owner) != _origin(url):
        # a case may come from anybody: it must not choose who is told our secrets
        raise BadInput("credentials are set, but not for this server", file=place, found=shown(url),
                       expected=f"the server in {URL_VARIABLE}" if owner else f"{URL_VARIABLE} to name it",
                       hint=f"export {URL_VARIABLE}={shown(url)} if this server may have them")
    if token:
        headers["Authorization"] = f"Bearer {token.strip()}"
    elif user:
        pair = f"{user}:{variables.get(PASSWORD_VARIABLE, '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    if org:
        headers["X-Scope-OrgID"] = org
    return headers


def _origin(url: str) -> tuple[str, str | None, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _json(reply: Reply) -> dict[str, Any] | None:
    if not reply.whole:
        return None
    try:
        body = json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _series(answer: Mapping[str, Any], name: str, server: str) -> list[tuple[dict[str, str], list[float], list[float]]]:
    data = answer.get("data")
    rows = data.get("result") if isinstance(data, dict) else None
    out = []
    try:
        for row in rows if isinstance(rows, list) else _no_list():
            if row.get("histograms") and not row.get("values"):
                raise BadInput(f"query `{name}` gives native histograms", file=server, expected="numbers",
                               hint="wrap it in histogram_quantile(0.95, ...) or histogram_avg(...)")
            labels = {str(k): str(v) for k, v in row["metric"].items()}
            pairs = [(float(at), float(value)) for at, value in row.get("values") or ()]
            out.append((labels, [at for at, _ in pairs], [v if math.isfinite(v) else math.nan for _, v in pairs]))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadInput(f"the answer to query `{name}` has not the form of a range query's", file=server,
                       expected="data.result with metric and values") from None
    return out


def _no_list() -> list[Any]:
    raise TypeError
