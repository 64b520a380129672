"""Who withdraws leaves under every pseudonym that was theirs, and nobody else loses anything."""

from collections import Counter
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, select

from governance import pipeline
from governance.database import accessions, originals, persons, studies
from governance.errors import Misconfigured
from governance.pipeline import withdrawing
from governance.pipeline.leaving import WITHDRAWN
from governance.pipeline.reidentifying import _Way
from governance.pipeline.studies import SEALED_FOR
from governance.pseudonymise.approvals import Want
from tests.databases import rows
from tests.pipeline.beside import reports
from tests.pipeline.test_leaving_matched import WHY, filtered, kept, site
from tests.pipeline.test_matching import ONE, THREE, TWO, merged, of_number, twice
from tests.pipeline.test_others import PATIENT, image
from tests.pipeline.test_patients import BARE, PADDED, SITE, run

__all__ = ["site"]

APART = SITE + "  issuers: apart\n  issuer_unsaid: HOME\n"
NAMES = {1: "Quillfeather^Ada", 2: "Tamburini^Otto"}


def curated(context: pipeline.Context) -> list[str]:
    return sorted(path.name for path in context.workspace.curated.rglob("*.dcm"))


def ended(context: pipeline.Context) -> Counter[str]:
    return Counter(f"{each.outcome.value} {each.reason}".strip() for each in pipeline.outcomes(context))


def all_told(context: pipeline.Context) -> str:
    """What images told of studies, and what the vault answers of every pseudonym."""
    with context.engine.connect() as connection:
        sealed = connection.execute(select(studies.c.sealed_known)).scalars().all()
    opens = context.keyring.seal_of(SEALED_FOR)
    with closing(_Way(context)) as way:
        with way._vault.engine.connect() as connection:
            pseudonyms = connection.execute(select(originals.c.pseudonym).distinct()).scalars().all()
        answers = [way.answer(each, want).record() for each in pseudonyms for want in Want]
    return str([opens.open(each) for each in sealed] + answers)


def patients_in(context: pipeline.Context, table: object) -> set[str]:
    with context.engine.connect() as connection:
        return set(connection.execute(select(table.c.patient)).scalars())  # type: ignore[attr-defined]


def split_off(context: pipeline.Context, folder: Path, *, then_run: bool = True) -> tuple[str, str, str]:
    """A number with studies of two people, parted; whose it is, who was split off, and the study of that one."""
    for number, name in NAMES.items():
        image(folder, number, name=name)
    run(context, folder, "research")
    (patient,) = pipeline.patients(context, "demo")
    opens = context.keyring.seal_of(SEALED_FOR)
    with context.engine.connect() as connection:
        told = connection.execute(select(studies.c.study, studies.c.sealed_known)).all()
    study = next(row.study for row in told if "amburini" in opens.open(row.sealed_known).lower())
    made = pipeline.split(context, "demo", patient, studies=[study], reason=WHY, actor="c.jung")
    if then_run:
        run(context, folder, "research")
    return patient, made.into, study


def test_a_study_that_moved_by_a_merge_does_not_come_again(context: pipeline.Context, tmp_path: Path) -> None:
    raw = twice(tmp_path / "raw")
    run(context, raw, "research")
    merged(context)
    run(context, raw, "research")

    pipeline.withdraw(context, pseudonyms=[of_number(context, ONE)], reason=WHY)
    image(tmp_path / "later", 2, PatientID="CORRECTED77", name="Quillfeather^Gwendolen")
    run(context, tmp_path / "later", "research")

    assert ended(context) == {f"filtered {WITHDRAWN}": 1}
    assert len(rows(context.engine, "select * from accessions")) == 1


def test_nor_does_one_that_moved_by_a_policy_and_all_of_before_is_gone(
    context: pipeline.Context, tmp_path: Path, site: Path
) -> None:
    image(tmp_path / "raw", 1, PatientID=PADDED)
    run(context, tmp_path / "raw", "research")
    run(context, tmp_path / "raw", site)

    pipeline.withdraw(context, pseudonyms=pipeline.patients(context, "demo"), reason=WHY)

    assert kept(context) == {"keys": 0}
    assert [rows(context.engine, f"select * from {each}") for each in (studies, persons, accessions)] == [[], [], []]
    image(tmp_path / "later", 1, PatientID="CORRECTED77")
    for folder, policy in (("later", site), ("raw", "research"), ("raw", site)):
        run(context, tmp_path / folder, policy)
        assert ended(context) == {f"filtered {WITHDRAWN}": 1}


def test_the_pseudonym_in_an_older_release_is_that_of_whom_it_became(
    context: pipeline.Context, tmp_path: Path, site: Path
) -> None:
    image(tmp_path / "raw", 1, PatientID=PADDED)
    run(context, tmp_path / "raw", "research")
    before = pipeline.patients(context, "demo")
    run(context, tmp_path / "raw", site)
    assert pipeline.patients(context, "demo") != before

    pipeline.withdraw(context, pseudonyms=before, reason=WHY)

    assert curated(context) == []
    assert kept(context) == {"keys": 0}


def test_a_policy_that_parted_two_patients_parts_them_when_one_leaves(
    context: pipeline.Context, tmp_path: Path, site: Path
) -> None:
    """One number of two issuers was one patient; of whom it was nobody can tell from its pseudonym."""
    image(tmp_path / "raw", 1, PatientID=BARE, IssuerOfPatientID="NORTH")
    image(tmp_path / "raw", 2, PatientID=BARE, IssuerOfPatientID="SOUTH")
    run(context, tmp_path / "raw", "research")
    both = pipeline.patients(context, "demo")
    site.write_text(APART)
    run(context, tmp_path / "raw", site)
    with pytest.raises(Misconfigured, match="of several patients by now"):
        pipeline.withdraw(context, pseudonyms=both, reason=WHY)
    one, two = pipeline.patients(context, "demo")

    pipeline.withdraw(context, pseudonyms=[one], reason=WHY)

    assert pipeline.patients(context, "demo") == [two]
    run(context, tmp_path / "raw", site)
    assert ended(context)[f"filtered {WITHDRAWN}"] == 1
    assert len(curated(context)) == 1


def test_a_number_that_nobody_has_is_not_taken_from_others(
    context: pipeline.Context, tmp_path: Path, site: Path
) -> None:
    image(tmp_path / "raw", 1, PatientID="UNKNOWN")
    run(context, tmp_path / "raw", "research")
    run(context, tmp_path / "raw", site)
    image(tmp_path / "later", 2, PatientID="UNKNOWN", name="Tamburini^Otto")

    pipeline.withdraw(context, pseudonyms=pipeline.patients(context, "demo"), reason=WHY)
    run(context, tmp_path / "later", site)

    assert ended(context) == {"published": 1}


def test_a_study_of_two_patients_is_nobodys_when_both_have_left(context: pipeline.Context, tmp_path: Path) -> None:
    for number, patient in ((1, ONE), (2, TWO)):
        image(tmp_path / "raw", number, PatientID=patient, StudyInstanceUID="1.2.826.0.1.9.9", AccessionNumber="Q1")
    run(context, tmp_path / "raw", "research")

    pipeline.withdraw(context, pseudonyms=[of_number(context, ONE)], reason=WHY)
    assert len(rows(context.engine, "select * from accessions")) == 1
    pipeline.withdraw(context, pseudonyms=[of_number(context, TWO)], reason=WHY)

    assert rows(context.engine, "select * from accessions") == []
    assert kept(context) == {"keys": 0}
    image(tmp_path / "later", 3, PatientID="CORRECTED77", StudyInstanceUID="1.2.826.0.1.9.9")
    run(context, tmp_path / "later", "research")
    assert ended(context) == {f"filtered {WITHDRAWN}": 1}


def test_who_was_split_off_leaves_with_all_that_was_told_and_the_other_one_stays(
    context: pipeline.Context, tmp_path: Path
) -> None:
    patient, into, study = split_off(context, tmp_path / "raw")

    (left,) = pipeline.withdraw(context, pseudonyms=[into], reason=WHY)

    assert (left.objects, left.names) == (1, 2)
    told = all_told(context)
    assert "amburini" not in told.lower()
    assert "1.2.826.0.1.9.2" not in told
    assert "Quillfeather" in told
    assert patients_in(context, persons) == {patient}
    assert PATIENT in all_told(context)
    run(context, tmp_path / "raw", "research")
    assert ended(context) == {"published unchanged since an earlier run": 1, f"filtered {WITHDRAWN}": 1}
    assert study not in str(rows(context.engine, "select study from receipts where superseded_by is null"))


@pytest.mark.parametrize("then_run", [True, False], ids=["it was run", "not run yet"])
def test_who_was_split_off_a_number_that_leaves_stays(
    context: pipeline.Context, tmp_path: Path, site: Path, then_run: bool
) -> None:
    raw = tmp_path / "raw"
    _, into, study = split_off(context, raw, then_run=then_run)

    reports(raw, ("A177120", PATIENT, "A nodule."), ("A277120", PATIENT, "None."), ("A277120", "", "None at all."))
    if then_run:
        run(context, raw, "research")

    left = pipeline.withdraw(context, patient_ids=[PATIENT], reason=WHY)

    assert sum(each.objects for each in left) == 1
    names = [each.source for each in pipeline.outcomes(context)]
    assert len([name for name in names if name.endswith("9.2.1.1.dcm")]) == 1
    for policy in ("research", "research", site):
        run(context, raw, policy)
        assert Counter(each.outcome.value for each in pipeline.outcomes(context)) == {"published": 3, "filtered": 2}
        assert pipeline.patients(context, "demo") == [into]
    assert "Tamburini" in all_told(context)
    assert "Quillfeather" not in all_told(context)
    assert rows(context.engine, "select study from accessions") == [(study,)]
    assert pipeline.publish(context, project="demo", dataset="d").rows == 1
    pipeline.verify_audit(context)


def test_who_is_about_to_be_split_off_can_leave(context: pipeline.Context, tmp_path: Path) -> None:
    patient, into, _ = split_off(context, tmp_path / "raw", then_run=False)

    (left,) = pipeline.withdraw(context, pseudonyms=[into], reason=WHY)

    assert left.objects == 1
    assert len(curated(context)) == 1
    assert pipeline.patients(context, "demo") == [patient]
    assert "amburini" not in all_told(context).lower()
    pipeline.publish(context, project="demo", dataset="d")
    pipeline.verify_audit(context)


@pytest.mark.parametrize("leaving", [ONE, TWO])
@pytest.mark.parametrize("locked", [False, True], ids=["", "while a run has the workspace"])
def test_between_the_undoing_of_a_merge_and_its_run_each_leaves_alone(
    context: pipeline.Context, tmp_path: Path, leaving: str, locked: bool
) -> None:
    raw = twice(tmp_path / "raw")
    reports(raw, ("A177120", ONE, "A nodule."), ("A277120", TWO, "The nodule, again."))
    run(context, raw, "research")
    made = merged(context)
    run(context, raw, "research")
    pipeline.undo(context, "demo", made.match_id, reason=WHY, actor="c.jung")
    staying = TWO if leaving == ONE else ONE

    if locked:
        with context.workspace.lock():
            (left,) = pipeline.withdraw(context, pseudonyms=[of_number(context, leaving)], reason=WHY)
            assert len(curated(context)) == 2
    else:
        (left,) = pipeline.withdraw(context, pseudonyms=[of_number(context, leaving)], reason=WHY)

    assert (left.objects, left.rows, len(curated(context))) == (1, 1, 2)
    if leaving == TWO:  # and the source need not be there any more
        assert pipeline.publish(context, project="demo", dataset="d").rows == 2
    run(context, raw, "research")
    assert pipeline.patients(context, "demo") == sorted(of_number(context, each) for each in (staying, THREE))
    assert pipeline.publish(context, project="demo", dataset="d").rows == 2
    assert leaving not in all_told(context)
    assert staying in all_told(context)
    assert kept(context)[of_number(context, leaving)] == 0
    assert list((context.workspace.curated / of_number(context, leaving)).rglob("*.dcm")) == []
    pipeline.verify_audit(context)


def test_a_merge_that_was_undone_leaves_nothing_of_one_with_the_other(
    context: pipeline.Context, tmp_path: Path
) -> None:
    raw = twice(tmp_path / "raw")
    run(context, raw, "research")
    made = merged(context)
    run(context, raw, "research")
    pipeline.undo(context, "demo", made.match_id, reason=WHY, actor="c.jung")
    run(context, raw, "research")

    pipeline.withdraw(context, pseudonyms=[of_number(context, TWO)], reason=WHY)

    assert TWO not in all_told(context)
    assert len(curated(context)) == 2


def test_a_number_is_that_of_the_issuer_who_is_named_with_it(
    context: pipeline.Context, tmp_path: Path, site: Path
) -> None:
    site.write_text(APART)
    for number, issuer in enumerate(("NORTH", "SOUTH", "HOME"), 1):
        image(tmp_path / "raw", number, PatientID=BARE, IssuerOfPatientID=issuer)
    run(context, tmp_path / "raw", site)
    before = curated(context)
    with pytest.raises(Misconfigured, match="id number 2 is a patient's by who issued it") as refusal:
        pipeline.withdraw(context, patient_ids=["77", PADDED], reason=WHY)
    assert "tab" in refusal.value.hint
    assert BARE not in str(refusal.value) + refusal.value.hint
    assert curated(context) == before
    assert rows(context.engine, "select * from tombstones") == []

    left = pipeline.withdraw(context, patient_ids=[f"nrth\t{PADDED}"], reason=WHY)

    assert sum(each.objects for each in left) == 1
    assert len(curated(context)) == 2
    for number, issuer in enumerate(("NORTH", "SOUTH", "", "NRTH"), 5):
        image(tmp_path / "later", number, PatientID=BARE, IssuerOfPatientID=issuer)
    for _ in range(2):
        run(context, tmp_path / "later", site)
        assert filtered(context) == {WITHDRAWN: 2}
    assert len(curated(context)) == 4


def test_who_is_named_with_an_issuer_comes_into_no_later_project(
    context: pipeline.Context, tmp_path: Path, site: Path
) -> None:
    pipeline.withdraw(context, patient_ids=[f"NORTH\t{BARE}"], reason=WHY)

    for number, issuer in enumerate(("NORTH", "SOUTH", ""), 1):
        image(tmp_path / "raw", number, PatientID=BARE, IssuerOfPatientID=issuer)
    for policy in ("research", site):
        run(context, tmp_path / "raw", policy)
        assert filtered(context) == {WITHDRAWN: 1}


@pytest.mark.parametrize("line", ["NORTH\tA\t45678", "\t45678", "NORTH\t", "\t"])
def test_a_line_that_is_no_id_is_refused(context: pipeline.Context, line: str) -> None:
    with pytest.raises(Misconfigured, match="neither an id nor") as refusal:
        pipeline.withdraw(context, patient_ids=[line], reason=WHY)
    assert "45678" not in str(refusal.value)


@pytest.mark.parametrize("typed", [BARE, PADDED, "00-45678"])
def test_a_number_is_found_in_the_form_that_another_policy_kept(
    context: pipeline.Context, tmp_path: Path, site: Path, typed: str
) -> None:
    image(tmp_path / "old", 1, PatientID=PADDED)
    image(tmp_path / "new", 2, PatientID=BARE)
    image(tmp_path / "new", 3, PatientID="45679")
    run(context, tmp_path / "old", "research")
    run(context, tmp_path / "new", site)

    left = pipeline.withdraw(context, patient_ids=[typed], reason=WHY)

    assert sum(each.objects for each in left) == 2
    assert len(curated(context)) == 1
    for folder, policy in (("old", "research"), ("new", site)):
        run(context, tmp_path / folder, policy)
        assert filtered(context) == {WITHDRAWN: 1}


def test_a_project_that_is_first_run_while_ids_are_worked_through_keeps_nothing(
    context: pipeline.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is registered behind the first look at who is named, and before the transaction in which they leave."""
    image(tmp_path / "raw", 1)
    image(tmp_path / "other", 2, PatientID=TWO)
    run(context, tmp_path / "other", "research")
    whole, done = withdrawing.writing, list[pipeline.Summary]()

    def writing(engine: Engine) -> AbstractContextManager[Connection]:
        if not done:
            done.append(
                pipeline.run(context, [tmp_path / "raw"], project="second", policy_name="research", processes=0)
            )
        return whole(engine)

    monkeypatch.setattr(withdrawing, "writing", writing)
    left = pipeline.withdraw(context, patient_ids=[PATIENT], reason=WHY)

    assert [(each.project, each.objects) for each in left] == [("demo", 0), ("second", 1), ("", 0)]
    assert len(curated(context)) == 1
