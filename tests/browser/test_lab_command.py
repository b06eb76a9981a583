"""`rca-kit lab` from any folder: the address that it prints opens the notebook of the case."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest

from rca_kit.case.bundled import sample

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
ADDRESS = re.compile(r"(http://(?:localhost|127\.0\.0\.1):\d+/lab\S*token=\w+)")


def test_the_notebook_opens_wherever_the_command_was_given(tmp_path):
    pytest.importorskip("jupyterlab")
    shutil.copytree(sample("quiet-day"), tmp_path / "cases" / "quiet")
    command = [sys.executable, "-m", "rca_kit", "lab", "cases/quiet", "--no-browser"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    stop = threading.Timer(120, process.terminate)
    stop.start()
    said = ""
    try:
        assert process.stdout is not None
        for line in process.stdout:
            said += line
            if found := ADDRESS.search(line):
                break
        else:
            raise AssertionError(f"no address was printed:\n{said}")
        assert "/lab/tree/notebooks/explore_case.ipynb" in found[1], found[1]
        assert _status(found[1].replace("/lab/tree/", "/api/contents/")) == 200
    finally:
        stop.cancel()
        process.terminate()
        process.communicate(timeout=60)
    assert _gone(found[1]), "the server outlived the command"


def _gone(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=10).close()
    except urllib.error.HTTPError:
        return False
    except OSError:
        return True
    return False


def _status(url: str) -> int:
    """Ask until the server listens: it prints its address a little before."""
    for _ in range(100):
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                return int(answer.status)
        except urllib.error.URLError as problem:
            if isinstance(problem, urllib.error.HTTPError):
                return problem.code
            time.sleep(0.3)
    raise AssertionError("nothing listens there")
