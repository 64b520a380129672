"""Bytes get in by one door: staged, hashed, committed inside the zone, under one lock."""

import errno
import hashlib
import os
import signal
import subprocess
import sys
import textwrap
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import keys, storage
from governance.errors import Misconfigured, Refused, Unavailable
from governance.storage import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "w", passphrase=None)


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


# ------------------------------------------------------------------ create and open


def test_a_new_workspace_has_its_zones_and_opens(tmp_path: Path) -> None:
    made = Workspace.create(tmp_path / "deep" / "w", passphrase=None)

    assert made == Workspace.open(tmp_path / "deep" / "w")
    assert made.origin.startswith("governance/")
    assert tree(made.root) == {
        "workspace.yaml",
        "inner",
        "inner/keys",
        "inner/keys/checkpoint",
        "inner/keys/root.json",
        "inner/staging",
        "inner/vault",
        "inner/vault/vault.sqlite3",
        "inner/workspace.sqlite3",
        "curated",
        "published",
    }


def test_the_inner_zone_is_the_owners_alone(workspace: Workspace) -> None:
    assert workspace.inner.stat().st_mode & 0o777 == 0o700


def test_two_workspaces_have_two_logs_and_two_keys(tmp_path: Path) -> None:
    made = [Workspace.create(tmp_path / name, passphrase=None) for name in "ab"]

    assert made[0].origin != made[1].origin
    assert len({keys.load(one.key_path, passphrase=None).public_key for one in made}) == 2


def test_an_empty_folder_becomes_a_workspace(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()

    assert Workspace.create(tmp_path / "w", passphrase=None) == Workspace.open(tmp_path / "w")


def test_a_workspace_is_not_made_twice(workspace: Workspace) -> None:
    before = workspace.key_path.read_bytes()

    with pytest.raises(Misconfigured, match="workspace already") as refusal:
        Workspace.create(workspace.root, passphrase=None)

    assert refusal.value.hint
    assert before == workspace.key_path.read_bytes()


def test_a_folder_with_something_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "curated").mkdir()
    (tmp_path / "curated" / "thesis.txt").write_text("keep me")

    with pytest.raises(Misconfigured, match="not empty") as refusal:
        Workspace.create(tmp_path, passphrase=None)

    assert refusal.value.hint
    assert tree(tmp_path) == {"curated", "curated/thesis.txt"}


def test_a_file_is_no_place_for_a_workspace(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(Misconfigured):
        Workspace.create(tmp_path / "file", passphrase=None)


def test_a_refused_passphrase_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        Workspace.create(tmp_path / "w", passphrase=b"")

    assert not tree(tmp_path / "w")


@pytest.mark.parametrize("renames", range(4))
def test_a_killed_init_can_be_run_again(tmp_path: Path, renames: int) -> None:
    """Killed before the first, the second, the third and the last of its renames."""
    script = f"""
        import os, signal, sys
        from pathlib import Path
        from governance import storage
        real, left = os.rename, [{renames}]
        def rename(*paths):
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            real(*paths)
        storage.os.rename = rename
        storage.Workspace.create(Path(sys.argv[1]), passphrase=None)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "w")], check=False)
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(Misconfigured):
        Workspace.open(tmp_path / "w")

    made = Workspace.create(tmp_path / "w", passphrase=None)

    assert made == Workspace.open(tmp_path / "w")
    assert not [path for path in tree(made.root) if storage.BUILDING in path]


def test_two_inits_in_one_folder_do_not_mix(tmp_path: Path) -> None:
    with storage._building(tmp_path), pytest.raises(Unavailable):
        Workspace.create(tmp_path, passphrase=None)


@pytest.mark.parametrize(
    "marker",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param("format: 9\norigin: governance/x\n", id="of a later version"),
        pytest.param("format: 1\n", id="without a log"),
        pytest.param("{", id="no YAML"),
        pytest.param("!!python/object/apply:os.getcwd []", id="YAML that runs code"),
    ],
)
def test_a_folder_without_a_good_marker_is_no_workspace(workspace: Workspace, marker: str | None) -> None:
    path = workspace.root / "workspace.yaml"
    path.unlink() if marker is None else path.write_text(marker)

    with pytest.raises(Misconfigured):
        Workspace.open(workspace.root)


def test_an_inner_zone_that_others_may_read_is_refused(workspace: Workspace) -> None:
    workspace.inner.chmod(0o750)

    with pytest.raises(Misconfigured) as refusal:
        Workspace.open(workspace.root)

    assert refusal.value.hint == "chmod 700 inner"


def test_a_workspace_that_lost_a_zone_is_refused(workspace: Workspace) -> None:
    workspace.curated.rmdir()

    with pytest.raises(Misconfigured):
        Workspace.open(workspace.root)


@pytest.mark.parametrize("left", [None, b""], ids=["deleted", "emptied"])
def test_a_lost_database_is_not_made_anew(workspace: Workspace, left: bytes | None) -> None:
    workspace.database_path.unlink() if left is None else workspace.database_path.write_bytes(left)

    with pytest.raises(Misconfigured, match="database"):
        Workspace.open(workspace.root)


# ------------------------------------------------------------------ one run at a time


def test_another_process_cannot_take_the_lock(workspace: Workspace) -> None:
    script = """
        import sys
        from pathlib import Path
        from governance.errors import Unavailable
        from governance.storage import Workspace
        try:
            with Workspace.open(Path(sys.argv[1])).lock():
                sys.exit(0)
        except Unavailable as error:
            sys.exit(error.exit_code)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(workspace.root)]

    with workspace.lock():
        during = subprocess.run(command, check=False).returncode
    after = subprocess.run(command, check=False).returncode

    assert (during, after) == (75, 0)


def test_a_killed_run_leaves_no_lock(workspace: Workspace) -> None:
    script = """
        import os, signal, sys
        from pathlib import Path
        from governance.storage import Workspace
        with Workspace.open(Path(sys.argv[1])).lock():
            os.kill(os.getpid(), signal.SIGKILL)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(workspace.root)], check=False)

    with workspace.lock():
        assert (workspace.inner / "lock").exists()


def test_the_lock_is_refused_within_one_process_too(workspace: Workspace) -> None:
    with workspace.lock(), pytest.raises(Unavailable, match="another run"), workspace.lock():
        pass


# ------------------------------------------------------------------ staging


def put(workspace: Workspace, *parts: bytes) -> storage.Staged:
    return storage.stage(workspace.staging, parts)


@given(parts=st.lists(st.binary(max_size=100)))
def test_what_is_staged_is_the_parts_in_a_row(tmp_path_factory: pytest.TempPathFactory, parts: list[bytes]) -> None:
    staging = tmp_path_factory.mktemp("staging")

    staged = storage.stage(staging, (memoryview(part) for part in parts))

    whole = b"".join(parts)
    assert (whole, len(whole)) == (staged.path.read_bytes(), staged.size)
    assert hashlib.sha256(whole).hexdigest() == staged.sha256


def test_names_in_staging_say_nothing(workspace: Workspace) -> None:
    names = {put(workspace, b"same").path.name for _ in range(3)}

    assert len(names) == 3
    assert all(len(name) == 32 and set(name) <= set("0123456789abcdef") for name in names)


def test_a_source_that_breaks_off_leaves_nothing(workspace: Workspace) -> None:
    def broken() -> list[bytes]:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        storage.stage(workspace.staging, (part for part in [b"begun", *broken()]))

    assert not list(workspace.staging.iterdir())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
def test_a_full_disk_is_for_later(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open
    monkeypatch.setattr(os, "open", lambda _path, _flags, _mode: real("/dev/full", os.O_WRONLY))

    with pytest.raises(Unavailable, match="full") as refusal:
        put(workspace, b"x")

    assert refusal.value.__context__ is None


def test_a_disk_without_room_for_another_file_is_for_later(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: object, _flags: int, _mode: int) -> int:
        raise OSError(errno.ENOSPC, "no inode is left")

    monkeypatch.setattr(os, "open", refuse)

    with pytest.raises(Unavailable, match="full") as refusal:
        put(workspace, b"x")

    assert refusal.value.__context__ is None


def test_staging_is_cleared_and_discarded(workspace: Workspace) -> None:
    first, second = put(workspace, b"1"), put(workspace, b"2")
    workspace.discard(first.path)
    assert [second.path] == list(workspace.staging.iterdir())

    workspace.clear_staging()

    assert not list(workspace.staging.iterdir())


# ------------------------------------------------------------------ committing


def test_a_committed_file_is_in_its_place_and_nowhere_else(workspace: Workspace) -> None:
    staged = put(workspace, b"bytes")

    workspace.commit_all({"P-1/S-1/R-1/N-1.dcm": staged.path})

    assert (workspace.curated / "P-1/S-1/R-1/N-1.dcm").read_bytes() == b"bytes"
    assert not staged.path.exists()


def test_a_batch_is_committed_to_its_places(workspace: Workspace) -> None:
    batch = {f"P-{number}/S/{number}.dcm": put(workspace, bytes([number])).path for number in range(3)}

    workspace.commit_all(batch)

    assert [(workspace.curated / place).read_bytes() for place in batch] == [b"\0", b"\1", b"\2"]


OUTSIDE = [
    "../x.dcm",
    "P/../../x.dcm",
    "P/../x.dcm",
    "/etc/x.dcm",
    "//x.dcm",
    "..",
    "",
    ".",
    "P\\..\\x.dcm",
    "P/x\0.dcm",
]


@pytest.mark.parametrize("relative", OUTSIDE)
def test_a_place_outside_of_the_zone_is_refused(workspace: Workspace, relative: str) -> None:
    staged, good = put(workspace, b"bytes"), put(workspace, b"good")

    with pytest.raises(Refused):
        workspace.commit_all({relative: staged.path})
    with pytest.raises(Refused):
        workspace.commit_all({"P/good.dcm": good.path, relative: staged.path})

    assert staged.path.exists()
    assert good.path.exists()
    assert not tree(workspace.curated)


def test_a_link_in_the_zone_does_not_lead_out(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (workspace.curated / "P").symlink_to(tmp_path / "elsewhere")
    staged = put(workspace, b"bytes")

    with pytest.raises(Refused):
        workspace.commit_all({"P/x.dcm": staged.path})

    assert not tree(tmp_path / "elsewhere")


def test_only_staged_files_are_committed_or_discarded(workspace: Workspace) -> None:
    with pytest.raises(Refused):
        workspace.commit_all({"P/x.dcm": workspace.key_path})
    with pytest.raises(Refused):
        workspace.discard(workspace.key_path)

    assert workspace.key_path.exists()


@pytest.mark.parametrize("links", [True, False])
def test_what_a_commit_replaces_can_be_put_back(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", _refuse)
    for content in (b"old", b"new"):
        workspace.commit_all({"p/s/r/i.dcm": put(workspace, content).path})

    assert workspace.restore("p/s/r/i.dcm", sha256(b"old").hexdigest())
    assert (workspace.curated / "p/s/r/i.dcm").read_bytes() == b"old"


def _refuse(*_: object) -> None:
    raise PermissionError("as a file system without hard links")
