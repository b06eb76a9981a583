from __future__ import annotations

import re

from rca_kit.views.example import example
from rca_kit.views.report import Draft, RunFacts, StepState
from rca_kit.views.summary import render_summary


def test_summary_answers(inv):
    text = render_summary(inv)
    for expected in (
        "**Incident: AUC fell from 0.861 to 0.779.**",
        "2026-03-02 14:05 UTC",
        "device = android",
        "SEV2",
        "probability 81%",
        "Roll back",
        "against:",
        "Not known",
        "- [ ] Add a contract test",
    ):
        assert expected in text, expected


def test_quiet_summary_is_short_and_calm():
    text = render_summary(example("quiet"))
    assert "Nothing happened" in text and "SEV" not in text and "Actions" not in text
    assert len(text.splitlines()) < 12


def test_hostile_text_stays_text(hostile):
    text = render_summary(hostile)
    assert (
        "<img" not in text
        and "<script" not in text
        and not re.search(r"(?<!\\)\]\(", text)
        and "\n=cmd" not in text
        and "@everyone" not in text
    )
    assert "&lt;img src=x" in text


def test_partial_summary_says_so(inv):
    run = RunFacts(steps=(StepState("signal", "failed", "boom"),), failure="stopped: boom")
    text = render_summary(Draft(case=inv.case), run=run)
    assert "**Incomplete.** stopped: boom" in text and "signal failed" in text and "symptom skipped" in text
