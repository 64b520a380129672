"""What is asked of the database for each row costs the same, however much is in it."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event, insert

from governance import pipeline
from governance.database import accessions, doubts, receipts, said, studies, writing
from governance.errors import Refused
from governance.pipeline import sayings
from governance.pipeline.studies import Studies
from governance.pseudonymise import Pseudonymiser
from governance.rows import Role

pytestmark = pytest.mark.sqlite_alone(reason="counts what SQLite does")
STEPS = 1_000
"""Instructions of SQLite for one row."""


@pytest.fixture
def steps(context: pipeline.Context) -> Iterator[list[int]]:
    """Grows by one with each instruction that SQLite carries out on connections made from now on."""
    counted: list[int] = []

    def count(connection: sqlite3.Connection, _record: object) -> None:
        connection.set_progress_handler(lambda: counted.append(1), 1)

    context.engine.dispose()
    event.listen(context.engine, "connect", count)
    yield counted
    context.engine.dispose()


def filled(context: pipeline.Context, count: int) -> None:
    """Studies and accession numbers of nobody."""
    of_project = [{"project": "lung", "study": f"S{n}"} for n in range(count)]
    with writing(context.engine) as connection:
        connection.execute(insert(studies), [{**each, "patient": "P", "sealed_known": b""} for each in of_project])
        connection.execute(insert(accessions), [{**each, "accession": f"A{each['study']}"} for each in of_project])


@pytest.mark.parametrize(
    "roles",
    [
        pytest.param({Role.ACCESSION: "ACC1"}, id="accession number"),
        pytest.param({Role.STUDY_UID: "1.2.3"}, id="study UID"),
        pytest.param({Role.STUDY_UID: "1.2.3", Role.ACCESSION: "ACC1"}, id="both"),
    ],
)
def test_a_study_is_found_in_as_many_steps_among_many_as_among_few(
    context: pipeline.Context, steps: list[int], roles: dict[Role, str]
) -> None:
    filled(context, 2_000)
    asked = Studies(context, "lung", Pseudonymiser(context.keyring.project("lung")))
    steps.clear()

    with pytest.raises(Refused):
        asked.of(roles)

    assert 0 < len(steps) < STEPS
    asked.close()


def test_a_row_is_doubted_in_as_many_steps_among_many_as_among_few(
    context: pipeline.Context, tmp_path: Path, steps: list[int]
) -> None:
    with writing(context.engine) as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        names = [column.name for column in receipts.c]
        fixed = {**dict.fromkeys(names, ""), "project": "lung", "batch_id": "B", "superseded_by": None, "body": b""}
        many = [{**fixed, "path": f"reports/{n}", "batch_index": n, "source_digest": f"D{n}"} for n in range(2_000)]
        connection.execute(insert(receipts), many)
        connection.execute(insert(said), [{"path": each["path"], "says": "", "said_in": "R"} for each in many])
        steps.clear()

        sayings.doubt(connection, "lung", "R2", digests={"D7", "D8"}, held=[("reports/9", "says")])

        assert 0 < len(steps) < STEPS
        doubted = {(row.path, row.says) for row in connection.execute(doubts.select())}
        assert doubted == {("reports/7", ""), ("reports/8", ""), ("reports/9", "says")}
        connection.exec_driver_sql("DELETE FROM receipts")
