"""What pseudonyms stand for, sealed, in a database of its own: the one way back, for those who may go it.

    root key -> the key of a project and epoch (HKDF) -> each patient's own key, random -> what is theirs (AES-SIV)

Each sealed value is bound to its place, so that rows cannot be exchanged unseen. Where a patient's key is erased,
nothing opens what it sealed, whoever has the root key; what has both is an older copy of this database.
"""

import json
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Engine, bindparam, delete, func, insert, select

from governance.database import Question, erase_deleted, patient_keys, upsert, writing
from governance.database import originals as table
from governance.datatypes import Confidential, Instance
from governance.errors import Tampered
from governance.keys import EPOCH, Keyring, Seal
from governance.pseudonymise.attributes import Subject
from governance.pseudonymise.kinds import Kind
from governance.pseudonymise.patients import originals

KEY_BYTES = 64
"""Of AES-256-SIV (RFC 5297)."""
MOST_STUDIES = 20_000
AT_ONCE = 500
"""Pseudonyms of a statement."""
_PATIENT_ID, _ISSUER, _STUDY_UID, _ACCESSION = 0x00100020, 0x00100021, 0x0020000D, 0x00080050

MATCHED = "PatientID as matched"
"""What the images of a patient have in common, from rows that tell no id: it counts where nothing else is kept."""

Said = tuple[tuple[str, str], ...]
"""Values by their DICOM keywords."""


@dataclass(frozen=True, slots=True, repr=False)
class Whose(Confidential):
    """What says in an image whose it is, as it was read; empty where it does not."""

    patient_id: str
    issuer: str
    study_uid: str
    accession: str

    @classmethod
    def of(cls, instance: Instance) -> "Whose":
        """Of an instance as read."""
        found = (instance.first(tag) for tag in (_PATIENT_ID, _ISSUER, _STUDY_UID, _ACCESSION))
        return cls(*("" if element is None else originals(instance, element)[0] for element in found))


@dataclass(frozen=True, slots=True, repr=False)
class Original(Confidential):
    """What a pseudonym stands for. patient: the pseudonym of whom the header or the row names."""

    kind: Kind
    pseudonym: str
    patient: str
    said: Said


class Place(NamedTuple):
    """Where something is kept of a pseudonym."""

    project: str
    epoch: int
    kind: Kind
    pseudonym: str
    patient: str


def of_image(subject: Subject, whose: Whose, *, accession: str) -> tuple[Original, ...]:
    """What an image tells. accession: the pseudonym of its number, or empty.

    It is kept under the pseudonym of whom the header names, so that no decision on patients, nor taking it back, makes
    it another one's: whose it is by these is found when it is opened.
    """
    return of_study(
        subject.own,
        subject.study,
        patient_id=(("PatientID", whose.patient_id), *((("IssuerOfPatientID", whose.issuer),) if whose.issuer else ())),
        study_uid=whose.study_uid,
        numbers={accession: whose.accession} if accession else {},
    )


def of_study(
    patient: str, study: str, *, patient_id: Said, study_uid: str, numbers: Mapping[str, str], named: str = ""
) -> tuple[Original, ...]:
    """What is told of a patient, a study by its UID, and accession numbers by their pseudonyms; empty is untold.

    named: whose id it is that is told, where that is not the patient.
    """
    whose = named or patient
    return (
        *([Original(Kind.PATIENT, whose, whose, patient_id)] if patient_id else []),
        *([Original(Kind.STUDY, study, patient, (("StudyInstanceUID", study_uid),))] if study_uid else []),
        *(Original(Kind.ACCESSION, each, patient, (("AccessionNumber", number),)) for each, number in numbers.items()),
    )


class Vault(Confidential):
    """The rows, and the keyring that opens them."""

    def __init__(self, engine: Engine, keyring: Keyring) -> None:
        self.engine, self._keyring = engine, keyring
        self._seals: dict[tuple[str, int], Seal] = {}

    def close(self) -> None:
        """Give its connections back."""
        self.engine.dispose()

    def keep(self, project: str, kept: Iterable[Original], *, epoch: int = EPOCH) -> int:
        """Keep what is not kept yet, in one transaction; returns how many rows that was."""
        wanted = list(dict.fromkeys(kept))
        with self.engine.connect() as connection:
            keys = self._keys_of(connection, project, epoch, {each.patient for each in wanted})
            new = {each.patient for each in wanted} - keys.keys()
            if not new and not self._missing(connection, project, epoch, wanted, keys):
                return 0
        with writing(self.engine) as connection:
            if new:  # another run may have made them meanwhile
                keys |= self._keys_of(connection, project, epoch, new)
                keys |= self._new_keys(connection, project, epoch, new - keys.keys())
            rows = self._missing(connection, project, epoch, wanted, keys)
            if rows:
                connection.execute(upsert(connection, table).on_conflict_do_nothing(), rows)
        return len(rows)

    def places(self, pseudonym: str) -> list[Place]:
        """Where something is kept of a pseudonym; nothing is opened."""
        columns = (table.c.project, table.c.epoch, table.c.kind, table.c.pseudonym, table.c.patient)
        mine = select(*columns).where(table.c.pseudonym == pseudonym).distinct().order_by(*columns)
        with self.engine.connect() as connection:
            rows = connection.execute(mine).all()
        return [Place(row.project, row.epoch, Kind(row.kind), row.pseudonym, row.patient) for row in rows]

    def all_places(self, project: str, epoch: int, kind: Kind) -> Iterator[Place]:
        """Where something is kept of pseudonyms of one kind; nothing is opened."""
        mine = (table.c.project == project) & (table.c.epoch == epoch) & (table.c.kind == kind.value)
        query = select(table.c.pseudonym, table.c.patient).where(mine).distinct()
        with self.engine.connect() as connection:
            for row in connection.execute(query.execution_options(yield_per=10_000)):
                yield Place(project, epoch, kind, row.pseudonym, row.patient)

    def told(self, project: str, patient: str) -> list[tuple[Place, Said]]:
        """All that is kept of a patient, each value for itself.

        Raises:
            Tampered: as `open`.
        """
        columns = (table.c.project, table.c.epoch, table.c.kind, table.c.pseudonym, table.c.patient)
        mine = select(*columns).where(table.c.project == project, table.c.patient == patient).distinct()
        with self.engine.connect() as connection:
            rows = connection.execute(mine.order_by(*columns)).all()
        places = [Place(row.project, row.epoch, Kind(row.kind), row.pseudonym, row.patient) for row in rows]
        return [(place, said) for place in places for said in self._opened(place)]

    def open(self, place: Place) -> list[Said]:
        """What a pseudonym stands for: several, where several values have the same one.

        Raises:
            Tampered: a row is not where it was kept, or was changed, or the key of its patient is not there.
        """
        return telling_most(self._opened(place))

    def move(self, place: Place, said: Said, *, to: Iterable[str]) -> None:
        """Keep a value under other patients than where it lies."""
        for patient in to:
            pseudonym = patient if place.kind is Kind.PATIENT else place.pseudonym
            self.keep(place.project, [Original(place.kind, pseudonym, patient, said)], epoch=place.epoch)
        with writing(self.engine) as connection:
            key = self._keys_of(connection, place.project, place.epoch, [place.patient])[place.patient]
            original = Original(place.kind, place.pseudonym, place.patient, said)
            mark = _row(place.project, place.epoch, original, key)["mark"]
            connection.execute(delete(table).where(_at(place), table.c.mark == mark))

    def _opened(self, place: Place) -> list[Said]:
        with self.engine.connect() as connection:
            key = self._keys_of(connection, place.project, place.epoch, [place.patient]).get(place.patient)
            rows = connection.execute(select(table.c.sealed).where(_at(place))).scalars().all()
        if rows and key is None:
            raise Tampered("the vault has no key for this row any more")
        bound = _bound(place.project, place.epoch, place.kind, place.pseudonym, place.patient)
        opened = [json.loads(key.open(sealed, bound=bound)) for sealed in rows if key is not None]
        return [tuple((str(name), str(value)) for name, value in said) for said in opened]

    def _keys_of(self, connection: Connection, project: str, epoch: int, patients: Iterable[str]) -> dict[str, Seal]:
        """What seals for patients, of those that have a key."""
        mine = select(patient_keys.c.patient, patient_keys.c.wrapped).where(
            patient_keys.c.project == project, patient_keys.c.epoch == epoch, patient_keys.c.patient.in_(patients)
        )
        opens, rows = self._seal(project, epoch), connection.execute(mine).all()
        return {
            row.patient: Seal(bytes.fromhex(opens.open(row.wrapped, bound=_bound(project, epoch, "key", row.patient))))
            for row in rows
        }

    def _new_keys(self, connection: Connection, project: str, epoch: int, patients: Collection[str]) -> dict[str, Seal]:
        made = {patient: secrets.token_bytes(KEY_BYTES) for patient in sorted(patients)}
        seals = self._seal(project, epoch)
        rows = [
            {
                "project": project,
                "epoch": epoch,
                "patient": patient,
                "wrapped": seals.close(key.hex(), bound=_bound(project, epoch, "key", patient)),
            }
            for patient, key in made.items()
        ]
        if rows:
            connection.execute(insert(patient_keys), rows)
        return {patient: Seal(key) for patient, key in made.items()}

    def _missing(
        self,
        connection: Connection,
        project: str,
        epoch: int,
        wanted: Sequence[Original],
        keys: Mapping[str, Seal],
    ) -> list[dict[str, str | int | bytes]]:
        """The rows that are not there."""
        mine = select(table.c.kind, table.c.pseudonym, table.c.patient, table.c.mark).where(
            table.c.project == project,
            table.c.epoch == epoch,
            table.c.pseudonym.in_({each.pseudonym for each in wanted}),
        )
        there = {tuple(row) for row in connection.execute(mine)}
        rows = [_row(project, epoch, each, keys[each.patient]) for each in wanted]
        return [row for row in rows if (row["kind"], row["pseudonym"], row["patient"], row["mark"]) not in there]

    def _seal(self, project: str, epoch: int) -> Seal:
        """What seals the keys of patients."""
        if (project, epoch) not in self._seals:
            self._seals[project, epoch] = self._keyring.vault(project, epoch=epoch)
        return self._seals[project, epoch]


@dataclass(frozen=True, slots=True, repr=False)
class Doomed(Confidential):
    """What is to be shredded of a patient who left.

    patient: the pseudonym. studies: of this patient, and named: whom their headers name, who may be others; of these
    goes what `left` says.
    """

    project: str
    patient: str
    studies: Collection[str] = ()
    named: Collection[str] = ()
    left: Callable[[Kind, str], bool] | None = None

    def rows(self, connection: Connection) -> Iterator[ColumnElement[bool]]:
        """Conditions, of which each row fulfils one at most."""
        of_project = table.c.project == self.project
        yield of_project & (table.c.patient == self.patient)
        of_others = of_project & (table.c.patient != self.patient)
        of_kinds = ((Kind.STUDY, table.c.pseudonym, self.studies), (Kind.ACCESSION, table.c.patient, self.named))
        for kind, column, among in of_kinds:
            for some in _parts(sorted(among)):
                mine = of_others & (table.c.kind == kind.value) & column.in_(some)
                found = connection.execute(select(table.c.pseudonym).where(mine).distinct()).scalars().all()
                gone = [each for each in found if self.left is not None and self.left(kind, each)]
                if gone:
                    yield mine & table.c.pseudonym.in_(gone)


def count(vault: Vault, of: Doomed) -> int:
    """How many rows `shred` would make unreadable."""
    with vault.engine.connect() as connection:
        counted = (select(func.count()).select_from(table).where(rows) for rows in of.rows(connection))
        return sum(int(connection.execute(each).scalar_one()) for each in counted)


def shred(vault: Vault, of: Doomed) -> int:
    """Erase the key of a patient, in each epoch, and what it sealed; returns how many rows nobody can read any more.

    What is erased stays readable, for who has the root key, in copies of the database that were made before: backups,
    and a server's journal.

    Raises:
        Unavailable: another program reads the vault; the rows are deleted, and the same call erases their bytes later.
    """
    of_key = (patient_keys.c.project == of.project) & (patient_keys.c.patient == of.patient)
    with writing(vault.engine) as connection:
        gone = sum(connection.execute(delete(table).where(rows)).rowcount for rows in of.rows(connection))
        connection.execute(delete(patient_keys).where(of_key))
    erase_deleted(vault.engine, (patient_keys, table))
    return gone


class Held(Confidential):
    """Answers whether the vault holds what a study stands for; it opens nothing."""

    def __init__(self, engine: Engine, project: str) -> None:
        mine = (table.c.project == project) & (table.c.kind == Kind.STUDY.value)
        this = (table.c.pseudonym == bindparam("study")) & (table.c.patient == bindparam("patient"))
        self._engine, self._question = engine, Question(engine, select(table.c.mark).where(mine & this))
        self.study = lru_cache(MOST_STUDIES)(self._study)

    def _study(self, patient: str, study: str) -> bool:
        return bool(self._question.all(patient=patient, study=study))

    def close(self) -> None:
        """Give its connection back."""
        with closing(self._question):
            self.study.cache_clear()
        self._engine.dispose()


def _at(place: Place) -> ColumnElement[bool]:
    return (
        (table.c.project == place.project)
        & (table.c.epoch == place.epoch)
        & (table.c.kind == place.kind.value)
        & (table.c.pseudonym == place.pseudonym)
        & (table.c.patient == place.patient)
    )


def telling_most(found: Iterable[Said]) -> list[Said]:
    """In order, without those that tell less than another one does."""
    found = list(dict.fromkeys(found))
    better = [said for said in found if MATCHED not in dict(said)] or found
    return sorted(said for said in better if not any(set(said) < set(other) for other in better))


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    yield from (values[at : at + AT_ONCE] for at in range(0, len(values), AT_ONCE))


def _bound(project: str, epoch: int, *rest: str) -> tuple[str, ...]:
    return ("vault", project, str(epoch), *rest)


def _row(project: str, epoch: int, kept: Original, key: Seal) -> dict[str, str | int | bytes]:
    bound = _bound(project, epoch, kept.kind, kept.pseudonym, kept.patient)
    sealed = key.close(json.dumps(kept.said, ensure_ascii=True, separators=(",", ":")), bound=bound)
    return {
        "project": project,
        "epoch": epoch,
        "kind": kept.kind.value,
        "pseudonym": kept.pseudonym,
        "patient": kept.patient,
        "mark": sha256(sealed).hexdigest()[:32],
        "sealed": sealed,
    }
