"""Patients who withdrew their consent: how they are known again, whatever comes later.

A tombstone is a keyed digest of one thing by which a patient is known: the id that keys the patient
(`Subject.patient_id`), the pseudonym, each study, each accession number that is nobody else's. So a patient is known
whose study comes again under a corrected id, or whose row in a table names nothing but an order. The key is the
project's own, and none that makes pseudonyms: digests hold when those change with their epoch, and tell nobody without
the key whose they are. Those of ids have a second one, of no project, where a patient leaves every project.

Workers look when they begin, and a commit looks again in the transaction that records: what is recorded behind a
tombstone is never of its patient.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, func, select

from governance.database import tombstones
from governance.datatypes import Confidential
from governance.keys import Keyring
from governance.pseudonymise import Pseudonymiser, Subject
from governance.pseudonymise.patients import issued, issuer_of
from governance.pseudonymise.vault import Whose
from governance.rows import Role

WITHDRAWN = "its patient has withdrawn consent"
"""The reason of an outcome."""
EVERYWHERE = ""
"""The project of tombstones that hold in every one."""


class Of(StrEnum):
    """What a tombstone is the digest of."""

    PATIENT_ID = "patient-id"
    PATIENT = "patient"
    STUDY = "study"
    ACCESSION = "accession"


def tombstone(key: bytes, of: Of, value: str) -> str:
    """HMAC-SHA256, hexadecimal. value: a patient id as it keys the patient; of all else the pseudonym."""
    return hmac.digest(key, f"{of}\0{value}".encode("utf-8", "surrogatepass"), "sha256").hex()


@dataclass(frozen=True, slots=True, repr=False)
class Gone(Confidential):
    """Who had left a project at one moment. It may go to a worker process."""

    key: bytes = b""
    key_of_all: bytes = b""
    digests: frozenset[str] = frozenset()

    def has(self, subject: Subject, whose: Whose) -> bool:
        """Whether an instance is of somebody who left. whose: what says so in it, as it was read.

        What its header says of its patient does not count where a steward gave the study to somebody else; nor does a
        number without its issuer where that makes it another patient's.
        """
        if not self.digests:
            return False
        ids = [subject.patient_id]
        if subject.own in subject.same:
            ids += [subject.own_id, issued(whose.patient_id, whose.issuer)]
            ids += [] if issuer_of(subject.own_id) else [whose.patient_id]
        return self.has_id(*ids) or self.named(subject.patient, subject.study) or any(map(self.named, subject.same))

    def has_id(self, *patient_ids: str) -> bool:
        """Whether one of these ids, as they key a patient or are written, is of somebody who left."""
        keys = (self.key, self.key_of_all)
        return any(tombstone(key, Of.PATIENT_ID, each) in self.digests for each in patient_ids if each for key in keys)

    def named(self, patient: str, study: str = "") -> bool:
        """The same of pseudonyms."""
        return self._any({Of.PATIENT: patient, Of.STUDY: study})

    def has_row(self, roles: Mapping[Role, str], by: Pseudonymiser, *, study: str) -> bool:
        """Whether a row of a table names somebody who left, in any of its columns.

        study: the one that it is about, or empty. A number does not count where a steward gave that to somebody else.
        """
        if not self.digests:
            return False
        number, uid, order = (roles.get(role, "") for role in (Role.PATIENT_ID, Role.STUDY_UID, Role.ACCESSION))
        study = study or (by.study(uid) if uid else "")
        key = by.key(number)
        same = by.matches.same(by.pseudonym(key), study) if key else ()
        found = {Of.STUDY: study, Of.ACCESSION: by.accession(order)}
        mine = not same or same[0] == by.pseudonym(key)
        return self._any(found) or any(map(self.named, same)) or (mine and self.has_id(key, number))

    def told(self, of: Of, pseudonym: str) -> bool:
        """Whether what a pseudonym of a study or an accession number stands for is of somebody who left."""
        return self._any({of: pseudonym})

    def holds(self, place: str | None) -> bool:
        """Whether an object or a row at this place is of somebody who left. place: as outcomes have it, or None."""
        parts = (place or "").split("/")
        return bool(self.digests) and len(parts) > 2 and self.named(parts[1], parts[2])

    def _any(self, found: Mapping[Of, str]) -> bool:
        return any(tombstone(self.key, of, value) in self.digests for of, value in found.items() if value)


class Tombstones(Confidential):
    """Who has left a project, as often as it is asked: the tombstones are read again only where there are new ones."""

    def __init__(self, keyring: Keyring, project: str) -> None:
        self._project, self._newest = project, 0
        self._keys = keyring.tombstone_key(project), keyring.tombstone_key(EVERYWHERE)
        self._gone = Gone()

    def now(self, connection: Connection) -> Gone:
        """As this transaction sees it."""
        newest = connection.execute(select(func.max(tombstones.c.number))).scalar() or 0
        if newest != self._newest:
            mine = tombstones.c.project.in_((self._project, EVERYWHERE))
            digests = connection.execute(select(tombstones.c.digest).where(mine)).scalars()
            self._gone, self._newest = Gone(*self._keys, frozenset(digests)), newest
        return self._gone


def in_force(connection: Connection, keyring: Keyring, project: str) -> Gone:
    """Who has left a project by now."""
    return Tombstones(keyring, project).now(connection)
