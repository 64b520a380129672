"""A server that is lost while somebody reads is told as what it is: try later, and no source is to blame."""

import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, bindparam, select

from governance import audit, pipeline
from governance.database import Question, create_database, events, pending, writing
from governance.datatypes import Event
from governance.errors import Unavailable
from governance.pipeline.instance import ended
from tests import databases
from tests.databases import PostgreSQL

VALUE = "Zahnradbahn"
HINT = "governance: error: the database server does not answer"


@pytest.fixture
def server() -> Iterator[PostgreSQL]:
    """One that a test may stop."""
    with databases.running() as server:
        yield server


def connected(engine: Engine) -> Callable[[], object]:
    connection = engine.connect()
    return lambda: connection.execute(select(pending)).all()


def asked(engine: Engine) -> Callable[[], object]:
    question = Question(engine, select(pending.c.path).where(pending.c.path == bindparam("path")))
    return lambda: question.first(path=VALUE)


def test_whoever_reads_is_told_the_same_and_nothing_is_quoted(server: PostgreSQL) -> None:
    engine = create_database(server.place())
    reading = [connected(engine), asked(engine)]
    for read in reading:
        read()

    server.stop()

    later = [lambda: connected(engine)(), lambda: asked(engine)()]
    for read in (*reading, *later):
        with pytest.raises(Unavailable, match="does not answer") as lost:
            read()
        said = "".join(traceback.format_exception(lost.value))
        assert VALUE not in said
        assert str(server.folder) not in said
    engine.dispose()


def test_a_source_is_not_held_back_for_it(server: PostgreSQL) -> None:
    engine = create_database(server.place())
    ask = asked(engine)
    server.stop()

    with pytest.raises(Unavailable):
        ended("ct.dcm", "", lambda: ask())  # type: ignore[arg-type, return-value]
    engine.dispose()


def test_a_command_that_was_reading_ends_with_75_and_a_hint(server: PostgreSQL, tmp_path: Path) -> None:
    context = pipeline.create(tmp_path / "w", passphrase=None, database=server.address())
    many = [Event("tested", "test", "2026-02-03T04:05:06Z", f"{number:032x}", {}) for number in range(5000)]
    with writing(context.engine) as connection:
        audit.append(connection, many)
        audit.checkpoint(connection, context.keyring, origin=context.log_origin)
    context.engine.dispose()
    command = [sys.executable, "-m", "governance.cli", "audit", "export-siem", "--format", "fhir"]

    with subprocess.Popen(
        [*command, "-w", tmp_path / "w"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("{")
        server.stop()
        rest, said = process.stdout.read(), process.stderr.read()

    assert process.returncode == 75
    assert HINT in said
    assert "governance: hint: " in said
    assert len(rest.splitlines()) < len(many) - 1


def test_sqlite_tells_a_reader_of_a_locked_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = create_database(tmp_path / "w.sqlite3")
    engine.dispose()
    with closing(sqlite3.connect(tmp_path / "w.sqlite3")) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr("governance.database.sqlite.SETTINGS", ("PRAGMA busy_timeout = 0",))
        with pytest.raises(Unavailable, match="locked"), engine.connect() as connection:
            connection.execute(select(events)).all()
    engine.dispose()
