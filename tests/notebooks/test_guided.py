"""Every guided notebook runs from top to bottom on this interpreter, and is committed clean."""

from __future__ import annotations

import re
import sys
import tempfile
import warnings
from pathlib import Path

import pytest

from rca_kit.case.bundled import bundled

FOLDER = Path(__file__).parents[2] / "notebooks"
BOOKS = sorted(FOLDER.glob("*.ipynb"))
QUICK = ("00_start_here", "03_scope", "08_bring_your_own_data")  # the others take a whole investigation each: marked slow
LONGEST_CELL = 16  # lines: a person reads a cell at a glance
SECONDS = 280  # a cell, on a busy machine

# What a reader must find in the outputs: a notebook that runs but shows something else has failed.
SHOWS = {
    "00_start_here": (r"incident\. auc went down", r"os = android", r"CR81", r"SEV\d", r"report\.html"),
    "01_signal": (r"does not hold up", r"beyond chance", r"labelled before"),
    "02_symptom": (r"OnsetExplorer: Since when", r"went down", r"step at 20\d", r"no change in 240 buckets"),
    "03_scope": (r"ScopeExplorer: For whom",
                 r"Carried by tenure = new", r"client = android and tenure = new", r"3\.00% -> 4\.25%", r"nothing moved"),
    "04_suspects": (r"SuspectsBoard: Why", r"CR306", r"not_tested|excluded", r"would be refuted by: \S"),
    "05_samples": (r"SamplesExplorer: ", r"twins", r"coverage \d+%", r"bad because: \S"),
    "06_simulate": (r"ReplayExplorer: ", r"repair", r"confirmed: True"),
    "07_settle": (r"SettleExplorer: ", r"SEV\d", r"verify: \S", r"Q \S", r"should have"),
    "08_bring_your_own_data": (r"actual_minutes", r"bias went down", r"Carried by partner = west", r"feature:distance_km", r"c2"),
    "09_golden_and_shadow": (r"Replay: worse", r"'same'", r"Shadow: different", r"Shadow: equivalent", r"exit code 1"),
    "10_large_logs": (r"\d parts", r"120,000 rows", r"found: code feature:route_seconds",
                      r"same verdict: True \| same onset: True", r"kB", r"route_seconds \("),
    "11_llm_incident": (r"kpi:toxic went up", r"True\nFalse\nTrue", r"injected prompts", r"guard: "),
    "explore_case": (r"Explore: ", r"incident\. latency_p95 went up"),
    "13_training": (r"quiet-day", r"It was no change", r"7 of 8, passed", r"silent on a healthy one", r"not passed"),
    "12_extend_the_kit": (r"found - mobile requests without a device", r"'worse'"),
}


def by_name(path: Path) -> object:
    return pytest.param(path, id=path.stem, marks=() if path.stem in QUICK else (pytest.mark.slow,))


def test_the_set_is_whole():
    assert [b.stem for b in BOOKS] == sorted(SHOWS)
    assert any((folder / "00_start_here.ipynb").is_file() for folder in bundled("notebooks"))


@pytest.mark.parametrize("path", BOOKS, ids=lambda p: p.stem)
def test_committed_clean(path):
    import nbformat

    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    assert book.metadata.kernelspec.name == "python3"
    assert book.cells[0].cell_type == "markdown"
    assert book.cells[0].source.startswith("# ")
    for cell in book.cells:
        assert cell.source.strip()
        assert not re.search(r"/(home|root|Users|tmp|work)/", cell.source)
        if cell.cell_type == "code":
            assert not cell.outputs
            assert cell.execution_count is None
            assert len(cell.source.splitlines()) <= LONGEST_CELL


@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", [by_name(p) for p in BOOKS])
def test_runs_and_shows(path, tmp_path):
    shown, complaints = run(path, tmp_path)
    assert not complaints
    for wanted in SHOWS[path.stem]:
        assert re.search(wanted, shown), f"{path.stem} does not show {wanted!r}"


def test_a_broken_notebook_fails(tmp_path):
    """The runner itself: it must notice an error and what goes to standard error."""
    import nbclient
    import nbformat

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import sys\nprint('lost', file=sys.stderr)")])
    nbformat.write(book, tmp_path / "noisy.ipynb")
    assert run(tmp_path / "noisy.ipynb", tmp_path) == ("", "lost\n")
    book.cells.append(nbformat.v4.new_code_cell("1 / 0"))
    nbformat.write(book, tmp_path / "broken.ipynb")
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="ZeroDivisionError"):
        run(tmp_path / "broken.ipynb", tmp_path)


def run(path: Path, folder: Path) -> tuple[str, str]:
    """Execute a notebook in a folder; give what its cells showed as text, and what they complained about."""
    import jupyter_client
    import nbclient
    import nbformat

    book = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as private, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the client's event loop; the notebook's own warnings reach its standard error
        sockets = {} if sys.platform == "win32" else {"transport": "ipc", "ip": f"{private}/k"}
        spec = jupyter_client.kernelspec.KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name="Python 3", language="python",
        )

        class ThisInterpreter(jupyter_client.AsyncKernelManager):
            def __init__(self, **traits):
                super().__init__(connection_file=f"{private}/kernel.json", **sockets, **traits)
                self._kernel_spec = spec

        nbclient.NotebookClient(
            book, kernel_manager_class=ThisInterpreter, timeout=SECONDS, startup_timeout=120,
            resources={"metadata": {"path": str(folder)}},
        ).execute()
    outputs = [o for cell in book.cells if cell.cell_type == "code" for o in cell.outputs]
    said = [o.text if o.output_type == "stream" else o.get("data", {}).get("text/plain", "") for o in outputs]
    complaints = [o.text for o in outputs if o.output_type == "stream" and o.name == "stderr"]
    return "\n".join(t for o, t in zip(outputs, said, strict=True) if o.get("name") != "stderr"), "".join(complaints)
