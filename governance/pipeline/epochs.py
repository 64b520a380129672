"""Which epoch of its keys a project has: the first one, until a steward begins the next (`rekeying`).

Everything that is derived for a project is derived in its epoch. A run is of one epoch from its registration to its
end, and goes no further where the next one has begun. An epoch counts as the log has it: a row that is missing, or was
not made with the key, stops whatever asks.
"""

import json
from typing import Any

from sqlalchemy import Connection, Row, func, select

from governance import audit
from governance.database import batches, contains, epochs, events, receipts, runs
from governance.errors import Misconfigured, Tampered
from governance.keys import EPOCH, REKEYED, Keyring, ProjectKeys, Seal
from governance.pipeline.context import Context

_PURPOSE = "epoch"
_MARK = f'"kind":"{REKEYED}"'.encode()


def current(context: Context, connection: Connection, project: str) -> int:
    """The epoch of a project.

    Raises:
        Tampered: a row is missing, out of place, changed, or not the log's.
    """
    found: dict[str, int] = {}
    rows = connection.execute(select(epochs).order_by(epochs.c.number)).all()
    for row in rows:
        sealed = _sealed(context.keyring, row.project, row.epoch, row.event_index, row.time)
        if row.epoch != found.get(row.project, EPOCH) + 1 or row.sealed != sealed:
            raise Tampered("the epochs of keys are not those that were begun", hint=audit.RESTORE)
        found[row.project] = row.epoch
    there = [(row.event_index, row.project, row.epoch, audit.digest_of_ruling(dict(row._mapping))) for row in rows]
    if _logged(connection) != there:
        raise Tampered("the epochs of keys are not those that the log knows", hint=audit.RESTORE)
    return found.get(project, EPOCH)


def now(context: Context, project: str) -> int:
    """The same, as it is at this moment."""
    with context.engine.connect() as connection:
        return current(context, connection, project)


def keys_in(context: Context, project: str, epoch: int) -> ProjectKeys:
    """The keys of a project in one epoch."""
    return context.keyring.project(project, epoch=epoch)


def keys_before(context: Context, keys: ProjectKeys) -> tuple[ProjectKeys, ...]:
    """Those of the epochs before, the latest first."""
    return tuple(keys_in(context, keys.project, epoch) for epoch in range(keys.epoch - 1, EPOCH - 1, -1))


def names(keyring: Keyring, project: str, epoch: int) -> Seal:
    """What seals names of sources: the same name always gives the same bytes, until the next epoch begins."""
    return keyring.seal_of_epoch("source", project=project, epoch=epoch)


def names_of(context: Context, run: Row[Any]) -> Seal:
    """The same for the outcomes of a run, by its row."""
    return names(context.keyring, run.project, run.epoch)


def row_of(context: Context, project: str, *, epoch: int, event_index: int, time: str) -> dict[str, Any]:
    """The row of an epoch that begins with an event; it goes in behind that one, which has the digest of the row."""
    sealed = _sealed(context.keyring, project, epoch, event_index, time)
    return {"project": project, "epoch": epoch, "event_index": event_index, "sealed": sealed, "time": time}


def refuse_earlier(context: Context, run: Row[Any]) -> None:
    """Let a run go on only in the epoch in which it was registered.

    Raises:
        Misconfigured: the next one has begun.
    """
    if run.epoch != now(context, run.project):
        hint = "start a new run; what this one has not done stays undone"
        raise Misconfigured("the keys of this project have changed since this run was registered", hint=hint)


def refuse_mixed(context: Context, project: str) -> None:
    """Let a release be made only of what was made in the project's epoch: a patient would be two.

    Raises:
        Misconfigured: something else is curated.
    """
    made_in = runs.c.run_id == batches.c.run_id
    earlier = (
        select(func.count())
        .select_from(receipts)
        .join(batches, batches.c.batch_id == receipts.c.batch_id)
        .join(runs, made_in)
        .where(receipts.c.project == project, receipts.c.superseded_by.is_(None))
    )
    with context.engine.connect() as connection:
        epoch = current(context, connection, project)
        count = connection.execute(earlier.where(runs.c.epoch != epoch)).scalar_one()
    if count:
        hint = "keep the workspace as it is, and look at it with governance audit verify"
        raise Misconfigured(f"objects and rows of another epoch of this project's keys: {count}", hint=hint)


def _sealed(keyring: Keyring, project: str, epoch: int, event_index: int, time: str) -> bytes:
    return keyring.seal(json.dumps([project, epoch, event_index, time]), purpose=_PURPOSE)


def _logged(connection: Connection) -> list[tuple[int, str, int, str]]:
    """Event, project, epoch and digest of the row of each epoch in the log, in order."""
    query = select(events.c.idx, events.c.body).where(contains(events.c.body, _MARK)).order_by(events.c.idx)
    found = [(index, json.loads(body)) for index, body in connection.execute(query)]
    said = [(index, each["details"]) for index, each in found if each["kind"] == REKEYED]
    return [(index, details["project"], details["epoch"], details["row"]) for index, details in said]
