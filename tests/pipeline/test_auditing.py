"""What leaves a workspace of its log is an event of that log, written before it leaves."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from governance import audit, pipeline
from governance.audit import offline
from governance.database import events
from governance.errors import Tampered
from governance.pipeline import continuing
from tests.databases import PostgreSQL, address_of
from tests.release.world import World


@pytest.fixture
def world(tmp_path: Path, database: PostgreSQL | None) -> World:
    world = World.create(tmp_path / "workspace", address_of(database))
    world.curate(range(3))
    return world


def context(world: World) -> pipeline.Context:
    return pipeline.Context(world.workspace, world.engine, world.keyring)


def told(world: World) -> list[dict[str, Any]]:
    """Every event of a disclosure, in order."""
    with world.engine.connect() as connection:
        bodies = connection.execute(select(events.c.body).order_by(events.c.idx)).scalars()
        return [event for event in map(json.loads, bodies) if event["kind"] == "log-disclosed"]


def bundled(world: World, folder: Path) -> object:
    return pipeline.bundle_audit(context(world), folder)


def exported(world: World, folder: Path) -> object:
    return pipeline.export_audit(context(world), folder)


def sent(world: World, folder: Path) -> object:
    folder.mkdir()
    for line in pipeline.siem_audit(context(world), form=audit.Format.FHIR):
        (folder / "line").write_bytes(line)
    return None


WAYS = [
    pytest.param(bundled, "bundle", id="bundle"),
    pytest.param(exported, "tiles", id="tiles"),
    pytest.param(sent, "siem-fhir", id="siem"),
]
Way = Callable[[World, Path], object]


@pytest.mark.parametrize(("way", "form"), WAYS)
def test_each_way_out_leaves_an_event_without_a_path(world: World, tmp_path: Path, way: Way, form: str) -> None:
    root = world.audit().root

    way(world, tmp_path / "Zahnradbahn")

    (event,) = told(world)
    assert (event["subject"], event["details"]["form"], event["details"]["events"]) == (root, form, 1)
    assert "Zahnradbahn" not in json.dumps(event)
    assert world.audit().events == 2


@pytest.mark.parametrize(("way", "form"), WAYS)
def test_who_is_killed_while_it_leaves_has_said_so(world: World, tmp_path: Path, way: Way, form: str) -> None:
    """The moment that the first byte is in the place that was asked for."""
    world.engine.dispose()
    process = os.fork()
    if process == 0:
        try:
            own = World.open(world.workspace.root)
            continuing.keep(context(own))

            def kill(*_: object) -> None:
                os.kill(os.getpid(), signal.SIGKILL)

            os.rename = os.replace = kill  # type: ignore[assignment]
            Path.write_bytes = kill if form == "siem-fhir" else Path.write_bytes  # type: ignore[assignment, method-assign]
            way(own, tmp_path / "out")
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL

    assert [event["details"]["form"] for event in told(world)] == [form]
    assert list(tmp_path.glob("out/*")) == []
    assert world.audit().events == 2


def test_a_bundle_is_named_by_its_listing_and_the_next_one_holds_its_event(world: World, tmp_path: Path) -> None:
    first = pipeline.bundle_audit(context(world), tmp_path / "first")
    second = pipeline.bundle_audit(context(world), tmp_path / "second")

    (event, _) = told(world)
    assert event["details"]["listing"] == offline.sha256((tmp_path / "first" / "BUNDLE").read_bytes()).hexdigest()
    assert (first.events, second.events) == (1, 2)
    assert offline.verify(tmp_path / "second", earlier=[offline.verify(tmp_path / "first").last]).problems == []


def test_a_bundle_that_does_not_verify_is_no_event_and_no_folder(world: World, tmp_path: Path) -> None:
    world.alter("DELETE FROM receipts WHERE batch_index = 2")

    with pytest.raises(Tampered):
        pipeline.bundle_audit(context(world), tmp_path / "bundle")

    assert told(world) == []
    assert not (tmp_path / "bundle").exists()


def test_who_asks_again_and_again_for_what_is_new_comes_to_an_end(world: World) -> None:
    since, counts = 0, []
    for _ in range(4):
        lines = list(pipeline.siem_audit(context(world), form=audit.Format.DICOM, since=since))
        since += len(lines)
        counts.append(len(lines))

    assert counts == [1, 1, 0, 0]
    assert len(told(world)) == 1
