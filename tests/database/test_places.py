"""Rows of releases, rulings and matches tell which event they are of, also those that an earlier version wrote."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from governance import pipeline
from governance.database import matches, releases, rulings
from governance.datatypes import RulingKind
from governance.errors import Tampered
from tests.databases import PostgreSQL, address_of, alter
from tests.pipeline import test_rulings
from tests.release.world import World

TABLES = {"releases": releases, "rulings": rulings, "matches": matches}


def places(engine: Engine) -> dict[str, list[int | None]]:
    with engine.connect() as connection:
        return {
            name: sorted(connection.execute(select(table.c.event_index)).scalars()) for name, table in TABLES.items()
        }


def earlier(engine: Engine) -> None:
    """As revision 0006 left it."""
    dropped = [f"ALTER TABLE {name} DROP COLUMN event_index" for name in TABLES]
    dropped += [
        "ALTER TABLE departures DROP COLUMN vault_rows",
        "ALTER TABLE runs DROP COLUMN epoch",
        "DROP TABLE epochs",
    ]
    alter(engine, *dropped, "UPDATE alembic_version SET version_num = '0006'")


@pytest.fixture
def world(tmp_path: Path, database: PostgreSQL | None) -> World:
    """Two releases of one dataset."""
    world = World.create(tmp_path / "w", address_of(database))
    for numbers in ([1], [2]):
        world.curate(numbers)
        world.publish()
    return world


def test_releases_of_an_earlier_version_get_the_events_that_published_them(world: World) -> None:
    before = places(world.engine)
    earlier(world.engine)

    again = World.open(world.workspace.root)

    assert places(again.engine) == before
    assert before["releases"] == [1, 3]
    assert again.audit().releases == 2


def test_what_the_log_does_not_know_gets_no_event(world: World) -> None:
    alter(world.engine, "UPDATE releases SET version = 7 WHERE version = 2")
    earlier(world.engine)

    again = World.open(world.workspace.root)

    with again.engine.connect() as connection:
        found = dict(connection.execute(select(releases.c.version, releases.c.event_index)).all())
    assert found == {1: 1, 7: None}


def test_decisions_of_an_earlier_version_get_theirs_and_stay_as_they_are(
    context: pipeline.Context, tmp_path: Path
) -> None:
    source = test_rulings.scanned(tmp_path / "raw")
    test_rulings.run(context, source)
    for kind in (RulingKind.APPROVE, RulingKind.REJECT):
        test_rulings.ruled(context, source, kind)
    before = places(context.engine)
    earlier(context.engine)

    again = pipeline.open_context(context.workspace.root, passphrase=None)

    assert places(again.engine) == before
    assert len(before["rulings"]) == 2
    assert pipeline.verify_audit(again).rulings == 2
    with pytest.raises(Exception, match="append-only"), again.engine.begin() as connection:
        connection.execute(rulings.update().values(actor="another"))


@pytest.mark.parametrize("table", ["releases", "rulings"])
def test_a_row_that_tells_of_another_event_is_found(context: pipeline.Context, tmp_path: Path, table: str) -> None:
    source = test_rulings.scanned(tmp_path / "raw")
    test_rulings.run(context, source)
    test_rulings.ruled(context, source, RulingKind.APPROVE)
    test_rulings.run(context, source)
    pipeline.publish(context, project="demo", dataset="first")

    alter(context.engine, f"UPDATE {table} SET event_index = 0")

    with pytest.raises(Tampered, match="not what was logged"):
        pipeline.verify_audit(context)
