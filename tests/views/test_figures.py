from __future__ import annotations

import json

import pytest

from rca_kit.views.example import example
from rca_kit.views.figures import plot


@pytest.mark.parametrize("kind", ["incident", "quiet", "benign"])
@pytest.mark.parametrize("part", ["signal", "symptom", "scope", "suspects", "simulation", "settlement"])
def test_every_finding_has_a_picture(kind, part):
    figure = getattr(example(kind), part).plot()
    json.loads(figure.to_json())


def test_whole_investigation_has_one(inv):
    assert inv.plot().layout.yaxis.title.text == "AUC"


def test_samples_have_none(inv):
    with pytest.raises(TypeError, match="frame"):
        plot(inv.samples)


def test_hostile_names_hold_no_markup(hostile):
    for part in ("signal", "symptom", "scope", "suspects", "simulation"):
        text = json.dumps(json.loads(getattr(hostile, part).plot().to_json()))
        for tag in ("<img", "<script", "<b>", "<svg"):
            assert tag not in text


def test_symptom_without_series_says_so(inv):
    from dataclasses import replace

    figure = replace(inv.symptom, series=()).plot()
    assert "no series" in figure.layout.annotations[0].text


def test_segments_found_stand_first_and_in_colour():
    from rca_kit.findings.scope import Segment
    from rca_kit.findings.segments import Segments
    from rca_kit.views.theme import LIGHT

    found = Segment({"d": "<b>x</b>"}, share_of_traffic=0.3, share_of_impact=0.9)
    other = Segment({"d": "y"}, share_of_traffic=0.7, share_of_impact=0.1)
    figure = Segments((found,), singles=(found, other), measure="errors").plot()
    assert list(figure.data[0].y) == ["d = y", "d = &lt;b&gt;x&lt;/b&gt;"]
    assert list(figure.data[0].marker.color) == [LIGHT.muted, LIGHT.bad]


def test_shadow_is_drawn_in_units_of_the_margin():
    import polars as pl

    import rca_kit

    n = 400
    frame = pl.DataFrame(
        {
            "request_id": [str(i) for i in range(n)],
            "primary": [i / n for i in range(n)],
            "candidate": [i / n + 0.1 for i in range(n)],
        }
    )
    found = rca_kit.compare_shadow(frame)
    figure = found.plot()
    assert len(figure.data[0].x) == len([e for e in found.checks if e.estimate is not None and e.interval is not None])


def test_data_comparison_marks_what_changed():
    from rca_kit.findings.comparison import ColumnDifference, DataComparison
    from rca_kit.views.theme import LIGHT

    columns = (
        ColumnDifference("a", "number", True, "moved", 0.4, 1e-9),
        ColumnDifference("b", "number", False, "no change", None, 1.0),
    )
    figure = DataComparison(columns, 10, 10).plot()
    assert list(figure.data[0].y) == ["b", "a"] and list(figure.data[0].marker.color) == [LIGHT.muted, LIGHT.bad]


def test_gaps_split_the_band_and_lone_points_show():
    from datetime import UTC, datetime, timedelta

    from rca_kit.findings.symptom import MetricSeries
    from rca_kit.views.metric_figure import metric_figure

    values = (0.1, 0.2, None, 0.3, None, 0.4, 0.5)
    times = tuple(datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=i) for i in range(7))
    band, line = metric_figure(MetricSeries("auc", 60, times, values, (1,) * 7, values, values))["data"]
    assert band["x"].count(None) == 3 and len(band["x"]) == 2 * 5 + 3
    assert line["marker"]["size"] == [0, 0, 0, 5, 0, 0, 0]
