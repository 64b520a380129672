"""A pseudonym is opened for a reason that several people approve of, once, and the log says so."""

import json
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import select

from governance import keys, pipeline
from governance.database import accessions, approvers, reidentifications, reidentified, studies
from governance.errors import GovernanceError, Misconfigured, Refused, Tampered
from governance.pipeline import reidentifying
from governance.pipeline.rulings import account_name
from governance.pseudonymise.approvals import Request, Want, Why, read_request
from tests.databases import PostgreSQL, address_of, alter
from tests.pipeline.beside import ACCESSION, PATIENT, PLANTED, image, run

pytestmark = pytest.mark.databases

PASSPHRASE = b"Geheim-4711"
REASON = "Incidental finding in Mrs Quillfeather: her ward must know."
SOON = "2099-01-01"


@dataclass
class World:
    """A workspace with three approvers and one published patient."""

    context: pipeline.Context
    folder: Path
    study_uid: str
    count: int = 0
    names: list[str] = field(default_factory=lambda: ["ana", "ben", "cem"])

    @property
    def patient(self) -> str:
        return pipeline.patients(self.context, "lung")[0]

    def pseudonym(self, want: Want) -> str:
        column = {Want.STUDY_UID: studies.c.study, Want.ACCESSION: accessions.c.accession}.get(want)
        if column is None:
            return self.patient
        with self.context.engine.connect() as connection:
            return str(connection.execute(select(column)).scalars().one())

    def new(self, what: str) -> Path:
        self.count += 1
        return self.folder / f"{what}-{self.count}.json"

    def ask(self, *pseudonyms: str, want: Want = Want.PATIENT_ID, actor: str = "zoe") -> Path:
        out = self.new("request")
        asked_for = pseudonyms or (self.pseudonym(want),)
        pipeline.ask(self.context, asked_for, want=want, reason=REASON, until=until(), out=out, actor=actor)
        return out

    def approve(self, request: Path, *names: str) -> list[Path]:
        made = []
        for name in names or ("ana", "ben"):
            made.append(self.new(name))
            key = self.folder / f"{name}.pem"
            pipeline.approve(request, key=key, passphrase=PASSPHRASE, approver=name, out=made[-1])
        return made

    def open(self, request: Path, approved: list[Path]) -> list[dict[str, object]]:
        return [answer.record() for answer in pipeline.open_request(self.context, request, approved)]

    def events(self) -> list[dict[str, object]]:
        pipeline.verify_audit(self.context)
        with self.context.engine.connect() as connection:
            bodies = connection.exec_driver_sql("select body from events order by idx").scalars().all()
        return [json.loads(bytes(body)) for body in bodies]

    def last(self) -> tuple[object, object]:
        """Kind of the last event, and why, if it says so."""
        event = self.events()[-1]
        details = event["details"]
        assert isinstance(details, dict)
        return event["kind"], details.get("why")


def until() -> str:
    from datetime import UTC, datetime, timedelta

    return (datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%d")


@pytest.fixture
def world(tmp_path: Path, database: PostgreSQL | None) -> World:
    context = pipeline.create(tmp_path / "workspace", passphrase=None, database=address_of(database))
    data = image(tmp_path / "raw", IssuerOfPatientID="Hospital A")
    run(context, tmp_path / "raw")
    (tmp_path / "people").mkdir()
    made = World(context, tmp_path / "people", str(data.StudyInstanceUID))
    for name in made.names:
        register(made, name)
    return made


def register(world: World, name: str) -> None:
    keys.make_signer(world.folder / f"{name}.pem", passphrase=PASSPHRASE)
    pipeline.add_approver(world.context, name, public_key=world.folder / f"{name}.pem.pub", actor="admin")


@pytest.mark.parametrize("want", Want)
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
    pseudonyms = [world.pseudonym(want) for want in Want]
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
    from contextlib import closing

    from governance.pipeline.vaulting import open_vault

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
