"""Eight programs write at once: no event is lost or told twice, the log has no fork, every act has its event."""

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, insert, select

from governance import audit
from governance.database import Place, batches, create_database, events, open_database, receipts, runs, writing
from governance.datatypes import Event
from governance.keys import Keyring
from governance.pipeline.recording import record
from tests.release.world import NOW, make

KEYRING = Keyring(bytes(32))
ORIGIN = "governance/writers"
WRITERS = 8
ACTS = 12
"""Of each writer: batches of two receipts, and in between an event that vouches for nothing."""

fork = multiprocessing.get_context("fork")


@pytest.fixture
def shared(place: Place) -> Place:
    """A database with a run, which nobody is connected to."""
    engine = create_database(place)
    row = {"run_id": "run", "project": "trial", "policy": "research", "policy_digest": "a" * 64}
    with writing(engine) as connection:
        connection.execute(insert(runs).values(**row, started=NOW, status="listed", sealed_request=b""))
    engine.dispose()
    return place


def act(engine: Engine, writer: int, number: int) -> None:
    """One act in one transaction, as a commit of a run has it."""
    with writing(engine) as connection:
        if number % 3 == 2:
            audit.append(connection, [Event("outcomes-recorded", "test", NOW, f"writer {writer}", {"act": number})])
        else:
            first = (writer * 1_000 + number) * 2
            made = [make(each)[0] for each in (first, first + 1)]
            record(
                connection,
                KEYRING,
                KEYRING.seal_of("source"),
                "run",
                policy="",
                made=made,
                more={"writer": writer, "act": number},
            )
        audit.checkpoint(connection, KEYRING, origin=ORIGIN)


def write(place: Place, writer: int, ready: Barrier, acts: int) -> None:
    engine = open_database(place)
    ready.wait()
    for number in range(acts):
        act(engine, writer, number)
    engine.dispose()


def started(place: Place, acts: int) -> list[BaseProcess]:
    ready = fork.Barrier(WRITERS)
    processes = [fork.Process(target=write, args=(place, writer, ready, acts)) for writer in range(WRITERS)]
    for process in processes:
        process.start()
    return processes


def check(engine: Engine) -> Counter[str]:
    """The log verifies, and acts and events belong to each other; returns what events were told."""
    with engine.connect() as connection:
        report = audit.verify(connection, KEYRING.public_key, origin=ORIGIN)
        bodies = list(connection.execute(select(events.c.body).order_by(events.c.idx)).scalars())
        of_events = {row.event_index: row.batch_id for row in connection.execute(select(batches))}
        counted = dict(
            connection.execute(select(receipts.c.batch_id, func.count()).group_by(receipts.c.batch_id)).tuples().all()
        )
    assert report.events == len(bodies)
    vouched = {index: body for index, body in enumerate(bodies) if b'"batch-committed"' in body}
    assert vouched.keys() == of_events.keys()
    assert all(of_events[index].encode() in body for index, body in vouched.items())
    assert counted == dict.fromkeys(of_events.values(), 2)
    return Counter(body.decode() for body in bodies)


def test_eight_writers_lose_no_event_and_repeat_none(shared: Place) -> None:
    processes = started(shared, ACTS)
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0] * WRITERS
    engine = open_database(shared)
    told = check(engine)
    assert told.total() == WRITERS * ACTS
    assert set(told.values()) == {1}
    engine.dispose()


def test_writers_that_are_killed_at_any_moment_leave_a_log_that_verifies(shared: Place, tmp_path: Path) -> None:
    """Each of them, at a moment of its own, several times over; those that are left go on meanwhile."""
    chance = random.Random(8)
    engine = open_database(shared)
    before = 0
    for _ in range(3):
        processes = started(shared, 10_000)
        time.sleep(0.3)
        for process in chance.sample(processes, WRITERS):
            time.sleep(chance.uniform(0, 0.1))
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
        for process in processes:
            process.join()

        assert [process.exitcode for process in processes] == [-signal.SIGKILL] * WRITERS
        told = check(engine).total()
        assert told > before
        before = told
    act(engine, 99, 0)
    assert check(engine).total() > before  # a server may have carried out what somebody asked who is dead
    engine.dispose()
