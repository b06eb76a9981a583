"""The notebook of a training session runs from top to bottom, before the first answer and after the last."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from test_guided import run

from rca_kit.training import open_drill, start_session
from rca_kit.training.sessions import key_of


@pytest.mark.timeout(600)
def test_a_whole_session_in_the_notebook(tmp_path):
    folder = start_session("recommender-nulls", tmp_path / "session", 6)
    book = folder / "notebooks" / "drill.ipynb"
    text = book.read_text()
    assert 'case: str = \\"..\\"' in text
    shown, complaints = run(book, book.parent)
    assert not complaints
    key = key_of(folder)
    for wanted in ("not scored yet", "change point", "replay_golden_set", "before 1: ", *key.innocent):
        assert wanted in shown
    assert key.summary not in shown

    open_drill(folder).answer(verdict=key.verdict, onset=key.onset, category=key.category, subject=key.subject)
    done = text.replace("finished = False", "finished = True")
    assert done.count("Debrief") == text.count("Debrief")
    book.write_text(done)
    shown, complaints = run(book, book.parent)
    assert not complaints
    assert "Debrief of DRILL-" in shown and "item_quality" in shown and key.summary[:20].lower() in shown.lower()
