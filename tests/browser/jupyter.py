"""A Jupyter or Voila server of our own on a free port, without the network and without the user's settings."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TOKEN = "for-tests-only"
START_SECONDS = 90  # on a busy machine; the loop below ends as soon as the server answers

HERE = Path(__file__).parent
ARTIFACTS = HERE.parents[1] / "artifacts" / "browser"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(module: str, options: list[str], folder: Path, private: Path) -> Iterator[str]:
    """Run `python -m module` on a folder; give its address once it answers."""
    port = free_port()
    command = [sys.executable, "-m", module, *options, f"--port={port}", "--no-browser"]
    settings = private / "settings"
    news = settings / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.parent.mkdir(parents=True, exist_ok=True)
    news.write_text('{"fetchNews": "false", "checkForUpdates": false, "doNotDisturbMode": true}', encoding="utf-8")
    environment = {
        **os.environ, "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTER_CONFIG_DIR": str(private / "config"), "JUPYTER_DATA_DIR": str(private / "data"),
        "JUPYTER_RUNTIME_DIR": str(private / "runtime"), "IPYTHONDIR": str(private / "ipython"), "JUPYTER_NO_CONFIG": "1",
        "RCA_KIT_SERVED": str(folder), "POLARS_MAX_THREADS": "2", "USER": "ana", "LOGNAME": "ana",
    }
    log = (private / f"{module}.log").open("wb")
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}/"
    try:
        _wait(address, process, private / f"{module}.log")
        yield address
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{address}api" if "voila" not in log.name else f"{address}static/", timeout=5):
                return
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"the server did not start:\n{log.read_text(errors='replace')[-2000:]}")


def eventually(holds: Callable[[], bool], seconds: float = 200) -> None:
    """Wait until something holds outside the page, as on disk; fail when it never does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def brush(page: Any) -> None:
    """Drag over a part of the chart of the metric, as one sets a window by hand."""
    plot = page.locator(".rk-chart .nsewdrag").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    y = box["y"] + box["height"] * 0.3
    page.mouse.move(box["x"] + box["width"] * 0.6, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.68, y + 10, steps=6)
    page.mouse.move(box["x"] + box["width"] * 0.75, y + 20, steps=6)
    page.mouse.up()
