"""A compressed file is read whole, stream by stream, and what is no part of it is told."""

import bz2
import gzip
import lzma
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.datatypes import Source
from tests.ingest import hostile
from tests.ingest.test_archives import contents, one_file, opened

COMPRESSED = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("kind", COMPRESSED)
@one_file
@given(parts=st.lists(st.binary(max_size=3000), min_size=1, max_size=4), padding=st.integers(0, 3))
def test_streams_behind_each_other_are_read_as_one(kind: str, parts: list[bytes], padding: int, tmp_path: Path) -> None:
    """As pbzip2 and xz write them; xz allows zeros behind each (The .xz File Format, 2.2)."""
    parts[0] = b"." + parts[0]  # it is no archive again
    packed = (bytes(4 * padding) if kind != "gz" else b"").join(map(COMPRESSED[kind], parts)) + bytes(4 * padding)

    assert [b"".join(parts)] == list(contents(opened(tmp_path, packed)).values())


@pytest.mark.parametrize(
    "behind",
    [b"B", b"JUNK", gzip.compress(b"2", mtime=0), bytes(9) + b"\1", b"x" * 100_000],
    ids=["letter", "word", "other compression", "zeros", "long"],
)
@pytest.mark.parametrize("kind", ["bz2", "xz"])
@pytest.mark.parametrize("tar", [True, False], ids=["tar", "file"])
def test_what_follows_a_compressed_stream_is_not_lost_in_silence(
    tar: bool, kind: str, behind: bytes, tmp_path: Path
) -> None:
    first = hostile.tarred({"first": b"1" * 3000}) if tar else b"1" * 3000

    entries = opened(tmp_path, COMPRESSED[kind](first) + behind)

    assert list(contents(entries).values()) == [b"1" * 3000, "damaged archive"]


@pytest.mark.parametrize("kind", COMPRESSED)
def test_a_second_stream_that_is_cut_or_damaged_is_seen(kind: str, tmp_path: Path) -> None:
    compress = COMPRESSED[kind]
    second = compress(random.Random(1).randbytes(3000))
    tar = hostile.tarred({"first": b"1"})

    for rest in (second[:-1], second[:20], second[:1000] + bytes(8) + second[1008:]):
        entries = opened(tmp_path, compress(tar) + rest)
        assert [entry.data for entry in entries if isinstance(entry, Source)] == [b"1"]
        assert contents(entries)[""] in ("damaged archive", "truncated archive")
