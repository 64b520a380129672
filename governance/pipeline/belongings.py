"""What is of one person in a project: under which pseudonyms, which objects and rows, which studies.

An object is of whom the header of its source names, as its newest receipt has it, by the decisions in force: so it is
where a merge, a split or their undoing waits for its run. The person's own receipts of before, under whatever
pseudonym, are nobody else's.

A pseudonym of another policy is the person's too where the number that it stands for is, by the policy of the latest
run; or where all that was ever under it is. It is not where decisions alone led there.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, case, false, null, or_, select

from governance.database import batches, contains, receipts
from governance.datatypes import Confidential
from governance.errors import Misconfigured
from governance.patients import Matches
from governance.pipeline import matching

AT_ONCE = 500
"""Values of a statement."""
MOST_LEFT_OUT = 30_000
"""Values that a statement may leave out; SQLite takes 32,766."""

Alike = Callable[[str], Collection[str]]
"""All whose number a policy takes for that of a pseudonym, it too; nobody where its number tells nobody."""


def nobody_tells(_patient: str) -> Collection[str]:
    """An `Alike` of where no policy is asked."""
    return ()


class _Receipt(NamedTuple):
    current: bool
    event: int
    number: int
    """In its batch: of all receipts of a source the last in this order is the newest."""
    patient: str
    study: str
    digest: str
    path: str
    is_row: bool
    run_id: str
    named: str
    """Whom the header names."""


@dataclass(frozen=True, slots=True, repr=False)
class Belongings(Confidential):
    """What is of one person in a project. patients: their pseudonyms, what they were named by first."""

    patients: tuple[str, ...]
    decided: Matches
    found: tuple[_Receipt, ...]
    """All receipts of the studies that any of these is in."""
    owners: dict[str, str]
    """By digest of a source: whose it is, of all in `found`."""
    left: frozenset[str] = frozenset()
    """Others who had left before, so far as it was asked."""

    @property
    def others(self) -> set[str]:
        """Whose else there is something in the same studies."""
        return set(self.owners.values()) - {*self.patients}

    @property
    def theirs(self) -> Iterator[_Receipt]:
        """All receipts of what is of the person, also those that are superseded."""
        return (each for each in self.found if self.owners[each.digest] in self.patients)

    @property
    def studies(self) -> set[str]:
        """Of which something is of the person."""
        return {each.study for each in self.theirs}

    @property
    def alone(self) -> set[str]:
        """Studies that have nothing of anybody else who is here: a UID that two patients have, tells of neither."""
        here = self.others - self.left
        return self.studies - {each.study for each in self.found if self.owners[each.digest] in here}

    @property
    def named(self) -> set[str]:
        """All whom headers name of what is of the person; they may be others."""
        return {each.named for each in self.theirs}

    @property
    def places(self) -> set[str]:
        """All under whose pseudonyms something of the person lies or lay."""
        return {*self.patients, *(each.patient for each in self.theirs)}

    @property
    def digests_left(self) -> set[str]:
        """Digests of the person's sources of which nothing is current."""
        mine = list(self.theirs)
        return {each.digest for each in mine} - {each.digest for each in mine if each.current}

    def objects(self, patient: str) -> dict[str, str]:
        """Paths of what is curated of one of the pseudonyms, and the runs that made it."""
        return {each.path: each.run_id for each in self._current(patient) if not each.is_row}

    def rows(self, patient: str) -> int:
        """How many are published."""
        return sum(each.is_row for each in self._current(patient))

    def is_theirs(self, named: str, study: str) -> bool:
        """Whether what headers tell of a study that name this one is of the person."""
        return self.decided.of(named, study).patient in self.patients

    def receipts(self, project: str, patient: str) -> ColumnElement[bool]:
        """The receipts of what is of one of the pseudonyms, also those that are superseded."""
        kinds: dict[str, dict[str, set[bool]]] = {}  # by patient and study: whether receipts are of it
        mixed: dict[tuple[str, str], set[str]] = {}
        for each in self.found:
            mine = self.owners[each.digest] == patient
            kinds.setdefault(each.patient, {}).setdefault(each.study, set()).add(mine)
            if mine:
                mixed.setdefault((each.patient, each.study), set()).add(each.digest)
        terms: list[ColumnElement[bool]] = []
        whole, _ = self.decided.met(self.patients)
        for place, of_studies in kinds.items():
            here = receipts.c.patient == place
            if place in whole and set().union(*of_studies.values()) == {True}:
                terms.append(here)
                continue
            pure = sorted(study for study, mine in of_studies.items() if mine == {True})
            terms += [here & receipts.c.study.in_(some) for some in parts(pure)]
            both = sorted({each for study, mine in of_studies.items() if len(mine) > 1 for each in mixed[place, study]})
            terms += [here & receipts.c.source_digest.in_(some) for some in parts(both)]
        return (receipts.c.project == project) & (or_(*terms) if terms else false())

    def _current(self, patient: str) -> Iterator[_Receipt]:
        return (each for each in self.found if each.current and self.owners[each.digest] == patient)


def of_person(
    connection: Connection,
    project: str,
    decided: Matches,
    patients: Iterable[str],
    *,
    alike: Alike = nobody_tells,
    refuse_several: bool = False,
) -> Belongings:
    """What is of the person of whom these are pseudonyms. refuse_several: where they had become those of several.

    Raises:
        Misconfigured: they had, and it is to be refused.
    """
    mine = dict.fromkeys(each for patient in patients for each in decided.joined(patient))
    found: set[_Receipt] = set()
    seen_patients, seen_studies = set[str](), set[str]()
    while True:
        whole, split = decided.met(mine)
        found.update(_of_patients(connection, project, decided, whole - seen_patients))
        found.update(_of_studies(connection, project, decided, split - seen_studies))
        seen_patients, seen_studies = seen_patients | whole, seen_studies | split
        newest = {each.digest: each for each in sorted(found)}
        owners = {digest: decided.of(each.named, each.study).patient for digest, each in newest.items()}
        more = {each for patient in mine for each in alike(patient)}
        more |= _former(connection, project, mine, found, newest, owners, decided)
        if not any(owner in mine for owner in owners.values()):
            more |= _became(mine, found, owners, decided, refuse_several=refuse_several)
        new = {same: None for patient in sorted(more) for same in decided.joined(patient) if same not in mine}
        if not new:
            return Belongings(tuple(mine), decided, tuple(sorted(found)), owners)
        mine |= new


def _former(
    connection: Connection,
    project: str,
    mine: Collection[str],
    found: Collection[_Receipt],
    newest: dict[str, _Receipt],
    owners: dict[str, str],
    decided: Matches,
) -> set[str]:
    """Whom headers named, by an earlier policy, of what is of the person, if that was nobody else."""
    theirs = [each for each in found if owners[each.digest] in mine]
    former = {each.named for each in theirs if each.named != newest[each.digest].named} - {*mine}
    former = {each for each in former if len(decided.joined(each)) == 1}  # else it is of somebody by a decision
    return {each for each in former if _is_alone(connection, project, each, mine, found, owners)}


def _is_alone(
    connection: Connection,
    project: str,
    patient: str,
    mine: Collection[str],
    found: Collection[_Receipt],
    owners: dict[str, str],
) -> bool:
    """Whether all that was ever under a pseudonym is of the person."""
    if any(owners[each.digest] not in mine for each in found if patient in (each.patient, each.named)):
        return False
    known = sorted({each.study for each in found})
    if len(known) > MOST_LEFT_OUT:
        return False
    of_patient = (receipts.c.project == project) & (receipts.c.patient == patient)
    others = select(receipts.c.study).where(of_patient, receipts.c.study.not_in(known)).limit(1)
    return connection.execute(others).first() is None


def _became(
    mine: Collection[str],
    found: Collection[_Receipt],
    owners: dict[str, str],
    decided: Matches,
    *,
    refuse_several: bool,
) -> set[str]:
    """Whose all that was under these pseudonyms is by now, if that is one person.

    Raises:
        Misconfigured: it is of several, and that is to be refused.
    """
    now = {owners[each.digest] for each in found if each.patient in mine or each.named in mine}
    persons = {frozenset(decided.joined(each)) for each in now}
    if len(persons) > 1 and refuse_several:
        hint = f"name whom you mean: {', '.join(sorted(now))}"
        raise Misconfigured("a pseudonym of before is of several patients by now", hint=hint)
    return now if len(persons) == 1 else set()


def _of_patients(
    connection: Connection, project: str, decided: Matches, patients: Collection[str]
) -> Iterator[_Receipt]:
    """All receipts of the studies that these have something of."""
    of_project = receipts.c.project == project
    for some in parts(sorted(patients)):
        of_these = select(receipts.c.study).where(of_project, receipts.c.patient.in_(some))
        yield from _asked(connection, decided, of_project & receipts.c.study.in_(of_these))


def _of_studies(connection: Connection, project: str, decided: Matches, studies: Collection[str]) -> Iterator[_Receipt]:
    for some in parts(sorted(studies)):
        yield from _asked(connection, decided, (receipts.c.project == project) & receipts.c.study.in_(some))


def _asked(connection: Connection, decided: Matches, these: ColumnElement[bool]) -> Iterator[_Receipt]:
    matched = contains(receipts.c.body, matching.MATCHED.encode())
    query = select(
        receipts.c.superseded_by.is_(None),
        batches.c.event_index,
        receipts.c.batch_index,
        receipts.c.patient,
        receipts.c.study,
        receipts.c.source_digest,
        receipts.c.path,
        receipts.c.series == "",
        batches.c.run_id,
        case((matched, receipts.c.body)) if decided else null(),
    ).join(batches, batches.c.batch_id == receipts.c.batch_id)
    for current, event, number, patient, study, digest, path, is_row, run_id, body in connection.execute(
        query.where(these)
    ):
        named = patient if body is None else matching.named_in(decided, json.loads(body))
        yield _Receipt(current, event, number, patient, study, digest, path, is_row, run_id, named)


def parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many as a statement takes."""
    yield from (values[at : at + AT_ONCE] for at in range(0, len(values), AT_ONCE))
