"""The commands: what they print, write and return."""

from __future__ import annotations

import gc
import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parent))
from cli_helpers import run
from test_bad_input import log, write

from rca_kit.cli import console
from rca_kit.cli.console import guarded, write_whole
from rca_kit.cli.show import show_run
from rca_kit.errors import BadInput, RunFailed
from rca_kit.run import RunResult
from rca_kit.sources import open_case
from rca_kit.views.example import example

ALERTMANAGER = {
    "version": "4",
    "status": "firing",
    "groupKey": "{}",
    "commonLabels": {"service": "fraud"},
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "FraudAUCLow", "severity": "page"},
            "annotations": {"summary": "AUC 0.86 -> 0.78"},
            "startsAt": "2026-03-01T05:00:00.123456789Z",
            "fingerprint": "ab12",
        }
    ],
}
ALERTS = {
    "alertmanager": (ALERTMANAGER, "FraudAUCLow", "fraud", "auc"),
    "grafana": ({**ALERTMANAGER, "orgId": 1, "title": "[FIRING:1]", "state": "alerting"}, "FraudAUCLow", "fraud", "auc"),
    "pagerduty": (
        {
            "event": {
                "event_type": "incident.triggered",
                "occurred_at": "2026-03-01T05:00:00Z",
                "data": {
                    "id": "PABC",
                    "number": 77,
                    "title": "p99 latency above 800 ms",
                    "created_at": "2026-03-01T05:00:00Z",
                    "service": {"summary": "fraud"},
                },
            }
        },
        "p99 latency above 800 ms",
        "fraud",
        "latency_p99",
    ),
    "datadog": (
        {
            "id": "9",
            "title": "[Triggered] error rate is high",
            "date": 1772341200000,
            "tags": "env:prod,service:fraud",
            "body": "5xx",
        },
        "error rate is high",
        "fraud",
        "error_rate",
    ),
}


def test_check_shows_tables_roles_and_reasons(tmp_path, monkeypatch, capsys):
    ran = run(monkeypatch, capsys, "check", write(tmp_path))
    assert ran.code == 0 and ran.err == ""
    for part in ("T-1: t", "predictions", "400", "score", "inferred: `ts`: the only column of times", "no problems found"):
        assert part in ran.out


def test_check_shows_hostile_names_as_text(tmp_path, monkeypatch, capsys):
    write(tmp_path, frame=log().rename({"amount": "[red]x\x1b[31m"}), file="p.parquet")
    ran = run(monkeypatch, capsys, "check", tmp_path)
    assert "[red]x\\x1b[31m" in ran.out and "\x1b[31m" not in ran.out


def test_new_writes_a_case_that_opens_with_the_same_roles(tmp_path, monkeypatch, capsys):
    log().write_csv(tmp_path / "log.csv")
    folder = tmp_path / "cases" / "one"
    ran = run(
        monkeypatch, capsys, "new", folder, "--predictions", tmp_path / "log.csv", "--metric", "auc", "--title", "AUC: fell #1"
    )
    assert ran.code == 0, ran.err
    text = (folder / "incident.yaml").read_text()
    assert "# `ts`: the only column of times" in text
    opened = open_case(folder)
    assert (opened.roles.time, opened.roles.score, opened.roles.label) == ("ts", "score", "label")
    assert opened.case.incident.title == "AUC: fell #1" and opened.case.incident.signal.metric == "auc"
    assert opened.case.incident.detected_at == opened.time_range[1]
    assert opened.roles.inferred.keys() <= {"positive:label"}  # all is written down for a person to check


def test_new_never_overwrites(tmp_path, monkeypatch, capsys):
    write(tmp_path)
    before = (tmp_path / "incident.yaml").read_text()
    ran = run(monkeypatch, capsys, "new", tmp_path, "--predictions", tmp_path / "p.csv")
    assert ran.code == 2 and "not overwritten" in ran.err
    assert (tmp_path / "incident.yaml").read_text() == before


def test_new_of_a_bad_table_writes_nothing(tmp_path, monkeypatch, capsys):
    ran = run(monkeypatch, capsys, "new", tmp_path / "c", "--predictions", tmp_path / "no.csv")
    assert ran.code == 2 and not (tmp_path / "c").exists()


@pytest.mark.parametrize("form", ALERTS)
def test_new_from_alert(form, tmp_path, monkeypatch, capsys):
    body, title, service, metric = ALERTS[form]
    log().write_parquet(tmp_path / "p.parquet")
    (tmp_path / "alert.json").write_text(json.dumps(body))
    ran = run(
        monkeypatch,
        capsys,
        "new",
        tmp_path / "c",
        "--predictions",
        tmp_path / "p.parquet",
        "--from-alert",
        tmp_path / "alert.json",
    )
    assert ran.code == 0, ran.err
    data = yaml.safe_load((tmp_path / "c" / "incident.yaml").read_text())
    assert (data["title"], data["service"], data["signal"]["metric"]) == (title, service, metric)
    assert f"{data['detected_at']:%Y-%m-%dT%H:%M:%S}" == "2026-03-01T05:00:00"


@pytest.mark.parametrize("content", ["{}", "[]", "nonsense", '{"alerts": []}', '{"alerts": [{"startsAt": "never"}]}', "1"])
def test_new_from_what_is_no_alert(content, tmp_path, monkeypatch, capsys):
    log().write_parquet(tmp_path / "p.parquet")
    (tmp_path / "a.json").write_text(content)
    ran = run(
        monkeypatch, capsys, "new", tmp_path / "c", "--predictions", tmp_path / "p.parquet", "--from-alert", tmp_path / "a.json"
    )
    assert ran.code == 2 and "a.json" in ran.err and not (tmp_path / "c").exists()


@pytest.fixture
def fake_investigation(monkeypatch):
    """Stands in for the seven steps, which have tests of their own."""

    class Found:
        def to_dict(self):
            return {"schema_version": 1, "case_id": "Größe", "warnings": []}

    module = type(sys)("rca_kit.loop.investigate")
    module.investigate = lambda opened, **_: Found() if opened.row_count else None
    monkeypatch.setitem(sys.modules, "rca_kit.loop.investigate", module)


def test_findings_on_standard_output_and_in_a_file(tmp_path, monkeypatch, capsys, fake_investigation):
    write(tmp_path)
    ran = run(monkeypatch, capsys, "findings", tmp_path)
    assert ran.code == 0 and json.loads(ran.out)["case_id"] == "Größe" and ran.err == ""
    target = tmp_path / "f.json"
    target.write_text("old")
    to_file = run(monkeypatch, capsys, "findings", tmp_path, "--out", target)
    assert to_file.code == 0 and to_file.out == "" and target.read_text() == ran.out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.json", "incident.yaml", "p.csv"]


def test_garbage_is_collected_again_once_a_case_is_open_or_refused(tmp_path, monkeypatch, capsys, fake_investigation):
    assert run(monkeypatch, capsys, "findings", tmp_path / "nowhere").code == 2 and gc.isenabled()
    write(tmp_path)
    assert run(monkeypatch, capsys, "findings", tmp_path).code == 0 and gc.isenabled()


def test_a_failing_write_keeps_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "f.json"
    target.write_text("old")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(console.os, "fsync", full)
    with pytest.raises(BadInput, match="No space left"):
        write_whole(target, "new")
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("x"), 2),
        (RunFailed("x"), 4),
        (KeyboardInterrupt(), 130),
        (SystemExit(3), 3),
        (SystemExit(), 0),
        (BrokenPipeError(), 0),
    ],
)
def test_exit_codes(error, code, capsys, monkeypatch):
    monkeypatch.setattr(console.os, "dup2", lambda *_: None)

    def fail() -> None:
        raise error

    assert guarded(fail) == code
    assert "Traceback" not in capsys.readouterr().err


def test_a_fault_of_the_kit_is_short_and_leaves_the_traceback_in_a_file(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(console.tempfile, "tempdir", str(tmp_path))

    def fail() -> None:
        raise ZeroDivisionError("division by zero")

    assert guarded(fail) == 4
    said = capsys.readouterr().err
    (trace,) = tmp_path.iterdir()
    assert "ZeroDivisionError" in said and "Traceback" not in said and str(trace) in said.replace("\n", "")
    assert "Traceback" in trace.read_text()


@pytest.mark.parametrize("arguments", [["findings"], ["nonsense"], ["check", ".", "--nonsense"], ["new", "x"]])
def test_wrong_usage_is_exit_2(arguments, monkeypatch, capsys):
    assert run(monkeypatch, capsys, *arguments).code == 2


def test_version_and_help(monkeypatch, capsys):
    assert run(monkeypatch, capsys, "--version").out.startswith("rca-kit 0.")
    listed = run(monkeypatch, capsys, "--help").out
    for command in (
        "new",
        "check",
        "findings",
        "investigate",
        "lab",
        "replay",
        "shadow",
        "verify",
        "guardrails",
        "train",
        "demo",
        "extract",
    ):
        assert command in listed


def test_lab_lays_a_bound_notebook_and_keeps_an_edited_one(tmp_path, monkeypatch, capsys):
    write(tmp_path)
    ran = run(monkeypatch, capsys, "lab", tmp_path, "--notebook", "7s_investigation", "--no-start")
    assert ran.code == 0, ran.err
    book = tmp_path / "notebooks" / "7s_investigation.ipynb"
    assert 'case: str = ".."' in "".join("".join(c["source"]) for c in json.loads(book.read_text())["cells"])
    book.write_text("mine")
    assert run(monkeypatch, capsys, "lab", tmp_path, "--notebook", "7s_investigation", "--no-start").code == 0
    assert book.read_text() == "mine"
    assert run(monkeypatch, capsys, "lab", tmp_path, "--notebook", "8s", "--no-start").code == 2


def test_lab_opens_the_explorers_on_the_case_itself(tmp_path, monkeypatch, capsys):
    write(tmp_path)
    assert run(monkeypatch, capsys, "lab", tmp_path, "--no-start").code == 0
    cells = json.loads((tmp_path / "notebooks" / "explore_case.ipynb").read_text())["cells"]
    code = "\n".join("".join(c["source"]) for c in cells)
    assert 'case = ".."' in code and "rca_kit.explore(case)" in code
    assert "practice" not in code  # the guided form works on a copy of a sample


@pytest.mark.parametrize(("verdict", "code"), [("same", 0), ("better", 0), ("worse", 1), ("inconclusive", 3)])
def test_replay_is_a_gate(verdict, code, tmp_path, monkeypatch, capsys):
    module = type(sys)("rca_kit.loop.versions.gates")
    module.replay_case = lambda folder: (type("R", (), {"verdict": verdict, "says": lambda self: "n = 5"})(), code)
    monkeypatch.setitem(sys.modules, "rca_kit.loop.versions.gates", module)
    ran = run(monkeypatch, capsys, "replay", write(tmp_path))
    assert ran.code == code and ran.out.startswith(f"{verdict}: n = 5")


def test_extract_needs_a_report(tmp_path, monkeypatch, capsys):
    ran = run(monkeypatch, capsys, "extract", tmp_path / "no.html")
    assert ran.code == 2 and "no.html" in ran.err


def test_a_run_shows_a_probability_as_the_report_does(tmp_path):
    inv = example()
    first, second = inv.suspects.items[:2]
    told = (replace(first, probability=0.9996), replace(second, probability=0.0002))
    inv = replace(inv, suspects=replace(inv.suspects, items=told))
    out = Console(file=io.StringIO(), width=200)
    show_run(RunResult(tmp_path, 0, investigation=inv), out)
    text = out.file.getvalue()
    assert f"over 99% {first.title}" in text
    assert f"under 1% {second.title}" in text
