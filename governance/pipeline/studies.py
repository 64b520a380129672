"""What images tell of their studies, kept for the rows of tables about these, and found again by their keys.

A row names its study by its UID, which has a pseudonym, or by an accession number, of which the database keeps the
pseudonym, a keyed digest. What identifies in the images of a study lies sealed beside it: a report about the patient
is searched for all of it, and further images of the patient for its names and numbers.

A study is kept under the pseudonym of whom its headers name. Whose it is by the decisions of stewards (`matching`) is
found when it is asked for, so that a decision, or taking it back, changes no row.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from blake3 import blake3
from sqlalchemy import Connection, Engine, bindparam, func, insert, select, update

from governance.database import Question, accessions, persons, receipts, studies, upsert
from governance.datatypes import Confidential, Identifiers
from governance.detect import identifiers
from governance.errors import Refused
from governance.keys import ProjectKeys, Seal
from governance.patients import Matches
from governance.pipeline.context import Context
from governance.pseudonymise import Pseudonymiser, Subject
from governance.rows import Role, Study

MOST_TOLD = 20_000
"""Studies of which a worker remembers what it told."""
MOST_PATIENTS = 1_000
"""Patients whose identifiers are held at one time."""
MOST_NAMES, MOST_NUMBERS = 60, 2_000
"""Of one patient; more are those of a phantom, or of all whose id nobody knew, and are taken from no other study."""
SEALED_FOR = "study"
"""What the identifiers of studies are sealed for."""

KNOWN = "known_of_patient"
"""What a receipt calls the digest of what other studies told."""

ABSENT = "no image of its study is curated in this project"
AGAIN = "run the table again when there is one"

_Found = dict[tuple[str, str], list[tuple[str, bytes]]]
"""What is sealed of studies, by patient and study, each with whom its headers name."""
_Told = dict[int, Identifiers]
"""What images told of a study, by the index of the event in the log behind which it is known."""
_PARTS = ("names", "numbers", "dates", "ages", "patient")


@dataclass(frozen=True, slots=True, repr=False)
class Known(Confidential):
    """What one image tells of its study. UIDs are left out: every UID in a text is found by its form."""

    patient: str
    """By its header, and `patient_id` is what keys that one: whatever stewards decided."""
    study: str
    patient_id: str
    accession: str
    """Its pseudonym, or empty."""
    found: Identifiers
    about: frozenset[tuple[str, str]] = frozenset()
    """Digests of what it says of the patient."""


class Telling(Confidential):
    """What a worker has told of studies, so that a series tells it once."""

    def __init__(self, by: Pseudonymiser) -> None:
        self._by = by
        self._told: dict[tuple[str, str], tuple[Identifiers, frozenset[str], frozenset[tuple[str, str]]]] = {}

    def news(self, subject: Subject, accession: str, found: Identifiers) -> Known | None:
        """What an image tells that none of its study did before it; None if nothing."""
        found = replace(found, uids=frozenset())
        key, pseudonym = (subject.own, subject.study), self._by.accession(accession)
        told, numbers, about = self._told.get(key, (Identifiers(), frozenset(), frozenset()))
        both = identifiers.joined(told, found)
        if key in self._told and both == told and pseudonym in numbers and subject.about <= about:
            return None
        if len(self._told) >= MOST_TOLD:
            self._told.clear()
        self._told[key] = both, numbers | {pseudonym}, about | subject.about
        return Known(subject.own, subject.study, subject.own_id, pseudonym, both, subject.about)


def record(connection: Connection, seal: Seal, project: str, told: Iterable[Known], *, event: int) -> None:
    """Add what images told to what is known already. event: the index of the one that says so in the log."""
    for known in told:
        key = {"project": project, "study": known.study, "patient": known.patient}
        mine = (studies.c.project == project) & (studies.c.study == known.study) & (studies.c.patient == known.patient)
        row = connection.execute(select(studies.c.sealed_known).where(mine)).first()
        before = {} if row is None else _unseal(seal, row.sealed_known)[1]
        news = identifiers.less(known.found, identifiers.joined(*before.values()))
        if row is None or news != Identifiers():
            after = before | {event: identifiers.joined(before.get(event, Identifiers()), news)}
            change = insert(studies).values(key) if row is None else update(studies).where(mine)
            connection.execute(change.values(sealed_known=_seal(seal, known.patient_id, after)))
        if known.about:
            said = [key | {"kind": kind, "digest": digest} for kind, digest in sorted(known.about)]
            connection.execute(upsert(connection, persons).on_conflict_do_nothing(), said)
        if known.accession:
            link = {"project": project, "accession": known.accession, "study": known.study}
            connection.execute(upsert(connection, accessions).values(link).on_conflict_do_nothing())


def key_of(connection: Connection, seal: Seal, project: str, patient: str) -> str:
    """What keys a patient whom headers name; empty for none."""
    mine = (studies.c.project == project) & (studies.c.patient == patient)
    sealed = connection.execute(select(studies.c.sealed_known).where(mine).limit(1)).scalar()
    return "" if sealed is None else _unseal(seal, sealed)[0]


def _seal(seal: Seal, patient_id: str, told: _Told) -> bytes:
    at = {event: {part: sorted(getattr(found, part)) for part in _PARTS} for event, found in told.items()}
    return seal.close(json.dumps({"patient_id": patient_id, "told": at}))


def _unseal(seal: Seal, sealed: bytes) -> tuple[str, _Told]:
    said = json.loads(seal.open(sealed))
    patient_id = said.pop("patient_id")
    # An earlier version said neither when it was told nor which names are the patient's.
    at = said.pop("told", {"0": said | {"patient": said.get("names", ())}})
    return patient_id, {
        int(event): Identifiers(**{part: frozenset(values) for part, values in found.items()})
        for event, found in at.items()
    }


def key_in(seal: Seal, sealed: bytes) -> str:
    """What keys the patient of a study."""
    return _unseal(seal, sealed)[0]


def retold(seal: Seal, sealed: bytes, *, event: int) -> bytes:
    """What was told of a study, as if one event had told all of it."""
    patient_id, told = _unseal(seal, sealed)
    return _seal(seal, patient_id, {event: identifiers.joined(*told.values())})


@dataclass(frozen=True, slots=True, repr=False)
class Elsewhere(Confidential):
    """Names and numbers that other studies of a patient told, and a keyed digest of them, empty for none."""

    found: Identifiers = field(default_factory=Identifiers)
    digest: str = ""


Ask = Callable[[str, str], Elsewhere]
"""Of the pseudonyms of a patient and a study: what the patient's other studies told."""


def nothing_told(patient: str, study: str) -> Elsewhere:
    """An `Ask` of where there are no other studies."""
    return Elsewhere()


class Others(Confidential):
    """What other studies of a patient had told when the log had a number of events.

    So it is the same to the end of the work that began then, in whatever order images come, and work that begins later
    never knows less. Only the patient's names count, and numbers with five digits: the staff of another study are
    words here. So do not dates and ages: in texts they are found by their form, and moved ones are days of others.
    """

    def __init__(
        self, engine: Engine, seal: Seal, *, keys: ProjectKeys, until: int, matches: Matches | None = None
    ) -> None:
        self._seal, self._keys, self._until, self.matches = seal, keys, until, matches or Matches()
        self._of_patient = Question(
            engine,
            select(studies.c.study, studies.c.sealed_known).where(
                studies.c.project == keys.project, studies.c.patient == bindparam("patient")
            ),
        )
        self._studies = lru_cache(MOST_PATIENTS)(self._told)
        self.of = lru_cache(MOST_PATIENTS)(self._of)

    def close(self) -> None:
        """Give its connection back."""
        self._of_patient.close()

    def _of(self, patient: str, study: str) -> Elsewhere:
        """What studies of a patient besides one told."""
        told = self._studies(patient)
        found = identifiers.joined(*(each for other, each in told.items() if other != study))
        if not found.names and not found.numbers:
            return Elsewhere()
        said = json.dumps([patient, sorted(found.names), sorted(found.numbers)]).encode()
        return Elsewhere(found, blake3(b"elsewhere\0" + said, key=self._keys.digest).hexdigest())

    def _told(self, patient: str) -> dict[str, Identifiers]:
        """What each study of a patient told; nothing where that is too much for one."""
        told: dict[str, Identifiers] = {}
        all_of_them = Identifiers()
        for study, sealed in _of_patient(self._of_patient, self.matches, patient):
            at = _unseal(self._seal, sealed)[1]
            found = identifiers.joined(*(each for event, each in at.items() if event < self._until))
            told[study] = identifiers.joined(told.get(study, Identifiers()), identifiers.of_person(found))
            all_of_them = identifiers.joined(all_of_them, told[study])
            if len(all_of_them.names) > MOST_NAMES or len(all_of_them.numbers) > MOST_NUMBERS:
                return {}
        return told


def _of_patient(of_named: Question, matches: Matches, patient: str) -> Iterator[tuple[str, bytes]]:
    """Studies of a patient and what is sealed of each. of_named: those of whom headers name."""
    for named in matches.leading_to(patient):
        for study, sealed in of_named.all(patient=named):
            if matches.of(named, study).patient == patient:
                yield study, sealed


def outdated(connection: Connection, others: Others, project: str) -> int:
    """How many images of a project were made when other studies of their patients had not told all that they have."""
    of_project = studies.c.project == project
    several = select(studies.c.patient).where(of_project).group_by(studies.c.patient).having(func.count() > 1)
    moved = studies.c.patient.in_(others.matches.patients | others.matches.targets)
    current = (receipts.c.project == project) & receipts.c.superseded_by.is_(None) & (receipts.c.series != "")
    count = 0
    named = select(studies.c.patient, studies.c.study).where(of_project, studies.c.patient.in_(several) | moved)
    of_studies = {(others.matches.of(*each).patient, each.study) for each in connection.execute(named).all()}
    for patient, study in sorted(of_studies):
        digest = others.of(patient, study).digest.encode()
        mine = current & (receipts.c.patient == patient) & (receipts.c.study == study)
        bodies = connection.execute(select(receipts.c.body).where(mine)).scalars()
        count += sum(digest not in body if digest else KNOWN.encode() in body for body in bodies)
    return count


def knew(receipt: Mapping[str, Any]) -> str:
    """The digest of what other studies had told when the object of a receipt was made, or empty."""
    return next((str(step["parameters"].get(KNOWN, "")) for step in receipt["steps"] if step["name"] == "header"), "")


class Studies(Confidential):
    """The studies of which something is curated in a project, for the rows of one shard."""

    def __init__(self, context: Context, project: str, by: Pseudonymiser) -> None:
        self._by = by
        self._seal = context.keyring.seal_of(SEALED_FOR)
        of_study = studies.c.project == project
        current = (receipts.c.project == project) & receipts.c.superseded_by.is_(None)
        images = current & (receipts.c.study == bindparam("study")) & (receipts.c.patient == bindparam("patient"))
        there = select(receipts.c.path).where(images, receipts.c.series != "").limit(1)  # rows have no series
        self._there = Question(context.engine, there)
        self._by_study = Question(
            context.engine,
            select(studies.c.patient, studies.c.study, studies.c.sealed_known).where(
                of_study, studies.c.study == bindparam("key")
            ),
        )
        of_orders = accessions.c.project == project
        self._of_accession = Question(  # one step of two, so that nothing walks through all studies of a project
            context.engine,
            select(accessions.c.study).where(of_orders, accessions.c.accession == bindparam("accession")),
        )
        self._accessions = Question(
            context.engine, select(accessions.c.accession).where(of_orders, accessions.c.study == bindparam("study"))
        )
        self._of_patient = Question(
            context.engine,
            select(studies.c.study, studies.c.sealed_known).where(of_study, studies.c.patient == bindparam("patient")),
        )
        self.known = lru_cache(MOST_PATIENTS)(self._known)

    def close(self) -> None:
        """Give its connections back."""
        for question in (self._by_study, self._there, self._of_accession, self._accessions, self._of_patient):
            question.close()

    def of(self, roles: Mapping[Role, str]) -> Study:
        """The one study that a row is about.

        Raises:
            Refused: nothing of it is curated, its keys lead to several, or are of another patient.
        """
        found, by = self._of_keys(roles)
        if not found:
            raise Refused(ABSENT, hint=AGAIN)
        if Role.PATIENT_ID in roles:
            by.append(Role.PATIENT_ID)
            found = {each: told for each, told in found.items() if self._is_of(roles[Role.PATIENT_ID], each, told)}
            if not found:
                raise Refused("its patient id is not that of the images of its study", hint="check the table")
        if len(found) > 1:
            raise Refused("its key is that of several studies", hint="name the study by its UID, and give patient ids")
        ((patient, study), ((named, sealed), *_)), *_ = found.items()
        resolved = self._by.matches.of(named, study)
        own_id = _unseal(self._seal, sealed)[0]
        return Study(patient, study, resolved.key or own_id, tuple(by), resolved.by, named, own_id)

    def _is_of(self, number: str, of: tuple[str, str], told: list[tuple[str, bytes]]) -> bool:
        own_ids = (_unseal(self._seal, sealed)[0] for _, sealed in told)
        return any(self._by.is_of(number, patient=of[0], study=of[1], own_id=own_id) for own_id in own_ids)

    def _of_keys(self, roles: Mapping[Role, str]) -> tuple[_Found, list[Role]]:
        """Patient and study of all that the study UID and the accession number of a row lead to; and what led there.

        Where no image of the study tells an accession number, that of the row is no second key.
        """
        uid, number = roles.get(Role.STUDY_UID), roles.get(Role.ACCESSION)
        if uid is None and number is None:
            raise Refused("a row with neither an accession number nor a study UID")
        by_uid = self._found(self._by.study(uid)) if uid else {}
        if uid and (number is None or not by_uid):
            return by_uid, [Role.STUDY_UID]
        several = self._of_accession.all(accession=self._by.accession(number or ""))
        by_number = self._found(*(study for (study,) in several))
        if not uid:
            return by_number, [Role.ACCESSION]
        both = {each: told for each, told in by_number.items() if each in by_uid}
        if by_number and not both:
            raise Refused("its accession number and its study UID are of different studies")
        if not both and any(self._accessions.all(study=study) for _, study in by_uid):
            raise Refused("its accession number is not that of the images of its study", hint="check the table")
        return (both, [Role.STUDY_UID, Role.ACCESSION]) if both else (by_uid, [Role.STUDY_UID])

    def _found(self, *keys: str) -> _Found:
        found: _Found = {}
        for named, study, sealed in (row for key in keys for row in self._by_study.all(key=key)):
            patient = self._by.matches.of(named, study).patient
            if self._there.first(patient=patient, study=study) is not None:
                found.setdefault((patient, study), []).append((named, sealed))
        return found

    def _known(self, patient: str) -> Identifiers:
        """What identifies in the images of all studies of a patient."""
        rows = _of_patient(self._of_patient, self._by.matches, patient)
        told = (_unseal(self._seal, sealed)[1] for _, sealed in rows)
        return identifiers.joined(*(found for runs in told for found in runs.values()))
