"""Service metrics from a real Prometheus server that the test fills and starts, and from a bad one."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest
import yaml

from rca_kit import transport
from rca_kit.errors import BadInput
from rca_kit.loop.investigate import investigate
from rca_kit.sources import open_case
from rca_kit.sources import prometheus_client as client_module
from rca_kit.sources.prometheus import read_prometheus, read_spec
from rca_kit.sources.prometheus_client import MAX_POINTS

SAMPLE = Path(__file__).parents[2] / "data" / "samples" / "latency-embedding"
START, END = datetime(2026, 2, 23, 21, tzinfo=UTC), datetime(2026, 3, 1, 20, 59, 59, tzinfo=UTC)
DENSE_FROM = datetime(2026, 2, 24, tzinfo=UTC)
DENSE_POINTS = 25_000  # at 15 s: more than two queries may give


def openmetrics(frame: pl.DataFrame) -> str:
    lines = []
    for (metric,), rows in frame.sort("metric", "component", "time").group_by("metric", maintain_order=True):
        lines.append(f"# TYPE {metric} gauge")
        for row in rows.iter_rows(named=True):
            lines.append(f'{metric}{{component="{row["component"]}"}} {row["value"]!r} {row["time"].timestamp():.3f}')
    lines.append("# TYPE dense gauge")
    lines += [f'dense{{component="a",zone="z1"}} {i} {(DENSE_FROM + timedelta(seconds=15 * i)).timestamp():.0f}'
              for i in range(DENSE_POINTS)]
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Start Prometheus on data that promtool made of the sample's own series."""
    if not (shutil.which("prometheus") and shutil.which("promtool")):
        pytest.skip("prometheus is not installed (apt-get install prometheus)")
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "series.txt").write_text(openmetrics(pl.read_parquet(SAMPLE / "service_metrics.parquet")))
    subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=400h",
                    str(folder / "series.txt"), str(folder / "data")], check=True, capture_output=True)
    (folder / "prometheus.yml").write_text("global: {}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             "--storage.tsdb.retention.time=100y", f"--web.listen-address=127.0.0.1:{port}", "--query.max-samples=15000"],
            stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(url + "/-/ready", timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()[-2000:]
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("URL", "TOKEN", "USER", "PASSWORD", "ORG"):
        monkeypatch.delenv(f"RCA_KIT_PROMETHEUS_{name}", raising=False)
    monkeypatch.setattr(client_module, "BACKOFF", 0.01)


def case(tmp_path, spec) -> Path:
    folder = tmp_path / "case"
    shutil.copytree(SAMPLE, folder)
    (folder / "service_metrics.parquet").unlink()
    incident = yaml.safe_load((folder / "incident.yaml").read_text())
    incident["tables"]["service_metrics"] = spec
    (folder / "incident.yaml").write_text(yaml.safe_dump(incident))
    return folder


def metric_names() -> list[str]:
    return pl.read_parquet(SAMPLE / "service_metrics.parquet")["metric"].unique().sort().to_list()


def test_findings_are_those_of_the_same_series_in_a_file(server, tmp_path):
    queries = {name: name for name in metric_names()}
    folder = case(tmp_path, {"prometheus": server, "queries": queries, "component": "component", "step": "5m"})
    opened = open_case(folder)
    file = open_case(SAMPLE)
    columns = ["time", "component", "metric", "value"]
    asked, given = (o.service_metrics.select(*columns).collect("polars").to_native().sort(columns) for o in (opened, file))
    assert asked.height == 27_648 and asked.equals(given)
    listed = next(t for t in opened.tables if t.name == "service_metrics")
    assert listed.rows == 27_648 and len(listed.sha256) == 64 and listed.files[0].startswith("Prometheus at 127.0.0.1:")
    found, expected = investigate(folder).to_dict(), investigate(SAMPLE).to_dict()
    assert any(e["check"] == "service_metrics" and e["for"] for s in expected["suspects"] for e in s["evidence"])
    assert found == expected


def test_a_span_of_many_points_is_asked_for_in_pieces_without_gap_or_repeat(server):
    end = DENSE_FROM + timedelta(seconds=15 * (DENSE_POINTS - 1))
    spec = {"prometheus": server, "queries": {"memory_mb": "dense"}, "step": 15}
    assert DENSE_POINTS > 2 * MAX_POINTS
    table = read_prometheus(spec, (DENSE_FROM, end))[0].frame.collect()
    assert table["value"].to_list() == list(range(DENSE_POINTS))
    assert table["time"].diff().drop_nulls().unique().to_list() == [timedelta(seconds=15)]
    assert table["component"].unique().to_list() == ["a"] and table["zone"].unique().to_list() == ["z1"]


def test_a_query_over_the_servers_sample_limit_is_halved(server, monkeypatch):
    asked = []
    monkeypatch.setattr(client_module, "post", lambda *a: asked.append(a) or transport.post(*a))
    # points of the inner query and of the answer are more than the 15,000 samples that this server allows
    end = DENSE_FROM + timedelta(seconds=15 * 10_000)
    spec = {"prometheus": server, "queries": {"m": "max_over_time(dense[3m:15s])"}, "step": 15}
    table = read_prometheus(spec, (DENSE_FROM + timedelta(minutes=5), end))[0].frame.collect()
    assert table["value"].diff().drop_nulls().unique().to_list() == [1.0]
    assert table.height == 10_000 - 20 + 1 and len(asked) >= 3


@pytest.mark.parametrize(("spec", "words"), [
    ({"queries": {"m": "cpu_utilization{"}}, ("refuses query `m`", "parse error")),
    ({"queries": {"m": "cpu_utilization"}, "component": "pod"}, ("has the label", "found: component", "pod")),
    ({"queries": {"m": "cpu_utilization"}, "component": "componet"}, ("did you mean `component`?",)),
])
def test_what_the_server_cannot_answer_is_said(server, spec, words):
    with pytest.raises(BadInput) as caught:
        read_prometheus({"prometheus": server, "step": "5m", **spec}, (START, END))
    assert all(w in str(caught.value) for w in words), caught.value


def test_an_empty_answer_warns_and_the_case_opens(server, tmp_path):
    folder = case(tmp_path, {"prometheus": server, "queries": {"cpu_utilization": "no_such_series"}})
    opened = open_case(folder)
    assert opened.service_metrics is None
    assert any("`cpu_utilization` gives no series" in w for w in opened.warnings)


def test_a_sum_without_labels_is_the_services_own(server):
    spec = {"prometheus": server, "queries": {"requests": "sum(requests)"}, "step": "5m"}
    assert read_prometheus(spec, (START, END), "search")[0].frame.collect()["component"].unique().to_list() == ["search"]


def test_several_components_of_one_query_are_told_apart_without_naming_the_label(server):
    table = read_prometheus({"prometheus": server, "queries": {"cpu": "cpu_utilization"}, "step": "5m"}, (START, END))[0]
    assert set(table.frame.collect()["component"]) == {"embedder", "feature-store", "search-model"}


class Strange(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        state = self.server.state
        state["calls"] += 1
        state["seen"].append(dict(self.headers))
        kind = self.path.split("/")[1]
        good = {"status": "success", "data": {"resultType": "matrix", "result": [
            {"metric": {"job": "a"}, "values": [[START.timestamp(), "1"], [START.timestamp() + 60, "NaN"],
                                                [START.timestamp() + 120, "+Inf"]]}]}}
        if kind == "hang":
            state["stop"].wait(20)
            return
        code, body = {
            "flaky": (200, good) if state["calls"] > 1 else (503, {"status": "error", "error": "starting"}),
            "good": (200, good),
            "down": (502, {}),
            "html": (200, b"<html>hello</html>"),
            "shape": (200, {"status": "success", "data": {"result": [{"values": "x"}]}}),
            "vector": (200, {"status": "success", "data": None}),
            "auth": (401, {"status": "error", "error": "Bearer of s3cret refused"}),
            "moved": (302, {}),
            "hist": (200, {"status": "success", "data": {"result": [{"metric": {}, "histograms": [[1, {}]]}]}}),
            "timeout": (503, {"status": "error", "errorType": "timeout", "error": "query timed out in expression evaluation"}),
        }[kind]
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        if code == 302:
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/good/api/v1/query_range")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


@pytest.fixture
def strange():
    web = ThreadingHTTPServer(("127.0.0.1", 0), Strange)
    web.state = {"calls": 0, "seen": [], "stop": threading.Event()}
    threading.Thread(target=web.serve_forever, daemon=True).start()
    yield web
    web.state["stop"].set()
    web.shutdown()
    web.server_close()


def ask(web, kind, **more):
    spec = {"prometheus": f"http://127.0.0.1:{web.server_port}/{kind}", "queries": {"m": "up"}, **more}
    return read_prometheus(spec, (START, START + timedelta(hours=1)))


def test_a_server_that_fails_once_is_asked_again(strange):
    table = ask(strange, "flaky")[0].frame.collect()
    assert table["value"].to_list() == [1.0]  # what is no finite number is no value
    assert strange.state["calls"] == 2


@pytest.mark.parametrize(("kind", "words", "calls"), [
    ("down", "HTTP 502, 3 times", 3),
    ("html", "is no Prometheus server", 1),
    ("shape", "has not the form of a range query's", 1),
    ("vector", "has not the form of a range query's", 1),
    ("auth", "refuses access", 1),
    ("moved", "is redirected", 1),
    ("hist", "histogram_quantile", 1),
    ("timeout", "asks for more than the server gives", 2),  # 61 points are halved once, and no further
])
def test_bad_servers_end_in_a_clear_message(strange, kind, words, calls):
    with pytest.raises(BadInput) as caught:
        ask(strange, kind)
    assert words in str(caught.value), caught.value
    assert "s3cret" not in str(caught.value) and strange.state["calls"] == calls


def test_a_server_that_hangs_is_given_up(strange):
    with pytest.raises(BadInput, match=r"no answer within 0.2 s, 2 times"):
        ask(strange, "hang", timeout=0.2, retries=1)


def test_nobody_listens():
    with pytest.raises(BadInput, match="connection failed"):
        read_prometheus({"prometheus": "http://127.0.0.1:9", "queries": {"m": "up"}, "retries": 0}, (START, END))


def test_credentials_of_the_environment_go_to_the_server_they_are_for(strange, monkeypatch):
    monkeypatch.setenv("RCA_KIT_PROMETHEUS_TOKEN", "s3cret")
    with pytest.raises(BadInput, match="not for this server") as caught:
        ask(strange, "good")
    assert strange.state["calls"] == 0 and "s3cret" not in str(caught.value)
    monkeypatch.setenv("RCA_KIT_PROMETHEUS_URL", f"http://127.0.0.1:{strange.server_port}")
    ask(strange, "good")
    assert strange.state["seen"][-1]["Authorization"] == "Bearer s3cret"
    monkeypatch.delenv("RCA_KIT_PROMETHEUS_TOKEN")
    monkeypatch.setenv("RCA_KIT_PROMETHEUS_USER", "me")
    monkeypatch.setenv("RCA_KIT_PROMETHEUS_PASSWORD", "pw")
    ask(strange, "good")
    assert strange.state["seen"][-1]["Authorization"] == "Basic bWU6cHc="


@pytest.mark.parametrize(("spec", "words"), [
    ({"prometheus": "http://p:9090"}, "queries: is required and missing"),
    ({"prometheus": "http://p:9090", "queries": {}}, "queries"),
    ({"prometheus": "http://p:9090", "querys": {"a": "b"}}, "did you mean `queries`?"),
    ({"prometheus": "http://p:9090", "queries": {"a": "b"}, "step": "soon"}, "`soon` is no duration"),
    ({"prometheus": "http://p:9090", "queries": {"a": "b"}, "step": 0}, "between 1s and 1d"),
    ({"prometheus": "http://p:9090", "queries": {"a": " "}}, "PromQL"),
    ({"prometheus": "http://p:9090", "queries": ["a"]}, "queries"),
])
def test_a_bad_entry_is_refused_with_what_is_wrong(spec, words):
    with pytest.raises(BadInput) as caught:
        read_spec(spec)
    assert words in str(caught.value), caught.value


@pytest.mark.parametrize("url", ["ftp://p", "p:9090", "http://", "http://p:port", "http://me:s3cret@p:9090", "http://me:s3cret@p:x"])
def test_bad_addresses_are_refused_without_repeating_secrets(url):
    with pytest.raises(BadInput) as caught:
        read_prometheus({"prometheus": url, "queries": {"a": "b"}}, (START, END))
    assert "s3cret" not in str(caught.value)
