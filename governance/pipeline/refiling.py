"""What an earlier version kept in the vault under whom decisions led to, is put under whom the headers name.

There it stayed when a decision was undone, and one patient's number was told as another's. It may be done again, and
finds nothing then; so it does where nothing was decided on patients.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, select

from governance.database import accessions, matches, studies
from governance.patients import Matches
from governance.pipeline import matching
from governance.pipeline.bridging import Pseudonymisers, pseudonymisers
from governance.pipeline.context import Context
from governance.pseudonymise.kinds import Kind
from governance.pseudonymise.vault import MATCHED, Place, Vault


def decisions(context: Context, connection: Connection) -> dict[str, Matches]:
    """What is decided on patients, by the projects where anything ever was."""
    there = connection.execute(select(matches.c.project).distinct().order_by(matches.c.project)).scalars().all()
    return {project: matching.in_force_for(context, connection, project) for project in there}


def refile(context: Context, vault: Vault) -> int:
    """Move every row that lies under somebody whom no header names in it; returns how many.

    Raises:
        Tampered: one of them is not what was kept.
    """
    moved = 0
    with context.engine.connect() as connection:
        for project, decided in decisions(context, connection).items():
            by, _ = pseudonymisers(context, connection, project)
            for patient in sorted(decided.ever_targets):
                for place, said in vault.told(project, patient):
                    named = _named(connection, decided, by, place, dict(said))
                    if named and patient not in named:
                        vault.move(place, said, to=sorted(named))
                        moved += 1
    return moved


def _named(
    connection: Connection, decided: Matches, by: Pseudonymisers, place: Place, said: Mapping[str, str]
) -> set[str]:
    """Whom headers name in what lies here; empty if nobody knows."""
    if place.kind is Kind.PATIENT:
        if MATCHED in said:
            return set()
        made = by.get(place.epoch, [])
        keys = {each.key(said.get("PatientID", ""), issuer=said.get("IssuerOfPatientID", "")) for each in made}
        own = {made[0].pseudonym(key) for key in keys - {""}}
        return own if place.patient in own else own & decided.patients
    of_project = studies.c.project == place.project
    if place.kind is Kind.STUDY:
        here = of_project & (studies.c.study == place.pseudonym)
    else:
        mine = (accessions.c.project == place.project) & (accessions.c.accession == place.pseudonym)
        here = of_project & studies.c.study.in_(select(accessions.c.study).where(mine))
    return set(connection.execute(select(studies.c.patient).where(here).distinct()).scalars())
