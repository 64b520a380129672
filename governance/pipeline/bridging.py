"""One patient under the pseudonyms of several epochs, or one study or accession number: found by what the vault holds.

No row says that two pseudonyms are the same. What an epoch's pseudonym stands for lies in the vault under keys of that
epoch; opened, and derived again with the keys of another epoch, it leads to the other pseudonym. So who has the
workspace's database alone cannot go there, and who goes there by this program has approvals (`reidentifying`), or takes
back everything of a patient, which tells no pseudonym (`withdrawing`).
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from governance import policy
from governance.database import runs, studies
from governance.datatypes import Confidential
from governance.errors import GovernanceError
from governance.keys import EPOCH
from governance.patients import PatientRules
from governance.pipeline import epochs
from governance.pipeline.context import Context
from governance.pipeline.shards import Request
from governance.pipeline.studies import SEALED_FOR, key_in
from governance.pseudonymise import Pseudonymiser
from governance.pseudonymise.kinds import Kind
from governance.pseudonymise.vault import MATCHED, Place, Said, Vault

_PATIENT_ID, _STUDY_UID, _ACCESSION = "PatientID", "StudyInstanceUID", "AccessionNumber"

Pseudonymisers = dict[int, list[Pseudonymiser]]
"""By epoch: as no policy has it, and as each had it under which the project was run in it, so far as it is known; the
latest last."""


@dataclass(slots=True, repr=False)
class Told(Confidential):
    """What is known of whom a pseudonym stands for. keys: what keys the patient; ids: numbers as they were written."""

    epoch: int
    """Of the pseudonym."""
    keys: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    studies: dict[str, str] = field(default_factory=dict)
    """UIDs by their pseudonyms, of studies that are nobody else's."""
    accessions: dict[str, str] = field(default_factory=dict)


def pseudonymisers(context: Context, connection: Connection, project: str) -> tuple[Pseudonymisers, dict[str, str]]:
    """Who names patients in each epoch of a project; and policies that nobody knows any more, names by digest.

    Runs say what their policy was, but for those of earlier versions: there the policy counts as it is, and is not
    known unless it is the same.
    """
    of_policies = select(func.max(runs.c.number)).where(runs.c.project == project)
    last = of_policies.group_by(runs.c.epoch, runs.c.policy_digest)
    columns = runs.c.epoch, runs.c.sealed_request, runs.c.policy_digest, runs.c.policy
    rows = connection.execute(select(*columns).where(runs.c.number.in_(last)).order_by(runs.c.number)).all()
    current = epochs.current(context, connection, project)
    rules = {epoch: {PatientRules(): None} for epoch in range(EPOCH, current + 1)}
    unknown = {}
    for row in rows:
        request = Request.unseal(row.sealed_request, context.keyring)
        there, same = request.patients, True
        if there is None:
            there, same = _as_it_is(request.policy, row.policy_digest)
        if there is not None:
            rules[row.epoch].pop(there, None)
            rules[row.epoch][there] = None
        if not same:
            unknown[row.policy_digest] = row.policy
    made = {
        epoch: [Pseudonymiser(epochs.keys_in(context, project, epoch), patients=each) for each in found]
        for epoch, found in rules.items()
    }
    return made, unknown


def _as_it_is(place: str, digest: str) -> tuple[PatientRules | None, bool]:
    """What a policy says now of patients, if it still loads, and whether it is the one of this digest."""
    found: policy.Rules | None = None
    with suppress(GovernanceError):
        found = policy.load(place)
    return (None, False) if found is None else (found.patients, found.digest == digest)


class Bridge(Confidential):
    """Leads from one epoch of a project to the others."""

    def __init__(
        self,
        context: Context,
        connection: Connection,
        vault: Vault,
        project: str,
        *,
        by: Pseudonymisers | None = None,
    ) -> None:
        """by: where the caller knows it."""
        self._context, self._connection, self._vault, self._project = context, connection, vault, project
        self._by = pseudonymisers(context, connection, project)[0] if by is None else by

    def of(self, patient: str) -> Told:
        """What is known of a patient; not what is kept under the pseudonym by a decision that was undone since.

        Raises:
            Tampered: a row of the vault is not what was kept.
        """
        told = Told(max(self._by))
        told.keys |= self._keys_of(patient)
        for place, said in self._vault.told(self._project, patient):
            told.epoch = place.epoch
            values, by = dict(said), self._by.get(place.epoch, [])
            key, number = values.get(MATCHED, ""), values.get(_PATIENT_ID, "")
            told.keys |= {key} if key and any(each.pseudonym(key) == patient for each in by) else set()
            told.ids |= {number} if number and any(_named(each, number) == patient for each in by) else set()
            if (_STUDY_UID in values or _ACCESSION in values) and self._is_alone(place):
                told.studies |= {place.pseudonym: values[_STUDY_UID]} if _STUDY_UID in values else {}
                told.accessions |= {place.pseudonym: values[_ACCESSION]} if _ACCESSION in values else {}
        return told

    def patients(self, told: Told) -> dict[int, set[str]]:
        """Pseudonyms of a patient by epochs, whether anything is known of them or not."""
        return {
            epoch: {made[0].pseudonym(key) for key in told.keys}
            | {_named(by, number) for by in made for number in told.ids} - {""}
            for epoch, made in self._by.items()
        }

    def ids(self, told: Told) -> set[str]:
        """By what the patient is known again: keys, numbers as they were written, and as policies key them."""
        forms = {by.key(number) for made in self._by.values() for by in made for number in told.ids} - {""}
        return told.keys | told.ids | forms

    def studies(self, told: Told) -> set[str]:
        """Pseudonyms of the patient's studies in every epoch."""
        return {made[0].study(uid) for made in self._by.values() for uid in told.studies.values()}

    def accessions(self, told: Told) -> set[str]:
        """The same of the patient's accession numbers."""
        return {made[0].accession(number) for made in self._by.values() for number in told.accessions.values()}

    def across(self, place: Place) -> Iterator[tuple[int, str]]:
        """The pseudonyms of the same patient, study or number in other epochs of which the vault holds something."""
        match place.kind:
            case Kind.STUDY:
                yield from self._derived(place, _STUDY_UID, Pseudonymiser.study)
            case Kind.ACCESSION:
                yield from self._derived(place, _ACCESSION, Pseudonymiser.accession)
            case Kind.PATIENT:
                yield from self._patients_across(place)

    def _derived(
        self, place: Place, name: str, derive: Callable[[Pseudonymiser, str], str]
    ) -> Iterator[tuple[int, str]]:
        for said in self._vault.open(place):
            for epoch, made in self._by.items():
                other = derive(made[0], dict(said)[name])
                if epoch != place.epoch and self._kept(other, epoch, place.kind):
                    yield epoch, other

    def _patients_across(self, place: Place) -> Iterator[tuple[int, str]]:
        """By what keys the patient; and by studies, where the rules of a policy for numbers changed in between."""
        told, own = self.of(place.patient), self._ids(place.project, place.patient)
        for epoch, others in self.patients(told).items():
            if epoch == place.epoch:
                continue
            yield from ((epoch, other) for other in sorted(others) if self._kept(other, epoch, place.kind))
            for study in sorted({self._by[epoch][0].study(uid) for uid in told.studies.values()}):
                for each in self._kept(study, epoch, Kind.STUDY):
                    if own & self._ids(each.project, each.patient):
                        yield epoch, each.patient

    def _ids(self, project: str, patient: str) -> set[Said]:
        """Numbers of a patient with their issuers, as images and tables told them."""
        kept = self._vault.told(project, patient)
        return {said for place, said in kept if place.kind is Kind.PATIENT and MATCHED not in dict(said)}

    def _kept(self, pseudonym: str, epoch: int, kind: Kind) -> list[Place]:
        places = self._vault.places(pseudonym)
        return [each for each in places if (each.project, each.epoch, each.kind) == (self._project, epoch, kind)]

    def _is_alone(self, place: Place) -> bool:
        return {each.patient for each in self._kept(place.pseudonym, place.epoch, place.kind)} == {place.patient}

    def _keys_of(self, patient: str) -> set[str]:
        """As images of the project's epoch told them."""
        mine = (studies.c.project == self._project) & (studies.c.patient == patient)
        sealed = self._connection.execute(select(studies.c.sealed_known).where(mine)).scalars().all()
        seal = self._context.keyring.seal_of(SEALED_FOR)
        return {key_in(seal, each) for each in sealed}


def _named(by: Pseudonymiser, number: str) -> str:
    """The pseudonym of the patient of a number; empty for nobody's."""
    key = by.key(number)
    return by.pseudonym(key) if key else ""


def pseudonyms(context: Context, vault: Vault, pseudonym: str) -> list[Said]:
    """The pseudonyms of the same patient, study or accession number in the other epochs of its project.

    Raises:
        Tampered: a row of the vault, or of an epoch, is not what was kept.
    """
    found: dict[Said, None] = {}
    with context.engine.connect() as connection:
        for place in vault.places(pseudonym):
            for epoch, other in Bridge(context, connection, vault, place.project).across(place):
                found[("Pseudonym", other), ("Epoch", str(epoch))] = None
    return sorted(found, key=lambda said: (int(said[1][1]), said[0][1]))
