"""A file is read whole or has an outcome; it is never waited for."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from governance.datatypes import Source, SourceOutcome
from governance.ingest import Limits, bytes_of, disk, sources
from tests.ingest import hostile


@pytest.mark.parametrize("read", [lambda path: next(sources([path])), lambda path: bytes_of(Source("", path=path))])
def test_a_file_that_became_a_pipe_is_not_waited_for(read: Callable[[Path], object], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    found = read(tmp_path / "pipe")

    assert isinstance(found, SourceOutcome)
    assert found.reason == "not a regular file"


def test_the_bytes_of_a_source_are_those_of_its_file_or_its_own(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")

    assert bytes_of(Source("a", path=tmp_path / "a")) == b"content"
    assert bytes_of(Source("a!b", data=b"member")) == b"member"


def test_a_file_larger_than_the_limits_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(Limits().max_member_bytes + 1)

    found = bytes_of(Source("a", path=tmp_path / "a"))

    assert isinstance(found, SourceOutcome)
    assert found.reason == "file is larger than the limits allow"


def test_a_file_larger_than_the_memory_that_is_left_is_an_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").touch()
    monkeypatch.setattr(disk, "_read", hostile.no_memory)

    found = bytes_of(Source("a", path=tmp_path / "a"))

    assert isinstance(found, SourceOutcome)
    assert found.reason == "larger than the memory that is left"
