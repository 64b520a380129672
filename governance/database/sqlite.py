"""All that is SQLite's own."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError

from governance.errors import Misconfigured, Unavailable

BUSY_SECONDS = 30
"""How long a writer waits for another one."""
LAST_COUNTED = 5
"""Versions up to this one were counted by `user_version`; the first revision brings them up."""
NOW = 6
"""What `user_version` is since there are revisions."""

SETTINGS = (
    f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}",  # first, the next one may have to wait
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a committed batch survives a power cut
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA secure_delete = ON",  # what is deleted or changed is overwritten with zeros
)
ERASING = ("PRAGMA temp_store = MEMORY",)
"""More, of a database whose deleted rows must be gone: they are never in a file of VACUUM's elsewhere."""
WRITES = "governance_writes"
"""The option of a connection whose transactions write."""


def engine(path: Path, *settings: str) -> Engine:
    """Connections to the file at `path`, which is made if it is not there, for its owner alone.

    settings: besides those of every database.
    """
    with suppress(FileExistsError):
        # Only where it is new: closing a file that SQLite has open in this process drops its locks (POSIX).
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    url = URL.create("sqlite", database=str(path))
    made = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})
    event.listen(made, "connect", lambda connection, _record: _settle(connection, (*SETTINGS, *settings)))
    event.listen(made, "begin", _begin)
    return made


def writer(engine: Engine) -> Connection:
    """A connection whose transactions wait for their turn before they read."""
    return engine.connect().execution_options(**{WRITES: True})


def alone(connection: Any) -> Any:
    """A raw connection on which each statement sees what is committed by then: as it is, it begins nothing."""
    return connection


def is_ours(connection: Connection) -> bool:
    """Whether the version that SQLite keeps is one that this program knows."""
    counted = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    return counted <= LAST_COUNTED or counted == NOW


def append_only(table: str) -> Iterator[str]:
    """Statements after which rows of a table cannot be changed or deleted."""
    for change in ("UPDATE", "DELETE"):
        yield (
            f"CREATE TRIGGER IF NOT EXISTS {table}_no_{change.lower()} BEFORE {change} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} are append-only'); END"
        )


def overwritten(connection: Any) -> None:
    """Bring what was committed from the log of the last writes into the file, and empty that log, if nobody reads."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def erase(cursor: Any, tables: list[str]) -> bool:
    """Write the file anew, since pages keep parts of what was on them, and cut its journal; whether both is done."""
    cursor.execute("VACUUM")
    (busy, *_) = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def told(error: DBAPIError) -> Unavailable | Misconfigured | None:
    """What an error says of what can be better later, or in another place."""
    said = str(error.orig) if isinstance(error, OperationalError) else ""
    if "locked" in said:
        return Unavailable("the database is locked", hint="wait until the other program ends, and run it again")
    if "disk is full" in said:
        return Unavailable("the disk of the workspace is full", hint="make room, and run the command again")
    if "readonly" in said:
        return Misconfigured("the database may not be written", hint="is its disk read-only, or it another user's?")
    if "unable to open" in said:
        hint = "SQLite writes beside its file even to read: on a disk that is read-only, work on a copy"
        return Misconfigured("the database cannot be opened", hint=hint)
    return None


def _settle(connection: Any, settings: tuple[str, ...]) -> None:
    # sqlite3 would begin transactions late and on its own; `_begin` does it where SQLAlchemy means it.
    connection.isolation_level = None
    for setting in settings:
        _set(connection, setting)


def _set(connection: Any, setting: str) -> None:
    """Of several that switch a new database to WAL at once, SQLite turns some away without letting them wait."""
    last = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute(setting)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > last:
                raise
        else:
            return
        time.sleep(0.01)


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
