"""What stewards decide on whose studies are: recorded, logged, what is in force, and what waits for it.

A decision names pseudonyms alone. What keys the patient that it leads to lies sealed beside it, so that numbers, days
and surrogates become those of one patient in a worker that has only the other one's file. None is ever changed or
removed: one is taken back by another. Each holds for what those before it left, from the next run on; releases stay.
"""

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from governance import audit
from governance.database import matches, receipts
from governance.datatypes import Confidential
from governance.errors import Misconfigured
from governance.patients import MATCH_EVENT, Match, Matches, MatchKind
from governance.pipeline import epochs, leaving, rulings
from governance.pipeline.context import Context, event, log_of_persons, now
from governance.pipeline.continuing import acting
from governance.pipeline.deciders import Actors
from governance.pipeline.studies import SEALED_FOR, key_of
from governance.pseudonymise import Pseudonymiser

MATCHED = "patients_matched"
"""What a step of a receipt calls the decisions by which its patient is another one than its header's."""
SEALED_KEY, _REASON = "match key", "match"
_ID = re.compile(r"[0-9a-f]{16}")
_LEAVE_TOO = "if they are one person, the other one leaves too: governance withdraw"


@dataclass(frozen=True, slots=True, repr=False)
class Decided(Confidential):
    """One decision as it was recorded. into: whose the studies are from now on, or were before one was undone."""

    match_id: str
    kind: MatchKind
    patient: str
    into: str
    studies: tuple[str, ...]
    reason: str
    actor: str
    time: str

    def record(self) -> dict[str, Any]:
        """For JSON."""
        said = {"match": self.match_id, "decision": self.kind.value, "patient": self.patient, "into": self.into}
        return said | {"studies": self.studies, "reason": self.reason, "actor": self.actor, "time": self.time}

    def text(self) -> str:
        """On one line."""
        studies = f" ({', '.join(self.studies)})" if self.studies else ""
        who = f"{self.actor}  {self.time}  {self.reason}"
        return f"{self.match_id}  {self.kind.value}  {self.patient}{studies} -> {self.into}  {who}"


def merge(context: Context, project: str, patient: str, *, into: str, reason: str, actor: str | None) -> Decided:
    """Decide that two patients are one.

    Raises:
        Misconfigured: one of them is not known in the project, is another one by a decision already, or has left.
    """
    if patient == into:
        raise Misconfigured("a patient cannot be merged into itself", hint="name two pseudonyms")
    with acting(context) as connection:
        found = in_force_for(context, connection, project)
        for each in (patient, into):
            _refuse_gone(found, each)
        if any(_have_left(context, connection, project, patient, into)):
            raise Misconfigured("one of these patients has withdrawn consent", hint=_LEAVE_TOO)
        _key(context, connection, project, found, patient)
        key = _key(context, connection, project, found, into)
        row = {"kind": MatchKind.MERGE.value, "patient": patient, "into": into, "studies": "[]", "undoes": ""}
        return _record(context, connection, project, row, key=key, reason=reason, actor=actor)


def split(
    context: Context, project: str, patient: str, *, studies: Sequence[str], reason: str, actor: str | None
) -> Decided:
    """Decide that some studies of a patient are of somebody else, who gets a pseudonym of their own.

    Raises:
        Misconfigured: the patient is not known in the project or has no such study, or is another one by a decision.
    """
    with acting(context) as connection:
        found = in_force_for(context, connection, project)
        _refuse_gone(found, patient)
        key = _key(context, connection, project, found, patient)
        current = (receipts.c.project == project) & receipts.c.superseded_by.is_(None) & (receipts.c.patient == patient)
        there = set(connection.execute(select(receipts.c.study).where(current).distinct()).scalars())
        if not studies or not there.issuperset(studies):
            raise Misconfigured("these are not studies of this patient", hint="governance patients list shows them")
        if there == set(studies):
            raise Misconfigured("these are all studies of this patient", hint="leave at least one")
        match_id = secrets.token_hex(8)
        key = "\0" + json.dumps(["split", match_id, key], ensure_ascii=False)
        keys = epochs.keys_in(context, project, epochs.current(context, connection, project))
        into = Pseudonymiser(keys).pseudonym(key)
        listed = json.dumps(sorted(set(studies)))
        row = {"match_id": match_id, "kind": MatchKind.SPLIT.value, "patient": patient, "into": into, "undoes": ""}
        return _record(context, connection, project, row | {"studies": listed}, key=key, reason=reason, actor=actor)


def undo(context: Context, project: str, match_id: str, *, reason: str, actor: str | None) -> Decided:
    """Take a decision back.

    Raises:
        Misconfigured: there is none of this id in force, or it parts somebody from a patient who has left.
    """
    with acting(context) as connection:
        rows = {row.match_id: row for row in _in_force(_rows(connection, project))}
        if match_id not in rows:
            hint = "governance patients list shows the decisions in force"
            raise Misconfigured("there is no such decision to undo in this project", hint=hint)
        old = rows[match_id]
        if len(set(_have_left(context, connection, project, old.patient, old.into))) > 1:
            raise Misconfigured("the decision parts somebody from a patient who has left", hint=_LEAVE_TOO)
        row = {"kind": MatchKind.UNDO.value, "patient": old.patient, "into": old.into, "studies": old.studies}
        return _record(context, connection, project, row | {"undoes": match_id}, key="", reason=reason, actor=actor)


def in_force(context: Context, project: str) -> Matches:
    """What is decided of a project's patients."""
    with context.engine.connect() as connection:
        return in_force_for(context, connection, project)


def in_force_for(context: Context, connection: Connection, project: str) -> Matches:
    """The same, as a transaction sees it."""
    rows = _rows(connection, project)
    seal = context.keyring.seal_of(SEALED_KEY)
    ever = {
        row.match_id: Match(
            row.number,
            row.match_id,
            row.patient,
            frozenset(json.loads(row.studies)),
            row.into,
            seal.open(row.sealed_key),
        )
        for row in rows
        if row.kind != MatchKind.UNDO
    }
    return Matches([ever[row.match_id] for row in _in_force(rows)], ever=list(ever.values()))


def in_force_now(context: Context, connection: Connection, project: str) -> list[Decided]:
    """The decisions in force, in their order, as a transaction sees them."""
    actors = Actors(connection, context)
    return [_decided(context, dict(row._mapping), actors.of(row)) for row in _in_force(_rows(connection, project))]


def decided(context: Context, project: str) -> list[Decided]:
    """The decisions in force, in their order."""
    with context.engine.connect() as connection:
        return in_force_now(context, connection, project)


def obeyed(receipt: Mapping[str, Any]) -> tuple[str, ...]:
    """The decisions by which the patient of a receipt is another one than its source's header says."""
    said = (step["parameters"].get(MATCHED) for step in receipt["steps"])
    return tuple(str(next(filter(None, said), "")).split())


def named_in(found: Matches, receipt: Mapping[str, Any]) -> str:
    """Whom the header of a receipt's source named."""
    return found.first(receipt["patient"], obeyed(receipt))


def is_current(found: Matches, receipt: Mapping[str, Any]) -> bool:
    """Whether what a receipt is about is of the same patient by the decisions in force."""
    return not found or found.of(named_in(found, receipt), receipt["study"]).by == obeyed(receipt)


def said_of(by: Sequence[str]) -> dict[str, str]:
    """What a step of a receipt says of decisions; who and why stands in the log and the database."""
    return {MATCHED: " ".join(by)} if by else {}


def refuse_waiting(context: Context, *, project: str) -> None:
    """Let a release be made only where every decision on patients has taken effect.

    Raises:
        Misconfigured: something is curated under a patient whose it is not any more.
    """
    found = in_force(context, project)
    if not found:
        return
    current = (receipts.c.project == project) & receipts.c.superseded_by.is_(None)
    touched = receipts.c.patient.in_(found.patients | found.ever_targets)
    with context.engine.connect() as connection:
        bodies = connection.execute(select(receipts.c.body).where(current, touched)).scalars()
        waiting = sum(not is_current(found, json.loads(body)) for body in bodies)
    if waiting:
        hint = "run their sources and tables again first, or undo the decision; governance patients list shows them"
        raise Misconfigured(f"objects and rows whose patient is another one by a decision: {waiting}", hint=hint)


def _record(
    context: Context,
    connection: Connection,
    project: str,
    said: Mapping[str, str],
    *,
    key: str,
    reason: str,
    actor: str | None,
) -> Decided:
    who = rulings.signed(reason, actor)
    row: dict[str, Any] = {"match_id": secrets.token_hex(8), "project": project, **said}
    row |= {
        "sealed_key": context.keyring.seal(key, purpose=SEALED_KEY),
        "sealed_reason": context.keyring.seal(who.reason, purpose=_REASON),
        "actor": "",  # and below: who decided lies beside the event, where it can be erased
        "account": "",
        "time": now(),
    }
    details: dict[str, str | int] = {name: row[name] for name in ("project", "patient", "into")}
    details |= {"decision": row["kind"], "studies": len(json.loads(row["studies"]))}
    details |= {"row": audit.digest_of_ruling(row)} | ({"undoes": row["undoes"]} if row["undoes"] else {})
    index = log_of_persons(connection, context, event(MATCH_EVENT, row["match_id"], **details), who.who.texts)
    connection.execute(insert(matches).values(**row, event_index=index))
    return _decided(context, row, who.actor)


def _rows(connection: Connection, project: str) -> Sequence[Any]:
    return connection.execute(select(matches).where(matches.c.project == project).order_by(matches.c.number)).all()


def _in_force(rows: Sequence[Any]) -> list[Any]:
    undone = {row.undoes for row in rows}
    return [row for row in rows if row.kind != MatchKind.UNDO and row.match_id not in undone]


def _refuse_gone(found: Matches, patient: str) -> None:
    other = found.of(patient, "").patient
    if other != patient:
        hint = f"name {other}, or undo that decision: governance patients list shows it"
        raise Misconfigured("one of these patients is merged into another one already", hint=hint)


def _have_left(context: Context, connection: Connection, project: str, *patients: str) -> list[bool]:
    """Of each whether consent was withdrawn: what is there of one who joins them would be held back, and not erased."""
    gone = leaving.in_force(connection, context.keyring, project)
    return [gone.named(patient) for patient in patients]


def _key(context: Context, connection: Connection, project: str, found: Matches, patient: str) -> str:
    """What keys all that is of a patient."""
    key = found.key_of(patient) or key_of(connection, context.keyring.seal_of(SEALED_FOR), project, patient)
    if not key:
        raise Misconfigured("no such patient in this project", hint="governance patients list shows pseudonyms")
    return key


def _decided(context: Context, row: Mapping[str, Any], actor: str) -> Decided:
    reason = context.keyring.unseal(row["sealed_reason"], purpose=_REASON)
    studies = tuple(json.loads(row["studies"]))
    match_id, kind = row["match_id"], MatchKind(row["kind"])
    return Decided(match_id, kind, row["patient"], row["into"], studies, reason, actor, row["time"])
