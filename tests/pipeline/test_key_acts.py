"""Acts on the root key that are killed: no copy of the secret is anywhere without an event that said so before."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from governance import keys, pipeline
from governance.errors import Unavailable
from governance.keys import Kind, Place
from governance.pipeline.key_acts import Act, said

NONE = Place(Kind.NONE)
Acting = Callable[[pipeline.Context, Path], object]


def rewrapped(context: pipeline.Context, _folder: Path) -> object:
    return pipeline.rewrap(context, place=NONE, passphrase=None)


def backed_up(context: pipeline.Context, folder: Path) -> object:
    return pipeline.back_up(context, shares=3, threshold=2, folder=folder / "shares")


def restored(context: pipeline.Context, folder: Path) -> object:
    context.workspace.key_path.unlink()
    return pipeline.restore(context.workspace.root, sorted(folder.glob("held/*"))[:2], place=NONE, passphrase=None)


ACTS = [pytest.param(act, name, id=name) for act, name in ((rewrapped, "key-rewrap"), (backed_up, "key-backup"))]


def kinds(context: pipeline.Context) -> list[str]:
    pipeline.verify_audit(context)
    with context.engine.connect() as connection:
        rows = connection.exec_driver_sql("select body from events order by idx").fetchall()
    return [json.loads(row[0])["kind"] for row in rows]


def opened(context: pipeline.Context) -> pipeline.Context:
    return pipeline.open_context(context.workspace.root, passphrase=None)


@contextmanager
def killing(name: str, count: int) -> Iterator[None]:
    """The process is killed when it calls a function of `os` for so many times."""
    calls, real = iter(range(count)), getattr(os, name)

    def one(*args: Any, **options: Any) -> Any:
        if next(calls, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **options)

    setattr(os, name, one)
    yield


def killed(context: pipeline.Context, act: Acting, folder: Path, *, at: str, after: int) -> bool:
    """Do an act in a process that is killed there; whether it came so far."""
    context.engine.dispose()
    process = os.fork()
    if process == 0:
        code = 1
        try:
            own = opened(context)
            with killing(at, after):
                act(own, folder)
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0


def secrets_of(context: pipeline.Context, folder: Path) -> list[Path]:
    """Files with a copy of the secret, or a share of it, beside the key file itself."""
    beside = context.workspace.key_path.parent
    return [*beside.glob(".root.json.*"), *folder.glob("shares/*")]


@pytest.mark.parametrize(("act", "name"), ACTS)
@pytest.mark.parametrize("after", range(8))
def test_whatever_a_kill_leaves_was_said_before(
    context: pipeline.Context, tmp_path: Path, act: Acting, name: str, after: int
) -> None:
    """Killed at each call that makes bytes durable, from the first to the last, and behind it."""
    was_killed = killed(context, act, tmp_path, at="fsync", after=after)
    left, said_before = secrets_of(context, tmp_path), kinds(context)
    begun = f"{name}-begun" in said_before

    assert begun or not left
    again = opened(context)
    if not was_killed:
        assert len(kinds(again)) == 2
    assert (kinds(again)[-1:] == [f"{name}-interrupted"]) == (begun and len(said_before) == 1)
    assert bool(again.notes) == (begun and len(said_before) == 1)
    assert opened(context).notes == ()
    assert not list(context.workspace.key_path.parent.glob(".root.json.*"))


def test_a_rewrap_that_was_killed_before_the_new_file_had_its_name(context: pipeline.Context, tmp_path: Path) -> None:
    assert killed(context, rewrapped, tmp_path, at="replace", after=0)
    assert len(secrets_of(context, tmp_path)) == 1

    again = opened(context)

    assert kinds(again) == ["key-rewrap-begun", "key-rewrap-interrupted"]
    assert "was interrupted" in again.notes[0]
    assert secrets_of(context, tmp_path) == []
    assert context.keyring.public_key == again.keyring.public_key


def test_a_restore_that_was_killed_is_told_by_the_next_one(context: pipeline.Context, tmp_path: Path) -> None:
    pipeline.back_up(context, shares=3, threshold=2, folder=tmp_path / "held")
    assert killed(context, restored, tmp_path, at="replace", after=0)
    context.workspace.key_path.unlink()  # empty: the place was taken

    held = sorted((tmp_path / "held").iterdir())[1:]
    pipeline.restore(context.workspace.root, held, place=NONE, passphrase=None)

    ends = ["key-restore-begun", "key-restore-interrupted", "key-restore-begun", "key-restored"]
    assert kinds(opened(context)) == ["key-backup-begun", "key-backed-up", *ends]


def test_one_act_at_a_time_and_who_only_opens_says_nothing_of_it(context: pipeline.Context) -> None:
    with said(context, Act.BACKUP):
        assert opened(context).notes == ()
        with pytest.raises(Unavailable), said(context, Act.REWRAP):
            pass

    assert kinds(context) == ["key-backup-begun", "key-backed-up"]
    assert keys.recorded(context.workspace.key_path) == NONE
