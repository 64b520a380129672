"""Rows survive, writers wait for each other, and no value gets into an error."""

import sqlite3
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, insert, inspect, select, update
from sqlalchemy.exc import IntegrityError

from governance.database import (
    Place,
    checkpoints,
    create_database,
    events,
    metadata,
    open_database,
    receipts,
    runs,
    upsert,
    writing,
)
from governance.errors import Misconfigured
from tests.databases import unguarded

alone = pytest.mark.sqlite_alone

NAME = "MUSTERMANN"
RUN = {
    "run_id": "r",
    "project": "p",
    "policy": "basic",
    "policy_digest": "d",
    "started": "t",
    "status": "registered",
    "sealed_request": b"s",
}


@pytest.fixture
def engine(place: Place) -> Iterator[Engine]:
    engine = create_database(place)
    yield engine
    engine.dispose()


@alone(reason="pragmas")
def test_every_connection_has_the_settings_that_keep_rows(engine: Engine) -> None:
    with engine.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }

    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30000}


def test_opening_again_keeps_the_rows(place: Place) -> None:
    create_database(place).dispose()
    for _ in range(2):
        engine = open_database(place)
        with writing(engine) as connection:
            connection.execute(upsert(connection, runs).values(RUN).on_conflict_do_nothing())
        with engine.connect() as connection:
            assert connection.execute(select(runs.c.run_id)).scalars().all() == ["r"]
        engine.dispose()


@pytest.mark.parametrize("_again", range(20))
def test_many_open_a_new_database_at_once(tmp_path: Path, _again: int) -> None:
    found: list[list[str]] = []
    ready = threading.Barrier(6)

    def open_one() -> None:
        ready.wait()
        engine = open_database(tmp_path / "w.sqlite3")
        with engine.connect() as connection:
            found.append(sorted(inspect(connection).get_table_names()))
        engine.dispose()

    threads = [threading.Thread(target=open_one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [sorted({*metadata.tables, "alembic_version"})] * 6


@alone(reason="a file")
def test_the_file_is_the_owners_alone(tmp_path: Path, engine: Engine) -> None:
    assert (tmp_path / "w.sqlite3").stat().st_mode & 0o777 == 0o600


@alone(reason="a pragma; PostgreSQL's way is tested beside it")
def test_a_database_that_may_not_be_written_is_told_without_values(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")

    with pytest.raises(Misconfigured, match="may not be written") as error, writing(engine) as connection:
        connection.execute(insert(runs).values(RUN))

    assert error.value.hint
    assert error.value.__context__ is None


def test_another_file_is_refused(tmp_path: Path) -> None:
    content = b"not a database, but long enough to look like one" * 50
    (tmp_path / "w.sqlite3").write_bytes(content)

    with pytest.raises(Misconfigured) as refusal:
        open_database(tmp_path / "w.sqlite3")

    assert refusal.value.__context__ is None
    assert content == (tmp_path / "w.sqlite3").read_bytes()


def test_a_database_of_a_later_version_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "w.sqlite3") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(Misconfigured, match="another version"):
        open_database(tmp_path / "w.sqlite3")


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        open_database(tmp_path / "nowhere" / "w.sqlite3")


@pytest.mark.parametrize("column", ["project", "run_id"])
def test_errors_do_not_quote_values(engine: Engine, column: str) -> None:
    """Of a key that is there already, PostgreSQL tells the value."""
    with pytest.raises(IntegrityError) as refusal, engine.begin() as connection:
        connection.execute(insert(runs), [RUN | {column: NAME}] * 2)

    assert NAME not in "".join(traceback.format_exception(refusal.value))


def test_a_transaction_that_fails_leaves_nothing(engine: Engine) -> None:
    def fail() -> None:
        with engine.begin() as connection:
            connection.execute(insert(runs).values(RUN))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    with engine.connect() as connection:
        assert connection.execute(select(runs)).all() == []


def test_writers_that_read_first_wait_for_each_other(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(insert(runs).values(RUN | {"sources": 0}))

    def add() -> None:
        for _ in range(20):
            with writing(engine) as connection:
                count = connection.execute(select(runs.c.sources)).scalar_one()
                connection.execute(update(runs).values(sources=count + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with engine.connect() as connection:
        assert connection.execute(select(runs.c.sources)).scalar_one() == 80


def test_the_log_cannot_be_changed_by_mistake(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(insert(events).values(idx=0, leaf_hash=b"h", body=b"b"))
        connection.execute(insert(checkpoints).values(size=0, note="n", frontier=b""))

    for change in (delete(events), update(events).values(body=b""), delete(checkpoints)):
        with pytest.raises(IntegrityError, match="append-only"), engine.begin() as connection:
            connection.execute(change)


def test_a_path_has_one_current_receipt_and_any_number_of_old_ones(engine: Engine) -> None:
    row = dict.fromkeys((column.name for column in receipts.c), "x") | {"body": b"b", "path": "P/x.dcm"}

    def add(*rows: dict[str, object]) -> None:
        with unguarded(engine) as connection:
            connection.execute(insert(receipts), [row | each for each in rows])

    add(*({"batch_index": number, "superseded_by": event} for number, event in enumerate([4, 4, None])))
    with pytest.raises(IntegrityError):
        add({"batch_index": 3, "superseded_by": None})


def test_opening_it_again_keeps_the_locks_of_this_process(tmp_path: Path) -> None:
    """POSIX drops every lock of a process when it closes any descriptor of the file.

    Then another process takes itself for the last one, and removes the journal that is in use here.
    """
    path = tmp_path / "workspace.sqlite3"
    first = open_database(path)
    with writing(first) as connection:
        connection.execute(insert(runs).values(**RUN))
    open_database(path).dispose()

    code = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT * FROM runs').fetchall()"
    subprocess.run([sys.executable, "-c", code, path], check=True)

    assert path.with_name(path.name + "-wal").exists()
    first.dispose()


def test_where_sqlite_cannot_write_beside_its_file_a_hint_says_so(tmp_path: Path) -> None:
    """As on a disk that is read-only: even to read, it makes files there."""
    open_database(tmp_path / "w.sqlite3").dispose()
    (tmp_path / "w.sqlite3-wal").mkdir()

    with pytest.raises(Misconfigured) as refused:
        open_database(tmp_path / "w.sqlite3")

    assert "read-only" in refused.value.hint
    assert str(tmp_path) not in f"{refused.value} {refused.value.hint}"
