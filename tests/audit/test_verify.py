"""Whoever changes a signed log is found, whatever they change."""

import random
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, Engine, select

from governance import audit, merkle
from governance.database import Place, checkpoints, create_database, events, writing
from governance.errors import Tampered
from governance.keys import Keyring
from tests.audit.test_log import KEYRING, ORIGIN, event
from tests.databases import POSTGRESQL, in_words_of, remove_guards

SIGNED = (5, 8, 13)
"""Sizes at which the log below was signed."""


@pytest.fixture
def engine(place: Place) -> Iterator[Engine]:
    """A signed log in the hands of somebody who has no key."""
    engine = create_database(place)
    done = 0
    for size in SIGNED:
        with writing(engine) as connection:
            audit.append(connection, [event(number) for number in range(done, size)])
            audit.checkpoint(connection, KEYRING, origin=ORIGIN)
        done = size
    with engine.begin() as connection:
        remove_guards(connection)
    yield engine
    engine.dispose()


def verify(engine: Engine) -> audit.AuditReport:
    with engine.connect() as connection:
        return audit.verify(connection, KEYRING.public_key, origin=ORIGIN)


def test_a_log_that_nobody_touched_verifies(engine: Engine) -> None:
    with engine.connect() as connection:
        leaves = connection.execute(select(events.c.leaf_hash).order_by(events.c.idx)).scalars().all()

    assert verify(engine) == audit.AuditReport(
        13,
        merkle.root(leaves).hex(),
        3,
        0,
        "",
        batches=0,
        outcomes=0,
        receipts=0,
        releases=0,
        folders=0,
        rulings=0,
        matches=0,
        withdrawals=0,
        payloads=0,
        redacted=0,
        epochs=0,
    )


def test_an_empty_log_verifies(place: Place) -> None:
    engine = create_database(place)
    assert verify(engine) == audit.AuditReport(
        0,
        merkle.EMPTY_ROOT.hex(),
        0,
        0,
        "",
        batches=0,
        outcomes=0,
        receipts=0,
        releases=0,
        folders=0,
        rulings=0,
        matches=0,
        withdrawals=0,
        payloads=0,
        redacted=0,
        epochs=0,
    )
    engine.dispose()


def test_an_event_after_the_last_checkpoint_is_a_forgery(engine: Engine) -> None:
    with writing(engine) as connection:
        audit.append(connection, [event(13), event(14)])

    with pytest.raises(Tampered, match=r"^event 13 has no signature"):
        verify(engine)


CHANGES = {
    "deleted": "DELETE FROM events WHERE idx = 6",
    "first deleted": "DELETE FROM events WHERE idx = 0",
    "last deleted": "DELETE FROM events WHERE idx = 12",
    "all deleted": "DELETE FROM events",
    "moved to the end": "UPDATE events SET idx = 13 WHERE idx = 6",
    "moved before the first": "UPDATE events SET idx = -1 WHERE idx = 6",
    "one before the first": "INSERT INTO events SELECT -1, leaf_hash, body FROM events WHERE idx = 6",
    "one after a gap": "INSERT INTO events SELECT 20, leaf_hash, body FROM events WHERE idx = 6",
    "body of another event": "UPDATE events SET body = (SELECT body FROM events WHERE idx = 7) WHERE idx = 6",
    "hash of another event": "UPDATE events SET leaf_hash = (SELECT leaf_hash FROM events WHERE idx = 7) WHERE idx = 6",
    "empty body": "UPDATE events SET body = x'' WHERE idx = 6",
    "checkpoint of another size": "UPDATE checkpoints SET size = 9 WHERE size = 8",
    "checkpoint of a larger size": "UPDATE checkpoints SET size = 99 WHERE size = 8",
    "checkpoint of a negative size": "UPDATE checkpoints SET size = -1 WHERE size = 8",
    "note of another checkpoint": "UPDATE checkpoints SET note = (SELECT note FROM checkpoints WHERE size = 5)"
    " WHERE size = 8",
    "note that is no note": "UPDATE checkpoints SET note = 'fine' WHERE size = 8",
    "empty tree": "UPDATE checkpoints SET frontier = x'' WHERE size = 8",
}

OF_TYPES = {
    "body that is a text": "UPDATE events SET body = CAST(body AS TEXT) WHERE idx = 6",
    "note that is bytes": "UPDATE checkpoints SET note = x'00' WHERE size = 8",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_is_found(engine: Engine, change: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(in_words_of(connection, change))

    with pytest.raises(Tampered):
        verify(engine)


@pytest.mark.sqlite_alone(reason="a column of PostgreSQL holds values of its type")
@pytest.mark.parametrize("change", OF_TYPES.values(), ids=OF_TYPES.keys())
def test_a_value_of_another_type_is_found(engine: Engine, change: str) -> None:
    test_a_change_is_found(engine, change)


def reorder(connection: Connection) -> None:
    """Swap two events with everything that belongs to them."""
    for old, new in ((3, 99), (4, 3), (99, 4)):
        connection.exec_driver_sql(f"UPDATE events SET idx = {new} WHERE idx = {old}")


def shift(connection: Connection) -> None:
    """Close the gap after a deletion, so that no index is missing."""
    connection.exec_driver_sql("DELETE FROM events WHERE idx = 6")
    for index in range(7, 13):
        connection.exec_driver_sql(f"UPDATE events SET idx = {index - 1} WHERE idx = {index}")


def insert(connection: Connection) -> None:
    """Make room in the middle and put a well-formed event there."""
    for index in range(12, 5, -1):
        connection.exec_driver_sql(f"UPDATE events SET idx = {index + 1} WHERE idx = {index}")
    put(connection, 6)


def replace(connection: Connection) -> None:
    """A well-formed event with its true hash in place of another."""
    connection.exec_driver_sql("DELETE FROM events WHERE idx = 6")
    put(connection, 6)


def put(connection: Connection, index: int) -> None:
    body = audit.encode(event(666))
    connection.execute(events.insert().values(idx=index, leaf_hash=merkle.leaf_hash(body), body=body))


def resign(connection: Connection) -> None:
    """Replace an event and sign the outcome with a key of one's own."""
    replace(connection)
    connection.execute(checkpoints.delete())
    audit.checkpoint(connection, Keyring(b"\1" * 32), origin=ORIGIN)


@pytest.mark.parametrize("forgery", [reorder, shift, insert, replace, resign])
def test_a_forgery_without_the_key_is_found(engine: Engine, forgery: Callable[[Connection], None]) -> None:
    """Everything that needs no key is made to fit."""
    with engine.begin() as connection:
        forgery(connection)

    with pytest.raises(Tampered):
        verify(engine)


def test_a_finding_says_which_event(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(in_words_of(connection, "UPDATE events SET body = x'00' WHERE idx = 6"))

    with pytest.raises(Tampered, match=r"^event 6 "):
        verify(engine)


def test_a_forged_event_is_narrowed_down_to_its_checkpoint(engine: Engine) -> None:
    with engine.begin() as connection:
        replace(connection)

    with pytest.raises(Tampered, match=r"^events 5 to 7 .* checkpoint at 8"):
        verify(engine)


def test_any_flipped_bit_of_any_column_is_found(engine: Engine) -> None:
    """200 of them, at random but the same each time."""
    chance = random.Random(6962)
    columns = [(events, "leaf_hash"), (events, "body"), (checkpoints, "note"), (checkpoints, "frontier")]
    for _ in range(200):
        table, name = chance.choice(columns)
        with engine.connect() as connection:
            key = next(iter(table.primary_key)).name
            rows = connection.execute(select(table.c[key], table.c[name])).all()
            number, value = chance.choice(rows)
            data = bytearray(value.encode() if isinstance(value, str) else value)
            bit = chance.randrange(len(data) * 8)
            data[bit // 8] ^= 1 << bit % 8
            flipped = data.decode("utf-8", "replace") if isinstance(value, str) else bytes(data)
            if isinstance(flipped, str) and "\0" in flipped and engine.dialect.name == POSTGRESQL:
                continue  # no text there holds it
            connection.execute(table.update().where(table.c[key] == number).values({name: flipped}))

            with pytest.raises(Tampered):
                audit.verify(connection, KEYRING.public_key, origin=ORIGIN)

            connection.rollback()
    assert verify(engine).events == 13
