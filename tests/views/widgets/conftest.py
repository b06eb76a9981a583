from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rca_kit.case.bundled import sample
from rca_kit.loop.session import Session
from rca_kit.run.explore import write
from rca_kit.views.widgets.app import Explore


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("case") / "latency"
    shutil.copytree(sample("latency-embedding"), target)
    return target


@pytest.fixture(scope="module")
def work(folder) -> Explore:
    """All explorers of one case, answering at once instead of in a thread."""
    return Explore(Session(folder, author="ana"), write, background=False)
