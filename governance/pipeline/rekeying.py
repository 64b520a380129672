"""A new epoch of a project's keys: from the next run on the same sources get other pseudonyms, UIDs, days and digests.

    1. the log says that it is about to begin (`key_acts`); what keys the patients goes into the vault
    2. one transaction begins the epoch, supersedes all that is curated of the project, deletes what is published of
       rows, gives what images told of their studies the new names, and declares which objects are about to go
    3. these are deleted

A kill before (2) commits leaves the project in its epoch; one behind it is healed by `recovery`. All of a project
changes at once, so that nothing here says which new object is made of which old one, and no release holds two epochs.
Releases and receipts stay. The vault keeps what pseudonyms of every epoch stand for: there alone they meet again.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from governance import audit
from governance.database import (
    accessions,
    batches,
    contents,
    doubts,
    overwritten,
    pending,
    persons,
    receipts,
    runs,
    said,
    shards,
    studies,
    writing,
)
from governance.database import epochs as epoch_rows
from governance.datatypes import Confidential
from governance.errors import Misconfigured
from governance.keys import REKEYED
from governance.pipeline import epochs, erasing, key_acts, matching, vaulting
from governance.pipeline.context import Context, event, log_of_persons, now
from governance.pipeline.key_acts import Act
from governance.pipeline.recording import supersede
from governance.pipeline.recovery import recover
from governance.pipeline.rulings import Signed, signed
from governance.pipeline.shards import FINISHED
from governance.pipeline.studies import SEALED_FOR, key_in, retold
from governance.pseudonymise import Pseudonymiser
from governance.pseudonymise.kinds import Kind
from governance.pseudonymise.vault import MATCHED, Original, Vault

AT_ONCE = 500
"""Studies that are looked at together."""


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """What a new epoch of a project takes out of what is curated."""

    project: str
    epoch: int
    """That begins, or would."""
    objects: int
    rows: int
    runs: int
    """That were not at their end, and go no further."""
    event: int | None = None
    """From which it holds; None where nothing was done: it is asked what would be."""

    def text(self) -> str:
        """For a person, on a line."""
        begins = "would begin" if self.event is None else f"began, event {self.event}"
        open_runs = f", {self.runs} runs that were not at their end" if self.runs else ""
        return f"{self.project}  epoch {self.epoch} {begins}: {self.objects} objects, {self.rows} rows{open_runs}"


@dataclass(slots=True, repr=False)
class _Renamed(Confidential):
    """Pseudonyms of the next epoch by those of the one that ends; in the memory of the act alone."""

    patients: dict[str, str] = field(default_factory=dict)
    studies: dict[str, str] = field(default_factory=dict)


def rekey(context: Context, project: str, *, reason: str, actor: str | None = None) -> Rekeyed:
    """Begin the next epoch of a project's keys. It cannot be undone.

    actor: None for the user of the system.

    Raises:
        Misconfigured: nothing was ever run in the project, decisions on its patients are in force or wait, the vault
            lacks something of what is curated, or nothing says why or who; nothing changed.
        Unavailable: another command works in this workspace, or the vault is away.
        Tampered: the epochs are not those that the log knows.
    """
    who = signed(reason, actor)
    with context.workspace.lock():
        recover(context)
        epoch = _refuse(context, project) + 1
        renamed = _keep_keys(context, project, epoch=epoch - 1)
        said_first = key_acts.said(context, Act.REKEY, project=project, epoch=epoch, account=who.account)
        with said_first as act, writing(context.engine) as connection:
            made = _begin(context, connection, project, renamed, epoch=epoch, act=act, who=who)
        recover(context)
    overwritten(context.engine)
    return made


def preview(context: Context, project: str) -> Rekeyed:
    """What `rekey` would do.

    Raises:
        Misconfigured, Tampered: as it would.
    """
    epoch = _refuse(context, project) + 1
    with context.engine.connect() as connection:
        return _counted(connection, project, epoch)


def fewer(context: Context, project: str, objects: int) -> int:
    """How many objects are missing to those that were curated when the project's epoch began; none in the first one."""
    mine = select(epoch_rows.c.event_index).where(epoch_rows.c.project == project)
    with context.engine.connect() as connection:
        index = connection.execute(mine.order_by(epoch_rows.c.epoch.desc()).limit(1)).scalar()
        before = 0 if index is None else int(audit.details_of(connection, index)["objects"])
    return max(before - objects, 0)


def _refuse(context: Context, project: str) -> int:
    """Let a project get another epoch; returns the one that it has."""
    matching.refuse_waiting(context, project=project)
    with context.engine.connect() as connection:
        if connection.execute(select(runs.c.run_id).where(runs.c.project == project).limit(1)).first() is None:
            raise Misconfigured("nothing was ever run in this project", hint="its first run has the first epoch")
        _refuse_decided(context, connection, project)
        epoch = epochs.current(context, connection, project)
        theirs = select(receipts.c.patient, receipts.c.study).where(
            receipts.c.project == project, receipts.c.superseded_by.is_(None), receipts.c.series != ""
        )
        curated = connection.execute(theirs.distinct()).all()
    with closing(vaulting.open_vault(context)) as vault:
        missing = len({(row.patient, row.study) for row in curated} - set(_held(vault, project, epoch)))
    if missing:
        hint = "run their sources again first, which fills it; what it lacks, nobody could tell any more"
        raise Misconfigured(f"studies of which the vault holds nothing: {missing}", hint=hint)
    return epoch


def _refuse_decided(context: Context, connection: Connection, project: str) -> None:
    """A decision names pseudonyms. Named anew beside the old ones, it would tell which of them are the same."""
    if count := len(matching.in_force_now(context, connection, project)):
        hint = "undo them and run the sources again, rekey, and decide anew; governance patients list shows them"
        raise Misconfigured(f"decisions on patients of this project are in force: {count}", hint=hint)


def _held(vault: Vault, project: str, epoch: int) -> Iterator[tuple[str, str]]:
    """Patients and studies of which the vault holds something."""
    for place in vault.all_places(project, epoch, Kind.STUDY):
        yield place.patient, place.pseudonym


def _keep_keys(context: Context, project: str, *, epoch: int) -> _Renamed:
    """Keep in the vault what keys each patient of the epoch that ends; returns what is called how in the next one."""
    seal, renamed = context.keyring.seal_of(SEALED_FOR), _Renamed()
    before, after = (Pseudonymiser(epochs.keys_in(context, project, each)) for each in (epoch, epoch + 1))
    with closing(vaulting.open_vault(context)) as vault, context.engine.connect() as connection:
        query = select(studies.c.patient, studies.c.sealed_known).where(studies.c.project == project)
        rows = iter(connection.execute(query.order_by(studies.c.patient)).all())
        while some := list(islice(rows, AT_ONCE)):
            keys = {row.patient: key_in(seal, row.sealed_known) for row in some}
            kept = [Original(Kind.PATIENT, patient, patient, ((MATCHED, key),)) for patient, key in keys.items()]
            vault.keep(project, kept, epoch=epoch)
            for patient, key in keys.items():
                renamed.patients[patient] = after.pseudonym(key)
                uids = (dict(said).get("StudyInstanceUID", "") for _, said in vault.told(project, patient))
                renamed.studies |= {before.study(uid): after.study(uid) for uid in uids if uid}
    return renamed


def _counted(connection: Connection, project: str, epoch: int) -> Rekeyed:
    current = select(func.count()).where(receipts.c.project == project, receipts.c.superseded_by.is_(None))
    objects = connection.execute(current.where(receipts.c.series != "")).scalar_one()
    rows = connection.execute(current.where(receipts.c.series == "")).scalar_one()
    return Rekeyed(project, epoch, objects, rows, len(_open_runs(connection, project)))


def _open_runs(connection: Connection, project: str) -> Sequence[str]:
    still = select(runs.c.run_id).where(runs.c.project == project, runs.c.status != FINISHED)
    return connection.execute(still.order_by(runs.c.number)).scalars().all()


def _begin(
    context: Context,
    connection: Connection,
    project: str,
    renamed: _Renamed,
    *,
    epoch: int,
    act: str,
    who: Signed,
) -> Rekeyed:
    _refuse_decided(context, connection, project)  # again: it needs no lock to decide
    made, open_runs = _counted(connection, project, epoch), _open_runs(connection, project)
    for run_id in open_runs:  # what waits for the end of a run does so no more
        connection.execute(update(shards).where(shards.c.run_id == run_id).values(done=True))
        erasing.names_of_run(connection, context, project, run_id)
    index = audit.size(connection)
    told = _retold(context, connection, project, renamed, event_index=index)
    gone = _take_out(connection, project, by=index)
    if told:
        connection.execute(insert(studies), told)
    row = epochs.row_of(context, project, epoch=epoch, event_index=index, time=now())
    details: dict[str, str | int] = {"act": act, "project": project, "epoch": epoch}
    details["row"] = audit.digest_of_ruling(row)
    details |= {"objects": made.objects, "rows": made.rows, "runs": made.runs, **gone}
    logged = event(REKEYED, context.keyring.key_id, **details)
    texts = {"reason": who.reason, "person": who.actor, "account": who.account}
    if log_of_persons(connection, context, logged, texts) != index:
        raise AssertionError("an event got in between")
    connection.execute(insert(epoch_rows).values(row))
    return Rekeyed(project, epoch, made.objects, made.rows, made.runs, index)


def _retold(
    context: Context, connection: Connection, project: str, renamed: _Renamed, *, event_index: int
) -> list[dict[str, Any]]:
    """What images told of their studies, by the names of the next epoch: further ones are cleaned by it from the first.

    In the order of these names, and sealed as told by the event of the epoch, so that it is none of the old bytes.
    """
    seal = context.keyring.seal_of(SEALED_FOR)
    found = [
        {
            "project": project,
            "study": renamed.studies[row.study],
            "patient": renamed.patients[row.patient],
            "sealed_known": retold(seal, row.sealed_known, event=event_index),
        }
        for row in connection.execute(select(studies).where(studies.c.project == project)).all()
        if row.study in renamed.studies and row.patient in renamed.patients
    ]
    return sorted(found, key=lambda row: (row["study"], row["patient"]))


def _take_out(connection: Connection, project: str, *, by: int) -> dict[str, str | int]:
    """Supersede all that is curated of a project, and forget what was told of it; returns what the event `by` says."""
    mine = receipts.c.project == project
    current = mine & receipts.c.superseded_by.is_(None)
    objects = select(receipts.c.path, batches.c.run_id).join(batches, batches.c.batch_id == receipts.c.batch_id)
    going = objects.where(current, receipts.c.series != "")
    connection.execute(insert(pending).from_select(["path", "run_id"], going))
    rows = select(receipts.c.path).where(mine, receipts.c.series == "")
    for table in (contents, said):
        connection.execute(delete(table).where(table.c.path.in_(rows)))
    of_project = select(runs.c.run_id).where(runs.c.project == project)
    connection.execute(delete(doubts).where(doubts.c.run_id.in_(of_project)))
    for told in (studies, persons, accessions):
        connection.execute(delete(told).where(told.c.project == project))
    return supersede(connection, current, by=by)
