"""What images tell of their studies, kept for the rows of tables about these, and found again by their keys.

A row names its study by its UID, which has a pseudonym, or by an accession number, of which the database keeps the
pseudonym, a keyed digest. What identifies in the images of a study lies sealed beside it: a report about the patient
is searched for all of it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from governance.database import Question, accessions, receipts, studies
from governance.datatypes import Confidential, Identifiers
from governance.detect import identifiers
from governance.errors import Refused
from governance.keys import Keyring
from governance.pipeline.context import Context
from governance.pseudonymise import Pseudonymiser, Subject
from governance.rows import Role, Study

MOST_TOLD = 20_000
"""Studies of which a worker remembers what it told."""
MOST_PATIENTS = 1_000
"""Patients whose identifiers are held at one time."""

ABSENT = "no image of its study is curated in this project"
AGAIN = "run the table again when there is one"

_Found = dict[tuple[str, str], bytes]
"""What is sealed of studies, by patient and study."""


@dataclass(frozen=True, slots=True, repr=False)
class Known(Confidential):
    """What one image tells of its study. UIDs are left out: every UID in a text is found by its form."""

    patient: str
    study: str
    patient_id: str
    accession: str
    """Its pseudonym, or empty."""
    found: Identifiers


class Telling(Confidential):
    """What a worker has told of studies, so that a series tells it once."""

    def __init__(self, by: Pseudonymiser) -> None:
        self._by = by
        self._told: dict[tuple[str, str], tuple[Identifiers, frozenset[str]]] = {}

    def news(self, subject: Subject, accession: str, found: Identifiers) -> Known | None:
        """What an image tells that none of its study did before it; None if nothing."""
        found = replace(found, uids=frozenset())
        key, pseudonym = (subject.patient, subject.study), self._by.accession(accession)
        told, numbers = self._told.get(key, (Identifiers(), frozenset()))
        both = identifiers.joined(told, found)
        if key in self._told and both == told and pseudonym in numbers:
            return None
        if len(self._told) >= MOST_TOLD:
            self._told.clear()
        self._told[key] = both, numbers | {pseudonym}
        return Known(subject.patient, subject.study, subject.patient_id, pseudonym, both)


def record(connection: Connection, keyring: Keyring, project: str, told: Iterable[Known]) -> None:
    """Add what images told to what is known already."""
    for known in told:
        key = {"project": project, "study": known.study, "patient": known.patient}
        mine = (studies.c.project == project) & (studies.c.study == known.study) & (studies.c.patient == known.patient)
        row = connection.execute(select(studies.c.sealed_known).where(mine)).first()
        if row is None:
            connection.execute(
                insert(studies).values(**key, sealed_known=_seal(keyring, known.patient_id, known.found))
            )
        else:
            before = _unseal(keyring, row.sealed_known)[1]
            sealed = _seal(keyring, known.patient_id, identifiers.joined(before, known.found))
            connection.execute(update(studies).where(mine).values(sealed_known=sealed))
        if known.accession:
            link = {"project": project, "accession": known.accession, "study": known.study}
            connection.execute(upsert(accessions).values(link).on_conflict_do_nothing())


def _seal(keyring: Keyring, patient_id: str, found: Identifiers) -> bytes:
    parts = ("names", "numbers", "dates", "ages")
    said = {"patient_id": patient_id} | {part: sorted(getattr(found, part)) for part in parts}
    return keyring.seal(json.dumps(said), purpose="study")


def _unseal(keyring: Keyring, sealed: bytes) -> tuple[str, Identifiers]:
    said = json.loads(keyring.unseal(sealed, purpose="study"))
    patient_id = said.pop("patient_id")
    return patient_id, Identifiers(**{part: frozenset(values) for part, values in said.items()})


class Studies(Confidential):
    """The studies of which something is curated in a project, for the rows of one shard."""

    def __init__(self, context: Context, project: str, by: Pseudonymiser) -> None:
        self._by = by
        self._keyring = context.keyring
        of_study = studies.c.project == project
        current = (receipts.c.project == project) & receipts.c.superseded.is_(False)
        images = current & (receipts.c.study == studies.c.study) & (receipts.c.patient == studies.c.patient)
        there = select(receipts.c.path).where(images, receipts.c.series != "").exists()  # rows have no series
        self._by_study = Question(
            context.engine,
            select(studies.c.patient, studies.c.study, studies.c.sealed_known).where(
                of_study, studies.c.study == bindparam("key"), there
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
            context.engine, select(studies.c.sealed_known).where(of_study, studies.c.patient == bindparam("patient"))
        )
        self.known = lru_cache(MOST_PATIENTS)(self._known)

    def close(self) -> None:
        """Give its connections back."""
        for question in (self._by_study, self._of_accession, self._accessions, self._of_patient):
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
            patient = self._by.patient(roles[Role.PATIENT_ID])
            found = {each: sealed for each, sealed in found.items() if each[0] == patient}
            if not found:
                raise Refused("its patient id is not that of the images of its study", hint="check the table")
        if len(found) > 1:
            raise Refused("its key is that of several studies", hint="name the study by its UID, and give patient ids")
        ((patient, study), sealed), *_ = found.items()
        return Study(patient, study, _unseal(self._keyring, sealed)[0], tuple(by))

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
        both = {each: sealed for each, sealed in by_number.items() if each in by_uid}
        if by_number and not both:
            raise Refused("its accession number and its study UID are of different studies")
        if not both and any(self._accessions.all(study=study) for _, study in by_uid):
            raise Refused("its accession number is not that of the images of its study", hint="check the table")
        return (both, [Role.STUDY_UID, Role.ACCESSION]) if both else (by_uid, [Role.STUDY_UID])

    def _found(self, *keys: str) -> _Found:
        found = (row for key in keys for row in self._by_study.all(key=key))
        return {(patient, study): sealed for patient, study, sealed in found}

    def _known(self, patient: str) -> Identifiers:
        """What identifies in the images of all studies of a patient."""
        rows = self._of_patient.all(patient=patient)
        return identifiers.joined(Identifiers(), *(_unseal(self._keyring, row[0])[1] for row in rows))
