"""Acts on keys, each said in the log before it is done: a kill leaves no copy of the root secret unsaid.

An act is two or three events: begun; then done, or given up, or interrupted. The last is written by whoever opens the
workspace next, and tells what to look for. What was begun lies in a file beside the key, locked while it is at work.
An act in the database says itself that it is done, in its transaction.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from secrets import token_hex
from typing import NamedTuple

from sqlalchemy import select

from governance import audit, keys
from governance.database import events, writing
from governance.errors import Unavailable
from governance.pipeline import continuing
from governance.pipeline.context import Context, event, log_of_persons
from governance.pipeline.deciders import ACCOUNT
from governance.pipeline.rulings import account_name

FILE = "act"
"""In the folder of the key: what was begun; empty when it has ended."""


class Act(StrEnum):
    """What is done with the secret, or with what is derived from it."""

    REWRAP = "key-rewrap"
    BACKUP = "key-backup"
    RESTORE = "key-restore"
    REKEY = "key-rekey"


DONE = {
    Act.REWRAP: "key-rewrapped",
    Act.BACKUP: "key-backed-up",
    Act.RESTORE: "key-restored",
    Act.REKEY: keys.REKEYED,
}
_LOOK = {
    Act.REWRAP: "a rewrap of the root key was interrupted: keys show says who protects it now",
    Act.BACKUP: "a backup of the root key was interrupted: destroy what is in its folder, and make another one",
    Act.RESTORE: "restoring the root key was interrupted: keys show says who protects it now",
    Act.REKEY: "a new epoch of a project's keys was interrupted before it began: nothing changed; ask for it again",
}


class _Begun(NamedTuple):
    act: Act
    number: str
    first: int
    """Its events are not before this one."""


@contextmanager
def said(context: Context, act: Act, **details: str | int) -> Iterator[str]:
    """Log that an act begins; do it; log that it is done, unless its own event says so, or given up.

    Gives the number by which the events of the act name it, as `act`.

    What was seen of the log may be lost with the key, so a restore does not ask for it.

    Raises:
        Tampered: the log does not go on from what was seen; nothing was done.
        Unavailable: another command is at work on the key.
    """
    with _locked(context.workspace.key_path.parent / FILE, os.O_RDWR | os.O_CREAT) as file:
        if file is None:
            raise Unavailable("another command works on the root key", hint="wait until it ends")
        if act is not Act.RESTORE:
            continuing.keep(context)
        _end(context, file)
        begun = _Begun(act, token_hex(8), _size(context))
        _write(file, json.dumps(begun).encode())
        who = {ACCOUNT: account_name()}
        _log(context, f"{act}-begun", begun, who, **details)
        try:
            yield begun.number
        except BaseException:
            with suppress(Exception):  # where that cannot be written either, the next opening tells
                if DONE[act] not in _kinds(context, begun):
                    _log(context, f"{act}-given-up", begun, {})
                _write(file, b"")
            raise
        if DONE[act] not in _kinds(context, begun):
            _log(context, DONE[act], begun, who, **details)
        _write(file, b"")
    if act is not Act.RESTORE:
        continuing.keep(context)


def told(context: Context) -> tuple[str, ...]:
    """Log what a killed act left half done, and what a person should do; nothing while one is at work."""
    path = context.workspace.key_path.parent / FILE
    if not path.is_file() or path.stat().st_size == 0:
        return ()
    with _locked(path, os.O_RDWR) as file:
        return () if file is None else _end(context, file)


def _end(context: Context, file: int) -> tuple[str, ...]:
    """End what the file says was begun, if nobody did."""
    begun = _read(file)
    if begun is None:
        _write(file, b"")
        return ()
    known = _kinds(context, begun)
    interrupted = known == {f"{begun.act}-begun"}
    if interrupted:
        path = context.workspace.key_path
        keys.forget_left(path)  # a new key file that never got its name
        now = {"provider": keys.recorded(path).kind.value} if path.is_file() else {}
        _log(context, f"{begun.act}-interrupted", begun, {}, **now)
    _write(file, b"")
    return (_LOOK[begun.act],) if interrupted else ()


def _log(context: Context, kind: str, begun: _Begun, who: Mapping[str, str], **details: str | int) -> None:
    with writing(context.engine) as connection:
        said = event(kind, context.keyring.key_id, act=begun.number, **details)
        log_of_persons(connection, context, said, who)


def _size(context: Context) -> int:
    with context.engine.connect() as connection:
        return audit.size(connection)


def _kinds(context: Context, begun: _Begun) -> set[str]:
    """What the log says of an act."""
    query = select(events.c.body).where(events.c.idx >= begun.first).order_by(events.c.idx)
    with context.engine.connect() as connection:
        bodies = connection.execute(query.execution_options(yield_per=1000)).scalars()
        return {one["kind"] for one in map(json.loads, bodies) if one["details"].get("act") == begun.number}


@contextmanager
def _locked(path: Path, flags: int) -> Iterator[int | None]:
    """The file, for one process at a time; None while another one has it."""
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        got = True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            got = False
        yield descriptor if got else None
    finally:
        os.close(descriptor)


def _read(file: int) -> _Begun | None:
    """None if it is empty, or was cut by a kill, before anything was begun."""
    begun = None
    with suppress(ValueError, TypeError):
        act, number, first = json.loads(os.pread(file, 1 << 12, 0))
        begun = _Begun(Act(act), str(number), int(first))
    return begun


def _write(file: int, data: bytes) -> None:
    os.ftruncate(file, 0)
    os.pwrite(file, data, 0)
    os.fsync(file)
