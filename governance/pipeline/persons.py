"""Who may be one person under two pseudonyms, or two under one: for a steward, who knows the originals.

Found by keyed digests of what headers say (`pseudonymise.persons`), and by what is decided already. Of objects that an
earlier version made nothing is known until they are made again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from itertools import combinations
from typing import Any

from sqlalchemy import Connection, func, select

from governance.database import outcomes, persons, receipts
from governance.datatypes import Confidential
from governance.keys import Seal
from governance.patients import Matches
from governance.pipeline import epochs, matching
from governance.pipeline.context import Context
from governance.pipeline.shards import Request, find
from governance.pseudonymise import Kind

AT_ONCE = 500
"""Values of a statement."""
_SALTED = {
    Kind.BIRTH: "birth dates that contradict each other",
    Kind.SEX: "sexes that contradict each other",
    Kind.NAME: "names that share no word",
}

_Place = tuple[str, str]
"""A patient and a study, by their pseudonyms."""


class Question(StrEnum):
    """What a steward is asked."""

    MERGE = "merge"
    SPLIT = "split"


@dataclass(frozen=True, slots=True, repr=False)
class StudyOf(Confidential):
    """A study that is curated. source: of one of its objects, where it was asked for. says: a digest, to tell apart."""

    patient: str
    study: str
    objects: int
    says: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Candidate(Confidential):
    """Patients that may be one, or one that may be several, and why."""

    question: Question
    patients: tuple[str, ...]
    why: str
    studies: tuple[StudyOf, ...]

    def record(self) -> dict[str, Any]:
        """For JSON."""
        studies = [{name: value for name, value in asdict(each).items() if value} for each in self.studies]
        return {"possible": self.question.value, "patients": self.patients, "why": self.why, "studies": studies}

    def text(self) -> str:
        """A line, and one for each study."""
        lines = [f"possible {self.question.value}  {' '.join(self.patients)}  {self.why}"]
        for each in self.studies:
            tail = "  ".join(part for part in (each.says and f"says {each.says}", each.source) if part)
            lines.append(f"    {each.patient}  {each.study}  {each.objects} objects  {tail}".rstrip())
        return "\n".join(lines)


def candidates(context: Context, project: str, *, with_sources: bool = False) -> list[Candidate]:
    """Possible merges, and then possible splits, in order. With sources it is confidential."""
    found = matching.in_force(context, project)
    with context.engine.connect() as connection:
        listed = [*_merges(connection, project, found), *_splits(connection, project, found)]
        if with_sources:
            of = _sources(context, connection, project, {(s.patient, s.study) for each in listed for s in each.studies})
            listed = [
                replace(each, studies=tuple(replace(s, source=of.get((s.patient, s.study), "")) for s in each.studies))
                for each in listed
            ]
    return listed


def _merges(connection: Connection, project: str, found: Matches) -> Iterator[Candidate]:
    same = persons.c.project == project
    several = (
        select(persons.c.digest)
        .where(same, persons.c.kind == Kind.PERSON)
        .group_by(persons.c.digest)
        .having(func.count(persons.c.patient.distinct()) > 1)
    )
    groups: dict[str, set[_Place]] = {}
    of_person = select(persons).where(same, persons.c.kind == Kind.PERSON, persons.c.digest.in_(several))
    for row in connection.execute(of_person):
        groups.setdefault(row.digest, set()).add((found.of(row.patient, row.study).patient, row.study))
    named = dict.fromkeys(_naming(connection, project, found), "one's header gives the other's number")
    counts = _counts(connection, project, {*(p for group in groups.values() for p, _ in group), *sum(named, ())})
    pairs = dict(named)
    for group in groups.values():
        there = sorted({patient for patient, study in group if (patient, study) in counts})
        pairs |= dict.fromkeys(combinations(there, 2), "same name and birth date; numbers differ")
    for pair, why in sorted(pairs.items()):
        studies = tuple(StudyOf(*place, count) for place, count in sorted(counts.items()) if place[0] in pair)
        if {each.patient for each in studies} == set(pair):
            yield Candidate(Question.MERGE, pair, why, studies)


def _naming(connection: Connection, project: str, found: Matches) -> set[tuple[str, str]]:
    """Patients of whom one has the other's number among its own other ones."""
    other = persons.alias()
    known = select(other.c.patient).where(other.c.project == project, other.c.kind != Kind.OTHER)
    query = select(persons).where(
        persons.c.project == project, persons.c.kind == Kind.OTHER, persons.c.digest.in_(known)
    )
    pairs: set[tuple[str, str]] = set()
    for row in connection.execute(query):
        one, two = found.of(row.patient, row.study).patient, found.of(row.digest, "").patient
        if one != two:
            pairs.add((min(one, two), max(one, two)))
    return pairs


def _splits(connection: Connection, project: str, found: Matches) -> Iterator[Candidate]:
    same = (persons.c.project == project) & persons.c.kind.in_([str(kind) for kind in _SALTED])
    several = (
        select(persons.c.patient)
        .where(same)
        .group_by(persons.c.kind, persons.c.patient)
        .having(func.count(persons.c.digest.distinct()) > 1)
    )
    said: dict[tuple[str, str], dict[str, set[str]]] = {}  # by patient and kind: studies of each digest
    for row in connection.execute(select(persons).where(same, persons.c.patient.in_(several))):
        key = found.of(row.patient, row.study).patient, row.kind
        said.setdefault(key, {}).setdefault(row.digest, set()).add(row.study)
    counts = _counts(connection, project, {patient for patient, _ in said})
    for (patient, kind), studies in sorted(said.items()):
        there = {
            digest: left
            for digest, of in sorted(studies.items())
            if (left := sorted(study for study in of if (patient, study) in counts))
        }
        if _contradict(kind, there):
            yield Candidate(
                Question.SPLIT,
                (patient,),
                _SALTED[Kind(kind)],
                tuple(
                    StudyOf(patient, study, counts[patient, study], digest[:8])
                    for digest, left in there.items()
                    for study in left
                ),
            )


def _contradict(kind: str, digests: Iterable[str]) -> bool:
    """Whether two of them cannot be of one person. Names share a word with another spelling of themselves."""
    words = [set(digest.split(".")) if kind == Kind.NAME else {digest} for digest in digests]
    return any(one.isdisjoint(other) for one, other in combinations(words, 2))


def _counts(connection: Connection, project: str, patients: Iterable[str]) -> dict[_Place, int]:
    """How many objects are curated of each study of some patients."""
    counts: dict[_Place, int] = {}
    for some in _parts(sorted(set(patients))):
        query = select(receipts.c.patient, receipts.c.study, func.count()).where(*_current(project, some))
        for patient, study, count in connection.execute(query.group_by(receipts.c.patient, receipts.c.study)):
            counts[patient, study] = count
    return counts


def _sources(context: Context, connection: Connection, project: str, places: Iterable[_Place]) -> Mapping[_Place, str]:
    """A source of each study, as its run was asked for it."""
    of_digest: dict[str, _Place] = {}
    for some in _parts(sorted({patient for patient, _ in places})):
        query = select(receipts.c.patient, receipts.c.study, func.min(receipts.c.source_digest))
        for patient, study, digest in connection.execute(
            query.where(*_current(project, some)).group_by(receipts.c.patient, receipts.c.study)
        ):
            of_digest[digest] = (patient, study)
    found: dict[_Place, str] = {}
    requests: dict[str, tuple[Request, Seal]] = {}
    for some in _parts(sorted(of_digest)):
        for row in connection.execute(select(outcomes).where(outcomes.c.source_digest.in_(some))):
            if row.run_id not in requests:
                run = find(context, row.run_id)
                request = Request.unseal(run.sealed_request, context.keyring)
                requests[row.run_id] = request, epochs.names_of(context, run)
            request, names = requests[row.run_id]
            found.setdefault(of_digest[row.source_digest], request.as_given(names.open(row.sealed_source)))
    return found


def _current(project: str, patients: Sequence[str]) -> tuple[Any, ...]:
    mine = (receipts.c.project == project, receipts.c.superseded_by.is_(None), receipts.c.series != "")
    return (*mine, receipts.c.patient.in_(patients))


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    yield from (values[at : at + AT_ONCE] for at in range(0, len(values), AT_ONCE))
