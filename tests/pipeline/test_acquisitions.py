"""A trace tells how a series was taken where all of it was asked for, and reads no more than that takes."""

from collections import Counter
from pathlib import Path

import pytest

from governance import pipeline, provenance
from governance.cli import main
from tests.databases import PostgreSQL, address_of
from tests.release.world import World

BATCHES, EACH = 12, 9
"""More batches than are remembered; their receipts lie between each other's where they are sorted by path."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, database: PostgreSQL | None) -> World:
    """Series E0 and E1, in many batches."""
    world = World.create(tmp_path_factory.mktemp("series") / "w", address_of(database))
    for first in range(BATCHES):
        world.curate(range(first, BATCHES * EACH, BATCHES))
    return world


def told(world: World, name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, Counter[str]]:
    """Instances of the series that were told, and how many times each batch was checked for that."""
    context = pipeline.Context(world.workspace, world.engine, world.keyring)
    found = pipeline.find(context, name)
    shown = {(trace.receipt.project, trace.receipt.series) for trace in found.traces}
    checked, real = Counter[str](), provenance.verify_batch

    def verify(batch: provenance.Batch, key: bytes) -> None:
        checked[batch.batch_id] += 1
        real(batch, key)

    monkeypatch.setattr(provenance, "verify_batch", verify)
    return sum(each.instances for each in pipeline.acquisitions(context, found, shown)), checked


def test_each_batch_of_a_series_is_checked_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    instances, checked = told(world, "E0", monkeypatch)

    assert instances == BATCHES * EACH // 2
    assert set(checked.values()) == {1}


def test_for_one_instance_no_other_is_read(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(world, "I0004", monkeypatch) == (0, Counter())

    main(["trace", "I0004", "-w", str(world.workspace.root)])
    assert "trace the id of a series" in capsys.readouterr().err


def test_of_a_series_of_one_instance_that_one_is_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World.create(tmp_path / "w")
    world.curate([1, 2])

    assert told(world, "I0001", monkeypatch)[0] == 1
