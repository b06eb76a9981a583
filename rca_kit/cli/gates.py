"""Commands that answer yes or no: replay, shadow, verify; and guardrails, which makes others answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rca_kit.cli.app import Engine, Folder, app
from rca_kit.cli.console import out, part, shown
from rca_kit.cli.show import recovery_table
from rca_kit.errors import BadInput


@app.command()
def replay(folder: Folder) -> None:
    """Replay the golden set through the current and the previous model; exit code 1 when worse, 3 when it cannot be told."""
    _answer(part("rca_kit.loop.versions.gates", "replay_case")(folder))


@app.command()
def shadow(folder: Folder) -> None:
    """Compare the shadow answers of two models; exit code 1 when different, 3 when it cannot be told."""
    _answer(part("rca_kit.loop.versions.gates", "shadow_case")(folder))


@app.command()
def verify(
    folder: Folder,
    since: Annotated[str, typer.Option(help="when the fix went live; no offset means UTC")],
    margin: Annotated[
        float | None, typer.Option(help="what counts as alike, in the main metric's units; else a quarter of the change")
    ] = None,
    engine: Engine = "polars",
) -> None:
    """After the fix: back inside the SLOs, and equivalent to before the incident? Exit code 1 when not, 3 when too early."""
    from rca_kit.case.times import parse_time

    found = part("rca_kit.loop.s7_settle.verify", "verify")(folder, parse_time(since, file="--since")[0], margin, engine=engine)
    out().print(recovery_table(found))
    _answer((found, found.exit_code))


@app.command()
def guardrails(
    folder: Folder,
    output: Annotated[Path, typer.Option("--out", help="a new or empty folder for the files")],
    offline: Annotated[
        str | None, typer.Option(help="features as computed offline, with the request id: the parity test is tried on them")
    ] = None,
    engine: Engine = "polars",
) -> None:
    """Write the guardrails as files that other tools run: alerting rules, schema, parity test, canary config."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise BadInput("is not an empty folder, and nothing is overwritten", file=str(output))
    console = out()
    for path in part("rca_kit.loop.guardrails.write", "write_guardrails")(folder, output, engine=engine, offline=offline):
        console.print(shown(path))


def _answer(found: tuple[Any, int]) -> None:
    """Print a finding with a verdict, and exit with the gate's code."""
    result, code = found
    told = result.says() if callable(getattr(result, "says", None)) else str(result)
    named = told.lower().startswith(result.verdict.replace("_", " "))
    out().print(shown(told if named else f"{result.verdict}: {told}"))
    if code:
        raise typer.Exit(code)
