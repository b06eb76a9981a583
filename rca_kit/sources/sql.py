"""A query on a database: streamed into Parquet once, in bounded memory, or summed where the rows are on request.

PostgreSQL answers grouped sums through Ibis, and right, but every dimension is a query that reads the table anew, some fifty of
them where streaming is one; so that is for tables too large to copy (``push_down: true``).
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import narwhals as nw
import polars as pl

from rca_kit.errors import BadInput, MissingExtra, RunFailed
from rca_kit.sources.collect import cannot_open, first_line
from rca_kit.sources.files import Scanned, common_schema, temporary_file
from rca_kit.sources.frames import Frame
from rca_kit.sources.native import Native, in_one_line, module
from rca_kit.sources.secrets import filled, refuse_password

BATCH_ROWS = 100_000  # rows of a query held at once
CONNECT_SECONDS = 10  # a database that does not answer by then is down, for somebody who waits
POSTGRES = ("postgresql", "postgres")
URI_EXAMPLE = "postgresql://user:${PG_PASSWORD}@host/database"


def open_sql(spec: dict[str, Any], where: str) -> Native | Scanned:
    """Open ``{sql: QUERY, uri: URI}``.

    Parameters
    ----------
    spec : dict
        In the URI, ``${NAME}`` stands for an environment variable or an entry of the secrets file; what is left out comes from
        PGPASSWORD, .pgpass and the like. With ``push_down: true`` PostgreSQL takes the sums itself.
    where : str
        Named in errors.

    Raises
    ------
    BadInput
        When the URI is missing, holds a password or names nothing that answers, or the query fails.
    MissingExtra
        When the database's client is not installed.
    """
    query, uri = str(spec["sql"]).strip().rstrip(";"), str(spec.get("uri", ""))
    if not uri:
        raise BadInput("needs a uri", file=where, expected=URI_EXAMPLE)
    refuse_password(uri, f"{where}.uri")
    uri = filled(uri, f"{where}.uri")
    parts = urlsplit(uri)
    if parts.scheme == "sqlite":
        return _sqlite(Path("/" + uri.partition("://")[2].lstrip("/")), query, where)
    place = f"{parts.scheme}://{parts.hostname or 'local'}{parts.path}"
    label = f"{place}: {in_one_line(query)}"
    if parts.scheme not in POSTGRES:
        return Native(_other(uri, query, place, where), "sql", label)
    if spec.get("push_down"):
        return Native(_postgres(uri, query, place, where), "sql", label)
    return Scanned(_stream_postgres(uri, query, place, where), (), label=label)


def _postgres(uri: str, query: str, place: str, where: str) -> Frame:
    """Query PostgreSQL through Ibis, on a connection that can only read."""
    psycopg = module("psycopg", "sql")
    ibis = module("ibis", "sql")
    connection = _connect(psycopg, uri, place)
    opened = False
    try:
        backend = ibis.postgres.from_connection(connection)
        weakref.finalize(backend, connection.close)
        backend.compiler = _compiler()
        schema = _schema_of(connection, query)
        frame: Frame = nw.from_native(backend.sql(query, schema=schema))
        frame.collect_schema()
        opened = True
    except (psycopg.Error, ibis.common.exceptions.IbisError) as error:
        raise BadInput("the query cannot be run", file=f"{where}.sql", found=first_line(error),
                       expected="one SELECT statement") from None
    except Exception as error:  # sqlglot's errors, whose class depends on its version
        if type(error).__module__.partition(".")[0] != "sqlglot":
            raise
        raise BadInput("the query cannot be read", file=f"{where}.sql", found=first_line(error)) from None
    finally:
        if not opened:
            connection.close()
    return frame


def _schema_of(connection: Any, query: str) -> dict[str, Any]:
    """Names and types of a query's columns, from a run that gives no rows: Ibis would make a view, which readers may not."""
    from ibis.backends.sql.datatypes import PostgresType

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM ({query}\n) AS rca_kit LIMIT 0")  # noqa: S608 - the query is the user's own
        described = cursor.description or []
        oids = [c.type_code for c in described]
        cursor.execute("SELECT oid, typname FROM pg_type WHERE oid = ANY(%s)", (oids,))
        names = dict(cursor.fetchall())
    return {c.name: PostgresType.from_string(names[c.type_code]) for c in described}


def _compiler() -> Any:
    """Ibis' PostgreSQL, with casts of booleans to big integers by way of integers, logarithms of doubles, and MD5."""
    import ibis.expr.datatypes as types
    from ibis.backends.sql.compilers.postgres import PostgresCompiler

    class Compiler(PostgresCompiler):  # type: ignore[misc]
        def visit_Cast(self, op: Any, *, arg: Any, to: Any) -> Any:  # noqa: N802
            if op.arg.dtype.is_boolean() and to.is_integer():
                arg = self.cast(arg, types.int32)
            return super().visit_Cast(op, arg=arg, to=to)

        def visit_HexDigest(self, op: Any, *, arg: Any, how: str) -> Any:  # noqa: N802
            return getattr(self.f, how)(arg)

        def visit_Log(self, op: Any, *, arg: Any, base: Any) -> Any:  # noqa: N802
            natural = self.f.ln(self.cast(arg, types.float64))
            return natural if base is None else natural / self.f.ln(self.cast(base, types.float64))

    return Compiler()


def _other(uri: str, query: str, place: str, where: str) -> Frame:
    """Query whatever Ibis knows by the URI's scheme."""
    ibis = module("ibis", "sql")
    try:
        frame: Frame = nw.from_native(ibis.connect(uri).sql(query))
        frame.collect_schema()
    except ImportError as error:
        raise MissingExtra(f"the client of {place.partition(':')[0]} is not installed", file=where, found=first_line(error),
                           hint='install "ibis-framework" with the extra of that database') from None
    except Exception as error:
        raise cannot_open(error, place) from None
    return frame


def _sqlite(path: Path, query: str, where: str) -> Scanned:
    """Stream a query on a SQLite file into Parquet."""
    if not path.is_file():
        raise BadInput("there is no such file", file=f"{where}.uri", found=path.name, expected="sqlite:///absolute/path.db")
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute(query)
            names = [c[0] for c in rows.description or ()]
            frame = _streamed(iter(lambda: rows.fetchmany(BATCH_ROWS), []), names)
    except (sqlite3.Error, pl.exceptions.PolarsError, TypeError) as error:
        raise BadInput("the query cannot be run", file=f"{where}.sql", found=first_line(error)) from None
    return Scanned(frame, (path,), label=f"{path.name}: {in_one_line(query)}")


def _stream_postgres(uri: str, query: str, place: str, where: str) -> pl.LazyFrame:
    """Stream a query on PostgreSQL into Parquet, by a cursor of the server: one pass over the table, a batch in memory."""
    psycopg = module("psycopg", "sql")
    string, numeric = module("psycopg.types.string", "sql"), module("psycopg.types.numeric", "sql")
    connection = _connect(psycopg, uri, place)
    try:
        for kind in ("uuid", "json", "jsonb"):
            connection.adapters.register_loader(kind, string.TextLoader)
        connection.adapters.register_loader("numeric", numeric.FloatLoader)
        with connection.transaction(), connection.cursor(name="rca_kit") as rows:
            rows.execute(query)
            names = [c.name for c in rows.description or ()]
            return _streamed(iter(lambda: rows.fetchmany(BATCH_ROWS), []), names)
    except psycopg.OperationalError as error:
        raise RunFailed("the database stopped answering", file=place, found=first_line(error),
                        hint="look at the database, and run again") from None
    except psycopg.Error as error:
        raise BadInput("the query cannot be run", file=f"{where}.sql", found=first_line(error),
                       expected="one SELECT statement") from None
    finally:
        connection.close()


def _streamed(batches: Iterator[list[Any]], names: list[str]) -> pl.LazyFrame:
    """Write batches of rows to Parquet files, and scan them under types that hold all of them."""
    parts: list[Path] = []
    for batch in batches:
        parts.append(temporary_file("sql.parquet"))
        pl.DataFrame(batch, schema=names, orient="row", infer_schema_length=None).write_parquet(parts[-1])
    if not parts:
        return pl.LazyFrame(schema=dict.fromkeys(names, pl.String))
    common = common_schema({p: pl.scan_parquet(p, glob=False).collect_schema() for p in parts}, written=True)
    frames = [pl.scan_parquet(p, glob=False).select(pl.col(n).cast(t) for n, t in common.items()) for p in parts]
    return pl.concat(frames) if len(frames) > 1 else frames[0]


def _connect(psycopg: Any, uri: str, place: str) -> Any:
    # The server's own settings, so that a query in a case folder that somebody sent cannot change anything.
    options = "-c default_transaction_read_only=on -c TimeZone=UTC -c application_name=rca-kit"
    try:
        return psycopg.connect(uri, options=options, connect_timeout=CONNECT_SECONDS, autocommit=True)
    except psycopg.Error as error:
        raise cannot_open(error, place, "is it up, and do user and password fit? They come from the environment") from None
