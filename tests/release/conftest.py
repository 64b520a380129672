"""One small workspace with one release, made once; tests that change something take a copy."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from governance.storage import MARKER
from tests.databases import PostgreSQL
from tests.release.world import World


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, database: PostgreSQL | None) -> World:
    """Three batches of one project, one of them partly superseded, and a batch of another project."""
    address = None if database is None else database.address(database.copy())
    world = World.create(tmp_path_factory.mktemp("made") / "workspace", address)
    world.curate(range(7))
    world.curate(range(7, 10))
    world.curate([100, 101], project="other")
    world.curate([2], salt="again")
    world.publish("lung")
    return world


@pytest.fixture
def world(made: World, tmp_path: Path, database: PostgreSQL | None) -> Iterator[World]:
    """A workspace of one's own, with lung@v1 in it."""
    root = tmp_path / "workspace"
    shutil.copytree(made.workspace.root, root)
    if database is not None:
        made.engine.dispose()  # only a database that nobody uses is copied
        marker = root / MARKER
        copied = database.copy(str(made.engine.url.database))
        marker.write_text(yaml.safe_dump(yaml.safe_load(marker.read_text()) | {"database": database.address(copied)}))
    world = World.open(root)
    yield world
    world.engine.dispose()


@pytest.fixture
def folder(made: World, tmp_path: Path) -> Path:
    """A copy of lung@v1, alone, as somebody downloaded it."""
    return Path(shutil.copytree(made.workspace.published / "lung@v1", tmp_path / "downloaded"))
