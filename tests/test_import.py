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


def test_the_steps_load_what_a_case_without_models_and_texts_needs():
    code = ("import sys, rca_kit; from rca_kit.case.bundled import sample; rca_kit.investigate(sample('desktop-auc-city')); "
            "print(*(m for m in sys.modules if m.startswith(('rca_kit.', 'sklearn', 'statsmodels'))))")
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    unused = {"rca_kit.loop.versions.replay", "rca_kit.loop.guardrails.write", "rca_kit.loop.s5_samples.text_detectors"}
    assert not loaded & {*unused, "sklearn", "statsmodels"}
    assert "rca_kit.loop.s7_settle" in loaded
