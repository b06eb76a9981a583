"""Models behind an HTTP endpoint: batches, time-outs, retries with back-off, a limit on concurrency, and a deadline that holds.

Whatever the endpoint does - hang, drip bytes, fail, answer rubbish - a call returns within its deadline, and every row has an
answer or a reason why not.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rca_kit.errors import BadInput
from rca_kit.models.answers import Answers, BadAnswer, to_records
from rca_kit.models.wire import EndpointError, read_answers, send, write_request

GIVE_UP_AFTER = 3  # requests lost in a row, all tries used up: the endpoint is down, and the rest need not wait for it
MAX_WAIT = 30.0  # seconds between two tries, whatever back-off or Retry-After say
REQUESTS = ("instances", "inputs", "records", "dataframe_records", "dataframe_split")


@dataclass(frozen=True)
class HttpModel:
    """An endpoint that answers POST requests with JSON.

    Parameters
    ----------
    url : str
        http or https.
    timeout : float
        Seconds one request may take, from connecting to the last byte.
    retries : int
        Further tries after a time-out, a broken connection, 408, 425, 429 or 5xx, or an answer that cannot be read.
    backoff : float
        Seconds before the first retry; doubled each time, with a random part so that clients do not march in step.
    deadline : float
        Seconds a whole call may take; rows not answered by then failed.
    batch : int
        Rows per request.
    concurrency : int
        Requests at the same time.
    headers : mapping
        Extra headers. They are never written into results or errors.
    request : {"instances", "inputs", "records", "dataframe_records", "dataframe_split"}
        Shape of the body; `records` is a bare list of objects.
    response : str, optional
        Key of the list of answers; found by the usual names when absent.
    answer : str, optional
        Key of the score inside each answer, when answers are objects.
    """

    url: str
    name: str = "endpoint"
    timeout: float = 5.0
    retries: int = 2
    backoff: float = 0.5
    deadline: float = 60.0
    batch: int = 64
    concurrency: int = 4
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    request: str = "instances"
    response: str | None = None
    answer: str | None = None
    seed: int = 0
    _lost: list[int] = field(default_factory=lambda: [0], repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what cannot work before the first request."""
        if not self.url.lower().startswith(("http://", "https://")):
            raise BadInput("an endpoint is an http or https address", found=self.url)
        for name in ("timeout", "deadline", "batch", "concurrency"):
            if not getattr(self, name) > 0:
                raise BadInput(f"{name} of the endpoint must be above zero", found=str(getattr(self, name)))
        if self.retries < 0 or self.backoff < 0:
            raise BadInput("retries and backoff of the endpoint cannot be negative")
        if self.request not in REQUESTS:
            raise BadInput("shape of request not known", found=self.request, expected=", ".join(REQUESTS))

    @property
    def chunk(self) -> int:
        """Rows per call that keep all connections busy and lose little when interrupted."""
        return self.batch * self.concurrency * 4

    def __call__(self, frame: Any) -> Answers:
        """Ask for all rows; rows without an answer have a reason in `errors`."""
        parts = sorted(self.parts(frame), key=lambda part: part[0])
        values = np.concatenate([np.zeros(0, dtype=object), *(answer.values for _, answer in parts)])
        return Answers(values, {at + i: why for at, answer in parts for i, why in answer.errors.items()})

    def parts(self, frame: Any) -> Iterator[tuple[int, Answers]]:
        """Give the answers of each batch when it arrives, with the place of its first row."""
        rows = to_records(frame)
        ends_at = time.monotonic() + self.deadline
        work: queue.Queue[tuple[int, list[dict[str, Any]]]] = queue.Queue()
        waiting = {start: min(self.batch, len(rows) - start) for start in range(0, len(rows), self.batch)}
        for start, count in waiting.items():
            work.put((start, rows[start : start + count]))
        done: queue.Queue[tuple[int, list[Any], dict[int, str]]] = queue.Queue()
        stop = threading.Event()
        for i in range(min(self.concurrency, len(waiting))):
            # daemons: a thread stuck in a name lookup must neither hold up the answer nor the end of the program
            threading.Thread(target=self._work, args=(work, done, stop, ends_at, i), daemon=True).start()
        try:
            while waiting:
                start, got, wrong = done.get(timeout=max(ends_at - time.monotonic(), 0.001) + 0.25)
                values = np.empty(waiting.pop(start), dtype=object)
                for i, value in enumerate(got):
                    values[i] = value
                yield start, Answers(values, wrong)
        except queue.Empty:
            late = f"no answer within the deadline of {self.deadline:g} s"
            for start, count in waiting.items():
                yield start, Answers(np.full(count, None, dtype=object), dict.fromkeys(range(count), late))
        finally:  # also when whoever asked was interrupted
            stop.set()

    def _work(self, work: queue.Queue[Any], done: queue.Queue[Any], stop: threading.Event, ends_at: float, worker: int) -> None:
        rng = np.random.default_rng([self.seed, worker])
        while not stop.is_set():
            try:
                start, rows = work.get_nowait()
            except queue.Empty:
                return
            values, errors = self._batch(rows, stop, ends_at, rng)
            done.put((start, values, errors))

    def _batch(self, rows: list[dict[str, Any]], stop: threading.Event, ends_at: float,
               rng: np.random.Generator) -> tuple[list[Any], dict[int, str]]:
        """Answers of some rows; a batch that the endpoint refuses is halved until the rows at fault stand alone."""
        nothing: list[Any] = [None] * len(rows)
        if self._lost[0] >= GIVE_UP_AFTER:
            return nothing, dict.fromkeys(range(len(rows)), f"the endpoint was given up after {GIVE_UP_AFTER} requests in a row "
                                                            "got no answer")
        try:
            values, errors = self._ask(rows, stop, ends_at, rng)
        except EndpointError as error:
            if error.down:
                self._lost[0] += 1
            else:
                self._lost[0] = 0
            if error.down or len(rows) == 1 or stop.is_set() or time.monotonic() >= ends_at:
                return nothing, dict.fromkeys(range(len(rows)), str(error))
            middle = len(rows) // 2
            left, right = (self._batch(part, stop, ends_at, rng) for part in (rows[:middle], rows[middle:]))
            return left[0] + right[0], left[1] | {i + middle: e for i, e in right[1].items()}
        self._lost[0] = 0
        return values, errors

    def _ask(self, rows: list[dict[str, Any]], stop: threading.Event, ends_at: float,
             rng: np.random.Generator) -> tuple[list[Any], dict[int, str]]:
        body = write_request(rows, self.request)
        failure = EndpointError("not asked", down=True)
        for attempt in range(self.retries + 1):
            left = ends_at - time.monotonic()
            if left <= 0 or stop.is_set():
                raise EndpointError(f"no answer within the deadline of {self.deadline:g} s (last: {failure})", down=True)
            wait = self.backoff * 2**attempt * (0.5 + rng.random())
            try:
                return read_answers(send(self.url, body, self.headers, min(self.timeout, left)), len(rows), self.response,
                                    self.answer)
            except EndpointError as error:
                failure = error
                if not error.again:
                    raise
                wait = max(wait, error.retry_after)
            except BadAnswer as error:
                failure = EndpointError(f"rubbish: {error.message}" + (f" ({error.found})" if error.found else ""), down=False)
            if attempt < self.retries:
                stop.wait(min(wait, MAX_WAIT, max(ends_at - time.monotonic(), 0)))
        raise failure
