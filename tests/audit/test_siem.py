"""Every event has a line that a SIEM reads, and that can be held against the log."""

import json
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from sqlalchemy import Engine

from governance import audit, merkle, pipeline
from governance.audit.siem import lines
from governance.database import open_database, writing
from governance.datatypes import BATCH_EVENT, RELEASE_EVENT, RULING_EVENT, Event
from governance.errors import Misconfigured, Refused, Tampered
from tests.audit.test_log import KEYRING, ORIGIN, alter
from tests.release.world import World

SCHEMA = etree.RelaxNG(etree.parse(Path(__file__).with_name("audit_message.rng")))
KINDS = (BATCH_EVENT, RELEASE_EVENT, RULING_EVENT, "rows-withdrawn", "run-finished", "a-kind-of-tomorrow")
TIME = "2026-01-31T12:00:00Z"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(tmp_path / "w.sqlite3")
    yield engine
    engine.dispose()


def log(engine: Engine, *new: Event) -> None:
    with writing(engine) as connection:
        audit.append(connection, new)
        audit.checkpoint(connection, KEYRING, origin=ORIGIN)


def said(engine: Engine, form: audit.Format, *, since: int = 0) -> list[bytes]:
    with engine.connect() as connection:
        return list(lines(connection, KEYRING.public_key, form=form, origin=ORIGIN, since=since))


def some(kind: str, actor: str = "governance") -> Event:
    return Event(kind, actor, TIME, "3f9a0c12", {"receipts": 3, "root": "ab" * 32})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("actor", ["governance", "Ada Quill"])
def test_an_event_is_an_audit_event_of_fhir(engine: Engine, kind: str, actor: str) -> None:
    log(engine, some(kind, actor))

    (line,) = said(engine, audit.Format.FHIR)

    event = json.loads(line)
    AuditEvent.model_validate(event)
    assert (kind, actor, TIME) == (event["subtype"][0]["code"], event["agent"][0]["who"]["identifier"]["value"], TIME)
    assert ("type" in event["agent"][0]) == (actor == "governance")
    details = {each["type"]: each["valueString"] for each in event["entity"][0]["detail"]}
    leaf = merkle.leaf_hash(audit.encode(some(kind, actor))).hex()
    assert {"receipts": "3", "root": "ab" * 32, "log": ORIGIN, "log-index": "0", "leaf-sha256": leaf} == details


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("actor", ["governance", "Ada Quill <&> \"'"])
def test_an_event_is_an_audit_message_of_dicom(engine: Engine, kind: str, actor: str) -> None:
    log(engine, some(kind, actor))

    (line,) = said(engine, audit.Format.DICOM)

    message = etree.fromstring(line)
    SCHEMA.assertValid(message)
    assert b"\n" not in line
    assert actor == message.find("ActiveParticipant").get("UserID")
    assert kind == message.find("EventIdentification/EventID").get("csd-code")
    details = {each.get("type"): b64decode(each.get("value")) for each in message.iter("ParticipantObjectDetail")}
    assert {"receipts": b"3", "log-index": b"0", "log": ORIGIN.encode()}.items() <= details.items()


def test_de_identification_and_export_are_called_so(engine: Engine) -> None:
    log(engine, some(BATCH_EVENT), some(RELEASE_EVENT))

    batch, release = (json.loads(line) for line in said(engine, audit.Format.FHIR))

    assert (batch["action"], batch["entity"][0]["lifecycle"]["display"]) == ("C", "De-identification")
    assert (release["type"]["code"], release["entity"][0]["lifecycle"]["display"]) == ("110106", "Export")


texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=9)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actor=texts, subject=texts, details=st.dictionaries(texts, texts | st.integers(-(2**53) + 1, 2**53 - 1)))
def test_whatever_an_event_says_it_is_well_formed_or_refused(
    engine: Engine, actor: str, subject: str, details: dict[str, str | int]
) -> None:
    first = count(engine)
    log(engine, Event("run-finished", actor, TIME, subject, details))

    (line,) = said(engine, audit.Format.FHIR, since=first)
    assert json.loads(line)["agent"][0]["who"]["identifier"]["value"] == actor
    try:
        (line,) = said(engine, audit.Format.DICOM, since=first)
    except Refused:
        return
    assert etree.fromstring(line).find("ActiveParticipant").get("UserID") is not None


def count(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM events").scalar_one())


def test_a_character_that_xml_cannot_hold_is_refused(engine: Engine) -> None:
    log(engine, some("run-finished", "a\x1bb"))

    with pytest.raises(Refused, match="event 0 has a character") as refusal:
        said(engine, audit.Format.DICOM)

    assert "a\x1b" not in str(refusal.value)


def test_lines_go_on_where_the_last_ones_stopped(engine: Engine) -> None:
    log(engine, *(some(kind) for kind in KINDS))

    for form in audit.Format:
        assert said(engine, form)[4:] == said(engine, form, since=4)
        assert said(engine, form, since=6) == []


@pytest.mark.parametrize(
    "statement", ["UPDATE events SET body = x'7b7d' WHERE idx = 1", "DELETE FROM events WHERE idx = 1"]
)
def test_an_event_that_was_changed_is_not_told(engine: Engine, statement: str) -> None:
    log(engine, some(BATCH_EVENT), some(RELEASE_EVENT))
    alter(engine, statement)

    with pytest.raises(Tampered):
        said(engine, audit.Format.FHIR)


def test_the_events_of_a_workspace_are_told(tmp_path: Path) -> None:
    world = World.create(tmp_path / "workspace")
    world.curate(range(3))
    world.publish("lung")
    context = pipeline.Context(world.workspace, world.engine, world.keyring)

    for line in pipeline.siem_audit(context, form=audit.Format.DICOM):
        SCHEMA.assertValid(etree.fromstring(line))
    for line in pipeline.siem_audit(context, form=audit.Format.FHIR):
        AuditEvent.model_validate_json(line)
    world.engine.dispose()


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_a_missing_event_is_told(engine: Engine, gone: int) -> None:
    log(engine, some(BATCH_EVENT), some(RELEASE_EVENT), some("run-finished"))
    alter(engine, f"DELETE FROM events WHERE idx = {gone}")

    for form in audit.Format:
        with pytest.raises(Tampered):
            said(engine, form)


@pytest.mark.parametrize("note", ["x", "", "governance/0\\nx\\n\\n", "a\nb\nc\n"])
def test_a_damaged_checkpoint_is_told(engine: Engine, note: str) -> None:
    log(engine, some(BATCH_EVENT))
    alter(engine, f"UPDATE checkpoints SET note = '{note}'")

    with pytest.raises(Tampered):
        said(engine, audit.Format.FHIR)


def test_no_more_events_are_asked_for_than_there_are(engine: Engine) -> None:
    log(engine, some(BATCH_EVENT))

    for since in (2, 10**20):
        with pytest.raises(Misconfigured, match="the log has 1 events"):
            said(engine, audit.Format.FHIR, since=since)


def test_two_events_that_are_the_same_to_the_second_have_an_id_each(engine: Engine) -> None:
    log(engine, some("run-finished"), some("run-finished"))

    first, second = (json.loads(line)["id"] for line in said(engine, audit.Format.FHIR))

    assert first != second
    assert [json.loads(line)["id"] for line in said(engine, audit.Format.FHIR)] == [first, second]


def test_an_account_that_acted_is_the_one_who_acted(engine: Engine) -> None:
    log(engine, Event("key-backed-up", "governance", TIME, "3f9a0c12", {"account": "aquill"}))

    (fhir,), (dicom,) = (said(engine, form) for form in (audit.Format.FHIR, audit.Format.DICOM))

    (agent,) = json.loads(fhir)["agent"]
    assert (agent["who"]["identifier"]["value"], "type" in agent) == ("aquill", False)
    message = etree.fromstring(dicom)
    SCHEMA.assertValid(message)
    assert message.find("ActiveParticipant").get("UserID") == "aquill"
    assert message.find("ActiveParticipant/RoleIDCode") is None


def test_who_acted_is_no_salted_digest(engine: Engine) -> None:
    said_of = audit.Payload.of({"account": "aquill"}).details
    log(engine, Event("key-backed-up", "governance", TIME, "3f9a0c12", said_of))

    (fhir,), (dicom,) = (said(engine, form) for form in (audit.Format.FHIR, audit.Format.DICOM))

    assert json.loads(fhir)["agent"][0]["who"]["identifier"]["value"] == "governance"
    assert etree.fromstring(dicom).find("ActiveParticipant").get("UserID") == "governance"


@pytest.mark.parametrize("character", ["\ufffe", "\uffff", "\x0b", "\n"])
def test_what_is_no_character_of_xml_is_refused(engine: Engine, character: str) -> None:
    log(engine, some("run-finished", f"a{character}b"))

    try:
        (line,) = said(engine, audit.Format.DICOM)
    except Refused:
        return
    assert character not in line.decode()
    assert etree.fromstring(line).find("ActiveParticipant").get("UserID") == f"a{character}b"
