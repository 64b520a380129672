"""Nobody without the key changes how sources ended, what is current or what a release holds, and is not found out."""

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from governance import audit, pipeline
from governance.database import (
    UNTOLD,
    batches,
    contents,
    outcomes,
    receipts,
    release_receipts,
    releases,
    runs,
)
from governance.datatypes import WITHDRAWAL_EVENT
from governance.errors import Tampered
from governance.pipeline.recording import restating
from tests.databases import PostgreSQL, address_of, rows, unguarded
from tests.pipeline.beside import ACCESSION, image, run, table
from tests.pipeline.test_sayings import LESS, MAIDEN, events
from tests.pipeline.test_withdrawing import NO_DAY

SUPERSEDED = receipts.c.superseded_by.is_not(None)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory, database: PostgreSQL | None) -> Iterator[pipeline.Context]:
    """A workspace with every act that records, changes or takes back such rows. Tests undo what they do to it."""
    folder = tmp_path_factory.mktemp("lived")
    context = pipeline.create(folder / "workspace", passphrase=None, database=address_of(database))
    raw = folder / "raw"
    image(raw)
    other = {"SOPInstanceUID": "1.2.3.4", "StudyInstanceUID": "1.2.3", "AccessionNumber": "ACC2"}
    image(raw, "other.dcm", PatientID="ZQ1", PatientName="Codd^E", **other)
    (raw / "broken.dcm").write_bytes(b"no image")
    table(raw / "r.csv", *LESS)
    run(context, raw)
    pipeline.publish(context, project="lung", dataset="d")
    table(raw / "s.csv", ("AccessionNumber", "text"), (ACCESSION, "Clear."))
    table(raw / "r.csv", *NO_DAY)
    run(context, raw)
    run(context, raw / "ct.dcm", policy="basic")
    pipeline.withdraw(context, patient_ids=["ZQ1"], project="lung", reason="asked for it")
    yield context
    context.engine.dispose()


def verify(connection: Connection, context: pipeline.Context) -> audit.AuditReport:
    return audit.verify(connection, context.keyring.public_key, origin=context.log_origin)


def test_every_outcome_and_receipt_is_told_by_an_event(lived: pipeline.Context) -> None:
    kinds = "".join(events(lived))
    report = pipeline.verify_audit(lived)

    assert all(f'"{kind}"' in kinds for kind in ("outcomes-restated", "rows-withdrawn", WITHDRAWAL_EVENT))
    assert (report.outcomes, report.receipts) == tuple(
        rows(lived.engine, f"select count(*) from {name}")[0][0] for name in ("outcomes", "receipts")
    )
    assert rows(lived.engine, "select count(*) from outcomes where event_index is null") == [(0,)]
    assert rows(lived.engine, "select count(*) from receipts where superseded_by is not null")[0][0] > 2


class Undone(Exception):
    """So that a transaction ends without a trace."""


Act = Callable[[Connection], object]


def first(connection: Connection, column: ColumnElement[str], condition: ColumnElement[bool]) -> str:
    found = connection.execute(select(column).where(condition).order_by(column).limit(1)).scalar_one()
    return str(found)


def setting(**values: object) -> Act:
    """Change one outcome of a source that was not published."""

    def act(connection: Connection) -> None:
        held = outcomes.c.outcome == "unreadable"
        position = connection.execute(select(func.min(outcomes.c.position)).where(held)).scalar_one()
        connection.execute(update(outcomes).where(outcomes.c.position == position).values(values))

    return act


def swap_names(connection: Connection) -> None:
    """Give two sources of a run each other's sealed names, which are genuine."""
    several = select(outcomes.c.run_id).group_by(outcomes.c.run_id).having(func.count() > 1)
    run_id = first(connection, outcomes.c.run_id, outcomes.c.run_id.in_(several))
    mine = outcomes.c.run_id == run_id
    (one, sealed), (two, other) = connection.execute(
        select(outcomes.c.position, outcomes.c.sealed_source).where(mine).order_by(outcomes.c.position).limit(2)
    ).all()
    for position, name in ((one, other), (two, sealed)):
        connection.execute(update(outcomes).where(mine, outcomes.c.position == position).values(sealed_source=name))


def put_back(connection: Connection) -> None:
    """What went last is current again: of the patient who withdrew."""
    last = connection.execute(select(func.max(receipts.c.superseded_by))).scalar_one()
    connection.execute(update(receipts).where(receipts.c.superseded_by == last).values(superseded_by=None))


def hide(connection: Connection) -> None:
    """A batch without a receipt of it."""
    path = first(connection, receipts.c.path, receipts.c.series != "")
    connection.execute(delete(receipts).where(receipts.c.path == path))


def copy(connection: Connection, **changes: object) -> None:
    row = dict(connection.execute(select(outcomes).limit(1)).mappings().one())
    connection.execute(insert(outcomes).values(row | {"position": 77} | changes))


def move(connection: Connection) -> None:
    """A run, with all that is of it, to another project; no digest has that."""
    connection.execute(update(runs).values(project="heart"))


def release_more(connection: Connection) -> None:
    """Say that a release holds what it does not."""
    other = first(
        connection, receipts.c.receipt_id, receipts.c.receipt_id.not_in(select(release_receipts.c.receipt_id))
    )
    connection.execute(insert(release_receipts).values(name="d", version=1, receipt_id=other))


def forget_run(connection: Connection) -> None:
    run_id = first(connection, runs.c.run_id, runs.c.finished.is_not(None))
    for of_run in (outcomes, batches, runs):
        connection.execute(delete(of_run).where(of_run.c.run_id == run_id))


ACTS: dict[str, Act] = {
    "a quarantined source is called published": setting(outcome="published", reason=""),
    "another reason": setting(reason="not a DICOM file, or so they say"),
    "an output that is none": setting(output="curated/P/S/E/I.dcm"),
    "another digest of the source": setting(source_digest="0" * 64),
    "an outcome of another event": setting(event_index=0),
    "an outcome of no event": setting(event_index=None),
    "an outcome at another position": setting(position=78),
    "an outcome less": lambda connection: connection.execute(
        delete(outcomes).where(outcomes.c.outcome == "unreadable")
    ),
    "an outcome more": copy,
    "an outcome more that no event tells of": lambda connection: copy(connection, event_index=None),
    "names of sources changed places": swap_names,
    "a run less": forget_run,
    "a run of another project": move,
    "a run that has not ended": lambda connection: connection.execute(
        insert(runs).values(
            dict(connection.execute(select(runs).limit(1)).mappings().one()) | {"number": 99, "run_id": "f" * 16}
        )
    ),
    "what was withdrawn is current again": put_back,
    "what was superseded has no event": lambda connection: connection.execute(
        update(receipts).where(SUPERSEDED).values(superseded_by=UNTOLD)
    ),
    "what was superseded has another event": lambda connection: connection.execute(
        update(receipts).where(SUPERSEDED).values(superseded_by=receipts.c.superseded_by + 1)
    ),
    "what is current is superseded": lambda connection: connection.execute(
        update(receipts).where(~SUPERSEDED).values(superseded_by=1)
    ),
    "a receipt less": hide,
    "a receipt of another project": lambda connection: connection.execute(update(receipts).values(project="heart")),
    "a receipt of another patient": lambda connection: connection.execute(update(receipts).values(patient="LUNG-0")),
    "a receipt that says something else": lambda connection: connection.execute(update(receipts).values(body=b"{}")),
    "another text of a report": lambda connection: connection.execute(update(contents).values(content=b"{}")),
    "a release with more": release_more,
    "a release with less": lambda connection: connection.execute(delete(release_receipts)),
    "a release of another project": lambda connection: connection.execute(update(releases).values(project="heart")),
}


@pytest.mark.parametrize("name", ACTS)
def test_a_change_by_somebody_with_the_database_is_found(lived: pipeline.Context, name: str) -> None:
    with suppress(Undone), unguarded(lived.engine) as connection:
        verify(connection, lived)
        ACTS[name](connection)
        with pytest.raises(Tampered) as found:
            verify(connection, lived)
        assert MAIDEN not in str(found.value)
        raise Undone


def test_what_was_withdrawn_and_is_put_back_is_not_published(lived: pipeline.Context) -> None:
    with unguarded(lived.engine) as connection:
        before = connection.execute(select(receipts.c.receipt_id, receipts.c.superseded_by).where(SUPERSEDED)).all()
        put_back(connection)
    try:
        with pytest.raises(Tampered, match="current no more"):
            pipeline.publish(lived, project="lung", dataset="d")
    finally:
        with unguarded(lived.engine) as connection:
            for receipt_id, event in before:
                mine = receipts.c.receipt_id == receipt_id
                connection.execute(update(receipts).where(mine).values(superseded_by=event))
    pipeline.verify_audit(lived)


def test_an_act_does_not_tell_anew_what_somebody_changed(lived: pipeline.Context) -> None:
    """Or a change would be signed with the next withdrawal of consent."""
    with suppress(Undone), unguarded(lived.engine) as connection:
        ACTS["another reason"](connection)
        held = select(outcomes.c.run_id, outcomes.c.position).where(outcomes.c.outcome == "unreadable")
        run_id, position = connection.execute(held.order_by(outcomes.c.position)).first()  # type: ignore[misc]
        with pytest.raises(Tampered), restating(connection, lived, run_id, [position]):
            pytest.fail("it was let through")
        raise Undone
