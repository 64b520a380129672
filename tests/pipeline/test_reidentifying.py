"""A pseudonym is opened for a reason that several people approve of, once, and the log says so."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from governance import audit, keys, pipeline
from governance.database import approvers, reidentifications, reidentified, studies
from governance.errors import GovernanceError, Misconfigured, Refused
from governance.pipeline import reidentifying
from governance.pipeline.rulings import account_name
from governance.pseudonymise.approvals import Request, Want, Why, read_request
from tests.databases import PostgreSQL, address_of
from tests.pipeline.approved import PASSPHRASE, REASON, SOON, World, make, register, until
from tests.pipeline.beside import ACCESSION, PATIENT, PLANTED, run

ORIGINALS = [want for want in Want if want is not Want.PSEUDONYM]


@pytest.fixture
def world(tmp_path: Path, database: PostgreSQL | None) -> Iterator[World]:
    made = make(tmp_path, database)
    yield made
    made.context.engine.dispose()


@pytest.mark.parametrize("want", ORIGINALS)
def test_what_was_asked_is_told_and_nothing_else(world: World, want: Want) -> None:
    request = world.ask(want=want)

    (answer,) = world.open(request, world.approve(request))

    expected = {
        Want.PATIENT_ID: {"PatientID": PATIENT, "IssuerOfPatientID": "Hospital A"},
        Want.STUDY_UID: {"StudyInstanceUID": world.study_uid},
        Want.ACCESSION: {"AccessionNumber": ACCESSION},
    }[want]
    assert answer == {"pseudonym": world.pseudonym(want), "want": want.value, "values": [expected]}


def test_the_patient_is_told_of_a_study_or_an_accession_number(world: World) -> None:
    pseudonyms = [world.pseudonym(want) for want in ORIGINALS]
    request = world.ask(*pseudonyms)

    answers = world.open(request, world.approve(request))

    assert [answer["pseudonym"] for answer in answers] == pseudonyms
    assert {json.dumps(answer["values"]) for answer in answers} == {
        json.dumps([{"PatientID": PATIENT, "IssuerOfPatientID": "Hospital A"}])
    }


def test_each_act_is_an_event_that_tells_neither_original_nor_reason(world: World) -> None:
    request = world.ask()
    with pytest.raises(Refused):
        world.open(request, world.approve(request, "ana"))
    world.open(request, world.approve(request, "ana", "cem"))

    said = [event for event in world.events() if str(event["kind"]).startswith(("approver", "reid"))]

    kinds = [event["kind"] for event in said]
    assert kinds == ["approver-added"] * 3 + [
        "reidentification-asked",
        "reidentification-refused",
        "reidentification-opened",
    ]
    asked, refused, opened = said[3:]
    request_id = read_request(request.read_bytes()).request_id
    assert {event["subject"] for event in (asked, refused, opened)} == {request_id}
    assert asked["actor"] == "zoe"
    assert isinstance(opened["details"], dict)
    assert isinstance(refused["details"], dict)
    assert refused["details"]["why"] == "too-few"
    assert opened["details"]["approvers"] == "ana,cem"
    assert (opened["details"]["pseudonyms"], opened["details"]["values"]) == (1, 1)
    whole = json.dumps(world.events()) + request.read_text()
    assert [text for text in (*PLANTED, REASON, "Incidental") if text in whole] == []


def test_the_reason_can_be_erased_and_the_request_answered_all_the_same(world: World) -> None:
    """Whoever wrote it may have named the patient, who withdraws consent."""
    request = world.ask()
    approved = world.approve(request)
    asked = next(place for place, event in enumerate(world.events()) if event["kind"] == "reidentification-asked")
    with world.context.engine.connect() as connection:
        (shown,) = audit.shown(connection, world.context.keyring, event=asked)
        (sealed,) = connection.execute(select(reidentifications.c.sealed)).scalars()
    assert shown.opened is not None
    assert shown.opened[1] == REASON
    assert "Quillfeather" not in world.context.keyring.unseal(sealed, purpose="reidentification")

    pipeline.redact(world.context, asked, reason="asked to be forgotten", actor="a.steward")

    with world.context.engine.connect() as connection:
        assert [each.opened for each in audit.shown(connection, world.context.keyring, event=asked)] == [None]
    assert pipeline.look(request, reason=REASON)[1]
    assert world.open(request, approved)
    pipeline.verify_audit(world.context)


def test_no_reason_and_no_original_stand_in_any_file_of_the_workspace(
    world: World, database: PostgreSQL | None
) -> None:
    request = world.ask()
    world.open(request, world.approve(request))

    held = b"".join(path.read_bytes() for path in world.context.workspace.inner.rglob("*") if path.is_file())
    if database is not None:
        with world.context.engine.connect() as connection:
            for table in (approvers, reidentifications, reidentified, studies):
                held += repr(connection.execute(select(table)).all()).encode()

    assert len(held) > 1000
    assert [text for text in (*PLANTED, "Incidental", "her ward") if text.encode() in held] == []


def test_an_answer_is_given_once(world: World) -> None:
    request = world.ask()
    approved = world.approve(request)
    world.open(request, approved)

    with pytest.raises(Refused, match="answered before"):
        world.open(request, approved)
    with pytest.raises(Refused, match="answered before"):
        world.open(request, world.approve(request, "ben", "cem"))

    assert world.last() == ("reidentification-refused", "used")


REFUSALS: dict[str, tuple[Callable[[World, Path], list[Path]], Why]] = {
    "one approval": (lambda w, r: w.approve(r, "ana"), Why.TOO_FEW),
    "the same twice": (lambda w, r: w.approve(r, "ana") * 2, Why.TWICE),
    "the same person again": (lambda w, r: [*w.approve(r, "ana"), *w.approve(r, "ana")], Why.TWICE),
    "for another request": (lambda w, r: w.approve(w.ask()), Why.OTHER_REQUEST),
    "one changed": (lambda w, r: [*w.approve(r, "ana"), changed(w.approve(r, "ben")[0])], Why.CHANGED),
    "one no approval": (lambda w, r: [*w.approve(r, "ana"), r], Why.CHANGED),
    "one removed": (lambda w, r: removed(w, w.approve(r), "ben"), Why.NOT_REGISTERED),
    "a stranger": (lambda w, r: stranger(w, r), Why.NOT_REGISTERED),
}


def changed(path: Path) -> Path:
    text = path.read_text()
    path.write_text(text.replace('"signature":"', '"signature":"00', 1).replace('00"}', '"}', 1))
    return path


def removed(world: World, approved: list[Path], name: str) -> list[Path]:
    pipeline.remove_approver(world.context, name, actor="admin")
    return approved


def stranger(world: World, request: Path) -> list[Path]:
    keys.make_signer(world.folder / "dora.pem", passphrase=PASSPHRASE)
    return [*world.approve(request, "ana"), *world.approve(request, "dora")]


@pytest.mark.parametrize("case", REFUSALS)
def test_what_does_not_count_is_refused_and_logged_and_uses_nothing_up(world: World, case: str) -> None:
    act, why = REFUSALS[case]
    request = world.ask()
    given = act(world, request)

    with pytest.raises(Refused) as refusal:
        world.open(request, given)

    assert str(refusal.value) == why.value
    assert refusal.value.__context__ is None
    assert world.last() == ("reidentification-refused", why.name.lower().replace("_", "-"))
    assert world.open(request, world.approve(request, "ana", "cem"))


def test_who_asked_or_whose_account_asked_cannot_approve(world: World) -> None:
    request = world.ask(actor="ana")
    with pytest.raises(Refused, match="who asks"):
        world.open(request, world.approve(request, "ana", "ben"))
    assert world.open(request, world.approve(request, "ben", "cem"))
    register(world, account_name())
    other = world.ask(actor="zoe")
    with pytest.raises(Refused, match="who asks"):
        world.open(other, world.approve(other, account_name(), "ben"))


def test_an_expired_request_is_not_answered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    request = world.ask()
    approved = world.approve(request)
    monkeypatch.setattr(reidentifying, "now", lambda: "2098-01-01T00:00:00Z")

    with pytest.raises(Refused, match="expired"):
        world.open(request, approved)

    assert world.last() == ("reidentification-refused", "expired")


def test_a_request_of_another_workspace_or_one_that_was_made_elsewhere_is_not_answered(
    world: World, tmp_path: Path, database: PostgreSQL | None
) -> None:
    other = pipeline.create(tmp_path / "other", passphrase=None, database=address_of(database))
    run(other, tmp_path / "raw")
    theirs = World(other, tmp_path / "people", world.study_uid, count=100).ask()
    request = read_request(world.ask().read_bytes())
    forged = world.new("forged")
    forged.write_bytes(Request(**{**vars_of(request), "want": Want.ACCESSION}).encode())
    garbage = world.new("garbage")
    garbage.write_text("{}")

    for each in (theirs, forged):
        with pytest.raises(Refused, match="not asked in this workspace"):
            world.open(each, world.approve(each))
        assert world.last() == ("reidentification-refused", "not-asked")
    with pytest.raises(Refused, match="not asked in this workspace"):
        world.open(garbage, [forged])
    assert world.events()[-1]["subject"] == "unknown"
    other.engine.dispose()


def vars_of(request: Request) -> dict[str, object]:
    return {name: getattr(request, name) for name in Request.__dataclass_fields__}


def test_a_pseudonym_without_a_row_is_refused_before_anybody_approves(world: World) -> None:
    for mistake in ("LUNG-00000000000000000", PATIENT):
        with pytest.raises(Refused, match="the vault holds nothing") as refusal:
            world.ask(mistake)
        assert mistake not in f"{refusal.value} {refusal.value.hint}"
        assert "run the sources" in refusal.value.hint
        assert mistake not in json.dumps(world.events())
    with pytest.raises(Refused, match="the vault holds nothing"):
        world.ask(world.patient, want=Want.STUDY_UID)
    assert world.last() == ("reidentification-refused", "no-row")
    with world.context.engine.connect() as connection:
        assert connection.execute(select(reidentifications)).all() == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"reason": "  "}, "needs a reason", id="no reason"),
        pytest.param({"until": "2020-01-01"}, "no time", id="past"),
        pytest.param({"until": SOON}, "no time", id="too far away"),
        pytest.param({"actor": "Mrs Quill"}, "named by", id="name"),
        pytest.param({"pseudonyms": []}, "pseudonyms are asked", id="nothing"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_and_nothing_is_written(
    world: World, change: dict[str, object], said: str
) -> None:
    usual = {"pseudonyms": [world.patient], "reason": REASON, "until": until(), "actor": "zoe"}
    asked = {**usual, **change}
    before = len(world.events())

    with pytest.raises(Misconfigured, match=said):
        pipeline.ask(
            world.context,
            asked.pop("pseudonyms"),  # type: ignore[arg-type]
            want=Want.PATIENT_ID,
            out=world.folder / "out.json",
            **asked,  # type: ignore[arg-type]
        )

    assert not (world.folder / "out.json").exists()
    assert len(world.events()) == before


def test_a_request_whose_file_cannot_be_made_was_not_asked(world: World) -> None:
    (world.folder / "there.json").write_text("mine")

    with pytest.raises(Misconfigured, match="there is a file"):
        pipeline.ask(
            world.context,
            [world.patient],
            want=Want.PATIENT_ID,
            reason=REASON,
            until=until(),
            out=world.folder / "there.json",
        )

    assert (world.folder / "there.json").read_text() == "mine"
    assert world.last()[0] == "approver-added"


def test_of_many_that_open_the_same_request_at_once_exactly_one_is_told(world: World) -> None:
    request = world.ask()
    approved = world.approve(request)
    told: list[object] = []
    ready = threading.Barrier(4)

    def work() -> None:
        context = pipeline.open_context(world.context.workspace.root, passphrase=None)
        ready.wait()
        try:
            told.append([answer.record() for answer in pipeline.open_request(context, request, approved)])
        except GovernanceError as error:
            told.append(str(error))
        context.engine.dispose()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(type, told), key=str) == [list, str, str, str]
    assert {each for each in told if isinstance(each, str)} == {Why.USED.value}
    assert [event["kind"] for event in world.events()].count("reidentification-opened") == 1


def test_a_kill_before_the_answer_is_told_burns_the_approvals(world: World) -> None:
    """Told twice would be worse than never told."""
    request = world.ask()
    approved = world.approve(request)
    world.context.engine.dispose()
    process = os.fork()
    if process == 0:
        context = pipeline.open_context(world.context.workspace.root, passphrase=None)
        pipeline.open_request(context, request, approved)
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL

    with pytest.raises(Refused, match="answered before"):
        world.open(request, approved)


def test_a_kill_inside_the_record_uses_nothing_up(world: World) -> None:
    request = world.ask()
    approved = world.approve(request)
    world.context.engine.dispose()
    process = os.fork()
    if process == 0:
        reidentifying.sign = lambda *_args: os.kill(os.getpid(), signal.SIGKILL)
        context = pipeline.open_context(world.context.workspace.root, passphrase=None)
        pipeline.open_request(context, request, approved)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL

    assert world.open(request, approved)
