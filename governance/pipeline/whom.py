"""Whom a withdrawal names: by a pseudonym, or by an original number, with who issued it where that makes a difference.

Asked again in the transaction that writes, because projects, policies and decisions may have come since the command
began. Numbers that patients have are read once: what a run keys in another form after that comes in as any later one.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple, Self

from sqlalchemy import Connection, func, select

from governance.database import epochs, matches, receipts, runs, studies
from governance.datatypes import Confidential
from governance.errors import Misconfigured
from governance.patients import Matches, PatientRules
from governance.pipeline import matching
from governance.pipeline.belongings import Alike
from governance.pipeline.bridging import Bridge, Pseudonymisers, pseudonymisers
from governance.pipeline.context import Context
from governance.pipeline.leaving import EVERYWHERE, Of, in_force
from governance.pipeline.studies import SEALED_FOR, key_in, key_of
from governance.pipeline.vaulting import open_vault
from governance.pseudonymise import Pseudonymiser, number_of
from governance.pseudonymise.patients import issued, issuer_of
from governance.pseudonymise.vault import Vault

MOST_IDS = 100_000


@dataclass(frozen=True, slots=True, repr=False)
class Person(Confidential):
    """Somebody who leaves: under which pseudonyms in which projects, and by which ids, where one was said."""

    patients: Mapping[str, Collection[str]]
    """Pseudonyms by projects."""
    ids: Mapping[str, frozenset[str]]
    """As it was written, and as policies key it, by projects, and for every one."""
    leaves_all: bool = False
    by_pseudonym: bool = False
    unknown: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By project: policies that may take other forms of the ids for theirs, names by digest."""
    bridged: frozenset[tuple[str, str]] = frozenset()
    """Projects and pseudonyms of an epoch that nobody named: they are not told."""
    more: Mapping[str, Mapping[Of, Collection[str]]] = field(default_factory=dict)
    """By project: what they are known by besides, where the vault says it, in pseudonyms of every epoch."""

    @property
    def unknown_anywhere(self) -> dict[str, str]:
        """In all projects."""
        return {digest: name for policies in self.unknown.values() for digest, name in policies.items()}

    def shown(self, project: str, patient: str) -> str:
        """A pseudonym as it is told."""
        return "" if (project, patient) in self.bridged else patient


@dataclass(frozen=True, slots=True, repr=False)
class Number(Confidential):
    """An original number, and who issued it, if that is said."""

    number: str
    issuer: str = ""

    @classmethod
    def read(cls, line: str) -> Self:
        """One line: a number, or an issuer, a tab and a number.

        Raises:
            Misconfigured: it is neither.
        """
        issuer, tab, number = line.rpartition("\t")
        issuer, number = issuer.strip(), number.strip()
        if "\t" in issuer or not number or bool(tab) != bool(issuer):
            raise Misconfigured("a line is neither an id nor an issuer, a tab and an id")
        return cls(number, issuer)


Asked = str | Number
"""A pseudonym, or an original number."""


class _Known(NamedTuple):
    """A number that a patient has, by the headers: what keys the patient, whose pseudonym that is."""

    key: str
    patient: str


class Whom(Confidential):
    """Finds who is named."""

    def __init__(self, context: Context, project: str | None) -> None:
        """project: None for every one that there is."""
        self._context, self._project = context, project
        self._seen: tuple[int, int, int] | None = None
        self._projects: list[str] = []
        self._decided: dict[str, Matches] = {}
        self._by: dict[str, Pseudonymisers] = {}
        self._unknown: dict[str, dict[str, str]] = {}
        self._vault: Vault | None = None
        self._numbers: dict[str, list[_Known]] = {}
        self._found: dict[tuple[str, PatientRules], dict[str, set[_Known]]] = {}

    def close(self) -> None:
        """Give the vault's connections back."""
        if self._vault is not None:
            self._vault.close()

    def asked(self, pseudonyms: Collection[str], patient_ids: Collection[str]) -> list[Asked]:
        """Each of them once.

        Raises:
            Misconfigured: nobody is named, or too many, or an id is none.
        """
        if not 0 < len(pseudonyms) + len(patient_ids) <= MOST_IDS:
            raise Misconfigured("nobody is named, or too many at once", hint="pseudonyms, or a file with --patient-ids")
        return [*(each.upper() for each in pseudonyms), *dict.fromkeys(map(Number.read, patient_ids))]

    def person(self, connection: Connection, asked: Asked, *, number: int) -> Person:
        """Whom that names, as this transaction sees it. number: its place in what was asked, for an error.

        Raises:
            Misconfigured: there is no such project, nobody goes by a pseudonym, or an id is that of several.
        """
        self._look(connection, with_ids=isinstance(asked, Number))
        if isinstance(asked, Number):
            return self._by_number(connection, asked, number)
        return self._by_pseudonym(connection, asked, number)

    def decided(self, connection: Connection, project: str) -> Matches:
        """What stewards decided, as the transaction of the last question sees it."""
        if project not in self._decided:
            self._decided[project] = matching.in_force_for(self._context, connection, project)
        return self._decided[project]

    def alike(self, connection: Connection, project: str) -> Alike:
        """By the policy of the latest run that still loads."""
        *_, by = self._now(connection, project)
        seal = self._context.keyring.seal_of(SEALED_FOR)

        @cache
        def found(patient: str) -> frozenset[str]:
            key = key_of(connection, seal, project, patient)
            number = "" if by.by_issuers or issuer_of(key) else by.key(number_of(key))
            if not number or by.as_written:
                return frozenset([patient] if number else [])
            known = self._forms(connection, project, by).get(number, ())
            return frozenset({by.pseudonym(number), *(each.patient for each in known if not issuer_of(each.key))})

        return found

    def _look(self, connection: Connection, *, with_ids: bool) -> None:
        """Forget what is not so any more."""
        last_run = connection.execute(select(func.max(runs.c.number))).scalar() or 0
        last_match = connection.execute(select(func.max(matches.c.number))).scalar() or 0
        last_epoch = connection.execute(select(func.max(epochs.c.number))).scalar() or 0
        if (last_run, last_match, last_epoch) != self._seen:
            self._seen = last_run, last_match, last_epoch
            self._decided.clear()
            self._by.clear()
            query = select(runs.c.project).distinct().order_by(runs.c.project)
            there = list(connection.execute(query).scalars())
            if self._project is not None and self._project not in there:
                hint = "without a project, patients leave all, also those that come" if with_ids else ""
                raise Misconfigured("nothing was ever run in this project", hint=hint)
            self._projects = there if self._project is None else [self._project]

    def _by_pseudonym(self, connection: Connection, pseudonym: str, number: int) -> Person:
        mine = (receipts.c.patient == pseudonym) & receipts.c.project.in_(self._projects)
        there = set(connection.execute(select(receipts.c.project).where(mine).distinct()).scalars())
        there |= {each for each in self._projects if pseudonym in self.decided(connection, each).targets}
        if not there:
            hint = "an original id goes into a file, see --patient-ids"
            raise Misconfigured(f"nobody here goes by pseudonym number {number}", hint=hint)
        patients: dict[str, Collection[str]] = {}
        ids: dict[str, frozenset[str]] = {}
        more: dict[str, Mapping[Of, Collection[str]]] = {}
        for project in sorted(there):
            patients[project], ids[project], more[project] = self._bridged(connection, project, pseudonym)
        bridged = {(project, each) for project, found in patients.items() for each in found}
        bridged -= {
            (project, each) for project in there for each in self.decided(connection, project).joined(pseudonym)
        }
        return Person(patients, ids, by_pseudonym=True, bridged=frozenset(bridged), more=more)

    def _bridged(
        self, connection: Connection, project: str, pseudonym: str
    ) -> tuple[list[str], frozenset[str], dict[Of, set[str]]]:
        """The pseudonyms of one patient in every epoch of a project, and what else the vault says of them.

        Raises:
            Misconfigured: nobody can tell any more whom one of them is of, and the project has had several epochs.
        """
        found, ids, decided = {pseudonym: None}, set[str](), self.decided(connection, project)
        more: dict[Of, set[str]] = {Of.STUDY: set(), Of.ACCESSION: set()}
        made = self._pseudonymisers(connection, project)
        if len(made) == 1:
            return [pseudonym], frozenset(), more
        self._vault = self._vault or open_vault(self._context)
        bridge = Bridge(self._context, connection, self._vault, project, by=made)
        left = list(decided.joined(pseudonym))
        named = set(left)
        found |= dict.fromkeys(left)
        while left:
            patient = left.pop()
            told = bridge.of(patient)
            known = told.keys or told.ids or patient not in named
            if not known and not in_force(connection, self._context.keyring, project).named(patient):
                hint = "name the patient by an original id instead, see --patient-ids"
                raise Misconfigured("nobody can tell who this is in other epochs of the keys", hint=hint)
            ids |= bridge.ids(told)
            more[Of.STUDY] |= bridge.studies(told)
            more[Of.ACCESSION] |= bridge.accessions(told)
            same = {each for epoch, of in bridge.patients(told).items() for each in of if epoch != told.epoch}
            new = sorted({each for other in same for each in decided.joined(other)} - found.keys())
            found |= dict.fromkeys(new)
            left += new
        return list(found), frozenset(ids), more

    def _by_number(self, connection: Connection, asked: Number, number: int) -> Person:
        patients: dict[str, Collection[str]] = {}
        ids: dict[str, frozenset[str]] = {}
        bridged = set[tuple[str, str]]()
        for project in self._projects:
            made = self._pseudonymisers(connection, project)
            keys = self._keys([each for by in made.values() for each in by], asked)
            known = self._having(connection, project, self._now(connection, project), asked, number)
            ids[project] = frozenset({*keys, *(each.key for each in known)})
            every = [*keys, *(each.key for each in known)]
            of_epochs = {epoch: dict.fromkeys(map(by[0].pseudonym, every)) for epoch, by in made.items()}
            current = of_epochs.pop(max(made)) | dict.fromkeys(each.patient for each in known)
            earlier = dict.fromkeys(each for of in of_epochs.values() for each in of)
            patients[project] = list(current | earlier)
            bridged |= {(project, each) for each in earlier.keys() - current.keys()}
        named = {issued(asked.number, asked.issuer)} if asked.issuer else {asked.number}
        # With an issuer, what is but a number is another one's where numbers are of issuers.
        everywhere = {each for own in ids.values() for each in own if issuer_of(each) or not asked.issuer} | named
        ids = {project: own | named | (set() if asked.issuer else everywhere) for project, own in ids.items()}
        return Person(
            patients,
            ids | {EVERYWHERE: frozenset(everywhere)},
            leaves_all=self._project is None,
            unknown={project: self._unknown[project] for project in self._projects},
            bridged=frozenset(bridged),
        )

    def _keys(self, pseudonymisers: list[Pseudonymiser], asked: Number) -> list[str]:
        """What keys whom this number names, by each policy; where one asks who issued it, by those that do."""
        apart = [by for by in pseudonymisers if by.by_issuers]
        of_these = apart if asked.issuer and apart else pseudonymisers
        keys = (by.key(asked.number, issuer=asked.issuer) for by in of_these)
        return [key for key in dict.fromkeys(keys) if key]

    def _having(
        self, connection: Connection, project: str, pseudonymisers: list[Pseudonymiser], asked: Number, number: int
    ) -> set[_Known]:
        """Who has this number by a policy, in whatever form another one keyed it.

        Raises:
            Misconfigured: no issuer is said, and it is the number of somebody by an issuer.
        """
        if all(by.as_written for by in pseudonymisers):
            return set()
        found = {
            (each, by): None
            for by in pseudonymisers
            for each in self._forms(connection, project, by).get(by.key(asked.number), ())
        }
        if asked.issuer:
            ignored = not any(by.by_issuers for by in pseudonymisers)
            return {each for each, by in found if _is_of(each, by, asked, ignored=ignored)}
        if any(issuer_of(each.key) for each, _ in found):
            hint = "write a line as who issued it, a tab and the id"
            raise Misconfigured(f"id number {number} is a patient's by who issued it, which is not said", hint=hint)
        return {each for each, _ in found}

    def _forms(self, connection: Connection, project: str, by: Pseudonymiser) -> dict[str, set[_Known]]:
        """Who has a number, by its normal form in one policy."""
        place = project, by.rules
        if place not in self._found:
            self._found[place] = {}
            for each in self._numbers_of(connection, project):
                if number := by.key(number_of(each.key)):
                    self._found[place].setdefault(number, set()).add(each)
        return self._found[place]

    def _numbers_of(self, connection: Connection, project: str) -> list[_Known]:
        """What keys the patients whom headers name."""
        if project not in self._numbers:
            of_project = studies.c.project == project
            one = select(studies.c.patient, func.min(studies.c.study).label("study")).where(of_project)
            first = one.group_by(studies.c.patient).subquery()
            here = of_project & (studies.c.patient == first.c.patient) & (studies.c.study == first.c.study)
            query = select(studies.c.patient, studies.c.sealed_known).join(first, here)
            seal = self._context.keyring.seal_of(SEALED_FOR)
            rows = connection.execute(query)
            self._numbers[project] = [_Known(key_in(seal, sealed), patient) for patient, sealed in rows]
        return self._numbers[project]

    def _pseudonymisers(self, connection: Connection, project: str) -> Pseudonymisers:
        if project not in self._by:
            self._by[project], self._unknown[project] = pseudonymisers(self._context, connection, project)
        return self._by[project]

    def _now(self, connection: Connection, project: str) -> list[Pseudonymiser]:
        """Of the project's epoch."""
        made = self._pseudonymisers(connection, project)
        return made[max(made)]


def _is_of(known: _Known, by: Pseudonymiser, asked: Number, *, ignored: bool) -> bool:
    """Whether this number is that of who is named with an issuer. ignored: by all policies of the project."""
    issuer = issuer_of(known.key)
    if not by.by_issuers:
        return ignored and not issuer
    return by.key(number_of(known.key), issuer=issuer) == by.key(asked.number, issuer=asked.issuer)
