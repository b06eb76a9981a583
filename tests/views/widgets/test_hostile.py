"""Names out of the data never become markup, wherever they are shown."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import polars as pl
import pytest

import rca_kit

EVIL = "<img src=x onerror=\"window.owned=1\">'\"&$x$\u202e"


def _made():
    path = Path(__file__).parents[2] / "loop" / "made.py"
    spec = importlib.util.spec_from_file_location("made_for_widgets", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    made = _made()

    folder = tmp_path_factory.mktemp("evil")
    log = made.log("errors", rows=4000).with_columns(
        pl.when(pl.col("device") == "android").then(pl.lit(EVIL)).otherwise(pl.col("device")).alias("device")
    ).rename({"city": EVIL[:20]})
    log.drop("u").write_parquet(folder / "log.parquet")
    (folder / "incident.yaml").write_text(json.dumps({
        "id": "E-1", "title": EVIL[:40], "detected_at": "2026-03-04T09:00:00Z",
        "signal": {"source": "alert", "metric": "error_rate"},
        "tables": {"predictions": "log.parquet"},
        "roles": {"time": "ts", "score": "score", "decision": "decision", "label": "label", "error": "error",
                  "latency_ms": "latency_ms", "segments": ["device", "country"], "features": ["amount", EVIL[:20]]},
    }), encoding="utf-8")
    return rca_kit.explore(folder, author=EVIL)


def test_nothing_of_it_is_markup(work):
    work.scope.act({"act": "only", "arg": json.dumps({"device": EVIL})})
    first = work.session.suspects.items[0]
    form = {"subject": first.subject, "change_id": first.change_id or "", "reason": EVIL}
    work.suspects.act({"act": "mark", "arg": "to_test", "form": form})
    work.settle.act({"act": "action", "arg": "", "form": {"text": EVIL, "kind": "fix"}})
    for explorer in work.explorers:
        html = str(explorer.show_head()) + str(explorer.body()) + str(explorer.static())
        assert not re.search(r"<img|<script", html), explorer.key
        figure = json.dumps(explorer.figure() or {})
        assert "<img" not in re.sub(r'"(ids|id)": \[[^\]]*\]', "", figure), explorer.key
    assert "&lt;img" in str(work.scope.show_head()) and "<img" not in str(work.nav())
