"""A Spark session for all tests that need one, and the way to skip them where there is no Java; and which files begin first."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Files that take minutes begin first: `make test` hands out whole files, and one of these taken last leaves a core idle.
LONGEST = (
    "tests/browser/test_notebook_in_chromium.py", "tests/truth/test_samples.py", "tests/test_large.py", "tests/notebooks",
    "tests/truth", "tests/engines", "tests/views/widgets", "tests/test_run.py", "tests/test_faults.py", "tests/training",
    "tests/real", "tests/loop/guardrails", "tests/browser",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by the list above; within a file and among the rest the order stays."""
    root = Path(__file__).resolve().parents[1]

    def place(item: pytest.Item) -> int:
        where = item.path.relative_to(root).as_posix() if item.path.is_relative_to(root) else ""
        return next((i for i, name in enumerate(LONGEST) if where == name or where.startswith(f"{name}/")), len(LONGEST))

    items.sort(key=place)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One local session; two shuffle partitions, since every partition of a small table is a task for nothing.

    Its plans are large and run once: code made for whole stages of each would take longer than the queries, and the first
    compiler of Java alone takes two thirds of the time that both do.
    """
    sql = pytest.importorskip("pyspark.sql", reason="PySpark is not installed")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java, and none was found")
    home = tmp_path_factory.mktemp("spark")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PySpark warns of pandas 3, which the kit never takes it through
        session = (
            sql.SparkSession.builder.master("local[2]").appName("rca-kit tests")
            .config("spark.sql.shuffle.partitions", "2").config("spark.default.parallelism", "2")
            .config("spark.sql.adaptive.enabled", "false").config("spark.sql.codegen.wholeStage", "false")
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false").config("spark.driver.memory", "1g")
            .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
            .config("spark.python.sql.dataFrameDebugging.enabled", "false")
            .config("spark.sql.session.timeZone", "UTC").config("spark.sql.warehouse.dir", str(home / "warehouse"))
            .getOrCreate())
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.fixture
def sample_copy(tmp_path: Path) -> Any:
    """Copy a sample incident, with another source for its request log and other entries of incident.yaml (None drops one)."""
    import yaml

    samples = Path(__file__).resolve().parents[1] / "data" / "samples"

    def copy(slug: str, predictions: Any = None, **instead: Any) -> Path:
        target = tmp_path / slug
        shutil.copytree(samples / slug, target)
        data = yaml.safe_load((target / "incident.yaml").read_text(encoding="utf-8"))
        data["tables"]["predictions"] = predictions or data["tables"]["predictions"]
        data = {k: v for k, v in (data | instead).items() if v is not None}
        (target / "incident.yaml").write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
        return target

    return copy
