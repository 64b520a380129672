"""A version is written whole or not at all, once, and only from objects that are what their receipts say."""

import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pyarrow.dataset as ds
import pytest
from sqlalchemy import func, select, update

from governance import audit, staging
from governance.database import receipts, release_receipts, released, releases
from governance.datatypes import RELEASE_EVENT, Event
from governance.errors import GovernanceError, Misconfigured, Tampered, Unavailable
from governance.release import layout, publishing
from tests.databases import unguarded
from tests.release.world import NOW, World, make


def rows(world: World) -> int:
    with world.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(releases)).scalar_one()


def names(world: World) -> list[str]:
    return sorted(path.name for path in world.workspace.published.iterdir())


def test_a_release_holds_what_is_curated_in_its_project(made: World) -> None:
    folder = made.workspace.published / "lung@v1"
    expected = {receipt.path for receipt, _ in map(make, range(10))}

    assert {p.relative_to(folder / "objects").as_posix() for p in (folder / "objects").rglob("*.dcm")} == expected
    assert set(ds.dataset(folder / "instances").to_table(["path"])["path"].to_pylist()) == expected
    assert {
        json.loads(line)["receipt"]["path"] for line in (folder / "receipts.jsonl").read_bytes().splitlines()
    } == expected


def test_the_manifest_says_how_it_came_to_be_and_no_place_on_the_disk(made: World) -> None:
    written = (made.workspace.published / "lung@v1" / layout.MANIFEST).read_bytes()
    manifest = json.loads(written)

    assert manifest["counts"]["instances"] == 10
    assert manifest["policies"] == [{"digest": "a" * 64, "instances": 10, "name": "research"}]
    assert manifest["tools"] == [{"name": "governance", "version": "0.1.0"}]
    assert manifest["tables"]["instances"]["rows"] == 10
    assert [entry["path"] for entry in manifest["files"]] == sorted(entry["path"] for entry in manifest["files"])
    assert str(made.workspace.root).encode() not in written


def test_the_release_is_in_the_log_under_its_manifest(made: World) -> None:
    digest, _ = layout.digest(made.workspace.published / "lung@v1" / layout.MANIFEST)

    with made.engine.connect() as connection:
        last = connection.execute(select(audit.log.events.c.body).order_by(audit.log.events.c.idx.desc())).scalars()
        event = json.loads(last.first() or b"")

    assert (event["kind"], event["subject"], event["details"]["manifest"]) == ("release-published", "lung@v1", digest)
    assert made.audit().events == 5  # or it would be said that it has no signature


def test_objects_take_no_space_twice(made: World) -> None:
    receipt, _ = make(0)

    linked = (made.workspace.published / "lung@v1" / "objects" / receipt.path).stat()

    assert linked.st_ino == (made.workspace.curated / receipt.path).stat().st_ino


def test_objects_are_copied_where_they_cannot_be_linked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr(os, "link", refuse)
    published = world.publish("copied")

    assert world.verify(published.path).instances == 10


def test_the_same_contents_are_no_new_version(world: World) -> None:
    again = world.publish("lung", now="2027-01-01T00:00:00Z")

    assert (again.version, again.changed, again.rows) == (1, False, 10)
    assert names(world) == ["lung@v1"]
    assert world.events("release-published") == 1


@pytest.mark.parametrize(
    ("numbers", "salt", "expected"),
    [
        pytest.param([10], "", 11, id="one more"),
        pytest.param([4], "again", 10, id="one made again"),
    ],
)
def test_other_contents_are_the_next_version(world: World, numbers: list[int], salt: str, expected: int) -> None:
    before = {p: p.read_bytes() for p in (world.workspace.published / "lung@v1").rglob("*") if p.is_file()}
    world.curate(numbers, salt=salt)

    published = world.publish("lung")

    assert (published.version, published.rows, published.changed) == (2, expected, True)
    assert world.verify(published.path).release == "lung@v2"
    assert before == {p: p.read_bytes() for p in (world.workspace.published / "lung@v1").rglob("*") if p.is_file()}
    with world.engine.connect() as connection:
        held = select(func.count()).where(release_receipts.c.version == 2)
        assert connection.execute(held).scalar_one() == expected


def test_two_releases_of_the_same_at_the_same_time_have_the_same_tables(world: World) -> None:
    one, two = world.publish("one"), world.publish("two")

    for name in ("receipts.jsonl", "batches.jsonl", *(f"instances/{p.name}" for p in one.path.glob("instances/*"))):
        assert (one.path / name).read_bytes() == (two.path / name).read_bytes()


@pytest.mark.parametrize(
    "name", ["", "Lung", "-lung", "../lung", "lung/ct", "lung@v1", "lung\n", "lüng", "a" * 101, "."]
)
def test_what_is_no_name_is_refused_and_not_quoted(world: World, name: str) -> None:
    with pytest.raises(Misconfigured) as error:
        world.publish(name)

    assert len(name) < 4 or name not in str(error.value)
    assert names(world) == ["lung@v1"]


def test_a_project_without_objects_has_no_release(world: World) -> None:
    with pytest.raises(Misconfigured, match="nothing is curated in this project"):
        world.publish("lung2", project="empty")

    assert names(world) == ["lung@v1"]


def test_a_name_belongs_to_its_project(world: World) -> None:
    with pytest.raises(Misconfigured, match="another project"):
        world.publish("lung", project="other")


def overwrite(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.unlink()
    path.write_bytes(data)


def link_away(path: Path) -> None:
    path.rename(path.with_suffix(".away"))
    path.symlink_to(path.with_suffix(".away"))


@pytest.mark.parametrize("damage", [overwrite, Path.unlink, link_away])
def test_a_damaged_object_stops_everything(world: World, damage: Callable[[Path], None]) -> None:
    receipt, _ = make(5)
    damage(world.workspace.curated / receipt.path)

    with pytest.raises(Tampered, match=receipt.path):
        world.publish("new")

    assert names(world) == ["lung@v1"]
    assert rows(world) == 1
    assert world.events("release-published") == 1


def another_object(world: World) -> None:
    receipt, _ = make(5)
    path = world.workspace.curated / receipt.path
    overwrite(path)
    world.alter(f"UPDATE receipts SET sha256 = '{layout.digest(path)[0]}' WHERE path = '{receipt.path}'")


def what_receipts_say(world: World) -> None:
    with unguarded(world.engine) as connection:
        for row in connection.execute(select(receipts)).all():
            here = (receipts.c.batch_id == row.batch_id) & (receipts.c.batch_index == row.batch_index)
            connection.execute(update(receipts).where(here).values(body=row.body.replace(b"CT", b"MR")))


def statement(text: str) -> Callable[[World], None]:
    return lambda world: world.alter(text)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(another_object, id="an object and its digest"),
        pytest.param(what_receipts_say, id="what receipts say"),
        pytest.param(statement("UPDATE receipts SET body = x'00'"), id="what is no receipt"),
        pytest.param(statement("UPDATE receipts SET receipt_id = 'a' || substr(receipt_id, 2)"), id="ids of receipts"),
        pytest.param(statement("UPDATE receipts SET project = 'trial'"), id="the project of receipts"),
        pytest.param(statement("DELETE FROM receipts WHERE batch_index = 3"), id="a receipt gone"),
        pytest.param(statement(f"UPDATE batches SET signature = '{'00' * 64}'"), id="signatures of batches"),
        pytest.param(statement("UPDATE batches SET event_index = 99"), id="places of batches in the log"),
        pytest.param(statement("DELETE FROM batches"), id="batches gone"),
        pytest.param(statement("DELETE FROM events WHERE idx = 1"), id="an event gone"),
        pytest.param(statement("UPDATE events SET body = x'00' WHERE idx = 1"), id="what an event says"),
        pytest.param(statement("DELETE FROM checkpoints"), id="checkpoints gone"),
    ],
)
def test_whatever_was_changed_in_a_workspace_is_not_published(world: World, change: Callable[[World], None]) -> None:
    change(world)

    with pytest.raises(Tampered) as error:
        world.publish("new")

    assert error.value.hint
    assert names(world) == ["lung@v1"]
    assert rows(world) == 1
    assert world.events("release-published") == 1


def test_a_forged_event_stops_the_publish_and_is_not_signed(world: World) -> None:
    world.curate([50])
    with world.engine.begin() as connection:
        audit.append(connection, [Event(RELEASE_EVENT, "governance", NOW, "lung@v9", {})])

    with pytest.raises(Tampered, match="the last checkpoint speaks for"):
        world.publish("lung")

    assert names(world) == ["lung@v1"]
    with pytest.raises(Tampered, match="has no signature"):
        world.audit()


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def publish_and_die(root: Path, moment: str) -> None:
    setattr(publishing, moment, die)
    World.open(root).publish("new")


@pytest.mark.parametrize("moment", ["_move", "_record"])
def test_a_kill_around_the_rename_is_healed_by_the_next_publish(world: World, moment: str) -> None:
    child = multiprocessing.get_context("spawn").Process(target=publish_and_die, args=(world.workspace.root, moment))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert rows(world) == 1

    published = world.publish("new")

    assert names(world) == ["lung@v1", "new@v1"]
    assert (published.version, rows(world), world.events("release-published")) == (1, 2, 2)
    assert world.verify(published.path).release == "new@v1"


def forget(world: World) -> Path:
    """Take back the rows of a release, as if its publish had been killed before they were written."""
    with world.engine.begin() as connection:
        for table in (release_receipts, released, releases):
            connection.execute(table.delete())
    return world.workspace.published / "lung@v1"


def test_what_was_curated_since_a_kill_is_the_version_after(world: World) -> None:
    forget(world)
    world.curate([50])

    published = world.publish("lung")

    assert (published.version, rows(world)) == (2, 2)


def damaged(folder: Path) -> None:
    overwrite(next(folder.glob("objects/**/*.dcm")))


def renamed(folder: Path) -> None:
    folder.rename(folder.with_name("lung@v7"))


def emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def under_another_name(folder: Path) -> None:
    shutil.rmtree(folder.with_name("lung@v1"), ignore_errors=True)
    shutil.copytree(folder.with_name("other@v1"), folder.with_name("lung@v1"))


@pytest.mark.parametrize("change", [damaged, renamed, emptied, under_another_name])
def test_a_folder_that_no_publish_left_stops_the_publish_and_stays(
    world: World, change: Callable[[Path], None]
) -> None:
    world.publish("other")
    folder = forget(world)
    change(folder)
    before = names(world)

    with pytest.raises(Tampered, match="lung@v"):
        world.publish("lung")

    assert names(world) == before


def publish_once(
    root: Path, barrier: "multiprocessing.synchronize.Barrier", answers: "multiprocessing.Queue[str]"
) -> None:
    world = World.open(root)
    barrier.wait()
    try:
        published = world.publish("raced")
        answers.put(f"v{published.version} {published.changed}")
    except GovernanceError as error:
        answers.put(type(error).__name__)


def test_publishes_at_the_same_time_make_one_version(world: World) -> None:
    spawn = multiprocessing.get_context("spawn")
    barrier, answers = spawn.Barrier(2), spawn.Queue()
    racers = [spawn.Process(target=publish_once, args=(world.workspace.root, barrier, answers)) for _ in range(2)]
    for racer in racers:
        racer.start()
    said = sorted(answers.get(timeout=60) for _ in racers)
    for racer in racers:
        racer.join()

    assert said == ["v1 False", "v1 True"]
    assert names(world) == ["lung@v1", "raced@v1"]
    assert world.events("release-published") == 2


def test_a_version_that_is_there_is_never_replaced(world: World, tmp_path: Path) -> None:
    folder = world.workspace.published / "lung@v1"
    (tmp_path / "new").mkdir()
    before = sorted(folder.rglob("*"))

    with pytest.raises(Unavailable):
        publishing._move(tmp_path / "new", folder)

    assert sorted(folder.rglob("*")) == before


def test_a_sweep_leaves_a_publish_that_is_alive(world: World) -> None:
    dead = world.workspace.published / f"{publishing.STAGING}{'d' * 16}"
    dead.mkdir()
    with staging.new_folder(world.workspace.published, publishing.STAGING) as alive:
        staging.sweep(world.workspace.published, publishing.STAGING)

        assert alive.is_dir()
        assert not dead.exists()


def replaced(folder: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(folder.with_name("lung@v1"), folder)


@pytest.mark.parametrize("change", [emptied, replaced])
def test_a_version_that_was_replaced_is_not_called_unchanged(world: World, change: Callable[[Path], None]) -> None:
    world.curate([50])
    folder = world.publish("lung").path
    change(folder)

    with pytest.raises(Tampered, match="lung@v2: not what was published") as error:
        world.publish("lung")

    assert error.value.hint == publishing.MOVE
    shutil.move(folder, world.workspace.root / "elsewhere")
    assert world.publish("lung").version == 3


def test_a_release_whose_folder_is_gone_is_published_again_as_the_next_version(world: World) -> None:
    shutil.rmtree(world.workspace.published / "lung@v1")

    assert world.publish("lung").version == 2
