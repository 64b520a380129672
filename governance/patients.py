"""Whose an object is: how a site writes numbers and names of patients, and what stewards decided about single ones."""

from collections.abc import Iterable, Sequence
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

    __slots__ = ("_ever", "_from", "_keys", "_to")

    def __init__(self, found: Sequence[Match] = (), *, ever: Sequence[Match] | None = None) -> None:
        """found: those in force. ever: these, and those that are undone."""
        self._ever = {match.match_id: match for match in (found if ever is None else ever)}
        self._keys = {match.into: match.key for match in found}
        self._from: dict[str, list[Match]] = {}
        self._to: dict[str, list[str]] = {}
        for match in sorted(found):
            self._from.setdefault(match.patient, []).append(match)
            self._to.setdefault(match.into, []).append(match.patient)

    def __bool__(self) -> bool:
        return bool(self._ever)

    @property
    def patients(self) -> frozenset[str]:
        """All that are moved by decisions, or were by one that is undone."""
        return frozenset(match.patient for match in self._ever.values())

    @property
    def ever_targets(self) -> frozenset[str]:
        """All to whom decisions lead, or led before they were undone."""
        return frozenset(match.into for match in self._ever.values())

    @property
    def targets(self) -> frozenset[str]:
        """All to whom decisions in force lead."""
        return frozenset(self._to)

    def of(self, patient: str, study: str) -> Resolved:
        """Whose a study is, of which headers say that it is `patient`'s."""
        way = self._way(patient, study)
        return Resolved(way[-1].into, way[-1].key, tuple(step.match_id for step in way)) if way else _as_named(patient)

    def same(self, patient: str, study: str) -> tuple[str, ...]:
        """Whose a study is, and whom its headers and decisions name on the way, as far as they are the same person.

        Whoever lost the study by a split is somebody else, and so is who was merged into that one.
        """
        found = [patient]
        for step in self._way(patient, study):
            found = [step.into] if step.studies else [*found, step.into]
        return tuple(found)

    def _way(self, patient: str, study: str) -> list[Match]:
        """The decisions by which a study is not whose headers say, in their order."""
        way: list[Match] = []
        while patient in self._from:
            after = way[-1].number if way else -1
            here = (each for each in self._from[patient] if each.number > after)
            step = next((each for each in here if not each.studies or study in each.studies), None)
            if step is None:
                break
            way.append(step)
            patient = step.into
        return way

    def met(self, patients: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
        """These and all whom decisions on whole patients ever joined to them; and studies that were split off any.

        Wherever something of these patients may lie, it lies under one of the former, or is of one of the latter.
        """
        found = frozenset(patients)
        whole = [{match.patient, match.into} for match in self._ever.values() if not match.studies]
        while new := frozenset().union(*(pair for pair in whole if pair & found)) - found:
            found |= new
        split = (match.studies for match in self._ever.values() if {match.patient, match.into} & found)
        return found, frozenset().union(*split)

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
        return self._ever[by[0]].patient if by and by[0] in self._ever else patient


def _as_named(patient: str) -> Resolved:
    return Resolved(patient, "", ())
