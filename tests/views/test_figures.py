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
