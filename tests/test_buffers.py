"""Pieces of a buffer are the buffer, whether it was read or mapped."""

from pathlib import Path

import pytest

from governance import buffers


@pytest.mark.parametrize("size", [0, 1, buffers.CHUNK - 1, buffers.CHUNK, 3 * buffers.CHUNK + 7])
def test_pieces_are_the_whole(size: int) -> None:
    data = bytes(number % 251 for number in range(1024)) * (size // 1024 + 1)

    pieces = list(buffers.chunks(data[:size]))

    assert data[:size] == b"".join(pieces)
    assert all(len(piece) == buffers.CHUNK for piece in pieces[:-1])


def test_a_large_file_is_mapped_and_the_same_each_time(tmp_path: Path) -> None:
    path = tmp_path / "large"
    data = b"0123456789abcdef" * (buffers.MAPPED // 16) + b"end"
    path.write_bytes(data)

    mapped = buffers.load(path)

    assert isinstance(mapped, memoryview)
    assert [data, data] == [b"".join(buffers.chunks(mapped)) for _ in range(2)]


def test_a_small_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"small")

    assert buffers.load(tmp_path / "small") == b"small"
