from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rca_kit.findings.symptom import MetricSeries
from rca_kit.views import svg
from rca_kit.views.svg.canvas import fit, nice_ticks, time_ticks, wrap
from rca_kit.views.svg.chart import Marks, thin

T0 = datetime(2026, 3, 1, tzinfo=UTC)


def series(values, **more):
    n = len(values)
    return MetricSeries("auc", 60, tuple(T0 + timedelta(minutes=i) for i in range(n)), tuple(values), (1,) * n, **more)


@pytest.mark.parametrize(
    "values", [[], [0.5], [None, None], [0.5, 0.5], [0.1, None, 0.3], [float("nan"), 1.0, float("inf")], [-1e9, 1e9], [0.0, 0.0]]
)
def test_any_series_gives_good_xml(values):
    marks = Marks(T0, (T0, T0 + timedelta(minutes=1)), T0 - timedelta(days=9), (("A", T0),), {"min": 0.2})
    root = ET.fromstring(str(svg.metric_chart(series(values), marks, "x")))
    assert root.tag.endswith("svg") and "nan" not in ET.tostring(root, encoding="unicode").lower().replace("aria", "")


def test_gaps_break_the_line():
    root = str(svg.metric_chart(series([0.1, 0.2, None, 0.3, 0.4]), Marks(), "x"))
    path = root[root.index('class="curve"') - 200 : root.index('class="curve"')]
    assert path.count("M") == 2


def test_every_picture_has_title_and_description(inv):
    for picture in (
        svg.metric_chart(inv.symptom.series[0], Marks(), "a"),
        svg.scope_tree(inv.scope, "b"),
        svg.ishikawa(inv.suspects, "AUC fell", "c"),
        svg.restored_bars(inv.simulation, "d"),
        svg.sparkline(inv.symptom.series[0], 0.5, "e", "fell"),
    ):
        root = ET.fromstring(str(picture))
        assert root.attrib["role"] == "img"
        ids = root.attrib["aria-labelledby"].split()
        assert [c.attrib["id"] for c in list(root)[:2]] == ids
        assert all(c.text for c in list(root)[:2])


def test_hostile_labels_are_text(hostile):
    for picture in (
        svg.scope_tree(hostile.scope, "b"),
        svg.ishikawa(hostile.suspects, "<b>", "c"),
        svg.restored_bars(hostile.simulation, "d"),
        svg.metric_chart(hostile.symptom.series[0], Marks(changes=(("<b>", hostile.symptom.onset),)), "e"),
    ):
        root = ET.fromstring(str(picture))
        assert {c.tag.rpartition("}")[2] for c in root.iter()} <= {
            "svg",
            "title",
            "desc",
            "text",
            "rect",
            "line",
            "path",
            "circle",
        }


def test_all_seven_categories_are_on_the_fish(inv):
    picture = str(svg.ishikawa(replace(inv.suspects, categories=()), "x", "c"))
    for name in ("data", "model", "code", "infra", "config", "upstream", "external"):
        assert f" {name}</text>" in picture


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.77, 0.86), (-3e6, 5e6), (1e-9, 2e-9), (5, 5), (float("nan"), 1)])
def test_ticks_lie_inside_and_are_few(low, high):
    ticks = nice_ticks(low, high)
    assert 1 <= len(ticks) <= 10
    if high > low:
        assert all(low - 1e-9 * abs(low) <= t <= high + 1e-9 * abs(high) for t in ticks)


@pytest.mark.parametrize("hours", [0.05, 1, 5, 36, 24 * 9, 24 * 400, 24 * 4000])
def test_time_ticks_are_few(hours):
    ticks = time_ticks(T0, T0 + timedelta(hours=hours))
    assert 1 <= len(ticks) <= 9 and all(T0 <= t <= T0 + timedelta(hours=hours) for t, _ in ticks)


def test_thin_keeps_the_ends():
    kept = thin(10_001, 100)
    assert kept[0] == 0 and kept[-1] == 10_000 and len(kept) == 100


def test_long_words_are_cut():
    assert len(fit("x" * 500, 100)) < 20
    assert len(wrap("x" * 500 + " y", 100, lines=3)) == 3
