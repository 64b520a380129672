"""Whose an object is: how a site writes numbers and names of patients, and what stewards decided about single ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from governance.confidential import Confidential

NOBODYS = (
    *("UNKNOWN", "UNK", "UNBEKANNT", "INCONNU", "DESCONOCIDO", "NONE", "NULL", "NIL", "N/A", "NA", "NOT KNOWN"),
    *("NO ID", "NO PATIENT ID", "ANON", "ANONYMOUS", "ANONYMIZED", "ANONYMISED", "ANONYM", "XXX", "XXXX", "XXXXX"),
)
"""What machines and people write where nobody knows the number; so do they zeros, and signs alone."""


class Zeros(StrEnum):
    """Of what stands before the other characters of a number."""

    KEEP = "keep"
    DROP = "drop"


class Case(StrEnum):
    """Whether `a1` is `A1`."""

    KEEP = "keep"
    IGNORE = "ignore"


class Forms(StrEnum):
    """Whether full-width and other compatible forms of a character are that character (Unicode, NFKC)."""

    KEEP = "keep"
    COMPATIBLE = "compatible"


class Issuers(StrEnum):
    """Whether the same number from two assigning authorities is of one patient."""

    IGNORED = "ignored"
    APART = "apart"


class WithoutId(StrEnum):
    """What keys a patient whom no number names."""

    STUDY = "study"
    NAME_AND_BIRTH_DATE = "name_and_birth_date"


class Spelling(StrEnum):
    """What letters with diacritics are the same as: `ü` is `ue`, or `u`."""

    GERMAN = "german"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class PatientRules:
    """When two headers are of one patient, as a policy declares it. What it does not declare keeps them apart.

    The default is what holds without a declaration: the number as it is written, whoever issued it.
    """

    zeros: Zeros = Zeros.KEEP
    case: Case = Case.KEEP
    ignore: str = ""
    """Signs that do not count."""
    forms: Forms = Forms.KEEP
    nobodys: tuple[str, ...] | None = None
    """Numbers of nobody; None: each is somebody's."""
    issuers: Issuers = Issuers.IGNORED
    same_issuers: tuple[tuple[str, ...], ...] = ()
    issuer_unsaid: str = ""
    """Who issued a number with which no issuer is named."""
    without_id: WithoutId = WithoutId.STUDY
    names: Spelling = Spelling.PLAIN


class MatchKind(StrEnum):
    """What a steward decides on patients."""

    MERGE = "merge"
    SPLIT = "split"
    UNDO = "undo"


MATCH_EVENT = "patients-matched"
"""Of what a steward decided on patients, by the digest of its row."""


class Match(NamedTuple):
    """A decision in force: what is of `patient` is of `into`; only in these studies, if there are any."""

    number: int
    """Decisions hold in their order."""
    match_id: str
    patient: str
    studies: frozenset[str]
    into: str
    key: str
    """What keys all that is of `into`: an original number, as a rule."""


class Resolved(NamedTuple):
    """Whose something is. by: ids of the decisions that say so, in order; `key` is empty where none does."""

    patient: str
    key: str
    by: tuple[str, ...]


class Matches(Confidential):
    """The decisions of a project, each applied to what those before it left."""

    __slots__ = ("_first", "_from", "_keys", "_to", "ever_targets")

    ever_targets: frozenset[str]
    """All to whom decisions lead, or led before they were undone."""

    def __init__(
        self,
        found: Sequence[Match] = (),
        *,
        first: Mapping[str, str] | None = None,
        ever_targets: frozenset[str] = frozenset(),
    ) -> None:
        """found: those in force. first: the patient that a decision is about, by its id, also where it is undone."""
        self.ever_targets = ever_targets
        self._keys = {match.into: match.key for match in found}
        self._from: dict[str, list[Match]] = {}
        self._to: dict[str, list[str]] = {}
        for match in sorted(found):
            self._from.setdefault(match.patient, []).append(match)
            self._to.setdefault(match.into, []).append(match.patient)
        self._first = dict(first or {})

    def __bool__(self) -> bool:
        return bool(self._first)

    @property
    def patients(self) -> frozenset[str]:
        """All that are moved by decisions, or were by one that is undone."""
        return frozenset(self._first.values())

    @property
    def targets(self) -> frozenset[str]:
        """All to whom decisions in force lead."""
        return frozenset(self._to)

    def of(self, patient: str, study: str) -> Resolved:
        """Whose a study is, of which headers say that it is `patient`'s."""
        key, after = "", -1
        by: tuple[str, ...] = ()
        while patient in self._from:
            step = next(
                (
                    each
                    for each in self._from[patient]
                    if each.number > after and (not each.studies or study in each.studies)
                ),
                None,
            )
            if step is None:
                break
            patient, key, by, after = step.into, step.key, (*by, step.match_id), step.number
        return Resolved(patient, key, by)

    def leading_to(self, patient: str) -> tuple[str, ...]:
        """It, and all whom headers may name where decisions say that it is this one."""
        found = {patient: None}
        left = [patient]
        while left:
            for each in self._to.get(left.pop(), ()):
                if each not in found:
                    found[each] = None
                    left.append(each)
        return tuple(found)

    def joined(self, patient: str) -> tuple[str, ...]:
        """It, and all who are the same person by decisions on whole patients."""
        whole = [{match.patient, match.into} for found in self._from.values() for match in found if not match.studies]
        found = {patient}
        while new := set[str]().union(*(pair for pair in whole if pair & found)) - found:
            found |= new
        return (patient, *sorted(found - {patient}))

    def key_of(self, patient: str) -> str:
        """What keys a patient to whom a decision in force leads; empty for others."""
        return self._keys.get(patient, "")

    def first(self, patient: str, by: Sequence[str]) -> str:
        """Whom the header named of what became `patient`'s by these decisions."""
        return self._first.get(by[0], patient) if by else patient
