"""Append events, and sign how the log stands."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import rfc8785
from sqlalchemy import Connection, delete, false, func, insert, select

from governance import merkle, signed_note
from governance.audit import post_quantum
from governance.audit.tree import Frontier
from governance.database import checkpoints, events
from governance.datatypes import Event
from governance.errors import RESTORE as RESTORE
from governance.errors import Tampered
from governance.keys import Keyring

LOG_RESTORED_EVENT = "log-restored"
"""The kind of event by which a log goes on that was put back from a backup."""


def encode(event: Event) -> bytes:
    """The leaf of an event: canonical JSON (RFC 8785)."""
    value: dict[str, Any] = {
        "actor": event.actor,
        "details": dict(event.details),
        "kind": event.kind,
        "subject": event.subject,
        "time": event.time,
    }
    # Of ASCII and numbers that every JSON can hold, Python's own encoder writes the same, ten times as fast.
    if all(type(part) is str or (type(part) is int and abs(part) < 1 << 53) for part in event.details.values()):
        plain = _PLAIN.encode(value)
        if plain.isascii():
            return plain.encode()
    return rfc8785.dumps(value)


_PLAIN = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def append(connection: Connection, new: Sequence[Event]) -> int:
    """Add events in the caller's transaction, which signs them before it ends; returns the index of the first.

    Two writers never take the same index: whoever comes second waits, or fails on the
    primary key.

    Raises:
        Tampered: the log does not end where it was signed; nothing was added.
    """
    # Takes SQLite's write lock before the size is read, so that no other writer gets in between.
    connection.execute(delete(events).where(false()))
    first = size(connection)
    _check_end(first, _signed(connection))
    if new:
        bodies = [encode(event) for event in new]
        connection.execute(
            insert(events),
            [
                {"idx": index, "leaf_hash": merkle.leaf_hash(body), "body": body}
                for index, body in enumerate(bodies, first)
            ],
        )
    return first


def size(connection: Connection) -> int:
    """How many events there are: the index of the next one."""
    last: int | None = connection.execute(select(func.max(events.c.idx))).scalar_one()
    return 0 if last is None else last + 1


def holds_more_than(connection: Connection, kind: str, *, first: int, size: int) -> bool:
    """Whether an event from `first` up to `size` is of another kind."""
    query = select(events.c.body).where(events.c.idx >= first, events.c.idx < size).order_by(events.c.idx)
    bodies = connection.execute(query.execution_options(yield_per=100)).scalars()
    return any(json.loads(body)["kind"] != kind for body in bodies)


def _signed(connection: Connection) -> int:
    last: int | None = connection.execute(select(func.max(checkpoints.c.size))).scalar_one()
    return last or 0


def _check_end(size: int, signed: int) -> None:
    """Every act signs what it appends, so the next signature must not speak for what it did not append."""
    if size != signed:
        raise Tampered(f"the log has {size} events, and the last checkpoint speaks for {signed}", hint=RESTORE)


class Stored(NamedTuple):
    """The last checkpoint: how large the log was, the signed note, its signatures, and the tree at that size."""

    size: int
    note: str
    twice: bool
    tree: Frontier


def latest(connection: Connection) -> str:
    """The checkpoint that speaks for the whole log, as it is stored.

    Raises:
        Tampered: there is none.
    """
    _check_end(size(connection), _signed(connection))
    note = connection.execute(select(checkpoints.c.note).order_by(checkpoints.c.size.desc()).limit(1)).scalar()
    if note is None:
        raise Tampered("the log is empty", hint=RESTORE)
    return str(note)


def newest(connection: Connection, public_key: bytes, *, origin: str) -> tuple[int, str] | None:
    """The size and the note of the last checkpoint, its signature checked; None where nothing was signed.

    Raises:
        Tampered: it is not what was signed.
    """
    row = connection.execute(select(checkpoints).order_by(checkpoints.c.size.desc()).limit(1)).first()
    if row is None:
        return None
    if signed_note.parse_checkpoint(row.note, public_key, origin).size != row.size:
        raise Tampered(f"the checkpoint at {row.size} speaks for another size", hint=RESTORE)
    return row.size, row.note


def has_signed(connection: Connection, size: int, note: str) -> bool:
    """Whether this note is the log's checkpoint of that size."""
    return bool(note == connection.execute(select(checkpoints.c.note).where(checkpoints.c.size == size)).scalar())


def root_at(connection: Connection, size: int) -> bytes | None:
    """The RFC 6962 root of the first events, by their stored hashes; None if there are not so many."""
    leaves = select(events.c.leaf_hash).where(events.c.idx < size).order_by(events.c.idx)
    tree = Frontier()
    for leaf in connection.execute(leaves.execution_options(yield_per=10_000)).scalars():
        tree.push(leaf)
    return tree.root() if tree.size == size else None


def checkpoint(connection: Connection, keyring: Keyring, *, origin: str) -> str:
    """Sign the log as it stands, in the caller's transaction: a C2SP tlog-checkpoint.

    Reads only the events since the last checkpoint, which every new one continues; the
    same log gives the same checkpoint. It is signed twice if the last one was, or if an event since then says so.

    Raises:
        Misconfigured: the log is signed twice, and the library of this machine cannot do that.
        Tampered: the last checkpoint is not true, or events are missing; nothing was signed.
    """
    connection.execute(delete(checkpoints).where(false()))  # the write lock, as in `append`
    last = _last(connection, keyring, origin)
    tree = Frontier() if last is None else last.tree
    twice = last is not None and last.twice
    for index, leaf, body in connection.execute(select(events).where(events.c.idx >= tree.size).order_by(events.c.idx)):
        if index != tree.size:
            raise Tampered(f"event {tree.size} is missing")
        tree.push(leaf)
        twice = twice or post_quantum.begins(body)
    if last is not None and last.size == tree.size:
        if size(connection) != tree.size:
            raise Tampered(f"events before the checkpoint at {tree.size} are missing")
        return last.note
    signed = signed_note.Checkpoint(tree.size, tree.root())
    note = signed_note.sign_checkpoint(signed, origin=origin, public_key=keyring.public_key, signer=keyring.sign)
    if twice:
        note += post_quantum.line(signed, keyring, origin)
    connection.execute(insert(checkpoints).values(size=tree.size, note=note, frontier=tree.encode()))
    return note


def _last(connection: Connection, keyring: Keyring, origin: str) -> Stored | None:
    """The last checkpoint. tlog-checkpoint: a log never signs what contradicts what it signed before."""
    row = connection.execute(select(checkpoints).order_by(checkpoints.c.size.desc()).limit(1)).first()
    if row is None:
        return None
    signed = signed_note.parse_checkpoint(row.note, keyring.public_key, origin)
    tree = Frontier.decode(row.size, row.frontier)
    if tree is None or signed != (tree.size, tree.root()):
        raise Tampered(f"the checkpoint at {row.size} is not what was signed")
    twice = signed_note.looks_signed_twice(row.note, origin)
    if twice:
        signed_note.verify_post_quantum(row.note, signed, origin=origin, public_key=keyring.post_quantum_key)
    return Stored(row.size, row.note, twice, tree)
