"""The metric inside the segments that are reported."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

import rca_kit
from rca_kit.case.bundled import sample

BINNING = 0.02  # AUC comes from a histogram of the scores


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("levels") / "case"
    shutil.copytree(sample("auc-drop-null-feature"), folder)
    return rca_kit.investigate(folder), pl.read_parquet(next(Path(folder).glob("predictions*.parquet")))


def test_segments_are_told_in_the_metric(found):
    inv, rows = found
    assert inv.scope.metric == inv.symptom.metric == "auc"
    segment = inv.scope.segments[0]
    assert segment.in_metric
    (column, value), = segment.where.items()
    after = rows.filter((pl.col(column) == value) & (pl.col("ts") >= inv.symptom.onset))
    after = after.drop_nulls(["is_fraud", "score"]).drop_nans(["score"])
    assert segment.after == pytest.approx(roc_auc_score(after["is_fraud"], after["score"]), abs=BINNING)
    assert segment.before - segment.after > 0.05
    low, high = segment.change_interval
    assert low < segment.after - segment.before < high < 0
    assert inv.to_dict()["scope"]["segments"][0]["after"] == pytest.approx(segment.after, abs=1e-5)
