"""Every file under a root is listed once, in one order; what is no file is an outcome."""

import errno
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.datatypes import Outcome, SourceOutcome
from governance.errors import Misconfigured
from governance.ingest import files
from governance.storage import Workspace

names = st.sampled_from(["a", "B", "c", "a.zip", "Ä", "z z"])
trees = st.recursive(st.just(b""), lambda inner: st.dictionaries(names, inner, max_size=4), max_leaves=12)


def plant(place: Path, tree: object) -> None:
    if isinstance(tree, dict):
        place.mkdir()
        for name, inside in tree.items():
            plant(place / name, inside)
    else:
        place.write_bytes(b"")


def reasons(*roots: Path) -> dict[str, str]:
    return {Path(entry.source).name: entry.reason for entry in files(roots) if isinstance(entry, SourceOutcome)}


def listed(*roots: Path) -> list[Path]:
    return [entry for entry in files(roots) if isinstance(entry, Path)]


def every(*roots: Path) -> list[str]:
    """Where every entry lies, source or not."""
    names = (entry.source if isinstance(entry, SourceOutcome) else str(entry) for entry in files(roots))
    return sorted(os.path.normpath(name) for name in names)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=st.dictionaries(names, trees))
def test_every_file_is_listed_once_and_always_in_one_order(tree: dict[str, object], tmp_path: Path) -> None:
    root = tmp_path / "root"
    shutil.rmtree(root, ignore_errors=True)
    plant(root, tree)

    found = listed(root)

    assert sorted(path for path in root.rglob("*") if path.is_file()) == sorted(found)
    assert found == listed(root)
    assert set(found) == set(listed(root / ".", *(path for path in root.rglob("*"))))
    assert len(found) == len(listed(*(path for path in root.rglob("*")), root))


def plant_what_is_no_source(root: Path) -> None:
    (root / "closed").mkdir(parents=True)
    (root / "folder").mkdir()
    os.mkfifo(root / "folder" / "fifo")
    (root / "broken").symlink_to("missing")
    (root / "link").symlink_to("file")
    (root / "file").touch()
    (root / "above").symlink_to("folder")
    Workspace.create(root / "folder" / "workspace", passphrase=None)


ROOTS = ("", ".", "folder", "folder/fifo", "folder/workspace", "broken", "link", "file", "folder/..")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(others=st.lists(st.sampled_from(ROOTS), max_size=4), at=st.integers(0, 4))
def test_what_several_roots_hold_is_counted_once_source_or_not(others: list[str], at: int, tmp_path: Path) -> None:
    root = tmp_path / "root"
    if not root.exists():
        plant_what_is_no_source(root)
    roots = [root / other for other in others]
    roots.insert(at, root)

    assert every(root) == every(*roots)


def test_a_folder_that_cannot_be_listed_is_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> list[str]:
        raise PermissionError

    monkeypatch.setattr(os, "listdir", refuse)

    assert len(every(tmp_path, tmp_path)) == 1


def test_a_link_to_a_file_of_the_root_is_a_source(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")

    assert [tmp_path / "file", tmp_path / "link"] == listed(tmp_path)


def test_links_that_lead_back_out_or_nowhere_are_outcomes(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "folder" / "deeper").mkdir(parents=True)
    (tmp_path / "secret").touch()
    (root / "folder" / "deeper" / "loop").symlink_to(root / "folder")
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "above").symlink_to(tmp_path)
    (root / "nowhere").symlink_to("missing")
    (root / "itself").symlink_to("itself")

    assert reasons(root) == {
        "loop": "symbolic link loop",
        "out": "symbolic link leaves the source",
        "above": "symbolic link leaves the source",
        "nowhere": "broken symbolic link",
        "itself": "broken symbolic link",
    }
    assert listed(root) == []


def test_links_to_folders_beside_each_other_do_not_multiply(tmp_path: Path) -> None:
    for number in range(24):
        (tmp_path / f"d{number:02d}").mkdir()
        for link in ("x", "y"):
            (tmp_path / f"d{number:02d}" / link).symlink_to(tmp_path / f"d{(number + 1) % 24:02d}")
    (tmp_path / "d00" / "file").touch()

    entries = list(files([tmp_path]))

    assert [tmp_path / "d00" / "file"] == [entry for entry in entries if isinstance(entry, Path)]
    assert sum(isinstance(entry, SourceOutcome) and entry.outcome is Outcome.FILTERED for entry in entries) == 48


def test_a_root_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").touch()
    (tmp_path / "root").symlink_to("real")

    assert [tmp_path / "root" / "file"] == listed(tmp_path / "root")


def test_a_linked_folder_given_as_a_root_of_its_own_is_listed(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    (tmp_path / "root" / "link").symlink_to("../other")

    assert [tmp_path / "root" / "link" / "file"] == listed(tmp_path / "root", tmp_path / "root" / "link")


def test_what_is_no_regular_file_is_an_outcome(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    assert reasons(tmp_path) == {"fifo": "not a regular file"}


def test_a_folder_that_cannot_be_listed_is_an_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "file").touch()
    real = os.listdir

    def refuse(folder: Path) -> list[str]:
        if folder == tmp_path / "closed":
            raise PermissionError
        return real(folder)

    monkeypatch.setattr(os, "listdir", refuse)

    assert reasons(tmp_path) == {"closed": "folder cannot be listed"}
    assert [tmp_path / "file"] == listed(tmp_path)


@pytest.mark.parametrize("place", ["", "deep/er/workspace"])
def test_a_workspace_inside_a_source_is_left_out_whole(tmp_path: Path, place: str) -> None:
    """Otherwise every run would take its own outputs for sources, and the key file for one, too."""
    root = tmp_path / "root"
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    Workspace.create(root / place, passphrase=None)

    entries = list(files([root]))

    assert [SourceOutcome(str(root / place), Outcome.FILTERED, "a workspace of this program")] == entries


def test_a_folder_with_only_the_name_of_a_marker_in_it_is_listed(tmp_path: Path) -> None:
    (tmp_path / "workspace.yaml").touch()
    (tmp_path / "inner").mkdir()

    assert [tmp_path / "workspace.yaml"] == listed(tmp_path)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(PermissionError(errno.EACCES, ""), "cannot be looked at: permission denied", id="not searchable"),
        pytest.param(OSError(errno.EIO, ""), "cannot be looked at: input/output error", id="damaged disk"),
        pytest.param(ValueError(), "cannot be looked at", id="no name for this system"),
        pytest.param(RecursionError(), "cannot be looked at", id="links without end"),
    ],
)
def test_what_the_system_refuses_to_look_at_is_an_outcome_and_the_others_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).touch()
    real = os.stat

    def refuse(path: Path, **options: bool) -> os.stat_result:
        if Path(path) == tmp_path / "b":
            raise error
        return real(path, **options)

    monkeypatch.setattr(os, "stat", refuse)

    assert reasons(tmp_path) == {"b": reason}
    assert [tmp_path / "a", tmp_path / "c"] == listed(tmp_path)


def test_a_path_longer_than_the_system_takes_is_an_outcome_and_the_others_are_listed(tmp_path: Path) -> None:
    place = os.open(tmp_path, os.O_RDONLY)
    for _ in range(30):  # 6000 bytes, which only a program that goes step by step can make
        os.mkdir("d" * 200, dir_fd=place)
        inside = os.open("d" * 200, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inside
    os.close(place)
    (tmp_path / "file").touch()

    assert list(reasons(tmp_path).values()) == ["cannot be looked at: file name too long"]
    assert [tmp_path / "file"] == listed(tmp_path)


def test_folders_may_lie_deeper_than_python_calls_itself(tmp_path: Path) -> None:
    folders = [tmp_path / "d"]
    folders[0].mkdir()
    for _ in range(1100):
        folders.append(folders[-1] / "d")
        folders[-1].mkdir()
    file = folders[-1] / "file"
    file.touch()

    found = listed(tmp_path)

    file.unlink()
    for folder in reversed(folders):  # pytest would call itself as often
        folder.rmdir()
    assert found == [file]


def test_a_missing_root_is_misuse_and_told_by_its_place(tmp_path: Path) -> None:
    """Its path may name a patient."""
    with pytest.raises(Misconfigured) as error:
        list(files([tmp_path, tmp_path / "Quillfeather"]))

    assert str(error.value) == "source 2 of 2 does not exist"


def test_undecodable_names_are_listed_and_spelled_out(tmp_path: Path) -> None:
    name = os.fsdecode(b"n\xffm")
    (tmp_path / name).touch()
    (tmp_path / (name + "link")).symlink_to("missing")

    (found,) = listed(tmp_path)

    assert found.exists()
    assert list(reasons(tmp_path)) == ["n\\xffmlink"]
