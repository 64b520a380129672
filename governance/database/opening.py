"""A database with its tables, transactions that write, and questions that are asked again and again."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, ExceptionContext, Select, Table, event
from sqlalchemy.exc import DBAPIError

from governance.database import migrations, postgres, sqlite
from governance.database.migrations import Line, State
from governance.database.server import Server
from governance.database.tables import APPEND_ONLY
from governance.errors import Misconfigured, Unavailable

Answer = TypeVar("Answer")

Place = Path | Server
"""A file of SQLite, or a schema on a PostgreSQL server."""


def open_database(place: Place, line: Line = Line.WORKSPACE) -> Engine:
    """The database at `place`, with all its tables as this program knows them.

    A file that is not there is made; a schema that is not there is missed.

    Raises:
        Misconfigured: it is no database of a version that this program knows.
        Unavailable: it stays locked, or its server does not answer.
    """
    return _opened(place, line, lambda engine: _prepare(engine, line))


def create_database(place: Place, line: Line = Line.WORKSPACE) -> Engine:
    """The database at `place`, made.

    Raises:
        Misconfigured: the server does not let this user make a schema, or has one of this name.
        Unavailable: its server does not answer.
    """
    if isinstance(place, Path):
        return open_database(place, line)
    server = place

    def make(engine: Engine) -> None:
        with writing(engine) as connection:
            postgres.create_schema(connection, server)
            _upgrade(connection, line)

    return _opened(server, line, make)


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """`engine.begin()` that is a writer from its start.

    A transaction that reads first and then writes fails at once if another one wrote in
    between; this one waits for its turn before it reads. There is one turn for all writers
    of a workspace, so that they never wait for each other in a circle.

    Raises:
        Misconfigured: the database may not be written.
        Unavailable: another program keeps the database locked, its disk is full, or its server does not answer.
    """
    told: Unavailable | Misconfigured | None = None
    try:
        with _kind(engine).writer(engine) as connection, connection.begin():
            yield connection
    except (Unavailable, Misconfigured) as error:
        told = error
        told.__cause__ = told.__context__ = None
    if told is not None:
        raise told


def overwritten(engine: Engine) -> None:
    """Leave as little as the database can of what was deleted; in SQLite's files nothing, if nobody reads."""
    connection = _kind(engine).alone(engine.raw_connection())
    try:
        _kind(engine).overwritten(connection)
    finally:
        connection.close()


def erase_deleted(engine: Engine, tables: Iterable[Table]) -> None:
    """Leave no bytes of deleted rows in the database's own files. What a server or a backup kept elsewhere stays there.

    Raises:
        Unavailable: another program reads the database; the rows are deleted, and their bytes not erased yet.
    """
    kind, done = _kind(engine), False
    connection = kind.alone(engine.raw_connection())
    try:
        with suppress(engine.dialect.loaded_dbapi.OperationalError):  # a lock that did not go
            done = kind.erase(connection.cursor(), [table.name for table in tables])
    finally:
        connection.close()
    if not done:
        raise Unavailable(
            "deleted rows are not erased yet, because another program reads them",
            hint="wait until it ends, and run the same command again",
        )


class Question:
    """A statement that is asked again and again, each time of what is committed by then.

    Raises, as it is made and asked:
        Unavailable: the database is locked, or its server does not answer.

    It goes to the driver as it was compiled once, which takes a tenth of the time; its own
    connection ends with it.
    """

    def __init__(self, engine: Engine, statement: Select[Any]) -> None:
        self._engine = engine
        compiled = statement.compile(engine)
        self._sql = str(compiled)
        self._names = None if compiled.positiontup is None else tuple(compiled.positiontup)
        self._fixed = compiled.params
        self._connection = _of_driver(engine, lambda: _kind(engine).alone(engine.raw_connection()))
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
        given = parameters if self._names is None else tuple([parameters[name] for name in self._names])
        _of_driver(self._engine, lambda: self._cursor.execute(self._sql, given))

    def close(self) -> None:
        """Give the connection back."""
        self._cursor.close()
        self._connection.close()


class _Kind(Protocol):
    """What the modules `sqlite` and `postgres` both have."""

    def writer(self, engine: Engine) -> Connection: ...
    def alone(self, connection: Any) -> Any: ...
    def is_ours(self, connection: Connection) -> bool: ...
    def append_only(self, table: str) -> Iterator[str]: ...
    def overwritten(self, connection: Any) -> None: ...
    def erase(self, cursor: Any, tables: list[str]) -> bool: ...
    def told(self, error: DBAPIError) -> Unavailable | Misconfigured | None: ...


def _kind(engine: Engine) -> _Kind:
    if engine.dialect.name == "postgresql":
        return postgres
    return sqlite


def _of_driver(engine: Engine, ask: Callable[[], Answer]) -> Answer:
    """What the driver itself answers: its errors are told as those that go through SQLAlchemy are."""
    driver = engine.dialect.loaded_dbapi.Error
    try:
        return ask()
    except driver as error:
        wrapped = DBAPIError.instance(None, None, error, driver)
        told = _kind(engine).told(wrapped) if isinstance(wrapped, DBAPIError) else None
        if told is None:
            raise
    raise told


def _tell(engine: Engine) -> None:
    """Raise what can be better later or in another place as such, whoever asks: also one who only reads.

    A source that is processed while the server is lost would be held back for an error of ours otherwise.
    """
    kind = _kind(engine)

    def told(context: ExceptionContext) -> Unavailable | Misconfigured | None:
        error = context.sqlalchemy_exception
        return kind.told(error) if isinstance(error, DBAPIError) and not context.is_pre_ping else None

    event.listen(engine, "handle_error", told, retval=True)


def _opened(place: Place, line: Line, prepare: Callable[[Engine], None]) -> Engine:
    """Connections to a prepared database. What is wrong is raised behind all errors of the driver, not chained."""
    problem: Misconfigured | Unavailable | None = None
    engine: Engine | None = None
    try:
        settings = sqlite.ERASING if line is Line.VAULT else ()
        engine = sqlite.engine(place, *settings) if isinstance(place, Path) else postgres.engine(place)
        prepare(engine)
    except DBAPIError as error:
        told = None if engine is None else _kind(engine).told(error)
        problem = told or Misconfigured("the database cannot be opened")
    except (OSError, Misconfigured, Unavailable) as error:
        problem = Misconfigured("the database cannot be opened") if isinstance(error, OSError) else error
    if engine is None or problem is not None:
        if engine is not None:
            engine.dispose()
        raise problem or Misconfigured("the database cannot be opened")
    _tell(engine)
    return engine


def _prepare(engine: Engine, line: Line) -> None:
    """Bring it to the last revision: one process does, and others that come at once wait for it."""
    with engine.connect() as connection:
        found = _state(engine, connection, line)
    if found is State.UNCOUNTED and engine.dialect.name == "postgresql":
        raise Misconfigured(
            f"the database of the {line.value} is missing on its server", hint="restore it there from a backup"
        )
    if found in (State.EARLIER, State.UNCOUNTED):
        with writing(engine) as connection:
            found = _state(engine, connection, line)
            if found in (State.EARLIER, State.UNCOUNTED):
                _upgrade(connection, line)
                found = State.CURRENT
    if found is State.UNKNOWN:
        raise Misconfigured("the database was made by another version of this program")


def _state(engine: Engine, connection: Connection, line: Line) -> State:
    return migrations.state(connection, line) if _kind(engine).is_ours(connection) else State.UNKNOWN


def _upgrade(connection: Connection, line: Line) -> None:
    migrations.upgrade(connection, line)
    for table in APPEND_ONLY if line is Line.WORKSPACE else ():
        for statement in _kind(connection.engine).append_only(table):
            connection.exec_driver_sql(statement)
