"""Who may approve is said in rows that the log knows; with the database and without the key nobody changes that."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from governance import keys, pipeline
from governance.errors import Misconfigured, Refused, Tampered
from governance.pipeline.vaulting import open_vault
from governance.pseudonymise.approvals import Want
from tests.databases import PostgreSQL, alter
from tests.pipeline.approved import PASSPHRASE, REASON, World, make
from tests.pipeline.beside import image, run


@pytest.fixture
def world(tmp_path: Path, database: PostgreSQL | None) -> Iterator[World]:
    made = make(tmp_path, database)
    yield made
    made.context.engine.dispose()


# ------------------------------------------------------------------ somebody with the database and not the key


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param(["DELETE FROM approvers WHERE number = 4"], id="takes a removal back"),
        pytest.param(["DELETE FROM approvers WHERE number = 1"], id="takes the first one out"),
        pytest.param(
            [
                "INSERT INTO approvers (number, change, sealed, time) "
                "SELECT 5, change, sealed, time FROM approvers WHERE number = 3"
            ],
            id="puts a sealed row in again",
        ),
        pytest.param(
            ["INSERT INTO approvers (number, change, sealed, time) VALUES (5, 'approver-added', x'00', 'now')"],
            id="makes a row",
        ),
    ],
)
def test_who_has_the_database_cannot_change_who_approves(world: World, statements: list[str]) -> None:
    request = world.ask()
    approved = world.approve(request, "ana", "cem")
    pipeline.remove_approver(world.context, "cem", actor="admin")
    alter(world.context.engine, *statements)

    with pytest.raises(Tampered):
        world.open(request, approved)


def test_who_has_the_database_cannot_make_a_request_unused(world: World) -> None:
    request = world.ask()
    approved = world.approve(request)
    world.open(request, approved)
    alter(world.context.engine, "DELETE FROM reidentified")

    with pytest.raises(Refused, match="answered before"):
        world.open(request, approved)


def test_a_log_that_was_changed_opens_nothing(world: World) -> None:
    request = world.ask()
    approved = world.approve(request)
    alter(world.context.engine, "UPDATE events SET body = x'7b7d' WHERE idx = 1")

    with pytest.raises(Tampered):
        world.open(request, approved)


def test_a_vault_whose_rows_were_exchanged_tells_nothing_and_uses_nothing_up(world: World, tmp_path: Path) -> None:
    image(tmp_path / "raw2", PatientID="ZQ77881246", SOPInstanceUID="1.2.3.4", StudyInstanceUID="1.2.3")
    run(world.context, tmp_path / "raw2")
    one, two = pipeline.patients(world.context, "lung")
    request = world.ask(one)
    approved = world.approve(request)
    with closing(open_vault(world.context)) as vault, vault.engine.begin() as connection:
        for table, column in (("originals", "pseudonym"), ("originals", "patient"), ("patient_keys", "patient")):
            for before, after in ((one, "x"), (two, one), ("x", two)):
                connection.exec_driver_sql(f"UPDATE {table} SET {column} = '{after}' WHERE {column} = '{before}'")

    with pytest.raises(Tampered):
        world.open(request, approved)

    assert world.last()[0] == "reidentification-asked"


# ------------------------------------------------------------------ who may approve


def test_approvers_are_registered_removed_and_counted_each_with_an_event(world: World) -> None:
    pipeline.set_threshold(world.context, 3, actor="admin")
    pipeline.remove_approver(world.context, "ben", actor="admin")
    found = pipeline.approvers(world.context)

    assert sorted(found.approvers) == ["ana", "cem"]
    assert found.threshold == 3
    said = [event for event in world.events() if str(event["kind"]).startswith("approver")]
    assert [event["kind"] for event in said[3:]] == ["approver-threshold-set", "approver-removed"]
    assert isinstance(said[3]["details"], dict)
    assert (said[3]["details"]["from"], said[3]["details"]["to"]) == (2, 3)
    assert {event["actor"] for event in said} == {"admin"}


def test_a_higher_threshold_holds_for_requests_that_were_asked_before(world: World) -> None:
    request = world.ask()
    approved = world.approve(request)
    pipeline.set_threshold(world.context, 3)

    with pytest.raises(Refused, match="fewer"):
        world.open(request, approved)
    assert world.open(request, [*approved, *world.approve(request, "cem")])


@pytest.mark.parametrize("threshold", [-1, 0, 1, 4])
def test_a_threshold_is_at_least_two_and_no_more_than_there_are(world: World, threshold: int) -> None:
    with pytest.raises(Misconfigured, match="so many"):
        pipeline.set_threshold(world.context, threshold)


def test_a_key_has_one_name_and_a_name_one_key(world: World) -> None:
    public = world.folder / "ana.pem.pub"
    keys.make_signer(world.folder / "new.pem", passphrase=PASSPHRASE)
    for name, key, said in (
        ("dora", public, "is or was"),
        ("ana", world.folder / "new.pem.pub", "of this name"),
        ("ANA", world.folder / "new.pem.pub", "of this name"),
        ("a b", world.folder / "new.pem.pub", "named by"),
        ("dora", world.folder / "new.pem", "no public"),
    ):
        with pytest.raises(Misconfigured, match=said):
            pipeline.add_approver(world.context, name, public_key=key)
    pipeline.remove_approver(world.context, "ana")
    with pytest.raises(Misconfigured, match="is or was"):
        pipeline.add_approver(world.context, "dora", public_key=public)

    found = pipeline.add_approver(world.context, "ana", public_key=world.folder / "new.pem.pub")

    assert sorted(found.approvers) == ["ana", "ben", "cem"]
    with pytest.raises(Misconfigured, match="nobody of this name"):
        pipeline.remove_approver(world.context, "dora")


def test_a_reason_can_be_compared_and_a_request_read_without_a_workspace(world: World) -> None:
    request = world.ask()

    found, told = pipeline.look(request, reason=REASON)
    _, other = pipeline.look(request, reason="curiosity")

    assert (told, other) == (True, False)
    assert found.pseudonyms == (world.patient,)
    assert repr(pipeline.Reidentified("P", Want.PATIENT_ID, ())) == "<Reidentified>"
