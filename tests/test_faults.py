"""What the machine does to a run: a full disk, a kernel killed for its memory, an interrupt. Nothing half-written is left."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rca_kit.case.bundled import sample
from rca_kit.errors import RunFailed
from rca_kit.run import outputs, run_investigation

from .test_run import START, notebook

STREAMED = """
import sys
from rca_kit.loop.reading import prepare, saving
prepare.EAGER_ROWS = saving.ROWS_KEPT = 1  # every log is one too large for memory
keep = saving.Keeper.__call__
def slow(self, batch):
    import time
    keep(self, batch)
    print("batch", file=sys.stderr, flush=True)
    time.sleep(60)
saving.Keeper.__call__ = slow
from rca_kit.cli.app import main
main()
"""


def earlier(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def full(monkeypatch: Any, below: Path, room: int = 0) -> None:
    """Let no more than so many bytes be written below a folder, as a full disk does."""
    write = outputs._text

    def limited(path: Path, text: str) -> None:
        if below in path.parents and len(text) > room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, text)

    monkeypatch.setattr(outputs, "_text", limited)


def test_a_full_disk_is_named_and_what_was_found_is_kept_elsewhere(tmp_path: Path, monkeypatch: Any) -> None:
    case = tmp_path / "case"
    case.mkdir()
    template = notebook(tmp_path, "ok", START, "w.finish()")
    runs = tmp_path / "runs"
    first = run_investigation(case, runs / "one", template, static=True)
    before = earlier(first.out_dir)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr(outputs.tempfile, "tempdir", str(elsewhere))
    full(monkeypatch, runs)
    with pytest.raises(RunFailed, match="No space left on device") as caught:
        run_investigation(case, runs / "two", template, static=True)
    assert caught.value.exit_code == 4
    assert [p.name for p in runs.iterdir()] == ["one"]
    assert earlier(first.out_dir) == before
    kept = next(p for p in elsewhere.iterdir() if p.name.startswith("rca-kit-two-"))
    assert sorted(p.name for p in kept.iterdir()) == ["findings.json", "report.html", "summary.md"]
    assert str(kept) in str(caught.value)
    assert (kept / "findings.json").read_bytes() == before["findings.json"]


@pytest.mark.parametrize("length", [10, 80, 120])
def test_the_kernel_starts_whatever_the_length_of_the_temporary_folder(length: int, tmp_path: Path, monkeypatch: Any) -> None:
    case = tmp_path / "case"
    case.mkdir()
    deep = tmp_path / ("t" * length)
    deep.mkdir()
    monkeypatch.setattr(outputs.tempfile, "tempdir", str(deep))
    run = run_investigation(case, tmp_path / "out", notebook(tmp_path, "ok", START, "w.finish()"), static=True)
    assert not run.failure and run.exit_code == 0


INVESTIGATE = """
import resource, sys
if limit := int(sys.argv.pop(1)):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from rca_kit.cli.app import main
main()
"""


def investigate(folder: Path, out: Path, largest_file: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, no file of which may grow beyond so many bytes."""
    case = folder / "case"
    case.mkdir(exist_ok=True)
    template = notebook(folder, "ok", START, "w.finish()")
    command = [sys.executable, "-c", INVESTIGATE, str(largest_file), "investigate", str(case), "--out", str(out), "--static",
               "--template", template]
    (folder / "t").mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(folder / "t")}
    return subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment, check=False)


@pytest.mark.skipif(sys.platform == "win32", reason="it has no limit on the size of files")
@pytest.mark.parametrize(("share", "kept"), [(0.6, ["findings.json", "summary.md"]), (0.001, [])])
def test_a_system_that_refuses_to_write_the_report(share: float, kept: list[str], tmp_path: Path) -> None:
    """The system's own refusal, in the middle of a file: by a limit on the size of files."""
    runs = tmp_path / "runs"
    assert investigate(tmp_path, runs / "one").returncode == 0
    before = earlier(runs / "one")
    stopped = investigate(tmp_path, runs / "two", int(len(before["report.html"]) * share))
    said = stopped.stdout + stopped.stderr
    assert stopped.returncode == 4, said
    assert "the results cannot be written" in said and "File too large" in said and "make room" in said
    assert "Traceback" not in said
    assert [p.name for p in runs.iterdir()] == ["one"]  # and no unfinished folder
    assert earlier(runs / "one") == before
    elsewhere = [p for p in (tmp_path / "t").iterdir() if p.name.startswith("rca-kit-two-")]
    assert [sorted(p.name for p in folder.iterdir()) for folder in elsewhere] == ([kept] if kept else [])
    if kept:
        assert (elsewhere[0] / "findings.json").read_bytes() == before["findings.json"]
        assert elsewhere[0].name in said.replace("\n", "")


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A file system of its own with so many bytes of room."""
    place = tmp_path / "disk"
    place.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a file system")

    def mount(room: int) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", str(place)]
        made = subprocess.run(command, capture_output=True, check=False)
        if made.returncode:
            pytest.skip("this container may not mount a file system")
        return place

    yield mount
    subprocess.run(["umount", str(place)], capture_output=True, check=False)


@pytest.mark.parametrize("left", [0, 24_000, 60_000])
def test_a_disk_that_is_really_full(left: int, small_disk: Any, tmp_path: Path) -> None:
    """Nothing fits, the notebook fits, or findings fit and the report does not."""
    disk = small_disk(1_000_000)
    assert investigate(tmp_path, disk / "one").returncode == 0
    before = earlier(disk / "one")
    assert len(before["report.html"]) > 60_000
    free = os.statvfs(disk)
    (disk / "other").write_bytes(b"x" * (free.f_bavail * free.f_frsize - left // 4096 * 4096))
    stopped = investigate(tmp_path, disk / "two")
    said = stopped.stdout + stopped.stderr
    assert stopped.returncode == 4, said
    assert "No space left on device" in said and "Traceback" not in said
    assert sorted(p.name for p in disk.iterdir()) == ["one", "other"]
    assert earlier(disk / "one") == before
    kept = [p for p in (tmp_path / "t").iterdir() if p.name.startswith("rca-kit-two-")]
    assert len(kept) == 1
    assert sorted(p.name for p in kept[0].iterdir()) == ["findings.json", "report.html", "summary.md"]
    assert (kept[0] / "findings.json").read_bytes() == before["findings.json"]


def test_a_disk_that_is_full_everywhere_is_named_too(tmp_path: Path, monkeypatch: Any) -> None:
    case = tmp_path / "case"
    case.mkdir()
    full(monkeypatch, Path("/"))
    with pytest.raises(RunFailed, match="make room") as caught:
        run_investigation(case, tmp_path / "out", notebook(tmp_path, "ok", START, "w.finish()"), static=True)
    assert "what was found" not in str(caught.value)
    assert not (tmp_path / "out").exists() and not [p for p in tmp_path.iterdir() if "unfinished" in p.name]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_kernel_killed_for_its_memory_leaves_a_partial_report_and_earlier_runs(tmp_path: Path) -> None:
    case = tmp_path / "case"
    case.mkdir()
    first = run_investigation(case, tmp_path / "runs" / "one", notebook(tmp_path, "ok", START, "w.finish()"), static=True)
    before = earlier(first.out_dir)
    kill = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    killed = run_investigation(case, tmp_path / "runs" / "two", notebook(tmp_path, "die", START, "w.scope()", kill), static=True)
    assert killed.exit_code == 4
    assert [s.state for s in killed.steps] == ["done"] * 3 + ["failed"] + ["skipped"] * 3
    assert "out of memory" in killed.failure
    assert "out of memory" in (killed.out_dir / "report.html").read_text(encoding="utf-8")
    assert earlier(first.out_dir) == before


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
def test_an_interrupt_while_a_large_log_is_read_ends_the_run_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "findings.json"
    target.write_text("earlier")
    command = [sys.executable, "-c", STREAMED, "findings", str(sample("auc-drop-null-feature")), "--out", str(target)]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path / "t")})
    assert child.stderr is not None
    assert any(line == "batch\n" for line in child.stderr)
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=30)[1]  # it sleeps a minute in the batch: only the interrupt ends it by then
    assert child.returncode == 130, said
    assert "interrupted" in said and "Traceback" not in said
    assert target.read_text() == "earlier"
    assert [p.name for p in tmp_path.iterdir() if p.name != "t"] == ["findings.json"]


INTERRUPTED = """
import importlib, os, signal, sys, time
target = sys.argv.pop(1)
module, name = target.split(":")
def stopped(*_, **__):
    print("here", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGINT)  # Ctrl-C, at this very place
    time.sleep(60)
owner = importlib.import_module(module)
for part in name.split(".")[:-1]:
    owner = getattr(owner, part)
setattr(owner, name.split(".")[-1], stopped)
from rca_kit.cli.app import main
main()
"""
PHASES = {  # what is replaced, where each step does its work
    "reading": "rca_kit.sources.open:sample_rows", "the scan": "rca_kit.loop.reading.prepare:scan",
    "change points": "rca_kit.loop.reading.prepare:look", "segments": "rca_kit.loop.work:scope_of",
    "trees": "rca_kit.stats.trees:_grow", "suspects": "rca_kit.loop.work:suspects",
    "samples": "rca_kit.loop.s5_samples.pull:pull_samples", "simulation": "rca_kit.loop.s6_simulate.simulate:simulate_case",
    "settling": "rca_kit.loop.s7_settle:settle", "the file, half written": "os:fsync",
}


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
@pytest.mark.parametrize("phase", PHASES)
def test_an_interrupt_ends_every_phase_and_leaves_nothing(phase: str, tmp_path: Path) -> None:
    """No phase takes Ctrl-C for an error of its own; what is slept through would take a minute."""
    target = tmp_path / "findings.json"
    target.write_text("earlier")
    case = str(sample("auc-drop-null-feature"))
    command = [sys.executable, "-c", INTERRUPTED, PHASES[phase], "findings", case, "--out", str(target)]
    (tmp_path / "t").mkdir()
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False,
                           env={**os.environ, "TMPDIR": str(tmp_path / "t")})
    assert "here" in ended.stderr, ended.stderr
    assert ended.returncode == 130, ended.stderr
    assert "interrupted" in ended.stderr and "Traceback" not in ended.stderr
    assert target.read_text() == "earlier"
    assert [p.name for p in tmp_path.iterdir() if p.name != "t"] == ["findings.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
@pytest.mark.parametrize("place", ["rca_kit.run.outputs:render_report"])
def test_an_interrupt_while_the_report_is_written_leaves_no_half_of_it(place: str, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    assert investigate(tmp_path, runs / "one").returncode == 0
    before = earlier(runs / "one")
    command = [sys.executable, "-c", INTERRUPTED, place, "investigate", str(tmp_path / "case"), "--out", str(runs / "two"),
               "--static", "--template", str(tmp_path / "ok.ipynb")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert "here" in ended.stderr, ended.stderr
    assert ended.returncode == 130, ended.stderr
    assert "interrupted" in ended.stderr and "Traceback" not in ended.stderr
    assert [p.name for p in runs.iterdir()] == ["one"]
    assert earlier(runs / "one") == before
