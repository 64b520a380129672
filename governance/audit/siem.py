"""Events for a hospital's SIEM: one FHIR AuditEvent, or one DICOM audit message, a line.

FHIR R4 AuditEvent, in the manner of IHE BALP; none of its profiles is claimed, since they are of acts over REST. DICOM
PS3.15, A.5.1: the schema holds; the kinds are ours, since A.5.3 has none for de-identification. Each says which event
of which log it was made from and has the hash of its leaf, so that a line in a SIEM can be held against the log.
"""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple, assert_never
from xml.etree import ElementTree as ET

from sqlalchemy import Connection, select

from governance import merkle, signed_note
from governance.audit.formats import Format
from governance.audit.log import LOG_RESTORED_EVENT, RESTORE, latest
from governance.audit.payloads import MARK
from governance.audit.tiles import Tell
from governance.audit.told import RESTATED_EVENT
from governance.database import events
from governance.datatypes import (
    BATCH_EVENT,
    CARRIED_OUT_EVENT,
    DISCLOSURE_EVENT,
    REDACTION_EVENT,
    RELEASE_EVENT,
    RULING_EVENT,
    WITHDRAWAL_EVENT,
)
from governance.errors import Misconfigured, Refused, Tampered
from governance.patients import MATCH_EVENT

PROGRAM = "governance"
"""The actor of what no person decided."""

SCHEME = "99GOVERNANCE"
"""Of our own codes in DICOM (PS3.16, 8.2: private schemes begin with 99)."""

SYSTEM = "urn:x-governance:event"
_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_HL7 = "http://terminology.hl7.org/CodeSystem"
CHUNK = 1000
_NOT_XML = re.compile("[^\t\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""XML 1.0, 2.2, without the ends of lines."""


class _Meaning(NamedTuple):
    """What a kind of event says in the terms of both: an action, words, and a stage in the life of what it is about."""

    action: str
    words: str
    life: tuple[str, str] | None


_MEANINGS = {
    BATCH_EVENT: _Meaning("C", "De-identified objects were committed", ("7", "De-identification")),
    RELEASE_EVENT: _Meaning("R", "A release was published", ("10", "Export")),
    MATCH_EVENT: _Meaning("U", "A steward decided whose studies are", ("4", "Verification")),
    DISCLOSURE_EVENT: _Meaning("R", "The log was given to others", ("10", "Export")),
    RULING_EVENT: _Meaning("U", "A person decided on pixels", ("4", "Verification")),
    WITHDRAWAL_EVENT: _Meaning("D", "A patient withdrew consent", ("14", "Logical deletion")),
    CARRIED_OUT_EVENT: _Meaning(
        "D", "What was left of a patient was deleted", ("15", "Permanent erasure / Physical destruction")
    ),
    REDACTION_EVENT: _Meaning(
        "D", "What an event said of a person was erased", ("15", "Permanent erasure / Physical destruction")
    ),
    "reidentification-opened": _Meaning("R", "A pseudonym was opened", ("11", "Disclosure")),
    "reidentification-refused": _Meaning("R", "A pseudonym was not opened", None),
    LOG_RESTORED_EVENT: _Meaning("U", "The log was put back from a backup", None),
    RESTATED_EVENT: _Meaning("U", "What was recorded of sources was changed by an act", None),
    "objects-lost": _Meaning("D", "Objects were lost, and are current no more", None),
    "rows-withdrawn": _Meaning("D", "Rows of tables were withdrawn", ("14", "Logical deletion")),
}


@dataclass(frozen=True, slots=True)
class _Logged:
    """One event, and where it stands in which log."""

    log: str
    index: int
    leaf: str
    body: dict[str, Any]

    @property
    def meaning(self) -> _Meaning:
        """Of a kind that is not known here: something was done."""
        kind = self.body["kind"]
        return _MEANINGS.get(kind, _Meaning("E", kind.replace("-", " "), None))

    @property
    def person(self) -> str:
        """Who acted, as far as the event says it: a person, or the account that the program ran under.

        An event that has only a salted digest of them does not.
        """
        actor, account = self.body["actor"], str(self.body["details"].get("account", ""))
        return account if actor == PROGRAM and account and not account.startswith(MARK) else str(actor)

    def details(self) -> list[tuple[str, str]]:
        """What the event says, and where it stands."""
        said = [(name, str(value)) for name, value in self.body["details"].items()]
        return [*said, ("log", self.log), ("log-index", str(self.index)), ("leaf-sha256", self.leaf)]


def lines(
    connection: Connection,
    public_key: bytes,
    *,
    form: Format,
    origin: str,
    since: int = 0,
    tell: Tell = lambda _first, _signed: None,
) -> Iterator[bytes]:
    """Every event that is signed, from number `since` on, a line each, without its end.

    tell: called before the first line, with `since` and the tree that these events are a part of.

    Raises:
        Misconfigured: there are fewer events than `since`.
        Refused: an event has a character that XML cannot hold.
        Tampered: the log does not end where it was signed, or an event is missing or is not what was appended.
    """
    signed = signed_note.parse_checkpoint(latest(connection), public_key, origin)
    size = signed.size
    if since > size:
        raise Misconfigured(f"the log has {size} events, fewer than --since says", hint="is this an older copy of it?")
    query = select(events).where(events.c.idx >= since, events.c.idx < size).order_by(events.c.idx)
    make: Callable[[_Logged], bytes]
    match form:
        case Format.FHIR:
            make = _fhir
        case Format.DICOM:
            make = _dicom
        case _:
            assert_never(form)
    tell(since, signed)
    expected = since
    for row in connection.execute(query.execution_options(yield_per=CHUNK)):
        if row.idx != expected:
            break
        expected += 1
        if not isinstance(row.body, bytes) or merkle.leaf_hash(row.body) != row.leaf_hash:
            raise Tampered(f"event {row.idx} is not what was appended", hint=RESTORE)
        yield make(_Logged(origin, row.idx, row.leaf_hash.hex(), json.loads(row.body)))
    if expected != size:
        raise Tampered(f"event {expected} is missing", hint=RESTORE)


def _fhir(event: _Logged) -> bytes:
    meaning, body = event.meaning, event.body
    exported = body["kind"] in (RELEASE_EVENT, DISCLOSURE_EVENT)
    code, display = ("110106", "Export") if exported else ("110100", "Application Activity")
    entity: dict[str, Any] = {
        "what": {"identifier": {"value": body["subject"]}},
        "type": _coding(f"{_HL7}/audit-entity-type", "2", "System Object"),
        "detail": [{"type": name, "valueString": value} for name, value in event.details() if value],
    }
    if meaning.life is not None:
        entity["lifecycle"] = _coding(f"{_HL7}/dicom-audit-lifecycle", *meaning.life)
    agent: dict[str, Any] = {"who": {"identifier": {"value": event.person}}, "requestor": True}
    if event.person == PROGRAM:
        agent["type"] = {"coding": [_coding(_DCM, "110150", "Application")]}
    value = {
        "resourceType": "AuditEvent",
        "id": sha256(f"{event.log}\n{event.index}".encode()).hexdigest(),  # two events may be the same to the second
        "type": _coding(_DCM, code, display),
        "subtype": [_coding(SYSTEM, body["kind"], meaning.words)],
        "action": meaning.action,
        "recorded": body["time"],
        "outcome": "0",
        "agent": [agent],
        "source": {
            "observer": {"identifier": {"value": event.log}},
            "type": [_coding(f"{_HL7}/security-source-type", "4", "Application Server")],
        },
        "entity": [entity],
    }
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _coding(system: str, code: str, display: str) -> dict[str, str]:
    return {"system": system, "code": code, "display": display}


def _dicom(event: _Logged) -> bytes:
    meaning, body = event.meaning, event.body
    message = ET.Element("AuditMessage")
    identification = ET.SubElement(
        message,
        "EventIdentification",
        EventActionCode=meaning.action,
        EventDateTime=body["time"],
        EventOutcomeIndicator="0",
    )
    _code(identification, "EventID", SCHEME, body["kind"], meaning.words)
    participant = ET.SubElement(message, "ActiveParticipant", UserID=event.person, UserIsRequestor="true")
    if event.person == PROGRAM:
        _code(participant, "RoleIDCode", "DCM", "110150", "Application")
    source = ET.SubElement(message, "AuditSourceIdentification", AuditSourceID=event.log)
    ET.SubElement(source, "AuditSourceTypeCode", {"csd-code": "4"})
    about = ET.SubElement(
        message, "ParticipantObjectIdentification", ParticipantObjectID=body["subject"], ParticipantObjectTypeCode="2"
    )
    if meaning.life is not None:
        about.set("ParticipantObjectDataLifeCycle", meaning.life[0])
    _code(about, "ParticipantObjectIDTypeCode", SCHEME, "subject", "What the event is about")
    ET.SubElement(about, "ParticipantObjectName").text = body["subject"]
    for name, value in event.details():
        encoded = b64encode(value.encode("utf-8", "replace")).decode()
        ET.SubElement(about, "ParticipantObjectDetail", type=name, value=encoded)
    text = ET.tostring(message, encoding="unicode")
    if _NOT_XML.search(text):
        raise Refused(f"event {event.index} has a character that XML cannot hold", hint="--format fhir takes it")
    return text.encode()


def _code(parent: ET.Element, name: str, scheme: str, code: str, words: str) -> None:
    ET.SubElement(parent, name, {"csd-code": code, "codeSystemName": scheme, "originalText": words})
