"""Digests of what a header says of its patient, by which a steward finds one person in two, or two in one.

Who has no key can test no name and no day on them. Only `person` and `other` are the same for two patients who say
the same; the others are salted by the patient.
"""

import hmac
import json
from enum import StrEnum

from governance.datatypes import Instance
from governance.pseudonymise.patients import birth_date, name_words

_SEXES = ("F", "M")


class Kind(StrEnum):
    """Of what a digest is."""

    PERSON = "person"
    """Name, in any order and spelling, and day of birth."""
    OTHER = "other"
    """Not a digest: the pseudonym of another number that the header gives the patient."""
    NAME = "name"
    """A part for each word, so that two names that share one are seen to."""
    BIRTH = "birth"
    SEX = "sex"


def digests(instance: Instance, key: bytes, *, patient: str) -> frozenset[tuple[str, str]]:
    """What the header of one instance says of its patient. patient: the pseudonym of its number alone."""

    def digest(kind: Kind, *said: str, length: int = 16) -> str:
        return hmac.digest(key, json.dumps([kind, *said]).encode(), "sha256")[:length].hex()

    words, born, sex = (
        sorted(name_words(instance.text("PatientName"))),
        birth_date(instance),
        instance.text("PatientSex"),
    )
    found: set[tuple[str, str]] = set()
    if len(words) > 1 and born:
        found.add((Kind.PERSON, digest(Kind.PERSON, born, *words)))
    if words:
        found.add((Kind.NAME, ".".join(sorted(digest(Kind.NAME, patient, word, length=8) for word in words))))
    if born:
        found.add((Kind.BIRTH, digest(Kind.BIRTH, patient, born)))
    if sex in _SEXES:
        found.add((Kind.SEX, digest(Kind.SEX, patient, sex)))
    return frozenset(found)
