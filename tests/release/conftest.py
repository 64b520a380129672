"""One small workspace with one release, made once; tests that change something take a copy."""

import shutil
from pathlib import Path

import pytest

from tests.release.world import World


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Three batches of one project, one of them partly superseded, and a batch of another project."""
    world = World.create(tmp_path_factory.mktemp("made") / "workspace")
    world.curate(range(7))
    world.curate(range(7, 10))
    world.curate([100, 101], project="other")
    world.curate([2], salt="again")
    world.publish("lung")
    return world


@pytest.fixture
def world(made: World, tmp_path: Path) -> World:
    """A workspace of one's own, with lung@v1 in it."""
    shutil.copytree(made.workspace.root, tmp_path / "workspace")
    return World.open(tmp_path / "workspace")


@pytest.fixture
def folder(made: World, tmp_path: Path) -> Path:
    """A copy of lung@v1, alone, as somebody downloaded it."""
    return Path(shutil.copytree(made.workspace.published / "lung@v1", tmp_path / "downloaded"))
