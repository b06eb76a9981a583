"""Findings go from the kernel of a run to the process that writes the report."""

from __future__ import annotations

import pickle
from dataclasses import replace

from rca_kit.views.example import example


class Log:
    def __reduce__(self):
        raise TypeError("a request log does not travel")

    def slice(self, where=None, metric=None):
        return where


def test_findings_travel_without_the_request_log():
    here = replace(example(), slicer=Log())
    there = pickle.loads(pickle.dumps(here))
    assert there == here and there.slicer is None and here.slice("a") == "a"
