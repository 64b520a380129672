"""A steward finds who may be one patient or two, and what is decided holds from the next run on and nowhere before."""

import json
import os
import signal
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from governance import pipeline
from governance.database import matches, persons, receipts, writing
from governance.errors import Misconfigured, Tampered
from governance.pipeline import commit, runs
from governance.pipeline.persons import Question
from governance.pseudonymise import Pseudonymiser
from tests.databases import alter, rows
from tests.pipeline.beside import reports
from tests.pipeline.test_leaks import leaks
from tests.pipeline.test_others import headers, image
from tests.pipeline.test_patients import everything, other, written
from tests.pipeline.test_runs import objects, run

WHY = "both hold the card of Quillfeather"
ONE, TWO, THREE = "PX7654321", "QY1234567", "RZ5550001"
BORN = "19610417"
PLANTED = ["Quillfeather", "Gwendolen", ONE, TWO, THREE, BORN]


def twice(folder: Path) -> Path:
    """One person under two numbers, and a stranger of another day of birth."""
    image(folder, 1, PatientID=ONE, PatientBirthDate=BORN, name="Quillfeather^Gwendolen")
    image(folder, 2, PatientID=TWO, PatientBirthDate=BORN, name="QUILLFEATHER^GWENDOLEN^X")
    image(folder, 3, PatientID=THREE, PatientBirthDate="19700202", name="Quillfeather^Gwendolen")
    return folder


def of_number(context: pipeline.Context, number: str) -> str:
    return Pseudonymiser(context.keyring.project("demo")).pseudonym(number)


def merged(context: pipeline.Context, one: str = TWO, into: str = ONE) -> pipeline.Decided:
    pair = of_number(context, one), of_number(context, into)
    return pipeline.merge(context, "demo", pair[0], into=pair[1], reason=WHY, actor="c.jung")


def test_the_same_name_and_birth_date_under_two_numbers_are_a_possible_merge(
    context: pipeline.Context, tmp_path: Path
) -> None:
    run(context, twice(tmp_path / "raw"))

    (found,) = pipeline.candidates(context, "demo")
    (named,) = pipeline.candidates(context, "demo", with_sources=True)

    assert found.question is Question.MERGE
    assert set(found.patients) == {of_number(context, ONE), of_number(context, TWO)}
    assert [(each.objects, each.source) for each in found.studies] == [(1, "")] * 2
    assert sorted(Path(each.source).name for each in named.studies) == [f"1.2.826.0.1.9.{n}.1.1.dcm" for n in (1, 2)]
    assert not [each for each in PLANTED if each in found.text() + json.dumps(found.record())]


def test_a_number_that_a_header_gives_as_another_one_of_its_patient_is_a_possible_merge(
    context: pipeline.Context, tmp_path: Path
) -> None:
    image(tmp_path / "raw", 1, PatientID=ONE, OtherPatientIDsSequence=[other(TWO)])
    image(tmp_path / "raw", 2, PatientID=TWO, name="Maiden^Gwendolen", OtherPatientIDsSequence=[other(THREE)])
    run(context, tmp_path / "raw")

    (found,) = pipeline.candidates(context, "demo")

    assert found.why == "one's header gives the other's number"
    assert set(found.patients) == {of_number(context, ONE), of_number(context, TWO)}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param({"PatientBirthDate": "19701231"}, "birth dates", id="birth dates"),
        pytest.param({"PatientSex": "M"}, "sexes", id="sexes"),
        pytest.param({"name": "Tamburini^Otto"}, "names", id="names"),
        pytest.param({"name": "Quillfeather-Otto^Gwendolen"}, "", id="a name of a marriage"),
        pytest.param({"PatientSex": "O"}, "", id="a sex that nobody told"),
    ],
)
def test_one_number_with_what_cannot_be_of_one_person_is_a_possible_split(
    context: pipeline.Context, tmp_path: Path, changes: dict[str, str], why: str
) -> None:
    same = {"name": "Quillfeather^Gwendolen", "PatientBirthDate": BORN, "PatientSex": "F"}
    image(tmp_path / "raw", 1, **same)
    image(tmp_path / "raw", 2, **(same | changes))
    run(context, tmp_path / "raw")

    found = pipeline.candidates(context, "demo")

    assert [each.question for each in found] == ([Question.SPLIT] if why else [])
    assert all(each.why.startswith(why) and len({s.says for s in each.studies}) == 2 for each in found)


def test_a_merge_makes_one_patient_of_two_in_the_next_run_and_changes_no_release(
    context: pipeline.Context, tmp_path: Path
) -> None:
    raw = twice(tmp_path / "raw")
    reports(raw, ("A177120", ONE, "A nodule."), ("A277120", TWO, "The nodule, again."))
    run(context, raw)
    first = pipeline.publish(context, project="demo", dataset="d")
    released = everything(first.path)
    merged(context)
    with pytest.raises(Misconfigured, match="whose patient is another one by a decision: 2"):
        pipeline.publish(context, project="demo", dataset="d")

    second = run(context, raw)
    version = pipeline.publish(context, project="demo", dataset="d")
    run(context, raw)
    settled, before = everything(context.workspace.curated), objects(context.workspace.root)
    third = run(context, raw)

    ours = [each for each in written(context) if each.PatientID == of_number(context, ONE)]
    assert second.moved == 1
    assert (len(ours), len({each.StudyDate for each in ours})) == (2, 1)  # one shift of days
    assert sorted(pipeline.patients(context, "demo")) == sorted({of_number(context, n) for n in (ONE, THREE)})
    assert (version.version, version.rows) == (2, 3)
    assert (third.moved, third.again, third.outdated, everything(context.workspace.curated)) == (0, 0, 0, settled)
    assert before == objects(context.workspace.root)
    assert everything(first.path) == released
    assert pipeline.candidates(context, "demo") == []
    pipeline.verify(first.path)
    assert pipeline.verify_audit(context).matches == 1


def test_a_split_gives_studies_a_patient_of_their_own(context: pipeline.Context, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    image(raw, 1, PatientID=ONE, PatientBirthDate=BORN, name="Quillfeather^Gwendolen")
    image(raw, 2, PatientID=ONE, PatientBirthDate="19700202", name="Tamburini^Otto", StudyDescription="CT Tamburini")
    reports(raw, ("A177120", ONE, "A nodule."), ("A277120", ONE, "No nodule."))
    run(context, raw)
    run(context, raw)
    first = pipeline.publish(context, project="demo", dataset="d")
    released = everything(first.path)
    (patient,) = pipeline.patients(context, "demo")
    study = pipeline.candidates(context, "demo")[0].studies[-1].study

    made = pipeline.split(context, "demo", patient, studies=[study], reason=WHY, actor=None)
    second = run(context, raw)
    run(context, raw)
    third = run(context, raw)

    assert made.into != patient
    assert sorted(pipeline.patients(context, "demo")) == sorted([patient, made.into])
    assert Counter(each.PatientID for each in written(context)) == {patient: 1, made.into: 1}
    assert len({each.StudyDate for each in written(context)}) == 2
    current = rows(context.engine, "select patient, study from receipts where superseded_by is null and series = ''")
    assert sorted(who for who, _ in current) == sorted([patient, made.into])
    assert [who for who, which in current if which == study] == [made.into]
    assert (second.moved, third.moved, third.again, third.outdated) == (1, 0, 0, 0)
    assert all("known_of_patient" not in each for each in headers(context))
    assert pipeline.candidates(context, "demo") == []
    assert everything(first.path) == released
    assert pipeline.publish(context, project="demo", dataset="d").rows == 2
    pipeline.verify_audit(context)


def test_a_decision_that_is_undone_leaves_what_was_before(context: pipeline.Context, tmp_path: Path) -> None:
    raw = twice(tmp_path / "raw")
    run(context, raw)
    before = objects(context.workspace.root)
    made = merged(context)
    run(context, raw)
    run(context, raw)

    pipeline.undo(context, "demo", made.match_id, reason="they are twins", actor=None)
    summary = run(context, raw)
    run(context, raw)

    assert summary.moved == 1
    assert objects(context.workspace.root) == before
    assert run(context, raw).unchanged == 3
    assert pipeline.decided(context, "demo") == []
    with pytest.raises(Misconfigured, match="no such decision"):
        pipeline.undo(context, "demo", made.match_id, reason="again", actor=None)


def test_decisions_hold_in_their_order_and_go_round_in_no_circle(context: pipeline.Context, tmp_path: Path) -> None:
    run(context, twice(tmp_path / "raw"))
    merged(context, TWO, ONE)
    for pair in ((ONE, TWO), (TWO, THREE), (THREE, TWO)):
        with pytest.raises(Misconfigured, match="merged into another one already") as refusal:
            merged(context, *pair)
        assert of_number(context, ONE) in (refusal.value.hint or "")
    merged(context, ONE, THREE)

    run(context, tmp_path / "raw")

    assert pipeline.patients(context, "demo") == [of_number(context, THREE)]
    assert len({each.StudyDate for each in written(context)}) == 1


@pytest.mark.parametrize(
    ("patient", "into", "studies", "reason", "what"),
    [
        pytest.param("DEMO-NOBODY", None, [], WHY, "no such patient", id="nobody"),
        pytest.param(None, "DEMO-NOBODY", [], WHY, "no such patient", id="into nobody"),
        pytest.param(None, "", [], WHY, "into itself", id="itself"),
        pytest.param(None, None, [], " ", "needs a reason", id="no reason"),
        pytest.param(None, None, ["S0"], WHY, "not studies of this patient", id="another's study"),
        pytest.param(None, None, ["all"], WHY, "all studies", id="all studies"),
    ],
)
def test_a_decision_that_is_none_is_refused_and_leaves_nothing(
    context: pipeline.Context,
    tmp_path: Path,
    patient: str | None,
    into: str | None,
    studies: list[str],
    reason: str,
    what: str,
) -> None:
    run(context, twice(tmp_path / "raw"))
    one = of_number(context, ONE)
    with context.engine.connect() as connection:
        mine = connection.execute(select(receipts.c.study).where(receipts.c.patient == one)).scalars().all()

    target = one if into == "" else into or of_number(context, TWO)
    act = partial(pipeline.merge, into=target)
    if studies:
        act = partial(pipeline.split, studies=mine if studies == ["all"] else studies)

    with pytest.raises(Misconfigured, match=what):
        act(context, "demo", patient or one, reason=reason, actor=None)

    assert rows(context.engine, "select * from matches") == []


def test_a_decision_says_nothing_in_clear_and_cannot_be_changed_unnoticed(
    context: pipeline.Context, tmp_path: Path
) -> None:
    run(context, twice(tmp_path / "raw"))
    made = merged(context)
    run(context, tmp_path / "raw")

    assert leaks(context.workspace.root, [*PLANTED, "hold the card"]) == []
    said = str(rows(context.engine, "select * from matches") + rows(context.engine, "select * from persons"))
    assert not [each for each in PLANTED if each in said]
    assert made.text().endswith(WHY)
    with pytest.raises(Exception, match="append"), writing(context.engine) as connection:
        connection.execute(matches.delete())
    alter(context.engine, f"UPDATE matches SET patient = '{of_number(context, THREE)}'")
    with pytest.raises(Tampered, match="match"):
        pipeline.verify_audit(context)


def test_no_day_and_no_name_makes_a_digest_without_the_key(context: pipeline.Context, tmp_path: Path) -> None:
    """Only the digest of a whole person is the same for two patients; all else is salted by the patient."""
    image(tmp_path / "raw", 1, PatientID=ONE, PatientBirthDate=BORN, name="Quillfeather^Gwendolen", PatientSex="F")
    image(tmp_path / "raw", 2, PatientID=TWO, PatientBirthDate=BORN, name="Quillfeather^Otto", PatientSex="F")
    run(context, tmp_path / "raw")

    digests = rows(context.engine, "select kind, digest from persons where kind <> 'other'")

    assert Counter(kind for kind, _ in digests) == {"birth": 2, "name": 2, "person": 2, "sex": 2}
    assert len({part for _, digest in digests for part in digest.split(".")}) == 2 + 4 + 2 + 2


@pytest.mark.parametrize("moment", ["renamed", "recorded"])
def test_a_kill_while_a_merge_takes_effect_leaves_one_of_each(tmp_path: Path, moment: str) -> None:
    workspace, raw = tmp_path / "w", twice(tmp_path / "raw")
    context = pipeline.create(workspace, passphrase=None)
    run(context, raw)
    merged(context)
    context.engine.dispose()
    process = os.fork()
    if process == 0:

        def die(*_: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        at = {"renamed": (commit.Committer, "_record"), "recorded": (type(context.workspace), "forget_replaced")}
        opened = pipeline.open_context(workspace, passphrase=None)
        runs.recover = lambda _context: None  # type: ignore[assignment]
        setattr(*at[moment], die)
        run(opened, raw)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL

    context = pipeline.open_context(workspace, passphrase=None)
    run(context, raw)

    assert len(objects(workspace)) == 3
    assert len(pipeline.patients(context, "demo")) == 2
    assert pipeline.publish(context, project="demo", dataset="d").rows == 3
    pipeline.verify_audit(context)


def test_candidates_of_many_are_found_by_the_database(context: pipeline.Context) -> None:
    """Patients of whom nothing is curated are none."""
    said = [
        {"project": "demo", "kind": "person", "digest": f"{n // 2:032x}", "patient": f"DEMO-{n}", "study": f"S{n}"}
        for n in range(2_000)
    ]
    with writing(context.engine) as connection:
        connection.execute(insert(persons), said)

    assert pipeline.candidates(context, "demo") == []
