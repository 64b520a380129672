"""A patient withdraws consent: what is taken back, for good, and what cannot be.

    1. one transaction sets the tombstones, appends the event, supersedes the receipts, deletes what was told and the
       rows of tables, erases names of sources, and declares which objects are about to go
    2. objects and pictures are deleted, the vault shreds, and a second event says that it is done

A kill before (1) commits leaves everything as it was; one behind it is healed by `recovery`, as every command under
the workspace's lock begins with it. (1) does not wait for a run that holds the lock: what that run has not recorded by
then, it never records. (2) does.

Nothing here takes a tombstone away again.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, insert, select

from governance import audit
from governance.database import (
    accessions,
    batches,
    departures,
    overwritten,
    pending,
    receipts,
    release_receipts,
    runs,
    studies,
    tombstones,
    upsert,
    writing,
)
from governance.datatypes import WITHDRAWAL_EVENT, Confidential
from governance.errors import Misconfigured, Unavailable
from governance.patients import Matches
from governance.pipeline import bridging, erasing, matching
from governance.pipeline.bridging import Bridges
from governance.pipeline.context import Context, event, log_of_persons
from governance.pipeline.continuing import keep
from governance.pipeline.leaving import EVERYWHERE, Of, tombstone
from governance.pipeline.recording import supersede
from governance.pipeline.recovery import recover
from governance.pipeline.rulings import signed
from governance.pipeline.studies import SEALED_FOR, patient_ids_of

MOST_IDS = 100_000
_UNKNOWN = "policies_not_known"
"""In an event: digests, with commas between."""
ANOTHER_EPOCH = "the same patient under a pseudonym of another epoch"


@dataclass(frozen=True, slots=True)
class Left:
    """What a withdrawal takes back in one project. Publishable: no id."""

    project: str
    """Empty: every other one, also those that come later."""
    patient: str
    """Empty where it is the same patient in another epoch of the project's keys: approvals alone lead there."""
    objects: int = 0
    rows: int = 0
    names: int | None = None
    """Of sources, erased; None where nothing was done yet."""
    releases: Mapping[str, int] = field(default_factory=dict)
    """How much of the patient is in what was published: that stays there."""
    event: int | None = None
    """None where nothing was done: it is asked what would be, or all was done before."""
    time: str = ""
    again: bool = False
    """Whether the patient had left before, and nothing of them is there."""
    unknown_policies: Mapping[str, str] = field(default_factory=dict)
    """Names by digest of policies of which nobody knows any more which numbers they took for one patient's: what they
    keyed by another form of an id that was given is still there, and comes in again."""

    def text(self) -> str:
        """For a person, on a line, and one for each release."""
        who = (self.patient or ANOTHER_EPOCH) if self.project else "other projects, and those that come"
        did = "had left before" if self.again else "leaves" if self.event is None else f"left, event {self.event}"
        lines = [f"{who}  {did}"]
        if self.project and not self.again:
            lines[0] += f": {self.objects} objects, {self.rows} rows"
            lines[0] += "" if self.names is None else f", {self.names} names of sources erased"
        lines += [f"  stays in {name}: {count}" for name, count in self.releases.items()]
        lines += [
            f"  not complete: the policy {name}, {digest[:12]}, is not there as it was"
            for digest, name in self.unknown_policies.items()
        ]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, repr=False)
class Withdrawal(Confidential):
    """One withdrawal, as it was logged."""

    event: int
    time: str
    project: str
    objects: int
    rows: int
    open: bool
    """Whether files may still be there: the next command that takes the workspace removes them."""
    person: str | None = None
    """Who decided; None once that was redacted."""
    reason: str | None = None
    unknown_policies: tuple[str, ...] = ()
    """Digests of those without which it was not complete."""

    def text(self) -> str:
        """On one line."""
        where = self.project or "every project"
        still = ("  not at its end yet" if self.open else "") + ("  not complete" if self.unknown_policies else "")
        why = "redacted" if self.person is None else f"{self.person}  {self.reason}"
        return f"{self.time}  event {self.event}  {where}  {self.objects} objects, {self.rows} rows{still}  {why}"


@dataclass(frozen=True, slots=True, repr=False)
class _Person(Confidential):
    """Somebody who leaves: under which pseudonyms in which projects, and by which ids, where one was said."""

    patients: Sequence[tuple[str, str]]
    """Projects and pseudonyms."""
    ids: frozenset[str] = frozenset()
    """As it was written, and as policies key it."""
    leaves_all: bool = False
    unknown: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By project: policies that may take other forms of the ids for theirs, names by digest."""

    @property
    def unknown_anywhere(self) -> dict[str, str]:
        return {digest: name for policies in self.unknown.values() for digest, name in policies.items()}

    bridged: frozenset[tuple[str, str]] = frozenset()
    """Those of the patients whose pseudonyms are of an epoch that nobody named: they are not told."""
    more: Mapping[tuple[str, str], Mapping[Of, set[str]]] = field(default_factory=dict)
    """What these are known by besides, where the vault says it: pseudonyms of every epoch."""

    def shown(self, project: str, patient: str) -> str:
        """A pseudonym as it is told."""
        return "" if (project, patient) in self.bridged else patient


@dataclass(slots=True, repr=False)
class _There(Confidential):
    """What there is of one patient in one project."""

    objects: dict[str, str]
    """Their paths, and the runs that made them."""
    rows: int
    digests: set[str]
    alone: set[str]
    """Studies that are of nobody else."""
    releases: dict[str, int]


def withdraw(
    context: Context,
    *,
    pseudonyms: Sequence[str] = (),
    patient_ids: Sequence[str] = (),
    project: str | None = None,
    reason: str,
    actor: str | None = None,
) -> list[Left]:
    """Take back everything of these patients and let nothing of them in again.

    patient_ids: original ones; without a project they leave all, also those that do not exist yet.
    actor: None for the user of the system.

    Raises:
        Misconfigured: nobody goes by a pseudonym, there is no such project, or nothing says why or who.
        Unavailable: the database is held by another program.
    """
    who = signed(reason, actor)
    said = {"reason": who.reason, "person": who.actor, "account": who.account}
    keep(context)
    with context.engine.connect() as connection:
        persons = _persons(connection, context, pseudonyms, patient_ids, project)
    done: list[Left] = []
    for person in persons:  # each on their own: what a kill leaves out, the same command does
        with writing(context.engine) as connection:
            done += _leave(connection, context, person, said)
    try:
        with context.workspace.lock():
            recover(context)
    except Unavailable:  # a run has the workspace; recovery does this again behind it
        _remove(context)
    overwritten(context.engine)
    keep(context)
    return done


def preview(
    context: Context, *, pseudonyms: Sequence[str] = (), patient_ids: Sequence[str] = (), project: str | None = None
) -> list[Left]:
    """What `withdraw` would do.

    Raises:
        Misconfigured: nobody goes by a pseudonym, or there is no such project.
    """
    found: list[Left] = []
    with context.engine.connect() as connection:
        for person in _persons(connection, context, pseudonyms, patient_ids, project):
            for where, patient in person.patients:
                there = _there(connection, context, where, patient, person)
                again = not (there.objects or there.rows or _new(connection, where, there.digests))
                unknown = person.unknown.get(where, {})
                counts = len(there.objects), there.rows, None, there.releases
                found.append(Left(where, person.shown(where, patient), *counts, again=again, unknown_policies=unknown))
            if person.leaves_all:
                again = not _new(connection, EVERYWHERE, _everywhere(context, person))
                found.append(Left(EVERYWHERE, "", again=again, unknown_policies=person.unknown_anywhere))
    return found


def withdrawals(context: Context) -> list[Withdrawal]:
    """Every withdrawal in the order of the log. Confidential: a reason may name somebody."""
    with context.engine.connect() as connection:
        still = set(connection.execute(select(departures.c.event_index)).scalars())
        query = select(tombstones.c.event_index, tombstones.c.time, tombstones.c.project).distinct()
        found = []
        for index, time, project in connection.execute(query.order_by(tombstones.c.event_index)).all():
            details = audit.details_of(connection, index)
            objects, rows = int(details["objects"]), int(details["rows"])
            shown = audit.shown(connection, context.keyring, event=index)
            said = {each.field: each.opened[1] for each in shown if each.opened}
            who, why = said.get("person"), said.get("reason")
            unknown = tuple(filter(None, str(details.get(_UNKNOWN, "")).split(",")))
            found.append(Withdrawal(index, time, project, objects, rows, index in still, who, why, unknown))
    return found


def _persons(
    connection: Connection,
    context: Context,
    pseudonyms: Sequence[str],
    patient_ids: Sequence[str],
    project: str | None,
) -> list[_Person]:
    with closing(Bridges(context, connection)) as bridges:
        return _found(connection, context, pseudonyms, patient_ids, project, bridges)


def _found(
    connection: Connection,
    context: Context,
    pseudonyms: Sequence[str],
    patient_ids: Sequence[str],
    project: str | None,
    bridges: Bridges,
) -> list[_Person]:
    known = connection.execute(select(runs.c.project).distinct().order_by(runs.c.project)).scalars().all()
    if project is not None and project not in known:
        hint = "without a project, patients leave all, also those that come" if patient_ids else ""
        raise Misconfigured("nothing was ever run in this project", hint=hint)
    if not 0 < len(pseudonyms) + len(patient_ids) <= MOST_IDS:
        raise Misconfigured("nobody is named, or too many at once", hint="pseudonyms, or a file with --patient-ids")
    projects = known if project is None else [project]
    decided = {each: matching.in_force(context, each) for each in projects}
    found = []
    for number, pseudonym in enumerate(pseudonyms, 1):
        mine = (receipts.c.patient == pseudonym.upper()) & receipts.c.project.in_(projects)
        rows = connection.execute(select(receipts.c.project, receipts.c.patient).where(mine).distinct()).all()
        if not rows:
            hint = "an original id goes into a file, see --patient-ids"
            raise Misconfigured(f"nobody here goes by pseudonym number {number}", hint=hint)
        joined = {row.project: decided[row.project].joined(row.patient) for row in rows}
        named = [(where, each) for where, same in joined.items() for each in same]
        found.append(_bridged(connection, context, named, decided, bridges))
    by, unknown = {}, {}
    for each in projects if patient_ids else ():
        by[each], unknown[each] = bridging.pseudonymisers(context, connection, each)
    for patient_id in dict.fromkeys(patient_ids):
        ids, patients = {patient_id}, dict[tuple[str, str], None]()
        earlier = set[tuple[str, str]]()
        for each in projects:
            for epoch, pseudonymisers in by[each].items():
                keys = {pseudonymiser.key(patient_id): pseudonymiser for pseudonymiser in pseudonymisers}
                ids |= keys.keys() - {""}
                for own in (pseudonymiser.pseudonym(key) for key, pseudonymiser in keys.items() if key):
                    same = {(each, other): None for other in decided[each].joined(own)}
                    patients |= same
                    earlier |= same.keys() if epoch < max(by[each]) else set()
        person = _Person(list(patients), frozenset(ids), project is None, unknown, frozenset(earlier))
        found.append(person)
    return found


def _bridged(
    connection: Connection,
    context: Context,
    named: Sequence[tuple[str, str]],
    decided: Mapping[str, Matches],
    bridges: Bridges,
) -> _Person:
    """These pseudonyms of one person, and those of other epochs.

    Raises:
        Misconfigured: nobody can tell any more whom one of them is of, and the project has had several epochs.
    """
    found, ids, more = dict.fromkeys(named), set[str](), dict[tuple[str, str], Mapping[Of, set[str]]]()
    left = list(named)
    while left:
        project, patient = left.pop()
        if (bridge := bridges.to(project)) is None:
            continue
        told = bridge.of(patient)
        known = told.keys or told.ids or (project, patient) not in named
        if not known and not _has_left(connection, context, project, patient):
            hint = "name the patient by an original id instead, see --patient-ids"
            raise Misconfigured("nobody can tell who this is in other epochs of the keys", hint=hint)
        ids |= bridge.ids(told)
        more[project, patient] = {Of.STUDY: bridge.studies(told), Of.ACCESSION: bridge.accessions(told)}
        same = {each for epoch, derived in bridge.patients(told).items() for each in derived if epoch != told.epoch}
        new = sorted({(project, each) for other in same for each in decided[project].joined(other)} - found.keys())
        found |= dict.fromkeys(new)
        left += new
    return _Person(list(found), frozenset(ids), bridged=frozenset(found.keys() - set(named)), more=more)


def _has_left(connection: Connection, context: Context, project: str, patient: str) -> bool:
    return not _new(connection, project, [tombstone(context.keyring.tombstone_key(project), Of.PATIENT, patient)])


def _there(connection: Connection, context: Context, project: str, patient: str, person: _Person) -> _There:
    mine = (receipts.c.project == project) & (receipts.c.patient == patient)
    current = mine & receipts.c.superseded_by.is_(None)
    made_by = select(receipts.c.path, receipts.c.series, batches.c.run_id).join(
        batches, batches.c.batch_id == receipts.c.batch_id
    )
    there = connection.execute(made_by.where(current)).all()
    of_patient = (studies.c.project == project) & (studies.c.patient == patient)
    told = connection.execute(select(studies.c.sealed_known).where(of_patient)).scalars()
    ids = {*patient_ids_of(context.keyring.seal_of(SEALED_FOR), told), *person.ids}
    more = person.more.get((project, patient), {})
    alone = _alone(connection, project, patient)
    key = context.keyring.tombstone_key(project)
    known = {
        Of.PATIENT: {patient},
        Of.PATIENT_ID: ids,
        Of.STUDY: alone | more.get(Of.STUDY, set()),
        Of.ACCESSION: _orders(connection, project, alone) | more.get(Of.ACCESSION, set()),
    }
    digests = {tombstone(key, of, value) for of, values in known.items() for value in values}
    release = release_receipts.c.name, release_receipts.c.version
    ours = select(receipts.c.receipt_id).where(mine)
    counted = select(*release, func.count()).where(release_receipts.c.receipt_id.in_(ours)).group_by(*release)
    releases = {f"{name}@v{version}": count for name, version, count in connection.execute(counted.order_by(*release))}
    objects = {row.path: row.run_id for row in there if row.series}
    return _There(objects, len(there) - len(objects), digests, alone, releases)


def _alone(connection: Connection, project: str, patient: str) -> set[str]:
    """The studies of a patient that have no images of anybody else: a UID that two patients have, tells of neither."""
    mine = (receipts.c.project == project) & (receipts.c.patient == patient)
    theirs = set(connection.execute(select(receipts.c.study).where(mine).distinct()).scalars())
    of_project = (receipts.c.project == project) & (receipts.c.patient != patient)
    shared = {
        study
        for study in theirs
        if connection.execute(select(receipts.c.study).where(of_project, receipts.c.study == study).limit(1)).first()
    }
    return theirs - shared


def _orders(connection: Connection, project: str, alone: Collection[str]) -> set[str]:
    """Accession numbers, by their pseudonyms, of these studies and of no other."""
    of_project = accessions.c.project == project
    mine = connection.execute(select(accessions.c.accession).where(of_project, accessions.c.study.in_(alone))).scalars()
    orders = set(mine)
    others = select(accessions.c.accession).where(
        of_project, accessions.c.accession.in_(orders), accessions.c.study.not_in(alone)
    )
    return orders - set(connection.execute(others).scalars())


def _new(connection: Connection, project: str, digests: Collection[str]) -> set[str]:
    mine = (tombstones.c.project == project) & tombstones.c.digest.in_(digests)
    return set(digests) - set(connection.execute(select(tombstones.c.digest).where(mine)).scalars())


def _everywhere(context: Context, person: _Person) -> set[str]:
    return {tombstone(context.keyring.tombstone_key(EVERYWHERE), Of.PATIENT_ID, each) for each in person.ids}


def _leave(connection: Connection, context: Context, person: _Person, said: Mapping[str, str]) -> Iterator[Left]:
    for project, patient in person.patients:
        yield _leave_project(connection, context, project, patient, person, said)
    if person.leaves_all:
        new, unknown = _new(connection, EVERYWHERE, _everywhere(context, person)), person.unknown_anywhere
        if not new:
            yield Left(EVERYWHERE, "", again=True, unknown_policies=unknown)
            return
        subject = min(new)
        index, time = _log(connection, context, EVERYWHERE, subject, new, said, {"objects": 0, "rows": 0}, unknown)
        yield Left(EVERYWHERE, "", event=index, time=time, unknown_policies=unknown)


def _leave_project(
    connection: Connection, context: Context, project: str, patient: str, person: _Person, said: Mapping[str, str]
) -> Left:
    there, unknown = _there(connection, context, project, patient, person), person.unknown.get(project, {})
    shown = person.shown(project, patient)
    new = _new(connection, project, there.digests)
    if not (new or there.objects or there.rows):
        return Left(project, shown, releases=there.releases, again=True, unknown_policies=unknown)
    names = erasing.names(connection, context, project, [patient])
    counts = {"objects": len(there.objects), "rows": there.rows, "names": names, "releases": len(there.releases)}
    subject = tombstone(context.keyring.tombstone_key(project), Of.PATIENT, patient)
    mine = (receipts.c.project == project) & (receipts.c.patient == patient)
    gone = supersede(connection, mine, by=audit.size(connection))
    index, time = _log(connection, context, project, subject, new, said, {**counts, **gone}, unknown)
    declared = [{"path": path, "run_id": run_id} for path, run_id in there.objects.items()]
    if declared:
        connection.execute(upsert(connection, pending).on_conflict_do_nothing(), declared)
    erasing.forget(connection, project, patient, alone=there.alone)
    connection.execute(insert(departures).values(event_index=index, project=project, patient=patient))
    found = len(there.objects), there.rows, names, there.releases
    return Left(project, shown, *found, index, time, unknown_policies=unknown)


def _log(
    connection: Connection,
    context: Context,
    project: str,
    subject: str,
    new: Collection[str],
    said: Mapping[str, str],
    counts: Mapping[str, str | int],
    unknown: Collection[str],
) -> tuple[int, str]:
    """Append and sign the event, and set the tombstones; returns the event's index and time.

    The log goes to others: it names nobody, neither by a pseudonym nor who decided.
    """
    digests = sorted(new)
    details: dict[str, Any] = {**counts, "project": project}
    details |= {"tombstones": len(digests), "digest": audit.digest_of_tombstones(digests)}
    details |= {_UNKNOWN: ",".join(sorted(unknown))} if unknown else {}
    logged = event(WITHDRAWAL_EVENT, subject, **details)
    index = log_of_persons(connection, context, logged, said)
    rows = [{"project": project, "digest": each, "event_index": index, "time": logged.time} for each in digests]
    if rows:
        connection.execute(insert(tombstones), rows)
    return index, logged.time


def _remove(context: Context) -> None:
    """Delete files of who left while a run has the workspace. They stay declared, for whoever has it next."""
    with context.engine.connect() as connection:
        for row in erasing.begun(context, connection):
            mine = pending.c.path.startswith(f"{row.patient}/", autoescape=True)
            paths = connection.execute(select(pending.c.path).where(mine)).scalars().all()
            erasing.remove(context, row.project, row.patient, paths)
