"""An open workspace: its folders, its database and its keys."""

import os
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine

from governance import audit, keys
from governance.database import open_database
from governance.datatypes import Confidential, Event
from governance.errors import Misconfigured
from governance.storage import Workspace


@dataclass(frozen=True, slots=True, repr=False)
class Context(Confidential):
    """What every command needs."""

    workspace: Workspace
    engine: Engine
    keyring: keys.Keyring
    notes: tuple[str, ...] = ()
    """What a person should know who opened it."""

    @property
    def log_origin(self) -> str:
        """The name of this workspace's audit log (C2SP tlog-checkpoint: the origin line)."""
        return self.workspace.origin


def create(
    path: Path,
    *,
    passphrase: bytes | None,
    place: keys.Place | None = None,
    database: str | None = None,
    vault: str | None = None,
) -> Context:
    """Make a workspace and open it.

    place: who wraps its root secret; by default the passphrase, or nobody if there is none.
    database: the address of a PostgreSQL database; None keeps rows in a file of SQLite.
    vault: the same for the vault, which is a database of its own wherever it lies.

    Raises:
        Misconfigured: `path` is a workspace already, or not empty; or that is no address, or holds a password.
        Unavailable: the database's server does not answer.
    """
    workspace = Workspace.create(path, passphrase=passphrase, place=place, address=database, vault_address=vault)
    return open_context(workspace.root, passphrase=passphrase)


def open_context(path: Path, *, passphrase: bytes | None) -> Context:
    """Open an existing workspace; an act on its key that was killed is told in `notes`, and in the log.

    Raises:
        Misconfigured: not a workspace, or its root key cannot be opened.
    """
    workspace = Workspace.open(path)
    keyring = keys.load(workspace.key_path, passphrase=passphrase)
    if keyring.public_key.hex() != workspace.public_key:
        raise Misconfigured("the root key is another workspace's", hint="restore this one's from a backup")
    from governance.pipeline import key_acts  # which needs a context itself

    context = Context(workspace, open_database(workspace.database), keyring)
    return replace(context, notes=key_acts.told(context))


def asks(path: Path) -> str:
    """What a person is asked for before the workspace at `path` opens, unless the environment says it."""
    return keys.asks(keys.recorded(Workspace.open(path).key_path), os.environ)


def now(*, timespec: str = "seconds") -> str:
    """This moment in UTC, RFC 3339; timespec as `datetime.isoformat` has it."""
    return datetime.now(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def event(kind: str, subject: str, **details: str | int) -> Event:
    """An event of this program, now."""
    return Event(kind=kind, actor="governance", time=now(), subject=subject, details=details)


def sign(context: Context, connection: Connection) -> None:
    """Sign the log in the transaction of the act: what no checkpoint covers could be rewritten."""
    audit.checkpoint(connection, context.keyring, origin=context.log_origin)


def log_of_persons(connection: Connection, context: Context, said: Event, texts: Mapping[str, str]) -> int:
    """Append and sign an event, in which salted digests stand for texts that name persons; returns its index."""
    payload = audit.Payload.of(texts)
    index = audit.append(connection, [replace(said, details={**said.details, **payload.details})])
    payload.record(connection, context.keyring, event=index)
    sign(context, connection)
    return index


def where(error: BaseException) -> str:
    """The type of an error and where it came from, without its message: messages may quote values."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "governance" in frame.filename]
    if not frames:
        return type(error).__name__
    path = Path(frames[-1].filename)
    return f"{type(error).__name__} at {path.parent.name}/{path.name}:{frames[-1].lineno}"
