"""Tables that stay where they are: in a DuckDB file, a Spark catalog or a database, as narwhals lazy frames."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from rca_kit.case.incident import FILE_NAME
from rca_kit.errors import BadInput, MissingExtra, did_you_mean
from rca_kit.sources.collect import collect, first_line
from rca_kit.sources.files import Scanned, temporary_file
from rca_kit.sources.frames import Frame

MAX_SIDE_ROWS = 5_000_000  # change logs, golden sets and the like are read whole; what is larger is no side table
DUCKDB_FILES = (".duckdb", ".ddb")
MAX_LABEL = 400  # characters of a query that reports repeat


@dataclass(frozen=True)
class Native:
    """A table in its own engine. `label` says which one, for reports and errors: never a credential."""

    frame: Frame
    engine: str  # duckdb | spark | sql
    label: str
    files: tuple[Path, ...] = ()


def open_native(folder: Path, spec: dict[str, Any], name: str) -> Native | Scanned | None:
    """Open what a mapping in incident.yaml names, or None when it names no engine.

    Parameters
    ----------
    folder : Path
        The case folder.
    spec : dict
        ``{duckdb: FILE, table: NAME}``, ``{duckdb: FILE, sql: QUERY}``, ``{spark: NAME}`` or ``{sql: QUERY, uri: URI}``.
    name : str
        Of the table in the case.

    Raises
    ------
    BadInput
        When the source cannot be opened.
    MissingExtra
        When its engine is not installed.
    """
    where = f"{FILE_NAME}: tables.{name}"
    if "duckdb" in spec:
        return open_duckdb(folder / str(spec["duckdb"]), spec, where)
    if "spark" in spec:
        return open_spark(str(spec["spark"]), where)
    if "sql" in spec:
        from rca_kit.sources.sql import open_sql

        return open_sql(spec, where)
    return None


def open_duckdb(path: Path, spec: dict[str, Any], where: str) -> Native:
    """Open a table, a view or a query of a DuckDB file, read-only. What is larger than memory goes through DuckDB's own disk."""
    duckdb = module("duckdb", "duckdb")
    if not path.is_file():
        near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise BadInput("there is no such file", file=where, found=f"nothing at `{path.name}`", hint=did_you_mean(path.name, near))
    try:
        connection = duckdb.connect(str(path), read_only=True)
        settle(connection, spec.get("memory_limit"))
        known = [row[0] for row in connection.execute("SELECT table_name FROM information_schema.tables").fetchall()]
        if "sql" in spec:
            relation, label = connection.sql(str(spec["sql"])), f"{path.name}: {in_one_line(str(spec['sql']))}"
        else:
            table = str(spec["table"]) if "table" in spec else known[0] if len(known) == 1 else None
            if table is None or table not in known:
                found = ", ".join(sorted(known)[:20]) or "no tables"
                raise BadInput(f"there is no table `{table}`" if table else "which table?", file=path.name, found=found,
                               expected=None if table else "{duckdb: FILE, table: NAME}",
                               hint=did_you_mean(table, known) if table else None)
            relation, label = connection.table('"' + table.replace('"', '""') + '"'), f"{path.name}: {table}"
        frame: Frame = nw.from_native(relation)
        frame.collect_schema()
    except duckdb.Error as error:
        raise BadInput("cannot be read by DuckDB", file=path.name, found=first_line(error)) from None
    return Native(frame, "duckdb", label, (path,))


def open_spark(name: str, where: str) -> Native:
    """Open a table or view of the Spark catalog."""
    from rca_kit.sources.spark import any_name, in_utc, read_table

    return Native(any_name(nw.from_native(in_utc(read_table(name, where)))), "spark", f"spark: {name}")


def settle(connection: Any, memory_limit: Any = None) -> None:
    """Times in UTC; room on disk; no progress bars, which DuckDB draws by itself inside notebooks, and so into reports."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    connection.execute(f"SET temp_directory = '{temporary_file('duckdb')}'")
    if memory_limit is not None:
        connection.execute("SET memory_limit = '" + str(memory_limit).replace("'", "") + "'")


def bring_home(native: Native, name: str) -> Scanned:
    """Read a small table whole: a change log, a golden set.

    Raises
    ------
    BadInput
        When it is too large for that.
    """
    rows = int(collect(native.frame.select(nw.len().alias("n")))["n"][0])
    if rows > MAX_SIDE_ROWS:
        raise BadInput(f"tables.{name} is too large to be read whole", file=native.label, found=f"{rows:,} rows",
                       expected=f"at most {MAX_SIDE_ROWS:,}", hint="sum or filter it in a query or a view")
    held: pl.DataFrame = collect(native.frame)
    return Scanned(held.lazy(), native.files, label=native.label)


def module(name: str, extra: str) -> Any:
    """Import a library of an extra.

    Raises
    ------
    MissingExtra
        When it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingExtra.of(extra, name) from None


def in_one_line(query: str) -> str:
    r"""Write a query as a report shows it.

    Examples
    --------
    >>> in_one_line("select *\n  from log ;")
    'select * from log'
    """
    text = " ".join(query.split()).rstrip("; ")
    return text if len(text) <= MAX_LABEL else text[: MAX_LABEL - 1] + "…"


