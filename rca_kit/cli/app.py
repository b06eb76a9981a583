"""The commands that take a case: new, check, findings, investigate, lab, demo, extract."""

from __future__ import annotations

import gc
import sys
import tempfile
from contextlib import suppress
from datetime import datetime
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rca_kit import __version__
from rca_kit.cli.console import EXIT_FAILED, check_writable, err, guarded, out, seconds, shown, to_json, write_whole
from rca_kit.errors import BadInput, RunFailed

if TYPE_CHECKING:
    from rca_kit.sources import OpenCase

app = typer.Typer(
    name="rca-kit", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich",
    help="Root-cause analysis for machine-learning services: from an alert to a cause that can be defended.",
)
Folder = Annotated[Path, typer.Argument(help="the case folder, with its incident.yaml", show_default=False)]
Budget = Annotated[str | None, typer.Option(help="seconds it may take, such as 60s or 5m; large logs are then read in part")]
Engine = Annotated[str, typer.Option(help="what scans the request log: polars, duckdb or spark")]
DEMO_SAMPLE = "auc-drop-null-feature"


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rca-kit {__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")] = False,
) -> None:
    del version


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="the case folder to make", show_default=False)],
    predictions: Annotated[list[str], typer.Option(help="the request log; may be given several times for its parts")],
    changes: Annotated[list[str] | None, typer.Option(help="the change log")] = None,
    metrics: Annotated[list[str] | None, typer.Option(help="service metrics, long form")] = None,
    golden: Annotated[list[str] | None, typer.Option(help="labelled known samples")] = None,
    shadow: Annotated[list[str] | None, typer.Option(help="the same requests answered by two models")] = None,
    from_alert: Annotated[Path | None, typer.Option(help="webhook JSON of Alertmanager, Grafana, PagerDuty or Datadog")] = None,
    ident: Annotated[str | None, typer.Option("--id", help="the incident's id")] = None,
    title: Annotated[str | None, typer.Option(help="the incident's title")] = None,
    service: Annotated[str | None, typer.Option(help="the service")] = None,
    metric: Annotated[str | None, typer.Option(help="the metric that fired, such as auc or latency_p95")] = None,
    detected_at: Annotated[str | None, typer.Option(help="when the alert fired; no offset means UTC")] = None,
) -> None:
    """Write incident.yaml with inferred roles, for a person to check."""
    from rca_kit.case.alerts import read_alert
    from rca_kit.sources.new import new_case

    alert = read_alert(from_alert) if from_alert else None
    named = {"predictions": predictions, "changes": changes, "service_metrics": metrics, "golden": golden, "shadow": shadow}
    tables = {name: tuple(paths) for name, paths in named.items() if paths}
    made = new_case(folder, tables, alert=alert, ident=ident, title=title, service=service, metric=metric,
                    detected_at=parsed_time(detected_at, "--detected-at") if detected_at else None)
    console = out()
    console.print(shown(made.text), end="")
    for warning in made.opened.warnings:
        err().print(shown(f"warning: {warning}", style="yellow"))
    console.print(shown(f"\nwritten: {made.path}\nnext: check the roles, then rca-kit findings {folder}"))


@app.command()
def check(folder: Folder, engine: Engine = "polars") -> None:
    """Validate a case: tables, row counts, roles (given or inferred), problems; exit code 2 on a bad case."""
    from rca_kit.cli.show import show_case
    from rca_kit.sources import open_case

    show_case(open_case(folder, engine=engine), out())


@app.command()
def findings(
    folder: Folder,
    output: Annotated[Path | None, typer.Option("--out", help="write to this file instead of standard output")] = None,
    engine: Engine = "polars",
    budget: Budget = None,
) -> None:
    """Take the seven steps without a notebook; findings as JSON."""
    from rca_kit.loop.progress import to_terminal

    if output is not None:
        check_writable(output)
    limit = seconds(budget)
    opened = _opened_with_steps(folder, engine)
    from rca_kit.loop.investigate import investigate

    text = to_json(investigate(opened, budget=limit, rows=to_terminal).to_dict())
    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    write_whole(output, text)
    err().print(shown(f"written: {output}"))


def _opened_with_steps(folder: Path, engine: str) -> OpenCase:
    """Open a case while the steps are loaded beside it: as the engine reads, the interpreter has time for them."""
    gc.disable()  # what is loaded stays, and looking through it for garbage finds none
    try:
        from rca_kit.sources import open_case

        steps = Thread(target=import_module, args=("rca_kit.loop.investigate",))
        steps.start()
        try:
            return open_case(folder, engine=engine)
        finally:
            steps.join()
    finally:
        gc.enable()


@app.command("investigate")
def investigate_command(
    folder: Folder,
    output: Annotated[Path | None, typer.Option("--out", help="where the results go; default DIR/runs/<time>")] = None,
    template: Annotated[str, typer.Option(help="the notebook template, by name or path")] = "7s_investigation",
    static: Annotated[bool, typer.Option("--static", help="pictures only, a smaller report")] = False,
    parameter: Annotated[list[str] | None, typer.Option("--parameter", "-p", help="NAME=VALUE for the template")] = None,
    engine: Engine = "polars",
    budget: Budget = None,
) -> None:
    """Run a template on the case; write report.html, summary.md, notebook.ipynb and findings.json."""
    from rca_kit.cli.show import show_run
    from rca_kit.run import run_investigation
    from rca_kit.sources import open_case

    if template == "7s_investigation":
        with suppress(RunFailed):  # a source that breaks off is the run's to tell, in a partial report
            open_case(folder, engine=engine)  # a bad case is refused before a kernel is started
    result = run_investigation(folder, output, template, _parameters(parameter), static=static, engine=engine,
                               budget=seconds(budget))
    show_run(result, out())
    if result.exit_code:
        raise typer.Exit(result.exit_code)


@app.command()
def demo(
    output: Annotated[Path | None, typer.Option("--out", help="where the results go; default a new temporary folder")] = None,
) -> None:
    """Investigate a bundled sample and say where the report lies."""
    from rca_kit.case.bundled import sample
    from rca_kit.cli.show import show_run
    from rca_kit.run import run_investigation

    folder = sample(DEMO_SAMPLE)
    target = output or Path(tempfile.mkdtemp(prefix="rca-demo-"))
    console = out()
    console.print(shown(f"investigating the bundled sample {DEMO_SAMPLE} ..."))
    result = run_investigation(folder, target, number_used=True)
    show_run(result, console)
    if result.exit_code:
        raise typer.Exit(EXIT_FAILED)


@app.command()
def lab(
    folder: Folder,
    notebook: Annotated[str, typer.Option(help="which notebook to open, by name or path")] = "",
    browser: Annotated[bool, typer.Option(help="open a browser")] = True,
    start: Annotated[bool, typer.Option(help="start JupyterLab; else only lay the notebook ready")] = True,
    port: Annotated[int, typer.Option(help="port of JupyterLab; 0 takes a free one")] = 0,
    as_app: Annotated[bool, typer.Option("--app", help="show it with Voila, as a page without code")] = False,
) -> None:
    """Open JupyterLab on an interactive notebook bound to the case."""
    from rca_kit.case.incident import load_case
    from rca_kit.cli.lab import lay_notebook, start_lab

    case = load_case(folder)
    # a training session is worked in its own notebook: the interactive one shows what the kit found
    drill = "drill" if (case.folder / "drill.json").is_file() else ""
    path = lay_notebook(case.folder, notebook or drill)
    out().print(shown(f"notebook: {path}"))
    if start:
        raise typer.Exit(start_lab(path, port=port, browser=browser, app=as_app))


@app.command()
def extract(
    report: Annotated[Path, typer.Argument(help="a report.html", show_default=False)],
    output: Annotated[Path | None, typer.Option("--out", help="write to this file instead of standard output")] = None,
) -> None:
    """Take findings.json out of a report."""
    from rca_kit.views.report import extract_findings

    if not report.is_file():
        raise BadInput("there is no such file", file=str(report), expected="a report.html")
    if output is not None:
        check_writable(output)
    text = to_json(extract_findings(report))
    if output is None:
        sys.stdout.write(text)
    else:
        write_whole(output, text)


def _parameters(given: list[str] | None) -> dict[str, Any] | None:
    import yaml

    found: dict[str, Any] = {}
    for item in given or ():
        name, equals, value = item.partition("=")
        if not equals or not name.isidentifier():
            raise BadInput("a parameter is not NAME=VALUE", found=item, expected="such as -p static=true")
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            found[name] = value
    return found or None


def parsed_time(text: str, option: str) -> datetime:
    """Read a time given as an option."""
    from rca_kit.case.times import parse_time

    return parse_time(text, file=option)[0]


def main() -> None:
    """Run the command line and exit with its code."""
    from rca_kit.cli import aggregates, feeds, gates, train  # noqa: F401 - they add their commands

    # a console that cannot show a character shows a replacement rather than failing on it
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    sys.exit(guarded(app))
