"""Explorers in VS Code's own widget manager, fed by a real kernel: drawn, and answering, with no script from another host.

VS Code's Jupyter extension cannot be installed everywhere; its manager is a package of its own, and `vscode_page.js` uses it as
the extension does.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from rca_kit.case.bundled import sample
from rca_kit.case.journal import Journal

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
HERE = Path(__file__).parent
KEPT = HERE.parents[1] / "artifacts" / "npm-vscode"  # git-ignored, and not the folder that another test's npm tidies up
NEEDS = ("@jupyterlab/services@7", "esbuild@0.28", "requirejs@2")
MANAGER = "@vscode/jupyter-ipywidgets8@1"  # packed only: its bundle has all that it needs, its dependencies are 350 MB

spec = importlib.util.spec_from_file_location("jupyter_for_tests", HERE / "jupyter.py")
assert spec is not None and spec.loader is not None
jupyter = importlib.util.module_from_spec(spec)
spec.loader.exec_module(jupyter)


@pytest.fixture(scope="module")
def static(tmp_path_factory) -> Path:
    """The page and what it loads."""
    modules, packed = KEPT / "node_modules", KEPT / "manager.tgz"
    scripts = Path(sys.prefix) / "share" / "jupyter" / "nbextensions"
    if not (scripts / "anywidget" / "index.js").exists():
        pytest.skip("anywidget's module for the browser is not where its wheel puts it")
    if not packed.exists():
        _fetch(packed)
    folder = tmp_path_factory.mktemp("vscode")
    build = [str(modules / ".bin" / "esbuild"), str(HERE / "vscode_page.js"), "--bundle", "--format=iife", "--log-level=error",
             "--define:process.env={}", "--define:global=globalThis", f"--outfile={folder / 'bundle.js'}"]
    done = subprocess.run(build, env={**os.environ, "NODE_PATH": str(modules)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with tarfile.open(packed) as archive:
        manager = archive.extractfile("package/dist/ipywidgets.js")
        assert manager is not None
        (folder / "ipywidgets.js").write_bytes(manager.read())
    shutil.copy(HERE / "vscode_page.html", folder / "page.html")
    shutil.copy(modules / "requirejs" / "require.js", folder)
    shutil.copytree(scripts, folder / "nbextensions")
    return folder


def _fetch(packed: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("VS Code's widget manager comes from npm, and there is none")
    KEPT.mkdir(parents=True, exist_ok=True)
    install = [npm, "install", "--no-save", "--no-audit", "--no-fund", "--prefix", str(KEPT), *NEEDS]
    pack = [npm, "pack", "--silent", "--pack-destination", str(KEPT), MANAGER]
    for command in (install, pack):
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip("VS Code's widget manager could not be fetched: " + done.stderr[-200:])
    (KEPT / done.stdout.split()[-1]).rename(packed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("case") / "latency"
    shutil.copytree(sample("latency-embedding"), target)
    return target


@pytest.fixture(scope="module")
def server(static, folder, tmp_path_factory):
    pytest.importorskip("jupyter_server")
    options = ["--allow-root", f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={jupyter.TOKEN}",
               f"--ServerApp.extra_static_paths=['{static}']"]
    with jupyter.server("jupyter_server", options, folder, tmp_path_factory.mktemp("private")) as address:
        yield address


def shown(browser, server: str, theme: str, system: str) -> tuple[Any, list[str]]:
    """Open the page in a theme of VS Code, run the cell that shows all explorers."""
    context = browser.new_context(viewport={"width": 1000, "height": 1200}, color_scheme=system)
    page, said = context.new_page(), []
    page.route("**/*", lambda r: r.continue_() if r.request.url.startswith(server) else (said.append(r.request.url), r.abort()))
    page.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: said.append(f"uncaught: {e}"))
    for last in (False, True):  # two servers that start a kernel at once may give it the same port; that one dies at birth
        page.goto(f"{server}static/page.html?{theme}")
        page.wait_for_function("() => window.activated")
        page.evaluate("token => window.connect(token)", jupyter.TOKEN)
        try:
            failed = page.evaluate("code => window.cell(code)", "import rca_kit\nwork = rca_kit.explore('.')\nwork")
            break
        except Exception as problem:
            if last or "Kernel is dead" not in str(problem):
                raise
            said.clear()
    assert failed == ""
    drawn(page)
    return page, said


def drawn(page: Any) -> None:
    page.locator(".rk-chart[data-drawn] .main-svg").first.wait_for(timeout=60_000)


def look(page: Any, theme: str, key: str) -> None:
    jupyter.ARTIFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(jupyter.ARTIFACTS / f"{theme}-{key}.png"), full_page=True)


def open_step(page: Any, title: str) -> None:
    page.get_by_role("button", name=title, exact=True).click()
    page.locator(f"h2:text-is('{title}')").wait_for()


STEPS = ("Since when?", "For whom?", "What changed in the data?", "Why?", "What does it look like?", "Does one change remove it?",
         "What now?")


def test_explorers_answer_and_a_reload_loses_nothing(browser, server, folder):
    page, said = shown(browser, server, "vscode-dark", "light")
    assert page.evaluate("() => [window.asked, document.querySelectorAll('.rk:not(.rk-dark)').length]") == [["anywidget"], 0]
    for title in STEPS:
        open_step(page, title)
        look(page, "vscode-dark", title[:-1].replace(" ", "-").lower())

    # view to model: a drag sets the window, a click excludes
    open_step(page, "Since when?")
    page.get_by_role("button", name="Half a day around").click()
    page.wait_for_function("() => document.querySelector('.rk-chart')?.layout?.xaxis?.range?.[0]?.startsWith('2026-03-01')")
    jupyter.brush(page)
    page.get_by_text("(set by hand)").wait_for()
    open_step(page, "Why?")
    page.get_by_role("textbox", name="reason").first.fill("rolled back, no effect")
    page.get_by_role("button", name=re.compile("^Exclude")).first.click()
    page.get_by_text("Excluded by people").wait_for()
    assert [e.kind for e in Journal(folder).entries()] == ["windows", "excluded"]

    # model to view: what the kernel does shows by itself
    page.evaluate("code => window.cell(code)", "work._open({'act': 'open', 'arg': 'settle'})")
    page.locator("h2:text-is('What now?')").wait_for()
    assert said == []
    page.context.close()

    # the window is opened again, which ends VS Code's kernels; now in a light theme on a dark system
    page, said = shown(browser, server, "vscode-light", "dark")
    page.get_by_text("(set by hand)").wait_for()
    assert page.locator(".rk-dark").count() == 0
    open_step(page, "Why?")
    page.get_by_text("rolled back, no effect").first.wait_for()
    look(page, "vscode-light", "why")
    assert said == []
    page.context.close()
