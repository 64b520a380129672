"""The answer of a request in a file: for its owner alone, behind its event, whole or not at all, over nothing."""

import errno
import os
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from governance import pipeline, staging
from governance.errors import Misconfigured, Refused, Unavailable
from governance.pipeline import reidentifying
from tests.databases import PostgreSQL
from tests.pipeline.approved import World, make
from tests.pipeline.beside import PATIENT


@pytest.fixture
def world(tmp_path: Path, database: PostgreSQL | None) -> Iterator[World]:
    made = make(tmp_path, database)
    yield made
    made.context.engine.dispose()


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """In a folder where nothing else is."""
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine" / "answer"


def test_an_answer_is_written_for_its_owner_alone_whatever_the_mask_of_the_process(world: World, output: Path) -> None:
    request = world.ask()
    before = os.umask(0)
    try:
        pipeline.open_request(world.context, request, world.approve(request), output=output)
    finally:
        os.umask(before)

    assert output.read_text() == f"{world.patient}  {PATIENT} Hospital A\n"
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert list(output.parent.iterdir()) == [output]


def killed(world: World, output: Path, where: Callable[[], None]) -> Path:
    """A request whose answering `where` kills; returns it."""
    request = world.ask()
    approved = world.approve(request)
    world.context.engine.dispose()
    process = os.fork()
    if process == 0:
        try:
            where()
            context = pipeline.open_context(world.context.workspace.root, passphrase=None)
            pipeline.open_request(context, request, approved, output=output)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL
    return request


def kill(*_args: object, **_more: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_kill_inside_the_record_leaves_no_file_and_uses_nothing_up(world: World, output: Path) -> None:
    request = killed(world, output, lambda: setattr(reidentifying, "sign", kill))

    assert list(output.parent.iterdir()) == []
    assert world.open(request, world.approve(request, "ben", "cem"))


def half_written(descriptor: int, data: memoryview, write: Callable[..., None] = staging._write) -> None:
    write(descriptor, data[: len(data) // 2])
    kill()


def linked(*args: object, link: Callable[..., None] = os.link, **more: object) -> None:
    link(*args, **more)
    kill()


@pytest.mark.parametrize(
    ("module", "name", "instead", "there"),
    [
        pytest.param(staging.Unnamed, "publish", kill, False, id="nothing written"),
        pytest.param(staging, "_write", half_written, False, id="half written"),
        pytest.param(os, "link", kill, False, id="written, without a name"),
        pytest.param(os, "link", linked, True, id="named"),
    ],
)
def test_a_kill_behind_the_record_leaves_nothing_of_the_answer_or_all_of_it(
    world: World, output: Path, module: object, name: str, instead: Callable[..., None], *, there: bool
) -> None:
    request = killed(world, output, lambda: setattr(module, name, instead))

    left = [path.read_text() for path in output.parent.iterdir()]
    assert left == ([f"{world.patient}  {PATIENT} Hospital A\n"] if there else [])
    assert world.last()[0] == "reidentification-opened"
    with pytest.raises(Refused, match="answered before"):
        world.open(request, world.approve(request, "ben", "cem"))


def test_nothing_of_an_answer_is_written_before_the_log_says_that_it_was_opened(
    world: World, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[object] = []
    write = staging._write
    monkeypatch.setattr(staging, "_write", lambda *args: (said.append(world.last()[0]), write(*args)))
    request = world.ask()

    pipeline.open_request(world.context, request, world.approve(request), output=output)

    assert said == ["reidentification-opened"]


def test_a_file_that_comes_into_the_place_meanwhile_stays_as_it_is(
    world: World, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, sign = reidentifying._approved, reidentifying.sign
    request = world.ask()
    approved = world.approve(request)

    def come(*args: object) -> object:
        output.write_text("theirs")
        return judge(*args)  # type: ignore[arg-type]

    def open_it() -> None:
        pipeline.open_request(world.context, request, approved, output=output)

    with monkeypatch.context() as patched:
        patched.setattr(reidentifying, "_approved", come)
        with pytest.raises(Misconfigured, match="there is a file"):
            open_it()
    output.unlink()
    monkeypatch.setattr(reidentifying, "sign", lambda *args: (output.write_text("theirs"), sign(*args)))
    with pytest.raises(Misconfigured, match="used up") as late:
        open_it()

    assert output.read_text() == "theirs"
    assert PATIENT not in f"{late.value} {late.value.hint}"
    assert late.value.__context__ is None


def test_a_link_to_nowhere_is_not_followed(world: World, output: Path) -> None:
    output.symlink_to(output.with_name("elsewhere"))
    request = world.ask()

    with pytest.raises(Misconfigured, match="there is a file"):
        pipeline.open_request(world.context, request, world.approve(request), output=output)

    assert list(output.parent.iterdir()) == [output]


@pytest.mark.parametrize(
    ("call", "code", "error", "said"),
    [
        pytest.param("posix_fallocate", errno.ENOSPC, Unavailable, "full", id="full"),
        pytest.param("open", errno.EOPNOTSUPP, Misconfigured, "cannot be made", id="no files without a name"),
    ],
)
def test_a_place_that_cannot_take_the_answer_uses_nothing_up(
    world: World,
    output: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    code: int,
    error: type[Exception],
    said: str,
) -> None:
    request = world.ask()
    approved = world.approve(request)
    was = getattr(os, call)

    def fail(*args: object, **more: object) -> object:
        if call == "posix_fallocate" or int(str(args[1])) & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(code, "no")
        return was(*args, **more)

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail)
        with pytest.raises(error, match=said):
            pipeline.open_request(world.context, request, approved, output=output)

    assert list(output.parent.iterdir()) == []
    assert world.open(request, approved)
