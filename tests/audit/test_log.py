"""An event goes in with its act or not at all; a checkpoint signs all before it."""

import threading
from collections.abc import Iterator

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, insert, select

from governance import audit, merkle, signed_note
from governance.database import Place, checkpoints, create_database, events, open_database, runs, writing
from governance.datatypes import Event
from governance.errors import Tampered
from governance.keys import Keyring
from tests.databases import alter

KEYRING = Keyring(bytes(32))
ORIGIN = "governance/test"


@pytest.fixture
def engine(place: Place) -> Iterator[Engine]:
    engine = create_database(place)
    yield engine
    engine.dispose()


def event(number: int) -> Event:
    return Event("outcomes-recorded", "governance", "2026-01-31T12:00:00Z", f"batch {number}", {"receipts": number})


def sign(engine: Engine) -> str:
    with writing(engine) as connection:
        return audit.checkpoint(connection, KEYRING, origin=ORIGIN)


def add(engine: Engine, *numbers: int) -> int:
    """As every act does: append, and sign."""
    with writing(engine) as connection:
        first = audit.append(connection, [event(number) for number in numbers])
        audit.checkpoint(connection, KEYRING, origin=ORIGIN)
    return first


def forge(engine: Engine, *numbers: int) -> None:
    """As somebody does who has the database and no key."""
    with engine.begin() as connection:
        audit.append(connection, [event(number) for number in numbers])


# ------------------------------------------------------------------ append


def test_a_leaf_is_pinned() -> None:
    """Another form would break every log that exists."""
    leaf = Event("batch-committed", "governance", "2026-01-31T12:00:00Z", "batch 3", {"receipts": 3})

    assert audit.encode(leaf) == (
        b'{"actor":"governance","details":{"receipts":3},"kind":"batch-committed",'
        b'"subject":"batch 3","time":"2026-01-31T12:00:00Z"}'
    )


NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1)
TEXTS = st.text(max_size=5) | st.text(st.characters(max_codepoint=0x7F), max_size=5)


@given(details=st.dictionaries(TEXTS, TEXTS | NUMBERS), kind=TEXTS, subject=TEXTS)
def test_a_leaf_is_canonical_json_whatever_it_says(details: dict[str, str | int], kind: str, subject: str) -> None:
    value = {"actor": "a", "details": details, "kind": kind, "subject": subject, "time": "t"}

    assert audit.encode(Event(kind, "a", "t", subject, details)) == rfc8785.dumps(value)


@given(details=st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(-(2**53) + 1, 2**53 - 1)))
def test_the_order_of_details_does_not_matter(details: dict[str, str | int]) -> None:
    turned = dict(reversed(details.items()))

    assert audit.encode(Event("k", "a", "t", "s", details)) == audit.encode(Event("k", "a", "t", "s", turned))


@pytest.mark.parametrize("number", [2**53, -(2**53)])
def test_a_number_that_json_cannot_hold_is_no_detail(number: int) -> None:
    with pytest.raises(rfc8785.IntegerDomainError):
        audit.encode(Event("k", "a", "t", "s", {"number": number}))


def test_indexes_go_on_where_they_stopped(engine: Engine) -> None:
    assert [add(engine, 1, 2), add(engine), add(engine, 3), add(engine, 4)] == [0, 2, 2, 3]


@pytest.mark.parametrize("end", ["forged", "cut"])
def test_nothing_is_appended_to_a_log_that_does_not_end_where_it_was_signed(engine: Engine, end: str) -> None:
    """Or the next checkpoint would sign a forgery."""
    add(engine, 1, 2)
    if end == "forged":
        forge(engine, 3)
    else:
        alter(engine, "DELETE FROM events WHERE idx = 1")

    with pytest.raises(Tampered, match="the last checkpoint speaks for 2"):
        add(engine, 4)


def test_an_act_that_fails_leaves_no_event(engine: Engine) -> None:
    def act() -> None:
        with engine.begin() as connection:
            audit.append(connection, [event(1)])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        act()

    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(events)).scalar_one() == 0


def test_writers_neither_lose_nor_repeat_an_event(engine: Engine) -> None:
    def work(writer: int) -> None:
        for number in range(25):
            with writing(engine) as connection:
                # A read before the append, as real acts have one.
                connection.execute(select(func.count()).select_from(runs)).scalar_one()
                audit.append(connection, [event(writer * 100 + number)])
                audit.checkpoint(connection, KEYRING, origin=ORIGIN)

    threads = [threading.Thread(target=work, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with engine.connect() as connection:
        rows = connection.execute(select(events.c.idx, events.c.body).order_by(events.c.idx)).all()
    assert list(range(100)) == [row.idx for row in rows]
    expected = {audit.encode(event(writer * 100 + number)) for writer in range(4) for number in range(25)}
    assert expected == {row.body for row in rows}


# ------------------------------------------------------------------ checkpoints


@settings(max_examples=25)
@given(steps=st.lists(st.integers(0, 9), min_size=1, max_size=6))
def test_a_checkpoint_has_the_root_of_all_leaves(tmp_path_factory: pytest.TempPathFactory, steps: list[int]) -> None:
    engine = open_database(tmp_path_factory.mktemp("log") / "w.sqlite3")
    leaves: list[bytes] = []
    for count in steps:
        add(engine, *range(count))
        leaves += [merkle.leaf_hash(audit.encode(event(number))) for number in range(count)]

        signed = signed_note.parse_checkpoint(sign(engine), KEYRING.public_key, ORIGIN)

        assert (len(leaves), merkle.root(leaves)) == signed
    engine.dispose()


def test_the_same_log_gives_the_same_checkpoint_and_one_row(engine: Engine) -> None:
    add(engine, 1, 2)

    assert sign(engine) == sign(engine)
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(checkpoints)).scalar_one() == 1


def test_the_last_checkpoint_is_found(engine: Engine) -> None:
    add(engine, 1)
    add(engine, 2)

    with engine.connect() as connection:
        assert sign(engine) == audit.latest(connection)


@pytest.mark.parametrize("forged", [0, 1])
def test_no_checkpoint_speaks_for_an_empty_log_or_for_a_forged_event(engine: Engine, forged: int) -> None:
    forge(engine, *range(forged))

    with engine.connect() as connection, pytest.raises(Tampered) as error:
        audit.latest(connection)

    assert error.value.hint


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE checkpoints SET frontier = x'" + "00" * 64 + "'", id="another tree"),
        pytest.param("UPDATE checkpoints SET frontier = x''", id="no tree"),
        pytest.param("UPDATE checkpoints SET size = 2", id="another size"),
        pytest.param("UPDATE checkpoints SET note = replace(note, '3', '2')", id="another note"),
        pytest.param("DELETE FROM events WHERE idx = 2", id="a signed event gone"),
        pytest.param("DELETE FROM events", id="all events gone"),
        pytest.param("UPDATE events SET idx = 7 WHERE idx = 4", id="a gap after it"),
    ],
)
def test_nothing_is_signed_that_contradicts_the_last_checkpoint(engine: Engine, statement: str) -> None:
    add(engine, 0, 1, 2)
    if "idx = 4" in statement:
        forge(engine, 3, 4, 5)
    alter(engine, statement)

    with pytest.raises(Tampered):
        sign(engine)


def test_a_key_that_did_not_sign_the_log_signs_nothing(engine: Engine) -> None:
    add(engine, 1)

    with pytest.raises(Tampered), writing(engine) as connection:
        audit.checkpoint(connection, Keyring(b"\1" * 32), origin=ORIGIN)


def test_two_logs_cannot_share_an_index(engine: Engine) -> None:
    add(engine, 0)

    with pytest.raises(Exception, match=r"(?i)unique"), engine.begin() as connection:
        connection.execute(insert(events).values(idx=0, leaf_hash=b"h", body=b"b"))
