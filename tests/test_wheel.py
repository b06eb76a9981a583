"""The built wheel works away from the checkout: samples, templates and notebooks are inside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.glob("rca_kit-*.whl"))


@pytest.fixture(scope="module")
def elsewhere(wheel, tmp_path_factory):
    """An environment with the wheel that borrows the libraries of the test environment, and nothing of the checkout."""
    home = tmp_path_factory.mktemp("elsewhere")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home / "venv")], check=True)
    site = Path(sysconfig.get_path("purelib", "venv", vars={"base": str(home / "venv"), "platbase": str(home / "venv")}))
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(home / "venv" / "bin" / "python"),
        "install",
        "-q",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    # a path file of a borrowed folder is not read, so the editable install of the checkout stays out of sight
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home


def run(home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    command = [str(home / "venv" / "bin" / "rca-kit"), *map(str, arguments)]
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=240, check=False)


def test_the_wheel_holds_what_the_checkout_holds(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for folder, kind in (("templates", "templates"), ("notebooks", "notebooks"), ("data/samples", "samples")):
        ours = subprocess.run(["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
        for file in ours:
            assert f"rca_kit/_data/{kind}/{Path(file).relative_to(folder).as_posix()}" in names
    assert "rca_kit/py.typed" in names
    assert not [n for n in names if n.startswith(("tests/", "benchmarks/")) or n.endswith((".pyc", ".orig"))]


def test_the_installed_package_is_the_wheels(elsewhere):
    python = elsewhere / "venv" / "bin" / "python"
    done = subprocess.run(
        [python, "-c", "import rca_kit; print(rca_kit.__file__)"], cwd=elsewhere, capture_output=True, text=True, check=True
    )
    assert str(elsewhere) in done.stdout


def test_demo_investigates_the_bundled_sample(elsewhere):
    done = run(elsewhere, "demo", "--out", "demo-output")
    assert done.returncode == 0, done.stderr + done.stdout
    for word in ("verdict", "severity", "onset", "suspect 1", "do now", "report: "):
        assert word in done.stdout
    report = elsewhere / done.stdout.rsplit("report: ", 1)[1].strip()
    assert report.is_file() and report.stat().st_size > 50_000
    findings = json.loads((report.parent / "findings.json").read_text())
    assert findings["verdict"] == "incident"
    again = run(elsewhere, "extract", report)
    assert again.returncode == 0 and json.loads(again.stdout) == findings
