from __future__ import annotations

import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rca_kit.errors import BadInput
from rca_kit.run import run_investigation
from rca_kit.run.templates import check_parameters, find_template, read_parameters, template_names
from rca_kit.views.report import extract_findings

CLOCK = datetime(2026, 3, 2, 16, tzinfo=UTC)
PARAMETERS = (
    'case: str = ""\nengine: str = "polars"  # what scans\nstatic: bool = False\n'
    'n: int | None = None\nx: float = 1.0\napi_token: str = ""'
)
START = (
    "from rca_kit.run import walk\n"
    "from rca_kit.views.example import example\nw = walk(case, engine, investigate=lambda folder, engine: example())"
)


def notebook(folder: Path, name: str, *cells: str, parameters: str | None = PARAMETERS) -> str:
    def cell(i: int, source: str, tags: list[str]) -> dict:
        return {
            "cell_type": "code",
            "id": f"c{i}",
            "metadata": {"tags": tags},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }

    all_cells = [cell(0, parameters, ["parameters"])] if parameters is not None else []
    all_cells += [cell(i, source, []) for i, source in enumerate(cells, 1)]
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps({"cells": all_cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return str(path)


@pytest.fixture
def case(tmp_path):
    folder = tmp_path / "case"
    folder.mkdir()
    return folder


@pytest.fixture
def ok(tmp_path):
    return notebook(tmp_path, "ok", START, "w.signal()", "w.finish()")


def states(result):
    return [s.state for s in result.steps]


def test_whole_run(case, ok, tmp_path):
    out = tmp_path / "out"
    result = run_investigation(case, out, ok, static=True, clock=CLOCK)
    assert result.exit_code == 0 and result.out_dir == out and states(result) == ["done"] * 7
    assert sorted(p.name for p in out.iterdir()) == [
        "evidence.csv",
        "findings.json",
        "notebook.ipynb",
        "report.html",
        "run.json",
        "summary.md",
    ]
    findings = json.loads((out / "findings.json").read_text())
    assert findings == extract_findings(out / "report.html") == json.loads(json.dumps(result.investigation.to_dict()))
    run = json.loads((out / "run.json").read_text())
    assert run["exit_code"] == 0 and set(run["seconds_per_step"]) == set(run["steps"])
    assert "2026-03-02 16:00 UTC" in (out / "report.html").read_text()
    assert "# INC-2041" in (out / "summary.md").read_text()
    assert stat.S_IMODE(out.stat().st_mode) & 0o700 == 0o700
    assert not [p for p in tmp_path.iterdir() if "unfinished" in p.name]


def test_same_case_and_clock_give_the_same_bytes(case, ok, tmp_path):
    for name in ("a", "b"):
        run_investigation(case, tmp_path / name, ok, clock=CLOCK)
    for name in ("report.html", "summary.md", "findings.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_default_place_and_earlier_runs_stay(case, ok):
    first = run_investigation(case, template=ok, static=True)
    before = {p: p.read_bytes() for p in first.out_dir.iterdir()}
    second = run_investigation(case, template=ok, static=True)
    assert first.out_dir.parent == second.out_dir.parent == case / "runs" and first.out_dir != second.out_dir
    assert {p: p.read_bytes() for p in first.out_dir.iterdir()} == before


def test_used_place_is_refused_or_numbered(case, ok, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    with pytest.raises(BadInput, match="never overwritten"):
        run_investigation(case, out, ok)
    assert run_investigation(case, out, ok, static=True, number_used=True).out_dir == tmp_path / "out-2"
    assert [p.name for p in out.iterdir()] == ["mine.txt"]


def test_an_empty_folder_may_be_used(case, ok, tmp_path):
    (tmp_path / "out").mkdir()
    assert run_investigation(case, tmp_path / "out", ok, static=True).out_dir == tmp_path / "out"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"engin": "polars"}, "did you mean `engine`"),
        ({"engine": 3}, "wrong type"),
        ({"n": "three"}, "wrong type"),
        ({"n": 1.5}, "wrong type"),
        ({"static": "maybe"}, "wrong type"),
        ({"n": True}, "wrong type"),
        ({"x": "fast"}, "wrong type"),
        ({"case": "other"}, "set by the run itself"),
    ],
)
def test_bad_parameters_are_refused_before_anything_runs(case, ok, tmp_path, given, words):
    with pytest.raises(BadInput, match=words):
        run_investigation(case, tmp_path / "out", ok, given)
    assert not (tmp_path / "out").exists()
    assert list(case.iterdir()) == []


def test_texts_from_a_command_line_become_what_the_template_wants(ok):
    assert check_parameters(Path(ok), {"n": "3", "x": "2", "static": "True"}) == {"n": 3, "x": 2.0, "static": True}
    assert check_parameters(Path(ok), {"n": None, "x": 2}) == {"n": None, "x": 2.0}


def test_missing_things(case, ok, tmp_path):
    with pytest.raises(BadInput, match="no such case folder"):
        run_investigation(tmp_path / "nowhere", template=ok)
    with pytest.raises(BadInput, match="no such template"):
        run_investigation(case, template="7s_investigatoin")
    with pytest.raises(BadInput, match="tagged `parameters`"):
        run_investigation(case, template=notebook(tmp_path, "bare", "1", parameters=None))
    with pytest.raises(BadInput, match="takes no `case`"):
        run_investigation(case, template=notebook(tmp_path, "caseless", "1", parameters="n: int = 1"))
    (tmp_path / "broken.ipynb").write_text("{")
    with pytest.raises(BadInput, match="not a notebook"):
        run_investigation(case, template=str(tmp_path / "broken.ipynb"))
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match="is a file"):
        run_investigation(case, tmp_path / "file", ok)
    with pytest.raises(BadInput, match="cannot be written"):
        run_investigation(case, tmp_path / "file" / "below", ok)
    assert list(case.iterdir()) == []


def test_a_failing_cell_leaves_a_partial_report(case, tmp_path):
    template = notebook(tmp_path, "fail", START, "w.scope()", "raise ValueError('<img src=x> boom')", "w.finish()")
    result = run_investigation(case, tmp_path / "out", template, static=True)
    assert result.exit_code == 4 and states(result) == ["done"] * 3 + ["failed"] + ["skipped"] * 3
    html = (tmp_path / "out" / "report.html").read_text()
    assert "This report is incomplete" in html and "&lt;img src=x&gt; boom" in html and "AUC fell from 0.861 to 0.779" in html
    assert extract_findings(tmp_path / "out" / "report.html")["incomplete"] is True
    assert not (tmp_path / "out" / "findings.json").exists()
    assert json.loads((tmp_path / "out" / "run.json").read_text())["exit_code"] == 4
    assert "boom" in (tmp_path / "out" / "notebook.ipynb").read_text()


def test_a_failing_step_is_named(case, tmp_path):
    broken = (
        "def broken(folder, engine):\n    raise RuntimeError('no luck')\n"
        "from rca_kit.run import walk\nw = walk(case, engine, investigate=broken)\nw.finish()"
    )
    result = run_investigation(case, tmp_path / "out", notebook(tmp_path, "b", broken), static=True)
    assert result.exit_code == 4 and states(result)[0] == "failed"
    assert "step 1, Signal: RuntimeError: no luck" in result.failure


def test_a_dead_kernel_leaves_a_partial_report(case, tmp_path):
    template = notebook(tmp_path, "die", START, "w.symptom()", "import os\nos._exit(9)", "w.finish()")
    result = run_investigation(case, tmp_path / "out", template, static=True)
    assert result.exit_code == 4 and states(result) == ["done"] * 2 + ["failed"] + ["skipped"] * 4
    assert "kernel died" in result.failure
    assert "kernel died" in (tmp_path / "out" / "summary.md").read_text()


def test_bad_input_in_the_first_step_is_raised_and_nothing_is_written(case, tmp_path):
    broken = (
        "from rca_kit.errors import BadInput\ndef broken(folder, engine):\n"
        "    raise BadInput('column is missing', file='p.csv', column='scroe', hint='did you mean `score`?')\n"
        "from rca_kit.run import walk\nw = walk(case, engine, investigate=broken)\nw.finish()"
    )
    with pytest.raises(BadInput, match=r"p\.csv: column `scroe`: column is missing") as caught:
        run_investigation(case, tmp_path / "out", notebook(tmp_path, "b", broken))
    assert caught.value.hint == "did you mean `score`?"
    assert not (tmp_path / "out").exists() and not [p for p in tmp_path.iterdir() if "unfinished" in p.name]


def test_no_secret_and_no_machine_path_in_what_is_left(case, ok, tmp_path):
    secret = 'hunter2"\\x'
    result = run_investigation(case, tmp_path / "out", ok, {"api_token": secret}, static=True)
    for path in result.out_dir.iterdir():
        text = path.read_text()
        assert "hunter2" not in text, path.name
        assert str(tmp_path) not in text, path.name
    json.loads((result.out_dir / "notebook.ipynb").read_text())


def test_notebook_names_the_case_relative_to_where_it_lies(case, ok):
    result = run_investigation(case, template=ok, static=True)
    injected = [
        c
        for c in json.loads((result.out_dir / "notebook.ipynb").read_text())["cells"]
        if "injected-parameters" in c["metadata"].get("tags", [])
    ]
    assert 'case = "../.."' in "".join(injected[0]["source"])


def test_journal_is_in_the_report(case, ok, tmp_path):
    from rca_kit.case.journal import Journal

    Journal(case).add("decision", "rolled the key format back", author="Ada", time=datetime(2026, 3, 2, 14, 50, tzinfo=UTC))
    result = run_investigation(case, tmp_path / "out", ok, static=True)
    assert "rolled the key format back" in result.report.read_text()


def test_no_kernelspec_is_needed(case, ok, tmp_path, monkeypatch):
    empty = tmp_path / "home"
    empty.mkdir()
    for name in ("JUPYTER_PATH", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR", "HOME"):
        monkeypatch.setenv(name, str(empty))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    assert run_investigation(case, tmp_path / "out", ok, static=True).exit_code == 0


def test_parameters_are_read_with_their_words(ok):
    found = read_parameters(Path(ok))
    assert found["engine"].help == "what scans" and found["n"].annotation == "int | None" and found["x"].default == 1.0


@pytest.mark.parametrize("name", template_names())
def test_templates_are_clean(name):
    path = find_template(name)
    raw = json.loads(path.read_text(encoding="utf-8"))
    assert read_parameters(path)["case"].annotation == "str"
    assert raw["cells"][0]["cell_type"] == "markdown", "says first what it is for"
    for cell in raw["cells"]:
        assert cell.get("id")
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
            assert len("".join(cell["source"]).splitlines()) <= 15, "short cells that call the package"
    assert os.sep + "work" not in path.read_text(encoding="utf-8")


def test_a_page_becomes_the_report(case, tmp_path):
    cell = (
        "from rca_kit.run import keep_page\nfrom rca_kit.views.documents import tabletop\n"
        "from rca_kit.views.example import example\n"
        "keep_page(tabletop(example(), minutes=30))"
    )
    result = run_investigation(case, tmp_path / "out", notebook(tmp_path, "page", cell))
    assert result.exit_code == 0
    assert (
        "Tabletop drill, 30 minutes" in result.report.read_text()
        and "# Tabletop drill" in (tmp_path / "out" / "summary.md").read_text()
    )


def test_post_mortem_from_a_hand_written_timeline_alone(case, tmp_path):
    (case / "t.md").write_text(
        "2026-03-02 14:05 onset: AUC falls\n2026-03-02 14:35 alert: page\n2026-03-02 15:30 resolved: rolled back\n"
    )
    result = run_investigation(case, tmp_path / "out", "post_mortem", {"timeline": "t.md", "findings": False})
    assert result.exit_code == 0
    assert "time to detect: 30 min" in (tmp_path / "out" / "summary.md").read_text()


def small_case(folder: Path) -> None:
    """A service that is slow from noon on: the least the kit's own loop can chew."""
    rows = ["ts,score,label,latency_ms"]
    for i in range(1440):
        slow = 400 if i >= 720 else 0
        time = f"2026-03-02T{i // 60:02d}:{i % 60:02d}:00Z"
        rows.append(f"{time},0.{(i * 37) % 90 + 10},{int(i % 7 == 0)},{100 + i % 13 + slow}")
    (folder / "p.csv").write_text("\n".join(rows))
    (folder / "incident.yaml").write_text(
        "{id: A-1, title: slow, detected_at: 2026-03-02T13:00:00Z, signal: {metric: latency_p95}, tables: {predictions: p.csv}}"
    )


def test_the_kits_own_template_and_loop(case, tmp_path):
    small_case(case)
    result = run_investigation(case, tmp_path / "out", static=True)
    assert result.failure == "" and result.exit_code == 0 and states(result) == ["done"] * 7
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert sum(run["seconds_per_step"].values()) <= run["seconds"]


@pytest.mark.parametrize(
    ("template", "says"),
    [("runbook", "Runbook"), ("data_check", "latency_ms"), ("tabletop", "Tabletop"), ("deprecation_plan", "Deprecation")],
)
def test_each_other_template_is_usable_alone(template, says, case, tmp_path):
    small_case(case)
    result = run_investigation(case, tmp_path / "out", template, static=True)
    assert result.failure == "" and result.exit_code == 0
    assert says in result.report.read_text() and (tmp_path / "out" / "summary.md").read_text().strip()


def test_steps_done_before_a_later_one_fails_are_shown(case, tmp_path):
    small_case(case)
    broken = (
        "import rca_kit.loop.s5_samples.pull as s5\n"
        "def no(*a, **k):\n    raise RuntimeError('no rows today')\ns5.pull_samples = no\n"
        "from rca_kit.run import walk\nwalk(case, engine).finish()"
    )
    result = run_investigation(case, tmp_path / "out", notebook(tmp_path, "b", broken), static=True)
    assert result.exit_code == 4 and states(result) == ["done"] * 4 + ["failed"] + ["skipped"] * 2
    html = (tmp_path / "out" / "report.html").read_text()
    assert "no rows today" in html and "P95 latency rose from" in html
