"""The notebook in a real browser: JupyterLab starts, the case is worked by mouse, and all of it is there after a restart."""

from __future__ import annotations

import importlib.util
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rca_kit.case.bundled import sample
from rca_kit.case.journal import Journal
from rca_kit.cli.lab import lay_notebook

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

spec = importlib.util.spec_from_file_location("jupyter_for_tests", Path(__file__).with_name("jupyter.py"))
assert spec is not None and spec.loader is not None
jupyter = importlib.util.module_from_spec(spec)
spec.loader.exec_module(jupyter)

PATIENCE = 200_000  # ms: reading a case on a busy machine; every wait ends as soon as what it waits for is there
HARMLESS = (
    "favicon", "manifest", "ERR_INTERNET_DISCONNECTED", "ERR_BLOCKED_BY_CLIENT",  # the browser's own, not ours
    # JupyterLab's own: it asks for news and extensions, and gets no network; and for language servers, and has none
    "Failed to fetch", "extensions/api", "announcements", "/lsp/status",
    # anywidget gives a model two seconds, however busy the machine is; whether it was drawn, the tests see for themselves
    "[anywidget] Failed to initialize model",
    "Could not restore the debugger state",  # JupyterLab had asked for it as the test restarted the kernel
    "widget model not found",  # said of a saved output whose kernel is gone, until its cell runs again
)


@dataclass
class Seen:
    page: Any
    console: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def shot(self, name: str) -> None:
        """Keep a screenshot for whoever looks at the run."""
        jupyter.ARTIFACTS.mkdir(parents=True, exist_ok=True)
        app = self.page.locator(".rk nav").first
        if app.count():
            app.evaluate("n => n.scrollIntoView()")
        self.page.screenshot(path=str(jupyter.ARTIFACTS / f"{name}.png"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("lab") / "case"
    shutil.copytree(sample("latency-embedding"), target)
    lay_notebook(target)
    return target


@pytest.fixture(scope="module")
def lab(folder, tmp_path_factory, browser):
    pytest.importorskip("jupyterlab")
    options = ["--allow-root", f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={jupyter.TOKEN}",
               "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=",
               "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with jupyter.server("jupyterlab", options, folder, tmp_path_factory.mktemp("private")) as address:
        yield address


def opened(browser, url: str, **options: Any) -> Seen:
    context = browser.new_context(**{"viewport": {"width": 1360, "height": 1500}, **options})
    seen = Seen(context.new_page())
    seen.page.set_default_timeout(PATIENCE)
    home = url.split("/")[2]

    def asked(route: Any) -> None:
        if route.request.url.startswith(("http", "ws")) and route.request.url.split("/")[2] != home:
            seen.foreign.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    context.route("**/*", asked)
    seen.page.on("console", lambda m: seen.console.append(f"{m.text} @ {m.location['url']}") if m.type == "error" else None)
    seen.page.on("pageerror", lambda e: seen.console.append(f"uncaught: {e}"))
    seen.page.goto(url)
    return seen


def complaints(seen: Seen) -> list[str]:
    return [line for line in seen.console if not any(known in line for known in HARMLESS)]


def notebook(browser, lab: str, **options: Any) -> Seen:
    seen = opened(browser, f"{lab}lab/tree/notebooks/explore_case.ipynb?token={jupyter.TOKEN}&reset", **options)
    seen.page.wait_for_selector(".jp-Notebook .jp-Cell")
    ready(seen)
    seen.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    return seen


def command(seen: Seen, name: str, arguments: dict[str, Any] | None = None) -> None:
    seen.page.evaluate("([n, a]) => { window.jupyterapp.commands.execute(n, a); }", [name, arguments or {}])


def ready(seen: Seen) -> None:
    """Wait for the kernel: connected, and with nothing to do."""
    seen.page.wait_for_function(
        """() => {
          const kernel = window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel;
          return kernel && kernel.connectionStatus === "connected" && kernel.status === "idle";
        }"""
    )


def run_all(seen: Seen) -> None:
    command(seen, "notebook:run-all-cells")
    seen.page.wait_for_selector(".rk nav")
    drawn(seen)


def drawn(seen: Seen) -> None:
    seen.page.wait_for_selector(".rk-chart[data-drawn] .main-svg")


def open_step(seen: Seen, title: str) -> None:
    seen.page.get_by_role("button", name=title, exact=True).click()
    seen.page.wait_for_selector(f"h2:text-is('{title}')")


def settled(seen: Seen) -> None:
    """Wait until nothing is weighed again."""
    seen.page.wait_for_function("() => !document.querySelector('.rk nav')?.parentElement.querySelector('.note')")


@pytest.fixture
def keep(request):
    """Keep a picture of what was on the screen when a test ended, also when it failed."""
    shown: list[Seen] = []
    yield shown.append
    for seen in shown:
        if not seen.page.is_closed():
            seen.shot(f"end-{request.node.name}".replace("[", "-").replace("]", ""))
            seen.page.context.close()


def kinds(folder: Path) -> list[str]:
    return [e.kind for e in Journal(folder).entries()]


def requests_of(seen: Seen, segment: str) -> int:
    row = seen.page.locator("tr", has=seen.page.get_by_role("button", name=f"add the condition {segment}")).first
    return int(row.locator("td").first.inner_text().replace(",", ""))


def test_from_the_alert_to_the_report(browser, lab, folder, keep):
    seen = notebook(browser, lab)
    keep(seen)
    page = seen.page
    run_all(seen)
    seen.shot("1-onset")

    # brush: the scope follows
    open_step(seen, "For whom?")
    drawn(seen)
    before = requests_of(seen, "text_embedding = on")
    seen.shot("2-scope")
    open_step(seen, "Since when?")
    drawn(seen)
    page.get_by_role("button", name="Half a day around").click()
    page.wait_for_function("() => document.querySelector('.rk-chart')?.layout?.xaxis?.range?.[0]?.startsWith('2026-03-01')")
    jupyter.brush(page)
    page.locator(".rk").get_by_text("(set by hand)").wait_for()
    assert kinds(folder) == ["windows"]
    settled(seen)
    open_step(seen, "For whom?")
    page.wait_for_function("n => !document.body.innerText.includes(n)", arg=f"\t{before:,}\t")
    assert 0 < requests_of(seen, "text_embedding = on") < before
    page.get_by_role("button", name="add the condition text_embedding = on").click()
    page.get_by_role("button", name="remove text_embedding = on").wait_for()

    # a suspect is excluded
    open_step(seen, "Why?")
    title = page.locator("article.card h3").first.inner_text()
    page.get_by_role("textbox", name="reason").first.fill("rolled back at 18:10, no effect")
    page.get_by_role("button", name=re.compile("^Exclude")).first.click()
    page.locator(".rk").get_by_text("Excluded by people").wait_for()
    seen.shot("3-suspects")
    settled(seen)
    assert page.locator("article.card h3").first.inner_text() != title

    # the page reloads, and the kernel, which is still there, fills it again
    command(seen, "docmanager:save")
    page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    page.reload()
    page.locator(".rk").get_by_text("Excluded by people").wait_for()

    # the kernel restarts: the journal has it all
    ready(seen)
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    ready(seen)
    command(seen, "notebook:clear-all-cell-outputs")
    page.wait_for_selector(".rk nav", state="detached")
    run_all(seen)
    page.locator(".rk").get_by_text("(set by hand)").wait_for()
    open_step(seen, "Why?")
    page.locator(".rk").get_by_text("rolled back at 18:10, no effect").first.wait_for()
    open_step(seen, "For whom?")
    page.get_by_role("button", name="remove text_embedding = on").wait_for()

    # samples by key
    open_step(seen, "What does it look like?")
    page.get_by_role("region", name=re.compile("arrow keys")).or_(page.locator("[data-key=pair]")).first.focus()
    page.keyboard.press("ArrowRight")
    page.locator(".rk").get_by_text(re.compile(r"Pair 2 of \d")).wait_for()
    seen.shot("4-samples")

    # an owner, and the report, which opens
    open_step(seen, "What now?")
    page.get_by_role("textbox", name="owner").first.fill("ana")
    page.get_by_role("button", name=re.compile("^Save action")).first.click()
    jupyter.eventually(lambda: kinds(folder)[-1] == "action")
    page.get_by_role("button", name="Write the report").click()
    link = page.get_by_role("link", name="report.html")
    link.wait_for()
    seen.shot("5-settle")
    with page.expect_popup() as popup:
        link.click()
    report = popup.value
    report.wait_for_load_state()  # the page is parsed in pieces: its head can be there before its last table
    assert report.get_by_text("rolled back at 18:10, no effect").count() > 0
    assert report.locator("td", has_text=re.compile("^ana$")).count() == 1
    assert "INC-2044" in report.title()
    report.close()
    assert kinds(folder) == ["windows", "selection", "excluded", "action"]
    assert complaints(seen) == []


def test_dark_and_narrow(browser, lab, keep):
    seen = notebook(browser, lab)
    keep(seen)
    page = seen.page
    command(seen, "apputils:change-theme", {"theme": "JupyterLab Dark"})
    page.wait_for_selector("body[data-jp-theme-light=false]", state="attached")
    run_all(seen)
    page.wait_for_selector(".rk-chart.rk-dark")
    ground = page.evaluate("() => getComputedStyle(document.querySelector('.rk')).backgroundColor")
    paper = page.evaluate("() => document.querySelector('.rk-chart .main-svg').style.background")
    assert ground == paper == "rgb(16, 22, 28)"
    page.set_viewport_size({"width": 480, "height": 1400})
    overflow = "() => Math.max(...[...document.querySelectorAll('.rk')].map(n => n.scrollWidth - n.clientWidth))"
    for title in ("For whom?", "What changed in the data?", "Why?", "Does one change remove it?", "What now?"):
        open_step(seen, title)
        if title in ("For whom?", "What changed in the data?"):
            drawn(seen)
        seen.shot(f"dark-narrow-{title[:-1].replace(' ', '-').lower()}")
        assert page.evaluate(overflow) <= 1, title
    assert complaints(seen) == []


def test_notebook_7_needs_nothing_of_its_own(browser, folder, tmp_path_factory, keep):
    pytest.importorskip("notebook")
    options = ["--allow-root", f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={jupyter.TOKEN}",
               "--JupyterNotebookApp.expose_app_in_browser=True",
               "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with jupyter.server("notebook", options, folder, tmp_path_factory.mktemp("private")) as address:
        seen = opened(browser, f"{address}notebooks/notebooks/explore_case.ipynb?token={jupyter.TOKEN}")
        keep(seen)
        seen.page.wait_for_selector(".jp-Notebook .jp-Cell")
        ready(seen)
        own = complaints(seen)  # Notebook's own, said before a cell of ours has run
        run_all(seen)
        shows = {"For whom?": ".rk-chart[data-drawn] .main-svg", "Why?": ".rk article.card h3", "What now?": ".rk ol li"}
        for title, what in shows.items():
            open_step(seen, title)
            seen.page.wait_for_selector(what)
        seen.shot("notebook-7")
        assert complaints(seen)[len(own):] == []


def test_voila_shows_the_app(browser, folder, tmp_path_factory, keep):
    pytest.importorskip("voila")
    options = [str(folder / "notebooks" / "explore_case.ipynb"), "--Voila.ip=127.0.0.1"]
    with jupyter.server("voila", options, folder / "notebooks", tmp_path_factory.mktemp("private")) as address:
        seen = opened(browser, address)
        keep(seen)
        seen.page.wait_for_selector(".rk nav")
        drawn(seen)
        assert seen.page.get_by_text("import rca_kit").count() == 0
        open_step(seen, "Why?")
        seen.page.locator("article.card h3").first.wait_for()
        seen.shot("voila")
        # Voila's own page looks for libraries on other hosts and complains when it finds none; ours run from blobs
        ours = [line for line in seen.console if "blob:" in line or line.startswith("uncaught")]
        assert ours == [], seen.console
