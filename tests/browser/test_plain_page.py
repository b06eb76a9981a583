"""Explorers in a page with the stock widget manager and anywidget's module: no JupyterLab, no requirejs, no extension of ours.

VS Code cannot be installed everywhere; this is what its notebooks bring along.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rca_kit.case.bundled import sample
from rca_kit.loop.session import Session
from rca_kit.views.widgets.app import Explore

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
HERE = Path(__file__).parent
ARTIFACTS = HERE.parents[1] / "artifacts" / "browser"
PACKAGES = ("@jupyter-widgets/html-manager@1", "esbuild@0.28")
PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="bundle.css"><div id="here"></div>
<script>window.define = (needs, make) => { window.anywidgetModule = make; };</script>
<script src="anywidget.js"></script><script>delete window.define;</script>
<script src="bundle.js"></script><script type="module">window.show(STATE).catch((e) => console.error(String(e)));</script>
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    """A folder with the manager in one file; npm puts the packages into a git-ignored folder."""
    npm, module = shutil.which("npm"), Path(sys.prefix) / "share" / "jupyter" / "nbextensions" / "anywidget" / "index.js"
    if not module.exists():
        pytest.skip("anywidget's module for the browser is not where its wheel puts it")
    tool = HERE / "node_modules" / ".bin" / "esbuild"
    if not (tool.exists() and (HERE / "node_modules" / "@jupyter-widgets" / "html-manager").exists()):
        if npm is None:
            pytest.skip("the stock widget manager comes from npm, and there is none")
        install = [npm, "install", "--no-save", "--no-audit", "--no-fund", "--prefix", str(HERE), *PACKAGES]
        done = subprocess.run(install, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode or not tool.exists():
            pytest.skip("the stock widget manager could not be installed: " + done.stderr[-200:])
    folder = tmp_path_factory.mktemp("plain")
    # the packages were written for webpack, and ask it where they lie
    loaders = [f"--loader:.{kind}=dataurl" for kind in ("woff", "woff2", "eot", "ttf", "svg", "png")]
    done = subprocess.run([str(tool), str(HERE / "plain_page.js"), "--bundle", "--format=iife", "--log-level=error", *loaders,
                           "--define:__webpack_public_path__=window.publicPath",
                           f"--outfile={folder / 'bundle.js'}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shutil.copy(module, folder / "anywidget.js")
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Explore:
    folder = tmp_path_factory.mktemp("case") / "latency"
    shutil.copytree(sample("latency-embedding"), folder)
    return Explore(Session(folder, author="ana"), background=False)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_explorer_renders_with_stock_parts_alone(browser, bundle, work, scheme):
    from ipywidgets.embed import embed_data

    context = browser.new_context(viewport={"width": 1000, "height": 1200}, color_scheme=scheme, offline=True)
    for explorer in work.explorers:
        data = embed_data(views=[explorer.widget()], drop_defaults=False)
        state = json.dumps({"state": data["manager_state"], "views": data["view_specs"]}).replace("<", "\\u003c")
        (bundle / "page.html").write_text(PAGE.replace("STATE", state), encoding="utf-8")
        page, said = context.new_page(), []
        page.on("console", lambda m, said=said: said.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e, said=said: said.append(f"uncaught: {e}"))
        page.goto((bundle / "page.html").as_uri())
        page.locator(".rk h2", has_text=explorer.title).wait_for(timeout=60_000)
        if explorer.figure() is not None:
            page.wait_for_selector(".rk-chart[data-drawn] .main-svg", timeout=60_000)
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(ARTIFACTS / f"plain-{scheme}-{explorer.key}.png"), full_page=True)
        assert page.evaluate("() => [typeof window.require, typeof window.define, typeof window.jupyterapp]") == ["undefined"] * 3
        assert said == [], (explorer.key, said)
        page.close()
    context.close()
