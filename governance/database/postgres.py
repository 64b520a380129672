"""All that is PostgreSQL's own: version 14 or later, through psycopg."""

from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError

from governance.database.server import Server
from governance.errors import Misconfigured, Unavailable

LOCK_SECONDS = 30
"""How long a writer waits for another one."""
WRITES = "governance_writes"
"""The option of a connection whose transactions write."""

_INTEGRITY = "23"
"""The class of errors whose first line names a table or a constraint and no value."""


def engine(server: Server) -> Engine:
    """Connections to the schema of a workspace, which need not be there.

    Transactions that read see one moment, as in SQLite.

    Raises:
        Misconfigured: the driver is not installed.
    """
    settings = {"search_path": server.schema, "lock_timeout": f"{LOCK_SECONDS}s"}
    arguments = {"options": " ".join(f"-c {name}={value}" for name, value in settings.items())}
    if server.asks_for_certificates:
        arguments["sslmode"] = "verify-full"
    made = None
    with suppress(ModuleNotFoundError):
        made = create_engine(
            server.url,
            hide_parameters=True,
            isolation_level="REPEATABLE READ",
            pool_pre_ping=True,  # a server may have been started again
            connect_args=arguments,
        )
    if made is None:
        raise Misconfigured(
            "the driver of PostgreSQL is not installed", hint="install the extra: pip install 'governance[postgresql]'"
        )
    key = int.from_bytes(sha256(server.schema.encode()).digest()[:8], signed=True)

    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(WRITES):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({key})")

    event.listen(made, "begin", begin)
    event.listen(made, "handle_error", _quote_nothing)
    return made


def writer(engine: Engine) -> Connection:
    """A connection whose transactions wait for their turn before they read.

    Each of their statements sees what is committed by then: REPEATABLE READ would go on with
    what was there when the wait began. Nobody else commits meanwhile.
    """
    return engine.connect().execution_options(**{WRITES: True, "isolation_level": "READ COMMITTED"})


def alone(connection: Any) -> Any:
    """A raw connection on which each statement sees what is committed by then; it goes back to no pool."""
    connection.detach()
    connection.dbapi_connection.autocommit = True
    return connection


def is_ours(connection: Connection) -> bool:
    """Whether the server keeps no other version than the one in Alembic's table: it keeps none."""
    return True


def create_schema(connection: Connection, server: Server) -> None:
    """Make the workspace's own schema, where its user may do so.

    Raises:
        Misconfigured: the database could not hold every text.
    """
    if connection.exec_driver_sql("SHOW server_encoding").scalar_one() != "UTF8":
        raise Misconfigured("the database is not in UTF-8", hint="createdb --encoding UTF8 --template template0")
    connection.exec_driver_sql(f"CREATE SCHEMA {server.schema}")
    connection.exec_driver_sql(
        "CREATE FUNCTION is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' are append-only', ERRCODE = 'restrict_violation'; END $$"
    )


def append_only(table: str) -> Iterator[str]:
    """Statements after which rows of a table cannot be changed or deleted."""
    for change, each in (("UPDATE", "ROW"), ("DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
        yield (
            f"CREATE OR REPLACE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
            f"FOR EACH {each} EXECUTE FUNCTION is_append_only()"
        )


def overwritten(connection: Any) -> None:
    """Nothing: rows that were deleted, and the server's own log of them, are its administrator's matter."""


def erase(cursor: Any, tables: list[str]) -> bool:
    """Write the tables anew, without dead rows. The server's own journal, standbys and backups keep what they have."""
    for table in tables:
        cursor.execute(f"VACUUM FULL {table}")
    return True


def told(error: DBAPIError) -> Unavailable | Misconfigured | None:
    """What an error says of what can be better later, or in another place."""
    state = getattr(error.orig, "sqlstate", None)
    match state:
        case None if isinstance(error, OperationalError):
            return _not_connected(_first_said(error))
        case "55P03" | "40001" | "40P01":
            return Unavailable("the database is locked", hint="wait until the other program ends, and run it again")
        case "53100":
            return Unavailable("the disk of the database is full", hint="make room, and run the command again")
        case "25006":
            return Misconfigured("the database may not be written", hint="is the server a standby?")
        case "42501":
            hint = "the user of the workspace needs CREATE on the database, and owns the workspace's schema"
            return Misconfigured("the server does not let this user do that", hint=hint)
        case str() if state[:2] in ("08", "53", "57"):
            return Unavailable("the database server does not answer", hint="run the same command again later")
    return None


def _not_connected(said: str) -> Unavailable | Misconfigured:
    passing = ("starting up", "shutting down", "too many")
    if ("FATAL" in said or "password" in said) and not any(words in said for words in passing):
        return Misconfigured(
            "the database server does not let this user in",
            hint="does the database exist, and is the password in PGPASSFILE, PGPASSWORD or a service file?",
        )
    if "certificate" in said or "SSL was required" in said:
        return Misconfigured(
            "the connection to the database server cannot be protected",
            hint="put the server's root certificate into ~/.postgresql/root.crt, or say sslmode in the address",
        )
    return Unavailable("the database server does not answer", hint="is it started, and is its address the right one?")


_SAID = "governance_said"


def _first_said(error: DBAPIError) -> str:
    return str(getattr(error.orig, _SAID, ""))


def _quote_nothing(context: ExceptionContext) -> None:
    """Cut an error down to its kind: psycopg's texts quote rows, addresses and users."""
    original, wrapped = context.original_exception, context.sqlalchemy_exception
    state = getattr(original, "sqlstate", None) or ""
    text = type(original).__name__
    if state.startswith(_INTEGRITY):
        text += f": {getattr(getattr(original, 'diag', None), 'message_primary', None)}"
    setattr(original, _SAID, str(original))
    original.args = (text,)
    if wrapped is not None:
        wrapped.args = (text,)
