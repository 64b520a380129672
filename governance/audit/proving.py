"""One event, shown to be the one that was signed, without a look at the others."""

import json
from typing import Any

from sqlalchemy import Connection, select

from governance import merkle, signed_note
from governance.audit.log import RESTORE
from governance.audit.tree import Frontier
from governance.database import checkpoints, events
from governance.errors import Tampered


def event_of(connection: Connection, public_key: bytes, index: int, *, origin: str) -> dict[str, Any]:
    """Event number `index`, as it was appended.

    Every act signs what it appends, so there is a checkpoint just before the event and one just behind it:
    what lies between is added to the tree of the first, and has to make that of the second.

    Raises:
        Tampered: it is not what was signed.
    """
    size = checkpoints.c.size
    before = connection.execute(select(checkpoints).where(size <= index).order_by(size.desc()).limit(1)).first()
    after = connection.execute(select(checkpoints).where(size > index).order_by(size).limit(1)).first()
    tree = Frontier() if before is None else Frontier.decode(before.size, before.frontier)
    body = b""
    if after is not None and tree is not None:
        if before is not None:
            signed = signed_note.parse_checkpoint(before.note, public_key, origin)
            _same(index, signed, tree)
        query = select(events).where(events.c.idx >= tree.size, events.c.idx < after.size).order_by(events.c.idx)
        for row in connection.execute(query):
            tree.push(merkle.leaf_hash(bytes(row.body)))
            body = bytes(row.body) if row.idx == index else body
        _same(index, signed_note.parse_checkpoint(after.note, public_key, origin), tree)
    if not body:
        raise Tampered(f"event {index} is missing", hint=RESTORE)
    event: dict[str, Any] = json.loads(body)
    return event


def _same(index: int, signed: signed_note.Checkpoint, tree: Frontier) -> None:
    if signed != (tree.size, tree.root()):
        raise Tampered(f"event {index} is not what was signed", hint=RESTORE)
