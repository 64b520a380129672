"""Where the log leaves the workspace to, and what lies beside it there."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from governance import pipeline
from governance.errors import Misconfigured
from tests.release.world import World

Leave = Callable[[pipeline.Context, Path], object]
WAYS = pytest.mark.parametrize("leave", [pipeline.bundle_audit, pipeline.export_audit])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World.create(tmp_path_factory.mktemp("places") / "workspace")
    world.curate(range(3))
    return world


@pytest.fixture
def context(world: World) -> pipeline.Context:
    return pipeline.Context(world.workspace, world.engine, world.keyring)


@pytest.mark.parametrize("name", ["argparse", "heapq", "json", "cryptography", "sys"])
def test_nothing_beside_the_verifier_is_run(context: pipeline.Context, tmp_path: Path, name: str) -> None:
    bundle, trace = tmp_path / "bundle", tmp_path / "ran"
    pipeline.bundle_audit(context, bundle)
    (bundle / f"{name}.py").write_text(f"open({str(trace)!r}, 'w')\nprint('everything agrees')\nraise SystemExit(0)\n")

    for options in ([], ["-I"], ["-P"]):
        command = [sys.executable, *options, str(bundle / "verify.py")]
        done = subprocess.run(command, capture_output=True, text=True, cwd=bundle, check=False)

        assert (done.returncode, trace.exists()) == (3, False), done.stderr
        assert f"{name}.py' does not belong to the bundle" in done.stdout


@WAYS
@pytest.mark.parametrize("place", ["published/d@v9", "inner/log", ".", "absent/../curated/x", "log"])
def test_nothing_leaves_into_the_workspace(context: pipeline.Context, leave: Leave, place: str) -> None:
    root = context.workspace.root
    before = sorted(root.rglob("*"))

    with pytest.raises(Misconfigured, match="in the workspace"):
        leave(context, root / place)

    assert before == sorted(root.rglob("*"))


@WAYS
def test_a_link_into_the_workspace_leads_nowhere(context: pipeline.Context, tmp_path: Path, leave: Leave) -> None:
    (tmp_path / "link").symlink_to(context.workspace.root / "published")

    with pytest.raises(Misconfigured, match="in the workspace"):
        leave(context, tmp_path / "link" / "d@v9")


@WAYS
@pytest.mark.parametrize("place", ["/proc/x", "/dev/null/x", "absent/.."])
def test_a_place_where_nothing_can_be_is_misuse(
    context: pipeline.Context, tmp_path: Path, leave: Leave, place: str
) -> None:
    (tmp_path / "something").touch()

    with pytest.raises(Misconfigured):
        leave(context, tmp_path / place)

    assert os.listdir(tmp_path) == ["something"]


@WAYS
def test_the_name_of_what_left_is_on_the_disk(
    context: pipeline.Context, tmp_path: Path, leave: Leave, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, real = list[str](), os.fsync

    def note(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    leave(context, tmp_path / "log")

    assert synced[-1] == str(tmp_path)
    shutil.rmtree(tmp_path / "log")
