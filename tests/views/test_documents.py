from __future__ import annotations

from datetime import date

import pytest

from rca_kit.errors import BadInput
from rca_kit.views.comms import find_blame
from rca_kit.views.documents import deprecation_plan, post_mortem, read_timeline, runbook, tabletop
from rca_kit.views.documents.tabletop import LENGTHS, injects
from rca_kit.views.example import example


def pages(inv):
    return (
        post_mortem(inv),
        runbook(inv),
        *(tabletop(inv, minutes=m) for m in LENGTHS),
        deprecation_plan("model v2", start=date(2026, 4, 1), case=inv.case, dependencies=("checkout",)),
    )


@pytest.mark.parametrize("kind", ["incident", "quiet", "benign"])
def test_documents_of_every_verdict(kind):
    for page in pages(example(kind)):
        markdown, html = page.to_markdown(), page.to_html()
        assert markdown.startswith(f"# {page.title}") and html == page.to_html()
        assert "unsafe-" not in html and "<script" not in html and "style=" not in html
        assert page._repr_html_().lstrip().startswith("<section")


def test_hostile_text_stays_text(hostile):
    for page in pages(hostile):
        for text in (page.to_markdown(), page.to_html()):
            assert "<img" not in text and "<script" not in text and "<svg" not in text


def test_tables_have_as_many_cells_in_each_row(hostile):
    for line in "\n".join(p.to_markdown() for p in pages(hostile)).split("\n\n"):
        rows = [r for r in line.splitlines() if r.startswith("|")]
        counts = {r.replace("\\|", "").count("|") for r in rows}
        assert len(counts) <= 1


def test_our_own_documents_hold_no_blame():
    for page in pages(example()):
        assert find_blame(page.to_markdown()) == (), page.title


def test_post_mortem_times_and_wording(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text(
        "# ours\n- 2026-03-02 14:05 onset: AUC falls\n* [2026-03-02T14:35:00Z] alert: page\n"
        "2026-03-02 14:40+01:00 Bob forgot to test\n\n"
        "2026-03-02 15:10 UTC mitigated: back\n2026-03-02 16:00 resolved: fine\n"
    )
    text = post_mortem(moments=read_timeline(path)).to_markdown()
    for expected in (
        "time to detect: 30 min",
        "time to mitigate: 35 min",
        "time to recover: 1 h 55 min",
        "forgot to",
        "2026-03-02 13:40 UTC",
    ):
        assert expected in text, expected


def test_post_mortem_needs_something():
    with pytest.raises(ValueError, match="needs an investigation"):
        post_mortem()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "time,text,kind,who\n2026-03-02T14:05,falls,onset,Ada\n"),
        ("t.jsonl", '{"time":"2026-03-02T14:05","text":"falls","kind":"onset"}\n'),
        ("t.json", '[{"time":"2026-03-02T14:05Z","description":"falls","kind":"Onset"}]'),
    ],
)
def test_timelines_in_other_forms(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    (moment,) = read_timeline(tmp_path / name)
    assert (moment.kind, moment.title) == ("onset", "falls")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("t.md", "yesterday it broke\n", "line 1 does not begin with a time"),
        ("t.md", "\n# nothing\n", "holds no entry"),
        ("t.json", "{", "is not JSON"),
        ("t.json", "{}", "is not a list"),
        ("t.csv", "when,what\n1,2\n", "entry 2 has no time"),
        ("t.jsonl", '{"time":"2026-03-02T14:05"}\n', "has no text"),
        ("t.md", "2026-13-45 25:99 x\n", "line 1 does not begin with a time"),
    ],
)
def test_bad_timelines_are_refused(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=words):
        read_timeline(tmp_path / name)


@pytest.mark.parametrize("minutes", LENGTHS)
def test_injects_come_in_time_and_leave_room_for_the_debrief(minutes):
    found = injects(example(), minutes)
    at = [i.minute for i in found]
    assert at == sorted(set(at)) and at[0] == 0 and at[-1] < minutes - 10


def test_longer_drills_tell_more():
    assert len(injects(example(), 30)) < len(injects(example(), 45)) <= len(injects(example(), 60))
    with pytest.raises(ValueError, match="30, 45, 60"):
        injects(example(), 20)
