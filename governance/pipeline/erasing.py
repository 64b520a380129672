"""What is deleted of a patient who withdrew, and the end of a withdrawal that was cut off in the middle.

In one transaction: what is published of rows, what images and rows told, names of sources. Behind it, as often as it
takes: files, rows of the vault. Receipts stay, superseded: they hold pseudonyms and no value, and the batches that
vouch for others need them.
"""

import json
import os
from collections import defaultdict
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, or_, select, update

from governance import audit
from governance.database import (
    accessions,
    contents,
    departures,
    doubts,
    events,
    outcomes,
    persons,
    receipts,
    runs,
    said,
    shards,
    studies,
    writing,
)
from governance.datatypes import CARRIED_OUT_EVENT, WITHDRAWAL_EVENT
from governance.errors import RESTORE, Tampered
from governance.keys import Keyring
from governance.pipeline import epochs, leaving, vaulting
from governance.pipeline.context import Context, event, sign
from governance.pipeline.recording import restating
from governance.pipeline.shards import FILE_SPAN, SHARD_SPAN
from governance.rows import TableKind

ERASED = "(erased: its patient has withdrawn consent)"
"""Instead of the name of a source."""
SHEETS = "review"
"""Where pictures of sources lie in the inner zone, each behind the first digits of its digest."""


def forget(connection: Connection, project: str, patient: str, *, alone: Collection[str]) -> None:
    """Delete what is published of rows, and what was told. alone: studies that are of this patient and nobody else."""
    for table in (contents, said, doubts):
        mine = (table.c.path.startswith(f"{kind}/{patient}/", autoescape=True) for kind in TableKind)
        connection.execute(delete(table).where(or_(*mine)))
    connection.execute(delete(studies).where(studies.c.project == project, studies.c.patient == patient))
    connection.execute(delete(persons).where(persons.c.project == project, persons.c.patient == patient))
    connection.execute(delete(accessions).where(accessions.c.project == project, accessions.c.study.in_(alone)))


def names(connection: Connection, context: Context, project: str, patients: Collection[str]) -> int:
    """Erase the names of all sources of these patients; returns how many.

    In the file at which an open shard stopped, they wait for the end of their run (`names_of_run`): there it knows by
    names what is done.
    """
    digests = select(receipts.c.source_digest).where(receipts.c.project == project, receipts.c.patient.in_(patients))
    return _names(connection, context, project, outcomes.c.source_digest.in_(digests))


def _names(connection: Connection, context: Context, project: str, theirs: ColumnElement[bool]) -> int:
    of_runs = select(runs.c.epoch).where(runs.c.project == project).distinct().order_by(runs.c.epoch)
    made_in = connection.execute(of_runs).scalars().all()
    return sum(_names_in(connection, context, project, epoch, theirs) for epoch in made_in)


def _names_in(connection: Connection, context: Context, project: str, epoch: int, theirs: ColumnElement[bool]) -> int:
    """The same in the runs of one epoch."""
    of_project = select(runs.c.run_id).where(runs.c.project == project, runs.c.epoch == epoch)
    erased = epochs.names(context.keyring, project, epoch).close(ERASED)
    mine = and_(outcomes.c.run_id.in_(of_project), theirs, outcomes.c.sealed_source != erased)
    found = connection.execute(select(outcomes.c.run_id, outcomes.c.position).where(mine)).all()
    reached = {} if not found else _reached(connection, {run_id for run_id, _ in found})
    places = [each for each in found if each[1] < reached.get((each[0], each[1] // SHARD_SPAN), each[1] + 1)]
    of_runs: dict[str, list[int]] = defaultdict(list)
    for run_id, position in places:
        of_runs[run_id].append(position)
    for run_id, positions in of_runs.items():
        here = (outcomes.c.run_id == run_id) & (outcomes.c.position == bindparam("at"))
        with restating(connection, context, run_id, positions):
            connection.execute(
                update(outcomes).where(here).values(sealed_source=erased), [{"at": each} for each in positions]
            )
        _listed(connection, context.keyring, run_id, {each // FILE_SPAN for each in positions}, erased)
    return len(places)


def _reached(connection: Connection, of_runs: Collection[str]) -> dict[tuple[str, int], int]:
    """Of each open shard that has outcomes, by its run and number: the first position of the file where it stopped."""
    still = select(shards.c.run_id, shards.c.number).where(shards.c.run_id.in_(of_runs), shards.c.done.is_(False))
    reached = {}
    for run_id, number in connection.execute(still).all():
        here = (outcomes.c.run_id == run_id) & outcomes.c.position.between(
            number * SHARD_SPAN, (number + 1) * SHARD_SPAN - 1
        )
        last = connection.execute(select(func.max(outcomes.c.position)).where(here)).scalar()
        if last is not None:
            reached[run_id, number] = last // FILE_SPAN * FILE_SPAN
    return reached


def names_of_run(connection: Connection, context: Context, project: str, run_id: str) -> None:
    """The same behind a run, of all who left while it went on, and of all sources that were filtered for that."""
    gone = leaving.in_force(connection, context.keyring, project)
    if not gone.digests:
        return
    of_run = select(outcomes.c.source_digest).where(outcomes.c.run_id == run_id)
    query = select(receipts.c.patient).where(receipts.c.project == project, receipts.c.source_digest.in_(of_run))
    names(connection, context, project, [each for each in connection.scalars(query.distinct()) if gone.named(each)])
    _names(connection, context, project, outcomes.c.reason == leaving.WITHDRAWN)


def _listed(connection: Connection, keyring: Keyring, run_id: str, numbers: Collection[int], erased: bytes) -> None:
    """Erase files from the lists of a run's shards, where nothing in them is of anybody else. numbers: of files."""
    a_shard = SHARD_SPAN // FILE_SPAN
    of_shards: dict[int, list[int]] = defaultdict(list)
    for number in numbers:
        here = outcomes.c.position.between(number * FILE_SPAN, (number + 1) * FILE_SPAN - 1)
        others = (outcomes.c.run_id == run_id) & here & (outcomes.c.sealed_source != erased)
        if connection.execute(select(outcomes.c.position).where(others).limit(1)).first() is None:
            of_shards[number // a_shard].append(number % a_shard)
    for shard, indexes in of_shards.items():
        mine = (shards.c.run_id == run_id) & (shards.c.number == shard)
        sealed = connection.execute(select(shards.c.sealed).where(mine)).scalar()
        files = None if sealed is None else json.loads(keyring.unseal(sealed, purpose="shard"))
        if isinstance(files, list):  # of tables, each is of many patients
            kept = [ERASED if index in indexes else file for index, file in enumerate(files)]
            connection.execute(
                update(shards).where(mine).values(sealed=keyring.seal(json.dumps(kept), purpose="shard"))
            )


def remove(context: Context, project: str, patient: str, paths: Collection[str] = ()) -> None:
    """Delete files, emptied folders, and pictures of sources. It may be done again."""
    workspace = context.workspace
    for path in paths:
        workspace.remove(path)
    for folder, _, _ in os.walk(workspace.curated_at(f"{patient}/each").parent, topdown=False):
        with suppress(OSError):  # what is not empty, or gone
            os.rmdir(folder)
    workspace.sync([workspace.curated])
    pictures = list((workspace.inner / SHEETS).rglob("*.png"))
    if pictures:
        of_patient = (receipts.c.project == project) & (receipts.c.patient == patient)
        with context.engine.connect() as connection:
            digests = connection.execute(select(receipts.c.source_digest).where(of_patient)).scalars().all()
        for picture in pictures:
            if any(digest.startswith(picture.name.partition("-")[0]) for digest in digests):
                picture.unlink(missing_ok=True)


def begun(context: Context, connection: Connection) -> Sequence[Any]:
    """Event, project and patient of every withdrawal that is not at its end.

    Raises:
        Tampered: the log does not tell of one.
    """
    of_event = select(departures, events.c.body).outerjoin(events, events.c.idx == departures.c.event_index)
    rows = connection.execute(of_event.order_by(departures.c.event_index)).all()
    for row in rows:
        said = {} if row.body is None else json.loads(row.body)
        subject = leaving.tombstone(context.keyring.tombstone_key(row.project), leaving.Of.PATIENT, row.patient)
        if (said.get("kind"), said.get("subject")) != (WITHDRAWAL_EVENT, subject):
            raise Tampered("the log does not tell of a withdrawal that is not at its end", hint=RESTORE)
    return rows


def finish(context: Context) -> None:
    """Carry out every withdrawal that is not at its end. Call under the workspace's lock, behind `pending`.

    Rows of the vault are counted, and the count is kept, before the first of them goes: a kill behind that would leave
    nothing to count. None come while the workspace is locked, nor any of who has left.

    Raises:
        Tampered: a row tells of one, and the log does not: nothing is erased for it.
    """
    with context.engine.connect() as connection:
        left = begun(context, connection)
    for row in left:
        remove(context, row.project, row.patient)
        mine = departures.c.event_index == row.event_index
        counted = row.vault_rows
        if counted is None and (counted := vaulting.count(context, row.project, row.patient)):
            with writing(context.engine) as connection:
                connection.execute(update(departures).where(mine).values(vault_rows=counted))
        vaulting.shred(context, row.project, row.patient)
        with writing(context.engine) as connection:
            key = context.keyring.tombstone_key(row.project)
            subject = leaving.tombstone(key, leaving.Of.PATIENT, row.patient)
            details = {"withdrawal": row.event_index} | ({"vault_rows": counted} if counted else {})
            audit.append(connection, [event(CARRIED_OUT_EVENT, subject, **details)])
            connection.execute(delete(departures).where(mine))
            sign(context, connection)
