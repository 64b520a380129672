"""The log goes on from where it was seen: its last checkpoint lies beside the root key, apart from the database.

Who has the database and not the key writes no event, but could cut the log back to an earlier checkpoint, and forgotten
would be what followed: that a request was answered, that an approver was removed. So each act sees how the log stands
when it is committed, and no act begins where the log does not continue what was seen. A kill in between leaves an older
checkpoint in the file, which the log continues as well; the answer of a request leaves only behind the file.
A run looks when it begins and when it ends, so that its commits cost no more.

Who may write both the folder of the key and the database can put back both: only a checkpoint elsewhere shows that.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from sqlalchemy import Connection

from governance import audit, keys, signed_note
from governance.database import writing
from governance.errors import Tampered
from governance.pipeline.context import Context

_HINT = (
    "keep the workspace as it is for whoever looks into this; if somebody put back a backup,"
    " governance audit accept-restore goes on from it, and the log says so"
)
_MOST_BYTES = 1 << 20


class Seen(NamedTuple):
    """How the log stood when it was looked at last; the note is empty before the first event."""

    size: int = 0
    note: str = ""
    root: bytes = b""


def seen(context: Context) -> Seen | None:
    """What was seen of the log; None in a workspace where nothing was kept yet. Read it before the log.

    Raises:
        Tampered: what was kept is missing, or is not what this program signed.
    """
    data: bytes | None = None
    with suppress(FileNotFoundError), context.workspace.checkpoint_path.open("rb") as file:
        data = file.read(_MOST_BYTES)
    if data is None:
        if context.workspace.keeps_checkpoint:
            raise Tampered("what was seen of the log is missing beside the root key", hint=_HINT)
        return None
    if not data:
        return Seen()
    with suppress(Tampered):
        note = data.decode("utf-8", "replace")
        return Seen(*_parsed(context, note))
    raise Tampered("what was seen of the log, beside the root key, is not what was signed", hint=_HINT)


def _parsed(context: Context, note: str) -> tuple[int, str, bytes]:
    signed = signed_note.parse_checkpoint(note, context.keyring.public_key, context.log_origin)
    return signed.size, note, signed.root


def check(connection: Connection, before: Seen | None) -> None:
    """Refuse a log that does not continue what was seen `before`.

    Raises:
        Tampered: it was cut back, or is another one.
    """
    if not goes_on(connection, before):
        raise _other(before)


def goes_on(connection: Connection, before: Seen | None) -> bool:
    """Whether the log continues what was seen `before`, by its checkpoint and by the hashes of its events."""
    if before is None or not before.note:
        return True
    return _has_signed(connection, before) and audit.root_at(connection, before.size) == before.root


def _has_signed(connection: Connection, before: Seen | None) -> bool:
    """By the checkpoint alone, which the next one continues."""
    return before is None or not before.note or audit.has_signed(connection, before.size, before.note)


def _other(before: Seen | None) -> Tampered:
    size = 0 if before is None else before.size
    return Tampered(f"the log does not go on from the {size} events that were seen", hint=_HINT)


def keep(context: Context) -> None:
    """See the log as it stands, if it continues what was seen before.

    Raises:
        Tampered: it does not.
    """
    with _turn(context):
        before = seen(context)
        with context.engine.connect() as connection:
            if not _has_signed(connection, before):
                raise _other(before)
            now = audit.newest(connection, context.keyring.public_key, origin=context.log_origin)
        if now is not None and now[0] > (0 if before is None else before.size):
            _write(context, now[1])


@contextmanager
def acting(context: Context) -> Iterator[Connection]:
    """The transaction of an act: where the log goes on from what was seen, and seen anew behind it.

    Raises:
        Tampered: it does not go on; nothing was done.
    """
    keep(context)
    with writing(context.engine) as connection:
        yield connection
    keep(context)


def go_on(context: Context) -> None:
    """See the log as it stands, whatever was seen before. An event has said so."""
    with _turn(context):
        with context.engine.connect() as connection:
            now = audit.newest(connection, context.keyring.public_key, origin=context.log_origin)
        _write(context, "" if now is None else now[1])


def _write(context: Context, note: str) -> None:
    keys.replace(context.workspace.checkpoint_path, note.encode())
    if not context.workspace.keeps_checkpoint:
        context.workspace.say_checkpoint()


@contextmanager
def _turn(context: Context) -> Iterator[None]:
    """One process at a time, so that what was seen never becomes less."""
    path = context.workspace.checkpoint_path.with_suffix(".lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
