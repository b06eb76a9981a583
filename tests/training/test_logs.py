from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl

from rca_kit.training.logs import read_log


def test_a_column_that_begins_empty_is_no_time(tmp_path: Path) -> None:
    (tmp_path / "incident.yaml").write_text("tables: {predictions: predictions.jsonl}\n", encoding="utf-8")
    pl.DataFrame({
        "err": [None] * 25 + ["timeout"],
        "ts": [f"2026-05-01T10:{m:02d}:00Z" for m in range(26)],
    }).write_ndjson(tmp_path / "predictions.jsonl")
    rows, time = read_log(tmp_path)
    assert time == "ts"
    assert rows[time][1].replace(tzinfo=None) == datetime(2026, 5, 1, 10, 1)
