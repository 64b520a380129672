"""A real PostgreSQL for tests, and what tests do to a database in the words of either kind."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, Engine, create_engine

from governance.database import APPEND_ONLY, Server

SQLITE, POSTGRESQL = "sqlite", "postgresql"
USER = "postgres"
"""Who runs the server where tests are run by root, whom PostgreSQL does not serve: Debian's package makes this user."""
PROTECTED = "protected"
"""A user of the server, who needs the password below; all others need none."""
PASSWORD = "Zahnradbahn-7"

_numbers = count()


@dataclass(frozen=True)
class PostgreSQL:
    """A server that listens on a socket in a folder and nowhere else."""

    folder: Path

    def address(self, name: str = "tests", user: str = "tests") -> str:
        return f"postgresql://{user}@/{name}?host={self.folder}"

    def place(self) -> Server:
        """A schema that is not there yet."""
        return Server(self.address(), f"made_{next(_numbers)}")

    def run(self, statement: str) -> None:
        with psycopg.connect(host=str(self.folder), user="tests", dbname="postgres", autocommit=True) as connection:
            connection.execute(statement)

    def stop(self) -> None:
        """As a machine that loses its power does: nobody is told."""
        number = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
        for process in (number, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def copy(self, name: str = "template1") -> str:
        """The name of a copy of a database that nobody is connected to; of an empty one if none is named."""
        made = f"copy_{next(_numbers)}"
        self.run(f"CREATE DATABASE {made} TEMPLATE {name}")
        return made


def address_of(database: PostgreSQL | None) -> str | None:
    """For a workspace: None where its rows lie in a file."""
    return None if database is None else database.address()


@contextmanager
def running() -> Iterator[PostgreSQL]:
    """A new server with its settings as they are installed, fsync among them; sorts as people do, not as bytes."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # a socket's path has less than 108 characters
    user = USER if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(folder, user)
    data, log = folder / "data", folder / "log"
    setup = [programs / "initdb", "--pgdata", data, "--username", "tests", "--auth", "trust", "--encoding", "UTF8"]
    setup += ["--locale", "C.UTF-8", "--locale-provider", "icu", "--icu-locale", "en-US"]
    try:
        subprocess.run(setup, user=user, cwd=folder, check=True, capture_output=True)
        rules = data / "pg_hba.conf"
        rules.write_text(f"local all {PROTECTED} scram-sha-256\n" + rules.read_text())
        command = [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses="]
        with log.open("wb") as said, subprocess.Popen(command, user=user, cwd=folder, stderr=said) as process:
            try:
                server = PostgreSQL(folder)
                _wait(process, server)
                server.run("CREATE DATABASE tests")
                server.run(f"CREATE USER {PROTECTED} PASSWORD '{PASSWORD}'")
                server.run(f"GRANT CREATE ON DATABASE tests TO {PROTECTED}")
                yield server
            finally:
                process.send_signal(signal.SIGQUIT)  # at once: nobody needs what is in it
    finally:
        shutil.rmtree(folder)


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if found:
        return found[-1]
    if os.environ.get("CI") == "true":
        pytest.fail("postgresql must be installed in CI")
    pytest.skip("postgresql is not installed")


def _wait(process: subprocess.Popen[bytes], server: PostgreSQL) -> None:
    last = time.monotonic() + 60
    while True:
        try:
            return server.run("SELECT 1")
        except psycopg.OperationalError:
            assert process.poll() is None, "the server did not start"
            assert time.monotonic() < last, "the server does not answer"
        time.sleep(0.05)


def remove_guards(connection: Connection) -> None:
    """Remove the triggers that keep rows as they are."""
    postgresql = connection.dialect.name == POSTGRESQL
    for table in APPEND_ONLY:
        for change in ("update", "delete"):
            on = f" ON {table}" if postgresql else ""
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_no_{change}{on}")


@contextmanager
def unguarded(engine: Engine) -> Iterator[Connection]:
    """A transaction of somebody with the database, without triggers and without references between tables."""
    if engine.dialect.name == POSTGRESQL:
        with engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            yield connection
        return
    plain = create_engine(engine.url)  # SQLite checks references only where it is told to
    try:
        with plain.begin() as connection:
            remove_guards(connection)
            yield connection
    finally:
        plain.dispose()


def alter(engine: Engine, *statements: str) -> None:
    """As somebody with the database would. statements: in SQLite's words, with bytes as `x'00'`."""
    with unguarded(engine) as connection:
        for statement in statements:
            connection.exec_driver_sql(in_words_of(connection, statement))


def rows(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    """The answer to a query in words that both know."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def in_words_of(connection: Connection, statement: str) -> str:
    """A statement of SQLite for either database."""
    if connection.dialect.name != POSTGRESQL:
        return statement
    return re.sub(r"\bx'([0-9a-f]*)'", r"'\\x\1'::bytea", statement)
