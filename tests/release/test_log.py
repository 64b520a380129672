"""The log, the rows and the releases of a workspace tell of each other: what is lost from one is still in another."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from governance.datatypes import Event
from governance.errors import Tampered
from governance.release import layout
from tests.release.world import NOW, World


@pytest.fixture
def world(world: World) -> World:
    """Four batches of objects, lung@v1, one batch more, lung@v2."""
    world.curate([50])
    world.publish("lung")
    return world


def v2(world: World) -> Path:
    return world.workspace.published / "lung@v2"


def test_a_workspace_that_nobody_touched_agrees_with_its_log(world: World) -> None:
    report = world.audit()

    assert (report.events, report.checkpoints) == (7, 7)
    assert (report.batches, report.releases, report.folders) == (5, 2, 2)


def cut(world: World) -> None:
    world.alter("DELETE FROM events WHERE idx >= 3", "DELETE FROM checkpoints WHERE size > 3")


def cut_with_rows(world: World) -> None:
    """Only the folders are left to tell."""
    cut(world)
    world.alter("DELETE FROM batches WHERE event_index >= 3", "DELETE FROM releases", "DELETE FROM release_receipts")


def wipe(world: World) -> None:
    world.alter("DELETE FROM events", "DELETE FROM checkpoints")


def fork(world: World) -> None:
    """Another history of the same length, signed with the key."""
    wipe(world)
    with world.engine.begin() as connection:
        for number in range(7):
            world.log(connection, [Event("outcomes-recorded", "test", NOW, str(number), {})])


def replace_contents(world: World) -> None:
    shutil.rmtree(v2(world))
    shutil.copytree(world.workspace.published / "lung@v1", v2(world))


def drop_checkpoint(world: World) -> None:
    (v2(world) / layout.CHECKPOINT).unlink()


def edit_checkpoint(world: World) -> None:
    note = v2(world) / layout.CHECKPOINT
    note.write_bytes(note.read_bytes() + b"\xff")


def empty_folder(world: World) -> None:
    shutil.rmtree(v2(world))
    v2(world).mkdir()


def statement(text: str) -> Callable[[World], None]:
    return lambda world: world.alter(text)


@pytest.mark.parametrize(
    "change",
    [
        cut,
        cut_with_rows,
        wipe,
        fork,
        replace_contents,
        drop_checkpoint,
        edit_checkpoint,
        empty_folder,
        pytest.param(statement("DELETE FROM batches WHERE event_index = 1"), id="a batch gone"),
        pytest.param(statement("UPDATE batches SET root = upper(root)"), id="roots of batches"),
        pytest.param(statement("UPDATE batches SET size = size + 1"), id="sizes of batches"),
        pytest.param(statement("UPDATE batches SET event_index = event_index + 1"), id="places of batches"),
        pytest.param(statement("DELETE FROM releases WHERE version = 2"), id="a release gone"),
        pytest.param(statement("UPDATE releases SET version = 3 WHERE version = 2"), id="the version of a release"),
        pytest.param(statement("UPDATE releases SET manifest_digest = 'a'"), id="manifests of releases"),
    ],
)
def test_what_does_not_agree_with_the_log_is_found(world: World, change: Callable[[World], None]) -> None:
    change(world)

    with pytest.raises(Tampered) as error:
        world.audit()

    assert error.value.hint


def test_a_release_may_leave_the_workspace(world: World) -> None:
    shutil.rmtree(v2(world))

    report = world.audit()

    assert (report.releases, report.folders) == (2, 1)
