"""A pseudonym is opened to the numbers of its own patient, whatever stewards decided, and took back, before."""

from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from governance import pipeline
from governance.database import accessions, originals, studies
from governance.pipeline.reidentifying import _Way
from governance.pipeline.vaulting import open_vault
from governance.pseudonymise.approvals import Want
from tests.pipeline.beside import reports
from tests.pipeline.test_leaving_matched import WHY
from tests.pipeline.test_leaving_moved import split_off
from tests.pipeline.test_matching import ONE, THREE, TWO, merged, of_number, twice
from tests.pipeline.test_others import PATIENT
from tests.pipeline.test_runs import run


def numbers(context: pipeline.Context, pseudonym: str) -> set[str]:
    """What is told as the PatientID of a pseudonym; nothing else is."""
    with closing(_Way(context)) as way:
        values = way.answer(pseudonym, Want.PATIENT_ID).record()["values"]
    assert all(set(said) == {"PatientID"} for said in values)
    return {said["PatientID"] for said in values}


def study_of(context: pipeline.Context, number: str) -> str:
    with context.engine.connect() as connection:
        mine = studies.c.patient == of_number(context, number)
        return str(connection.execute(select(studies.c.study).where(mine)).scalar_one())


def accession_of(context: pipeline.Context, study: str) -> str:
    with context.engine.connect() as connection:
        mine = accessions.c.study == study
        return str(connection.execute(select(accessions.c.accession).where(mine)).scalar_one())


def all_of(context: pipeline.Context, number: str) -> list[set[str]]:
    """What is told of a patient, their study and their order."""
    study = study_of(context, number)
    return [numbers(context, each) for each in (of_number(context, number), study, accession_of(context, study))]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    raw = twice(tmp_path / "raw")
    reports(raw, ("A177120", ONE, "A nodule."), ("A277120", "", "The nodule, again."), ("A377120", THREE, "None."))
    return raw


def test_a_merge_tells_both_numbers_and_its_undoing_each_its_own(context: pipeline.Context, raw: Path) -> None:
    run(context, raw)
    made = merged(context)
    run(context, raw)
    assert all_of(context, ONE) == [{ONE, TWO}] * 3
    assert all_of(context, THREE) == [{THREE}] * 3

    pipeline.undo(context, "demo", made.match_id, reason=WHY, actor="c.jung")

    for _ in range(2):
        for number in (ONE, TWO, THREE):
            assert all_of(context, number) == [{number}] * 3
        run(context, raw)


@pytest.mark.parametrize("then_run", [True, False], ids=["it was run", "not run yet"])
def test_who_was_split_off_has_the_number_of_their_header(
    context: pipeline.Context, tmp_path: Path, then_run: bool
) -> None:
    _, into, study = split_off(context, tmp_path / "raw", then_run=then_run)

    assert numbers(context, into) == numbers(context, study) == {PATIENT}


def test_what_an_earlier_version_kept_under_whom_a_merge_led_to_is_put_right(
    context: pipeline.Context, raw: Path
) -> None:
    run(context, raw)
    made = merged(context)
    one, two = of_number(context, ONE), of_number(context, TWO)
    study = study_of(context, TWO)
    accession = accession_of(context, study)
    with closing(open_vault(context)) as vault:
        right = kept(context)
        for place, said in vault.told("demo", two):
            vault.move(place, said, to=[one])
        assert {patient for _, patient in kept(context)} == {one, of_number(context, THREE)}
    pipeline.undo(context, "demo", made.match_id, reason=WHY, actor="c.jung")

    for pseudonym in (two, study, accession):
        assert numbers(context, pseudonym) == {TWO}
    assert numbers(context, one) == {ONE}
    assert kept(context) == right


def kept(context: pipeline.Context) -> set[tuple[str, str]]:
    with closing(open_vault(context)) as vault, vault.engine.connect() as connection:
        return {(row.pseudonym, row.patient) for row in connection.execute(select(originals)).all()}
