"""Which folder is a release, and which one: told before anything in it is checked."""

from pathlib import Path

import pytest

from governance.errors import Misconfigured, Tampered
from governance.pipeline.publishing import ports
from governance.release import layout, verify
from tests.release.world import World


@pytest.mark.parametrize(
    ("inside", "example"), [(".", "FOLDER/published/lung@v1"), ("published", "FOLDER/lung@v1"), ("curated", "NAME@vN")]
)
def test_a_folder_that_is_no_release_is_told_from_a_damaged_one(world: World, inside: str, example: str) -> None:
    with pytest.raises(Misconfigured, match="not a release") as error:
        world.verify(world.workspace.root / inside)

    assert example in error.value.hint


@pytest.mark.parametrize("left", [layout.README, layout.SIGNATURE, layout.RECEIPTS])
def test_a_release_that_lost_what_says_so_is_a_damaged_one(world: World, left: str) -> None:
    """By its folder's name, or by any file that only releases hold."""
    folder = world.workspace.published / "lung@v1"
    for path in filter(Path.is_file, list(folder.rglob("*"))):
        if path.name != left:
            path.unlink()
    if left != layout.README:
        folder = folder.rename(folder.parent / "renamed")

    with pytest.raises(Tampered, match=f"{layout.MANIFEST}: missing"):
        world.verify(folder)


@pytest.mark.parametrize("name", ["lung@v2", "heart@v1"])
def test_a_release_in_the_folder_of_another_one_is_found(folder: Path, name: str) -> None:
    renamed = folder.rename(folder.with_name(name))

    with pytest.raises(Tampered, match="this is lung@v1 in a folder of another release"):
        verify(renamed, ports=ports())


def test_a_release_knows_its_folder_from_inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.rename(folder.with_name("lung@v2")))

    with pytest.raises(Tampered, match="lung@v1"):
        verify(Path(), ports=ports())


def test_no_folder_is_misuse(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        verify(tmp_path / "none", ports=ports())


def test_an_empty_folder_is_no_release(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="not a release"):
        verify(tmp_path, ports=ports())
