"""What importing the package brings with it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("plotly", "pandas", "duckdb", "pyspark", "jupyterlab", "IPython", "papermill", "sklearn", "ipywidgets", "nbformat")


def imported_by(code: str) -> set[str]:
    listing = "import sys; print(' '.join(sorted({m.split('.')[0] for m in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", f"{code}; {listing}"], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_no_engine():
    found = imported_by("import rca_kit")
    assert not found & {*HEAVY, "polars", "narwhals", "scipy", "statsmodels", "pydantic"}


def test_importing_the_command_line_loads_no_engine():
    assert not imported_by("import rca_kit.cli") & {*HEAVY, "polars", "scipy"}


def test_opening_a_case_needs_polars_only():
    assert not imported_by("import rca_kit.sources, rca_kit.case") & {*HEAVY, "scipy", "statsmodels"}


def test_every_public_name_is_announced():
    import rca_kit

    assert set(rca_kit.__all__) <= set(dir(rca_kit))
