"""What is deleted of a patient who withdrew, and the end of a withdrawal that was cut off in the middle.

In one transaction: what is published of rows, what images and rows told, names of sources. Behind it, as often as it
takes: files, rows of the vault. Receipts stay, superseded: they hold pseudonyms and no value, and the batches that
vouch for others need them.
"""

import json
import os
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, delete, func, or_, select, update

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
from governance.pipeline import epochs, leaving, matching, vaulting
from governance.pipeline.belongings import Belongings, of_person, parts
from governance.pipeline.context import Context, event, sign
from governance.pipeline.recording import restating
from governance.pipeline.refiling import refile
from governance.pipeline.shards import FILE_SPAN, SHARD_SPAN
from governance.rows import TableKind

ERASED = "(erased: its patient has withdrawn consent)"
"""Instead of the name of a source."""
SHEETS = "review"
"""Where pictures of sources lie in the inner zone, each behind the first digits of its digest."""


def of_departed(connection: Connection, context: Context, departure: Row[Any]) -> Belongings:
    """What was of somebody whose withdrawal is not at its end."""
    decided = matching.in_force_for(context, connection, departure.project)
    return of_person(connection, departure.project, decided, [departure.patient])


def forget(connection: Connection, project: str, theirs: Belongings, *, told: Mapping[str, Collection[str]]) -> None:
    """Delete what is published of rows, and what was told. told: by study, whom the headers name that told it."""
    for patient in theirs.patients:
        rows = select(receipts.c.path).where(theirs.receipts(project, patient), receipts.c.series == "")
        for table in (contents, said):
            connection.execute(delete(table).where(table.c.path.in_(rows)))
    of_named: dict[str, list[str]] = defaultdict(list)
    for study, named in told.items():
        for each in named:
            of_named[each].append(study)
    places = {(each.patient, each.study) for each in theirs.theirs}
    places |= {(patient, study) for study in told for patient in theirs.patients}
    for place in sorted({place for place, _ in places}):
        _forget_doubts(connection, place, {study for other, study in places if other == place})
    for patient, of_these in sorted(of_named.items()):
        for some in parts(sorted(of_these)):
            for table in (studies, persons):
                mine = (table.c.project == project) & (table.c.patient == patient) & table.c.study.in_(some)
                connection.execute(delete(table).where(mine))
    for some in parts(sorted(theirs.alone)):
        connection.execute(delete(accessions).where(accessions.c.project == project, accessions.c.study.in_(some)))


def _forget_doubts(connection: Connection, patient: str, of_studies: Collection[str]) -> None:
    under = or_(*(doubts.c.path.startswith(f"{kind}/{patient}/", autoescape=True) for kind in TableKind))
    paths = connection.execute(select(doubts.c.path).where(under).distinct()).scalars().all()
    for some in parts([path for path in paths if path.split("/")[2] in of_studies]):
        connection.execute(delete(doubts).where(doubts.c.path.in_(some)))


def names(connection: Connection, context: Context, project: str, mine: ColumnElement[bool]) -> int:
    """Erase the names of all sources of these receipts; returns how many.

    In the file at which an open shard stopped, they wait for the end of their run (`names_of_run`): there it knows by
    names what is done.
    """
    digests = select(receipts.c.source_digest).where(receipts.c.project == project, mine)
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
    left = [each for each in connection.scalars(query.distinct()) if gone.named(each)]
    other = receipts.alias()
    current = (other.c.project == project) & other.c.superseded_by.is_(None)
    stays = select(other.c.path).where(current, other.c.source_digest == receipts.c.source_digest).exists()
    names(connection, context, project, receipts.c.patient.in_(left) & ~stays)
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


def remove(context: Context, theirs: Belongings, places: Collection[str], paths: Collection[str] = ()) -> None:
    """Delete files, folders of these patients that are empty, and pictures of sources. It may be done again."""
    workspace = context.workspace
    for path in paths:
        workspace.remove(path)
    for place in places:
        for folder, _, _ in os.walk(workspace.curated_at(f"{place}/each").parent, topdown=False):
            with suppress(OSError):  # what is not empty, or gone
                os.rmdir(folder)
    workspace.sync([workspace.curated])
    pictures = list((workspace.inner / SHEETS).rglob("*.png"))
    digests = theirs.digests_left if pictures else ()
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
    of_projects: dict[str, leaving.Tombstones] = {}
    for number, row in enumerate(left):
        with context.engine.connect() as connection:
            theirs = of_departed(connection, context, row)
            known = of_projects.setdefault(row.project, leaving.Tombstones(context.keyring, row.project))
            gone = known.now(connection)
        remove(context, theirs, theirs.places)
        if not number:
            vaulting.with_vault(context, lambda vault: refile(context, vault))
        doomed = vaulting.doomed(row.project, row.patient, theirs, gone)
        mine = departures.c.event_index == row.event_index
        counted = row.vault_rows
        if counted is None and (counted := vaulting.count(context, doomed)):
            with writing(context.engine) as connection:
                connection.execute(update(departures).where(mine).values(vault_rows=counted))
        vaulting.shred(context, doomed)
        with writing(context.engine) as connection:
            key = context.keyring.tombstone_key(row.project)
            subject = leaving.tombstone(key, leaving.Of.PATIENT, row.patient)
            details = {"withdrawal": row.event_index} | ({"vault_rows": counted} if counted else {})
            audit.append(connection, [event(CARRIED_OUT_EVENT, subject, **details)])
            connection.execute(delete(departures).where(mine))
            sign(context, connection)
