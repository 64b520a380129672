"""The log against the rest of its workspace.

A log that was cut, wiped or replaced can be true in itself. But the row of each batch and
of each release tells of an event, each such event tells of a row, and the folder of a
release brings the checkpoint that the log had when it was made.
"""

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, select

from governance.audit.log import RESTORE
from governance.database import batches, checkpoints, events, releases
from governance.datatypes import BATCH_EVENT, RELEASE_EVENT, Standing
from governance.errors import Tampered

CHUNK = 10_000


class Compared(NamedTuple):
    """How many of each agree with the log."""

    batches: int
    releases: int
    folders: int


def compare(connection: Connection, standing: Iterable[Standing]) -> Compared:
    """Compare rows and folders with a log that is true in itself.

    Raises:
        Tampered: something does not agree; the message says which batch or release.
    """
    batch_events, release_events = _logged(connection)
    batch_rows = {row.batch_id: (row.event_index, row.root, row.size) for row in connection.execute(select(batches))}
    release_rows = {f"{row.name}@v{row.version}": row.manifest_digest for row in connection.execute(select(releases))}
    _same("batch", batch_rows, batch_events)
    _same("release", release_rows, release_events)
    return Compared(len(batch_rows), len(release_rows), _folders(connection, standing, release_rows))


def _logged(connection: Connection) -> tuple[dict[str, object], dict[str, object]]:
    """What the log says of each batch and of each release."""
    of_batches: dict[str, object] = {}
    of_releases: dict[str, object] = {}
    query = select(events.c.idx, events.c.body).order_by(events.c.idx)
    for index, body in connection.execute(query.execution_options(yield_per=CHUNK)):
        event = json.loads(body)
        details = event["details"]
        if event["kind"] == BATCH_EVENT:
            of_batches[event["subject"]] = (index, details["root"], details["receipts"])
        elif event["kind"] == RELEASE_EVENT:
            of_releases[event["subject"]] = details["manifest"]
    return of_batches, of_releases


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
