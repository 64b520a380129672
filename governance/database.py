"""The rows of a workspace: SQLAlchemy Core tables over SQLite. What they mean is their stage's matter.

No source name, path or original value stands here in clear: the columns that begin with
`sealed` hold what `keys` sealed, digests of sources are keyed. Parameters of
statements are kept out of SQLAlchemy's errors and logs.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Select,
    Table,
    Text,
    create_engine,
    event,
    text,
)
from sqlalchemy.exc import DatabaseError, OperationalError

from governance.errors import Misconfigured, Unavailable

SCHEMA_VERSION = 5
"""A database of an earlier version gets the tables and indexes that it lacks: 2 added `rulings`, 3 what tables of rows
need, 4 what these said before, 5 which are in doubt."""

BUSY_SECONDS = 30
"""How long a writer waits for another one."""

metadata = MetaData()


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, Text, nullable=null)


runs = Table(
    "runs",
    metadata,
    Column("number", Integer, primary_key=True),  # in the order of registration
    Column("run_id", Text, nullable=False, unique=True),
    _text("project"),
    _text("policy"),
    _text("policy_digest"),
    _text("started"),
    _text("finished", null=True),
    _text("status"),
    Column("sources", Integer),
    Column("sealed_request", LargeBinary, nullable=False),
)

shards = Table(
    "shards",
    metadata,
    Column("run_id", Text, ForeignKey("runs.run_id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("done", Boolean, nullable=False),
    PrimaryKeyConstraint("run_id", "number"),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("run_id", Text, ForeignKey("runs.run_id"), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("sealed_source", LargeBinary, nullable=False, index=True),
    _text("outcome"),
    _text("reason"),
    _text("output", null=True),
    _text("source_digest", null=True),
    PrimaryKeyConstraint("run_id", "position"),
)

batches = Table(
    "batches",
    metadata,
    Column("batch_id", Text, primary_key=True),
    Column("run_id", Text, ForeignKey("runs.run_id"), nullable=False),
    _text("time"),
    Column("size", Integer, nullable=False),
    _text("root"),
    _text("signature"),
    _text("public_key"),
    Column("event_index", Integer, ForeignKey("events.idx"), nullable=False),
)

receipts = Table(
    "receipts",
    metadata,
    Column("receipt_id", Text, nullable=False, index=True),
    _text("project"),
    Column("patient", Text, nullable=False, index=True),
    Column("study", Text, nullable=False, index=True),
    Column("series", Text, nullable=False, index=True),
    Column("instance", Text, nullable=False, index=True),
    Column("path", Text, nullable=False, index=True),
    Column("source_digest", Text, nullable=False, index=True),
    _text("policy_digest"),
    Column("sha256", Text, nullable=False, index=True),
    Column("batch_id", Text, ForeignKey("batches.batch_id"), nullable=False),
    Column("batch_index", Integer, nullable=False),
    Column("superseded", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),
    # Not the receipt's id: a change of policy and back again makes the same receipt twice.
    PrimaryKeyConstraint("batch_id", "batch_index"),
)
_current = receipts.c.superseded.is_(False)
Index("receipts_current_path", receipts.c.path, unique=True, sqlite_where=_current, postgresql_where=_current)

pending = Table(
    "pending",
    metadata,
    Column("path", Text, primary_key=True),  # about to be renamed into `curated/`
    Column("run_id", Text, ForeignKey("runs.run_id"), nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("idx", Integer, primary_key=True, autoincrement=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("size", Integer, primary_key=True, autoincrement=False),
    _text("note"),
    Column("frontier", LargeBinary, nullable=False),  # hashes of the perfect subtrees, the largest first
)

releases = Table(
    "releases",
    metadata,
    _text("name"),
    Column("version", Integer, nullable=False),
    _text("project"),
    _text("manifest_digest"),
    _text("time"),
    PrimaryKeyConstraint("name", "version"),
)

release_receipts = Table(
    "release_receipts",
    metadata,
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("receipt_id", Text, nullable=False, index=True),
    ForeignKeyConstraint(["name", "version"], ["releases.name", "releases.version"]),
    PrimaryKeyConstraint("name", "version", "receipt_id"),
)

rulings = Table(
    "rulings",
    metadata,
    Column("number", Integer, primary_key=True),  # of one source, the last one holds
    Column("ruling_id", Text, nullable=False, unique=True),
    Column("source_digest", Text, nullable=False, index=True),
    _text("kind"),
    _text("boxes"),  # JSON: [left, top, right, bottom, frame from 0 or null], ...
    Column("sealed_reason", LargeBinary, nullable=False),
    _text("actor"),
    _text("account"),  # of the system, whoever the actor says to be
    _text("time"),
)

studies = Table(
    "studies",
    metadata,
    _text("project"),
    Column("study", Text, nullable=False),
    Column("patient", Text, nullable=False, index=True),
    Column("sealed_known", LargeBinary, nullable=False),  # what identifies, for the rows of tables about the study
    PrimaryKeyConstraint("project", "study", "patient"),
)

accessions = Table(
    "accessions",
    metadata,
    _text("project"),
    _text("accession"),  # its pseudonym: a keyed digest
    _text("study"),
    PrimaryKeyConstraint("project", "accession", "study"),
)
Index("accessions_of_study", accessions.c.study, accessions.c.project, accessions.c.accession)

contents = Table(
    "contents",
    metadata,
    Column("path", Text, primary_key=True),  # of the current receipt of a row of a table
    _text("made_from"),  # a keyed digest of the row and of all that its treatment depends on
    Column("content", LargeBinary, nullable=False),
)

said = Table(
    "said",
    metadata,
    Column("path", Text, primary_key=True),  # of `contents`
    _text("says"),  # a keyed digest of the value
    _text("said_in"),  # the latest run with a row that says so
    Column("sealed_told", LargeBinary),  # what rows told beside it that no image did
)

doubts = Table(
    "doubts",
    metadata,
    _text("run_id"),  # that held back a row, until it withdraws
    _text("path"),  # where the row would be published
    _text("says"),  # what nobody may say there, as in `said`; empty: what nobody else says goes
    PrimaryKeyConstraint("run_id", "path", "says"),
)

APPEND_ONLY = ("events", "checkpoints", "rulings")
"""Tables whose rows a trigger keeps as they are: against mistakes. The signatures are against malice."""

SETTINGS = (
    f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}",  # first, the next one may have to wait
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a committed batch survives a power cut
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
)

_WRITES = "governance_writes"


def open_database(path: Path) -> Engine:
    """The database at `path`, with its tables; made if it is not there.

    Raises:
        Misconfigured: the file is no database of this version.
        Unavailable: it stays locked.
    """
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _settle)
    event.listen(engine, "begin", _begin)
    problem = _prepare(path, engine)
    if problem is not None:
        engine.dispose()
        raise problem
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """`engine.begin()` that is a writer from its start.

    A transaction that reads first and then writes fails at once if another one wrote in
    between; this one waits for its turn before it reads.

    Raises:
        Misconfigured: the database may not be written.
        Unavailable: another program keeps the database locked, or the disk is full.
    """
    told = None
    try:
        with engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
            yield connection
    except OperationalError as error:
        told = _told(error)
        if told is None:
            raise
    if told is not None:
        raise told


class Question:
    """A statement that is asked again and again, each time of what is committed by then.

    It goes to the driver as it was compiled once, which takes a tenth of the time; its own
    connection ends with it.
    """

    def __init__(self, engine: Engine, statement: Select[Any]) -> None:
        compiled = statement.compile(engine)
        self._sql, self._names = str(compiled), tuple(compiled.positiontup or ())
        self._fixed = compiled.params
        self._connection = engine.raw_connection()
        self._cursor = self._connection.cursor()

    def first(self, **values: str | bytes) -> Any:
        """The first row for these values of the statement's `bindparam`s, or None."""
        self._ask(values)
        return self._cursor.fetchone()

    def all(self, **values: str | bytes) -> list[Any]:
        """All rows for these values."""
        self._ask(values)
        return list(self._cursor.fetchall())

    def _ask(self, values: dict[str, str | bytes]) -> None:
        parameters = self._fixed | values
        self._cursor.execute(self._sql, tuple([parameters[name] for name in self._names]))

    def close(self) -> None:
        """Give the connection back."""
        self._cursor.close()
        self._connection.close()


def _told(error: OperationalError) -> Unavailable | Misconfigured | None:
    """What SQLite says of what can be better later, or in another place."""
    said = str(error.orig)
    if "locked" in said:
        return Unavailable("the database is locked", hint="wait until the other program ends, and run it again")
    if "disk is full" in said:
        return Unavailable("the disk of the workspace is full", hint="make room, and run the command again")
    if "readonly" in said:
        return Misconfigured("the database may not be written", hint="is its disk read-only, or it another user's?")
    return None


def _settle(connection: Any, _record: object) -> None:
    # sqlite3 would begin transactions late and on its own; `_begin` does it where SQLAlchemy means it.
    connection.isolation_level = None
    for setting in SETTINGS:
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
    immediate = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _prepare(path: Path, engine: Engine) -> Misconfigured | Unavailable | None:
    """Make what is missing. Returns what is wrong, so that no error of the driver is chained to it."""
    try:
        with suppress(FileExistsError):
            # Only where it is new: closing a file that SQLite has open in this process drops its locks (POSIX).
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with engine.connect() as connection:
            version = _version(connection)
        if version < SCHEMA_VERSION:
            with writing(engine) as connection:
                if _version(connection) < SCHEMA_VERSION:
                    _create(connection)
            version = SCHEMA_VERSION
    except OperationalError as error:
        return _told(error) or Misconfigured("the database cannot be opened")
    except (DatabaseError, OSError):
        return Misconfigured("the database cannot be opened")
    if version != SCHEMA_VERSION:
        return Misconfigured("the database was made by another version of this program")
    return None


def _version(connection: Connection) -> int:
    return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())


def _create(connection: Connection) -> None:
    metadata.create_all(connection)
    for index in accessions.indexes:  # of a table that may have been there without it
        index.create(connection, checkfirst=True)
    for table in APPEND_ONLY:
        for change in ("UPDATE", "DELETE"):
            connection.execute(
                text(
                    f"CREATE TRIGGER IF NOT EXISTS {table}_no_{change.lower()} BEFORE {change} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} are append-only'); END"
                )
            )
    connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
