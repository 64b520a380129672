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
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, func, insert, select

from governance import audit
from governance.database import (
    accessions,
    departures,
    overwritten,
    pending,
    receipts,
    release_receipts,
    studies,
    tombstones,
    upsert,
    writing,
)
from governance.datatypes import WITHDRAWAL_EVENT, Confidential
from governance.errors import Unavailable
from governance.pipeline import erasing
from governance.pipeline.belongings import Belongings, of_person, parts
from governance.pipeline.context import Context, event, log_of_persons
from governance.pipeline.continuing import keep
from governance.pipeline.leaving import EVERYWHERE, Of, tombstone
from governance.pipeline.recording import supersede
from governance.pipeline.recovery import recover
from governance.pipeline.rulings import signed
from governance.pipeline.studies import SEALED_FOR, key_of
from governance.pipeline.whom import Person, Whom

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


@dataclass(slots=True, repr=False)
class _There(Confidential):
    """What there is of one person in one project."""

    belongings: Belongings
    told: dict[str, set[str]]
    """What images told of studies: by study, whom their headers name."""
    digests: dict[str, set[str]]
    """Tombstones by pseudonyms; what is of no single one stands with the first."""
    releases: dict[str, dict[str, int]]


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

    patient_ids: original ones, each alone or behind who issued it and a tab; without a project they leave all, also
    those that do not exist yet.
    actor: None for the user of the system.

    Raises:
        Misconfigured: nobody goes by a pseudonym, an id is that of several by who issued it, there is no such project,
        or nothing says why or who.
        Unavailable: the database is held by another program.
    """
    who = signed(reason, actor)
    said = {"reason": who.reason, "person": who.actor, "account": who.account}
    keep(context)
    done: list[Left] = []
    with closing(Whom(context, project)) as whom:
        asked = whom.asked(pseudonyms, patient_ids)
        with context.engine.connect() as connection:  # who is nobody, is so before anybody leaves
            for number, each in enumerate(asked, 1):
                _refuse_several(connection, context, whom, whom.person(connection, each, number=number))
        for number, each in enumerate(asked, 1):  # each on their own: what a kill leaves out, the same command does
            with writing(context.engine) as connection:
                # Asked again: a run of another project, or a decision, may have come.
                person = whom.person(connection, each, number=number)
                done += _leave(connection, context, whom, person, said)
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
    with closing(Whom(context, project)) as whom, context.engine.connect() as connection:
        for number, each in enumerate(whom.asked(pseudonyms, patient_ids), 1):
            person = whom.person(connection, each, number=number)
            for where, patients in person.patients.items():
                there = _there(connection, context, whom, person, where, patients)
                found += [_would(connection, person, there, where, patient) for patient in there.belongings.patients]
            if person.leaves_all:
                again = not _new(connection, EVERYWHERE, _everywhere(context, person))
                found.append(Left(EVERYWHERE, "", again=again, unknown_policies=person.unknown_anywhere))
    return found


def _would(connection: Connection, person: Person, there: _There, project: str, patient: str) -> Left:
    objects, rows = len(there.belongings.objects(patient)), there.belongings.rows(patient)
    again = not (objects or rows or _new(connection, project, there.digests[patient]))
    found = person.shown(project, patient), objects, rows, None, there.releases[patient]
    return Left(project, *found, again=again, unknown_policies=person.unknown.get(project, {}))


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


def _refuse_several(connection: Connection, context: Context, whom: Whom, person: Person) -> None:
    """Let pass who is one person.

    Raises:
        Misconfigured: what was under a pseudonym is of several by now.
    """
    if person.by_pseudonym:
        for project, patients in person.patients.items():
            _belongings(connection, context, whom, person, project, patients)


def _belongings(
    connection: Connection, context: Context, whom: Whom, person: Person, project: str, patients: Collection[str]
) -> Belongings:
    decided, alike = whom.decided(connection, project), whom.alike(connection, project)
    found = of_person(connection, project, decided, patients, alike=alike, refuse_several=person.by_pseudonym)
    key, left = context.keyring.tombstone_key(project), set[str]()
    for some in parts(sorted(found.others)):
        digests = {tombstone(key, Of.PATIENT, each): each for each in some}
        left |= {digests[each] for each in digests.keys() - _new(connection, project, digests)}
    return replace(found, left=frozenset(left))


def _there(
    connection: Connection, context: Context, whom: Whom, person: Person, project: str, patients: Collection[str]
) -> _There:
    found = _belongings(connection, context, whom, person, project, patients)
    key = context.keyring.tombstone_key(project)
    more = person.more.get(project, {})
    known = {
        Of.PATIENT_ID: {*_ids(connection, context, whom, found, project), *person.ids.get(project, ())},
        Of.STUDY: {*found.alone, *more.get(Of.STUDY, ())},
        Of.ACCESSION: {*_orders(connection, project, found.alone), *more.get(Of.ACCESSION, ())},
    }
    digests = {each: {tombstone(key, Of.PATIENT, each)} for each in found.patients}
    for of, values in known.items():
        for patient in found.patients[:1]:
            digests[patient] |= {tombstone(key, of, value) for value in values}
    release = release_receipts.c.name, release_receipts.c.version
    releases = {}
    for patient in found.patients:
        ours = select(receipts.c.receipt_id).where(found.receipts(project, patient))
        counted = select(*release, func.count()).where(release_receipts.c.receipt_id.in_(ours)).group_by(*release)
        rows = connection.execute(counted.order_by(*release)).all()
        releases[patient] = {f"{name}@v{version}": count for name, version, count in rows}
    return _There(found, _told(connection, found, project), digests, releases)


def _ids(connection: Connection, context: Context, whom: Whom, found: Belongings, project: str) -> Iterator[str]:
    """What keys the person by the headers. Of a pseudonym of before it counts as long as it keys the person still."""
    seal, alike = context.keyring.seal_of(SEALED_FOR), whom.alike(connection, project)
    newest = {each.named for each in found.theirs if each.current} | {found.patients[0]}
    for patient in found.patients:
        key = key_of(connection, seal, project, patient)
        if key and (patient in newest or alike(patient)):
            yield key


def _told(connection: Connection, found: Belongings, project: str) -> dict[str, set[str]]:
    """What images told of studies that is the person's."""
    columns, of_project = (studies.c.study, studies.c.patient), studies.c.project == project
    rows = [*connection.execute(select(*columns).where(of_project, studies.c.patient.in_(found.patients)))]
    for some in parts(sorted(found.studies)):
        rows += connection.execute(select(*columns).where(of_project, studies.c.study.in_(some)))
    told: dict[str, set[str]] = {}
    alone = found.alone
    for study, named in rows:
        if study in alone or found.is_theirs(named, study):
            told.setdefault(study, set()).add(named)
    return told


def _orders(connection: Connection, project: str, alone: Collection[str]) -> set[str]:
    """Accession numbers, by their pseudonyms, of these studies and of no other."""
    of_project = accessions.c.project == project
    orders, others = set[str](), set[str]()
    for some in parts(sorted(alone)):
        mine = select(accessions.c.accession).where(of_project, accessions.c.study.in_(some))
        orders.update(connection.execute(mine).scalars())
    for some in parts(sorted(orders)):
        of_these = select(accessions.c.accession, accessions.c.study).where(
            of_project, accessions.c.accession.in_(some)
        )
        others.update(order for order, study in connection.execute(of_these) if study not in alone)
    return orders - others


def _new(connection: Connection, project: str, digests: Collection[str]) -> set[str]:
    mine = (tombstones.c.project == project) & tombstones.c.digest.in_(digests)
    return set(digests) - set(connection.execute(select(tombstones.c.digest).where(mine)).scalars())


def _everywhere(context: Context, person: Person) -> set[str]:
    key = context.keyring.tombstone_key(EVERYWHERE)
    return {tombstone(key, Of.PATIENT_ID, each) for each in person.ids.get(EVERYWHERE, ())}


def _leave(
    connection: Connection, context: Context, whom: Whom, person: Person, said: Mapping[str, str]
) -> Iterator[Left]:
    for project, patients in person.patients.items():
        there = _there(connection, context, whom, person, project, patients)
        patients = there.belongings.patients
        left = [_leave_as(connection, context, project, person, there, patient, said) for patient in patients]
        if not all(each.again for each in left):
            erasing.forget(connection, project, there.belongings, told=there.told)
        yield from left
    if person.leaves_all:
        new = _new(connection, EVERYWHERE, _everywhere(context, person))
        unknown = person.unknown_anywhere
        if not new:
            yield Left(EVERYWHERE, "", again=True, unknown_policies=unknown)
            return
        subject = min(new)
        index, time = _log(connection, context, EVERYWHERE, subject, new, said, {"objects": 0, "rows": 0}, unknown)
        yield Left(EVERYWHERE, "", event=index, time=time, unknown_policies=unknown)


def _leave_as(
    connection: Connection,
    context: Context,
    project: str,
    person: Person,
    there: _There,
    patient: str,
    said: Mapping[str, str],
) -> Left:
    """Take back what is of one of a person's pseudonyms."""
    shown, unknown = person.shown(project, patient), person.unknown.get(project, {})
    objects, rows = there.belongings.objects(patient), there.belongings.rows(patient)
    new, releases = _new(connection, project, there.digests[patient]), there.releases[patient]
    if not (new or objects or rows):
        return Left(project, shown, releases=releases, again=True, unknown_policies=unknown)
    mine = there.belongings.receipts(project, patient)
    names = erasing.names(connection, context, project, mine)
    counts = {"objects": len(objects), "rows": rows, "names": names, "releases": len(releases)}
    subject = tombstone(context.keyring.tombstone_key(project), Of.PATIENT, patient)
    gone = supersede(connection, mine, by=audit.size(connection))
    index, time = _log(connection, context, project, subject, new, said, {**counts, **gone}, unknown)
    declared = [{"path": path, "run_id": run_id} for path, run_id in objects.items()]
    if declared:
        connection.execute(upsert(connection, pending).on_conflict_do_nothing(), declared)
    connection.execute(insert(departures).values(event_index=index, project=project, patient=patient))
    return Left(project, shown, len(objects), rows, names, releases, index, time, unknown_policies=unknown)


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
            theirs = erasing.of_departed(connection, context, row)
            mine = theirs.receipts(row.project, row.patient) & (receipts.c.superseded_by == row.event_index)
            # Where a commit is about to record it, there is no receipt yet.
            its = pending.c.path.startswith(f"{row.patient}/", autoescape=True)
            declared = select(pending.c.path).where(its | pending.c.path.in_(select(receipts.c.path).where(mine)))
            # Folders of others are a run's, which may be about to put something there.
            erasing.remove(context, theirs, [row.patient], connection.execute(declared).scalars().all())
