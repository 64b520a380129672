"""What is counted of receipts is what they say, whatever is committed, replaced, withdrawn, killed or upgraded."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from governance import audit, pipeline, provenance
from governance.database import (
    Place,
    batches,
    create_database,
    made_in,
    metadata,
    mixes,
    open_database,
    origins,
    payloads,
    pending,
    receipts,
    released,
    releases,
    runs,
    touched,
    uids,
    writing,
)
from governance.datatypes import Receipt, Step
from governance.errors import Tampered
from governance.keys import Keyring
from governance.pipeline import recovery
from governance.pipeline.origins import check
from governance.pipeline.recording import record, supersede
from governance.provenance.origins import models_of
from tests.databases import PostgreSQL, unguarded
from tests.pipeline.test_tracing import prepare

KEYRING = Keyring(bytes(32))
NEW_TABLES = (released, made_in, touched, mixes, uids, origins)


def receipt(number: int, *, device: int = 0, policy: int = 0) -> Receipt:
    """One of ten outputs of two to a series; its place says nothing of how it was made."""
    series, uid = number // 2, f"2.25.{number}"
    facts = {"Manufacturer": f"MAKER {device}", "SOPInstanceUID": uid, "SeriesInstanceUID": f"2.25.9{series}"}
    return Receipt(
        project="lung",
        patient=f"P{number // 4}",
        study=f"T{number // 3}",
        series=f"R{series}",
        instance=f"N{number}",
        path=f"P/{number}.dcm",
        source_digest=f"{number:064x}",
        sha256=f"{number:x}{device}{policy}".rjust(64, "0"),
        size=1,
        policy="research",
        policy_digest=f"{policy}" * 64,
        codes=(),
        decisions={},
        steps=(Step("header", "governance", "1", {}),),
        facts=facts,
    )


def begin(connection: Connection) -> None:
    row = {"run_id": "run", "project": "lung", "policy": "research", "policy_digest": "0" * 64}
    connection.execute(insert(runs).values(row | {"started": "", "status": "done", "sealed_request": b""}))


MADE = st.lists(
    st.builds(receipt, st.integers(0, 9), device=st.integers(0, 2), policy=st.integers(0, 1)),
    min_size=1,
    max_size=5,
    unique_by=lambda each: each.path,
)
ACTS = st.lists(st.one_of(MADE, st.sets(st.integers(0, 9), min_size=1, max_size=3)), max_size=8)


@given(acts=ACTS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_counts_are_those_of_the_receipts_after_any_history(
    acts: list[list[Receipt] | set[int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    engine = create_database(tmp_path_factory.mktemp("history") / "w.sqlite3")
    made = set()
    with writing(engine) as connection:
        begin(connection)
        for act in acts:
            if isinstance(act, set):
                gone = receipts.c.path.in_([f"P/{number}.dcm" for number in act])
                supersede(connection, gone, by=audit.size(connection))
            else:
                record(connection, KEYRING, KEYRING.seal_of("source"), "run", policy="", made=act)
                audit.checkpoint(connection, KEYRING, origin="governance/history")
                made |= {provenance.origin_of(each) for each in act}

            assert check(connection) == len(made)
    engine.dispose()


@pytest.fixture
def own(tmp_path: Path, database: PostgreSQL | None) -> Iterator[pipeline.Context]:
    made = prepare(tmp_path, database)
    pipeline.run(made, [tmp_path / "raw"], project="demo", policy_name="research-headers", processes=0)
    yield made
    made.engine.dispose()


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        yield connection


def test_a_run_and_another_one_with_another_policy_are_counted(own: pipeline.Context) -> None:
    with reading(own.engine) as connection:
        assert check(connection) == 4
        counts = connection.execute(select(func.sum(origins.c.made), func.sum(origins.c.current))).one()

    assert tuple(map(int, counts)) == (4, 2)


FORGERIES = {
    "an output more": update(origins).values(made=origins.c.made + 1),
    "an output less": update(origins).values(current=0),
    "another time": update(origins).values(last="2001-01-01T00:00:00Z"),
    "a batch less": delete(made_in),
    "a patient less": delete(touched).where(touched.c.kind == "patient"),
    "another count": update(mixes).values(count=mixes.c.count + 1),
    "a UID that leads nowhere": delete(uids),
    "another device": update(origins).values(body=b'{"device":[]}'),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_counts_that_somebody_changed_are_found(name: str, own: pipeline.Context) -> None:
    with unguarded(own.engine) as connection:
        connection.execute(FORGERIES[name])

    with reading(own.engine) as connection, pytest.raises(Tampered):
        check(connection)


def test_what_recovery_gives_up_is_current_no_more_in_the_counts(own: pipeline.Context) -> None:
    with own.engine.begin() as connection:
        path, run_id = connection.execute(
            select(receipts.c.path, batches.c.run_id).join(batches).where(receipts.c.superseded_by.is_(None))
        ).first()
        connection.execute(insert(pending).values(path=path, run_id=run_id))
    (own.workspace.curated / path).unlink()

    recovery.recover(own)

    with reading(own.engine) as connection:
        check(connection)
        assert connection.execute(select(func.sum(origins.c.current))).scalar_one() == 1


LATER = (
    "tombstones",
    "departures",
    "payloads",
    "approvers",
    "reidentifications",
    "reidentified",
    "persons",
    "matches",
    "epochs",
)
"""Tables of the revisions behind."""


def first_version(engine: Engine) -> None:
    """As the first revision left it."""
    with unguarded(engine) as connection:
        metadata.drop_all(connection, tables=[*NEW_TABLES, *(metadata.tables[name] for name in LATER)])
        connection.exec_driver_sql("DROP INDEX ix_outcomes_source_digest")
        connection.exec_driver_sql("ALTER TABLE outcomes DROP COLUMN event_index")
        connection.exec_driver_sql("DROP INDEX receipts_current_path")
        connection.exec_driver_sql("ALTER TABLE receipts ADD COLUMN superseded BOOLEAN NOT NULL DEFAULT false")
        connection.exec_driver_sql("UPDATE receipts SET superseded = superseded_by IS NOT NULL")
        connection.exec_driver_sql("ALTER TABLE receipts DROP COLUMN superseded_by")
        connection.exec_driver_sql("CREATE UNIQUE INDEX receipts_current_path ON receipts (path) WHERE NOT superseded")
        for name in ("patients", "studies", "series", "event_index"):
            connection.exec_driver_sql(f"ALTER TABLE releases DROP COLUMN {name}")
        connection.exec_driver_sql("ALTER TABLE rulings DROP COLUMN event_index")
        connection.exec_driver_sql("ALTER TABLE runs DROP COLUMN epoch")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")


def all_counts(engine: Engine) -> tuple[list[object], ...]:
    """Everything that is counted, with origins by what they are."""
    by_origin = select(origins.c.body, released.c.name, released.c.version, released.c.outputs)
    queries = (
        select(origins.c.body, origins.c.made, origins.c.current, origins.c.first, origins.c.last),
        by_origin.join(released, released.c.origin == origins.c.number),
        select(releases.c.name, releases.c.patients, releases.c.studies, releases.c.series),
        select(uids),
    )
    with engine.connect() as connection:
        return tuple(sorted(map(tuple, connection.execute(query)), key=repr) for query in queries)


def test_an_earlier_database_gets_the_same_counts_and_traces(own: pipeline.Context) -> None:
    uid = next(str(t.receipt.facts["SOPInstanceUID"]) for t in pipeline.trace(own, "first@v1"))
    counts, traces = all_counts(own.engine), pipeline.trace(own, uid)
    asked = {pipeline.Kind.PROJECT: "demo"}
    before = pipeline.touched_by(own, asked).touched
    with own.engine.connect() as connection:
        of_persons = [dict(row) for row in connection.execute(select(payloads)).mappings()]
    first_version(own.engine)
    own.engine.dispose()

    again = pipeline.open_context(own.workspace.root, passphrase=None)
    with writing(again.engine) as connection:  # what events have digests of, which no event had then
        connection.execute(insert(payloads), of_persons)

    assert (counts, traces) == (all_counts(again.engine), pipeline.trace(again, uid))
    assert before.record() == pipeline.touched_by(again, asked).touched.record()
    with reading(again.engine) as connection:
        assert check(connection) == 4
    pipeline.run(again, [own.workspace.root.parent / "raw"], project="demo", policy_name="research", processes=0)
    with reading(again.engine) as connection:
        assert check(connection) == 4
    again.engine.dispose()


def test_an_empty_earlier_database_is_upgraded(place: Place) -> None:
    engine = create_database(place)
    first_version(engine)
    engine.dispose()

    engine = open_database(place)

    with reading(engine) as connection:
        assert check(connection) == 0
    engine.dispose()


DIGEST = "ab" * 32


@pytest.mark.sqlite_alone(reason="no database")
@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        pytest.param({"model": "a.onnx", "sha256": DIGEST}, ["a.onnx"], id="its sibling says its name"),
        pytest.param({"reader_model": "b", "reader_sha256": DIGEST}, ["b"], id="with a prefix"),
        pytest.param({"names_model": "c", "names_model_sha256": DIGEST}, ["c"], id="a name that is prefix"),
        pytest.param({"names_sha256": DIGEST}, ["names"], id="no sibling"),
        pytest.param(
            {"names_sha256": DIGEST, "names_model": "c", "names_model_sha256": DIGEST}, ["names", "c"], id="two"
        ),
        pytest.param({"glance.onnx": DIGEST}, ["glance.onnx"], id="a network by its file"),
        pytest.param({"sha256": DIGEST}, ["tool"], id="only a digest"),
        pytest.param({"declaration": DIGEST, "sha256": "not one", "x_sha256": 1}, [], id="no model"),
    ],
)
def test_models_are_named_by_their_digests(parameters: dict[str, str | int], expected: list[str]) -> None:
    assert [model.name for model in models_of("tool", "1", parameters)] == expected
