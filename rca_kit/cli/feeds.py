"""The command that fills a case's change log from the tools that make changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from rca_kit.cli.app import Folder, app, parsed_time
from rca_kit.cli.console import err, out, shown

BEFORE_ALERT = timedelta(days=14)  # a cause is seldom older; refreshes that spread a change take days, not months
AFTER_ALERT = timedelta(days=1)  # roll-backs and fixes belong on the timeline
SHOWN = 20


@app.command()
def changes(
    folder: Folder,
    source: Annotated[list[str], typer.Option(
        "--from", help="git:PATH, git:PATH#BRANCH, mlflow:URI, github-deployments:FILE or k8s-events:FILE; may be given several "
                       "times", show_default=False)],
    since: Annotated[str, typer.Option(help="only from this time on; default 14 days before the alert")] = "",
    until: Annotated[str, typer.Option(help="only before this time; default a day after the alert")] = "",
    component: Annotated[str, typer.Option(help="component to note for these changes")] = "",
) -> None:
    """Add what git, MLflow, GitHub or Kubernetes recorded to the case's change log; what is there stays as it is."""
    from rca_kit.case.incident import load_case
    from rca_kit.sources.change_table import add_changes
    from rca_kit.sources.feeds import read_feed

    case = load_case(folder)
    start = parsed_time(since, "--since") if since else case.incident.detected_at - BEFORE_ALERT
    end = parsed_time(until, "--until") if until else case.incident.detected_at + AFTER_ALERT
    feeds = [read_feed(each, start, end, component) for each in source]
    added = add_changes(case, [c for feed in feeds for c in feed.changes])
    console = out()
    for feed in feeds:
        for note in feed.notes:
            err().print(shown(f"warning: {note}", style="yellow"))
    for change in added.changes[:SHOWN]:
        console.print(shown(f"{change.time:%Y-%m-%d %H:%M} {change.kind:<15} {change.component}: {change.description}"))
    if len(added.changes) > SHOWN:
        console.print(shown(f"... and {len(added.changes) - SHOWN} more"))
    span = f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
    known = f"; {added.known} were there already" if added.known else ""
    console.print(shown(f"{len(added.changes)} changes from {span} added to {added.path}{known}"))
