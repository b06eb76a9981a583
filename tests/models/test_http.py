"""The HTTP adapter against a real local server that is slow, drips, fails, hangs and answers rubbish."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import polars as pl
import pytest

from rca_kit import replay
from rca_kit.errors import BadInput
from rca_kit.models import load_model
from rca_kit.models.answers import call


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, *args):
        pass

    def do_POST(self):
        state = self.server.state
        with state["lock"]:
            state["calls"] += 1
            number = state["calls"]
            state["open"] += 1
            state["most_open"] = max(state["most_open"], state["open"])
        self.answered = False
        try:
            rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["instances"]
            getattr(self, self.path.strip("/").split("?")[0])(rows, number)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            self.no_longer_open()

    def no_longer_open(self):
        """A request is open until its answer begins: who has read the answer may send the next before this thread goes on."""
        if not self.answered:
            self.answered = True
            with self.server.state["lock"]:
                self.server.state["open"] -= 1

    def reply(self, body, status=200, headers=()):
        self.no_longer_open()
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for k, v in headers:
            self.send_header(k, v)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def good(self, rows, number):
        time.sleep(0.01)
        self.reply({"predictions": [r["x"] if r["x"] is not None else -1 for r in rows]})

    def flaky(self, rows, number):
        if number % 2:
            self.reply({"error": "busy"}, 503, [("Retry-After", "0")])
        else:
            self.good(rows, number)

    def poison(self, rows, number):
        if any(r["x"] == 7 for r in rows):
            self.reply({"error": "bad row"}, 422)
        else:
            self.good(rows, number)

    def hang(self, rows, number):
        self.server.stop.wait(30)

    def drip(self, rows, number):
        self.send_response(200)
        self.end_headers()
        while not self.server.stop.wait(0.05):
            self.wfile.write(b" ")
            self.wfile.flush()

    def drip_header(self, rows, number):
        self.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
        while not self.server.stop.wait(0.05):
            self.wfile.write(b"a")
            self.wfile.flush()

    def not_json(self, rows, number):
        self.reply(b"<html>oops</html>")

    def too_few(self, rows, number):
        self.reply({"predictions": [0.5] * (len(rows) - 1)})

    def some_rubbish(self, rows, number):
        self.reply([{"score": "oops"} if r["x"] % 5 == 0 else {"score": 0.5} for r in rows])

    def refused(self, rows, number):
        self.reply({"error": "who are you"}, 401)

    def echo_secret(self, rows, number):
        self.reply({"predictions": [1.0 if self.headers["Authorization"] == "Bearer s3cret" else 0.0] * len(rows)})


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.daemon_threads = True
    made.state = {"lock": threading.Lock(), "calls": 0, "open": 0, "most_open": 0}
    made.stop = threading.Event()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield made
    made.stop.set()
    made.shutdown()
    made.server_close()
    thread.join()


def model(server, path, **options):
    return load_model({"http": f"http://127.0.0.1:{server.server_port}/{path}", "backoff": 0.01, **options})


FRAME = pl.DataFrame({"x": [float(i) for i in range(50)]})


def test_batches_in_order_within_the_limit_of_concurrency(server):
    got = call(model(server, "good", batch=4, concurrency=3), FRAME, 50)
    assert got.values.tolist() == FRAME["x"].to_list()
    assert server.state["calls"] == 13
    assert 2 <= server.state["most_open"] <= 3


def test_pandas_and_missing_values(server):
    got = call(model(server, "good"), pd.DataFrame({"x": [1.0, np.nan]}), 2)
    assert got.values.tolist() == [1.0, -1.0]


def test_retries_when_the_service_is_busy(server):
    got = call(model(server, "flaky", batch=10, concurrency=1), FRAME, 50)
    assert not got.errors
    assert server.state["calls"] == 10


def test_a_refused_row_stands_alone(server):
    got = call(model(server, "poison", batch=16), FRAME, 50)
    assert set(got.errors) == {7}
    assert "422" in got.errors[7]
    assert np.nansum(got.values) == sum(range(50)) - 7


@pytest.mark.parametrize("path", ["hang", "drip", "drip_header"])
def test_a_call_returns_within_its_deadline(server, path):
    start = time.monotonic()
    got = call(model(server, path, timeout=0.3, retries=1, batch=10, concurrency=2), FRAME, 50)
    assert time.monotonic() - start < 5
    assert len(got.errors) == 50
    assert any("no answer within" in e for e in got.errors.values())


def test_the_deadline_holds_whatever_time_out_and_retries_say(server):
    start = time.monotonic()
    got = call(model(server, "hang", timeout=20, retries=9, deadline=0.7), FRAME, 50)
    assert time.monotonic() - start < 5
    assert len(got.errors) == 50


def test_an_endpoint_that_is_down_is_given_up(server):
    hanging = model(server, "hang", timeout=0.2, retries=0, batch=1, concurrency=1, deadline=60)
    got = call(hanging, FRAME, 50)
    assert server.state["calls"] == 3
    assert "given up" in got.errors[49]


def test_a_port_nobody_listens_on():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    got = call(load_model({"http": f"http://127.0.0.1:{port}/", "retries": 0}), FRAME, 50)
    assert len(got.errors) == 50
    assert any("connection failed" in e for e in got.errors.values())


def test_rubbish_is_a_failure_and_no_score(server):
    got = call(model(server, "not_json", retries=0, batch=50), FRAME, 50)
    assert len(got.errors) == 50
    assert all("not JSON" in e for e in got.errors.values())
    got = call(model(server, "some_rubbish"), FRAME, 50)
    assert set(got.errors) == {i for i in range(50) if i % 5 == 0}
    assert np.isnan(got.values[0])
    assert got.values[1] == 0.5
    got = call(model(server, "too_few", retries=0), FRAME, 50)
    assert len(got.errors) == 50


def test_errors_that_cannot_pass_are_not_tried_again(server):
    call(model(server, "refused", batch=50, retries=5), FRAME.head(1), 1)
    assert server.state["calls"] == 1


def test_headers_are_sent_and_never_shown(server):
    m = model(server, "echo_secret", headers={"Authorization": "Bearer s3cret"})
    assert call(m, FRAME, 50).values.sum() == 50
    assert "s3cret" not in repr(m)


def test_replay_counts_what_an_endpoint_does_not_answer(server):
    rng = np.random.default_rng(0)
    x = rng.random(400)
    golden = pl.DataFrame({"sample_id": range(400), "x": x, "label": (rng.random(400) < x).astype(int)})
    got = replay(golden, current=model(server, "hang", timeout=0.2, retries=0), previous=lambda f: f["x"].to_numpy())
    assert got.verdict == "inconclusive"
    assert got.errors.current == 400
    assert got.errors.previous == 0
    assert got.samples == 0


def test_wrong_settings_are_refused_before_the_first_request():
    for bad in ({"timeout": 0}, {"retries": -1}, {"request": "xml"}, {"batch": 0}, {"timout": 3}):
        with pytest.raises(BadInput):
            load_model({"http": "http://localhost/", **bad})
    with pytest.raises(BadInput):
        load_model({"http": "file:///etc/passwd"})


def test_an_interruption_loses_no_answer_that_has_arrived(server, tmp_path):
    """One call is sixteen batches; those that came before Ctrl-C are not asked for again."""
    g = pl.DataFrame({"sample_id": range(100), "x": [i / 100 for i in range(100)], "label": [i % 2 for i in range(100)]})
    endpoint = model(server, "good", batch=5, concurrency=2)
    assert endpoint.chunk == 40
    arrived = []

    def stop(progress):
        arrived.append(progress.done)
        if progress.done >= 20:
            raise KeyboardInterrupt

    from rca_kit.loop import progress

    every, progress.EVERY = progress.EVERY, 0.0
    try:
        with pytest.raises(KeyboardInterrupt):
            replay(g, current=endpoint, previous=endpoint, record=tmp_path / "a.jsonl", progress=stop)
    finally:
        progress.EVERY = every
    assert arrived == [0, 5, 10, 15, 20]
    before = server.state["calls"]
    got = replay(g, current=endpoint, previous=endpoint, record=tmp_path / "a.jsonl")
    assert got.samples == 100
    assert 36 <= server.state["calls"] - before <= 36 + 2  # 180 samples in batches of 5; two requests may have been under way


def test_parts_are_the_answers_bit_by_bit(server):
    frame = pl.DataFrame({"x": [float(i) for i in range(23)]})
    for path in ("good", "poison"):
        endpoint = model(server, path, batch=4)
        parts = list(endpoint.parts(frame))
        assert sorted(at for at, _ in parts) == [0, 4, 8, 12, 16, 20]
        whole = endpoint(frame)
        at_once = {i: v for i, v in enumerate(whole.values) if v is not None}
        assert {at + i: v for at, answer in parts for i, v in enumerate(answer.values) if v is not None} == at_once
        assert set(whole.errors) == ({7} if path == "poison" else set())
