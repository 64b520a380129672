"""Alembic's revisions, in one line without branches, and what brings a database to the last of them.

The vault is a database of its own, with a line of its own; their revisions have different names, so that neither is
ever taken for the other.

A revision says what it does without `tables.py`, which goes on changing. On SQLite, Alembic rebuilds a table that it
alters (`op.batch_alter_table`), so what keeps rows as they are is made again behind all revisions.
"""

from enum import Enum, auto
from pathlib import Path
from threading import Lock

from sqlalchemy import Connection, inspect

FOLDER = Path(__file__).parent
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009")
"""All of them, the first one first. Here too, so that a database that has the last one is opened without Alembic."""
VAULT_FOLDER = FOLDER / "vault"
VAULT_REVISIONS = ("vault_0001",)

_TABLE = "alembic_version"
_one_at_a_time = Lock()
"""Alembic's `op` is one for all threads of a process."""


class Line(Enum):
    """What a database is for."""

    WORKSPACE = "workspace"
    VAULT = "vault"

    @property
    def folder(self) -> Path:
        """Where its revisions are."""
        return FOLDER if self is Line.WORKSPACE else VAULT_FOLDER

    @property
    def revisions(self) -> tuple[str, ...]:
        """All of them, the first one first."""
        return REVISIONS if self is Line.WORKSPACE else VAULT_REVISIONS


class State(Enum):
    """What this program can do with a database."""

    CURRENT = auto()
    EARLIER = auto()
    UNCOUNTED = auto()
    """It has no revision: it is empty, or from before there were any."""
    UNKNOWN = auto()


def state(connection: Connection, line: Line) -> State:
    """Where a database stands."""
    if not inspect(connection).has_table(_TABLE):
        return State.UNCOUNTED
    found = connection.exec_driver_sql(f"SELECT version_num FROM {_TABLE}").scalars().all()
    if found == [line.revisions[-1]]:
        return State.CURRENT
    if not found:
        return State.UNCOUNTED
    return State.EARLIER if len(found) == 1 and found[0] in line.revisions else State.UNKNOWN


def upgrade(connection: Connection, line: Line) -> None:
    """Carry out the revisions that a database lacks, in the transaction of the caller, whose turn it is to write."""
    # Imported here: nearly every process finds the database as it should be, and this takes a moment.
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(line.folder))
    context = MigrationContext.configure(
        connection, opts={"fn": lambda found, _context: scripts._upgrade_revs("head", found)}
    )
    with _one_at_a_time, Operations.context(context):
        context.run_migrations()
