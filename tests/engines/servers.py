"""Real servers for tests: PostgreSQL in a temporary folder, and a proxy that drops the connection when told to."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

PASSWORD = "s3cr3t-Of-The-Test"  # what no output may hold
PG_TYPES = {pl.Int64: "bigint", pl.Int32: "int", pl.Int8: "smallint", pl.Float64: "double precision", pl.Boolean: "boolean",
            pl.String: "text", pl.Date: "date"}


@dataclass(frozen=True)
class Postgres:
    """A running server; `uri` names the password by its environment variable."""

    port: int

    @property
    def uri(self) -> str:
        return self.through(self.port)

    def through(self, port: int) -> str:
        return f"postgresql://kit:${{RCA_TEST_PASSWORD}}@127.0.0.1:{port}/postgres"

    def connect(self):
        import psycopg

        return psycopg.connect(f"postgresql://kit:{PASSWORD}@127.0.0.1:{self.port}/postgres", autocommit=True)

    def load(self, name: str, frame: pl.DataFrame) -> None:
        """Make a table of a frame."""
        columns = ", ".join(f'"{c}" {_type_of(t)}' for c, t in frame.schema.items())
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f'DROP TABLE IF EXISTS "{name}"')
            cursor.execute(f'CREATE TABLE "{name}" ({columns})')
            with cursor.copy(f'COPY "{name}" FROM STDIN') as copy:
                for row in frame.iter_rows():
                    copy.write_row(row)


def _type_of(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Datetime):
        return "timestamptz" if dtype.time_zone else "timestamp"
    return next((sql for t, sql in PG_TYPES.items() if dtype == t), "bigint")


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """Start a server of this machine's PostgreSQL; as another user where we are root, whom it refuses."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(p) for p in (shutil.which("initdb"),) if p]
    if not found:
        pytest.skip("PostgreSQL is not installed")
    programs = found[-1].parent
    as_other: list[str] = []
    home = Path(tempfile.mkdtemp(prefix="rca-pg-"))
    if os.geteuid() == 0:
        try:
            user = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL refuses to run as root, and there is no user `postgres`")
        os.chown(home, user.pw_uid, user.pw_gid)
        as_other = ["runuser", "-u", "postgres", "--"]
    secret = home / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    port = free_port()

    def run(*words: str) -> None:
        done = subprocess.run([*as_other, *words], cwd=home, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr + done.stdout

    data = str(home / "data")
    run(str(programs / "initdb"), "-D", data, "-U", "kit", "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--no-sync")
    options = f"-k {home} -h 127.0.0.1 -p {port} -F"
    run(str(programs / "pg_ctl"), "-D", data, "-w", "-o", options, "-l", str(home / "log"), "start")
    try:
        yield Postgres(port)
    finally:
        run(str(programs / "pg_ctl"), "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(home, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class DroppingProxy:
    """Pass bytes to a server and back until a client sends `trigger`; then drop that connection without a word."""

    def __init__(self, port: int, trigger: bytes) -> None:
        self.target, self.trigger, self.dropped = port, trigger, 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, from_client: bool) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(65536):
                if from_client and self.trigger in block:
                    self.dropped += 1
                    break
                sink.sendall(block)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        self._server.close()
