"""Numbers of numpy inside findings become plain JSON."""

from __future__ import annotations

import json

import numpy as np

from rca_kit.findings.suspects import Evidence


def test_evidence_of_numpy_types_is_json():
    said = Evidence("nulls", "0 -> 18 %", np.float64(1.5), np.bool_(True)).to_dict()
    assert json.loads(json.dumps(said))["for"] is True
