"""The whole log: every event, every checkpoint, every signature, and what else tells of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection, select

from governance import signed_note
from governance.audit.compare import CHUNK, compare
from governance.audit.log import RESTORE
from governance.audit.payloads import Shown
from governance.audit.post_quantum import Second
from governance.audit.tree import Frontier
from governance.database import checkpoints, events
from governance.datatypes import Standing
from governance.errors import Tampered


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What was checked."""

    events: int
    root: str
    """RFC 6962 root of all of them, hexadecimal."""
    checkpoints: int
    signed_twice: int
    """Checkpoints with a post-quantum signature: none, or all since the event that named the key."""
    post_quantum_key: str
    """SHA-256 of that key, hexadecimal; empty if there is none."""
    batches: int
    """Batches whose row and whose event say the same."""
    outcomes: int
    """Of sources, as events tell; without those that were recorded before events told of them."""
    receipts: int
    """Each of its batch, and current or not as the events tell."""
    releases: int
    """Releases whose row and whose event say the same."""
    folders: int
    """Releases in `published/` with a manifest that was logged and a checkpoint of this log."""
    rulings: int
    """What people decided on pixels, each with its row and its event."""
    matches: int
    """What stewards decided on patients, likewise."""
    withdrawals: int
    """Of consent, each with its tombstones and its event."""
    payloads: int
    """What events say of persons by salted digests: of these the text is there, and matches."""
    redacted: int
    """Of these it was erased, as an event says."""
    epochs: int
    """Of the keys of projects, behind the first ones, each with its row and its event."""


def verify(
    connection: Connection,
    public_key: bytes,
    *,
    origin: str,
    standing: Iterable[Standing] = (),
    shown: Iterable[Shown] | None = None,
) -> AuditReport:
    """Recompute every hash, check every signature, and compare the log with the rows and releases that tell of it.

    shown: the payloads of events, as far as who asks can open them.

    Raises:
        Misconfigured: the log is signed twice, and the library of this machine cannot check that.
        Tampered: something does not agree; the message says which event or checkpoint.
    """
    tree = Frontier()
    second = Second(origin)
    signed = 0
    found = 0
    leaves = _leaves(connection, second)
    for row in connection.execute(select(checkpoints).order_by(checkpoints.c.size)).all():
        expected = _checkpoint(row.note, public_key, origin, size=row.size)
        while tree.size < row.size:
            leaf = next(leaves, None)
            if leaf is None:
                raise Tampered(f"event {tree.size} is missing: a checkpoint speaks for {row.size} events")
            tree.push(leaf)
        if tree.root() != expected.root:
            raise Tampered(f"events {signed} to {row.size - 1} are not those that the checkpoint at {row.size} signed")
        if tree.encode() != row.frontier:
            raise Tampered(f"the stored tree of the checkpoint at {row.size} is not that of its events")
        _twice(second, row.note, expected)
        signed = row.size
        found += 1
    if next(leaves, None) is not None:
        raise Tampered(f"event {signed} has no signature: each act signs what it appends", hint=RESTORE)
    twice = (second.signatures, second.digest)
    return AuditReport(tree.size, tree.root().hex(), found, *twice, **compare(connection, standing, shown)._asdict())


def _twice(second: Second, note: str, signed: signed_note.Checkpoint) -> None:
    problem = ""
    try:
        second.check(note, signed)
    except Tampered as error:
        problem = f"the checkpoint at {signed.size}: {error}"
    if problem:
        raise Tampered(problem, hint=RESTORE)


def _checkpoint(note: object, public_key: bytes, origin: str, *, size: int) -> signed_note.Checkpoint:
    if not isinstance(note, str):
        raise Tampered(f"the checkpoint at {size} is not a text")
    try:
        signed = signed_note.parse_checkpoint(note, public_key, origin)
    except Tampered as error:
        problem = f"the checkpoint at {size}: {error}"
    else:
        problem = "" if signed.size == size else f"the checkpoint at {size} speaks for another size"
    if problem:
        raise Tampered(problem)
    return signed


def _leaves(connection: Connection, second: Second) -> Iterator[bytes]:
    """The leaf hash of every event in order, recomputed from its body, which may name a second key."""
    query = select(events.c.idx, events.c.leaf_hash, events.c.body).order_by(events.c.idx)
    rows = connection.execute(query.execution_options(yield_per=CHUNK))
    for expected, (index, stored, body) in enumerate(rows):
        if index != expected:
            raise Tampered(f"event {expected} is missing" if index > expected else f"event {index} has no place")
        leaf = sha256(b"\x00" + body).digest() if isinstance(body, bytes) else b""
        if leaf != stored:
            raise Tampered(f"event {index} is not what was appended")
        second.read(index, body)
        yield leaf
