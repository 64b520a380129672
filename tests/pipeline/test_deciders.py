"""Who decided stands in no event and in no row, is told to whoever has the key, and can be erased."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from governance import audit, keys, pipeline
from governance.database import events, metadata, rulings, writing
from governance.datatypes import RULING_EVENT, RulingKind
from governance.pipeline.context import event, sign
from governance.pipeline.deciders import REDACTED
from governance.pipeline.rulings import decide, history
from governance.provenance import Person, Result
from tests.pipeline import test_matching, test_rulings

WHO = "m.quillfeather-thistle"


def seen(context: pipeline.Context) -> Iterator[bytes]:
    """All that somebody reads who has the database and not the key."""
    with context.engine.connect() as connection:
        for table in metadata.tables.values():
            for row in connection.execute(select(table)):
                yield from (each if isinstance(each, bytes) else str(each).encode() for each in row)


def approved(context: pipeline.Context, folder: Path) -> None:
    """An image that was made as somebody decided."""
    source = test_rulings.scanned(folder)
    test_rulings.run(context, source)
    digest = test_rulings.digest_of(context, source)
    assert decide(context, digest, RulingKind.APPROVE, reason="a ruler", actor=WHO).actor == WHO
    test_rulings.run(context, source)


def decision(context: pipeline.Context) -> Person:
    (found,) = pipeline.touched_by(context, {pipeline.Kind.PROJECT: "demo"}).traces
    assert found.decided is not None
    return found.decided


def test_who_ruled_is_told_and_stands_nowhere_in_clear(context: pipeline.Context, tmp_path: Path) -> None:
    approved(context, tmp_path / "raw")

    assert [each for each in seen(context) if WHO.encode() in each] == []
    ((made,),) = history(context).values()
    assert (made.actor, decision(context).actor) == (WHO, WHO)
    assert decision(context).checked.result is Result.VERIFIED
    assert pipeline.listed(context, pipeline.Kind.PERSON) == {WHO: 1}
    assert pipeline.touched_by(context, {pipeline.Kind.PERSON: WHO}).touched.people == {WHO: 1}
    assert (pipeline.verify_audit(context).payloads, pipeline.verify_audit(context).rulings) == (2, 1)


def test_who_ruled_can_be_erased_and_the_ruling_stays(context: pipeline.Context, tmp_path: Path) -> None:
    approved(context, tmp_path / "raw")
    with context.engine.connect() as connection:
        index = connection.execute(select(rulings.c.event_index)).scalar_one()

    assert pipeline.redact(context, index, reason="asked to be forgotten", actor="a.steward").fields == [
        "account",
        "person",
    ]

    ((made,),) = history(context).values()
    assert (made.actor, made.ruling.kind, made.ruling.reason) == (REDACTED, RulingKind.APPROVE, "a ruler")
    assert (decision(context).actor, decision(context).checked.result) == (REDACTED, Result.NOT_VERIFIED)
    assert pipeline.listed(context, pipeline.Kind.PERSON) == {REDACTED: 1}
    assert pipeline.verify_audit(context).redacted == 2


def test_another_name_beside_the_log_is_found(context: pipeline.Context, tmp_path: Path) -> None:
    approved(context, tmp_path / "raw")
    sealed = context.keyring.seal(bytes(32).hex() + "somebody else", purpose="payload")
    with context.engine.begin() as connection:
        connection.execute(metadata.tables["payloads"].update().values(sealed=sealed))

    assert decision(context).checked.result is Result.DISAGREES


def test_a_decision_of_an_earlier_version_still_verifies(context: pipeline.Context, tmp_path: Path) -> None:
    """It named who decided, in the row and in the event."""
    source = test_rulings.scanned(tmp_path / "raw")
    test_rulings.run(context, source)
    row = {"ruling_id": secrets.token_hex(8), "source_digest": test_rulings.digest_of(context, source)}
    row |= {"kind": "approve", "boxes": "[]", "sealed_reason": context.keyring.seal("a ruler", purpose="ruling")}
    row |= {"actor": WHO, "account": WHO, "time": "2026-01-01T00:00:00Z"}
    with writing(context.engine) as connection:
        said = event(RULING_EVENT, str(row["ruling_id"]), account=WHO, row=audit.digest_of_ruling(row))
        index = audit.append(connection, [replace(said, actor=WHO)])
        connection.execute(insert(rulings).values(**row, event_index=index))
        sign(context, connection)
    test_rulings.run(context, source)

    assert (decision(context).actor, decision(context).checked.result) == (WHO, Result.VERIFIED)
    assert pipeline.touched_by(context, {pipeline.Kind.PERSON: WHO}).touched.people == {WHO: 1}
    assert pipeline.verify_audit(context).rulings == 1


def test_who_matched_patients_is_told_and_stands_nowhere_in_clear(context: pipeline.Context, tmp_path: Path) -> None:
    test_matching.run(context, test_matching.twice(tmp_path / "raw"))
    test_matching.merged(context)

    assert [each.actor for each in pipeline.decided(context, "demo")] == ["c.jung"]
    assert [each for each in seen(context) if b"c.jung" in each] == []
    assert pipeline.verify_audit(context).matches == 1


def test_events_of_the_root_key_name_no_account(context: pipeline.Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("governance.pipeline.key_acts.account_name", lambda: WHO)

    pipeline.rewrap(context, place=keys.Place(keys.Kind.NONE), passphrase=None)

    assert [each for each in seen(context) if WHO.encode() in each] == []
    with context.engine.connect() as connection:
        shown = audit.shown(connection, context.keyring)
        told = [(each.event, each.field, each.opened and each.opened[1]) for each in shown]
        assert len(connection.execute(select(events.c.idx)).all()) == 2
    assert told == [(0, "account", WHO), (1, "account", WHO)]
    assert pipeline.verify_audit(context).payloads == 2
