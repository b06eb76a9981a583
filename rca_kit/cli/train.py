"""Training sessions: list them, start one, score it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from rca_kit.cli.app import app
from rca_kit.cli.console import out, part, shown

SESSIONS = "rca_kit.training.sessions"

train = typer.Typer(help="Training sessions: incidents with a known answer.", no_args_is_help=True)
app.add_typer(train, name="train")


@train.command("list")
def list_sessions() -> None:
    """List the training incidents."""
    table = Table("slug", "title")
    for session in part(SESSIONS, "list_sessions")():
        table.add_row(shown(session.slug), shown(session.title))
    out().print(table)


@train.command()
def start(
    slug: Annotated[str, typer.Argument(help="which incident; see `rca-kit train list`", show_default=False)],
    output: Annotated[Path | None, typer.Option("--out", help="where the case goes; default ./<slug>")] = None,
    seed: Annotated[int, typer.Option(help="another seed gives other numbers")] = 0,
) -> None:
    """Lay a case without answers ready, with the questions of each step."""
    folder = part(SESSIONS, "start_session")(slug, output or Path(slug), seed=seed)
    out().print(shown(f"case: {folder}\nnext: rca-kit lab {folder}; then rca-kit train score {folder}"))


@train.command()
def score(folder: Annotated[Path, typer.Argument(help="the folder of a started session", show_default=False)]) -> None:
    """Compare the answers of a session with the key."""
    result = part(SESSIONS, "score_session")(folder)
    out().print(shown(result.says()))
