"""From a pseudonym of one epoch to that of another: by approvals, and by nobody else; who leaves, leaves both."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from governance import pipeline
from governance.database import originals, patient_keys
from governance.datatypes import Outcome
from governance.errors import Misconfigured, Refused
from governance.pipeline import bridging, vaulting
from governance.pipeline.leaving import WITHDRAWN
from governance.pseudonymise.approvals import Want
from tests.databases import PostgreSQL, rows
from tests.pipeline.approved import World, make, register
from tests.pipeline.beside import ACCESSION, NAME, PATIENT, PLANTED, ended, image, released, reports, run
from tests.pipeline.test_leaving import OTHER, other
from tests.pipeline.test_patients import SITE
from tests.pipeline.test_rekeying import named, raw, rekey, used

__all__ = ["raw", "used"]
LETTER = "letter of the third of May"


@pytest.fixture
def world(tmp_path: Path, database: PostgreSQL | None) -> Iterator[World]:
    """One patient in two epochs."""
    made = make(tmp_path, database)
    made.first = {want: made.pseudonym(want) for want in Want}  # type: ignore[attr-defined]
    rekey(made.context)
    run(made.context, tmp_path / "raw")
    yield made
    made.context.engine.dispose()


def asked(world: World, pseudonym: str, want: Want) -> object:
    request = world.ask(pseudonym, want=want)
    (answer,) = world.open(request, world.approve(request))
    assert answer["pseudonym"] == pseudonym
    return answer["values"]


@pytest.mark.parametrize("kind", [Want.PATIENT_ID, Want.STUDY_UID, Want.ACCESSION])
def test_a_pseudonym_leads_to_that_of_the_other_epoch_and_back(world: World, kind: Want) -> None:
    first, second = world.first[kind], world.pseudonym(kind)  # type: ignore[attr-defined]
    assert first != second

    assert asked(world, first, Want.PSEUDONYM) == [{"Pseudonym": second, "Epoch": "2"}]
    assert asked(world, second, Want.PSEUDONYM) == [{"Pseudonym": first, "Epoch": "1"}]


@pytest.mark.parametrize("want", [Want.PATIENT_ID, Want.STUDY_UID, Want.ACCESSION])
def test_an_original_is_told_of_a_pseudonym_of_any_epoch(world: World, want: Want) -> None:
    first, second = world.first[want], world.pseudonym(want)  # type: ignore[attr-defined]

    assert asked(world, first, want) == asked(world, second, want) != []


def test_the_bridge_takes_approvals_once_and_its_event_tells_no_pseudonym(world: World) -> None:
    first, second = world.first[Want.PATIENT_ID], world.patient  # type: ignore[attr-defined]
    request = world.ask(first, want=Want.PSEUDONYM)
    with pytest.raises(Refused, match="fewer approvals"):
        world.open(request, world.approve(request, "ana"))
    approved = world.approve(request)
    world.open(request, approved)
    with pytest.raises(Refused, match="answered before"):
        world.open(request, approved)

    said = [event for event in world.events() if str(event["kind"]).startswith("reid")]
    assert [event["kind"] for event in said][-2:] == ["reidentification-opened", "reidentification-refused"]
    assert said[-2]["details"]["want"] == "pseudonym"  # type: ignore[index]
    assert [text for text in (first, second, *PLANTED) if text in json.dumps(world.events())] == []


def test_what_has_no_other_epoch_is_not_answered(used: pipeline.Context, tmp_path: Path) -> None:
    (tmp_path / "people").mkdir()
    world = World(used, tmp_path / "people", "")
    for name in world.names:
        register(world, name)
    request = world.ask(named(used, 1), want=Want.PSEUDONYM)

    with pytest.raises(Refused, match="vault holds nothing"):
        world.open(request, world.approve(request))


def test_a_patient_with_another_study_in_the_second_epoch_is_found_by_the_number(world: World, tmp_path: Path) -> None:
    context = world.context
    rekey(context)
    image(tmp_path / "later", **{**other("7"), "PatientID": PATIENT, "PatientName": NAME})
    run(context, tmp_path / "later")

    found = asked(world, world.first[Want.PATIENT_ID], Want.PSEUDONYM)  # type: ignore[attr-defined]

    assert found == [{"Pseudonym": named(context, epoch), "Epoch": str(epoch)} for epoch in (2, 3)]


def test_rules_for_numbers_that_changed_in_between_do_not_break_the_bridge(
    context: pipeline.Context, tmp_path: Path
) -> None:
    folder = tmp_path / "zeros"
    image(folder, PatientID="000771")
    loose = tmp_path / "site.yaml"
    loose.write_text(SITE)
    run(context, folder)
    (first,) = pipeline.patients(context, "lung")
    rekey(context)
    run(context, folder, policy=str(loose))
    (second,) = pipeline.patients(context, "lung")
    vault = vaulting.open_vault(context)

    assert second == named(context, 2, "771")
    assert bridging.pseudonyms(context, vault, first) == [(("Pseudonym", second), ("Epoch", "2"))]
    assert bridging.pseudonyms(context, vault, second) == [(("Pseudonym", first), ("Epoch", "1"))]


# ------------------------------------------------------------------ consent that is withdrawn


def leave(context: pipeline.Context, pseudonym: str) -> list[pipeline.Left]:
    return pipeline.withdraw(context, pseudonyms=[pseudonym], reason=LETTER, actor="a.steward")


def kept(context: pipeline.Context, patient: str) -> int:
    """Rows and keys of a patient in the vault."""
    with vaulting.open_vault(context).engine.connect() as connection:
        tables = (originals, patient_keys)
        return sum(len(connection.execute(t.select().where(t.c.patient == patient)).all()) for t in tables)


@pytest.mark.parametrize("processes", [0, 1])
def test_who_left_in_the_first_epoch_does_not_come_in_the_second(
    used: pipeline.Context, raw: Path, tmp_path: Path, processes: int
) -> None:
    leave(used, named(used, 1))
    rekey(used)
    image(tmp_path / "again", "id.dcm", PatientID="CORRECTED77", SOPInstanceUID="1.2.826.0.1.3680043.8.498.77")
    image(tmp_path / "again", "other.dcm", **{**other("2"), "PatientID": PATIENT, "PatientName": NAME})
    reports(tmp_path / "again", (ACCESSION, "", "A new report."))

    counts = run(used, raw, tmp_path / "again", processes=processes).counts

    assert counts == {"published": 2, "filtered": 5}
    assert {reason for outcome, reason in ended(used).values() if outcome is Outcome.FILTERED} == {WITHDRAWN}
    assert pipeline.patients(used, "lung") == [named(used, 2, OTHER)]


@pytest.mark.parametrize("epoch", [1, 2])
def test_who_leaves_in_one_epoch_leaves_both_and_the_vault(used: pipeline.Context, raw: Path, epoch: int) -> None:
    rekey(used)
    run(used, raw)
    assert min(kept(used, named(used, one)) for one in (1, 2)) > 3

    left = leave(used, named(used, epoch))

    assert {each.patient for each in left} == {named(used, epoch), ""}
    assert sum(each.objects for each in left) == 1
    assert [dict(each.releases) for each in left if each.releases] == [{"d@v1": 2}]
    assert [kept(used, named(used, one)) for one in (1, 2)] == [0, 0]
    assert min(kept(used, named(used, one, OTHER)) for one in (1, 2)) > 3
    assert pipeline.patients(used, "lung") == [named(used, 2, OTHER)]
    assert run(used, raw).counts == {"published": 2, "filtered": 2}
    assert {row["patient_id"] for row in released(used, "instances")} == {named(used, 2, OTHER)}
    rekey(used)
    assert run(used, raw).counts == {"published": 2, "filtered": 2}
    assert all(each.again for each in leave(used, named(used, epoch)))
    assert pipeline.verify_audit(used).withdrawals == 2


def test_a_withdrawal_is_no_bridge(used: pipeline.Context, raw: Path) -> None:
    rekey(used)
    run(used, raw)
    first, second = named(used, 1), named(used, 2)

    found = pipeline.preview(used, pseudonyms=[first], project="lung")
    of_id = pipeline.preview(used, patient_ids=[PATIENT], project="lung")
    done = leave(used, first)

    for left in (found, done):
        assert first in str(left)
        assert second not in str(left)
        assert second not in "\n".join(each.text() for each in left)
    assert {each.patient for each in of_id} == {second, ""}


def test_who_comes_in_only_later_has_left_too(used: pipeline.Context, raw: Path) -> None:
    """The second epoch has not seen the patient yet."""
    rekey(used)

    leave(used, named(used, 1))

    assert rows(used.engine, "select patient from studies") == [(named(used, 2, OTHER),)]
    assert run(used, raw).counts == {"published": 2, "filtered": 2}


def test_who_is_merged_in_the_second_epoch_leaves_with_all_pseudonyms(used: pipeline.Context, raw: Path) -> None:
    rekey(used)
    run(used, raw)
    pipeline.merge(used, "lung", named(used, 2, OTHER), into=named(used, 2), reason="same", actor=None)
    run(used, raw)

    leave(used, named(used, 1))

    assert pipeline.patients(used, "lung") == []
    assert sum(kept(used, named(used, epoch, who)) for epoch in (1, 2) for who in (PATIENT, OTHER)) == 0


def test_where_nobody_can_tell_who_it_is_an_original_id_is_asked_for(used: pipeline.Context, raw: Path) -> None:
    rekey(used)
    with vaulting.open_vault(used).engine.begin() as connection:
        connection.execute(originals.delete())
    run(used, raw)

    with pytest.raises(Misconfigured, match="nobody can tell"):
        leave(used, named(used, 1))
    assert rows(used.engine, "select count(*) from tombstones") == [(0,)]
    pipeline.withdraw(used, patient_ids=[PATIENT], project="lung", reason=LETTER)

    assert pipeline.patients(used, "lung") == [named(used, 2, OTHER)]


def test_the_database_keeps_no_name_of_the_first_epoch_but_in_receipts_and_outcomes(used: pipeline.Context) -> None:
    rekey(used)

    assert rows(used.engine, "select count(*) from accessions") == [(0,)]
    found = {str(patient) for (patient,) in rows(used.engine, "select patient from studies")}
    assert found == {named(used, 2), named(used, 2, OTHER)}
    assert kept(used, named(used, 1)) > 3
