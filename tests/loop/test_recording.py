"""Answers written down as they arrive: interruptions, failures, other files, full disks."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rca_kit import replay
from rca_kit.errors import BadInput, RunFailed

from .replayed import golden, good


def test_an_interrupted_run_goes_on(tmp_path):
    g, asked = golden(1000), []

    def slow(frame):
        asked.append(len(frame))
        if sum(asked) > 450 and not (tmp_path / "second").exists():
            raise KeyboardInterrupt
        return good(frame)

    with pytest.raises(KeyboardInterrupt):
        replay(g, current=slow, previous=good, record=tmp_path / "a.jsonl", chunk=100)
    (tmp_path / "second").touch()
    before = sum(asked) - 100  # the call that was interrupted has no answers
    with (tmp_path / "a.jsonl").open("a") as f:
        f.write('{"version": "current", "repeat": 0, "ids": ["s9')  # a crash in the middle of a line
    asked.clear()
    got = replay(g, current=slow, previous=good, record=tmp_path / "a.jsonl", chunk=100)
    assert sum(asked) == 1000 - before
    assert got.samples == 1000
    assert got.verdict == "same"
    want = replay(g, current=good, previous=good)
    assert got.metrics["auc"].current == pytest.approx(want.metrics["auc"].current)


def test_failed_samples_are_tried_again_and_other_samples_refused(tmp_path):
    g, down = golden(300), [True]

    def unstable(frame):
        if down[0] and (frame["x"] > 1).any():
            raise TimeoutError("down")
        return good(frame)

    first = replay(g, current=unstable, previous=good, record=tmp_path / "a.jsonl")
    assert first.errors.current > 0
    down[0] = False
    assert replay(g, current=unstable, previous=good, record=tmp_path / "a.jsonl").errors.current == 0
    with pytest.raises(BadInput, match="other samples"):
        replay(golden(300, seed=5), current=unstable, previous=good, record=tmp_path / "a.jsonl")


def test_a_recording_is_of_all_values_of_the_samples(tmp_path):
    g = golden(300)
    replay(g, current=good, previous=good, record=tmp_path / "a.jsonl")
    changed = g.with_columns(z=pl.when(pl.int_range(pl.len()) == 250).then(9.0).otherwise("z"))
    with pytest.raises(BadInput, match="other samples"):
        replay(changed, current=good, previous=good, record=tmp_path / "a.jsonl")


@pytest.mark.parametrize("content", ['{"sample_id": 1}\n', "sample_id,x\n1,2\n", "sample_id"])
def test_a_file_that_is_no_recording_is_left_alone(tmp_path, content):
    (tmp_path / "golden.csv").write_text(content)
    with pytest.raises(BadInput, match="no recording"):
        replay(golden(100), current=good, previous=good, record=tmp_path / "golden.csv")
    assert (tmp_path / "golden.csv").read_text() == content


def test_a_header_cut_off_by_a_crash_is_written_again(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"fingerp')
    assert replay(golden(100), current=good, previous=good, record=tmp_path / "a.jsonl").samples == 100
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) > 2


@pytest.mark.parametrize("answer", ["scores", "classes"])
def test_what_is_recorded_gives_the_same_result(tmp_path, answer):
    """Packed floats, text, repeats, an id that is missing: read back as they were given."""
    g = golden(3000).with_columns(sample_id=pl.when(pl.int_range(pl.len()) == 7).then(None).otherwise("sample_id"))

    def model(frame):
        p = good(frame)
        return p if answer == "scores" else np.where(p > 0.5, "1", "0")

    def never(frame):
        raise AssertionError("asked again")

    kept = {"repeats": 2, "record": tmp_path / "a.jsonl"}
    model.__name__ = never.__name__ = "model"
    first = replay(g, current=model, previous=model, **kept)
    again = replay(g, current=never, previous=never, **kept)
    assert again.errors.count == 0
    assert again.to_dict() == first.to_dict() == replay(g, current=model, previous=model, repeats=2).to_dict()


@pytest.mark.parametrize("chunk", [5_000, 50])
def test_a_disk_that_is_full_loses_no_answer_that_was_written(tmp_path, chunk):
    resource = pytest.importorskip("resource")
    g, asked = golden(4 * chunk), []

    def model(frame):
        asked.append(len(frame))
        return good(frame)

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30 * chunk, before[1]))  # bytes; all answers take twice that and more
    try:
        with pytest.raises(RunFailed, match="File too large"):
            replay(g, current=model, previous=model, record=tmp_path / "a.jsonl", chunk=chunk)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (tmp_path / "a.jsonl").stat().st_size <= 30 * chunk
    kept = sum(asked) - chunk  # the answers that found no room
    assert kept > 0
    asked.clear()
    assert replay(g, current=model, previous=model, record=tmp_path / "a.jsonl", chunk=chunk).samples == 4 * chunk
    assert sum(asked) == 8 * chunk - kept


def test_a_slow_model_is_asked_for_a_few_samples_at_a_time_when_its_answers_are_kept(tmp_path, monkeypatch):
    now, asked = [0.0], []
    monkeypatch.setattr("rca_kit.loop.versions.runner.monotonic", lambda: now[0])

    def slow(frame):
        asked.append(len(frame))
        now[0] += 1.0 * len(frame)
        return good(frame)

    replay(golden(100), current=slow, previous=slow, record=tmp_path / "a.jsonl")
    assert max(asked) == 16
    asked.clear()
    replay(golden(100), current=slow, previous=slow)  # nothing is kept and nothing shown: all at once
    assert asked == [100, 100]
