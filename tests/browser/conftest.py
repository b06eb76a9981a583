from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip("chromium is not installed (apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield instance
        instance.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The accessibility checker: a newer one that npm put into a git-ignored folder, else the one of a Python package."""
    script = HERE / "node_modules" / "axe-core" / "axe.min.js"
    packaged = importlib.util.find_spec("axe_core_python")
    if not script.exists() and packaged is not None and packaged.origin:
        script = Path(packaged.origin).with_name("axe.min.js")
    if not script.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("axe-core is not installed, and there is no npm to install it")
        done = subprocess.run(
            [npm, "install", "--no-save", "--no-audit", "--no-fund", "--prefix", str(HERE), "axe-core@4"],
            capture_output=True,
            timeout=120,
        )
        if done.returncode or not script.exists():
            pytest.skip("axe-core could not be installed: " + done.stderr.decode(errors="replace")[-200:])
    return script.read_text(encoding="utf-8")
