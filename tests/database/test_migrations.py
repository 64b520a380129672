"""A database of any earlier version is brought to this one, once, with its rows; one of a later version is refused."""

import multiprocessing
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, Text, delete, insert, inspect, select, update
from sqlalchemy.exc import IntegrityError

from governance.database import (
    Line,
    Place,
    accessions,
    create_database,
    events,
    metadata,
    migrations,
    open_database,
    vault_metadata,
    writing,
)
from governance.errors import Misconfigured
from tests.databases import POSTGRESQL

NEXT = """
from alembic import op
from sqlalchemy import Column, Text

revision = "9999"
down_revision = "{last}"


def upgrade() -> None:
    how = "always" if op.get_bind().dialect.name == "sqlite" else "auto"
    with op.batch_alter_table("events", recreate=how) as table:
        table.add_column(Column("remark", Text))
"""
VERSION_5 = Path(__file__).with_name("version_5.sql")
SINCE_1 = ("rulings", "studies", "accessions", "contents", "said", "doubts")
"""Tables that version 1 did not have."""


@pytest.fixture
def engine(place: Place) -> Iterator[Engine]:
    engine = create_database(place)
    yield engine
    engine.dispose()


def revise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same program with one more revision, which changes a table whose rows are kept."""
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    for before in (migrations.FOLDER / "versions").glob("r*.py"):
        (folder / "versions" / before.name).write_text(before.read_text())
    (folder / "versions" / "r9999_next.py").write_text(NEXT.format(last=migrations.REVISIONS[-1]))
    monkeypatch.setattr(migrations, "FOLDER", folder)
    monkeypatch.setattr(migrations, "REVISIONS", (*migrations.REVISIONS, "9999"))


@pytest.mark.parametrize("line", Line)
def test_the_revisions_are_one_line_and_all_are_known(line: Line) -> None:
    scripts = ScriptDirectory(str(line.folder))

    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == line.revisions
    assert len(scripts.get_heads()) == 1


def test_the_revisions_make_the_tables_that_this_program_knows(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})

        assert compare_metadata(context, metadata) == []


def test_the_revisions_of_the_vault_make_its_tables(place: Place) -> None:
    vault = create_database(place, Line.VAULT)
    with vault.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})

        assert compare_metadata(context, vault_metadata) == []
    vault.dispose()


@pytest.mark.parametrize("line", Line)
def test_a_workspace_and_a_vault_are_never_taken_for_each_other(place: Place, line: Line) -> None:
    create_database(place, line).dispose()
    (other,) = set(Line) - {line}

    with pytest.raises(Misconfigured, match="another version"):
        open_database(place, other)


def test_texts_sort_by_their_bytes(engine: Engine) -> None:
    """Or the same release would have another digest on another database."""
    with writing(engine) as connection:
        links = [{"project": "p", "study": "s", "accession": text} for text in ("a", "B", "_", "\xe4", "Z", "-1", "10")]
        connection.execute(insert(accessions), links)

    with engine.connect() as connection:
        found = connection.execute(select(accessions.c.accession).order_by(accessions.c.accession)).scalars().all()
        plain = [column["type"] for table in metadata.tables for column in inspect(connection).get_columns(table)]

    assert found == ["-1", "10", "B", "Z", "_", "a", "\xe4"]
    if engine.dialect.name == POSTGRESQL:
        assert {each.collation for each in plain if isinstance(each, Text)} == {"C"}


def test_a_later_database_is_refused_and_left_alone(engine: Engine, place: Place) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '99999'")

    with pytest.raises(Misconfigured, match="another version") as refusal:
        open_database(place)

    assert refusal.value.__context__ is None
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "99999"


def add_event(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(insert(events).values(idx=0, leaf_hash=b"h", body=b"b"))


def test_rows_that_are_kept_are_kept_behind_a_later_revision(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = create_database(place)
    add_event(engine)
    engine.dispose()
    revise(tmp_path, monkeypatch)

    engine = open_database(place)

    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT idx, remark FROM events").all() == [(0, None)]
    for change in (delete(events), update(events).values(body=b"")):
        with pytest.raises(IntegrityError, match="append-only"), engine.begin() as connection:
            connection.execute(change)
    engine.dispose()


def counted(path: Path, version: int) -> Path:
    """A file as an earlier version left it, with an event."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(VERSION_5.read_text())
        if version == 1:
            connection.executescript(";".join(f"DROP TABLE {table}" for table in SINCE_1))
        connection.executescript(f"INSERT INTO events VALUES (0, x'00', x'01'); PRAGMA user_version = {version}")
    return path


def check(path: Path) -> None:
    """It is as a new one is, keeps its event, and lets nobody change it."""
    create_database(new := path.with_name("new.sqlite3")).dispose()
    assert shape(path) == shape(new)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM events").fetchall() == [(0, b"\0", b"\1")]
        assert connection.execute("SELECT * FROM alembic_version").fetchall() == [(migrations.REVISIONS[-1],)]
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute("DELETE FROM events")


def shape(path: Path) -> set[tuple[str, ...]]:
    """Every table, index and trigger, and the version that an earlier program looks at."""
    with closing(sqlite3.connect(path)) as connection:
        said = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
        version = connection.execute("PRAGMA user_version").fetchone()
    return {version, *((kind, name, table, " ".join((sql or "").split())) for kind, name, table, sql in said)}


@pytest.mark.sqlite_alone(reason="there are no earlier versions on PostgreSQL")
@pytest.mark.parametrize("version", [1, 5])
@pytest.mark.usefixtures("database")
def test_a_database_that_was_counted_gets_what_it_lacks_and_keeps_its_rows(tmp_path: Path, version: int) -> None:
    path = counted(tmp_path / "w.sqlite3", version)

    open_database(path).dispose()

    check(path)


def open_together(path: Path, ready: Barrier) -> None:
    ready.wait()
    open_database(path).dispose()


@pytest.mark.sqlite_alone(reason="there are no earlier versions on PostgreSQL")
@pytest.mark.usefixtures("database")
def test_eight_processes_open_an_earlier_database_at_once(tmp_path: Path) -> None:
    path = counted(tmp_path / "w.sqlite3", 5)
    fork = multiprocessing.get_context("fork")
    ready = fork.Barrier(8)
    processes = [fork.Process(target=open_together, args=(path, ready)) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0] * 8
    check(path)


@pytest.mark.sqlite_alone(reason="a number that SQLite keeps")
def test_an_earlier_program_refuses_what_has_revisions(engine: Engine) -> None:
    """It knew the number 5 and nothing of Alembic's table."""
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA user_version").scalar() == 6
