from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rca_kit.views.documents import post_mortem
from rca_kit.views.example import example
from rca_kit.views.report import Draft, RunFacts, StepState, render_report

pytestmark = pytest.mark.browser

FACTS = RunFacts(datetime(2026, 3, 2, 16, tzinfo=UTC), {"engine": "polars"}, {"rca-kit": "0.1.0"}, "rca-kit investigate CASE")
LIVE = "html[data-charts=live]"
A4_WIDTH = 680  # px between the margins of a page


@dataclass
class Seen:
    page: Any
    requests: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)


@pytest.fixture
def show(browser, tmp_path):
    """Open a page from file:// with the network off, and keep what it asked for and complained about."""
    contexts = []

    def opened(html: str, *, name: str = "report.html", **options: Any) -> Seen:
        path = Path(tmp_path) / name
        path.write_text(html, encoding="utf-8")
        context = browser.new_context(offline=True, **{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        seen = Seen(context.new_page())
        seen.page.on("request", lambda r: seen.requests.append(r.url))
        seen.page.on("console", lambda m: seen.console.append(m.text))
        seen.page.on("pageerror", lambda e: seen.console.append(str(e)))
        seen.page.goto(path.as_uri())
        return seen

    yield opened
    for context in contexts:
        context.close()


def hostile() -> Any:
    import importlib.util

    spec = importlib.util.spec_from_file_location("views_conftest", Path(__file__).parents[1] / "views" / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.hostile_case()


def test_charts_come_alive_with_the_network_off_and_under_the_policy(show):
    seen = show(render_report(example(), run=FACTS))
    seen.page.wait_for_selector(LIVE)
    assert seen.page.locator(".live svg.main-svg").count() >= 4
    assert seen.page.locator(".still:visible").count() == 2  # the tree and the fishbone stay pictures
    assert seen.requests == [seen.page.url]
    assert seen.console == []


def test_eval_and_foreign_scripts_are_refused(show):
    seen = show(render_report(example(), run=FACTS))
    seen.page.wait_for_selector(LIVE)
    seen.page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.owned = 1'; document.head.append(s); }"
    )
    assert seen.page.evaluate("() => window.owned") is None
    assert any("Content Security Policy" in line for line in seen.console)


@pytest.mark.parametrize("static", [True, False])
def test_everything_reads_with_scripts_off(show, static):
    seen = show(render_report(example(), run=FACTS, static=static), java_script_enabled=False)
    text = seen.page.locator("body").inner_text()
    for expected in ("AUC fell from 0.861 to 0.779", "device = android", "Roll back", "no contract test covers", "67,200"):
        assert expected in text
    assert seen.page.locator(".still svg:visible").count() >= 5
    assert seen.console == []


def test_answer_is_on_the_first_screen(show):
    seen = show(render_report(example(), run=FACTS))
    for words in (
        "AUC fell from",
        "2026-03-02 14:05 UTC",
        "device = android",
        "SEV2",
        "Feature-store keys changed",
        "Roll back",
        "What is not known",
    ):
        box = seen.page.get_by_text(words).first.bounding_box()
        assert box["y"] + box["height"] <= 800, words


@pytest.mark.parametrize("static", [True, False])
def test_hostile_texts_do_nothing(show, static):
    seen = show(render_report(hostile(), run=FACTS, static=static))
    if not static:
        seen.page.wait_for_selector(LIVE)
    assert "owned" not in seen.page.title().replace("document.title='owned'", "")
    assert seen.page.evaluate("() => document.querySelectorAll('img, iframe, object, svg a, [onload], [onerror]').length") == 0
    assert seen.requests == [seen.page.url]
    assert not [line for line in seen.console if "Security Policy" in line]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["incident", "quiet", "benign", "broken", "document"])
def test_axe_finds_nothing_serious(show, axe, kind, scheme):
    if kind == "broken":
        draft = Draft(case=example().case, signal=example().signal)
        run = RunFacts(steps=(StepState("signal", "done"), StepState("symptom", "failed", "boom")), failure="boom")
        seen = show(render_report(draft, run=run, static=True), color_scheme=scheme)
    elif kind == "document":
        seen = show(post_mortem(example()).to_html(), color_scheme=scheme)
        assert seen.console == []
    else:
        seen = show(render_report(example(kind), run=FACTS, static=kind != "incident"), color_scheme=scheme)
        if kind == "incident":
            seen.page.wait_for_selector(LIVE)
    seen.page.evaluate(axe)
    found = seen.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    serious = [
        (v["id"], [n["html"][:160] for n in v["nodes"]][:5])
        for v in found["violations"]
        if v["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_dark_and_light_differ_and_charts_follow(show):
    light = show(render_report(example(), run=FACTS), color_scheme="light")
    light.page.wait_for_selector(LIVE)
    ground = "() => getComputedStyle(document.body).backgroundColor"
    paper = "() => document.querySelector('.live .main-svg').style.background"
    before = (light.page.evaluate(ground), light.page.evaluate(paper))
    light.page.emulate_media(color_scheme="dark")
    light.page.wait_for_function(f"() => ({paper})() !== {before[1]!r}")
    assert light.page.evaluate(ground) != before[0]


def test_narrow_screens_do_not_scroll_sideways(show):
    seen = show(render_report(example(), run=FACTS), viewport={"width": 360, "height": 740})
    seen.page.wait_for_selector(LIVE)
    assert seen.page.evaluate("() => document.documentElement.scrollWidth") <= 360


def test_long_words_do_not_break_narrow_screens(show):
    seen = show(render_report(hostile(), run=FACTS, static=True), viewport={"width": 360, "height": 740})
    assert seen.page.evaluate("() => document.documentElement.scrollWidth") <= 360


def test_prints_on_a4_with_pictures_and_everything_open(show, tmp_path):
    seen = show(render_report(example(), run=FACTS))
    seen.page.wait_for_selector(LIVE)
    pdf = seen.page.pdf(prefer_css_page_size=True, print_background=True)
    assert pdf.startswith(b"%PDF") and 20_000 < len(pdf) < 3_000_000
    seen.page.emulate_media(media="print")
    seen.page.set_viewport_size({"width": A4_WIDTH, "height": 1000})
    beyond = """() => [...document.querySelectorAll('table, svg, .card')]
        .filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 120))"""
    assert seen.page.evaluate(beyond) == []
    if shutil.which("pdftoppm"):
        (tmp_path / "r.pdf").write_bytes(pdf)
        subprocess.run(["pdftoppm", "-r", "20", "-gray", str(tmp_path / "r.pdf"), str(tmp_path / "page")], check=True)
        pages = sorted(tmp_path.glob("page-*.pgm"))
        assert 3 <= len(pages) <= 16
        for page in pages[:-1]:  # every page but the last is written on: a blank one means that something was pushed off
            assert sum(b < 200 for b in page.read_bytes()[20:]) > 200, page.name
    assert seen.page.locator(".live:visible").count() == 0
    assert seen.page.locator(".still svg:visible").count() >= 5
    assert seen.page.locator("nav:visible").count() == 0


def test_samples_of_many_columns_print_in_lines_and_not_in_letters(show):
    inv = example()
    columns = ("request_id", "ts", *(f"merchant_risk_{i}" for i in range(7)))
    row = dict.fromkeys(columns, "0.123456") | {"request_id": "sa-101768", "ts": "2026-03-01T15:36:32.973000Z"}
    pair = replace(inv.samples.pairs[0], bad=row, twin=row, differing=columns[2:])
    wide = replace(inv, samples=replace(inv.samples, columns=columns, pairs=(pair,)))
    seen = show(render_report(wide, run=FACTS, static=True))
    seen.page.emulate_media(media="print")
    seen.page.set_viewport_size({"width": A4_WIDTH, "height": 1000})
    cells = seen.page.locator("#samples tr.bad td:not(.mute), #samples tr.twin td")
    assert seen.page.locator("#samples").get_by_text("2026-03-01 15:36:32.973").count() == 2
    assert max(cells.evaluate_all("all => all.map(n => n.offsetHeight)")) < 110  # five lines


def test_keyboard_reaches_the_answer_first(show):
    seen = show(render_report(example(), run=FACTS, static=True))
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("() => document.activeElement.textContent") == "Skip to the answer"
    seen.page.keyboard.press("Enter")
    assert seen.page.evaluate("() => document.activeElement.id") == "answer"
