"""Commands for logs that are kept as aggregates: aggregate, merge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rca_kit.cli.app import Engine, Folder, app
from rca_kit.cli.console import check_writable, err, shown
from rca_kit.errors import BadInput

FILE_NAME = "predictions.agg"


@app.command()
def aggregate(
    folder: Folder,
    output: Annotated[Path | None, typer.Option("--out", help="the file to write; default predictions.agg in the case")] = None,
    like: Annotated[Path | None, typer.Option(help="earlier aggregates whose bins are used again, so that both merge")] = None,
    rows: Annotated[int, typer.Option(help="about how many rows to keep with the sums", min=0)] = 24_000,
    engine: Engine = "polars",
) -> None:
    """Sum the request log into a file of a few megabytes, from which every step runs without the rows."""
    from rca_kit.loop.progress import to_terminal
    from rca_kit.loop.reading.saving import aggregate_case

    target = output or (folder if folder.is_dir() else folder.parent) / FILE_NAME
    check_writable(target)
    saved = aggregate_case(folder, like, rows, engine, to_terminal)
    saved.save(target)
    log = saved.log
    err().print(shown(f"written: {target} ({target.stat().st_size / 1e6:.1f} MB): {log['rows']:,} rows, "
                      f"{log['first']:%Y-%m-%d %H:%M} to {log['last']:%Y-%m-%d %H:%M} UTC, {saved.kept.frame.height:,} kept"))


@app.command()
def merge(
    files: Annotated[list[Path], typer.Argument(help="files that `rca-kit aggregate` wrote", show_default=False)],
    output: Annotated[Path, typer.Option("--out", help="the file to write")],
) -> None:
    """Add up aggregates of several days or regions."""
    from rca_kit.aggregates.saved import Saved

    check_writable(output)
    if len(files) < 2:
        raise BadInput("there is nothing to merge", found=f"{len(files)} file", expected="two or more")
    whole = Saved.load(files[0])
    for file in files[1:]:
        whole = whole.merge(Saved.load(file))
    whole.save(output)
    err().print(shown(f"written: {output} ({output.stat().st_size / 1e6:.1f} MB): {whole.log['rows']:,} rows"))
