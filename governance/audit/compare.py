"""The log against the rest of its workspace.

A log that was cut, wiped or replaced can be true in itself. But the row of each batch, of
each release and of each ruling tells of an event, each such event tells of a row, and the
folder of a release brings the checkpoint that the log had when it was made.
"""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import rfc8785
from sqlalchemy import Connection, select

from governance.audit.log import RESTORE
from governance.database import batches, checkpoints, events, releases, rulings
from governance.datatypes import BATCH_EVENT, RELEASE_EVENT, RULING_EVENT, Standing
from governance.errors import Tampered

CHUNK = 10_000


class Compared(NamedTuple):
    """How many of each agree with the log."""

    batches: int
    releases: int
    folders: int
    rulings: int


def compare(connection: Connection, standing: Iterable[Standing]) -> Compared:
    """Compare rows and folders with a log that is true in itself.

    Raises:
        Tampered: something does not agree; the message says which batch, release or ruling.
    """
    batch_events, release_events, ruling_events = _logged(connection)
    batch_rows = {row.batch_id: (row.event_index, row.root, row.size) for row in connection.execute(select(batches))}
    release_rows = {f"{row.name}@v{row.version}": row.manifest_digest for row in connection.execute(select(releases))}
    ruling_rows = {row.ruling_id: digest_of_ruling(dict(row._mapping)) for row in connection.execute(select(rulings))}
    _same("batch", batch_rows, batch_events)
    _same("release", release_rows, release_events)
    _same("ruling", ruling_rows, ruling_events)
    folders = _folders(connection, standing, release_rows)
    return Compared(len(batch_rows), len(release_rows), folders, len(ruling_rows))


def digest_of_ruling(row: Mapping[str, Any]) -> str:
    """SHA-256 of all that a row of `rulings` says, its sealed reason as it is sealed; but not of its number."""
    said = {name: value.hex() if isinstance(value, bytes) else value for name, value in row.items()}
    return sha256(rfc8785.dumps({name: value for name, value in said.items() if name != "number"})).hexdigest()


def _logged(connection: Connection) -> tuple[dict[str, object], dict[str, object], dict[str, object]]:
    """What the log says of each batch, of each release and of each ruling."""
    of_batches: dict[str, object] = {}
    of_releases: dict[str, object] = {}
    of_rulings: dict[str, object] = {}
    query = select(events.c.idx, events.c.body).order_by(events.c.idx)
    for index, body in connection.execute(query.execution_options(yield_per=CHUNK)):
        event = json.loads(body)
        details = event["details"]
        if event["kind"] == BATCH_EVENT:
            of_batches[event["subject"]] = (index, details["root"], details["receipts"])
        elif event["kind"] == RELEASE_EVENT:
            of_releases[event["subject"]] = details["manifest"]
        elif event["kind"] == RULING_EVENT:
            of_rulings[event["subject"]] = details["row"]
    return of_batches, of_releases, of_rulings


def _same(what: str, rows: Mapping[str, object], logged: Mapping[str, object]) -> None:
    for name in (*rows, *logged):
        if name not in logged:
            raise Tampered(f"{what} {name!a} is in the database and not in the log", hint=RESTORE)
        if name not in rows:
            raise Tampered(f"{what} {name!a} is in the log and not in the database", hint=RESTORE)
        if rows[name] != logged[name]:
            raise Tampered(f"{what} {name!a} is not what was logged", hint=RESTORE)


def _folders(connection: Connection, standing: Iterable[Standing], manifests: Mapping[str, object]) -> int:
    found = 0
    for folder in standing:
        # A release brings a stored checkpoint as it is, so there are no roots to compute again.
        of_log = select(checkpoints.c.size).where(checkpoints.c.note == folder.checkpoint)
        if connection.execute(of_log).first() is None:
            raise Tampered(f"published/{folder.name}: its checkpoint is not one of this log", hint=RESTORE)
        # One without a row was left by a crash; the next publish records it.
        if folder.manifest != manifests.get(folder.name, folder.manifest):
            raise Tampered(f"published/{folder.name}: not what was published under this name", hint=RESTORE)
        found += 1
    return found
